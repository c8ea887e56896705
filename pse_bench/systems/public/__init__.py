"""Published systems, as ``public:<name>``: a module each, with nothing of theirs but the way to call them.

Whoever wants one installs its package; code and weights stay there. ``PUBLIC`` in a module of this folder adds
systems by name. Each is an object with ``reset`` and ``step``, or ``enhance``.
"""

import sys
from functools import cache
from typing import Any

from pse_bench.errors import InputError
from pse_bench.io.tables import Grid, for_terminal
from pse_bench.registry import collect, suggestion
from pse_bench.systems.public.published import Published

PREFIX = "public:"


@cache
def systems() -> dict[str, Published]:
    """The published systems by name, in the order of their modules."""
    return collect(sys.modules[__name__], "PUBLIC")


def listed() -> list[dict[str, str]]:
    """What is to be known of each before it is installed; ``installed`` is the release that is, or ''."""
    return [
        {
            "system": PREFIX + name,
            "installed": system.installed,
            "tried": system.tried,
            "licence": system.licence,
            "url": system.url,
            "install": system.install,
        }
        for name, system in systems().items()
    ]


def as_text(width: int | None = None) -> str:
    """The same as a table, and below it the commands that install them."""
    found = listed()
    lines = [[row["system"], _installed(row), row["licence"]] for row in found]
    table = for_terminal(
        [Grid("", ["system", "installed", "licence of code and weights"], lines, align="lll")], width
    )
    return "\n".join([table, *(row["install"] for row in found)])


def _installed(row: dict[str, str]) -> str:
    other = "" if row["installed"] == row["tried"] else f" (tried with {row['tried']})"
    return f"{row['installed']}{other}" if row["installed"] else "no"


def load(name: str) -> Any:
    """The system of ``public:<name>``. Raises InputError where there is none, it is not installed, or its weights
    are others than those that were tried."""
    known = systems()
    short = name.removeprefix(PREFIX)
    if short not in known:
        raise InputError(
            f"system {name!r} is not known; {suggestion(short, known)}; see pse-bench system {PREFIX}"
        )
    return known[short].load(name)
