"""The kinds of synthetic noise: their spectra, their levels, and that they never change."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench import rng
from pse_bench.corpora.synthetic import embedded
from pse_bench.corpora.synthetic import noise as synthetic_noise
from pse_bench.io import atomic, audio, tables
from pse_bench.schemas import NoiseClip

RATE = 16_000
SAMPLES = 8 * RATE


@pytest.fixture(scope="module")
def clips() -> dict[str, np.ndarray]:
    return {
        category: synthetic_noise.MAKERS[category](SAMPLES, RATE, 1, "a") for category in synthetic_noise.MAKERS
    }


def power(samples: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Power between two frequencies, in dB."""
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return 10 * np.log10(np.sum(spectrum[(hz >= low_hz) & (hz < high_hz)]))


def loudest_hz(samples: np.ndarray, low_hz: float, high_hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    hz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(hz[np.argmax(spectrum * ((hz >= low_hz) & (hz < high_hz)))])


@pytest.mark.parametrize("category", synthetic_noise.MAKERS)
def test_clips_are_finite_and_of_the_asked_length(clips, category):
    assert clips[category].shape == (SAMPLES,)
    assert np.isfinite(clips[category]).all()
    assert np.std(clips[category]) > 0


@pytest.mark.parametrize("category", synthetic_noise.MAKERS)
def test_a_name_always_gives_the_same_clip_and_another_name_another(clips, category):
    again = synthetic_noise.MAKERS[category](SAMPLES, RATE, 1, "a")
    other = synthetic_noise.MAKERS[category](SAMPLES, RATE, 1, "b")
    assert np.array_equal(clips[category], again)
    assert abs(np.corrcoef(clips[category], other)[0, 1]) < 0.2


@pytest.mark.parametrize("category", synthetic_noise.MAKERS)
def test_clips_are_those_of_the_shipped_manifest(category, tmp_path):
    rows = tables.read_table(embedded.manifest(embedded.SHIPPED, "noise-train"), NoiseClip)
    row = next(row for row in rows if row.category == category)
    samples = synthetic_noise.MAKERS[category](row.num_samples, RATE, embedded.SEED, row.noise_id)
    level_dbfs = rng.uniform(*synthetic_noise.LEVELS_DBFS, embedded.SEED, "level", row.noise_id)
    path = tmp_path / "clip.wav"
    audio.write(path, audio.to_pcm16(synthetic_noise.levelled(samples, level_dbfs)), RATE)
    assert atomic.sha256(path) == row.sha256


def test_pink_noise_falls_by_3_db_an_octave(clips):
    # Equal power in every octave is a density that falls by 3 dB an octave.
    octaves = [power(clips["pink"], low, 2 * low) for low in (62.5, 125, 250, 500, 1000, 2000, 4000)]
    assert np.ptp(octaves) < 1.2
    assert abs(np.polyfit(range(7), octaves, 1)[0]) < 0.15


def test_hum_has_lines_at_the_mains_frequency(clips):
    hum = clips["hum"]
    mains_hz = rng.choice((50.0, 60.0), 1, "a", "mains")
    for order in range(1, 9):
        line_hz = order * mains_hz
        reach = 0.1 * order + 1
        line = power(hum, line_hz - reach, line_hz + reach)
        between = power(hum, line_hz + mains_hz / 2 - reach, line_hz + mains_hz / 2 + reach)
        assert line > between + 15, f"harmonic {order}"


def test_the_fan_has_blade_tones_over_its_air(clips):
    fan = clips["fan"]
    blades_hz = rng.uniform(12, 30, 1, "a", "speed") * rng.integer(3, 7, 1, "a", "blades")
    assert loudest_hz(fan, 0.5 * blades_hz, 1.5 * blades_hz) == pytest.approx(blades_hz, rel=0.02)
    assert power(fan, 100, 1000) > power(fan, 4000, 8000) + 6


def test_speech_shaped_noise_is_loudest_where_speech_is(clips):
    noise = clips["speech-shaped"]
    assert power(noise, 200, 800) > power(noise, 1000, 4000) + 3
    assert power(noise, 1000, 4000) > power(noise, 4000, 8000) + 2
    assert power(noise, 200, 800) > power(noise, 20, 100) + 10


def test_transients_are_sparse(clips):
    frames = clips["transients"].reshape(-1, 160)
    level_db = 10 * np.log10(np.mean(frames**2, axis=1))
    assert np.median(level_db) < np.max(level_db) - 25
    assert np.mean(level_db > np.max(level_db) - 30) < 0.5


def test_babble_is_the_sum_of_talkers_of_about_equal_power():
    time = np.arange(RATE) / RATE
    talkers = [(index + 1) * np.sin(2 * np.pi * 100 * (index + 1) * time) for index in range(6)]
    mixture = synthetic_noise.babble(talkers, 4 * RATE, 1, "a")
    levels = [power(mixture, 100 * index - 20, 100 * index + 20) for index in range(1, 7)]
    assert len(mixture) == 4 * RATE
    assert 0.5 < np.ptp(levels) <= 4.01


@given(st.floats(-60, 0), st.floats(1e-3, 1e3), st.integers(0, 50))
def test_levels_are_met_or_stay_below_the_ceiling(rms_dbfs, scale, name):
    samples = scale * rng.white_noise(500, 1, name)
    result = synthetic_noise.levelled(samples, rms_dbfs)
    rms = np.sqrt(np.mean(result**2))
    peak = np.max(np.abs(result))
    assert peak <= synthetic_noise.PEAK * (1 + 1e-12)
    assert rms == pytest.approx(10 ** (rms_dbfs / 20)) or peak == pytest.approx(synthetic_noise.PEAK)


def test_white_noise_is_untouched_by_numpys_vector_code():
    # The one source of chance: its bits are a promise to everyone who holds a plan.
    samples = rng.white_noise(1000, 1, "golden")
    assert (
        hashlib.sha256(samples.tobytes()).hexdigest()
        == "dffd1acc2a0a4b562027315b02da26daf2ef151020016d26c89e500f6a9064c8"
    )
