"""Speaker embeddings on disk: found again to the bit, and made again where anything is not as it was."""

from pathlib import Path

import numpy as np
import pytest

from pse_bench.speaker.encoders import CachedEncoder

RATE = 16_000


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


@pytest.mark.parametrize("damage", ["cut", "number", "huge", "swapped", "empty", "folder"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, sound: np.ndarray, damage: str) -> None:
    encoder = Counting()
    remembering = CachedEncoder(encoder, "a" * 64, tmp_path)
    vector = remembering(sound, RATE)
    (path,) = tmp_path.rglob("*.json")
    text = path.read_text(encoding="utf-8")
    if damage == "swapped":
        remembering(sound[:3000], RATE)
        (other,) = (found for found in tmp_path.rglob("*.json") if found != path)
        path.write_bytes(other.read_bytes())
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        number, huge = text.replace("0.0", "0.1", 1), text.replace("[", "[1e300,", 1)
        damaged = {"cut": text[: len(text) // 2], "number": number, "huge": huge, "empty": ""}
        path.write_text(damaged[damage], encoding="utf-8")
    asked = encoder.asked
    assert np.array_equal(remembering(sound, RATE), vector)
    assert encoder.asked == asked + 1
    if damage != "folder":
        assert path.read_text(encoding="utf-8") == text


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
