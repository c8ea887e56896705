"""Metrics that need a model file or a recogniser, as data. They are computed when asked for."""

from functools import partial

from pse_bench.metrics import dnsmos, recognition
from pse_bench.metrics.metric import Metric, Resolution
from pse_bench.speaker.encoders import ENCODERS, speaker_similarity, speaker_similarity_of_failure

_DVECTOR = ENCODERS["dvector"]

_QUALITIES = {
    "sig": "speech quality",
    "bak": "background quality",
    "ovrl": "overall quality",
    "p808": "overall quality after ITU-T P.808",
}


def _opinion(name: str, model: str, figure: str) -> Metric:
    personal = " by the personalized model" if name.startswith("pdnsmos") else ""
    return Metric(
        name=name,
        description=f"predicted {_QUALITIES[name.rsplit('_', 1)[-1]]}{personal}",
        family="opinion",
        unit="MOS",
        higher_is_better=True,
        scenarios=("TS1", "TS2"),
        low=dnsmos.LOW,
        high=dnsmos.HIGH,
        worst=dnsmos.WORST,
        resolution=Resolution(0.05, "two dithers of one step of 16 bits differ by up to 0.04"),
        source="Reddy et al., arXiv 2110.01763 and 2010.15258; model files of speechmos 0.0.1.1",
        needs=("estimate", "sample_rate"),
        compute=partial(dnsmos.opinion, model=model, figure=figure),
        failure=dnsmos.opinion_of_failure,
        packages=("onnxruntime",),
        missing=dnsmos.missing,
        model=dnsmos.MODELS[model].sha256,
    )


OPINIONS = tuple(_opinion(name, *which) for name, which in dnsmos.METRICS.items())

SPEAKER = (
    Metric(
        name="speaker_similarity",
        description="cosine of the d-vectors of estimate and enrollment",
        family="speaker",
        unit="",
        higher_is_better=True,
        scenarios=("TS1", "TS2"),
        low=0.0,
        high=1.0,
        worst=0.0,
        resolution=Resolution(0.001, "the last figure that is printed in the field"),
        source="Wan et al., arXiv 1710.10467; network of resemblyzer 0.1.4",
        needs=("estimate", "enrollment", "sample_rate"),
        compute=partial(speaker_similarity, encoder=_DVECTOR),
        failure=partial(speaker_similarity_of_failure, encoder=_DVECTOR),
        missing=_DVECTOR.missing,
        model=_DVECTOR.sha256,
    ),
)

_words = partial(
    Metric,
    family="recognition",
    higher_is_better=False,
    aggregation="ratio",
    low=0.0,
    resolution=Resolution(0.1, "one word in a thousand, or in ten minutes"),
    packages=("jiwer",),
)
_word_errors = partial(
    _words,
    unit="%",
    scale=100.0,
    scenarios=("TS1", "TS2"),
    source="as wer",
    needs=("estimate", "text", "transcribe"),
)
_bounded_by_words = partial(_word_errors, high=100.0, worst=100.0, failure=recognition.words_of_failure)
_bounded_by_twice = partial(_word_errors, high=200.0, worst=200.0, failure=recognition.errors_of_failure)

RECOGNITION = (
    _bounded_by_twice(
        name="wer",
        description="word error rate",
        source=f"jiwer; normaliser {recognition.NORMALISER}",
        compute=recognition.wer,
    ),
    _bounded_by_words(
        name="del",
        description="words of the target that were not recognised: the recogniser's sign of over-suppression",
        compute=recognition.deletions,
    ),
    _bounded_by_twice(
        name="ins",
        description="words recognised that the target did not say",
        compute=recognition.insertions,
    ),
    _bounded_by_words(
        name="sub",
        description="words of the target that were taken for others",
        compute=recognition.substitutions,
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
