"""Recipes: pure functions of manifests, scenario and seed, and each of them as it was asked for."""

import itertools
import json
import math
import random
import statistics
from collections import Counter
from pathlib import Path

import builders
import pytest
from builders import RATE, noise_clip, noises, planner, recipes, response, speech, utterance, write_plan
from hypothesis import given, settings
from hypothesis import strategies as st

from pse_bench.errors import InputError, PseBenchError, RequestError
from pse_bench.planning import plan
from pse_bench.planning.clip_pool import normalise_sentence
from pse_bench.schemas import Recipe, Segment, Talker

SCENES = 150


def by_path(clips) -> dict[str, object]:
    """Clips by their path, which is one to one in built manifests."""
    return {clip.path: clip for clip in clips}


def end(segment: Segment) -> int:
    return segment.onset + segment.num_samples


def span(talker: Talker) -> tuple[int, int]:
    """From the beginning of somebody's first word to the end of the last."""
    return talker.segments[0].onset, end(talker.segments[-1])


def length_at(clip, rate: int = RATE) -> int:
    """A clip's length in samples at another rate, rounded up as a resampler does."""
    return math.ceil(clip.num_samples * rate / clip.sample_rate)


def plausible(count: int, trials: int, share: float) -> bool:
    """Whether a count is within what chance leaves: 4.5 standard deviations, with a little room for few trials."""
    return abs(count - trials * share) <= 4.5 * math.sqrt(trials * share * (1 - share)) + 1


def flat(values, low: float, high: float) -> bool:
    """Whether values are spread evenly from low to high (Kolmogorov-Smirnov, one in a thousand by chance)."""
    ordered = sorted((value - low) / (high - low) for value in values)
    distance = max(abs(value - rank / len(ordered)) for rank, value in enumerate(ordered))
    return distance < 1.95 / math.sqrt(len(ordered)) + 1 / len(ordered)


@pytest.fixture(scope="module")
def plain() -> list[Recipe]:
    """Scenes of the plain scenario and the plain corpora."""
    return recipes(SCENES)


# ---- a pure function


def test_a_longer_plan_begins_with_a_shorter_one(tmp_path):
    for changes in ({}, {"room": {"rooms": 3}}, {"interferer": {"overlap": 0.5}}):
        ten = write_plan(tmp_path / "ten.jsonl", 10, **changes)
        five = write_plan(tmp_path / "five.jsonl", 5, **changes)
        assert ten.startswith(five)
        assert ten.count(b"\n") == 11
        assert five.count(b"\n") == 6


def test_the_order_of_the_rows_of_a_manifest_does_not_matter(tmp_path):
    clips, noise = speech(), noises()
    rirs = [response(room, number) for room in ("hall", "room") for number in range(3)]
    mixed = {"room": {"engine": {"choice": ["measured", "pyroomacoustics"]}}, "target": {"utterances": 1}}
    expected = write_plan(tmp_path / "a", 12, clips=clips, noise_clips=noise, rirs=rirs, **mixed)
    for seed in (1, 2):
        for rows in (clips, noise, rirs):
            random.Random(seed).shuffle(rows)
        assert write_plan(tmp_path / "b", 12, clips=clips, noise_clips=noise, rirs=rirs, **mixed) == expected


def test_rows_that_stand_twice_alike_change_nothing():
    rirs = [response(number=number) for number in range(3)]
    what = {"room": {"engine": "measured"}}
    once = recipes(12, clips=speech(), noise_clips=noises(), rirs=rirs, **what)
    assert recipes(12, clips=speech() * 2, noise_clips=noises() * 2, rirs=rirs * 2, **what) == once


def test_another_seed_gives_other_scenes():
    plans = [recipes(20, seed=seed) for seed in (0, 1, -1, 10**12)]
    for one, other in itertools.combinations(plans, 2):
        assert (
            sum(a.target.segments[0].path == b.target.segments[0].path for a, b in zip(one, other, strict=True))
            < 8
        )
        assert all(a.snr_db != b.snr_db or a.level_dbfs != b.level_dbfs for a, b in zip(one, other, strict=True))


def test_a_change_of_one_quantity_leaves_all_other_draws(plain):
    """Two sets that differ in SNR alone can be compared scene by scene."""
    louder = recipes(30, noise={"snr_db": {"uniform": [-5, 0]}})
    for one, other in zip(plain, louder, strict=False):
        assert -5 <= other.snr_db <= 0
        assert one.model_copy(update={"snr_db": 0.0}) == other.model_copy(update={"snr_db": 0.0})


def test_scenes_are_numbered_and_become_every_scenario(plain):
    assert [recipe.scene_id for recipe in plain[:3]] == ["s000000", "s000001", "s000002"]
    assert all(recipe.sample_rate == RATE for recipe in plain)
    assert all(recipe.scenarios == ["TS1", "TS2", "TS3"] for recipe in plain)


# ---- distributions


def test_every_drawn_value_is_in_its_distribution_and_fills_it(plain):
    for values, low, high in (
        ([recipe.level_dbfs for recipe in plain], -32, -22),
        ([recipe.sir_db for recipe in plain], 0, 10),
        ([recipe.snr_db for recipe in plain], 5, 20),
        ([recipe.room.rt60_s for recipe in plain], 0.2, 0.6),
        ([recipe.enrollment.num_samples / RATE for recipe in plain], 5, 10),
    ):
        assert low <= min(values)
        assert max(values) <= high
        assert flat(values, low, high)
    durations = [recipe.num_samples / RATE for recipe in plain]
    assert 6 <= min(durations) < 6.2
    assert 7.8 < max(durations) <= 8


def test_the_length_of_a_scene_is_flat_above_its_target():
    clips = speech(seconds=(5.0,))
    assert flat([recipe.num_samples / RATE for recipe in recipes(SCENES, clips=clips)], 6, 8)


def test_the_target_begins_anywhere_that_it_fits(plain):
    shares = []
    for recipe in plain:
        begin, stop = span(recipe.target)
        shares.append(begin / (recipe.num_samples - stop + begin))
    assert flat(shares, 0, 1)


def test_values_drawn_for_a_scene_are_unrelated(plain):
    """A seed that SNR, SIR and level shared would make loud noise come with loud interferers."""
    columns = {
        "level": [recipe.level_dbfs for recipe in plain],
        "sir": [recipe.sir_db for recipe in plain],
        "snr": [recipe.snr_db for recipe in plain],
        "rt60": [recipe.room.rt60_s for recipe in plain],
        "distance": [recipe.target.distance_m for recipe in plain],
        "interferer distance": [recipe.interferers[0].distance_m for recipe in plain],
        "noise start": [recipe.noise.segment.start for recipe in plain],
    }
    for one, other in itertools.combinations(columns, 2):
        assert abs(statistics.correlation(columns[one], columns[other])) < 4.2 / math.sqrt(SCENES), (one, other)


