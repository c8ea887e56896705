"""Signals that a system is tried with, and what its outputs say: by how much it is late, what it does to levels,
and whether it hears the enrollment."""

import functools
from dataclasses import replace

import numpy as np

from pse_bench.io.audio import seconds_to_samples
from pse_bench.rng import uniform, white_noise
from pse_bench.submission import verdicts
from pse_bench.systems import base
from pse_bench.systems.base import LoadedSystem, SystemInput

ENROLLMENT_S = 3.0
DURATION_S = 5.0
LEVEL = 0.05  # RMS of the voice, −26 dBFS; noise is 10 dB softer
PITCH_HZ = (110, 130)
OTHER_PITCH_HZ = (210, 230)  # of somebody else
REACH_S = 1.0  # largest lag that is looked for
PROMINENT = 10.0  # a correlation means something from so many times its own RMS on
LEVELS_DB = (0.0, -12.0, 6.0)
SAME_DB = 0.5  # two levels are the same


def enrollments(sample_rate: int) -> list[np.ndarray]:
    """The enrollment of the test signals, somebody else's, and one that is no voice."""
    num_samples = seconds_to_samples(ENROLLMENT_S, sample_rate)
    own, noise = parts("voice", num_samples, sample_rate, "enrollment")
    other, _ = parts("another voice", num_samples, sample_rate, "enrollment")
    return [own, other, noise]


def given(target: np.ndarray, rest: np.ndarray, sample_rate: int) -> SystemInput:
    """What a system is given of two parts of a mixture."""
    return SystemInput(target + rest, enrollments(sample_rate)[0].copy(), sample_rate, target.copy(), rest.copy())


def speech(sample_rate: int, name: str, duration_s: float = DURATION_S, gain_db: float = 0.0) -> SystemInput:
    """A voice in noise."""
    factor = np.float32(10 ** (gain_db / 20))
    target, rest = parts("voice", seconds_to_samples(duration_s, sample_rate), sample_rate, name)
    return given(factor * target, factor * rest, sample_rate)


def lag_samples(estimate: np.ndarray, mixture: np.ndarray, sample_rate: int) -> int | None:
    """By how many samples an estimate is late against its mixture, negative where it is early; None where the two
    have nothing in common.

    Source: C. Knapp, G. Carter, "The generalized correlation method for estimation of time delay", TASSP 1976: the
    phase transform, so that what a system does to the levels of frequencies moves nothing.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    reach = seconds_to_samples(REACH_S, sample_rate)
    size = next_fast_len(len(mixture) + reach, real=True)
    cross = rfft(estimate, size) * np.conj(rfft(mixture, size))
    cross /= np.maximum(np.abs(cross), np.finfo(float).tiny)
    products = irfft(cross, size)
    around = np.abs(np.concatenate([products[size - reach :], products[: reach + 1]]))  # lags -reach … reach
    best = int(np.argmax(around))
    if around[best] <= PROMINENT * np.sqrt(np.mean(products**2)):
        return None
    return best - reach


def constant_gain_and_levels(loaded: LoadedSystem, sample_rate: int, lag: int) -> tuple[float | None, str]:
    """The gain in dB where it is all that the system does, and how the level of its output depends on that of its
    input, in words; ``lag`` samples are taken back."""
    fits, peaks, levels = [], [], []
    for name in ("levels", "more levels"):
        for gain_db in LEVELS_DB:
            work = speech(sample_rate, name, gain_db=gain_db)
            estimate = base.enhance(loaded, work, f"a voice at {gain_db:+g} dB")
            mixture = work.mixture.astype(np.float64)
            length = len(mixture) - abs(lag)
            fits.append(verdicts.fit(estimate[max(lag, 0) :][:length], mixture[max(-lag, 0) :][:length]))
            peaks.append(_db(np.abs(estimate).max()))
            levels.append(_db(np.sqrt(np.mean(estimate**2))))
    return verdicts.constant_gain_db(fits), _policy(np.array(peaks), np.array(levels))


def _policy(peaks_db: np.ndarray, levels_db: np.ndarray) -> str:
    """In words, for the peaks and the levels of two signals, each at ``LEVELS_DB``."""
    if not np.isfinite(levels_db).all():
        return "silent"
    spread_db, same = min((np.ptp(peaks_db), "peak-normalised"), (np.ptp(levels_db), "level-normalised"))
    if spread_db <= SAME_DB:
        return same
    off = levels_db - levels_db[:: len(LEVELS_DB)].repeat(len(LEVELS_DB)) - np.tile(LEVELS_DB, 2)
    return "follows the input" if np.abs(off).max() <= SAME_DB else "depends on the input's level"


def _db(value: float) -> float:
    return 20 * float(np.log10(value)) if value > 0 else -np.inf


def uses_enrollment(loaded: LoadedSystem, sample_rate: int) -> bool | None:
    """Whether another enrollment changes the output; None where there is no output."""
    work = speech(sample_rate, "enrollments")
    outputs = [
        base.enhance(loaded, replace(work, enrollment=enrollment), f"enrollment {number}")
        for number, enrollment in enumerate(enrollments(sample_rate), 1)
    ]
    return verdicts.enrollment_used([verdicts.differ(outputs[0], other) for other in outputs[1:]])


@functools.lru_cache(maxsize=16)
def parts(kind: str, num_samples: int, sample_rate: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Something to keep and something to remove, float32: noise and noise, or a voice and noise."""
    rest = (LEVEL / np.sqrt(10) * white_noise(num_samples, 0, "figures", kind, name, "rest")).astype(np.float32)
    if kind == "noise":
        target = LEVEL * white_noise(num_samples, 0, "figures", name, "target")
    else:
        target = _voice(num_samples, sample_rate, name, PITCH_HZ if kind == "voice" else OTHER_PITCH_HZ)
    return target.astype(np.float32), rest


def _voice(num_samples: int, sample_rate: int, name: str, pitch: tuple[float, float]) -> np.ndarray:
    """Harmonics of a gliding pitch in syllables of changing loudness, with short pauses between them."""
    time_s = np.arange(num_samples) / sample_rate
    pitch_hz = uniform(*pitch, 0, "figures", name, "pitch")
    phase = 2 * np.pi * (pitch_hz * time_s + 2 * np.sin(2 * np.pi * 0.7 * time_s))
    harmonics = range(1, int(min(4000, 0.45 * sample_rate) / pitch_hz))
    tone = sum(np.sin(k * phase + k * k) / k for k in harmonics)
    start = uniform(0, 6, 0, "figures", name, "start")
    voice = tone * np.maximum(np.sin(2 * np.pi * 3.1 * time_s + start) + 0.6, 0.0)
    return LEVEL * voice / np.sqrt(np.mean(voice**2))
