"""The check of a submission: everything that is wrong with it at once, each with its remedy.

Nothing is scored and nothing is written. Fatal is what ``score`` could not use, and the dataset's own stems handed
in as a system's output; all else is a warning.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.registry import nearest
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update
from pse_bench.schemas import Mixture
from pse_bench.submission import activity_csv, submission, verdicts
from pse_bench.submission.check import diagnosis, file_layout
from pse_bench.submission.check.file_stats import FileStats, Work, cause, measure
from pse_bench.submission.check.findings import CheckReport, Finding, finding, printable, summarize_counts
from pse_bench.submission.zip import RefusedArchive

MAX_PARAMETERS = 10**12
MAX_LATENCY_MS = 10_000.0
MAX_NAME = 80


def check(
    dataset: Dataset, path: str | Path, *, executor: Executor, progress: Update = lambda done, total: None
) -> CheckReport:
    """Findings on a submission.

    Args:
        dataset: what was enhanced.
        path: the submission, a folder or a zip.
        executor: where files are looked at; a file made to crash its reader costs only a worker process.
        progress: told how many estimates are done.

    Raises:
        InputError: nothing lies at ``path``, the dataset itself is damaged, or there is no room to unpack a zip.
    """
    path = Path(path)
    litter: list[str] = []
    mixtures = dataset.mixtures
    name = f"{dataset.description.name}-v{dataset.description.version}"
    try:
        with submission.opened(path, mixtures, litter.append) as folder:
            holds, scenes = _holds(folder)
            mixtures = dataset.first_scenes(scenes)
            layout = file_layout.assign(folder, mixtures, holds, part=scenes is not None)
            reader, names = replace(dataset, mixtures=[]), layout.names
            named = [(row, names[row.mixture_id]) for row in mixtures if row.mixture_id in names]
            items = [(reader, folder.resolve(), row, name) for row, name in named]
            all_stats = _measure(items, executor, progress)
            findings = [*layout.findings, *system_findings(folder)]
            findings += _activity_findings(mixtures, folder, layout.activity)
    except RefusedArchive as error:
        return CheckReport(path.name, name, len(mixtures), 0, tuple(error.findings))
    if litter:
        findings.append(file_layout.litter_finding(litter, len(litter) + len(items) + len(layout.activity)))
    sounds = {row.mixture_id: row.mixture_sha256 for row in mixtures}
    rate = dataset.description.sample_rate
    findings += diagnosis.diagnose(all_stats, sample_rate=rate, twins=lambda one, two: sounds[one] == sounds[two])
    findings.sort(key=lambda finding: finding.severity != "fatal")
    by_kind = {"audio": layout.names, "activity": layout.activity}
    whole = set.intersection(*(set(by_kind[kind]) for kind in holds))
    return CheckReport(path.name or str(path), name, len(mixtures), len(whole), tuple(findings))


def _measure(items: list[Work], executor: Executor, progress: Update) -> list[FileStats]:
    """Statistics of all estimates, in the order of the dataset; a file that takes its worker down is a fault."""
    found: dict[int, FileStats] = {}
    for outcome in executor.run(measure, items):
        _, _, row, name = items[outcome.index]
        faults = (("unreadable", f"reading it failed: {outcome.lost}"),)
        dead = FileStats(row.mixture_id, name, row.scenario, faults)
        found[outcome.index] = dead if outcome.lost else outcome.value
        progress(len(found), len(items))
    return [found[index] for index in range(len(items))]


def _activity_findings(mixtures: list[Mixture], folder: Path, names: Mapping[str, str]) -> Iterator[Finding]:
    """Everything that is wrong with the files of who speaks; ``names`` are theirs by mixture id."""
    by_code: dict[str, list[tuple[str, str]]] = {}
    for row in mixtures:
        if row.mixture_id not in names:
            continue
        name, num_frames = names[row.mixture_id], submission.num_frames(row)
        try:
            values = activity_csv.parse(folder / name, num_frames)
        except InputError as error:
            faults = [("unreadable", cause(folder / name, error))]
        else:
            faults = activity_csv.faults(values, num_frames)
            if not faults and np.ptp(values, axis=0).max() == 0:
                faults = [("constant", "the same in every frame, which is chance")]
        for code, found in faults:
            by_code.setdefault(code, []).append((name, found))
    for code, pairs in by_code.items():
        concerned, texts = zip(*pairs, strict=True)
        yield finding(f"activity-{code}", concerned, summarize_counts(texts), len(names))


def system_findings(folder: Path) -> list[Finding]:
    """Everything that is wrong with ``system.yaml``."""
    path = folder / submission.DESCRIPTION
    try:
        content = submission.system_content(folder)
    except InputError as error:
        if path.is_file():
            found, _, remedy = str(error).removeprefix(f"{path}: ").partition("; ")
            return [_about_system("system-invalid", found, remedy or None)]
        alike = [name for name in sorted(os.listdir(folder)) if name.casefold() in file_layout.DESCRIPTIONS]
        near = alike[0] if alike else ""
        found = f"no {path.name}" + (f"; did you mean {near!r}?" if near else "")
        return [_about_system("system-missing", found, f"rename {near}" if near else None)]
    try:
        system = submission.System.model_validate(content, strict=True)
    except ValidationError as error:
        return [_problem(problem) for problem in error.errors(include_url=False)]
    findings = [_about_system("system-absurd", found, wanted=wanted) for found, wanted in _absurd(system)]
    if system.uses_enrollment is False:
        findings.append(_about_system("ignores-enrollment", f"{verdicts.IGNORES} (uses_enrollment: false)"))
    return findings


def _about_system(code: str, found: str, remedy: str | None = None, **values: str) -> Finding:
    keys = ", ".join((*submission.SETTABLE, "holds"))
    return finding(code, [submission.DESCRIPTION], printable(found), 0, remedy, keys=keys, **values)


def _problem(problem: Any) -> Finding:
    """One of the faults that pydantic found."""
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        near = nearest(key, submission.System.model_fields)
        found = f"unknown key {key!r}" + (f"; did you mean {near!r}?" if near else "")
        return _about_system("system-unknown-key", found, f"rename it to {near}" if near else None)
    if problem["type"] == "missing":
        return _about_system("system-missing-key", f"no key {key!r}", key=key)
    given, wanted = problem["input"], problem["msg"].removeprefix("Input should be ")
    plain = problem["type"] in ("string_too_short", "finite_number")
    found = f"{key}: {str(given)!r}" if plain else f"{key}: {given!r:.80}, a {type(given).__name__}"
    return _about_system("system-wrong-value", found, wanted=wanted, key=key)


def _holds(folder: Path) -> tuple[list[str], int | None]:
    """The kinds that a submission says it holds, or where that cannot be read, those that its folders suggest; and
    of how many scenes, None for all."""
    try:
        system = submission.read_system(folder)
    except InputError:
        kinds = [kind for kind, name in (("audio", "TS*"), ("activity", "activity")) if any(folder.glob(name))]
        return kinds or ["audio"], None
    return list(system.holds), system.scenes


def _absurd(system: submission.System) -> Iterator[tuple[str, str]]:
    """Values of the right type that make no sense: found and expected."""
    if not system.version.strip():
        yield "no version", "a version, by which one result is told from the next"
    if len(system.name) > MAX_NAME or not system.name.isprintable():
        yield f"name: {system.name!r}", f"at most {MAX_NAME} characters in one line"
    if system.parameters is not None and not 0 <= system.parameters <= MAX_PARAMETERS:
        yield f"parameters: {system.parameters}", f"a count from 0 to {MAX_PARAMETERS:.0e}"
    latency = system.algorithmic_latency_ms or 0.0
    if not 0 <= latency <= MAX_LATENCY_MS:
        yield f"algorithmic_latency_ms: {latency:g}", f"milliseconds from 0 to {MAX_LATENCY_MS:g}"
    elif 0 < latency < 0.01:
        yield f"algorithmic_latency_ms: {latency:g}", "milliseconds; this is less than a sample"
    if system.url and not system.url.startswith(("https://", "http://")):
        yield f"url: {system.url!r}", "an address that begins with https://"
