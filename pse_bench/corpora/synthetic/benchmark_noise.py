"""The noise of a benchmark set: synthetic kinds, and babble of people who are heard nowhere else in it.

Everything is a function of a seed, of names and of the utterances that the set lists for babble, so whoever has
the corpus makes the same clips. The set's manifest of noise says what their bytes are.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from pse_bench import rng
from pse_bench.corpora import clip_reader
from pse_bench.corpora.roots import Roots
from pse_bench.corpora.synthetic import noise
from pse_bench.errors import InputError, RequestError
from pse_bench.io import atomic, audio, documents
from pse_bench.runtime.executor import Executor
from pse_bench.schemas import Count, NoiseClip, Utterance
from pse_bench.signal import vad

BABBLE = "babble"
NOISE_DBFS = (-34.0, -26.0)
"""Levels of the clips, over all samples."""


class NoiseSpec(documents.Record):
    """What noise a set has: ``clips`` of each category and as many of babble, each of ``talkers`` people."""

    corpus: str
    seed: int
    sample_rate: Count
    duration_s: Annotated[float, Field(gt=0)]
    categories: list[str]
    clips: Count
    talkers: Count


@dataclass(frozen=True)
class Order:
    """One clip to make; ``talkers`` are the utterances of each person in it, where it is babble."""

    spec: NoiseSpec
    category: str
    noise_id: str
    out: Path
    talkers: tuple[tuple[Utterance, ...], ...]
    roots: Roots
    sha256: str


def path_of(category: str, noise_id: str) -> str:
    """Where a clip lies in its corpus."""
    return f"{category}/{noise_id}.wav"


def orders(
    out: Path, spec: NoiseSpec, *, talkers: Iterable[Utterance], roots: Roots, known: Mapping[str, str]
) -> list[Order]:
    """The clips of a set.

    Args:
        out: the folder of the noise corpus.
        spec: what is asked for.
        talkers: the utterances for babble.
        roots: where those lie.
        known: SHA-256 by path, where it is known.

    Raises:
        RequestError: fewer people for babble than are to talk at once.
    """
    people: dict[str, list[Utterance]] = defaultdict(list)
    for clip in sorted(talkers, key=lambda clip: clip.utterance_id):
        people[clip.speaker_id].append(clip)
    if len(people) < spec.talkers:
        raise RequestError(f"babble of {spec.talkers} talkers: {len(people)} are listed; list more of them")
    found = []
    for category in (*spec.categories, BABBLE):
        for take in range(1, spec.clips + 1):
            noise_id = f"{category}-{take}"
            drawn = sorted(people, key=partial(rng.sort_key, spec.seed, noise_id, "talker"))
            chosen = tuple(tuple(people[who]) for who in drawn[: spec.talkers]) if category == BABBLE else ()
            sha256 = known.get(path_of(category, noise_id), "")
            found.append(Order(spec, category, noise_id, out, chosen, roots, sha256))
    return found


def make(work: list[Order], *, executor: Executor, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the clips that are not there as the manifest says.

    Raises:
        InputError: an utterance for babble is missing or not the one that is listed.
        RequestError: a worker died.
    """
    lost, fault = "", ""
    for done, outcome in enumerate(executor.run(carry_out, work), start=1):
        lost, fault = lost or outcome.lost, fault or outcome.value
        if progress:
            progress(done, len(work))
    if lost:
        raise RequestError(f"noise of the set was not made: {lost}; run the command again, what was made is kept")
    if fault:
        raise InputError(fault)


def carry_out(order: Order) -> str:
    """Write one clip; what is wrong with its sources, or ''."""
    path = order.out / path_of(order.category, order.noise_id)
    if order.sha256 and path.is_file() and atomic.sha256(path) == order.sha256:
        return ""
    spec = order.spec
    num_samples = audio.seconds_to_samples(spec.duration_s, spec.sample_rate)
    try:
        if order.category == BABBLE:
            speech = [_speech(clips, order.roots, spec.sample_rate) for clips in order.talkers]
            samples = babble(speech, num_samples, spec.seed, order.noise_id)
        else:
            samples = noise.make(order.category, num_samples, spec.sample_rate, spec.seed, order.noise_id)
    except InputError as error:
        return str(error)
    samples = noise.levelled(samples, rng.uniform(*NOISE_DBFS, spec.seed, order.noise_id, "level"))
    with atomic.replacing(path) as part:
        audio.write(part, audio.to_pcm16(samples), spec.sample_rate)
    return ""


def babble(talkers: list[np.ndarray], num_samples: int, seed: int, *name: rng.Name) -> np.ndarray:
    """Several talkers at once, each from a drawn place of its speech, which starts over where it ends.

    Args:
        talkers: one signal a talker, at equal levels.
        num_samples: length of the clip.
    """
    total = np.zeros(num_samples)
    for index, talker in enumerate(talkers):
        first = rng.integer(0, len(talker) - 1, seed, *name, "first", index)
        total += np.resize(np.roll(talker, -first), num_samples)
    return total


def _speech(clips: tuple[Utterance, ...], roots: Roots, rate: int) -> np.ndarray:
    """A person's utterances one after the other, each at unit power while there is speech in it."""
    heard = []
    for clip in clips:
        path = roots.locate(clip.corpus, clip.path)
        samples, own_rate = clip_reader.read(path, clip.sha256)
        samples = audio.resample(samples[clip.start : clip.start + clip.num_samples], own_rate, rate)
        mask = vad.to_samples(vad.speech_activity(samples, rate), len(samples), rate)
        if not mask.any():
            raise InputError(f"{path}: no speech found in it; restore it")
        heard.append(samples / np.sqrt(vad.active_power(samples, mask)))
    return np.concatenate(heard)


def rows(work: list[Order]) -> list[NoiseClip]:
    """The manifest of clips as they lie there, sorted by path."""
    listed = []
    for order in work:
        path = path_of(order.category, order.noise_id)
        header = audio.info(order.out / path)
        listed.append(
            NoiseClip(
                corpus=order.spec.corpus,
                noise_id=order.noise_id,
                category=order.category,
                path=path,
                num_samples=header.num_samples,
                sample_rate=header.sample_rate,
                sha256=atomic.sha256(order.out / path),
            )
        )
    return sorted(listed, key=lambda row: row.path)


def differing(work: list[Order]) -> list[str]:
    """The paths of clips that are not as the set's manifest says."""
    expected = {path_of(order.category, order.noise_id): order.sha256 for order in work}
    return [row.path for row in rows(work) if row.sha256 != expected[row.path]]
