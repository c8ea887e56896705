"""Reverberation time against decays whose time is known in closed form."""

import numpy as np
import pytest

from pse_bench.corpora.readers import rir
from pse_bench.errors import UndefinedScore
from pse_bench.signal import rt60

RATE = 16000


def decaying_noise(rt60_s: float, *, length_db: float = 75.0, direct: float = 0.0, seed: int = 0) -> np.ndarray:
    """White noise that falls by 60 dB in ``rt60_s``, cut after ``length_db``, its first sample raised."""
    count = int(RATE * rt60_s * length_db / 60)
    envelope = 10 ** (-3 * np.arange(count) / (RATE * rt60_s))
    response = np.random.default_rng(seed).standard_normal(count) * envelope
    response[0] += direct
    return response


@pytest.mark.parametrize("rt60_s", [0.15, 0.3, 0.6, 1.2, 3.0])
@pytest.mark.parametrize("range_db", [20.0, 30.0])
def test_known_decay(rt60_s, range_db):
    # the fit of one draw of noise scatters by about 1 / sqrt(bandwidth · time)
    measured = np.mean([rt60.rt60_s(decaying_noise(rt60_s, seed=s), RATE, range_db=range_db) for s in range(8)])
    assert measured == pytest.approx(rt60_s, rel=0.02)


@pytest.mark.parametrize("rate", [8000, 48000])
def test_a_smooth_decay_is_exact_at_any_rate(rate):
    envelope = 10 ** (-3 * np.arange(2 * rate) / (rate * 0.5))
    assert rt60.rt60_s(envelope, rate) == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize("direct", [3.0, 10.0, 30.0])
def test_a_direct_spike_does_not_change_the_slope(direct):
    assert rt60.rt60_s(decaying_noise(0.5, direct=direct), RATE) == pytest.approx(0.5, rel=0.04)


def test_level_sign_and_leading_silence_do_not_matter():
    response = decaying_noise(0.4)
    for same in (-1e-3 * response, np.concatenate([np.zeros(800), response])):
        assert rt60.rt60_s(same, RATE) == pytest.approx(rt60.rt60_s(response, RATE), rel=1e-9)


def test_the_decay_begins_at_zero_and_never_rises():
    curve = rt60.energy_decay_db(decaying_noise(0.3))
    assert curve[0] == 0
    assert (np.diff(curve) <= 0).all()


@pytest.mark.parametrize("response", [np.zeros(1000), np.eye(1, 1000)[0], np.ones(4)])
def test_what_does_not_decay_is_undefined(response):
    with pytest.raises(UndefinedScore):
        rt60.rt60_s(response, RATE)


@pytest.mark.parametrize(
    ("length_db", "fitted_db"), [(75, 30.0), (55, 30.0), (43, 20.0), (40, 20.0)], ids="{}".format
)
def test_a_response_cut_short_is_fitted_less_far(length_db, fitted_db):
    response = decaying_noise(0.5, length_db=length_db)
    expected = round(rt60.rt60_s(response, RATE, range_db=fitted_db), 3)
    assert rir.reverberation(response, RATE) == {"rt60_s": expected}
    assert expected == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("noise_db", [-60, -55, -50, -45])
def test_recording_noise_does_not_lengthen_the_room(noise_db):
    # at -45 dB a plain T30 would give 1.6 s
    response = decaying_noise(0.5, length_db=130)
    noise = 10 ** (noise_db / 20) * np.random.default_rng(1).standard_normal(len(response))
    assert rir.reverberation(response + noise, RATE)["rt60_s"] == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(
    "response",
    [*(decaying_noise(0.5, length_db=db) for db in (20, 30)), np.random.default_rng(0).normal(size=32000)],
    ids=["20 dB", "30 dB", "noise"],
)
def test_a_response_that_hardly_decays_has_no_rt60(response):
    with pytest.raises(UndefinedScore, match="does not decay by 25 dB"):
        rir.reverberation(response, RATE)


def test_silence_after_the_response_hides_no_noise():
    response = decaying_noise(0.5, length_db=130)
    response += 10 ** (-45 / 20) * np.random.default_rng(1).standard_normal(len(response))
    padded = np.concatenate([response, np.zeros(4000)])
    assert rir.reverberation(padded, RATE) == rir.reverberation(response, RATE)
