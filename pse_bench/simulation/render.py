"""From recipes to a dataset: every scene rendered once, whole files, continued where a run was stopped."""

import hashlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench import schemas
from pse_bench.corpora import clip_reader
from pse_bench.corpora.roots import Roots
from pse_bench.dataset import dataset
from pse_bench.errors import PseBenchError
from pse_bench.io import atomic, audio, locks
from pse_bench.planning import plan
from pse_bench.planning.scenario import Scenario
from pse_bench.runtime import resume
from pse_bench.runtime.executor import Executor, keep_freed_memory
from pse_bench.runtime.progress import Update
from pse_bench.runtime.sharding import Shard, batches
from pse_bench.simulation import dataset_writer, mixing
from pse_bench.simulation import room as rooms
from pse_bench.simulation.channel import received
from pse_bench.simulation.dataset_writer import STAGE, Problem, Rendered, RenderReport

BATCH = 4
PROBE_SCENES = 5
ROOMS = 128
"""Shared rooms that a worker keeps: 0.1 to 0.2 MB each."""


@dataclass(frozen=True)
class RenderJob:
    """What a worker needs beside the recipe; the same for all scenes of a dataset."""

    out: Path
    roots: Roots
    bank: Path
    format: str
    reference: str
    shared_rooms: bool
    kept: tuple[str, ...] = dataset.PARTS


def render_batch(work: tuple[RenderJob, list[int]]) -> list[Rendered | Problem]:
    """Render, in a worker, the scenes whose recipes begin at some bytes of the plan; a scene whose sources are
    damaged is reported, the others go on."""
    job, places = work
    keep_freed_memory()
    locks.require_seen(job.out / "plan.jsonl")
    return [render_scene(job, recipe) for recipe in plan.at(job.out / "plan.jsonl", places)]


def render_scene(job: RenderJob, recipe: schemas.Recipe) -> Rendered | Problem:
    """Render one scene and write its files; the problem where its sources are damaged."""

    def load(corpus: str, segment: schemas.Segment) -> np.ndarray:
        path, rate = job.roots.locate(corpus, segment.path), recipe.sample_rate
        start, count = segment.start, segment.num_samples
        return clip_reader.stretch(path, segment.sha256, start=start, num_samples=count, sample_rate=rate)

    achieved = None
    try:
        if isinstance(recipe.room, schemas.RecordedRoom):
            scene = mixing.mix_recorded(recipe, load)
        elif isinstance(recipe.room, schemas.RecordedMixture):
            scene = mixing.take_recorded(recipe, recipe.room, load)
        else:
            responses = _responses(job, recipe.room, recipe.sample_rate)
            scene = mixing.mix(recipe, responses, load)
            used = [responses.sources[talker.source] for talker in (recipe.target, *recipe.interferers)]
            achieved = round(float(np.mean([source.rt60_s for source in used])), 4)
    except PseBenchError as error:
        return Problem(scene_id=recipe.scene_id, reason=job.roots.hide(str(error), recipe.corpora))
    return _write(job, recipe, scene, achieved)


def _responses(job: RenderJob, room: schemas.SimulatedRoom | schemas.MeasuredRoom, rate: int) -> rooms.RoomRIRs:
    if isinstance(room, schemas.MeasuredRoom):
        return rooms.measured(room, rate, job.roots.locate)
    return _shared_room(room.model_dump_json(), rate, job.bank) if job.shared_rooms else rooms.simulate(room, rate)


@lru_cache(maxsize=ROOMS)
def _shared_room(room: str, rate: int, bank: Path) -> rooms.RoomRIRs:
    return rooms.from_bank(schemas.SimulatedRoom.model_validate_json(room), rate, bank)


def _write(job: RenderJob, recipe: schemas.Recipe, scene: mixing.Scene, rt60_achieved_s: float | None) -> Rendered:
    stored: list[schemas.StoredFile] = []

    def save(path: str, content: bytes, content_sha256: str = "") -> str:
        # shared: a worker that was given up for lost may still be writing
        atomic.write_bytes(job.out / path, content, shared=True)
        sha256 = hashlib.sha256(content).hexdigest()
        sums = {"sha256": sha256, "content_sha256": content_sha256 or sha256}
        stored.append(schemas.StoredFile(path=path, num_bytes=len(content), **sums))
        return sha256

    def save_sound(path: str, pcm: np.ndarray) -> str:
        return save(path, audio.encode(pcm, recipe.sample_rate, f".{job.format}"), audio.sha256_of_samples(pcm))

    name, file_name = recipe.scene_id, f"{recipe.scene_id}.{job.format}"
    for stem in filter(job.kept.__contains__, scene.stems):
        save_sound(f"stems/{stem}/{file_name}", scene.stems[stem])
    if "enrollment" in job.kept:
        save_sound(f"enrollment/{file_name}", scene.enrollment)
    if "activity" in job.kept:
        labels = dataset.activity_document(name, recipe.sample_rate, recipe.num_samples, scene.active)
        save(f"activity/{name}.json", labels.encode())
    mixtures = {
        label: save_sound(
            f"{label}/{file_name}", received(scene.mixture(label), recipe.channel, recipe.sample_rate)
        )
        for label in recipe.scenarios
    }
    rt60 = {"rt60_achieved_s": rt60_achieved_s}
    rows = [_row(job, recipe, scene, label, mixture_sha256=sha, **rt60) for label, sha in mixtures.items()]
    return Rendered(scene_id=name, rows=rows, files=stored)


