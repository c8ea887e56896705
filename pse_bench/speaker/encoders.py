"""Speaker encoders: what turns a sound into the embedding by which models and metrics know its speaker.

``ENCODERS`` has them by name: systems look up the encoder of their checkpoint, a training configuration names one,
the speaker similarity compares by one, ``doctor`` says what installs them.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pse_bench.errors import FailedScore, UndefinedScore
from pse_bench.io.atomic import ContentCache
from pse_bench.registry import Registry
from pse_bench.speaker import dvector, dvector_weights

Embed = Callable[[np.ndarray, int], np.ndarray]
"""Samples, float of shape (num_samples,), and their rate in Hz to an embedding, float32 of shape (size,), unit
length. It is called for every mixture, so one that is slow remembers what it has embedded."""


@dataclass(frozen=True)
class Encoder:
    """A speaker encoder."""

    embed: Embed  # a function of a module, since it goes to worker processes
    size: int  # entries of an embedding
    sha256: str  # of its weights; embeddings that are kept are looked up by it
    noun: str  # what an embedding of it is called in messages
    shortest_s: float  # length of the shortest sound that it embeds
    unusable: Callable[[np.ndarray, int], str]  # why a sound at a rate in Hz has no embedding; '' when it has one
    missing: Callable[[], str] = lambda: (
        ""
    )  # why nothing can be embedded here, and the remedy; '' when all is there
    package: str = ""  # the distribution that brings its weights
    install: str = ""  # the line that installs it

    def embed_all(self, sounds: Sequence[np.ndarray], sample_rate: int) -> np.ndarray:
        """The embeddings of many sounds of one rate in Hz, float32 of shape (N, size)."""
        if self.embed is dvector.embed:
            return dvector.embed_all(sounds, sample_rate)
        return np.stack([self.embed(sound, sample_rate) for sound in sounds]).astype(np.float32)


def _fault(entry: object) -> str:
    return "" if isinstance(entry, Encoder) else f"expected an encoders.Encoder, found {type(entry).__name__}"


DEFAULT = "dvector"
"""The encoder of a model that names none."""

ENCODERS: Registry[Encoder] = Registry(
    "speaker encoder",
    {
        DEFAULT: Encoder(
            embed=dvector.embed,
            size=dvector.SIZE,
            sha256=dvector_weights.SHA256,
            noun="d-vector",
            shortest_s=dvector.SHORTEST_S,
            unusable=dvector.unusable,
            missing=dvector_weights.missing,
            package="Resemblyzer",
            install="pip install --no-deps resemblyzer==0.1.4",
        ),
    },
    group="pse_bench.encoders",
    check=_fault,
)


@dataclass(frozen=True)
class CachedEncoder:
    """An encoder that looks up on disk what was embedded before, in any process: no sound is embedded twice."""

    embed: Embed
    identity: str  # changes whenever the encoder could give something else
    folder: Path  # shared by any number of encoders and processes

    def __call__(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """The embedding of a sound: float32, shape (size,)."""
        content = f"{sample_rate} Hz ".encode() + np.ascontiguousarray(samples, dtype="<f4").tobytes()
        cache, sound = ContentCache(self.folder), hashlib.sha256(content).hexdigest()
        if (known := cache.get(sound, self.identity)) is not None:
            return np.array(known, dtype=np.float32)
        vector = np.asarray(self.embed(samples, sample_rate), dtype=np.float32)
        if np.isfinite(vector).all():
            with suppress(OSError):  # what cannot be kept is computed again: no reason to lose a run
                cache.put(sound, vector.tolist(), self.identity)
        return vector


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Cosine of two embeddings, within [0, 1]; 1 is the same voice."""
    product = float(np.sum(one.astype(np.float64) * other))
    norms = float(np.linalg.norm(one.astype(np.float64)) * np.linalg.norm(other.astype(np.float64)))
    return min(max(product / norms, 0.0), 1.0)


def speaker_similarity(
    *, estimate: np.ndarray, enrollment: np.ndarray, sample_rate: int, encoder: Encoder = ENCODERS[DEFAULT]
) -> float:
    """Cosine of the embeddings of an estimate and of its enrollment, within [0, 1].

    Args:
        estimate, enrollment: shape (num_samples,), each of its own length.
        sample_rate: of both, Hz.
        encoder: gives both embeddings.

    Raises:
        UndefinedScore: the enrollment is silent, or one of the two is shorter than the encoder needs.
        FailedScore: the estimate is silent.
        InputError: the weights are missing or not the known ones.
    """
    if len(estimate) < encoder.shortest_s * sample_rate:
        raise UndefinedScore(f"the clip is shorter than the {encoder.shortest_s} s that a {encoder.noun} needs")
    speaker_similarity_of_failure(enrollment=enrollment, sample_rate=sample_rate, encoder=encoder)
    if fault := encoder.unusable(estimate, sample_rate):
        raise FailedScore(f"the estimate has no {encoder.noun}: {fault}")
    return similarity(encoder.embed(estimate, sample_rate), encoder.embed(enrollment, sample_rate))


def speaker_similarity_of_failure(
    *, enrollment: np.ndarray, sample_rate: int, encoder: Encoder = ENCODERS[DEFAULT]
) -> float:
    """What a clip without a usable estimate counts for: 0. Raises UndefinedScore as ``speaker_similarity``."""
    if fault := encoder.unusable(enrollment, sample_rate):
        raise UndefinedScore(f"the enrollment has no {encoder.noun}: {fault}")
    return 0.0
