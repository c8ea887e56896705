"""Results, and comparisons of two, as text: for a terminal, in Markdown, in LaTeX, as CSV."""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from pse_bench.asr import probe
from pse_bench.errors import InputError
from pse_bench.io.tables import Grid, csv_of, printed
from pse_bench.schemas import DESCRIPTIONS, TABLES, Summary
from pse_bench.scoring import figures
from pse_bench.scoring.comparison import Comparison, Line
from pse_bench.scoring.enrolled import Enrolled
from pse_bench.scoring.results import Result

if TYPE_CHECKING:
    import pandas as pd

FEW_SPEAKERS = 10
"""Over fewer speakers an interval holds less surely, above all for what is rare or skewed."""
VALUE = "value [95 % interval over target speakers]"
FOOT = "scored/expected where not all are; ↑ higher is better"


# ---- results side by side


def chosen(results: Sequence[Result], asked: Sequence[str] | None, *, everything: bool = False) -> list[str]:
    """The names of the figures to show, none for all of them: those asked for, or else the headline ones, and all
    of a result that has none of these. Raises InputError when one is not there."""
    every = [[figures.name_of(row) for row in result.summaries] for result in results]
    there = list(dict.fromkeys(name for names in every for name in names))
    if asked:
        return figures.named(asked, there)
    first = [] if everything else figures.headline(there)
    rest = [name for names in every if not {*first} & {*names} for name in names]
    return list(dict.fromkeys([*first, *rest])) if first else []


def ordered(results: Sequence[Result], name: str) -> list[Result]:
    """Results by a figure, the best first, those without it last. Raises InputError when none has it."""
    by = [{figures.name_of(row): row for row in result.summaries} for result in results]
    found = figures.named([name], list(dict.fromkeys(key for rows in by for key in rows)))
    if len(found) > 1:
        raise InputError(f"{name} is there more than once; give one of {', '.join(found)}")

    def sort_key(number: int) -> tuple[bool, float]:
        row = by[number].get(found[0])
        value = None if row is None else row.value
        if row is None or value is None:
            return True, 0.0
        return False, -value if row.higher_is_better else value

    return [results[number] for number in sorted(range(len(results)), key=sort_key)]


def grids(
    results: Sequence[Result], by: str | None = None, *, names: Sequence[str] = (), intervals: bool = True
) -> list[Grid]:
    """The tables of results: of the figures in ``names`` one, a row a figure, or with ``by`` a row a group of
    mixtures; without names a table a scenario. Raises InputError where ``by`` is no column to break down by."""
    import pandas as pd

    table = pd.concat([result.frame(by) for result in results], keys=range(len(results)), names=["column"])
    rows = list(table.itertuples())
    table["figure"] = [f"{row.scenario}.{row.metric}" for row in rows]
    labels = [row.metric if not names else f"{row.scenario}.{row.metric}" for row in rows]
    table["name"] = [
        figures.labelled(label, row.unit, row.higher_is_better) for label, row in zip(labels, rows, strict=True)
    ]
    table["cell"] = [cell(row, intervals=intervals, between="\n") for row in rows]
    table["group"] = [f"{row.part} ({row.mixtures}/{row.target_speakers})" for row in rows] if by else ""
    table = table.reset_index("column")
    if not names:
        return _by_scenario(table, results, by)
    table = pd.concat([table[table["figure"] == name] for name in names])
    return [_by_group(table, results, by) if by else _of_figures(table, results)]