def test_every_choice_is_made_as_often_as_it_stands_in_the_list():
    count = 400
    drawn = recipes(
        count,
        clips=speech(8),
        target={"level_dbfs": {"choice": [-30, -25]}},
        interferer={
            "count": {"choice": [1, 1, 1, 2]},
            "overlap": {"choice": [0.5, 0.75, 1.0]},
            "sir_db": {"choice": [0, 5, 10]},
            "gender": {"choice": ["same", "different", "different"]},
        },
        enrollment={
            "condition": {"choice": ["clean", "clean", "reverberant", "noisy"]},
            "snr_db": {"choice": [0, 9]},
        },
        room={"engine": {"choice": ["measured", "pyroomacoustics"]}, "rt60_s": {"choice": [0.2, 0.4]}},
        rirs=[response()],
    )
    simulated = [recipe for recipe in drawn if recipe.room.engine == "pyroomacoustics"]
    noisy = [recipe for recipe in drawn if recipe.enrollment.condition == "noisy"]
    talkers = [(recipe.target, talker) for recipe in drawn for talker in recipe.interferers]
    for values, shares in (
        ([recipe.level_dbfs for recipe in drawn], {-30: 1 / 2, -25: 1 / 2}),
        ([len(recipe.interferers) for recipe in drawn], {1: 3 / 4, 2: 1 / 4}),
        ([talker.overlap for _, talker in talkers], {0.5: 1 / 3, 0.75: 1 / 3, 1.0: 1 / 3}),
        ([target.gender == talker.gender for target, talker in talkers], {True: 1 / 3, False: 2 / 3}),
        ([recipe.sir_db for recipe in drawn], {0: 1 / 3, 5: 1 / 3, 10: 1 / 3}),
        ([recipe.enrollment.condition for recipe in drawn], {"clean": 0.5, "reverberant": 0.25, "noisy": 0.25}),
        ([recipe.enrollment.snr_db for recipe in noisy], {0: 1 / 2, 9: 1 / 2}),
        ([recipe.room.engine for recipe in drawn], {"measured": 1 / 2, "pyroomacoustics": 1 / 2}),
        ([recipe.room.rt60_s for recipe in simulated], {0.2: 1 / 2, 0.4: 1 / 2}),
    ):
        counts = Counter(values)
        assert set(counts) == set(shares)
        assert all(plausible(counts[option], len(values), share) for option, share in shares.items()), counts


def test_shares_are_the_rates_of_the_scenarios():
    shares = {"TS3": 0.2, "TS1": 0.32, "TS2": 0.48}
    drawn = recipes(400, shares=shares)
    assert all(len(recipe.scenarios) == 1 for recipe in drawn)
    counts = Counter(recipe.scenarios[0] for recipe in drawn)
    assert all(plausible(counts[label], 400, share) for label, share in shares.items()), counts
    for recipe in drawn:
        alone = recipe.scenarios == ["TS1"]
        assert (not recipe.interferers) == alone
        assert (recipe.sir_db is None) == alone


def test_shares_are_exact_over_many_scenes():
    """More scenes than are worth planning in full: a share that is off by two points would show."""
    shares = {"TS1": 0.32, "TS2": 0.48, "TS3": 0.2}
    drawn = planner(shares=shares)._scenario
    counts = Counter(drawn.draw_label(1, "scene", index) for index in range(20_000))
    assert all(plausible(counts[label], 20_000, share) for label, share in shares.items()), counts


def test_the_order_in_which_shares_are_written_does_not_matter():
    one = recipes(40, shares={"TS1": 0.3, "TS2": 0.4, "TS3": 0.3})
    assert recipes(40, shares={"TS3": 0.3, "TS2": 0.4, "TS1": 0.3}) == one


def test_a_share_of_nothing_or_all_is_kept():
    drawn = recipes(60, shares={"TS1": 0, "TS2": 0, "TS3": 1})
    assert {tuple(recipe.scenarios) for recipe in drawn} == {("TS3",)}


# ---- dealing evenly


def test_clips_are_dealt_evenly():
    """Every clip once before any twice, at each point of the plan."""
    uses: Counter[str] = Counter({clip.path: 0 for clip in speech()})
    for recipe in recipes(100):
        uses[recipe.target.segments[0].path] += 1
        assert max(uses.values()) - min(uses.values()) <= 1
    assert set(uses.values()) == {2, 3}


def test_noise_is_dealt_evenly(plain):
    counts = Counter({clip.path: 0 for clip in noises()})
    for recipe in plain:
        counts[recipe.noise.segment.path] += 1
        assert max(counts.values()) - min(counts.values()) <= 1


def test_shared_and_measured_rooms_are_dealt_evenly():
    rirs = [response(room, number) for room in ("hall", "room", "car") for number in range(2)]
    for drawn in (recipes(50, room={"rooms": 7}), recipes(50, rirs=rirs, room={"engine": "measured"})):
        counts = Counter(recipe.room.room_id for recipe in drawn)
        assert len(counts) in {3, 7}
        assert max(counts.values()) - min(counts.values()) <= 1


def test_interferers_are_dealt_as_evenly_as_the_targets_allow(plain):
    """A clip is passed over only while its speaker is the target, so that no speaker falls far behind."""
    counts = Counter(segment.path for recipe in plain for segment in recipe.interferers[0].segments)
    assert len(counts) == len(speech())
    assert max(counts.values()) - min(counts.values()) <= 3


# ---- the target and what is known of it


def test_enrollment_is_another_session_of_the_same_person(plain):
    clips = by_path(speech())
    for recipe in plain:
        said = {clips[segment.path] for segment in recipe.target.segments}
        known = {clips[segment.path] for segment in recipe.enrollment.segments}
        assert {clip.speaker_id for clip in said | known} == {recipe.target.speaker_id}
        assert not {clip.session for clip in said} & {clip.session for clip in known}
        assert not {clip.sha256 for clip in said} & {clip.sha256 for clip in known}


@pytest.mark.parametrize("utterances", [1, 2])
def test_enrollment_is_never_what_is_said_where_there_are_no_sessions(utterances):
    drawn = recipes(
        80,
        clips=speech(sessions=0, each=6, seconds=(2.5, 3.0)),
        target={"utterances": utterances},
        enrollment={"duration_s": {"uniform": [3, 9]}},
    )
    for recipe in drawn:
        said = {segment.path for segment in recipe.target.segments}
        known = [segment.path for segment in recipe.enrollment.segments]
        assert len(said) == utterances
        assert not said & set(known)
        assert len(set(known)) == len(known), "an enrollment does not repeat an utterance"


def test_sessions_count_only_for_those_who_have_several():
    """One speaker of one chapter beside others of two: still enrolled, from other clips of that chapter."""
    clips = [*speech(3), *(utterance("solo", number, session="5") for number in range(6))]
    drawn = [recipe for recipe in recipes(60, clips=clips) if recipe.target.speaker_id == "solo"]
    assert len(drawn) > 5
    for recipe in drawn:
        assert recipe.target.segments[0].path not in {segment.path for segment in recipe.enrollment.segments}


