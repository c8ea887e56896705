"""A tiny corpus that behaves like speech, and datasets made from it."""

import csv
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from work import call, contents

from pse_bench.corpora import clip_reader
from pse_bench.corpora.readers import folder, noise, rir
from pse_bench.corpora.roots import Roots
from pse_bench.io import tables
from pse_bench.planning import plan
from pse_bench.planning.plan import plan_dataset
from pse_bench.planning.scenario import parse_scenario
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import MeasuredResponse, NoiseClip, Recipe, Utterance
from pse_bench.simulation import render

RATE = 16000
SPEAKERS = {"ada": ("F", 205.0), "bea": ("F", 230.0), "carl": ("M", 105.0), "dan": ("M", 125.0)}
UTTERANCES = 5
SCENES = 4

SCENARIO: dict[str, Any] = {
    "schema": 1,
    "name": "tiny",
    "version": 3,
    "sample_rate": RATE,
    "duration_s": {"uniform": [3.2, 3.6]},
    "scenarios": ["TS1", "TS2", "TS3"],
    "target": {"distance_m": {"uniform": [0.5, 1.0]}, "level_dbfs": {"uniform": [-30, -22]}},
    "interferer": {
        "overlap": {"choice": [0.5, 1.0]},
        "distance_m": {"uniform": [1.2, 2.0]},
        "sir_db": {"uniform": [0, 10]},
    },
    "noise": {"snr_db": {"uniform": [3, 15]}},
    "room": {
        "length_m": {"uniform": [3.6, 4.5]},
        "width_m": {"uniform": [3.4, 4.2]},
        "height_m": {"uniform": [2.4, 2.8]},
        "rt60_s": {"uniform": [0.2, 0.25]},
    },
    "enrollment": {"duration_s": {"uniform": [2.0, 3.0]}},
}


# ---- sound


def speech_like(seed: int, pitch_hz: float, duration_s: float) -> np.ndarray:
    """Harmonic syllables with pauses between words over a faint hiss, shape (num_samples,), peak 0.3."""
    chance = np.random.default_rng(seed)
    count = round(duration_s * RATE)
    envelope = np.zeros(count)
    position = int(0.1 * RATE)
    while position < count - 0.2 * RATE:
        for _ in range(chance.integers(1, 4)):
            length = int(chance.uniform(0.12, 0.22) * RATE)
            piece = np.sin(np.pi * np.arange(length) / length) ** 0.5 * chance.uniform(0.5, 1.0)
            envelope[position : position + length] = piece[: max(0, count - position)]
            position += length
        position += int(chance.uniform(0.15, 0.35) * RATE)
    time_s = np.arange(count) / RATE
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + 0.08 * np.sin(2 * np.pi * 0.7 * time_s + seed))) / RATE
    voice = sum(np.sin(k * phase + chance.uniform(0, 6)) / k for k in range(1, int(3500 / pitch_hz)))
    sound = envelope * voice
    return 0.3 * sound / np.abs(sound).max() + 1e-4 * chance.standard_normal(count)


def decaying_noise(seed: int, rt60_s: float, rate: int, delay_s: float) -> np.ndarray:
    """What a measured response looks like: a delay, a direct sound, noise that falls by 60 dB in ``rt60_s``."""
    chance = np.random.default_rng(seed)
    count = int(1.3 * rt60_s * rate)
    tail = 0.05 * chance.standard_normal(count) * 10 ** (-3 * np.arange(count) / (rt60_s * rate))
    tail[0] = 0.8
    return np.concatenate([np.zeros(round(delay_s * rate)), tail])


