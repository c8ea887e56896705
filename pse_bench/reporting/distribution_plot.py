"""How the clips of each system are distributed over a metric: a histogram and quartiles a system, on one axis."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from pse_bench.metrics import ALL_METRICS, Metric
from pse_bench.reporting import plot
from pse_bench.reporting.html import element
from pse_bench.reporting.plot import Axis, PlotData, Section
from pse_bench.reporting.plot_style import Style

WIDTH, ROW, BOTTOM = 340, 52, 30
BINS = 32


def section(data: PlotData) -> Section:
    """A plot for each scenario and metric that any system shown in detail has, the headline ones first."""
    styles = [style for style, _ in data.detailed]
    found = plots(data)
    first = [found.pop(name) for name in plot.HEADLINE if name in found]
    hidden = [style.name for style in data.styles if style not in styles]
    words = (
        "A histogram over clips for each system, with its median (line) and the middle half of the clips (bar). A "
        "failed clip counts with the worst value."
        + (f" Not shown here and below: {', '.join(hidden)}; the tables have them." if hidden else "")
    )
    more = plot.details("All other metrics", plot.grid(*found.values())) if found else ""
    body = (element("p", words, class_="caption"), plot.legend(styles), plot.grid(*first), more)
    return plot.section("distributions", "Distributions", "How clips are spread", *body)


def plots(data: PlotData) -> dict[str, Markup]:
    """The figures by scenario and metric, in the order of tables."""
    order = {name: number for number, name in enumerate(ALL_METRICS)}  # those from outside come last
    keys: dict[tuple[str, str], None] = {}
    known: dict[str, Metric] = {}
    for _, scores in data.detailed:
        keys |= dict.fromkeys(sorted(scores.cells, key=lambda key: (key[0], order.get(key[1], len(order)))))
        known = {**scores.known, **known}
    found = {}
    for key in keys:
        values = [
            (style, np.array([score.value for score in scores.cells.get(key, []) if score.value is not None]))
            for style, scores in data.detailed
        ]
        if values := [(style, own) for style, own in values if len(own)]:
            found[".".join(key)] = _figure(key[0], known[key[1]], values)
    return found


def _figure(scenario: str, metric: Metric, values: Sequence[tuple[Style, np.ndarray]]) -> Markup:
    axis = plot.metric_axis(metric, np.concatenate([own for _, own in values]), 10, WIDTH - 10)
    height = ROW * len(values) + BOTTOM
    rows = [_row(style, own, axis, ROW * number, metric.unit) for number, (style, own) in enumerate(values, 1)]
    label = f"{scenario} {metric.name}. {''.join(f'{words}. ' for words, _ in rows)}"
    drawn = plot.svg(
        (WIDTH, height), plot.x_grid(axis, 4, height - 22, height - 6), *(row for _, row in rows), label=label
    )
    return plot.figure(plot.metric_title(scenario, metric), drawn)


def _row(style: Style, values: np.ndarray, axis: Axis, base: float, unit: str) -> tuple[str, Markup]:
    """One system in words and drawn above and below the height ``base``."""
    counts, edges = np.histogram(values, BINS, (axis.low, axis.high))
    heights = (ROW - 30) * counts / counts.max()
    places = [axis.at(edge) for edge in edges]
    steps = "".join(f"V{base - h:.1f}H{after}" for h, after in zip(heights, places[1:], strict=True))
    ends = np.percentile(values, [0, 25, 50, 75, 100])
    least, first, middle, third, most = ends
    words = (
        f"{style.name}: median {middle:.3g}{f' {unit}' if unit else ''}, half of the clips between {first:.3g} "
        f"and {third:.3g}, all between {least:.3g} and {most:.3g}; {len(values)} clips"
    )
    least, first, middle, third, most = (axis.at(value) for value in ends)
    box = {"x": first, "y": base + 3, "width": max(third - first, 1), "height": 6}
    return words, plot.titled(
        words,
        plot.path(f"M{places[0]} {base}{steps}V{base}Z", "outline"),
        plot.path(f"M{least} {base + 6}H{most}", "ends"),
        element("rect", class_="quartiles", **box),
        plot.path(f"M{middle} {base - 20}V{base + 11}", "median"),
        plot.text(10, base - 27, style.short, "rowname"),
        kind=style.colour,
    )