def test_enrollment_is_exactly_as_long_as_was_asked(plain):
    for recipe in plain:
        segments = recipe.enrollment.segments
        assert segments[0].onset == 0
        assert all(b.onset == end(a) for a, b in itertools.pairwise(segments))
        assert end(segments[-1]) == recipe.enrollment.num_samples
        assert recipe.enrollment.condition == "clean"
        assert (recipe.enrollment.noise, recipe.enrollment.snr_db) == (None, None)


def test_noise_of_a_noisy_enrollment_is_another_clip():
    for recipe in recipes(60, enrollment={"condition": "noisy", "snr_db": {"uniform": [5, 25]}}):
        noise = recipe.enrollment.noise
        assert noise.segment.path != recipe.noise.segment.path
        assert noise.segment.num_samples == recipe.enrollment.num_samples
        assert 5 <= recipe.enrollment.snr_db <= 25


def test_whole_utterances_keep_their_words(plain):
    clips = by_path(speech())
    for recipe in plain:
        (segment,) = recipe.target.segments
        assert segment.start == 0
        assert segment.num_samples == clips[segment.path].num_samples
        assert recipe.target.text == clips[segment.path].text


def test_several_utterances_of_one_session_follow_each_other_with_pauses():
    clips = speech(sessions=2, each=6, seconds=(1.0, 1.3, 1.6))
    drawn = recipes(
        100,
        clips=clips,
        target={"utterances": {"choice": [2, 3]}, "pause_s": {"uniform": [0.4, 1.0]}},
        enrollment={"duration_s": {"uniform": [3, 6]}},
    )
    known = by_path(clips)
    counts = Counter(len(recipe.target.segments) for recipe in drawn)
    assert set(counts) == {2, 3}
    pauses = []
    for recipe in drawn:
        segments = recipe.target.segments
        assert len({segment.path for segment in segments}) == len(segments)
        assert len({known[segment.path].session for segment in segments}) == 1
        assert recipe.target.text == " ".join(known[segment.path].text for segment in segments)
        pauses += [(b.onset - end(a)) / RATE for a, b in itertools.pairwise(segments)]
    assert min(pauses) >= 0.4
    assert max(pauses) <= 1.0
    assert flat(pauses, 0.4, 1.0)


def test_a_segment_is_cut_anywhere_and_has_no_known_words():
    clips = speech(seconds=(9.0, 2.0), each=6)
    known = by_path(clips)
    drawn = recipes(100, clips=clips, target={"clip": "segment"}, duration_s=4.0)
    starts = []
    for recipe in drawn:
        (segment,) = recipe.target.segments
        clip = known[segment.path]
        assert recipe.num_samples == 4 * RATE
        assert segment.start + segment.num_samples <= clip.num_samples
        if clip.num_samples > recipe.num_samples:
            assert segment.num_samples == recipe.num_samples
            assert recipe.target.text == ""
            starts.append(segment.start / (clip.num_samples - segment.num_samples))
        else:
            assert segment.num_samples == clip.num_samples
            assert recipe.target.text == clip.text
    assert flat(starts, 0, 1)


def test_words_are_known_only_where_all_are():
    clips = [
        clip.model_copy(update={"text": ""}) if clip.path.endswith("0.flac") else clip for clip in speech(each=6)
    ]
    for recipe in recipes(60, clips=clips, target={"utterances": 2}, duration_s=14.0):
        missing = any(segment.path.endswith("0.flac") for segment in recipe.target.segments)
        assert (recipe.target.text == "") == missing


# ---- interferers


def test_an_interferer_is_somebody_else(plain):
    for recipe in plain:
        (other,) = recipe.interferers
        assert other.speaker_id != recipe.target.speaker_id
        assert {segment.path.split("/")[1] for segment in other.segments} == {other.speaker_id}


def test_the_same_name_in_two_corpora_is_two_people():
    """Speaker 7 of one corpus may disturb speaker 7 of another; nobody disturbs herself."""
    clips = [*speech(1, corpus="one"), *speech(1, corpus="two")]
    drawn = recipes(10, clips=clips)
    assert {(recipe.target.corpus, recipe.interferers[0].corpus) for recipe in drawn} == {
        ("one", "two"),
        ("two", "one"),
    }
    for recipe in drawn:
        assert recipe.target.speaker_id == recipe.interferers[0].speaker_id == "7"


def variants(number: int, speaker: int) -> str:
    """A prompt as different speakers' transcripts have it: other case, other punctuation."""
    prompts = (
        "Please call Stella.",
        "Ask her to bring these things with her,",
        "six spoons of fresh snow peas",
        "five thick slabs of blue cheese",
        "and maybe a snack for her brother Bob!",
        "Don't forget the toy frog",
    )
    text = prompts[number]
    return (text, text.upper(), text.replace(" ", "  ").rstrip(".,!"), f'"{text.lower()}"')[speaker % 4]


@pytest.mark.parametrize("overlap", [1.0, 0.5])
def test_nobody_says_the_targets_sentence(overlap):
    """Speakers who read the same prompts, as in VCTK."""
    clips = [
        utterance(
            f"p{225 + who}", number, text=variants(number, who), seconds=2.4 + 0.1 * number, gender="FM"[who % 2]
        )
        for who in range(5)
        for number in range(6)
    ]
    sentence = {clip.path: clip.utterance_id[-4:] for clip in clips}
    heard = Counter()
    for recipe in recipes(
        120,
        clips=clips,
        interferer={"overlap": overlap},
        duration_s={"uniform": [4, 6]},
        enrollment={"duration_s": 3},
    ):
        said = {sentence[segment.path] for segment in recipe.target.segments}
        others = {sentence[segment.path] for talker in recipe.interferers for segment in talker.segments}
        assert not said & others
        heard.update(others)
    assert set(heard) == set(sentence.values())


def test_sentences_are_compared_by_their_words():
    same = {normalise_sentence(text) for text in ('"Please, CALL Stella."', "please call  stella")}
    assert same == {"please call stella"}
    assert normalise_sentence("don't") != normalise_sentence("dont")
    assert normalise_sentence("ÉTÉ 7!") == "été 7"
    assert normalise_sentence("…") == ""


def test_sentences_that_are_not_known_stop_nobody():
    clips = speech(2, text="")
    assert len(recipes(5, clips=clips)) == 5


@pytest.mark.parametrize(("relation", "same"), [("same", True), ("different", False)])
def test_the_gender_relation_is_kept(relation, same):
    for recipe in recipes(60, interferer={"gender": relation, "count": 2}):
        assert all((talker.gender == recipe.target.gender) == same for talker in recipe.interferers)


def test_any_gender_means_both(plain):
    same = sum(recipe.target.gender == recipe.interferers[0].gender for recipe in plain)
    assert plausible(same, SCENES, 2 / 5), "two of the five others are of the target's gender"


@pytest.mark.parametrize("count", [2, 3, 5])
def test_several_interferers_are_several_people_at_several_places(count):
    clips = speech(6)
    for changes in ({}, {"room": {"rooms": 2, "places": 5}}):
        for recipe in recipes(25, clips=clips, interferer={"count": count}, **changes):
            people = [recipe.target.speaker_id, *(talker.speaker_id for talker in recipe.interferers)]
            assert len(set(people)) == 1 + count
            sources = [recipe.target.source, *(talker.source for talker in recipe.interferers)]
            assert len(set(sources)) == 1 + count


