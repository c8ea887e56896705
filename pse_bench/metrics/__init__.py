"""The registry: every metric of pse-bench as data, in the order of tables.

``metrics.tsos(estimate=…, reference=…, sample_rate=…)`` gives one value of any of them by its name; ``evaluate``
also says why a clip has none. A metric of somebody else's is named as ``module:attribute``, or is an entry point
of the group ``pse_bench.metrics``.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pse_bench.metrics import distortion, leakage, oversuppression, perceptual
from pse_bench.metrics.detection import ACTIVITY
from pse_bench.metrics.further import FURTHER
from pse_bench.metrics.metric import Clip, Evaluation, Metric, Resolution, computed, evaluate, failed, score
from pse_bench.metrics.modelled import OPINIONS, RECOGNITION, SPEAKER
from pse_bench.metrics.outside import defined, fault
from pse_bench.metrics.signals import Ratio, ratio_of
from pse_bench.metrics.stretches import STRETCHES
from pse_bench.registry import Registry

__all__ = [
    "ALL_METRICS",
    "METRICS",
    "REGISTRY",
    "WITHOUT_MODEL",
    "Clip",
    "Evaluation",
    "Metric",
    "Ratio",
    "Resolution",
    "computed",
    "computed_from",
    "evaluate",
    "failed",
    "known",
    "ratio_of",
    "score",
]

_TSOS = "Eskimez et al., arXiv 2110.09625, the TSOS measure"
_TAHERIAN = "own statement of the ΔN of Taherian et al., arXiv 2211.02944"
_LE_ROUX = "Le Roux et al., arXiv 1811.02508, section 3"
_LOST = Resolution(
    2.0, "dither of one step of 16 bits moves the ideal mask's by up to 1.95 (libri-mini-v1): faint bins weigh"
)
_LEVEL = Resolution(0.5, "half of the smallest difference of level that is heard")
_TENTH, _THOUSANDTH = (Resolution(size, "the last figure that is printed in the field") for size in (0.1, 0.001))
_MASKED = ("estimate", "reference", "target_active", "sample_rate")

_speech = partial(Metric, scenarios=("TS1", "TS2"), needs=("estimate", "reference", "sample_rate"))
_tsos = partial(_speech, family="over-suppression", higher_is_better=False, low=0.0, needs=_MASKED)
_tsos_share = partial(_tsos, unit="%", aggregation="ratio", scale=100.0, high=100.0, worst=100.0, resolution=_LOST)
_leakage = partial(Metric, family="leakage", scenarios=("TS3",), resolution=_LEVEL)
_reduction = partial(_leakage, unit="dB", higher_is_better=True, low=leakage.WORST_DB, high=leakage.CAP_DB)
_energies = partial(_reduction, worst=leakage.WORST_DB, source=_TAHERIAN, in_db=True)
_over_clips = partial(_reduction, of="leakage_reduction_db")
_perceptual = partial(_speech, family="perceptual", higher_is_better=True)
_intelligibility = partial(
    _perceptual, unit="", low=0.0, high=1.0, worst=0.0, resolution=_THOUSANDTH, packages=("pystoi",)
)
_distortion = partial(_speech, family="distortion", unit="dB", higher_is_better=True, resolution=_TENTH)
_si_sdr = partial(
    _distortion, low=distortion.LOW_DB, high=distortion.HIGH_DB, worst=distortion.LOW_DB, source=_LE_ROUX
)

_ALL = (
    _tsos_share(
        name="tsos",
        description="target-active frames that were over-suppressed (level-independent rule)",
        source=f"{_TSOS}, with Σ|S|^2p on the right side",
        compute=oversuppression.tsos,
    ),
    _tsos_share(
        name="tsos_paper",
        description="all frames that were over-suppressed by the published rule, reference at −26 dBFS",
        source=_TSOS,
        compute=oversuppression.tsos_paper,
    ),
    _tsos(
        name="tsos_s_per_30min",
        description="over-suppressed seconds in 30 minutes of audio",
        unit="s per 30 min",
        aggregation="ratio",
        scale=1800.0,
        high=1800.0,
        resolution=Resolution(36.0, "2 % of the time, as tsos: the target may talk all of it"),
        source="unit of Thakker et al., arXiv 2204.00771; rule of tsos",
        compute=oversuppression.tsos_s_per_30min,
        failure=partial(oversuppression.tsos_s_per_30min, estimate=None),
    ),
    _tsos(
        name="tsos_longest_s",
        description="longest unbroken over-suppression in a clip",
        unit="s",
        resolution=Resolution(0.032, "one frame"),
        source="rule of tsos",
        compute=oversuppression.tsos_longest_s,
        failure=partial(oversuppression.tsos_longest_s, estimate=None),
    ),
    _tsos(
        name="target_loss_db",
        description="level that the target lost",
        unit="dB",
        high=distortion.GREATEST_LOSS_DB,
        worst=distortion.GREATEST_LOSS_DB,
        source="own, with the projection of arXiv 1811.02508",
        resolution=_TENTH,
        needs=("estimate", "reference"),
        compute=distortion.target_loss_db,
    ),
    _energies(
        name="leakage_reduction_db",
        description="output energy below the mixture's while the target is silent",
        needs=("estimate", "mixture"),
        compute=leakage.leakage_energies,
        failure=leakage.leakage_energies_of_failure,
        quiet="energy",
    ),
    _over_clips(
        name="leakage_reduction_pooled_db",
        description="leakage reduction of all clips taken as one",
        aggregation="energies",
        needs=("detail",),
        compute=leakage.pooled_reduction_db,
    ),
    _over_clips(
        name="leakage_reduction_median_db",
        description="median leakage reduction over clips",
        aggregation="median",
        needs=("value",),
        compute=leakage.median,
    ),
    _over_clips(
        name="leakage_at_cap",
        description="clips whose leakage reduction is at the cap of 120 dB",
        unit="%",
        aggregation="share",
        needs=("value",),
        compute=leakage.share_at_cap,
        low=0.0,
        high=100.0,
        resolution=Resolution(0.1, "one clip in a thousand"),
        compared=False,  # inaudible dither takes every exact zero away
    ),
    _leakage(
        name="residual_dbfs",
        description="level of the output while the target is silent",
        unit="dBFS",
        higher_is_better=False,
        low=leakage.FLOOR_DBFS,
        high=0.0,
        worst=0.0,
        needs=("estimate",),
        compute=leakage.residual_dbfs,
        quiet="level",
    ),
    _leakage(
        name="leaky_frames",
        description="interferer-active frames attenuated by less than 15 dB",
        unit="%",
        higher_is_better=False,
        aggregation="ratio",
        scale=100.0,
        low=0.0,
        high=100.0,
        worst=100.0,
        resolution=Resolution(0.1, "one frame in a thousand"),
        needs=("estimate", "mixture", "interferer_active", "sample_rate"),
        compute=leakage.leaky_frames,
    ),
    _energies(
        name="pause_leakage_db",
        description="attenuation where the interferer talks and the target pauses",
        scenarios=("TS2",),
        needs=("estimate", "mixture", "target_active", "interferer_active", "sample_rate"),
        compute=leakage.pause_powers,
        failure=leakage.pause_powers_of_failure,
        quiet="power",
    ),
    _intelligibility(
        name="stoi",
        description="short-time objective intelligibility",
        source="Taal et al., IEEE TASLP 19(7), 2011; pystoi",
        compute=perceptual.stoi,
    ),
    _intelligibility(
        name="estoi",
        description="extended short-time objective intelligibility",
        source="Jensen and Taal, IEEE/ACM TASLP 24(11), 2016; pystoi",
        compute=partial(perceptual.stoi, extended=True),
    ),
    _perceptual(
        name="pesq_wb",
        description="wide-band PESQ",
        unit="MOS-LQO",
        low=perceptual.PESQ_WORST,
        high=5.0,
        worst=perceptual.PESQ_WORST,
        resolution=Resolution(0.05, "dither of one step of 16 bits moves the ideal mask's by 0.04"),
        source="ITU-T P.862.2, 2007; pesq",
        compute=perceptual.pesq_wb,
        packages=("pesq",),
        rate_hz=perceptual.PESQ_RATE_HZ,
        lowest_hz=perceptual.PESQ_RATE_HZ,
    ),
    _si_sdr(
        name="si_sdr",
        description="scale-invariant signal-to-distortion ratio",
        needs=("estimate", "reference"),
        compute=distortion.si_sdr,
    ),
    _si_sdr(
        name="si_sdri",
        description="improvement of SI-SDR over the mixture",
        needs=("estimate", "reference", "mixture"),
        compute=distortion.si_sdri,
    ),
)

REGISTRY: Registry[Metric] = Registry(
    "metric",
    {
        metric.name: metric
        for metric in (*_ALL, *RECOGNITION, *OPINIONS, *SPEAKER, *ACTIVITY, *FURTHER, *STRETCHES)
    },
    group="pse_bench.metrics",
    check=lambda entry: fault(entry, REGISTRY),
)
"""Every metric by its name, in the order of tables; ``find`` takes those of other packages, too."""


def computed_from(source: str) -> dict[str, Metric]:
    """Our metrics of a ``clip``, ``activity`` or ``scenarios``, or of the scores of the metric of this name."""
    return {name: metric for name, metric in REGISTRY.items() if metric.of == source}


ALL_METRICS: Mapping[str, Metric] = computed_from("clip")
"""Every metric of clips: what ``evaluate`` takes."""

OF_SESSIONS: Mapping[str, Metric] = {metric.name: metric for metric in STRETCHES}
"""Those of takes of minutes: the default there, and elsewhere only by name."""

WITHOUT_MODEL: Mapping[str, Metric] = {
    name: metric
    for name, metric in ALL_METRICS.items()
    if not metric.model and "transcribe" not in metric.needs and name not in OF_SESSIONS
}
"""Those that need no model file: the default where there is no reference, as far as they need none."""

METRICS: Mapping[str, Metric] = {
    name: metric for name, metric in WITHOUT_MODEL.items() if not metric.only_without_reference
}
"""Of these, what a dataset with references is scored with by default."""


def __getattr__(name: str) -> Metric:
    if name not in ALL_METRICS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return ALL_METRICS[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *ALL_METRICS})


def known(about: Mapping[str, Mapping[str, Any]], where: str) -> dict[str, Metric]:
    """Ours of clips, and those that the ``metrics`` of a ``result.json`` define. Raises InputError, naming
    ``where``, when a definition is damaged."""
    others = {
        name: defined(name, content["definition"], where)
        for name, content in about.items()
        if name not in REGISTRY and isinstance(content.get("definition"), dict)
    }
    return {**ALL_METRICS, **others}
