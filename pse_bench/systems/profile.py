"""What can be said of a system without listening to it: does it look ahead or lag, how fast and how large is it,
and does it do anything but turn the level.

The causality proof is a test from outside, for any system: the input is changed from a sample t on, and the output
may differ from sample t − latency on and no earlier. It is done for many t, which meet a system's frames in
different places, for noise and for something like speech, and for three kinds of change. A difference counts when
it is above −100 dB of the loudest sample of the two outputs, which is where float32 of a Fourier transform over a
whole clip ends. It can refute a claim and not prove one for every input; what was seen is reported.
"""

import os
import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io.audio import seconds_to_samples
from pse_bench.rng import integer
from pse_bench.runtime.executor import long_slices
from pse_bench.systems import base, probes, registry, size
from pse_bench.systems.base import LoadedSystem

LATENCY_MS = 20.0  # what a system is held to that states no latency: the baseline's
CLASSES_MS = (5, 20, 40, 100)
PROBES = 16  # changes of each of the two signals
DURATION_S = 2.4
TOLERANCE = 1e-5
SPEED_DURATION_S = 10.0
SPEED_RUNS = 5
COUNTED_S = 2.0


@dataclass(frozen=True)
class Speed:
    """Time over duration on 10 s, median of some runs. Processor time is that of all threads and of the programs
    that were started and have ended; a busy machine makes wall time longer, and that hardly."""

    rtf: float  # of wall time
    rtf_cpu: float  # of processor time


@dataclass(frozen=True)
class Figures:
    """The figures of a system, by its name. What it does not say, and what cannot be seen, is None."""

    system: str
    causal: bool | None  # as it says
    latency_ms: float  # algorithmic, held against it: asked for, stated by it, or ``LATENCY_MS``
    stated: bool  # that was asked for or stated
    look_ahead_ms: float  # the furthest that a change of the input was seen ahead of itself in the output
    probes: int  # changes that were tried
    responses: int  # those that reached the output at all
    rtf: float  # see ``Speed``
    parameters: int | None  # stated, else counted
    macs_per_second: int | None  # likewise
    hears_hz: int | None = None  # its own sample rate; None where it takes any
    resampling_ms: float = 0.0  # what resampling to that and back adds to the latency
    rtf_cpu: float | None = None
    load: float | None = None  # of the machine in the minute before: processes that ran or waited for a core
    lag_samples: int | None = None  # by how much the output is late, at its own rate
    lag_ms: float | None = None
    delay_to_declare: int | None = None  # in samples at its own rate, so that nothing is late
    latency_class: str | None = None  # of what it states and of what was seen, the longer
    parameters_counted: int | None = None  # of torch modules and ONNX files
    macs_per_second_counted: int | None = None
    uses_enrollment: bool | None = None
    constant_gain_db: float | None = None  # where it is all that it does
    level_policy: str | None = None
    version: str = ""

    @property
    def kept(self) -> bool:
        """Whether nothing was seen ahead of the latency."""
        return self.look_ahead_ms <= self.latency_ms

    def document(self) -> dict[str, Any]:
        """All of it for a script, what came later at the end."""
        content = asdict(self)
        first = list(content)[: list(content).index("rtf_cpu")]
        return {key: content.pop(key) for key in first} | {"kept": self.kept} | content


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
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    loaded = registry.load(name, streaming=streaming)
    own = loaded.sample_rate or sample_rate
    claim = loaded.described(sample_rate).algorithmic_latency_ms if latency_ms is None else latency_ms
    look_ahead, tried, responses = look_ahead_samples(loaded, sample_rate)
    lag = lag_samples(loaded, own)
    gain_db, policy = probes.constant_gain_and_levels(loaded, own, lag or 0)
    look_ahead_ms, lag_ms = 1000 * look_ahead / sample_rate, None if lag is None else 1000 * lag / own
    seen_ms = look_ahead_ms + max(lag_ms or 0.0, 0.0) if responses else None
    speed, counted = measure_speed(loaded, sample_rate), measure_size(loaded, sample_rate)
    stated = loaded.system.parameters, loaded.macs_per_second
    return Figures(
        system=loaded.system.name,
        causal=loaded.system.causal,
        latency_ms=LATENCY_MS + loaded.resampling_ms(sample_rate) if claim is None else claim,
        stated=claim is not None,
        look_ahead_ms=look_ahead_ms,
        probes=tried,
        responses=responses,
        rtf=speed.rtf,
        parameters=counted.parameters if stated[0] is None else stated[0],
        macs_per_second=counted.macs if stated[1] is None else stated[1],
        hears_hz=loaded.sample_rate,
        resampling_ms=loaded.resampling_ms(sample_rate),
        rtf_cpu=speed.rtf_cpu,
        load=load,
        lag_samples=lag,
        lag_ms=lag_ms,
        delay_to_declare=None if lag is None else loaded.delay + lag,
        latency_class=latency_class([claim, seen_ms], causal=loaded.system.causal),
        parameters_counted=counted.parameters,
        macs_per_second_counted=counted.macs,
        uses_enrollment=probes.uses_enrollment(loaded, own),
        constant_gain_db=gain_db,
        level_policy=policy,
        version=loaded.system.version,
    )


