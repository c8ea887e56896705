"""From scores to tables: aggregates with confidence intervals, one row a metric, one column a system."""

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
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
FEW_SPEAKERS = 10
"""A bootstrap over fewer speakers gives intervals that are clearly too narrow."""
SAME = ("dataset_fingerprint", "reference")
"""What results that stand side by side have in common."""


@dataclass(frozen=True)
class Result:
    """A result folder: what ``result.json`` says, and the summary."""

    folder: Path
    about: dict[str, Any]
    summaries: list[Summary]

    @property
    def system(self) -> str:
        """The system's name, as one printable line whatever its author wrote."""
        name = "".join(c if c.isprintable() else " " for c in self.about["system"]["name"])
        return " ".join(name.split())

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
        system = about.get("system")
        named = isinstance(system, dict) and isinstance(system.get("name"), str)
        if not named or not isinstance(about.get("metrics"), dict):
            raise InputError(f"{path}: damaged (no system name or no metrics); score again")
        for key in SAME:
            if not isinstance(about.get(key), str):
                raise InputError(f"{path}: damaged (no {key}); score again")
        if not (folder / "summary.csv").is_file():
            summarise(folder)
        return cls(folder, about, read_table(folder / "summary.csv", Summary))


# ---- aggregation


def summarise(folder: Path) -> list[Summary]:
    """Aggregate a result's ``scores.csv`` into its ``summary.csv``.

    Failed scores count with their worst value, undefined ones not at all; ``scored`` counts those that are ok,
    ``expected`` the scenario's mixtures. Intervals: percentile bootstrap over target speakers, 95 %; empty
    where there is only one.

    Raises:
        InputError: ``scores.csv`` is damaged, or does not have one row a mixture of every metric it holds.
    """
    mixtures = read_table(folder / "mixtures.csv", Mixture)
    speakers = {row.mixture_id: row.target_speaker for row in mixtures}
    cells = _cells(folder / "scores.csv", {row.mixture_id: row.scenario for row in mixtures})
    rows = []
    for label in DESCRIPTIONS:
        for metric in metrics.ALL_METRICS.values():
            scores = cells.get((label, metric.name))
            if scores:
                try:
                    rows.append(_summary(label, metric, scores, speakers))
                    rows += [
                        _derived(label, derived, scores, speakers)
                        for derived in metrics.DERIVED
                        if derived.metric == metric.name and label in derived.scenarios
                    ]
                except ValueError as error:  # a detail without a ratio
                    raise InputError(f"{folder / 'scores.csv'}: {metric.name}: {error}; score again") from error
    write_table(folder / "summary.csv", Summary, rows)
    return rows


def _cells(path: Path, scenarios: dict[str, str]) -> dict[tuple[str, str], list[Score]]:
    """Scores by scenario and metric, checked to be those of all mixtures and of nothing else."""
    cells: dict[tuple[str, str], list[Score]] = defaultdict(list)
    for score in read_table(path, Score):
        if scenarios.get(score.mixture_id) != score.scenario:
            raise InputError(f"{path}: {score.mixture_id} of {score.scenario} is not in mixtures.csv; score again")
        if score.metric not in metrics.ALL_METRICS:
            raise InputError(f"{path}: metric {score.metric!r} is not known; score again")
        if (score.value is None) != (score.status == "undefined"):
            raise InputError(
                f"{path}: {score.metric} of {score.mixture_id} is {score.status} with the value {score.value}; "
                "score again"
            )
        cells[score.scenario, score.metric].append(score)
    expected = Counter(scenarios.values())
    for (label, metric), scores in cells.items():
        names = {score.mixture_id for score in scores}
        if not len(names) == len(scores) == expected[label]:
            raise InputError(
                f"{path}: {len(scores)} rows of {metric} over {len(names)} mixtures of {label}, expected "
                f"{expected[label]}; score again"
            )
    return cells


