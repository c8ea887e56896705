"""The noise of a benchmark set: synthetic kinds, and babble of people who are heard nowhere else in it.

Everything is a function of a seed, of names and of the utterances that the set lists for babble, so whoever has
the corpus makes the same clips. The set's manifest of noise says what their bytes are.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from pse_bench import rng
from pse_bench.corpora import clip_reader
from pse_bench.corpora.roots import Roots
from pse_bench.corpora.synthetic import clips, noise
from pse_bench.errors import InputError, RequestError
from pse_bench.io import audio, documents
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update, no_progress
from pse_bench.schemas import Count, NoiseClip, Utterance
from pse_bench.signal import vad

BABBLE = "babble"


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
    """One clip to make; ``talkers`` are the utterances of each person in it, where it is babble, and ``sha256`` is
    '' where it is not known."""

    spec: NoiseSpec
    category: str
    noise_id: str
    out: Path
    talkers: list[list[Utterance]]
    roots: Roots
    sha256: str = ""

    @property
    def path(self) -> str:
        """Where the clip lies in its corpus."""
        return f"{self.category}/{self.noise_id}.wav"


def orders(
    out: Path, spec: NoiseSpec, *, talkers: Iterable[Utterance], roots: Roots, known: Mapping[str, str]
) -> list[Order]:
    """The clips of a set's noise in the folder ``out``; ``talkers`` are the utterances for babble, ``known``
    has SHA-256 by path. Raises RequestError for fewer people in them than are to talk at once."""
    people: dict[str, list[Utterance]] = defaultdict(list)
    for clip in sorted(talkers, key=lambda clip: clip.utterance_id):
        people[clip.speaker_id].append(clip)
    if len(people) < spec.talkers:
        raise RequestError(f"babble of {spec.talkers} talkers: {len(people)} are listed; list more of them")
    found = []
    for category in (*spec.categories, BABBLE):
        for noise_id in (f"{category}-{take}" for take in range(1, spec.clips + 1)):
            drawn = sorted(people, key=partial(rng.sort_key, spec.seed, noise_id, "talker"))
            chosen = [people[who] for who in drawn[: spec.talkers]] if category == BABBLE else []
            order = Order(spec, category, noise_id, out, chosen, roots)
            found.append(replace(order, sha256=known.get(order.path, "")))
    return found


def make(work: list[Order], *, executor: Executor, progress: Update = no_progress) -> None:
    """Write the clips that are not there as the manifest says. Raises InputError where an utterance for babble is
    missing or not the one that is listed, RequestError where a worker died."""
    folders = sorted({(order.out / order.path).parent for order in work})
    faults = clips.make_all(carry_out, work, lambda _: "noise of the set", executor, progress, folders)
    if fault := next(filter(None, faults), ""):
        raise InputError(fault)


def carry_out(order: Order) -> str:
    """Write one clip; what is wrong with its sources, or ''."""
    spec, path = order.spec, order.out / order.path
    if clips.is_there(path, order.sha256):
        return ""
    num_samples = audio.seconds_to_samples(spec.duration_s, spec.sample_rate)
    try:
        if order.category == BABBLE:
            speech = [_speech(utterances, order.roots, spec.sample_rate) for utterances in order.talkers]
            samples = sum(noise.turned(speech, num_samples, spec.seed, order.noise_id), np.zeros(num_samples))
        else:
            samples = noise.MAKERS[order.category](num_samples, spec.sample_rate, spec.seed, order.noise_id)
    except InputError as error:
        return str(error)
    level_dbfs = rng.uniform(*noise.LEVELS_DBFS, spec.seed, order.noise_id, "level")
    clips.write(path, noise.levelled(samples, level_dbfs), spec.sample_rate)
    return ""


def _speech(utterances: Iterable[Utterance], roots: Roots, rate: int) -> np.ndarray:
    """A person's utterances one after the other, each at unit power while there is speech in it."""
    heard = []
    for clip in utterances:
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
    listed = [
        NoiseClip(
            corpus=order.spec.corpus,
            noise_id=order.noise_id,
            category=order.category,
            **clips.fields_of(order.out, order.path),
        )
        for order in work
    ]
    return sorted(listed, key=lambda row: row.path)


def differing(work: list[Order]) -> list[str]:
    """The paths of clips that are not as the set's manifest says."""
    expected = {order.path: order.sha256 for order in work}
    return [row.path for row in rows(work) if row.sha256 != expected[row.path]]
