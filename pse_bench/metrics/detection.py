"""Metrics of activity, as data, and the histograms of scores that they are computed from.

A class's score is its log-odds against the other two, ln(p / (q + r)), rounded to hundredths and held within
±40: the order of p, also where p is so near to 1 that its digits no longer tell. What is equal then is one
threshold, which costs a detector less than 0.1 % of average precision where its log-odds spread by 1 or more.
So the activity of a clip is, for each class, a histogram of the frames that are of it, and one of those that
are not; histograms add up over clips, and every metric follows from the sums exactly. Frames of all clips count
alike. An onset that is missed is later than any that is noticed, so missing what is hard never shortens a
delay.
"""

from functools import partial

import numpy as np

from pse_bench.errors import UndefinedScore
from pse_bench.metrics.metric import Metric
from pse_bench.metrics.voice_activity import CLASSES, area, crossing

LIMIT = 4000
"""Log-odds of ±40 in hundredths: 4e-18, what a double holds beside 1."""

SIZE = 2 * LIMIT + 1
"""Entries of a histogram, the lowest score first."""

TARGET, OTHER, NONE = range(len(CLASSES))


def histograms(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How often each score occurs, int64 of shape (3 classes, 2, SIZE): frames of the class, then all others.

    Args:
        probabilities: shape (num_frames, 3).
        labels: class indices, shape (num_frames,).
    """
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


_activity = partial(
    Metric,
    family="activity",
    unit="%",
    of="activity",
    scenarios=("TS1", "TS2", "all"),
    low=0.0,
    high=100.0,
    worst=100.0,
    higher_is_better=False,
    source="Ding et al., arXiv 1908.04284",
)
_of_frames = partial(_activity, needs=("histograms",), aggregation="frames")
_precision_of = partial(_of_frames, higher_is_better=True, worst=0.0)
_of_onsets = partial(_activity, needs=("onsets",), source="own")

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
        compute=_equal_error,
    ),
    _of_onsets(
        name="pvad_onset_delay_s",
        description="from an onset of target speech until its probability stays above 0.5 for 100 ms",
        unit="s",
        aggregation="onset median",
        high=None,
        worst=None,
        compute=median_delay_s,
    ),
    _of_onsets(
        name="pvad_onsets_missed",
        description="onsets of target speech that are never noticed",
        aggregation="onset share",
        compute=share_missed,
    ),
)
"""In the order of tables."""
