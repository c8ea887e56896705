"""Run a system over a dataset and write a submission: enhanced audio, or who speaks when."""

import os
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from pse_bench import rng
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError, PseBenchError, RequestError
from pse_bench.io import atomic, audio, documents, locks
from pse_bench.runtime import journal, resume
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update
from pse_bench.runtime.sharding import Share, batches
from pse_bench.schemas import Mixture
from pse_bench.submission import submission
from pse_bench.systems import base, registry
from pse_bench.systems.base import LoadedSystem, Output, SystemInput

JOURNAL = "enhance.journal"
BATCH = 4
FOLDERS = {"audio": ("TS1", "TS2", "TS3"), "activity": ("activity",)}
"""What a submission's folder holds, by what a system gives."""


class _Entry(documents.Record):
    """A mixture in the journal."""

    mixture_id: str
    path: str
    sha256: str


class _Own(documents.Record):
    """What a share alone knows."""

    system: submission.System


@dataclass(frozen=True)
class Job:
    """What a worker needs to enhance a mixture; ``folder`` is where the system's name was given, ``code`` what
    was found there, ``memory`` where speaker embeddings are kept."""

    dataset: Dataset
    system: str
    gives: Output
    streaming: bool
    folder: Path
    code: str
    out: Path
    memory: Path | None


def enhance(
    dataset: Dataset,
    system: str,
    out: Path,
    *,
    executor: Executor,
    gives: Output = "audio",
    enrollment: str = "right",
    streaming: bool = False,
    share: Share | None = None,
    memory: Path | None = None,
    force: bool = False,
    progress: Update = lambda done, total: None,
    notice: Callable[[str], None] = lambda line: None,
) -> int:
    """Enhance every mixture, or say who speaks in it; the number of files written now.

    Run again after an interruption, it continues, unless the system's code has changed meanwhile.

    Args:
        dataset: what to enhance.
        system: see ``systems.registry.load``.
        out: the submission's folder.
        executor: where the system runs.
        gives: what is asked of the system.
        enrollment: ``right``, or ``wrong`` for another person's, as a control.
        streaming: run a trained model hop by hop.
        share: enhance only this share of the mixtures, for ``merged``.
        memory: folder that keeps a trained model's speaker embeddings, for any run.
        force: replace what lies in ``out``.
        notice: told what the person should know.

    Raises:
        InputError: the system cannot be loaded or fails on a mixture; files written before are kept.
    """
    here = Path.cwd()
    loaded = registry.load(system, output=gives, streaming=streaming, folder=here, memory=memory)
    dataset.require_unchanged()
    identity = {
        "dataset": dataset.description.fingerprint,
        "system": system,
        "code": loaded.code,
        "gives": gives,
        "enrollment": enrollment,
        "streaming": streaming,
    }
    paths = _enrollments(dataset.mixtures, enrollment)
    mixtures = list(share.of_items(dataset.mixtures)) if share else dataset.mixtures
    if share:
        out = resume.begin(out, share)
    with locks.locked(out, "enhance"):
        _prepare(out, gives, force)
        whole = earlier(out, identity)
        atomic.remove_unfinished(out)
        done = {entry["mixture_id"] for entry in whole}
        todo = [row for row in mixtures if row.mixture_id not in done]
        count, total = len(done), len(mixtures)
        if count and not loaded.complete:
            notice(
                f"{count} of {total} mixtures are kept from an earlier run of the same code; if weights or other "
                "files that it reads have changed, start again with --force"
            )
        reader = replace(dataset, folder=dataset.folder.resolve(), mixtures=[])
        job = Job(reader, system, gives, streaming, here, loaded.code, out.resolve(), memory)
        shared_out = batches(todo, executor.jobs, BATCH)
        with journal.record(out / JOURNAL, identity, whole) as kept:
            progress(count, total)
            for outcome in executor.run(
                enhance_batch, [(job, [(row, paths[row.mixture_id]) for row in batch]) for batch in shared_out]
            ):
                if outcome.lost:
                    raise InputError(f"system {system}: {shared_out[outcome.index][0].mixture_id}: {outcome.lost}")
                entries, problem = outcome.value
                for entry in entries:
                    kept.add(entry)
                if problem:
                    raise InputError(problem)
                count += len(entries)
                progress(count, total)
        atomic.remove_unfinished(out)  # a worker may have been lost on the way
        name = loaded.system.name if enrollment == "right" else f"{loaded.system.name} (wrong enrollment)"
        said = {"name": name, "dataset_fingerprint": dataset.description.fingerprint}
        about = loaded.system.model_copy(update=said)
        if share:
            own = {"system": about.model_dump()}
            resume.finish(out, "enhance", share, len(dataset.mixtures), identity=identity, own=own)
        else:
            submission.write_system(out, about)
            (out / JOURNAL).unlink()
    return len(todo)


