"""What every system is to the package: what it is given, what it gives, and how it is called."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.registry import reason
from pse_bench.signal import streaming, vad
from pse_bench.submission import activity_csv
from pse_bench.submission.submission import System
from pse_bench.systems.sources import Sources

Output = Literal["audio", "activity"]
"""What is asked of a system: an estimate, or the probabilities of who speaks in each frame."""


@dataclass(frozen=True)
class SystemInput:
    """What a system is given. Arrays are float32 with full scale ±1, time last. ``target`` and ``rest`` are
    the stems of the mixture, for an oracle only, of no length where they are not known."""

    mixture: np.ndarray
    enrollment: np.ndarray
    sample_rate: int
    target: np.ndarray
    rest: np.ndarray


Blocks = Callable[[Iterable[np.ndarray], int, np.ndarray, int], Iterator[np.ndarray]]
"""The estimate in blocks of a mixture in blocks of float32, its length, an enrollment, and the rate in Hz of both;
nothing of it lies in memory as a whole."""


@dataclass(frozen=True)
class LoadedSystem:
    """A system ready to run: its function, its description, and a digest that changes when its code or weights
    do."""

    run: Callable[[SystemInput], Any]
    system: System
    code: str
    macs_per_second: int | None = None  # multiply-accumulates for a second of sound, where known
    complete: bool = True  # the digest covers all that the system reads, weights too
    sample_rate: int | None = None  # the one that it hears, in Hz; None where it takes any
    hop: int | None = None  # samples of a step at that rate; None where it hears a mixture as a whole
    delay: int = 0  # samples at that rate that are taken back
    needs_stems: bool = False  # it is an oracle that hears target and rest, too
    sources: Sources = field(default_factory=Sources)  # the files that the digest covers
    run_batch: Callable[[Iterable[SystemInput]], Iterator[np.ndarray | str]] | None = None  # estimates, or why not
    run_blocks: Blocks | None = None  # what it gives hop by hop, where it is run so

    def resampling_ms(self, sample_rate: int) -> float:
        """How far resampling mixtures of a rate, and estimates back, looks ahead."""
        ways = 2 if "audio" in self.system.holds else 1
        return 1000 * ways * audio.SYSTEMS.look_ahead_s(sample_rate, self.sample_rate or sample_rate)

    def described(self, sample_rate: int) -> System:
        """The description for mixtures of a rate: the latency is that of hop and delay where none is stated, and
        resampling adds to it."""
        own, more_ms = self.sample_rate or sample_rate, self.resampling_ms(sample_rate)
        text, latency_ms = self.system.description, self.system.algorithmic_latency_ms
        if latency_ms is None and self.hop:
            latency_ms = 1000 * (self.hop + self.delay) / own  # a hop is heard to its end
        if more_ms:
            text = f"{text} Hears {own} Hz, resampled from {sample_rate} Hz.".strip()
            latency_ms = None if latency_ms is None else latency_ms + more_ms
        return self.system.model_copy(update={"description": text, "algorithmic_latency_ms": latency_ms})

    def at_own_rate(self, given: SystemInput) -> SystemInput:
        """An input at the rate that it hears."""
        own = self.sample_rate or given.sample_rate
        if own == given.sample_rate:
            return given

        def at_own(signal: np.ndarray) -> np.ndarray:
            return audio.resample(signal, given.sample_rate, own, audio.SYSTEMS).astype(np.float32)

        none = np.zeros(0, dtype=np.float32)
        target, rest = (at_own(given.target), at_own(given.rest)) if self.needs_stems else (none, none)
        return SystemInput(at_own(given.mixture), at_own(given.enrollment), own, target, rest)


def num_frames(given: SystemInput) -> int:
    """The number of activity frames of a mixture."""
    return -(-len(given.mixture) // vad.hop_samples(given.sample_rate))


def enhance(loaded: LoadedSystem, given: SystemInput, mixture_id: str) -> np.ndarray:
    """The estimate of one mixture: float64, shape of the mixture. Raises InputError when the system failed, or
    gave another shape or numbers that are not finite floats."""
    heard = loaded.at_own_rate(given)
    estimate, shape, of = call_system(loaded, heard, mixture_id), heard.mixture.shape, f"for {mixture_id}"
    if estimate.shape != shape:
        remedy = "keep the length and the alignment of the mixture"
        if heard is not given:
            of += f" at {heard.sample_rate} Hz"
        raise _gave(loaded, f"shape {estimate.shape} {of}, expected {shape}; {remedy}")
    _check_samples(loaded, estimate, of)
    back = audio.resample(estimate.astype(np.float64), heard.sample_rate, given.sample_rate, audio.SYSTEMS)
    return back[: len(given.mixture)]


def enhance_blocks(
    loaded: LoadedSystem,
    mixture: Iterable[np.ndarray],
    num_samples: int,
    enrollment: np.ndarray,
    sample_rate: int,
    mixture_id: str,
) -> Iterator[np.ndarray]:
    """The estimate of one mixture in blocks of floats, by a system with ``run_blocks`` that hears the rate. Raises
    as ``enhance``."""
    assert loaded.run_blocks is not None
    with _failing(loaded, mixture_id):
        for block in loaded.run_blocks(mixture, num_samples, enrollment, sample_rate):
            _check_samples(loaded, block, f"for {mixture_id}")
            yield block


def _check_samples(loaded: LoadedSystem, estimate: np.ndarray, of: str) -> None:
    if estimate.dtype.kind != "f":
        raise _gave(loaded, f"{estimate.dtype} {of}, expected floats with full scale ±1; convert the samples")
    if not np.isfinite(estimate).all():
        raise _gave(loaded, f"NaN or infinity {of}; give finite samples")


def detect(loaded: LoadedSystem, given: SystemInput, mixture_id: str) -> np.ndarray:
    """Who speaks in one mixture: probabilities of target, other and no speech, float64, shape (num_frames, 3).
    Raises InputError when the system failed, or gave another shape or what are no probabilities."""
    found = call_system(loaded, loaded.at_own_rate(given), mixture_id)  # as many frames at any rate
    if found.dtype.kind != "f":
        raise _gave(loaded, f"{found.dtype} for {mixture_id}, expected floats")
    if problems := activity_csv.faults(found, num_frames(given)):
        asked = "probabilities of target speech, other speech and no speech of each 10 ms, which add up to 1"
        raise _gave(loaded, f"{problems[0][1]}, for {mixture_id}; give the {asked}")
    return found.astype(np.float64)


class FailedOnMixture(InputError):
    """A system failed, or gave what is no output, for the ``reason`` in its message."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def _gave(loaded: LoadedSystem, found: str) -> FailedOnMixture:
    return FailedOnMixture(f"system {loaded.system.name}: gave {found}", f"gave {found}")


def call_system(loaded: LoadedSystem, given: SystemInput, mixture_id: str) -> np.ndarray:
    """The output of a system for a mixture as an array, unchecked. Raises InputError when it fails."""
    with _failing(loaded, mixture_id):
        return np.asarray(loaded.run(given))


@contextmanager
def _failing(loaded: LoadedSystem, mixture_id: str) -> Iterator[None]:
    """Whatever a system raises as FailedOnMixture."""
    try:
        yield
    except FailedOnMixture:
        raise
    except (Exception, SystemExit) as error:  # code of somebody else
        why = reason(error, ours=[__file__, streaming.__file__, str(Path(__file__).with_name("protocol.py"))])
        raise FailedOnMixture(f"system {loaded.system.name}: failed on {mixture_id} ({why})", why) from error
