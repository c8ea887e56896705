"""What plots share: the style of each system, axes with round ticks, and grid, text and tables as SVG and HTML.

A plot of the report is a function from ``ShownSystem``s to a ``Section``, named in ``report.PLOTS``.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from pse_bench.dataset.groups import round_steps
from pse_bench.leaderboard.leaderboard import CONTROL, REFERENCES
from pse_bench.metrics import Metric
from pse_bench.reporting import tables
from pse_bench.reporting.html import element, metric_heading
from pse_bench.schemas import Summary
from pse_bench.scoring.results import Result
from pse_bench.scoring.summary import Scores

ROOT_TICKS = (0, 1, 5, 10, 20, 40, 60, 80, 100, 120)
"""Where an axis of square roots has ticks."""

# ---- styles

COLOURS = 8
OUTLINES = {
    "circle": "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0Z",
    "triangle": "M0-7L6.6 5H-6.6Z",
    "diamond": "M0-7.6L7.6 0 0 7.6-7.6 0Z",
    "down": "M0 7L6.6-5H-6.6Z",
    "hexagon": "M-7 0L-3.5-6H3.5L7 0 3.5 6H-3.5Z",
    "plus": "M-2.4-7H2.4V-2.4H7V2.4H2.4V7H-2.4V2.4H-7V-2.4H-2.4Z",
    "square": "M-5.6-5.6H5.6V5.6H-5.6Z",
    "star": "M0-8L2.1-2.9 7.6-2.5 3.4 1.1 4.7 6.5 0 3.6-4.7 6.5-3.4 1.1-7.6-2.5-2.1-2.9Z",
}
"""Each shape as a path around 0 0."""
REFERENCE_SHAPES = {"mixture": "square", "silence": "square", "oracle-mask": "star"}
SHAPES = tuple(shape for shape in OUTLINES if shape not in REFERENCE_SHAPES.values())
SHORT = 26
"""Characters of a name that a plot has room for; tables and legends have all of it."""


@dataclass(frozen=True)
class Style:
    """A system on all plots of a page. ``colour`` is a class of the style sheet. What is ``hollow`` has an outline
    only: controls, and the mixture. ``trivial`` are the two that do nothing and leave nothing."""

    name: str
    colour: str
    shape: str
    hollow: bool = False
    reference: bool = False
    control: bool = False
    trivial: bool = False

    @property
    def short(self) -> str:
        if self.control:
            return "wrong enrollment"  # a line ties it to its system
        return self.name if len(self.name) <= SHORT else f"{self.name[: SHORT - 1]}…"

    def mark(self, x: float = 0, y: float = 0, size: float = 1) -> Markup:
        """The shape at a place of a plot."""
        kind = f"shape {self.colour}{' hollow' if self.hollow else ''}"
        place = f"translate({x} {y}) scale({size})"
        return element("path", class_=kind, transform=place, d=OUTLINES[self.shape])

    @property
    def swatch(self) -> Markup:
        """The shape for a legend or a table."""
        box, hidden = "-9 -9 18 18", "true"
        return element("svg", self.mark(), class_="swatch", viewBox=box, width=15, height=15, aria_hidden=hidden)


@dataclass(frozen=True, eq=False)
class ShownSystem:
    """A system on a page: its style, its result, and the scores behind it, read when they are asked for."""

    style: Style
    result: Result

    @cached_property
    def scores(self) -> Scores:
        return self.result.read_scores()


Systems = Sequence[ShownSystem]


def systems_of(results: Sequence[Result]) -> list[ShownSystem]:
    """The system of each result. A control has the colour of its system."""
    found: list[ShownSystem] = []
    numbers: dict[str, int] = {}
    for result, name in zip(results, tables.heads(results), strict=True):
        own = result.system.removesuffix(CONTROL)
        control = own != result.system
        if own in REFERENCES:
            hollow, trivial = control or own == "mixture", own in ("mixture", "silence")
            style = Style(name, "reference", REFERENCE_SHAPES[own], hollow, not control, control, trivial)
        else:
            number = numbers.setdefault(own if control or own not in numbers else name, len(numbers))
            shape = SHAPES[(number + number // COLOURS) % len(SHAPES)]
            style = Style(name, f"c{number % COLOURS}", shape, hollow=control, control=control)
        found.append(ShownSystem(style, result))
    return found


def detailed(systems: Systems) -> Systems:
    """Those to show clip by clip: the systems, and the mixture that they began with. Controls have a section of
    their own. An oracle and silence would stretch every axis: they are shown where there is nothing else."""
    right = [system for system in systems if not system.style.control]
    if any(not system.style.reference for system in right):
        return [system for system in right if not system.style.reference or system.style.hollow]
    return [system for system in right if system.style.hollow or not system.style.trivial] or systems


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
        low, high, position = self.low, self.high, min(max(value, self.low), self.high)
        if self.root:
            low, high, position = (math.copysign(math.sqrt(abs(v)), v) for v in (low, high, position))
        return round(self.start + (self.stop - self.start) * (position - low) / (high - low), 1)

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Pixels and labels of round values."""
        if self.root:
            values = sorted({*ROOT_TICKS, *(-value for value in ROOT_TICKS)})
            return [(self.at(value), f"{value:g}") for value in values if self.low <= value <= self.high]
        span = self.high - self.low
        step = next(step for step in round_steps(span, most) if span / step <= most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(self.at(n * step), f"{round(n * step, 9) + 0.0:g}") for n in range(first, last + 1)]


