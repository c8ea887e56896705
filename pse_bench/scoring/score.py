"""From a submission to scores: every metric on every mixture of the dataset, none left out.

A mixture whose estimate is missing or unusable takes each metric's worst value, so failing never pays.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench import __version__, metrics
from pse_bench.asr.recogniser import Recogniser
from pse_bench.dataset.dataset import REFERENCE_STEMS, Dataset, Description
from pse_bench.errors import InputError
from pse_bench.io import atomic, locks, tables
from pse_bench.metrics import Evaluation, detection
from pse_bench.metrics.outside import definition
from pse_bench.metrics.signals import sharing
from pse_bench.runtime import resume
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update
from pse_bench.runtime.sharding import Shard
from pse_bench.schemas import Mixture, Score
from pse_bench.scoring import pvad, result_writer
from pse_bench.scoring.pvad import Detected
from pse_bench.scoring.result_writer import STAGE, Scored, ScoreReport, ShardState
from pse_bench.scoring.score_cache import ScoreCache, package_versions
from pse_bench.submission import blind, submission

NATIVE = ("pesq_wb", "turn_pesq_wb")  # metrics whose library can take its process down


@dataclass(frozen=True)
class ScoreJob:
    """What a worker needs to score a mixture."""

    dataset: Dataset
    folder: Path
    shown: str  # what messages call the folder: of a zip, not where it was unpacked for the time being
    reference: str
    names: tuple[str, ...]
    recogniser: Recogniser | None = None
    cache: Path | None = None
    crashed: tuple[str, ...] = ()


def score(
    dataset: Dataset,
    path: str | Path,
    out: str | Path,
    *,
    executor: Executor,
    names: list[str] | None = None,
    recogniser: Recogniser | None = None,
    reference: str | None = None,
    cache: Path | None = None,
    share: Shard | None = None,
    force: bool = False,
    progress: Update = lambda done, total: None,
    notice: Callable[[str], None] = lambda line: None,
    scenes: int | None = None,
    blind_key: Path | None = None,
) -> ScoreReport:
    """Score a submission and write ``scores.csv`` and ``result.json`` into ``out``, where it holds activity
    ``detections.csv``, and with a recogniser ``hypotheses.csv``.

    Args:
        path: the submission, a folder or a zip.
        executor: where metrics run; never this process, since a metric's library may crash.
        names: metrics of audio to compute, ours, ``module:attribute`` or an entry point's, or ``["all"]``; by
            default those that need no model.
        recogniser: hears the words for the metrics of recognition.
        reference: ``early`` or ``reverberant``; the dataset's own by default.
        cache: where scores are kept and looked up by what they depend on; None computes all of them.
        share: score only this shard of the mixtures, for ``result_writer.merge``.
        force: replace the result that lies in ``out``.
        blind_key: of the blind edition that the submission was made from (see ``submission.blind``).
        notice: told which metrics are left out because the dataset's rate is too low for them.
        scenes: score only the first so many scenes, which a later run with more of them continues; by default as
            many as the submission says it has.

    Raises:
        InputError: no such metric, no such folder, a changed dataset, a submission of another one or of fewer
            scenes than are asked for, or ``out`` holds something else.
    """
    path, out = Path(path), Path(out)
    about = dataset.description
    if reference and about.reference == "none":
        raise InputError(f"--reference {reference}: recordings have no reference; leave it out")
    sessions = any(row.session_turns for row in dataset.mixtures)
    chosen = _metrics(names, recogniser, about.reference, sessions=sessions)
    dataset.require_unchanged()
    reference, table = reference or about.reference, about.tables["mixtures.csv"]
    with blind.opened(path, dataset, blind_key) as folder:
        system = _system(dataset, folder, path)
        if "audio" not in system.holds:
            if names or recogniser:
                raise InputError(
                    f"{path}: holds activity only, of which all figures are computed; leave --metrics and "
                    "--recogniser out, or say holds: [audio, activity] in its system.yaml"
                )
            chosen = {}
        chosen = _possible(chosen, about, asked=bool(names) and names != ["all"], notice=notice)
        used = {need for metric in chosen.values() for need in metric.needs} & {"target", "interferer"}
        used |= {"enrollment", REFERENCE_STEMS.get(reference, "")} if chosen else set()
        dataset.require_kept("activity", *used)
        reader = replace(dataset, folder=dataset.folder.resolve(), mixtures=[])
        shown, kept = str(path).rstrip("/"), cache and cache.resolve()
        job = ScoreJob(reader, folder.resolve(), shown, reference, tuple(chosen), recogniser, kept)
        versions = _identities(chosen.values(), recogniser, about.sample_rate)
        rows = {row.mixture_id: row for row in _first_scenes(dataset, scenes, system, path)}
        whole = len(rows) == len(dataset)
        copied = resume.Source(dataset.folder / "mixtures.csv", "mixtures.csv", table)
        with resume.resumable(
            STAGE,
            out,
            {"dataset": about.fingerprint, "reference": reference, "metrics": versions},
            list(rows),
            intact=lambda _, scored: result_writer.current(folder, scored),
            shard=share,
            force=force,
            whole=whole,
            sources=[copied] if whole and not (share and share.number > 1) else [],
        ) as run:
            if not whole:
                tables.write_table(run.out / "mixtures.csv", Mixture, rows.values())
                table = atomic.sha256(run.out / "mixtures.csv")
            wanted = [rows[name] for name in run.items]
            total = len(wanted) * len(system.holds)
            progress(run.reused, total)
            todo = [row for row in wanted if "audio" in system.holds and row.mixture_id not in run]
            for scored in _all(job, todo, executor):
                run.add(scored)
                progress(len(run), total)
            detected = []
            if "activity" in system.holds:
                detected = _detected(job, wanted, executor, lambda count: progress(len(run) + count, total))
                versions = versions | _identities(detection.ACTIVITY, None, about.sample_rate)
            ordered = run.finished(Scored.model_validate)
            identity = {
                "dataset": f"{about.name}-v{about.version}",
                "dataset_fingerprint": about.fingerprint,
                "reference": reference,
                "target_speakers": len({row.target_speaker for row in rows.values()}),
                "metrics": versions,
                "recogniser": recogniser.identity if recogniser else None,
                "mixtures_sha256": table,
                "pse_bench": __version__,
                "packages": package_versions(chosen.values()),
                "system": system.model_dump(),
                **({"evidence": "blind"} if blind_key else {}),
            }
            if not whole:
                first, of = (len({row.scene_id for row in some}) for some in (rows.values(), dataset.mixtures))
                identity["scenes"] = {"first": first, "of": of}
            if share:
                run.finish_shard(share, len(rows), ShardState(detected=detected), identity)
                return result_writer.report(len(wanted), ordered, detected)
            return result_writer.finish(run.out, identity, len(wanted), ordered, detected)


def _system(dataset: Dataset, folder: Path, path: Path) -> submission.System:
    """The description of a submission. Raises InputError when it was made from another dataset, or has no file
    that belongs to a mixture."""
    try:
        system = submission.read_system(folder)
    except InputError as error:
        _require_any(dataset, folder, path, ("audio", "activity"))  # of a foreign folder, the first thing to know
        raise InputError(str(error).replace(str(folder), str(path))) from error
    own, this = system.dataset_fingerprint, dataset.description.fingerprint
    if own not in ("", this):
        raise InputError(
            f"{path}: made from another dataset, or from this one before it changed; enhance this one, or score "
            f"it with its own (fingerprint {own[:12]} in its system.yaml, {this[:12]} here)"
        )
    _require_any(dataset, folder, path, system.holds)
    return system


def _require_any(dataset: Dataset, folder: Path, path: Path, kinds: Sequence[str]) -> None:
    if not submission.holds_any(folder, dataset.mixtures, kinds):
        name = submission.estimate_name if "audio" in kinds else submission.activity_name
        example = f"{name(dataset.mixtures[0])}{'.flac' if 'audio' in kinds else ''}"
        asked = f"run pse-bench check {dataset.folder} {path}; with --adopt OUT it brings other names into place"
        raise InputError(f"{path}: no file is named as a mixture's, like {example}; {asked}")


def _first_scenes(dataset: Dataset, scenes: int | None, system: submission.System, path: Path) -> list[Mixture]:
    """The mixtures to score. Raises InputError where the submission says that it has fewer."""
    wanted, there = (dataset.first_scenes(count) for count in (scenes or system.scenes, system.scenes))
    if len(wanted) > len(there):
        found = f"{path}: holds the first {system.scenes} scenes, as its system.yaml says"
        remedy = f"run enhance again with a larger --scenes, or score it with --scenes {system.scenes}"
        raise InputError(f"{found}; {remedy}")
    return wanted


def _possible(
    chosen: dict[str, metrics.Metric], about: Description, *, asked: bool, notice: Callable[[str], None]
) -> dict[str, metrics.Metric]:
    """The metrics that the dataset's rate and references allow. Of others notice is given; where they were
    ``asked`` for by name, InputError."""
    low = [name for name, metric in chosen.items() if about.sample_rate < metric.lowest_hz]
    needed = max((chosen[name].lowest_hz for name in low), default=0)
    stems = {"reference", "target", "interferer"} if about.reference == "none" else set()
    reasons = {
        f"needs {needed} Hz or more, the dataset has {about.sample_rate} Hz": low,
        "needs a reference, and recordings have none": [
            name for name, metric in chosen.items() if name not in low and stems & {*metric.needs}
        ],
    }
    for reason, names in reasons.items():
        if names and asked:
            raise InputError(f"{', '.join(names)}: {reason}; leave it out of --metrics")
        if names:
            notice(f"{', '.join(names)}: {reason}; left out")
    left_out = set().union(*reasons.values())
    return {name: metric for name, metric in chosen.items() if name not in left_out}


def _metrics(
    names: list[str] | None, recogniser: Recogniser | None, reference: str, *, sessions: bool
) -> dict[str, metrics.Metric]:
    """The metrics that are asked for by what names them, in the order of tables, those from outside last.

    By default those that need no model, with a recogniser those that it makes possible, and of ``sessions`` those
    of stretches; ``all`` adds every one of ours that this machine can compute.
    """
    ours = metrics.ALL_METRICS
    elsewhere = set() if sessions else set(metrics.OF_SESSIONS)
    by_words = {name for name, metric in ours.items() if "transcribe" in metric.needs}
    if not names:
        default = {*(metrics.WITHOUT_MODEL if reference == "none" else metrics.METRICS)}
        default |= (metrics.OF_SESSIONS.keys() - elsewhere) | (by_words if recogniser else set())
        return {name: ours[name] for name in ours if name in default}
    if names == ["all"]:
        unheard = elsewhere | (set() if recogniser else by_words)
        return {name: metric for name, metric in ours.items() if name not in unheard and not metric.missing()}
    asked = {name: _metric(name) for name in names}
    for name, metric in asked.items():
        if missing := metric.missing():
            raise InputError(f"metric {name}: {missing}")
        if "transcribe" in metric.needs and not recogniser:
            raise InputError(f"metric {name}: needs --recogniser, for example --recogniser pocketsphinx")
    if len({metric.name for metric in asked.values()}) < len(asked):
        raise InputError(f"metrics {', '.join(asked)}: two have one name; leave one out")
    return {name: metric for name, metric in ours.items() if name in asked} | asked


def _metric(name: str) -> metrics.Metric:
    return metrics.ALL_METRICS.get(name) or _from_outside(name)


@functools.cache
def _from_outside(name: str) -> metrics.Metric:
    metric = metrics.REGISTRY.find(name)
    if metric.of != "clip":
        beside = "of activity, whenever a submission holds it" if metric.of == "activity" else f"with {metric.of}"
        if metric.of == "scenarios":
            beside = f"with {' and '.join(metric.needs)}"
        raise InputError(f"metric {name}: is computed {beside}; leave it out")
    return metric


def _identities(
    chosen: Iterable[metrics.Metric], recogniser: Recogniser | None, sample_rate: int
) -> dict[str, dict[str, Any]]:
    """What each metric's values depend on beside the audio: its version, the model behind it, of one from outside
    its definition, and how the dataset's sound is resampled for it."""
    found: dict[str, dict[str, Any]] = {}
    for metric in chosen:
        found[metric.name] = {"version": metric.version}
        if model := recogniser.key if recogniser and "transcribe" in metric.needs else metric.model:
            found[metric.name]["model"] = model
        if metric.name not in metrics.REGISTRY:
            found[metric.name]["definition"] = definition(metric)
        heard = "transcribe" not in metric.needs or not recogniser or recogniser.by_sound
        if heard and (resampled := metric.resampled(sample_rate)):
            found[metric.name]["resampled"] = resampled
    return found


