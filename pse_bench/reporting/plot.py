"""Elements of plots: axes with round ticks, and grid, text and tables as elements of SVG and HTML.

A plot of the report is a function from ``PlotData`` to a ``Section``, named in ``report.PLOTS``.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pse_bench.leaderboard.ranking import LEAKAGE, OVER_SUPPRESSION, PAUSE_LEAKAGE
from pse_bench.metrics import Metric
from pse_bench.reporting.html import element, metric_heading
from pse_bench.reporting.plot_style import Style, detailed
from pse_bench.schemas import Summary
from pse_bench.scoring.results import Result
from pse_bench.scoring.summary import Scores

HEADLINE = (OVER_SUPPRESSION, LEAKAGE, PAUSE_LEAKAGE, "TS1.tsos", "TS2.si_sdri", "TS2.wer")
"""The aggregates that are shown first, and over groups of mixtures."""
ROOT_TICKS = (0, 1, 5, 10, 20, 40, 60, 80, 100, 120)
"""Where an axis of square roots has ticks."""


@dataclass(frozen=True)
class PlotData:
    """Results side by side, the scores behind them, and the style of each."""

    results: Sequence[Result]
    scores: Sequence[Scores]
    styles: Sequence[Style]

    @property
    def detailed(self) -> list[tuple[Style, Scores]]:
        """The systems that are shown clip by clip."""
        return [(self.styles[number], self.scores[number]) for number in detailed(self.styles)]


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading: ``link`` is its name in the navigation."""

    id: str
    link: str
    title: str
    body: Markup


# ---- axes


@dataclass(frozen=True)
class Axis:
    """``low`` lies at the pixel ``start``, ``high`` at ``stop``. With ``root``, distances are those of square
    roots, which gives small values room; signs are kept."""

    low: float
    high: float
    start: float
    stop: float
    root: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; of one beyond the axis, its end."""
        inside = min(max(value, self.low), self.high)
        low, high, position = (self._transformed(v) for v in (self.low, self.high, inside))
        return round(self.start + (self.stop - self.start) * (position - low) / (high - low), 1)

    def _transformed(self, value: float) -> float:
        return math.copysign(math.sqrt(abs(value)), value) if self.root else value

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Pixels and labels of round values."""
        if self.root:
            values: Iterable[float] = sorted({*ROOT_TICKS, *(-value for value in ROOT_TICKS)})
            return [(self.at(value), f"{value:g}") for value in values if self.low <= value <= self.high]
        step = round_step(self.high - self.low, most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(self.at(n * step), f"{round(n * step, 9) + 0.0:g}") for n in range(first, last + 1)]


def round_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 5, 10, … that fits at most ``most`` times into a span."""
    exponent = math.floor(math.log10(span / most))
    steps = (factor * 10.0**power for power in range(exponent, exponent + 3) for factor in (1, 2, 5))
    return next(step for step in steps if span / step <= most)


def axis_over(
    values: Iterable[float], start: float, stop: float, *, low: float | None = None, high: float | None = None
) -> Axis:
    """A linear axis over values with a margin, within the bounds that they cannot leave (``low``, ``high``)."""
    found = list(values)
    least, most = min(found, default=0.0), max(found, default=1.0)
    margin = 0.06 * (most - least) or 0.5 * max(abs(most) * 0.1, 1e-3)
    bottom = max(-math.inf if low is None else low, least - margin)
    return Axis(bottom, min(math.inf if high is None else high, most + margin), start, stop)


def metric_axis(metric: Metric, values: Iterable[float], start: float, stop: float) -> Axis:
    """An axis over values of a metric, within its bounds."""
    return axis_over(values, start, stop, low=metric.low, high=metric.high)


def x_grid(axis: Axis, top: float, bottom: float, labels: float) -> Markup:
    """Vertical grid lines between two heights; their labels stand at the height ``labels``."""
    return Markup().join(
        path(f"M{x} {top}V{bottom}", "grid") + text(x, labels, words, "tick", "middle")
        for x, words in axis.ticks()
    )


def y_grid(axis: Axis, left: float, right: float, labels: float) -> Markup:
    """Horizontal grid lines between two sides; their labels end at ``labels``."""
    return Markup().join(
        path(f"M{left} {y}H{right}", "grid") + text(labels, y + 4, words, "tick", "end")
        for y, words in axis.ticks()
    )


# ---- elements


def svg(size: tuple[float, float], *content: str, label: str, kind: str = "plot") -> Markup:
    """A drawing of a width and height, with a text instead of it for those who do not see it."""
    box = f"0 0 {size[0]} {size[1]}"
    return element("svg", *content, class_=kind, viewBox=box, role="img", aria_label=label)


def path(outline: str, kind: str) -> Markup:
    return element("path", class_=kind, d=outline)


def text(x: float, y: float, words: str, kind: str | None = None, anchor: str | None = None) -> Markup:
    return element("text", words, class_=kind, x=x, y=y, text_anchor=anchor)


def titled(words: str, *content: str, kind: str | None = None) -> Markup:
    """Elements that belong together, with words for the pointer."""
    return element("g", element("title", words), *content, class_=kind)


def ends_of(row: Summary, axis: Axis) -> tuple[float, float]:
    """The pixels of the ends of an aggregate's interval; where there is none, of its value."""
    value = row.value or 0.0
    low, high = (value if end is None else end for end in (row.ci_low, row.ci_high))
    return axis.at(low), axis.at(high)


# ---- around the drawings


def section(id: str, link: str, title: str, *body: str) -> Section:
    return Section(id, link, title, Markup().join(body))


def figure(title: str, *content: str) -> Markup:
    return element("figure", element("figcaption", title), *content)


def grid(*figures: str) -> Markup:
    return element("div", *figures, class_="grid-of-plots")


def details(summary: str, *content: str, kind: str = "more", opened: bool = False) -> Markup:
    return element("details", element("summary", summary), *content, class_=kind, open="" if opened else None)


def legend(styles: Iterable[Style]) -> Markup:
    return element("ul", *(element("li", style.swatch, " ", style.name) for style in styles), class_="legend")


def table(label: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """A table that scrolls where the page is too narrow."""
    head = element("thead", element("tr", *(element("th", words) for words in heads)))
    body = element("tbody", *(element("tr", *(element("td", words) for words in row)) for row in rows))
    content = element("table", head, body)
    return element("div", content, class_="scroll", tabindex=0, role="region", aria_label=label)


def metric_title(scenario: str, metric: Metric, *, link: bool = True) -> Markup:
    """A scenario and a metric with its unit and direction."""
    return element("strong", scenario) + " " + metric_heading(metric, metric.name, link=link)
