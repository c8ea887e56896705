"""Scoring: what figures mean, and that nothing wrong with a submission ever pays."""

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny

from pse_bench import metrics
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import atomic, audio, tables
from pse_bench.runtime.executor import Outcome, Processes, Serial
from pse_bench.schemas import Mixture, Score, Summary
from pse_bench.scoring import result_writer, score
from pse_bench.scoring.results import Result, check_comparable
from pse_bench.submission import submission

Submitted = Callable[[str], Path]


def references(dataset: Dataset, out: Path, gain_db: float) -> Path:
    """A submission of the early target at another level, in floats; half the mixture in TS3."""
    for row in dataset.mixtures:
        stem = dataset.read_stem(row.scene_id, "target_early" if row.scenario != "TS3" else "interferer")
        samples = stem.astype(np.float64) * 10 ** (gain_db / 20)
        tiny.write_float(out / f"{submission.estimate_name(row)}.wav", samples, subtype="DOUBLE")
    submission.write_system(out, submission.System(name="reference"))
    return out


def rows_of(result: Path) -> list[Score]:
    return tables.read_table(result / "scores.csv", Score)


# ---- what the figures of the reference systems are


def test_the_mixture_suppresses_and_removes_nothing(
    dataset: Dataset, submitted: Submitted, tmp_path: Path
) -> None:
    table = tiny.scored(dataset, submitted("mixture"), tmp_path / "r", reference="reverberant")
    for label in ("TS1", "TS2"):
        for name in ("tsos", "tsos_paper", "tsos_s_per_30min", "tsos_longest_s", "si_sdri"):
            assert table[label, name].value == 0.0, (label, name)
    assert table["TS2", "pause_leakage_db"].value == 0.0
    for name in ("leakage_reduction_db", "leakage_reduction_pooled_db", "leakage_reduction_median_db"):
        assert table["TS3", name].value == 0.0, name
    assert table["TS3", "leakage_at_cap"].value == 0.0
    assert table["TS3", "leaky_frames"].value == 100.0
    assert all(row.scored == row.expected == 4 for row in table.values())


