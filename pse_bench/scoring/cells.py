"""The scores of one metric in one scenario, by columns: figures over many clips take no record a clip."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any, overload

import numpy as np

from pse_bench import metrics
from pse_bench.io import tables
from pse_bench.schemas import Score


@dataclass(frozen=True, eq=False)
class Cell(Sequence[Score]):
    """Scores of one metric in one scenario, in the order of their rows. As a sequence it gives them as records.

    ``values`` have shape (num_clips,), NaN where a score is undefined; ``names`` are those of the mixtures.
    """

    scenario: Any
    metric: str
    names: Sequence[str]
    values: np.ndarray
    states: Sequence[Any]
    details: Sequence[str]

    @classmethod
    def of(cls, scores: Sequence[Score]) -> "Cell":
        """The same scores by columns."""
        if isinstance(scores, Cell):
            return scores
        label, metric = (scores[0].scenario, scores[0].metric) if scores else ("TS1", "")
        columns = [[getattr(one, name) for one in scores] for name in ("mixture_id", "value", "status", "detail")]
        names, values, states, details = columns
        return cls(label, metric, names, np.array(values, dtype=float), states, details)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, place: int) -> Score: ...
    @overload
    def __getitem__(self, place: slice) -> list[Score]: ...
    def __getitem__(self, place: int | slice) -> Score | list[Score]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        value = self.values[place]
        return Score.model_construct(
            mixture_id=self.names[place],
            scenario=self.scenario,
            metric=self.metric,
            value=None if np.isnan(value) else float(value),
            status=self.states[place],
            detail=self.details[place],
        )

    @property
    def has_value(self) -> np.ndarray:
        """Which scores are not undefined: bool, shape (num_clips,)."""
        return ~np.isnan(self.values)

    @cached_property
    def counted(self) -> "Cell":
        """Those that have a value."""
        return self if self.has_value.all() else self.take(np.flatnonzero(self.has_value))

    @cached_property
    def ratios(self) -> np.ndarray:
        """Numerators and denominators of the details, shape (num_clips, 2); NaN where a score is undefined. Raises
        ValueError where one of the others holds none."""
        given = self.counted.details
        try:
            text = "\n".join([*given, ""])
            if ";" in text:  # a reason follows
                text = "\n".join([*(detail.partition(";")[0] for detail in given), ""])
            columns = tables.plain_cells(text, 2, "/") if text else [[], []]
            pairs = np.array([list(map(float, cells)) for cells in columns or ()]).T.reshape(-1, 2)
            if len(pairs) != len(given) or not np.isfinite(pairs).all():
                raise ValueError
        except ValueError:  # what is wrong, in words
            ratios = [metrics.ratio_of(detail) for detail in given]
            pairs = np.array([(one.numerator, one.denominator) for one in ratios], dtype=float).reshape(-1, 2)
        whole = np.full((len(self), 2), np.nan)
        whole[self.has_value] = pairs
        return whole

    def take(self, places: Iterable[int]) -> "Cell":
        """Those at some places, in that order."""
        chosen = list(places)
        names, states, details = (
            [column[n] for n in chosen] for column in (self.names, self.states, self.details)
        )
        return replace(self, names=names, values=self.values[chosen], states=states, details=details)

    def among(self, names: Iterable[str]) -> "Cell":
        """Those of some mixtures."""
        kept = names if isinstance(names, set) else set(names)
        return self.take(place for place, name in enumerate(self.names) if name in kept)


Cells = Mapping[tuple[str, str], Sequence[Score]]
"""Scores by scenario and metric."""


def read(path: Path) -> dict[tuple[str, str], Cell]:
    """The cells of a ``scores.csv``, in the order of their first rows. Raises InputError naming the line."""
    columns = tables.read_columns(path, Score)
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, key in enumerate(zip(columns["scenario"], columns["metric"], strict=True)):
        places[key].append(place)
    values, known = np.array(columns["value"], dtype=float), dict[str, str]()
    # a name is one object wherever it comes, which makes finding it much faster
    names = list(map(known.setdefault, columns["mixture_id"], columns["mixture_id"]))
    texts = names, columns["status"], columns["detail"]
    found = {}
    for (label, metric), own in places.items():
        picked = itemgetter(*own, own[0])  # of one place alone it would give no tuple
        names, states, details = (picked(column)[:-1] for column in texts)
        found[label, metric] = Cell(label, metric, names, values[own], states, details)
    return found
