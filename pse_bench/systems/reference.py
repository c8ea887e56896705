"""Reference systems: what any enhancer and any detector is compared with."""

import numpy as np

from pse_bench.metrics import voice_activity
from pse_bench.signal import vad
from pse_bench.systems.base import SystemInput, num_frames

FRAME_S, HOP_S = 0.032, 0.008


def mixture(given: SystemInput) -> np.ndarray:
    """The unprocessed mixture: never over-suppresses, leaks everything."""
    return given.mixture


def silence(given: SystemInput) -> np.ndarray:
    """Digital silence: perfect in TS3, useless elsewhere. It must lead no ranking."""
    return np.zeros_like(given.mixture)


def oracle_mask(given: SystemInput) -> np.ndarray:
    """The ideal ratio mask of the early target over everything else: what a magnitude mask can reach.

    Source: D. Wang, J. Chen, "Supervised speech separation based on deep learning", TASLP 2018, eq. 5 (β = 1).
    """
    from scipy.signal import istft, stft

    frame = round(FRAME_S * given.sample_rate)
    overlap = frame - round(HOP_S * given.sample_rate)

    def spectrum(samples: np.ndarray) -> np.ndarray:
        return stft(samples, nperseg=frame, noverlap=overlap)[2]

    target, rest = np.abs(spectrum(given.target)) ** 2, np.abs(spectrum(given.rest)) ** 2
    mask = target / np.maximum(target + rest, 1e-20)
    estimate = istft(mask * spectrum(given.mixture), nperseg=frame, noverlap=overlap)[1]
    return estimate[: len(given.mixture)]


def chance(given: SystemInput) -> np.ndarray:
    """A third for each class in every frame: its average precision is the proportion of the class."""
    return voice_activity.chance(num_frames(given))


def energy(given: SystemInput) -> np.ndarray:
    """Loud frames are target speech, whoever speaks."""
    return voice_activity.energy_detector(mixture=given.mixture, hop=vad.hop_samples(given.sample_rate))
