"""From scores to tables: aggregates with confidence intervals, one row a metric, one column a system."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench import draws, metrics
from pse_bench.errors import InputError
from pse_bench.files import parse_json, read_table, read_text, write_table
from pse_bench.records import DESCRIPTIONS, SCHEMA, Mixture, Score, Summary

RESAMPLES = 2000
DERIVED_RESAMPLES = 500
LEVEL = 0.95


@dataclass(frozen=True)
class Result:
    """A result folder: what ``result.json`` says, and the summary."""

    folder: Path
    about: dict[str, Any]
    summaries: list[Summary]

    @property
    def system(self) -> str:
        """The system's name."""
        return self.about["system"]["name"]

    @classmethod
    def open(cls, folder: Path) -> "Result":
        """Raises InputError when the folder holds no finished result, or one of another schema."""
        path = folder / "result.json"
        if not path.is_file():
            raise InputError(f"{folder}: no result here (result.json is missing); give a folder that score wrote")
        about = parse_json(read_text(path), str(path))
        if not isinstance(about, dict) or about.get("kind") != "pse-bench result":
            raise InputError(f"{path}: not a result of pse-bench; score again")
        if about.get("schema") != SCHEMA:
            raise InputError(f"{path}: schema {about.get('schema')!r}, expected {SCHEMA}; score again")
        if not (folder / "summary.csv").is_file():
            summarise(folder)
        return cls(folder, about, read_table(folder / "summary.csv", Summary))


# ---- aggregation


def summarise(folder: Path) -> list[Summary]:
    """Aggregate a result's ``scores.csv`` into its ``summary.csv``.

    Failed scores count with their worst value, undefined ones not at all; ``scored`` counts those that are ok,
    ``expected`` the scenario's mixtures. Intervals: percentile bootstrap over target speakers, 95 %; empty
    where there is only one.
    """
    speakers = {row.mixture_id: row.target_speaker for row in read_table(folder / "mixtures.csv", Mixture)}
    cells: dict[tuple[str, str], list[Score]] = defaultdict(list)
    for score in read_table(folder / "scores.csv", Score):
        if score.mixture_id not in speakers:
            raise InputError(f"{folder / 'scores.csv'}: {score.mixture_id} is not in mixtures.csv; score again")
        if score.metric not in metrics.METRICS:
            raise InputError(f"{folder / 'scores.csv'}: metric {score.metric!r} is not known; score again")
        cells[score.scenario, score.metric].append(score)
    rows = []
    for label in DESCRIPTIONS:
        for metric in metrics.METRICS.values():
            scores = cells.get((label, metric.name))
            if scores:
                rows.append(_summary(label, metric, scores, speakers))
                rows += [
                    _derived(label, derived, scores, speakers)
                    for derived in metrics.DERIVED
                    if derived.metric == metric.name and label in derived.scenarios
                ]
    write_table(folder / "summary.csv", Summary, rows)
    return rows


def _summary(label: str, metric: metrics.Metric, scores: list[Score], speakers: dict[str, str]) -> Summary:
    counted = [score for score in scores if score.value is not None]
    if metric.aggregation == "ratio":
        ratios = [metrics.ratio_of(score.detail) for score in counted]
        pairs = np.array([(ratio.numerator, ratio.denominator) for ratio in ratios]).reshape(-1, 2)

        def value_of(sums: np.ndarray) -> np.ndarray:
            return metric.scale * sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], np.nan)
    else:
        pairs = np.array([(score.value, 1.0) for score in counted]).reshape(-1, 2)

        def value_of(sums: np.ndarray) -> np.ndarray:
            return sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], np.nan)

    clusters = [speakers[score.mixture_id] for score in counted]
    value, low, high = _sums_interval(pairs, clusters, value_of)
    return Summary(
        scenario=label,
        metric=metric.name,
        value=value,
        ci_low=low,
        ci_high=high,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        aggregation="ratio of sums over clips" if metric.aggregation == "ratio" else "mean over clips",
        scored=sum(score.status == "ok" for score in scores),
        expected=len(scores),
    )


def _derived(label: str, derived: metrics.Derived, scores: list[Score], speakers: dict[str, str]) -> Summary:
    counted = [score for score in scores if score.value is not None]
    items = [getattr(score, derived.takes) for score in counted]
    value, low, high = _interval(items, [speakers[score.mixture_id] for score in counted], derived.compute)
    return Summary(
        scenario=label,
        metric=derived.name,
        value=value,
        ci_low=low,
        ci_high=high,
        unit=derived.unit,
        higher_is_better=derived.higher_is_better,
        aggregation=derived.aggregation,
        scored=sum(score.status == "ok" for score in scores),
        expected=len(scores),
    )


Interval = tuple[float | None, float | None, float | None]


