"""The first picture of a report: what a system takes from the target against what it lets through of others."""

from collections.abc import Sequence
from dataclasses import dataclass

from pse_bench.leaderboard import ranking
from pse_bench.leaderboard.leaderboard import CONTROL
from pse_bench.metrics.leakage import CAP_DB, WORST_DB
from pse_bench.reporting.axis import Scale, scale_over
from pse_bench.reporting.plot_style import Look
from pse_bench.schemas import Summary
from pse_bench.scoring.results import Result

LETTER = 7.1
"""Width of a character of a label, in pixels."""
SIZES = {"wide": (860, 500), "half": (540, 470), "narrow": (350, 400)}
LEFT, RIGHT, TOP, BOTTOM = 58, 24, 26, 56

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """A system: its two figures, and whether no other of its kind is better in both at once."""

    look: Look
    over: Summary
    leak: Summary
    on_front: bool


@dataclass(frozen=True)
class Mark:
    """A point in pixels; ``label`` has the place of its name (x, y, and how text is anchored there)."""

    point: Point
    x: float
    y: float
    x_ends: tuple[float, float]
    y_ends: tuple[float, float]
    label: tuple[float, float, str]


@dataclass(frozen=True)
class Corner:
    """Where doing nothing or silence would stand, when no result shows it."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    """Everything that is drawn, in pixels. ``near`` is the part of the plot where systems are."""

    kind: str
    near: bool
    width: int
    height: int
    x: Scale
    y: Scale
    marks: list[Mark]
    corners: list[Corner]
    front: str
    controls: list[tuple[float, float, float, float]]


def points_of(results: Sequence[Result], looks: Sequence[Look]) -> list[Point]:
    """A point for each result that has both figures. The front is that of references among themselves and of all
    other systems among themselves, as on a leaderboard; controls are on none."""
    rows = []
    for result, look in zip(results, looks, strict=True):
        found = {f"{row.scenario}.{row.metric}": row for row in result.summaries if row.value is not None}
        if ranking.OVER_SUPPRESSION in found and ranking.LEAKAGE in found:
            rows.append((look, found[ranking.OVER_SUPPRESSION], found[ranking.LEAKAGE]))
    front: set[str] = set()
    for references in (True, False):
        group = [row for row in rows if not row[0].control and row[0].reference == references]
        figures = [
            {ranking.OVER_SUPPRESSION: over.value or 0.0, ranking.LEAKAGE: leak.value or 0.0}
            for _, over, leak in group
        ]
        front |= {row[0].name for row, best in zip(group, ranking.on_front(figures), strict=True) if best}
    return [Point(look, over, leak, look.name in front) for look, over, leak in rows]


def pictures(points: Sequence[Point]) -> list[Picture]:
    """The whole plot, with its corners, and where there are two systems or more to tell apart, the part of it
    where they are; each for a page and for a phone."""
    if not points:
        return []
    close = [point for point in points if not point.look.reference]
    whole = [_picture(points, kind, near=False) for kind in ("half" if len(close) > 1 else "wide", "narrow")]
    return whole + [_picture(close, kind, near=True) for kind in ("half", "narrow") if len(close) > 1]


def _picture(points: Sequence[Point], kind: str, *, near: bool) -> Picture:
    width, height = SIZES[kind]
    over = [_end(p.over, end) for p in points for end in ("value", "ci_low", "ci_high")]
    leak = [_end(p.leak, end) for p in points for end in ("value", "ci_low", "ci_high")]
    across, upwards = (LEFT, width - RIGHT), (height - BOTTOM, TOP)
    x = Scale(0.0, 100.0, *across, root=True)
    y = Scale(min(0.0, *leak), CAP_DB, *upwards, root=True)
    if near:
        x = scale_over(over, *across, low=0.0, high=100.0)
        y = scale_over(leak, *upwards, low=WORST_DB, high=CAP_DB)
    places = [(x.at(p.over.value or 0.0), y.at(p.leak.value or 0.0)) for p in points]
    there = {p.look.name for p in points}
    corners = [
        Corner(name, x.at(over), y.at(leak))
        for name, over, leak in (("mixture", 0.0, 0.0), ("silence", 100.0, CAP_DB))
        if name not in there and not near
    ]
    crosses = [
        (
            (x.at(_end(point.over, "ci_low")), x.at(_end(point.over, "ci_high"))),
            (y.at(_end(point.leak, "ci_low")), y.at(_end(point.leak, "ci_high"))),
        )
        for point in points
    ]
    taken = [_around(*place) for place in (*places, *((c.x, c.y) for c in corners))]
    for (left, top), (beside, above) in zip(places, crosses, strict=True):
        taken += [(beside[0], top - 1, beside[1], top + 1), (left - 1, above[1], left + 1, above[0])]
    marks = []
    for point, (left, top), cross in zip(points, places, crosses, strict=True):
        label, box = _label(left, top, len(point.look.short) * LETTER, taken, (width, height))
        taken.append(box)
        marks.append(Mark(point, left, top, *cross, label))
    return Picture(kind, near, width, height, x, y, marks, corners, _front(marks, x, y), _controls(marks))


def _end(row: Summary, end: str) -> float:
    value = getattr(row, end)
    return value if value is not None else row.value or 0.0


def _around(x: float, y: float) -> Box:
    return x - 9, y - 9, x + 9, y + 9


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
        return sum(map(lambda other: _overlap(box, other), taken)) + (1e4 if outside else 0.0)

    best = min(range(len(options)), key=lambda number: (crowded(boxes[number]), number))
    return options[best], boxes[best]


def _overlap(one: Box, other: Box) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(across, 0.0) * max(down, 0.0)


def _front(marks: Sequence[Mark], x: Scale, y: Scale) -> str:
    """The edge of everything that the front is better than, as the path of an SVG. References have no edge where
    there are other systems: an oracle and silence would hide it."""
    best = [mark for mark in marks if mark.point.on_front]
    shown = [mark for mark in best if not mark.point.look.reference] or best
    if not shown:
        return ""
    shown.sort(key=lambda mark: (mark.x, -mark.y))
    steps = [f"M{shown[0].x} {y.start}"] + [
        f"V{mark.y}H{after}" for mark, after in zip(shown, [*(mark.x for mark in shown[1:]), x.stop], strict=True)
    ]
    return "".join(steps)


def _controls(marks: Sequence[Mark]) -> list[tuple[float, float, float, float]]:
    """Lines from systems to their controls."""
    by_name = {mark.point.look.name: mark for mark in marks}
    return [
        (own.x, own.y, mark.x, mark.y)
        for name, mark in by_name.items()
        if mark.point.look.control and (own := by_name.get(name.replace(CONTROL, "")))
    ]
