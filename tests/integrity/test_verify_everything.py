"""Whatever changes in a dataset or a result by accident, verify finds it and names the file."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from integrity import flips
from integrity.conftest import NAMES

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.runtime.executor import Serial
from pse_bench.scoring import results, score
from pse_bench.scoring.results import Result

TABLES = {
    "dataset": ("mixtures.csv", "files.csv"),
    "partial": ("mixtures.csv", "files.csv", "quarantine.csv"),
    "result": ("mixtures.csv", "scores.csv", "summary.csv"),
    "both": ("mixtures.csv", "scores.csv", "summary.csv", "detections.csv"),
}
EVERY_TABLE = [(folder, name) for folder, names in TABLES.items() for name in names]
DOCUMENTS = [("dataset", "dataset.json"), ("partial", "dataset.json"), ("result", "result.json")]
LOST = "scenes could not be rendered"


def new_complaints(folder: Path) -> list[str]:
    """What verify says beyond what is known of the partial dataset."""
    said = flips.complaints(folder)
    return [line for line in said if LOST not in line and "of the plan are not rendered" not in line]


def test_what_was_written_is_sound(copied: Path) -> None:
    for name in NAMES:
        assert new_complaints(copied / name) == []
    assert any(LOST in line for line in flips.complaints(copied / "partial"))


# ---- bits


def test_every_flipped_bit_is_found_and_its_file_named(copied: Path) -> None:
    folders = [copied / name for name in NAMES]
    drawn = flips.draw(folders, 300, seed=1)
    assert len({flip.folder / flip.path for flip in drawn}) == sum(
        path.is_file() for folder in folders for path in folder.rglob("*")
    )
    for flip in drawn:
        with flips.flipped(flip) as path:
            said = new_complaints(flip.folder)
            assert any(line.startswith((f"{path}:", f"{path.parent}:")) for line in said), (flip, said)
    assert [new_complaints(folder) for folder in folders] == [[], [], [], []]


@pytest.mark.parametrize(("folder", "name"), DOCUMENTS)
def test_every_bit_of_a_document_is_found(copied: Path, folder: str, name: str) -> None:
    """Of these files not even a blank can change."""
    path = copied / folder / name
    content = path.read_bytes()
    for offset in range(0, len(content), 3):
        with flips.flipped(flips.Flip(copied / folder, name, offset, offset % 8)):
            assert any(str(path) in line for line in _refusal(copied / folder)), offset


def _refusal(folder: Path) -> list[str]:
    try:
        (Result if results.lies_in(folder) else Dataset).open(folder)
    except InputError as error:
        return [str(error)]
    return []


def test_flips_fall_on_every_file_and_on_every_kind(made: Path) -> None:
    drawn = flips.draw([made / "dataset", made / "result"], 400, seed=2)
    assert drawn == flips.draw([made / "dataset", made / "result"], 400, seed=2)
    kinds = Counter(flips.kind_of(flip.folder, flip.path) for flip in drawn)
    assert kinds["dataset: dataset.json"] >= 8
    assert kinds["dataset: stems/target/*.flac"] >= 20
    assert set(kinds) >= {f"result: {name}" for name in (*TABLES["result"], "result.json")}
    with pytest.raises(ValueError, match="files need as many flips"):
        flips.draw([made / "dataset"], 10, seed=2)


# ---- rows, cells and keys


@given(data=st.data())
@pytest.mark.parametrize(("folder", "name"), EVERY_TABLE)
def test_a_changed_table_is_found(made: Path, tmp_path: Path, folder: str, name: str, data: st.DataObject) -> None:
    """A cell, a row removed, repeated or moved, a line ending: even where the meaning stays the same."""
    copy = tmp_path / folder
    if not copy.exists():
        shutil.copytree(made / folder, copy)
    path = copy / name
    before = (made / folder / name).read_bytes()
    lines = before.decode().splitlines(keepends=True)
    number = data.draw(st.integers(0, len(lines) - 1))
    how = data.draw(st.sampled_from(["cell", "remove", "repeat", "move", "ending", "blank"]))
    changed = list(lines)
    if how == "cell":
        cells = lines[number].rstrip("\n").split(",")
        cell = data.draw(st.integers(0, len(cells) - 1))
        cells[cell] = data.draw(st.text("0123456789.-eax ", max_size=8))
        changed[number] = ",".join(cells) + "\n"
    elif how == "remove":
        del changed[number]
    elif how == "repeat":
        changed.insert(number, lines[number])
    elif how == "move":
        changed.append(changed.pop(number))
    elif how == "ending":
        changed[number] = lines[number].replace("\n", "\r\n")
    else:
        changed.insert(number, "\n")
    path.write_text("".join(changed), encoding="utf-8", newline="")
    said = new_complaints(copy)
    assert bool(said) == (path.read_bytes() != before), (how, number, said)
    assert not said or any(str(copy) in line for line in said)


@pytest.mark.parametrize(("folder", "name"), DOCUMENTS)
def test_every_changed_key_of_a_document_is_found(copied: Path, folder: str, name: str) -> None:
    path = copied / folder / name
    document = json.loads(path.read_text())
    edits = {key: {**document, key: _other(value)} for key, value in document.items()}
    edits |= {f"no {key}": {k: v for k, v in document.items() if k != key} for key in document}
    edits |= {"one more": {**document, "note": "x"}, "turned": dict(reversed(document.items()))}
    for what, edited in edits.items():
        atomic.write_json(path, edited)
        assert any(str(path.parent) in line for line in new_complaints(path.parent)), what


def _other(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    return {} if value else {"x": 1}


@pytest.mark.parametrize("folder", ["dataset", "result"])
def test_a_document_written_by_another_program_is_found(copied: Path, folder: str) -> None:
    """The same keys and values, but not the bytes that were written: damage of blanks would look like this."""
    path = copied / folder / f"{folder}.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    (line,) = new_complaints(copied / folder)
    assert line == f"{path}: changed since it was written (sha256 differs); restore it or make it again"


# ---- files


@pytest.mark.parametrize("folder", NAMES)
def test_every_removed_file_is_found(copied: Path, folder: str) -> None:
    for path in sorted(path for path in (copied / folder).rglob("*") if path.is_file()):
        content = path.read_bytes()
        path.unlink()
        said = new_complaints(copied / folder)
        assert any(path.name in line for line in said), path
        path.write_bytes(content)


@pytest.mark.parametrize("folder", NAMES)
@pytest.mark.parametrize("name", ["notes.txt", ".DS_Store", "TS1/s000099.flac", "more/a.csv", "result.json.part"])
def test_an_added_file_is_named(copied: Path, folder: str, name: str) -> None:
    path = copied / folder / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    kind = "result" if folder in ("result", "both") else "dataset"
    assert new_complaints(copied / folder) == [f"{path}: not a file of this {kind}"]


def test_a_link_to_nowhere_is_named(copied: Path) -> None:
    (copied / "result" / "link").symlink_to("nowhere")
    assert new_complaints(copied / "result") == [f"{copied / 'result' / 'link'}: not a file of this result"]


def test_a_quarantine_that_does_not_belong_to_a_dataset_is_named(copied: Path) -> None:
    shutil.copyfile(copied / "partial" / "quarantine.csv", copied / "dataset" / "quarantine.csv")
    assert new_complaints(copied / "dataset") == [
        f"{copied / 'dataset' / 'quarantine.csv'}: not a file of this dataset"
    ]


SWAPS = [
    ("dataset", "TS1/s000000.flac", "TS1/s000001.flac"),
    ("dataset", "TS1/s000000.flac", "TS3/s000000.flac"),
    ("dataset", "stems/target/s000002.flac", "stems/target_early/s000002.flac"),
    ("dataset", "activity/s000000.json", "activity/s000003.json"),
    ("dataset", "enrollment/s000000.flac", "enrollment/s000001.flac"),
    ("dataset", "mixtures.csv", "files.csv"),
    ("result", "scores.csv", "summary.csv"),
]


@pytest.mark.parametrize(("folder", "one", "other"), SWAPS)
def test_two_files_that_changed_places_are_found(copied: Path, folder: str, one: str, other: str) -> None:
    a, b = copied / folder / one, copied / folder / other
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)
    said = new_complaints(copied / folder)
    assert any(str(a) in line or str(b) in line for line in said)


@pytest.mark.parametrize("name", ["scores.csv", "summary.csv", "result.json", "detections.csv"])
def test_a_file_of_another_result_is_found(copied: Path, name: str) -> None:
    shutil.copyfile(copied / "both" / name, copied / "result" / name)
    assert any(str(copied / "result") in line for line in new_complaints(copied / "result"))


# ---- documents of earlier versions


def unseal(path: Path) -> None:
    document = json.loads(path.read_text())
    del document[atomic.SEAL]
    atomic.write_json(path, document)


def test_a_dataset_without_a_seal_opens_but_is_not_called_sound(copied: Path) -> None:
    path = copied / "dataset" / "dataset.json"
    unseal(path)
    Dataset.open(copied / "dataset")
    assert new_complaints(copied / "dataset") == [
        f"{path}: not sealed, so a change of it would not be found: written by an earlier version; run the same "
        "render again, which keeps the scenes"
    ]


def test_a_result_without_a_seal_opens_but_is_not_called_sound(copied: Path) -> None:
    path = copied / "result" / "result.json"
    unseal(path)
    with pytest.raises(InputError, match=r"not sealed, so a change of it would not be found: .*; score again"):
        Result.open(copied / "result").require_sealed()
    assert new_complaints(copied / "result") == [
        f"{path}: not sealed, so a change of it would not be found: written by an earlier version; score again"
    ]


def test_scoring_refuses_a_changed_description_in_one_line(copied: Path) -> None:
    path = copied / "dataset" / "dataset.json"
    path.write_text(path.read_text().replace('"early"', '"reverberant"'))
    done = tiny.pse_bench("score", copied / "dataset", copied / "audio", "-o", copied / "r")
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: {path}: changed since it was written (sha256 differs); restore it or make it again\n"
    )


def test_a_score_says_the_same_wherever_it_is_made_again(made: Path, tmp_path: Path) -> None:
    """The seal is a function of the content, so equal results stay equal to the byte."""
    opened = Dataset.open(made / "dataset")
    for name in "ab":
        score.score(opened, made / "audio", tmp_path / name, executor=Serial(), names=["tsos"])
    assert (tmp_path / "a/result.json").read_bytes() == (tmp_path / "b/result.json").read_bytes()


# ---- the command


def test_the_command_takes_a_result(copied: Path) -> None:
    folder = copied / "result"
    done = tiny.pse_bench("verify", folder)
    assert (done.returncode, done.stdout) == (0, f"{folder}: checked 4 files, 23 figures; no problems\n")
    (folder / "summary.csv").write_text(
        (folder / "summary.csv").read_text().replace("TS1,tsos,0.0", "TS1,tsos,0.1")
    )
    done = tiny.pse_bench("verify", folder, "--json")
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: {folder / 'summary.csv'}: missing or changed since it was scored; restore it or score again\n"
    )


def test_the_command_says_what_is_left_of_a_result(copied: Path) -> None:
    (copied / "both" / "result.json").unlink()
    done = tiny.pse_bench("verify", copied / "both")
    assert done.returncode == 1
    assert "no result here (result.json is missing)" in done.stderr
