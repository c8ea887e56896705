"""How sure a figure is: intervals and tests where clips come in clusters, one a speaker. Pure functions on arrays.

Clips of one speaker are alike, so the number of speakers decides, not that of clips. Three choices for few
speakers (``benchmarks/coverage.py`` shows what they are worth, and where they fail):

- **Spread** by leaving out one speaker at a time (jackknife), which needs no chance and does not fall short with
  few clusters as a percentile bootstrap does. A median is not smooth enough for that; its interval is Woodruff's,
  and where two systems are compared it is that of the median of the clips' differences.
- **Student's t** with as many degrees of freedom as there are *effective* speakers, less one: Kish's (Σw)²/Σw² of
  the weights that speakers have in the figure, so that one who has most of the clips leaves little to be sure of.
- **A scale without ends.** Between its bounds a figure is logit-transformed before t is applied, so the interval
  stays inside and leans away from a near bound, as it should for a skewed figure. A difference has no bound near;
  Hall's correction for skewness widens its interval on the side where it has to be wider.

Tests swap two systems for whole speakers: where they do not differ, every swap is as likely as what was found. All
figures are corrected together by the largest statistic that a swap gives, step by step. That holds the chance of
one wrong word in the family at 5 %, as Holm's correction does, and uses that figures go together: Holm multiplies
the smallest p, 1/128 with eight speakers, by the number of figures, so seven figures could never be told apart.

Sources: Efron and Stein, Annals of Statistics 9(3), 1981 (jackknife); Woodruff, JASA 47, 1952; Kish, Survey
Sampling, 1965; Hall, JRSS B 54(1), 1992; Westfall and Young, Resampling-Based Multiple Testing, 1993, and Romano
and Wolf, JASA 100, 2005 (step-down).
"""

from collections.abc import Callable, Sequence

import numpy as np

from pse_bench import rng

LEVEL = 0.95
EXACT_UP_TO = 14  # speakers up to which every swap is looked at; beyond, as many by chance
SWAPS = 2 ** (EXACT_UP_TO - 1)
FURTHEST = 2.0  # how far a correction for skewness may move an end of an interval, times its distance without
NOTHING = 1e-12  # a spread that is rounding and no more, as a share of a figure's range

Link = Callable[[np.ndarray], np.ndarray]
"""From sums of numerators and denominators, shape (..., 2), to the figure, shape (...)."""
Interval = tuple[float, float]


def clusters_of(names: Sequence[str | int]) -> np.ndarray:
    """Whole numbers from 0 in the order of the names, shape (num_clips,)."""
    return np.unique(np.array(names), return_inverse=True)[1]


def quotient_interval(
    pairs: np.ndarray, clusters: np.ndarray, *, link: Link, low: float, high: float, skewed: bool = False
) -> Interval | None:
    """Interval of a figure that is a function of two sums over clips: a mean, a share, a ratio of sums. None with
    fewer than two speakers; without width where every speaker gives the same.

    Args:
        pairs: numerator and denominator of each clip, shape (num_clips, 2).
        clusters: whose clip it is, shape (num_clips,), as ``clusters_of`` gives it.
        link: the figure from the sums.
        low, high: what the figure cannot leave.
        skewed: few clips may make up most of either sum, as the loudest do of an energy.
    """
    sums = _sums(pairs, clusters)
    if len(sums) < 2:
        return None
    whole = sums.sum(axis=0)
    value, left = float(link(whole)), link(whole - sums)
    if not skewed:
        return left_out_interval(value, left, sums[:, 1], low=low, high=high)
    down, up = _around(value, left, min(_effective(sums[:, 0]), _effective(sums[:, 1])), high - low)
    return max(low, down), min(high, up)


def left_out_interval(
    value: float, left: np.ndarray, weights: np.ndarray, *, low: float, high: float
) -> Interval | None:
    """Interval of a figure over clips that are pooled in any way; ``low``, ``high`` and None as above.

    Args:
        value: the figure over all clips.
        left: the figure without each of the speakers, shape (speakers,).
        weights: that the speakers have in it, shape (speakers,).
    """
    return _inside(value, _jackknife(left), _effective(weights), low, high) if len(left) > 1 else None


