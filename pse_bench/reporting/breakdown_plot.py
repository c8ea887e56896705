"""When a system fails: its figures over parts of a dataset, by level, room, gender or enrollment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pse_bench import metrics
from pse_bench.dataset.groups import ALL, parts
from pse_bench.errors import InputError
from pse_bench.leaderboard.ranking import LEAKAGE, OVER_SUPPRESSION, PAUSE_LEAKAGE
from pse_bench.reporting.axis import Scale, scale_over
from pse_bench.reporting.plot_style import Look, in_detail
from pse_bench.reporting.tables import cell
from pse_bench.schemas import Mixture, Summary
from pse_bench.scoring.summary import Scores, summaries_of

COLUMNS = {
    "snr_db": "SNR (dB)",
    "sir_db": "SIR (dB)",
    "rt60_s": "RT60 (s)",
    "gender_pair": "target–interferer gender",
    "enrollment_s": "enrollment (s)",
}
FEWEST = 4
"""Target speakers below which the interval of a part stands in its table only: in the plot it would hide all."""
FIGURES = (OVER_SUPPRESSION, LEAKAGE, PAUSE_LEAKAGE, "TS1.tsos", "TS2.si_sdri", "TS2.wer")
WIDTH, HEIGHT = 340, 230
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 12, 46


@dataclass(frozen=True)
class Dot:
    """One system in one part: its place, the ends of its interval, and the figure in words."""

    x: float
    y: float
    ends: tuple[float, float] | None
    words: str


@dataclass(frozen=True)
class Line:
    look: Look
    dots: list[Dot]

    @property
    def path(self) -> str:
        return "M" + "L".join(f"{dot.x:.1f} {dot.y}" for dot in self.dots)


@dataclass(frozen=True)
class Panel:
    """A figure by a column; parts that are ``ordered`` are joined by lines, ``tight`` ones have long names.
    ``table`` has the same in words: a row a part, then a cell a system."""

    title: str
    width: int
    height: int
    axis: Scale
    parts: list[tuple[float, str, str]]
    lines: list[Line]
    tight: bool
    ordered: bool
    table: list[list[str]]
    heads: list[str]


@dataclass(frozen=True)
class Breakdown:
    """All panels of a figure."""

    scenario: str
    metric: str
    unit: str
    higher_is_better: bool
    panels: list[Panel]


def breakdowns(scores: Sequence[Scores], looks: Sequence[Look]) -> tuple[list[Breakdown], list[str]]:
    """Those of ``FIGURES`` that there are, of the systems shown in detail, and a note for each column that cannot
    be broken down by."""
    shown = [(looks[number], scores[number]) for number in in_detail(looks)]
    notes: list[str] = []
    by_figure: dict[str, list[tuple[str, Summed]]] = {name: [] for name in FIGURES}
    rows: dict[str, Summary] = {}
    for column, title in COLUMNS.items():
        for label in ("TS2", "TS3", "TS1"):
            names = [name for name in FIGURES if name.startswith(label)]
            found = [(look, _of(table, label, names)) for look, table in shown]
            try:
                summed = [(look, _summed(table, column)) for look, table in found if table.mixtures]
            except InputError as error:
                if label == "TS2":
                    notes.append(str(error).removeprefix("--by "))
                continue
            for name in names:
                if any(name in part for _, table in summed for _, part in table):
                    by_figure[name].append((title, summed))
                    rows[name] = next(part[name] for _, table in summed for _, part in table if name in part)
    return [
        Breakdown(
            rows[name].scenario,
            rows[name].metric,
            rows[name].unit,
            rows[name].higher_is_better,
            _panels(name, by_column),
        )
        for name, by_column in by_figure.items()
        if by_column
    ], notes


def _of(scores: Scores, label: str, names: Sequence[str]) -> Scores:
    """The mixtures of a scenario, and the scores that these figures need."""
    cells = {key: rows for key, rows in scores.cells.items() if ".".join(key) in names}
    inside = {key: row for key, row in scores.mixtures.items() if row.scenario == label}
    return replace(scores, mixtures=inside, cells=cells, detections=())


Parted = list[tuple[tuple[str, int, int], Mapping[str, Summary]]]
"""Of each part: its label, its mixtures and target speakers; its figures by name."""


Summed = Sequence[tuple[Look, Parted]]
"""That of each system."""


def _summed(scores: Scores, column: str) -> Parted:
    mixtures: list[Mixture] = list(scores.mixtures.values())
    found: Parted = []
    for part in parts(mixtures, column):
        if part.label != ALL:
            rows = summaries_of(scores.among(part.mixtures))
            counted = part.counts(mixtures)
            found.append(((part.label, *counted), {f"{row.scenario}.{row.metric}": row for row in rows}))
    return found


def _panels(name: str, by_column: Sequence[tuple[str, Summed]]) -> list[Panel]:
    """The panels of a figure, which share an axis."""
    shown = []
    for _, summed in by_column:
        for (_, _, speakers), part in (found for _, table in summed for found in table):
            if name in part:
                row = part[name]
                shown += [row.value, *((row.ci_low, row.ci_high) if speakers >= FEWEST else ())]
    metric = metrics.ALL_METRICS[name.split(".")[1]]
    low = -float("inf") if metric.low is None else metric.low
    high = float("inf") if metric.high is None else metric.high
    axis = scale_over([value for value in shown if value is not None], HEIGHT - BOTTOM, TOP, low=low, high=high)
    return [_panel(name, title, summed, axis) for title, summed in by_column]


def _panel(name: str, title: str, summed: Summed, axis: Scale) -> Panel:
    heads = [head for head, _ in summed[0][1]]
    step = (WIDTH - LEFT - RIGHT) / len(heads)
    centres = [LEFT + step * (number + 0.5) for number in range(len(heads))]
    lines = []
    for number, (look, table) in enumerate(summed):
        beside = min(9.0, step / (len(summed) + 1)) * (number - (len(summed) - 1) / 2)
        dots = [
            _dot(
                part[name], centre + beside, axis, f"{look.name}, {head[0]}: {cell(part[name])}", head[2] >= FEWEST
            )
            for centre, (head, part) in zip(centres, table, strict=True)
            if name in part and part[name].value is not None
        ]
        if dots:
            lines.append(Line(look, dots))
    return Panel(
        title,
        WIDTH,
        HEIGHT,
        axis,
        [
            (centre, head[0].replace(" to ", "–"), f"{head[1]}/{head[2]}")
            for centre, head in zip(centres, heads, strict=True)
        ],
        lines,
        any(len(head[0]) * 6 > step for head in heads),
        title != COLUMNS["gender_pair"],
        [
            [head[0], f"{head[1]}/{head[2]}", *(cell(table[number][1].get(name)) for _, table in summed)]
            for number, head in enumerate(heads)
        ],
        [look.name for look, _ in summed],
    )


def _dot(row: Summary, x: float, axis: Scale, words: str, sure: bool) -> Dot:
    value = row.value or 0.0
    low, high = (end if end is not None else value for end in (row.ci_low, row.ci_high))
    return Dot(round(x, 1), axis.at(value), (axis.at(low), axis.at(high)) if sure else None, words)
