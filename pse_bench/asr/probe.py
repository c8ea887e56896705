"""The masked-word probe: how much of what was silenced a recogniser writes down all the same.

A recogniser that knows a language fills in words that an enhancer has removed, so its deletions (``del``)
understate over-suppression. The probe silences every fifth word of each reference, and counts how many of these
words are written down. Where they lie comes from a forced alignment of the known text by pocketsphinx, whichever
recogniser is probed, so that all of them hear the same sounds; ``MARGIN_S`` more is silenced on either side, as
alignments are that unsure. What is written down counts where the alignment of both texts with the fewest errors
puts the word in its place.

``probes.csv`` has the figures of known recognisers, by the digest of their model.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench import rng
from pse_bench.asr import alignment
from pse_bench.asr.pocketsphinx import with_room_noise
from pse_bench.asr.recogniser import Recogniser
from pse_bench.io import audio, documents, tables
from pse_bench.metrics.recognition import RATE_HZ, normalise, words
from pse_bench.metrics.signals import Signal

EVERY = 5
"""One word of so many is silenced."""
MARGIN_S = 0.04
FADE_S = 0.005
KNOWN = Path(__file__).with_name("probes.csv")


@dataclass(frozen=True)
class Counts:
    """Of the words that were silenced, how many were written down with them and without; can be added up."""

    silenced: int = 0
    heard: int = 0  # where they are in the sound
    restored: int = 0  # where they are silenced

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.silenced + other.silenced, self.heard + other.heard, self.restored + other.restored)


class Probe(documents.Record):
    """A row of ``probes.csv``: shares in % of the ``silenced`` words."""

    recogniser: str
    model: str
    dataset: str
    fingerprint: str
    silenced: int
    heard: float
    restored: float
    restored_low: float | None
    restored_high: float | None
    command: str

    @property
    def sentence(self) -> str:
        """The figure in words."""
        low, high = self.restored_low, self.restored_high
        interval = "" if low is None or high is None else f" [{low:.1f}, {high:.1f}]"
        return f"{self.recogniser} writes down {self.restored:.1f} %{interval} of words that were silenced"


@cache
def _known() -> dict[str, Probe]:
    return {row.model: row for row in tables.read_table(KNOWN, Probe)}


def known(model: str) -> str:
    """What is known of a recogniser by the digest of its model, in words; '' when nothing is."""
    return found.sentence if (found := _known().get(model)) else ""


def note(figures: Probe, table: Path) -> None:
    """Write figures into a table like ``probes.csv``, in place of those of the same model."""
    rows: list[Probe] = tables.read_table(table, Probe) if table.exists() else []
    kept = [*(row for row in rows if row.model != figures.model), figures]
    kept.sort(key=lambda row: (row.recogniser, row.model))
    tables.write_table(table, Probe, kept)


def probe(recogniser: Recogniser, decoder: Any, samples: Signal, sample_rate: int, text: str, name: str) -> Counts:
    """The counts of one clip of clean speech; none where its text could not be aligned with it.

    Args:
        decoder: an ``alignment.aligner``.
        samples: float64, shape (num_samples,), full scale ±1.
        text: what is said.
        name: of the clip, which draws the first word to be silenced.
    """
    heard = audio.resample(samples, sample_rate, RATE_HZ)
    spoken = words(text)
    places = alignment.aligned(decoder, with_room_noise(heard), spoken) if spoken else []
    chosen = list(range(rng.integer(0, EVERY - 1, 1, "probe", name), len(places), EVERY))
    if not chosen:
        return Counts()
    masked = silenced(heard, [places[index][1:] for index in chosen])
    found = [_written(text, recogniser.transcribe(sound, RATE_HZ)) for sound in (heard, masked)]
    return Counts(len(chosen), *(sum(index in written for index in chosen) for written in found))


def silenced(samples: Signal, places: list[tuple[float, float]]) -> Signal:
    """16 kHz samples with digital silence from begin to end of each place, in seconds, a margin around it, and
    fades of ``FADE_S`` around that."""
    half = audio.seconds_to_samples(FADE_S / 2, RATE_HZ)
    kept = np.ones(len(samples))
    for begin, end in places:
        first, last = (audio.seconds_to_samples(max(at, 0), RATE_HZ) for at in (begin - MARGIN_S, end + MARGIN_S))
        kept[max(first - half, 0) : last + half] = 0.0
    return samples * np.convolve(np.pad(kept, half, "edge"), np.ones(2 * half + 1) / (2 * half + 1), "valid")


def _written(text: str, hypothesis: str) -> set[int]:
    """The words of a text, by their place, that a hypothesis has."""
    import jiwer

    aligned = jiwer.process_words(normalise(text), normalise(hypothesis))
    same = [chunk for chunk in aligned.alignments[0] if chunk.type == "equal"]
    return {index for chunk in same for index in range(chunk.ref_start_idx, chunk.ref_end_idx)}