def score_mixture(work: tuple[ScoreJob, Mixture]) -> Scored:
    """All scores of one mixture."""
    job, row = work
    locks.require_seen(job.folder / submission.DESCRIPTION)
    try:
        estimate = submission.read_estimate(job.folder, row)
    except InputError as error:
        return _without_estimate(job, row, str(error).replace(str(job.folder), job.shown))
    clip, wanted = _clip(job, row, estimate.samples), _chosen(job, row)
    safe = [metric for metric in wanted if metric.name not in job.crashed]
    with sharing():
        if job.cache is None:
            found = [metrics.score(metric, clip) for metric in safe]
        else:
            recogniser = job.recogniser.key if job.recogniser and job.recogniser.by_sound else ""
            found = ScoreCache(job.cache, recogniser).evaluate(safe, clip)
        words = clip.transcribe(estimate.samples) if clip.transcribe and _needs_words(safe) else None
    by_name = {metric.name: one for metric, one in zip(safe, found, strict=True)}
    # those left over are not evaluated in any form, which could crash again
    reason = "the metric's library crashed on it"
    results = [by_name.get(metric.name) or Evaluation(metric.worst, "failed", reason) for metric in wanted]
    scores = _rows(row, wanted, results)
    return Scored(mixture_id=row.mixture_id, sha256=estimate.sha256, words=words, scores=scores)


