"""Mel spectrograms as librosa makes them, without librosa: the input of the speaker encoder and DNSMOS."""

import functools

import numpy as np


def mel_spectrogram(samples: np.ndarray, *, sample_rate: int, frame: int, hop: int, num_mels: int) -> np.ndarray:
    """Mel powers, shape (num_frames, num_mels), float64: not in dB, full scale ±1.

    Frame t is centred on sample t · hop, with zeros beyond the ends, under a periodic Hann window; num_frames is
    1 + num_samples // hop for an even frame. Filters after Slaney, Auditory Toolbox 2, 1998: triangles from 0 Hz
    to half the rate, each of unit area. The same as the defaults of librosa's ``melspectrogram``.
    """
    padded = np.pad(np.asarray(samples, dtype=np.float64), frame // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    spectrum = np.fft.rfft(frames * window, axis=-1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return power @ mel_filters(sample_rate, frame, num_mels).T


@functools.lru_cache(maxsize=4)
def mel_filters(sample_rate: int, frame: int, num_mels: int) -> np.ndarray:
    """Weights of shape (num_mels, num_bins)."""
    bins_hz = np.fft.rfftfreq(frame, 1 / sample_rate)
    edges_hz = _from_mel(np.linspace(0.0, _to_mel(sample_rate / 2), num_mels + 2))
    low, centre, high = (edges_hz[i : i + num_mels, None] for i in range(3))
    triangles = np.minimum((bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre))
    return np.maximum(triangles, 0.0) * 2 / (high - low)


# Slaney's scale: linear up to 1 kHz (15 mel), then 27 mel for a factor of 6.4.
def _to_mel(frequency_hz: float) -> float:
    return 15 + 27 * np.log(frequency_hz / 1000) / np.log(6.4)


def _from_mel(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
