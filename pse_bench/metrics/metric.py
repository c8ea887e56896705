"""What a metric is, as data, and the one way to evaluate it on a clip.

``evaluate`` gives a value, or says that it is undefined (no fault of the system: never a number) or failed (the
system's fault: the metric's stated worst), so that failing on a hard clip never raises a mean.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pse_bench.errors import FailedScore, UndefinedScore
from pse_bench.metrics.leakage import reduction_db
from pse_bench.metrics.signals import LOUDEST, Ratio, check_lengths


@dataclass(frozen=True)
class Clip:
    """What a metric may look at: float64 signals and bool masks, each of shape (num_samples,), full scale ±1.

    ``estimate`` is what the system wrote, of any length and content, or None when there is nothing to read;
    ``reference`` is None in TS3. Only metrics that need them look at the last three: ``enrollment`` of any length,
    the ``text`` that the target says, and ``transcribe``, which gives the words that a recogniser hears.
    """

    estimate: np.ndarray | None
    mixture: np.ndarray
    reference: np.ndarray | None
    target_active: np.ndarray
    interferer_active: np.ndarray
    sample_rate: int
    enrollment: np.ndarray | None = None
    text: str = ""
    transcribe: Callable[[np.ndarray], str] | None = None

    def __post_init__(self) -> None:
        signals = {"target_active": self.target_active, "interferer_active": self.interferer_active}
        if self.reference is not None:
            signals["reference"] = self.reference
        check_lengths(mixture=self.mixture, **signals)


@dataclass(frozen=True)
class Resolution:
    """The smallest difference between two systems that is worth a word, and the reason."""

    size: float
    reason: str


@dataclass(frozen=True)
class Metric:
    """A metric as data.

    Attributes:
        name: also the column in tables.
        description: one line for a reader of tables.
        family: what it watches.
        unit: '' when there is none.
        higher_is_better: direction.
        scenarios: where it runs.
        low, high: every value lies within; None where the clip's length sets the bound.
        worst: what a failed clip gets; None where it depends on the clip (see ``failure``).
        resolution: the smallest difference worth naming, in ``unit``, and why it is that.
        source: paper or standard.
        needs: the fields of ``Clip`` that ``compute`` takes, by keyword.
        compute: gives a number, or a Ratio that ``value_of`` turns into one.
        failure: takes ``needs`` without the estimate and gives what a failed clip counts for, in the form that
            ``compute`` has; None where ``worst`` says it all.
        aggregation: ``mean`` of values over clips, or ``ratio`` of the sums of numerators and denominators.
        scale: what a ratio is multiplied by to give a value in ``unit``; 1 for means.
        in_db: the Ratio is one of energies, and its value an attenuation in dB.
        quiet: what of the output it grows from, where it tells one silence from another: a ``level`` in dBFS, the
            ``energy`` of the whole clip, or a mean ``power``; it is the value, or the Ratio's denominator.
        version: raised by every change that moves a score.
        missing: why it cannot be computed on this machine and what to do, '' where it can.
        model: SHA-256 of the model file behind it.
    """

    name: str
    description: str
    family: Literal["over-suppression", "leakage", "distortion", "perceptual", "opinion", "speaker", "recognition"]
    unit: str
    higher_is_better: bool
    scenarios: tuple[str, ...]
    low: float | None
    high: float | None
    worst: float | None
    resolution: Resolution
    source: str
    needs: tuple[str, ...]
    compute: Callable[..., float | Ratio]
    failure: Callable[..., float | Ratio] | None = None
    aggregation: Literal["mean", "ratio"] = "mean"
    scale: float = 1.0
    in_db: bool = False
    quiet: Literal["", "level", "energy", "power"] = ""
    version: int = 1
    missing: Callable[[], str] = str
    model: str = ""

    @property
    def needs_reference(self) -> bool:
        return "reference" in self.needs

    def value_of(self, ratio: Ratio) -> float:
        """The value of one clip's ratio, or of the sum of many, in ``unit``."""
        if self.in_db:
            return reduction_db(ratio)
        return self.scale * ratio.numerator / ratio.denominator


@dataclass(frozen=True)
class Evaluation:
    """One metric on one clip. ``value`` is None exactly when ``status`` is ``undefined``. ``detail`` holds the
    ratio where the metric has one (``ratio_of`` reads it), and the reason where the status is not ``ok``."""

    value: float | None
    status: Literal["ok", "undefined", "failed"]
    detail: str


