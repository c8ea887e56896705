"""A dataset at a glance, so that a wrong one is seen before it is used: how its quantities are spread, who speaks,
how often clips are used, and what looks odd. Files are not compared with their hashes: ``verify`` does that."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench import plan
from pse_bench.breakdown import gender_pair
from pse_bench.dataset import Dataset
from pse_bench.grids import Grid, for_terminal
from pse_bench.pages import page
from pse_bench.pages.scales import Scale, scale_over
from pse_bench.progress import Update
from pse_bench.records import DESCRIPTIONS, Mixture, Recipe

OFF_DB = 0.1
"""How far an achieved level may lie from the asked one."""
OFF_RT60 = 0.15
LEAST_ACTIVE = 0.15
"""A target that talks for a smaller share of its clip says little."""
FEW_SPEAKERS = 10
WIDTH, HEIGHT = 340, 150
BINS = 24
MOST = 12


@dataclass(frozen=True)
class Quantity:
    """A number of every scene or mixture, and how it is spread."""

    name: str
    unit: str
    values: np.ndarray

    @property
    def quartiles(self) -> list[float]:
        """Minimum, quartiles and maximum."""
        return [float(value) for value in np.percentile(self.values, [0, 25, 50, 75, 100])]

    def plot(self) -> "Histogram":
        axis = scale_over(self.values, 10, WIDTH - 10, low=-np.inf, high=np.inf)
        counts, edges = np.histogram(
            self.values, min(BINS, 2 + round(2 * len(self.values) ** 0.5)), (axis.low, axis.high)
        )
        top = HEIGHT - 26
        places = [axis.at(edge) for edge in edges]
        bars = [
            (left, top * (1 - count / counts.max()) + 4, right - left - 1, top * count / counts.max())
            for left, right, count in zip(places, places[1:], counts, strict=False)
            if count
        ]
        return Histogram(WIDTH, HEIGHT, axis, bars, int(counts.max()))


@dataclass(frozen=True)
class Histogram:
    """Bars as x, y, width and height in pixels."""

    width: int
    height: int
    axis: Scale
    bars: list[tuple[float, float, float, float]]
    most: int


@dataclass(frozen=True)
class Overview:
    """All of a dataset. ``counts`` are by their heading how often each word occurs, the most frequent first;
    ``use`` how many clips of a kind were used how often; ``oddities`` what a person should look at."""

    mixtures: list[tuple[str, str, int]]
    quantities: list[Quantity]
    counts: dict[str, list[tuple[str, int]]]
    use: list[tuple[str, int, float, int]]
    oddities: list[str]
    header: dict[str, Any]


def overview(dataset: Dataset, progress: Update = lambda done, total: None) -> Overview:
    """Look at the tables, the plan and the labels of a dataset.

    Raises:
        InputError: they are missing or damaged.
    """
    rows = dataset.mixtures
    scenes = list({row.scene_id: row for row in sorted(rows, key=_most_complete)}.values())
    _, header, found = plan.read(dataset.folder / "plan.jsonl")
    there = {row.scene_id for row in rows}
    recipes = [recipe for recipe in found if recipe.scene_id in there]
    shares = _shares(dataset, scenes, progress)
    return Overview(
        [(label, words, sum(row.scenario == label for row in rows)) for label, words in DESCRIPTIONS.items()],
        _quantities(scenes, recipes, shares),
        _counts(scenes),
        _use(recipes),
        [*_off(rows), *_people(scenes, recipes), *_quiet(scenes, shares)],
        header,
    )


def _most_complete(row: Mixture) -> tuple[bool, str]:
    """Of a scene, the mixture that says most stands last: one with an interferer."""
    return row.num_interferers > 0, row.scenario


def _shares(
    dataset: Dataset, scenes: Sequence[Mixture], progress: Update
) -> dict[str, tuple[float, float, float]]:
    """Of each scene, the shares of the time in which the target talks, the interferer, and both."""
    found = {}
    for number, row in enumerate(scenes, 1):
        active = dataset.read_activity(row.scene_id)
        target, other = active["target"], active["interferer"]
        found[row.scene_id] = (float(target.mean()), float(other.mean()), float((target & other).mean()))
        progress(number, len(scenes))
    return found


# ---- how numbers are spread


def _quantities(
    scenes: Sequence[Mixture], recipes: Sequence[Recipe], shares: dict[str, tuple[float, float, float]]
) -> list[Quantity]:
    talking = np.array(list(shares.values())) * 100

    def of(field: str) -> list[float]:
        return [value for row in scenes if (value := getattr(row, field)) is not None]

    found = [
        ("SNR", "dB", of("snr_achieved_db")),
        ("SIR", "dB", of("sir_achieved_db")),
        ("level of the target", "dBFS", [recipe.level_dbfs for recipe in recipes]),
        ("RT60", "s", of("rt60_achieved_s")),
        ("target's distance", "m", of("target_distance_m")),
        ("interferer's distance", "m", of("interferer_distance_m")),
        ("duration", "s", [row.num_samples / row.sample_rate for row in scenes]),
        ("enrollment", "s", of("enrollment_s")),
        ("target talks", "% of the time", talking[:, 0]),
        ("interferer talks", "% of the time", talking[:, 1]),
        ("both talk", "% of the time", talking[:, 2]),
        ("scene gain", "dB", of("scene_gain_db")),
    ]
    return [Quantity(name, unit, np.asarray(values, float)) for name, unit, values in found if len(values)]


def _counts(scenes: Sequence[Mixture]) -> dict[str, list[tuple[str, int]]]:
    def ranked(words: Iterable[str]) -> list[tuple[str, int]]:
        return Counter(words).most_common()

    return {
        "target speakers": ranked(row.target_speaker for row in scenes),
        "interferers": ranked(name for row in scenes for name in row.interferer_speaker.split(";") if name),
        "genders, target–interferer": ranked(gender_pair(row) or "not given" for row in scenes),
        "noise": ranked(row.noise_category or "not given" for row in scenes),
        "enrollment": ranked(f"{row.enrollment_condition}, {row.enrollment_source}" for row in scenes),
        "interferers in a scene": ranked(str(row.num_interferers) for row in scenes),
        "rooms": ranked(row.room_id for row in scenes),
    }


def _use(recipes: Sequence[Recipe]) -> list[tuple[str, int, float, int]]:
    """Of each kind of clip: how many different ones, how often one is used on average, and at most."""
    kinds: dict[str, Callable[[Recipe], Iterable[str]]] = {
        "target utterances": lambda recipe: {segment.clip_id for segment in recipe.target.segments},
        "interferer utterances": lambda recipe: {
            s.clip_id for talker in recipe.interferers for s in talker.segments
        },
        "noise clips": lambda recipe: [recipe.noise.segment.clip_id],
        "enrollment utterances": lambda recipe: {segment.clip_id for segment in recipe.enrollment.segments},
        "rooms": lambda recipe: [recipe.room.room_id],
    }
    found = []
    for name, clips in kinds.items():
        counted = Counter(clip for recipe in recipes for clip in clips(recipe))
        if counted:
            found.append((name, len(counted), counted.total() / len(counted), max(counted.values())))
    return found


# ---- what looks odd


def _off(rows: Sequence[Mixture]) -> list[str]:
    """Levels and rooms that are not what was asked for."""
    found = []
    for name, unit, least, off in (
        ("SNR", "dB", OFF_DB, lambda row: _distance(row.snr_achieved_db, row.snr_db)),
        ("SIR", "dB", OFF_DB, lambda row: _distance(row.sir_achieved_db, row.sir_db)),
        ("RT60", "", OFF_RT60, lambda row: _distance(row.rt60_achieved_s, row.rt60_s) / max(row.rt60_s, 1e-9)),
    ):
        worst = max(rows, key=off)
        count = sum(off(row) > least for row in rows)
        if count:
            size = f"{off(worst):.2f} {unit}" if unit else f"{100 * off(worst):.0f} %"
            found.append(
                f"{name}: {count} of {len(rows)} mixtures are off what was asked, {worst.mixture_id} by {size}"
            )
    return found


def _distance(one: float | None, other: float | None) -> float:
    return 0.0 if one is None or other is None else abs(one - other)


def _people(scenes: Sequence[Mixture], recipes: Sequence[Recipe]) -> list[str]:
    found = []
    targets = Counter(row.target_speaker for row in scenes)
    if len(targets) < FEW_SPEAKERS:
        found.append(
            f"{len(targets)} target speakers: intervals rest on speakers, and are a hint below {FEW_SPEAKERS}"
        )
    name, most = targets.most_common(1)[0]
    if len(targets) > 1 and most > 3 * len(scenes) / len(targets):
        found.append(f"{name} is the target of {most} of {len(scenes)} scenes; figures are mostly theirs")
    alone = [row.scene_id for row in scenes if row.target_speaker in row.interferer_speaker.split(";")]
    if alone:
        found.append(f"{alone[0]}{_more(alone)}: the target is also an interferer")
    enrolled = [
        recipe.scene_id
        for recipe in recipes
        if {(s.clip_id, s.start) for s in recipe.enrollment.segments}
        & {(s.clip_id, s.start) for s in recipe.target.segments}
    ]
    if enrolled:
        found.append(f"{enrolled[0]}{_more(enrolled)}: enrolled with what is said in the scene")
    both = set(targets) & {name for row in scenes for name in row.interferer_speaker.split(";")}
    if both and len(both) < len(targets):
        found.append(
            f"{len(both)} of {len(targets)} target speakers are interferers in other scenes, the rest are not"
        )
    silent = [row.scene_id for row in scenes if not row.text]
    if silent and len(silent) < len(scenes):
        found.append(f"{silent[0]}{_more(silent)}: no transcript, while others have one")
    return found


def _quiet(scenes: Sequence[Mixture], shares: dict[str, tuple[float, float, float]]) -> list[str]:
    found = []
    little = [row.scene_id for row in scenes if shares[row.scene_id][0] < LEAST_ACTIVE]
    if little:
        found.append(
            f"{little[0]}{_more(little)}: the target talks for less than {100 * LEAST_ACTIVE:.0f} % of the time"
        )
    mute = [row.scene_id for row in scenes if row.num_interferers and not shares[row.scene_id][1]]
    if mute:
        found.append(f"{mute[0]}{_more(mute)}: the interferer is never heard")
    return found


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


# ---- as a page, and as text


def write(dataset: Dataset, found: Overview, out: Path) -> int:
    """Write the page; its size in bytes."""
    about = dataset.description
    return page.write(
        out,
        "dataset.html",
        title=f"Dataset {about.name}-v{about.version}",
        about=about,
        found=found,
        scenario=page.as_yaml(found.header["scenario"]),
        most=MOST,
        media={},
    )


def terminal(dataset: Dataset, found: Overview) -> str:
    """The overview for a terminal."""
    about = dataset.description
    spread = [
        [f"{q.name} ({q.unit})", str(len(q.values)), *(f"{value:.2f}" for value in q.quartiles)]
        for q in found.quantities
    ]
    words = [[name, str(len(items)), _listed(items)] for name, items in found.counts.items()]
    use = [[name, str(clips), f"{mean:.1f}", str(most)] for name, clips, mean, most in found.use]
    grids = [
        Grid("How quantities are spread", ["", "scenes", "least", "25 %", "median", "75 %", "most"], spread),
        Grid("Who and what", ["", "different", "the most frequent"], words),
        Grid("Use of clips", ["", "different", "scenes each", "at most"], use),
    ]
    counts = ", ".join(f"{count} {label}" for label, _, count in found.mixtures)
    head = (
        f"{dataset.folder}: {about.name}-v{about.version}, {about.scenes} scenes, {about.mixtures} mixtures "
        f"({counts})\n"
        f"fingerprint {about.fingerprint[:12]}, {about.sample_rate} Hz, {about.reference} reference\n"
    )
    foot = "\n".join(f"look at: {line}" for line in found.oddities) or "nothing looks odd"
    return f"{head}{for_terminal(grids, None)}{foot}"


def _listed(items: Sequence[tuple[str, int]], most: int = 5) -> str:
    shown = ", ".join(f"{word} ({count})" for word, count in items[:most])
    return shown + (f" and {len(items) - most} more" if len(items) > most else "")