def axis_over(
    values: Iterable[float], start: float, stop: float, *, low: float | None = None, high: float | None = None
) -> Axis:
    """A linear axis over values with a margin, within the bounds that they cannot leave (``low``, ``high``)."""
    found = list(values)
    least, most = min(found, default=0.0), max(found, default=1.0)
    size = max(abs(most), abs(least), 1e-2)
    # values that differ by rounding alone are one
    margin = 0.06 * (most - least) if most - least > 1e-9 * size else 0.05 * size
    bottom = max(-math.inf if low is None else low, least - margin)
    return Axis(bottom, min(math.inf if high is None else high, most + margin), start, stop)


def x_grid(axis: Axis, top: float, bottom: float, labels: float) -> Markup:
    """Vertical grid lines between two heights; their labels stand at the height ``labels``."""
    found = ((path(f"M{x} {top}V{bottom}", "grid"), x, words) for x, words in axis.ticks())
    return Markup().join(line + text(x, labels, words, "tick", "middle") for line, x, words in found)


def y_grid(axis: Axis, left: float, right: float, labels: float) -> Markup:
    """Horizontal grid lines between two sides; their labels end at ``labels``."""
    found = ((path(f"M{left} {y}H{right}", "grid"), y + 4, words) for y, words in axis.ticks())
    return Markup().join(line + text(labels, y, words, "tick", "end") for line, y, words in found)


def values_of(row: Summary) -> list[float]:
    """The value of an aggregate and the ends of its interval, as far as it has them."""
    return [value for value in (row.value, row.ci_low, row.ci_high) if value is not None]


def ends_of(row: Summary, axis: Axis) -> tuple[float, float]:
    """The pixels of the ends of an aggregate's interval; where there is none, of its value."""
    low, high = ((row.value or 0.0) if end is None else end for end in (row.ci_low, row.ci_high))
    return axis.at(low), axis.at(high)


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


def figure(title: str, *content: str) -> Markup:
    return element("figure", element("figcaption", title), *content)


def grid(*figures: str) -> Markup:
    return element("div", *figures, class_="grid-of-plots")


def details(summary: str, *content: str, kind: str = "more", opened: bool = False) -> Markup:
    return element("details", element("summary", summary), *content, class_=kind, open="" if opened else None)


def captioned(words: str, systems: Systems) -> Markup:
    """The head of a section of plots: a caption and the legend."""
    items = (element("li", one.style.swatch, " ", one.style.name) for one in systems)
    return element("p", words, class_="caption") + element("ul", *items, class_="legend")


def table(label: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """A table that scrolls where the page is too narrow."""
    head = element("thead", element("tr", *(element("th", words) for words in heads)))
    body = element("tbody", *(element("tr", *(element("td", words) for words in row)) for row in rows))
    content = element("table", head, body)
    return element("div", content, class_="scroll", tabindex=0, role="region", aria_label=label)


def metric_title(scenario: str, metric: Metric, *, link: bool = True) -> Markup:
    """A scenario and a metric with its unit and direction."""
    return element("strong", scenario) + " " + metric_heading(metric, metric.name, link=link)
