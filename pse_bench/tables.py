"""Results side by side as text: one row a figure, one column a system."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from pse_bench.records import DESCRIPTIONS, Summary
from pse_bench.results import Result

FEW_SPEAKERS = 10
"""Over fewer speakers an interval holds less surely, above all for what is rare or skewed."""


def _cell(row: Summary | None) -> str:
    if row is None:
        return ""
    text = "undefined" if row.value is None else f"{row.value:.{_digits(row)}f}"
    if row.ci_low is not None and row.ci_high is not None:
        text += f" [{row.ci_low:.{_digits(row)}f}, {row.ci_high:.{_digits(row)}f}]"
    return text if row.scored == row.expected else f"{text} {row.scored}/{row.expected}"


def _digits(row: Summary) -> int:
    return 1 if row.unit and row.unit != "s" and not row.unit.startswith("MOS") else 2


def _name(row: Summary) -> str:
    arrow = "↑" if row.higher_is_better else "↓"
    return f"{row.metric}{f' ({row.unit})' if row.unit else ''} {arrow}"


def grids(results: Sequence[Result]) -> list[tuple[str, list[str], list[list[str]]]]:
    """A grid a scenario: its title, the column heads, and the cells."""
    found = []
    for label, description in DESCRIPTIONS.items():
        by_result = [{r.metric: r for r in result.summaries if r.scenario == label} for result in results]
        names = list(dict.fromkeys(metric for rows in by_result for metric in rows))
        if names:
            lines = []
            for metric in names:
                rows = [rows.get(metric) for rows in by_result]
                lines.append([_name(next(row for row in rows if row)), *map(_cell, rows)])
            counts = _counts(results[0], next(iter(by_result[0].values()), None))
            found.append((f"{label}: {description}{counts}", ["", *_heads(results)], lines))
    return found


def _counts(result: Result, row: Summary | None) -> str:
    """How much a table rests on."""
    speakers = result.about.get("target_speakers")
    return f" ({row.expected} mixtures, {speakers} target speakers)" if row and speakers else ""


def _heads(results: Sequence[Result]) -> list[str]:
    """Names of the columns; where two systems have one name, with their folders."""
    names = Counter(result.system for result in results)
    return [
        f"{result.system} ({result.folder.name})" if names[result.system] > 1 else result.system
        for result in results
    ]


def _foot(results: Sequence[Result]) -> str:
    speakers = [result.about["target_speakers"] for result in results if "target_speakers" in result.about]
    if speakers and min(speakers) < FEW_SPEAKERS:
        few = f"intervals rest on {min(speakers)} target speakers only: read them as a hint"
        return f"{FOOT}\n{few}"
    return FOOT


FOOT = "value [95 % interval over target speakers]; scored/expected where not all are; ↑ higher is better"


def markdown(results: Sequence[Result]) -> str:
    """The tables in Markdown."""
    out = []
    for title, head, lines in grids(results):
        out += [f"### {title}", "", _markdown_row(map(_literal, head)), "|" + "---|" * len(head)]
        out += [_markdown_row(line) for line in lines]
        out.append("")
    return "\n".join([*out, _foot(results)])


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _literal(name: str) -> str:
    """A system's name as Markdown that shows it as it is."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", name)


def to_csv(results: Sequence[Result]) -> str:
    """The summaries of all results, one row a cell."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["system", *Summary.model_fields])
    for result in results:
        for row in result.summaries:
            values = row.model_dump().values()
            writer.writerow([result.system, *("" if value is None else value for value in values)])
    return stream.getvalue().rstrip("\n")


def terminal(results: Sequence[Result], width: int | None = None) -> str:
    """The tables for a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stream = io.StringIO()
    console = Console(file=stream, width=width or 120, color_system=None)
    for title, head, lines in grids(results):
        console.print(Text(title))  # as the table's own title it would be broken to the table's width
        table = Table()
        for number, name in enumerate(head):
            table.add_column(Text(name), justify="left" if number == 0 else "right", overflow="fold")
        for line in lines:
            table.add_row(*map(Text, line))
        console.print(table)
    return stream.getvalue() + _foot(results)


FORMATS: dict[str, Callable[[Sequence[Result]], str]] = {
    "terminal": terminal,
    "markdown": markdown,
    "csv": to_csv,
}
