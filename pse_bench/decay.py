"""Reverberation time of a room impulse response."""

import numpy as np

from pse_bench.errors import UndefinedScore

START_DB = -5.0


def energy_decay_db(response: np.ndarray) -> np.ndarray:
    """Schroeder's backward-integrated energy decay in dB re the total, shape (num_samples,).

    Source: M. R. Schroeder, "New method of measuring reverberation time", JASA 37, 1965, eq. 6.
    """
    remaining = np.cumsum(response[::-1] ** 2)[::-1]
    return 10 * np.log10(np.maximum(remaining / remaining[0], 1e-20))


def rt60_s(response: np.ndarray, sample_rate: int, *, range_db: float = 30.0) -> float:
    """Reverberation time in seconds: a line fitted to the energy decay, extrapolated to 60 dB.

    The fit runs from -5 dB to -5 - ``range_db`` dB: T30 by default (ISO 3382-1), T20 with 20.

    Args:
        response: shape (num_samples,).
        sample_rate: Hz.
        range_db: how far below -5 dB the fit reaches.

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
    time_s = np.arange(first, last) / sample_rate
    slope_db_per_s = np.polyfit(time_s, decay_db[first:last], 1)[0]
    return float(-60.0 / slope_db_per_s)