def test_people_who_only_interfere_never_are_the_target():
    targets, others = speech(3, corpus="targets"), speech(4, corpus="others")
    for recipe in recipes(40, clips=targets, others=others):
        assert recipe.target.corpus == "targets"
        assert {talker.corpus for talker in recipe.interferers} == {"others"}


def test_a_person_in_both_pools_does_not_disturb_herself():
    everybody = speech(3)
    for recipe in recipes(40, clips=everybody[:16], others=everybody):
        assert recipe.interferers[0].speaker_id != recipe.target.speaker_id


# ---- time


def check_times(recipe: Recipe, clips: dict[str, object], rate: int = RATE) -> None:
    """All sound lies inside its scene and its clip, and nobody talks twice at once."""
    for talker in (recipe.target, *recipe.interferers):
        assert talker.segments
        for segment in talker.segments:
            assert end(segment) <= recipe.num_samples
            assert segment.start + segment.num_samples <= length_at(clips[segment.path], rate)
        assert all(b.onset >= end(a) for a, b in itertools.pairwise(talker.segments))
    for noise, length in (
        (recipe.noise, recipe.num_samples),
        (recipe.enrollment.noise, recipe.enrollment.num_samples),
    ):
        if noise:
            assert noise.segment.num_samples == length
            assert noise.segment.onset == 0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"interferer": {"overlap": {"uniform": [0, 1]}, "count": {"choice": [1, 2, 3]}}, "duration_s": 8.0},
        {"target": {"clip": "segment"}, "duration_s": {"uniform": [2, 9]}},
        {"target": {"utterances": 2, "pause_s": {"uniform": [0, 2]}}, "duration_s": {"uniform": [6, 14]}},
        {"interferer": {"pause_s": {"uniform": [0, 3]}}},
    ],
    ids=str,
)
def test_sound_lies_inside_its_scene_and_its_clip(changes):
    clips = speech(seconds=(3.0, 4.2, 5.1, 5.9), each=5)
    for recipe in recipes(60, clips=clips, **changes):
        check_times(recipe, by_path(clips))


def test_noise_lies_inside_its_clip_and_anywhere_in_it(plain):
    lengths = {clip.path: clip.num_samples for clip in noises()}
    places = []
    for recipe in plain:
        segment = recipe.noise.segment
        free = lengths[segment.path] - segment.num_samples
        assert 0 <= segment.start <= free
        assert segment.num_samples == recipe.num_samples
        places.append(segment.start / free)
    assert flat(places, 0, 1)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.8])
def test_the_overlap_is_what_was_asked_for(overlap):
    """Interferers whose one clip fills their part: their span covers that share of the target's, on one side."""
    clips = [
        *(utterance("target", number, session=f"{number % 2}", seconds=3.0 + number / 7) for number in range(6)),
        *(utterance("other", number, seconds=20.0) for number in range(3)),
    ]
    sides = Counter()
    for recipe in recipes(
        80,
        clips=clips[:6],
        others=clips[6:],
        duration_s={"uniform": [7, 9]},
        interferer={"overlap": overlap},
        enrollment={"duration_s": 3},
    ):
        (begin, stop), (other_begin, other_stop) = span(recipe.target), span(recipe.interferers[0])
        covered = min(stop, other_stop) - max(begin, other_begin)
        assert abs(covered - overlap * (stop - begin)) <= 1
        assert recipe.interferers[0].overlap == overlap
        assert other_begin == 0 or other_stop == recipe.num_samples, (
            "the rest of the scene is the interferer's alone"
        )
        sides["before" if other_begin == 0 else "after"] += 1
    assert min(sides.values()) > 10


def test_a_full_overlap_is_the_whole_scene():
    clips = [*speech(1), *(utterance("other", number, seconds=20.0) for number in range(3))]
    for recipe in recipes(20, clips=clips[:8], others=clips[8:]):
        assert span(recipe.interferers[0]) == (0, recipe.num_samples)
        assert recipe.interferers[0].text == "", "a sentence that was cut is not known word by word"


@pytest.mark.parametrize("overlap", [0.5, 1.0])
def test_an_interferer_of_short_clips_fills_its_part_up_to_a_pause(overlap):
    """Sentences follow each other with the asked pauses; only a rest too short for speech stays empty."""
    pause_s = 0.3
    clips = speech(4, seconds=(0.8, 1.1, 1.4), each=8)
    for recipe in recipes(
        60, clips=clips, interferer={"overlap": overlap, "pause_s": pause_s}, enrollment={"duration_s": 3}
    ):
        (begin, stop), segments = span(recipe.target), recipe.interferers[0].segments
        pauses = [b.onset - end(a) for a, b in itertools.pairwise(segments)]
        assert set(pauses) <= {round(pause_s * RATE)}
        covered = min(stop, end(segments[-1])) - max(begin, segments[0].onset)
        missing = overlap * (stop - begin) - covered
        assert -1 <= missing <= (pause_s + 0.25) * RATE + 1
        assert all(segment.start == 0 for segment in segments[1:])
        assert len({segment.path for segment in segments}) == len(segments)


def test_interferers_words_are_those_of_whole_clips():
    clips = speech(seconds=(1.0, 1.3), each=8)
    known = by_path(clips)
    told = 0
    for recipe in recipes(60, clips=clips, interferer={"overlap": 0.5}, enrollment={"duration_s": 3}):
        talker = recipe.interferers[0]
        whole = all(segment.num_samples == known[segment.path].num_samples for segment in talker.segments)
        expected = " ".join(known[segment.path].text for segment in talker.segments) if whole else ""
        assert talker.text == expected
        told += whole
    assert told > 0


# ---- space


def test_every_scene_has_one_room_and_everybody_has_a_place_in_it(plain):
    assert len({recipe.room.room_id for recipe in plain}) == SCENES
    for recipe in plain:
        assert len(recipe.room.sources_m) == 1 + len(recipe.interferers)
        assert [recipe.target.source, *(talker.source for talker in recipe.interferers)] == [0, 1]


@pytest.mark.parametrize("changes", [{}, {"rooms": 5, "places": 3}, {"wall_distance_m": 1.0}], ids=str)
def test_everybody_stands_inside_and_away_from_the_walls(changes):
    margin = changes.get("wall_distance_m", 0.3)
    for recipe in recipes(60, interferer={"count": 2}, room=changes):
        room = recipe.room
        for size, (low, high) in zip(room.size_m, ((5, 8), (5, 8), (2.5, 3.5)), strict=True):
            assert low <= size <= high
        for point in (room.microphone_m, *room.sources_m):
            assert all(margin <= x <= size - margin for x, size in zip(point, room.size_m, strict=True))
        assert 0.7 <= room.microphone_m[2] <= 1.6
        assert all(1.1 <= source[2] <= 1.8 for source in room.sources_m)


