"""Tables as text: for a terminal, in Markdown, as CSV."""

import io
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from pse_bench.errors import plain
from pse_bench.io.tables import csv_writer

if TYPE_CHECKING:
    import pandas as pd

FORMULA = ("=", "+", "-", "@")
"""Characters that begin a formula in a spreadsheet."""

NUMBER = re.compile(r"[-+]?\d[\d.e+-]*( to [-+]?\d[\d.e+-]*)?")
"""A number, or a band of numbers as a group of mixtures is named after: what may begin with a sign."""


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
        console.print(Text(plain(grid.title)))  # as the table's own title it would be broken to the table's width
        table = Table()
        for number, name in enumerate(grid.head):
            table.add_column(Text(plain(name)), justify="left" if number == 0 else "right", overflow="fold")
        for line in grid.lines:
            table.add_row(*(Text(plain(cell)) for cell in line))
        console.print(table)
    return stream.getvalue()


def as_csv(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Rows of cells, None as an empty one, without a line's end at the end. Text that a spreadsheet would compute
    is given an apostrophe in front, by which it is text there too."""
    stream = io.StringIO()
    writer = csv_writer(stream)
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue().rstrip("\n")


def csv_of(frame: "pd.DataFrame") -> str:
    """A table as ``as_csv`` writes it, what is not there as an empty cell."""
    return as_csv(frame.columns, frame.astype(object).where(frame.notna(), None).to_numpy().tolist())


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip().startswith(FORMULA) and not NUMBER.fullmatch(value):
        return f"'{value}"
    return "" if value is None else value