def _summary(label: str, metric: metrics.Metric, scores: list[Score], speakers: dict[str, str]) -> Summary:
    counted = [score for score in scores if score.value is not None]
    if metric.aggregation == "ratio":
        ratios = [metrics.ratio_of(score.detail) for score in counted]
        for ratio, score in zip(ratios, counted, strict=True):
            if ratio.denominator <= 0:
                raise ValueError(f"no ratio in the detail {score.detail!r} of {score.mixture_id}")
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
    """Refuse to put results of different datasets, references or metric versions side by side.
    Raises InputError."""
    for key in SAME:
        for result in results[1:]:
            if result.about[key] != results[0].about[key]:
                raise InputError(
                    f"{result.folder}: {key.replace('_', ' ')} {result.about[key][:12]}, but {results[0].folder} "
                    f"has {results[0].about[key][:12]}; only results of one dataset and reference compare"
                )
    versions: dict[str, tuple[Any, Path]] = {}
    for result in results:
        for metric, version in result.about["metrics"].items():
            known, first = versions.setdefault(metric, (version, result.folder))
            if version != known:
                raise InputError(
                    f"{result.folder}: {metric} of another version than in {first}; score both with one pse-bench"
                )


def _cell(row: Summary | None) -> str:
    if row is None:
        return ""
    text = "undefined" if row.value is None else f"{row.value:.{_digits(row)}f}"
    if row.ci_low is not None and row.ci_high is not None:
        text += f" [{row.ci_low:.{_digits(row)}f}, {row.ci_high:.{_digits(row)}f}]"
    return text if row.scored == row.expected else f"{text} {row.scored}/{row.expected}"


def _digits(row: Summary) -> int:
    return 1 if row.unit and row.unit != "s" and not row.unit.startswith("MOS") else 2


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
            counts = _counts(results[0], next(iter(by_result[0].values()), None))
            found.append((f"{label}: {description}{counts}", ["", *_heads(results)], lines))
    return found


def _counts(result: Result, row: Summary | None) -> str:
    """How much a table rests on."""
    speakers = result.about.get("target_speakers")
    return f" ({row.expected} mixtures, {speakers} target speakers)" if row and speakers else ""


def _heads(results: Sequence[Result]) -> list[str]:
    """Names of the columns; where two systems have one name, with their folders."""
    names = Counter(result.system for result in results)
    return [
        f"{result.system} ({result.folder.name})" if names[result.system] > 1 else result.system
        for result in results
    ]


def _foot(results: Sequence[Result]) -> str:
    speakers = [result.about["target_speakers"] for result in results if "target_speakers" in result.about]
    if speakers and min(speakers) < FEW_SPEAKERS:
        few = f"intervals rest on {min(speakers)} target speakers only and are too narrow: read them as a hint"
        return f"{FOOT}\n{few}"
    return FOOT


FOOT = "value [95 % interval over target speakers]; scored/expected where not all are; ↑ higher is better"


def markdown(results: Sequence[Result]) -> str:
    """The tables in Markdown."""
    out = []
    for title, head, lines in grids(results):
        out += [f"### {title}", "", _markdown_row(map(_literal, head)), "|" + "---|" * len(head)]
        out += [_markdown_row(line) for line in lines]
        out.append("")
    return "\n".join([*out, _foot(results)])


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _literal(name: str) -> str:
    """A system's name as Markdown that shows it as it is."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", name)


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
        console.print(Text(title))  # as the table's own title it would be broken to the table's width
        table = Table()
        for number, name in enumerate(head):
            table.add_column(Text(name), justify="left" if number == 0 else "right", overflow="fold")
        for line in lines:
            table.add_row(*map(Text, line))
        console.print(table)
    return stream.getvalue() + _foot(results)


FORMATS: dict[str, Callable[[Sequence[Result]], str]] = {
    "terminal": terminal,
    "markdown": markdown,
    "csv": to_csv,
}
