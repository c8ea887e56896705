"""Tables: CSV files whose header is their schema, exactly the fields of one record, and tables as text.

They are read into records, and anything unexpected is refused with file, line, found and expected.
"""

import csv
import io
import math
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TextIO

from pydantic import ConfigDict, TypeAdapter

from pse_bench.errors import InputError, plain
from pse_bench.io.atomic import replacing
from pse_bench.io.documents import R, Record, parse, read_text
from pse_bench.registry import suggestion

if TYPE_CHECKING:
    import pandas as pd
    from pydantic.fields import FieldInfo

FORMULA = ("=", "+", "-", "@")  # what begins a formula in a spreadsheet
NUMBER = re.compile(r"[-+]?\d[\d.e+-]*( to [-+]?\d[\d.e+-]*)?")
"""A number, or a band of numbers as a group of mixtures is named after: what may begin with a sign."""


def read_table(path: str | Path, record: type[R], *, optional: Iterable[str] = ()) -> list[R]:
    """The rows of a CSV whose columns are the fields of ``record``, in any order; those in ``optional`` and those
    that the record says may be absent. Empty cells are None where the field allows it. Raises InputError naming
    the line."""
    return table_of(read_text(Path(path)), record, str(path), optional)


def table_of(text: str, record: type[R], path: str, optional: Iterable[str] = ()) -> list[R]:
    """As ``read_table``, of a file's text; ``path`` names it in errors."""
    lines = csv_lines(text, path)
    _, header = next(lines)
    fields = record.model_fields
    _check_header(path, header, record, {*optional, *record.optional_columns})
    nullable = {name for name, field in fields.items() if _may_be_empty(field)}
    rows = []
    for where, cells in lines:
        pairs = zip(header, cells, strict=True)
        content = {name: None if cell == "" and name in nullable else cell for name, cell in pairs}
        rows.append(parse(record, content, where, strict=False))
    return rows


NUMERIC = b"0123456789.e+-"
"""Characters of numbers, as far as cells of them are read alike by Python and by the records."""


def read_columns(path: Path, record: type[Record]) -> dict[str, Sequence[Any]]:
    """As ``read_table``, the values of each field: for tables with many rows. What is not as ``write_table``
    leaves it is read row by row, so mistakes have the same words."""
    text = read_text(path)
    found = _columns(text, record)
    if found is None:
        rows = table_of(text, record, str(path))
        found = {name: [getattr(row, name) for row in rows] for name in record.model_fields}
    return found


def _columns(text: str, record: type[Record]) -> dict[str, Sequence[Any]] | None:
    """The columns of a table; None where something about it is unexpected."""
    fields = record.model_fields
    try:
        columns: Sequence[Sequence[str]] | None = plain_cells(text, len(fields))
        columns = columns or list(zip(*csv.reader(io.StringIO(text)), strict=True))
        if [cells[0] for cells in columns] != list(fields) or len(columns[0]) < 2:
            return None
        each = zip(fields.items(), columns, strict=True)
        return {name: _values(cells[1:], field) for (name, field), cells in each}
    except (csv.Error, ValueError):  # pydantic's error, too, is a ValueError
        return None


def plain_cells(text: str, number: int, divider: str = ",") -> list[list[str]] | None:
    """The cells of each of so many columns, the head first, of a table in which nothing is quoted: several times
    faster than a CSV reader. None where lines are of another length, or anything else is unusual."""
    import numpy as np

    if '"' in text or "\r" in text or not text.endswith("\n"):
        return None
    within, end = f"{divider}\n".encode()
    characters = np.frombuffer(text.encode(), np.uint8)
    places = np.flatnonzero((characters == within) | (characters == end))
    if len(places) % number or np.diff(places, prepend=-1).max() > csv.field_size_limit():
        return None
    if not (characters[places].reshape(-1, number) == [within] * (number - 1) + [end]).all():
        return None
    cells = text.replace("\n", divider).split(divider)
    return [cells[column:-1:number] for column in range(number)]


