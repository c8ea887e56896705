"""Metrics of somebody else's: what they have to be, and what a result keeps of one.

A result is read without their code, so ``result.json`` holds their definitions, from which tables, comparisons and
reports follow.
"""

import re
from collections.abc import Container, Mapping
from dataclasses import fields
from math import isfinite
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pse_bench.errors import InputError
from pse_bench.io.documents import Record, explain
from pse_bench.metrics.metric import Clip, Metric

_NAME = re.compile(r"[a-z0-9_]+")
_STORED = (
    *("description", "family", "unit", "higher_is_better", "scenarios", "low", "high", "worst", "resolution"),
    *("source", "aggregation", "scale", "in_db", "quiet", "compared"),
)


def fault(entry: Any, ours: Container[str] = ()) -> str:
    """What is wrong with a metric from outside, and ``ours`` are taken names; '' where it can be used."""
    if not isinstance(entry, Metric):
        return f"expected a pse_bench.metrics.Metric, found {type(entry).__name__}"
    known = {field.name for field in fields(Clip)}
    numbers = [entry.scale, entry.resolution.size, *(end for end in (entry.low, entry.high) if end is not None)]
    reasons = {
        f"its name {entry.name!r} is not made of a-z, 0-9 and _": not _NAME.fullmatch(entry.name),
        f"its name {entry.name!r} is one of ours; take another": entry.name in ours,
        "of clips only; give of='clip'": entry.of != "clip",
        "scenarios: expected some of TS1, TS2, TS3": not entry.scenarios or "all" in entry.scenarios,
        f"needs: expected estimate and other fields of Clip ({', '.join(sorted(known))})": not (
            {"estimate"} <= set(entry.needs) <= known
        ),
        "aggregation: expected mean or ratio": entry.aggregation not in ("mean", "ratio"),
        "worst: expected a number, what a failed clip gets": entry.worst is None or not isfinite(entry.worst),
        "low, high, scale and resolution: expected finite numbers": not all(map(isfinite, numbers)),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def definition(metric: Metric) -> dict[str, Any]:
    """What a result keeps of a metric, as JSON."""
    content: dict[str, Any] = TypeAdapter(Metric).dump_python(metric, mode="json", include=set(_STORED))
    return {key: content[key] for key in _STORED}


def defined(name: str, content: Mapping[str, Any], where: str) -> Metric:
    """The metric that a result keeps, which cannot be computed. Raises InputError where it is damaged."""
    stored = {key: content[key] for key in _STORED if key in content}
    whole = {**stored, "name": name, "needs": ("estimate",), "compute": _not_here}
    try:
        metric = TypeAdapter(Metric).validate_python(whole)
    except ValidationError as error:
        raise InputError(f"{where}: the definition of {name}: {explain(error, Record)}; restore it") from error
    if problem := fault(metric):
        raise InputError(f"{where}: the definition of {name}: {problem}; restore it")
    return metric


def _not_here(**signals: Any) -> float:
    raise InputError("a metric that a result defines has no code; give --metrics module:attribute")
