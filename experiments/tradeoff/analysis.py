"""From the results of the experiment to tables, intervals and the trade-off picture. Nothing is trained here.

Which speakers a set has and which seeds were trained make a figure unsure. A quantity over all seeds has
the jackknife's spread over speakers (leave one out, in every seed at once) and the spread of the quantity over the
seeds divided by the root of their number. Both variances are added; the interval is Student's t with Welch and
Satterthwaite's degrees of freedom. With three seeds that is honest and wide.
"""

import csv
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from runs import HEARD, KINDS, LEARNING, SEEDS, SHARES

from pse_bench import metrics
from pse_bench.scoring.summary import Scores, aggregates_of

SHOWN = (
    ("TS1", "tsos"),
    ("TS2", "tsos"),
    ("TS3", "leakage_reduction_db"),
    ("TS1", "si_sdri"),
    ("TS2", "si_sdri"),
    ("TS2", "stoi"),
)
LEARNT = ("base", *(training.name for training in LEARNING))
OPINION = ("TS2", "pdnsmos_ovrl")
TSOS, LEAKAGE = ("TS2", "tsos"), ("TS3", "leakage_reduction_db")

Sums = np.ndarray
"""Sums of numerators and denominators by speaker, shape (num_speakers, 2)."""
Figures = Mapping[str, Mapping[tuple[str, str], list[Sums]]]
"""By system and figure, the sums of each seed."""
Quantity = Callable[[Mapping[str, Mapping[tuple[str, str], float]]], float]
"""Something worked out from the figures of all systems."""


def sums_of(result: Path, speakers: list[str], figure: tuple[str, str]) -> Sums:
    """Numerators and denominators of a figure, added up by speaker, in the order of ``speakers``."""
    scores = Scores.read(result)
    label, name = figure
    kind = aggregates_of(metrics.ALL_METRICS[name], label, 0.0)[0]
    counted = [score for score in scores.cells[figure] if score.value is not None]
    found = np.zeros((len(speakers), 2))
    for pair, score in zip(kind.pairs(counted), counted, strict=True):
        found[speakers.index(scores.mixtures[score.mixture_id].target_speaker)] += pair
    return found


def scale_of(figure: tuple[str, str]) -> float:
    """From a ratio of sums to the figure's unit."""
    metric = metrics.ALL_METRICS[figure[1]]
    return metric.scale if metric.aggregation == "ratio" else 1.0


def estimate(quantity: Quantity, found: Figures) -> tuple[float, float, float, list[float]]:
    """A quantity over all seeds, the ends of its 95 % interval, and its value in each seed.

    Args:
        quantity: from figures by system to a number.
        found: sums by system and figure; every system has the same speakers, and one or all seeds.
    """
    from scipy.stats import t

    some = next(iter(next(iter(found.values())).values()))
    num_speakers = len(some[0])
    num_seeds = max(len(seeds) for rows in found.values() for seeds in rows.values())

    def value(kept: np.ndarray, seeds: list[int]) -> float:
        def figure(key: tuple[str, str], rows: list[Sums]) -> float:
            chosen = [rows[seed] for seed in seeds] if len(rows) > 1 else rows
            total = sum(sums[kept].sum(axis=0) for sums in chosen)
            return scale_of(key) * float(total[0] / total[1])

        return quantity({name: {key: figure(key, rows) for key, rows in of.items()} for name, of in found.items()})

    everybody, seeds = np.ones(num_speakers, dtype=bool), list(range(num_seeds))
    whole = value(everybody, seeds)
    each = [value(everybody, [seed]) for seed in seeds]
    left = np.array([value(np.arange(num_speakers) != out, seeds) for out in range(num_speakers)])
    of_speakers = (num_speakers - 1) / num_speakers * float(((left - left.mean()) ** 2).sum())
    of_seeds = float(np.var(each, ddof=1)) / num_seeds if num_seeds > 1 else 0.0
    variance = of_speakers + of_seeds
    freedom = variance**2 / max(
        of_speakers**2 / (num_speakers - 1) + (of_seeds**2 / (num_seeds - 1) if num_seeds > 1 else 0.0), 1e-300
    )
    reach = float(t.ppf(0.975, max(freedom, 1.0))) * math.sqrt(variance)
    return whole, whole - reach, whole + reach, each


