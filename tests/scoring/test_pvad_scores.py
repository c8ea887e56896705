"""Systems that say who speaks: files, figures of detectors whose worth is known, and what is wrong with others."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import tables
from pse_bench.leaderboard import leaderboard
from pse_bench.metrics import detection
from pse_bench.reporting.tables import results_text
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import Detection, Mixture, Summary
from pse_bench.scoring import pvad, score
from pse_bench.scoring.results import Result
from pse_bench.scoring.statistics import left_out_interval
from pse_bench.scoring.summary import Scores, summaries_of
from pse_bench.submission import activity_csv, submission
from pse_bench.submission.check import run
from pse_bench.systems import enhance, registry

Write = Callable[[str], str]
Said = Callable[[np.ndarray, Mixture], np.ndarray]


def labels_of(dataset: Dataset, row: Mixture) -> np.ndarray:
    frames = dataset.read_frames(row)
    return detection.classes(target=frames["target"], other=frames["interferer"])


def perfect(labels: np.ndarray, row: Mixture) -> np.ndarray:
    return np.eye(3)[labels]


def silent(labels: np.ndarray, row: Mixture) -> np.ndarray:
    return np.eye(3)[np.full(len(labels), 2)]


def speech_is_the_target(labels: np.ndarray, row: Mixture) -> np.ndarray:
    return np.eye(3)[np.where(labels == 2, 2, 0)]


def late(frames: int) -> Said:
    return lambda labels, row: np.eye(3)[np.concatenate([np.full(frames, 2), labels])[: len(labels)]]


def said(dataset: Dataset, out: Path, by: Said) -> Path:
    """A submission of activity."""
    for row in dataset.mixtures:
        submission.write_activity(out, row, by(labels_of(dataset, row), row))
    submission.write_system(out, submission.System(name="mine", version="1", holds=["activity"]))
    return out


def scored(dataset: Dataset, path: Path, out: Path) -> tiny.Table:
    score.score(dataset, path, out, executor=Serial())
    return {(row.scenario, row.metric): row for row in tiny.summarise(out)}


def values(table: tiny.Table, scenario: str) -> dict[str, float | None]:
    return {metric.removeprefix("pvad_"): row.value for (label, metric), row in table.items() if label == scenario}


# ---- figures of detectors whose worth is known


def test_a_perfect_detector(dataset: Dataset, tmp_path: Path) -> None:
    table = scored(dataset, said(dataset, tmp_path / "s", perfect), tmp_path / "r")
    for label, metric in table:
        best = 100.0 if "_ap" in metric else 0.0
        assert table[label, metric].value == best, (label, metric)
        assert (table[label, metric].ci_low, table[label, metric].ci_high) == (best, best)
    assert set(values(table, "TS1")) == {"ap_target", "ap_none", "eer", "onset_delay_s", "onsets_missed"}
    assert set(values(table, "TS3")) == {"ap_other", "ap_none"}, "what cannot be there is no line"
    assert set(values(table, "TS2")) == set(values(table, "all"))
    assert table["all", "pvad_mean_ap"].expected == 12
    assert table["TS3", "pvad_ap_none"].expected == 4


@pytest.mark.parametrize("by", [silent, lambda labels, row: np.full((len(labels), 3), 1 / 3)])
def test_one_that_says_the_same_of_every_frame_has_the_share_of_each_class(
    dataset: Dataset, tmp_path: Path, by: Said
) -> None:
    found = values(scored(dataset, said(dataset, tmp_path / "s", by), tmp_path / "r"), "all")
    labels = np.concatenate([labels_of(dataset, row) for row in dataset.mixtures])
    for index, name in enumerate(("target", "other", "none")):
        assert found[f"ap_{name}"] == pytest.approx(100 * np.mean(labels == index))
    assert found["eer"] == 50
    assert found["onsets_missed"] == 100
    assert found["onset_delay_s"] is None, "undefined is no number"


def test_one_that_is_late_is_late_by_so_much(dataset: Dataset, tmp_path: Path) -> None:
    best = values(scored(dataset, said(dataset, tmp_path / "s0", perfect), tmp_path / "r0"), "all")
    for frames in (3, 7):
        found = values(
            scored(dataset, said(dataset, tmp_path / f"s{frames}", late(frames)), tmp_path / "r"), "all"
        )
        shutil.rmtree(tmp_path / "r")
        assert found["onset_delay_s"] == pytest.approx(frames / 100)
        assert found["onsets_missed"] == 0
        assert found["ap_target"] < best["ap_target"]
        assert found["eer"] > best["eer"]
        best = found


def test_false_alarms_while_the_target_is_silent_count_where_scenarios_are_pooled(
    dataset: Dataset, tmp_path: Path
) -> None:
    table = scored(dataset, said(dataset, tmp_path / "s", speech_is_the_target), tmp_path / "r")
    assert table["TS1", "pvad_ap_target"].value == 100
    share = np.concatenate([labels_of(dataset, row)[labels_of(dataset, row) < 2] for row in dataset.mixtures])
    assert table["all", "pvad_ap_target"].value == pytest.approx(100 * np.mean(share == 0), abs=1e-6)
    assert table["all", "pvad_ap_target"].value < table["TS2", "pvad_ap_target"].value


def test_the_interval_is_that_of_leaving_out_each_speaker(dataset: Dataset, tmp_path: Path) -> None:
    chance = np.random.default_rng(1)

    def noisy(labels: np.ndarray, row: Mixture) -> np.ndarray:
        mixed = 0.3 * np.eye(3)[labels] + 0.7 * chance.dirichlet(np.ones(3), len(labels))
        coarse = np.floor(100 * mixed[:, :2]) / 100  # further apart than what scores are rounded to
        return np.column_stack([coarse, 1 - coarse.sum(axis=1)])

    folder = said(dataset, tmp_path / "s", noisy)
    table = scored(dataset, folder, tmp_path / "r")
    people = sorted({row.target_speaker for row in dataset.mixtures})
    frames = {
        row.mixture_id: (submission.read_activity(folder, row)[0], labels_of(dataset, row))
        for row in dataset.mixtures
    }

    def pooled(without: str) -> float:
        kept = [frames[row.mixture_id] for row in dataset.mixtures if row.target_speaker != without]
        scores, labels = (np.concatenate(part) for part in zip(*kept, strict=True))
        return 100 * detection.average_precision(scores=scores[:, 0], positive=labels == 0)

    weights = [
        sum(len(frames[row.mixture_id][1]) for row in dataset.mixtures if row.target_speaker == name)
        for name in people
    ]
    left = np.array([pooled(name) for name in people])
    expected = left_out_interval(pooled(""), left, np.array(weights, dtype=float), low=0, high=100)
    found = table["all", "pvad_ap_target"]
    assert found.value == pytest.approx(pooled(""))
    assert (found.ci_low, found.ci_high) == pytest.approx(expected)
    assert found.ci_low < found.value < found.ci_high


# ---- failing never pays


def nothing(path: Path) -> None:
    path.unlink()


def edited(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    return lambda path: path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


FAULTS = {
    "missing": (nothing, "missing-activity", r"TS2/s000001\.csv: missing; say who speaks in s000001_TS2"),
    "short": (
        edited(lambda lines: lines[:-1]),
        "activity-length",
        r"\d+ frames, expected \d+; write a row each 10",
    ),
    "long": (edited(lambda lines: [*lines, lines[-1]]), "activity-length", r"\d+ frames, expected \d+; write"),
    "NaN": (edited(lambda lines: [*lines[:-1], "nan,0.5,0.5"]), "activity-not-finite", "NaN or infinite prob"),
    "logits": (
        edited(lambda lines: [*lines[:-1], "3.5,-1,-1.5"]),
        "activity-range",
        "-1.5, which is no probability",
    ),
    "sums": (edited(lambda lines: [*lines[:-1], "0.9,0.9,0.1"]), "activity-sums", r"add up to 1\.9 \(frame"),
    "no header": (edited(lambda lines: lines[1:]), "activity-unreadable", "expected the header target,other,none"),
    "other columns": (edited(lambda lines: [lines[0], *["1,0"] * 9]), "activity-columns", r"shape \(9, 2\)"),
    "ragged": (edited(lambda lines: [*lines[:-1], "1,0"]), "activity-unreadable", "not three numbers a row"),
    "words": (edited(lambda lines: [*lines[:-1], "a,b,c"]), "activity-unreadable", "not three numbers a row"),
    "empty": (edited(lambda lines: lines[:1]), "activity-length", "0 frames, expected"),
    "huge": (edited(lambda lines: [*lines, "0" * 1_000_000]), "activity-unreadable", "bytes are too many"),
    "no text": (lambda path: path.write_bytes(b"\xff\xfe\x00"), "activity-unreadable", "not UTF-8"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_cannot_be_used_is_named_and_takes_the_worst(
    dataset: Dataset, tmp_path: Path, fault: str
) -> None:
    spoil, code, words = FAULTS[fault]
    folder = said(dataset, tmp_path / "s", late(5))
    row = next(row for row in dataset.mixtures if row.mixture_id == "s000001_TS2")
    before = scored(dataset, folder, tmp_path / "r0")
    spoil(folder / submission.activity_name(row))
    report = run.check(dataset, folder, executor=Serial())
    assert [finding.code for finding in report.findings] == [code]
    assert not report.acceptable
    with pytest.raises(InputError, match=words):
        submission.read_activity(folder, row)
    outcome = score.score(dataset, folder, tmp_path / "r", executor=Serial())
    (problem,) = outcome.problems
    assert str(folder / "activity/TS2/s000001.csv") in problem
    assert "\n" not in problem
    after = {(line.scenario, line.metric): line for line in tiny.summarise(tmp_path / "r")}
    for key in [
        ("TS2", "pvad_ap_target"),
        ("all", "pvad_ap_other"),
        ("all", "pvad_ap_none"),
        ("all", "pvad_mean_ap"),
    ]:
        assert after[key].value < before[key].value
        assert after[key].scored == after[key].expected - 1
    for name in ("pvad_eer", "pvad_onsets_missed"):
        assert after["all", name].value > before["all", name].value
    assert Result.open(tmp_path / "r").about["complete"] is False
    (kept,) = [
        said for said in tables.read_table(tmp_path / "r/detections.csv", Detection) if said.status == "failed"
    ]
    assert str(tmp_path) not in kept.detail
    assert kept.detail


# ---- what is kept follows again


def test_figures_follow_from_what_is_kept_and_changes_are_seen(dataset: Dataset, tmp_path: Path) -> None:
    scored(dataset, said(dataset, tmp_path / "s", late(2)), tmp_path / "r")
    kept = summaries_of(Scores.read(tmp_path / "r"))
    assert kept == tables.read_table(tmp_path / "r/summary.csv", Summary) == Result.open(tmp_path / "r").summaries
    about = Result.open(tmp_path / "r").about
    names = [metric.name for metric in detection.ACTIVITY]
    assert {name: about["metrics"][name]["version"] for name in names} == dict.fromkeys(names, 1)
    table = tmp_path / "r" / pvad.FILE
    text = table.read_text()
    for changed in (text.replace("4000", "3999", 1), None):
        table.unlink() if changed is None else table.write_text(changed)
        with pytest.raises(InputError, match=r"detections\.csv: missing or changed since it was scored"):
            Result.open(tmp_path / "r")
    table.write_text(text.replace("s000000_TS1,TS1", "s000000_TS9,TS1"))
    with pytest.raises(InputError, match=r"detections\.csv: 12 rows are not one for each of mixtures\.csv"):
        Scores.read(tmp_path / "r")
    table.write_text(text.replace("4000", "4001", 1))
    with pytest.raises(InputError, match=r"detections\.csv:2: target"):
        Scores.read(tmp_path / "r")


def test_tables_show_it_and_break_it_down(dataset: Dataset, tmp_path: Path) -> None:
    scored(dataset, said(dataset, tmp_path / "s", silent), tmp_path / "r")
    opened = [Result.open(tmp_path / "r")]
    text = results_text(opened, width=100)
    assert "all: TS1, TS2 and TS3 pooled (12 mixtures" in text
    assert "undefined" in text
    assert "nan" not in text
    broken_down = results_text(opened, "markdown", by="room_id")
    assert broken_down.count("pvad_mean_ap") == 6, "two rooms and all, in TS2 and pooled"
    assert "all,pvad_mean_ap" in results_text(opened, "csv")


def test_a_board_takes_audio_only(dataset: Dataset, tmp_path: Path) -> None:
    scored(dataset, said(dataset, tmp_path / "s", silent), tmp_path / "r")
    with pytest.raises(InputError, match="of activity only; a board ranks enhanced audio"):
        leaderboard.add(tmp_path / "tiny-v1.csv", tmp_path / "r")


# ---- audio and activity together


def test_audio_and_activity_in_one_submission(
    dataset: Dataset, submitted: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = said(dataset, tmp_path / "s", perfect)
    shutil.copytree(submitted("mixture"), folder, dirs_exist_ok=True)
    system = submission.read_system(folder)
    table = tiny.scored(dataset, folder, tmp_path / "r1", names=["tsos"])
    assert {metric for _, metric in table} == {"tsos"}, "what it does not say that it holds"
    assert [finding.code for finding in run.check(dataset, folder, executor=Serial()).findings] == [
        "activity-not-held",
        "mixture-unchanged",
    ]
    submission.write_system(folder, system.model_copy(update={"holds": ["audio", "activity"]}))
    report = run.check(dataset, folder, executor=Serial())
    assert [finding.code for finding in report.findings] == ["mixture-unchanged"]
    assert (report.present, report.expected) == (12, 12)
    table = tiny.scored(dataset, folder, tmp_path / "r2", names=["tsos"])
    assert table["TS1", "tsos"].value == 0
    assert table["all", "pvad_mean_ap"].value == 100
    first, second = (Result.open(tmp_path / name).about for name in ("r1", "r2"))
    assert first["submission_sha256"] != second["submission_sha256"]
    (folder / "activity/TS1/s000000.csv").unlink()
    (folder / "TS1/s000000.flac").unlink()
    outcome = score.score(dataset, folder, tmp_path / "r3", executor=Serial(), names=["tsos"])
    assert (len(outcome.problems), outcome.files) == (2, 24)
    assert run.check(dataset, folder, executor=Serial()).present == 11


def test_metrics_of_audio_are_not_asked_of_activity(dataset: Dataset, tmp_path: Path) -> None:
    folder = said(dataset, tmp_path / "s", silent)
    with pytest.raises(InputError, match="holds activity only, of which all figures are computed"):
        score.score(dataset, folder, tmp_path / "r", executor=Serial(), names=["tsos"])


@pytest.mark.parametrize("holds", ["[]", "activity", "[video]", "[audio, activity, audio]"])
def test_holds_is_a_list_of_the_two(tmp_path: Path, holds: str) -> None:
    (tmp_path / "system.yaml").write_text(f"name: x\nholds: {holds}\n")
    with pytest.raises(InputError, match=r"system\.yaml: holds"):
        submission.read_system(tmp_path)


# ---- detect


def test_energy_is_better_than_chance_and_cannot_tell_talkers_apart(dataset: Dataset, tmp_path: Path) -> None:
    found = {}
    for system in ("energy", "chance"):
        done = tiny.pse_bench("detect", dataset.folder, "--system", system, "-o", tmp_path / system)
        assert done.returncode == 0, done.stderr
        assert f"who speaks in 12 mixtures, by {system}" in done.stdout
        done = tiny.pse_bench(
            "score", dataset.folder, tmp_path / system, "-o", tmp_path / f"r-{system}", "--jobs", 1
        )
        assert done.returncode == 0, done.stderr
        assert "pvad_mean_ap" in done.stdout
        found[system] = {
            (row.scenario, row.metric): row for row in Result.open(tmp_path / f"r-{system}").summaries
        }
    assert found["energy"]["TS1", "pvad_ap_none"].value > found["chance"]["TS1", "pvad_ap_none"].value + 10
    assert found["chance"]["all", "pvad_mean_ap"].value == pytest.approx(100 / 3)
    for row in dataset.mixtures:
        values = submission.read_activity(tmp_path / "energy", row)[0]
        assert np.array_equal(values[:, 0], values[:, 1])


DETECTOR = """\
import numpy as np


