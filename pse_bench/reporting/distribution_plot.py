"""How the clips of each system are spread over a metric: a histogram and quartiles a system, on one axis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pse_bench import metrics
from pse_bench.reporting.axis import Scale, scale_over
from pse_bench.reporting.plot_style import Look, in_detail
from pse_bench.scoring.summary import Scores

WIDTH, ROW, TOP, BOTTOM = 340, 52, 0, 30
BINS = 32


@dataclass(frozen=True)
class Row:
    """One system: the outline of its histogram as an SVG path, the box of its quartiles, its median, its ends, and
    all of that in words."""

    look: Look
    base: float
    outline: str
    quartiles: tuple[float, float]
    median: float
    ends: tuple[float, float]
    words: str


@dataclass(frozen=True)
class Spread:
    """A metric in a scenario."""

    scenario: str
    metric: str
    unit: str
    higher_is_better: bool
    width: int
    height: int
    axis: Scale
    rows: list[Row]


def spreads(scores: Sequence[Scores], looks: Sequence[Look]) -> list[Spread]:
    """One for each scenario and metric that any system shown in detail has, in the order of tables."""
    shown = in_detail(looks)
    keys = list(dict.fromkeys(key for n in shown for key in _in_order(scores[n].cells)))
    return [found for key in keys if (found := _spread(key, [(looks[n], scores[n]) for n in shown]))]


def _in_order(cells: Mapping[tuple[str, str], object]) -> list[tuple[str, str]]:
    names = list(metrics.ALL_METRICS)  # those from outside come last
    return sorted(cells, key=lambda key: (key[0], names.index(key[1]) if key[1] in names else len(names)))


def _spread(key: tuple[str, str], tables: Sequence[tuple[Look, Scores]]) -> Spread | None:
    metric = next(table.known[key[1]] for _, table in tables if key[1] in table.known)
    values = [
        (look, np.array([score.value for score in table.cells.get(key, []) if score.value is not None]))
        for look, table in tables
    ]
    values = [(look, found) for look, found in values if len(found)]
    if not values:
        return None
    low = -np.inf if metric.low is None else metric.low
    high = np.inf if metric.high is None else metric.high
    axis = scale_over(np.concatenate([found for _, found in values]), 10, WIDTH - 10, low=low, high=high)
    rows = [_row(look, found, axis, TOP + ROW * (n + 1), metric.unit) for n, (look, found) in enumerate(values)]
    height = TOP + ROW * len(rows) + BOTTOM
    return Spread(*key, metric.unit, metric.higher_is_better, WIDTH, height, axis, rows)


def _row(look: Look, values: np.ndarray, axis: Scale, base: float, unit: str) -> Row:
    counts, edges = np.histogram(values, BINS, (axis.low, axis.high))
    heights = (ROW - 30) * counts / counts.max()
    places = [axis.at(edge) for edge in edges]
    steps = "".join(f"V{base - h:.1f}H{after}" for h, after in zip(heights, places[1:], strict=True))
    least, first, middle, third, most = np.percentile(values, [0, 25, 50, 75, 100])
    words = (
        f"{look.name}: median {middle:.3g}{f' {unit}' if unit else ''}, half of the clips between {first:.3g} and "
        f"{third:.3g}, all between {least:.3g} and {most:.3g}; {len(values)} clips"
    )
    return Row(
        look,
        base,
        f"M{places[0]} {base}{steps}V{base}Z",
        (axis.at(first), axis.at(third)),
        axis.at(middle),
        (axis.at(least), axis.at(most)),
        words,
    )