@pytest.mark.parametrize("changes", [{}, {"rooms": 5, "places": 3}], ids=str)
def test_distances_are_as_asked_and_those_of_the_positions(changes):
    """To 2 mm: positions are rounded to millimetres after the distance was drawn."""
    for recipe in recipes(60, interferer={"count": 2}, room=changes):
        for talker, low, high in ((recipe.target, 0.4, 1.3), *((t, 1.5, 2.5) for t in recipe.interferers)):
            measured = math.dist(recipe.room.sources_m[talker.source], recipe.room.microphone_m)
            assert abs(talker.distance_m - measured) <= 0.0005 + 1e-9
            assert low - 0.002 <= measured <= high + 0.002


def test_talkers_stand_all_around_the_microphone(plain):
    quarters = Counter()
    for recipe in plain:
        (x, y, _), (mx, my, _) = recipe.room.sources_m[0], recipe.room.microphone_m
        quarters[x > mx, y > my] += 1
    assert all(plausible(quarters[sides], SCENES, 1 / 4) for sides in itertools.product((True, False), repeat=2))


def test_shared_rooms_are_the_same_for_all_their_scenes():
    drawn = recipes(60, room={"rooms": 4, "places": 3}, interferer={"count": 2})
    rooms = {}
    targets, others = set(), set()
    for recipe in drawn:
        assert rooms.setdefault(recipe.room.room_id, recipe.room) == recipe.room
        targets.add((recipe.room.room_id, recipe.target.source))
        others |= {(recipe.room.room_id, talker.source) for talker in recipe.interferers}
    assert len(rooms) == 4
    assert all(len(room.sources_m) == 6 for room in rooms.values())
    assert {source for _, source in targets} == {0, 1, 2}
    assert {source for _, source in others} == {3, 4, 5}
    assert len(targets) == len(others) == 12, "every place is used"


def test_a_shared_room_has_an_engine_and_a_tail_of_its_own():
    """Whichever scene needs the room first, and also where some scenes are measured."""
    engines = {"choice": ["image-source", "pyroomacoustics", "measured"]}
    drawn = recipes(60, rirs=[response()], room={"engine": engines, "rooms": 12, "places": 2})
    simulated = [recipe.room for recipe in drawn if recipe.room.engine != "measured"]
    assert {room.engine for room in simulated} == {"image-source", "pyroomacoustics"}
    assert len({(room.room_id, room.engine) for room in simulated}) == len({room.room_id for room in simulated})
    tails = recipes(30, room={"tail": {"choice": ["specular", "diffuse"]}})
    assert {recipe.room.tail for recipe in tails} == {"specular", "diffuse"}
    assert {recipe.room.engine for recipe in tails} == {"image-source"}


def test_a_room_with_shared_places_does_not_depend_on_the_scenes_that_use_it():
    """The bank can be computed once and kept, whatever is rendered in it."""
    one = recipes(8, room={"rooms": 4})
    other = recipes(8, room={"rooms": 4}, clips=speech(4), noise={"snr_db": 3})
    assert {recipe.room.room_id: recipe.room for recipe in one} == {
        recipe.room.room_id: recipe.room for recipe in other
    }


def test_measured_rooms_give_each_talker_another_response():
    rirs = [response(room, number, rt60_s=0.3 + number / 10) for room in ("hall", "car") for number in range(4)]
    known = {rir.path: rir for rir in rirs}
    for recipe in recipes(40, rirs=rirs, room={"engine": "measured"}, interferer={"count": 2}):
        room = recipe.room
        paths = [source.path for source in room.sources]
        assert len(set(paths)) == 3
        assert {known[path].room_id for path in paths} == {room.room_id}
        assert room.rt60_s == pytest.approx(sum(known[path].rt60_s for path in paths) / 3, abs=0.0006)
        talkers = [recipe.target, *recipe.interferers]
        assert [talker.source for talker in talkers] == [0, 1, 2]
        assert all(talker.distance_m is None for talker in talkers)


def test_a_room_with_one_response_serves_all_its_talkers():
    for recipe in recipes(5, rirs=[response()], room={"engine": "measured"}):
        assert [source.rir_id for source in recipe.room.sources] == ["hall-0", "hall-0"]


def test_measured_rooms_that_ring_too_long_are_left_out():
    rirs = [response("hall", rt60_s=1.4), response("room", rt60_s=0.5)]
    drawn = recipes(10, rirs=rirs, room={"engine": "measured", "measured_rt60_max_s": 1.0})
    assert {recipe.room.room_id for recipe in drawn} == {"room"}


# ---- sample rates


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_clips_of_another_rate_are_counted_at_the_scenes_rate(rate):
    clips, noise = speech(rate=rate, seconds=(4.0, 4.7001, 5.30007)), noises(rate=rate)
    known, known_noise = by_path(clips), by_path(noise)
    for recipe in recipes(40, clips=clips, noise_clips=noise, enrollment={"condition": "noisy"}):
        assert recipe.sample_rate == RATE
        assert 6 * RATE <= recipe.num_samples <= 8 * RATE
        check_times(recipe, known)
        assert recipe.target.segments[0].num_samples == length_at(known[recipe.target.segments[0].path])
        for part in (recipe.noise, recipe.enrollment.noise):
            assert part.segment.start + part.segment.num_samples <= length_at(known_noise[part.segment.path])


def test_a_manifest_may_mix_rates():
    clips = [*speech(3, rate=48000), *speech(3, corpus="other")]
    known = {(clip.corpus, clip.path): clip for clip in clips}
    for recipe in recipes(30, clips=clips):
        clip = known[recipe.target.corpus, recipe.target.segments[0].path]
        assert recipe.target.segments[0].num_samples == length_at(clip)


@pytest.mark.parametrize(
    ("rate", "duration_s", "num_samples"), [(44100, 1.237, 54552), (16000, 2.007, 32112), (44100, 2.0, 88200)]
)
def test_a_clip_exactly_as_long_as_the_scene_fits(rate, duration_s, num_samples):
    """Also where that length is no whole number of milliseconds."""
    clips = [
        clip.model_copy(update={"num_samples": num_samples}) for clip in speech(2, rate=rate, sessions=0, each=9)
    ]
    for changes in ({"duration_s": duration_s}, {"duration_s": {"uniform": [0.5, duration_s]}}):
        drawn = recipes(
            6,
            clips=clips,
            noise_clips=noises(rate=rate),
            sample_rate=rate,
            enrollment={"duration_s": 3.0},
            **changes,
        )
        for recipe in drawn:
            assert recipe.num_samples == num_samples
            assert recipe.target.segments[0].onset == 0


# ---- what is left out, and said to be


def test_who_cannot_be_a_target_is_told_and_still_interferes():
    clips = [*speech(3), utterance("short", 0, seconds=9.5, gender="M")]
    drawn = planner(clips=clips)
    assert drawn.notes == [
        "1 of 4 speakers is never a target: only one recording, so no other speech for the enrollment "
        "(books/short); another recording and duration_s: 9.5 or target.clip: segment would admit books/short"
    ]
    scenes = [drawn.recipe(index) for index in range(40)]
    assert "short" not in {recipe.target.speaker_id for recipe in scenes}
    assert "short" in {talker.speaker_id for recipe in scenes for talker in recipe.interferers}


