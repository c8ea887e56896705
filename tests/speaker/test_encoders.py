"""The registry of speaker encoders: ours are whole, another takes part by its name, and what was embedded once is
found again to the bit."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pse_bench.errors import InputError
from pse_bench.speaker.encoders import DEFAULT, ENCODERS, CachedEncoder, Encoder, speaker_similarity
from pse_bench.systems import trained

RATE = 16_000


def bands(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Strength of four bands."""
    spectrum = np.abs(np.fft.rfft(samples))[:400].reshape(4, -1).mean(axis=1)
    return (spectrum / np.linalg.norm(spectrum)).astype(np.float32)


OTHER = Encoder(bands, 4, "0" * 64, "band vector", 0.1, unusable=lambda samples, rate: "")


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_gives_unit_vectors_of_its_size(name: str) -> None:
    encoder = ENCODERS[name]
    assert len(encoder.sha256) == 64
    assert bool(encoder.package) == bool(encoder.install)
    if reason := encoder.missing():
        pytest.skip(reason)
    vector = encoder.embed(0.1 * np.sin(np.arange(16_000) * 0.1), 16_000)
    assert (vector.shape, vector.dtype) == ((encoder.size,), np.float32)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert encoder.unusable(np.zeros(16_000), 16_000)


def test_another_encoder_is_found_and_compares(tmp_path, monkeypatch) -> None:
    (tmp_path / "my_encoders.py").write_text("from test_encoders import OTHER\nWRONG = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = ENCODERS.find("my_encoders:OTHER")
    assert found.size == 4
    noise = np.random.default_rng(1).standard_normal(8000)
    assert speaker_similarity(
        estimate=noise, enrollment=noise, sample_rate=16_000, encoder=found
    ) == pytest.approx(1)
    with pytest.raises(InputError, match=r"expected an encoders\.Encoder, found int"):
        ENCODERS.find("my_encoders:WRONG")


def test_what_a_file_names_is_not_imported(monkeypatch) -> None:
    """A person may name a module, a checkpoint only what is installed here."""
    with pytest.raises(InputError, match="trained with the speaker encoder 'antigravity:x', known here: dvector"):
        trained._encoder("its.safetensors", "antigravity:x", None, None)
    monkeypatch.setitem(ENCODERS, DEFAULT, dataclasses.replace(ENCODERS[DEFAULT], embed=bands))
    assert trained._encoder("its.safetensors", DEFAULT, None, None) is bands


# ---- on disk


class Counting:
    """An encoder that says how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        self.asked += 1
        vector = np.abs(samples[:256]) + sample_rate
        return (vector / np.linalg.norm(vector)).astype(np.float32)


@pytest.fixture
def sound() -> np.ndarray:
    return np.random.default_rng(1).standard_normal(4000).astype(np.float32)


def test_the_same_to_the_bit_without_listening(tmp_path: Path, sound: np.ndarray) -> None:
    encoder = Counting()
    first = CachedEncoder(encoder, "a" * 64, tmp_path)(sound, RATE)
    again = CachedEncoder(encoder, "a" * 64, tmp_path)(sound.copy(), RATE)
    assert np.array_equal(first, encoder(sound, RATE))
    assert first.dtype == again.dtype == np.float32
    assert np.array_equal(first, again)
    assert encoder.asked == 2


def test_another_sound_rate_or_encoder_is_listened_to(tmp_path: Path, sound: np.ndarray) -> None:
    encoder = Counting()
    CachedEncoder(encoder, "a" * 64, tmp_path)(sound, RATE)
    other = sound.copy()
    other[-1] = np.nextafter(other[-1], np.float32(2))
    CachedEncoder(encoder, "a" * 64, tmp_path)(other, RATE)
    CachedEncoder(encoder, "a" * 64, tmp_path)(sound, 8000)
    CachedEncoder(encoder, "b" * 64, tmp_path)(sound, RATE)
    assert encoder.asked == 4


@pytest.mark.parametrize("damage", ["cut", "number", "folder"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, sound: np.ndarray, damage: str) -> None:
    encoder = Counting()
    remembering = CachedEncoder(encoder, "a" * 64, tmp_path)
    vector = remembering(sound, RATE)
    (path,) = tmp_path.rglob("*.json")
    text = path.read_text(encoding="utf-8")
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        damaged = text[: len(text) // 2] if damage == "cut" else text.replace("0.0", "0.1", 1)
        path.write_text(damaged, encoding="utf-8")
    assert np.array_equal(remembering(sound, RATE), vector)
    assert encoder.asked == 2
    assert damage == "folder" or path.read_text(encoding="utf-8") == text


def test_what_is_no_embedding_is_for_the_model_to_refuse(tmp_path: Path, sound: np.ndarray) -> None:
    remembering = CachedEncoder(lambda samples, rate: np.full(3, np.nan), "a" * 64, tmp_path)
    assert np.isnan(remembering(sound, RATE)).all()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path, sound: np.ndarray) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    encoder = Counting()
    remembering = CachedEncoder(encoder, "a" * 64, tmp_path / "file")
    assert np.array_equal(remembering(sound, RATE), remembering(sound, RATE))
    assert encoder.asked == 2
