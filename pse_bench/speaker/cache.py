"""Speaker embeddings on disk, by encoder and sound: none is computed twice, whatever system asks."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pse_bench.io.atomic import ContentCache

Encoder = Callable[[np.ndarray, int], np.ndarray]
"""Samples, float32 of shape (num_samples,), and their rate in Hz to an embedding of shape (size,), unit length. It
is called for every mixture, so one that is slow remembers what it has embedded."""


@dataclass(frozen=True)
class CachedEncoder:
    """An encoder that looks up what was embedded before, in any process.

    Attributes:
        embed: the encoder itself.
        identity: changes whenever the encoder could give something else.
        folder: shared by any number of encoders and processes.
    """

    embed: Encoder
    identity: str
    folder: Path

    def __call__(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """The embedding of a sound: float32, shape (size,)."""
        cache, sound = ContentCache(self.folder), _sha256_of(samples, f"{sample_rate} Hz")
        if (known := cache.get(sound, self.identity)) is not None:
            return np.array(known, dtype=np.float32)
        vector = np.asarray(self.embed(samples, sample_rate), dtype=np.float32)
        if np.isfinite(vector).all():
            with suppress(OSError):  # what cannot be kept is computed again: no reason to lose a run
                cache.put(sound, vector.tolist(), self.identity)
        return vector


def _sha256_of(values: np.ndarray, what: str) -> str:
    """SHA-256 of float32 values in little-endian order, and of what they are."""
    return hashlib.sha256(f"{what} ".encode() + np.ascontiguousarray(values, dtype="<f4").tobytes()).hexdigest()
