"""Another project's test set as a plan: each talker of a mixture is the enrolled target once, and the scene gains
its TS1 and TS3 twins.

Nothing is simulated: clips are added as they are (``mixing.mix_recorded``), and levels are measured. The mixture
of TS2 is compared with the file that the set ships.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from pse_bench import rng
from pse_bench.corpora import clip_reader, librimix, scan
from pse_bench.corpora.librimix import Row, speaker_of
from pse_bench.corpora.roots import Roots
from pse_bench.errors import InputError, PseBenchError
from pse_bench.io import atomic, audio, tables
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update
from pse_bench.schemas import Enrollment, Imported, Noise, Recipe, RecordedRoom, Segment, Talker, Utterance
from pse_bench.signal import vad
from pse_bench.simulation import mixing

BATCH = 8
Choose = Callable[[Row, int], str]
"""Gives the path of the enrollment for a mixture and the number of its target."""


def read(
    metadata: Path,
    *,
    name: str,
    corpus: str,
    roots: Roots,
    seed: int,
    enrollments: Path | None = None,
    speech: Iterable[Path] = (),
    executor: Executor,
    progress: Update = lambda done, total: None,
) -> tuple[Imported, list[Recipe], list[str]]:
    """What a plan says of a test set in LibriMix's layout, its recipes, and a line for every scene left out.

    Args:
        metadata: the set's CSV (see ``corpora.librimix``).
        name: what the dataset will be called.
        corpus: the name of the root that the paths are below.
        roots: where it lies.
        seed: chooses the enrollment, another utterance of the target's in the same set, where ``enrollments``
            does not.
        enrollments: SpeakerBeam's ``map_mixture2enrollment``.
        speech: manifests of the corpus that the sources are made of: who speaks, and the words of a source that
            holds its utterance in full.
        executor: where sounds are read.

    Raises:
        InputError: the metadata cannot be used, or nothing is left.
    """
    root = roots.locate(corpus, "")
    rows = librimix.read(metadata, root)
    choose = _listed(rows, enrollments) if enrollments else _by_chance(rows, seed)
    wanted, problems = [], []
    for row in rows:
        for target in range(len(row.sources)):
            try:
                wanted.append((row, target, choose(row, target)))
            except InputError as error:
                problems.append(str(error))
    paths = {path for row, _, enrolled in wanted for path in (*row.sources, row.noise, enrolled) if path}
    found, more = scan.describe(root, sorted(paths), executor=executor)
    known = {clip.path: clip for clip in found}
    problems += more
    words = {row.utterance_id: row for path in speech for row in tables.read_table(path, Utterance)}
    drafts = [
        (_draft(row, target, enrolled, corpus, known, words), row.mixture)
        for row, target, enrolled in wanted
        if {*row.sources, *([row.noise] if row.noise else []), enrolled} <= set(known)
    ]
    if not drafts:
        raise InputError(f"{metadata}: no scene can be imported; {problems[0] if problems else 'it lists none'}")
    _check(metadata, [draft for draft, _ in drafts], known)
    recipes, others = _measured(drafts, corpus, roots, executor, progress)
    about = Imported(
        name=name,
        version=1,
        description=f"Imported from {metadata.name}: nothing simulated, clips as they are.",
        sample_rate=drafts[0][0].sample_rate,
        reference="reverberant",
        metadata_sha256=atomic.sha256(metadata),
    )
    return about, recipes, problems + others


def _by_chance(rows: list[Row], seed: int) -> Choose:
    """Another utterance that the same person says in the set, fixed by seed and names."""
    said = defaultdict(list)
    for row in rows:
        for utterance, path in zip(row.utterances, row.sources, strict=True):
            said[speaker_of(utterance)].append((utterance, path))

    def choose(row: Row, target: int) -> str:
        utterance = row.utterances[target]
        others = sorted(path for other, path in said[speaker_of(utterance)] if other not in row.utterances)
        if not others:
            raise InputError(f"{row.mixture_id}: {utterance} is all that is heard of its speaker; left out")
        return rng.choice(others, seed, "import", row.mixture_id, utterance)

    return choose


def _listed(rows: list[Row], path: Path) -> Choose:
    listed = librimix.read_enrollments(path)
    paths = {f"s{number}/{row.mixture_id}": source for row in rows for number, source in enumerate(row.sources, 1)}

    def choose(row: Row, target: int) -> str:
        utterance = row.utterances[target]
        enrolled = listed.get((row.mixture_id, utterance))
        if enrolled is None:
            raise InputError(f"{row.mixture_id}: {path} has no enrollment for {utterance}; left out")
        if enrolled not in paths:
            raise InputError(f"{row.mixture_id}: enrollment {enrolled} is no source of the metadata; left out")
        if paths[enrolled] in row.sources:
            raise InputError(f"{row.mixture_id}: enrollment {enrolled} is heard in the mixture itself; left out")
        return paths[enrolled]

    return choose


def _draft(
    row: Row,
    target: int,
    enrolled: str,
    corpus: str,
    known: dict[str, scan.ScannedFile],
    words: dict[str, Utterance],
) -> Recipe:
    """A recipe whose levels are still to be measured."""

    def segment(path: str, clip_id: str) -> Segment:
        clip = known[path]
        return Segment(
            clip_id=clip_id, path=path, sha256=clip.sha256, start=0, num_samples=clip.num_samples, onset=0
        )

    def talker(number: int) -> Talker:
        path, utterance = row.sources[number], row.utterances[number]
        clip, listed = known[path], words.get(utterance)
        # what LibriMix cut off is a beginning without an end
        whole = listed and clip.num_samples * listed.sample_rate >= listed.num_samples * clip.sample_rate
        return Talker(
            corpus=corpus,
            speaker_id=speaker_of(utterance),
            gender=listed.gender if listed else "",
            segments=[segment(path, utterance)],
            text=listed.text if listed and whole else "",
            source=0,
            distance_m=None,
            overlap=None,
        )

    first = known[row.sources[target]]
    noise = Noise(corpus=corpus, category="", segment=segment(row.noise, row.mixture_id)) if row.noise else None
    return Recipe(
        scene_id=re.sub(r"[^A-Za-z0-9]+", "-", f"{row.mixture_id}-s{target + 1}"),
        sample_rate=first.sample_rate,
        num_samples=first.num_samples,
        scenarios=["TS1", "TS2", "TS3"],
        target=talker(target),
        level_dbfs=0.0,
        interferers=[talker(number) for number in range(len(row.sources)) if number != target],
        sir_db=None,
        noise=noise,
        snr_db=None,
        room=RecordedRoom(engine="recorded", room_id=""),
        enrollment=Enrollment(
            condition="clean",
            segments=[segment(enrolled, Path(enrolled).stem)],
            num_samples=known[enrolled].num_samples,
            noise=None,
            snr_db=None,
        ),
    )


def _check(metadata: Path, drafts: list[Recipe], known: dict[str, scan.ScannedFile]) -> None:
    """Raise InputError where scenes have one name, or sounds that cannot be added."""
    twice = [name for name, count in Counter(draft.scene_id for draft in drafts).items() if count > 1]
    if twice:
        raise InputError(f"{metadata}: two mixtures become scene {twice[0]}; rename one")
    rates = {clip.sample_rate for clip in known.values()}
    if len(rates) > 1:
        raise InputError(f"{metadata}: files at {sorted(rates)} Hz; give a set of one sample rate")
    for draft in drafts:
        others = [segment for talker in draft.interferers for segment in talker.segments]
        for segment in [*others, *([draft.noise.segment] if draft.noise else [])]:
            if segment.num_samples != draft.num_samples:
                raise InputError(
                    f"{segment.path}: {segment.num_samples} samples, the target's source has {draft.num_samples}; "
                    "sources of a mixture must be aligned"
                )


# ---- levels, in a worker


def _measured(
    drafts: list[tuple[Recipe, str]], corpus: str, roots: Roots, executor: Executor, progress: Update
) -> tuple[list[Recipe], list[str]]:
    """The recipes with their levels, in order, and a line for each that cannot be."""
    batches = [drafts[first : first + BATCH] for first in range(0, len(drafts), BATCH)]
    found: dict[int, list[Recipe | str]] = {}
    done = 0
    for outcome in executor.run(measure_batch, [(roots, corpus, batch) for batch in batches]):
        found[outcome.index] = [outcome.lost] if outcome.lost else outcome.value
        done += len(batches[outcome.index])
        progress(done, len(drafts))
    results = [result for index in sorted(found) for result in found[index]]
    problems = [result for result in results if isinstance(result, str)]
    recipes = [result for result in results if isinstance(result, Recipe)]
    if not recipes:
        raise InputError(f"no scene can be imported; {problems[0]}")
    return recipes, problems


def measure_batch(work: tuple[Roots, str, list[tuple[Recipe, str]]]) -> list[Recipe | str]:
    """Some recipes with their levels, or why one has none."""
    roots, corpus, drafts = work
    results: list[Recipe | str] = []
    for draft, mixture in drafts:
        try:
            results.append(_measure(draft, roots.locate(corpus, mixture) if mixture else None, roots))
        except PseBenchError as error:
            results.append(f"{draft.scene_id}: {error}; left out")
    return results


def _measure(draft: Recipe, mixture: Path | None, roots: Roots) -> Recipe:
    def load(corpus: str, segment: Segment) -> np.ndarray:
        return clip_reader.read(roots.locate(corpus, segment.path), segment.sha256)[0]

    scene = mixing.mix_recorded(draft, load)
    if mixture is not None:
        heard = [load(talker.corpus, s) for talker in (draft.target, *draft.interferers) for s in talker.segments]
        heard += [load(draft.noise.corpus, draft.noise.segment)] if draft.noise else []
        _compare(mixture, heard, draft)
    mask = vad.to_samples(scene.active["target"], draft.num_samples, draft.sample_rate)
    power = vad.active_power(scene.stems["target"] / audio.FULL_SCALE, mask)
    return draft.model_copy(
        update={
            "level_dbfs": round(vad.power_db(power) - scene.gain_db, 3),
            "sir_db": scene.sir_achieved_db,
            "snr_db": scene.snr_achieved_db,
        }
    )


def _compare(path: Path, heard: list[np.ndarray], draft: Recipe) -> None:
    """Raise InputError where a mixture as shipped is not the sum of its sources, each rounded to 16 bits."""
    mixture, _ = audio.read(path, sample_rate=draft.sample_rate, num_samples=draft.num_samples)
    steps = np.abs(mixture - np.sum(heard, axis=0)).max() * audio.FULL_SCALE
    if steps > len(heard) + 1:
        raise InputError(
            f"{path}: differs from the sum of its {len(heard)} sources by up to {steps:.0f} steps of 16 bits; "
            "give the metadata of this type of mixture (mix_both, mix_clean)"
        )
