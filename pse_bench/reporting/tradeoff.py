"""The first plot of a report: what a system takes from the target against what it lets through of others."""

from collections.abc import Sequence
from dataclasses import dataclass

from pse_bench.leaderboard import ranking
from pse_bench.leaderboard.leaderboard import CONTROL
from pse_bench.leaderboard.ranking import LEAKAGE, OVER_SUPPRESSION
from pse_bench.metrics.leakage import CAP_DB
from pse_bench.reporting import html, labels, plot
from pse_bench.reporting.labels import Label
from pse_bench.reporting.plot import Axis, Section, Style, Systems
from pse_bench.reporting.tables import in_pieces
from pse_bench.schemas import Summary
from pse_bench.scoring.figures import name_of

LETTER, CAPITAL = 7.1, 8.8
"""Width of a character of a label, in pixels."""
SIZES = {"wide": (860, 500), "half": (540, 470), "narrow": (350, 400)}
LEFT, RIGHT, TOP, BOTTOM = 58, 24, 26, 56

NET, PLAIN = "TS3.net_leakage_reduction_db", "TS3.leakage_reduction_db"
"""What is upwards; the second where no result has the first, as of earlier versions."""
TOP_DB = 60.0
"""Of the whole plot: an output that nobody hears lies so far below speech at the usual level."""

CORNERS = {NET: {"mixture": (0.0, 0.0), "silence": (100.0, 0.0)}}
CORNERS[PLAIN] = CORNERS[NET] | {"silence": (100.0, CAP_DB)}
"""Where doing nothing and silence stand; drawn when no result shows it."""

NAMES = {NET: "net leakage reduction", PLAIN: "leakage reduction"}


@dataclass(frozen=True)
class Point:
    """A system: its two aggregates, and whether no other of its kind is better in both at once."""

    style: Style
    over: Summary
    leak: Summary
    on_front: bool

    @property
    def upwards(self) -> str:
        """The figure upwards."""
        return name_of(self.leak)

    @property
    def words(self) -> str:
        over, leak = (" ".join(in_pieces(row)) for row in (self.over, self.leak))
        return f"{self.style.name}: over-suppression {over} %, {NAMES[self.upwards]} {leak} dB"


@dataclass(frozen=True)
class Mark:
    """A point in pixels, and where its name stands."""

    point: Point
    x: float
    y: float
    x_ends: tuple[float, float]
    y_ends: tuple[float, float]
    label: Label


@dataclass(frozen=True)
class Picture:
    """All elements of the plot, in pixels. With ``near`` the axes end where the systems do."""

    kind: str
    near: bool
    width: int
    height: int
    x: Axis
    y: Axis
    marks: list[Mark]
    corners: dict[str, tuple[float, float]]

    @property
    def front(self) -> str:
        """The edge of everything that the front is better than, as the path of an SVG. References have no edge
        where there are other systems: an oracle and silence would hide it."""
        best = [mark for mark in self.marks if mark.point.on_front]
        shown = [mark for mark in best if not mark.point.style.reference] or best
        shown.sort(key=lambda mark: (mark.x, -mark.y))
        ends = [*(mark.x for mark in shown[1:]), self.x.stop]
        steps = [f"V{mark.y}H{end}" for mark, end in zip(shown, ends, strict=False)]
        return f"M{shown[0].x} {self.y.start}{''.join(steps)}" if shown else ""

    @property
    def controls(self) -> list[tuple[float, float, float, float]]:
        """Lines from systems to their controls."""
        by_name = {mark.point.style.name: mark for mark in self.marks}
        pairs = [(by_name.get(mark.point.style.name.replace(CONTROL, "")), mark) for mark in self.marks]
        return [(own.x, own.y, mark.x, mark.y) for own, mark in pairs if own and mark.point.style.control]


