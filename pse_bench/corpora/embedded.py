"""The embedded corpus: synthetic voices with exact transcripts, and noise, made on the spot.

Two groups of twelve voices (``test`` and ``train``) read sentences of the GRID form ("place blue at F two
now"); two groups of six more are heard only as babble. No variant of espeak-ng serves two voices and no
sentence is said twice. It is a corpus for trying, testing and teaching: voices and words are artificial, so
figures on it compare systems roughly and say nothing about real speech.

Everything is a function of names: the bytes do not depend on the machine, the order or the number of workers.
The manifests that ship with pse-bench say what the bytes are.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pse_bench import activity, audio, draws, files
from pse_bench.corpora import espeak, synthetic_noise
from pse_bench.errors import RequestError
from pse_bench.executor import Executor
from pse_bench.records import Gender, NoiseClip, Utterance

CORPUS = "embedded"
SAMPLE_RATE = 16_000
SEED = 1
SPLITS = ("test", "train")
UTTERANCES = 24
"""Sentences a voice."""
NOISE_CLIPS = 3
"""Clips a category and split."""
NOISE_S = 16.0
SHIPPED = Path(__file__).parents[2] / "manifests"
"""The manifests in a clone of the repository; without them nothing is known to be right already."""

COMMANDS = ("bin", "lay", "place", "set")
COLOURS = ("blue", "green", "red", "white")
PREPOSITIONS = ("at", "by", "in", "with")
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVXYZ")  # GRID leaves out W, the only one of three syllables
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ADVERBS = ("again", "now", "please", "soon")
GRAMMAR = (COMMANDS, COLOURS, PREPOSITIONS, LETTERS, DIGITS, ADVERBS)
"""The words that may stand at each place of a sentence."""

# Chosen for distinct d-vectors and words that a recogniser understands (benchmarks/voice_separation.py). The
# variants called f… and those played fast and high, which makes the vocal tract short, count as women.
# speaker: variant, pitch, pitch range, words per minute as heard, played at
_VOICES: dict[str, tuple[str, int, int, int, int]] = {
    "test-f1": ("f1", 50, 50, 140, 23_500),
    "test-f2": ("klatt", 99, 50, 136, 24_000),
    "test-f3": ("victor", 99, 50, 144, 24_000),
    "test-f4": ("benjamin", 99, 50, 138, 25_500),
    "test-f5": ("f3", 65, 50, 142, 23_500),
    "test-f6": ("edward", 99, 50, 140, 24_000),
    "test-m1": ("pablo", 50, 50, 136, 23_500),
    "test-m2": ("announcer", 50, 50, 140, 22_000),
    "test-m3": ("klatt5", 35, 50, 146, 25_000),
    "test-m4": ("mike2", 50, 50, 138, 19_000),
    "test-m5": ("croak", 50, 50, 140, 19_000),
    "test-m6": ("sandro", 65, 50, 142, 20_500),
    "train-f1": ("michel", 99, 50, 138, 24_000),
    "train-f2": ("klatt3", 99, 50, 136, 25_500),
    "train-f3": ("f5", 65, 50, 144, 23_500),
    "train-f4": ("f4", 35, 50, 140, 23_500),
    "train-f5": ("Reed", 80, 50, 142, 24_000),
    "train-f6": ("f2", 50, 50, 140, 20_500),
    "train-m1": ("m2", 50, 50, 138, 23_500),
    "train-m2": ("iven", 65, 50, 140, 22_000),
    "train-m3": ("miguel", 50, 50, 142, 19_000),
    "train-m4": ("klatt2", 35, 50, 138, 20_500),
    "train-m5": ("m1", 50, 50, 140, 22_000),
    "train-m6": ("Hugo", 35, 50, 136, 22_000),
    "babble-test-f1": ("steph3", 50, 50, 150, 22_500),
    "babble-test-f2": ("aunty", 60, 50, 142, 22_000),
    "babble-test-f3": ("linda", 40, 50, 158, 21_500),
    "babble-test-m1": ("m3", 50, 50, 146, 21_500),
    "babble-test-m2": ("m5", 45, 50, 154, 23_000),
    "babble-test-m3": ("Jacky", 50, 50, 138, 20_000),
    "babble-train-f1": ("steph2", 60, 50, 146, 24_500),
    "babble-train-f2": ("belinda", 35, 50, 152, 23_000),
    "babble-train-f3": ("anika", 35, 50, 124, 21_000),
    "babble-train-m1": ("m6", 50, 50, 142, 22_500),
    "babble-train-m2": ("m7", 55, 50, 150, 20_500),
    "babble-train-m3": ("Gene", 50, 50, 156, 24_000),
}

Kind = Literal["speech", "noise"]


@dataclass(frozen=True)
class Order:
    """One batch of work: the clips of a voice, or one clip of noise.

    ``known`` gives the SHA-256 that a path of the corpus should have, where that is known.
    """

    kind: Kind
    name: str
    out: Path
    known: Mapping[str, str]


class Transcript(files.Record):
    """A row of ``transcripts.csv``."""

    utterance_id: str
    speaker_id: str
    text: str


# ---- what there is


def speakers(group: str) -> list[str]:
    """The voices of ``test``, ``train``, ``babble-test`` or ``babble-train``."""
    return [speaker for speaker in _VOICES if speaker.rsplit("-", 1)[0] == group]


def voice(speaker: str) -> espeak.Voice:
    """How espeak-ng speaks as one of the voices."""
    variant, pitch, pitch_range, tempo, play_hz = _VOICES[speaker]
    words_per_minute = round(tempo * espeak.NATIVE_HZ / play_hz)
    return espeak.Voice(variant, pitch, pitch_range, words_per_minute, play_hz, language="en-us")


def gender(speaker: str) -> Gender:
    """What a voice is heard as."""
    return "F" if speaker.rsplit("-", 1)[1].startswith("f") else "M"


@functools.cache
def sentences() -> Mapping[str, tuple[str, ...]]:
    """What each voice says, in the order of its utterances. No sentence comes twice in the corpus."""
    said: set[str] = set()
    texts: dict[str, tuple[str, ...]] = {}
    for speaker in _VOICES:
        mine = []
        for index in range(UTTERANCES):
            attempt = 0
            while (text := _sentence(speaker, index, attempt)) in said:
                attempt += 1
            said.add(text)
            mine.append(text)
        texts[speaker] = tuple(mine)
    return texts


def _sentence(speaker: str, index: int, attempt: int) -> str:
    name = (speaker, index, attempt)
    return " ".join(draws.choice(words, SEED, "word", *name, place) for place, words in enumerate(GRAMMAR))


def utterances(speaker: str) -> dict[str, str]:
    """The texts of a voice by utterance id."""
    return {f"{speaker}-{index + 1:02d}": text for index, text in enumerate(sentences()[speaker])}


def noises(split: str) -> dict[str, str]:
    """The categories of a split's noise clips by noise id."""
    categories = sorted([*synthetic_noise.MAKERS, "babble"])
    return {f"{split}-{category}-{take + 1}": category for category in categories for take in range(NOISE_CLIPS)}


