"""Panels of clips: spectrograms and sounds on one time axis, with lanes of activity and failures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pse_bench.dataset.dataset import REFERENCE_STEMS, Dataset
from pse_bench.errors import UndefinedScore
from pse_bench.io import audio
from pse_bench.metrics import leakage, oversuppression
from pse_bench.metrics.signals import frame_samples, hop_samples
from pse_bench.reporting import media
from pse_bench.reporting.media import Media
from pse_bench.schemas import Mixture
from pse_bench.signal.vad import frames_with
from pse_bench.submission import submission

QUIETEST_TOP_DB = -60.0
"""The loudest colour stands at least for this, so that silence stays dark."""
WAVE_COLUMNS = 300

Runs = list[tuple[float, float]]
"""Begin and length of each run, in per mille of the clip."""


@dataclass(frozen=True)
class Track:
    """One sound: its name, the keys of its audio and picture, and its level in dBFS. ``silent`` ones have no
    audio. ``wave`` is the outline of its samples as an SVG path, where asked for."""

    name: str
    audio: str
    picture: str
    level_dbfs: float
    silent: bool
    wave: str = ""


@dataclass(frozen=True)
class Lane:
    """The time in which something holds: ``kind`` is a class of the style sheet, ``share`` its proportion."""

    name: str
    kind: str
    runs: Runs
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
    """Mixture, estimate and reference of a mixture, with the frames in which the system failed.

    Raises InputError where the estimate cannot be read.
    """
    rate = row.sample_rate
    estimate = submission.read_estimate(folder, row).samples
    mixture = dataset.read_sound(row.mixture_path, row.num_samples) / audio.FULL_SCALE
    wanted = np.zeros_like(mixture)
    masks = activity_masks(dataset, row)
    if row.scenario != "TS3":
        stem = dataset.read_stem(row.scene_id, REFERENCE_STEMS[reference], row.num_samples)
        wanted = stem / audio.FULL_SCALE
    named = [("mixture", mixture), ("estimate", estimate), (f"reference ({reference} target)", wanted)]
    if row.scenario == "TS3":
        named[2] = ("reference: silence", wanted)
    lanes = [lane(who, who, mask) for who, mask in masks.items() if mask.any()]
    lanes += _failures(estimate, mixture, wanted, masks, rate)
    return panel(named, lanes, rate, kept)


def activity_masks(dataset: Dataset, row: Mixture) -> dict[str, np.ndarray]:
    """Activity of target and interferer in a mixture: bool masks of shape (num_samples,)."""
    active = dataset.read_activity(row.scene_id, row.num_samples)
    nobody = np.zeros_like(active["target"])
    return {
        "target": nobody if row.scenario == "TS3" else active["target"],
        "interferer": nobody if row.scenario == "TS1" else active["interferer"],
    }


def panel(
    named: Sequence[tuple[str, np.ndarray]], lanes: list[Lane], rate: int, kept: Media, waves: bool = False
) -> Panel:
    """Sounds of one length under each other; their spectrograms share the scale of colours of the loudest."""
    levels = [media.levels_db(samples, rate) for _, samples in named]
    top_db = max(QUIETEST_TOP_DB, *(float(level.max()) for level in levels))
    peak = max(float(np.abs(samples).max()) for _, samples in named) or 1.0
    tracks = []
    for (name, samples), level in zip(named, levels, strict=True):
        silent = not samples.any()
        tracks.append(
            Track(
                name,
                "" if silent else kept.keep_sound(samples, rate),
                kept.keep("image/webp", media.spectrogram(level, top_db)),
                level_dbfs(samples),
                silent,
                _wave(samples / peak) if waves else "",
            )
        )
    seconds = len(named[0][1]) / rate
    every = max(1, round(seconds / 8))
    ticks = [(100 * second / seconds, f"{second} s") for second in range(0, int(seconds) + 1, every)]
    return Panel(seconds, rate, tracks, lanes, ticks)


def level_dbfs(samples: np.ndarray) -> float:
    """Root mean square in dB relative to full scale, −inf for silence."""
    power = float(np.mean(samples**2))
    return 10 * np.log10(power) if power else -np.inf


def lane(name: str, kind: str, mask: np.ndarray) -> Lane:
    """A lane from a mask of shape (num_samples,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    scaled = np.round(1000 * edges / max(len(mask), 1), 2)
    runs = [(float(begin), float(end - begin)) for begin, end in zip(scaled[::2], scaled[1::2], strict=True)]
    return Lane(name, kind, runs, float(np.mean(mask)))


def _failures(
    estimate: np.ndarray, mixture: np.ndarray, wanted: np.ndarray, masks: dict[str, np.ndarray], rate: int
) -> list[Lane]:
    """Lanes of the over-suppressed and of the leaking frames. A frame is drawn as its middle half, which it shares
    with no other."""
    found = []
    try:
        frames = oversuppression.over_suppressed_frames(
            estimate=estimate, reference=wanted, target_active=masks["target"], sample_rate=rate
        )
        found.append(lane("over-suppressed", "lost", _over(frames.flagged & frames.active, len(mixture), rate)))
    except UndefinedScore:
        pass
    frame, hop = frame_samples(rate), hop_samples(rate)
    alone = frames_with(masks["interferer"], frame, hop) & ~frames_with(masks["target"], frame, hop, 0.0)
    if alone.any():
        leaking = leakage.leaking_frames(estimate=estimate, mixture=mixture, sample_rate=rate)
        found.append(lane("leaking", "leaking", _over(leaking & alone, len(mixture), rate)))
    return found


def _over(frames: np.ndarray, num_samples: int, rate: int) -> np.ndarray:
    frame, hop = frame_samples(rate), hop_samples(rate)
    mask = np.zeros(num_samples, dtype=bool)
    middle = np.repeat(frames, hop)
    begin = (frame - hop) // 2
    mask[begin : begin + len(middle)] = middle[: num_samples - begin]
    return mask


def _wave(samples: np.ndarray) -> str:
    """The outline of samples within ±1 as a path in a box of ``WAVE_COLUMNS`` × 40."""
    starts = np.linspace(0, len(samples), min(WAVE_COLUMNS, len(samples)), endpoint=False).astype(int)
    upper = 20 - 19 * np.maximum.reduceat(samples, starts)
    lower = 20 - 19 * np.minimum.reduceat(samples, starts)
    steps = np.linspace(0, WAVE_COLUMNS, len(starts))
    there = [f"{x:.0f} {y:.1f}" for x, y in zip(steps, upper, strict=True)]
    back = [f"{x:.0f} {y:.1f}" for x, y in zip(steps[::-1], lower[::-1], strict=True)]
    return f"M{'L'.join([*there, *back])}Z"
