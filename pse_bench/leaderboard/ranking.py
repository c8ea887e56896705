"""The order of a leaderboard: pure functions on rows of figures.

Three figures say how much of the target was lost, two how much of everybody else was let through. A leakage
reduction counts only as far as it exceeds what the target lost in level, so that turning everything down, or off,
gains nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Figures = Mapping[str, float]
"""Values by column, ``<scenario>.<metric>``."""

OVER_SUPPRESSION = "TS2.tsos"
LEAKAGE = "TS3.leakage_reduction_db"
PAUSE_LEAKAGE = "TS2.pause_leakage_db"
LOSS = "TS2.target_loss_db"
REMOVES_NOTHING_DB = 3.0
"""A system that takes less than half the energy from other talkers, beyond what it takes from the target, stands
behind every system that takes more: doing nothing never leads, whatever else is on the board."""


@dataclass(frozen=True)
class Criterion:
    """One of the figures that are ranked: the columns it is made of, its value, and its direction."""

    name: str
    columns: tuple[str, ...]
    value: Callable[[Figures], float]
    higher_is_better: bool


def _column(name: str) -> Criterion:
    return Criterion(name, (name,), lambda figures: figures[name], higher_is_better=False)


def _beyond_loss(name: str) -> Criterion:
    return Criterion(name, (name, LOSS), lambda figures: figures[name] - figures[LOSS], higher_is_better=True)


CRITERIA = (
    _column("TS1.tsos"),
    _column(OVER_SUPPRESSION),
    _column("TS2.wer"),
    _beyond_loss(LEAKAGE),
    _beyond_loss(PAUSE_LEAKAGE),
)
NEEDED = tuple(dict.fromkeys(column for criterion in CRITERIA for column in criterion.columns))
"""Columns without which a row has no rank."""


@dataclass(frozen=True)
class Rank:
    """The rank of a row, 1 for the first, and the mean of its ranks over the criteria."""

    rank: int
    mean_rank: float


def rank_rows(rows: Sequence[Figures], names: Sequence[str]) -> list[Rank]:
    """The rank of every row: by mean rank over the criteria, rows that remove nothing last, ties by name.

    Args:
        rows: each with all of ``NEEDED``.
        names: what ties are ordered by; no two alike.
    """
    by_criterion = [ranks([_badness(criterion, row) for row in rows]) for criterion in CRITERIA]
    means = [round(sum(column) / len(CRITERIA), 4) for column in zip(*by_criterion, strict=True)]
    keys = [(removes_nothing(row), mean, name) for row, mean, name in zip(rows, means, names, strict=True)]
    order = {key: number for number, key in enumerate(sorted(keys), 1)}
    return [Rank(order[key], mean) for key, mean in zip(keys, means, strict=True)]


def removes_nothing(row: Figures) -> bool:
    """Whether other talkers lose hardly more than the target does."""
    return row[LEAKAGE] - row[LOSS] < REMOVES_NOTHING_DB


def ranks(badness: Sequence[float]) -> list[float]:
    """Ranks from 1 for the smallest; equal values share the mean of their ranks."""
    return [
        sum(other < own for other in badness) + (sum(other == own for other in badness) + 1) / 2 for own in badness
    ]


def on_front(rows: Sequence[Figures]) -> list[bool]:
    """Whether no other row is at least as good in TS2 over-suppression and in TS3 leakage reduction, and better
    in one: the Pareto front."""
    points = [(row[OVER_SUPPRESSION], -row[LEAKAGE]) for row in rows]
    return [
        not any(
            a <= own[0] and b <= own[1] and (a, b) != own for number, (a, b) in enumerate(points) if number != at
        )
        for at, own in enumerate(points)
    ]


def _badness(criterion: Criterion, row: Figures) -> float:
    value = criterion.value(row)
    return -value if criterion.higher_is_better else value
