"""Sound and pictures inside a page: each kept once, as a data URI, and loaded when it is looked at."""

import base64
import hashlib
import io
from dataclasses import dataclass, field

import numpy as np
import soundfile

FRAME_S, HOP_S = 0.032, 0.016
ROWS = 128
MOST_COLUMNS = 640
RANGE_DB = 75.0
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
ANCHORS = (
    (2, 3, 18),
    (44, 17, 94),
    (114, 31, 129),
    (183, 55, 121),
    (241, 96, 93),
    (254, 176, 120),
    (252, 253, 200),
)
"""Colours from nothing to the loudest: dark violet, red, pale yellow; lightness grows evenly."""


@dataclass
class Media:
    """Data URIs by key; ``budget`` is how many characters they should have in all, None for any number."""

    budget: int | None = None
    uris: dict[str, str] = field(default_factory=dict)
    _sounds: dict[str, str] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether the budget is exceeded."""
        return self.budget is not None and sum(map(len, self.uris.values())) > self.budget

    def keep(self, kind: str, content: bytes) -> str:
        """The key of a file, which is kept once however often it is shown."""
        key = hashlib.sha256(content).hexdigest()[:16]
        self.uris.setdefault(key, data_uri(kind, content))
        return key

    def keep_sound(self, samples: np.ndarray, sample_rate: int) -> str:
        """The key of a sound, which is encoded once."""
        digest = hashlib.sha256(samples.tobytes()).hexdigest()
        if digest not in self._sounds:
            self._sounds[digest] = self.keep(*encode_sound(samples, sample_rate))
        return self._sounds[digest]


def data_uri(kind: str, content: bytes) -> str:
    """The data URI of a file of a media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def encode_sound(samples: np.ndarray, sample_rate: int) -> tuple[str, bytes]:
    """Media type and bytes of a sound as MP3, which every browser plays; FLAC at a rate that MP3 does not have.
    Its level is left as it is; beyond full scale it is cut off.

    Args:
        samples: shape (num_samples,), full scale ±1.
    """
    stream = io.BytesIO()
    form, kind = ("MP3", "audio/mpeg") if sample_rate in MP3_RATES else ("FLAC", "audio/flac")
    soundfile.write(stream, np.clip(samples, -1.0, 1.0), sample_rate, format=form)
    return kind, stream.getvalue()


def levels_db(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Spectrogram in dB, shape (ROWS, num_columns), highest frequency first: at most ``MOST_COLUMNS`` columns,
    each the mean power of the frames in it. A full-scale sine has about 0 dB."""
    frame, hop = round(FRAME_S * sample_rate), round(HOP_S * sample_rate)
    padded = np.pad(samples, (frame // 2, frame))
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[: len(samples) : hop]
    window = np.hanning(frame)
    power = np.abs(np.fft.rfft(frames * window, axis=-1) / (0.5 * window.sum())) ** 2
    columns = min(len(power), MOST_COLUMNS)
    bins = power.shape[1] - 1
    across = np.linspace(0, len(power), columns, endpoint=False).astype(int)
    upwards = np.linspace(0, bins, min(ROWS, bins), endpoint=False).astype(int)
    power = np.add.reduceat(power, across, axis=0) / np.diff([*across, len(power)])[:, None]
    power = np.add.reduceat(power[:, :-1], upwards, axis=1) / np.diff([*upwards, bins])[None, :]
    return 10 * np.log10(np.maximum(power.T[::-1], 1e-14))


def spectrogram(levels: np.ndarray, top_db: float) -> bytes:
    """WebP picture of ``levels_db``; black from ``RANGE_DB`` below ``top_db`` on."""
    from PIL import Image

    places = np.clip((levels - top_db) / RANGE_DB + 1, 0, 1)
    steps = np.linspace(0, 1, len(ANCHORS))
    colours = np.stack([np.interp(places, steps, [c[n] for c in ANCHORS]) for n in range(3)], axis=-1)
    stream = io.BytesIO()
    Image.fromarray(colours.round().astype(np.uint8)).save(stream, "WEBP", quality=60, method=2)
    return stream.getvalue()
