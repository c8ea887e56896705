"""The embedded corpus: synthetic voices with exact transcripts, and noise, made on the spot.

It is a corpus for trying, testing and teaching: voices and words are artificial, so figures on it compare
systems roughly and say nothing about real speech. Who speaks is in ``voices``.

Everything is a function of names: the bytes depend neither on the order nor on the number of workers. The
manifests that ship with pse-bench say what the bytes are; ``differing`` tells where espeak-ng or a processor
gave others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pse_bench import rng
from pse_bench.corpora import csv_columns
from pse_bench.corpora.synthetic import clips, espeak, noise, voices
from pse_bench.corpora.synthetic.voices import SEED
from pse_bench.io import audio, documents, tables
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update, no_progress
from pse_bench.schemas import NoiseClip, Utterance
from pse_bench.signal import vad

CORPUS = "embedded"
SAMPLE_RATE = 16_000
SPLITS = ("test", "train")
DEV = "dev"
"""What the development twin of the benchmark set is made of; made for it alone."""
CATEGORIES = ("babble", *sorted(noise.MAKERS))
NOISE_CLIPS = 3
"""Clips a category and split."""
NOISE_S = 16.0
SPEECH_DBFS = (-30.0, -22.0)
"""Levels of the utterances, over speech-active samples."""
SILENCE_S = (0.03, 0.1)
"""Silence before and after an utterance."""
_PLACES = [Path(__file__).parents[up] / "manifests" for up in (2, 3)]
SHIPPED = next((path for path in _PLACES if path.is_dir()), _PLACES[-1])
"""The manifests that come with the package: inside it when installed, beside it in a checkout."""


@dataclass(frozen=True)
class Order:
    """One batch of work: all clips of a voice, or of a category of noise in a split.

    ``known`` gives the SHA-256 that a path of the corpus should have, where that is known.
    """

    kind: Literal["speech", "noise"]
    split: str
    name: str
    out: Path
    known: Mapping[str, str]


class Transcript(documents.Record):
    """A row of ``transcripts.csv``."""

    utterance_id: str
    speaker_id: str
    text: str


def speech_path(utterance_id: str) -> str:
    """Where an utterance lies in the corpus."""
    return f"speech/{utterance_id.rsplit('-', 1)[0]}/{utterance_id}.wav"


def noise_paths(split: str, category: str) -> dict[str, str]:
    """Where the clips of a category of noise lie in the corpus, by their ids."""
    names = [f"{split}-{category}-{take + 1}" for take in range(NOISE_CLIPS)]
    return {name: f"noise/{category}/{name}.wav" for name in names}


def synthesize(
    out: Path, *, executor: Executor, progress: Update = no_progress, splits: Sequence[str] = SPLITS
) -> None:
    """Write the corpus, or other splits, into a folder: clips, ``transcripts.csv`` and two manifests a split in
    ``manifests/``.

    Clips that are there already and are as the shipped manifests say are kept. The caller sees to it that
    no other process works in the folder. ``progress`` counts batches.

    Raises:
        InputError: espeak-ng is not installed or does not work.
        RequestError: a worker died.
    """
    folders = [out / "speech", out / "noise"]
    clips.make_all(
        carry_out, orders(out, splits), lambda order: f"{out}: {order.name}", executor, progress, folders
    )
    speech = {split: speech_rows(out, split) for split in splits}
    said = [row.model_dump(include=set(Transcript.model_fields)) for rows in speech.values() for row in rows]
    tables.write_table(out / "transcripts.csv", Transcript, [Transcript(**row) for row in said])
    for split in splits:
        tables.write_table(manifest(out / "manifests", split), Utterance, speech[split])
        tables.write_table(manifest(out / "manifests", f"noise-{split}"), NoiseClip, noise_rows(out, split))


def orders(out: Path, splits: Sequence[str] = SPLITS) -> list[Order]:
    """The batches that make up the corpus or other splits, the longest (babble) first."""
    known = shipped(splits)
    return [
        *(Order("noise", split, category, out, known) for category in CATEGORIES for split in splits),
        *(Order("speech", split, speaker, out, known) for split in splits for speaker in voices.speakers(split)),
    ]


def carry_out(order: Order) -> int:
    """Make the clips of one batch that are not there yet; gives how many were made."""
    texts = voices.utterances(order.name) if order.kind == "speech" else {}
    paths = {name: speech_path(name) for name in texts} or noise_paths(order.split, order.name)
    missing = [
        name for name, path in paths.items() if not clips.is_there(order.out / path, order.known.get(path, ""))
    ]
    sounds = _spoken(order.name, [texts[name] for name in missing]) if texts else []
    talkers = _talkers(order.split) if missing and order.name == "babble" else []
    for index, name in enumerate(missing):
        samples = _utterance(sounds[index], name) if texts else _noise(order.name, name, talkers)
        clips.write(order.out / paths[name], samples, SAMPLE_RATE)
    return len(missing)


def _spoken(speaker: str, texts: list[str]) -> list[np.ndarray]:
    """What a voice says, without the silence around it."""
    if not texts:
        return []
    # Alone between words, the letter A would be read as the article.
    said = [text.replace(" A ", " eigh ") for text in texts]
    sounds = []
    for sound, rate in espeak.speak_all(said, voice=voices.voice(speaker)):
        audible = np.flatnonzero(np.abs(sound) > 0.003 * np.max(np.abs(sound)))
        sounds.append(audio.resample(sound[audible[0] : audible[-1] + 1], rate, SAMPLE_RATE))
    return sounds


def _utterance(sound: np.ndarray, utterance_id: str) -> np.ndarray:
    """A sentence at its drawn level over active samples, with its drawn silence."""
    talking = vad.to_samples(vad.speech_activity(sound, SAMPLE_RATE), len(sound), SAMPLE_RATE)
    level_dbfs = rng.uniform(*SPEECH_DBFS, SEED, "level", utterance_id)
    gain = 10 ** (level_dbfs / 20) / np.sqrt(vad.active_power(sound, talking))
    silence = [
        audio.seconds_to_samples(rng.uniform(*SILENCE_S, SEED, "silence", utterance_id, side), SAMPLE_RATE)
        for side in ("before", "after")
    ]
    return np.pad(sound * min(gain, noise.PEAK / np.max(np.abs(sound))), silence)


def _talkers(split: str) -> list[np.ndarray]:
    """The babble voices of a split, each speaking without a break."""
    return [
        np.concatenate(_spoken(speaker, list(voices.utterances(speaker).values())))
        for speaker in voices.speakers(f"babble-{split}")
    ]


def _noise(category: str, noise_id: str, talkers: list[np.ndarray]) -> np.ndarray:
    num_samples = audio.seconds_to_samples(NOISE_S, SAMPLE_RATE)
    if category == "babble":
        samples = noise.babble(talkers, num_samples, SEED, noise_id)
    else:
        samples = noise.MAKERS[category](num_samples, SAMPLE_RATE, SEED, noise_id)
    return noise.levelled(samples, rng.uniform(*noise.LEVELS_DBFS, SEED, "level", noise_id))


def manifest(folder: Path, part: str) -> Path:
    """The manifest of ``test``, ``train``, ``noise-test`` or ``noise-train`` in a folder."""
    return folder / f"{CORPUS}.{part}.csv"


def speech_rows(out: Path, split: str) -> list[Utterance]:
    """The manifest of a split's utterances as they lie in ``out``, sorted by path."""
    rows = [
        Utterance(
            corpus=CORPUS,
            utterance_id=utterance_id,
            speaker_id=speaker,
            gender=voices.gender(speaker),
            text=text,
            **clips.fields_of(out, speech_path(utterance_id)),
        )
        for speaker in voices.speakers(split)
        for utterance_id, text in voices.utterances(speaker).items()
    ]
    return sorted(rows, key=lambda row: row.path)


