"""The smallest corpus and dataset that the scoring tests need, made with the real library.

Voices are bursts of harmonics with pauses between them: they have a pitch, syllables and silence, which is all
that activity, levels and metrics look at.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from pse_bench.corpora.readers import folder, noise
from pse_bench.corpora.roots import Roots
from pse_bench.dataset.dataset import Dataset
from pse_bench.io import atomic, audio, tables
from pse_bench.planning.plan import plan_dataset
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import Mixture, NoiseClip, StoredFile, Summary, Utterance
from pse_bench.scoring import score
from pse_bench.scoring.summary import summarise
from pse_bench.simulation import render
from pse_bench.systems.enhance import enhance

RATE = 16_000
PITCH_HZ = {"anna": 210.0, "bert": 110.0, "carl": 135.0, "dora": 240.0}
UTTERANCES = 3
SCENES = 4
SEED = 3

SCENARIO = """\
schema: 1
name: tiny
version: 1
sample_rate: 16000
duration_s: {uniform: [3.0, 3.4]}
scenarios: [TS1, TS2, TS3]
target: {distance_m: {uniform: [0.5, 1.0]}, level_dbfs: {uniform: [-28, -24]}}
interferer: {distance_m: {uniform: [1.5, 2.5]}, sir_db: {uniform: [2, 6]}}
noise: {snr_db: {uniform: [10, 20]}}
room:
  length_m: {uniform: [4.5, 5.5]}
  width_m: {uniform: [4.5, 5.5]}
  rt60_s: {uniform: [0.2, 0.25]}
  rooms: 2
  places: 2
enrollment: {duration_s: 1.5, condition: clean}
reference: early
"""


def voice(pitch_hz: float, seed: int) -> np.ndarray:
    """About two seconds of one synthetic talker: float64, shape (num_samples,)."""
    chance = np.random.default_rng(seed)
    pieces = []
    for _ in range(5):
        length = int(RATE * chance.uniform(0.22, 0.3))
        time = np.arange(length) / RATE
        glide = 2 * np.pi * pitch_hz * (time + chance.uniform(-0.2, 0.2) * time**2)
        tilt = chance.uniform(0.6, 1.4)
        tone = sum(np.sin(k * glide + k) / k**tilt for k in range(1, int(5000 / pitch_hz)))
        pieces += [tone * np.hanning(length), np.zeros(int(RATE * chance.uniform(0.1, 0.2)))]
    samples = np.concatenate(pieces)
    return 0.5 * samples / np.abs(samples).max() + 1e-4 * chance.standard_normal(len(samples))


def write_corpus(root: Path) -> None:
    """Speech in ``speech/<speaker>/<n>.wav``, noise in ``noise/<category>/<n>.wav``."""
    for number, (speaker, pitch_hz) in enumerate(PITCH_HZ.items()):
        for take in range(UTTERANCES):
            path = root / "speech" / speaker / f"{take}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            audio.write(path, voice(pitch_hz, 10 * number + take), RATE)
    for number, category in enumerate(("hiss", "hum")):
        chance = np.random.default_rng(100 + number)
        path = root / "noise" / category / "a.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = chance.standard_normal(5 * RATE)
        if category == "hum":
            samples = np.convolve(samples, np.ones(40) / 6, mode="same")
        audio.write(path, 0.05 * samples, RATE)


def write_manifests(root: Path, sample_rate: int = RATE) -> tuple[list[Utterance], list[NoiseClip]]:
    """``speech.csv``, ``noise.csv`` and ``tiny.yaml`` for that corpus; the rows of both."""
    speech, problems = folder.READER.read(root / "speech", name="voices", executor=Serial())
    noises, more = noise.READER.read(root / "noise", name="noises", executor=Serial())
    assert not problems
    assert not more
    (root / "tiny.yaml").write_text(SCENARIO.replace(f"sample_rate: {RATE}", f"sample_rate: {sample_rate}"))
    tables.write_table(root / "speech.csv", Utterance, speech)
    tables.write_table(root / "noise.csv", NoiseClip, noises)
    return speech, noises


def build(root: Path, sample_rate: int = RATE) -> Dataset:
    """Corpus, manifests, plan and dataset of a rate below ``root``; the dataset is ``root/dataset``."""
    write_corpus(root)
    speech, noises = write_manifests(root, sample_rate)
    plan_dataset(
        root / "tiny.yaml", root / "plan.jsonl", speech=[speech], noise=[noises], scenes=SCENES, seed=SEED
    )
    report = render.render(
        root / "plan.jsonl",
        root / "dataset",
        roots=Roots({"voices": root / "speech", "noises": root / "noise"}),
        executor=Serial(),
        bank=root / "rooms",
    )
    assert not report.problems
    return Dataset.open(root / "dataset")


# ---- what several tests do with it

QUICK = [
    "tsos",
    "tsos_paper",
    "tsos_s_per_30min",
    "tsos_longest_s",
    "leakage_reduction_db",
    "residual_dbfs",
    "leaky_frames",
    "pause_leakage_db",
    "si_sdr",
    "si_sdri",
]
"""Every metric that takes no time."""

Table = dict[tuple[str, str], Summary]


def scored(
    dataset: Dataset, submission: Path, out: Path, names: list[str] | None = None, reference: str | None = None
) -> Table:
    """The summary of a submission by scenario and metric; quick metrics unless named."""
    score.score(dataset, submission, out, executor=Serial(), names=names or QUICK, reference=reference)
    return {(row.scenario, row.metric): row for row in summarise(out)}


def some_scenes(dataset: Dataset, out: Path, *numbers: int) -> Dataset:
    """A copy of the dataset whose tables hold only these scenes."""
    names = {f"s{number:06d}" for number in numbers}
    shutil.copytree(dataset.folder, out)
    rows = [row for row in dataset.mixtures if row.scene_id in names]
    return with_mixtures(Dataset(out, dataset.description, rows))


def with_mixtures(dataset: Dataset, **changes: Any) -> Dataset:
    """The dataset as if it had been rendered with these rows and with the files that now lie in its folder;
    ``changes`` go into ``dataset.json``."""
    out = dataset.folder
    tables.write_table(out / "mixtures.csv", Mixture, dataset.mixtures)
    stored = [row.model_copy(update={"sha256": atomic.sha256(out / row.path)}) for row in dataset.files]
    tables.write_table(out / "files.csv", StoredFile, stored)
    hashes = {name: atomic.sha256(out / name) for name in dataset.description.tables}
    counts = {"mixtures": len(dataset.mixtures), "scenes": len({row.scene_id for row in dataset.mixtures})}
    description = dataset.description.model_copy(update={"tables": hashes, **counts, **changes})
    atomic.write_sealed(out / "dataset.json", description.model_dump(by_alias=True))
    return Dataset.open(out)


def write_float(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "FLOAT") -> None:
    """A WAV file as somebody else's program might write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path), samples, rate, format="WAV", subtype=subtype)


def pse_bench(*words: object, cwd: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, in a process of its own."""
    command = [sys.executable, "-m", "pse_bench", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False, **options)


def submissions(dataset: Dataset, root: Path) -> Callable[[str], Path]:
    """The folder of a system's submission by its name, made below ``root`` when it is first asked for."""

    def submission(system: str) -> Path:
        if not (root / system).exists():
            enhance(dataset, system, root / system, executor=Serial())
        return root / system

    return submission
