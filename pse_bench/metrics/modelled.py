"""Metrics that need a model file or a recogniser, as data. They are computed when asked for."""

from functools import partial

from pse_bench.metrics import dnsmos, recognition
from pse_bench.metrics.metric import Metric, Resolution
from pse_bench.speaker.encoders import ENCODERS, speaker_similarity, speaker_similarity_of_failure

_DVECTOR = ENCODERS["dvector"]
_WITH_TARGET = ("TS1", "TS2")
_WER_NEEDS = ("estimate", "text", "transcribe")

_WORDS = Resolution(0.1, "one word in a thousand, or in ten minutes")
_OPINION = Resolution(0.05, "two dithers of one step of 16 bits differ by up to 0.04")

_OPINIONS = {
    "sig": "speech quality",
    "bak": "background quality",
    "ovrl": "overall quality",
    "p808": "overall quality after ITU-T P.808",
}


def _opinion(name: str, model: str, figure: str) -> Metric:
    personal = " by the personalized model" if name.startswith("pdnsmos") else ""
    return Metric(
        name=name,
        description=f"predicted {_OPINIONS[name.rsplit('_', 1)[-1]]}{personal}",
        family="opinion",
        unit="MOS",
        higher_is_better=True,
        scenarios=_WITH_TARGET,
        low=dnsmos.LOW,
        high=dnsmos.HIGH,
        worst=dnsmos.WORST,
        resolution=_OPINION,
        source="Reddy et al., arXiv 2110.01763 and 2010.15258; model files of speechmos 0.0.1.1",
        needs=("estimate", "sample_rate"),
        compute=partial(dnsmos.opinion, model=model, figure=figure),
        failure=dnsmos.opinion_of_failure,
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
        scenarios=_WITH_TARGET,
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

RECOGNITION = (
    Metric(
        name="wer",
        description="word error rate",
        family="recognition",
        unit="%",
        higher_is_better=False,
        aggregation="ratio",
        scale=100.0,
        scenarios=_WITH_TARGET,
        low=0.0,
        high=200.0,
        worst=200.0,
        resolution=_WORDS,
        source=f"jiwer; normaliser {recognition.NORMALISER}",
        needs=_WER_NEEDS,
        compute=recognition.wer,
        failure=recognition.errors_of_failure,
    ),
    Metric(
        name="del",
        description="words of the target that were not recognised: the recogniser's sign of over-suppression",
        family="recognition",
        unit="%",
        higher_is_better=False,
        aggregation="ratio",
        scale=100.0,
        scenarios=_WITH_TARGET,
        low=0.0,
        high=100.0,
        worst=100.0,
        resolution=_WORDS,
        source="as wer",
        needs=_WER_NEEDS,
        compute=recognition.deletions,
        failure=recognition.words_of_failure,
    ),
    Metric(
        name="ins",
        description="words recognised that the target did not say",
        family="recognition",
        unit="%",
        higher_is_better=False,
        aggregation="ratio",
        scale=100.0,
        scenarios=_WITH_TARGET,
        low=0.0,
        high=200.0,
        worst=200.0,
        resolution=_WORDS,
        source="as wer",
        needs=_WER_NEEDS,
        compute=recognition.insertions,
        failure=recognition.errors_of_failure,
    ),
    Metric(
        name="sub",
        description="words of the target that were taken for others",
        family="recognition",
        unit="%",
        higher_is_better=False,
        aggregation="ratio",
        scale=100.0,
        scenarios=_WITH_TARGET,
        low=0.0,
        high=100.0,
        worst=100.0,
        resolution=_WORDS,
        source="as wer",
        needs=_WER_NEEDS,
        compute=recognition.substitutions,
        failure=recognition.words_of_failure,
    ),
    Metric(
        name="leaked_words_per_min",
        description="words recognised while the target is silent",
        family="recognition",
        unit="words/min",
        higher_is_better=False,
        aggregation="ratio",
        scale=60.0,
        scenarios=("TS3",),
        low=0.0,
        high=300.0,
        worst=300.0,
        resolution=_WORDS,
        source="own",
        needs=("estimate", "mixture", "transcribe", "sample_rate"),
        compute=recognition.leaked_words,
        failure=recognition.leaked_words_of_failure,
    ),
)