def speech_path(utterance_id: str) -> str:
    """Where an utterance lies in the corpus."""
    return f"speech/{utterance_id.rsplit('-', 1)[0]}/{utterance_id}.wav"


def noise_path(noise_id: str, category: str) -> str:
    """Where a noise clip lies in the corpus."""
    return f"noise/{category}/{noise_id}.wav"


# ---- making it


def synthesize(out: Path, *, executor: Executor, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the corpus: clips, ``transcripts.csv`` and four manifests in ``manifests/``.

    Clips that are there already and are as the shipped manifests say are kept.

    Args:
        out: a folder, made where there is none.
        executor: runs the batches.
        progress: told the number of batches done and of all.

    Raises:
        InputError: espeak-ng is not installed or does not work.
        RequestError: a worker died.
    """
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
        for speaker in speakers(split)
        for utterance_id, text in utterances(speaker).items()
    ]
    files.write_table(out / "transcripts.csv", Transcript, rows)
    for split in SPLITS:
        files.write_table(manifest(out / "manifests", split), Utterance, speech_rows(out, split))
        files.write_table(manifest(out / "manifests", f"noise-{split}"), NoiseClip, noise_rows(out, split))


def orders(out: Path) -> list[Order]:
    """The batches that make up the corpus, the longest first."""
    known = shipped()
    noise = [Order("noise", noise_id, out, known) for split in SPLITS for noise_id in noises(split)]
    speech = [Order("speech", speaker, out, known) for split in SPLITS for speaker in speakers(split)]
    return sorted(noise, key=lambda order: "babble" not in order.name) + speech


def carry_out(order: Order) -> int:
    """Make the clips of one batch that are not there yet; gives how many were made."""
    if order.kind == "speech":
        texts = utterances(order.name)
        missing = {key: text for key, text in texts.items() if not _is_there(order, speech_path(key))}
        for utterance_id, samples in _spoken(order.name, missing).items():
            _write(order.out / speech_path(utterance_id), samples)
        return len(missing)
    split = order.name.split("-", 1)[0]
    category = noises(split)[order.name]
    path = noise_path(order.name, category)
    if _is_there(order, path):
        return 0
    _write(order.out / path, _noise(split, category, order.name))
    return 1


def _is_there(order: Order, path: str) -> bool:
    expected, clip = order.known.get(path), order.out / path
    return expected is not None and clip.is_file() and files.sha256(clip) == expected


def _write(path: Path, samples: np.ndarray) -> None:
    with files.replacing(path) as part:
        audio.write(part, audio.to_pcm16(samples), SAMPLE_RATE)


def _spoken(speaker: str, texts: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Utterances at their drawn levels, with 30 to 100 ms of silence before and after."""
    if not texts:
        return {}
    clips = {}
    # Alone between words, the letter A would be read as the article.
    said = [text.replace(" A ", " eigh ") for text in texts.values()]
    for utterance_id, (sound, rate) in zip(texts, espeak.speak_all(said, voice=voice(speaker)), strict=True):
        audible = np.flatnonzero(np.abs(sound) > 0.003 * np.max(np.abs(sound)))
        samples = audio.resample(sound[audible[0] : audible[-1] + 1], rate, SAMPLE_RATE)
        talking = activity.to_samples(activity.speech_activity(samples, SAMPLE_RATE), len(samples), SAMPLE_RATE)
        level_dbfs = draws.uniform(-30, -22, SEED, "level", utterance_id)
        gain = 10 ** (level_dbfs / 20) / np.sqrt(activity.active_power(samples, talking))
        samples = samples * min(gain, synthetic_noise.PEAK / np.max(np.abs(samples)))
        around_s = [draws.uniform(0.03, 0.1, SEED, "silence", utterance_id, side) for side in ("before", "after")]
        clips[utterance_id] = np.pad(
            samples, [audio.seconds_to_samples(silence, SAMPLE_RATE) for silence in around_s]
        )
    return clips


def _noise(split: str, category: str, noise_id: str) -> np.ndarray:
    num_samples = audio.seconds_to_samples(NOISE_S, SAMPLE_RATE)
    if category == "babble":
        talkers = [_continuous(speaker) for speaker in speakers(f"babble-{split}")]
        samples = synthetic_noise.babble(talkers, num_samples, SEED, noise_id)
    else:
        samples = synthetic_noise.make(category, num_samples, SAMPLE_RATE, SEED, noise_id)
    return synthetic_noise.levelled(samples, draws.uniform(-34, -26, SEED, "level", noise_id))


@functools.cache
def _continuous(speaker: str) -> np.ndarray:
    """All that a voice says, without a break: the talkers of a babble do not wait."""
    return np.concatenate(list(_spoken(speaker, utterances(speaker)).values()))


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
            gender=gender(speaker),
            text=text,
            **_measured(out, speech_path(utterance_id)),
        )
        for speaker in speakers(split)
        for utterance_id, text in utterances(speaker).items()
    ]
    return sorted(rows, key=lambda row: row.path)


