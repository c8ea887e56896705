"""The registry of speaker encoders: ours are whole, and another takes part everywhere by its name."""

import dataclasses

import numpy as np
import pytest

from pse_bench.errors import InputError
from pse_bench.speaker.encoders import DEFAULT, ENCODERS, Encoder, speaker_similarity
from pse_bench.systems import trained


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
