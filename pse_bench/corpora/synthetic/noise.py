"""Noise made from names: six kinds, the same bits on every run and every processor.

All chance comes from ``rng``. Arithmetic is float64 and the result is stored in 16 bits, so what little
the last digit of a sine or a Fourier transform differs between processors is rounded away.
Signals are float64 of shape (num_samples,); makers give any level, ``levelled`` sets it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from pse_bench import rng

PEAK = 10 ** (-1 / 20)
"""No clip exceeds this: 1 dB below full scale."""
LEVELS_DBFS = (-34.0, -26.0)
"""Levels of clips in a corpus, over all samples."""

# Long-term average speech spectrum, dB per third of an octave from 63 Hz to 8 kHz, both sexes, after Byrne
# et al., J. Acoust. Soc. Am. 96 (1994), Table II, rounded to whole dB.
SPEECH_DB = (39, 44, 54, 58, 57, 60, 60, 59, 62, 62, 60, 57, 54, 53, 52, 49, 48, 47, 46, 44, 44, 44)
SPEECH_HZ = tuple(1000.0 * 2 ** (third / 3) for third in range(-12, 10))


def levelled(samples: np.ndarray, rms_dbfs: float) -> np.ndarray:
    """The signal at a level, or as close below it as its peaks allow."""
    rms = np.sqrt(np.mean(samples**2))
    return samples * min(10 ** (rms_dbfs / 20) / rms, PEAK / np.max(np.abs(samples)))


def babble(talkers: Sequence[np.ndarray], num_samples: int, seed: int, *name: rng.Name) -> np.ndarray:
    """Several talkers, signals of continuous speech, at once and at equal power within ±2 dB."""
    total = np.zeros(num_samples)
    for index, stretch in enumerate(turned(talkers, num_samples, seed, *name)):
        gain_db = rng.uniform(-2, 2, seed, *name, "gain", index)
        total += stretch * (10 ** (gain_db / 20) / np.sqrt(np.mean(stretch**2)))
    return total


def turned(talkers: Iterable[np.ndarray], num_samples: int, seed: int, *name: rng.Name) -> Iterator[np.ndarray]:
    """Each talker for a whole clip, from a drawn place of its speech, which starts over where it ends."""
    for index, talker in enumerate(talkers):
        first = rng.integer(0, len(talker) - 1, seed, *name, "first", index)
        yield np.resize(np.roll(talker, -first), num_samples)


def _shaped(
    num_samples: int, sample_rate: int, magnitude: Callable[[np.ndarray], np.ndarray], seed: int, *name: rng.Name
) -> np.ndarray:
    """White noise filtered to ``magnitude(frequencies in Hz)``, unit RMS, without a constant part."""
    spectrum = np.fft.rfft(rng.white_noise(num_samples, seed, *name))
    spectrum *= magnitude(np.maximum(np.fft.rfftfreq(num_samples, 1 / sample_rate), 1.0))
    spectrum[0] = 0
    samples = np.fft.irfft(spectrum, num_samples)
    return samples / np.sqrt(np.mean(samples**2))


def _slow(num_samples: int, every: int, seed: int, *name: rng.Name) -> np.ndarray:
    """A curve within ±1 that wanders from one drawn value to the next every ``every`` samples."""
    knots = [rng.uniform(-1, 1, seed, *name, index) for index in range(num_samples // every + 2)]
    return np.interp(np.arange(num_samples) / every, np.arange(len(knots)), knots)


def _tones(hz: np.ndarray, levels_db: Sequence[float], sample_rate: int, seed: int, *name: rng.Name) -> np.ndarray:
    """Harmonics of a moving fundamental, each with a drawn phase and a slow change of level of ±2 dB."""
    turns = np.cumsum(hz) / sample_rate
    total = np.zeros(len(turns))
    for index, level_db in enumerate(levels_db):
        phase = rng.unit(seed, *name, "phase", index)
        drift_db = 2 * _slow(len(turns), 2 * sample_rate, seed, *name, "level", index)
        total += 10 ** ((level_db + drift_db) / 20) * np.sin(2 * np.pi * ((index + 1) * turns + phase))
    return total


def speech_shaped(num_samples: int, sample_rate: int, seed: int, *name: rng.Name) -> np.ndarray:
    """Steady noise with the long-term spectrum of speech and a drawn tilt within ±1 dB an octave."""
    tilt_db = rng.uniform(-1, 1, seed, *name, "tilt")
    # A third of an octave is as wide as its centre is high: from level to density is -10 log10(f).
    density_db = np.array(SPEECH_DB) - 10 * np.log10(SPEECH_HZ)

    def magnitude(hz: np.ndarray) -> np.ndarray:
        octaves = np.log2(hz / 1000)
        level_db = np.interp(octaves, np.log2(np.array(SPEECH_HZ) / 1000), density_db) + tilt_db * octaves
        return 10 ** (level_db / 20)

    return _shaped(num_samples, sample_rate, magnitude, seed, *name)


def pink(num_samples: int, sample_rate: int, seed: int, *name: rng.Name) -> np.ndarray:
    """Noise that falls by 3 dB an octave above 20 Hz."""
    return _shaped(num_samples, sample_rate, lambda hz: np.maximum(hz, 20) ** -0.5, seed, *name)


def hum(num_samples: int, sample_rate: int, seed: int, *name: rng.Name) -> np.ndarray:
    """Mains hum: 24 harmonics of 50 or 60 Hz, drifting by ±0.1 Hz, over a floor 24 dB below."""
    mains_hz = rng.choice((50.0, 60.0), seed, *name, "mains")
    fundamental_hz = mains_hz + 0.1 * _slow(num_samples, 3 * sample_rate, seed, *name, "drift")
    levels_db = [
        # Iron and rectifiers hum at even multiples.
        rng.uniform(-8, 0, seed, *name, "harmonic", order) - 0.8 * order + (4 if order % 2 == 0 else 0)
        for order in range(1, 25)
    ]
    tones = _tones(fundamental_hz, levels_db, sample_rate, seed, *name, "tone")
    floor = pink(num_samples, sample_rate, seed, *name, "floor")
    return tones + floor * 10 ** (-24 / 20) * np.sqrt(np.mean(tones**2))


def fan(num_samples: int, sample_rate: int, seed: int, *name: rng.Name) -> np.ndarray:
    """A fan: rushing air that swells with every turn, and six harmonics of the passing blades."""
    turns_hz = rng.uniform(12, 30, seed, *name, "speed")
    blades = rng.integer(3, 7, seed, *name, "blades")
    corner_hz = rng.uniform(250, 700, seed, *name, "corner")
    speed_hz = turns_hz * (1 + 0.01 * _slow(num_samples, sample_rate, seed, *name, "wander"))
    air = _shaped(num_samples, sample_rate, lambda hz: 1 / (1 + (hz / corner_hz) ** 2) ** 0.45, seed, *name, "air")
    air *= 1 + 0.15 * np.sin(2 * np.pi * np.cumsum(speed_hz) / sample_rate)
    levels_db = [rng.uniform(-6, 0, seed, *name, "blade", order) - 4 * order for order in range(1, 7)]
    tones = _tones(blades * speed_hz, levels_db, sample_rate, seed, *name, "tone")
    tones_db = rng.uniform(-8, -2, seed, *name, "tones")
    return air + tones * (10 ** (tones_db / 20) / np.sqrt(np.mean(tones**2)))


def transients(num_samples: int, sample_rate: int, seed: int, *name: rng.Name) -> np.ndarray:
    """Clicks, knocks and bursts of typing, a quarter second to a second apart, over a low pink floor."""
    total = 0.004 * pink(num_samples, sample_rate, seed, *name, "floor")
    at, event = 0, 0
    while True:
        at += int(rng.uniform(0.15, 0.9, seed, *name, "gap", event) * sample_rate)
        if at >= num_samples:
            return total
        kind = rng.choice(("click", "knock", "typing"), seed, *name, "kind", event)
        level_db = rng.uniform(-14, 0, seed, *name, "level", event)
        strokes = rng.integer(3, 9, seed, *name, "strokes", event) if kind == "typing" else 1
        for stroke in range(strokes):
            sound = (_knock if kind == "knock" else _click)(sample_rate, seed, *name, event, stroke)
            sound = sound[: num_samples - at] * 10 ** (level_db / 20)
            total[at : at + len(sound)] += sound
            if stroke + 1 < strokes:
                at += int(rng.uniform(0.07, 0.2, seed, *name, "stroke", event, stroke) * sample_rate)
            if at >= num_samples:
                return total
        event += 1


def _click(sample_rate: int, seed: int, *name: rng.Name) -> np.ndarray:
    """A few milliseconds of decaying noise, bright because it is differenced; peak 1."""
    decay_s = rng.uniform(0.001, 0.004, seed, *name, "decay")
    time_s = np.arange(int(8 * decay_s * sample_rate)) / sample_rate
    sound = np.diff(rng.white_noise(len(time_s) + 1, seed, *name, "click")) * np.exp(-time_s / decay_s)
    return sound / np.max(np.abs(sound))


def _knock(sample_rate: int, seed: int, *name: rng.Name) -> np.ndarray:
    """Three damped resonances of something wooden, started by a click; peak 1."""
    time_s = np.arange(int(0.25 * sample_rate)) / sample_rate
    sound = np.zeros(len(time_s))
    for mode in range(3):
        hz = rng.uniform(120, 400, seed, *name, "hz", mode) * (1 + mode)
        decay_s = rng.uniform(0.015, 0.05, seed, *name, "decay", mode) / (1 + mode)
        sound += np.exp(-time_s / decay_s) * np.sin(2 * np.pi * hz * time_s)
    onset = _click(sample_rate, seed, *name, "onset")
    sound[: len(onset)] += 0.3 * onset
    return sound / np.max(np.abs(sound))


MAKERS = {maker.__name__.replace("_", "-"): maker for maker in (speech_shaped, pink, hum, fan, transients)}
"""Every category but babble, which needs talkers; of each a clip for every seed and name."""
