"""The order of a leaderboard: pure functions on rows of figures.

Three figures say how much of the target was lost, two how much of everybody else was let through. A leakage
reduction counts only as far as it exceeds what the target lost in level, so that turning everything down, or off,
gains nothing.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Figures = Mapping[str, float]
"""Values by column, ``<scenario>.<metric>``."""

OVER_SUPPRESSION = "TS2.tsos"
LEAKAGE = "TS3.leakage_reduction_db"
PAUSE_LEAKAGE = "TS2.pause_leakage_db"
LOSS = "TS2.target_loss_db"
LOWEST_FIRST = ("TS1.tsos", OVER_SUPPRESSION, "TS2.wer")
"""Criteria of which less is better."""
BEYOND_LOSS = (LEAKAGE, PAUSE_LEAKAGE)
"""Criteria of which more is better, as far as they exceed ``LOSS``."""
CRITERIA = (*LOWEST_FIRST, *BEYOND_LOSS)
NEEDED = (*LOWEST_FIRST, LEAKAGE, LOSS, PAUSE_LEAKAGE)
"""Columns without which a row has no rank."""
REMOVES_NOTHING_DB = 3.0
"""A system that takes less than half the energy from other talkers, beyond what it takes from the target, stands
behind every system that takes more: doing nothing never leads, whatever else is on the board."""


class Rank(NamedTuple):
    """The rank of a row, 1 for the first, and the mean of its ranks over the criteria."""

    rank: int
    mean_rank: float


def rank_rows(rows: Sequence[Figures], names: Sequence[str]) -> list[Rank]:
    """The rank of every row, each with all of ``NEEDED``: by mean rank over the criteria, rows that remove nothing
    last, ties by name. No two ``names`` are alike."""
    by_criterion = [ranks([row[name] for row in rows]) for name in LOWEST_FIRST]
    by_criterion += [ranks([row[LOSS] - row[name] for row in rows]) for name in BEYOND_LOSS]
    means = [round(sum(column) / len(CRITERIA), 4) for column in zip(*by_criterion, strict=True)]
    # who removes nothing: other talkers lose hardly more than the target does
    idle = [row[LEAKAGE] - row[LOSS] < REMOVES_NOTHING_DB for row in rows]
    keys = list(zip(idle, means, names, strict=True))
    order = {key: number for number, key in enumerate(sorted(keys), 1)}
    return [Rank(order[key], mean) for key, mean in zip(keys, means, strict=True)]


def ranks(badness: Sequence[float]) -> list[float]:
    """Ranks from 1 for the smallest; equal values share the mean of their ranks."""
    return [sum(b < own for b in badness) + (sum(b == own for b in badness) + 1) / 2 for own in badness]


def on_front(rows: Sequence[Figures], references: Sequence[bool]) -> list[bool]:
    """Whether no other row is at least as good in TS2 over-suppression and in TS3 leakage reduction, and better
    in one: the Pareto front, of references among themselves and of all other rows among themselves, for nobody has
    to beat an oracle to be on it."""
    points = [(row[OVER_SUPPRESSION], -row[LEAKAGE], kind) for row, kind in zip(rows, references, strict=True)]
    return [
        not any(a <= over and b <= leak and (a, b) != (over, leak) and other == kind for a, b, other in points)
        for over, leak, kind in points
    ]
