"""How well frames are told apart into target speech, other speech and no speech: AP, mean AP, EER, onset delay.

Conventions: scores are probabilities of the three classes in this order; labels are class indices 0, 1, 2. Frames
of several clips are pooled (concatenate them), so that every frame counts once. Frames of equal score are one
threshold: a constant score has the prevalence as its average precision and an EER of a half.

Sources: Ding et al., "Personal VAD" (arXiv 1908.04284) for classes and mean AP; average precision is the area
under the step curve of precision over recall, Σ (R_n − R_{n−1}) P_n.
"""

import numpy as np

from pse_bench.errors import UndefinedScore
from pse_bench.metrics.signals import Mask

CLASSES = ("target speech", "other speech", "no speech")
SUSTAINED_S = 0.1
"""An onset is found at the first of this long a run of positive frames."""


def average_precision(*, scores: np.ndarray, positive: Mask) -> float:
    """Area under the precision-recall steps, within [0, 1]; a chance score has the share of positives.

    Args:
        scores: shape (num_frames,), the higher the more likely positive.
        positive: frames of the class.

    Raises:
        UndefinedScore: no frame is positive.
    """
    return area(*_accumulated(scores, positive))


def equal_error_rate(*, scores: np.ndarray, positive: Mask) -> float:
    """Where as many positives are missed as negatives taken, as shares, within [0, 1]; linear between thresholds.

    Args: as ``average_precision``.

    Raises:
        UndefinedScore: all frames are positive, or none.
    """
    return crossing(*_accumulated(scores, positive))


def _accumulated(scores: np.ndarray, positive: Mask) -> tuple[np.ndarray, np.ndarray]:
    """Positives and all frames at or above each distinct score, from the highest down."""
    if scores.shape != positive.shape or scores.ndim != 1 or not len(scores):
        raise ValueError(f"scores {scores.shape} and labels {positive.shape}: expected one number a frame of each")
    order = np.argsort(-scores, kind="stable")
    last_of_equal = np.flatnonzero(np.diff(scores[order], append=np.nan))
    return np.cumsum(positive[order])[last_of_equal], last_of_equal + 1


def onset_delays_s(
    *, probability: np.ndarray, active: Mask, hop_s: float, threshold: float = 0.5
) -> tuple[np.ndarray, int]:
    """How long after each onset of target speech it is noticed.

    A stretch of true activity is noticed at the first frame from which the probability stays above the threshold
    for 100 ms, or to the stretch's end.

    Args:
        probability: of target speech, shape (num_frames,).
        active: frames of target speech.
        hop_s: distance of the frames.
        threshold: above it a frame is taken for target speech.

    Returns:
        the delays in seconds, one a stretch that is noticed, and the number of stretches that never are.
    """
    edges = np.diff(np.concatenate([[0], active.astype(np.int8), [0]]))
    sustained = max(1, round(SUSTAINED_S / hop_s))
    delays, missed = [], 0
    for start, stop in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        above = probability[start:stop] > threshold
        length = min(sustained, int(stop - start))
        found = np.flatnonzero(np.convolve(above, np.ones(length, dtype=int), mode="valid") == length)
        if len(found):
            delays.append(found[0] * hop_s)
        else:
            missed += 1
    return np.array(delays), missed


def classes(*, target: Mask, other: Mask) -> np.ndarray:
    """Class indices of frames from who speaks: the target counts wherever it speaks, alone or not."""
    return np.where(target, 0, np.where(other, 1, 2))


# ---- from counts at thresholds


def area(hits: np.ndarray, count: np.ndarray) -> float:
    """``average_precision`` from positives and all frames at or above each threshold, from the highest down; every
    threshold has a frame, and the last has them all."""
    if not len(hits) or hits[-1] == 0:
        raise UndefinedScore("no frame is positive")
    gained = np.diff(hits, prepend=0)
    return float(np.sum(gained * (hits / count)) / hits[-1])


def crossing(hits: np.ndarray, count: np.ndarray) -> float:
    """``equal_error_rate`` from the same as ``area``."""
    if not len(hits) or hits[-1] == 0 or count[-1] == hits[-1]:
        raise UndefinedScore("all frames are positive, or none")
    missed = 1 - np.concatenate([[0], hits]) / hits[-1]
    false = np.concatenate([[0], count - hits]) / (count[-1] - hits[-1])
    after = int(np.argmax(false >= missed))  # the last is 1 >= 0
    gap = missed[after - 1] - false[after - 1]
    share = gap / (gap + false[after] - missed[after])
    return float(missed[after - 1] + share * (missed[after] - missed[after - 1]))


# ---- what any detector must beat


def chance(num_frames: int) -> np.ndarray:
    """A third for each class in every frame, shape (num_frames, 3)."""
    return np.full((num_frames, len(CLASSES)), 1 / len(CLASSES))


def energy_detector(*, mixture: np.ndarray, hop: int) -> np.ndarray:
    """Probabilities from the level alone, shape (ceil(num_samples / hop), 3): speech is loud, whoever speaks.

    A logistic curve of 3 dB about 10 dB below the clip's 95th percentile; target and other speech share the rest.
    """
    padded = np.pad(mixture, (0, -len(mixture) % hop)).reshape(-1, hop)
    level_db = 10 * np.log10(np.mean(padded.astype(np.float64) ** 2, axis=1) + 1e-12)
    speech = 1 / (1 + np.exp(-np.clip((level_db - np.percentile(level_db, 95) + 10) / 3, -30, 30)))
    return np.stack([speech / 2, speech / 2, 1 - speech], axis=1)
