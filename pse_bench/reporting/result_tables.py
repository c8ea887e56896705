"""The parts of a report that need results alone: tables, controls, warnings, and descriptions of systems."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pse_bench.io.documents import parse, read_text
from pse_bench.io.tables import cell
from pse_bench.io.text_table import as_csv
from pse_bench.leaderboard.leaderboard import CONTROL
from pse_bench.reporting import media, tables
from pse_bench.reporting.plot_style import Style
from pse_bench.schemas import TABLES, Score
from pse_bench.scoring import comparison, result_writer
from pse_bench.scoring.comparison import Line
from pse_bench.scoring.results import Result
from pse_bench.scoring.summary import Scores
from pse_bench.submission.submission import System

LARGEST_CSV = 3_000_000
"""Bytes of a table that a page still holds."""
CONTROLLED = ("tsos", "target_loss_db", "si_sdr", "wer", "pause_leakage_db", "leakage_reduction_db")
SHOWN_WARNINGS = 12


@dataclass(frozen=True)
class Download:
    """A table to download from the page; without ``uri`` it is too large."""

    name: str
    words: str
    uri: str
    size: int


def about(result: Result, scores: Scores) -> dict[str, Any]:
    """The dataset, reference and packages that all results share."""
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


def descriptions(results: Sequence[Result]) -> dict[str, list[Any]]:
    """The descriptions of the submissions: heads of the columns that any of them fills, and a row of text each."""
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


def names(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(row.metric for result in results for row in result.summaries))


def versions(results: Sequence[Result]) -> dict[str, Any]:
    return {name: version for result in results for name, version in result.about["metrics"].items()}


def aggregates(results: Sequence[Result], styles: Sequence[Style]) -> list[dict[str, Any]]:
    """A table a scenario: a column a metric, a row a system."""
    found = []
    for label, description in TABLES.items():
        rows = [{row.metric: row for row in result.summaries if row.scenario == label} for result in results]
        columns = list({name: row for table in rows for name, row in table.items()}.values())
        if columns:
            lines = [
                (style, [table.get(column.metric) for column in columns])
                for style, table in zip(styles, rows, strict=True)
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


def controls(results: Sequence[Result]) -> list[tuple[str, list[Line], list[str]]]:
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


def warnings(scores: Sequence[Scores], styles: Sequence[Style]) -> list[tuple[Style, list[str], int]]:
    """Clips of each system that failed or have no score: the first lines, and how many more there are."""
    found = []
    for style, table in zip(styles, scores, strict=True):
        lines = result_writer.warnings([row for rows in table.cells.values() for row in rows], [])
        if lines:
            found.append((style, lines[:SHOWN_WARNINGS], max(0, len(lines) - SHOWN_WARNINGS)))
    return found


def downloads(results: Sequence[Result], scores: Sequence[Scores], styles: Sequence[Style]) -> list[Download]:
    every = [
        (style.name, *(cell(value) for value in row.model_dump().values()))
        for style, table in zip(styles, scores, strict=True)
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
