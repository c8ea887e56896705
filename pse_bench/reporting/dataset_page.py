"""Overview of a dataset, so that a wrong one is seen before it is used: distributions of its quantities, speakers,
use of clips, and anomalies. Files are not compared with their hashes: ``verify`` does that."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from pse_bench.dataset.dataset import Dataset
from pse_bench.dataset.groups import gender_pair
from pse_bench.io.text_table import Grid, for_terminal
from pse_bench.planning import plan
from pse_bench.reporting import html, plot
from pse_bench.reporting.anomalies import ActiveShares, anomalies
from pse_bench.reporting.html import element
from pse_bench.runtime.progress import Update
from pse_bench.schemas import DESCRIPTIONS, Mixture, Recipe

WIDTH, HEIGHT, KIND = 340, 150, "plot bars c0"
BINS = 24
MOST = 12


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
        words = (
            f"median {median}, half within {first} … {third}, all within {least} … {most}; at most {counts.max()} "
            "scenes a bar"
        )
        return plot.figure(
            element("strong", self.name) + " " + element("span", self.unit, class_="unit"),
            plot.svg(
                (WIDTH, HEIGHT), plot.x_grid(axis, 4, HEIGHT - 22, HEIGHT - 6), *bars, kind=KIND, label=label
            ),
            element("p", words, class_="unit"),
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


def overview(dataset: Dataset, progress: Update = lambda done, total: None) -> Overview:
    """Summarise the tables, the plan and the labels of a dataset.

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
        anomalies(rows, scenes, recipes, shares),
        header,
    )


def _most_complete(row: Mixture) -> tuple[bool, str]:
    """Sort key by which a scene's mixture with an interferer comes last."""
    return row.num_interferers > 0, row.scenario


def _shares(dataset: Dataset, scenes: Sequence[Mixture], progress: Update) -> dict[str, ActiveShares]:
    """Shares of the time in which the target talks, the interferer, and both, by scene."""
    found = {}
    for number, row in enumerate(scenes, 1):
        active = dataset.read_activity(row.scene_id, row.num_samples)
        target, other = active["target"], active["interferer"]
        found[row.scene_id] = (float(target.mean()), float(other.mean()), float((target & other).mean()))
        progress(number, len(scenes))
    return found


# ---- how numbers are spread


def _quantities(
    scenes: Sequence[Mixture], recipes: Sequence[Recipe], shares: dict[str, ActiveShares]
) -> list[Quantity]:
    talking = np.array(list(shares.values())) * 100

    def of(field: str) -> list[float]:
        return [value for row in scenes if (value := getattr(row, field)) is not None]

    found: list[tuple[str, str, Sequence[float] | np.ndarray]] = [
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
    """For each kind of clip: the number of different ones, and the mean and greatest number of uses."""
    kinds: dict[str, Callable[[Recipe], Iterable[str]]] = {
        "target utterances": lambda recipe: {segment.clip_id for segment in recipe.target.segments},
        "interferer utterances": lambda recipe: {
            s.clip_id for talker in recipe.interferers for s in talker.segments
        },
        "noise clips": lambda recipe: [recipe.noise.segment.clip_id] if recipe.noise else [],
        "enrollment utterances": lambda recipe: {segment.clip_id for segment in recipe.enrollment.segments},
        "rooms": lambda recipe: [recipe.room.room_id],
    }
    found = []
    for name, clips in kinds.items():
        counted = Counter(clip for recipe in recipes for clip in clips(recipe))
        if counted:
            found.append((name, len(counted), counted.total() / len(counted), max(counted.values())))
    return found


# ---- as a page, and as text


def write(dataset: Dataset, found: Overview, out: Path) -> int:
    """Write the page; its size in bytes."""
    about = dataset.description
    return html.write(
        out,
        "dataset.html",
        title=f"Dataset {about.name}-v{about.version}",
        about=about,
        found=found,
        scenario=html.as_yaml(html.origin(found.header)),
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
    foot = "\n".join(f"look at: {line}" for line in found.anomalies) or "nothing looks odd"
    return f"{head}{for_terminal(grids, None)}{foot}"


def _listed(items: Sequence[tuple[str, int]], most: int = 5) -> str:
    shown = ", ".join(f"{word} ({count})" for word, count in items[:most])
    return shown + (f" and {len(items) - most} more" if len(items) > most else "")
