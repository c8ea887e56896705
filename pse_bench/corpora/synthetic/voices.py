"""Who speaks in the embedded corpus, and what is said.

Two groups of twelve voices (``test`` and ``train``) read sentences of the GRID form ("place blue at F two
now"); two groups of six more (``babble-test`` and ``babble-train``) are heard only as babble. A third of each
(``dev``, ``babble-dev``) is not of the corpus but of the development twin of its benchmark set. No variant of
espeak-ng serves two voices and no sentence comes twice.
"""

import functools
import itertools
from collections.abc import Mapping

from pse_bench import rng
from pse_bench.corpora.synthetic import espeak
from pse_bench.schemas import Gender

SEED = 1
"""All chance of the embedded corpus comes from this seed and from names."""

UTTERANCES = 24
"""Sentences a voice."""

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
# speaker: variant, pitch, words per minute as heard, played at
_VOICES: dict[str, tuple[str, int, int, int]] = {
    "test-f1": ("f1", 65, 140, 22_000),
    "test-f2": ("klatt", 99, 136, 24_000),
    "test-f3": ("victor", 99, 144, 24_000),
    "test-f4": ("benjamin", 99, 138, 25_500),
    "test-f5": ("f3", 60, 138, 23_000),
    "test-f6": ("edward", 99, 140, 24_000),
    "test-m1": ("m6", 50, 138, 22_000),
    "test-m2": ("announcer", 50, 140, 22_000),
    "test-m3": ("klatt5", 35, 146, 25_000),
    "test-m4": ("mike2", 50, 138, 20_000),
    "test-m5": ("croak", 50, 138, 19_750),
    "test-m6": ("sandro", 65, 142, 20_500),
    "train-f1": ("michel", 99, 138, 24_000),
    "train-f2": ("klatt3", 99, 136, 25_500),
    "train-f3": ("f5", 65, 144, 23_500),
    "train-f4": ("f4", 42, 140, 22_000),
    "train-f5": ("Reed", 80, 142, 24_000),
    "train-f6": ("f2", 50, 140, 20_500),
    "train-m1": ("m2", 50, 138, 23_500),
    "train-m2": ("klatt4", 65, 138, 19_000),
    "train-m3": ("miguel", 35, 142, 20_500),
    "train-m4": ("klatt2", 35, 138, 20_500),
    "train-m5": ("m1", 50, 140, 22_000),
    "train-m6": ("Hugo", 35, 136, 22_000),
    "babble-test-f1": ("steph3", 50, 150, 22_500),
    "babble-test-f2": ("aunty", 60, 142, 22_000),
    "babble-test-f3": ("linda", 40, 158, 21_500),
    "babble-test-m1": ("m3", 50, 146, 21_500),
    "babble-test-m2": ("m5", 45, 154, 23_000),
    "babble-test-m3": ("Jacky", 50, 138, 20_000),
    "babble-train-f1": ("steph2", 60, 146, 24_500),
    "babble-train-f2": ("belinda", 35, 152, 23_000),
    "babble-train-f3": ("anika", 35, 124, 21_000),
    "babble-train-m1": ("pablo", 50, 142, 22_500),
    "babble-train-m2": ("m7", 55, 150, 20_500),
    "babble-train-m3": ("Gene", 50, 156, 24_000),
    "dev-f1": ("Storm", 85, 140, 24_500),
    "dev-f2": ("boris", 85, 140, 24_500),
    "dev-f3": ("Marco", 85, 140, 24_500),
    "dev-f4": ("Alicia", 85, 140, 24_500),
    "dev-f5": ("steph", 85, 140, 24_500),
    "dev-f6": ("ian", 85, 140, 24_500),
    "dev-m1": ("david", 45, 140, 21_500),
    "dev-m2": ("iven4", 45, 140, 21_500),
    "dev-m3": ("Lee", 45, 140, 21_500),
    "dev-m4": ("kaukovalta", 45, 140, 21_500),
    "dev-m5": ("travis", 45, 140, 21_500),
    "dev-m6": ("pedro", 45, 140, 21_500),
    "babble-dev-f1": ("grandma", 85, 140, 24_500),
    "babble-dev-f2": ("norbert", 85, 140, 24_500),
    "babble-dev-f3": ("zac", 85, 140, 24_500),
    "babble-dev-m1": ("Andy", 45, 140, 21_500),
    "babble-dev-m2": ("iven2", 45, 140, 21_500),
    "babble-dev-m3": ("adam", 45, 140, 21_500),
}


def speakers(group: str) -> list[str]:
    """The voices of ``test``, ``train``, ``dev``, or of one of these after ``babble-``."""
    return [speaker for speaker in _VOICES if speaker.rsplit("-", 1)[0] == group]


def voice(speaker: str) -> espeak.Voice:
    """How espeak-ng speaks as one of the voices."""
    variant, pitch, tempo, play_hz = _VOICES[speaker]
    words_per_minute = round(tempo * espeak.NATIVE_HZ / play_hz)
    return espeak.Voice(variant, pitch, 50, words_per_minute, play_hz, language="en-us")


def gender(speaker: str) -> Gender:
    """What a voice is heard as."""
    return "F" if speaker.rsplit("-", 1)[1].startswith("f") else "M"


@functools.cache
def sentences() -> Mapping[str, tuple[str, ...]]:
    """What each voice says, in the order of its utterances. No sentence comes twice in the corpus."""
    said: dict[str, str] = {}
    for speaker, index in itertools.product(_VOICES, range(UTTERANCES)):
        tries = (_sentence(speaker, index, attempt) for attempt in itertools.count())
        said[next(text for text in tries if text not in said)] = speaker
    return {speaker: tuple(text for text, who in said.items() if who == speaker) for speaker in _VOICES}


def _sentence(speaker: str, index: int, attempt: int) -> str:
    name = (speaker, index, attempt)
    return " ".join(rng.choice(words, SEED, "word", *name, place) for place, words in enumerate(GRAMMAR))


def utterances(speaker: str) -> dict[str, str]:
    """The texts of a voice by utterance id."""
    return {f"{speaker}-{index + 1:02d}": text for index, text in enumerate(sentences()[speaker])}