def _needs_words(wanted: Iterable[metrics.Metric]) -> bool:
    return any("transcribe" in metric.needs for metric in wanted)


def _without_estimate(job: ScoreJob, row: Mixture, problem: str) -> Scored:
    """The worst values of one mixture."""
    clip, wanted = _clip(job, row, None), _chosen(job, row)
    # no path of this machine in the table: from the label on, the file is named by the submission itself
    reason = problem.replace(f"{job.shown}/", "")
    scores = _rows(row, wanted, [metrics.failed(metric, clip, reason) for metric in wanted])
    words = "" if job.recogniser and _needs_words(wanted) else None
    return Scored(mixture_id=row.mixture_id, sha256="", problem=problem, words=words, scores=scores)


def _chosen(job: ScoreJob, row: Mixture) -> list[metrics.Metric]:
    """The metrics that run in a mixture's scenario."""
    return [metric for metric in map(_metric, job.names) if row.scenario in metric.scenarios]


def _rows(row: Mixture, wanted: list[metrics.Metric], results: list[Evaluation]) -> list[Score]:
    return [
        Score(mixture_id=row.mixture_id, scenario=row.scenario, metric=metric.name, **vars(one))
        for metric, one in zip(wanted, results, strict=True)
    ]


def _clip(job: ScoreJob, row: Mixture, estimate: np.ndarray | None) -> metrics.Clip:
    dataset = job.dataset
    active = dataset.read_activity(row.scene_id, row.num_samples)
    silent, nobody = row.scenario == "TS3", np.zeros_like(active["target"])
    stem = REFERENCE_STEMS.get(job.reference)
    images = {"target", "interferer"} & {need for metric in _chosen(job, row) for need in metric.needs}
    kept = {name for name in images if dataset.has(dataset.stem_name(row.scene_id, name))}
    return metrics.Clip(
        estimate=estimate,
        mixture=dataset.read_sound(row.mixture_path, row.num_samples),
        reference=None if silent or not stem else dataset.read_stem(row.scene_id, stem, row.num_samples),
        target_active=nobody if silent else active["target"],
        interferer_active=nobody if row.scenario == "TS1" else active["interferer"],
        sample_rate=row.sample_rate,
        enrollment=dataset.read_sound(row.enrollment_path),
        text=row.text,
        transcribe=job.recogniser.for_clip(row.sample_rate, row.mixture_id) if job.recogniser else None,
        interferer_text=row.interferer_text,
        **{name: dataset.read_stem(row.scene_id, name, row.num_samples) for name in kept},
    )


