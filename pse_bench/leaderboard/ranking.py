"""The order of a leaderboard: pure functions on figures and on sums over target speakers.

One figure orders the systems, the **net score**: the harmonic mean, in %, of three shares between 0 and 1. What is
kept of the target: one less the mean of over-suppression in TS1 and TS2 and of word errors in TS2. And how much
softer everybody else has become, once in TS3 and once in the target's pauses in TS2: 1 − 2^(−net/10) on average
over speakers, for what is 10 dB lower is heard as half as loud (Stevens). Net is a speaker's reduction beyond what
the target itself lost, never below 0 (``leakage.net_reduction_db``); so turning everything down, or off, gains
nothing, and a share of 0 makes a score of 0. Takes of sessions have stretches instead of scenarios, and no words:
what is lost alone, together with others and in the first second of a return, and how much softer others are 1 to
3 s and 10 to 30 s after the target (``TAKES``).

A score, and whether two systems are told apart, follow from the clips of these systems and from nothing else on
the board. So a further row moves nobody. That is why each pair is held to ``ALPHA`` = 1 % instead of being
corrected for their number, which would move everybody's groups with every row.

Sources: Stevens, Psychological Review 64(3), 1957 (loudness); Piepho, JCGS 13(2), 2004 (letters of groups).
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pse_bench.scoring import statistics

Figures = Mapping[str, float]
"""Values by column, ``<scenario>.<metric>``."""

OVER_SUPPRESSION = "TS2.tsos"
LEAKAGE = "TS3.leakage_reduction_db"
NET = "TS3.net_leakage_reduction_db"
PAUSE_LEAKAGE = "TS2.pause_leakage_db"
LOSS = "TS2.target_loss_db"
REDUCTION = "TS2.target_reduction_db"
LOST = ("TS1.tsos", OVER_SUPPRESSION, "TS2.wer")
"""Criteria in %, of which less is better: what is not kept of the target."""
NEEDED = (*LOST, NET, PAUSE_LEAKAGE)
"""The criteria, without which a result has no place; of what is removed in the pauses of TS2, what is net, too."""
TAKES = (
    "TS2.tsos_alone",
    "TS2.tsos_together",
    "TS2.return_tsos",
    "TS2.pause_leakage_to_3s_db",
    "TS2.pause_leakage_to_30s_db",
)
"""The criteria of takes of sessions, as many of each kind."""
EARLIER = (*LOST, LEAKAGE, LOSS, PAUSE_LEAKAGE)
"""What rows of earlier versions have instead."""
ALPHA = 0.01
"""The chance that a test takes two systems for different that are not; see above."""
REMOVES_DB = 3.0
"""The least net leakage reduction of a system on the front."""
LEAST = 0.5
"""The smallest difference of net scores, in points, that two systems are told apart by."""


@dataclass(frozen=True)
class Pair:
    """Two systems by their numbers, the one with the higher net score first: what it is ahead by, the interval of
    that, p, and whether that tells them apart."""

    first: int
    second: int
    difference: float
    ci_low: float | None
    ci_high: float | None
    p: float
    told_apart: bool


def criteria(there: Container[str]) -> tuple[str, ...]:
    """The criteria that these columns are ranked by: ``TAKES`` where of takes, which have no TS3."""
    takes = any(name in there for name in TAKES) and NET not in there and LEAKAGE not in there
    return TAKES if takes else NEEDED


# ---- the net score


def net_figures(figures: Figures) -> np.ndarray:
    """The criteria from a row's figures, reductions less the loss: of a row of which no sums are kept."""
    wanted, count = criteria(figures), len(LOST)
    nets = [net_leakage(figures), max(figures.get(PAUSE_LEAKAGE, 0.0) - figures.get(LOSS, 0.0), 0.0)]
    if wanted == TAKES:
        nets = [max(figures[name] - figures.get(REDUCTION, 0.0), 0.0) for name in wanted[count:]]
    return np.array([*(figures[name] for name in wanted[:count]), *map(softer, nets)])


def net_leakage(figures: Figures) -> float:
    """The net leakage reduction in TS3 of a row's figures, of takes that in the target's pauses; one of before has
    the two that it is made of."""
    if criteria(figures) == TAKES:
        return max(figures.get(PAUSE_LEAKAGE, 0.0) - figures.get(REDUCTION, 0.0), 0.0)
    return figures.get(NET, max(figures.get(LEAKAGE, 0.0) - figures.get(LOSS, 0.0), 0.0))


def softer(net_db: Any) -> Any:
    """The share by which what is ``net_db`` lower is softer."""
    return 1 - np.exp2(-net_db / 10)


def softened(sums: np.ndarray) -> np.ndarray:
    """Sums of speakers, shape (speakers, 5, 2), with how much softer others are for each of them in place of dB:
    so muting others for some speakers makes up for nobody else."""
    found = sums.copy()
    levels, clips = sums[:, len(LOST) :, 0], sums[:, len(LOST) :, 1]
    found[:, len(LOST) :, 0] = clips * softer(np.divide(levels, clips, out=np.zeros_like(levels), where=clips > 0))
    return found


