"""Speaker embeddings on disk, by encoder and sound: nobody is listened to twice, whatever system asks.

An entry is one small JSON file. One that is damaged, or not what its name says, is made again.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from pse_bench.errors import InputError
from pse_bench.io import atomic, documents
from pse_bench.schemas import SCHEMA

Encoder = Callable[[np.ndarray, int], np.ndarray]
"""Samples, float32 of shape (num_samples,), and their rate in Hz to an embedding of shape (size,), unit length. It
is called for every mixture, so one that is slow remembers what it has heard."""


class Entry(documents.Record):
    """What an encoder gave. ``vector_sha256`` tells a damaged vector from a whole one."""

    schema_: Annotated[int, Field(alias="schema")]
    encoder: str
    sound: str
    vector: list[float]
    vector_sha256: str


@dataclass(frozen=True)
class Remembering:
    """An encoder that looks up what was heard before, in any process.

    Attributes:
        listen: the encoder itself.
        identity: changes whenever the encoder could give something else.
        folder: shared by any number of encoders and processes.
    """

    listen: Encoder
    identity: str
    folder: Path

    def __call__(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """The embedding of a sound: float32, shape (size,)."""
        sound = _sha256_of(samples, f"{sample_rate} Hz")
        path = self.folder / self.identity[:16] / sound[:2] / f"{sound}.json"
        vector = self._known(path, sound)
        if vector is None:
            vector = np.asarray(self.listen(samples, sample_rate), dtype=np.float32)
            # what cannot be kept is computed again: no reason to lose a run
            if not np.isfinite(vector).all():
                return vector
            with suppress(OSError), atomic.replacing(path, shared=True) as part:
                part.write_text(self._entry(sound, vector).model_dump_json(by_alias=True) + "\n", encoding="utf-8")
        return vector

    def _known(self, path: Path, sound: str) -> np.ndarray | None:
        try:
            entry = documents.read_record(Entry, path)
        except InputError:
            return None
        with np.errstate(over="ignore"):  # a damaged number may be anything
            vector = np.array(entry.vector, dtype=np.float32)
        return vector if np.isfinite(vector).all() and entry == self._entry(sound, vector) else None

    def _entry(self, sound: str, vector: np.ndarray) -> Entry:
        document = {
            "schema": SCHEMA,
            "encoder": self.identity,
            "sound": sound,
            "vector": [float(value) for value in vector],
            "vector_sha256": _sha256_of(vector, "vector"),
        }
        return documents.parse(Entry, document, str(self.folder))


def _sha256_of(values: np.ndarray, what: str) -> str:
    """SHA-256 of float32 values in little-endian order, and of what they are."""
    return hashlib.sha256(f"{what} ".encode() + np.ascontiguousarray(values, dtype="<f4").tobytes()).hexdigest()