def _row(
    job: RenderJob, recipe: schemas.Recipe, scene: mixing.Scene, label: schemas.ScenarioLabel, **known: Any
) -> schemas.Mixture:
    """A row of mixtures.csv. Where nobody interferes, what describes the interferer is empty; so is a path of what
    is not kept."""
    name, file_name = recipe.scene_id, f"{recipe.scene_id}.{job.format}"
    stem = "" if label == "TS3" else dataset.REFERENCE_STEMS.get(job.reference, "")
    reference = f"stems/{stem}/{file_name}" if stem in job.kept else ""
    others = recipe.interferers if label != "TS1" else []
    only = others[0] if len(others) == 1 else None
    through = {"": recipe.channel, "enrollment_": recipe.enrollment.channel}
    distances_m = [talker.distance_m for talker in others if talker.distance_m is not None]
    return schemas.Mixture(
        mixture_id=f"{name}_{label}",
        scene_id=name,
        scenario=label,
        mixture_path=f"{label}/{file_name}",
        reference_path=reference,
        enrollment_path=f"enrollment/{file_name}" if "enrollment" in job.kept else "",
        target_speaker=recipe.target.speaker_id,
        interferer_speaker=";".join(talker.speaker_id for talker in others),
        noise_id=recipe.noise.segment.clip_id if recipe.noise else "",
        sir_db=recipe.sir_db if others else None,
        snr_db=recipe.snr_db,
        sir_achieved_db=scene.sir_achieved_db if others else None,
        snr_achieved_db=scene.snr_achieved_db,
        rt60_s=recipe.room.rt60_s,
        target_distance_m=recipe.target.distance_m,
        interferer_distance_m=min(distances_m, default=None),  # of several, the nearest
        num_samples=recipe.num_samples,
        sample_rate=recipe.sample_rate,
        text="" if label == "TS3" else recipe.target.text,
        interferer_text=only.text if only else "",
        target_gender=recipe.target.gender,
        interferer_gender=";".join(talker.gender for talker in others),
        noise_category=recipe.noise.category if recipe.noise else "",
        room_id=recipe.room.room_id,
        overlap=only.overlap if only else None,
        num_interferers=len(others),
        enrollment_s=round(recipe.enrollment.num_samples / recipe.sample_rate, 4),
        enrollment_condition=recipe.enrollment.condition,
        enrollment_source=recipe.enrollment_source,
        scene_gain_db=scene.gain_db,
        session_turns=len(recipe.session.turns) if recipe.session else 0,
        enrollment_snr_db=recipe.enrollment.snr_db,
        enrollment_utterances=_clips_of(recipe.enrollment),
        **{
            f"{what}channel_{name}": getattr(channel or schemas.Channel(), name)
            for what, channel in through.items()
            for name in schemas.CHANNEL
        },
        **known,
    )


def _clips_of(enrollment: schemas.Enrollment) -> int | None:
    """How many utterances an enrollment has, where it was asked for."""
    return len(enrollment.segments) if enrollment.utterances else None


