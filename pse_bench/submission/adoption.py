"""Adopting a folder that was enhanced elsewhere: its files are copied to where ``score`` finds them.

A file is adopted when its path names one mixture only, no other file names the same, and its sound does not speak
against that. Everything else is left and listed. Nothing in the foreign folder is changed.
"""

import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import atomic, documents
from pse_bench.io.tables import Grid, printed
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update
from pse_bench.schemas import Mixture
from pse_bench.submission import submission
from pse_bench.submission.check import file_layout
from pse_bench.submission.check.diagnosis import MATCHING, UNRELATED
from pse_bench.submission.check.file_stats import FileStats, measure
from pse_bench.submission.check.findings import first_names, printable

SOUND = (".flac", ".wav", ".wave", "")
"""Endings, in lower case, of files that may be adopted; their first bytes say what they are."""
FORMATS = {b"fLaC": ".flac", b"RIFF": ".wav", b"RF64": ".wav"}
HOW = {
    "in-place": "named as asked for",
    "wrong-case": "letter case mended",
    "wrong-ending": "ending mended",
    "wrong-folder": "from another folder",
    "wrong-name": "renamed",
}
LEFT = {
    "several": "one of several files of a mixture, or of several mixtures",
    "unrelated": "with sound that has nothing in common with the mixture",
    "no-sound": "no FLAC or WAV that can be read",
    "unknown": "without the name of a mixture",
}


@dataclass(frozen=True)
class AdoptedFile:
    """A file as it was found, its name now, in what way (``HOW``) that is another, and its correlation with the
    mixture or the reference; None where the two were not compared: in TS3, of silence, at another rate."""

    file: str
    name: str
    how: str
    correlation: float | None


@dataclass
class Adoption:
    """What was adopted into ``out``, the files that were left by the reason (``LEFT``), and the mixtures that have
    none."""

    out: Path
    adopted: list[AdoptedFile] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=lambda: {why: [] for why in LEFT})
    missing: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """All of it for a script."""
        adopted = [asdict(one) for one in self.adopted]
        return {"out": str(self.out), "adopted": adopted, "left": self.left, "missing": self.missing}

    def terminal(self) -> str:
        """How many files became what, with the first of them."""
        lines = []
        for how, words in HOW.items():
            if found := [one for one in self.adopted if one.how == how]:
                first = found[0].file + (f" → {found[0].name}" if how != "in-place" else "")
                lines.append([words, str(len(found)), first_names([first])])
        for why, names in self.left.items():
            if names:
                lines.append([f"left: {LEFT[why]}", str(len(names)), first_names(names)])
        if self.missing:
            lines.append(["mixtures without a file", str(len(self.missing)), first_names(self.missing)])
        count, of = len(self.adopted), len(self.adopted) + len(self.missing)
        heard = [one.correlation for one in self.adopted if one.correlation is not None]
        alike = sum(value >= MATCHING for value in heard)
        foot = f"sound agrees with the mixture in {alike} of {len(heard)}; TS3 and silence are not compared"
        grid = Grid(f"{self.out}: {count} of {of} estimates adopted", ["", "files", "first of them"], lines, "lrl")
        return printed("terminal", [grid], [foot])


def adopt(
    dataset: Dataset,
    path: str | Path,
    out: str | Path,
    *,
    executor: Executor,
    fields: Mapping[str, Any] | None = None,
    progress: Update = lambda done, total: None,
) -> Adoption:
    """Copy the audio of a foreign folder, or a zip, into a submission, as far as it is certain what it is of.

    Args:
        dataset: what was enhanced.
        path: the foreign folder, or a zip.
        out: the submission's folder, new or empty.
        executor: where files are looked at.
        fields: of ``system.yaml``, beside those that the folder has in one, see ``submission.parse_fields``.
        progress: told how many files are looked at.

    Raises:
        InputError: nothing lies at ``path`` or nothing there can be adopted, ``out`` holds files, or ``fields`` do
            not make a ``system.yaml``.
    """
    path, out = Path(path), Path(out)
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: holds other files; give a new or empty folder")
    with submission.opened(path, dataset.mixtures) as folder:
        found = Adoption(out)
        claims = _claims(folder, dataset.mixtures, found)
        reader = replace(dataset, mixtures=[])
        work = [(reader, folder.resolve(), row, name) for row, name in claims]
        for done, outcome in enumerate(executor.run(measure, work), 1):
            row, name = claims[outcome.index]
            _judge(folder, row, name, None if outcome.lost else outcome.value, found)
            progress(done, len(work))
        _require_some(found, path, dataset)
        _describe(folder, path, out, fields)
        found.adopted.sort(key=lambda one: one.name)
        found.left = {why: sorted(names) for why, names in found.left.items()}
        for one in found.adopted:
            with atomic.replacing(out / one.name) as part:
                shutil.copyfile(folder / one.file, part)
    names = {one.name.rpartition(".")[0] for one in found.adopted}
    found.missing += [name for row in dataset.mixtures if (name := submission.estimate_name(row)) not in names]
    return found


