"""import quadruples: published outputs become a dataset and a submission that score takes at once."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import meetings
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

import pse_bench
from pse_bench.cli import cli
from pse_bench.dataset.dataset import Dataset
from pse_bench.io import audio
from pse_bench.runtime.executor import Serial
from pse_bench.scoring.results import Result as Scored
from pse_bench.submission.submission import read_system

RATE = 8000
LENGTH = 3 * RATE
ROWS = [
    {"id": "both", "reference": "anna.wav", "interferer": "ben.wav", "speaker": "anna", "text": "good morning"},
    {"id": "unknown", "reference": "anna.wav", "speaker": "anna"},
    {"id": "alone", "reference": "anna.wav", "scenario": "TS1"},
    {"id": "silent", "speaker": "cleo", "mixture": "ben.wav"},
]
COLUMNS = ("id", "mixture", "reference", "enrollment", "estimate", "interferer", "scenario", "speaker", "text")


def importing(table: Path, out: Path, *more: object) -> Result:
    words = ("import", "quadruples", table, *more, "--jobs", 1, "-o", out)
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="pse-bench")


def write(folder: Path) -> Path:
    """Sounds of 8 kHz, in three formats and at the level of each, and a CSV of them."""
    folder.mkdir()
    anna = np.concatenate([np.zeros(RATE // 2), meetings.voice("anna", 2 * LENGTH)[::2][: LENGTH - RATE // 2]])
    ben = np.concatenate([meetings.voice("ben", 2 * LENGTH)[::2][: LENGTH - RATE], np.zeros(RATE)])
    sounds = {"anna": anna, "ben": ben, "mixture": anna + ben, "enrollment": meetings.voice("anna", 2 * RATE)}
    for name, sound in sounds.items():
        audio.write(folder / f"{name}.wav", sound, RATE)
    audio.write(folder / "estimate.flac", 0.25 * (anna + 0.1 * ben), RATE, "PCM_24")
    soundfile.write(folder / "loud.wav", 8.0 * anna, RATE, subtype="FLOAT")
    common = {"mixture": "mixture.wav", "enrollment": "enrollment.wav", "estimate": "estimate.flac"}
    rows = [common | row for row in ROWS]
    rows[1]["estimate"] = "loud.wav"
    with (folder / "outputs.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return folder / "outputs.csv"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("published") / "outputs")


@pytest.fixture(scope="module")
def out(table: Path) -> Path:
    folder = table.parent.parent / "out"
    done = importing(table, folder, "--set", "name=Theirs", "--set", "version=2", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["mixtures"] == 4
    return folder


def test_sounds_are_what_they_were(table: Path, out: Path) -> None:
    dataset = Dataset.open(out / "dataset")
    labels = {row.scene_id: (row.scenario, row.num_interferers, row.target_speaker) for row in dataset.mixtures}
    assert labels == {
        "both": ("TS2", 1, "anna"),
        "unknown": ("TS2", 1, "anna"),
        "alone": ("TS1", 0, "unknown"),
        "silent": ("TS3", 1, "cleo"),
    }
    assert dataset.description.sample_rate == RATE
    for item in dataset:
        name = "ben.wav" if item.scenario == "TS3" else "mixture.wav"
        assert np.array_equal(dataset.read_pcm16(item.row.mixture_path), audio.read_pcm16(table.parent / name))
        known = item.scenario != "TS3"
        assert (item.reference is not None) == known
        assert (item.interferer is not None) == (item.row.scene_id == "both")
        assert item.active["target"].any() == known
        assert item.active["interferer"].any() == (item.row.scene_id in ("both", "silent"))
    rows = {row.scene_id: row for row in dataset.mixtures}
    stems = [audio.read(table.parent / f"{name}.wav")[0] for name in ("anna", "ben")]
    powers = [np.mean(stem[np.abs(stem) > 0] ** 2) for stem in stems]
    assert rows["both"].sir_achieved_db == pytest.approx(10 * np.log10(powers[0] / powers[1]), abs=0.5)
    assert rows["unknown"].sir_achieved_db is None
    assert rows["both"].text == "good morning"


def test_estimates_are_the_same_bytes_and_named_after_their_scene(table: Path, out: Path) -> None:
    files = {path.relative_to(out / "submission").as_posix() for path in (out / "submission").glob("TS*/*")}
    assert files == {"TS2/both.flac", "TS2/unknown.wav", "TS1/alone.flac", "TS3/silent.flac"}
    for name in files:
        original = table.parent / ("loud.wav" if "unknown" in name else "estimate.flac")
        assert (out / "submission" / name).read_bytes() == original.read_bytes()
    system = read_system(out / "submission")
    assert (system.name, system.version) == ("Theirs", "2")
    assert system.dataset_fingerprint == Dataset.open(out / "dataset").description.fingerprint


def test_it_is_verified_and_scored_at_once(out: Path, table: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(out / "dataset")
    roots = pse_bench.Roots({"recordings": table.parent})
    assert pse_bench.verify_dataset(dataset.folder, rerender=4, roots=roots, executor=Serial()).problems == []
    asked = ["si_sdri", "tsos", "wrong_speaker", "pause_leakage_db", "leakage_reduction_db", "activity_f1"]
    pse_bench.score_submission(dataset, out / "submission", tmp_path / "r", names=asked, executor=Serial())
    found = {(row.mixture_id, row.metric): row for row in Scored.open(tmp_path / "r").scores.itertuples()}
    # a tenth of the interferer's amplitude is left, which is 20 dB, at whatever level the output has
    assert found["both_TS2", "si_sdri"].value == pytest.approx(20.0, abs=0.5)
    assert found["both_TS2", "wrong_speaker"].value == 0
    assert found["both_TS2", "pause_leakage_db"].value == pytest.approx(20 + 20 * np.log10(4), abs=0.5)
    assert found["unknown_TS2", "si_sdri"].value > 60
    for metric in ("wrong_speaker", "pause_leakage_db"):
        assert found["unknown_TS2", metric].status == "undefined"
    assert found["alone_TS1", "tsos"].status == "ok"
    assert found["silent_TS3", "leakage_reduction_db"].status == "ok"
    assert pse_bench.check_submission(dataset, out / "submission", executor=Serial()).present == 4


def test_another_run_does_not_replace_a_submission(out: Path, table: Path) -> None:
    refused = importing(table, out)
    assert refused.exit_code == 1
    assert "system.yaml" in refused.stderr
    assert importing(table, out, "--force", "--set", "name=Theirs").exit_code == 0


def test_json_lines_from_elsewhere(table: Path, tmp_path: Path) -> None:
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    given = [
        {key: f"{table.parent.name}/{value}" if "." in value else value for key, value in row.items()}
        for row in rows
    ]
    (tmp_path / "outputs.jsonl").write_text("\n".join(map(json.dumps, given)) + "\n")
    done = importing(tmp_path / "outputs.jsonl", tmp_path / "out", "--audio", table.parent.parent)
    assert done.exit_code == 0, done.output
    assert len(Dataset.open(tmp_path / "out" / "dataset")) == 4


def test_lengths_are_fitted_only_where_that_is_asked_for(table: Path, tmp_path: Path) -> None:
    again = write(tmp_path / "outputs")
    estimate, _ = audio.read(again.parent / "estimate.flac")
    audio.write(again.parent / "estimate.flac", np.concatenate([estimate, np.ones(100)]), RATE)
    soundfile.write(again.parent / "loud.wav", estimate[:-50], RATE, subtype="FLOAT")
    refused = importing(again, tmp_path / "out")
    assert refused.exit_code == 1
    assert "estimate.flac: 24100 samples, the mixture has 24000; keep its length, or give --fit" in refused.stderr
    assert importing(again, tmp_path / "out", "--fit").exit_code == 0
    cut, padded = (tmp_path / "out" / "submission" / "TS2" / f"{name}.flac" for name in ("both", "unknown"))
    assert np.allclose(audio.read(cut)[0], estimate, atol=1e-4)
    assert np.allclose(audio.read(padded.with_suffix(".flac"))[0][:-50], estimate[:-50], atol=1e-6)
    assert not audio.read(padded)[0][-50:].any()


def sound(name: str, samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> Callable[[Path], object]:
    return lambda table: soundfile.write(table.parent / name, samples, rate, subtype=subtype)


def text(old: str, new: str) -> Callable[[Path], object]:
    def edit(table: Path) -> None:
        assert old in table.read_text()
        table.write_text(table.read_text().replace(old, new))

    return edit


NOISE = 0.1 * np.random.default_rng(1).standard_normal(LENGTH)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (text("both,mixture.wav", "both,none.wav"), ":2: none.wav: no such file below"),
        (text("both,mixture.wav", "both,/mixture.wav"), ":2: /mixture.wav: expected a path below"),
        (text("both,mixture.wav", "both,"), ":2: mixture"),
        (text("id,mixture", "id,noisy"), "unknown column 'noisy'"),
        (text("unknown", "both"), ":3: scene both is that of"),
        (
            text(
                "anna.wav,enrollment.wav,estimate.flac,,TS1", "anna.wav,enrollment.wav,estimate.flac,ben.wav,TS1"
            ),
            "TS1 has no",
        ),
        (text(",TS1", ",TS3"), ":4: TS3 has no reference, found 'anna.wav'"),
        (text("alone,mixture.wav,anna.wav", "alone,mixture.wav,"), ":4: TS1 has a reference, found ''"),
        (sound("anna.wav", NOISE[:-1]), ":2: anna.wav: 23999 samples, mixture.wav has 24000"),
        (sound("enrollment.wav", NOISE, 16_000), "enrollment.wav: 16000 Hz, but anna.wav has 8000 Hz"),
        (sound("estimate.flac", NOISE, 16_000), ":2: estimate estimate.flac: 16000 Hz, the mixture has 8000 Hz"),
        (sound("estimate.flac", np.stack([NOISE, NOISE], axis=1)), "2 channels, expected 1; take one"),
        (sound("loud.wav", NOISE, subtype="PCM_U8"), ":3: estimate loud.wav: stored as PCM_U8"),
        (
            sound("mixture.wav", 20 * NOISE, subtype="FLOAT"),
            "full scale is 1; turn all sounds of the set down alike",
        ),
    ],
    ids=[
        *("no-file", "absolute", "empty-cell", "column", "one-scene", "ts1-interferer", "ts3-reference"),
        *("ts1-without", "length", "rate", "estimate-rate", "stereo", "subtype", "full-scale"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, edit: Callable[[Path], object], words: str) -> None:
    table = write(tmp_path / "outputs")
    edit(table)
    refused = importing(table, tmp_path / "out")
    assert refused.exit_code == 1, refused.output
    assert words in refused.stderr
    assert not (tmp_path / "out" / "submission").exists()
