"""The style of each system on every plot of a page: its name, colour and shape."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pse_bench.leaderboard.leaderboard import CONTROL, REFERENCES
from pse_bench.reporting import tables
from pse_bench.reporting.html import element
from pse_bench.scoring.results import Result

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
    """``colour`` is a class of the style sheet. What is ``hollow`` has an outline only: controls, and the mixture.
    ``trivial`` are the two that do nothing and leave nothing."""

    name: str
    colour: str
    shape: str
    hollow: bool
    reference: bool
    control: bool
    trivial: bool

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


def styles_of(results: Sequence[Result]) -> list[Style]:
    """The style of each result. A control has the colour of its system."""
    found: list[Style] = []
    numbers: dict[str, int] = {}
    for result, name in zip(results, tables.heads(results), strict=True):
        control = result.system.endswith(CONTROL)
        own = result.system.removesuffix(CONTROL)
        if own in REFERENCES:
            hollow = control or own == "mixture"
            trivial = own in ("mixture", "silence")
            found.append(Style(name, "reference", REFERENCE_SHAPES[own], hollow, not control, control, trivial))
            continue
        key = own if control or own not in numbers else name
        number = numbers.setdefault(key, len(numbers))
        shape = SHAPES[(number + number // COLOURS) % len(SHAPES)]
        found.append(Style(name, f"c{number % COLOURS}", shape, control, False, control, False))
    return found


def detailed(styles: Sequence[Style]) -> list[int]:
    """The numbers of those to show clip by clip: the systems, and the mixture that they began with. Controls have
    a section of their own. An oracle and silence would stretch every axis: they are shown where there is nothing
    else."""
    everybody = range(len(styles))
    right = [n for n in everybody if not styles[n].control]
    if any(not styles[n].reference for n in right):
        return [n for n in right if not styles[n].reference or styles[n].hollow]
    return [n for n in right if styles[n].hollow or not styles[n].trivial] or list(everybody)


def audible(styles: Sequence[Style]) -> list[int]:
    """The numbers of those whose failures are worth a sound: the detailed ones, the mixture only when alone."""
    shown = detailed(styles)
    return [n for n in shown if not styles[n].trivial] or shown
