"""The order of boards: the net score, who is told apart, and that nobody is moved by others."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.leaderboard import ranking, shown
from pse_bench.leaderboard.table import PairRow
from pse_bench.scoring import statistics

SIMULATED = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "groups.py"))

COLUMNS = ranking.NEEDED
NETS = COLUMNS[3:]
BOUNDS = ((0, 100), (0, 100), (0, 200), (0, 120), (0, 120))
FIGURES = st.fixed_dictionaries({name: st.floats(*ends) for name, ends in zip(COLUMNS, BOUNDS, strict=True)})
Figures = dict[str, float]


def score(figures: Figures) -> float:
    return float(ranking.net_score(ranking.net_figures(figures)))


def sums(rows: list[Figures], clips: int = 1) -> np.ndarray:
    """Sums of speakers who have these figures."""
    scale = [100.0 if name in ranking.LOST else 1.0 for name in COLUMNS]
    return np.array([[[row[n] / s * clips, clips] for n, s in zip(COLUMNS, scale, strict=True)] for row in rows])


# ---- the net score


def test_the_net_score_is_what_it_says() -> None:
    figures = dict(zip(COLUMNS, (3.0, 6.0, 21.0, 20.0, 10.0), strict=True))
    kept, removed, paused = 0.9, 0.75, 0.5
    assert score(figures) == pytest.approx(300 / (1 / kept + 1 / removed + 1 / paused))
    value, interval = ranking.standing(sums([figures] * 5))
    assert (value, interval) == (pytest.approx(score(figures)), (pytest.approx(value), pytest.approx(value)))


@given(FIGURES)
def test_the_net_score_lies_within_its_bounds(figures: Figures) -> None:
    assert 0 <= score(figures) <= 100


@given(FIGURES, st.sampled_from(NETS))
def test_who_removes_nothing_or_everything_scores_nothing(figures: Figures, name: str) -> None:
    assert score(figures | {name: 0.0}) == 0
    assert score(figures | dict.fromkeys(ranking.LOST, 100.0)) == 0


@given(st.floats(0, 60))
def test_a_row_of_before_gains_nothing_by_turning_everything_down(gain_db: float) -> None:
    """What the target lost is taken off, as far as its figures tell."""
    knob = dict.fromkeys(ranking.LOST, 0.0) | dict.fromkeys(ranking.EARLIER[3:], gain_db)
    assert score(knob) == 0


@given(FIGURES, FIGURES)
def test_better_in_everything_is_no_worse(first: Figures, second: Figures) -> None:
    better = {name: min(first[name], second[name]) for name in ranking.LOST}
    better |= {name: max(first[name], second[name]) for name in NETS}
    assert score(better) >= max(score(first), score(second)) - 1e-9


def test_one_speaker_makes_up_for_nobody_else() -> None:
    """Who mutes others for one speaker and lets them pass for another has made them softer by half."""
    clean = dict.fromkeys(COLUMNS, 0.0) | {"TS2.pause_leakage_db": 120.0}
    two = [clean | {"TS3.net_leakage_reduction_db": net_db} for net_db in (120.0, 0.0)]
    assert ranking.softened(sums(two, clips=3))[:, 3].tolist() == [[pytest.approx(3.0, abs=0.01), 3.0], [0.0, 3.0]]
    assert ranking.standing(sums(two))[0] == pytest.approx(75, abs=0.1)


# ---- who is told apart


def named(systems: dict[str, np.ndarray]) -> tuple[dict[str, Any], dict[tuple[str, str], tuple[Any, ...]]]:
    """Score and interval of every system by name, and what is found of every two, in whichever order."""
    standing = {name: ranking.standing(found) for name, found in systems.items()}
    order = sorted(systems, key=lambda name: (-standing[name][0], name))
    pairs = {
        (order[pair.first], order[pair.second]): (
            pair.difference,
            pair.ci_low,
            pair.ci_high,
            pair.p,
            pair.told_apart,
        )
        for pair in ranking.pairs([systems[name] for name in order])
    }
    return standing, pairs


@pytest.fixture(scope="module")
def drawn() -> dict[str, np.ndarray]:
    systems, order = SIMULATED["board"](7, 12)
    return {f"s{which}": found for which, found in zip(order, systems, strict=True)}


@given(st.sets(st.integers(0, 5), min_size=1), st.randoms(use_true_random=False))
def test_nobody_is_moved_by_who_else_is_there(drawn: dict[str, np.ndarray], left: set[int], chance: Any) -> None:
    """Figures, intervals, p, and who shares a group are the same on every part of a board, under any names."""
    letters = list("abcdef")
    chance.shuffle(letters)
    renamed = {f"s{number}": letters[number] for number in range(6)}
    standing, pairs = named(drawn)
    part_standing, part = named({renamed[f"s{number}"]: drawn[f"s{number}"] for number in left})
    assert part_standing == {
        renamed[name]: found for name, found in standing.items() if renamed[name] in part_standing
    }
    expected = {(renamed[a], renamed[b]): found for (a, b), found in pairs.items()}
    assert part == {names: found for names, found in expected.items() if set(names) <= part_standing.keys()}


def test_groups_are_right_as_often_as_they_say() -> None:
    """Of 200 boards of two pairs of equal systems, 90 to 99 % tell no equal ones apart and keep the order."""
    found = [SIMULATED["right"](number, 12, 4) for number in range(1, 201)]
    assert 0.90 <= np.mean([right for right, _ in found]) <= 0.99
    assert np.mean([share for _, share in found]) > 0.95, "systems twelve points apart are told apart"


def test_equal_systems_share_a_group_and_say_so(drawn: dict[str, np.ndarray]) -> None:
    found = ranking.pairs([drawn["s0"], drawn["s0"]])
    assert [(pair.difference, pair.p, pair.told_apart) for pair in found] == [(0.0, 1.0, False)]
    assert ranking.rank_intervals(2, found) == [(1, 2), (1, 2)]
    assert ranking.groups(2, []) == [[0, 1]]


def test_few_speakers_tell_nobody_apart(drawn: dict[str, np.ndarray]) -> None:
    for speakers, enough in ((7, False), (8, True)):
        (pair,) = ranking.pairs([drawn["s0"][:speakers], drawn["s5"][:speakers]])
        assert (statistics.smallest_p(speakers) <= ranking.ALPHA) is enough is pair.told_apart


def test_less_than_half_a_point_is_no_difference() -> None:
    one = dict.fromkeys(COLUMNS, 10.0)
    rows = [one | {"TS2.tsos": 10.0 + number / 10} for number in range(12)]
    slightly, clearly = ([row | {"TS2.tsos": row["TS2.tsos"] + more} for row in rows] for more in (1.0, 40.0))
    told = [ranking.pairs([sums(rows), sums(other)])[0] for other in (slightly, clearly)]
    assert [pair.told_apart for pair in told] == [False, True]
    assert told[0].p == told[1].p == 2 / 2**12


def test_the_swaps_are_those_of_brute_force(drawn: dict[str, np.ndarray]) -> None:
    """The p of a pair against every swap of five of its speakers, done one at a time."""
    first, second = drawn["s0"][:5], drawn["s1"][:5]
    (pair,) = ranking.pairs([first, second])
    differences = []
    for number in range(2**5):
        swap = np.array([number >> k & 1 == 1 for k in range(5)])[:, None, None]
        both = np.where(swap, second, first), np.where(swap, first, second)
        differences.append(ranking.standing(both[0])[0] - ranking.standing(both[1])[0])
    assert pair.difference == pytest.approx(differences[0])
    assert pair.p == np.mean(np.abs(differences) >= abs(differences[0]) - 1e-9)


# ---- ranks and groups


EDGES = st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda pair: pair[0] < pair[1]))


@given(EDGES)
def test_two_share_a_group_exactly_where_they_are_not_told_apart(apart: set[tuple[int, int]]) -> None:
    found = ranking.groups(7, sorted(apart))
    for first in range(7):
        for second in range(first + 1, 7):
            shared = any({first, second} <= set(group) for group in found)
            assert shared == ((first, second) not in apart)
    assert {member for group in found for member in group} == set(range(7))
    assert not any(set(group) < set(other) for group in found for other in found)


def test_ranks_are_behind_the_better_and_before_the_worse() -> None:
    def told(first: int, second: int, apart: bool) -> ranking.Pair:
        return ranking.Pair(first, second, 1.0, 0.5, 1.5, 0.001, apart)

    found = [told(0, 1, False), told(0, 2, True), told(1, 2, False)]
    assert ranking.rank_intervals(3, found) == [(1, 2), (1, 3), (2, 3)]


def test_letters_beyond_z() -> None:
    assert [shown._letter(number) for number in (0, 25, 26, 701, 702)] == ["a", "z", "aa", "zz", "aaa"]


def test_pairs_are_written_without_anybody_else() -> None:
    assert list(PairRow.model_fields) == ["first", "second", "difference", "ci_low", "ci_high", "p", "told_apart"]


# ---- the front


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=10))
def test_the_front_is_that_of_brute_force(points: list[tuple[int, int]]) -> None:
    rows = [{"TS2.tsos": tsos, "TS3.leakage_reduction_db": leakage} for tsos, leakage in points]
    expected = []
    for tsos, leakage in points:
        beaten = [(a < tsos and b >= leakage) or (a <= tsos and b > leakage) for a, b in points]
        expected.append(not any(beaten))
    assert ranking.on_front(rows, [True] * len(rows)) == expected
    removes = [leakage >= 3 for _, leakage in points]
    assert ranking.on_front(rows, [False] * len(rows)) == list(map(all, zip(expected, removes, strict=True)))


def test_a_volume_knob_is_not_on_the_front() -> None:
    knob = {"TS2.tsos": 0.0, "TS3.leakage_reduction_db": 10.7, "TS2.target_loss_db": 10.7}
    honest = {"TS2.tsos": 0.0, "TS3.leakage_reduction_db": 5.0, "TS2.target_loss_db": 0.1}
    assert ranking.on_front([knob, honest], [False, False]) == [False, True]
