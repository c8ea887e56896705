"""Groups of mixtures by a column of ``mixtures.csv``: a band of levels, a pair of genders, a group of speakers."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from pse_bench.errors import InputError
from pse_bench.registry import suggestion
from pse_bench.schemas import Mixture

if TYPE_CHECKING:
    import pandas as pd

MOST_BANDS = 6
"""Numbers that take more values than this are put into as many bands with round edges."""
MOST_CATEGORIES = 12
NOT_GIVEN = "not given"
ALL = "all"


@dataclass(frozen=True)
class Group:
    """The mixtures that have something in common."""

    label: str
    mixtures: frozenset[str]

    def counts(self, mixtures: Iterable[Mixture]) -> tuple[int, int]:
        """How many of ``mixtures`` are in it, and how many target speakers they have."""
        inside = [row for row in mixtures if row.mixture_id in self.mixtures]
        return len(inside), len({row.target_speaker for row in inside})


def groups_of(mixtures: Sequence[Mixture], column: str) -> list[Group]:
    """The groups of a dataset by a column, or by ``gender_pair`` or ``same_gender``, and last the whole. Numbers
    are in the order of size, words of the alphabet, and last comes what is not given. Raises InputError when there
    is no such column, it has one value only, or too many that are not numbers."""
    import pandas as pd

    if column not in (*Mixture.model_fields, *DERIVED):
        hint = suggestion(column, [*Mixture.model_fields, *DERIVED])
        raise InputError(f"--by {column}: not a column of mixtures.csv; {hint}")
    value_of = DERIVED.get(column, attrgetter(column))
    values = pd.Series({row.mixture_id: value_of(row) for row in mixtures}, dtype=object)
    labels, order = _labels(values[values.notna() & values.ne("")])
    if len(labels) < len(values):
        labels, order = labels.reindex(values.index, fill_value=NOT_GIVEN), [*order, NOT_GIVEN]
    if len(order) < 2:
        only = order[0] if order else NOT_GIVEN
        raise InputError(f"--by {column}: is {only!r} everywhere; nothing to break down")
    if len(order) > MOST_CATEGORIES:
        found = f"{len(order)} different values, at most {MOST_CATEGORIES}"
        raise InputError(f"--by {column}: {found}; take another column")
    members = labels.groupby(labels).groups
    return [*(Group(label, frozenset(members[label])) for label in order), Group(ALL, frozenset(values.index))]


def gender_pair(row: Mixture) -> str | None:
    """Target and interferers, as F-M; None where one is not known."""
    if not row.num_interferers:
        return f"{row.target_gender} alone" if row.target_gender else None
    others = sorted(row.interferer_gender.split(";"))
    return f"{row.target_gender}-{'+'.join(others)}" if row.target_gender and all(others) else None


def same_gender(row: Mixture) -> str | None:
    """Whether the interferers have the target's gender: same, different, or some; None where one is not known."""
    if not row.num_interferers:
        return "alone"
    others = set(row.interferer_gender.split(";"))
    if not row.target_gender or "" in others:
        return None
    return "different" if row.target_gender not in others else "some" if len(others) > 1 else "same"


DERIVED: dict[str, Callable[[Mixture], str | None]] = {"gender_pair": gender_pair, "same_gender": same_gender}
"""What can be broken down by beside the columns."""


# ---- labels


def _labels(values: "pd.Series") -> tuple["pd.Series", list[str]]:
    """The label of each value that is given, its band where there are many numbers, and the labels in order."""
    if not all(isinstance(value, (int, float)) for value in values):
        return values.astype(str), sorted(set(values.astype(str)))
    numbers = values.astype(float)
    if numbers.nunique() > MOST_BANDS:
        labels = _bands(numbers)
    else:
        labels = values.map(lambda value: f"{value:g}" if isinstance(value, float) else str(value))
    return labels, list(numbers.groupby(labels).min().sort_values().index)


def _bands(numbers: "pd.Series") -> "pd.Series":
    """Numbers in at most MOST_BANDS bands, whose width is the smallest of 1, 2, 5, 10, … that suffices."""
    import pandas as pd

    low, high = numbers.min(), numbers.max()
    steps = round_steps(high - low, MOST_BANDS)
    step = next(s for s in steps if _place(high, s) - _place(low, s) < MOST_BANDS)
    places = range(_place(low, step), _place(high, step) + 1)
    names = [f"{round(place * step, 9):g} to {round((place + 1) * step, 9):g}" for place in places]
    edges = [place - 0.5 for place in (*places, places[-1] + 1)]
    return pd.cut(numbers.map(lambda value: _place(value, step)), edges, labels=names).astype(str)


def round_steps(span: float, most: int) -> Iterator[float]:
    """Those of 1, 2, 5, 10, … that fit about ``most`` times into a span, and the next larger ones."""
    exponent = math.floor(math.log10(span / most))
    return (factor * 10.0**power for power in range(exponent, exponent + 3) for factor in (1, 2, 5))


def _place(value: float, step: float) -> int:
    return math.floor(value / step + 1e-9)  # 0.3 lies in the band that begins at 0.3, whatever its last bit
