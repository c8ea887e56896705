"""Run a system over a dataset and write a submission: enhanced audio, or who speaks when."""

import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from pse_bench import rng
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError, PseBenchError, RequestError
from pse_bench.io import atomic, documents, locks
from pse_bench.runtime import merging, resume
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update
from pse_bench.runtime.sharding import Shard, batches
from pse_bench.schemas import Mixture
from pse_bench.submission import submission
from pse_bench.systems import base, registry
from pse_bench.systems.base import LoadedSystem, Output, SystemInput

BATCH = 4


class Enhanced(documents.Record):
    """A mixture in the journal: its estimate's file."""

    mixture_id: str
    path: str
    sha256: str


class ShardState(documents.Record):
    """The submission's description, as a shard knows it."""

    system: submission.System


STAGES = {
    gives: resume.Stage(
        "enhance",
        entry=Enhanced,
        key="mixture_id",
        state=ShardState,
        finished=submission.DESCRIPTION,
        found=f"holds {gives} of another origin",
        complete="holds a submission already",
        folders=folders,
    )
    for gives, folders in {"audio": ("TS1", "TS2", "TS3"), "activity": ("activity",)}.items()
}
"""How a submission is made, by what a system gives."""


@dataclass(frozen=True)
class EnhanceJob:
    """What a worker needs to enhance a mixture. Jobs are equal that ask for the same system: ``folder`` is where
    its name was given, ``code`` what was found there, ``memory`` where speaker embeddings are kept, ``files`` the
    SHA-256 of what the system is made of."""

    dataset: Dataset = field(compare=False)
    out: Path = field(compare=False)
    system: str
    gives: Output
    streaming: bool
    folder: Path
    code: str
    memory: Path | None
    files: Mapping[str, str] = field(compare=False)


def enhance(
    dataset: Dataset,
    system: str,
    out: str | Path,
    *,
    executor: Executor,
    gives: Output = "audio",
    enrollment: str = "right",
    streaming: bool = False,
    share: Shard | None = None,
    memory: Path | None = None,
    force: bool = False,
    progress: Update = lambda done, total: None,
    notice: Callable[[str], None] = lambda line: None,
    scenes: int | None = None,
    fields: Mapping[str, Any] | None = None,
) -> int:
    """Enhance every mixture, or say who speaks in it; the number of files written now.

    Run again after an interruption, it continues, unless the system's code or files have changed meanwhile.

    Args:
        dataset: what to enhance.
        system: see ``systems.registry.load``.
        out: the submission's folder.
        executor: where the system runs.
        gives: what is asked of the system.
        enrollment: ``right``, or ``wrong`` for another person's, as a control.
        streaming: run the system hop by hop.
        share: enhance only this shard of the mixtures, for ``merge``.
        memory: folder that keeps a trained model's speaker embeddings, for any run.
        force: replace what lies in ``out``.
        notice: told what the person should know.
        scenes: enhance only the first so many scenes, which a later run with more of them continues.
        fields: of ``system.yaml``, in place of what the system says of itself; see ``submission.parse_fields``.

    Raises:
        InputError: the system cannot be loaded or fails on a mixture; files written before are kept.
    """
    out = Path(out)
    here = Path.cwd()
    loaded = registry.load(system, output=gives, streaming=streaming, folder=here, memory=memory)
    dataset.require_unchanged()
    fingerprint = dataset.description.fingerprint
    identity: dict[str, Any] = {"dataset": fingerprint, "system": system, "code": loaded.code, "gives": gives}
    files = dict(loaded.sources.sha256)
    identity |= {"enrollment": enrollment, "streaming": streaming, "files": files}
    paths = _enrollments(dataset.mixtures, enrollment)
    rows = {row.mixture_id: row for row in dataset.first_scenes(scenes)}
    whole = len(rows) == len(dataset)
    with resume.resumable(
        STAGES[gives],
        out,
        identity,
        list(rows),
        intact=_intact,
        shard=share,
        force=force,
        whole=whole,
        check=partial(_check, identity=identity),
    ) as run:
        todo = [rows[name] for name in run.items if name not in run]
        if run.reused and not loaded.complete:
            notice(
                f"{run.reused} of {len(run.items)} mixtures are kept from an earlier run of the same code; if "
                "weights or other files that it reads have changed, start again with --force"
            )
        reader = replace(dataset, folder=dataset.folder.resolve(), mixtures=[])
        job = EnhanceJob(reader, run.out.resolve(), system, gives, streaming, here, loaded.code, memory, files)
        progress(run.reused, len(run.items))
        work = [[(row, paths[row.mixture_id]) for row in batch] for batch in batches(todo, executor.jobs, BATCH)]
        for outcome in executor.run(enhance_batch, [(job, batch) for batch in work]):
            if outcome.lost:
                raise InputError(f"system {system}: {work[outcome.index][0][0].mixture_id}: {outcome.lost}")
            entries, problem = outcome.value
            for entry in entries:
                run.add(entry)
            if problem:
                raise InputError(problem)
            progress(len(run), len(run.items))
        STAGES[gives].remove_unfinished(run.out)  # a worker may have been lost on the way
        about = loaded.described(dataset.description.sample_rate).model_copy(update=dict(fields or {}))
        name = about.name if enrollment == "right" else f"{about.name} (wrong enrollment)"
        part = None if whole else scenes
        about = about.model_copy(update={"name": name, "dataset_fingerprint": fingerprint, "scenes": part})
        if share:
            run.finish_shard(share, len(rows), ShardState(system=about))
        else:
            submission.write_system(run.out, about)
    return len(todo)