# ---- the corpus


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A speech corpus ``talk``, a noise corpus ``hush`` and measured responses ``halls``, with manifests."""

    folder: Path
    utterances: list[Utterance]
    noises: list[NoiseClip]
    measured: list[MeasuredResponse]

    def root(self, name: str) -> Path:
        """The folder of a corpus."""
        return self.folder / name

    @property
    def options(self) -> list[str]:
        """The roots of speech and noise as options of the command line."""
        return [part for name in ("talk", "hush") for part in ("--root", f"{name}={self.root(name)}")]

    @property
    def roots(self) -> Roots:
        """The roots as the library takes them."""
        return Roots({name: self.root(name) for name in ("talk", "hush", "halls")})

    def manifest(self, role: str) -> Path:
        """The manifest of speech, noise or rir."""
        return self.folder / f"{role}.csv"

    def moved(self, to: Path) -> "Corpus":
        """A copy of the corpus in another folder, which a test may damage."""
        shutil.copytree(self.folder, to)
        return dataclasses.replace(self, folder=to)

    def recipes(self, count: int = SCENES, seed: int = 1, **changes: Any) -> list[Recipe]:
        """Recipes of the tiny scenario; ``changes`` replace keys, or keys within a mapping."""
        return _planner(self, changed(**changes), seed, count)

    def plan(self, path: Path, count: int = SCENES, seed: int = 1, **changes: Any) -> Path:
        """Write such recipes as a plan."""
        tables = {"speech": [self.utterances], "noise": [self.noises], "rir": [self.measured]}
        return plan_dataset(changed(**changes), path, **tables, scenes=count, seed=seed, force=True)


def changed(**changes: Any) -> dict[str, Any]:
    """The tiny scenario with some keys replaced."""
    content = json.loads(json.dumps(SCENARIO))
    for key, value in changes.items():
        content[key] = {**content.get(key, {}), **value} if isinstance(value, dict) else value
    return content


def _planner(corpus: Corpus, content: dict[str, Any], seed: int, count: int) -> list[Recipe]:
    planner = plan.Planner(
        parse_scenario(content, "the tiny scenario"),
        speech=corpus.utterances,
        noise=corpus.noises,
        rirs=corpus.measured,
        seed=seed,
    )
    return [planner.recipe(index) for index in range(count)]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Corpus:
    """The corpus, with manifests made by the readers. Tests that damage it take ``corpus.moved``."""
    where = tmp_path_factory.mktemp("corpora")
    texts = [("utterance_id", "text")]
    for number, (speaker, (_, pitch_hz)) in enumerate(SPEAKERS.items()):
        for index in range(UTTERANCES):
            path = where / "talk" / speaker / f"{speaker}-{index}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            seed = 10 * number + index
            soundfile.write(path, speech_like(seed, pitch_hz, 2.6 + 0.1 * index), RATE, subtype="PCM_16")
            texts.append((f"{speaker}/{path.stem}", f'{speaker} says “sentence, number {index}” – "naïve"'))
    _write_csv(where / "texts.csv", texts)
    _write_csv(where / "genders.csv", [("speaker_id", "gender"), *((s, g) for s, (g, _) in SPEAKERS.items())])
    for index, name in enumerate(("rain", "street", "fan")):
        path = where / "hush" / name / f"{name}.flac"
        path.parent.mkdir(parents=True)
        chance = np.random.default_rng(100 + index)
        soundfile.write(path, 0.05 * chance.standard_normal(6 * RATE), RATE, subtype="PCM_16")
    measured_ones = (("hall/left", RATE, 0.004), ("hall/right", RATE, 0.007), ("cell/one", 48000, 0.003))
    for name, rate, delay_s in measured_ones:
        path = where / "halls" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, decaying_noise(len(name), 0.25, rate, delay_s), rate, subtype="PCM_24")

    speech, faults = folder.READER.read(
        where / "talk",
        name="talk",
        transcripts=where / "texts.csv",
        genders=where / "genders.csv",
        executor=Serial(),
    )
    noises, more = noise.READER.read(where / "hush", name="hush", executor=Serial())
    measured, others = rir.READER.read(where / "halls", name="halls", executor=Serial())
    assert [*faults, *more, *others] == []
    made = Corpus(where, speech, noises, measured)
    tables.write_table(made.manifest("speech"), Utterance, speech)
    tables.write_table(made.manifest("noise"), NoiseClip, noises)
    tables.write_table(made.manifest("rir"), MeasuredResponse, measured)
    return made


def _write_csv(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)


# ---- datasets


@pytest.fixture(scope="session")
def rendered(corpus, tmp_path_factory) -> Path:
    """A dataset of four scenes, rendered in one process and never disturbed. Not to be changed."""
    where = tmp_path_factory.mktemp("rendered")
    path = corpus.plan(where / "plan.jsonl")
    render.render(path, where / "dataset", roots=corpus.roots, executor=Serial(), bank=where / "rooms")
    return where / "dataset"


@pytest.fixture
def copy_of_rendered(rendered, tmp_path) -> Path:
    """A copy of that dataset which a test may damage."""
    return Path(shutil.copytree(rendered, tmp_path / "dataset"))


@pytest.fixture
def _as_in_a_new_process():
    """Forget the clips and rooms that a worker keeps in memory for as long as it lives."""
    clip_reader.forget()
    render._shared_room.cache_clear()


@pytest.fixture
def contents_of() -> Callable[[Path], dict[str, bytes]]:
    """The function that reads a whole dataset for a comparison."""
    return contents


# ---- the command line


@pytest.fixture
def command(tmp_path, monkeypatch) -> Callable[..., Any]:
    """Run the command line in this process; the result has exit_code, stdout and stderr."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return call


@pytest.fixture
def process(tmp_path) -> Callable[..., subprocess.Popen]:
    """Start ``python -m pse_bench`` in a process group of its own."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def start(*arguments: Any) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "pse_bench", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )

    return start
