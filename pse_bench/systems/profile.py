"""What can be said of a system without listening to it: does it look ahead, how far, and how fast is it.

The causality proof is a test from outside, for any system: the input is changed from a sample t on, and the output
may differ from sample t − latency on and no earlier. It is done for many t, which meet a system's frames in
different places, for noise and for something like speech, and for three kinds of change. A difference counts when
it is above −100 dB of the loudest sample of the two outputs, which is where float32 of a Fourier transform over a
whole clip ends. It can refute a claim and not prove one for every input; what was seen is reported.
"""

import functools
import statistics
import time
from dataclasses import dataclass

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io.audio import seconds_to_samples
from pse_bench.rng import integer, uniform, white_noise
from pse_bench.systems import base, registry
from pse_bench.systems.base import LoadedSystem, SystemInput

LATENCY_MS = 20.0  # what a system is held to that states no latency: the baseline's
PROBES = 16  # changes of each of the two signals
DURATION_S = 2.4
ENROLLMENT_S = 3.0
TOLERANCE = 1e-5
SPEED_DURATION_S = 10.0
SPEED_RUNS = 5
LEVEL = 0.05  # RMS of the voice, −26 dBFS; noise is 10 dB softer


@dataclass(frozen=True)
class Figures:
    """The figures of a system, by its name. What it or its model does not say is None."""

    system: str
    causal: bool | None  # as it says
    latency_ms: float  # algorithmic, held against it: asked for, stated by it, or ``LATENCY_MS``
    stated: bool  # that was asked for or stated
    look_ahead_ms: float  # the furthest that a change of the input was seen ahead of itself in the output
    probes: int  # changes that were tried
    responses: int  # those that reached the output at all
    rtf: float  # processing time over duration, median, on one thread where the libraries keep to it
    parameters: int | None
    macs_per_second: int | None
    hears_hz: int | None = None  # its own sample rate; None where it takes any
    resampling_ms: float = 0.0  # what resampling to that and back adds to the latency

    @property
    def kept(self) -> bool:
        """Whether nothing was seen ahead of the latency."""
        return self.look_ahead_ms <= self.latency_ms


def measure(
    name: str, *, streaming: bool = False, sample_rate: int = 16_000, latency_ms: float | None = None
) -> Figures:
    """Load a system, see ``registry.load``, and measure it. Raises InputError when it cannot be loaded, fails, or
    gives another output for the same input.

    Args:
        name, streaming: which one.
        sample_rate: of the test signals, Hz.
        latency_ms: the claim; by default the system's own.
    """
    loaded = registry.load(name, streaming=streaming)
    claim = loaded.described(sample_rate).algorithmic_latency_ms if latency_ms is None else latency_ms
    resampling_ms = loaded.resampling_ms(sample_rate)
    look_ahead, probes, responses = look_ahead_samples(loaded, sample_rate)
    return Figures(
        system=loaded.system.name,
        causal=loaded.system.causal,
        latency_ms=LATENCY_MS + resampling_ms if claim is None else claim,
        stated=claim is not None,
        look_ahead_ms=1000 * look_ahead / sample_rate,
        probes=probes,
        responses=responses,
        rtf=real_time_factor(loaded, sample_rate),
        parameters=loaded.system.parameters,
        macs_per_second=loaded.macs_per_second,
        hears_hz=loaded.sample_rate,
        resampling_ms=resampling_ms,
    )


def look_ahead_samples(loaded: LoadedSystem, sample_rate: int) -> tuple[int, int, int]:
    """How many samples before a change of the input the output first differs, at worst; the number of changes
    tried, and of those that reached the output. Raises InputError as ``measure``."""
    num_samples = seconds_to_samples(DURATION_S, sample_rate)
    furthest = probes = responses = 0
    for kind in ("noise", "voice"):
        parts = _parts(kind, num_samples, sample_rate, "first")
        other = _parts(kind, num_samples, sample_rate, "second")
        before, again = (base.enhance(loaded, _work(*parts, sample_rate), kind) for _ in range(2))
        if _differs(before, again).any():
            raise InputError(
                f"system {loaded.system.name}: gives another output for the same input, so nothing can be said "
                "about its look-ahead; fix its seed"
            )
        for number in range(PROBES):
            # Drawn, since an even stride would meet all frames in the same place.
            low, high = (round(num_samples * (0.3 + 0.6 * share / PROBES)) for share in (number, number + 1))
            start = integer(low, high, 0, "figures", kind, number)
            target, rest = (part.copy() for part in parts)
            for changed, new in zip((target, rest), other, strict=True):
                # something else, silence, or much louder: what a normaliser of whole clips would notice
                changed[start:] = (new[start:], 0.0, 8 * changed[start:])[number % 3]
            after = base.enhance(loaded, _work(target, rest, sample_rate), f"{kind} changed at {start}")
            different = np.flatnonzero(_differs(before, after))
            probes += 1
            if len(different):
                responses += 1
                furthest = max(furthest, start - int(different[0]))
    return furthest, probes, responses


def real_time_factor(loaded: LoadedSystem, sample_rate: int) -> float:
    """Processing time over duration, median of some runs on 10 s; loading, and embedding the enrollment where it
    is remembered, fall into a first run that does not count."""
    num_samples = seconds_to_samples(SPEED_DURATION_S, sample_rate)
    work = _work(*_parts("voice", num_samples, sample_rate, "speed"), sample_rate)
    times = []
    for _ in range(SPEED_RUNS + 1):
        begin = time.perf_counter()
        base.enhance(loaded, work, "the test of speed")
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:]) / SPEED_DURATION_S


def _work(target: np.ndarray, rest: np.ndarray, sample_rate: int) -> SystemInput:
    enrollment, _ = _parts("voice", seconds_to_samples(ENROLLMENT_S, sample_rate), sample_rate, "enrollment")
    return SystemInput(target + rest, enrollment.copy(), sample_rate, target.copy(), rest.copy())


def _differs(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one - other) > TOLERANCE * max(np.abs(one).max(), np.abs(other).max())


@functools.lru_cache(maxsize=8)
def _parts(kind: str, num_samples: int, sample_rate: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Something to keep and something to remove, float32: noise and noise, or a voice and noise."""
    rest = (LEVEL / np.sqrt(10) * white_noise(num_samples, 0, "figures", kind, name, "rest")).astype(np.float32)
    if kind == "noise":
        target = LEVEL * white_noise(num_samples, 0, "figures", name, "target")
    else:
        target = _voice(num_samples, sample_rate, name)
    return target.astype(np.float32), rest


def _voice(num_samples: int, sample_rate: int, name: str) -> np.ndarray:
    """Harmonics of a gliding pitch in syllables of changing loudness, with short pauses between them."""
    time_s = np.arange(num_samples) / sample_rate
    pitch_hz = uniform(110, 130, 0, "figures", name, "pitch")
    phase = 2 * np.pi * (pitch_hz * time_s + 2 * np.sin(2 * np.pi * 0.7 * time_s))
    harmonics = range(1, int(min(4000, 0.45 * sample_rate) / pitch_hz))
    tone = sum(np.sin(k * phase + k * k) / k for k in harmonics)
    start = uniform(0, 6, 0, "figures", name, "start")
    voice = tone * np.maximum(np.sin(2 * np.pi * 3.1 * time_s + start) + 0.6, 0.0)
    return LEVEL * voice / np.sqrt(np.mean(voice**2))
