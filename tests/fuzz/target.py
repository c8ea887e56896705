"""What a target is, and what targets of more than one module are made with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pse_bench.errors import InputError

Read = Callable[[bytes], Iterable[str] | None]
"""Parses a document, and gives lines that a person would be shown."""


@dataclass(frozen=True)
class Target:
    """One parser.

    Attributes:
        reads: the function that is called.
        kind: which mistakes belong to the document, see ``mutations.KINDS``.
        seeds: valid documents.
        open: given an empty folder, the function that parses.
        executions: how often it runs in ``make fuzz``.
        memory_mb: by how much its process may grow over all of them.
    """

    name: str
    reads: str
    kind: str
    seeds: Callable[[], list[bytes]]
    open: Callable[[Path], Read]
    executions: int = 30_000
    memory_mb: int = 150


def of_file(name: str, parse: Callable[[Path], Any]) -> Callable[[Path], Read]:
    """A parser of a file by its path."""

    def opened(folder: Path) -> Read:
        path = folder / name

        def read(content: bytes) -> None:
            path.write_bytes(content)
            parse(path)

        return read

    return opened


def of_text(parse: Callable[[str], Any]) -> Callable[[Path], Read]:
    """A parser of a text: an argument of a command, or a file that was decoded before."""

    def opened(_: Path) -> Read:
        def read(content: bytes) -> Iterable[str]:
            found = parse(content.decode(errors="replace"))
            return found if isinstance(found, list) else ()

        return read

    return opened


def either(parse: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """Run one of several parsers of the same content; its refusal does not end the others' turn."""
    try:
        parse(*arguments, **named)
    except InputError as error:
        if not str(error).isprintable():
            raise AssertionError(str(error)) from error