def _values(cells: Sequence[str], field: "FieldInfo") -> Sequence[Any]:
    """The values of a field's cells. Raises ValueError where one is wrong, or may be."""
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    if kind is str:
        return cells
    if kind in (float, float | None):
        if "".join(cells).encode().translate(None, NUMERIC):
            raise ValueError("not a number, or in another form")
        empty = kind is not float and "" in cells
        found = [float(cell) if cell else None for cell in cells] if empty else list(map(float, cells))
        if not all(map(math.isfinite, filter(None, found))):
            raise ValueError("not finite")
        return found
    # labels and counts: many cells, few of which differ
    adapter = TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False))
    known = {cell: adapter.validate_python(cell) for cell in set(cells) if cell or not _may_be_empty(field)}
    return list(map(known.get, cells))


def _may_be_empty(field: "FieldInfo") -> bool:
    return type(None) in getattr(field.annotation, "__args__", ())


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
    """A table as text: its title, the column heads, and the cells, in which a line's end says where a cell may be
    parted. ``align`` has a letter a column, as in LaTeX; by default l, and r for all others. The first ``keys``
    columns name the row: they are repeated where the others do not fit beside each other."""

    title: str
    head: list[str]
    lines: list[list[str]]
    align: str = ""
    keys: int = 1

    @property
    def alignment(self) -> str:
        return self.align or "l" + "r" * (len(self.head) - 1)


def printed(form: str, found: Iterable[Grid], foot: Iterable[str], width: int | None = None) -> str:
    """Grids and the lines below them: ``form`` is terminal, markdown or latex."""
    if form == "latex":
        return "\n".join([in_latex(found), *map(_comment, foot)])
    if form == "markdown":
        return "\n".join([in_markdown(found), *(f"- {literal(line)}" for line in foot)])
    return f"{for_terminal(found, width)}\n" + "\n".join(
        _wrapped(line, width or terminal_width()) for line in foot
    )


def in_markdown(found: Iterable[Grid]) -> str:
    """Each grid as a Markdown table under its title, and a blank line after it."""
    out = []
    for grid in found:
        lines = [
            [literal(cell) if side == "l" else cell for side, cell in zip(grid.alignment, line, strict=True)]
            for line in grid.lines
        ]
        rows = [" | ".join(row).replace("\n", " ") for row in ([literal(head) for head in grid.head], *lines)]
        first, *others = [f"| {row} |" for row in rows]
        out += [f"### {literal(grid.title)}", "", first, "|" + "---|" * len(grid.head), *others, ""]
    return "\n".join(out)


