"""A little fuzzing on every run of the tests, and everything that the long one has found (see ``fuzz``)."""

import time
from pathlib import Path

import pytest
from found import FOUND
from fuzz import document, judge
from hypothesis import given
from hypothesis import strategies as st
from mutations import KINDS
from targets import BY_NAME, TARGETS

from pse_bench.cli import options
from pse_bench.errors import InputError, one_line

DOCUMENTS = {"yaml": 10, "zip": 60, "binary": 40, "safetensors": 20}
SEED = 0


@pytest.mark.parametrize("name", list(BY_NAME))
def test_valid_documents_are_read_and_wrong_ones_refused(name: str, tmp_path: Path) -> None:
    target = BY_NAME[name]
    seeds = target.seeds()
    read = target.open(tmp_path)
    assert any(judge(read, content)[1] for content in seeds), "none of the valid documents is accepted"
    refused = 0
    for number in range(DOCUMENTS.get(target.kind, 60)):
        fault, accepted = judge(read, document(target, seeds, SEED, number))
        assert not fault, f"{fault}: python tests/fuzz/fuzz.py {name} --seed {SEED} --show {number}"
        refused += not accepted
    assert refused or name == "cache", "caches forget what is damaged; all others say so"


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(("name", "content", "what"), FOUND, ids=[f"{name}: {what}" for name, _, what in FOUND])
def test_what_was_found_stays_mended(name: str, content: bytes, what: str, tmp_path: Path) -> None:
    if name not in BY_NAME:
        pytest.skip("needs torch")
    begin = time.process_time()
    fault, _ = judge(BY_NAME[name].open(tmp_path), content)
    assert not fault
    assert time.process_time() - begin < 2


def test_every_kind_of_mistake_is_in_use() -> None:
    assert {target.kind for target in TARGETS} == set(KINDS)


@given(st.text(max_size=3000), st.integers(20, 600))
def test_a_message_is_one_printable_line_of_bounded_length(text: str, longest: int) -> None:
    shown = one_line(text, longest)
    assert shown.isprintable()
    assert len(shown) <= longest
    assert one_line(shown, longest) == shown, "what went through a process or a report is not changed again"


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=200))
def test_a_printable_message_is_kept_as_it_is(text: str) -> None:
    if text.isprintable():
        assert str(InputError(text)) == text


def test_a_long_message_keeps_its_file_and_its_remedy() -> None:
    message = str(InputError(f"a/b.csv: found {'x' * 5000}, expected less; shorten it"))
    assert message.startswith("a/b.csv: found xxx")
    assert message.endswith("xxx, expected less; shorten it")


def test_problems_that_name_what_files_hold_are_printable_lines(capsys: pytest.CaptureFixture[str]) -> None:
    options.echo_errors(["data/TS1/\x1b[2Jred\n\u202ename.flac: missing"])
    assert capsys.readouterr().err == "data/TS1/\\x1b[2Jred \\u202ename.flac: missing\n"


def test_documents_are_a_function_of_seed_target_and_number() -> None:
    target = BY_NAME["plan"]
    seeds = target.seeds()
    assert document(target, seeds, 1, 7) == document(target, seeds, 1, 7)
    assert len({document(target, seeds, seed, number) for seed in (1, 2) for number in range(40)}) > 50
