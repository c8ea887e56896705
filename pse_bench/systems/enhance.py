"""Run a system over a dataset and write a submission: enhanced audio, or who speaks when."""

import multiprocessing
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import atomic, audio, documents, locks
from pse_bench.io.spool import Spool
from pse_bench.runtime import merging, resume
from pse_bench.runtime.executor import Executor, one_core
from pse_bench.runtime.progress import Update
from pse_bench.runtime.sharding import Shard, batches
from pse_bench.schemas import Mixture
from pse_bench.signal import streaming
from pse_bench.submission import submission
from pse_bench.systems import base, enrollments, first_scenes, registry
from pse_bench.systems.base import LoadedSystem, Output, SystemInput

BATCH = 4
HOPELESS = 5  # a system that fails on so many mixtures in a row from the first on, for one reason, is given up


class MixturesFailed(InputError):
    """A system failed on some mixtures, by id in ``failed`` with the reason, and the others are kept."""

    def __init__(self, out: Path, failed: Mapping[str, str], total: int, remedy: str) -> None:
        name, reason = next(iter(failed.items()))
        found = f"{len(failed)} of {total} mixtures failed, first {name} ({reason})"
        super().__init__(f"{out}: {found}; score gives them the worst values; {remedy}")
        self.failed = dict(failed)


class Enhanced(documents.Record):
    """A mixture in the journal: its estimate's file."""

    mixture_id: str
    path: str
    sha256: str
    probe: first_scenes.Probe | None = None


class ShardState(documents.Record):
    """The submission's description, as a shard knows it, and the mixtures that failed, with the reason."""

    system: submission.System
    failed: Annotated[dict[str, str], Field(default_factory=dict)]


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
    probed: Mapping[str, str] = field(compare=False)  # see ``enrollments.of_others``
    time_limit_s: float | None


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
    time_limit_s: float | None = None,
    force: bool = False,
    progress: Update = lambda done, total: None,
    notice: Callable[[str], None] = lambda line: None,
    scenes: int | None = None,
    fields: Mapping[str, Any] | None = None,
) -> int:
    """Enhance every mixture, or say who speaks in it; the number of files written now.

    Run again after an interruption or a failure, it continues, unless the system's code or files have changed
    meanwhile.

    Args:
        dataset: what to enhance.
        system: see ``systems.registry.load``.
        out: the submission's folder.
        executor: where the system runs.
        gives: what is asked of the system.
        enrollment: ``right``, ``other-1``, ``other-2`` and so on for another one of the same person, or ``wrong``
            for another person's, as a control.
        streaming: run the system hop by hop.
        share: enhance only this shard of the mixtures, for ``merge``.
        memory: folder that keeps a trained model's speaker embeddings, for any run.
        time_limit_s: of a program for a mixture; see ``systems.command``.
        force: replace what lies in ``out``.
        notice: told what the person should know.
        scenes: enhance only the first so many scenes, which a later run with more of them continues.
        fields: of ``system.yaml``, in place of what the system says of itself; see ``submission.parse_fields``.

    Raises:
        MixturesFailed: the system failed on some mixtures; all others are written.
        InputError: the system cannot be loaded, or fails on the first mixtures for one reason.
    """
    out = Path(out)
    here = Path.cwd()
    loaded = registry.load(
        system, output=gives, streaming=streaming, folder=here, memory=memory, time_limit_s=time_limit_s
    )
    dataset.require_unchanged()
    dataset.require_kept("enrollment", *(["target_early"] if loaded.needs_stems else []))
    fingerprint = dataset.description.fingerprint
    identity: dict[str, Any] = {"dataset": fingerprint, "system": system, "code": loaded.code, "gives": gives}
    files = dict(loaded.sources.sha256)
    identity |= {"enrollment": enrollment, "streaming": streaming, "files": files}
    paths = enrollments.paths(dataset, enrollment, notice)
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
        own = gives == "activity" or system in registry.SYSTEMS  # of which nothing is asked, or all is known
        probed = {} if own else enrollments.of_others(dataset.mixtures, paths)
        job = EnhanceJob(
            reader,
            run.out.resolve(),
            system,
            gives,
            streaming,
            here,
            loaded.code,
            memory,
            files,
            probed,
            time_limit_s,
        )
        told = not probed
        progress(run.reused, len(run.items))
        failed = dict[str, str]()
        for entries, reasons in _enhanced(job, executor, [(row, paths[row.mixture_id]) for row in todo], loaded):
            for entry in entries:
                run.add(entry)
            failed |= reasons
            if not len(run):
                _require_hope(system, failed)
            progress(len(run) + len(failed), len(run.items))
            if not told and all(name in run or name in failed for name in probed):
                told = True
                first_scenes.tell(loaded, _measured(run, probed), notice)
        if not told and any(name in run for name in probed):
            first_scenes.tell(loaded, _measured(run, probed), notice)
        failed = {name: failed[name] for name in run.items if name in failed}  # in their order
        STAGES[gives].remove_unfinished(run.out)  # a worker may have been lost on the way
        about = loaded.described(dataset.description.sample_rate).model_copy(update=dict(fields or {}))
        name = f"{about.name}{enrollments.title(enrollment)}"
        part = None if whole else scenes
        about = about.model_copy(update={"name": name, "dataset_fingerprint": fingerprint, "scenes": part})
        if share:
            run.finish_shard(share, len(rows), ShardState(system=about, failed=failed))
        else:
            submission.write_system(run.out, about.model_copy(update=_measured(run, probed)))
        if failed:  # within the run, so that its journal stays
            again = "the same command tries only these again"
            raise MixturesFailed(run.out, failed, len(run.items), again)
    return len(todo)


