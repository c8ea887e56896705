"""What every metric asks of its signals, and the one frame grid they share.

Frames are 32 ms long with a hop of 16 ms and no padding, so frame t covers the samples [t · hop, t · hop + frame)
and a signal shorter than one frame has none. Sample rates are in Hz.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from pse_bench.io.audio import seconds_to_samples
from pse_bench.signal.vad import frames_with

Signal = np.ndarray
"""A sound: float64, shape (num_samples,), full scale ±1. Signals and masks of a clip have one length; every metric
raises ValueError where they differ."""

Mask = np.ndarray
"""Samples or frames that are marked: bool, shape (num_samples,) or (num_frames,)."""

FRAME_S = 0.032
HOP_S = 0.016

LOUDEST = 1e6
"""An absolute sample value (120 dB above full scale) beyond which an output is garbage, not sound."""


@dataclass(frozen=True)
class Ratio:
    """Counts or energies of one clip. They add up over clips before they are divided, so that nobody
    averages rates by mistake."""

    numerator: float
    denominator: float

    def __add__(self, other: "Ratio") -> "Ratio":
        return Ratio(self.numerator + other.numerator, self.denominator + other.denominator)

    def __str__(self) -> str:
        return f"{self.numerator!r}/{self.denominator!r}"


def ratio_of(detail: str) -> Ratio:
    """The ratio in a score's ``detail``, which is ``numerator/denominator`` or ``numerator/denominator; reason``.

    Raises:
        ValueError: there is no ratio in it.
    """
    parts = detail.partition(";")[0].split("/")
    try:
        numerator, denominator = (int(text) if text.strip().isdigit() else float(text) for text in parts)
    except ValueError:
        raise ValueError(f"no 'numerator/denominator' in the detail {detail!r}") from None
    return Ratio(numerator, denominator)


def check_lengths(**signals: np.ndarray) -> None:
    """Refuse signals that are not one-dimensional or differ in length; nothing is ever trimmed to fit.

    Raises:
        ValueError: with the shape of each signal.
    """
    shapes = {name: np.shape(signal) for name, signal in signals.items()}
    if len(set(shapes.values())) != 1 or any(len(shape) != 1 for shape in shapes.values()):
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"signals have to share one shape (num_samples,), found {found}")


def is_silent(samples: Signal) -> bool:
    """Whether there is no energy at all."""
    return energy(samples) == 0.0


def energy(samples: Signal) -> float:
    """Σx², in samples of full scale ±1."""
    return inner(samples, samples)


def inner(one: Signal, other: Signal) -> float:
    """Σxy. Not ``np.dot``, whose last digits depend on how many threads the linear algebra library has."""
    return float(np.sum(one * other))


def frame_samples(sample_rate: int) -> int:
    """Length of an analysis frame, in samples."""
    return seconds_to_samples(FRAME_S, sample_rate)


def hop_samples(sample_rate: int) -> int:
    """Distance between the starts of two frames, in samples."""
    return seconds_to_samples(HOP_S, sample_rate)


def frames_of(samples: Signal, sample_rate: int) -> np.ndarray:
    """A read-only view of shape (num_frames, frame); num_frames is 0 when the signal is shorter than a frame."""
    frame = frame_samples(sample_rate)
    if len(samples) < frame:
        return np.zeros((0, frame))
    return np.lib.stride_tricks.sliding_window_view(samples, frame)[:: hop_samples(sample_rate)]


def active_frames(active: Mask, sample_rate: int, more_than: float = 0.5) -> Mask:
    """Frames of which more than that share of the samples is active."""
    return frames_with(active, frame_samples(sample_rate), hop_samples(sample_rate), more_than)


# ---- computed once a clip

T = TypeVar("T")
_SHARED: ContextVar[dict[tuple[Any, ...], tuple[Any, Any]] | None] = ContextVar("shared", default=None)


@contextmanager
def sharing() -> Iterator[None]:
    """What several metrics of one clip have in common (``shared``) is computed once inside. Its signals must not
    change meanwhile."""
    token = _SHARED.set({})
    try:
        yield
    finally:
        _SHARED.reset(token)


def shared(function: Callable[..., T]) -> Callable[..., T]:
    """A function that is computed once for the same objects as arguments within ``sharing``."""

    @wraps(function)
    def once(*args: Any, **kwargs: Any) -> T:
        found = _SHARED.get()
        if found is None or kwargs:
            return function(*args, **kwargs)
        key = (function, *map(id, args))
        if key not in found:
            found[key] = function(*args), args  # arguments are kept, so that nothing else gets their ids
        return found[key][0]

    return once
