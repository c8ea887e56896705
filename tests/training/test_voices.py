"""Moved formants: where the envelope goes, and that nothing else does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.training.data.augment import OWN, Voice, voices, with_formants_moved

RATE = 16_000


def vowel(pitch_hz: float, formant_hz: float, duration_s: float = 1.0) -> np.ndarray:
    """Harmonics of a pitch under one resonance."""
    time = np.arange(round(duration_s * RATE)) / RATE
    harmonics = np.arange(pitch_hz, 6000, pitch_hz)
    heights = np.exp(-(((harmonics - formant_hz) / 400) ** 2) / 2)
    return sum(height * np.sin(2 * np.pi * f * time + f) for f, height in zip(harmonics, heights, strict=True))


def resonance(samples: np.ndarray) -> float:
    """The centre of a spectrum's energy, Hz."""
    energy = np.abs(np.fft.rfft(samples[4000:12000] * np.hanning(8000))) ** 2
    return float(np.sum(energy * np.fft.rfftfreq(8000, 1 / RATE)) / energy.sum())


@pytest.mark.parametrize("factor", [0.85, 0.92, 1.09, 1.17])
def test_the_resonance_moves_and_the_pitch_stays(factor: float) -> None:
    spoken = vowel(120, 1800)
    moved = with_formants_moved(spoken, factor, RATE)
    assert resonance(moved) == pytest.approx(1800 * factor, rel=0.03)
    energy = np.abs(np.fft.rfft(moved[:8000] * np.hanning(8000)))
    harmonic = np.arange(0, 4000, 120) // 2  # bins are 2 Hz apart
    assert energy[harmonic].sum() > 20 * energy[harmonic + 30].sum()


@given(st.integers(0, 3000), st.integers(0, 99))
def test_one_gives_the_sound_back_and_length_and_timing_stay(num_samples: int, seed: int) -> None:
    sound = np.random.default_rng(seed).standard_normal(num_samples)
    assert np.array_equal(with_formants_moved(sound, 1.0, RATE), sound)
    moved = with_formants_moved(sound, 1.1, RATE)
    assert moved.shape == sound.shape
    assert np.isfinite(moved).all()


def test_a_factor_of_almost_one_changes_almost_nothing() -> None:
    spoken = vowel(120, 1800)
    assert np.allclose(with_formants_moved(spoken, 1 + 1e-9, RATE), spoken, atol=1e-5 * np.abs(spoken).max())


def test_silence_stays_silence() -> None:
    sound = np.zeros(4000)
    sound[2000:2400] = vowel(200, 1000, 0.025)
    moved = with_formants_moved(sound, 1.1, RATE)
    assert not moved[: 2000 - 512].any()
    assert not moved[2400 + 512 :].any()


def test_every_voice_once_and_the_own_one_first() -> None:
    made = voices([1.1, 1.0, 0.9], [1.0, 1.2])
    assert made[0] == OWN
    assert len(made) == len(set(made)) == 6
    assert voices([0.9], []) == [OWN, Voice(0.9)]
    assert [voice.mark for voice in voices([1.1], [0.9])] == ["", "@1,0.9", "@1.1,0.9", "@1.1"]
