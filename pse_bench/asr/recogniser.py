"""What a recogniser is, as data, and the one way to ask it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pse_bench.io import audio
from pse_bench.io.atomic import sha256_of_text
from pse_bench.metrics.signals import check_lengths

RATE_HZ = 16_000
"""The rate that every recogniser takes."""


@dataclass(frozen=True)
class Recogniser:
    """Gives the words in a sound, the same every time. Can be sent to another process.

    Attributes:
        name: ``pocketsphinx``, ``faster-whisper`` or ``csv``.
        version: of the package.
        model: SHA-256 of all that its answer depends on beside the package and the sound: weights, language
            model, settings, or the table of hypotheses.
        note: what a reader of its word error rates has to know, in one line.
        decode: takes float64 samples at 16 kHz and the mixture's id, and gives the words.
        by_sound: the answer depends on the sound alone and not on the id.
    """

    name: str
    version: str
    model: str
    note: str
    decode: Callable[[np.ndarray, str], str]
    by_sound: bool = True

    def transcribe(self, samples: np.ndarray, sample_rate: int, mixture_id: str = "") -> str:
        """The words in a sound, as the recogniser writes them; '' when there are none.

        Digital silence has none.

        Args:
            samples: float64, shape (num_samples,), full scale ±1.
            sample_rate: Hz; other rates than 16 kHz are resampled.
            mixture_id: whose sound it is, for recognisers that look it up.
        """
        check_lengths(samples=samples)
        if self.by_sound and not np.any(samples):
            return ""
        return self.decode(audio.resample(samples, sample_rate, RATE_HZ), mixture_id)

    def for_clip(self, sample_rate: int, mixture_id: str = "") -> Callable[[np.ndarray], str]:
        """``transcribe`` for the estimates of one mixture. It remembers the last sound, so that several metrics of
        one estimate cost one transcription."""
        last: dict[str, str] = {}

        def transcribe(samples: np.ndarray) -> str:
            key = sha256_of_sound(samples)
            if key not in last:
                last.clear()
                last[key] = self.transcribe(samples, sample_rate, mixture_id)
            return last[key]

        return transcribe

    @property
    def identity(self) -> dict[str, str]:
        """What a result has to say about it."""
        return {"name": self.name, "version": self.version, "model": self.model, "note": self.note}

    @property
    def key(self) -> str:
        """SHA-256 that is the same exactly when the answers are."""
        return sha256_of_text(repr((self.name, self.version, self.model)))


def sha256_of_sound(samples: np.ndarray) -> str:
    """SHA-256 of float64 samples in little-endian order."""
    return hashlib.sha256(np.ascontiguousarray(samples, dtype="<f8").tobytes()).hexdigest()
