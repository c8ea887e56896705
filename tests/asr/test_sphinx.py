"""pocketsphinx: what it hears, and that it hears the same whatever came before."""

import csv
import pickle
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from pse_bench.asr import Recogniser, load, pocketsphinx
from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.metrics.recognition import WordCounts, counts

pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed (pip install 'pse-bench[asr]')")

RATE = 16_000
GRID = [
    "place blue at F two now",
    "set green in K nine again",
    "bin red with M zero please",
    "lay white by O five soon",
    "place red in A seven again",
    "set white at Y three please",
]


@pytest.fixture(scope="module")
def spoken() -> Mapping[str, np.ndarray]:
    """Sentences by one voice of espeak-ng, at 16 kHz."""
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed (pip install 'pse-bench[embedded]')")
    from pse_bench.corpora.synthetic import espeak

    sounds = espeak.speak_all(
        [text.replace(" A ", " eigh ") for text in GRID],
        voice=espeak.Voice("pablo", 50, 50, 120, 22_050, language="en-us"),
    )
    return {
        text: 0.3 * (heard := audio.resample(sound, rate, RATE)) / np.max(np.abs(heard))
        for text, (sound, rate) in zip(GRID, sounds, strict=True)
    }


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return load("pocketsphinx", GRID)


def errors(recogniser: Recogniser, spoken: Mapping[str, np.ndarray]) -> WordCounts:
    return sum(
        (counts(text, recogniser.transcribe(sound, RATE)) for text, sound in spoken.items()), start=WordCounts()
    )


def test_known_sentences_are_heard(recogniser: Recogniser, spoken: Mapping[str, np.ndarray]) -> None:
    assert errors(recogniser, spoken).errors <= 0.25 * 36


def test_what_came_before_makes_no_difference(recogniser: Recogniser, spoken: Mapping[str, np.ndarray]) -> None:
    alone = {text: load("pocketsphinx", GRID).transcribe(sound, RATE) for text, sound in spoken.items()}
    noise = 0.3 * np.random.default_rng(0).standard_normal(3 * RATE)
    for text in reversed(GRID):
        recogniser.transcribe(noise, RATE)
        assert recogniser.transcribe(spoken[text], RATE) == alone[text]
    # not even a recogniser of other sentences
    load("pocketsphinx", ["say nothing"]).transcribe(noise, RATE)
    assert recogniser.transcribe(spoken[GRID[0]], RATE) == alone[GRID[0]]


def test_threads_and_processes_hear_the_same(recogniser: Recogniser, spoken: Mapping[str, np.ndarray]) -> None:
    sounds = list(spoken.values())[:4]
    expected = [recogniser.transcribe(sound, RATE) for sound in sounds]
    together = threading.Barrier(2, timeout=60)

    def hear(sound: np.ndarray) -> str:
        together.wait()
        return recogniser.transcribe(sound, RATE)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(hear, sounds)) == expected
    with get_context("spawn").Pool(1) as processes:
        assert processes.starmap(recogniser.transcribe, [(sound, RATE) for sound in sounds]) == expected


def test_nothing_is_heard_where_nobody_speaks(recogniser: Recogniser) -> None:
    rng = np.random.default_rng(1)
    for level in (0.0, 1e-6, 1e-4, 1e-2, 0.3):
        assert recogniser.transcribe(level * rng.standard_normal(5 * RATE), RATE) == ""


@pytest.mark.parametrize("num_samples", [1, 100, 400, 4000])
def test_sounds_too_short_for_words_are_legal(recogniser: Recogniser, num_samples: int) -> None:
    rng = np.random.default_rng(2)
    assert recogniser.transcribe(0.1 * rng.standard_normal(num_samples), RATE) == ""


def test_samples_beyond_full_scale_are_held_there() -> None:
    assert pocketsphinx.with_room_noise(np.array([9.0, -9.0, 1.0])).tolist() == [32767, -32768, 32767]


def test_other_sentences_or_settings_are_another_model(
    recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load("pocketsphinx", GRID[::-1] * 2).key == recogniser.key
    assert load("pocketsphinx", GRID[1:]).key != recogniser.key
    monkeypatch.setattr(pocketsphinx, "ROOM_NOISE_LSB", 10.0)
    assert load("pocketsphinx", GRID).key != recogniser.key


def test_words_without_a_pronunciation_are_counted_and_said(recogniser: Recogniser) -> None:
    assert "ranking aid" in recogniser.note
    assert "pronunciation" not in recogniser.note
    strange = load("pocketsphinx", ["read clarkenwell and qqxv", "it’s 2 o’clock"])
    assert "2 words have no known pronunciation and are never heard: clarkenwell, qqxv" in strange.note
    assert "\n" not in strange.note


def test_every_pronunciation_of_the_dictionary_is_taken() -> None:
    assert pocketsphinx.pronunciations(["a", "don't", "qqxv"]) == {
        "a": ["AH", "EY"],
        "don't": ["D OW N T", "D OW N"],
    }


@pytest.mark.parametrize("texts", [[], ["", " "], ["qqxv"]])
def test_without_known_sentences_another_recogniser_is_named(texts: list[str]) -> None:
    with pytest.raises(InputError, match=r"no known sentences.*whisper:tiny.en or csv:FILE"):
        load("pocketsphinx", texts)


def test_a_recogniser_is_sent_without_its_decoder(recogniser: Recogniser) -> None:
    assert pickle.loads(pickle.dumps(recogniser)) == recogniser
    assert len(pickle.dumps(recogniser)) < 20_000


@pytest.mark.dev_corpus
def test_real_speech_is_heard(dev_corpus: Path) -> None:
    with (dev_corpus / "transcripts.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["speaker"] in {"19", "26", "bdl"}]
    paths = {path.stem: path for path in (dev_corpus / "speech").rglob("*.flac")}
    recogniser = load("pocketsphinx", [row["text"] for row in rows])
    pooled = WordCounts()
    for row in rows[::30]:
        sound, rate = audio.read(paths[row["utt_id"]])
        pooled += counts(row["text"], recogniser.transcribe(sound, rate))
    assert pooled.reference_words > 60
    assert pooled.errors <= 0.15 * pooled.reference_words