def _sums_interval(
    pairs: np.ndarray, clusters: Sequence[str], value_of: Callable[[np.ndarray], np.ndarray]
) -> Interval:
    """Value and interval of a quotient of sums; ``pairs`` has shape (num_clips, 2).

    A resample draws as many speakers as there are, with replacement, and takes all clips of each.
    """
    if not len(pairs):
        return None, None, None
    names, member = np.unique(np.array(clusters), return_inverse=True)
    sums = np.zeros((len(names), 2))
    np.add.at(sums, member, pairs)
    value = float(value_of(sums.sum(axis=0)))
    if len(names) < 2:
        return value, None, None
    chance = draws.generator(0, "bootstrap", len(names))
    counts = chance.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    return value, *_percentiles(value_of(counts @ sums))


def _interval(items: list[Any], clusters: list[str], compute: Callable[[list[Any]], float]) -> Interval:
    """Value and interval of any figure over clips, by the same resampling."""
    if not items:
        return None, None, None
    groups: dict[str, list[Any]] = defaultdict(list)
    for item, cluster in zip(items, clusters, strict=True):
        groups[cluster].append(item)
    value = float(compute(items))
    if len(groups) < 2:
        return value, None, None
    members = [groups[name] for name in sorted(groups)]
    chance = draws.generator(0, "bootstrap", len(members))
    resampled = [
        compute([item for index in chance.integers(len(members), size=len(members)) for item in members[index]])
        for _ in range(DERIVED_RESAMPLES)
    ]
    return value, *_percentiles(np.array(resampled))


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    low, high = np.nanpercentile(values, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)


# ---- tables


def check_comparable(results: Sequence[Result]) -> None:
    """Refuse to put results of different datasets or references side by side. Raises InputError."""
    for key in ("dataset_fingerprint", "reference"):
        for result in results[1:]:
            if result.about[key] != results[0].about[key]:
                raise InputError(
                    f"{result.folder}: {key.replace('_', ' ')} {result.about[key][:12]}, but {results[0].folder} "
                    f"has {results[0].about[key][:12]}; only results of one dataset and reference compare"
                )


def _cell(row: Summary | None) -> str:
    if row is None:
        return ""
    text = "undefined" if row.value is None else f"{row.value:.{_digits(row)}f}"
    if row.ci_low is not None and row.ci_high is not None:
        text += f" [{row.ci_low:.{_digits(row)}f}, {row.ci_high:.{_digits(row)}f}]"
    return text if row.scored == row.expected else f"{text} {row.scored}/{row.expected}"


def _digits(row: Summary) -> int:
    return 1 if row.unit else 2


def _name(row: Summary) -> str:
    arrow = "↑" if row.higher_is_better else "↓"
    return f"{row.metric}{f' ({row.unit})' if row.unit else ''} {arrow}"


def grids(results: Sequence[Result]) -> list[tuple[str, list[str], list[list[str]]]]:
    """A grid a scenario: its title, the column heads, and the cells."""
    found = []
    for label, description in DESCRIPTIONS.items():
        by_result = [{r.metric: r for r in result.summaries if r.scenario == label} for result in results]
        names = list(dict.fromkeys(metric for rows in by_result for metric in rows))
        if names:
            lines = []
            for metric in names:
                rows = [rows.get(metric) for rows in by_result]
                lines.append([_name(next(row for row in rows if row)), *map(_cell, rows)])
            found.append((f"{label}: {description}", ["", *(result.system for result in results)], lines))
    return found


FOOT = "value [95 % interval over target speakers]; scored/expected where not all are; ↑ higher is better"


def markdown(results: Sequence[Result]) -> str:
    """The tables in Markdown."""
    out = []
    for title, head, lines in grids(results):
        out += [f"### {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        out += ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
        out.append("")
    return "\n".join([*out, FOOT])


def to_csv(results: Sequence[Result]) -> str:
    """The summaries of all results, one row a cell."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["system", *Summary.model_fields])
    for result in results:
        for row in result.summaries:
            values = row.model_dump().values()
            writer.writerow([result.system, *("" if value is None else value for value in values)])
    return stream.getvalue().rstrip("\n")


def terminal(results: Sequence[Result], width: int | None = None) -> str:
    """The tables for a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stream = io.StringIO()
    console = Console(file=stream, width=width or 120, color_system=None)
    for title, head, lines in grids(results):
        table = Table(title=Text(title, style="bold"), title_justify="left")
        for number, name in enumerate(head):
            table.add_column(Text(name), justify="left" if number == 0 else "right", overflow="fold")
        for line in lines:
            table.add_row(*map(Text, line))
        console.print(table)
    return stream.getvalue() + FOOT


FORMATS: dict[str, Callable[[Sequence[Result]], str]] = {
    "terminal": terminal,
    "markdown": markdown,
    "csv": to_csv,
}
