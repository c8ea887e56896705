"""A test set in LibriMix's layout as a plan: each talker of a mixture is the enrolled target once, and the scene
gains its TS1 and TS3 twins.

LibriMix (Cosentino et al., arXiv 2005.11262), and what is laid out like it (SpeakerBeam), writes beside its audio
files ``mixture_<split>_<type>.csv`` with ``mixture_ID, mixture_path, source_1_path, source_2_path, noise_path,
length``. The id is that of the utterances, joined by ``_``; a LibriSpeech utterance begins with its speaker.

Nothing is simulated: clips are added as they are (``mixing.mix_recorded``), and levels are measured. The
mixture of TS2 is compared with the file that the set ships.
"""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from pse_bench import rng
from pse_bench.corpora import clip_reader, scan
from pse_bench.corpora.roots import Roots
from pse_bench.errors import InputError, PseBenchError
from pse_bench.io import atomic, audio, documents, tables
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update, no_progress
from pse_bench.schemas import Enrollment, Imported, Noise, Recipe, RecordedRoom, Segment, Talker, Utterance
from pse_bench.signal import vad
from pse_bench.simulation import mixing

BATCH = 8
LONGEST_PATH = 4096
"""Characters of the longest path that a file can have."""


@dataclass(frozen=True)
class Row:
    """One mixture. Paths are below the root; ``mixture`` is '' where its file is not there, ``noise`` where there
    is none; ``utterances`` has the id of what each source says."""

    mixture_id: str
    mixture: str
    sources: list[str]
    utterances: list[str]
    noise: str


Choose = Callable[[Row, int], str]
"""Gives the path of the enrollment for a mixture and the number of its target."""
Known = dict[str, scan.ScannedFile]


def speaker_of(utterance_id: str) -> str:
    """The speaker of a LibriSpeech utterance."""
    return utterance_id.partition("-")[0]


def read_metadata(path: Path, root: Path) -> list[Row]:
    """The mixtures of a metadata file.

    Paths in it are looked for below ``root``, also when they begin with folders of the machine that wrote them.

    Raises:
        InputError: not such a file, a source that is not there, or an id that does not name the utterances.
    """
    table = tables.csv_lines(documents.read_text(path), path)
    header = [name.strip().lower() for name in next(table)[1]]
    if "source_1_gain" in header:
        raise InputError(
            f"{path}: lists gains, so LibriMix is made from it; give a file that lies beside the audio, as "
            "wav16k/max/metadata/mixture_test_mix_both.csv"
        )
    for name in ("mixture_id", "source_1_path", "source_2_path"):
        if name not in header:
            raise InputError(f"{path}: no column {name!r}; found {', '.join(header) or 'an empty file'}")
    numbered = [name for name in header if name.startswith("source_") and name.endswith("_path")]
    rows: dict[str, Row] = {}
    for where, cells in table:
        line = dict(zip(header, cells, strict=True))
        name = line["mixture_id"]
        if name in rows:
            raise InputError(f"{where}: mixture {name} stands twice; remove one line")
        utterances = name.split("_")
        if len(utterances) != len(numbered):
            raise InputError(
                f"{where}: mixture_ID {name!r} and {len(numbered)} sources; expected the ids of their utterances "
                "joined by _"
            )
        named = [*(line[column] for column in numbered), *filter(None, [line.get("noise_path")])]
        found = [below(each, root) for each in named]
        if "" in found:
            absent = named[found.index("")]
            raise InputError(f"{where}: {absent}: not found below {root}; give the folder that holds it as --root")
        sources, noise = found[: len(numbered)], "".join(found[len(numbered) :])
        rows[name] = Row(name, below(line.get("mixture_path", ""), root), sources, utterances, noise)
    if not rows:
        raise InputError(f"{path}: lists no mixtures; give the metadata of a split")
    return list(rows.values())


def below(path: str, root: Path) -> str:
    """A path of the metadata below the root, '' where there is no such file: as it stands, or without as many
    leading folders as it takes."""
    if not path or len(path) > LONGEST_PATH:
        return ""
    if Path(path).is_absolute() and Path(path).is_relative_to(root):
        return Path(path).relative_to(root).as_posix()
    parts = PurePosixPath(path).parts
    shorter = (PurePosixPath(*parts[first:]) for first in range(len(parts)))
    return next((str(one) for one in shorter if not one.is_absolute() and os.path.isfile(root / one)), "")


