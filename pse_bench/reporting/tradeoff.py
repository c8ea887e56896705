"""The first plot of a report: what a system takes from the target against what it lets through of others."""

from collections.abc import Sequence
from dataclasses import dataclass

from pse_bench.leaderboard import ranking
from pse_bench.leaderboard.leaderboard import CONTROL
from pse_bench.metrics.leakage import CAP_DB, WORST_DB
from pse_bench.reporting import html, plot
from pse_bench.reporting.plot import Axis, PlotData, Section
from pse_bench.reporting.plot_style import Style
from pse_bench.reporting.tables import in_pieces
from pse_bench.schemas import Summary
from pse_bench.scoring.results import Result

LETTER = 7.1
"""Width of a character of a label, in pixels."""
SIZES = {"wide": (860, 500), "half": (540, 470), "narrow": (350, 400)}
LEFT, RIGHT, TOP, BOTTOM = 58, 24, 26, 56

CORNERS = {"mixture": (0.0, 0.0), "silence": (100.0, CAP_DB)}
"""Where doing nothing and silence stand; drawn when no result shows it."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """A system: its two aggregates, and whether no other of its kind is better in both at once."""

    style: Style
    over: Summary
    leak: Summary
    on_front: bool

    @property
    def words(self) -> str:
        over, leak = (" ".join(in_pieces(row)) for row in (self.over, self.leak))
        return f"{self.style.name}: over-suppression {over} %, leakage reduction {leak} dB"


@dataclass(frozen=True)
class Mark:
    """A point in pixels; ``label`` has the place of its name (x, y, and how its text is anchored)."""

    point: Point
    x: float
    y: float
    x_ends: tuple[float, float]
    y_ends: tuple[float, float]
    label: tuple[float, float, str]


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
    front: str
    controls: list[tuple[float, float, float, float]]


def section(data: PlotData) -> Section:
    """All points, the region of the systems where there are two or more, and a table."""
    points = points_of(data.results, data.styles)
    functions = {"x_grid": plot.x_grid, "y_grid": plot.y_grid, "in_pieces": in_pieces}
    given = {"points": points, "pictures": pictures(points), "styles": data.styles, **functions}
    title = "What is taken from the target, and what is let through of others"
    return Section("tradeoff", "Trade-off", title, html.fragment("tradeoff.html", **given))


def points_of(results: Sequence[Result], styles: Sequence[Style]) -> list[Point]:
    """A point for each result that has both aggregates. References have a front of their own, and so have all
    other systems, as on a leaderboard; controls are on none."""
    rows = []
    for result, style in zip(results, styles, strict=True):
        found = {f"{row.scenario}.{row.metric}": row for row in result.summaries if row.value is not None}
        if ranking.OVER_SUPPRESSION in found and ranking.LEAKAGE in found:
            rows.append((style, found[ranking.OVER_SUPPRESSION], found[ranking.LEAKAGE]))
    front: set[str] = set()
    for references in (True, False):
        group = [row for row in rows if not row[0].control and row[0].reference == references]
        values = [
            {ranking.OVER_SUPPRESSION: over.value or 0.0, ranking.LEAKAGE: leak.value or 0.0}
            for _, over, leak in group
        ]
        front |= {row[0].name for row, best in zip(group, ranking.on_front(values), strict=True) if best}
    return [Point(style, over, leak, style.name in front) for style, over, leak in rows]


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
    over = [end for point in points for end in _values(point.over)]
    leak = [end for point in points for end in _values(point.leak)]
    x = Axis(0.0, 100.0, *across, root=True)
    y = Axis(min(0.0, *leak), CAP_DB, *upwards, root=True)
    if near:
        x = plot.axis_over(over, *across, low=0.0, high=100.0)
        y = plot.axis_over(leak, *upwards, low=WORST_DB, high=CAP_DB)
    there = {point.style.name for point in points}
    corners = {
        name: (x.at(over), y.at(leak)) for name, (over, leak) in CORNERS.items() if name not in there and not near
    }
    places = [(x.at(p.over.value or 0.0), y.at(p.leak.value or 0.0)) for p in points]
    crosses = [(plot.ends_of(point.over, x), plot.ends_of(point.leak, y)) for point in points]
    taken = [(left - 9, top - 9, left + 9, top + 9) for left, top in (*places, *corners.values())]
    for (left, top), (beside, above) in zip(places, crosses, strict=True):
        taken += [(beside[0], top - 1, beside[1], top + 1), (left - 1, above[1], left + 1, above[0])]
    marks = []
    for point, (left, top), cross in zip(points, places, crosses, strict=True):
        label, box = _label(left, top, len(point.style.short) * LETTER, taken, (width, height))
        taken.append(box)
        marks.append(Mark(point, left, top, *cross, label))
    return Picture(kind, near, width, height, x, y, marks, corners, _front(marks, x, y), _controls(marks))


def _values(row: Summary) -> list[float]:
    """The value of an aggregate and the ends of its interval."""
    return [value for value in (row.value, row.ci_low, row.ci_high) if value is not None]


def _label(
    x: float, y: float, width: float, taken: Sequence[Box], size: tuple[int, int]
) -> tuple[tuple[float, float, str], Box]:
    """The first place around a point that is free: where the text goes, and the box that it fills."""
    options = [
        (x + 12, y - 6, "start"),
        (x - 12, y - 6, "end"),
        (x + 12, y + 16, "start"),
        (x - 12, y + 16, "end"),
        (x, y - 16, "middle"),
        (x, y + 26, "middle"),
        (x + 12, y - 24, "start"),
        (x - 12, y + 34, "end"),
    ]
    boxes = []
    for left, top, anchor in options:
        begin = left - {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * width
        boxes.append((begin, top - 11, begin + width, top + 3))

    def crowded(box: Box) -> float:
        outside = box[0] < LEFT or box[2] > size[0] - 4 or box[1] < 8 or box[3] > size[1] - BOTTOM
        return sum(_overlap(box, other) for other in taken) + (1e4 if outside else 0.0)

    best = min(range(len(options)), key=lambda number: (crowded(boxes[number]), number))
    return options[best], boxes[best]


def _overlap(one: Box, other: Box) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(across, 0.0) * max(down, 0.0)


def _front(marks: Sequence[Mark], x: Axis, y: Axis) -> str:
    """The edge of everything that the front is better than, as the path of an SVG. References have no edge where
    there are other systems: an oracle and silence would hide it."""
    best = [mark for mark in marks if mark.point.on_front]
    shown = [mark for mark in best if not mark.point.style.reference] or best
    if not shown:
        return ""
    shown.sort(key=lambda mark: (mark.x, -mark.y))
    steps = [f"M{shown[0].x} {y.start}"] + [
        f"V{mark.y}H{after}" for mark, after in zip(shown, [*(mark.x for mark in shown[1:]), x.stop], strict=True)
    ]
    return "".join(steps)


def _controls(marks: Sequence[Mark]) -> list[tuple[float, float, float, float]]:
    """Lines from systems to their controls."""
    by_name = {mark.point.style.name: mark for mark in marks}
    return [
        (own.x, own.y, mark.x, mark.y)
        for name, mark in by_name.items()
        if mark.point.style.control and (own := by_name.get(name.replace(CONTROL, "")))
    ]
