"""What an exporter is, and all of them: each module of this package that defines ``EXPORTERS`` adds to them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pse_bench.export
from pse_bench.registry import Registry, collect


@dataclass(frozen=True)
class Exporter:
    """A form in which a dataset is written for other programs.

    Attributes:
        write: ``write(dataset, items, out, force=…, progress=…)`` writes the folder and gives the path to name.
        help: of its command; the first line says what is written.
        unit: what is counted when it is done.
        next_step: what to do with what was written, from its path.
    """

    write: Callable[..., Path]
    help: str
    unit: str = "mixtures"
    next_step: Callable[[Path], str] = str


def _problem(entry: Any) -> str:
    return "" if isinstance(entry, Exporter) else "is no pse_bench.export.exporter.Exporter; give one"


def exporters() -> Registry[Exporter]:
    """The exporters by the name of their command."""
    own = collect(pse_bench.export, "EXPORTERS")
    return Registry("exporter", own, group="pse_bench.exporters", check=_problem)
