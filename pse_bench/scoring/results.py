"""A result folder, and which of them may stand side by side."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict

from pse_bench import metrics
from pse_bench.dataset.groups import groups_of
from pse_bench.errors import InputError
from pse_bench.io import documents
from pse_bench.io.atomic import SEAL, sealed, sha256
from pse_bench.schemas import SCHEMA, TABLES, Summary
from pse_bench.scoring import hypotheses, pvad
from pse_bench.scoring.result_writer import RESULT_KEYS, STAGE
from pse_bench.scoring.summary import Scores, summaries_of
from pse_bench.simulation.verify import VerifyReport, unexpected_files
from pse_bench.submission.submission import System

if TYPE_CHECKING:
    import pandas as pd

FILES = {
    "scores.csv",
    "mixtures.csv",
    "summary.csv",
    pvad.FILE,
    hypotheses.FILE,
}  # the last two where there are any
UNSEALED = "not sealed, so a change of it would not be found: written by an earlier version"
TOLD = ("dataset", "mixtures", "target_speakers")  # what is said of datasets that differ, rather than a hash
SAME = ("dataset_fingerprint", "reference")  # what results that stand side by side have in common


class Part(documents.Record):
    """How many scenes of a dataset were scored, where it is not all."""

    first: int
    of: int


class _Known(documents.Record):
    """What readers take for granted where it is there; other keys are free."""

    model_config = ConfigDict(extra="ignore")

    dataset: str = ""
    submission_sha256: str = ""
    complete: bool = False
    target_speakers: int = 1
    metrics: dict[str, dict[str, Any]]
    recogniser: dict[str, Any] | None = None
    packages: dict[str, str] | None = None
    system: System
    scenes: Part | None = None


@dataclass(frozen=True)
class Result:
    """A result folder: what ``result.json`` says, and the summary."""

    folder: Path
    about: dict[str, Any]
    summaries: list[Summary]

    @property
    def system(self) -> str:
        """The system's name, as one printable line whatever its author wrote."""
        return " ".join("".join(c if c.isprintable() else " " for c in self.about["system"]["name"]).split())

    @property
    def part(self) -> str:
        """What part of the dataset was scored, in words; '' for all of it."""
        return "first {first} of {of} scenes".format(**part) if (part := self.about.get("scenes")) else ""

    @classmethod
    def open(cls, folder: str | Path) -> "Result":
        """Raises InputError when the folder holds no finished result, one of another schema, or one that was
        changed. Figures are computed from the scores again: ``summary.csv`` is for people to read. One of an
        earlier version has no seal, see ``require_sealed``."""
        return cls.with_scores(folder)[0]

    @classmethod
    def with_scores(cls, folder: str | Path) -> "tuple[Result, Scores]":
        """As ``open``, and every score, which it reads anyway."""
        folder = Path(folder)
        path = folder / "result.json"
        if not path.is_file():
            raise InputError(f"{folder}: no result here (result.json is missing); give a folder that score wrote")
        about = about_of(path)
        hashed = FILES if sealed(about, path) else FILES - {"summary.csv"}
        for table in sorted(folder / name for name in hashed):
            if (sha256(table) if table.is_file() else None) != about.get(f"{table.stem}_sha256"):
                raise InputError(f"{table}: missing or changed since it was scored; restore it or score again")
        if unknown := [key for key in about if key not in (*RESULT_KEYS, SEAL)]:
            raise InputError(f"{path}: unknown key {unknown[0]!r}; restore it or score again")
        scores = cls(folder, about, []).read_scores()
        return cls(folder, about, summaries_of(scores)), scores

    def read_scores(self) -> Scores:
        """Every score, with the mixtures they belong to. Raises InputError as ``Scores.read``."""
        return Scores.read(self.folder, metrics.known(self.about["metrics"], str(self.folder / "result.json")))

    def frame(self, by: str | None = None) -> "pd.DataFrame":
        """The summary as a table: a column ``system``, then those of ``summary.csv``. Numbers that are not there
        are NaN.

        Args:
            by: a column of ``mixtures.csv`` to break down by; rows are then those of each group, and columns after
                the system say its ``part``, ``mixtures`` and ``target_speakers``.

        Raises:
            InputError: there is no such column to break down by.
        """
        import pandas as pd

        head = ["system", *(["part", "mixtures", "target_speakers"] if by else []), *Summary.model_fields]
        lines = self._parts(by) if by else (((), row) for row in self.summaries)
        found = [[self.system, *part, *row.model_dump().values()] for part, row in lines]
        return pd.DataFrame(found, columns=head).astype(dict.fromkeys(("value", "ci_low", "ci_high"), float))

    def _parts(self, by: str) -> Iterator[tuple[tuple[str, int, int], Summary]]:
        """The summary of each group, with its label and how many mixtures and target speakers it has."""
        scores = self.read_scores()
        mixtures = list(scores.mixtures.values())
        of = {label: [row for row in mixtures if label in (row.scenario, "all")] for label in TABLES}
        for group in groups_of(mixtures, by):
            counts = {label: group.counts(rows) for label, rows in of.items()}
            for row in summaries_of(scores.among(group.mixtures)):
                yield (group.label, *counts[row.scenario]), row

    @property
    def summary(self) -> "pd.DataFrame":
        """The rows of ``summary.csv``, after the system's name."""
        return self.frame()

    @property
    def scores(self) -> "pd.DataFrame":
        """The rows of ``scores.csv``, after the system's name."""
        import pandas as pd

        rows = [row for cell in self.read_scores().cells.values() for row in cell]
        return pd.DataFrame([{"system": self.system, **row.model_dump()} for row in rows])

    def compare(self, other: "Result | str | Path", metrics: Sequence[str] | None = None) -> "pd.DataFrame":
        """This result against another on the mixtures that both have scored: a row a figure with ``first`` (the
        other's value), ``second`` (this one's), their difference, its 95 % interval, p, and a verdict.

        Args:
            other: a result or its folder.
            metrics: the figures to look at, for which the test is corrected; all by default.

        Raises:
            InputError: see ``compare_results``.
        """
        from pse_bench import compare_results

        other = other if isinstance(other, Result) else Result.open(other)
        return compare_results(other, self, names=metrics).frame()

    def require_sealed(self) -> "Result":
        """Refuse a result of an earlier version, a change of which would not be found. Raises InputError."""
        if SEAL not in self.about:
            raise InputError(f"{self.folder / 'result.json'}: {UNSEALED}; score again")
        return self


