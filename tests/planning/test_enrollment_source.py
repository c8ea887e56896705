"""Enrollment from another part of the target's own utterance, and targets dealt by speaker."""

from collections import Counter

import builders
import pytest
from builders import RATE, planner, recipes, speech, utterance
from hypothesis import given, settings
from hypothesis import strategies as st

from pse_bench.errors import RequestError
from pse_bench.io import atomic, tables
from pse_bench.schemas import Mixture, Utterance

SAME = {"source": "same-utterance", "duration_s": {"uniform": [5.0, 8.0]}, "shortest_s": 3.0}


def halves(speaker: str, at_s: float, *, seconds: float = 14.0, rate: int = RATE) -> list[Utterance]:
    """Both parts of one utterance."""
    whole = utterance(speaker, seconds=seconds, rate=rate)
    at = round(at_s * rate)
    pieces = (("a", 0, at, "FIRST"), ("b", at, whole.num_samples, "SECOND"))
    return [
        whole.model_copy(
            update={
                "utterance_id": whole.utterance_id + name,
                "start": start,
                "num_samples": stop - start,
                "text": f"{text} OF {speaker}",
            }
        )
        for name, start, stop, text in pieces
    ]


def overlap(one, other) -> bool:
    return one.start < other.start + other.num_samples and other.start < one.start + one.num_samples


@settings(max_examples=25)
@given(
    cuts=st.lists(st.floats(5.5, 8.0), min_size=1, max_size=4),
    seed=st.integers(0, 99),
    rate=st.sampled_from([RATE, 22050, 8000]),
)
def test_the_enrollment_never_touches_the_target(cuts, seed, rate):
    parts = [part for number, at_s in enumerate(cuts) for part in halves(f"s{number}", at_s, rate=rate)]
    drawn = recipes(
        3 * len(cuts),
        seed=seed,
        clips=parts,
        others=speech(seconds=(9.0,)),
        enrollment=SAME,
        target={"deal": "speakers"},
    )
    for recipe in drawn:
        (target,) = recipe.target.segments
        (enrolled,) = recipe.enrollment.segments
        assert target.path == enrolled.path
        assert not overlap(target, enrolled)
        assert {target.clip_id[-1], enrolled.clip_id[-1]} == {"a", "b"}
        assert target.start + target.num_samples <= 14 * RATE
        assert recipe.enrollment_source == "same-utterance"
        assert recipe.target.text.endswith(recipe.target.speaker_id)
        assert recipe.enrollment.num_samples == enrolled.num_samples >= 3 * RATE


def test_parts_are_exactly_where_the_manifest_says():
    parts = halves("a", 6.25)
    by_id = {part.utterance_id: part for part in parts}
    for recipe in recipes(4, clips=parts, others=speech(seconds=(9.0,)), enrollment=SAME):
        (target,) = recipe.target.segments
        part = by_id[target.clip_id]
        assert (target.start, target.num_samples) == (part.start, part.num_samples)


def test_another_utterance_is_preferred_where_there_is_one():
    clips = [*halves("a", 7.0), utterance("a", 1, seconds=6.0)]
    for recipe in recipes(6, clips=clips, others=speech(seconds=(9.0,)), enrollment=SAME):
        assert recipe.enrollment_source == "other-utterance"


def test_parts_of_one_utterance_are_no_other_utterance():
    """What holds without the new key: nobody is enrolled with the recording that is in the scene."""
    with pytest.raises(RequestError, match=r"only one recording.*enrollment\.source: same-utterance would admit"):
        planner(clips=halves("a", 7.0), others=speech(), enrollment={"duration_s": 5.0})


def test_a_short_enrollment_is_taken_only_where_the_scenario_puts_up_with_it():
    clips = [utterance("a", 0, seconds=5.0), utterance("a", 1, seconds=3.5)]
    asked = {"duration_s": {"uniform": [5.0, 8.0]}}
    with pytest.raises(RequestError, match="too little other speech"):
        planner(clips=clips, others=speech(seconds=(9.0,)), enrollment=asked)
    for recipe in recipes(4, clips=clips, others=speech(seconds=(9.0,)), enrollment={**asked, "shortest_s": 3.0}):
        assert recipe.enrollment.num_samples == sum(part.num_samples for part in recipe.enrollment.segments)
        assert recipe.enrollment.num_samples in (round(3.5 * RATE), 5 * RATE)


def test_every_speaker_is_a_target_as_often_as_any_other():
    clips = [utterance(who, number) for who, count in (("a", 2), ("b", 9), ("c", 4)) for number in range(count)]
    changes = {"clips": clips, "enrollment": {"duration_s": 5.0}}
    drawn = recipes(30, target={"deal": "speakers"}, **changes)
    assert Counter(recipe.target.speaker_id for recipe in drawn) == {"a": 10, "b": 10, "c": 10}
    for first in range(0, 30, 3):  # everybody once before anybody twice
        assert len({recipe.target.speaker_id for recipe in drawn[first : first + 3]}) == 3
    said = Counter(recipe.target.segments[0].clip_id for recipe in drawn)
    assert {said[clip.utterance_id] for clip in clips if clip.speaker_id == "b"} == {1, 2}
    uneven = Counter(recipe.target.speaker_id for recipe in recipes(30, **changes))
    assert uneven == {"a": 4, "b": 18, "c": 8}


def test_short_utterances_are_no_targets():
    clips = speech(seconds=(2.0, 4.5, 5.5))
    for recipe in recipes(20, clips=clips, target={"shortest_s": 4.0}):
        assert recipe.target.segments[0].num_samples >= 4 * RATE
    with pytest.raises(RequestError, match=r"utterances shorter than 4 s .* target\.shortest_s: 2 "):
        planner(clips=speech(seconds=(2.0,)), target={"shortest_s": 4.0})


# ---- tables


def test_a_manifest_has_the_column_start_only_where_there_are_parts(tmp_path):
    whole, parts = [utterance("a")], halves("b", 7.0)
    for name, rows in (("whole", whole), ("parts", whole + parts)):
        tables.write_table(tmp_path / name, Utterance, rows)
        assert tables.read_table(tmp_path / name, Utterance) == rows
    assert "start" not in (tmp_path / "whole").read_text().split("\n", 1)[0].split(",")
    assert (tmp_path / "parts").read_text().split("\n", 1)[0].endswith(",sha256,start")


def test_the_hash_of_a_manifest_of_whole_utterances_is_what_it_was():
    """Plans that were drawn before clips could be parts stay the plans of their manifests."""
    head = builders.plan.header(builders.content(), manifests={"speech": [[utterance("a")]]}, seed=1)
    row = '{"corpus":"books","utterance_id":"a-x-0000","speaker_id":"a","gender":"F","path":"a/a-x-0000.flac",'
    row += '"num_samples":80000,"sample_rate":16000,"text":"SENTENCE 0 OF a IN X",'
    row += f'"sha256":"{builders.digest("books", "a-x-0000")}"}}'
    assert head["manifests"]["speech"][0]["sha256"] == atomic.sha256_of_text(row)


def test_a_dataset_without_the_column_had_other_utterances():
    assert Mixture.model_fields["enrollment_source"].default == "other-utterance"
