"""Sessions as they are drawn: turns, pauses and backchannels of the asked lengths, said by clips that fit."""

import json
from collections import Counter
from itertools import pairwise

import builders
import pytest

from pse_bench.errors import InputError
from pse_bench.planning.interferers import NOISE_JOIN_S
from pse_bench.planning.session import SessionChoice
from pse_bench.schemas import Recipe, Talker

RATE = builders.RATE
SESSION = {
    "scenarios": ["TS2"],
    "duration_s": {"uniform": [60.0, 90.0]},
    "target": {"clip": "segment"},
    "interferer": {"count": {"choice": [1, 2]}, "pause_s": 0.2},
    "session": {},
}


def spans(turns, *talkers: int) -> list[tuple[int, int]]:
    return [(turn.onset, turn.onset + turn.num_samples) for turn in turns if turn.talker in talkers]


def drawn(seed: int, seconds: float = 300.0, others: int = 2, **asked):
    choice = SessionChoice.model_validate(asked)
    return choice.draw(seed, "take", num_samples=round(seconds * RATE), sample_rate=RATE, others=others)


# ---- who has a turn when


@pytest.mark.parametrize("seed", range(20))
def test_turns_and_pauses_are_of_the_asked_lengths(seed: int) -> None:
    turns = drawn(seed)
    assert [turn.onset for turn in turns] == sorted(turn.onset for turn in turns)
    own = spans(turns, 0)
    pauses_s = [(after[0] - before[1]) / RATE for before, after in pairwise(own)]
    assert len(own) > 5
    assert all(3.0 <= pause <= 30.0 for pause in pauses_s)
    lengths_s = [(stop - start) / RATE for start, stop in own[:-1]]  # the last may be cut
    assert all(0.4 <= length <= 1.4 or 2.0 <= length <= 12.0 for length in lengths_s)
    theirs = spans(turns, 1, 2)
    assert all(before[1] <= after[0] for before, after in pairwise(theirs)), "interferers do not talk at once"
    assert all(stop <= 300 * RATE for _, stop in (*own, *theirs))
    assert {turn.talker for turn in turns} == {0, 1, 2}


def test_shares_are_kept_over_many_turns() -> None:
    turns = drawn(3, 40_000.0, both=0.5, backchannels=0.4)
    own, theirs = spans(turns, 0), spans(turns, 1, 2)
    short = [span for span in own if span[1] - span[0] < 1.5 * RATE]
    assert len(short) / len(own) == pytest.approx(0.4, abs=0.04)
    alone, along = 0, 0
    for start, stop in (span for span in own if span not in short):
        heard = sum(max(0, min(stop, end) - max(start, begin)) for begin, end in theirs)
        alone += heard <= 1.5 * RATE
        along += heard > 0.6 * (stop - start)
    assert along / (len(own) - len(short)) == pytest.approx(0.5, abs=0.06)
    assert alone / (len(own) - len(short)) == pytest.approx(0.5, abs=0.06)


def test_takes_begin_either_way_and_a_longer_one_begins_as_a_shorter() -> None:
    first = Counter(drawn(seed)[0].talker == 0 for seed in range(40))
    assert min(first.values()) > 8
    short, long = drawn(5, 120.0, others=1), drawn(5, 240.0, others=1)
    inside = [turn for turn in long if turn.onset + turn.num_samples < 100 * RATE]
    assert inside == [turn for turn in short if turn.onset + turn.num_samples < 100 * RATE]


# ---- what is said in them


def pieces(talker: Talker) -> list[tuple[int, int]]:
    return [(part.onset, part.onset + part.num_samples) for part in talker.segments]


@pytest.fixture(scope="module")
def recipes() -> list[Recipe]:
    return builders.recipes(6, clips=builders.speech(6, sessions=0, each=12), **SESSION)


def test_talkers_say_something_in_their_turns_and_nothing_outside(recipes: list[Recipe]) -> None:
    for recipe in recipes:
        for number, talker in enumerate((recipe.target, *recipe.interferers)):
            turns = spans(recipe.session.turns, number)
            parts = pieces(talker)
            assert all(before[1] <= after[0] for before, after in pairwise(parts))
            places = [
                next(place for place, (begin, end) in enumerate(turns) if begin <= start and stop <= end)
                for start, stop in parts
            ]
            assert set(places) == set(range(len(turns)))
            assert recipe.num_samples == round(recipe.num_samples / RATE, 3) * RATE


def test_clips_are_said_once_before_any_is_said_twice_and_never_enroll(recipes: list[Recipe]) -> None:
    for recipe in recipes:
        for talker in (recipe.target, *recipe.interferers):
            said = [part.clip_id for part in talker.segments]
            uses = Counter(said)
            assert max(uses.values()) - min(uses.values()) <= 1
        enrolled = {part.clip_id for part in recipe.enrollment.segments}
        assert not enrolled & {part.clip_id for part in recipe.target.segments}
        assert sum(part.num_samples for part in recipe.enrollment.segments) >= 5 * RATE
        people = [talker.speaker_id for talker in (recipe.target, *recipe.interferers)]
        assert len({*people}) == len(people)


def test_noise_covers_the_take_in_stretches_that_meet(recipes: list[Recipe]) -> None:
    for recipe in recipes:
        parts = [recipe.noise.segment, *recipe.session.noise]
        assert len(parts) > 1
        assert parts[0].onset == 0
        assert parts[-1].onset + parts[-1].num_samples == recipe.num_samples
        for before, after in pairwise(parts):
            assert before.onset + before.num_samples - after.onset == round(NOISE_JOIN_S * RATE)
        assert len({part.path.partition("/")[0] for part in parts}) == 1, "one category"


def test_a_recipe_is_a_function_of_seed_and_scene(recipes: list[Recipe]) -> None:
    again = builders.recipes(3, clips=builders.speech(6, sessions=0, each=12), **SESSION)
    assert again == recipes[:3]


def test_a_plan_of_sessions_is_read_back_and_one_without_has_no_such_key(tmp_path) -> None:
    lines = builders.write_plan(tmp_path / "plan.jsonl", 2, **SESSION).splitlines()
    assert "session" in json.loads(lines[1])
    assert list(builders.plan.read(tmp_path / "plan.jsonl")[2]) == builders.recipes(2, **SESSION)
    assert b"session" not in b"".join(builders.write_plan(tmp_path / "plain.jsonl", 2).splitlines()[1:])


def test_an_hour_is_a_take_like_others() -> None:
    (recipe,) = builders.recipes(1, **{**SESSION, "duration_s": 3600})
    assert recipe.num_samples == 3600 * RATE
    assert len(recipe.session.turns) > 150


# ---- what does not go together


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scenarios": ["TS1", "TS2"]}, r"scenarios: a session is one take"),
        ({"target": {"clip": "whole"}}, r"target.clip: turns of a session are cut; write segment"),
        ({"interferer": {"overlap": 0.5}}, r"interferer.overlap: session.both says"),
        ({"duration_s": 40}, r"duration_s: a take has to hold a pause and a turn of its session, 42.6 s or more"),
        ({"session": {"backchannel_s": 2}}, r"session.backchannel_s: expected a number from 0.25 to 1.5"),
        ({"session": {"pauses_s": 2}}, r"unknown key 'session.pauses_s'; did you mean 'pause_s'"),
    ],
)
def test_what_no_session_can_be_is_refused(changes, words) -> None:
    with pytest.raises(InputError, match=words):
        builders.scenario(**{**SESSION, **changes})
