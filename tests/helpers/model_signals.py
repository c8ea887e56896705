"""The synthetic voice that goldens and tests of the models share: the same on every machine, to rounding."""

import numpy as np

RATE = 16_000


def talker(pitch_hz: float, duration_s: float, *, noise: float = 0.003, seed: int = 0) -> np.ndarray:
    """A buzz of 30 harmonics through two resonances, in syllables, over white noise; shape (num_samples,)."""
    time_s = np.arange(round(duration_s * RATE)) / RATE
    glide = pitch_hz * (time_s + 0.02 * np.sin(2 * np.pi * 0.7 * time_s))
    voice = np.zeros_like(time_s)
    for harmonic in range(1, 31):
        frequency = harmonic * pitch_hz
        level = sum(1 / (1 + ((frequency - centre) / 150) ** 2) for centre in (5 * pitch_hz, 1500.0))
        voice += level * np.sin(2 * np.pi * harmonic * glide)
    syllables = np.clip(np.sin(2 * np.pi * 2.3 * time_s) + 0.4, 0.0, None)
    samples = 0.05 * voice * syllables
    return samples + noise * np.random.default_rng(seed).standard_normal(len(samples))
