"""Recordings of several people who talk, made here, from a table of who speaks when."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pse_bench.io import audio

RATE = 16_000
Turn = tuple[str, float, float, str]
"""Recording, start and duration in seconds, and speaker."""


def voice(speaker: str, num_samples: int) -> np.ndarray:
    """A voice without words: harmonics of a pitch of its own, syllables, some breath."""
    chance = np.random.default_rng(list(speaker.encode()))
    time_s = np.arange(num_samples) / RATE
    phase = 2 * np.pi * chance.uniform(90, 220) * time_s
    voiced = sum(np.sin(k * phase + chance.uniform(0, 6)) / k for k in range(1, 20))
    syllables = 0.3 + np.sin(np.pi * 4 * time_s) ** 2
    return syllables * (0.05 * voiced + 0.005 * chance.standard_normal(num_samples))


def write(folder: Path, turns: Iterable[Turn], seconds: float, rate: int = RATE) -> None:
    """A WAV of each recording: the sum of those who talk in it, and a little noise."""
    by_name: dict[str, list[Turn]] = defaultdict(list)
    for turn in turns:
        by_name[turn[0]].append(turn)
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, own) in enumerate(sorted(by_name.items())):
        sound = 1e-4 * np.random.default_rng(number).standard_normal(round(seconds * RATE))
        for _, start, duration, speaker in own:
            first = round(start * RATE)
            said = voice(speaker, round(duration * RATE))[: max(0, len(sound) - first)]
            sound[first : first + len(said)] += said
        audio.write(folder / f"{name}.wav", sound, rate)


def turns_of(path: Path) -> list[Turn]:
    """Who speaks when, of a CSV."""
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [(row["recording"], float(row["start"]), float(row["duration"]), row["speaker"]) for row in rows]


def rttm(turns: Iterable[Turn]) -> str:
    """The same as RTTM."""
    lines = (
        f"SPEAKER {name} 1 {start:.3f} {length:.3f} <NA> <NA> {who} <NA> <NA>"
        for name, start, length, who in turns
    )
    return "\n".join(lines) + "\n"
