"""Where somebody speaks: labels that follow the voice and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.signal import vad

RATE = 16000
BURSTS = ((0.5, 1.4), (1.9, 2.3), (3.0, 4.2))


def speech_like(
    bursts=BURSTS, *, seconds: float = 5.0, rate: int = RATE, level: float = 0.1, seed: int = 1
) -> np.ndarray:
    """Voiced bursts of 120 Hz and its harmonics, with some breath, over a quiet room."""
    time = np.arange(round(seconds * rate)) / rate
    random = np.random.default_rng(seed)
    voice = sum(np.sin(2 * np.pi * 120 * k * time + k * k) / k for k in range(1, 30))
    voice += 0.05 * random.standard_normal(len(time))
    talking = np.zeros(len(time))
    for start, stop in bursts:
        talking[round(start * rate) : round(stop * rate)] = 1
    return level * voice * talking + 3e-3 * level * random.standard_normal(len(time))


def differing(one: np.ndarray, other: np.ndarray) -> int:
    """Number of frames on which two labellings disagree."""
    assert one.shape == other.shape
    return int(np.sum(one != other))


def truth(bursts=BURSTS, *, seconds: float = 5.0) -> np.ndarray:
    """The label of each 10 ms frame, by its middle."""
    middle = (np.arange(round(100 * seconds)) + 0.5) / 100
    return np.any([(start < middle) & (middle < stop) for start, stop in bursts], axis=0)


def test_labels_are_where_the_voice_is():
    """Each of the six edges may be three frames off: the energy is taken over 30 ms."""
    labels = vad.speech_activity(speech_like(), RATE)
    assert labels.dtype == bool
    assert differing(labels, truth()) <= 18
    assert labels[truth()].all(), "a frame of speech is never missed here"


@pytest.mark.parametrize("hum_hz", [50.0, 60.0])
@pytest.mark.parametrize("hum_db", [0, 10, 20])
def test_strong_mains_hum_hardly_changes_labels(hum_hz, hum_db):
    """Hum up to 20 dB above the voice, with a weaker first harmonic, over the whole recording."""
    clean = speech_like(level=0.02)
    time = np.arange(len(clean)) / RATE
    voice_rms = np.sqrt(np.mean(clean[vad.to_samples(truth(), len(clean), RATE)] ** 2))
    amplitude = voice_rms * np.sqrt(2) * 10 ** (hum_db / 20)
    hum = amplitude * (np.sin(2 * np.pi * hum_hz * time) + 0.1 * np.sin(4 * np.pi * hum_hz * time + 1))
    labels = vad.speech_activity(clean + hum, RATE)
    assert differing(labels, vad.speech_activity(clean, RATE)) <= 6
    assert not labels[:40].any()
    assert not labels[440:].any()


@pytest.mark.parametrize("added", [0.0, 1e-3])
@pytest.mark.parametrize("rate", [8000, 16000, 22050])
def test_labels_are_those_of_the_recursive_filter(monkeypatch, rate, added):
    """The quicker way, and what is too close to tell by it, against the filter that defines the labels."""
    random = np.random.default_rng(7)
    for number in range(4):
        clip = speech_like(rate=rate, level=10.0**-number, seed=number)[: random.integers(rate, 5 * rate)]
        clip += added * random.standard_normal(len(clip)) + added * np.sin(np.arange(len(clip)) * 300 / rate)
        energy, error = vad._near_band_energy(clip, rate)
        expected = vad._band_energy(clip, rate, vad.hop_samples(rate))
        assert len(energy) == (0 if rate == 22050 else len(expected))
        assert (np.abs(energy - expected[: len(energy)]) <= error).all()
        found = vad.speech_activity(clip, rate, silence=number)
        with monkeypatch.context() as alone:
            alone.setattr(vad, "_near_band_energy", lambda *given: (np.zeros(0), np.zeros(0)))
            assert np.array_equal(found, vad.speech_activity(np.pad(clip, (number, 0)), rate))
    # bounds that leave a frame open
    assert vad._audible_and_loud(np.array([[1.0, 1e-3], [1.0, 2e-3]])) is not None
    assert vad._audible_and_loud(np.array([[1.0, 9e-11], [1.0, 2e-10]])) is None
    assert vad._audible_and_loud(np.array([[1e-3, 1e-9, 1e-4], [1.0, 1.0, 1.0]])) is None


def test_a_constant_offset_is_not_speech():
    clean = speech_like()
    assert differing(vad.speech_activity(clean + 0.3, RATE), vad.speech_activity(clean, RATE)) <= 6
    assert not vad.speech_activity(np.zeros(RATE), RATE).any()


@pytest.mark.parametrize("gain", [0.1, 0.3, 3.0])
def test_labels_do_not_depend_on_the_level(gain):
    clean = speech_like()
    assert differing(vad.speech_activity(gain * clean, RATE), vad.speech_activity(clean, RATE)) == 0


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_labels_do_not_depend_on_the_sample_rate(rate):
    labels = vad.speech_activity(speech_like(rate=rate), rate)
    assert differing(labels, truth()) <= 18


@pytest.mark.parametrize("frames", [1, 2, 7, 50])
def test_a_delay_by_whole_frames_delays_the_labels(frames):
    hop = vad.hop_samples(RATE)
    clean = speech_like(((0.5, 1.0),), seconds=1.5)
    later = np.concatenate([np.zeros(frames * hop), clean])
    labels = vad.speech_activity(clean, RATE)
    shifted = vad.speech_activity(later, RATE)
    assert differing(shifted[frames:], labels) <= 2
    assert not shifted[:frames].any()


@pytest.mark.parametrize("num_samples", [0, 1, 159, 160, 161, 16000])
def test_silence_has_no_activity_and_every_sample_has_a_frame(num_samples):
    labels = vad.speech_activity(np.zeros(num_samples), RATE)
    assert labels.shape == (-(-num_samples // 160),)
    assert not labels.any()


def test_the_rounding_noise_of_a_16_bit_file_is_silence():
    dither = np.random.default_rng(1).integers(-1, 2, RATE) / 32768 / 4
    assert not vad.speech_activity(dither, RATE).any()


def test_somebody_who_talks_without_a_pause_is_active_throughout():
    labels = vad.speech_activity(speech_like(((0, 3.0),), seconds=3.0), RATE)
    assert labels[3:-3].all(), "a stretch at either end is half outside the recording"


def test_digital_silence_around_speech_changes_nothing():
    """A recording that was cut out with zeros has no floor to measure, and needs none."""
    clean = speech_like()
    cut = clean * vad.to_samples(truth(), len(clean), RATE)
    assert differing(vad.speech_activity(cut, RATE), truth()) <= 12


def test_short_gaps_are_filled_and_clicks_are_dropped():
    gap_s = 0.040
    talk = speech_like(((0.5, 1.0), (1.0 + gap_s, 1.5), (2.0, 2.3), (2.5, 2.8)), seconds=4.0)
    talk[round(3.5 * RATE) : round(3.501 * RATE)] += 0.02
    labels = vad.speech_activity(talk, RATE)
    assert labels[50:150].all(), "a gap of 40 ms is part of the talk"
    assert not labels[236:245].any(), "a gap of 200 ms is a pause"
    assert not labels[340:360].any(), "a click of 1 ms is no speech"


def brute_runs(labels, value, longest):
    result = list(labels)
    start = 0
    while start < len(labels):
        stop = start
        while stop < len(labels) and labels[stop] == labels[start]:
            stop += 1
        at_an_end = start == 0 or stop == len(labels)
        if labels[start] == value and stop - start <= longest and (value or not at_an_end):
            result[start:stop] = [not value] * (stop - start)
        start = stop
    return result


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.booleans(), st.integers(0, 5))
def test_runs_are_flipped_as_one_would_by_hand(labels, value, longest):
    flipped = vad._without_runs(np.array(labels, dtype=bool), value, longest)
    assert flipped.tolist() == brute_runs(labels, value, longest)


# ---- from frames to samples and back


@given(st.lists(st.booleans(), max_size=12), st.integers(0, 2100))
def test_samples_get_the_label_of_their_frame(labels, num_samples):
    mask = vad.to_samples(np.array(labels, dtype=bool), num_samples, RATE)
    expected = [labels[n // 160] if n // 160 < len(labels) else False for n in range(num_samples)]
    assert mask.tolist() == expected


@given(
    st.lists(st.booleans(), max_size=60),
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.99]),
)
def test_frames_are_counted_as_one_would_by_hand(mask, frame, hop, more_than):
    expected = [
        sum(mask[start : start + frame]) > more_than * frame for start in range(0, len(mask) - frame + 1, hop)
    ]
    frames = vad.frames_with(np.array(mask, dtype=bool), frame, hop, more_than)
    assert frames.dtype == bool
    assert frames.tolist() == expected


def test_half_a_frame_is_not_most_of_it():
    mask = np.array([True, True, False, False])
    assert not vad.frames_with(mask, 4, 4)[0]
    assert vad.frames_with(np.array([True, True, True, False]), 4, 4)[0]


# ---- levels


def test_power_is_taken_over_marked_samples_only():
    samples = np.array([1.0, 3.0, 100.0, -3.0])
    mask = np.array([True, True, False, True])
    assert vad.active_power(samples, mask) == pytest.approx(19 / 3)
    assert vad.active_power(samples, np.zeros(4, dtype=bool)) == 0.0


def test_decibels_have_a_floor():
    assert vad.power_db(100.0) == pytest.approx(20.0)
    assert vad.power_db(0.0) == -200.0
    assert vad.power_db(1e-30) == -200.0
    assert vad.power_db(0.0, floor_db=-90.0) == -90.0


@pytest.mark.parametrize("count", [1600, 1601, 1759, 100])
def test_power_over_frames_is_that_over_their_samples(count):
    chance = np.random.default_rng(count)
    samples = chance.standard_normal(count)
    for share in (0.0, 0.5, 1.0):
        labels = chance.random(-(-count // 160)) < share
        expected = vad.active_power(samples, vad.to_samples(labels, count, RATE))
        assert vad.power_over(labels, samples, RATE) == pytest.approx(expected, rel=1e-12)
    assert vad.mean_power(samples) == pytest.approx(np.mean(samples**2), rel=1e-12)