def render(
    plan_path: str | Path,
    out: str | Path,
    *,
    roots: Roots,
    executor: Executor,
    bank: str | Path,
    format: str = "flac",
    keep: Iterable[str] = dataset.PARTS,
    share: Shard | None = None,
    force: bool = False,
    progress: Update = lambda done, total: None,
    rooms_progress: Update = lambda done, total: None,
) -> RenderReport:
    """Render a plan into a dataset folder.

    Run again after an interruption, it continues: scenes whose files still have the recorded hashes are kept. So
    are those of a finished dataset whose plan is the beginning of this one. What it is run on shows nowhere: the
    files are the same bytes.

    Args:
        out: the dataset's folder, new or of an interrupted run of the same plan.
        bank: folder of shared rooms' responses.
        format: ``flac`` or ``wav``.
        keep: what to write of a scene beside its mixtures, of ``dataset.PARTS``: everything by default.
        share: render only this shard of the plan, for ``merge``; the report has no fingerprint then.
        force: start again even where another dataset lies.

    Raises:
        InputError: the folder holds something else, or a run of another plan or other package versions, which is
            said in words.
        RequestError: there is no such part to keep.
    """
    kept = dataset.parts(keep)
    plan_path, out, bank = Path(plan_path), Path(out), Path(bank)
    begin = time.monotonic()
    digest = atomic.sha256(plan_path) if plan_path.is_file() else ""
    versions = dataset.sound_versions()
    identity: dict[str, Any] = {
        "schema": schemas.SCHEMA,
        "plan_sha256": digest,
        "format": format,
        "versions": versions,
        "kept": kept,
    }
    scenario, _, _ = plan.read(plan_path)
    planned = plan.scene_ids(plan_path)
    stretch = share.stretch(len(planned)) if share else None
    corpora = {corpus for recipe in plan.read(plan_path, stretch)[2] for corpus in recipe.corpora}
    roots.check(corpora)
    shared_rooms = isinstance(scenario, Scenario) and scenario.room.rooms is not None
    check = partial(dataset_writer.check_identity, identity=identity, plan_path=plan_path, extend=share is None)
    with resume.resumable(
        STAGE,
        out,
        identity,
        planned,
        intact=dataset_writer.intact,
        shard=share,
        force=force,
        sources=[resume.Source(plan_path, "plan.jsonl", digest, linked=share is not None)],
        check=check,
        reopen=lambda folder: dataset_writer.reopened(folder, check),
    ) as run:
        settled = roots.settled(corpora)
        job = RenderJob(
            run.out.resolve(), settled, bank.resolve(), format, scenario.reference, shared_rooms, tuple(kept)
        )
        places = dict(zip(planned, plan.places(run.out / "plan.jsonl"), strict=True))
        todo = {scene_id: places[scene_id] for scene_id in run.items if scene_id not in run}
        rooms_begin = time.monotonic()
        if shared_rooms:
            rooms.build(plan.at(run.out / "plan.jsonl", todo.values()), job.bank, executor, rooms_progress)
        scenes_begin = time.monotonic()
        progress(run.reused, len(run.items))
        problems = []
        for scene in _scenes(job, todo, executor):
            if isinstance(scene, Problem):
                problems.append(scene)
            else:
                run.add(scene)
            progress(len(run) + len(problems), len(run.items))
        now = time.monotonic()
        seconds = {"rooms": scenes_begin - rooms_begin, "scenes": now - scenes_begin, "total": now - begin}
        timings = {part: round(taken, 3) for part, taken in seconds.items()}
        problems.sort(key=lambda problem: problem.scene_id)
        STAGE.remove_unfinished(run.out)  # a worker may have been lost on the way
        done = run.finished(dataset_writer.scene_of_entry)
        if share:
            run.finish_shard(share, len(planned), dataset_writer.ShardState(problems=problems, timings_s=timings))
            mixtures = sum(len(scene.rows) for scene in done)
            return RenderReport(run.out, len(done), mixtures, problems, "", run.reused)
        total = len(planned)
        return dataset_writer.finish(run.out, scenario, identity, done, problems, total, timings, run.reused)


def _scenes(job: RenderJob, places: dict[str, int], executor: Executor) -> Iterator[Rendered | Problem]:
    shared_out = batches(list(places), executor.jobs, BATCH)
    work = [(job, [places[scene_id] for scene_id in batch]) for batch in shared_out]
    for outcome in executor.run(render_batch, work):
        if outcome.lost:
            yield from (Problem(scene_id=name, reason=outcome.lost) for name in shared_out[outcome.index])
        else:
            yield from outcome.value


@dataclass(frozen=True)
class Estimate:
    """What a render will take, measured on a few of its scenes."""

    scenes: int
    mixtures: int
    num_bytes: int
    seconds: float
    probed: int
    problems: list[str]


def estimate(
    plan_path: Path, *, roots: Roots, jobs: int, format: str = "flac", keep: Iterable[str] = dataset.PARTS
) -> Estimate:
    """Render a few scenes, spread over the plan, into a temporary folder and extrapolate.

    Shared rooms are simulated for the probe only, so their cost counts for every scene: an upper bound.
    """
    kept = tuple(dataset.parts(keep))
    scenario, _, recipes = plan.read(plan_path)
    whole = list(recipes)
    roots.check(corpus for recipe in whole for corpus in recipe.corpora)
    probe = whole[:: max(1, len(whole) // PROBE_SCENES)][:PROBE_SCENES]
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
        out = Path(folder)
        job = RenderJob(out, roots, out / "rooms", format, scenario.reference, shared_rooms=False, kept=kept)
        render_scene(job, probe[0])  # what is loaded and transformed once does not count
        begin = time.monotonic()
        rendered = [render_scene(job, recipe) for recipe in probe]
        seconds = time.monotonic() - begin
    num_bytes = sum(row.num_bytes for scene in rendered if isinstance(scene, Rendered) for row in scene.files)
    return Estimate(
        scenes=len(whole),
        mixtures=sum(len(recipe.scenarios) for recipe in whole),
        num_bytes=round(num_bytes / len(probe) * len(whole)),
        seconds=seconds / len(probe) * len(whole) / jobs,
        probed=len(probe),
        problems=[scene.reason for scene in rendered if isinstance(scene, Problem)],
    )
