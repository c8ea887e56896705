"""A result folder, and which of them may stand side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pse_bench import detections
from pse_bench.errors import InputError
from pse_bench.files import parse_json, read_text, sha256
from pse_bench.records import SCHEMA, Summary
from pse_bench.summaries import Scores, summaries_of

SAME = ("dataset_fingerprint", "reference")
"""What results that stand side by side have in common."""


@dataclass(frozen=True)
class Result:
    """A result folder: what ``result.json`` says, and the summary."""

    folder: Path
    about: dict[str, Any]
    summaries: list[Summary]

    @property
    def system(self) -> str:
        """The system's name, as one printable line whatever its author wrote."""
        name = "".join(c if c.isprintable() else " " for c in self.about["system"]["name"])
        return " ".join(name.split())

    @classmethod
    def open(cls, folder: Path) -> "Result":
        """Raises InputError when the folder holds no finished result, one of another schema, or one that was
        changed. Figures are computed from the scores again: ``summary.csv`` is for people to read."""
        path = folder / "result.json"
        if not path.is_file():
            raise InputError(f"{folder}: no result here (result.json is missing); give a folder that score wrote")
        about = parse_json(read_text(path), str(path))
        if not isinstance(about, dict) or about.get("kind") != "pse-bench result":
            raise InputError(f"{path}: not a result of pse-bench; score again")
        if about.get("schema") != SCHEMA:
            raise InputError(f"{path}: schema {about.get('schema')!r}, expected {SCHEMA}; score again")
        system = about.get("system")
        named = isinstance(system, dict) and isinstance(system.get("name"), str)
        if not named or not isinstance(about.get("metrics"), dict):
            raise InputError(f"{path}: damaged (no system name or no metrics); score again")
        for key in SAME:
            if not isinstance(about.get(key), str):
                raise InputError(f"{path}: damaged (no {key}); score again")
        for name in ("scores.csv", "mixtures.csv", detections.FILE):
            table = folder / name
            if (sha256(table) if table.is_file() else None) != about.get(f"{table.stem}_sha256"):
                raise InputError(f"{table}: missing or changed since it was scored; restore it or score again")
        return cls(folder, about, summaries_of(Scores.read(folder)))


def check_comparable(results: Sequence[Result]) -> None:
    """Refuse to put results of different datasets, references or metric versions side by side.
    Raises InputError."""
    for key in SAME:
        for result in results[1:]:
            if result.about[key] != results[0].about[key]:
                raise InputError(
                    f"{result.folder}: {key.replace('_', ' ')} {result.about[key][:12]}, but {results[0].folder} "
                    f"has {results[0].about[key][:12]}; only results of one dataset and reference compare"
                )
    versions: dict[str, tuple[Any, Path]] = {}
    for result in results:
        for metric, version in result.about["metrics"].items():
            known, first = versions.setdefault(metric, (version, result.folder))
            if version != known:
                raise InputError(
                    f"{result.folder}: {metric} of another version than in {first}; score both with one pse-bench"
                )