def test_who_would_use_up_the_enrollment_is_left_out_before_the_first_scene():
    """Two utterances of three leave one for the enrollment, where no other session has more."""
    clips = [
        *speech(3, sessions=0, each=8, seconds=(2.5,)),
        *(utterance("few", number, seconds=2.5, gender="M") for number in range(3)),
    ]
    drawn = planner(clips=clips, target={"utterances": 2}, enrollment={"duration_s": 5.0})
    assert drawn.notes == [
        "1 of 4 speakers is never a target: too little other speech for the enrollment, less than 5 s "
        "(books/few 2.5 s); enrollment.shortest_s: 2.5 would admit books/few"
    ]
    assert "few" not in {drawn.recipe(index).target.speaker_id for index in range(60)}


SCARCE = {
    "too little speech for the enrollment": (
        [utterance("few", number, seconds=2.5) for number in range(4)],
        {},
        "too little other speech for the enrollment, less than 10 s (books/few 7.5 s); ",
        {"enrollment": {"shortest_s": 7.5}},
    ),
    "short utterances": (
        [utterance("few", number, seconds=3.456) for number in range(5)],
        {"target": {"shortest_s": 4.0}},
        "utterances shorter than 4 s (books/few 3.46 s); ",
        {"target": {"shortest_s": 3.45}},
    ),
    "long utterances": (
        [utterance("few", number, seconds=9.123) for number in range(3)],
        {},
        "utterances longer than the scene, more than 8 s (books/few 9.12 s); ",
        {"duration_s": 9.13},
    ),
    "both": (
        [utterance("few", number, seconds=9.123) for number in range(2)],
        {},
        "too little other speech for the enrollment, less than 10 s (books/few 9.12 s); ",
        {"enrollment": {"shortest_s": 9.12}, "duration_s": 9.13},
    ),
}


@pytest.mark.parametrize("case", SCARCE)
def test_what_would_admit_a_speaker_admits_it(case):
    """The line names the keys; a scenario with them has that speaker among its targets, and one with less not."""
    own, changes, why, remedy = SCARCE[case]
    clips = [*speech(3, seconds=(5.0,)), *own]
    drawn = planner(clips=clips, **changes)
    assert drawn.notes[0].startswith(f"1 of 4 speakers is never a target: {why}")
    for section, values in remedy.items():
        for key, value in values.items() if isinstance(values, dict) else [(None, values)]:
            assert f"{section}.{key}: {value}" if key else f"{section}: {value}" in drawn.notes[0]
    assert planner(clips=clips, **{**changes, **remedy}).notes == []


def test_those_left_out_are_counted_and_the_nearest_named():
    short = [utterance(f"p{who}", number, seconds=3 + who / 10) for who in range(5) for number in range(2)]
    assert planner(clips=[*speech(3), *short]).notes == [
        "5 of 8 speakers are never targets: too little other speech for the enrollment, less than 10 s "
        "(books/p4 3.4 s, books/p3 3.3 s, books/p2 3.2 s, 2 more); enrollment.shortest_s: 3.4 would admit books/p4"
    ]


def test_too_few_targets_are_refused():
    clips = [*speech(1), utterance("b", gender="M"), *(utterance("c", number, seconds=2) for number in range(3))]
    assert len(planner(clips=clips).notes) == 2
    chosen = builders.scenario()
    with pytest.raises(RequestError) as refused:
        plan.Planner(chosen, speech=clips, noise=noises(), seed=1, min_targets=2)
    assert str(refused.value) == (
        "scenario test: 1 of 3 speakers can be a target where --min-targets is 2: 1 of 3 speakers is never a "
        "target: only one recording, so no other speech for the enrollment (books/b); another recording would "
        "admit books/b; 1 of 3 speakers is never a target: too little other speech for the enrollment, less than "
        "10 s (books/c 4 s); enrollment.shortest_s: 4 would admit books/c; or give more speech"
    )


def test_a_manifest_of_too_few_speakers_says_so():
    with pytest.raises(RequestError) as refused:
        plan.Planner(builders.scenario(), speech=speech(2), noise=noises(), seed=1, min_targets=3)
    assert str(refused.value) == (
        "scenario test: 2 of 2 speakers can be a target where --min-targets is 3: the manifest lists nobody else; "
        "give more speech"
    )


def test_clips_longer_than_the_scene_are_no_whole_targets():
    clips = speech(3)
    clips += [utterance("7", 90 + number, session="98", seconds=9.0) for number in range(3)]
    assert not {segment.path for recipe in recipes(60, clips=clips) for segment in recipe.target.segments} & {
        clip.path for clip in clips[-3:]
    }
    assert planner(clips=clips).notes == []


def test_noise_that_is_too_short_is_left_out_and_categories_are_kept():
    noise = [*noises(), noise_clip(50, seconds=3.0)]
    drawn = recipes(40, noise_clips=noise)
    assert "street/n50.wav" not in {recipe.noise.segment.path for recipe in drawn}
    only = planner(noise_clips=noise, noise={"categories": ["café"]})
    assert {only.recipe(index).noise.category for index in range(20)} == {"café"}


# ---- refusals


def refusal(kind: type[PseBenchError] = RequestError, count: int = 30, **what) -> str:
    """The one-line message that a plan is refused with."""
    with pytest.raises(PseBenchError) as refused:
        recipes(count, **what)
    assert type(refused.value) is kind
    message = str(refused.value)
    assert "\n" not in message
    assert ";" in message, "what is wrong; what to do"
    return message