# ---- quantities


def of(system: str, figure: tuple[str, str]) -> Quantity:
    """A figure itself."""
    return lambda all_: all_[system][figure]


def change(one: str, other: str, figure: tuple[str, str]) -> Quantity:
    """other − one."""
    return lambda all_: all_[other][figure] - all_[one][figure]


def kept(recipe: str) -> Quantity:
    """Percent of the leakage that ``its`` removes beyond ``no-its`` that a recipe removes too."""
    return lambda a: 100 * (a[recipe][LEAKAGE] - a["no-its"][LEAKAGE]) / (a["its"][LEAKAGE] - a["no-its"][LEAKAGE])


def recovered(recipe: str) -> Quantity:
    """Percent of the TSOS in TS2 that ``its`` costs against ``no-its`` that a recipe gives back."""
    return lambda a: 100 * (a["its"][TSOS] - a[recipe][TSOS]) / (a["its"][TSOS] - a["no-its"][TSOS])


def above_line(recipe: str) -> Quantity:
    """How much more leakage a recipe removes, dB, than weights between ``no-its`` and ``its`` with its TSOS.

    The line goes through the interpolated systems; beyond its ends it goes on straight."""
    names = ["no-its", *(f"line-{share}" for share in SHARES), "its"]

    def height(all_: Mapping[str, Mapping[tuple[str, str], float]]) -> float:
        points = sorted((all_[name][TSOS], all_[name][LEAKAGE]) for name in names)
        x, y = np.array([p[0] for p in points]), np.array([p[1] for p in points])
        place = all_[recipe][TSOS]
        i = int(np.clip(np.searchsorted(x, place), 1, len(x) - 1))
        slope = (y[i] - y[i - 1]) / max(x[i] - x[i - 1], 1e-9)
        return all_[recipe][LEAKAGE] - (y[i - 1] + slope * (place - x[i - 1]))

    return height


# ---- reading and writing


def read(work: Path, set_name: str) -> dict[str, dict[tuple[str, str], list[Sums]]]:
    """Sums of every system of a set; a recipe has one a seed."""
    folder = work / "results" / set_name
    speakers = sorted({row.target_speaker for row in Scores.read(folder / "mixture").mixtures.values()})
    seeded = [*KINDS, *(f"line-{share}" for share in SHARES)]
    names = {name: [f"{name}.{seed}" for seed in SEEDS] for name in seeded}
    names |= {
        name: [name] for name in ("mixture", "silence", "oracle-mask", *(f"{kind}.1.wrong" for kind in KINDS))
    }
    return {
        name: {
            figure: [sums_of(folder / one, speakers, figure) for one in folders]
            for figure in SHOWN
            if not (name == "silence" and figure[1].startswith("si_"))
        }
        for name, folders in names.items()
    }


def quantities() -> list[tuple[str, str, Quantity]]:
    """Every line of the comparison: what, unit, and how."""
    lines: list[tuple[str, str, Quantity]] = [
        (
            f"its minus no-its: {label} {name}",
            metrics.ALL_METRICS[name].unit,
            change("no-its", "its", (label, name)),
        )
        for label, name in SHOWN
    ]
    for kind in KINDS[2:]:
        for other in ("no-its", "its"):
            lines += [
                (f"{kind} minus {other}: {f[0]} {f[1]}", metrics.ALL_METRICS[f[1]].unit, change(other, kind, f))
                for f in (("TS1", "tsos"), TSOS, LEAKAGE, ("TS2", "si_sdri"))
            ]
        lines += [
            (f"{kind}: leakage of its kept", "%", kept(kind)),
            (f"{kind}: TSOS damage of its recovered", "%", recovered(kind)),
            (f"{kind}: above the interpolation line", "dB", above_line(kind)),
        ]
    for kind in KINDS:
        lines += [
            (f"{kind} minus mixture: {f[0]} {f[1]}", metrics.ALL_METRICS[f[1]].unit, change("mixture", kind, f))
            for f in (("TS2", "si_sdri"), ("TS2", "stoi"), LEAKAGE)
        ]
        lines += [
            (
                f"{kind}, wrong enrollment minus right: {f[0]} {f[1]}",
                metrics.ALL_METRICS[f[1]].unit,
                change(kind, f"{kind}.1.wrong", f),
            )
            for f in (TSOS, ("TS2", "si_sdri"), LEAKAGE)
        ]
    return lines