def detect(mixture, enrollment, sample_rate):
    frames = -(-len(mixture) // (sample_rate // 100))
    {body}
"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return np.zeros((frames - 1, 3))", r"gave \d+ frames, expected \d+, for s000000_TS1"),
        ("return np.zeros(frames)", r"gave shape \(\d+,\), expected \(\d+, 3\), for s000000_TS1"),
        ("return np.full((frames, 3), np.nan)", "gave NaN or infinite probabilities, for"),
        ("return np.full((frames, 3), 0.5)", r"gave probabilities that add up to 1\.5"),
        ("return np.tile([2.0, -1.0, 0.0], (frames, 1))", "gave -1, which is no probability"),
        ("return np.ones((frames, 3), dtype=int)", "gave int64 for"),
        ("raise RuntimeError('no')", r"failed on s000000_TS1 \(RuntimeError: no at"),
    ],
)
def test_a_callable_that_gives_no_probabilities(
    dataset: Dataset, tmp_path: Path, module: Write, body: str, words: str
) -> None:
    name = f"{module(DETECTOR.format(body=body))}:detect"
    with pytest.raises(InputError, match=words):
        enhance.enhance(dataset, name, tmp_path / "out", executor=Serial(), gives="activity")


def test_a_callable_hears_the_enrollment_it_is_meant_to(dataset: Dataset, tmp_path: Path, module: Write) -> None:
    body = "share = float(np.abs(enrollment).mean() * 5); return np.tile([share, 1 - share, 0.0], (frames, 1))"
    name = f"{module(DETECTOR.format(body=body))}:detect"
    found = {}
    for which in ("right", "wrong"):
        out = tmp_path / which
        enhance.enhance(dataset, name, out, executor=Serial(), gives="activity", enrollment=which)
        found[which] = [submission.read_activity(out, row)[0][0, 0] for row in dataset.mixtures]
    assert all(one != other for one, other in zip(*found.values(), strict=True))
    assert submission.read_system(tmp_path / "wrong").name == f"{name} (wrong enrollment)"
    assert submission.read_system(tmp_path / "wrong").holds == ["activity"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("loudness", "expected chance, energy or module:callable, baseline:pvad"),
        ("its.onnx", "an .onnx file detects nothing"),
        ("nowhere.safetensors", "no such file"),
    ],
)
def test_what_is_no_detector(name: str, words: str) -> None:
    if name.endswith(".safetensors"):
        pytest.importorskip("torch")
    with pytest.raises(InputError, match=words):
        registry.load(name, output="activity")


def test_the_activity_of_a_dataset_is_never_written_over(dataset: Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "dataset"
    shutil.copytree(dataset.folder, copy)
    before = sorted((copy / "activity").iterdir())
    with pytest.raises(InputError, match="holds other files"):
        enhance.enhance(Dataset.open(copy), "energy", copy, executor=Serial(), gives="activity", force=True)
    assert sorted((copy / "activity").iterdir()) == before


def test_files_are_read_as_people_write_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("\ufefftarget, other, none\r\n1,0,0\r\n.5, .25, .25\r\n3e-1,0.7,0".encode())
    assert activity_csv.read(path, 3).tolist() == [[1, 0, 0], [0.5, 0.25, 0.25], [0.3, 0.7, 0]]
    given = np.array([[1 / 3, 1 / 3, 1 / 3], [1 - 8.2134e-6, 8.2134e-6, 0]])
    activity_csv.write(path, given)
    assert path.read_text() == "target,other,none\n0.3333,0.3333,0.3333\n1,8.213e-06,0\n"
    np.testing.assert_allclose(activity_csv.read(path, 2), given, rtol=1e-4)
