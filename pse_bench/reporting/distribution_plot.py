"""How the clips of each system are distributed over a metric: a histogram and quartiles a system, on one axis."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from pse_bench.metrics import REGISTRY, Metric
from pse_bench.reporting import plot
from pse_bench.reporting.html import element
from pse_bench.reporting.plot import Axis, Section, Style, Systems
from pse_bench.scoring.figures import headline

WIDTH, ROW, BOTTOM = 340, 52, 30
BINS = 32


def section(systems: Systems) -> Section:
    """A plot for each scenario and metric that any system shown in detail has, the headline ones first."""
    shown = plot.detailed(systems)
    found = plots(shown)
    first = [found.pop(name) for name in headline(list(found))]
    hidden = [system.style.name for system in systems if system not in shown]
    words = (
        "A histogram over clips for each system, with its median (line) and the middle half of the clips (bar). A "
        "failed clip counts with the worst value."
        + (f" Not shown here and below: {', '.join(hidden)}; the tables have them." if hidden else "")
    )
    more = plot.details("All other metrics", plot.grid(*found.values())) if found else Markup()
    body = plot.captioned(words, shown) + plot.grid(*first) + more
    return Section("distributions", "Distributions", "How clips are spread", body)


def plots(systems: Systems) -> dict[str, Markup]:
    """The figures by scenario and metric, in the order of tables."""
    order = {name: number for number, name in enumerate(REGISTRY)}  # those from outside come last
    keys: dict[tuple[str, str], None] = {}
    known: dict[str, Metric] = dict(REGISTRY)
    for scores in (system.scores for system in systems):
        keys |= dict.fromkeys(sorted(scores.figures, key=lambda key: (key[0], order.get(key[1], len(order)))))
        known = {**scores.known, **known}
    found = {}
    for key in keys:
        cells = [(system.style, system.scores.figures.get(key, [])) for system in systems]
        values = [(style, np.array([s.value for s in own if s.value is not None])) for style, own in cells]
        if values := [(style, own) for style, own in values if len(own)]:
            found[".".join(key)] = _figure(key[0], known[key[1]], values)
    return found


def _figure(scenario: str, metric: Metric, values: Sequence[tuple[Style, np.ndarray]]) -> Markup:
    everything = np.concatenate([own for _, own in values])
    axis = plot.axis_over(everything, 10, WIDTH - 10, low=metric.low, high=metric.high)
    height = ROW * len(values) + BOTTOM
    rows = [_row(style, own, axis, ROW * number, metric.unit) for number, (style, own) in enumerate(values, 1)]
    label = f"{scenario} {metric.name}. {''.join(f'{words}. ' for words, _ in rows)}"
    ticks = plot.x_grid(axis, 4, height - 22, height - 6)
    drawn = plot.svg((WIDTH, height), ticks, *(row for _, row in rows), label=label)
    return plot.figure(plot.metric_title(scenario, metric), drawn)


def _row(style: Style, values: np.ndarray, axis: Axis, base: float, unit: str) -> tuple[str, Markup]:
    """One system in words and drawn above and below the height ``base``."""
    counts, edges = np.histogram(values, BINS, (axis.low, axis.high))
    heights = (ROW - 30) * counts / counts.max()
    places = [axis.at(edge) for edge in edges]
    steps = "".join(f"V{base - h:.1f}H{after}" for h, after in zip(heights, places[1:], strict=True))
    ends = np.percentile(values, [0, 25, 50, 75, 100])
    least, first, middle, third, most = (f"{value:.3g}" for value in ends)
    words = (
        f"{style.name}: median {middle}{f' {unit}' if unit else ''}, half of the clips between {first} and "
        f"{third}, all between {least} and {most}; {len(values)} clips"
    )
    low, left, median, right, high = (axis.at(value) for value in ends)
    return words, plot.titled(
        words,
        plot.path(f"M{places[0]} {base}{steps}V{base}Z", "outline"),
        plot.path(f"M{low} {base + 6}H{high}", "ends"),
        element("rect", class_="quartiles", x=left, y=base + 3, width=max(right - left, 1), height=6),
        plot.path(f"M{median} {base - 20}V{base + 11}", "median"),
        plot.text(10, base - 27, style.short, "rowname"),
        kind=style.colour,
    )