def crossed_interval(
    values: np.ndarray, first: np.ndarray, second: np.ndarray, *, low: float, high: float
) -> Interval | None:
    """Interval of a mean of values that come in clusters of two kinds at once, as ratings do: those of one rater
    are alike, and those of one speaker. The variances over either are added, less that over what shares both, and
    are never less than the larger of the two. None where either has fewer than two clusters.

    Args:
        values: shape (num_values,).
        first, second: in which clusters they are, shape (num_values,), as ``clusters_of`` gives them.
        low, high: what the mean cannot leave.

    Source: Cameron, Gelbach and Miller, Journal of Business & Economic Statistics 29(2), 2011, eq. (2.11).
    """
    pairs = np.stack([values, np.ones(len(values))], axis=-1)
    both = first * (int(second.max()) + 1) + second if len(values) else first
    sums = [_sums(pairs, kind) for kind in (first, second, np.unique(both, return_inverse=True)[1])]
    if min(len(one) for one in sums[:2]) < 2:
        return None
    left = [(values.sum() - one[:, 0]) / (len(values) - one[:, 1]) for one in sums]
    one, other, shared = (_jackknife(means) ** 2 for means in left)
    spread = max(one, other, one + other - shared) ** 0.5
    effective = min(_effective(one[:, 1]) for one in sums[:2])
    return _inside(float(values.mean()), spread, effective, low, high)


def _inside(value: float, spread: float, effective: float, low: float, high: float) -> Interval:
    """The interval of a figure between bounds from its standard error and the effective number of clusters."""
    if spread <= NOTHING * (high - low):
        return value, value
    reach = _t(effective) * spread
    if not low < value < high:
        return max(low, value - reach), min(high, value + reach)
    place = (value - low) / (high - low)
    reach /= (high - low) * place * (1 - place)
    ends = _expit(np.log(place / (1 - place)) + np.array([-reach, reach]))
    return float(low + (high - low) * ends[0]), float(low + (high - low) * ends[1])