def lies_in(folder: Path) -> bool:
    """Whether a folder holds a result, or what is left of one, and not a dataset."""
    ours = any((folder / name).is_file() for name in ("result.json", "scores.csv", STAGE.journal))
    return ours and not (folder / "dataset.json").is_file()


def verify(folder: Path) -> VerifyReport:
    """Check a result in a folder: every file has the hash that ``result.json`` gives, which has its own; nothing
    else lies there; figures follow from the scores. Raises InputError when there is none, or it was changed."""
    result, scores = Result.with_scores(folder)
    own = {*FILES, "result.json", *([STAGE.journal] if result.part else [])}
    problems = [f"{path}: not a file of this result" for path in unexpected_files(folder, own)]
    problems += hypotheses.differences(folder, scores)
    if SEAL not in result.about:
        problems.append(f"{folder / 'result.json'}: {UNSEALED}; score again")
    present = [name for name in FILES if (folder / name).is_file()]
    return VerifyReport({"files": 1 + len(present), "figures": len(result.summaries)}, problems)


def about_of(path: Path) -> dict[str, Any]:
    """What a ``result.json`` says. Raises InputError when it is not one, or damaged."""
    about = documents.read_json(path)
    if not isinstance(about, dict) or about.get("kind") != "pse-bench result":
        raise InputError(f"{path}: not a result of pse-bench; score again")
    if about.get("schema") != SCHEMA:
        raise InputError(f"{path}: schema {about.get('schema')!r}, expected {SCHEMA}; score again")
    system = about.get("system")
    named = isinstance(system, dict) and isinstance(system.get("name"), str)
    lacking = [] if named and isinstance(about.get("metrics"), dict) else ["system name or no metrics"]
    if lacking := [*lacking, *(key for key in SAME if not isinstance(about.get(key), str))]:
        raise InputError(f"{path}: damaged (no {lacking[0]}); score again")
    documents.parse(_Known, about, str(path))
    return about


def check_comparable(results: Sequence[Result]) -> None:
    """Refuse to put results of different datasets, parts of one, references or metric versions side by side.
    Raises InputError."""
    first = results[0]
    for key, result in itertools.product(SAME, results):
        if result.about[key] != first.about[key]:
            told = [*TOLD, key] if key == "dataset_fingerprint" else [key]
            what = next(name for name in told if result.about.get(name) != first.about.get(name))
            own, other = (f"{one.about.get(what)}"[: 12 if what in SAME else None] for one in (result, first))
            found = f"{what.replace('_', ' ')} {own}, but {first.folder} has {other}"
            raise InputError(f"{result.folder}: {found}; only results of one dataset and reference compare")
    for result in (result for result in results if result.part != first.part):
        own, others = (one.part or "all scenes" for one in (result, first))
        remedy = "score both with the same --scenes, or on all"
        raise InputError(f"{result.folder}: {own}, but {first.folder} has {others}; {remedy}")
    versions: dict[str, tuple[Any, Path]] = {}
    for result in results:
        for metric, version in result.about["metrics"].items():
            known, where = versions.setdefault(metric, (version, result.folder))
            if version != known:
                found = f"{metric} of another version than in {where}"
                raise InputError(f"{result.folder}: {found}; score both with one pse-bench")
