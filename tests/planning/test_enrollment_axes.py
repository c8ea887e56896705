"""Enrollments along their axes: length, noise, channel, utterances. All else of a scene stays as it is."""

import builders
import pytest
from builders import RATE, speech
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.errors import InputError
from pse_bench.planning import plan, scenario
from pse_bench.planning.targets import _shared
from pse_bench.schemas import Enrollment

AXES = ("length", "noise", "channel", "utterances")


@pytest.mark.parametrize("axis", AXES)
def test_a_stress_set_is_the_standard_set_beside_its_enrollments(axis: str) -> None:
    wanted, drawn = (scenario.load(name)[1] for name in ("standard", f"stress-enrollment-{axis}"))
    for content in (wanted, drawn):
        for key in ("name", "description", "enrollment"):
            content.pop(key)
    assert drawn == wanted
    asked = scenario.load(f"stress-enrollment-{axis}")[1]["enrollment"]
    plain = builders.recipes(8)
    found = builders.recipes(8, enrollment=asked)
    # clips of noise are dealt to enrollments, too
    apart = dict.fromkeys(["enrollment", *(["noise"] if axis == "noise" else [])])
    assert [one.model_copy(update=apart) for one in found] == [one.model_copy(update=apart) for one in plain]


def test_a_channel_of_its_own_is_drawn_for_the_enrollment(tmp_path) -> None:
    through = {"codec": {"choice": ["none", "gsm"]}, "loss": 0.2}
    plain = builders.recipes(6)
    found = builders.recipes(6, enrollment={"channel": through})
    assert {one.enrollment.channel.codec for one in found} == {"none", "gsm"}
    assert all(one.channel is None for one in found)
    for one, other in zip(found, plain, strict=True):
        assert one.enrollment.model_copy(update={"channel": None}) == other.enrollment
        packets = -(-one.enrollment.num_samples // (RATE // 50))
        assert all(first + count <= packets for first, count in one.enrollment.channel.lost)
    # beside that of the mixtures, which is another draw
    both = builders.recipes(6, channel=through, enrollment={"channel": through})
    assert [one.enrollment for one in both] == [one.enrollment for one in found]
    assert any(one.channel.lost != one.enrollment.channel.lost for one in both if one.channel)
    with pytest.raises(InputError, match=r"enrollment\.channel\.codec: expected one of"):
        builders.recipes(1, enrollment={"channel": {"codec": "gms"}})


def test_a_plan_says_what_is_there_and_nothing_of_what_is_not(tmp_path) -> None:
    path = tmp_path / "plan.jsonl"
    before = builders.write_plan(path, 2)
    assert b"utterances" not in before.partition(b"\n")[2]
    assert before == builders.write_plan(path, 2, enrollment={"channel": "none"}).replace(
        b', "channel": "none"', b""
    )
    builders.write_plan(path, 4, enrollment={"channel": {"codec": "gsm"}, "utterances": 2, "duration_s": 3.0})
    read = [one.enrollment for one in plan.read(path)[2]]
    assert all(one.channel.codec == "gsm" and one.utterances == 2 for one in read)
    assert all(len({segment.clip_id for segment in one.segments}) == 2 for one in read)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_enrollment_is_cut_from_so_many_utterances(count: int) -> None:
    wanted = {"duration_s": 3.0, "utterances": count}
    for one in builders.recipes(8, clips=speech(each=5), enrollment=wanted):
        enrollment: Enrollment = one.enrollment
        parts = [segment.num_samples for segment in enrollment.segments]
        assert len(parts) == len({segment.clip_id for segment in enrollment.segments}) == count
        assert sum(parts) == enrollment.num_samples == 3 * RATE
        assert max(parts) - min(parts) <= 1
        onsets = [segment.onset for segment in enrollment.segments]
        assert onsets == [sum(parts[:number]) for number in range(count)]


def test_where_utterances_are_short_there_are_more_and_where_there_are_few_fewer() -> None:
    long = builders.recipes(
        4, clips=speech(each=6, seconds=(2.0,)), enrollment={"duration_s": 5.0, "utterances": 1}
    )
    assert all(len(one.enrollment.segments) == 3 for one in long)
    few = builders.recipes(4, clips=speech(each=2), enrollment={"duration_s": 3.0, "utterances": 9})
    assert all(one.enrollment.num_samples == 3 * RATE for one in few)
    assert all(len(one.enrollment.segments) < 9 for one in few)


@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=6), whole=st.integers(1, 200))
def test_parts_are_as_equal_as_lengths_allow(lengths: list[int], whole: int) -> None:
    parts = _shared(lengths, whole)
    assert sum(parts) == min(whole, sum(lengths))
    assert all(part <= length for part, length in zip(parts, lengths, strict=True))
    cut = [part for part, length in zip(parts, lengths, strict=True) if part < length]
    if cut:  # nobody gives less than another part, unless all of it
        assert max(parts) - min(cut) <= 1
