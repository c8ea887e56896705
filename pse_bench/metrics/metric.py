"""A metric as data, the evaluation of one on a clip, and what a metric of somebody else's has to be.

``evaluate`` gives a value, or says that it is undefined (no fault of the system: never a number) or failed (the
system's fault: the metric's stated worst), so that failing on a hard clip never raises a mean.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal

import numpy as np

from pse_bench.errors import FailedScore, InputError, UndefinedScore
from pse_bench.io import audio
from pse_bench.metrics.leakage import reduction_db
from pse_bench.metrics.signals import LOUDEST, Ratio, check_lengths
from pse_bench.schemas import TableLabel
from pse_bench.signal import vad

Family = Literal[
    "over-suppression", "leakage", "distortion", "perceptual", "opinion", "speaker", "recognition", "activity"
]
Aggregation = Literal[
    "mean", "ratio", "energies", "median", "share", "frames", "onset median", "onset share", "clips"
]

AGGREGATIONS: dict[Aggregation, str] = {
    "mean": "mean over clips",
    "ratio": "ratio of sums over clips",
    "energies": "ratio of summed energies",
    "median": "median",
    "share": "share of clips",
    "frames": "frames pooled",
    "onset median": "median over onsets",
    "onset share": "share of onsets",
    "clips": "clips pooled",
}
"""How the value of a table follows from clips, in the words of ``summary.csv``."""

PACKAGES = ("pse-bench", "numpy", "scipy", "soundfile")
"""Distributions that every score depends on."""


@dataclass(frozen=True)
class Clip:
    """Input of a metric: signals of full scale ±1 and bool masks, each of shape (num_samples,).

    Signals become float64; int16 and int32 are scaled (``audio.to_float``). ``estimate`` is what the system wrote,
    of any length and content, or None when there is nothing to read; ``reference`` is None in TS3. Only metrics
    that need them look at the others: ``enrollment`` of any length, the ``text`` that the target says,
    ``transcribe``, a recogniser that gives the words in a sound, ``target`` and ``interferer`` as they are at the
    microphone, and what the interferer says.
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
    target: np.ndarray | None = None
    interferer: np.ndarray | None = None
    interferer_text: str = ""

    def __post_init__(self) -> None:
        for name in ("mixture", "reference", "enrollment", "target", "interferer"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, audio.to_float(getattr(self, name), name))
        for name in ("target_active", "interferer_active"):
            object.__setattr__(self, name, _mask(getattr(self, name), name))
        if self.estimate is not None and getattr(self.estimate, "dtype", None) != np.float64:
            object.__setattr__(self, "estimate", audio.to_float(self.estimate, "estimate"))
        names = ("mixture", "target_active", "interferer_active", "reference", "target", "interferer")
        check_lengths(**{name: signal for name in names if (signal := getattr(self, name)) is not None})


