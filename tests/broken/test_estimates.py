"""A broken estimate in a submission: ``check`` says what is wrong, ``score`` never takes it for a result; see
``submission.csv``. What else people get wrong in submissions is in ``tests/submission``."""

import shutil
import unicodedata
import warnings
from pathlib import Path

import pytest
import tiny
from broken import table
from broken.makers import MAKERS, NAMES

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import audio, tables
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import Score
from pse_bench.scoring import score
from pse_bench.submission import submission
from pse_bench.submission.check import run

CASES = table.read("submission.csv")
ESTIMATE = "TS1/s000000.wav"


def broken(whole: Path, copy: Path, case: str) -> Path:
    """A copy of a good submission in which one estimate is broken."""
    folder = Path(shutil.copytree(whole, copy))
    (old,) = (folder / "TS1").iterdir()
    samples, _ = audio.read(old)
    old.unlink()
    MAKERS[case](folder / ESTIMATE, samples)
    return folder


def checked(dataset: Path, folder: Path) -> tuple[int, str]:
    """The exit status of check, and its findings."""
    report = run.check(Dataset.open(dataset), folder, executor=Serial())
    assert all("\n" not in str(finding) for finding in report.findings)
    return int(not report.acceptable), " | ".join(map(str, report.findings))


def read(dataset: Path, folder: Path) -> str:
    """Why score cannot take the estimate."""
    try:
        submission.read_estimate(folder, Dataset.open(dataset).mixtures[0])
    except InputError as error:
        return str(error)
    return "scored"


def test_the_table_has_every_case() -> None:
    assert list(CASES) == list(MAKERS)
    assert len(CASES) >= 60


@pytest.mark.parametrize("case", CASES)
def test_a_broken_estimate_gets_its_line(one_scene: Path, oracle: Path, tmp_path: Path, case: str) -> None:
    folder = broken(oracle, tmp_path / "good", case)
    expected = CASES[case]
    status, findings = checked(one_scene, folder)
    assert table.agrees(findings, expected["check"]), findings
    assert status == int(expected["status"])
    line = read(one_scene, folder)
    stem = (folder / ESTIMATE).with_suffix("")
    assert table.agrees(line, expected["score"], path=folder / ESTIMATE, stem=stem), line
    assert (status == 1) == (line != "scored"), "fatal is what cannot be scored"


@pytest.mark.parametrize("case", [case for case, row in CASES.items() if row["score"] == "scored"])
def test_what_can_be_scored_gets_figures_or_reasons(
    one_scene: Path, oracle: Path, tmp_path: Path, case: str
) -> None:
    folder = broken(oracle, tmp_path / "good", case)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        score.score(Dataset.open(one_scene), folder, tmp_path / "out", executor=Serial(), names=tiny.QUICK)
    rows = tables.read_table(tmp_path / "out" / "scores.csv", Score)
    assert {row.mixture_id for row in rows} == {"s000000_TS1", "s000000_TS2", "s000000_TS3"}
    assert all(row.detail for row in rows if row.status != "ok")


def test_strangers_of_any_name_are_one_warning_in_one_line(one_scene: Path, oracle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(oracle, tmp_path / "good"))
    for name in NAMES.values():
        (folder / name).write_bytes(b"x")
    status, findings = checked(one_scene, folder)
    assert status == 0
    assert findings.startswith(f"extra-file ({len(NAMES)} of {len(NAMES) + 4}): "), findings
    assert printed(findings)


ODD = [case for case, name in NAMES.items() if not name.isprintable() or len(name) > 200 or "'" in name]


@pytest.mark.parametrize("case", ODD)
def test_an_estimate_in_a_folder_of_any_name_or_of_any_ending_is_told_in_one_line(
    one_scene: Path, oracle: Path, tmp_path: Path, case: str
) -> None:
    folder = Path(shutil.copytree(oracle, tmp_path / "good"))
    (folder / "TS2").rename(folder / "moved")
    (folder / NAMES[case] / "TS2").mkdir(parents=True)
    (folder / "moved" / "s000000.flac").rename(folder / NAMES[case] / "TS2" / "s000000.flac")
    ending = NAMES[case].replace(".", "")[:200]
    (folder / "TS3" / "s000000.flac").rename(folder / "TS3" / f"s000000.{ending}")
    status, findings = checked(one_scene, folder)
    assert status == 1
    assert "wrong-folder (1 of 3): the folder " in findings
    assert "wrong-ending (1 of 3): the ending " in findings
    assert printed(findings)


def printed(text: str) -> bool:
    """Whether a terminal shows a text as one line of what it says."""
    return not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)
