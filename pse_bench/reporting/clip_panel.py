"""Panels of clips: spectrograms and sounds on one time axis, with lanes of activity and failures. What is seen and
heard is kept inside the page, each once as a data URI, and loaded when it is looked at."""

import base64
import hashlib
import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from pse_bench.dataset.dataset import ABSENT, REFERENCE_STEMS, Dataset
from pse_bench.errors import UndefinedScore
from pse_bench.metrics import leakage, oversuppression
from pse_bench.metrics.signals import frame_samples, hop_samples
from pse_bench.schemas import Mixture
from pse_bench.signal.vad import frames_with, power_db
from pse_bench.submission import submission

FRAME_S, HOP_S = 0.032, 0.016
ROWS = 128
MOST_COLUMNS = 640
RANGE_DB = 75.0
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
COLOURS = np.array(
    [(2, 3, 18), (44, 17, 94), (114, 31, 129), (183, 55, 121), (241, 96, 93), (254, 176, 120), (252, 253, 200)]
)
"""Colours from nothing to the loudest: dark violet, red, pale yellow; lightness grows evenly."""
QUIETEST_TOP_DB = -60.0
"""The loudest colour stands at least for this, so that silence stays dark."""
WAVE_COLUMNS = 300

# ---- inside the page


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
    """Media type and bytes of a sound, shape (num_samples,), as MP3, which every browser plays; FLAC at a rate
    that MP3 does not have. Its level is left as it is; beyond full scale, ±1, it is cut off."""
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
    columns, bins = min(len(power), MOST_COLUMNS), power.shape[1] - 1
    across = np.linspace(0, len(power), columns, endpoint=False).astype(int)
    upwards = np.linspace(0, bins, min(ROWS, bins), endpoint=False).astype(int)
    power = np.add.reduceat(power, across, axis=0) / np.diff([*across, len(power)])[:, None]
    power = np.add.reduceat(power[:, :-1], upwards, axis=1) / np.diff([*upwards, bins])[None, :]
    return 10 * np.log10(np.maximum(power.T[::-1], 1e-14))


def spectrogram(levels: np.ndarray, top_db: float) -> bytes:
    """WebP picture of ``levels_db``; black from ``RANGE_DB`` below ``top_db`` on."""
    from PIL import Image

    places = np.clip((levels - top_db) / RANGE_DB + 1, 0, 1)
    steps = np.linspace(0, 1, len(COLOURS))
    colours = np.stack([np.interp(places, steps, channel) for channel in COLOURS.T], axis=-1)
    stream = io.BytesIO()
    Image.fromarray(colours.round().astype(np.uint8)).save(stream, "WEBP", quality=60, method=2)
    return stream.getvalue()


# ---- panels


@dataclass(frozen=True)
class Track:
    """One sound: its name, the keys of its audio and picture, and its level in dBFS. What is silent has no
    audio. ``wave`` is the outline of its samples as an SVG path, where asked for."""

    name: str
    audio: str
    picture: str
    level_dbfs: float
    wave: str


@dataclass(frozen=True)
class Lane:
    """The time in which something holds: ``kind`` is a class of the style sheet, ``runs`` begin and length of each
    run in per mille of the clip, ``share`` their proportion."""

    name: str
    kind: str
    runs: list[tuple[float, float]]
    share: float


@dataclass(frozen=True)
class Panel:
    """Tracks and lanes on one time axis; ``ticks`` are whole seconds with their places in per cent."""

    seconds: float
    sample_rate: int
    tracks: list[Track]
    lanes: list[Lane]
    ticks: list[tuple[float, str]]


