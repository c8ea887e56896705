"""Takes of minutes by stretch: leakage against the time since the target was there, and what turns lose."""

from collections.abc import Sequence

from markupsafe import Markup

from pse_bench.metrics import OF_SESSIONS
from pse_bench.reporting import plot
from pse_bench.reporting.html import element
from pse_bench.reporting.plot import Axis, Section, Style, Systems
from pse_bench.reporting.tables import cell
from pse_bench.schemas import Summary
from pse_bench.scoring.figures import name_of

WIDTH, HEIGHT = 430, 260
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 14, 46
GAP = 26
PANELS = {
    "pause_leakage": ("interferer reduced by (dB) ↑", "seconds since the target was last active"),
    "turn_tsos": ("target over-suppressed (%) ↓", "first second of a return; length of the target's turn (s)"),
}
"""What is drawn from the metrics whose names begin so: what is upwards, and what is across."""
ALONE = {"turn_tsos": {"return_tsos": "return"}}
"""What stands before the classes of a panel and is none of them: metrics and their labels."""

Lines = Sequence[tuple[Style, Sequence[Summary | None]]]
"""A figure of each class, of each system."""


def section(systems: Systems) -> Section | None:
    """Both panels with their figures; None where no result is of sessions."""
    shown = plot.detailed(systems)
    found = {begin: lines_of(shown, begin) for begin in PANELS}
    if not any(row for lines in found.values() for _, rows in lines for row in rows):
        return None
    words = (
        "Stretches of takes, which systems enhance as a whole: what they let through while the target is "
        "away, and what they take from it when it talks, with 95 % intervals over target speakers."
    )
    drawn = []
    for begin, lines in found.items():
        labels = _labels(begin)[: len(lines[0][1])]
        rows = [[label, *(cell(own[place]) for _, own in lines)] for place, label in enumerate(labels)]
        numbers = plot.table(PANELS[begin][1], [PANELS[begin][1], *(style.name for style, _ in lines)], rows)
        picture = plot.svg((WIDTH, HEIGHT), panel(begin, lines), label=f"{PANELS[begin][0]} by {PANELS[begin][1]}")
        drawn.append(plot.figure(PANELS[begin][0], picture, plot.details("In figures", numbers, kind="numbers")))
    body = Markup().join([plot.captioned(words, shown), plot.grid(*drawn)])
    return Section("sessions", "Sessions", "After minutes", body)


def picture(systems: Systems) -> Markup | None:
    """Both panels in one drawing with a legend; None where no result is of sessions."""
    shown = plot.detailed(systems)
    found = {begin: lines_of(shown, begin) for begin in PANELS}
    if not any(row for lines in found.values() for _, rows in lines for row in rows):
        return None
    panels = [
        element("g", panel(begin, lines), transform=f"translate({place * (WIDTH + GAP)} 0)")
        for place, (begin, lines) in enumerate(found.items())
    ]
    legend, across, down = list[Markup](), float(LEFT), HEIGHT + 16.0
    for style in (one.style for one in shown):
        width = 24 + 7.2 * len(style.short)
        if across + width > 2 * WIDTH + GAP:
            across, down = LEFT, down + 20
        label = plot.text(across + 12, down + 4, style.short)
        legend.append(element("g", style.mark(across, down, 0.75), label, class_=style.colour))
        across += width
    size = (2 * WIDTH + GAP, down + 14)
    return plot.svg(size, *panels, *legend, label="Figures of sessions by stretch", kind="plot sessions")


def lines_of(systems: Systems, begin: str) -> Lines:
    """The summaries of a panel's metrics of each system, None where it has no value; without the last classes
    where nobody has one."""
    names = _names(begin)
    found = []
    for system in systems:
        there = {name_of(row): row for row in system.result.summaries if row.value is not None}
        found.append((system.style, [there.get(f"TS2.{name}") for name in names]))
    # of classes at the end that no take has, there is nothing to see
    count = max((place for _, rows in found for place, row in enumerate(rows, 1) if row), default=len(names))
    return [(style, rows[:count]) for style, rows in found]


def panel(begin: str, lines: Lines) -> Markup:
    """One panel: classes from left to right, and a line a system."""
    upwards, across = PANELS[begin]
    labels = _labels(begin)[: len(lines[0][1])]
    metric = OF_SESSIONS[_names(begin)[0]]
    values = [value for _, rows in lines for row in rows if row for value in plot.values_of(row)]
    axis = plot.axis_over(values, HEIGHT - BOTTOM, TOP, low=metric.low, high=metric.high)
    step = (WIDTH - LEFT - RIGHT) / len(labels)
    centres = [LEFT + step * (number + 0.5) for number in range(len(labels))]
    drawn = [plot.y_grid(axis, LEFT, WIDTH - RIGHT, LEFT - 6)]
    drawn += [plot.text(x, HEIGHT - 28, label, "tick", "middle") for x, label in zip(centres, labels, strict=True)]
    drawn.append(plot.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, across, "axis", "middle"))
    drawn.append(plot.text(LEFT, TOP - 3, upwards, "tick"))
    before = len(ALONE.get(begin, ()))
    for number, (style, rows) in enumerate(lines):
        beside = min(7.0, step / (len(lines) + 1)) * (number - (len(lines) - 1) / 2)
        dots = [
            (round(x + beside, 1), row, label)
            for x, row, label in zip(centres, rows, labels, strict=True)
            if row is not None
        ]
        if dots:
            through = [(x, row) for x, row, label in dots if label in labels[before:]]
            line = "L".join(f"{x:.1f} {axis.at(row.value or 0.0)}" for x, row in through)
            joined = [plot.path(f"M{line}", "through")] if line else []
            marks = [_dot(style, x, row, label, axis) for x, row, label in dots]
            drawn.append(element("g", *joined, *marks, class_=style.colour))
    return Markup().join(drawn)


def _dot(style: Style, x: float, row: Summary, label: str, axis: Axis) -> Markup:
    low, high = plot.ends_of(row, axis)
    line = plot.path(f"M{x} {low}V{high}", "interval")
    return plot.titled(f"{style.name}, {label}: {cell(row)}", line, style.mark(x, axis.at(row.value or 0.0), 0.7))


def _names(begin: str) -> list[str]:
    """The metrics of a panel: those that stand alone, and those of classes."""
    return [*ALONE.get(begin, ()), *(name for name in OF_SESSIONS if name.startswith(f"{begin}_"))]


def _labels(begin: str) -> list[str]:
    """The classes of a panel, as 0–1 and >30."""
    alone = ALONE.get(begin, {})
    classes = _names(begin)[len(alone) :]
    ends = [name.removeprefix(f"{begin}_").removesuffix("_db").removesuffix("s") for name in classes]
    numbers = [end.rpartition("_")[2] for end in ends]
    starts = ["0", *numbers]
    return [*alone.values()] + [
        f"≥ {number}" if end.startswith("from") else f"{start}–{number}"
        for end, number, start in zip(ends, numbers, starts, strict=False)
    ]
