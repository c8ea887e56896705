"""A tiny corpus that behaves like speech, in rooms that are quick to simulate, and runs of a few steps on it."""

import json
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from pse_bench.corpora.readers import folder, noise
from pse_bench.corpora.roots import Roots
from pse_bench.io import tables
from pse_bench.io.documents import parse
from pse_bench.planning.plan import plan_dataset
from pse_bench.runtime.executor import Serial
from pse_bench.runtime.progress import Update, no_progress
from pse_bench.schemas import NoiseClip, Utterance
from pse_bench.simulation import render
from pse_bench.training.config import TrainConfig
from pse_bench.training.data import sources
from pse_bench.training.data.prepared_folder import Preparation
from pse_bench.training.data.sources import Source

RATE = 16_000
PITCH_HZ = {"ada": 205.0, "bea": 230.0, "carl": 105.0, "dan": 125.0, "eve": 180.0, "fred": 140.0}
UTTERANCES = {"ada": 2, "bea": 2, "carl": 2, "dan": 2, "eve": 1, "fred": 1}
CHUNK_S = 1.5

SCENARIO: dict[str, Any] = {
    "schema": 1,
    "name": "tiny-training",
    "version": 1,
    "sample_rate": RATE,
    "duration_s": CHUNK_S,
    "scenarios": ["TS1", "TS2", "TS3"],
    "shares": {"TS1": 0.3, "TS2": 0.4, "TS3": 0.3},
    "target": {"clip": "segment", "distance_m": 0.5, "level_dbfs": {"uniform": [-38, -28]}},
    "interferer": {"overlap": {"uniform": [0.6, 1]}, "distance_m": 1.2, "sir_db": {"uniform": [-5, 15]}},
    "noise": {"snr_db": {"uniform": [0, 25]}},
    "room": {
        "length_m": 3.8,
        "width_m": 3.4,
        "height_m": 2.5,
        "rt60_s": {"uniform": [0.15, 0.2]},
        "rooms": 2,
        "places": 1,
    },
    "enrollment": {
        "duration_s": {"uniform": [2.0, 3.0]},
        "condition": {"choice": ["clean", "reverberant", "noisy"]},
    },
}


def speech_like(seed: int, pitch_hz: float, duration_s: float) -> np.ndarray:
    """Harmonic syllables with pauses over a faint hiss, shape (num_samples,), peak 0.3."""
    chance = np.random.default_rng(seed)
    count = round(duration_s * RATE)
    envelope, position = np.zeros(count), int(0.1 * RATE)
    while position < count - 0.2 * RATE:
        for _ in range(chance.integers(1, 4)):
            length = int(chance.uniform(0.12, 0.22) * RATE)
            piece = np.sin(np.pi * np.arange(length) / length) ** 0.5
            envelope[position : position + length] = piece[: max(0, count - position)]
            position += length
        position += int(chance.uniform(0.15, 0.3) * RATE)
    phase = 2 * np.pi * pitch_hz * np.arange(count) / RATE
    voice = sum(np.sin(k * phase + chance.uniform(0, 6)) / k for k in range(1, int(3500 / pitch_hz)))
    sound = envelope * voice
    return 0.3 * sound / np.abs(sound).max() + 1e-4 * chance.standard_normal(count)


@dataclass(frozen=True)
class Tiny:
    """Manifests ``speech`` and ``noise`` and a scenario in a folder, and a cache that all tests share."""

    folder: Path

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def roots(self) -> Roots:
        return Roots({name: self.folder / name for name in ("talk", "hush")})

    def config(self, task: str = "pse", **changes: Any) -> TrainConfig:
        """A configuration of a few steps; ``changes`` replace keys, or keys within a mapping."""
        content: dict[str, Any] = {
            "task": task,
            "recipe": "its" if task == "pse" else "",
            "steps": 6,
            "batch": 2,
            "model": {"filters": 320, "bottleneck": 16, "fc": 16, "lstm": 16} if task == "pse" else {"hidden": 8},
            "data": {
                "scenario": str(self.folder / "tiny.yaml"),
                "chunk_s": CHUNK_S,
                "speeds": [1.0, 1.1],
                "crops": 2,
            },
            "optimiser": {"warmup_steps": 2, "average": 0.9},
            "validation": {"speakers": 2, "scenes": 3, "every": 3},
            "log_every": 1,
            "save_every": 2,
        }
        for key, value in changes.items():
            content[key] = {**content.get(key, {}), **value} if isinstance(value, dict) else value
        return parse(TrainConfig, content, "the tiny configuration")

    def source(self, config: TrainConfig, speakers: Path | None = None) -> Source:
        """Scenes mixed on the fly for a configuration."""
        preparation = Preparation(self.cache, self.cache / "rooms", self.roots, Serial(), silent)
        manifests = {role: [self.folder / f"{role}.csv"] for role in ("speech", "noise")}
        return sources.from_manifests(config, preparation, **manifests, speakers=speakers)


def silent(what: str, unit: str) -> nullcontext[Update]:
    """A progress display that shows nothing."""
    return nullcontext(no_progress)


def make(where: Path) -> Tiny:
    """The corpus with its manifests and scenario in a folder that is there."""
    for number, (speaker, pitch_hz) in enumerate(PITCH_HZ.items()):
        for index in range(UTTERANCES[speaker]):
            path = where / "talk" / speaker / f"{speaker}-{index}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, speech_like(10 * number + index, pitch_hz, 5.0 + 0.13 * index), RATE)
    for index, name in enumerate(("rain", "fan")):
        path = where / "hush" / name / f"{name}.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(path, 0.05 * np.random.default_rng(100 + index).standard_normal(6 * RATE), RATE)
    spoken, _ = folder.READER.read(where / "talk", name="talk", executor=Serial())
    noises, _ = noise.READER.read(where / "hush", name="hush", executor=Serial())
    tables.write_table(where / "speech.csv", Utterance, spoken)
    tables.write_table(where / "noise.csv", NoiseClip, noises)
    (where / "tiny.yaml").write_text(json.dumps(SCENARIO))
    return Tiny(where)


def rendered(tiny: Tiny) -> Path:
    """A dataset of scenes of three seconds in all three scenarios."""
    content = {key: value for key, value in SCENARIO.items() if key != "shares"}
    content |= {"name": "tiny-set", "duration_s": 3.0}
    manifests = {role: [tiny.folder / f"{role}.csv"] for role in ("speech", "noise")}
    plan_dataset(content, tiny.folder / "plan.jsonl", **manifests, scenes=12, seed=1)
    where, bank = tiny.folder / "dataset", tiny.cache / "rooms"
    render.render(tiny.folder / "plan.jsonl", where, roots=tiny.roots, executor=Serial(), bank=bank)
    return where
