"""Datasets of other rates than 16 kHz: what is computed, what is said of it, what is refused."""

import json
from pathlib import Path

import pytest
import tiny
from work import call

from pse_bench.dataset.dataset import Dataset
from pse_bench.runtime.executor import Serial
from pse_bench.scoring import score

NAMES = ["tsos", "stoi", "pesq_wb", "si_sdr", "leakage_reduction_db"]
NOTE = "computed on sound resampled from 48000 Hz to 16000 Hz: pesq_wb"


@pytest.fixture(scope="module", params=[48_000, 44_100])
def high(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny.build(tmp_path_factory.mktemp("high"), request.param)


@pytest.fixture(scope="module")
def low(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny.build(tmp_path_factory.mktemp("low"), 8000)


def result_of(dataset: Dataset, out: Path, names: list[str] | None = None, **options: object) -> dict:
    submission = tiny.submissions(dataset, out.parent / "submissions")("mixture")
    score.score(dataset, submission, out, executor=Serial(), names=names, **options)
    return json.loads((out / "result.json").read_text())


def test_a_result_says_what_was_resampled(high: Dataset, tmp_path: Path) -> None:
    rate = high.description.sample_rate
    about = result_of(high, tmp_path / "result", NAMES)["metrics"]
    assert about == {name: {"version": 1} for name in NAMES} | {
        "pesq_wb": {"version": 1, "resampled": f"{rate} Hz to 16000 Hz"}
    }
    note = NOTE.replace("48000", str(rate))
    result = tmp_path / "result"
    for command in (
        ["table", result, "--all"],
        ["table", result, "--metrics", "pesq_wb", "--format", "markdown"],
        ["compare", result, result],
    ):
        assert note in call(*command).stdout
    assert call("report", result, "-o", tmp_path / "report.html").exit_code == 0
    page = (tmp_path / "report.html").read_text()
    assert f'<p class="note">{note}</p>' in page
    assert f"<dt>sound resampled from</dt><dd>{rate} Hz to 16000 Hz</dd>" in page
    figures = tiny.summarise(result)
    assert all(row.scored == row.expected for row in figures)


def test_at_16_khz_nothing_is_said(dataset: Dataset, tmp_path: Path) -> None:
    about = result_of(dataset, tmp_path / "result", NAMES)["metrics"]
    assert about == {name: {"version": 1} for name in NAMES}
    assert "resampled" not in call("table", tmp_path / "result").stdout


def test_a_rate_that_is_too_low(low: Dataset, tmp_path: Path) -> None:
    said: list[str] = []
    about = result_of(low, tmp_path / "result", notice=said.append)["metrics"]
    assert said == ["pesq_wb: needs 16000 Hz or more, the dataset has 8000 Hz; left out"]
    assert {"tsos", "stoi", "si_sdr"} <= set(about)
    assert "pesq_wb" not in about
    submission = tmp_path / "submissions/mixture"
    done = call("score", low.folder, submission, "-o", tmp_path / "r", "--metrics", "tsos,pesq_wb", "--jobs", 1)
    assert done.exit_code == 1
    assert done.stderr == (
        "Error: pesq_wb: needs 16000 Hz or more, the dataset has 8000 Hz; leave it out of --metrics\n"
    )
    done = call("score", low.folder, submission, "-o", tmp_path / "r", "--quiet", "--jobs", 1)
    assert "note: pesq_wb: needs 16000 Hz or more, the dataset has 8000 Hz; left out" in done.stderr
    assert done.exit_code == 0


def test_activity_of_a_low_rate_is_scored_in_silence(low: Dataset, tmp_path: Path) -> None:
    assert call("detect", low.folder, "--system", "energy", "-o", tmp_path / "said").exit_code == 0
    done = call("score", low.folder, tmp_path / "said", "-o", tmp_path / "r", "--quiet", "--jobs", 1)
    assert "needs" not in done.stderr
    assert done.exit_code == 0
