"""The file in which a long run keeps what it has finished, so that the same command continues it later.

A journal is a file of JSON lines: first what the run depends on, then one entry a finished item, each written
only when the item's files are whole. A last line that was cut off by a crash is left out when it is read.
"""

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

from pydantic import ValidationError

from pse_bench.errors import InputError
from pse_bench.io.atomic import replacing
from pse_bench.io.documents import Record, explain, parse_json

Entry = dict[str, Any]
R = TypeVar("R", bound=Record)
T = TypeVar("T")


def read(path: Path) -> tuple[Entry, list[Entry]]:
    """The identity of a run and the items it finished; empty when it got no further than starting.

    Raises InputError when the file is damaged otherwise than by being cut off.
    """
    try:
        *whole, _ = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return {}, []
    entries = [parse_json(line, f"{path}:{number}") for number, line in enumerate(whole, 1)]
    if not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{path}: damaged; use --force to start again")
    return (entries[0], entries[1:]) if entries else ({}, [])


def checked(record: type[R], entries: Iterable[Entry], path: Path) -> list[R]:
    """Entries of the journal at ``path`` as records. Raises InputError naming the line that is none."""
    found = []
    for number, entry in enumerate(entries, 2):
        try:
            found.append(record.model_validate(entry))
        except ValidationError as error:
            raise InputError(
                f"{path}: damaged; use --force to start again (line {number}: {explain(error, record)})"
            ) from error
    return found


class Journal:
    """An open journal. Entries are added at its end and read back by their number, so that what a run has finished
    need not stay in memory."""

    def __init__(self, stream: BinaryIO, lengths: Iterable[int]) -> None:
        self._stream = stream
        self._starts = array("q", accumulate(lengths))

    def add(self, entry: Entry) -> int:
        """Write an entry, which is in the file when this returns; its number, from 0."""
        line = _line(entry)
        self._stream.write(line)
        self._stream.flush()
        self._starts.append(self._starts[-1] + len(line))
        return len(self._starts) - 2

    def __getitem__(self, number: int) -> Entry:
        """The entry of a number."""
        self._stream.seek(self._starts[number])
        return json.loads(self._stream.readline())


class LazyEntries(Sequence[T], Generic[T]):
    """Entries of an open journal by their numbers, each read and made by ``build`` when it is asked for."""

    def __init__(self, journal: Journal, numbers: Sequence[int], build: Callable[[Entry], T]) -> None:
        self._journal, self._numbers, self._build = journal, numbers, build

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        return self._build(self._journal[self._numbers[index]])


@contextmanager
def record(path: Path, identity: Entry, finished: Iterable[Entry]) -> Iterator[Journal]:
    """Write the journal anew with what is still valid, and open it. The entries of ``finished`` have the first
    numbers, in their order."""
    lengths = array("q")
    with replacing(path) as part, part.open("wb") as stream:
        for entry in chain([identity], finished):
            line = _line(entry)
            stream.write(line)
            lengths.append(len(line))
    with path.open("a+b") as stream:
        yield Journal(stream, lengths)


def check(folder: Path, known: Entry, identity: Entry) -> None:
    """Refuse to continue a run that depended on something else. Raises InputError naming the difference."""
    for key, value in identity.items():
        if known.get(key) != value:
            raise InputError(
                f"{folder}: begun with {key.replace('_', ' ')} {_short(known.get(key))}, now it is "
                f"{_short(value)}; give a new folder, or --force to start again"
            )


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return value[:12] if isinstance(value, str) and len(value) == 64 else str(value)


def _line(entry: Entry) -> bytes:
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"
