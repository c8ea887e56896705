"""Is a submission what it should be? Everything that is wrong with it at once, each with its remedy.

Nothing is scored and nothing is written. Fatal is what ``score`` could not use, and the dataset's own stems handed
in as a system's output; all else is a warning.
"""

import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update
from pse_bench.schemas import Mixture
from pse_bench.submission import submission
from pse_bench.submission.check import activity, diagnosis, file_layout, file_stats
from pse_bench.submission.check.findings import Finding, Report, printable
from pse_bench.submission.zip import RefusedArchive

BATCH = 8
MAX_PARAMETERS = 10**12
MAX_LATENCY_MS = 10_000.0
MAX_NAME = 80


@dataclass(frozen=True)
class Job:
    """What a worker needs to look at an estimate."""

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
) -> Report:
    """Look at a submission.

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
            found = file_layout.examine(folder, dataset.mixtures, holds)
            names = found.names
            items = [(row, names[row.mixture_id]) for row in dataset.mixtures if row.mixture_id in names]
            facts = _examine(Job(replace(dataset, mixtures=[]), folder.resolve()), items, executor, progress)
            findings = [
                *found.findings,
                *system_findings(folder),
                *activity.findings(dataset, folder, found.activity),
            ]
    except RefusedArchive as error:
        return Report(path.name, name, expected, 0, tuple(error.findings))
    if litter:
        findings.append(file_layout.litter_finding(litter, len(litter) + len(items) + len(found.activity)))
    sounds = {row.mixture_id: row.mixture_sha256 for row in dataset.mixtures}
    findings += diagnosis.judge(
        facts,
        sample_rate=dataset.description.sample_rate,
        twins=lambda one, other: sounds[one] == sounds[other],
    )
    findings.sort(key=lambda finding: finding.severity != "fatal")
    whole = [set(there) for kind, there in (("audio", names), ("activity", found.activity)) if kind in holds]
    return Report(path.name or str(path), name, expected, len(set.intersection(*whole)), tuple(findings))


# ---- the estimates, in workers


def examine_batch(work: tuple[Job, list[Item]]) -> list[file_stats.Facts]:
    """Facts about some estimates."""
    job, items = work
    return [file_stats.facts(job.dataset, job.folder, row, name) for row, name in items]


def _examine(job: Job, items: list[Item], executor: Executor, progress: Update) -> list[file_stats.Facts]:
    """Facts about all estimates, in the order of the dataset. Those that take their worker down are told of."""
    found: dict[str, file_stats.Facts] = {}
    lost: list[Item] = []
    batches = [items[first : first + BATCH] for first in range(0, len(items), BATCH)]
    for outcome in executor.run(examine_batch, [(job, batch) for batch in batches]):
        if outcome.lost:
            lost += batches[outcome.index]
        else:
            found |= {facts.mixture_id: facts for facts in outcome.value}
            progress(len(found), len(items))
    for outcome in executor.run(examine_batch, [(job, [item]) for item in lost]):
        row, name = lost[outcome.index]
        found[row.mixture_id] = (
            file_stats.Facts(
                row.mixture_id, name, row.scenario, faults=(("unreadable", f"reading it failed: {outcome.lost}"),)
            )
            if outcome.lost
            else outcome.value[0]
        )
        progress(len(found), len(items))
    return [found[row.mixture_id] for row, _ in items]


# ---- system.yaml


def system_findings(folder: Path) -> list[Finding]:
    """Everything that is wrong with ``system.yaml``."""
    path = folder / submission.DESCRIPTION
    try:
        content = submission.system_content(folder)
    except InputError as error:
        near = [
            other.name for other in sorted(folder.iterdir()) if other.name.casefold() in file_layout.DESCRIPTIONS
        ]
        if not path.is_file():
            found = f"no {path.name}" + (f"; did you mean {near[0]!r}?" if near else "")
            remedy = f"rename {near[0]}" if near else "write one with at least name: and version:"
            return [_about_system("fatal", "system-missing", found, _keys(), remedy)]
        found, _, remedy = str(error).removeprefix(f"{path}: ").partition("; ")
        return [_about_system("fatal", "system-invalid", found, _keys(), remedy or "write it as key: value lines")]
    try:
        system = submission.System.model_validate(content, strict=True)
    except ValidationError as error:
        return [_problem(problem) for problem in error.errors(include_url=False)]
    return [
        _about_system("warning", "system-absurd", found, expected, "correct it, or leave out what is not known")
        for found, expected in _absurd(system)
    ]


def _about_system(severity: Any, code: str, found: str, expected: str, remedy: str) -> Finding:
    return Finding(severity, code, printable(found), expected, remedy, (submission.DESCRIPTION,))


def _keys() -> str:
    return f"a mapping with the keys {', '.join(submission.System.model_fields)}"


def _problem(problem: Any) -> Finding:
    """One of the faults that pydantic found."""
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, submission.System.model_fields, n=1)
        found = f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")
        return _about_system(
            "fatal", "system-unknown-key", found, _keys(), f"rename it to {near[0]}" if near else "remove it"
        )
    if problem["type"] == "missing":
        return _about_system("fatal", "system-missing-key", f"no key {key!r}", _keys(), f"add {key}:")
    if problem["type"] in ("string_too_short", "finite_number"):
        found = f"{key}: {str(problem['input'])!r}"
    else:
        found = f"{key}: {problem['input']!r:.80}, a {type(problem['input']).__name__}"
    return _about_system(
        "fatal", "system-wrong-value", found, problem["msg"].removeprefix("Input should be "), f"correct {key}"
    )


def _holds(folder: Path) -> list[str]:
    """What a submission says that it holds, or where that cannot be read, what it looks like."""
    try:
        return list(submission.read_system(folder).holds)
    except InputError:
        looks = [kind for kind, there in (("audio", "TS*"), ("activity", "activity")) if any(folder.glob(there))]
        return looks or ["audio"]


def _absurd(system: submission.System) -> list[tuple[str, str]]:
    """What the types allow and good sense does not: found and expected."""
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