def write(work: Path, out: Path, sets: tuple[str, ...]) -> None:
    """Tables of systems and of comparisons for every set, and the picture's points."""
    out.mkdir(parents=True, exist_ok=True)
    for set_name in sets:
        found = read(work, set_name)
        with (out / f"{set_name}.systems.csv").open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream, lineterminator="\n")
            rows.writerow(["system", "scenario", "metric", "value", "low", "high", *(f"seed_{s}" for s in SEEDS)])
            for name, own in found.items():
                for figure in own:
                    value, low, high, each = estimate(of(name, figure), {name: own})
                    rows.writerow([name, *figure, *(f"{x:.3f}" for x in (value, low, high, *each))])
        with (out / f"{set_name}.comparisons.csv").open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream, lineterminator="\n")
            rows.writerow(["quantity", "unit", "value", "low", "high", *(f"seed_{s}" for s in SEEDS)])
            for what, unit, quantity in quantities():
                value, low, high, each = estimate(quantity, found)
                rows.writerow([what, unit, *(f"{x:.3f}" for x in (value, low, high, *each))])
    opinions(work, out, sets[0])
    looks(work, out)


def opinions(work: Path, out: Path, set_name: str) -> None:
    """Personalized DNSMOS of one recipe against the mixture's."""
    folder = work / "opinions" / set_name
    speakers = sorted({row.target_speaker for row in Scores.read(folder / "mixture").mixtures.values()})
    seeds = {"mixture": ["mixture"], HEARD: [f"{HEARD}.{seed}" for seed in SEEDS]}
    found = {
        name: {OPINION: [sums_of(folder / one, speakers, OPINION) for one in own]} for name, own in seeds.items()
    }
    with (out / f"{set_name}.opinions.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["quantity", "value", "low", "high", *(f"seed_{s}" for s in SEEDS)])
        lines = {name: (of(name, OPINION), {name: found[name]}) for name in found}
        first = {name: {OPINION: own[OPINION][:1]} for name, own in found.items()}
        lines[f"{HEARD} minus mixture"] = change("mixture", HEARD, OPINION), found
        lines[f"{HEARD}.{SEEDS[0]} minus mixture"] = change("mixture", HEARD, OPINION), first
        for what, (quantity, needed) in lines.items():
            value, low, high, each = estimate(quantity, needed)
            rows.writerow([what, *(f"{x:.3f}" for x in (value, low, high, *each))])


def looks(work: Path, out: Path) -> None:
    """What runs found on validation speakers: where each ended, and the way of those that learning is seen in."""
    ends, ways = [], []
    for folder in sorted((work / "runs").glob("*/looks.csv")):
        with folder.open(encoding="utf-8", newline="") as stream:
            found = [{"run": folder.parent.name, **row} for row in csv.DictReader(stream)]
        about = json.loads((folder.parent / "run.json").read_text(encoding="utf-8"))
        if about["config"]["task"] == "pse":
            ends.append(found[-1])
            ways += found if folder.parent.name in LEARNT else []
    for name, table in (("validation.csv", ends), ("learning.csv", ways)):
        with (out / name).open("w", encoding="utf-8", newline="") as stream:
            rows = csv.DictWriter(stream, list(table[0]), lineterminator="\n")
            rows.writeheader()
            rows.writerows(table)