def net_score(criteria: np.ndarray) -> np.ndarray:
    """The net score, shape (...), from values of the criteria, shape (..., 5): % that are lost, and shares by
    which others are softer."""
    lost = np.minimum(criteria[..., : len(LOST)], 100.0).mean(axis=-1, keepdims=True) / 100
    shares = np.concatenate([1 - lost, criteria[..., len(LOST) :]], axis=-1)
    inverse = np.divide(1.0, shares, out=np.full_like(shares, np.inf), where=shares > 0)
    return 100 * shares.shape[-1] / inverse.sum(axis=-1)


def _of_sums(sums: np.ndarray) -> np.ndarray:
    """The net score, shape (...), from sums of the criteria, shape (..., 5, 2)."""
    scale = np.array([100.0] * len(LOST) + [1.0, 1.0])
    return net_score(scale * sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], np.nan))


def standing(sums: np.ndarray) -> tuple[float, statistics.Interval | None]:
    """The net score and its interval over speakers, from the sums of the criteria, shape (speakers, 5, 2)."""
    nets = softened(sums)
    whole = nets.sum(axis=0)
    value = float(_of_sums(whole))
    return value, statistics.left_out_interval(value, _of_sums(whole - nets), _clips(nets), low=0.0, high=100.0)


def _clips(nets: np.ndarray) -> np.ndarray:
    """How many clips of TS3 a speaker has, or takes: their weight."""
    return nets[:, len(LOST), 1]


# ---- who is told apart


def pairs(systems: Sequence[np.ndarray]) -> list[Pair]:
    """Every two systems, by their sums of the criteria over the same speakers; those that come first have the
    higher net score. Speakers are swapped between two systems, and these swaps are the same for all."""
    nets = [softened(sums) for sums in systems]
    wholes = [net.sum(axis=0) for net in nets]
    left = [_of_sums(whole - net) for whole, net in zip(wholes, nets, strict=True)]
    chosen = statistics.swaps(len(nets[0]) if nets else 0).astype(float)
    # what each system gives away in each swap, made once for all pairs
    given = [_given(chosen, net) for net in nets]
    found = []
    for first in range(len(nets)):
        for second in range(first + 1, len(nets)):
            moved = given[first] - given[second]
            swapped = _of_sums(wholes[first] - moved) - _of_sums(wholes[second] + moved)
            interval = statistics.left_out_difference(
                float(swapped[0]), left[first] - left[second], _clips(nets[first]), span=100.0
            )
            p = float(statistics.p_values(swapped[None])[0][0])
            low, high = interval or (None, None)
            apart = p <= ALPHA and low is not None and low > 0 and swapped[0] >= LEAST
            found.append(Pair(first, second, float(swapped[0]), low, high, p, bool(apart)))
    return found


def _given(chosen: np.ndarray, net: np.ndarray) -> np.ndarray:
    """The sums of the speakers that are swapped, shape (num_swaps, 5, 2), laid out so that all swaps of one sum
    lie side by side: sums are worked on one by one."""
    sums = (chosen @ net.reshape(len(net), -1)).reshape(-1, *net.shape[1:])
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(sums, 0, -1)), -1, 0)


def rank_intervals(number: int, found: Sequence[Pair]) -> list[tuple[int, int]]:
    """From which to which rank each of so many systems may stand: behind all that are shown to be better, before
    all that are shown to be worse."""
    better, worse = [0] * number, [0] * number
    for pair in found:
        better[pair.second] += pair.told_apart
        worse[pair.first] += pair.told_apart
    return [(1 + above, number - below) for above, below in zip(better, worse, strict=True)]


def groups(number: int, apart: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The largest groups of so many systems in which no two are told apart, the best first; a system may be in
    several. Two share a group exactly where ``apart`` does not have them."""
    found = [frozenset(range(number))] if number else []
    for first, second in apart:
        parted = []
        for group in found:
            both = first in group and second in group
            parted += [group - {first}, group - {second}] if both else [group]
        whole = set(parted)
        found = [group for group in whole if not any(group < other for other in whole)]
    return sorted(map(sorted, found))


# ---- the front


def on_front(rows: Sequence[Figures], references: Sequence[bool]) -> list[bool]:
    """Whether no other row is at least as good in TS2 over-suppression and in net leakage reduction in TS3, and
    better in one: the Pareto front, of references among themselves and of all other rows among themselves, for
    nobody has to beat an oracle to be on it. Who removes less than half of what leaks (``REMOVES_DB``) is on none:
    doing nothing has the least over-suppression there is. References may, which show just that."""
    points = [(row[OVER_SUPPRESSION], -net_leakage(row), kind) for row, kind in zip(rows, references, strict=True)]
    return [
        (kind or -leak >= REMOVES_DB)
        and not any(a <= over and b <= leak and (a, b) != (over, leak) and other == kind for a, b, other in points)
        for over, leak, kind in points
    ]
