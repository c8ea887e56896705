"""When a system fails: its aggregates over groups of mixtures, by level, room, gender or enrollment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from pse_bench.dataset.groups import ALL, groups_of
from pse_bench.errors import InputError
from pse_bench.metrics import REGISTRY
from pse_bench.reporting import plot
from pse_bench.reporting.html import element
from pse_bench.reporting.plot import Axis, Section, Style, Systems
from pse_bench.reporting.tables import FEW_SPEAKERS, cell
from pse_bench.schemas import Summary
from pse_bench.scoring.figures import headline
from pse_bench.scoring.summary import Scores, summaries_of

COLUMNS = {
    "snr_db": "SNR (dB)",
    "sir_db": "SIR (dB)",
    "rt60_s": "RT60 (s)",
    "gender_pair": "target–interferer gender",
    "enrollment_s": "enrollment (s)",
    "enrollment_snr_db": "enrollment SNR (dB)",
    "enrollment_utterances": "utterances of the enrollment",
    "enrollment_condition": "enrollment",
    "enrollment_channel_codec": "codec of the enrollment",
    "enrollment_channel_band": "band of the enrollment",
    "enrollment_channel_microphone_tilt_db": "microphone tilt of the enrollment (dB/octave)",
}
SOME = frozenset(name for name in COLUMNS if name.startswith("enrollment_") and name != "enrollment_s")
"""Columns that only some datasets vary; in others, nothing is said of them."""
WORDS = ("gender_pair", "enrollment_condition", "enrollment_channel_codec", "enrollment_channel_band")
UNORDERED = frozenset(COLUMNS[name] for name in WORDS)
"""Groups of these columns are not joined by lines."""
FEWEST = 4
"""Target speakers below which a group's interval stands in its table only: in the plot it would hide all."""
WIDTH, HEIGHT = 340, 230
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 12, 46


@dataclass(frozen=True)
class GroupSummary:
    """A system's aggregates over a group by scenario and metric; ``counts`` are its mixtures/target speakers."""

    label: str
    counts: str
    speakers: int
    rows: Mapping[str, Summary]


Panel = Sequence[tuple[Style, Sequence[GroupSummary]]]
"""The groups of a column, of each system."""


def section(systems: Systems) -> Section:
    """The headline aggregates by each column that the dataset can be broken down by."""
    shown = plot.detailed(systems)
    found, notes = breakdowns(shown)
    words = (
        "The same figures over parts of the dataset, with 95 % intervals over target speakers; below each part "
        f"its mixtures and target speakers. Read intervals of fewer than {FEW_SPEAKERS} speakers as a hint; those "
        f"of fewer than {FEWEST} stand in the tables only."
    )
    body = [plot.captioned(words, shown)]
    body += [_breakdown(name, panels, opened=n < 2) for n, (name, panels) in enumerate(found.items())]
    if notes:
        body.append(element("p", f"Not broken down: {'; '.join(notes)}.", class_="note"))
    return Section("breakdowns", "When it fails", "When it fails", Markup().join(body))


def breakdowns(systems: Systems) -> tuple[dict[str, dict[str, Panel]], list[str]]:
    """The panels by aggregate and column, and a note for each column that cannot be broken down by."""
    notes: list[str] = []
    there = dict.fromkeys(".".join(key) for one in systems for key in one.scores.figures if key[1] in REGISTRY)
    found: dict[str, dict[str, Panel]] = {name: {} for name in headline(there)}
    for column, title in COLUMNS.items():
        for scenario in ("TS2", "TS3", "TS1"):
            names = [name for name in found if name.startswith(scenario)]
            try:
                every = [(one.style, _groups(one.scores, scenario, names, column)) for one in systems]
            except InputError as error:
                if scenario == "TS2" and column not in SOME:
                    notes.append(str(error).removeprefix("--by "))
                continue
            panel = [(style, groups) for style, groups in every if groups]
            for name in names:
                if any(name in group.rows for _, groups in panel for group in groups):
                    found[name][title] = panel
    return {name: panels for name, panels in found.items() if panels}, notes