def _by_scenario(table: "pd.DataFrame", results: Sequence[Result], by: str | None) -> list[Grid]:
    """A grid a scenario: a row a figure (and a group of mixtures), a column a system."""
    found, keys = [], [f"{by} (mixtures/speakers)"] if by else []
    for label, description in TABLES.items():
        here = table[table["scenario"] == label]
        lines = [
            [name, *([group] if by else []), *_side_by_side(cells, results)]
            for name, of_metric in here.groupby("name", sort=False)
            for group, cells in of_metric.groupby("group", sort=False)
        ]
        if lines:
            first, speakers = here[here["column"] == 0], results[0].about.get("target_speakers")
            known = len(first) and speakers and not by
            counts = f" ({first['expected'].iloc[0]} mixtures, {speakers} target speakers)" if known else ""
            head, align = ["", *keys, *heads(results)], "l" * (1 + len(keys)) + "r" * len(results)
            found.append(Grid(f"{label}: {description}{counts}", head, lines, align, 1 + len(keys)))
    return found


def _of_figures(table: "pd.DataFrame", results: Sequence[Result]) -> Grid:
    """A row a figure, a column a system."""
    lines = [[name, *_side_by_side(cells, results)] for name, cells in table.groupby("name", sort=False)]
    expected = dict(zip(table["scenario"], table["expected"], strict=True))
    counts = ", ".join(f"{expected[label]} of {label}" for label in TABLES if label in expected)
    name, speakers = (results[0].about.get(key) for key in ("dataset", "target_speakers"))
    people = f"; {speakers} target speakers" if speakers else ""
    return Grid(f"{f'{name}, ' if name else ''}mixtures: {counts}{people}", ["", *heads(results)], lines)


def _by_group(table: "pd.DataFrame", results: Sequence[Result], by: str) -> Grid:
    """A row a group of mixtures (and a system where there are several), a column a figure."""
    names, several = list(dict.fromkeys(table["name"])), len(results) > 1
    lines = []
    for part, cells in table.groupby("part", sort=False):
        counts = f"{part} ({cells['mixtures'].max()}/{cells['target_speakers'].max()})"
        for number, system in enumerate(heads(results)):
            own = cells[cells["column"] == number].set_index("name")["cell"].reindex(names, fill_value="")
            lines.append([counts, *([system] if several else []), *own])
    keys = [f"{by} (mixtures/speakers)", *(["system"] if several else [])]
    title = f"by {by}" if several else f"{heads(results)[0]} by {by}"
    return Grid(title, [*keys, *names], lines, "l" * len(keys) + "r" * len(names), len(keys))


def _side_by_side(cells: "pd.DataFrame", results: Sequence[Result]) -> list[str]:
    return list(cells.set_index("column")["cell"].reindex(range(len(results)), fill_value=""))


def cell(row: Summary | None, *, intervals: bool = True, between: str = " ") -> str:
    """A figure with its interval, and scored/expected where not all are."""
    value, interval, count = ("", "", "") if row is None else in_pieces(row)
    return between.join(filter(None, (value, interval if intervals else "", count)))


def in_pieces(row: Summary) -> tuple[str, str, str]:
    """The value of a figure, its interval, and scored/expected where not all are; '' for what is not there."""
    value, interval = figures.in_pieces(row.value, row.ci_low, row.ci_high, row.unit)
    return value or "undefined", interval, "" if row.scored == row.expected else f"{row.scored}/{row.expected}"


def heads(results: Sequence[Result]) -> list[str]:
    """Names of the columns; where two systems have one name, with their folders."""
    names = Counter(result.system for result in results)
    return [f"{one.system} ({one.folder.name})" if names[one.system] > 1 else one.system for one in results]


def _few(speakers: int, by: str | None) -> list[str]:
    """What to say of intervals over so many target speakers, if anything."""
    if speakers < FEW_SPEAKERS:
        return [f"intervals rest on {speakers} target speakers only: read them as a hint"]
    return [f"read intervals of fewer than {FEW_SPEAKERS} target speakers as a hint"] if by else []


def resampling_notes(results: Sequence[Result], shown: Container[str] | None = None) -> list[str]:
    """What to say of metrics, all or those shown, that were computed at another rate than the dataset's, a
    line for each such rate."""
    found: dict[str, dict[str, None]] = {}
    for name, about in (item for result in results for item in result.about["metrics"].items()):
        if (how := about.get("resampled")) and (shown is None or name in shown):
            found.setdefault(how, {})[name] = None
    return [f"computed on sound resampled from {how}: {', '.join(names)}" for how, names in found.items()]


