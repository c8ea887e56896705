"""The tables of what is expected: one line a case, as a person reads it."""

import csv
from pathlib import Path

HERE = Path(__file__).parent
ANY = "…"
"""In an expected line: words that are not ours, such as a decoder's."""


def read(name: str) -> dict[str, dict[str, str]]:
    """The rows of a table by their case."""
    with (HERE / name).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["case"] for row in rows}) == len(rows), "a case stands twice"
    return {row["case"]: row for row in rows}


def agrees(found: str, expected: str, **names: object) -> bool:
    """Whether a line is the expected one, in which ``{path}`` and the like stand for ``names``."""
    for name, value in names.items():
        expected = expected.replace(f"{{{name}}}", str(value))
    parts = expected.split(ANY)
    if len(parts) == 1:
        return found == expected
    middle = found[len(parts[0]) : len(found) - len(parts[-1])]
    for part in parts[1:-1]:
        _, there, middle = middle.partition(part)
        if not there:
            return False
    return found.startswith(parts[0]) and found.endswith(parts[-1])
