"""What a long run has finished so far, so that the same command continues after an interruption.

A journal is a file of JSON lines: first what the run depends on, then one entry a finished item, each written
only when the item's files are whole. A last line that was cut off by a crash is left out when it is read.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pse_bench.errors import InputError
from pse_bench.files import parse_json, write_text

Entry = dict[str, Any]


def read(path: Path) -> tuple[Entry, list[Entry]]:
    """What a run depended on and the items it finished; empty when it got no further than starting.

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


@contextmanager
def record(path: Path, identity: Entry, finished: Iterable[Entry]) -> Iterator[Callable[[Entry], None]]:
    """Write the journal anew with what is still valid, then give a function that adds an entry."""
    write_text(path, "".join(_line(entry) for entry in (identity, *finished)))
    with path.open("a", encoding="utf-8") as stream:

        def add(entry: Entry) -> None:
            stream.write(_line(entry))
            stream.flush()

        yield add


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


def _line(entry: Entry) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"
