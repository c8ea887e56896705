"""Energy-based voice activity: frame labels of a dry signal, and levels over active samples.

Labels are on a grid of ``HOP_S`` frames without overlap, so a label speaks for its own samples and nothing
else. Levels are means of power over active samples (the idea of ITU-T P.56, on our labels).
"""

from functools import lru_cache

import numpy as np

from pse_bench.io.audio import seconds_to_samples
from pse_bench.signal.filters import butterworth, response, zero_phase

HOP_S = 0.010
"""Length of an activity frame, in seconds."""

WINDOW_S = 0.030
"""Length of the stretch whose energy decides a frame, in seconds."""

BAND_HZ = (180.0, 5000.0)
"""Mains hum and its strongest harmonics stay below the lower edge, hiss above the upper."""

PADDING = 27
"""Samples that the band-pass is run in over before either end."""

AUDIBLE = 1e-10
"""The power above which a frame is audible, -100 dBFS: below it lies a 16-bit file's own rounding noise."""

BLOCKS = 8
"""So many blocks of a clip are filtered at once: they stay in the processor's cache."""

NEAR = 3e-7
"""What single precision adds to a filtered signal over a frame's stretch, as a share of the loudest sample: three
times what is found."""

BELOW_PEAK_DB = 32.0
ABOVE_FLOOR_DB = 9.0
FILL_S = 0.080
DROP_S = 0.040


def hop_samples(sample_rate: int) -> int:
    """Length of an activity frame, in samples."""
    return seconds_to_samples(HOP_S, sample_rate)


def speech_activity(samples: np.ndarray, sample_rate: int, *, silence: int = 0) -> np.ndarray:
    """Frame labels of a dry recording of one talker without room or noise: bool, shape (ceil(num_samples / hop),).

    A frame is active when its energy between 180 Hz and 5 kHz, over 30 ms around its middle, is within
    32 dB of the talker's loud frames (95th percentile) and 9 dB above the recording's floor (5th percentile);
    gaps of at most 80 ms are filled and bursts below 40 ms dropped. Digital silence has no activity;
    ``silence`` is how many samples of it come first.
    """
    near, error = _near_band_energy(samples, sample_rate, silence)
    active = _audible_and_loud(np.stack([near - error, near + error])) if len(near) else None
    if active is None:  # too close to tell
        whole = np.concatenate([np.zeros(silence), samples])
        active = _audible_and_loud(_band_energy(whole, sample_rate, hop_samples(sample_rate))[np.newaxis])
    assert active is not None
    return _smoothed(active)


def _audible_and_loud(energy: np.ndarray) -> np.ndarray | None:
    """Frames of speech, before they are smoothed: bool, shape (num_frames,); None where bounds leave it open.

    Args:
        energy: shape (1, num_frames), or (2, num_frames) for what it is not below and not above.
    """
    audible = energy > AUDIBLE
    if not np.array_equal(audible[0], audible[-1]):
        return None
    if not audible.any():
        return audible[0]
    level_db = 10 * np.log10(np.maximum(energy, 1e-12))
    loud_db, floor_db = np.percentile(level_db[:, audible[0]], (95, 5), axis=1)
    # A clip that talks from end to end has no pauses to show its floor: never ask for more than half way up.
    threshold_db = np.maximum(
        loud_db - BELOW_PEAK_DB, np.minimum(floor_db + ABOVE_FLOOR_DB, (floor_db + loud_db) / 2)
    )
    # percentiles do not fall where levels rise, so neither does the threshold
    active = audible & (level_db > threshold_db[::-1, np.newaxis])
    return active[0] if np.array_equal(active[0], active[-1]) else None


def loud_frames(samples: np.ndarray, sample_rate: int, above_db: float) -> np.ndarray:
    """Frame labels on the grid of ``speech_activity``, and smoothed as there: where the level that it looks at
    lies above ``above_db``, in dBFS."""
    return _smoothed(levels_db(samples, sample_rate) > above_db)


