"""Columns of a CSV that a person wrote: transcripts, genders, rooms or mixtures, with whatever else it holds."""

from collections.abc import Sequence
from pathlib import Path

from pse_bench.errors import InputError
from pse_bench.io import documents, tables
from pse_bench.registry import nearest


class Index(dict[str, str]):
    """The values of a CSV by key, and which of the keys were taken."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.taken = path, set[str]()

    def take(self, key: str) -> str:
        """The value of a key, '' where it has none."""
        self.taken.add(key)
        return self.get(key, "")

    def unused(self, root: Path) -> str:
        """A line on the keys that no file of a corpus took, '' where there are none."""
        idle = sorted(self.keys() - self.taken)
        named = f"{len(idle)} of {len(self)} lines have no file in {root}"
        return f"{self.path}: {named}, as {idle[0]}" if idle else ""


def read(path: Path, *, key: Sequence[str], value: Sequence[str]) -> Index:
    """The value of every key; other columns are passed over. ``key`` and ``value`` are the names that a column may
    have, the preferred one first.

    Raises:
        InputError: not a CSV, a column is missing or named twice, or a key has two values.
    """
    rows = tables.csv_lines(documents.read_text(path), path)
    _, header = next(rows)
    columns = [_column(path, header, names) for names in (key, value)]
    values = Index(path)
    for where, cells in rows:
        name, content = (cells[column] for column in columns)
        if not name:
            raise InputError(f"{where}: empty {key[0]}; fill it in or remove the line")
        if values.setdefault(name, content) != content:
            raise InputError(f"{where}: {name!r} has another {value[0]} in an earlier line; remove one")
    return values


def _column(path: Path, header: list[str], names: Sequence[str]) -> int:
    for name in (name for name in names if name in header):
        if header.count(name) > 1:
            raise InputError(f"{path}: column {name!r} is named twice; keep one")
        return header.index(name)
    near = next(filter(None, (nearest(name, header) for name in names)), "")
    hint = f"did you mean {near!r}? rename it" if near else f"found {', '.join(header) or 'an empty file'}"
    raise InputError(f"{path}: no column {' or '.join(map(repr, names))}; {hint}")
