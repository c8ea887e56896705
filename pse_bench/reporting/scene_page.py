"""One scene of a dataset: spectrograms and sound of its mixtures and stems, activity, and levels."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io.tables import Grid, for_terminal
from pse_bench.registry import nearest
from pse_bench.reporting import html
from pse_bench.reporting.clip_panel import Media, Panel, lane, panel
from pse_bench.schemas import Mixture
from pse_bench.signal.vad import active_power, power_db

STEMS = {
    "target": "target (reverberant)",
    "target_early": "target (early)",
    "interferer": "interferer",
    "noise": "noise",
}
COLUMNS = 72
"""Characters of a lane in a terminal."""


class Level(NamedTuple):
    """Levels of a sound in dBFS: root mean square over all of it and over the time in which its talker is active,
    and the peak. Silence has −200."""

    name: str
    whole_dbfs: float
    active_dbfs: float | None
    peak_dbfs: float


@dataclass(frozen=True)
class Scene:
    """Levels of all sounds, the panel of what is as long as the scene, that of the enrollment, and the scene's
    properties as pairs of name and value."""

    levels: list[Level]
    panel: Panel
    enrollment: Panel
    properties: list[tuple[str, str]]


def scene(dataset: Dataset, scene_id: str, kept: Media) -> Scene:
    """Read one scene. Raises InputError where there is none, or one of its files is missing or changed."""
    rows = [row for row in dataset.mixtures if row.scene_id == scene_id]
    if not rows:
        known = sorted({row.scene_id for row in dataset.mixtures})
        near = nearest(scene_id, known)
        hint = f"did you mean {near!r}?" if near else f"there are {known[0]} to {known[-1]}"
        raise InputError(f"{dataset.folder}: no scene {scene_id!r}; {hint}")
    fullest = max(rows, key=lambda row: (row.num_interferers, row.scenario == "TS2"))
    length, rate = fullest.num_samples, fullest.sample_rate
    active = dataset.read_activity(scene_id, length)
    sounds = {f"mixture {row.scenario}": dataset.read_sound(row.mixture_path, length) for row in rows}
    there = {stem: name for stem, name in STEMS.items() if dataset.stem_path(scene_id, stem).is_file()}
    sounds |= {name: dataset.read_stem(scene_id, stem, length) for stem, name in there.items()}
    sounds = {name: sound.astype(np.float64) for name, sound in sounds.items()}
    enrollment = {"enrollment": dataset.read_sound(fullest.enrollment_path).astype(np.float64)}
    masks = {name: active[stem.split("_")[0]] for stem, name in there.items() if stem != "noise"}
    lanes = [lane(who, who, mask) for who, mask in active.items()]
    levels = []
    for name, samples in (sounds | enrollment).items():
        mask = masks.get(name, np.zeros(1, bool))
        talking = power_db(active_power(samples, mask)) if mask.any() else None
        peak = float(np.abs(samples).max())
        levels.append(Level(name, power_db(float(np.mean(samples**2))), talking, power_db(peak**2)))
    return Scene(
        levels,
        panel(sounds, lanes, rate, kept, waves=True),
        panel(enrollment, [], rate, kept, waves=True),
        _properties(fullest, active),
    )


def _properties(row: Mixture, active: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    def number(value: float | None, unit: str) -> str:
        return "none" if value is None else f"{value:.2f} {unit}"

    def share(mask: np.ndarray) -> str:
        return f"{100 * float(mask.mean()):.0f} % of the time"

    return [
        ("target", f"{row.target_speaker} ({row.target_gender or 'gender not given'})"),
        ("interferer", row.interferer_speaker and f"{row.interferer_speaker} ({row.interferer_gender})"),
        ("noise", f"{row.noise_id} ({row.noise_category})"),
        ("SIR", f"{number(row.sir_achieved_db, 'dB')}, asked {number(row.sir_db, 'dB')}"),
        ("SNR", f"{number(row.snr_achieved_db, 'dB')}, asked {number(row.snr_db, 'dB')}"),
        ("RT60", f"{number(row.rt60_achieved_s, 's')}, asked {number(row.rt60_s, 's')}"),
        ("room", row.room_id),
        ("distances", f"{number(row.target_distance_m, 'm')}, {number(row.interferer_distance_m, 'm')}"),
        ("duration", f"{row.num_samples / row.sample_rate:.2f} s at {row.sample_rate} Hz"),
        ("enrollment", f"{row.enrollment_s:.2f} s, {row.enrollment_condition}, {row.enrollment_source}"),
        ("target talks", share(active["target"])),
        ("interferer talks", share(active["interferer"])),
        ("both talk", share(active["target"] & active["interferer"])),
        ("gain of the scene", f"{row.scene_gain_db:.2f} dB"),
        ("target says", row.text),
        ("interferer says", row.interferer_text),
    ]


def write(dataset: Dataset, scene_id: str, found: Scene, kept: Media, out: Path) -> int:
    """Write the page; its size in bytes."""
    return html.write(
        out, "scene.html", title=f"Scene {scene_id}", about=dataset.description, found=found, media=kept.uris
    )


def terminal(scene_id: str, found: Scene) -> str:
    """The scene for a terminal: properties, levels, and activity."""
    width = max(len(name) for name, _ in found.properties)
    properties = [f"{name:{width}}  {value}" for name, value in found.properties if value]
    levels = [[name, *("" if db is None else f"{db:.1f}" for db in dbs)] for name, *dbs in found.levels]
    grid = Grid("Levels in dBFS", ["", "whole", "where active", "peak"], levels)
    lanes = []
    for one in found.panel.lanes:
        bar = np.full(COLUMNS, "·")
        for begin, length in one.runs:
            first, last = int(begin * COLUMNS / 1000), int((begin + length) * COLUMNS / 1000)
            bar[first : max(last, first + 1)] = "█"
        lanes.append(f"{one.name:{width}}  {''.join(bar)}")
    return "\n".join([scene_id, *properties, "", for_terminal([grid]).rstrip(), *lanes])