def literal(name: str) -> str:
    """A name as Markdown that shows it as it is."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", name)


LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "{}$&#_%"},
        **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
        **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "\n": " "},
        **{"↑": r"$\uparrow$", "↓": r"$\downarrow$", "−": "$-$", "–": "--", "●": r"$\bullet$"},
    }
)
"""What LaTeX takes for something else, or does not have in every font, as it shows it."""


def in_latex(found: Iterable[Grid]) -> str:
    """Each grid as a ``tabular`` with the rules of the package booktabs, its title as a comment, and a blank line
    after it."""
    out = [r"% needs \usepackage{booktabs}"]
    for grid in found:
        # a bracket or a star at the beginning would be an argument of the line's end before it
        head, *lines = [
            re.sub(r"^(?=[*\[])", "{}", " & ".join(_latex(cell) for cell in line)) + r" \\"
            for line in (grid.head, *grid.lines)
        ]
        begin, end = rf"\begin{{tabular}}{{{grid.alignment}}}", r"\end{tabular}"
        out += [_comment(grid.title), begin, r"\toprule", head, r"\midrule", *lines, r"\bottomrule", end, ""]
    return "\n".join(out)


def _comment(text: str) -> str:
    return f"% {plain(' '.join(text.splitlines()))}"


def _latex(text: str) -> str:
    """A cell as LaTeX that shows it as it is, the sign of a number as a minus."""
    return re.sub(r"(?<!\w)-(?=\d)", "$-$", plain(text.replace("\n", " ")).translate(LATEX))


# ---- for a terminal

GAP = 2
"""Spaces between two columns."""
NARROW = 20
"""Characters that a column of words is not made narrower than, where it has so many."""
TIED = "\ue000"
"""Stands for a space at which no line ends, while lines are broken: rich breaks them at U+00A0, too."""


def terminal_width() -> int:
    """Columns of the terminal, or what COLUMNS says; 120 where the output is no terminal."""
    return shutil.get_terminal_size((120, 24)).columns


def for_terminal(found: Iterable[Grid], width: int | None = None) -> str:
    """Each grid below its title, within the width of the terminal unless told. Where the columns do not fit beside
    each other, cells are parted at their line's ends; where that does not do, the last columns stand in further
    tables below. Only a word that is wider than everything is broken."""
    width = width or terminal_width()
    parts = [(_wrapped(grid.title, width), "\n\n".join(_drawn(grid, width))) for grid in found]
    return "\n\n".join("\n".join(filter(None, part)) for part in parts) + "\n"


class _Column(NamedTuple):
    """A column: how wide it is at least, and at most."""

    side: str
    cells: list[str]
    least: int
    most: int


def _column(side: str, head: str, cells: list[str], *, parted: bool) -> _Column:
    from rich.cells import cell_len

    head, *cells = (re.sub(" (?=[↑↓])", TIED, plain(text)) for text in (head.replace("\n", " "), *cells))
    cells = cells if parted else [cell.replace("\n", " ") for cell in cells]
    texts = [piece for cell in cells for piece in cell.split("\n")]
    words = max(cell_len(word) for text in (head, *(texts if side == "l" else ())) for word in text.split(" "))
    natural = max((cell_len(text) for text in texts), default=0)
    least = max(words, min(natural, NARROW) if side == "l" else natural)
    return _Column(side, [head, *cells], least, max(least, natural, cell_len(head)))


def _drawn(grid: Grid, width: int) -> list[str]:
    """The tables that a grid becomes within a width."""
    for parted in (False, True):
        contents = [[line[number] for line in grid.lines] for number in range(len(grid.head))]
        columns = [
            _column(side, head, cells, parted=parted)
            for side, head, cells in zip(grid.alignment, grid.head, contents, strict=True)
        ]
        if sum(column.least + GAP for column in columns) - GAP <= width:
            return [_table(columns, width)]
    keys, tables = columns[: grid.keys], [columns[: grid.keys]]
    for column in columns[grid.keys :]:
        fits = sum(one.least + GAP for one in tables[-1]) + column.least <= width
        if fits or len(tables[-1]) == grid.keys:
            tables[-1].append(column)
        else:
            tables.append([*keys, column])
    return [_table(columns, width) for columns in tables]


def _table(columns: list[_Column], width: int) -> str:
    """A table with columns as wide as there is room for, from the left."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    widths = [column.least for column in columns]
    room = width - sum(widths) - GAP * (len(columns) - 1)
    while room < 0 and max(widths) > 1:  # a name is wider than the terminal
        widths[widths.index(max(widths))] -= 1
        room += 1
    for number, column in enumerate(columns):
        more = max(0, min(room, column.most - widths[number]))
        widths[number] += more
        room -= more
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    justify: dict[str, Literal["left", "right", "center"]] = {"l": "left", "r": "right", "c": "center"}
    for column, own in zip(columns, widths, strict=True):
        table.add_column(Text(column.cells[0]), justify=justify[column.side], width=own, overflow="fold")
    for row in zip(*(column.cells[1:] for column in columns), strict=True):
        table.add_row(*map(Text, row))
    stream = io.StringIO()
    Console(file=stream, width=sum(widths) + GAP * len(widths), color_system=None).print(table)
    lines = stream.getvalue().replace(TIED, " ").rstrip("\n").split("\n")
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(text: str, width: int) -> str:
    """A line of text within a width."""
    return "\n".join(textwrap.wrap(plain(text), width, break_on_hyphens=False))


# ---- as CSV


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
