"""Overview of a dataset, so that a wrong one is seen before it is used: distributions of its quantities, speakers,
use of clips, and anomalies. Files are not compared with their hashes: ``verify`` does that."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from pse_bench.dataset.dataset import Dataset
from pse_bench.dataset.groups import gender_pair
from pse_bench.io.tables import Grid, for_terminal
from pse_bench.planning import plan
from pse_bench.reporting import html, plot
from pse_bench.reporting.html import element
from pse_bench.reporting.tables import FEW_SPEAKERS
from pse_bench.runtime.progress import Update, no_progress
from pse_bench.schemas import DESCRIPTIONS, Enrollment, Mixture, Recipe, Talker

WIDTH, HEIGHT, KIND = 340, 150, "plot bars c0"
BINS = 24
MOST = 12
OFF_DB = 0.1
"""How far an achieved level may lie from the asked one."""
OFF_RT60 = 0.15
LEAST_ACTIVE = 0.15
"""A target that is active for a smaller share of its clip is an anomaly."""

ActiveShares = dict[str, tuple[float, float, float]]
"""By scene, the shares of its time in which the target talks, the interferer, and both."""


@dataclass(frozen=True)
class Quantity:
    """A quantity of every scene, and its distribution."""

    name: str
    unit: str
    values: np.ndarray

    @property
    def quartiles(self) -> list[float]:
        """Minimum, quartiles and maximum."""
        return [float(value) for value in np.percentile(self.values, [0, 25, 50, 75, 100])]

    def figure(self) -> Markup:
        """A histogram with its quartiles in words."""
        axis = plot.axis_over(self.values, 10, WIDTH - 10)
        bins = min(BINS, 2 + round(2 * len(self.values) ** 0.5))
        counts, edges = np.histogram(self.values, bins, (axis.low, axis.high))
        top, places = HEIGHT - 26, [axis.at(edge) for edge in edges]
        heights = [float(height) for height in top * counts / counts.max()]
        bars = [
            element("rect", x=left, y=top - height + 4, width=right - left - 1, height=height)
            for left, right, height in zip(places, places[1:], heights, strict=False)
            if height
        ]
        least, first, median, third, most = (f"{value:.2f}" for value in self.quartiles)
        label = f"{self.name} of {len(self.values)} scenes: {least} to {most} {self.unit}, median {median}"
        within = f"median {median}, half within {first} … {third}, all within {least} … {most}"
        ticks = plot.x_grid(axis, 4, HEIGHT - 22, HEIGHT - 6)
        return plot.figure(
            element("strong", self.name) + " " + element("span", self.unit, class_="unit"),
            plot.svg((WIDTH, HEIGHT), ticks, *bars, kind=KIND, label=label),
            element("p", f"{within}; at most {counts.max()} scenes a bar", class_="unit"),
        )


@dataclass(frozen=True)
class Overview:
    """All of a dataset. ``counts`` are by their heading how often each word occurs, the most frequent first;
    ``use`` how many clips of a kind were used how often; ``anomalies`` what a person should look at."""

    mixtures: list[tuple[str, str, int]]
    quantities: list[Quantity]
    counts: dict[str, list[tuple[str, int]]]
    use: list[tuple[str, int, float, int]]
    anomalies: list[str]
    header: dict[str, Any]


def overview(dataset: Dataset, progress: Update = no_progress) -> Overview:
    """Summarise the tables, the plan and the labels of a dataset. Raises InputError where one is damaged."""
    rows = dataset.mixtures
    # of each scene the most complete mixture: one with an interferer comes last
    ordered = sorted(rows, key=lambda row: (row.num_interferers > 0, row.scenario))
    scenes = list({row.scene_id: row for row in ordered}.values())
    _, header, found = plan.read(dataset.folder / "plan.jsonl")
    there = {row.scene_id for row in rows}
    recipes = [recipe for recipe in found if recipe.scene_id in there]
    shares = {}
    for number, row in enumerate(scenes, 1):
        active = dataset.read_activity(row.scene_id, row.num_samples)
        target, other = active["target"], active["interferer"]
        shares[row.scene_id] = (float(target.mean()), float(other.mean()), float((target & other).mean()))
        progress(number, len(scenes))
    return Overview(
        [(label, words, sum(row.scenario == label for row in rows)) for label, words in DESCRIPTIONS.items()],
        _quantities(scenes, recipes, shares),
        _counts(scenes),
        _use(recipes),
        [*_off(rows), *_anomalies(scenes, recipes, shares)],
        header,
    )


# ---- how numbers are spread


def _quantities(scenes: Sequence[Mixture], recipes: Sequence[Recipe], shares: ActiveShares) -> list[Quantity]:
    talking = np.array(list(shares.values())) * 100

    def of(field: str) -> list[float]:
        return [value for row in scenes if (value := getattr(row, field)) is not None]

    found: list[tuple[str, str, Sequence[float] | np.ndarray]] = [
        ("SNR", "dB", of("snr_achieved_db")),
        ("SIR", "dB", of("sir_achieved_db")),
        (
            "level of the target",
            "dBFS",
            [recipe.level_dbfs for recipe in recipes if recipe.level_dbfs is not None],
        ),
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
    words: dict[str, Iterable[str]] = {
        "target speakers": (row.target_speaker for row in scenes),
        "interferers": (name for row in scenes for name in row.interferer_speaker.split(";") if name),
        "genders, target–interferer": (gender_pair(row) or "not given" for row in scenes),
        "noise": (row.noise_category or "not given" for row in scenes),
        "enrollment": (f"{row.enrollment_condition}, {row.enrollment_source}" for row in scenes),
        "interferers in a scene": (str(row.num_interferers) for row in scenes),
        "rooms": (row.room_id for row in scenes),
    }
    return {heading: Counter(found).most_common() for heading, found in words.items()}


def _use(recipes: Sequence[Recipe]) -> list[tuple[str, int, float, int]]:
    """For each kind of clip: the number of different ones, and the mean and greatest number of uses."""
    kinds: dict[str, Callable[[Recipe], Iterable[str]]] = {
        "target utterances": lambda recipe: {segment.clip_id for segment in recipe.target.segments},
        "interferer utterances": lambda recipe: {s.clip_id for who in recipe.interferers for s in who.segments},
        "noise clips": lambda recipe: [recipe.noise.segment.clip_id] if recipe.noise else [],
        "enrollment utterances": lambda recipe: {segment.clip_id for segment in recipe.enrollment.segments},
        "rooms": lambda recipe: [recipe.room.room_id],
    }
    counted = {name: Counter(clip for recipe in recipes for clip in of(recipe)) for name, of in kinds.items()}
    return [(name, len(c), c.total() / len(c), max(c.values())) for name, c in counted.items() if c]


# ---- anomalies: a line for each that a person should look at


def _off(rows: Sequence[Mixture]) -> Iterator[str]:
    """Levels and reverberation times of mixtures that miss the requested values."""
    for name, unit, least, off in (
        ("SNR", "dB", OFF_DB, lambda row: _distance(row.snr_achieved_db, row.snr_db)),
        ("SIR", "dB", OFF_DB, lambda row: _distance(row.sir_achieved_db, row.sir_db)),
        ("RT60", "", OFF_RT60, lambda row: _distance(row.rt60_achieved_s, row.rt60_s) / (row.rt60_s or 1.0)),
    ):
        worst = max(rows, key=off)
        if count := sum(off(row) > least for row in rows):
            size = f"{off(worst):.2f} {unit}" if unit else f"{100 * off(worst):.0f} %"
            yield f"{name}: {count} of {len(rows)} mixtures are off what was asked, {worst.mixture_id} by {size}"


def _distance(one: float | None, other: float | None) -> float:
    return 0.0 if one is None or other is None else abs(one - other)


def _anomalies(scenes: Sequence[Mixture], recipes: Sequence[Recipe], shares: ActiveShares) -> Iterator[str]:
    """Unbalanced speakers, scenes with the wrong talkers, and talkers that are hardly heard."""
    targets = Counter(row.target_speaker for row in scenes)
    others = {row.scene_id: row.interferer_speaker.split(";") for row in scenes}
    if len(targets) < FEW_SPEAKERS:
        yield f"{len(targets)} target speakers: intervals rest on speakers, and are a hint below {FEW_SPEAKERS}"
    name, most = targets.most_common(1)[0]
    if len(targets) > 1 and most > 3 * len(scenes) / len(targets):
        yield f"{name} is the target of {most} of {len(scenes)} scenes; figures are mostly theirs"
    alone = [row.scene_id for row in scenes if row.target_speaker in others[row.scene_id]]
    yield from _named(alone, "the target is also an interferer")
    enrolled = [recipe.scene_id for recipe in recipes if _segments(recipe.enrollment) & _segments(recipe.target)]
    yield from _named(enrolled, "enrolled with what is said in the scene")
    both = set(targets).intersection(chain.from_iterable(others.values()))
    if both and len(both) < len(targets):
        yield f"{len(both)} of {len(targets)} target speakers are interferers in other scenes, the rest are not"
    silent = [row.scene_id for row in scenes if not row.text]
    if len(silent) < len(scenes):
        yield from _named(silent, "no transcript, while others have one")
    little = [row.scene_id for row in scenes if shares[row.scene_id][0] < LEAST_ACTIVE]
    yield from _named(little, f"the target talks for less than {100 * LEAST_ACTIVE:.0f} % of the time")
    mute = [row.scene_id for row in scenes if row.num_interferers and not shares[row.scene_id][1]]
    yield from _named(mute, "the interferer is never heard")


def _segments(talker: Enrollment | Talker) -> set[tuple[str, int]]:
    return {(segment.clip_id, segment.start) for segment in talker.segments}


def _named(scenes: Sequence[str], words: str) -> Iterator[str]:
    """The line on scenes, named after the first, where there are any."""
    if scenes:
        yield f"{scenes[0]}{f' and {len(scenes) - 1} more' if len(scenes) > 1 else ''}: {words}"


# ---- as a page, and as text


def write(dataset: Dataset, found: Overview, out: Path) -> int:
    """Write the page; its size in bytes."""
    about, scenario = dataset.description, html.scenario_yaml(found.header)
    title = f"Dataset {about.name}-v{about.version}"
    return html.write(
        out, "dataset.html", title=title, about=about, found=found, scenario=scenario, most=MOST, media={}
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
        Grid("Who and what", ["", "different", "the most frequent"], words, "lrl"),
        Grid("Use of clips", ["", "different", "scenes each", "at most"], use),
    ]
    counts = ", ".join(f"{count} {label}" for label, _, count in found.mixtures)
    head = (
        f"{dataset.folder}: {about.name}-v{about.version}, {about.scenes} scenes, {about.mixtures} mixtures "
        f"({counts})\n"
        f"fingerprint {about.fingerprint[:12]}, {about.sample_rate} Hz, {about.reference} reference\n"
    )
    foot = "\n".join(f"look at: {line}" for line in found.anomalies) or "nothing looks odd"
    return f"{head}\n{for_terminal(grids)}\n{foot}"


def _listed(items: Sequence[tuple[str, int]]) -> str:
    shown = ", ".join(f"{word} ({count})" for word, count in items[:5])
    return shown + (f" and {len(items) - 5} more" if len(items) > 5 else "")
