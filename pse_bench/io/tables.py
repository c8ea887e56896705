"""Tables: CSV files whose header is their schema, exactly the fields of one record, and tables as text.

They are read into records, and anything unexpected is refused with file, line, found and expected.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from pse_bench.errors import InputError, plain
from pse_bench.io.atomic import replacing
from pse_bench.io.documents import R, Record, parse, read_text
from pse_bench.registry import suggestion

if TYPE_CHECKING:
    import pandas as pd

FORMULA = ("=", "+", "-", "@")  # what begins a formula in a spreadsheet
NUMBER = re.compile(r"[-+]?\d[\d.e+-]*( to [-+]?\d[\d.e+-]*)?")
"""A number, or a band of numbers as a group of mixtures is named after: what may begin with a sign."""


def read_table(path: Path, record: type[R], *, optional: Iterable[str] = ()) -> list[R]:
    """The rows of a CSV whose columns are the fields of ``record``, in any order; those in ``optional`` and those
    that the record says may be absent. Empty cells are None where the field allows it. Raises InputError naming
    the line."""
    return table_of(read_text(path), record, str(path), optional)


def table_of(text: str, record: type[R], path: str, optional: Iterable[str] = ()) -> list[R]:
    """As ``read_table``, of a file's text; ``path`` names it in errors."""
    lines = csv_lines(text, path)
    _, header = next(lines)
    fields = record.model_fields
    _check_header(path, header, record, {*optional, *record.optional_columns})
    nullable = {name for name, field in fields.items() if type(None) in getattr(field.annotation, "__args__", ())}
    rows = []
    for where, cells in lines:
        pairs = zip(header, cells, strict=True)
        content = {name: None if cell == "" and name in nullable else cell for name, cell in pairs}
        rows.append(parse(record, content, where, strict=False))
    return rows


def csv_lines(text: str, path: Path | str) -> Iterator[tuple[str, list[str]]]:
    """The lines of a CSV, each with ``path:number`` for errors: the header, [] where there is none, then the rows
    but empty ones. Raises InputError where it is not CSV, or a row is not as long as the header."""
    rows = csv.reader(io.StringIO(text))
    try:
        header = next(rows, [])
        yield f"{path}:{rows.line_num}", header
        for cells in filter(None, rows):
            where = f"{path}:{rows.line_num}"
            if len(cells) != len(header):
                raise InputError(f"{where}: {len(cells)} cells, expected {len(header)}; repair the line")
            yield where, cells
    except csv.Error as error:
        raise InputError(f"{path}:{rows.line_num}: not CSV ({error}); repair the line") from error


def _check_header(path: str, header: list[str], record: type[Record], optional: set[str]) -> None:
    fields = list(record.model_fields)
    if not header:
        raise InputError(f"{path}: empty, expected a CSV with the columns {', '.join(fields)}")
    for name in header:
        if name not in fields:
            raise InputError(f"{path}: unknown column {name!r}; {suggestion(name, fields, 'known columns')}")
    if len(set(header)) != len(header):
        raise InputError(f"{path}: a column is named twice; keep one")
    missing = [name for name in fields if name not in {*header, *optional}]
    if missing:
        raise InputError(f"{path}: column {missing[0]!r} is missing; expected {', '.join(fields)}")


def write_table(path: Path, record: type[Record], rows: Iterable[Record]) -> None:
    """Write records as a CSV with one column a field. None becomes an empty cell. Rows that can be gone through
    twice, as a list can, are not held in memory."""
    idle = set(record.optional_columns)
    rows = list(rows) if idle and isinstance(rows, Iterator) else rows
    for row in rows if idle else ():
        idle = {name for name in idle if getattr(row, name) == record.model_fields[name].default}
    names = [name for name in record.model_fields if name not in idle]
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv_writer(stream)
        writer.writerow(names)
        writer.writerows([cell(getattr(row, name)) for name in names] for row in rows)


def csv_writer(stream: TextIO) -> Any:
    """A writer of CSV rows, whose lines end in \\n, that quotes a cell with any end of a line in it."""
    # Python quotes a cell that holds a character of its own line end, so that is CR LF until the line is stored
    lines = SimpleNamespace(write=lambda line: stream.write(f"{line[:-2]}\n"))
    return csv.writer(lines, lineterminator="\r\n")


def cell(value: Any) -> str:
    """A value as text in a table; None is empty, and a number the shortest text that reads back as the same."""
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


class Grid(NamedTuple):
    """A table as text: its title, the column heads, and the cells."""

    title: str
    head: list[str]
    lines: list[list[str]]


def in_markdown(found: Iterable[Grid]) -> str:
    """Each grid as a Markdown table under its title, and a blank line after it."""
    out = []
    for grid in found:
        rows = [" | ".join(map(literal, grid.head)), *map(" | ".join, grid.lines)]
        first, *others = [f"| {row} |" for row in rows]
        out += [f"### {grid.title}", "", first, "|" + "---|" * len(grid.head), *others, ""]
    return "\n".join(out)


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


def printed(form: str, found: Iterable[Grid], foot: Iterable[str], width: int | None = None) -> str:
    """Grids and the lines below them: ``form`` is terminal or markdown."""
    if form == "markdown":
        return "\n".join([in_markdown(found), *foot])
    return for_terminal(found, width) + "\n".join(foot)


def as_csv(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Rows of cells, None as an empty one, without a line's end at the end. Text that a spreadsheet would compute
    is given an apostrophe in front, by which it is text there too."""
    stream = io.StringIO()
    writer = csv_writer(stream)
    writer.writerow(head)
    writer.writerows([_uncomputed(value) for value in row] for row in rows)
    return stream.getvalue().rstrip("\n")


def csv_of(frame: "pd.DataFrame") -> str:
    """A table as ``as_csv`` writes it, what is not there as an empty cell."""
    return as_csv(frame.columns, frame.astype(object).where(frame.notna(), None).to_numpy().tolist())


def _uncomputed(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip().startswith(FORMULA) and not NUMBER.fullmatch(value):
        return f"'{value}"
    return "" if value is None else value