def _groups(scores: Scores, scenario: str, names: Sequence[str], column: str) -> list[GroupSummary]:
    """The named aggregates of a scenario by a column; none where the scenario has no mixtures."""
    inside = {key: row for key, row in scores.mixtures.items() if row.scenario == scenario}
    needed = {*names, *(f"{scenario}.{need}" for name in names for need in REGISTRY[name.split(".")[1]].needs)}
    cells = {key: rows for key, rows in scores.cells.items() if ".".join(key) in needed}
    own, mixtures = replace(scores, mixtures=inside, cells=cells, detections=()), list(inside.values())
    found = []
    for group in groups_of(mixtures, column) if mixtures else ():
        if group.label != ALL:
            rows = {f"{row.scenario}.{row.metric}": row for row in summaries_of(own.among(group.mixtures))}
            count, speakers = group.counts(mixtures)
            found.append(GroupSummary(group.label, f"{count}/{speakers}", speakers, rows))
    return found


# ---- drawn


def _breakdown(name: str, panels: Mapping[str, Panel], *, opened: bool) -> Markup:
    """All panels of an aggregate, which share an axis."""
    values: list[float] = []
    for group in (group for panel in panels.values() for _, groups in panel for group in groups):
        if row := group.rows.get(name):
            values += plot.values_of(row)[: None if group.speakers >= FEWEST else 1]
    scenario, word = name.split(".")
    metric = REGISTRY[word]
    axis = plot.axis_over(values, HEIGHT - BOTTOM, TOP, low=metric.low, high=metric.high)
    drawn = []
    for title, panel in panels.items():
        heads = [title, "mixtures/ speakers", *(style.name for style, _ in panel)]
        numbers = plot.table(f"{word} by {title}", heads, table_rows(name, panel))
        told = plot.details("In figures", numbers, kind="numbers")
        drawn.append(plot.figure(f"by {title}", _panel(name, title, panel, axis), told))
    return plot.details(plot.metric_title(scenario, metric, link=False), plot.grid(*drawn), opened=opened)


def table_rows(name: str, panel: Panel) -> list[list[str]]:
    """A panel in figures: a row a group, with its counts and a cell a system."""
    return [
        [group.label, group.counts, *(cell(groups[number].rows.get(name)) for _, groups in panel)]
        for number, group in enumerate(panel[0][1])
    ]


def _panel(name: str, title: str, panel: Panel, axis: Axis) -> Markup:
    groups = panel[0][1]
    step = (WIDTH - LEFT - RIGHT) / len(groups)
    centres = [LEFT + step * (number + 0.5) for number in range(len(groups))]
    tight = any(len(group.label) * 6 > step for group in groups)
    drawn = [plot.y_grid(axis, LEFT, WIDTH - RIGHT, LEFT - 6)]
    for number, (centre, group) in enumerate(zip(centres, groups, strict=True)):
        above = 28 if not tight else 24 if number % 2 else 34
        label = group.label.replace(" to ", "–")
        drawn.append(plot.text(centre, HEIGHT - above, label, "tick tight" if tight else "tick", "middle"))
        drawn.append(plot.text(centre, HEIGHT - 12, group.counts, "tick count", "middle"))
    for number, (style, own) in enumerate(panel):
        beside = min(9.0, step / (len(panel) + 1)) * (number - (len(panel) - 1) / 2)
        rows = [(centre, group, group.rows.get(name)) for centre, group in zip(centres, own, strict=True)]
        dots = [(round(x + beside, 1), group, row) for x, group, row in rows if row and row.value is not None]
        if dots:
            line = "M" + "L".join(f"{x:.1f} {axis.at(row.value or 0.0)}" for x, _, row in dots)
            joined = [] if title in UNORDERED else [plot.path(line, "through")]
            drawn.append(element("g", *joined, *(_dot(style, *dot, axis) for dot in dots), class_=style.colour))
    label = f"{name.replace('.', ' ')} by {title}; the table below has the figures"
    return plot.svg((WIDTH, HEIGHT), *drawn, label=label)


def _dot(style: Style, x: float, group: GroupSummary, row: Summary, axis: Axis) -> Markup:
    """One system in one group, with its interval where enough speakers carry it."""
    low, high = plot.ends_of(row, axis)
    line = plot.path(f"M{x} {low}V{high}", "interval") if group.speakers >= FEWEST else ""
    y = axis.at(row.value or 0.0)
    return plot.titled(f"{style.name}, {group.label}: {cell(row)}", line, style.mark(x, y, 0.75))