def latency_class(latencies_ms: list[float | None], *, causal: bool | None) -> str | None:
    """The class of the longest of some latencies; None where none is known."""
    known = [latency for latency in latencies_ms if latency is not None]
    if not known and causal is not False:
        return None
    limits = [limit for limit in CLASSES_MS if causal is not False and max(known) <= limit]
    return f"≤ {limits[0]} ms" if limits else "offline"


def lag_samples(loaded: LoadedSystem, sample_rate: int) -> int | None:
    """See ``probes.lag_samples``."""
    work = probes.speech(sample_rate, "lag")
    return probes.lag_samples(base.enhance(loaded, work, "the test of lag"), work.mixture, sample_rate)


def look_ahead_samples(loaded: LoadedSystem, sample_rate: int) -> tuple[int, int, int]:
    """How many samples before a change of the input the output first differs, at worst; the number of changes
    tried, and of those that reached the output. Raises InputError as ``measure``."""
    num_samples = seconds_to_samples(DURATION_S, sample_rate)
    furthest = tried = responses = 0
    for kind in ("noise", "voice"):
        parts = probes.parts(kind, num_samples, sample_rate, "first")
        other = probes.parts(kind, num_samples, sample_rate, "second")
        before, again = (base.enhance(loaded, probes.given(*parts, sample_rate), kind) for _ in range(2))
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
            after = base.enhance(loaded, probes.given(target, rest, sample_rate), f"{kind} changed at {start}")
            different = np.flatnonzero(_differs(before, after))
            tried += 1
            if len(different):
                responses += 1
                furthest = max(furthest, start - int(different[0]))
    return furthest, tried, responses


def measure_speed(loaded: LoadedSystem, sample_rate: int) -> Speed:
    """Its speed where it runs; loading, and embedding the enrollment where it is remembered, fall into a first run
    that does not count."""
    work = probes.speech(sample_rate, "speed", SPEED_DURATION_S)
    wall, processor = [], []
    with long_slices():
        for _ in range(SPEED_RUNS + 1):
            begin, begin_cpu = time.perf_counter(), _processor_time_s()
            base.enhance(loaded, work, "the test of speed")
            wall.append(time.perf_counter() - begin)
            processor.append(_processor_time_s() - begin_cpu)
    return Speed(*(statistics.median(times[1:]) / SPEED_DURATION_S for times in (wall, processor)))


def _processor_time_s() -> float:
    """Of all threads of this process, and of programs that it started and that have ended."""
    ended = os.times()
    return time.process_time() + ended.children_user + ended.children_system


def measure_size(loaded: LoadedSystem, sample_rate: int) -> size.Size:
    """Parameters, and multiply-accumulates for a second of sound."""
    work = probes.speech(sample_rate, "size", COUNTED_S)
    base.enhance(loaded, work, "the first test of size")  # loads what is loaded late, and embeds the enrollment
    counted = size.count(lambda: base.enhance(loaded, work, "the test of size"))
    return size.Size(counted.parameters, None if counted.macs is None else round(counted.macs / COUNTED_S))


def _differs(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one - other) > TOLERANCE * max(np.abs(one).max(), np.abs(other).max())
