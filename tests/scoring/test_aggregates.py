"""Figures as tables compute them, from sums or medians, are those that the metrics define."""

import numpy as np
import pytest

from pse_bench import metrics
from pse_bench.schemas import Score
from pse_bench.scoring.summary import aggregates_of


def scores(metric: metrics.Metric, count: int) -> list[Score]:
    """Clips with energies or counts of their own, some at the bounds."""
    chance = np.random.default_rng(1)
    found = []
    for number in range(count):
        above = float(chance.gamma(2.0)) if metric.in_db else int(chance.integers(0, 40))
        below = float(chance.choice([0.0, chance.gamma(1.0)])) if metric.in_db else 40
        ratio = metrics.Ratio(above, below)
        value = metric.value_of(ratio)
        found.append(
            Score(
                mixture_id=f"m{number}",
                scenario=metric.scenarios[0],
                metric=metric.name,
                value=value,
                status="ok",
                detail=str(ratio),
            )
        )
    return found


@pytest.mark.parametrize("name", ["tsos", "tsos_s_per_30min", "leaky_frames", "leakage_reduction_db"])
def test_a_figure_is_what_its_metric_says(name: str) -> None:
    metric = metrics.METRICS[name]
    found = scores(metric, 9)
    own, *derived = aggregates_of(metric, metric.scenarios[0], 3.0)
    if metric.aggregation == "ratio":
        total = sum((metrics.ratio_of(score.detail) for score in found), start=metrics.Ratio(0, 0))
        expected = metric.value_of(total)
    else:
        expected = np.mean([score.value for score in found])
    assert own.value(own.pairs(found)) == pytest.approx(expected)
    assert [one.metric for one in derived] == list(metrics.computed_from(name).values())
    for one in derived:
        items = [getattr(score, one.metric.needs[0]) for score in found]
        assert one.value(one.pairs(found)) == pytest.approx(one.metric.compute(items)), one.metric.name


def test_what_the_length_of_a_clip_bounds() -> None:
    (own,) = aggregates_of(metrics.METRICS["tsos_longest_s"], "TS1", 7.5)
    assert (own.low, own.high) == (0.0, 7.5)


def test_all_zeros_pool_to_the_cap() -> None:
    pooled = aggregates_of(metrics.METRICS["leakage_reduction_db"], "TS3", 3.0)[1]
    assert pooled.value(np.array([[1.5, 0.0], [2.5, 0.0]])) == 120.0
    assert pooled.interval(np.array([[1.5, 0.0], [2.5, 0.0]]), np.array([0, 1])) == (120.0, 120.0)