def detect_mixture(work: tuple[ScoreJob, Mixture]) -> Detected:
    """The detections of one mixture; the worst there are where its file is missing or cannot be used."""
    job, row = work
    locks.require_seen(job.folder / submission.DESCRIPTION)
    frames = job.dataset.read_frames(row)
    labels = detection.classes(target=frames["target"], other=frames["interferer"])
    try:
        probabilities, sha256 = submission.read_activity(job.folder, row)
    except InputError as error:
        problem = str(error).replace(str(job.folder), job.shown)
        worst = pvad.worst(row, labels, problem.replace(f"{job.shown}/", ""))
        return Detected(row=worst, sha256="", problem=problem)
    return Detected(row=pvad.row_of(row, labels, probabilities), sha256=sha256)


def _all(job: ScoreJob, rows: list[Mixture], executor: Executor) -> Iterator[Scored]:
    """Scores of all mixtures, the dearest first, so that no worker is left alone with one at the end. One that
    takes its worker down is scored again without what may have crashed, and one that does so again, in whatever
    reads it, as if its estimate were missing."""
    rows = sorted(rows, key=lambda row: -row.num_samples * len(_chosen(job, row)))
    lost: list[Mixture] = []
    for outcome in executor.run(score_mixture, [(job, row) for row in rows]):
        if outcome.lost:
            lost.append(rows[outcome.index])
        else:
            yield outcome.value
    outside = [_metric(name).name for name in job.names if name not in metrics.REGISTRY]
    careful = replace(job, crashed=(*NATIVE, *outside))
    for outcome in executor.run(score_mixture, [(careful, row) for row in lost]):
        if outcome.lost:
            row = lost[outcome.index]
            name = f"{job.shown}/{submission.estimate_name(row)}"
            yield _without_estimate(job, row, f"{name}: cannot be scored, {outcome.lost}; write it again")
        else:
            yield outcome.value


def _detected(
    job: ScoreJob, rows: list[Mixture], executor: Executor, progress: Callable[[int], None]
) -> list[Detected]:
    """What was said of who speaks in each mixture, in the order of the dataset."""
    found: dict[int, Detected] = {}
    for outcome in executor.run(detect_mixture, [(job, row) for row in rows]):
        if outcome.lost:
            raise InputError(f"{job.shown}/{submission.activity_name(rows[outcome.index])}: {outcome.lost}")
        found[outcome.index] = outcome.value
        progress(len(found))
    return [found[index] for index in range(len(rows))]
