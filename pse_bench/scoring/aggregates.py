"""What a table shows: the metrics and the figures derived from them, as one kind of thing.

A figure is either a function of two sums over clips (mean, share, ratio of sums, energies in dB) or a median. Both
its value and how sure it is follow from that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from pse_bench import metrics
from pse_bench.schemas import Score
from pse_bench.scoring import statistics

Pair = tuple[float, float]


@dataclass(frozen=True)
class Figure:
    """A line of a table as data: the fields of ``metrics.Metric`` that a reader needs, and how it is computed.

    Attributes:
        aggregation: in words.
        low, high: what the figure cannot leave.
        form: of two sums, or a median of the numerators.
        pair_of: a score's numerator and denominator; ValueError where its detail has none.
        link: the figure from the sums of numerators and denominators, shape (..., 2).
        compared: systems may differ by it.
        skewed: few clips may make up most of it.
    """

    name: str
    unit: str
    higher_is_better: bool
    aggregation: str
    low: float
    high: float
    resolution: metrics.Resolution
    form: Literal["quotient", "median"]
    pair_of: Callable[[Score], Pair]
    link: statistics.Link
    compared: bool = True
    skewed: bool = False

    def value(self, pairs: np.ndarray) -> float:
        """The figure over clips whose pairs have shape (num_clips, 2)."""
        if self.form == "median":
            return float(np.median(pairs[:, 0]))
        return float(self.link(pairs.sum(axis=0)))

    def interval(self, pairs: np.ndarray, clusters: np.ndarray) -> statistics.Interval | None:
        """Its interval; ``clusters`` of shape (num_clips,) as ``statistics.clusters_of`` gives them."""
        if self.form == "median":
            return statistics.median_interval(pairs[:, 0], clusters)
        return statistics.quotient_interval(
            pairs, clusters, link=self.link, low=self.low, high=self.high, skewed=self.skewed
        )

    def difference(self, first: np.ndarray, second: np.ndarray) -> float:
        """second − first over the same clips; of a median, the median of the clips' differences."""
        if self.form == "median":
            return float(np.median(second[:, 0] - first[:, 0]))
        return self.value(second) - self.value(first)

    def difference_interval(
        self, first: np.ndarray, second: np.ndarray, clusters: np.ndarray
    ) -> statistics.Interval | None:
        """The interval of ``difference``."""
        if self.form == "median":
            return statistics.median_interval(second[:, 0] - first[:, 0], clusters)
        span = self.high - self.low
        return statistics.quotient_difference(first, second, clusters, link=self.link, span=span)

    def swapped(
        self, first: np.ndarray, second: np.ndarray, clusters: np.ndarray, chosen: np.ndarray
    ) -> np.ndarray:
        """What a test looks at after each swap of speakers, shape (num_swaps,): ``difference``, or its sign."""
        if self.form == "median":
            return statistics.swapped_signs(second[:, 0] - first[:, 0], clusters, chosen)
        return statistics.swapped_quotients(first, second, clusters, chosen, link=self.link)


def figures_of(metric: metrics.Metric, scenario: str, longest_s: float) -> list[Figure]:
    """What a table shows of a metric in a scenario: itself, then what is derived from it.

    ``longest_s`` is the length of the longest clip, which bounds what has no other bound.
    """
    ratio = metric.aggregation == "ratio"
    own = Figure(
        name=metric.name,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        aggregation="ratio of sums over clips" if ratio else "mean over clips",
        low=metric.low if metric.low is not None else -longest_s,
        high=metric.high if metric.high is not None else longest_s,
        resolution=metric.resolution,
        form="quotient",
        pair_of=_ratio if ratio else _value,
        link=partial(_scaled, scale=metric.scale),
    )
    return [own, *(_derived(d) for d in metrics.DERIVED if d.metric == metric.name and scenario in d.scenarios)]


def _derived(derived: metrics.Derived) -> Figure:
    def clipwise(score: Score) -> Pair:
        return derived.compute([getattr(score, derived.takes)]), 1.0

    return Figure(
        name=derived.name,
        unit=derived.unit,
        higher_is_better=derived.higher_is_better,
        aggregation=derived.aggregation,
        low=derived.low,
        high=derived.high,
        resolution=derived.resolution,
        form="median" if derived.form == "median" else "quotient",
        pair_of={"mean": clipwise, "energies": _energies, "median": _value}[derived.form],
        link=partial(_decibels, low=derived.low, high=derived.high)
        if derived.form == "energies"
        else partial(_scaled, scale=1.0),
        compared=derived.compared,
        skewed=derived.form == "energies",
    )


def pairs_of(figure: Figure, scores: Sequence[Score]) -> np.ndarray:
    """Pairs of scores that have a value, shape (num_scores, 2). Raises ValueError where a detail has no ratio."""
    return np.array([figure.pair_of(score) for score in scores], dtype=float).reshape(-1, 2)


def _value(score: Score) -> Pair:
    return float(score.value or 0.0), 1.0


def _ratio(score: Score) -> Pair:
    ratio = metrics.ratio_of(score.detail)
    if ratio.denominator <= 0:
        raise ValueError(f"no ratio in the detail {score.detail!r} of {score.mixture_id}")
    return ratio.numerator, ratio.denominator


def _energies(score: Score) -> Pair:
    ratio = metrics.ratio_of(score.detail)  # the output's may be exactly zero
    return ratio.numerator, ratio.denominator


def _scaled(sums: np.ndarray, scale: float) -> np.ndarray:
    return scale * sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], np.nan)


def _decibels(sums: np.ndarray, low: float, high: float) -> np.ndarray:
    """10 log10 of the quotient, held at its bounds, as ``leakage.reduction_db`` does for one."""
    least = sums[..., 0] * 10 ** (-high / 10)
    return np.maximum(10 * np.log10(sums[..., 0] / np.maximum(sums[..., 1], least)), low)
