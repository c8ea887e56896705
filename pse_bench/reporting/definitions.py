"""Definitions of metrics, from their records and docstrings."""

import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pse_bench import metrics
from pse_bench.metrics.metric import AGGREGATIONS

HEADINGS = ("Args", "Raises", "Source", "Returns")


@dataclass(frozen=True)
class Definition:
    """A metric in words: a line, the paragraphs of its docstring, and its properties as pairs."""

    name: str
    description: str
    paragraphs: list[str]
    properties: list[tuple[str, str]]


def definitions(names: Iterable[str], about: Mapping[str, Any]) -> list[Definition]:
    """The metrics of these names, each followed by what is computed from its scores.

    Args:
        names: metrics, in the order they are wanted.
        about: of each metric, what ``result.json`` says: its version, the model behind it, its definition.
    """
    known = {**metrics.known(about, "result.json"), **metrics.REGISTRY}
    return [_definition(known[name], about.get(name, {})) for name in names]


def _definition(metric: metrics.Metric, scored: Mapping[str, Any]) -> Definition:
    unit = f" {metric.unit}" if metric.unit else ""
    better = ("better", "higher" if metric.higher_is_better else "lower")
    over_clips = ("over clips", AGGREGATIONS[metric.aggregation])
    source = [("source", metric.source), ("version", str(scored.get("version", metric.version)))]
    if metric.of == "activity":
        scenarios = ("scenarios", ", ".join(metric.scenarios))
        properties = [("unit", metric.unit), better, scenarios, over_clips, *source]
        return Definition(metric.name, metric.description, [], properties)
    if metric.of != "clip":
        properties = [("unit", metric.unit), better, over_clips, ("computed from", metric.of)]
        return Definition(metric.name, metric.description, _paragraphs(metric.compute), properties)
    properties = [
        ("unit", metric.unit or "none"),
        better,
        ("scenarios", ", ".join(metric.scenarios)),
        ("over clips", "ratio of sums" if metric.aggregation == "ratio" else "mean"),
        ("a failed clip counts", "everything lost" if metric.worst is None else f"{metric.worst:g}{unit}"),
        ("smallest difference worth naming", f"{metric.resolution.size:g}{unit}: {metric.resolution.reason}"),
        *source,
    ]
    if model := scored.get("model"):
        properties.append(("model", model))
    paragraphs = [] if "definition" in scored else _docstring(metric)
    return Definition(metric.name, metric.description, paragraphs, properties)


def _docstring(metric: metrics.Metric) -> list[str]:
    """The docstring of the function that has the metric's name, which computes a clip's value."""
    compute = getattr(metric.compute, "func", metric.compute)
    return _paragraphs(getattr(sys.modules[compute.__module__], metric.name, compute))


def _paragraphs(function: Any) -> list[str]:
    found = []
    for paragraph in (inspect.getdoc(function) or "").split("\n\n"):
        if paragraph.startswith(HEADINGS):
            break
        found.append(" ".join(paragraph.replace("``", "").split()))
    return found
