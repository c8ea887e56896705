"""What each figure means, from the data and the docstrings of the metrics themselves."""

import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pse_bench import metrics
from pse_bench.metrics import detection

HEADINGS = ("Args", "Raises", "Source", "Returns")


@dataclass(frozen=True)
class Definition:
    """A figure in words: a line, what its code says of it as paragraphs, and its fields as pairs."""

    name: str
    description: str
    paragraphs: list[str]
    facts: list[tuple[str, str]]


def definitions(names: Iterable[str], about: Mapping[str, Any]) -> list[Definition]:
    """The figures of these names, each metric followed by what is derived from it.

    Args:
        names: metrics and derived figures, in the order they are wanted.
        about: of each metric, what ``result.json`` says: its version, and the model behind it.
    """
    derived = {figure.name: figure for figure in metrics.DERIVED}
    found = []
    for name in names:
        if name in derived:
            found.append(_derived(derived[name]))
        elif name in detection.METRICS:
            found.append(_detection(detection.METRICS[name]))
        else:
            found.append(_own(metrics.ALL_METRICS[name], about.get(name, {})))
    return found


def _own(metric: metrics.Metric, scored: Mapping[str, Any]) -> Definition:
    unit = f" {metric.unit}" if metric.unit else ""
    facts = [
        ("unit", metric.unit or "none"),
        ("better", "higher" if metric.higher_is_better else "lower"),
        ("scenarios", ", ".join(metric.scenarios)),
        ("over clips", "ratio of sums" if metric.aggregation == "ratio" else "mean"),
        ("a failed clip counts", "everything lost" if metric.worst is None else f"{metric.worst:g}{unit}"),
        ("smallest difference worth naming", f"{metric.resolution.size:g}{unit}: {metric.resolution.reason}"),
        ("source", metric.source),
        ("version", str(scored.get("version", metric.version))),
    ]
    model = scored.get("model")
    return Definition(
        metric.name, metric.description, _said_by(metric), [*facts, *([("model", model)] if model else [])]
    )


def _derived(figure: metrics.Derived) -> Definition:
    facts = [
        ("unit", figure.unit),
        ("better", "higher" if figure.higher_is_better else "lower"),
        ("over clips", figure.aggregation),
        ("computed from", figure.metric),
    ]
    return Definition(figure.name, figure.description, _paragraphs(figure.compute), facts)


def _detection(metric: detection.DetectionMetric) -> Definition:
    facts = [
        ("unit", metric.unit),
        ("better", "higher" if metric.higher_is_better else "lower"),
        ("scenarios", ", ".join(metric.scenarios)),
        ("over clips", metric.aggregation),
        ("source", metric.source),
        ("version", str(metric.version)),
    ]
    return Definition(metric.name, metric.description, [], facts)


def _said_by(metric: metrics.Metric) -> list[str]:
    """The docstring of the function that has the metric's name, which computes a clip's value."""
    module = sys.modules[metric.compute.__module__]
    return _paragraphs(getattr(module, metric.name, metric.compute))


def _paragraphs(function: Any) -> list[str]:
    found = []
    for paragraph in (inspect.getdoc(function) or "").split("\n\n"):
        if paragraph.startswith(HEADINGS):
            break
        found.append(" ".join(paragraph.replace("``", "").split()))
    return found