def merge(out: Path, shards: list[merging.FinishedShard]) -> int:
    """Make the shards that ``merging.gather`` found the submission that one run would have made; the number of
    mixtures. Raises InputError where they are not the whole of the dataset."""
    with merging.merging(STAGES["audio"], out, shards) as found:
        found.check([[entry.mixture_id for entry in entries] for entries in found.entries])
        found.move([[entry.path for entry in entries] for entries in found.entries])
        submission.write_system(out, found.states[0].system)
    return shards[0].head.total


def enhance_batch(work: tuple[EnhanceJob, list[tuple[Mixture, str]]]) -> tuple[list[Enhanced], str]:
    """Some mixtures; entries of what was written, and the problem that ended it, if any."""
    job, mixtures = work
    entries: list[Enhanced] = []
    locks.require_seen(job.out / STAGES[job.gives].journal)
    loaded = _loaded(job)
    for row, enrollment_path in mixtures:
        try:
            given = _work(job.dataset, row, enrollment_path)
            if job.gives == "audio":
                path = submission.write_estimate(job.out, row, base.enhance(loaded, given, row.mixture_id))
            else:
                path = submission.write_activity(job.out, row, base.detect(loaded, given, row.mixture_id))
        except PseBenchError as error:
            return _unchanged(job, loaded, entries, str(error))
        name = path.relative_to(job.out).as_posix()
        entries.append(Enhanced(mixture_id=row.mixture_id, path=name, sha256=atomic.sha256(path)))
    return _unchanged(job, loaded, entries, "")


def _unchanged(
    job: EnhanceJob, loaded: LoadedSystem, entries: list[Enhanced], problem: str
) -> tuple[list[Enhanced], str]:
    """The outcome of a batch that has just been done; none of it where the system is another one meanwhile."""
    if changed := loaded.sources.changed(job.files):
        remedy = "run the same command with the files as they were, or with --force to start again"
        return [], f"system {job.system}: {', '.join(changed)} changed while it was running; {remedy}"
    return entries, problem


@lru_cache(maxsize=2)
def _loaded(job: EnhanceJob) -> LoadedSystem:
    """The system, which a worker keeps for all of a run."""
    return registry.load(
        job.system, output=job.gives, streaming=job.streaming, folder=job.folder, memory=job.memory
    )


def _work(dataset: Dataset, row: Mixture, enrollment_path: str) -> SystemInput:
    mixture = dataset.read_sound(row.mixture_path, row.num_samples)
    # in TS3 the target is silent, so all of the mixture is the rest
    silent = row.scenario == "TS3"
    target = 0 * mixture if silent else dataset.read_stem(row.scene_id, "target_early", row.num_samples)
    return SystemInput(mixture, dataset.read_sound(enrollment_path), row.sample_rate, target, mixture - target)


def _enrollments(mixtures: list[Mixture], which: str) -> dict[str, str]:
    """Each mixture's enrollment: its own, or one of somebody who is not in the scene at all."""
    if which == "right":
        return {row.mixture_id: row.enrollment_path for row in mixtures}
    voices: dict[str, set[str]] = defaultdict(set)
    for row in mixtures:
        voices[row.scene_id] |= {row.target_speaker, *row.interferer_speaker.split(";")}
    owners = {row.enrollment_path: row.target_speaker for row in mixtures}
    chosen = {}
    for row in mixtures:
        others = [path for path, owner in owners.items() if owner not in voices[row.scene_id]]
        if not others:
            reason = "everybody enrolled is in this scene, so there is no wrong enrollment"
            raise RequestError(f"{row.mixture_id}: {reason}; use a dataset with more target speakers")
        chosen[row.mixture_id] = min(others, key=lambda path: rng.sort_key(0, "wrong", row.scene_id, path))
    return chosen


def _check(out: Path, known: dict[str, Any], identity: dict[str, Any]) -> None:
    """Refuse to continue a run of something else; of another system, its files tell what has changed."""
    same = known.get("system") == identity["system"] and "files" in known
    files = documents.changes(known["files"], identity["files"]) if same else []
    passed_over = {"files", "code"} if files else {"files"}
    keys = [key for key in identity if key not in passed_over]
    others = documents.changes({key: known.get(key) for key in keys}, {key: identity[key] for key in keys})
    resume.refuse_changes(out, [*others, *files])


def _intact(out: Path, entry: Enhanced) -> bool:
    path = out / entry.path
    return os.path.isfile(path) and atomic.sha256(path) == entry.sha256
