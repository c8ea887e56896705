"""What every system is to the package: what it is given, what it gives, and how it is called."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pse_bench.errors import InputError
from pse_bench.registry import reason
from pse_bench.signal import vad
from pse_bench.submission import activity_csv
from pse_bench.submission.submission import System

Output = Literal["audio", "activity"]
"""What is asked of a system: an estimate, or the probabilities of who speaks in each frame."""


@dataclass(frozen=True)
class SystemInput:
    """What a system is given. Arrays are float32 with full scale ±1, time last. ``target`` and ``rest`` are
    the stems of the mixture, for an oracle only."""

    mixture: np.ndarray
    enrollment: np.ndarray
    sample_rate: int
    target: np.ndarray
    rest: np.ndarray


@dataclass(frozen=True)
class LoadedSystem:
    """A system ready to run: its function, its description, and a digest that changes when its code or weights
    do."""

    run: Callable[[SystemInput], Any]
    system: System
    code: str
    macs_per_second: int | None = None  # multiply-accumulates for a second of sound, where known
    complete: bool = True  # the digest covers all that the system reads, weights too


def on_audio(function: Callable[..., Any]) -> Callable[[SystemInput], Any]:
    """A function of (mixture, enrollment, sample_rate) as one of an input."""
    return lambda given: function(given.mixture, given.enrollment, given.sample_rate)


def num_frames(given: SystemInput) -> int:
    """The number of activity frames of a mixture."""
    return -(-len(given.mixture) // vad.hop_samples(given.sample_rate))


def enhance(loaded: LoadedSystem, given: SystemInput, mixture_id: str) -> np.ndarray:
    """The estimate of one mixture: float64, shape of the mixture. Raises InputError when the system failed, or
    gave another shape or numbers that are not finite floats."""
    estimate, shape, of = call_system(loaded, given, mixture_id), given.mixture.shape, f"for {mixture_id}"
    if estimate.shape != shape:
        remedy = "keep the length and the alignment of the mixture"
        raise _gave(loaded, f"shape {estimate.shape} {of}, expected {shape}; {remedy}")
    if estimate.dtype.kind != "f":
        raise _gave(loaded, f"{estimate.dtype} {of}, expected floats with full scale ±1; convert the samples")
    if not np.isfinite(estimate).all():
        raise _gave(loaded, f"NaN or infinity {of}; give finite samples")
    return estimate.astype(np.float64)


def detect(loaded: LoadedSystem, given: SystemInput, mixture_id: str) -> np.ndarray:
    """Who speaks in one mixture: probabilities of target, other and no speech, float64, shape (num_frames, 3).
    Raises InputError when the system failed, or gave another shape or what are no probabilities."""
    found = call_system(loaded, given, mixture_id)
    if found.dtype.kind != "f":
        raise _gave(loaded, f"{found.dtype} for {mixture_id}, expected floats")
    if problems := activity_csv.faults(found, num_frames(given)):
        asked = "probabilities of target speech, other speech and no speech of each 10 ms, which add up to 1"
        raise _gave(loaded, f"{problems[0][1]}, for {mixture_id}; give the {asked}")
    return found.astype(np.float64)


def _gave(loaded: LoadedSystem, found: str) -> InputError:
    return InputError(f"system {loaded.system.name}: gave {found}")


def call_system(loaded: LoadedSystem, given: SystemInput, mixture_id: str) -> np.ndarray:
    """The output of a system for a mixture as an array, unchecked. Raises InputError when it fails."""
    try:
        return np.asarray(loaded.run(given))
    except (Exception, SystemExit) as error:  # code of somebody else
        why = reason(error, ours=[__file__])
        raise InputError(f"system {loaded.system.name}: failed on {mixture_id} ({why})") from error
