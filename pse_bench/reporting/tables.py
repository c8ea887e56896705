"""Results, and comparisons of two, as text: for a terminal, in Markdown, as CSV."""

import math
from collections import Counter
from collections.abc import Sequence

from pse_bench.io.tables import Grid, csv_of, literal, printed
from pse_bench.schemas import DESCRIPTIONS, TABLES, Summary
from pse_bench.scoring.comparison import Comparison, Line
from pse_bench.scoring.results import Result

FEW_SPEAKERS = 10
"""Over fewer speakers an interval holds less surely, above all for what is rare or skewed."""
FOOT = "value [95 % interval over target speakers]; scored/expected where not all are; ↑ higher is better"


# ---- results side by side


def grids(results: Sequence[Result], by: str | None = None) -> list[Grid]:
    """A grid a scenario: a row a metric (and a group of mixtures, with ``by``), a column a system. Raises
    InputError where ``by`` is no column to break down by."""
    import pandas as pd

    systems = range(len(results))
    table = pd.concat([result.frame(by) for result in results], keys=systems, names=["column"])
    rows = list(table.itertuples())
    table["name"] = [_name(row) for row in rows]
    table["cell"] = [cell(row) for row in rows]
    table["group"] = [f"{row.part} ({row.mixtures}/{row.target_speakers})" for row in rows] if by else ""
    table = table.reset_index("column")
    found = []
    for label, description in TABLES.items():
        here = table[table["scenario"] == label]
        lines = [
            [name, *([group] if by else []), *cells.set_index("column")["cell"].reindex(systems, fill_value="")]
            for name, of_metric in here.groupby("name", sort=False)
            for group, cells in of_metric.groupby("group", sort=False)
        ]
        if lines:
            first = here[here["column"] == 0]
            speakers = results[0].about.get("target_speakers")
            known = len(first) and speakers and not by
            counts = f" ({first['expected'].iloc[0]} mixtures, {speakers} target speakers)" if known else ""
            grouped = [f"{by} (mixtures/speakers)"] if by else []
            found.append(Grid(f"{label}: {description}{counts}", ["", *grouped, *heads(results)], lines))
    return found


def cell(row: Summary | None) -> str:
    """A figure with its interval, and scored/expected where not all are."""
    return "" if row is None else " ".join(filter(None, in_pieces(row)))


def in_pieces(row: Summary) -> tuple[str, str, str]:
    """The value of a figure, its interval, and scored/expected where not all are; '' for what is not there."""
    digits = digits_of(row.unit)
    value, low, high = (
        "" if v is None or math.isnan(v) else f"{v:.{digits}f}" for v in (row.value, row.ci_low, row.ci_high)
    )
    interval = f"[{low}, {high}]" if low and high else ""
    return value or "undefined", interval, "" if row.scored == row.expected else f"{row.scored}/{row.expected}"


def digits_of(unit: str) -> int:
    """How many digits after the point a figure is shown with."""
    return 1 if unit and unit != "s" and not unit.startswith("MOS") else 2


def _name(row: Summary | Line) -> str:
    arrow = "↑" if row.higher_is_better else "↓"
    return f"{row.metric}{f' ({row.unit})' if row.unit else ''} {arrow}"


def heads(results: Sequence[Result]) -> list[str]:
    """Names of the columns; where two systems have one name, with their folders."""
    names = Counter(result.system for result in results)
    return [f"{one.system} ({one.folder.name})" if names[one.system] > 1 else one.system for one in results]


def _few(speakers: int, by: str | None) -> list[str]:
    """What to say of intervals over so many target speakers, if anything."""
    if speakers < FEW_SPEAKERS:
        return [f"intervals rest on {speakers} target speakers only: read them as a hint"]
    return [f"read intervals of fewer than {FEW_SPEAKERS} target speakers as a hint"] if by else []


def results_text(
    results: Sequence[Result], form: str = "terminal", *, by: str | None = None, width: int | None = None
) -> str:
    """Results side by side: ``form`` is terminal, markdown, or csv with one row a cell."""
    if form == "csv":
        import pandas as pd

        return csv_of(pd.concat([result.frame(by) for result in results]))
    speakers = [result.about["target_speakers"] for result in results if "target_speakers" in result.about]
    foot = [FOOT, *_few(min(speakers, default=FEW_SPEAKERS), by)]
    return printed(form, grids(results, by), foot, width)


# ---- two results compared


def comparison_text(
    comparison: Comparison, results: Sequence[Result], form: str = "terminal", *, by: str | None = None
) -> str:
    """A comparison: ``form`` is terminal, markdown, or csv with all digits, one row a figure."""
    if form == "csv":
        return csv_of(comparison.frame())
    head = ["", *([f"{by} (mixtures/speakers)"] if by else []), "A", "B", "B − A", "p", "corrected", "verdict"]
    found = []
    for label, description in DESCRIPTIONS.items():
        if lines := [line for line in comparison.lines if line.scenario == label]:
            mixtures, speakers = max((line.expected, line.speakers) for line in lines)
            rests_on = "" if by else f" ({mixtures} mixtures, {speakers} target speakers)"
            found.append(Grid(f"{label}: {description}{rests_on}", head, [_compared(line, by) for line in lines]))
    tested = sum(line.p is not None for line in comparison.lines)
    medians = any("median" in line.metric for line in comparison.lines)
    foot = [
        "; ".join(f"{letter}: {name}" for letter, name in zip("AB", heads(results), strict=True)),
        "B − A [95 % interval over target speakers], on mixtures that both have a value for (pairs/expected "
        "where not all)" + ("; of a median, the median of the mixtures' differences" if medians else ""),
        f"p by swapping the systems for whole speakers; corrected: for the family of {tested} figures shown",
        *comparison.notes,
        *_few(comparison.speakers, by),
    ]
    return printed(form, found, [f"- {literal(line)}" for line in foot] if form == "markdown" else foot)


def _compared(line: Line, by: str | None) -> list[str]:
    """The cells of a figure, or of a figure over a part of the dataset."""
    digits = digits_of(line.unit)
    part = [f"{line.part} ({line.expected}/{line.speakers})"] if by else []
    values = ["" if value is None else f"{value:.{digits}f}" for value in (line.first, line.second)]
    difference = "" if line.difference is None else _signed(line.difference, digits + 1)
    if line.ci_low is not None and line.ci_high is not None:
        difference += f" [{_signed(line.ci_low, digits + 1)}, {_signed(line.ci_high, digits + 1)}]"
    if line.pairs < line.expected:
        difference += f" {line.pairs}/{line.expected}"
    chances = ["" if p is None else f"{p:.4f}" for p in (line.p, line.p_corrected)]
    return [_name(line), *part, *values, difference, *chances, line.verdict]


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}"
    return text if float(text) else text[1:]
