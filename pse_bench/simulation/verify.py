"""Check a dataset: hashes, sums, levels and lengths; some scenes rendered again."""

import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pse_bench import rng
from pse_bench.corpora.roots import Roots
from pse_bench.dataset.dataset import Dataset, fingerprint
from pse_bench.errors import PseBenchError
from pse_bench.io import atomic, audio
from pse_bench.planning import plan
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update
from pse_bench.schemas import Mixture, Recipe, RecordedMixture, StoredFile
from pse_bench.simulation import mixing, render
from pse_bench.simulation.channel import received

BATCH = 8


@dataclass(frozen=True)
class VerifyReport:
    """The number of things checked by kind, and a line for each problem."""

    checked: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def verify(
    folder: str | Path,
    *,
    rerender: int = 0,
    sums: bool = True,
    roots: Roots,
    executor: Executor,
    progress: Update = lambda done, total: None,
) -> VerifyReport:
    """Check a dataset in a folder.

    Args:
        rerender: how many scenes, chosen evenly, to render again from the corpora and compare by bytes.
        sums: also decode what has the right hash: mixtures are the sums of their stems, at the planned levels.
        roots: where the corpora lie; needed to render again.

    Raises:
        InputError: no dataset there, or its tables cannot be read at all.
    """
    folder = Path(folder)
    dataset = Dataset.open(folder)
    recipes = {recipe.scene_id: recipe for recipe in plan.read(folder / "plan.jsonl")[2]}
    corpora = {corpus for recipe in recipes.values() for corpus in recipe.corpora}
    if rerender:
        roots.check(corpora)
    else:
        roots.name_misspelt(corpora)
    rows: dict[str, list[Mixture]] = defaultdict(list)
    for row in dataset.mixtures:
        rows[row.scene_id].append(row)
    stored: dict[str, list[StoredFile]] = defaultdict(list)
    for file in dataset.files:
        stored[Path(file.path).stem].append(file)
    problems = [
        *_check_tables(dataset),
        *_several("scenes of the plan are not rendered", [name for name in recipes if name not in rows]),
        *_several("scenes in mixtures.csv are not in the plan", [name for name in rows if name not in recipes]),
    ]
    scenes = [scene_id for scene_id in rows if scene_id in recipes]

    batches = [scenes[first : first + BATCH] for first in range(0, len(scenes), BATCH)]
    work = [(dataset, sums, [(recipes[s], rows[s], stored[s]) for s in batch]) for batch in batches]
    found: list[tuple[int, list[str]]] = []
    progress(0, len(scenes))
    for outcome in executor.run(check_batch, work):
        found.append((outcome.index, [outcome.lost] if outcome.lost else outcome.value))
        progress(min(len(found) * BATCH, len(scenes)), len(scenes))
    problems += [problem for _, own in sorted(found) for problem in own]
    chosen = sorted(scenes, key=lambda scene_id: rng.sort_key(0, scene_id))[:rerender]
    if chosen:
        problems += _render_again(dataset, [recipes[s] for s in chosen], stored, roots)
    counts = {"files": len(dataset.files), "mixtures": len(dataset.mixtures), "scenes rendered again": len(chosen)}
    return VerifyReport(counts, problems)


def _check_tables(dataset: Dataset) -> Iterator[str]:
    folder, description = dataset.folder, dataset.description
    if description.seal_sha256 is None:
        yield (
            f"{folder / 'dataset.json'}: not sealed, so a change of it would not be found: written by an earlier "
            "version; run the same render again, which keeps the scenes"
        )
    for name, sha256 in description.tables.items():
        yield from _check_file(folder / name, sha256)
    if atomic.sha256(folder / "plan.jsonl") != description.plan_sha256:
        yield f"{folder / 'plan.jsonl'}: not the plan that was rendered (sha256 differs)"
    if fingerprint(description.plan_sha256, dataset.files) != description.fingerprint:
        yield f"{folder / 'dataset.json'}: the fingerprint is not that of files.csv"
    if not description.complete:
        lost = description.planned_scenes - description.scenes
        yield f"{folder}: {lost} of {description.planned_scenes} scenes could not be rendered"
    known = {file.path for file in dataset.files} | {"dataset.json", "plan.jsonl", *description.tables}
    yield from (f"{path}: not a file of this dataset" for path in unexpected_files(folder, known))


def _several(what: str, names: list[str]) -> Iterator[str]:
    if names:
        more = f" … {len(names) - 5} more" if len(names) > 5 else ""
        yield f"{len(names)} {what}: {', '.join(names[:5])}{more}"


def _check_file(path: Path, sha256: str) -> Iterator[str]:
    try:
        if not path.is_file():
            yield f"{path}: missing"
        elif atomic.sha256(path) != sha256:
            yield f"{path}: changed since it was rendered (sha256 differs)"
    except OSError as error:
        yield f"{path}: cannot be read ({error.strerror}); restore it or render again"


