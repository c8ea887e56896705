"""Zero-phase filters against scipy's own, to the bit."""

import numpy as np
import pytest
import scipy.signal

from pse_bench.signal.filters import butterworth, zero_phase


@pytest.mark.parametrize(("edges_hz", "kind"), [(65.0, "highpass"), ((180.0, 5000.0), "bandpass")])
@pytest.mark.parametrize(("count", "padding"), [(8000, 738), (5000, 27), (28, 27), (2, 1), (100, 1)])
def test_zero_phase_is_sosfiltfilt(edges_hz, kind, count, padding):
    samples = np.random.default_rng(count).standard_normal(count)
    kept = samples.copy()
    sections = scipy.signal.butter(4, edges_hz, btype=kind, fs=16000, output="sos")
    expected = scipy.signal.sosfiltfilt(sections, samples, padlen=padding)
    found = zero_phase(butterworth(edges_hz, kind, 16000), samples, padding)
    assert np.array_equal(found, expected)
    assert np.array_equal(samples, kept)


def test_the_padding_of_the_speech_band_is_what_scipy_takes():
    from pse_bench.signal import vad

    sections = scipy.signal.butter(4, vad.BAND_HZ, btype="bandpass", fs=16000, output="sos")
    samples = np.random.default_rng(0).standard_normal(2000)
    found = zero_phase(butterworth(vad.BAND_HZ, "bandpass", 16000), samples, vad.PADDING)
    assert np.array_equal(found, scipy.signal.sosfiltfilt(sections, samples))
