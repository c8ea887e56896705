"""A journal survives being cut off anywhere, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.errors import InputError
from pse_bench.runtime import resume

IDENTITY = {"plan": "a" * 64, "format": "flac"}
ENTRIES = [{"scene_id": f"s{number}", "name": "café\n"} for number in range(4)]


def written(path):
    """A journal of all entries; its bytes."""
    with resume.open_journal(path, IDENTITY, []) as kept:
        for entry in ENTRIES:
            kept.add(entry)
    return path.read_bytes()


def test_what_was_added_is_read_back(tmp_path):
    written(tmp_path / "j")
    assert resume.read_journal(tmp_path / "j") == (IDENTITY, ENTRIES)


def test_an_entry_is_in_the_file_as_soon_as_it_is_added(tmp_path):
    """A process that is killed afterwards loses nothing of it."""
    with resume.open_journal(tmp_path / "j", IDENTITY, []) as kept:
        assert resume.read_journal(tmp_path / "j") == (IDENTITY, [])
        kept.add(ENTRIES[0])
        assert resume.read_journal(tmp_path / "j") == (IDENTITY, ENTRIES[:1])


def test_entries_are_read_back_by_number_while_others_are_added(tmp_path):
    """Also those that an earlier run had finished, and between two additions."""
    with resume.open_journal(tmp_path / "j", IDENTITY, ENTRIES[:2]) as kept:
        for number in (2, 3):
            assert kept.add(ENTRIES[number]) == number
            assert [kept[earlier] for earlier in range(number, -1, -1)] == ENTRIES[number::-1]
    assert resume.read_journal(tmp_path / "j") == (IDENTITY, ENTRIES)


def test_no_journal_is_an_empty_one(tmp_path):
    assert resume.read_journal(tmp_path / "none") == ({}, [])
    (tmp_path / "empty").write_bytes(b"")
    assert resume.read_journal(tmp_path / "empty") == ({}, [])


def test_cut_off_at_any_byte_it_holds_the_whole_lines_before(tmp_path):
    """Also in the middle of a letter of two bytes."""
    content = written(tmp_path / "j")
    for length in range(len(content)):
        (tmp_path / "cut").write_bytes(content[:length])
        lines = content[:length].count(b"\n")
        identity, entries = resume.read_journal(tmp_path / "cut")
        assert identity == (IDENTITY if lines else {})
        assert entries == ENTRIES[: max(0, lines - 1)]


@given(st.integers(0, 200))
def test_going_on_after_a_cut_gives_the_same_journal(tmp_path, length):
    content = written(tmp_path / "j")
    (tmp_path / "j").write_bytes(content[: length % len(content)])
    _, finished = resume.read_journal(tmp_path / "j")
    with resume.open_journal(tmp_path / "j", IDENTITY, finished) as kept:
        for entry in ENTRIES[len(finished) :]:
            kept.add(entry)
    assert (tmp_path / "j").read_bytes() == content


def test_an_exception_on_the_way_keeps_what_was_added(tmp_path):
    def fail():
        with resume.open_journal(tmp_path / "j", IDENTITY, []) as kept:
            kept.add(ENTRIES[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert resume.read_journal(tmp_path / "j") == (IDENTITY, ENTRIES[:1])


@pytest.mark.parametrize("line", [b"{", b"[1]", b"3", b"null", b"", b"\xff\xfe", b"x" * 100])
@pytest.mark.parametrize("place", [0, 2])
def test_damage_within_is_refused_and_never_guessed(tmp_path, line, place):
    lines = written(tmp_path / "j").split(b"\n")
    lines[place] = line
    (tmp_path / "j").write_bytes(b"\n".join(lines))
    with pytest.raises(InputError, match=str(tmp_path / "j")) as refused:
        resume.read_journal(tmp_path / "j")
    assert "\n" not in str(refused.value)


def test_another_run_is_not_continued(tmp_path):
    resume.check_identity(tmp_path, IDENTITY, dict(IDENTITY))
    with pytest.raises(InputError) as refused:
        resume.check_identity(tmp_path, IDENTITY, IDENTITY | {"plan": "b" * 64})
    message = str(refused.value)
    assert message.startswith(f"{tmp_path}: begun with another plan (sha256 {'a' * 12}, now {'b' * 12});")
    assert "--force" in message


def test_what_differs_is_named_in_words(tmp_path):
    known = {"sample_rate": 16000, "versions": {"numpy": "2.0"}}
    with pytest.raises(InputError, match="begun with sample_rate 16000, now 8000;"):
        resume.check_identity(tmp_path, known, known | {"sample_rate": 8000})
    with pytest.raises(InputError, match=r"begun with versions\.numpy 2\.0, now 2\.1;"):
        resume.check_identity(tmp_path, known, known | {"versions": {"numpy": "2.1"}})
    with pytest.raises(InputError, match="begun with metrics none, now all;"):
        resume.check_identity(tmp_path, known, known | {"metrics": "all"})


def test_every_line_is_one_document(tmp_path):
    lines = written(tmp_path / "j").decode().splitlines()
    assert [json.loads(line) for line in lines] == [IDENTITY, *ENTRIES]
