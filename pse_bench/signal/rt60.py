"""Reverberation time of a room impulse response."""

import contextlib

import numpy as np

from pse_bench.errors import UndefinedScore

START_DB = -5.0

RANGES_DB = (30.0, 20.0)
"""How far below -5 dB a measured decay is fitted: T30 where it allows, else T20 (ISO 3382-1)."""

NOISE_MARGIN_DB = 6.0
"""How far the energy of the tail's noise lies below what is left of a measured response where a fit ends.
Nearer than that, noise bends the decay; a response that was cut off there counts as noise too."""


def energy_decay_db(response: np.ndarray) -> np.ndarray:
    """Schroeder's backward-integrated energy decay in dB re the total, shape (num_samples,).

    Source: M. R. Schroeder, "New method of measuring reverberation time", JASA 37, 1965, eq. 6.
    """
    remaining = np.cumsum(response[::-1] ** 2)[::-1]
    # In double precision, for single precision logarithms differ from one processor to the next, by enough to
    # change what a room is calibrated to.
    share = np.maximum(remaining.astype(np.float64) / remaining[0], 1e-20)
    return 10 * np.log10(share)


def rt60_s(response: np.ndarray, sample_rate: float, *, range_db: float = 30.0) -> float:
    """Reverberation time in seconds: a line fitted to the energy decay, extrapolated to 60 dB.

    The fit runs from -5 dB to -5 - ``range_db`` dB: T30 by default (ISO 3382-1), T20 with 20.

    Raises:
        UndefinedScore: the response is silent or does not decay that far.
    """
    if not np.any(response):
        raise UndefinedScore("the response is silent")
    decay_db = energy_decay_db(response)
    first = int(np.argmax(decay_db <= START_DB))
    last = int(np.argmax(decay_db <= START_DB - range_db))
    if last == 0 or last - first < 8:
        raise UndefinedScore(f"the response does not decay by {range_db - START_DB:g} dB")
    # least squares in closed form: quick, and no library whose last bits depend on its threads
    count = last - first
    steps = np.arange(count) - (count - 1) / 2
    slope_db = (steps * decay_db[first:last]).sum() / (count * (count**2 - 1) / 12)
    return float(-60.0 / (slope_db * sample_rate))


def measured_rt60_s(response: np.ndarray, sample_rate: int) -> float:
    """Reverberation time of a measured response in seconds, rounded to a millisecond.

    T30, or T20 where the response ends or sinks into noise too soon. UndefinedScore where it does not allow T20.
    """
    for range_db in RANGES_DB:
        with contextlib.suppress(UndefinedScore):
            time_s = rt60_s(response, sample_rate, range_db=range_db)
            if _clear_of_noise(response, START_DB - range_db):
                return round(time_s, 3)
    raise UndefinedScore(
        f"does not decay by {RANGES_DB[-1] - START_DB:g} dB well before it ends or sinks into noise, "
        "so it has no RT60; use a longer or cleaner response, or remove it"
    )


def _clear_of_noise(response: np.ndarray, limit_db: float) -> bool:
    """Whether the decay at ``limit_db`` is the room's, taking the last tenth of the response for noise."""
    energy = np.trim_zeros(response, "b") ** 2
    end = int(np.argmax(energy_decay_db(response) <= limit_db))
    noise = energy[-max(1, len(energy) // 10) :].mean() * (len(energy) - end)
    return bool(noise <= 10 ** (-NOISE_MARGIN_DB / 10) * energy[end:].sum())
