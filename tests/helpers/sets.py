"""A LibriMix tree as that project's own script writes it."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pse_bench.corpora.readers import librispeech
from pse_bench.corpora.roots import Roots
from pse_bench.corpora.synthetic import embedded
from pse_bench.io import audio
from pse_bench.io.tables import write_table
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import Utterance

ROWS = 10
RATE = 16_000


@dataclass(frozen=True)
class LibriMix:
    """Where a set lies, its metadata with the paths of another machine, and a manifest of what was mixed."""

    root: Path
    metadata: Path
    manifest: Path

    @property
    def roots(self) -> Roots:
        return Roots({"librimix": self.root.resolve()})


def spoken(dev_corpus: Path | None, folder: Path) -> Iterator[tuple[Utterance, np.ndarray]]:
    """Three utterances of four people."""
    if dev_corpus:
        root = dev_corpus / "speech" / "LibriSpeech"
        rows, _ = librispeech.READER.read(root, subsets=("test-other",), executor=Serial())
        people = sorted({row.speaker_id for row in rows})[:4]
        for person in people:
            for row in sorted((row for row in rows if row.speaker_id == person), key=lambda row: row.num_samples)[
                :3
            ]:
                yield row, audio.read(root / row.path)[0]
        return
    pytest.importorskip("espeakng_loader", reason="needs pse-bench[embedded]")
    for number, order in enumerate([order for order in embedded.orders(folder) if order.kind == "speech"][:4]):
        embedded.carry_out(order)
        for take, path in enumerate(sorted((folder / "speech" / order.name).glob("*.wav"))[:3]):
            samples, rate = audio.read(path)
            row = Utterance(
                **{"corpus": "librispeech", "utterance_id": f"{11 + number}-100-{take:04}", "path": path.name},
                **{"speaker_id": str(11 + number), "gender": "FM"[number % 2], "num_samples": len(samples)},
                **{"sample_rate": rate, "text": f"SENTENCE {take} OF {number}", "sha256": "0" * 64},
            )
            yield row, samples


def write(root: Path, said: list[tuple[Utterance, np.ndarray]]) -> LibriMix:
    """``wav16k/min/test`` with mix_both, s1, s2, noise and the metadata, from twelve utterances."""
    chance = np.random.default_rng(1)
    split = root / "wav16k" / "min" / "test"
    lines = []
    for number in range(ROWS):
        (one, first), (two, second) = said[number], said[(number + 3 + 3 * (number // 9)) % 12]
        name = f"{one.utterance_id}_{two.utterance_id}"
        length = min(len(first), len(second))
        parts = {
            "s1": 0.3 * first[:length],
            "s2": 0.2 * second[:length],
            "noise": 0.01 * chance.standard_normal(length),
        }
        parts["mix_both"] = sum(parts.values())
        for part, samples in parts.items():
            (split / part).mkdir(parents=True, exist_ok=True)
            audio.write(split / part / f"{name}.wav", samples, RATE)
        # LibriMix writes the full paths of the machine that it ran on
        paths = [
            f"/mnt/data/Libri2Mix/wav16k/min/test/{part}/{name}.wav" for part in ("mix_both", "s1", "s2", "noise")
        ]
        lines.append([name, *paths, float(length)])
    metadata = root / "wav16k" / "min" / "metadata" / "mixture_test_mix_both.csv"
    metadata.parent.mkdir()
    with metadata.open("w", newline="") as stream:
        header = ["mixture_ID", "mixture_path", "source_1_path", "source_2_path", "noise_path", "length"]
        csv.writer(stream).writerows([header, *lines])
    manifest = root / "speech.csv"
    write_table(manifest, Utterance, [row for row, _ in said])
    return LibriMix(root, metadata, manifest)