def probe_notes(results: Sequence[Result], shown: Sequence[str]) -> list[str]:
    """What the masked-word probe says of the recognisers whose deletions are shown, a line each."""
    models = {(result.about.get("recogniser") or {}).get("model", "") for result in results}
    said = sorted(filter(None, map(probe.known, models))) if {"wer", "del"} & {*shown} else []
    return [f"{line}: its deletions understate what is missing" for line in said]


def results_text(
    results: Sequence[Result],
    form: str = "terminal",
    *,
    by: str | None = None,
    width: int | None = None,
    asked: Sequence[str] | None = None,
    everything: bool = False,
    sort: str = "",
    intervals: bool = True,
) -> str:
    """Results side by side.

    Args:
        form: terminal, markdown, latex, or csv with one row a cell: every figure, unless some are asked for.
        by: a column of ``mixtures.csv`` to break down by.
        width: of the terminal, unless told.
        asked: the figures to show; the headline ones by default.
        everything: show every figure.
        sort: the figure that systems are ordered by, the best first.
        intervals: whether intervals are shown.

    Raises InputError: there is no such figure, or no such column.
    """
    results = ordered(results, sort) if sort else results
    names = chosen(results, asked, everything=everything or form == "csv")
    if form == "csv":
        import pandas as pd

        table = pd.concat([result.frame(by) for result in results])
        return csv_of(table[(table["scenario"] + "." + table["metric"]).isin(names)] if names else table)
    speakers = [result.about["target_speakers"] for result in results if "target_speakers" in result.about]
    part = results[0].part
    foot = [f"{part} of the dataset only"] if part else []
    foot += [f"{VALUE}; {FOOT}" if intervals else FOOT]
    if names:
        labels = dict.fromkeys(name.partition(".")[0] for name in names)
        foot += ["; ".join(f"{label}: {TABLES[label]}" for label in TABLES if label in labels)]
    every = {figures.name_of(row) for result in results for row in result.summaries}
    if names and not asked and len(every) > len(names):
        foot += [f"{len(names)} of {len(every)} figures; {figures.OTHERS}"]
    metrics = [name.partition(".")[2] for name in names or every]
    foot += [*resampling_notes(results, metrics), *probe_notes(results, metrics)]
    foot += _few(min(speakers, default=FEW_SPEAKERS), by) if intervals else []
    return printed(form, grids(results, by, names=names, intervals=intervals), foot, width)


# ---- one system with several enrollments


def enrolled_text(
    lines: Sequence[Enrolled],
    results: Sequence[Result],
    form: str = "terminal",
    *,
    width: int | None = None,
    intervals: bool = True,
) -> str:
    """Figures over several enrollments: ``form`` is terminal, markdown, latex, or csv with all digits."""
    if form == "csv":
        import pandas as pd

        return csv_of(pd.DataFrame([asdict(line) for line in lines]))

    def cell(line: Enrolled, what: str) -> str:
        found, low, high = (getattr(line, f"{what}{end}") for end in ("", "_low", "_high"))
        value, interval = figures.in_pieces(found, low, high, line.unit)
        return f"{value} {interval}".strip() if intervals else value

    rows = [
        [
            figures.labelled(f"{line.scenario}.{line.metric}", line.unit, line.higher_is_better),
            cell(line, "mean"),
            cell(line, "worst"),
            str(line.speakers),
        ]
        for line in lines
    ]
    foot = [
        f"over {len(results)} enrollments of each person: their mean, and the worst; then the mean over people",
        *([VALUE] if intervals else []),
        *(_few(min((line.speakers for line in lines), default=FEW_SPEAKERS), None) if intervals else []),
    ]
    head = ["", "mean", "worst", "target speakers"]
    return printed(form, [Grid(results[0].system, head, rows, "lrrr")], foot, width)


