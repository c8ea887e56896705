"""The parts of a report that need results alone: tables, controls, warnings, descriptions of systems, and
definitions of metrics from their records and docstrings."""

import inspect
import itertools
import sys
from collections.abc import Sequence
from typing import Any

from pse_bench import metrics
from pse_bench.asr.probe import known
from pse_bench.io.documents import parse, read_text
from pse_bench.io.tables import as_csv, cell
from pse_bench.leaderboard.leaderboard import CONTROL
from pse_bench.metrics.metric import AGGREGATIONS
from pse_bench.reporting import clip_panel, tables
from pse_bench.reporting.plot import ShownSystem, Style, Systems
from pse_bench.schemas import TABLES, Score
from pse_bench.scoring import comparison, figures, result_writer
from pse_bench.scoring.results import Result
from pse_bench.submission.submission import System

LARGEST_CSV = 3_000_000
"""Bytes of a table that a page still holds."""
CONTROLLED = ("tsos", "target_loss_db", "si_sdr", "wer", "pause_leakage_db", "leakage_reduction_db")
SHOWN_WARNINGS = 12


def about(system: ShownSystem) -> dict[str, Any]:
    """The dataset, reference and packages that all results share."""
    about, mixtures = system.result.about, system.scores.mixtures
    recogniser = about.get("recogniser") or {}
    return {
        "dataset": about.get("dataset", "unknown"),
        "fingerprint": about["dataset_fingerprint"],
        "reference": about["reference"],
        "part": system.result.part,
        "mixtures": len(mixtures),
        "speakers": len({row.target_speaker for row in mixtures.values()}),
        "recogniser": recogniser | ({"probe": said} if (said := known(recogniser.get("model", ""))) else {}),
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
                "tuned on": system.tuned_on or "",
                "licence": system.licence or "",
                "url": system.url,
                "estimates": "all" if result.about.get("complete") else "some missing or unusable",
                "submission": str(result.about.get("submission_sha256", ""))[:12],
                "scored with": f"pse-bench {result.about.get('pse_bench', '')}",
            }
        )
    heads = [head for head in rows[0] if any(row[head] for row in rows)]
    return {"heads": heads, "rows": [[row[head] for head in heads] for row in rows]}


def aggregates(systems: Systems) -> list[dict[str, Any]]:
    """The headline figures, where there are any, and a table a scenario: a column a figure, a row a system."""
    rows = [{figures.name_of(row): row for row in system.result.summaries} for system in systems]
    first = {name: row for table in rows for name, row in table.items()}
    shown = tables.chosen([system.result for system in systems], None)
    found = []
    for label, description in (("", ""), *TABLES.items()):
        names = [name for name in first if first[name].scenario == label] if label else shown
        columns = [first[name] for name in names]
        lines = [
            (system.style, [table.get(name) for name in names])
            for system, table in zip(systems, rows, strict=True)
        ]
        about = {"label": label, "description": description, "columns": columns, "lines": lines}
        found += [{**about, "expected": max(row.expected for row in columns)}] if columns else []
    return found


def controls(results: Sequence[Result]) -> list[tuple[str, list[comparison.Line], list[str]]]:
    """Each system with the right against the wrong enrollment, where both were scored."""
    found = []
    by_name = {result.system: result for result in results}
    for name, control in by_name.items():
        own = by_name.get(name.removesuffix(CONTROL))
        if own and own is not control:
            both = own.about["metrics"].keys() & control.about["metrics"].keys()
            compared = comparison.compare(own, control, names=[name for name in CONTROLLED if name in both])
            found.append((own.system, compared.lines, compared.notes))
    return found


def warnings(systems: Systems) -> list[tuple[Style, list[str], int]]:
    """Clips of each system that failed or have no score: the first lines, and how many more there are."""
    found = []
    for system in systems:
        if lines := result_writer.warnings([row for rows in system.scores.cells.values() for row in rows], []):
            found.append((system.style, lines[:SHOWN_WARNINGS], max(0, len(lines) - SHOWN_WARNINGS)))
    return found


def downloads(systems: Systems) -> list[dict[str, Any]]:
    """The tables of all systems as CSV, and the mixtures that they share; without ``uri`` one is too large."""
    every = [
        (system.style.name, *(cell(value) for value in row.model_dump().values()))
        for system in systems
        for rows in system.scores.cells.values()
        for row in rows
    ]
    summary = tables.results_text([system.result for system in systems], "csv")
    mixtures = read_text(systems[0].result.folder / "mixtures.csv").rstrip("\n")
    found = []
    for name, words, text in (
        ("summary.csv", "every figure of every system with its interval", summary),
        ("scores.csv", "every clip", as_csv(["system", *Score.model_fields], every)),
        ("mixtures.csv", "what each clip is", mixtures),
    ):
        content = f"{text}\n".encode()
        uri = clip_panel.data_uri("text/csv", content) if len(content) <= LARGEST_CSV else ""
        found.append({"name": name, "words": words, "uri": uri, "size": len(content)})
    return found


# ---- definitions


def definitions(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The metrics of the results, each followed by what is computed from its scores, as they were when scored: a
    line, the paragraphs of the docstring, and properties as pairs."""
    about = {name: version for result in results for name, version in result.about["metrics"].items()}
    known = {**metrics.known(about, "result.json"), **metrics.REGISTRY}
    names = dict.fromkeys(row.metric for result in results for row in result.summaries)
    return [_definition(known[name], about.get(name, {})) for name in names]


def _definition(metric: metrics.Metric, scored: dict[str, Any]) -> dict[str, Any]:
    clip, derived = metric.of == "clip", metric.of not in ("clip", "activity")
    unit = f" {metric.unit}" if metric.unit else ""
    properties = {
        "unit": metric.unit or ("none" if clip else ""),
        "better": "higher" if metric.higher_is_better else "lower",
        "scenarios": None if derived else ", ".join(metric.scenarios),
        "over clips": AGGREGATIONS[metric.aggregation],
    }
    if derived:
        properties["computed from"] = ", ".join(metric.needs) if metric.of == "scenarios" else metric.of
    if clip:
        properties |= {
            "over clips": "ratio of sums" if metric.aggregation == "ratio" else "mean",
            "a failed clip counts": "everything lost" if metric.worst is None else f"{metric.worst:g}{unit}",
            "smallest difference worth naming": f"{metric.resolution.size:g}{unit}: {metric.resolution.reason}",
        }
    if not derived:
        properties |= {"source": metric.source, "version": str(scored.get("version", metric.version))}
    if scored.get("resampled"):
        properties["sound resampled from"] = scored["resampled"]
    if clip and scored.get("model"):
        properties["model"] = scored["model"]
    function = metric.compute if derived else None
    if clip and "definition" not in scored:  # the function that has the metric's name computes a clip's value
        compute = getattr(metric.compute, "func", metric.compute)
        function = getattr(sys.modules[compute.__module__], metric.name, compute)
    return {
        "name": metric.name,
        "description": metric.description,
        "paragraphs": _paragraphs(function) if function else [],
        "properties": [(key, value) for key, value in properties.items() if value is not None],
    }


def _paragraphs(function: Any) -> list[str]:
    """What a docstring says before its first section."""
    said = (inspect.getdoc(function) or "").split("\n\n")
    found = itertools.takewhile(lambda text: not text.startswith(("Args", "Raises", "Source", "Returns")), said)
    return [" ".join(text.replace("``", "").split()) for text in found]
