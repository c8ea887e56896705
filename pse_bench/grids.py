"""Tables as text: for a terminal, in Markdown, as CSV."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Any, NamedTuple


class Grid(NamedTuple):
    """A table as text: its title, the column heads, and the cells."""

    title: str
    head: list[str]
    lines: list[list[str]]


def in_markdown(found: Iterable[Grid]) -> str:
    """Each grid as a Markdown table under its title, and a blank line after it."""
    out = []
    for grid in found:
        out += [f"### {grid.title}", "", _markdown_row(map(literal, grid.head)), "|" + "---|" * len(grid.head)]
        out += [_markdown_row(line) for line in grid.lines]
        out.append("")
    return "\n".join(out)


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def literal(name: str) -> str:
    """A name as Markdown that shows it as it is."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", name)


def for_terminal(found: Iterable[Grid], width: int | None) -> str:
    """Each grid drawn with lines, below its title, within a width of 120 characters unless told."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stream = io.StringIO()
    console = Console(file=stream, width=width or 120, color_system=None)
    for grid in found:
        console.print(Text(grid.title))  # as the table's own title it would be broken to the table's width
        table = Table()
        for number, name in enumerate(grid.head):
            table.add_column(Text(name), justify="left" if number == 0 else "right", overflow="fold")
        for line in grid.lines:
            table.add_row(*map(Text, line))
        console.print(table)
    return stream.getvalue()


def as_csv(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Rows of cells, None as an empty one, without a line's end at the end."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return stream.getvalue().rstrip("\n")
