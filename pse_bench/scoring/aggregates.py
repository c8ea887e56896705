"""Aggregates: metrics over the clips of a scenario, as tables show them.

An aggregate is either a function of two sums over clips (mean, share, ratio of sums, energies in dB) or a median.
Both its value and how sure it is follow from that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pse_bench import metrics
from pse_bench.schemas import Score
from pse_bench.scoring import statistics


@dataclass(frozen=True)
class Aggregate:
    """A metric over clips, or one computed from the scores of another, within ``low`` and ``high``.

    Clips enter as pairs of a numerator and a denominator, shape (num_clips, 2); a median is of the numerators.
    """

    metric: metrics.Metric
    low: float
    high: float

    @property
    def is_median(self) -> bool:
        return self.metric.aggregation == "median"

    def pairs(self, scores: Sequence[Score]) -> np.ndarray:
        """Pairs of scores that have a value. Raises ValueError where a detail has no ratio."""
        return np.array([self._pair(score) for score in scores], dtype=float).reshape(-1, 2)

    def _pair(self, score: Score) -> tuple[float, float]:
        aggregation = self.metric.aggregation
        if aggregation in ("ratio", "energies"):
            ratio = metrics.ratio_of(score.detail)
            if aggregation == "ratio" and ratio.denominator <= 0:  # an output's energy may be exactly zero
                raise ValueError(f"no ratio in the detail {score.detail!r} of {score.mixture_id}")
            return ratio.numerator, ratio.denominator
        if aggregation == "share":
            return float(self.metric.compute([getattr(score, self.metric.needs[0])])), 1.0
        return float(score.value or 0.0), 1.0

    def link(self, sums: np.ndarray) -> np.ndarray:
        """The value from the sums of numerators and denominators, shape (..., 2)."""
        above, below = sums[..., 0], sums[..., 1]
        if self.metric.aggregation != "energies":
            return self.metric.scale * above / np.where(below > 0, below, np.nan)
        # held at its bounds, as ``leakage.reduction_db`` does for one clip
        return np.maximum(10 * np.log10(above / np.maximum(below, above * 10 ** (-self.high / 10))), self.low)

    def value(self, pairs: np.ndarray) -> float:
        """The value over clips, in the metric's unit."""
        return float(np.median(pairs[:, 0]) if self.is_median else self.link(pairs.sum(axis=0)))

    def interval(self, pairs: np.ndarray, clusters: np.ndarray) -> statistics.Interval | None:
        """Its interval; ``clusters`` of shape (num_clips,) as ``statistics.clusters_of`` gives them."""
        if self.is_median:
            return statistics.median_interval(pairs[:, 0], clusters)
        # few clips may make up most of pooled energies
        skewed = self.metric.aggregation == "energies"
        return statistics.quotient_interval(
            pairs, clusters, link=self.link, low=self.low, high=self.high, skewed=skewed
        )

    def difference(self, first: np.ndarray, second: np.ndarray) -> float:
        """second − first over the same clips; of a median, the median of the clips' differences."""
        if self.is_median:
            return float(np.median(second[:, 0] - first[:, 0]))
        return self.value(second) - self.value(first)

    def difference_interval(
        self, first: np.ndarray, second: np.ndarray, clusters: np.ndarray
    ) -> statistics.Interval | None:
        """The interval of ``difference``."""
        if self.is_median:
            return statistics.median_interval(second[:, 0] - first[:, 0], clusters)
        span = self.high - self.low
        return statistics.quotient_difference(first, second, clusters, link=self.link, span=span)

    def swapped(
        self, first: np.ndarray, second: np.ndarray, clusters: np.ndarray, chosen: np.ndarray
    ) -> np.ndarray:
        """The statistic of the test after each swap of speakers, shape (num_swaps,): ``difference``, of a median
        its sign."""
        if self.is_median:
            return statistics.swapped_signs(second[:, 0] - first[:, 0], clusters, chosen)
        return statistics.swapped_quotients(first, second, clusters, chosen, link=self.link)


def aggregates_of(metric: metrics.Metric, scenario: str, longest_s: float) -> list[Aggregate]:
    """The lines of a table for a metric in a scenario: its own, then what is computed from its scores.

    ``longest_s`` is the length of the longest clip, which bounds what has no other bound.
    """
    beside = metrics.computed_from(metric.name).values()
    return [
        Aggregate(
            one, low=-longest_s if one.low is None else one.low, high=longest_s if one.high is None else one.high
        )
        for one in (metric, *(other for other in beside if scenario in other.scenarios))
    ]