def noise_rows(out: Path, split: str) -> list[NoiseClip]:
    """The manifest of a split's noise clips as they lie in ``out``, sorted by path."""
    rows = [
        NoiseClip(
            corpus=CORPUS, noise_id=noise_id, category=category, **_measured(out, noise_path(noise_id, category))
        )
        for noise_id, category in noises(split).items()
    ]
    return sorted(rows, key=lambda row: row.path)


def _measured(out: Path, path: str) -> dict:
    header = audio.info(out / path)
    return {
        "path": path,
        "num_samples": header.num_samples,
        "sample_rate": header.sample_rate,
        "sha256": files.sha256(out / path),
    }


def shipped() -> dict[str, str]:
    """SHA-256 by path as the manifests of the repository say; empty in an installation without them."""
    return _hashes(SHIPPED)


def differing(out: Path) -> list[str]:
    """Clips of a synthesized corpus that are not as the shipped manifests say: another espeak-ng speaks."""
    found = _hashes(out / "manifests")
    return sorted(path for path, expected in shipped().items() if found.get(path) != expected)


def _hashes(folder: Path) -> dict[str, str]:
    hashes: dict[str, str] = {}
    for split in SPLITS:
        for part, record in ((split, Utterance), (f"noise-{split}", NoiseClip)):
            if manifest(folder, part).is_file():
                hashes |= {row.path: row.sha256 for row in files.read_table(manifest(folder, part), record)}
    return hashes