def noise_rows(out: Path, split: str) -> list[NoiseClip]:
    """The manifest of a split's noise clips as they lie in ``out``, sorted by path."""
    rows = [
        NoiseClip(corpus=CORPUS, noise_id=noise_id, category=category, **clips.fields_of(out, path))
        for category in CATEGORIES
        for noise_id, path in noise_paths(split, category).items()
    ]
    return sorted(rows, key=lambda row: row.path)


def shipped(splits: Sequence[str] = SPLITS) -> dict[str, str]:
    """SHA-256 by path as the manifests of the repository say; empty in an installation without them."""
    return _hashes(SHIPPED, splits)


def differing(out: Path, splits: Sequence[str] = SPLITS) -> list[str]:
    """Clips of a synthesized corpus that are not as the shipped manifests say: another espeak-ng spoke."""
    found = _hashes(out / "manifests", splits)
    return sorted(path for path, expected in shipped(splits).items() if found.get(path) != expected)


def _hashes(folder: Path, splits: Sequence[str]) -> dict[str, str]:
    parts = (*splits, *(f"noise-{split}" for split in splits))
    there = [path for part in parts if (path := manifest(folder, part)).is_file()]
    columns = [csv_columns.read(path, key=("path",), value=("sha256",)) for path in there]
    return {path: sha256 for hashes in columns for path, sha256 in hashes.items()}
