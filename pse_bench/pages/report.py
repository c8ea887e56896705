"""A report: results side by side as one page, with what was measured, on what, and how it sounds."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pse_bench import check, comparison, plan, score, tables
from pse_bench.boards.leaderboard import CONTROL
from pse_bench.comparison import Line
from pse_bench.dataset import Dataset
from pse_bench.executor import Executor
from pse_bench.files import cell, parse, read_text
from pse_bench.findings import Report as Checked
from pse_bench.grids import as_csv
from pse_bench.pages import media, page, sources, tradeoff
from pse_bench.pages.definitions import definitions
from pse_bench.pages.failures import FAILURES, Cases, Heard, cases
from pse_bench.pages.looks import Look, in_detail, looks_of, to_hear
from pse_bench.pages.parted import FEWEST, FIGURES, breakdowns
from pse_bench.pages.spread import Spread, spreads
from pse_bench.records import DESCRIPTIONS, Score
from pse_bench.results import Result, check_comparable
from pse_bench.submission import System
from pse_bench.summaries import Scores

LARGEST = 14_000_000
"""Characters of a page: below what mail servers let through."""
LARGEST_CSV = 3_000_000
CONTROLLED = ("tsos", "target_loss_db", "si_sdr", "wer", "pause_leakage_db", "leakage_reduction_db")
SHOWN_WARNINGS = 12


@dataclass(frozen=True)
class Ask:
    """What a report is made of beside its results."""

    dataset: Path | None = None
    submissions: tuple[Path, ...] = ()
    worst: int = 2
    title: str = ""


@dataclass
class Sounds:
    """What only a dataset and submissions can give: scenes, what ``check`` says, and the scenario."""

    cases: Cases | None = None
    checked: list[tuple[str, Checked]] = field(default_factory=list)
    scenario: str = ""
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Download:
    """A table to be taken out of the page; without ``uri`` it is too large."""

    name: str
    words: str
    uri: str
    size: int


def build(
    folders: Sequence[Path],
    out: Path,
    ask: Ask,
    *,
    executor: Executor,
    progress: Callable[[str, str], Any],
    force: bool = False,
) -> int:
    """Write the report; its size in bytes.

    Args:
        folders: results of one dataset, reference and version of the metrics.
        out: the page.
        executor: where submissions are checked; a file made to crash its reader costs only a worker process.
        progress: as ``progress.progress``.
        force: replace the page that is there.

    Raises:
        InputError: results that cannot stand side by side, a dataset or submission that they were not scored on or
            from, or a page that is there.
    """
    page.require_new(out, force)
    results = [Result.open(folder) for folder in folders]
    check_comparable(results)
    scores = [Scores.read(result.folder) for result in results]
    looks = looks_of(results)
    kept = media.Media()
    downloads = _downloads(results, scores, looks)
    parted, undivided = breakdowns(scores, looks)
    spread = sorted(spreads(scores, looks), key=_first_what_counts)
    points = tradeoff.points_of(results, looks)
    fixed = {
        "title": ask.title or f"Report on {results[0].about.get('dataset', 'a dataset')}",
        "looks": looks,
        "detailed": [looks[number] for number in in_detail(looks)],
        "results": results,
        "about": _about(results[0], scores[0]),
        "points": points,
        "pictures": tradeoff.pictures(points),
        "tables": _tables(results, looks),
        "chosen": [found for found in spread if f"{found.scenario}.{found.metric}" in FIGURES],
        "rest": [found for found in spread if f"{found.scenario}.{found.metric}" not in FIGURES],
        "descriptions": _descriptions(results),
        "fewest": FEWEST,
        "breakdowns": parted,
        "undivided": undivided,
        "controls": _controls(results),
        "definitions": definitions(_names(results), _versions(results)),
        "warnings": _warnings(scores, looks),
        "downloads": downloads,
        "failures": FAILURES,
        "few": tables.FEW_SPEAKERS,
        "in_pieces": tables.in_pieces,
    }
    empty = {"cases": None, "checked": [], "scenario": "", "versions": {}, "media": {}}
    room = LARGEST - len(page.render("report.html", **fixed, **empty))
    sounds = _sounds(results, scores, looks, ask, kept, room, executor, progress)
    return page.write(out, "report.html", **fixed, **vars(sounds), media=kept.uris)


# ---- what needs audio


def _sounds(
    results: Sequence[Result],
    scores: Sequence[Scores],
    looks: Sequence[Look],
    ask: Ask,
    kept: media.Media,
    room: int,
    executor: Executor,
    progress: Callable[[str, str], Any],
) -> Sounds:
    if ask.dataset is None:
        return Sounds()
    dataset = Dataset.open(ask.dataset).require_unchanged()
    sources.require_same(results, dataset)
    _, header, _ = plan.read(dataset.folder / "plan.jsonl")
    found = Sounds(scenario=page.as_yaml(header["scenario"]), versions=dataset.description.versions)
    with ExitStack() as stack:
        given = sources.opened(results, dataset, ask.submissions, stack)
        numbers = [n for n in to_hear(looks) if n in given] or list(given)
        heard = [Heard(looks[n], scores[n], results[n].about["reference"], given[n].folder) for n in numbers]
        if heard:
            with progress("listening", "scenes") as update:
                found.cases = cases(dataset, heard, kept, worst=ask.worst, room=room, progress=update)
        own = {looks[n].name: source.path for n, source in given.items() if not looks[n].reference}
        found.checked = _checked(dataset, own, executor, progress)
    return found


def _checked(
    dataset: Dataset, paths: Mapping[str, Path], executor: Executor, progress: Callable[[str, str], Any]
) -> list[tuple[str, Checked]]:
    """What ``check`` finds in each submission by the name of its system."""
    found = []
    for name, path in paths.items():
        with progress(f"checking {path.name}", "estimates") as update:
            found.append((name, check.check(dataset, path, executor=executor, progress=update)))
    return found


# ---- what follows from the results alone


def _about(result: Result, scores: Scores) -> dict[str, Any]:
    """What all results have in common."""
    about = result.about
    return {
        "dataset": about.get("dataset", "unknown"),
        "fingerprint": about["dataset_fingerprint"],
        "reference": about["reference"],
        "mixtures": len(scores.mixtures),
        "speakers": len({row.target_speaker for row in scores.mixtures.values()}),
        "recogniser": about.get("recogniser") or {},
        "packages": about.get("packages") or {},
    }


def _first_what_counts(spread: Spread) -> int:
    name = f"{spread.scenario}.{spread.metric}"
    return FIGURES.index(name) if name in FIGURES else len(FIGURES)


def _descriptions(results: Sequence[Result]) -> dict[str, list[Any]]:
    """What systems say of themselves: the heads of the columns that any of them fills, and a row of text each."""
    rows = []
    for result in results:
        system = parse(System, result.about["system"], str(result.folder / "result.json"))
        causal, latency, size = system.causal, system.algorithmic_latency_ms, system.parameters
        rows.append(
            {
                "version": system.version,
                "description": system.description,
                "causal": "" if causal is None else "yes" if causal else "no",
                "latency": "" if latency is None else f"{latency:g} ms",
                "parameters": "" if size is None else f"{size:,}",
                "training data": system.training_data,
                "url": system.url,
                "estimates": "all" if result.about.get("complete") else "some missing or unusable",
                "submission": str(result.about.get("submission_sha256", ""))[:12],
                "scored with": f"pse-bench {result.about.get('pse_bench', '')}",
            }
        )
    heads = [head for head in rows[0] if any(row[head] for row in rows)]
    return {"heads": heads, "rows": [[row[head] for head in heads] for row in rows]}


def _names(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(row.metric for result in results for row in result.summaries))


def _versions(results: Sequence[Result]) -> dict[str, Any]:
    return {name: version for result in results for name, version in result.about["metrics"].items()}


def _tables(results: Sequence[Result], looks: Sequence[Look]) -> list[dict[str, Any]]:
    """A table a scenario: a column a figure, a row a system."""
    found = []
    for label, description in DESCRIPTIONS.items():
        rows = [{row.metric: row for row in result.summaries if row.scenario == label} for result in results]
        columns = list({name: row for table in rows for name, row in table.items()}.values())
        if columns:
            lines = [
                (look, [table.get(column.metric) for column in columns])
                for look, table in zip(looks, rows, strict=True)
            ]
            found.append(
                {
                    "label": label,
                    "description": description,
                    "columns": columns,
                    "lines": lines,
                    "expected": max(column.expected for column in columns),
                }
            )
    return found


def _controls(results: Sequence[Result]) -> list[tuple[str, list[Line], list[str]]]:
    """Each system with the right against the wrong enrollment, where both were scored."""
    found = []
    by_name = {result.system: result for result in results}
    for name, control in by_name.items():
        own = by_name.get(name.removesuffix(CONTROL))
        if own and own is not control:
            both = [
                metric
                for metric in CONTROLLED
                if metric in own.about["metrics"] and metric in control.about["metrics"]
            ]
            compared = comparison.compare(own, control, names=both)
            found.append((own.system, compared.lines, compared.notes))
    return found


def _warnings(scores: Sequence[Scores], looks: Sequence[Look]) -> list[tuple[Look, list[str], int]]:
    """What failed or could not be scored of each system, the first lines of it, and how many more there are."""
    found = []
    for look, table in zip(looks, scores, strict=True):
        lines = score.warnings([row for rows in table.cells.values() for row in rows], [])
        if lines:
            found.append((look, lines[:SHOWN_WARNINGS], max(0, len(lines) - SHOWN_WARNINGS)))
    return found


def _downloads(results: Sequence[Result], scores: Sequence[Scores], looks: Sequence[Look]) -> list[Download]:
    every = [
        (look.name, *(cell(value) for value in row.model_dump().values()))
        for look, table in zip(looks, scores, strict=True)
        for rows in table.cells.values()
        for row in rows
    ]
    return [
        _download("summary.csv", "every figure of every system with its interval", tables.to_csv(results)),
        _download("scores.csv", "every clip", as_csv(["system", *Score.model_fields], every)),
        _download("mixtures.csv", "what each clip is", read_text(results[0].folder / "mixtures.csv").rstrip("\n")),
    ]


def _download(name: str, words: str, text: str) -> Download:
    content = f"{text}\n".encode()
    uri = media.data_uri("text/csv", content) if len(content) <= LARGEST_CSV else ""
    return Download(name, words, uri, len(content))