def _require_some(found: Adoption, path: Path, dataset: Dataset) -> None:
    """Raise InputError where nothing can be adopted, or the sound says that this is another dataset's."""
    agree = sum(one.correlation is not None for one in found.adopted)
    if (wrong := len(found.left["unrelated"])) > agree:
        of = f"the mixtures of {dataset.description.name}-v{dataset.description.version}"
        reason = f"the sound of {wrong} files has nothing in common with {of} in their names, of {agree} it has"
        raise InputError(f"{path}: {reason}; give the dataset that was enhanced")
    if not found.adopted:
        left = [(names, LEFT[why]) for why, names in found.left.items() if names]
        reasons = [f"{len(names)} {words}, as {printable(names[0])}" for names, words in left]
        asked = f"expected scenario and scene in each name, as {submission.estimate_name(dataset.mixtures[0])}.wav"
        raise InputError(f"{path}: nothing to adopt; {asked}; found {'; '.join(reasons) or 'no file at all'}")


def _claims(folder: Path, mixtures: list[Mixture], found: Adoption) -> list[tuple[Mixture, str]]:
    """The mixtures that one file alone names, and that file; what cannot be is added to what is left."""
    known = file_layout.by_name(mixtures)
    claims: dict[str, list[str]] = defaultdict(list)
    for name in sorted(file_layout.listed(folder, mixtures)):
        rows = [] if file_layout.is_beside(name) else file_layout.named(PurePosixPath(name), known)
        if len(rows) == 1 and PurePosixPath(name).suffix.casefold() in SOUND:
            claims[rows[0].mixture_id].append(name)
        elif not file_layout.is_beside(name):
            found.left["several" if len(rows) > 1 else "no-sound" if rows else "unknown"].append(name)
    single = []
    for row in mixtures:
        names = claims[row.mixture_id]
        exact = [name for name in names if file_layout.how_named(PurePosixPath(name), row) == "in-place"]
        chosen = exact if len(exact) == 1 else names if len(names) == 1 else []
        single += [(row, name) for name in chosen]
        found.left["several"] += [name for name in names if name not in chosen]
    return single


def _judge(folder: Path, row: Mixture, name: str, stats: FileStats | None, found: Adoption) -> None:
    """Adopt a file, or leave it for what it holds."""
    ending = ending_of(folder / name)
    correlations = [abs(match.correlation) for match in stats.matches.values()] if stats else []
    if stats is None or not ending or any(code == "unreadable" for code, _ in stats.faults):
        found.left["no-sound"].append(name)
    elif correlations and max(correlations) < UNRELATED:
        found.left["unrelated"].append(name)
    else:
        as_name = f"{submission.estimate_name(row)}{ending}"
        how = "in-place" if name == as_name else file_layout.how_named(PurePosixPath(name), row)
        found.adopted.append(AdoptedFile(name, as_name, how, max(correlations, default=None)))


def ending_of(path: Path) -> str:
    """The ending that belongs to what a file holds; '' where an estimate may not be stored so."""
    with path.open("rb") as stream:
        return FORMATS.get(stream.read(4), "")


def _describe(folder: Path, path: Path, out: Path, fields: Mapping[str, Any] | None) -> None:
    """Write ``system.yaml`` from the one of the foreign folder, if any, and the fields."""
    there = next((name for name in sorted(Path(folder).iterdir()) if file_layout.describes(name.name)), None)
    if fields:
        content = submission.system_content(folder, there.name) if there else {}
        submission.write_system(out, documents.parse(submission.System, {**content, **fields}, f"{path}: --set"))
    elif there:
        with atomic.replacing(out / submission.DESCRIPTION) as part:
            shutil.copyfile(there, part)
