"""What a microphone, gain control, a codec and a network do to a mixture.

Everything is aligned to the sample: filters have no phase, resampling has linear phase and is compensated, and so
is what a coder delays. So stems and labels stay valid.
"""

import io
from typing import Any

import numpy as np
import soundfile

from pse_bench.io import audio
from pse_bench.schemas import PACKET_S, Channel
from pse_bench.signal.filters import butterworth, zero_phase

TILT_HZ = (100.0, 1000.0)
"""A tilt turns about the second frequency and ends below the first."""
NARROW_HZ = 3800.0
TELEPHONE_HZ = (300.0, 3400.0)
LAWS_HZ = 8000
OPUS_HZ = (8000, 16000, 48000)
WIDEBAND_KBPS = 32.0
"""Below that, opus codes 8 kHz of sound at most, and above 16 kHz of sampling is not aligned to the sample."""
OPUS_KBPS = (6.0, 256.0)
"""The bit rates that libsndfile's compression levels 1 and 0 stand for."""
SUBTYPES = {"mu-law": "ULAW", "a-law": "ALAW", "gsm": "GSM610"}
LEVEL_DBFS = -23.0
MOST_GAIN_DB = 20.0
SLOW_S, FAST_S, STEP_S = 1.0, 0.05, 0.010
"""Gain control: how long it takes to follow a level that falls, and one that rises; how often it looks."""
FLOOR_DBFS = -60.0
REPEATED = 0.5
"""Each further repetition of a packet has half the amplitude."""
PEAK = 0.98


def received(mixture: np.ndarray, channel: Channel | None, sample_rate: int) -> np.ndarray:
    """An integer mixture, or enrollment, as it is stored: int16, the same where there is no channel."""
    if channel is None:
        return mixture
    return audio.to_pcm16(apply(mixture / audio.FULL_SCALE, channel, sample_rate))


def apply(mixture: np.ndarray, channel: Channel, sample_rate: int) -> np.ndarray:
    """A mixture through a channel: float64 of full scale ±1, shape (num_samples,), none beyond ``PEAK``. The
    given one is not changed."""
    sound = np.array(mixture, dtype=np.float64)
    if channel.microphone_tilt_db:
        sound = tilt(sound, channel.microphone_tilt_db, sample_rate)
    if channel.gain_control == "automatic":
        sound = sound * gains(sound, sample_rate)
    if channel.clipping:
        sound = clip(sound, channel.clipping)
    sound = limit_band(sound, channel.band, sample_rate)
    if channel.codec != "none":
        sound = encode(sound, channel.codec, channel.bitrate_kbps, sample_rate)
    if channel.lost:
        sound = conceal(sound, channel.lost, sample_rate, repeat=channel.concealment == "repetition")
    return sound * min(1.0, PEAK / max(float(np.abs(sound).max()), 1e-9))


def tilt(sound: np.ndarray, db_per_octave: float, sample_rate: int) -> np.ndarray:
    """The sound with a spectrum that rises by so many dB an octave about 1 kHz; flat below 100 Hz."""
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(len(sound) + sample_rate // 4, real=True)  # the tail of the response does not come round
    frequency = np.arange(size // 2 + 1) * sample_rate / size
    low, centre = TILT_HZ
    response = 10 ** (db_per_octave * np.log2(np.maximum(frequency, low) / centre) / 20)
    return irfft(rfft(sound, size) * response, size)[: len(sound)]


def gains(sound: np.ndarray, sample_rate: int) -> np.ndarray:
    """The gain of each sample that an automatic control applies: the level, followed quickly where it rises and
    slowly where it falls, is brought to ``LEVEL_DBFS``, by at most ``MOST_GAIN_DB`` either way."""
    step = audio.seconds_to_samples(STEP_S, sample_rate)
    count = -(-len(sound) // step)
    power = np.square(np.pad(sound, (0, count * step - len(sound)))).reshape(count, step).mean(axis=1)
    rising, falling = (1 - np.exp(-STEP_S / time_s) for time_s in (FAST_S, SLOW_S))
    followed, level = [], float(power[0])
    for new in power.tolist():
        level += (rising if new > level else falling) * (new - level)
        followed.append(level)
    level_db = np.maximum(10 * np.log10(np.maximum(followed, 1e-12)), FLOOR_DBFS)
    gain = 10 ** (np.clip(LEVEL_DBFS - level_db, -MOST_GAIN_DB, MOST_GAIN_DB) / 20)
    # what is known at the end of a step holds for the next one
    return np.interp(np.arange(len(sound)), step * np.arange(1, count + 1), gain)


def clip(sound: np.ndarray, share: float) -> np.ndarray:
    """The sound with that share of its samples at the limit."""
    limit = np.quantile(np.abs(sound), 1 - share)
    return np.clip(sound, -limit, limit)


def limit_band(sound: np.ndarray, band: str, sample_rate: int) -> np.ndarray:
    """The sound in the band of a telephone (300 to 3,400 Hz), of a narrow-band call, or as it is."""
    if band == "telephone":
        return zero_phase(butterworth(TELEPHONE_HZ, "bandpass", sample_rate), sound, _padding(sound, sample_rate))
    if band == "narrow" and sample_rate / 2 > NARROW_HZ:
        return zero_phase(butterworth(NARROW_HZ, "lowpass", sample_rate), sound, _padding(sound, sample_rate))
    return sound


def _padding(sound: np.ndarray, sample_rate: int) -> int:
    return min(sample_rate // 20, len(sound) - 1)


def encode(sound: np.ndarray, codec: str, bitrate_kbps: float | None, sample_rate: int) -> np.ndarray:
    """The sound after coding and decoding, by libsndfile: ``opus`` at a bit rate, GSM 06.10 and the logarithmic
    laws of G.711 at 8 kHz. As long as before, and aligned."""
    rate, container = LAWS_HZ, "WAV"
    options: dict[str, Any] = {"subtype": SUBTYPES.get(codec)}
    if codec == "opus":
        low, high = OPUS_KBPS
        kbps = float(bitrate_kbps or low)
        rates = [rate for rate in OPUS_HZ if kbps >= WIDEBAND_KBPS or rate <= 16_000]
        rate = next((rate for rate in rates if rate >= sample_rate), rates[-1])
        share = (high - kbps) / (high - low)
        container, options = "OGG", {"subtype": "OPUS", "compression_level": min(max(share, 0.0), 1.0)}
    own = audio.resample(sound, sample_rate, rate)
    stream = io.BytesIO()
    soundfile.write(stream, np.clip(own, -1.0, 1.0), rate, format=container, **options)
    stream.seek(0)
    decoded = soundfile.read(stream, dtype="float64")[0]
    decoded = np.pad(decoded, (0, max(0, len(own) - len(decoded))))[: len(own)]
    return audio.resample(decoded, rate, sample_rate)[: len(sound)]


def conceal(sound: np.ndarray, lost: list[tuple[int, int]], sample_rate: int, *, repeat: bool) -> np.ndarray:
    """The sound without its lost packets: silence in their place, or the last packet that came, softer each time
    it is repeated."""
    packet = audio.seconds_to_samples(PACKET_S, sample_rate)
    found = sound.copy()
    for first, count in lost:
        last = sound[max(0, first - 1) * packet : first * packet]
        for number in range(count):
            place = found[(first + number) * packet : (first + number + 1) * packet]
            place[:] = last[: len(place)] * REPEATED**number if repeat and first else 0.0
    return found
