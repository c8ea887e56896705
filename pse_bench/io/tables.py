"""Tables: CSV files whose header is their schema, exactly the fields of one record.

They are read into records, and anything unexpected is refused with file, line, found and expected.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO, TypeVar

from pse_bench.errors import InputError
from pse_bench.io.atomic import replacing
from pse_bench.io.documents import Record, parse, read_text
from pse_bench.registry import suggestion

R = TypeVar("R", bound=Record)


def read_table(path: Path, record: type[R], *, optional: Iterable[str] = ()) -> list[R]:
    """The rows of a CSV whose columns are the fields of ``record``, in any order.

    Columns in ``optional``, and those that the record says, may be absent. Empty cells are None where the field
    allows it. Raises InputError naming the line.
    """
    return table_of(read_text(path), record, str(path), optional=optional)


def table_of(text: str, record: type[R], path: str, *, optional: Iterable[str] = ()) -> list[R]:
    """As ``read_table``, of a file's text; ``path`` names it in errors."""
    lines = csv_lines(text, path)
    _, header = next(lines)
    fields = record.model_fields
    _check_header(path, header, list(fields), {*optional, *record.optional_columns})
    nullable = {name for name, field in fields.items() if _allows_none(field.annotation)}
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


def _check_header(path: str, header: list[str], fields: list[str], optional: set[str]) -> None:
    if not header:
        raise InputError(f"{path}: empty, expected a CSV with the columns {', '.join(fields)}")
    for name in header:
        if name not in fields:
            raise InputError(f"{path}: unknown column {name!r}; {suggestion(name, fields, 'known columns')}")
    if len(set(header)) != len(header):
        raise InputError(f"{path}: a column is named twice; keep one")
    missing = [name for name in fields if name not in header and name not in optional]
    if missing:
        raise InputError(f"{path}: column {missing[0]!r} is missing; expected {', '.join(fields)}")


def _allows_none(annotation: Any) -> bool:
    return type(None) in getattr(annotation, "__args__", ())


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
        for row in rows:
            writer.writerow([cell(getattr(row, name)) for name in names])


def csv_writer(stream: TextIO) -> Any:
    """A writer of CSV rows, whose lines end in \\n, that quotes a cell with any end of a line in it."""
    return csv.writer(_EndingLines(stream), lineterminator="\r\n")


class _EndingLines:
    """Stores lines ending in \\r\\n with \\n: Python quotes a cell that holds a character of its own line end."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, line: str) -> None:
        self.stream.write(f"{line[:-2]}\n")


def cell(value: Any) -> str:
    """A value as text in a table; None is empty."""
    if value is None:
        return ""
    # repr is the shortest text that reads back as the same number
    return repr(value) if isinstance(value, float) else str(value)