def median_interval(values: np.ndarray, clusters: np.ndarray) -> Interval | None:
    """Woodruff's interval of a median of ``values``, shape (num_clips,): the share of clips below it has an
    interval, which the sorted values map to one of the median."""
    middle = np.median(values)
    below = (values < middle) + 0.5 * (values == middle)
    counts = _sums(np.stack([below, np.ones(len(values))], axis=-1), clusters)
    if len(counts) < 2:
        return None
    rest = counts.sum(axis=0) - counts
    spread = _jackknife(rest[:, 0] / rest[:, 1])
    # on the logit scale, whose slope at one half is 4
    share = float(_expit(np.array(4 * _t(_effective(counts[:, 1])) * spread)))
    ordered, number = np.sort(values), len(values)
    first = min(int(number * (1 - share)), (number - 1) // 2)
    return float(ordered[first]), float(ordered[number - 1 - first])


def quotient_difference(
    first: np.ndarray, second: np.ndarray, clusters: np.ndarray, *, link: Link, span: float
) -> Interval | None:
    """Interval of second − first, two figures over the same clips, whose pairs have shape (num_clips, 2); ``span``
    is the largest difference there can be."""
    one, other = _sums(first, clusters), _sums(second, clusters)
    if len(one) < 2:
        return None
    value = float(link(other.sum(axis=0)) - link(one.sum(axis=0)))
    left = link(other.sum(axis=0) - other) - link(one.sum(axis=0) - one)
    return left_out_difference(value, left, one[:, 1] + other[:, 1], span=span)


def left_out_difference(value: float, left: np.ndarray, weights: np.ndarray, *, span: float) -> Interval | None:
    """Interval of a difference of figures that are made in any way; arguments as of ``left_out_interval``, and
    ``span`` is the largest difference there can be."""
    return _around(value, left, _effective(weights), span) if len(left) > 1 else None


def swaps(speakers: int) -> np.ndarray:
    """For which speakers two systems are swapped: bool, shape (num_swaps, speakers). The first row swaps nothing.

    Up to ``EXACT_UP_TO`` speakers these are all swaps, with one of each pair that mirror each other.
    """
    if speakers <= EXACT_UP_TO:
        bits = np.arange(2 ** max(speakers - 1, 0))
        return (bits[:, None] >> np.arange(speakers)) & 1 == 1
    chosen = rng.generator(0, "swaps", speakers).integers(2, size=(SWAPS, speakers)) == 1
    chosen[0] = False
    return chosen


def swapped_quotients(
    first: np.ndarray, second: np.ndarray, clusters: np.ndarray, chosen: np.ndarray, *, link: Link
) -> np.ndarray:
    """second − first of ``quotient_difference`` after each swap, shape (num_swaps,); ``chosen`` are ``swaps`` of
    these speakers, shape (num_swaps, speakers)."""
    one, other = _sums(first, clusters), _sums(second, clusters)
    moved = chosen.astype(float) @ (other - one)
    return link(other.sum(axis=0) - moved) - link(one.sum(axis=0) + moved)


def swapped_signs(differences: np.ndarray, clusters: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """How many more clips gained than lost, as a share, after each swap, shape (num_swaps,): the sign test that
    belongs to a median. A median itself would not do, since it hardly moves while most speakers stay.
    ``differences`` are second − first of each clip, shape (num_clips,)."""
    gained = np.bincount(clusters, np.sign(differences)) / len(differences)
    return np.where(chosen, -1.0, 1.0) @ gained


def p_values(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided p of each figure alone, and corrected over all of them, each of shape (num_figures,). Differences
    are those of each figure after each swap, or what its test looks at instead, shape (num_figures, num_swaps);
    the first is what was found."""
    size = np.abs(differences)
    scale = np.sqrt(np.mean(size**2, axis=1, keepdims=True))
    size = np.divide(size, scale, out=np.zeros_like(size), where=scale > 0)
    reached = size[:, :1] * (1 - 1e-9)
    alone = np.mean(size >= reached, axis=1)
    corrected = np.ones(len(size))
    largest, before = np.zeros(size.shape[1]), []
    order = np.argsort(size[:, 0], kind="stable")
    for index in order:  # the largest over this figure and all that are less clear
        largest = np.maximum(largest, size[index])
        before.append(np.mean(largest >= reached[index]))
    corrected[order[::-1]] = np.maximum.accumulate(before[::-1])
    return alone, corrected


def smallest_p(speakers: int) -> float:
    """The smallest p that a test over so many speakers can give."""
    return 2.0 ** -max(min(speakers, EXACT_UP_TO) - 1, 0)


def _sums(pairs: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Sums of each speaker, shape (speakers, 2)."""
    sums = np.zeros((int(clusters.max()) + 1 if len(clusters) else 0, 2))
    np.add.at(sums, clusters, pairs)
    return sums


def _jackknife(left: np.ndarray) -> float:
    """Standard error from the figures that leave out one speaker each."""
    return float(np.sqrt((len(left) - 1) / len(left) * np.sum((left - left.mean()) ** 2)))


def _effective(weights: np.ndarray) -> float:
    """Kish's effective number of speakers."""
    return float(weights.sum() ** 2 / np.sum(weights**2)) if weights.any() else 1.0


def _t(effective: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(max(effective - 1, 1.0), (1 + LEVEL) / 2))


def _expit(values: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * values))


def _around(value: float, left: np.ndarray, effective: float, span: float) -> Interval:
    """The interval of what has no bounds to be transformed between.

    Hall's correction for skewness may move an end outwards, up to twice as far, and never inwards: of few speakers
    one alone can make it without measure, and most often they show too little of it.
    """
    spread, reach = _jackknife(left), _t(effective)
    if spread <= NOTHING * span:
        return value, value
    skew, ends = _skewness(left), _t(len(left)) * np.array([1.0, -1.0])
    if abs(skew) > 1e-6:
        ends = 3 / skew * (np.cbrt(1 + skew * (ends - skew / 6)) - 1)
    down, up = np.clip([ends[0], -ends[1]], reach, FURTHEST * reach)
    low, high = value - spread * down, value + spread * up
    return max(low, -span), min(high, span)


def _skewness(left: np.ndarray) -> float:
    """Skewness of the mean of what the speakers add, from the figures that leave out one of them each."""
    number, added = len(left), left.mean() - left
    square = np.mean(added**2)
    if number < 3 or square == 0:
        return 0.0
    return float(np.mean(added**3) / square**1.5 * np.sqrt(number - 1) / (number - 2))
