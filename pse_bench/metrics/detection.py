"""How well frames are told apart into target speech, other speech and no speech: AP, mean AP, EER, onset delay.

A class's score is its log-odds against the other two, ln(p / (q + r)), rounded to hundredths and held within
±40: the order of p, also where p is so near to 1 that its digits no longer tell. What is equal then is one
threshold, which costs a detector less than 0.1 % of average precision where its log-odds spread by 1 or more.
So the activity of a clip is, for each class, a histogram of the frames that are of it, and one of those that
are not; histograms add up over clips, and every metric follows from the sums exactly. Frames of all clips count
alike, and those of equal score are one threshold: a constant score has the prevalence as its average precision
and an EER of a half. An onset that is missed is later than any that is noticed, so missing what is hard never
shortens a delay.

Sources: Ding et al., "Personal VAD" (arXiv 1908.04284) for classes and mean AP; average precision is the area
under the step curve of precision over recall, Σ (R_n − R_{n−1}) P_n.
"""

from functools import partial

import numpy as np

from pse_bench.errors import UndefinedScore
from pse_bench.metrics.metric import Metric
from pse_bench.metrics.signals import Mask

CLASSES = ("target speech", "other speech", "no speech")
"""In the order of probabilities, shape (num_frames, 3). Labels are their indices, shape (num_frames,)."""

TARGET, OTHER, NONE = range(len(CLASSES))

SUSTAINED_S = 0.1
"""An onset is found at the first of this long a run of positive frames."""

LIMIT = 4000
"""Log-odds of ±40 in hundredths: 4e-18, what a double holds beside 1."""

SIZE = 2 * LIMIT + 1
"""Entries of a histogram, the lowest score first."""


def classes(*, target: Mask, other: Mask) -> np.ndarray:
    """Class indices of frames from who speaks: the target counts wherever it speaks, alone or not."""
    return np.where(target, TARGET, np.where(other, OTHER, NONE))


# ---- from frames


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
    edges = np.flatnonzero(np.diff(active, prepend=False, append=False))
    sustained = max(1, round(SUSTAINED_S / hop_s))
    delays, missed = [], 0
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        above = probability[start:stop] > threshold
        length = min(sustained, int(stop - start))
        found = np.flatnonzero(np.convolve(above, np.ones(length, dtype=int), mode="valid") == length)
        if len(found):
            delays.append(found[0] * hop_s)
        else:
            missed += 1
    return np.array(delays), missed


def histograms(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How often each score occurs, int64 of shape (3 classes, 2, SIZE): frames of the class, then all others."""
    against = probabilities @ (1 - np.eye(len(CLASSES)))  # not 1 - p, of which little is left beside 1
    with np.errstate(divide="ignore"):
        odds = np.log(probabilities) - np.log(against)
    steps = np.clip(np.round(100 * odds), -LIMIT, LIMIT).astype(np.int64) + LIMIT
    counts = np.zeros((len(CLASSES), 2, SIZE), dtype=np.int64)
    for index in range(len(CLASSES)):
        for row, which in enumerate((labels == index, labels != index)):
            counts[index, row] = np.bincount(steps[which, index], minlength=SIZE)
    return counts


def worst_histograms(labels: np.ndarray) -> np.ndarray:
    """Those of a detector that is as wrong as can be about every frame."""
    counts = np.zeros((len(CLASSES), 2, SIZE), dtype=np.int64)
    for index in range(len(CLASSES)):
        counts[index, 0, 0] = np.count_nonzero(labels == index)
        counts[index, 1, -1] = np.count_nonzero(labels != index)
    return counts


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


# ---- metrics, as data


def _thresholds(pair: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positives and all frames at or above each score that occurs, from the highest down."""
    positive, every = pair[0][::-1], pair.sum(axis=0)[::-1]
    there = every > 0
    return np.cumsum(positive)[there], np.cumsum(every)[there]


def _precision(counts: np.ndarray, index: int) -> float:
    return 100 * area(*_thresholds(counts[index]))


def _mean_precision(counts: np.ndarray) -> float:
    return float(np.mean([_precision(counts, index) for index in range(len(CLASSES))]))


def _equal_error(counts: np.ndarray) -> float:
    return 100 * crossing(*_thresholds(counts[TARGET]))


def median_delay_s(delays_s: np.ndarray, never_s: float) -> float:
    """Median over onsets, of which those missed have the delay ``never_s``, longer than all others."""
    if share_missed(delays_s, never_s) >= 50:
        raise UndefinedScore("half of the onsets or more are missed")
    return float(np.median(delays_s))


def share_missed(delays_s: np.ndarray, never_s: float) -> float:
    """Onsets with the delay ``never_s``, in % of all."""
    if not len(delays_s):
        raise UndefinedScore("no onset of target speech")
    return float(100 * np.count_nonzero(delays_s >= never_s) / len(delays_s))


_activity = partial(Metric, family="activity", unit="%", of="activity", scenarios=("TS1", "TS2", "all"), low=0.0)
_of_frames = partial(
    _activity, needs=("histograms",), aggregation="frames", source="Ding et al., arXiv 1908.04284"
)
_precision_of = partial(_of_frames, higher_is_better=True, high=100.0, worst=0.0)
_of_onsets = partial(_activity, needs=("onsets",), source="own", higher_is_better=False)

ACTIVITY = (
    _precision_of(
        name="pvad_ap_target",
        description="average precision of target speech",
        compute=partial(_precision, index=TARGET),
    ),
    _precision_of(
        name="pvad_ap_other",
        description="average precision of other speech",
        scenarios=("TS2", "TS3", "all"),
        compute=partial(_precision, index=OTHER),
    ),
    _precision_of(
        name="pvad_ap_none",
        description="average precision of no speech",
        scenarios=("TS1", "TS2", "TS3", "all"),
        compute=partial(_precision, index=NONE),
    ),
    _precision_of(
        name="pvad_mean_ap",
        description="mean of the average precisions of the three classes",
        scenarios=("TS2", "all"),
        compute=_mean_precision,
    ),
    _of_frames(
        name="pvad_eer",
        description="where target frames are missed as often as others are taken for them",
        higher_is_better=False,
        high=100.0,
        worst=100.0,
        compute=_equal_error,
    ),
    _of_onsets(
        name="pvad_onset_delay_s",
        description="from an onset of target speech until its probability stays above 0.5 for 100 ms",
        unit="s",
        aggregation="onset median",
        compute=median_delay_s,
    ),
    _of_onsets(
        name="pvad_onsets_missed",
        description="onsets of target speech that are never noticed",
        aggregation="onset share",
        high=100.0,
        worst=100.0,
        compute=share_missed,
    ),
)
"""In the order of tables."""