def test_silence_removes_everybody(dataset: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    table = tiny.scored(dataset, submitted("silence"), tmp_path / "r")
    for label in ("TS1", "TS2"):
        assert table[label, "tsos"].value == 100.0
        assert table[label, "tsos"].scored == 4, "silence is a valid answer to whether anything was kept"
        assert table[label, "si_sdr"].value == metrics.METRICS["si_sdr"].worst
        assert (table[label, "si_sdr"].scored, table[label, "si_sdr"].expected) == (0, 4)
    assert table["TS3", "leakage_reduction_db"].value == 120.0
    assert table["TS3", "leakage_reduction_pooled_db"].value == 120.0
    assert table["TS3", "leakage_at_cap"].value == 100.0
    assert table["TS3", "leaky_frames"].value == 0.0
    assert table["TS3", "residual_dbfs"].value == -120.0


def test_the_threshold_of_over_suppression_lies_at_11_db(dataset: Dataset, tmp_path: Path) -> None:
    for gain_db, expected in ((-10.9, 0.0), (-11.1, 100.0), (0.0, 0.0), (11.1, 0.0)):
        folder = references(dataset, tmp_path / f"{gain_db}", gain_db)
        table = tiny.scored(dataset, folder, tmp_path / f"r{gain_db}", ["tsos", "si_sdr"])
        for label in ("TS1", "TS2"):
            assert table[label, "tsos"].value == expected, (gain_db, label)
            assert table[label, "si_sdr"].value == 100.0, "a change of level is no distortion"


def test_estimate_and_reference_are_not_interchangeable(dataset: Dataset, tmp_path: Path) -> None:
    quiet = references(dataset, tmp_path / "quiet", -20)
    swapped = tmp_path / "swapped"
    shutil.copytree(dataset.folder, swapped)
    for row in dataset.mixtures:
        if row.scenario == "TS1":
            stem = dataset.read_pcm16(dataset.stem_name(row.scene_id, "target_early"))
            audio.write(
                swapped / f"stems/target_early/{row.scene_id}.flac", np.round(0.1 * stem).astype("i2"), tiny.RATE
            )
    changed = tiny.with_mixtures(Dataset.open(swapped))
    loud = references(dataset, tmp_path / "loud", 0)
    names = ["tsos", "tsos_paper"]
    straight = tiny.scored(dataset, quiet, tmp_path / "r1", names)
    other = tiny.scored(changed, loud, tmp_path / "r2", names)
    for name in names:
        assert straight["TS1", name].value > 25
        assert other["TS1", name].value == 0


def test_the_reference_can_be_chosen_and_is_recorded(
    dataset: Dataset, submitted: Submitted, tmp_path: Path
) -> None:
    early = tiny.scored(dataset, submitted("oracle-mask"), tmp_path / "default", ["si_sdr"])
    same = tiny.scored(dataset, submitted("oracle-mask"), tmp_path / "early", ["si_sdr"], "early")
    late = tiny.scored(dataset, submitted("oracle-mask"), tmp_path / "late", ["si_sdr"], "reverberant")
    assert early == same
    assert late["TS1", "si_sdr"].value != early["TS1", "si_sdr"].value
    recorded = [
        json.loads((tmp_path / name / "result.json").read_text())["reference"] for name in ("early", "late")
    ]
    assert recorded == ["early", "reverberant"]
    with pytest.raises(InputError, match="reference"):
        check_comparable([Result.open(tmp_path / name) for name in ("early", "late")])


# ---- what is written


def test_every_metric_has_a_row_on_every_mixture(dataset: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    tiny.scored(dataset, submitted("oracle-mask"), tmp_path / "r")
    expected = [
        (row.mixture_id, row.scenario, name)
        for row in dataset.mixtures
        for name in metrics.METRICS
        if name in tiny.QUICK and row.scenario in metrics.METRICS[name].scenarios
    ]
    assert [(row.mixture_id, row.scenario, row.metric) for row in rows_of(tmp_path / "r")] == expected


def test_result_json(dataset: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    folder = submitted("oracle-mask")
    tiny.scored(dataset, folder, tmp_path / "r", ["tsos", "si_sdr"])
    about = json.loads((tmp_path / "r" / "result.json").read_text())
    hashes = {row.mixture_id: submission.read_estimate(folder, row).sha256 for row in dataset.mixtures}
    rest = {key: value for key, value in about.items() if key != "seal_sha256"}
    assert about.pop("pse_bench")
    assert about.pop("packages")["pystoi"]
    assert list(about)[-1] == "seal_sha256"
    assert about.pop("seal_sha256") == atomic.sha256_of_text(json.dumps(rest, indent=2) + "\n")
    assert about == {
        "schema": 1,
        "target_speakers": len({row.target_speaker for row in dataset.mixtures}),
        "recogniser": None,
        "kind": "pse-bench result",
        "dataset": "tiny-v1",
        "dataset_fingerprint": dataset.description.fingerprint,
        "submission_sha256": atomic.sha256_of_text(repr(sorted(hashes.items()))),
        "reference": "early",
        "complete": True,
        "mixtures": 12,
        "metrics": {name: {"version": metrics.METRICS[name].version} for name in ("tsos", "si_sdr")},
        "scores_sha256": atomic.sha256(tmp_path / "r" / "scores.csv"),
        "mixtures_sha256": atomic.sha256(tmp_path / "r" / "mixtures.csv"),
        "summary_sha256": atomic.sha256(tmp_path / "r" / "summary.csv"),
        "system": submission.read_system(folder).model_dump(),
    }
    written = ["mixtures.csv", "result.json", "scores.csv", "summary.csv"]
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == written


def test_the_same_audio_in_another_container_has_another_hash_and_equal_scores(
    dataset: Dataset, submitted: Submitted, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(submitted("mixture"), copy)
    path = copy / "TS1" / "s000001.flac"
    samples, rate = soundfile.read(str(path), dtype="int16")
    soundfile.write(str(path.with_suffix(".wav")), samples, rate)
    path.unlink()
    tiny.scored(dataset, submitted("mixture"), tmp_path / "a")
    tiny.scored(dataset, copy, tmp_path / "b")
    assert (tmp_path / "a" / "scores.csv").read_bytes() == (tmp_path / "b" / "scores.csv").read_bytes()
    marks = [json.loads((tmp_path / r / "result.json").read_text())["submission_sha256"] for r in "ab"]
    assert marks[0] != marks[1]


def test_serial_and_processes_write_equal_bytes(dataset: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    names = [*tiny.QUICK, "estoi"]
    score.score(dataset, submitted("oracle-mask"), tmp_path / "a", executor=Serial(), names=names)
    score.score(dataset, submitted("oracle-mask"), tmp_path / "b", executor=Processes(2), names=names)
    for name in ("scores.csv", "result.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "hint"),
    [("tsoss", "did you mean 'tsos'?"), ("SI_SDR", "known: tsos, "), ("si-sdr", "did you mean 'si_sdr'?")],
)
def test_an_unknown_metric(dataset: Dataset, submitted: Submitted, tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"metric {name!r} is not known; {hint}")):
        tiny.scored(dataset, submitted("mixture"), tmp_path / "r", ["tsos", name])
    assert not (tmp_path / "r").exists(), "nothing was begun"


# ---- submissions with something wrong


def missing(path: Path) -> None:
    path.unlink()


def silent(path: Path) -> None:
    audio.write(path, np.zeros(soundfile.info(str(path)).frames), tiny.RATE)


def not_a_number(path: Path) -> None:
    samples, _ = soundfile.read(str(path))
    samples[7] = np.nan
    path.unlink()
    tiny.write_float(path.with_suffix(".wav"), samples)


def half_the_rate(path: Path) -> None:
    samples, _ = soundfile.read(str(path))
    audio.write(path, samples, tiny.RATE // 2)


def stereo(path: Path) -> None:
    samples, _ = soundfile.read(str(path))
    soundfile.write(str(path), np.stack([samples, samples], axis=1), tiny.RATE)


def one_sample_short(path: Path) -> None:
    samples, _ = soundfile.read(str(path))
    audio.write(path, samples[:-1], tiny.RATE)


def eight_bit(path: Path) -> None:
    samples, _ = soundfile.read(str(path))
    audio.write(path, samples, tiny.RATE, "PCM_S8")


def there_twice(path: Path) -> None:
    samples, _ = soundfile.read(str(path))
    tiny.write_float(path.with_suffix(".wav"), samples)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def not_audio(path: Path) -> None:
    path.write_text("<html>404 Not Found</html>")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def without_samples(path: Path) -> None:
    path.unlink()
    tiny.write_float(path.with_suffix(".wav"), np.zeros(0))


LINES: dict[Callable[[Path], None], str] = {
    missing: r"\.flac: missing \(nor \.wav\); enhance s\d+_TS\d and add it",
    not_a_number: r"\.wav: holds NaN or infinite samples; write finite numbers",
    half_the_rate: r"\.flac: sampled at 8000 Hz, expected 16000 Hz; resample it",
    stereo: r"\.flac: has 2 channels, expected 1; mix down to mono first",
    one_sample_short: r"\.flac: \d+ samples long, expected \d+; keep the length and the alignment of the original",
    eight_bit: r"\.flac: stored as PCM_S8, expected 16 or 24 bit PCM or float; store it again",
    there_twice: r": there as \.flac and as \.wav; keep one",
    truncated: r"\.flac: (damaged \(.*\); restore or remove it|.*the file is truncated, restore or remove it)",
    not_audio: r"\.flac: not a sound file that can be opened \(.*\); restore or remove it",
    empty: r"\.flac: not a sound file that can be opened \(.*\); restore or remove it",
    without_samples: r"\.wav: holds no samples; restore or remove it",
}
"""What is wrong, and the line that says so after the file's name."""


def damaged(original: Path, copy: Path, rows: Sequence[Mixture], damages: Sequence[Callable]) -> Path:
    """A copy of a submission with one damage a row."""
    shutil.copytree(original, copy)
    for row, damage in zip(rows, damages, strict=True):
        damage(copy / f"{submission.estimate_name(row)}.flac")
    return copy


def test_every_fault_has_its_own_line(dataset: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    """Through the real entry point: a line that names the file and the remedy, exit status 1, all rows there."""
    rows = dataset.mixtures[1:]
    copy = damaged(submitted("oracle-mask"), tmp_path / "copy", rows, list(LINES))
    done = tiny.pse_bench("score", dataset.folder, copy, "-o", tmp_path / "r", "--metrics", ",".join(tiny.QUICK))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("scoring: ")]
    assert len(lines) == len(rows) + 1
    for row, pattern, line in zip(rows, LINES.values(), lines, strict=False):
        name = re.escape(str(copy / submission.estimate_name(row)))
        assert re.fullmatch(name + pattern, line), line
    assert lines[-1].startswith("11 of 12 estimates are missing or unusable and were given the worst values; ")
    assert "Traceback" not in done.stdout
    about = json.loads((tmp_path / "r" / "result.json").read_text())
    assert about["complete"] is False
    whole = rows_of(tmp_path / "r")
    assert {row.mixture_id for row in whole} == {row.mixture_id for row in dataset.mixtures}
    for row in whole:
        is_good = row.mixture_id == dataset.mixtures[0].mixture_id
        assert row.status in (("ok",) if is_good else ("failed", "undefined")), row


@pytest.fixture(scope="module")
def two(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two scenes: enough to have one that is damaged and one that is not."""
    return tiny.some_scenes(dataset, tmp_path_factory.mktemp("two") / "dataset", 0, 3)


@pytest.fixture(scope="module")
def undisturbed(
    two: Dataset, submitted: Submitted, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tiny.Table]:
    """All metrics of the oracle mask on two scenes."""
    return tiny.scored(two, submitted("oracle-mask"), tmp_path_factory.mktemp("r") / "r", list(metrics.METRICS))


@pytest.mark.parametrize("damage", [silent, *LINES], ids=lambda damage: damage.__name__)
def test_no_damage_makes_a_figure_better(
    two: Dataset, undisturbed: tiny.Table, submitted: Submitted, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    rows = [row for row in two.mixtures if row.scene_id == "s000003"]
    copy = damaged(submitted("oracle-mask"), tmp_path / "copy", rows, [damage] * 3)
    table = tiny.scored(two, copy, tmp_path / "r", list(metrics.METRICS))
    assert table.keys() == undisturbed.keys()
    for key, row in table.items():
        before = undisturbed[key]
        scenarios = 3 if row.scenario == "all" else 1
        assert row.expected == before.expected == 2 * scenarios
        if row.value is None and before.value is None:
            continue  # nobody says anything short here
        if damage is silent and (row.scenario == "TS3" or row.metric == "pause_leakage_db"):
            continue  # a silent output leaks nothing, which is true and why these never stand alone
        change = row.value - before.value
        assert change <= 0 if row.higher_is_better else change >= 0, key
        if damage is not silent:
            assert row.scored == before.scored - scenarios, key
            # the worst that a clip can have shows in the aggregate of two clips
            assert change != 0, key


def test_a_fault_never_scores_above_silence_or_noise(two: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    """An unusable estimate is worth no more than any other."""
    names = list(metrics.METRICS)
    copy = damaged(submitted("silence"), tmp_path / "copy", two.mixtures, [empty] * len(two.mixtures))
    worst = tiny.scored(two, copy, tmp_path / "r0", names)
    chance = np.random.default_rng(0)
    noise = tmp_path / "noise"
    for row in two.mixtures:
        samples = 0.9 * chance.uniform(-1, 1, row.num_samples)
        tiny.write_float(noise / f"{submission.estimate_name(row)}.wav", samples)
    submission.write_system(noise, submission.System(name="noise"))
    for number, folder in enumerate((submitted("silence"), noise), 1):
        table = tiny.scored(two, folder, tmp_path / f"r{number}", names)
        for key, row in table.items():
            if row.value is None and worst[key].value is None:
                continue
            gain = row.value - worst[key].value
            assert gain >= 0 if row.higher_is_better else gain <= 0, (key, folder)


def test_a_usable_estimate_that_fails_a_metric_is_a_warning(
    dataset: Dataset, submitted: Submitted, tmp_path: Path
) -> None:
    done = tiny.pse_bench(
        "score", dataset.folder, submitted("silence"), "-o", tmp_path / "r", "--metrics", "tsos,si_sdr", "--quiet"
    )
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert warnings == ["warning: s000000_TS1 and 7 more: the estimate is silent; given the worst value"]
    assert done.stdout == f"{tmp_path / 'r'}: 12 mixtures scored\n"


def test_a_submission_without_a_folder_or_a_description(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder or zip; check the path"):
        tiny.scored(dataset, tmp_path / "nowhere", tmp_path / "r")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no file is named as a mixture's, like TS1/s000000\.flac; run"):
        tiny.scored(dataset, tmp_path / "empty", tmp_path / "r")
    (references(dataset, tmp_path / "bare", 0.0) / "system.yaml").unlink()
    with pytest.raises(InputError, match=r"bare/system\.yaml: missing"):
        tiny.scored(dataset, tmp_path / "bare", tmp_path / "r")
    assert not (tmp_path / "r").exists()


def _one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [missing, _one_bit])
@pytest.mark.parametrize(
    "name",
    [
        *("stems/target_early/s000002.flac", "TS2/s000002.flac", "enrollment/s000002.flac"),
        *("activity/s000002.json", "files.csv", "plan.jsonl"),
    ],
)
def test_a_damaged_dataset_is_not_the_submissions_fault(
    dataset: Dataset, submitted: Submitted, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    copy = tmp_path / "dataset"
    shutil.copytree(dataset.folder, copy)
    damage(copy / name)
    expected = rf"{re.escape(str(copy / name))}: missing or changed since it was rendered"
    with pytest.raises(InputError, match=expected):
        tiny.scored(Dataset.open(copy), submitted("mixture"), tmp_path / "r")
    assert not (tmp_path / "r" / "result.json").exists()


def test_rows_that_were_changed_are_refused(dataset: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    copy = tmp_path / "dataset"
    shutil.copytree(dataset.folder, copy)
    changed = [row.model_copy(update={"text": "other words"}) for row in dataset.mixtures]
    tables.write_table(copy / "mixtures.csv", Mixture, changed)
    with pytest.raises(InputError, match=r"mixtures\.csv: missing or changed since it was rendered"):
        tiny.scored(Dataset.open(copy), submitted("mixture"), tmp_path / "r")


def test_a_submission_of_another_dataset_is_refused(
    dataset: Dataset, submitted: Submitted, tmp_path: Path
) -> None:
    copy = tmp_path / "other"
    shutil.copytree(submitted("mixture"), copy)
    system = submission.read_system(copy)
    assert system.dataset_fingerprint == dataset.description.fingerprint
    submission.write_system(copy, system.model_copy(update={"dataset_fingerprint": "f" * 64}))
    with pytest.raises(
        InputError, match=r"other: made from another dataset, or .* \(fingerprint ffffffffffff in its"
    ):
        tiny.scored(dataset, copy, tmp_path / "r")
    submission.write_system(copy, system.model_copy(update={"dataset_fingerprint": ""}))
    tiny.scored(dataset, copy, tmp_path / "r", ["tsos"])


# ---- interruptions and crashes


class Counting(Serial):
    """Counts what it is asked to do, and stops after a while."""

    def __init__(self, stop_after: int = 1000) -> None:
        self.count, self.stop_after = 0, stop_after

    def run(self, function: Callable, items: Sequence) -> Iterator[Outcome]:
        for outcome in super().run(function, items):
            if self.count == self.stop_after:
                raise KeyboardInterrupt
            self.count += 1
            yield outcome


def test_an_interrupted_scoring_continues(dataset: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    folder, out = tmp_path / "copy", tmp_path / "r"
    shutil.copytree(submitted("mixture"), folder)
    # TS2 is dearest and so comes first
    (folder / "TS2" / "s000000.flac").unlink()
    with pytest.raises(KeyboardInterrupt):
        score.score(dataset, folder, out, executor=Counting(6), names=tiny.QUICK)
    assert not (out / "result.json").exists()
    (out / "scores.csv.part").touch()  # as a kill while the table was written leaves it
    shutil.copyfile(submitted("mixture") / "TS2" / "s000000.flac", folder / "TS2" / "s000000.flac")
    silent(folder / "TS2" / "s000001.flac")
    again = Counting()
    report = score.score(dataset, folder, out, executor=again, names=tiny.QUICK)
    assert not report.problems
    # of the six that were done, one was missing then and one has changed since
    assert again.count == 12 - 6 + 2
    straight = tmp_path / "straight"
    score.score(dataset, folder, straight, executor=Serial(), names=tiny.QUICK)
    assert (out / "scores.csv").read_bytes() == (straight / "scores.csv").read_bytes()
    assert (out / "result.json").read_bytes() == (straight / "result.json").read_bytes()


@pytest.mark.parametrize(
    ("change", "what"), [({"names": ["tsos"]}, "metrics"), ({"reference": "reverberant"}, "reference")]
)
def test_it_does_not_continue_another_scoring(
    dataset: Dataset, submitted: Submitted, tmp_path: Path, change: dict, what: str
) -> None:
    asked = {"names": tiny.QUICK}
    with pytest.raises(KeyboardInterrupt):
        score.score(dataset, submitted("mixture"), tmp_path / "r", executor=Counting(2), **asked)
    with pytest.raises(
        InputError, match=rf"begun with (another )?{what}.*, now .*; give a new folder, or --force"
    ):
        score.score(dataset, submitted("mixture"), tmp_path / "r", executor=Serial(), **{**asked, **change})
    score.score(
        dataset, submitted("mixture"), tmp_path / "r", executor=Serial(), force=True, **{**asked, **change}
    )


@pytest.mark.parametrize("line", ["{}", '{"mixture_id": "s000000_TS1", "sha256": "", "scores": [{"value": 1}]}'])
def test_a_damaged_journal_is_one_line(dataset: Dataset, submitted: Submitted, tmp_path: Path, line: str) -> None:
    out = tmp_path / "r"
    with pytest.raises(KeyboardInterrupt):
        score.score(dataset, submitted("mixture"), out, executor=Counting(2), names=["tsos"])
    with (out / result_writer.STAGE.journal).open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(InputError, match=r"score\.journal: damaged; use --force to start again"):
        score.score(dataset, submitted("mixture"), out, executor=Serial(), names=["tsos"])


def test_a_result_is_not_replaced_unasked(dataset: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    out = tmp_path / "r"
    tiny.scored(dataset, submitted("mixture"), out, ["tsos"])
    before = (out / "scores.csv").read_bytes()
    with pytest.raises(InputError, match="holds a result already; give a new folder, or --force"):
        tiny.scored(dataset, submitted("silence"), out, ["tsos"])
    assert (out / "scores.csv").read_bytes() == before
    score.score(dataset, submitted("silence"), out, executor=Serial(), names=["tsos"], force=True)
    assert Result.open(out).summaries[0].value == 100.0
    assert tables.read_table(out / "summary.csv", Summary) == Result.open(out).summaries


@pytest.mark.parametrize("force", [False, True])
def test_nothing_foreign_is_touched(dataset: Dataset, submitted: Submitted, tmp_path: Path, force: bool) -> None:
    copy = tmp_path / "dataset"
    shutil.copytree(dataset.folder, copy)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    with pytest.raises(InputError, match=r"holds other files .*; give a new or empty folder"):
        score.score(Dataset.open(copy), submitted("mixture"), copy, executor=Serial(), names=["tsos"], force=force)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


class Crashing(Serial):
    """Loses the first attempt at some mixtures, as a pool whose workers die twice does."""

    def __init__(self, mixture_ids: set[str]) -> None:
        self.fragile = mixture_ids
        self.attempts: list[str] = []

    def run(self, function: Callable, items: Sequence) -> Iterator[Outcome]:
        for index, (job, row) in enumerate(items):
            self.attempts.append(row.mixture_id)
            if row.mixture_id in self.fragile and not job.crashed:
                yield Outcome(index, lost="its worker process died twice")
            else:
                yield Outcome(index, function((job, row)))


def test_a_crash_costs_one_row_and_not_the_run(
    two: Dataset, submitted: Submitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["tsos", "pesq_wb", "si_sdr"]
    score.score(two, submitted("oracle-mask"), tmp_path / "whole", executor=Serial(), names=names)
    monkeypatch.setattr("pse_bench.metrics.perceptual._pesq", lambda *_: pytest.fail("the crash again"))
    only = [row for row in two.mixtures if row.mixture_id == "s000000_TS2"]
    shutil.copytree(two.folder, tmp_path / "one")
    single = tiny.with_mixtures(Dataset(tmp_path / "one", two.description, only))
    executor = Crashing({"s000000_TS2"})
    report = score.score(single, submitted("oracle-mask"), tmp_path / "r", executor=executor, names=names)
    assert executor.attempts == ["s000000_TS2", "s000000_TS2"]
    assert report.warnings == ["s000000_TS2: the metric's library crashed on it; given the worst value"]
    after = {row.metric: row for row in rows_of(tmp_path / "r")}
    before = {row.metric: row for row in rows_of(tmp_path / "whole") if row.mixture_id == "s000000_TS2"}
    assert after["pesq_wb"].status == "failed"
    assert after["pesq_wb"].value == metrics.METRICS["pesq_wb"].worst
    for name in ("tsos", "si_sdr"):
        assert after[name] == before[name]


def test_a_mixture_that_cannot_be_scored_at_all_keeps_the_rest(
    two: Dataset, submitted: Submitted, tmp_path: Path
) -> None:
    class Dying(Serial):
        def run(self, function: Callable, items: Sequence) -> Iterator[Outcome]:
            for index, (job, row) in enumerate(items):
                lost = "its worker process died twice" if row.mixture_id == "s000000_TS1" else ""
                yield Outcome(index, None if lost else function((job, row)), lost)

    report = score.score(two, submitted("mixture"), tmp_path / "r", executor=Dying(), names=["tsos"])
    assert len(report.problems) == 1
    assert "TS1/s000000: cannot be scored, its worker process died twice" in report.problems[0]
    status = {row.mixture_id: (row.status, row.value) for row in rows_of(tmp_path / "r")}
    assert status.pop("s000000_TS1") == ("failed", 100.0)
    assert {found for found, _ in status.values()} == {"ok"}


def test_scores_csv_reads_back_with_any_reader(dataset: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    tiny.scored(dataset, submitted("oracle-mask"), tmp_path / "r", ["tsos", "si_sdr"])
    with (tmp_path / "r" / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["mixture_id", "scenario", "metric", "value", "status", "detail"]
    for row in rows:
        if row["metric"] == "tsos":
            numerator, denominator = map(int, row["detail"].split("/"))
            assert float(row["value"]) == pytest.approx(100 * numerator / denominator)


def test_a_zip_scores_as_its_folder_does(two: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    folder = submitted("oracle-mask")
    archive = Path(shutil.make_archive(str(tmp_path / "mine"), "zip", folder))
    for name, path in (("folder", folder), ("zip", archive)):
        score.score(two, path, tmp_path / name, executor=Serial(), names=["tsos", "si_sdr"])
    same = [(tmp_path / name / "scores.csv").read_bytes() for name in ("folder", "zip")]
    assert same[0] == same[1]


def test_what_is_wrong_in_a_zip_is_told_by_the_zips_name(
    two: Dataset, submitted: Submitted, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(submitted("oracle-mask"), copy)
    next(copy.rglob("s000000.flac")).unlink()
    archive = Path(shutil.make_archive(str(tmp_path / "mine"), "zip", copy))
    report = score.score(two, archive, tmp_path / "r", executor=Serial(), names=["tsos"])
    assert len(report.problems) == 1
    assert report.problems[0].startswith(f"{archive}/TS")
    (copy / "system.yaml").unlink()
    archive = Path(shutil.make_archive(str(tmp_path / "mine"), "zip", copy))
    with pytest.raises(InputError, match=rf"^{archive}/system.yaml: missing"):
        score.score(two, archive, tmp_path / "r2", executor=Serial(), names=["tsos"])
    assert not (tmp_path / "r2").exists()


def test_words_from_a_csv_of_hypotheses(two: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    """The whole way of the recognition metrics: what a stranger's recogniser heard, pooled into word errors."""
    from pse_bench.asr import load

    texts = {row.mixture_id: "ONE TWO THREE FOUR" if row.scenario != "TS3" else "" for row in two.mixtures}
    known = Dataset(
        two.folder,
        two.description,
        [row.model_copy(update={"text": texts[row.mixture_id]}) for row in two.mixtures],
    )
    heard = {"TS1": "one two three four", "TS2": "one two tree", "TS3": "hello there"}
    table = tmp_path / "heard.csv"
    lines = [f"{row.mixture_id},{heard[row.scenario]}" for row in two.mixtures]
    table.write_text("mixture_id,text\n" + "\n".join(lines) + "\n")
    recogniser = load(f"csv:{table}", [], {row.mixture_id for row in two.mixtures})
    names = ["wer", "del", "ins", "sub", "leaked_words_per_min"]
    score.score(known, submitted("mixture"), tmp_path / "r", executor=Serial(), names=names, recogniser=recogniser)
    found = {(row.scenario, row.metric): row for row in rows_of(tmp_path / "r")}
    assert found["TS1", "wer"].detail == "0/4"
    assert (found["TS2", "wer"].value, found["TS2", "del"].value, found["TS2", "sub"].value) == (50.0, 25.0, 25.0)
    minutes = [row for row in two.mixtures if row.scenario == "TS3"][-1].num_samples / 16000 / 60
    assert found["TS3", "leaked_words_per_min"].value == pytest.approx(2 / minutes)
    about = json.loads((tmp_path / "r" / "result.json").read_text())
    assert about["recogniser"]["name"] == "csv"
    assert about["metrics"]["wer"] == {"version": 1, "model": recogniser.key}


def test_words_need_a_recogniser(two: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="metric wer: needs --recogniser"):
        score.score(two, submitted("mixture"), tmp_path / "r", executor=Serial(), names=["wer"])


def test_a_model_that_is_not_installed_is_told_before_anything_is_scored(
    two: Dataset, submitted: Submitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    absent = replace(metrics.ALL_METRICS["dnsmos_ovrl"], missing=lambda: "the package is missing; install it")
    monkeypatch.setitem(metrics.ALL_METRICS, "dnsmos_ovrl", absent)
    with pytest.raises(InputError, match="metric dnsmos_ovrl: the package is missing; install it"):
        score.score(two, submitted("mixture"), tmp_path / "r", executor=Serial(), names=["dnsmos_ovrl"])


def test_metrics_behind_models_are_data_like_the_others() -> None:
    others = {*metrics.WITHOUT_MODEL, *metrics.OF_SESSIONS}
    behind = {name: metric for name, metric in metrics.ALL_METRICS.items() if name not in others}
    assert {metric.family for metric in behind.values()} == {"recognition", "opinion", "speaker"}
    for name, metric in behind.items():
        assert metric.name == name
        assert metric.worst == (metric.low if metric.higher_is_better else metric.high)
        assert bool(metric.model) != ("transcribe" in metric.needs)
        assert "TS3" not in metric.scenarios or name in ("leaked_words_per_min", "invented_words_per_min")


def test_a_metric_from_outside_goes_all_the_way(two: Dataset, submitted: Submitted, tmp_path: Path) -> None:
    """From a name to tables, comparisons and a cached score; who reads the result needs no code of it."""
    shutil.copy(Path(tiny.__file__).with_name("outside_metric.py"), tmp_path / "somebodys.py")
    two_folder, first, second = two.folder, submitted("mixture"), submitted("oracle-mask")
    for system, out in ((first, "a"), (second, "b"), (first, "again")):
        arguments = ["score", two_folder, system, "-o", out, "--metrics", "tsos,somebodys:PEAK", "--quiet"]
        done = tiny.pse_bench(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    (tmp_path / "somebodys.py").unlink()
    assert (tmp_path / "a/scores.csv").read_text() == (tmp_path / "again/scores.csv").read_text()
    about = json.loads((tmp_path / "a/result.json").read_text())
    assert about["metrics"]["peak_reduction_db"]["version"] == 3
    assert list(about["packages"])[-1] == "pytest"
    result = Result.open(tmp_path / "a")
    assert [row.scenario for row in result.summaries if row.metric == "peak_reduction_db"] == ["TS3"]
    for command in ("table", "compare"):
        done = tiny.pse_bench(command, "a", "b", cwd=tmp_path)
        assert "peak_reduction_db (dB) ↑" in done.stdout, done.stderr
    refused = tiny.pse_bench("score", two_folder, first, "-o", "c", "--metrics", "somebodys:PEAK", cwd=tmp_path)
    assert "Error: metric somebodys:PEAK: cannot import somebodys" in refused.stderr
