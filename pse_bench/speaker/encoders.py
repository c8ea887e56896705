"""Speaker encoders: what turns a sound into the embedding by which models and metrics know its speaker.

``ENCODERS`` has them by name: systems look up the encoder of their checkpoint, a training configuration names one,
the speaker similarity compares by one, ``doctor`` says what installs them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pse_bench.errors import FailedScore, UndefinedScore
from pse_bench.registry import Registry
from pse_bench.speaker import dvector, dvector_weights

Embed = Callable[[np.ndarray, int], np.ndarray]
"""Samples, float of shape (num_samples,), and their rate in Hz to an embedding, float32 of shape (size,), unit
length. It is called for every mixture, so one that is slow remembers what it has embedded."""

WORST_SIMILARITY = 0.0


@dataclass(frozen=True)
class Encoder:
    """A speaker encoder.

    Attributes:
        embed: the encoder; a function of a module, since it goes to worker processes.
        size: entries of an embedding.
        sha256: of its weights; embeddings that are kept are looked up by it.
        noun: what an embedding of it is called in messages.
        shortest_s: length of the shortest sound that it embeds.
        unusable: why a sound at a rate in Hz has no embedding; '' when it has one.
        missing: why nothing can be embedded here, with the remedy; '' when all is in place.
        package, install: the distribution that brings its weights, and the line that installs it.
    """

    embed: Embed
    size: int
    sha256: str
    noun: str
    shortest_s: float
    unusable: Callable[[np.ndarray, int], str]
    missing: Callable[[], str] = lambda: ""
    package: str = ""
    install: str = ""


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
    check=lambda found: (
        "" if isinstance(found, Encoder) else f"expected an encoders.Encoder, found {type(found).__name__}"
    ),
)


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Cosine of two embeddings, within [0, 1]; 1 is the same voice."""
    product = float(np.sum(one.astype(np.float64) * other))
    norms = float(np.linalg.norm(one.astype(np.float64)) * np.linalg.norm(other.astype(np.float64)))
    return min(max(product / norms, 0.0), 1.0)


def speaker_similarity(
    *,
    estimate: np.ndarray,
    enrollment: np.ndarray,
    sample_rate: int,
    encoder: Encoder = ENCODERS[DEFAULT],
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
    *,
    enrollment: np.ndarray,
    sample_rate: int,
    encoder: Encoder = ENCODERS[DEFAULT],
) -> float:
    """What a clip without a usable estimate counts for: 0. Raises UndefinedScore as ``speaker_similarity``."""
    if fault := encoder.unusable(enrollment, sample_rate):
        raise UndefinedScore(f"the enrollment has no {encoder.noun}: {fault}")
    return WORST_SIMILARITY