def levels_db(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """The level that ``speech_activity`` looks at in each frame, in dBFS, not below -120: shape (num_frames,)."""
    return 10 * np.log10(np.maximum(_band_energy(samples, sample_rate, hop_samples(sample_rate)), 1e-12))


def _smoothed(active: np.ndarray) -> np.ndarray:
    """Labels with short gaps filled, and then without short bursts."""
    active = _without_runs(active, False, round(FILL_S / HOP_S))
    return _without_runs(active, True, round(DROP_S / HOP_S) - 1)


def _band_hz(sample_rate: int) -> tuple[float, float]:
    return BAND_HZ[0], min(BAND_HZ[1], 0.45 * sample_rate)


def _band_energy(samples: np.ndarray, sample_rate: int, hop: int) -> np.ndarray:
    """Mean power in the speech band over 30 ms around each frame's middle."""
    num_frames = -(-len(samples) // hop)
    window = seconds_to_samples(WINDOW_S, sample_rate)
    before = (window - hop) // 2
    padded = np.pad(samples, (window, window + num_frames * hop - len(samples)))
    band = butterworth(_band_hz(sample_rate), "bandpass", sample_rate)
    energy = zero_phase(band, padded, PADDING)
    np.square(energy, out=energy)
    starts = window - before + hop * np.arange(num_frames)
    # sums between all the places where a stretch begins or ends, then over those
    places = np.union1d(starts, starts + window)
    until = np.concatenate([[0.0], np.cumsum(np.add.reduceat(energy, places)[:-1])])
    begins, ends = np.searchsorted(places, (starts, starts + window))
    return (until[ends] - until[begins]) / window


def _near_band_energy(samples: np.ndarray, sample_rate: int, silence: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What ``_band_energy`` gives up to an error, in a third of its time, and that error; both empty where a clip
    is short or the stretch around a frame's middle is not three frames long.

    A recursive filter waits for its own last sample. This is a convolution with its response in single precision.
    """
    from scipy.fft import irfft, rfft

    hop, window = hop_samples(sample_rate), seconds_to_samples(WINDOW_S, sample_rate)
    answer, spectrum = _near_band(sample_rate)
    if window != 3 * hop or len(samples) < 4 * answer:
        return np.zeros(0), np.zeros(0)
    num_frames = -(-(silence + len(samples)) // hop)
    size = 2 * (len(spectrum) - 1)
    frames_each = (size - answer + 1) // hop
    step, count = frames_each * hop, -(-(num_frames + 2) // frames_each)
    # whole frames a block, from the one before the first on
    padded = np.zeros((count - 1) * step + size, dtype=np.float32)
    begin = hop + answer // 2 + silence
    padded[begin : begin + len(samples)] = samples
    blocks = np.lib.stride_tricks.sliding_window_view(padded, size)[::step]
    energies = np.empty((count, frames_each))
    for first in range(0, count, BLOCKS):
        spectra = rfft(blocks[first : first + BLOCKS])
        spectra *= spectrum
        band = irfft(spectra, size, overwrite_x=True)[:, answer - 1 : answer - 1 + step]
        frames = band.reshape(len(band), frames_each, hop)
        energies[first : first + BLOCKS] = np.einsum("ijk,ijk->ij", frames, frames)
    around = energies.ravel()[: num_frames + 2] / window
    energy = around[:-2] + around[1:-1] + around[2:]
    error = NEAR * max(float(samples.max()), -float(samples.min()))
    return energy, (2 * np.sqrt(energy) + error) * error


@lru_cache
def _near_band(sample_rate: int) -> tuple[int, np.ndarray]:
    """The length of the band-pass's response to a click, and its spectrum at a few times that size."""
    from scipy.fft import rfft

    answer = response(_band_hz(sample_rate), "bandpass", sample_rate, NEAR / 1000).astype(np.float32)
    return len(answer), rfft(answer, 5 << (2 * len(answer) // 5).bit_length() + 1)


def _without_runs(labels: np.ndarray, value: bool, longest: int) -> np.ndarray:
    """Flip inner runs of ``value`` that are at most ``longest`` frames; dropping also works at the ends."""
    if not len(labels):
        return labels
    starts = np.concatenate([[0], np.flatnonzero(labels[1:] != labels[:-1]) + 1])
    stops = np.append(starts[1:], len(labels))
    inner = (starts > 0) & (stops < len(labels))
    flipped = (labels[starts] == value) & (stops - starts <= longest) & (inner | value)
    return np.repeat(labels[starts] ^ flipped, stops - starts)


def to_samples(labels: np.ndarray, num_samples: int, sample_rate: int) -> np.ndarray:
    """Frame labels as a mask of shape (num_samples,), bool."""
    mask = np.repeat(labels, hop_samples(sample_rate))[:num_samples]
    return np.pad(mask, (0, num_samples - len(mask)))


def frames_with(mask: np.ndarray, frame: int, hop: int, more_than: float = 0.5) -> np.ndarray:
    """Frames of an analysis grid of which more than that share of the samples is marked: bool, shape
    (1 + (num_samples - frame) // hop,), empty when the mask is shorter than a frame. Frame t covers the samples
    [t · hop, t · hop + frame).
    """
    if len(mask) < frame:
        return np.zeros(0, dtype=bool)
    counts = np.concatenate([[0], np.cumsum(mask)])
    starts = hop * np.arange(1 + (len(mask) - frame) // hop)
    return counts[starts + frame] - counts[starts] > more_than * frame


def power_over(labels: np.ndarray, samples: np.ndarray, sample_rate: int) -> float:
    """Mean power over the samples of active frames, of labels as ``speech_activity`` gives; 0 when none is active.

    Sums are of a fixed order, whatever the processor's number of threads.
    """
    hop = hop_samples(sample_rate)
    whole = len(samples) // hop
    frames = samples[: whole * hop].reshape(whole, hop)
    energy = float(np.einsum("ij,ij->i", frames, frames)[labels[:whole]].sum(dtype=np.float64))
    count = hop * int(np.count_nonzero(labels[:whole]))
    if labels[whole:].any():
        energy += mean_power(samples[whole * hop :]) * (len(samples) - whole * hop)
        count += len(samples) - whole * hop
    return energy / count if count else 0.0


def mean_power(samples: np.ndarray) -> float:
    """Mean power of a signal of at least one sample."""
    return float(np.einsum("i,i->", samples, samples)) / len(samples)


def active_power(samples: np.ndarray, mask: np.ndarray) -> float:
    """Mean power over marked samples; 0 when nothing is marked."""
    return float(np.mean(samples[mask] ** 2)) if mask.any() else 0.0


def power_db(power: float, floor_db: float = -200.0) -> float:
    """Power in dB, not below ``floor_db``."""
    return float(10 * np.log10(power)) if power > 10 ** (floor_db / 10) else floor_db