def estimate_panel(dataset: Dataset, row: Mixture, folder: Path, reference: str, kept: Media) -> Panel:
    """Mixture, estimate and reference of a mixture, with the frames in which the system failed. Raises InputError
    where the estimate cannot be read."""
    estimate = submission.read_estimate(folder, row).samples
    mixture = dataset.read_sound(row.mixture_path, row.num_samples).astype(np.float64)
    absent = ABSENT.get(row.scenario)
    active = dataset.read_activity(row.scene_id, row.num_samples)
    masks = {who: mask & (who != absent) for who, mask in active.items()}
    if reference not in REFERENCE_STEMS or row.scenario == "TS3":
        name, wanted = "reference: silence", np.zeros_like(mixture)
    else:
        name = f"reference ({reference} target)"
        wanted = dataset.read_stem(row.scene_id, REFERENCE_STEMS[reference], row.num_samples).astype(np.float64)
    lanes = [lane(who, who, mask) for who, mask in masks.items() if mask.any()]
    lanes += _failures(estimate, mixture, wanted, masks, row.sample_rate)
    beside = {name: wanted} if reference in REFERENCE_STEMS else {}
    return panel({"mixture": mixture, "estimate": estimate, **beside}, lanes, row.sample_rate, kept)


def panel(
    sounds: Mapping[str, np.ndarray], lanes: list[Lane], rate: int, kept: Media, waves: bool = False
) -> Panel:
    """Sounds of one length under each other; their spectrograms share the scale of colours of the loudest."""
    levels = [levels_db(samples, rate) for samples in sounds.values()]
    top_db = max(QUIETEST_TOP_DB, *(float(level.max()) for level in levels))
    peak = max(float(np.abs(samples).max()) for samples in sounds.values()) or 1.0
    tracks = []
    for (name, samples), level in zip(sounds.items(), levels, strict=True):
        sound = kept.keep_sound(samples, rate) if samples.any() else ""
        picture = kept.keep("image/webp", spectrogram(level, top_db))
        wave = _wave(samples / peak) if waves else ""
        tracks.append(Track(name, sound, picture, power_db(float(np.mean(samples**2))), wave))
    seconds = len(samples) / rate
    every = max(1, round(seconds / 8))
    ticks = [(100 * second / seconds, f"{second} s") for second in range(0, int(seconds) + 1, every)]
    return Panel(seconds, rate, tracks, lanes, ticks)


def lane(name: str, kind: str, mask: np.ndarray) -> Lane:
    """A lane from a mask of shape (num_samples,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    scaled = np.round(1000 * edges / max(len(mask), 1), 2)
    runs = [(float(begin), float(end - begin)) for begin, end in scaled.reshape(-1, 2)]
    return Lane(name, kind, runs, float(np.mean(mask)))


def _failures(
    estimate: np.ndarray, mixture: np.ndarray, wanted: np.ndarray, masks: dict[str, np.ndarray], rate: int
) -> list[Lane]:
    """Lanes of the over-suppressed and of the leaking frames."""
    found = {}
    with suppress(UndefinedScore):
        frames = oversuppression.over_suppressed_frames(
            estimate=estimate, reference=wanted, target_active=masks["target"], sample_rate=rate
        )
        found["over-suppressed"] = ("lost", frames.flagged & frames.active)
    frame, hop = frame_samples(rate), hop_samples(rate)
    alone = frames_with(masks["interferer"], frame, hop) & ~frames_with(masks["target"], frame, hop, 0.0)
    if alone.any():
        leaking = leakage.leaking_frames(estimate=estimate, mixture=mixture, sample_rate=rate)
        found["leaking"] = ("leaking", leaking & alone)
    begin = (frame - hop) // 2  # a frame is drawn as its middle half, which it shares with no other
    lanes = []
    for name, (kind, flags) in found.items():
        mask = np.zeros(len(mixture), dtype=bool)
        middle = np.repeat(flags, hop)
        mask[begin : begin + len(middle)] = middle[: len(mixture) - begin]
        lanes.append(lane(name, kind, mask))
    return lanes


def _wave(samples: np.ndarray) -> str:
    """The outline of samples within ±1 as a path in a box of ``WAVE_COLUMNS`` × 40."""
    starts = np.linspace(0, len(samples), min(WAVE_COLUMNS, len(samples)), endpoint=False).astype(int)
    upper, lower = (20 - 19 * edge.reduceat(samples, starts) for edge in (np.maximum, np.minimum))
    steps = np.linspace(0, WAVE_COLUMNS, len(starts))
    outline = zip(np.concatenate([steps, steps[::-1]]), np.concatenate([upper, lower[::-1]]), strict=True)
    return f"M{'L'.join(f'{x:.0f} {y:.1f}' for x, y in outline)}Z"