@dataclass(frozen=True)
class Derived:
    """A figure over all clips of a metric that is not its mean. ``compute`` takes the ``takes`` column of its
    scores that have a value (ok and failed): a sequence of values or of details.

    ``form`` tells how sure it can be: a ``mean`` over clips of what ``compute`` gives for each alone, the quotient
    of summed ``energies`` in dB, or a ``median``. ``low``, ``high`` and ``resolution`` as those of a Metric.
    What is not ``compared`` explains another figure and is none by which systems differ.
    """

    name: str
    description: str
    unit: str
    higher_is_better: bool
    aggregation: str
    scenarios: tuple[str, ...]
    metric: str
    takes: Literal["value", "detail"]
    compute: Callable[[Any], float]
    form: Literal["mean", "energies", "median"]
    low: float
    high: float
    resolution: Resolution
    compared: bool = True


def evaluate(metric: Metric, clip: Clip) -> Evaluation:
    """The score of a clip: ok, undefined or failed.

    An estimate that is missing, of another length, not finite or louder than sound can be never reaches the
    metric.

    Raises:
        ValueError: the metric needs a reference and the clip has none.
    """
    _check_fields(metric, clip)
    fault = _fault(clip)
    if fault:
        return failed(metric, clip, fault)
    try:
        result = metric.compute(**_arguments(metric, clip))
    except UndefinedScore as reason:
        return Evaluation(None, "undefined", str(reason))
    except FailedScore as reason:
        return failed(metric, clip, str(reason))
    value, detail = _value_and_detail(metric, result)
    if not np.isfinite(value):
        return failed(metric, clip, f"{metric.name} is not a finite number on this estimate")
    return Evaluation(value, "ok", detail)


def failed(metric: Metric, clip: Clip, reason: str) -> Evaluation:
    """The score of a clip whose estimate is missing, unreadable or of no use: the stated worst, and for a ratio
    the one that the worst gives, with the reason. Where no estimate could have a score, it stays undefined.

    Args:
        metric: which one.
        clip: its estimate is not looked at.
        reason: goes into ``detail``.

    Raises:
        ValueError: the metric needs a reference and the clip has none.
    """
    _check_fields(metric, clip)
    arguments = _arguments(metric, clip)
    arguments.pop("estimate")
    try:
        if metric.failure is not None:
            value, ratio = _value_and_detail(metric, metric.failure(**arguments))
            return Evaluation(value, "failed", f"{ratio}; {reason}" if ratio else reason)
        _refuse_undefined(metric, clip, arguments)
    except UndefinedScore as undefined:
        return Evaluation(None, "undefined", str(undefined))
    return Evaluation(metric.worst, "failed", reason)


def _refuse_undefined(metric: Metric, clip: Clip, arguments: dict[str, Any]) -> None:
    """Raise UndefinedScore where the clip has no score whatever the system does: the mixture is an output that
    every system could have given."""
    with suppress(FailedScore):
        metric.compute(estimate=clip.mixture, **arguments)


def _check_fields(metric: Metric, clip: Clip) -> None:
    if metric.needs_reference and clip.reference is None:
        raise ValueError(f"{metric.name} needs a reference; it runs in {', '.join(metric.scenarios)}")


def _fault(clip: Clip) -> str:
    """Why an estimate cannot be scored at all; '' when it can."""
    estimate = clip.estimate
    if estimate is None:
        return "no estimate"
    if np.shape(estimate) != clip.mixture.shape:
        return f"the estimate has shape {np.shape(estimate)}, the mixture {clip.mixture.shape}"
    if not np.isfinite(estimate).all():
        return "the estimate holds NaN or infinite samples"
    if np.max(np.abs(estimate), initial=0.0) > LOUDEST:
        return f"the estimate holds samples beyond ±{LOUDEST:g} (full scale is ±1)"
    return ""


def _arguments(metric: Metric, clip: Clip) -> dict[str, Any]:
    return {name: getattr(clip, name) for name in metric.needs}


def _value_and_detail(metric: Metric, result: float | Ratio) -> tuple[float, str]:
    value = metric.value_of(result) if isinstance(result, Ratio) else result
    if metric.low is not None:
        value = max(value, metric.low)
    if metric.high is not None:
        value = min(value, metric.high)
    return float(value), str(result) if isinstance(result, Ratio) else ""