def earlier(out: Path, identity: journal.Entry) -> list[journal.Entry]:
    """What an interrupted run has written, as far as it is still there. Raises InputError as ``journal``."""
    known, entries = journal.read(out / JOURNAL)
    if known:
        journal.check(out, known, identity)
    journal.checked(_Entry, entries, out / JOURNAL)
    return [entry for entry in entries if _intact(out, entry)]


def merged(out: Path, found: list[resume.Part]) -> int:
    """Make the shares in a folder the submission that one run would have made there; the number of mixtures.

    Interrupted, it is run again. Args: the output and what ``parts.gather`` found in it.

    Raises:
        InputError: the shares are not the whole of the dataset.
    """
    with locks.locked(out, "merge"):
        made = {part.folder: journal.checked(_Entry, part.entries, part.folder / JOURNAL) for part in found}
        about = resume.own(found[0], _Own).system
        resume.check_whole(found, lambda part: [entry.mixture_id for entry in made[part.folder]])
        for part in found:
            for entry in made[part.folder]:
                resume.move(part, entry.path, out)
        submission.write_system(out, about)
        resume.remove(found)
    return found[0].head.total


def enhance_batch(work: tuple[Job, list[tuple[Mixture, str]]]) -> tuple[list[journal.Entry], str]:
    """Some mixtures; entries of what was written, and the problem that ended it, if any."""
    job, mixtures = work
    entries: list[journal.Entry] = []
    locks.require_seen(job.out / JOURNAL)
    loaded = _loaded(job.system, job.gives, job.streaming, job.folder, job.code, job.memory)
    for row, enrollment_path in mixtures:
        try:
            given = _work(job.dataset, row, enrollment_path)
            if job.gives == "audio":
                path = submission.write_estimate(job.out, row, base.enhance(loaded, given, row.mixture_id))
            else:
                path = submission.write_activity(job.out, row, base.detect(loaded, given, row.mixture_id))
        except PseBenchError as error:
            return entries, str(error)
        name = path.relative_to(job.out).as_posix()
        entries.append({"mixture_id": row.mixture_id, "path": name, "sha256": atomic.sha256(path)})
    return entries, ""


@lru_cache(maxsize=2)
def _loaded(
    system: str, gives: Output, streaming: bool, folder: Path, code: str, memory: Path | None
) -> LoadedSystem:
    """The system, loaded anew when its code or weights are others than before: workers may live long."""
    if _codes.get(system, code) != code:
        registry.forget(system)
    _codes[system] = code
    return registry.load(system, output=gives, streaming=streaming, folder=folder, memory=memory)


_codes: dict[str, str] = {}
"""Digest of each system's code when this process loaded it."""


def _work(dataset: Dataset, row: Mixture, enrollment_path: str) -> SystemInput:
    def scaled(pcm: np.ndarray) -> np.ndarray:
        return (pcm / audio.FULL_SCALE).astype(np.float32)

    mixture = scaled(dataset.read_sound(row.mixture_path, row.num_samples))
    # in TS3 the target is silent, so all of the mixture is the rest
    target = (
        np.zeros_like(mixture)
        if row.scenario == "TS3"
        else scaled(dataset.read_stem(row.scene_id, "target_early", row.num_samples))
    )
    enrollment = scaled(dataset.read_sound(enrollment_path))
    return SystemInput(mixture, enrollment, row.sample_rate, target, mixture - target)


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
            raise RequestError(
                f"{row.mixture_id}: everybody enrolled is in this scene, so there is no wrong enrollment; "
                "use a dataset with more target speakers"
            )
        chosen[row.mixture_id] = min(others, key=lambda path: rng.sort_key(0, "wrong", row.scene_id, path))
    return chosen


def _intact(out: Path, entry: journal.Entry) -> bool:
    path = out / entry["path"]
    return os.path.isfile(path) and atomic.sha256(path) == entry["sha256"]


def _prepare(out: Path, gives: Output, force: bool) -> None:
    """Make sure that the folder is new, or ours to continue or (``force``) to replace: a dataset has folders of
    the same names."""
    folders = FOLDERS[gives]
    known = {*folders, submission.DESCRIPTION, JOURNAL, resume.HEAD}
    strangers = sorted(path.name for path in out.iterdir() if path.name.removesuffix(".part") not in known)
    if strangers:
        raise InputError(f"{out}: holds other files ({', '.join(strangers[:3])}); give a new or empty folder")
    if force:
        for name in folders:
            shutil.rmtree(out / name, ignore_errors=True)
        for name in (submission.DESCRIPTION, JOURNAL):
            (out / name).unlink(missing_ok=True)
    elif (out / submission.DESCRIPTION).exists():
        raise InputError(f"{out}: holds a submission already; give a new folder, or --force to replace it")
    elif not (out / JOURNAL).exists() and any((out / name).exists() for name in folders):
        raise InputError(f"{out}: holds {gives} of another origin; give a new folder, or --force to replace it")