def section(systems: Systems) -> Section:
    """All points, the region of the systems where there are two or more, and a table."""
    points, styles = points_of(systems), [system.style for system in systems]
    functions = {"x_grid": plot.x_grid, "y_grid": plot.y_grid, "in_pieces": in_pieces}
    upwards = points[0].upwards if points else NET
    words = {"upwards": NAMES[upwards], "metric": upwards.removeprefix("TS3."), "is_net": upwards == NET}
    given = {**words, "points": points, "pictures": pictures(points), "styles": styles, **functions}
    title = "What is taken from the target, and what is let through of others"
    return Section("tradeoff", "Trade-off", title, html.render("tradeoff.html", **given))


def points_of(systems: Systems) -> list[Point]:
    """A point for each result that has both aggregates, net where any has it. References have a front of their
    own, and so have all other systems, as on a leaderboard; controls are on none."""
    every = [(system.style, system.result.summaries) for system in systems]
    found = [(style, {name_of(row): row for row in rows if row.value is not None}) for style, rows in every]
    leakage = NET if any(NET in there for _, there in found) else PLAIN
    rows = [
        (style, there[OVER_SUPPRESSION], there[leakage])
        for style, there in found
        if OVER_SUPPRESSION in there and leakage in there
    ]
    ranked = [row for row in rows if not row[0].control]
    figures = [{OVER_SUPPRESSION: over.value or 0.0, LEAKAGE: leak.value or 0.0} for _, over, leak in ranked]
    marks = ranking.on_front(figures, [style.reference for style, _, _ in ranked])
    front = {style.name for (style, _, _), best in zip(ranked, marks, strict=True) if best}
    return [Point(*row, row[0].name in front) for row in rows]


def pictures(points: Sequence[Point]) -> list[Picture]:
    """The whole plot, with its corners, and where there are two systems or more to tell apart, the part of it
    where they are; each for a page and for a phone."""
    if not points:
        return []
    close = [point for point in points if not point.style.reference]
    whole = [_picture(points, kind, near=False) for kind in ("half" if len(close) > 1 else "wide", "narrow")]
    return whole + [_picture(close, kind, near=True) for kind in ("half", "narrow") if len(close) > 1]


def _picture(points: Sequence[Point], kind: str, *, near: bool) -> Picture:
    width, height = SIZES[kind]
    across, upwards = (LEFT, width - RIGHT), (height - BOTTOM, TOP)
    over = [end for point in points for end in plot.values_of(point.over)]
    leak = [end for point in points for end in plot.values_of(point.leak)]
    x = Axis(0.0, 100.0, *across, root=True)
    y = Axis(min(0.0, *leak), max(TOP_DB, *leak), *upwards, root=True)
    if near:
        x = plot.axis_over(over, *across, low=0.0, high=100.0)
        y = plot.axis_over(leak, *upwards, low=min(0.0, *leak), high=CAP_DB)
    there = {point.style.name for point in points}
    corners = {
        name: (x.at(a), y.at(b))
        for name, (a, b) in CORNERS[points[0].upwards].items()
        if name not in there and not near
    }
    places = [(x.at(p.over.value or 0.0), y.at(p.leak.value or 0.0)) for p in points]
    crosses = [(plot.ends_of(point.over, x), plot.ends_of(point.leak, y)) for point in points]
    taken = [(left - 9, top - 9, left + 9, top + 9) for left, top in (*places, *corners.values())]
    for (left, top), (beside, above) in zip(places, crosses, strict=True):
        taken += [(beside[0], top - 1, beside[1], top + 1), (left - 1, above[1], left + 1, above[0])]
    taken.append((across[0] + 8, upwards[1] + 8, across[0] + 92, upwards[1] + 50))  # where it says what is better
    # references last: boards hide them
    order = sorted(range(len(points)), key=lambda number: points[number].style.reference)
    found = labels.placed(
        [places[number] for number in order],
        [_width(points[number].style.short) for number in order],
        taken,
        (LEFT, 8.0, width - 4.0, float(height - BOTTOM)),
    )
    named = dict(zip(order, found, strict=True))
    each = zip(points, places, crosses, strict=True)
    marks = [Mark(point, *place, *cross, named[number]) for number, (point, place, cross) in enumerate(each)]
    return Picture(kind, near, width, height, x, y, marks, corners)


def _width(name: str) -> float:
    return sum(CAPITAL if letter.isupper() else LETTER for letter in name)