def _measured(run: resume.ResumableRun[Enhanced, ShardState], probed: Iterable[str]) -> dict[str, Any]:
    """What the first scenes say of the system, as fields of its description."""
    entries = (Enhanced.model_validate(run.journal[run.numbers[name]]) for name in probed if name in run)
    return first_scenes.measured([entry.probe for entry in entries if entry.probe])


Item = tuple[Mixture, str]
"""A mixture and the path of its enrollment."""


def _enhanced(
    job: EnhanceJob, executor: Executor, todo: list[Item], loaded: LoadedSystem
) -> Iterator[tuple[list[Enhanced], dict[str, str]]]:
    """What ``enhance_batch`` gives for all that is to do."""
    first = HOPELESS * executor.jobs  # in small batches, which soon show whether the system works at all
    least = BATCH if loaded.run_batch is None else -(-len(todo) // executor.jobs)  # a program starts once for many
    work = [*batches(todo[:first], executor.jobs, HOPELESS), *batches(todo[first:], executor.jobs, least)]
    while work:
        lost: list[Sequence[Item]] = []
        for outcome in executor.run(enhance_batch, [(job, batch) for batch in work]):
            batch = work[outcome.index]
            if not outcome.lost:
                yield outcome.value
            elif len(batch) == 1:
                yield [], {batch[0][0].mixture_id: outcome.lost}
            else:
                lost += [[item] for item in batch]  # to see which of them it was
        work = lost


def _require_hope(system: str, failed: dict[str, str]) -> None:
    """Raise InputError where a system that has succeeded on nothing yet fails for one reason again and again."""
    reasons = list(failed.values())[:HOPELESS]
    if len(reasons) == HOPELESS and len({re.sub(r"\d+", "", reason) for reason in reasons}) == 1:
        more = f"and likewise on the next {HOPELESS - 1}"
        raise InputError(f"system {system}: failed on {next(iter(failed))} ({reasons[0]}), {more}")


def merge(out: Path, shards: list[merging.FinishedShard]) -> int:
    """Make the shards that ``merging.gather`` found the submission that one run would have made; the number of
    mixtures. Raises InputError where they are not the whole of the dataset, and MixturesFailed at the end where a
    system failed on some."""
    with merging.merging(STAGES["audio"], out, shards) as found:
        done = [[entry.mixture_id for entry in entries] for entries in found.entries]
        found.check([[*names, *state.failed] for names, state in zip(done, found.states, strict=True)])
        found.move([[entry.path for entry in entries] for entries in found.entries])
        probes = [entry.probe for entries in found.entries for entry in entries if entry.probe]
        about = found.states[0].system.model_copy(update=first_scenes.measured(probes))
        submission.write_system(out, about)
    total = shards[0].head.total
    if failed := {name: reason for state in found.states for name, reason in state.failed.items()}:
        raise MixturesFailed(out, failed, total, "what is there is merged")
    return total


def enhance_batch(work: tuple[EnhanceJob, Sequence[Item]]) -> tuple[list[Enhanced], dict[str, str]]:
    """Entries of the mixtures that were written, and of those on which the system failed the reason by id."""
    if multiprocessing.parent_process() and not _loaded.cache_info().currsize:
        with one_core():  # libraries size their pools of threads by it, when they load or run first
            return _enhance_batch(*work)
    return _enhance_batch(*work)


def _enhance_batch(job: EnhanceJob, items: Sequence[Item]) -> tuple[list[Enhanced], dict[str, str]]:
    locks.require_seen(job.out / STAGES[job.gives].journal)
    loaded = _loaded(job)
    entries, failed = list[Enhanced](), dict[str, str]()
    for (row, enrollment_path), output in zip(items, _outputs(job, loaded, items), strict=True):
        with output if isinstance(output, Spool) else nullcontext():
            if isinstance(output, str):
                failed[row.mixture_id] = output
                continue
            if job.gives == "activity":
                assert isinstance(output, np.ndarray)
                path = submission.write_activity(job.out, row, output)
            else:
                path = submission.write_estimate(job.out, row, output)
            name = path.relative_to(job.out).as_posix()
            probe = _probe(job, loaded, row, enrollment_path, output) if row.mixture_id in job.probed else None
            entries.append(Enhanced(mixture_id=row.mixture_id, path=name, sha256=atomic.sha256(path), probe=probe))
    if changed := loaded.sources.changed(job.files):
        remedy = "run the same command with the files as they were, or with --force to start again"
        raise InputError(f"system {job.system}: {', '.join(changed)} changed while it was running; {remedy}")
    return entries, failed


def _probe(
    job: EnhanceJob, loaded: LoadedSystem, row: Mixture, enrollment_path: str, estimate: np.ndarray | Spool
) -> first_scenes.Probe:
    """What an estimate, or the beginning of a long one, says of the system."""
    path = "" if loaded.run_batch else job.probed[row.mixture_id]  # a program is not started again for it
    other = job.dataset.read_sound(path) if path else None
    longest = audio.seconds_to_samples(first_scenes.LONGEST_S, row.sample_rate)
    given = _work(job.dataset, row, enrollment_path, loaded.needs_stems, longest)
    found = estimate.first(longest) if isinstance(estimate, Spool) else estimate[:longest]
    own = found if row.num_samples <= longest else None
    return first_scenes.probe(loaded, given, found, other, row.mixture_id, own=own)


def _outputs(job: EnhanceJob, loaded: LoadedSystem, items: Sequence[Item]) -> Iterable[np.ndarray | Spool | str]:
    """What a system gives for mixtures, or why it gives nothing."""
    if loaded.run_batch:
        return loaded.run_batch(_work(job.dataset, *item, loaded.needs_stems) for item in items)
    return (_output(job, loaded, *item) for item in items)


def _output(job: EnhanceJob, loaded: LoadedSystem, row: Mixture, enrollment_path: str) -> np.ndarray | Spool | str:
    try:
        if job.gives == "audio" and loaded.run_blocks and loaded.sample_rate in (None, row.sample_rate):
            return _by_blocks(job, loaded, row, enrollment_path)
        given = _work(job.dataset, row, enrollment_path, loaded.needs_stems)
        return (base.enhance if job.gives == "audio" else base.detect)(loaded, given, row.mixture_id)
    except base.FailedOnMixture as failure:
        return failure.reason


def _by_blocks(job: EnhanceJob, loaded: LoadedSystem, row: Mixture, enrollment_path: str) -> Spool:
    """The estimate of a system that hears one hop after the other, which takes no more memory for a longer one."""
    enrollment = job.dataset.read_sound(enrollment_path)
    mixture = job.dataset.sound_blocks(row.mixture_path, row.num_samples)
    asked = (mixture, row.num_samples, enrollment, row.sample_rate, row.mixture_id)
    estimate = Spool(job.out)
    try:
        for block in base.enhance_blocks(loaded, *asked):
            estimate.add(block)
    except BaseException:
        estimate.close()
        raise
    return estimate


@lru_cache(maxsize=2)
def _loaded(job: EnhanceJob) -> LoadedSystem:
    """The system, which a worker keeps for all of a run."""
    return registry.load(
        job.system,
        output=job.gives,
        streaming=job.streaming,
        folder=job.folder,
        memory=job.memory,
        time_limit_s=job.time_limit_s,
    )


def _work(
    dataset: Dataset, row: Mixture, enrollment_path: str, stems: bool = True, longest: int | None = None
) -> SystemInput:
    """What a system is given of a mixture, or of its beginning of so many samples; without ``stems`` what any but
    an oracle hears."""

    def read(path: str) -> np.ndarray:
        if longest is None or row.num_samples <= longest:
            return dataset.read_sound(path, row.num_samples)
        return streaming.first(dataset.sound_blocks(path, row.num_samples), longest)

    mixture, enrollment = read(row.mixture_path), dataset.read_sound(enrollment_path)
    target = rest = np.zeros(0, dtype=np.float32)  # of a recording, nothing is known but its sum
    if stems:
        # in TS3 the target is silent, so all of the mixture is the rest
        if row.scenario == "TS3":
            target, rest = 0 * mixture, mixture
        elif dataset.description.reference != "none":
            target = read(dataset.stem_name(row.scene_id, "target_early"))
            rest = mixture - target
    return SystemInput(mixture, enrollment, row.sample_rate, target, rest)


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
