"""Two columns of a CSV that a person wrote: transcripts, genders or rooms, with whatever else it holds."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from pse_bench.errors import InputError
from pse_bench.io import documents
from pse_bench.registry import nearest


def read(path: Path, *, key: Sequence[str], value: Sequence[str]) -> dict[str, str]:
    """The value of every key; other columns are passed over.

    Args:
        path: the CSV, with a header.
        key, value: the names that either column may have, the preferred one first.

    Raises:
        InputError: not a CSV, a column is missing or named twice, or a key has two values.
    """
    rows = csv.reader(io.StringIO(documents.read_text(path)))
    values: dict[str, str] = {}
    try:
        header = next(rows, [])
        where = [_column(path, header, names) for names in (key, value)]
        for cells in rows:
            if not cells:
                continue
            if len(cells) != len(header):
                raise InputError(
                    f"{path}:{rows.line_num}: {len(cells)} cells, expected {len(header)}; repair the line"
                )
            name, content = (cells[column] for column in where)
            if not name:
                raise InputError(f"{path}:{rows.line_num}: empty {key[0]}; fill it in or remove the line")
            if values.setdefault(name, content) != content:
                raise InputError(
                    f"{path}:{rows.line_num}: {name!r} has another {value[0]} in an earlier line; remove one"
                )
    except csv.Error as error:
        raise InputError(f"{path}:{rows.line_num}: not CSV ({error}); repair the line") from error
    return values


def _column(path: Path, header: list[str], names: Sequence[str]) -> int:
    for name in names:
        if header.count(name) > 1:
            raise InputError(f"{path}: column {name!r} is named twice; keep one")
        if name in header:
            return header.index(name)
    wanted = " or ".join(map(repr, names))
    near = next(filter(None, (nearest(name, header) for name in names)), "")
    hint = f"did you mean {near!r}? rename it" if near else f"found {', '.join(header) or 'an empty file'}"
    raise InputError(f"{path}: no column {wanted}; {hint}")