REFUSALS = {
    "nobody at all": ({"clips": []}, ["scenario test", "the manifest is empty", "give more speech"]),
    "one speaker": (
        {"clips": speech(1)},
        ["scenario test: 1 interferer beside the target", "found 1", "give more speakers"],
    ),
    "too few speakers for several interferers": (
        {"clips": speech(3), "interferer": {"count": {"choice": [1, 3]}}},
        ["3 interferers beside the target", "found 3", "give more speakers"],
    ),
    "only the target herself interferes": (
        {"clips": speech(1), "others": speech(1)},
        ["1 interferer beside the target", "give more speakers"],
    ),
    "too little speech for the enrollment": (
        {"enrollment": {"duration_s": 60}},
        ["no speaker", "6 of 6 speakers", "too little other speech for the enrollment", "enrollment.shortest_s"],
    ),
    "one clip each": (
        {"clips": speech(each=1, sessions=1)},
        ["no speaker", "only one recording", "another recording would admit books/11"],
    ),
    "clips too long": (
        {"duration_s": 3.0},
        ["no speaker", "utterances longer than the scene, more than 3 s", "or target.clip: segment would admit"],
    ),
    "too few clips in a session": (
        {"clips": speech(each=2), "target": {"utterances": 3}, "duration_s": 30.0},
        ["fewer than 3 utterances in a session", "fewer target.utterances would admit"],
    ),
    "interferers with too little speech": (
        {"clips": speech(1), "others": [utterance("other", seconds=2.0)]},
        ["s000000: no interferer has", "s of speech", "another speaker than 7", "give more speech"],
    ),
    "everybody says the same": (
        {"clips": speech(text="Please call Stella.")},
        ["s000000: no interferer has", "another sentence"],
    ),
    "nobody of the other gender": (
        {"clips": speech(gender="F"), "interferer": {"gender": "different"}},
        ["no interferer has", "gender relation 'different'"],
    ),
    "a gender that is not known": (
        {"clips": [*speech(), utterance("zed", gender="")], "interferer": {"gender": {"choice": ["any", "same"]}}},
        ["gender of speaker zed of books is not known", "fill in"],
    ),
    "no time for an interferer": (
        {"duration_s": 5.9, "interferer": {"overlap": 0.05}},
        ["an overlap of 0.05 leaves an interferer less than 1 s", "longer duration_s"],
    ),
    "no noise": ({"noise_clips": []}, ["s000000: no noise clip is", "s long", "never repeated"]),
    "noise too short": (
        {"noise_clips": [noise_clip(seconds=5.9)]},
        ["no noise clip is", "give longer", "shorter duration_s"],
    ),
    "one noise for scene and enrollment": (
        {"noise_clips": [noise_clip()], "enrollment": {"condition": "noisy"}},
        ["no noise clip beside the scene's own is", "more noise", "enrollment.duration_s"],
    ),
    "an unknown category of noise": (
        {"noise": {"categories": ["street", "forest"]}},
        ["noise category 'forest' is not in the noise manifest", "it has café, street"],
    ),
    "no measured response": (
        {"room": {"engine": {"choice": ["pyroomacoustics", "measured"]}}},
        ["no measured response is given", "--rir"],
    ),
    "measured rooms that all ring too long": (
        {"room": {"engine": "measured", "measured_rt60_max_s": 0.4}, "rirs": [response()]},
        ["of 1, none within room.measured_rt60_max_s"],
    ),
    "distances that no room holds": (
        {"interferer": {"distance_m": 40}},
        ["room s000000: no room of 300 drawn holds", "ask for larger rooms or shorter distances"],
    ),
    "a target nearer than its mouth is high": (
        {"target": {"distance_m": 0.1}, "room": {"talker_height_m": 1.7, "microphone_height_m": 0.8}},
        ["no room of 300 drawn holds"],
    ),
    "rooms smaller than their walls' distance": (
        {"room": {"wall_distance_m": 4.5}},
        ["4.5 m from the walls", "ask for larger rooms"],
    ),
    "more interferers than places": (
        {"interferer": {"count": 3}, "room": {"rooms": 2, "places": 2}},
        ["3 interferers need room.places of at least 3, found 2"],
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_had_is_refused_with_what_to_do(case):
    what, expected = REFUSALS[case]
    message = refusal(**what)
    for part in expected:
        assert part in message


CHANGED = {"num_samples": 12345}


@pytest.mark.parametrize("role", ["clips", "others", "noise_clips", "rirs"])
def test_one_name_for_two_contents_is_refused(role):
    rows = {
        "clips": speech(),
        "others": speech(),
        "noise_clips": noises(),
        "rirs": [response(), response(number=1)],
    }
    rows[role] = [*rows[role], rows[role][1].model_copy(update=CHANGED)]
    message = refusal(InputError, room={"engine": "measured"}, **rows)
    assert "stands twice with different contents" in message
    assert rows[role][1].corpus in message
    assert "remove one" in message


def test_one_name_in_two_corpora_is_two_clips():
    clips = [*speech(3, corpus="one"), *speech(3, corpus="two")]
    assert len(planner(clips=clips)._targets.names) == 2 * len(speech(3))


# ---- anything that a scenario may ask

quantities = st.fixed_dictionaries(
    {
        "duration_s": st.sampled_from([2.0, 5.9, 6.0, {"uniform": [3, 12]}, {"choice": [4.5, 9.123]}]),
        "sample_rate": st.sampled_from([8000, 16000, 44100, 48000]),
        "target": st.fixed_dictionaries(
            {
                "clip": st.sampled_from(["whole", "segment"]),
                "utterances": st.sampled_from([1, 2, 3]),
                "pause_s": st.sampled_from([0, 0.5, {"uniform": [0, 2]}]),
            }
        ),
        "interferer": st.fixed_dictionaries(
            {
                "count": st.sampled_from([1, 2, {"choice": [1, 4]}]),
                "overlap": st.sampled_from([0, 0.1, 0.5, 1, {"uniform": [0, 1]}]),
                "gender": st.sampled_from(["any", "same", "different"]),
                "pause_s": st.sampled_from([0, 0.3, 2.0]),
            }
        ),
        "enrollment": st.fixed_dictionaries(
            {"duration_s": st.sampled_from([0.5, 8.0, 14.0]), "condition": st.sampled_from(["clean", "noisy"])}
        ),
    }
)


@settings(max_examples=120)
@given(quantities, st.integers(0, 5), st.integers(0, 2), st.sampled_from([16000, 44100]))
def test_whatever_is_asked_is_planned_soundly_or_refused(changes, seed, sessions, rate):
    """No traceback; and what is planned keeps the rules that hold for every plan."""
    clips = speech(5, sessions=sessions, each=5, seconds=(0.7, 1.93, 3.1, 5.9), rate=rate)
    known = by_path(clips)
    drawn, message = [], ""
    try:
        drawn = recipes(4, clips=clips, seed=seed, **changes)
    except (RequestError, InputError) as error:
        message = str(error)
    assert "\n" not in message
    for recipe in drawn:
        check_times(recipe, known, recipe.sample_rate)
        people = [recipe.target.speaker_id, *(talker.speaker_id for talker in recipe.interferers)]
        assert len(set(people)) == len(people)
        said = {segment.path for segment in recipe.target.segments}
        assert not said & {segment.path for segment in recipe.enrollment.segments}
        assert sum(segment.num_samples for segment in recipe.enrollment.segments) == recipe.enrollment.num_samples


# ---- the plan as a file


@pytest.fixture
def written(tmp_path) -> Path:
    """A plan of three scenes."""
    write_plan(tmp_path / "plan.jsonl", 3)
    return tmp_path / "plan.jsonl"


def test_a_plan_reads_back_as_it_was_written(written):
    scenario, head, drawn = plan.read(written)
    assert scenario == builders.scenario()
    assert head["seed"] == 1
    assert head["scenario"] == builders.content()
    assert list(drawn) == recipes(3)


def test_measured_rooms_and_noisy_enrollments_read_back_too(tmp_path):
    what = {"room": {"engine": "measured"}, "enrollment": {"condition": "noisy"}, "rirs": [response()]}
    write_plan(tmp_path / "p", 4, **what)
    assert list(plan.read(tmp_path / "p")[2]) == recipes(4, **what)


def test_a_plan_is_made_of_lines_that_a_person_can_read(written):
    lines = written.read_text("utf-8").splitlines()
    head, *scenes = map(json.loads, lines)
    assert list(head) == ["schema", "kind", "seed", "manifests", "scenario"]
    assert head["manifests"]["speech"][0]["clips"] == len(speech())
    assert [scene["scene_id"] for scene in scenes] == ["s000000", "s000001", "s000002"]
    assert str(Path.home()) not in written.read_text("utf-8")


def test_the_header_names_the_manifests_by_their_content():
    def digests(rows):
        return plan.header({}, manifests={"speech": [rows]}, seed=1)["manifests"]["speech"][0]["sha256"]

    rows = speech()
    assert digests(rows) == digests(rows[::-1])
    assert digests(rows) != digests(rows[1:])
    assert digests(rows) != digests([rows[0].model_copy(update={"text": "OTHER"}), *rows[1:]])


def test_a_plan_that_fails_on_the_way_is_not_there(tmp_path):
    drawn = planner(duration_s={"uniform": [6, 16]}, noise_clips=[noise_clip(seconds=9.0)])
    with pytest.raises(RequestError):
        plan.write(tmp_path / "plan.jsonl", {}, (drawn.recipe(index) for index in range(50)))
    assert list(tmp_path.iterdir()) == []


def damaged(path: Path) -> str:
    """The one-line message that a plan is refused with when it is read to its end."""
    with pytest.raises(InputError) as refused:
        list(plan.read(path)[2])
    message = str(refused.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def edited(path: Path, number: int, **changes) -> None:
    """Change keys of a line; None removes one."""
    lines = path.read_text("utf-8").split("\n")
    document = json.loads(lines[number - 1]) | changes
    lines[number - 1] = json.dumps({key: value for key, value in document.items() if value is not None})
    path.write_text("\n".join(lines), encoding="utf-8")


def test_a_plan_that_was_cut_off_is_refused(written):
    content = written.read_bytes()
    for length in range(1, len(content), 211):
        written.write_bytes(content[:length])
        if content[length - 1 : length] != b"\n":
            assert "the last line is cut off; plan it again" in damaged(written)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "not JSON"),
        (b"\n", "not JSON"),
        (b"{}\n", "not a plan; make one with pse-bench plan"),
        (b"[]\n", "not a plan"),
        (b'"pse-bench plan"\n', "not a plan"),
        (b"corpus,noise_id\n", "not JSON"),
        (b'{"kind": "pse-bench plan"}\n', "schema None, expected 1"),
        (b'{"kind": "pse-bench plan", "schema": 2}\n', "schema 2, expected 1; plan it again"),
        (b'{"kind": "pse-bench plan", "schema": 1}\n', "scenario: expected a mapping"),
        (b'{"kind": "pse-bench plan", "schema": 1, "scenario": {}}\n', "scenario: key 'name' is missing"),
        (b"\xff\xfe\n", "not UTF-8"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path, text, expected):
    (tmp_path / "p").write_bytes(text)
    assert expected in damaged(tmp_path / "p")


def test_a_plan_that_is_not_there_is_refused(tmp_path):
    assert "no such file" in damaged(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"snr_db": None}, "key 'snr_db' is missing"),
        ({"snr": 3}, "unknown key 'snr'; did you mean 'snr_db'?"),
        ({"snr_db": "loud"}, "snr_db: "),
        ({"snr_db": math.nan}, "snr_db: Input should be a finite number"),
        ({"num_samples": 0}, "num_samples: "),
        ({"num_samples": 1.5}, "num_samples: "),
        ({"scenarios": ["TS9"]}, "scenarios.0: "),
        ({"room": {"engine": "gpuRIR"}}, "room.simulated.engine: expected one of image-source, "),
        ({"room": {"engine": "measured", "room_id": "a"}}, "room.measured.corpus"),
        ({"target": {}}, "target.corpus"),
        ({"noise": []}, "noise: "),
        ({"scene_id": "s000000"}, "scene s000000 stands twice"),
        ({"scene_id": "../outside"}, "scene_id"),  # it cannot lead out of the dataset
        ({"sample_rate": 8000}, "sampled at 8000 Hz, its scenario at 16000 Hz"),
    ],
    ids=str,
)
def test_a_line_that_was_edited_wrongly_is_refused_by_its_number(written, changes, expected):
    edited(written, 3, **changes)
    message = damaged(written)
    assert message.startswith(f"{written}:3: ")
    assert expected in message


