"""The embedded corpus: synthetic voices with exact transcripts, and noise, made on the spot.

It is a corpus for trying, testing and teaching: voices and words are artificial, so figures on it compare
systems roughly and say nothing about real speech. Who speaks is in ``embedded_voices``.

Everything is a function of names: the bytes depend neither on the order nor on the number of workers. The
manifests that ship with pse-bench say what the bytes are; ``differing`` tells where espeak-ng or a processor
gave others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pse_bench import rng
from pse_bench.corpora.synthetic import espeak, voices
from pse_bench.corpora.synthetic import noise as synthetic_noise
from pse_bench.corpora.synthetic.voices import SEED
from pse_bench.errors import RequestError
from pse_bench.io import atomic, audio, documents, tables
from pse_bench.runtime.executor import Executor
from pse_bench.schemas import NoiseClip, Utterance
from pse_bench.signal import vad

CORPUS = "embedded"
SAMPLE_RATE = 16_000
SPLITS = ("test", "train")
CATEGORIES = ("babble", *sorted(synthetic_noise.MAKERS))
NOISE_CLIPS = 3
"""Clips a category and split."""
NOISE_S = 16.0
SPEECH_DBFS = (-30.0, -22.0)
"""Levels of the utterances, over speech-active samples."""
NOISE_DBFS = (-34.0, -26.0)
"""Levels of the noise clips, over all samples."""
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


def noise_ids(split: str, category: str) -> list[str]:
    """The clips of a category of noise."""
    return [f"{split}-{category}-{take + 1}" for take in range(NOISE_CLIPS)]


def noise_path(noise_id: str) -> str:
    """Where a noise clip lies in the corpus."""
    return f"noise/{noise_id.split('-', 1)[1].rsplit('-', 1)[0]}/{noise_id}.wav"


# ---- making it


def synthesize(out: Path, *, executor: Executor, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the corpus: clips, ``transcripts.csv`` and four manifests in ``manifests/``.

    Clips that are there already and are as the shipped manifests say are kept. The caller sees to it that
    no other process works in the folder.

    Args:
        out: a folder, made where there is none.
        executor: runs the batches.
        progress: told the number of batches done and of all.

    Raises:
        InputError: espeak-ng is not installed or does not work.
        RequestError: a worker died.
    """
    for kind in ("speech", "noise"):
        atomic.remove_unfinished(out / kind)
    work = orders(out)
    lost = ""
    for done, outcome in enumerate(executor.run(carry_out, work), start=1):
        if outcome.lost:
            lost = f"{work[outcome.index].name} was not made: {outcome.lost}"
        if progress:
            progress(done, len(work))
    if lost:
        raise RequestError(f"{out}: {lost}; run the command again, what was made is kept")
    rows = [
        Transcript(utterance_id=utterance_id, speaker_id=speaker, text=text)
        for split in SPLITS
        for speaker in voices.speakers(split)
        for utterance_id, text in voices.utterances(speaker).items()
    ]
    tables.write_table(out / "transcripts.csv", Transcript, rows)
    for split in SPLITS:
        tables.write_table(manifest(out / "manifests", split), Utterance, speech_rows(out, split))
        tables.write_table(manifest(out / "manifests", f"noise-{split}"), NoiseClip, noise_rows(out, split))


def orders(out: Path) -> list[Order]:
    """The batches that make up the corpus, the longest (babble) first."""
    known = shipped()
    noise = [Order("noise", split, category, out, known) for category in CATEGORIES for split in SPLITS]
    speech = [
        Order("speech", split, speaker, out, known) for split in SPLITS for speaker in voices.speakers(split)
    ]
    return noise + speech


def carry_out(order: Order) -> int:
    """Make the clips of one batch that are not there yet; gives how many were made."""
    if order.kind == "speech":
        texts = voices.utterances(order.name)
        missing = [clip_id for clip_id in texts if not _is_there(order, speech_path(clip_id))]
        sounds = _spoken(order.name, [texts[clip_id] for clip_id in missing])
        for clip_id, sound in zip(missing, sounds, strict=True):
            _write(order.out / speech_path(clip_id), _utterance(sound, clip_id))
    else:
        clip_ids = noise_ids(order.split, order.name)
        missing = [clip_id for clip_id in clip_ids if not _is_there(order, noise_path(clip_id))]
        talkers = _talkers(order.split) if missing and order.name == "babble" else []
        for clip_id in missing:
            _write(order.out / noise_path(clip_id), _noise(order.name, clip_id, talkers))
    return len(missing)


def _is_there(order: Order, path: str) -> bool:
    expected, clip = order.known.get(path), order.out / path
    return expected is not None and clip.is_file() and atomic.sha256(clip) == expected


def _write(path: Path, samples: np.ndarray) -> None:
    # shared: a worker of a command that was killed may still be writing
    with atomic.replacing(path, shared=True) as part:
        audio.write(part, audio.to_pcm16(samples), SAMPLE_RATE)


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
    return np.pad(sound * min(gain, synthetic_noise.PEAK / np.max(np.abs(sound))), silence)


def _talkers(split: str) -> list[np.ndarray]:
    """The babble voices of a split, each speaking without a break."""
    return [
        np.concatenate(_spoken(speaker, list(voices.utterances(speaker).values())))
        for speaker in voices.speakers(f"babble-{split}")
    ]


def _noise(category: str, noise_id: str, talkers: list[np.ndarray]) -> np.ndarray:
    num_samples = audio.seconds_to_samples(NOISE_S, SAMPLE_RATE)
    if category == "babble":
        samples = synthetic_noise.babble(talkers, num_samples, SEED, noise_id)
    else:
        samples = synthetic_noise.make(category, num_samples, SAMPLE_RATE, SEED, noise_id)
    return synthetic_noise.levelled(samples, rng.uniform(*NOISE_DBFS, SEED, "level", noise_id))


# ---- what was made


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
            **_measured(out, speech_path(utterance_id)),
        )
        for speaker in voices.speakers(split)
        for utterance_id, text in voices.utterances(speaker).items()
    ]
    return sorted(rows, key=lambda row: row.path)


def noise_rows(out: Path, split: str) -> list[NoiseClip]:
    """The manifest of a split's noise clips as they lie in ``out``, sorted by path."""
    rows = [
        NoiseClip(corpus=CORPUS, noise_id=noise_id, category=category, **_measured(out, noise_path(noise_id)))
        for category in CATEGORIES
        for noise_id in noise_ids(split, category)
    ]
    return sorted(rows, key=lambda row: row.path)


def _measured(out: Path, path: str) -> dict[str, Any]:
    header = audio.info(out / path)
    return {
        "path": path,
        "num_samples": header.num_samples,
        "sample_rate": header.sample_rate,
        "sha256": atomic.sha256(out / path),
    }


def shipped() -> dict[str, str]:
    """SHA-256 by path as the manifests of the repository say; empty in an installation without them."""
    return _hashes(SHIPPED)


def differing(out: Path) -> list[str]:
    """Clips of a synthesized corpus that are not as the shipped manifests say: another espeak-ng spoke."""
    found = _hashes(out / "manifests")
    return sorted(path for path, expected in shipped().items() if found.get(path) != expected)


def _hashes(folder: Path) -> dict[str, str]:
    hashes: dict[str, str] = {}
    for split in SPLITS:
        if (speech := manifest(folder, split)).is_file():
            hashes |= {row.path: row.sha256 for row in tables.read_table(speech, Utterance)}
        if (noise := manifest(folder, f"noise-{split}")).is_file():
            hashes |= {row.path: row.sha256 for row in tables.read_table(noise, NoiseClip)}
    return hashes
