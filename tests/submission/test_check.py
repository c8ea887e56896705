"""Checking submissions: everything wrong is said at once, and only what is wrong."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from broken_submissions import CASES, Case, Change, described, estimates, late, removed, sound, turned_down, twice
from work import call

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import atomic, audio, tables
from pse_bench.runtime.executor import Outcome, Processes, Serial
from pse_bench.schemas import Score
from pse_bench.scoring import score
from pse_bench.submission import submission
from pse_bench.submission.check import file_stats
from pse_bench.submission.check.findings import SHOWN, CheckReport, Finding, printable, summarize_counts
from pse_bench.submission.check.run import check

Submitted = Callable[[str], Path]


def checked(dataset: Dataset, path: Path) -> CheckReport:
    return check(dataset, path, executor=Serial())


def tree(folder: Path) -> dict[str, str]:
    """All files below a folder with their hashes."""
    return {str(path.relative_to(folder)): atomic.sha256(path) for path in folder.rglob("*") if path.is_file()}


def unusable(dataset: Dataset, folder: Path) -> set[str]:
    """The mixtures that ``score`` cannot take from a submission, and 'system' where it cannot be described."""
    found = set()
    for row in dataset.mixtures:
        try:
            submission.read_estimate(folder, row)
        except InputError:
            found.add(row.mixture_id)
    try:
        submission.read_system(folder)
    except InputError:
        found.add("system")
    return found


# ---- the table of broken submissions


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_wrong_is_said_in_a_line_of_its_own(dataset: Dataset, good: Path, case: Case) -> None:
    case.do(good, dataset)
    before = tree(good.parent)
    report = checked(dataset, good)
    assert tree(good.parent) == before, "nothing is written"
    assert [(finding.severity, finding.code) for finding in report.findings] == [(case.severity, case.code)]
    (finding,) = report.findings
    assert case.words in str(finding)
    assert len(finding.files) == case.count
    assert "\n" not in str(finding)
    assert finding.expected
    assert finding.remedy
    assert report.acceptable == (case.severity == "warning")
    if case.code != "reference-submitted":
        assert report.acceptable == (not unusable(dataset, good)), "fatal is what cannot be scored"


def test_the_table_is_long_enough_and_names_nothing_twice() -> None:
    assert len(CASES) >= 25
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("system", "codes"), [("oracle-mask", []), ("mixture", ["mixture-unchanged"]), ("silence", ["silent"])]
)
def test_reference_systems_are_acceptable_and_recognised(
    dataset: Dataset, submitted: Submitted, system: str, codes: list[str]
) -> None:
    report = checked(dataset, submitted(system))
    assert report.acceptable
    assert [finding.code for finding in report.findings] == codes
    assert all(f"this is the system `{system}`" in finding.found for finding in report.findings)
    assert (report.expected, report.present) == (9, 9)


def test_a_good_submission_in_any_lossless_type_gives_no_findings(dataset: Dataset, good: Path) -> None:
    for path, subtype in zip(estimates(good), ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"] * 2, strict=False):
        samples, _ = audio.read(path)
        path.unlink()
        tiny.write_float(path.with_suffix(".wav"), samples, subtype=subtype)
    assert checked(dataset, good).findings == ()


def test_an_uneven_gain_and_silence_in_ts3_are_a_systems_own_business(dataset: Dataset, good: Path) -> None:
    chance = np.random.default_rng(1)
    sound(lambda x: x * chance.uniform(0.7, 1.2), ("TS1", "TS2"))(good, dataset)
    sound(np.zeros_like, ("TS3",))(good, dataset)
    assert checked(dataset, good).findings == ()


def test_a_constant_gain_is_seen_behind_a_delay(dataset: Dataset, good: Path) -> None:
    turned_down(0.29, 96)(good, dataset)
    found = {finding.code: finding.found for finding in checked(dataset, good).findings}
    assert set(found) == {"delay", "constant-gain"}
    assert found["constant-gain"].startswith("constant gain −10.8 dB:")


@pytest.mark.parametrize(
    "change",
    [
        lambda x: 0.29 * np.convolve(x, [0.6, 0.4])[: len(x)],  # something is taken away
        lambda x: x + 0.02 * np.random.default_rng(1).standard_normal(len(x)),
        lambda x: x / np.abs(x).max(),  # no constant
    ],
)
def test_what_is_more_than_a_gain_is_not_called_one(dataset: Dataset, good: Path, change: Change) -> None:
    turned_down(1.0)(good, dataset)
    sound(change)(good, dataset)
    assert "constant-gain" not in [finding.code for finding in checked(dataset, good).findings]


def test_a_gain_that_mutes_one_scenario_is_not_constant(dataset: Dataset, good: Path) -> None:
    turned_down(0.29)(good, dataset)
    sound(np.zeros_like, ("TS3",))(good, dataset)
    assert [finding.code for finding in checked(dataset, good).findings] == ["gain"]


def test_everything_is_said_at_once_fatal_first(dataset: Dataset, good: Path) -> None:
    removed(("TS3",), 1)(good, dataset)
    twice(good, dataset)
    sound(lambda x: -x[:-2], ("TS2",))(good, dataset)
    described("nmae: x\nparameters: many\n")(good, dataset)
    (good / "notes.txt").write_text("hello")
    report = checked(dataset, good)
    expected = ("missing-file", "both-formats", "wrong-length", "extra-file", "polarity")
    of_system = {f"system-{fault}" for fault in ("unknown-key", "missing-key", "wrong-value")}
    assert {finding.code for finding in report.findings} == {*expected, *of_system}
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities), "fatal before warning"
    assert (report.expected, report.present) == (9, 7)


def test_a_shift_is_found_in_files_of_a_wrong_length_too(dataset: Dataset, good: Path) -> None:
    sound(lambda x: np.concatenate([np.zeros(160), x]))(good, dataset)
    report = checked(dataset, good)
    assert [finding.code for finding in report.findings] == ["wrong-length", "delay"]
    assert "160 samples too long" in report.findings[0].found
    assert "160 samples (10.0 ms) late" in report.findings[1].found


def test_what_is_fatal_is_given_the_worst_value_and_never_a_score(
    dataset: Dataset, good: Path, tmp_path: Path
) -> None:
    sound(lambda x: x[:-3], ("TS1",), 1)(good, dataset)
    sound(lambda x: np.full_like(x, np.nan), ("TS2",), 1)(good, dataset)
    removed(("TS3",), 1)(good, dataset)
    report = checked(dataset, good)
    named = {name.rsplit(".", 1)[0] for finding in report.findings for name in finding.files}
    assert named == {"TS1/s000000", "TS2/s000000", "TS3/s000000"}
    names = ["tsos", "si_sdr", "leakage_reduction_db"]
    score.score(dataset, good, tmp_path / "result", executor=Serial(), names=names)
    rows = tables.read_table(tmp_path / "result" / "scores.csv", Score)
    assert {row.mixture_id.startswith("s000000") for row in rows if row.status == "failed"} == {True}
    assert {row.status for row in rows if row.mixture_id.startswith("s000000")} == {"failed"}


# ---- what is not a submission


def test_nothing_there_is_an_error_in_one_line(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder or zip"):
        checked(dataset, tmp_path / "nothing")


def test_a_dataset_is_not_a_submission(dataset: Dataset) -> None:
    codes = {finding.code for finding in checked(dataset, dataset.folder).findings}
    assert {"system-missing", "mixture-unchanged", "extra-file"} <= codes


def test_linked_folders_are_entered_once(dataset: Dataset, good: Path, tmp_path: Path) -> None:
    (good / "TS1").rename(tmp_path / "elsewhere")
    (good / "TS1").symlink_to(tmp_path / "elsewhere")
    assert checked(dataset, good).findings == ()
    (good / "TS2" / "loop").symlink_to(good)
    assert checked(dataset, good).acceptable


# ---- how it runs


def test_processes_find_the_same(dataset: Dataset, good: Path) -> None:
    sound(late(320))(good, dataset)
    steps: list[tuple[int, int]] = []
    report = check(dataset, good, executor=Processes(2), progress=lambda done, total: steps.append((done, total)))
    assert report == checked(dataset, good)
    assert steps[-1] == (9, 9)


class Crashing:
    """An executor whose workers die of one estimate."""

    jobs = 1

    def run(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        for index, work in enumerate(items):
            if work[2].mixture_id == "s000001_TS2":
                yield Outcome(index, lost="its worker process died twice")
            else:
                yield Outcome(index, function(work))


def test_a_file_that_crashes_its_reader_costs_only_itself(dataset: Dataset, good: Path) -> None:
    report = check(dataset, good, executor=Crashing())
    (finding,) = report.findings
    assert (finding.code, finding.files) == ("unreadable", ("TS2/s000001.flac",))
    assert "worker process died" in finding.found


# ---- how it is told


def test_the_command_exits_with_1_when_something_is_fatal(dataset: Dataset, good: Path) -> None:
    words = ["check", str(dataset.folder), str(good), "--jobs", "1"]
    described("name: x\nversion: 1\nparameter: 2\n")(good, dataset)
    told = call(*words)
    assert told.exit_code == 1
    assert told.stdout.startswith("good: not acceptable (")
    assert "did you mean 'parameters'?" in told.stdout
    document = json.loads(call(*words, "--json").stdout)
    assert document["acceptable"] is False
    keys = ["severity", "code", "count", "of", "files", "found", "expected", "remedy"]
    assert list(document["findings"][0]) == keys


def test_the_command_exits_with_0_on_warnings(dataset: Dataset, submitted: Submitted) -> None:
    told = call("check", dataset.folder, submitted("silence"), "--jobs", "1")
    assert told.exit_code == 0
    assert "silence: acceptable (fatal: 0, warnings: 1); 9 of 9 estimates are there" in told.stdout


def test_a_report_names_five_files_and_how_many_more() -> None:
    finding = Finding("fatal", "code", "this", "that", "do", tuple(f"f{number}" for number in range(7)), 9)
    assert str(finding) == "code (7 of 9): this; expected that; do [f0, f1, f2, f3, f4, and 2 more]"
    report = CheckReport("sub", "set-v1", 9, 2, (finding,))
    assert "code, 7 of 9: this" in report.terminal()
    assert "f4, and 2 more" in report.terminal()
    assert len(report.document()["findings"][0]["files"]) == SHOWN
    assert report.document()["findings"][0]["count"] == 7


def test_names_of_strangers_do_not_reach_the_terminal_raw() -> None:
    assert printable("a\x1b[2Jb") == "a\\x1b[2Jb"
    assert len(printable("x" * 5000)) == 200


def test_counts_of_texts_are_told_with_the_most_frequent_first() -> None:
    assert summarize_counts(["a", "a"]) == "a"
    assert summarize_counts(["b", "a", "a", "c", "d"]) == "a (2), b (1), c (1) and 1 others"


@pytest.mark.parametrize("level", [1e-200, 1e-30, 1.0, 1e30, 1e200])
def test_delay_and_gain_at_any_level(level: float) -> None:
    """The power of such samples is nothing, or infinite."""
    signal = np.random.default_rng(1).standard_normal(800)
    found = file_stats.match(level * np.roll(signal, 7), signal, 20)
    assert found.lag == 7
    assert found.gain == pytest.approx(level, rel=0.05)
    assert found.correlation > 0.98
