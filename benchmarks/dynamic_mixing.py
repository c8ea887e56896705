"""How fast are training scenes mixed on the fly?

``DynamicMixing`` against what people do instead, in turns in one run, on one thread each and by processor time:

- a script: the same sources, levels and room impulse responses, mixed with soundfile, numpy and
  scipy.signal.fftconvolve as people write it, pyroomacoustics giving each scene its room;
- the same script with rooms that were simulated before;
- reading mixture, reference and enrollment of stored scenes from FLAC, as many samples of each.

Then wall time with no and with two data-loader workers, and what a second worker brings. Exits with status 1 below
1,000 s of audio a second and core, or below 1.8 times with two workers where two cores are idle.

    OMP_NUM_THREADS=1 python benchmarks/dynamic_mixing.py [--speech M.csv --noise N.csv]
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

LEAST_RATE, LEAST_GAIN = 1000.0, 1.8
RATE, CHUNK_S, BATCH = 16_000, 4.0, 16
CHUNK = round(RATE * CHUNK_S)


class Script:
    """Scenes as a script mixes them: decode, simulate or look up a room, convolve, set levels, add."""

    def __init__(self, speech: list[Path], noise: list[Path], rooms: int) -> None:
        self.chance = np.random.default_rng(1)
        self.speech, self.noise = speech, noise
        self.rooms = [self.room() for _ in range(rooms)]

    def room(self) -> list[np.ndarray]:
        """Responses of two sources in a room."""
        import pyroomacoustics as pra

        size = self.chance.uniform([3, 3, 2.5], [8, 8, 3.5])
        absorption, order = pra.inverse_sabine(self.chance.uniform(0.2, 0.5), size)
        room = pra.ShoeBox(size, fs=RATE, materials=pra.Material(absorption), max_order=order)
        for _ in range(2):
            room.add_source(self.chance.uniform([0.5, 0.5, 1.2], size - [0.5, 0.5, 0.5]))
        room.add_microphone(self.chance.uniform([0.5, 0.5, 1.2], size - [0.5, 0.5, 0.5]))
        room.compute_rir()
        return [rir[0].astype(np.float32) for rir in (room.rir[0][:1], room.rir[0][1:])]

    def clip(self, files: list[Path], count: int = CHUNK) -> np.ndarray:
        sound, _ = soundfile.read(files[self.chance.integers(len(files))], dtype="float32")
        sound = np.pad(sound, (0, max(0, count - len(sound))))
        start = self.chance.integers(len(sound) - count + 1)
        return sound[start : start + count]

    def scene(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mixture, reference and enrollment."""
        from scipy.signal import fftconvolve

        rirs = self.rooms[self.chance.integers(len(self.rooms))] if self.rooms else self.room()
        dry, other = self.clip(self.speech), self.clip(self.speech)
        target, interferer = (fftconvolve(x, rir)[:CHUNK] for x, rir in zip((dry, other), rirs, strict=True))
        direct = int(np.abs(rirs[0]).argmax())
        reference = fftconvolve(dry, rirs[0][: direct + RATE // 20])[:CHUNK]
        noise = self.clip(self.noise)
        mixture = target.copy()
        for stem, low_db, high_db in ((interferer, -5, 15), (noise, -5, 25)):
            power = np.mean(target**2) / max(float(np.mean(stem**2)), 1e-12)
            mixture += stem * np.float32(np.sqrt(power / 10 ** (self.chance.uniform(low_db, high_db) / 10)))
        return mixture, reference, self.clip(self.speech, 5 * RATE)


def stored(folder: Path, script: Script) -> Callable[[], Any]:
    """Scenes of the script as FLAC, and how one is read."""
    for number in range(40):
        for name, sound in zip(("mixture", "reference", "enrollment"), script.scene(), strict=True):
            soundfile.write(folder / f"{name}{number}.flac", 0.3 * sound / np.abs(sound).max(), RATE)
    numbers = itertools.cycle(range(40))

    def read() -> list[np.ndarray]:
        number = next(numbers)
        return [
            soundfile.read(folder / f"{name}{number}.flac", dtype="float32")[0]
            for name in ("mixture", "reference", "enrollment")
        ]

    return read


def rate_of(function: Callable[[], Any], scenes: int, least_s: float = 2.0) -> float:
    """Seconds of audio a second of processor time."""
    begin, calls = time.process_time(), 0
    while time.process_time() - begin < least_s:
        function()
        calls += 1
    return calls * scenes * CHUNK_S / (time.process_time() - begin)


def wall_rate(mixing: Any, workers: int, steps: int) -> float:
    """Seconds of audio a second of wall time, once all workers run."""
    from torch.utils.data import DataLoader

    batches = iter(DataLoader(mixing, batch_size=None, num_workers=workers))
    for _ in range(2 * workers + 2):
        next(batches)
    begin = time.perf_counter()
    for _ in range(steps):
        next(batches)
    return steps * BATCH * CHUNK_S / (time.perf_counter() - begin)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--noise", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()

    import torch
    from training import CACHE, embedded

    from pse_bench.corpora.roots import Roots
    from pse_bench.io.tables import read_table
    from pse_bench.runtime.executor import Processes
    from pse_bench.schemas import NoiseClip, Utterance
    from pse_bench.torch import DynamicMixing

    torch.set_num_threads(1)
    speech, noise = (asked.speech, asked.noise) if asked.speech else embedded(Processes(2))
    roots = Roots.parse(())
    files = [
        [roots.locate(row.corpus, row.path) for row in read_table(path, kind)]
        for path, kind in ((speech, Utterance), (noise, NoiseClip))
    ]
    mixing = DynamicMixing(speech, noise, batch=BATCH, chunk_s=CHUNK_S, cache=CACHE / "training", rooms=40)
    steps = itertools.count()
    with tempfile.TemporaryDirectory() as folder:
        known = Script(*files, rooms=40)
        ways: dict[str, tuple[Callable[[], Any], int]] = {
            "DynamicMixing": (lambda: mixing.batch(next(steps)), BATCH),
            "script, new rooms": (Script(*files, rooms=0).scene, 1),
            "script, known rooms": (known.scene, 1),
            "stored FLAC": (stored(Path(folder), known), 1),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(asked.rounds):
            for name, (function, scenes) in ways.items():
                found[name].append(rate_of(function, scenes))
    ours = float(np.median(found["DynamicMixing"]))
    print("s of audio a second of one core, median of rounds; ratio of DynamicMixing to it")
    for name, rates in found.items():
        ratio = np.median([a / b for a, b in zip(found["DynamicMixing"], rates, strict=True)])
        print(f"  {name:20} {np.median(rates):8.0f}  {ratio:6.2f}")
    # the loop's own process counts as a worker that mixes: compare one worker with two
    pairs = [(wall_rate(mixing, 1, 30), wall_rate(mixing, 2, 60)) for _ in range(asked.rounds)]
    gain = float(np.median([two / one for one, two in pairs]))
    print(f"with workers, wall time: one {pairs[0][0]:.0f}, two {pairs[0][1]:.0f}; two to one {gain:.2f}")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0 if ours >= LEAST_RATE and gain >= LEAST_GAIN else 1


if __name__ == "__main__":
    sys.exit(main())
