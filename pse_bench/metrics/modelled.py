"""Metrics that need a model file or a recogniser, as data. They are computed when asked for."""

from functools import partial

import numpy as np

from pse_bench.errors import FailedScore, UndefinedScore
from pse_bench.metrics import dnsmos, leakage, recognition
from pse_bench.metrics.metric import Metric, Resolution
from pse_bench.metrics.signals import Mask, Signal, check_lengths
from pse_bench.speaker import dvector
from pse_bench.speaker.encoders import (
    DEFAULT,
    ENCODERS,
    similarity,
    speaker_similarity,
    speaker_similarity_of_failure,
)

_speech = partial(Metric, higher_is_better=True, scenarios=("TS1", "TS2"))
_mos = partial(_speech, family="opinion", unit="MOS", low=dnsmos.LOW, high=dnsmos.HIGH, worst=dnsmos.WORST)
_opinion = partial(
    _mos,
    resolution=Resolution(0.05, "two dithers of one step of 16 bits differ by up to 0.04"),
    source="Reddy et al., arXiv 2110.01763 and 2010.15258; model files of speechmos 0.0.1.1",
    needs=("estimate", "sample_rate"),
    failure=dnsmos.opinion_of_failure,
    packages=("onnxruntime",),
    missing=dnsmos.missing,
    rate_hz=dnsmos.RATE_HZ,
    lowest_hz=dnsmos.RATE_HZ,
)

OPINIONS = tuple(
    _opinion(
        name=name,
        description=f"predicted {quality}",
        compute=partial(dnsmos.opinion, model=model, figure=figure),
        model=dnsmos.MODELS[model].sha256,
    )
    for name, (model, figure, quality) in dnsmos.METRICS.items()
)

SIMILARITY = Resolution(0.001, "the last figure that is printed in the field")
D_VECTOR = "Wan et al., arXiv 1710.10467; network of resemblyzer 0.1.4"


def interferer_similarity(
    *, estimate: Signal, mixture: Signal, target_active: Mask, interferer_active: Mask, sample_rate: int
) -> float:
    """Cosine of the d-vectors of a TS2 output and of the mixture where only others talk, within [0, 1].

    Others are heard in the samples that ``pause_leakage_db`` looks at, joined; of several, the d-vector is one for
    all of them.

    Raises:
        UndefinedScore: they are too short for a d-vector, or silent.
        FailedScore: the output is silent.
    """
    masks = {"target_active": target_active, "interferer_active": interferer_active}
    check_lengths(estimate=estimate, mixture=mixture, **masks)
    others = _others(mixture, sample_rate=sample_rate, **masks)
    encoder = ENCODERS[DEFAULT]
    if fault := encoder.unusable(estimate, sample_rate):
        raise FailedScore(f"the estimate has no {encoder.noun}: {fault}")
    return similarity(encoder.embed(estimate, sample_rate), encoder.embed(others, sample_rate))


def interferer_similarity_of_failure(
    *, mixture: Signal, target_active: Mask, interferer_active: Mask, sample_rate: int
) -> float:
    """What a clip without a usable output counts for: 1. Raises UndefinedScore as ``interferer_similarity``."""
    _others(mixture, target_active=target_active, interferer_active=interferer_active, sample_rate=sample_rate)
    return 1.0


def _others(mixture: Signal, *, target_active: Mask, interferer_active: Mask, sample_rate: int) -> np.ndarray:
    masks = {"target_active": target_active, "interferer_active": interferer_active}
    others, encoder = mixture[leakage.pause_samples(sample_rate=sample_rate, **masks)], ENCODERS[DEFAULT]
    if len(others) < encoder.shortest_s * sample_rate:
        raise UndefinedScore(
            f"only others talk for less than the {encoder.shortest_s} s that a {encoder.noun} needs"
        )
    if fault := encoder.unusable(others, sample_rate):
        raise UndefinedScore(f"the mixture where only others talk has no {encoder.noun}: {fault}")
    return others


SPEAKER = (
    _speech(
        name="speaker_similarity",
        description="cosine of the d-vectors of estimate and enrollment",
        family="speaker",
        unit="",
        low=0.0,
        high=1.0,
        worst=0.0,
        resolution=SIMILARITY,
        source=D_VECTOR,
        needs=("estimate", "enrollment", "sample_rate"),
        compute=speaker_similarity,
        failure=speaker_similarity_of_failure,
        missing=ENCODERS[DEFAULT].missing,
        model=ENCODERS[DEFAULT].sha256,
        rate_hz=dvector.RATE_HZ,
    ),
)

WORD = Resolution(0.1, "one word in a thousand, or in ten minutes")
_HEARD = ("estimate", "text", "transcribe")

_counted = partial(Metric, family="recognition", higher_is_better=False, aggregation="ratio", low=0.0)
_words = partial(_counted, resolution=WORD, packages=("jiwer",), rate_hz=recognition.RATE_HZ)
_errors = partial(_words, unit="%", scale=100.0, scenarios=("TS1", "TS2"), source="as wer", needs=_HEARD)
_up_to_once = partial(_errors, high=100.0, worst=100.0, failure=partial(recognition.bound_of_errors, per_word=1.0))
_up_to_twice = partial(_errors, high=200.0, worst=200.0, failure=recognition.bound_of_errors)

RECOGNITION = (
    _up_to_twice(
        name="wer",
        description="word error rate",
        source=f"jiwer; normaliser {recognition.NORMALISER}",
        compute=recognition.word_errors,
    ),
    _up_to_once(
        name="del",
        description="words of the target that were not recognised: the recogniser's sign of over-suppression",
        compute=partial(recognition.word_errors, kind="deletions"),
    ),
    _up_to_twice(
        name="ins",
        description="words recognised that the target did not say",
        compute=partial(recognition.word_errors, kind="insertions"),
    ),
    _up_to_once(
        name="sub",
        description="words of the target that were taken for others",
        compute=partial(recognition.word_errors, kind="substitutions"),
    ),
    _words(
        name="leaked_words_per_min",
        description="words recognised while the target is silent",
        unit="words/min",
        scale=60.0,
        scenarios=("TS3",),
        high=300.0,
        worst=300.0,
        needs=("estimate", "mixture", "transcribe", "sample_rate"),
        compute=recognition.leaked_words,
        failure=recognition.leaked_words_of_failure,
    ),
)