# ---- two results compared


def comparison_text(
    comparison: Comparison,
    results: Sequence[Result],
    form: str = "terminal",
    *,
    by: str | None = None,
    width: int | None = None,
    intervals: bool = True,
) -> str:
    """A comparison: ``form`` is terminal, markdown, latex, or csv with all digits, one row a figure."""
    if form == "csv":
        return csv_of(comparison.frame())
    part = [f"{by} (mixtures/speakers)"] if by else []
    head, keys = ["", *part, "A", "B", "B − A", "p", "corrected", "verdict"], 1 + len(part)
    found = []
    for label, description in DESCRIPTIONS.items():
        if lines := [line for line in comparison.lines if line.scenario == label]:
            mixtures, speakers = max((line.expected, line.speakers) for line in lines)
            title = f"{label}: {description}{'' if by else f' ({mixtures} mixtures, {speakers} target speakers)'}"
            cells = [_compared(line, by, intervals=intervals) for line in lines]
            found.append(Grid(title, head, cells, "l" * keys + "rrrrrl", keys))
    tested = sum(line.p is not None for line in comparison.lines)
    metrics = [line.metric for line in comparison.lines]
    medians = any("median" in metric for metric in metrics)
    of_medians = "; of a median, the median of the mixtures' differences" if medians else ""
    foot = [
        "; ".join(f"{letter}: {name}" for letter, name in zip("AB", heads(results), strict=True)),
        f"B − A{' [95 % interval over target speakers]' if intervals else ''}, on mixtures that both have a value "
        f"for (pairs/expected where not all){of_medians}",
        f"p by swapping the systems for whole speakers; corrected: for the family of {tested} figures shown",
        *comparison.notes,
        *([] if by else _elsewhere(comparison, results)),
        *resampling_notes(results, metrics),
        *probe_notes(results, metrics),
        *(_few(comparison.speakers, by) if intervals else []),
    ]
    return printed(form, found, foot, width)


def _compared(line: Line, by: str | None, *, intervals: bool) -> list[str]:
    """The cells of a figure, or of a figure over a part of the dataset."""
    part = [f"{line.part} ({line.expected}/{line.speakers})"] if by else []
    first, second, difference, interval = compared_values(line)
    pairs = f"{line.pairs}/{line.expected}" if line.pairs < line.expected else ""
    cell = "\n".join(filter(None, (difference, interval if intervals else "", pairs)))
    chances = ["" if p is None else f"{p:.4f}" for p in (line.p, line.p_corrected)]
    label = figures.labelled(line.metric, line.unit, line.higher_is_better)
    return [label, *part, first, second, cell, *chances, line.verdict]


def compared_values(line: Line) -> tuple[str, str, str, str]:
    """The two values, their difference with a digit more, and its interval; '' for what is not there."""
    first, second = ("" if v is None else figures.written(v, line.unit) for v in (line.first, line.second))
    difference, low, high = (
        "" if v is None else _signed(figures.written(v, line.unit, 1))
        for v in (line.difference, line.ci_low, line.ci_high)
    )
    return first, second, difference, f"[{low}, {high}]" if low and high else ""


def _signed(text: str) -> str:
    return f"+{text}" if float(text) > 0 else text


def _elsewhere(comparison: Comparison, results: Sequence[Result]) -> list[str]:
    """A line on the figures that have another value in ``table``, and why."""
    found = []
    one, other = ({figures.name_of(row): in_pieces(row)[0] for row in result.summaries} for result in results)
    for line in comparison.lines:
        name = f"{line.scenario}.{line.metric}"
        if line.pairs and (one[name], other[name]) != compared_values(line)[:2]:
            found.append(f"{name} {one[name]} and {other[name]}")
    why = "where each system counts on all mixtures that it has a value for, and outputs are as silent as they are"
    return [f"table shows {', '.join(found)}, {why}"] if found else []
