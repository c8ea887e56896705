"""Parts of a dataset by a column of ``mixtures.csv``: a band of levels, a pair of genders, a group of speakers."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pse_bench.errors import InputError
from pse_bench.registry import suggestion
from pse_bench.schemas import Mixture

MOST_BANDS = 6
"""Numbers that take more values than this are put into as many bands with round edges."""
MOST_CATEGORIES = 12
NOT_GIVEN = "not given"
ALL = "all"


@dataclass(frozen=True)
class Part:
    """The mixtures that have something in common."""

    label: str
    mixtures: frozenset[str]

    def counts(self, mixtures: Iterable[Mixture]) -> tuple[int, int]:
        """How many of ``mixtures`` are in it, and how many target speakers they have."""
        inside = [row for row in mixtures if row.mixture_id in self.mixtures]
        return len(inside), len({row.target_speaker for row in inside})


def parts(mixtures: Sequence[Mixture], column: str) -> list[Part]:
    """The parts of a dataset by a column, or by ``gender_pair`` or ``same_gender``, and last the whole.

    Raises:
        InputError: there is no such column, it has one value only, or too many that are not numbers.
    """
    values = [_value_of(column)(row) for row in mixtures]
    labels = _labels(values)
    found = sorted(set(labels.values()), key=_order(values, labels))
    if len(found) < 2:
        raise InputError(
            f"--by {column}: is {found[0] if found else NOT_GIVEN!r} everywhere; nothing to break down"
        )
    if len(found) > MOST_CATEGORIES:
        raise InputError(
            f"--by {column}: {len(found)} different values, at most {MOST_CATEGORIES}; take another column"
        )
    groups: dict[str, set[str]] = {label: set() for label in found}
    for row, value in zip(mixtures, values, strict=True):
        groups[labels[value]].add(row.mixture_id)
    whole = frozenset(row.mixture_id for row in mixtures)
    return [*(Part(label, frozenset(names)) for label, names in groups.items()), Part(ALL, whole)]


Value = float | str | None


def _value_of(column: str) -> Callable[[Mixture], Value]:
    if column in DERIVED:
        return DERIVED[column]
    if column not in Mixture.model_fields:
        hint = suggestion(column, [*Mixture.model_fields, *DERIVED])
        raise InputError(f"--by {column}: not a column of mixtures.csv; {hint}")
    return lambda row: getattr(row, column)


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
    others = row.interferer_gender.split(";")
    if not row.target_gender or not all(others):
        return None
    alike = sum(other == row.target_gender for other in others)
    return "same" if alike == len(others) else "some" if alike else "different"


DERIVED: dict[str, Callable[[Mixture], Value]] = {"gender_pair": gender_pair, "same_gender": same_gender}
"""What can be broken down by beside the columns."""


# ---- labels


def _labels(values: Sequence[Value]) -> dict[Value, str]:
    """The label of each value that occurs: its band if there are many numbers, or itself."""
    distinct = {value for value in values if value not in {None, ""}}
    numbers = {float(value) for value in distinct if isinstance(value, (int, float))}
    labels: dict[Value, str] = {None: NOT_GIVEN, "": NOT_GIVEN}
    if len(numbers) > MOST_BANDS:
        step = _step(min(numbers), max(numbers))
        labels |= {value: _band(float(value), step) for value in distinct if value is not None}
    else:
        labels |= {value: f"{value:g}" if isinstance(value, float) else str(value) for value in distinct}
    return {value: labels[value] for value in dict.fromkeys(values)}


def _step(low: float, high: float) -> float:
    """The smallest of 1, 2, 5, 10, … that covers the range with at most MOST_BANDS bands."""
    exponent = math.floor(math.log10((high - low) / MOST_BANDS))
    steps = [factor * 10.0**power for power in range(exponent, exponent + 3) for factor in (1, 2, 5)]
    return next(s for s in steps if _place(high, s) - _place(low, s) < MOST_BANDS)


def _place(value: float, step: float) -> int:
    return math.floor(value / step + 1e-9)  # 0.3 lies in the band that begins at 0.3, whatever its last bit


def _band(value: float, step: float) -> str:
    place = _place(value, step)
    return f"{round(place * step, 9):g} to {round((place + 1) * step, 9):g}"


def _order(values: Sequence[Value], labels: dict[Value, str]) -> Callable[[str], tuple[bool, float, str]]:
    """Numbers by size, words by the alphabet, and last what is not given."""
    least: dict[str, float] = {}
    for value in values:
        if isinstance(value, (int, float)):
            label = labels[value]
            least[label] = min(least.get(label, math.inf), value)
    return lambda label: (label == NOT_GIVEN, least.get(label, 0.0), label)