def test_lines_before_the_damage_are_still_read(written):
    edited(written, 4, snr_db=None)
    drawn = plan.read(written)[2]
    assert [next(drawn).scene_id, next(drawn).scene_id] == ["s000000", "s000001"]
    with pytest.raises(InputError, match=":4: key 'snr_db' is missing"):
        next(drawn)


@pytest.mark.parametrize("line", ["", "{", "[]", "null", "3"])
def test_a_line_that_is_no_recipe_is_refused_by_its_number(written, line):
    lines = written.read_text("utf-8").split("\n")
    written.write_text("\n".join([*lines[:2], line, *lines[2:]]), encoding="utf-8")
    assert damaged(written).startswith(f"{written}:3: ")


# ---- faults that were found in use


def test_a_plan_without_scenes_is_refused(written):
    written.write_text(written.read_text().split("\n")[0] + "\n")
    assert "holds no scenes" in damaged(written)


def test_one_name_for_two_clips_is_refused_across_targets_and_interferers():
    changed = [clip.model_copy(update=CHANGED) for clip in speech()]
    assert "stands twice" in refusal(InputError, clips=speech(), others=changed)


def test_a_recording_under_two_names_is_not_its_own_enrollment():
    once = [utterance("a", number, seconds=6.0, session="") for number in range(3)]
    again = [
        clip.model_copy(update={"utterance_id": f"{clip.utterance_id}-copy", "path": f"b/{clip.path}"})
        for clip in once
    ]
    clips = [*once, *again, *speech(2)]
    content = {clip.utterance_id: clip.sha256 for clip in clips}
    for recipe in recipes(40, clips=clips):
        scene = {content[segment.clip_id] for segment in recipe.target.segments}
        assert scene.isdisjoint(content[segment.clip_id] for segment in recipe.enrollment.segments)


def test_clips_below_the_scenes_rate_are_noted_once():
    clips = [*speech(4), *(clip.model_copy(update={"corpus": "low"}) for clip in speech(4, rate=8000))]
    notes = [note for note in planner(clips=clips).notes if "sampled at less" in note]
    assert len(notes) == 1
    assert "at 8000 Hz" in notes[0]
    assert not any("sampled at less" in note for note in planner().notes)


def test_measured_responses_that_are_left_out_are_noted():
    rirs = [response("small", rt60_s=0.4), response("hall", rt60_s=2.0)]
    drawn = planner(rirs=rirs, room={"engine": "measured", "measured_rt60_max_s": 1.0})
    assert any(note.startswith("1 of 2 measured responses ring longer") for note in drawn.notes)


@given(st.text(alphabet=st.sampled_from("aZ'ß-_ .,7é\n"), max_size=30))
def test_words_are_letters_digits_and_apostrophes(text):
    kept = "".join(c if c.isalnum() or c == "'" else " " for c in text.casefold())
    assert normalise_sentence(text) == " ".join(kept.split())
