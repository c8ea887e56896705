"""The check of a submission: everything that is wrong with it at once, each with its remedy.

Nothing is scored and nothing is written. Fatal is what ``score`` could not use, and the dataset's own stems handed
in as a system's output; all else is a warning.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.registry import nearest
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update
from pse_bench.schemas import Mixture
from pse_bench.submission import submission
from pse_bench.submission.check import activity, diagnosis, file_layout, file_stats
from pse_bench.submission.check.findings import CheckReport, Finding, finding, printable
from pse_bench.submission.zip import RefusedArchive

BATCH = 8
MAX_PARAMETERS = 10**12
MAX_LATENCY_MS = 10_000.0
MAX_NAME = 80


@dataclass(frozen=True)
class CheckJob:
    """The dataset and the submission that a worker reads."""

    dataset: Dataset
    folder: Path


Item = tuple[Mixture, str]
"""A mixture, and the name of its estimate below the submission."""


def check(
    dataset: Dataset,
    path: Path,
    *,
    executor: Executor,
    progress: Update = lambda done, total: None,
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
    litter: list[str] = []
    expected = len(dataset.mixtures)
    name = f"{dataset.description.name}-v{dataset.description.version}"
    try:
        with submission.opened(path, dataset.mixtures, litter.append) as folder:
            holds = _holds(folder)
            layout = file_layout.assign(folder, dataset.mixtures, holds)
            items = [
                (row, layout.names[row.mixture_id]) for row in dataset.mixtures if row.mixture_id in layout.names
            ]
            all_stats = _measure(
                CheckJob(replace(dataset, mixtures=[]), folder.resolve()), items, executor, progress
            )
            findings = [
                *layout.findings,
                *system_findings(folder),
                *activity.findings(dataset, folder, layout.activity),
            ]
    except RefusedArchive as error:
        return CheckReport(path.name, name, expected, 0, tuple(error.findings))
    if litter:
        findings.append(file_layout.litter_finding(litter, len(litter) + len(items) + len(layout.activity)))
    sounds = {row.mixture_id: row.mixture_sha256 for row in dataset.mixtures}
    findings += diagnosis.diagnose(
        all_stats,
        sample_rate=dataset.description.sample_rate,
        twins=lambda one, other: sounds[one] == sounds[other],
    )
    findings.sort(key=lambda finding: finding.severity != "fatal")
    by_kind = {"audio": layout.names, "activity": layout.activity}
    whole = set.intersection(*(set(by_kind[kind]) for kind in holds))
    return CheckReport(path.name or str(path), name, expected, len(whole), tuple(findings))


# ---- the estimates, in workers


def measure_batch(work: tuple[CheckJob, list[Item]]) -> list[file_stats.FileStats]:
    """Statistics of some estimates."""
    job, items = work
    return [file_stats.measure(job.dataset, job.folder, row, name) for row, name in items]


def _measure(job: CheckJob, items: list[Item], executor: Executor, progress: Update) -> list[file_stats.FileStats]:
    """Statistics of all estimates, in the order of the dataset; a file that takes its worker down is a fault."""
    found: dict[str, file_stats.FileStats] = {}
    lost: list[Item] = []
    batches = [items[first : first + BATCH] for first in range(0, len(items), BATCH)]
    for outcome in executor.run(measure_batch, [(job, batch) for batch in batches]):
        if outcome.lost:
            lost += batches[outcome.index]
        else:
            found |= {stats.mixture_id: stats for stats in outcome.value}
            progress(len(found), len(items))
    for outcome in executor.run(measure_batch, [(job, [item]) for item in lost]):
        row, name = lost[outcome.index]
        if outcome.lost:
            faults = (("unreadable", f"reading it failed: {outcome.lost}"),)
            found[row.mixture_id] = file_stats.FileStats(row.mixture_id, name, row.scenario, faults)
        else:
            (found[row.mixture_id],) = outcome.value
        progress(len(found), len(items))
    return [found[row.mixture_id] for row, _ in items]


# ---- system.yaml


def system_findings(folder: Path) -> list[Finding]:
    """Everything that is wrong with ``system.yaml``."""
    path = folder / submission.DESCRIPTION
    try:
        content = submission.system_content(folder)
    except InputError as error:
        if path.is_file():
            found, _, remedy = str(error).removeprefix(f"{path}: ").partition("; ")
            return [_about_system("system-invalid", found, remedy or None)]
        near = [name for name in sorted(os.listdir(folder)) if name.casefold() in file_layout.DESCRIPTIONS]
        found = f"no {path.name}" + (f"; did you mean {near[0]!r}?" if near else "")
        return [_about_system("system-missing", found, f"rename {near[0]}" if near else None)]
    try:
        system = submission.System.model_validate(content, strict=True)
    except ValidationError as error:
        return [_problem(problem) for problem in error.errors(include_url=False)]
    return [_about_system("system-absurd", found, wanted=wanted) for found, wanted in _absurd(system)]


def _about_system(code: str, found: str, remedy: str | None = None, **values: str) -> Finding:
    keys = ", ".join(submission.System.model_fields)
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
    if problem["type"] in ("string_too_short", "finite_number"):
        found = f"{key}: {str(problem['input'])!r}"
    else:
        found = f"{key}: {problem['input']!r:.80}, a {type(problem['input']).__name__}"
    return _about_system(
        "system-wrong-value", found, wanted=problem["msg"].removeprefix("Input should be "), key=key
    )


def _holds(folder: Path) -> list[str]:
    """The kinds that a submission says it holds, or where that cannot be read, those that its folders suggest."""
    try:
        return list(submission.read_system(folder).holds)
    except InputError:
        kinds = [kind for kind, name in (("audio", "TS*"), ("activity", "activity")) if any(folder.glob(name))]
        return kinds or ["audio"]


def _absurd(system: submission.System) -> list[tuple[str, str]]:
    """Values of the right type that make no sense: found and expected."""
    faults = []
    if not system.version.strip():
        faults.append(("no version", "a version, by which one result is told from the next"))
    if len(system.name) > MAX_NAME or not system.name.isprintable():
        faults.append((f"name: {system.name!r}", f"at most {MAX_NAME} characters in one line"))
    if system.parameters is not None and not 0 <= system.parameters <= MAX_PARAMETERS:
        faults.append((f"parameters: {system.parameters}", f"a count from 0 to {MAX_PARAMETERS:.0e}"))
    latency = system.algorithmic_latency_ms
    if latency is not None and not 0 <= latency <= MAX_LATENCY_MS:
        faults.append((f"algorithmic_latency_ms: {latency:g}", f"milliseconds from 0 to {MAX_LATENCY_MS:g}"))
    elif latency is not None and 0 < latency < 0.01:
        faults.append((f"algorithmic_latency_ms: {latency:g}", "milliseconds; this is less than a sample"))
    if system.url and not system.url.startswith(("https://", "http://")):
        faults.append((f"url: {system.url!r}", "an address that begins with https://"))
    return faults