def read_enrollments(path: Path) -> dict[tuple[str, str], str]:
    """SpeakerBeam's ``map_mixture2enrollment``: for each mixture and target utterance, the source that is the
    enrollment, as ``s<k>/<mixture_ID>``. Raises InputError when a line is not of three words."""
    chosen = {}
    for number, line in enumerate(documents.read_text(path).splitlines(), 1):
        words = line.split()
        if len(words) not in (0, 3):
            raise InputError(f"{path}:{number}: {len(words)} words, expected mixture, utterance and enrollment")
        if words:
            chosen[words[0], words[1]] = words[2]
    return chosen


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
    progress: Update = no_progress,
) -> tuple[Imported, list[Recipe], list[str]]:
    """What a plan says of a test set, its recipes, and a line for every scene left out.

    Args:
        metadata: the set's CSV.
        name: what the dataset will be called.
        corpus: the name of the root that the paths are below.
        seed: chooses the enrollment, another utterance of the target's in the same set, where ``enrollments``,
            SpeakerBeam's ``map_mixture2enrollment``, does not.
        speech: manifests of the corpus that the sources are made of: who speaks, and the words of a source that
            holds its utterance in full.

    Raises:
        InputError: the metadata cannot be used, or nothing is left.
    """
    root = roots.locate(corpus, "")
    rows = read_metadata(metadata, root)
    choose = _listed(rows, enrollments) if enrollments else _by_chance(rows, seed)
    wanted, problems = [], []
    for row in rows:
        for target in range(len(row.sources)):
            try:
                wanted.append((row, target, choose(row, target)))
            except InputError as error:
                problems.append(str(error))
    used = [{*row.sources, row.noise, enrolled} - {""} for row, _, enrolled in wanted]
    found, more = scan.describe(root, sorted(set().union(*used)), executor=executor)
    known = {clip.path: clip for clip in found}
    problems += more
    words = {row.utterance_id: row for path in speech for row in tables.read_table(path, Utterance)}
    drafts = [
        (_draft(*scene, corpus, known, words), scene[0].mixture)
        for scene, paths in zip(wanted, used, strict=True)
        if paths <= known.keys()
    ]
    _check(metadata, [draft for draft, _ in drafts], known)
    results = _measured(drafts, corpus, roots, executor, progress)
    recipes = [result for result in results if isinstance(result, Recipe)]
    problems += [result for result in results if isinstance(result, str)]
    if not recipes:
        raise InputError(f"{metadata}: no scene can be imported; {problems[0] if problems else 'it lists none'}")
    about = Imported(
        name=name,
        version=1,
        description=f"Imported from {metadata.name}: nothing simulated, clips as they are.",
        sample_rate=recipes[0].sample_rate,
        reference="reverberant",
        metadata_sha256=atomic.sha256(metadata),
    )
    return about, recipes, problems


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
    listed = read_enrollments(path)
    paths = {f"s{number}/{row.mixture_id}": source for row in rows for number, source in enumerate(row.sources, 1)}

    def choose(row: Row, target: int) -> str:
        enrolled = listed.get((row.mixture_id, row.utterances[target]))
        if enrolled is None:
            fault = f"{path} has no enrollment for {row.utterances[target]}"
        elif enrolled not in paths:
            fault = f"enrollment {enrolled} is no source of the metadata"
        elif paths[enrolled] in row.sources:
            fault = f"enrollment {enrolled} is heard in the mixture itself"
        else:
            return paths[enrolled]
        raise InputError(f"{row.mixture_id}: {fault}; left out")

    return choose


def _draft(row: Row, target: int, enrolled: str, corpus: str, known: Known, words: dict[str, Utterance]) -> Recipe:
    """A recipe whose levels are still to be measured."""

    def segment(path: str, clip_id: str) -> Segment:
        sha256, num_samples = known[path].sha256, known[path].num_samples
        return Segment(clip_id=clip_id, path=path, sha256=sha256, start=0, num_samples=num_samples, onset=0)

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

    first, heard = known[row.sources[target]], segment(enrolled, Path(enrolled).stem)
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
            condition="clean", segments=[heard], num_samples=heard.num_samples, noise=None, snr_db=None
        ),
    )


def _check(metadata: Path, drafts: list[Recipe], known: Known) -> None:
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


def _measured(
    drafts: list[tuple[Recipe, str]], corpus: str, roots: Roots, executor: Executor, progress: Update
) -> list[Recipe | str]:
    """The recipes with their levels, in order, or a line for one that cannot be."""
    batches = [drafts[first : first + BATCH] for first in range(0, len(drafts), BATCH)]
    found: dict[int, list[Recipe | str]] = {}
    for outcome in executor.run(measure_batch, [(roots, corpus, batch) for batch in batches]):
        found[outcome.index] = [outcome.lost] if outcome.lost else outcome.value
        progress(sum(len(batches[index]) for index in found), len(drafts))
    return [result for index in sorted(found) for result in found[index]]


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
    """The recipe with the levels of its scene. Raises InputError where a mixture as shipped is not the sum of its
    sources, each rounded to 16 bits."""

    def load(corpus: str, segment: Segment) -> np.ndarray:
        return clip_reader.read(roots.locate(corpus, segment.path), segment.sha256)[0]

    scene = mixing.mix_recorded(draft, load)
    if mixture is not None:
        heard = [load(talker.corpus, s) for talker in (draft.target, *draft.interferers) for s in talker.segments]
        heard += [load(draft.noise.corpus, draft.noise.segment)] if draft.noise else []
        shipped, _ = audio.read(mixture, sample_rate=draft.sample_rate, num_samples=draft.num_samples)
        steps = np.abs(shipped - np.sum(heard, axis=0)).max() * audio.FULL_SCALE
        if steps > len(heard) + 1:
            raise InputError(
                f"{mixture}: differs from the sum of its {len(heard)} sources by up to {steps:.0f} steps of 16 "
                "bits; give the metadata of this type of mixture (mix_both, mix_clean)"
            )
    mask = vad.to_samples(scene.active["target"], draft.num_samples, draft.sample_rate)
    power = vad.active_power(scene.stems["target"] / audio.FULL_SCALE, mask)
    level_dbfs = round(vad.power_db(power) - scene.gain_db, 3)
    levels = {"level_dbfs": level_dbfs, "sir_db": scene.sir_achieved_db, "snr_db": scene.snr_achieved_db}
    return draft.model_copy(update=levels)