@dataclass(frozen=True)
class Resolution:
    """The smallest difference between two systems that is worth a word, in the metric's unit, and the reason."""

    size: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric as data: of clips, of the scores of another metric, or of activity.

    Attributes:
        scenarios: where it is defined; ``all`` pools activity over all of them, so that what is taken for the
            target while the target is silent counts.
        needs: what ``compute`` takes. Of a clip, fields of ``Clip``, by keyword. Of scores, their ``value`` or
            ``detail``, as a sequence over those that have a value. Of activity, ``histograms`` or ``onsets``. Of
            scenarios, the metrics whose scores it is made of.
        compute: gives a number, or a Ratio that ``value_of`` turns into one.
        failure: takes ``needs`` without the estimate and gives what a failed clip counts for, in the form that
            ``compute`` has; None where ``worst`` says it all, the ratio included.
        low, high: every value lies within; None where the clip's length sets the bound.
        worst: what a failed clip gets; None where it depends on the clip (see ``failure``).
        of: what it is computed from: a ``clip``, the ``activity`` that a system submits (see ``detection``), the
            scores of the metric of this name over all clips, which it stands beside in a table, or those of the
            metrics that it ``needs`` in several ``scenarios``.
        aggregation: how the value of a table follows from those of clips, a key of ``AGGREGATIONS``; a ratio is
            that of the sums of numerators and denominators.
        quiet: what of the output it grows from, where it tells one silence from another: a ``level`` in dBFS, the
            ``energy`` of the whole clip, or a mean ``power``; it is the value, or the Ratio's denominator.
    """

    name: str  # also the column in tables; lower-case letters, digits and underscores
    description: str  # one line for a reader of tables
    family: Family
    unit: str  # '' when there is none
    higher_is_better: bool
    scenarios: tuple[TableLabel, ...]
    needs: tuple[str, ...]
    compute: Callable[..., Any]
    failure: Callable[..., float | Ratio] | None = None
    low: float | None = None
    high: float | None = None
    worst: float | None = None
    resolution: Resolution = Resolution(0.0, "every difference counts")
    source: str = "own"  # paper or standard
    of: str = "clip"
    aggregation: Aggregation = "mean"
    scale: float = 1.0  # what a ratio is multiplied by to give a value in ``unit``; 1 for means
    in_db: bool = False  # the Ratio is one of energies, and its value an attenuation in dB
    quiet: Literal["", "level", "energy", "power"] = ""
    compared: bool = True  # systems may differ by it; one that is not explains another
    only_without_reference: bool = False  # others say more where there is one, so there it is computed on request
    version: int = 1  # raised by every change that moves a score
    packages: tuple[str, ...] = ()  # distributions that its value depends on, beside ``PACKAGES``
    model: str = ""  # SHA-256 of the model file behind it
    missing: Callable[[], str] = str  # why it cannot be computed on this machine and what to do; '' where it can
    rate_hz: int | None = None  # what ``compute`` resamples to; None where it takes the dataset's rate as it is
    lowest_hz: int = 0  # datasets of a lower rate have no score

    def resampled(self, sample_rate: int) -> str:
        """How the signals of a dataset are resampled for it, in words; '' where they are not."""
        return f"{sample_rate} Hz to {self.rate_hz} Hz" if self.rate_hz not in (None, sample_rate) else ""

    def __call__(
        self,
        *,
        estimate: Any,
        sample_rate: int,
        reference: Any = None,
        mixture: Any = None,
        target_active: Any = None,
        interferer_active: Any = None,
        **others: Any,
    ) -> float:
        """The value of one clip, in ``unit``: ``metrics.tsos(estimate=…, reference=…, sample_rate=…)``.

        Args:
            estimate: what the system gave, shape (num_samples,), full scale ±1.
            sample_rate: Hz.
            reference: the clean target; None where it is silent (TS3).
            mixture: what the system was given; only metrics that compare with it need it.
            target_active, interferer_active: bool masks, shape (num_samples,). Where it is not given, that of the
                target is found in the reference, and without one that of the interferer in the mixture.
            others: ``enrollment``, ``text``, ``transcribe``, ``target``, ``interferer``, see ``Clip``.

        Raises:
            InputError: something that the metric needs is missing, or not a sound.
            UndefinedScore: the clip has no value, whatever the system does.
            FailedScore: the estimate has none, and would take the metric's worst.
        """
        optional = dict.fromkeys(("enrollment", "transcribe", "target", "interferer"))
        given = {"reference": reference, "mixture": mixture, "interferer_active": interferer_active}
        given = optional | given | others
        missing = [name for name in self.needs if name in given and given[name] is None]
        if reference is None and mixture is not None and "interferer_active" in missing:
            missing.remove("interferer_active")
        if missing or self.of != "clip":
            raise InputError(f"{self.name} needs {', '.join(missing) or self.of}; give it by keyword")
        given_first = next(sound for sound in (reference, mixture, estimate) if sound is not None)
        known = audio.to_float(given_first, "reference, mixture or estimate")
        masks = {"target_active": target_active, "interferer_active": interferer_active}
        talks = "interferer_active" if reference is None else "target_active"
        for name in [name for name, mask in masks.items() if mask is None]:
            masks[name] = np.zeros(len(known), dtype=bool)
            if name == talks and name in self.needs:
                frames = vad.speech_activity(known, sample_rate)
                masks[name] = vad.to_samples(frames, len(known), sample_rate)
        sounds = {"mixture": known if mixture is None else mixture, "reference": reference}
        clip = Clip(estimate=estimate, **sounds, **masks, sample_rate=sample_rate, **others)
        found = evaluate(self, clip)
        if found.status == "undefined":
            raise UndefinedScore(f"{self.name}: {found.detail}")
        if found.status == "failed":
            raise FailedScore(f"{self.name}: {found.detail.rpartition('; ')[2]}")
        return float(found.value or 0.0)

    @classmethod
    def define(cls, **fields: Any) -> "Callable[[Callable[..., Any]], Metric]":
        """A decorator that makes a metric of a function: of its name, the first line of its docstring, and its
        parameters (``needs``). Other ``fields``: at least family, unit, higher_is_better, scenarios and worst."""

        def make(function: Callable[..., Any]) -> Metric:
            described = (function.__doc__ or function.__name__).strip().partition("\n")[0].rstrip(".")
            own = {"name": function.__name__, "description": described, "compute": function}
            return cls(**{**own, "needs": tuple(signature(function).parameters), **fields})

        return make

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


def evaluate(metric: Metric, clip: Clip) -> Evaluation:
    """The score of a clip: ok, undefined or failed; see ``score``.

    Raises:
        InputError: the estimate is scaled as integers are.
        ValueError: the metric needs a reference and the clip has none.
    """
    if clip.estimate is not None and not _fault(clip):  # what is beyond all sound is failed, as it was
        audio.to_float(clip.estimate, "estimate")
    return score(metric, clip)


def score(metric: Metric, clip: Clip) -> Evaluation:
    """The score of a clip whose estimate may be anything: ok, undefined or failed.

    An estimate that is missing, of another length, not finite or louder than sound can be never reaches the
    metric.

    Raises:
        ValueError: the metric needs a reference and the clip has none.
    """
    arguments = _arguments(metric, clip)
    if fault := _fault(clip):
        return failed(metric, clip, fault)
    try:
        return computed(metric, arguments)
    except FailedScore as reason:
        return failed(metric, clip, str(reason))


def computed(metric: Metric, arguments: Mapping[str, Any]) -> Evaluation:
    """What ``compute`` gives of its arguments: ok or undefined. Raises FailedScore where the estimate has none."""
    try:
        result = metric.compute(**arguments)
    except UndefinedScore as reason:
        return Evaluation(None, "undefined", str(reason))
    value = _value(metric, result)
    if not math.isfinite(value):
        raise FailedScore(f"{metric.name} is not a finite number on this estimate")
    return Evaluation(value, "ok", str(result) if isinstance(result, Ratio) else "")


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
    arguments = _arguments(metric, clip)
    arguments.pop("estimate")
    try:
        result = metric.failure(**arguments) if metric.failure else _worst(metric, clip, arguments)
    except UndefinedScore as undefined:
        return Evaluation(None, "undefined", str(undefined))
    detail = f"{result}; {reason}" if isinstance(result, Ratio) else reason
    return Evaluation(_value(metric, result), "failed", detail)


def _worst(metric: Metric, clip: Clip, arguments: dict[str, Any]) -> Any:
    """The stated worst, of a ratio the one that has it. Raises UndefinedScore where the clip has no score whatever
    the system does: the mixture is an output that every system could have given."""
    with suppress(FailedScore):
        result = metric.compute(estimate=clip.mixture, **arguments)
        if isinstance(result, Ratio) and metric.worst is not None:
            worst = metric.worst / metric.scale * result.denominator
            return Ratio(type(result.denominator)(worst), result.denominator)  # a count stays whole
    return metric.worst


def _arguments(metric: Metric, clip: Clip) -> dict[str, Any]:
    if "reference" in metric.needs and clip.reference is None:
        raise ValueError(f"{metric.name} needs a reference; it runs in {', '.join(metric.scenarios)}")
    return {name: getattr(clip, name) for name in metric.needs}


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


def _value(metric: Metric, result: float | Ratio) -> float:
    value = metric.value_of(result) if isinstance(result, Ratio) else result
    if metric.low is not None:
        value = max(value, metric.low)
    if metric.high is not None:
        value = min(value, metric.high)
    return float(value)


def _mask(given: Any, what: str) -> np.ndarray:
    """A mask as bool. Raises InputError where it holds anything but truth values."""
    found = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    if found.dtype != bool and not (found.dtype.kind in "iu" and np.isin(found, (0, 1)).all()):
        raise InputError(f"{what}: {found.dtype} values; give a bool mask, one a sample")
    return found.astype(bool, copy=False)