def unexpected_files(folder: Path, known: Collection[str]) -> list[Path]:
    """Files below a folder that are not among the ``known`` paths relative to it, in order."""
    there = [path for path in sorted(folder.rglob("*")) if not path.is_dir()]
    return [path for path in there if path.relative_to(folder).as_posix() not in known]


def check_batch(work: tuple[Dataset, bool, list[tuple[Recipe, list[Mixture], list[StoredFile]]]]) -> list[str]:
    """Everything that is wrong with some scenes, found in a worker."""
    dataset, sums, scenes = work
    problems: list[str] = []
    for recipe, rows, stored in scenes:
        changed = [line for file in stored for line in _check_file(dataset.folder / file.path, file.sha256)]
        problems += changed
        if sums and not changed:  # of a changed file, it would only say the same again
            try:
                problems += list(_check_sound(dataset, recipe, rows))
            except PseBenchError as error:
                problems.append(str(error))
    return problems


def _check_sound(dataset: Dataset, recipe: Recipe, rows: list[Mixture]) -> Iterator[str]:
    folder, name, rate, length = dataset.folder, recipe.scene_id, recipe.sample_rate, recipe.num_samples
    kept = dataset.parts_kept
    parts = {part for label in recipe.scenarios for part in mixing.PARTS[label]} | {"target", "target_early"}
    recorded = isinstance(recipe.room, RecordedMixture)
    if isinstance(recipe.room, RecordedMixture):
        parts = {*recipe.room.stems, *(["target_early"] if "target" in recipe.room.stems else [])}
    parts &= kept
    stems = {part: dataset.read_pcm16(dataset.stem_name(name, part)) for part in sorted(parts)}
    if wrong := [part for part, stem in stems.items() if len(stem) != length]:
        for part in wrong:
            yield f"{dataset.stem_path(name, part)}: {len(stems[part])} samples, planned {length}"
        return
    for enrolled in sorted({row.enrollment_path for row in rows if "enrollment" in kept}):
        audio.read_pcm16(folder / enrolled, sample_rate=rate, num_samples=recipe.enrollment.num_samples)
    masks = dataset.read_activity(name) if "activity" in kept else {}
    if masks and len(masks["target"]) != length:
        yield f"{name}: activity of {len(masks['target'])} samples, planned {length}"
        return
    heard = {who: mask for who, mask in masks.items() if who in stems}
    known = not recorded and {"activity", "target", "noise"} <= kept
    levels = mixing.measure_levels(stems, heard) if known else {}
    for row in rows:
        path = folder / row.mixture_path
        if row.scenario not in recipe.scenarios:
            yield f"{row.mixture_id}: in mixtures.csv, but not planned"
            continue
        mixture = audio.read_pcm16(path, sample_rate=rate, num_samples=length)
        if recorded:  # nothing adds up to it, and a microphone may clip
            continue
        whole = kept.issuperset(mixing.PARTS[row.scenario])
        if whole and not np.array_equal(mixture, received(_total(stems, row.scenario), recipe.channel, rate)):
            yield f"{path}: not the sum of its stems{' through its channel' if recipe.channel else ''}"
        if np.abs(mixture.astype(np.int32)).max() >= 32767:
            yield f"{path}: clips"
        for what, asked in (("sir", row.sir_db), ("snr", row.snr_db)):
            # of stems that are not kept, nothing is known
            found = levels.get(f"{what}_achieved_db", asked) if whole else asked
            if asked is not None and (found is None or abs(asked - found) > mixing.LEVEL_TOLERANCE_DB):
                yield f"{path}: {what.upper()} asked {asked:g} dB, found {found} dB"


def _total(stems: dict[str, np.ndarray], label: str) -> np.ndarray:
    """The sum of a scenario's stems; those that were exchanged may add up to more than 16 bits hold."""
    return np.sum([stems[part].astype(np.int32) for part in mixing.PARTS[label]], axis=0)


def _render_again(
    dataset: Dataset, recipes: list[Recipe], stored: dict[str, list[StoredFile]], roots: Roots
) -> Iterator[str]:
    about = dataset.description
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
        out = Path(folder)
        job = render.RenderJob(out, roots, out / "rooms", about.format, about.reference, shared_rooms=False)
        for recipe in recipes:
            again = render.render_scene(job, recipe)
            if isinstance(again, render.Problem):
                yield f"{recipe.scene_id}: cannot be rendered again: {again.reason}"
                continue
            sounds = {file.path: file.content_sha256 for file in again.files}
            for file in stored[recipe.scene_id]:
                if sounds.get(file.path) != file.content_sha256:
                    yield f"{dataset.folder / file.path}: rendered again, it comes out different"
