"""From dry clips to stems: levels, alignment, exactness, and what is refused."""

import functools

import numpy as np
import pytest
import scipy.signal

from pse_bench.errors import InputError, RequestError
from pse_bench.io import audio
from pse_bench.schemas import Segment
from pse_bench.signal import convolution, vad
from pse_bench.simulation import mixing
from pse_bench.simulation import room as rooms

RATE = 16000
FULL_SCALE = 32768


@pytest.fixture(scope="module")
def load(corpus):
    """Gives clips of the corpus as read-only arrays, so that nothing can change them in place."""

    @functools.cache
    def clip(name, path):
        samples, _ = audio.read(corpus.root(name) / path, sample_rate=RATE)
        samples.flags.writeable = False
        return samples

    return lambda name, segment: clip(name, segment.path)[segment.start : segment.start + segment.num_samples]


@pytest.fixture(scope="module")
def responses_of(corpus):
    """Gives a recipe's room, simulated once."""

    @functools.cache
    def simulated(room):
        built = rooms.simulate(type(recipe_room[room]).model_validate_json(room), RATE)
        for response in built.sources:
            response.samples.flags.writeable = False
        return built

    recipe_room = {}

    def find(recipe):
        if recipe.room.engine == "measured":
            return rooms.measured(recipe.room, RATE, corpus.roots.locate)
        recipe_room[recipe.room.model_dump_json()] = recipe.room
        return simulated(recipe.room.model_dump_json())

    return find


@pytest.fixture(scope="module")
def recipes(corpus):
    """Four recipes of the tiny scenario."""
    return corpus.recipes(4)


@pytest.fixture(scope="module")
def scene_of(load, responses_of):
    """Renders a recipe."""
    return lambda recipe: mixing.mix(recipe, responses_of(recipe), load)


# ---- twins: the same quantities, written down again from their definitions


def dry_track(talker, length, load):
    """A talker's clips above 65 Hz, faded over 5 ms, laid into silence."""
    numerator, denominator = scipy.signal.butter(4, 65, btype="highpass", fs=RATE)
    track = np.zeros(length)
    ramp = np.sin(np.pi / 2 * (np.arange(80) + 0.5) / 80) ** 2
    for segment in talker.segments:
        clip = load(talker.corpus, segment)
        clip = scipy.signal.filtfilt(numerator, denominator, clip, padlen=3 * RATE // 65)
        clip[:80] *= ramp
        clip[-80:] *= ramp[::-1]
        track[segment.onset : segment.onset + len(clip)] = clip
    return track


def at_the_microphone(track, response):
    """Direct convolution; the response's lead is cut off."""
    return np.convolve(track, response.samples.astype(np.float64))[response.pre_delay :][: len(track)]


def level_db(stem, labels=None):
    """Mean power in dB re full scale, over the active 10 ms frames where labels are given."""
    samples = stem.astype(np.float64) / FULL_SCALE
    if labels is not None:
        samples = samples[np.repeat(labels, RATE // 100)[: len(samples)]]
    return 10 * np.log10(np.mean(samples**2))


def assert_proportional(stem, reference):
    """A stored stem is the reference times one factor, to the rounding of 16 bits."""
    stem = stem.astype(np.float64)
    factor = stem @ reference / (reference @ reference)
    assert factor > 0
    assert np.abs(stem - factor * reference).max() <= 0.51


def strongest_path(stem, dry):
    """The delay in samples of the strongest path from a dry track to a stem: the peak of their deconvolution."""
    size = 2 * len(dry)
    source, received = np.fft.rfft(dry, size), np.fft.rfft(stem.astype(np.float64), size)
    power = np.abs(source) ** 2
    return np.argmax(np.fft.irfft(received * source.conj() / (power + 1e-4 * power.mean()), size))


# ---- levels


@pytest.mark.parametrize("index", range(4))
def test_levels_are_those_of_the_recipe(recipes, scene_of, index):
    recipe = recipes[index]
    scene = scene_of(recipe)
    target = level_db(scene.stems["target"], scene.active["target"])
    interferer = level_db(scene.stems["interferer"], scene.active["interferer"])
    noise = level_db(scene.stems["noise"])
    assert target - scene.gain_db == pytest.approx(recipe.level_dbfs, abs=0.01)
    assert target - noise == pytest.approx(recipe.snr_db, abs=0.01)
    assert target - interferer == pytest.approx(recipe.sir_db, abs=0.01)
    assert scene.snr_achieved_db == pytest.approx(target - noise, abs=0.001)
    assert scene.sir_achieved_db == pytest.approx(target - interferer, abs=0.001)


@pytest.mark.parametrize(("snr_db", "sir_db", "level_dbfs"), [(-5, 20, -25), (30, -10, -35), (0, 0, -20)])
def test_levels_far_from_usual(recipes, scene_of, snr_db, sir_db, level_dbfs):
    recipe = recipes[0].model_copy(update={"snr_db": snr_db, "sir_db": sir_db, "level_dbfs": level_dbfs})
    scene = scene_of(recipe)
    assert scene.snr_achieved_db == pytest.approx(snr_db, abs=0.1)
    assert scene.sir_achieved_db == pytest.approx(sir_db, abs=0.1)


def test_levels_that_16_bits_cannot_hold_are_refused(recipes, scene_of):
    recipe = recipes[0].model_copy(update={"snr_db": 60, "level_dbfs": -45})
    with pytest.raises(RequestError, match=r"s000000: SNR of 60 dB becomes .* dB in 16 bits; raise target\.level"):
        scene_of(recipe)


@pytest.mark.parametrize("count", [1, 5000, 70_000])
@pytest.mark.parametrize("taps", [[1], [3000, 850], [9700, 9700, 20]])
def test_convolution_in_blocks_is_convolution(count, taps):
    chance = np.random.default_rng(count)
    track = chance.standard_normal(count)
    parts = [chance.standard_normal(length).astype(np.float32) for length in taps]
    for part, found in zip(parts, convolution.convolved(track, parts), strict=True):
        expected = scipy.signal.fftconvolve(track, part.astype(np.float64))
        assert len(found) == count + max(taps) - 1
        assert found[: len(expected)] == pytest.approx(expected, abs=1e-9)
        assert np.abs(found[len(expected) :]).max(initial=0) < 1e-9


# ---- stems


@pytest.mark.parametrize("index", range(4))
def test_stems_are_the_convolved_clips_times_one_factor(recipes, scene_of, responses_of, load, index):
    recipe = recipes[index]
    scene, responses = scene_of(recipe), responses_of(recipe)
    for who, talker in (("target", recipe.target), ("interferer", recipe.interferers[0])):
        track = dry_track(talker, recipe.num_samples, load)
        assert_proportional(scene.stems[who], at_the_microphone(track, responses.sources[talker.source]))
    segment = recipe.noise.segment
    assert_proportional(scene.stems["noise"], load("hush", segment))


def test_the_early_target_is_50_ms_of_the_room(recipes, scene_of, responses_of, load):
    recipe = recipes[0]
    scene = scene_of(recipe)
    response = responses_of(recipe).sources[recipe.target.source]
    track = dry_track(recipe.target, recipe.num_samples, load)
    whole = scipy.signal.fftconvolve(track, response.samples.astype(np.float64))
    first = scipy.signal.fftconvolve(track, response.samples[: response.pre_delay + response.direct_path + 800])
    stored = scene.stems["target"].astype(np.float64)
    reference = whole[response.pre_delay :][: len(track)]
    factor = stored @ reference / (reference @ reference)
    expected = factor * first[response.pre_delay :][: len(track)]
    # the same factor and the same alignment as the reverberant target
    assert np.abs(scene.stems["target_early"] - expected).max() <= 0.51
    assert not np.array_equal(scene.stems["target_early"], scene.stems["target"])


@pytest.mark.parametrize("index", range(4))
def test_the_early_target_is_aligned_with_the_reverberant_one(recipes, scene_of, index):
    stems = scene_of(recipes[index]).stems
    early, late = stems["target_early"].astype(float), stems["target"].astype(float)
    lags = scipy.signal.correlation_lags(len(late), len(early))
    assert lags[np.argmax(scipy.signal.correlate(late, early))] == 0


def test_the_target_arrives_as_late_as_it_is_far(recipes, scene_of, load):
    for recipe in recipes:
        scene = scene_of(recipe)
        dry = dry_track(recipe.target, recipe.num_samples, load)
        assert strongest_path(scene.stems["target_early"], dry) == pytest.approx(
            recipe.target.distance_m / 343 * RATE, abs=0.6
        )


@pytest.mark.parametrize("index", range(4))
def test_a_mixture_is_the_integer_sum_of_its_stems(recipes, scene_of, index):
    scene = scene_of(recipes[index])
    stems = {name: stem.astype(np.int64) for name, stem in scene.stems.items()}
    assert all(stem.dtype == np.int16 for stem in scene.stems.values())
    assert scene.mixture("TS1").dtype == np.int16
    assert np.array_equal(scene.mixture("TS1"), stems["target"] + stems["noise"])
    assert np.array_equal(scene.mixture("TS2"), stems["target"] + stems["interferer"] + stems["noise"])
    assert np.array_equal(scene.mixture("TS3"), stems["interferer"] + stems["noise"])


def test_a_sum_that_does_not_fit_is_never_wrapped():
    loud = np.full(10, 20000, dtype=np.int16)
    with pytest.raises(OverflowError):
        mixing.mix_stems({"target": loud, "noise": loud}, "TS1")


# ---- headroom


@pytest.mark.parametrize("sir_db", [0, -20])
def test_nothing_clips_however_loud(recipes, scene_of, sir_db):
    quiet = recipes[0].model_copy(update={"sir_db": sir_db, "snr_db": 0.0, "level_dbfs": -40.0})
    loud = quiet.model_copy(update={"level_dbfs": 0.0})
    scene, calm = scene_of(loud), scene_of(quiet)
    assert scene.gain_db < 0
    assert calm.gain_db == 0
    for label in ("TS1", "TS2", "TS3"):
        assert np.abs(scene.mixture(label).astype(int)).max() <= 0.98 * FULL_SCALE + 2
    peaks = [np.abs(stem.astype(int)).max() for stem in scene.stems.values()]
    peaks += [np.abs(scene.mixture(label).astype(int)).max() for label in ("TS1", "TS2", "TS3")]
    # turned down no further than needed: by less than 0.01 dB more
    assert max(peaks) >= 0.98 * FULL_SCALE * 10 ** (-0.011 / 20) - 2
    # one gain for everything, and it is the recorded one
    for name, stem in scene.stems.items():
        raised = calm.stems[name].astype(np.float64) * 10 ** ((40 + scene.gain_db) / 20)
        assert np.abs(stem - raised).max() <= 0.5 * 10 ** ((40 + scene.gain_db) / 20) + 0.51
    assert scene.snr_achieved_db == pytest.approx(0, abs=0.1)
    assert scene.sir_achieved_db == pytest.approx(sir_db, abs=0.1)


# ---- activity


def test_activity_is_that_of_the_dry_clips_later_by_the_rooms_delay(recipes, scene_of, responses_of, load):
    for recipe in recipes:
        scene, responses = scene_of(recipe), responses_of(recipe)
        for who, talker in (("target", recipe.target), ("interferer", recipe.interferers[0])):
            direct = round(talker.distance_m / 343 * RATE)
            assert responses.sources[talker.source].direct_path == pytest.approx(direct, abs=1)
            delayed = np.concatenate([np.zeros(direct), dry_track(talker, recipe.num_samples, load)])
            expected = vad.speech_activity(delayed[: recipe.num_samples], RATE)
            found = scene.active[who]
            assert len(found) == -(-recipe.num_samples // 160)
            # the clip's fades and its surroundings may move an edge by a frame
            assert np.mean(found != expected) < 0.06
            assert 0.2 < found.mean() < 0.9


def test_a_distant_talker_is_active_later(recipes, scene_of, responses_of, load):
    """With an exact multiple of a frame as delay, labels are the same and later by just that."""
    recipe = recipes[0]
    near = responses_of(recipe)
    moved = [
        rooms.RIR(np.pad(r.samples, (320, 0)), r.pre_delay, r.direct_path + 320, r.rt60_s) for r in near.sources
    ]
    before = mixing.mix(recipe, near, load).active
    after = mixing.mix(recipe, rooms.RoomRIRs(moved), load).active
    for who in ("target", "interferer"):
        assert np.array_equal(after[who][2:], before[who][:-2])
        assert not after[who][:2].any()


# ---- what the scene is made of


def test_nobody_interferes_in_a_scene_without_interferers(recipes, scene_of):
    alone = recipes[0].model_copy(update={"interferers": [], "sir_db": None, "scenarios": ["TS1"]})
    scene = scene_of(alone)
    assert set(scene.stems) == {"target", "target_early", "noise"}
    assert scene.sir_achieved_db is None
    assert not scene.active["interferer"].any()
    assert np.array_equal(scene.active["target"], scene_of(recipes[0]).active["target"])


def test_several_interferers_are_equally_loud_and_their_sum_has_the_sir(corpus, scene_of, responses_of, load):
    (recipe,) = corpus.recipes(1, interferer={"count": 2})
    first, second = recipe.interferers
    assert len({recipe.target.speaker_id, first.speaker_id, second.speaker_id}) == 3
    scene, responses = scene_of(recipe), responses_of(recipe)
    images = []
    for talker in (first, second):
        track = dry_track(talker, recipe.num_samples, load)
        image = at_the_microphone(track, responses.sources[talker.source])
        one = recipe.model_copy(update={"interferers": [talker]})
        own = mixing.mix(one, responses, load).active["interferer"]
        images.append(image / 10 ** (level_db(image * FULL_SCALE, own) / 20))
        assert (scene.active["interferer"] | own == scene.active["interferer"]).all()
    assert_proportional(scene.stems["interferer"], images[0] + images[1])
    found = level_db(scene.stems["target"], scene.active["target"])
    assert found - level_db(scene.stems["interferer"], scene.active["interferer"]) == pytest.approx(
        recipe.sir_db, abs=0.01
    )


def test_a_measured_room(corpus, scene_of, load):
    (recipe,) = corpus.recipes(1, room={"engine": "measured"})
    scene = scene_of(recipe)
    response = rooms.measured(recipe.room, RATE, corpus.roots.locate).sources[recipe.target.source]
    track = dry_track(recipe.target, recipe.num_samples, load)
    assert response.direct_path > 0
    assert_proportional(scene.stems["target"], at_the_microphone(track, response))
    assert strongest_path(scene.stems["target_early"], track) == response.direct_path
    assert scene.snr_achieved_db == pytest.approx(recipe.snr_db, abs=0.1)


def test_the_same_recipe_gives_the_same_samples_and_changes_nothing(recipes, responses_of, load):
    recipe, responses = recipes[1], responses_of(recipes[1])
    text = recipe.model_dump_json()
    clips = [load("talk", segment).copy() for segment in recipe.target.segments]
    kept = [response.samples.copy() for response in responses.sources]
    first, second = (mixing.mix(recipe, responses, load) for _ in range(2))
    assert all(np.array_equal(first.stems[name], second.stems[name]) for name in first.stems)
    assert np.array_equal(first.enrollment, second.enrollment)
    assert recipe.model_dump_json() == text
    for segment, before in zip(recipe.target.segments, clips, strict=True):
        assert np.array_equal(load("talk", segment), before)
    for response, before in zip(responses.sources, kept, strict=True):
        assert np.array_equal(response.samples, before)


# ---- enrollment


def enrolled(corpus, condition, **more):
    (recipe,) = corpus.recipes(1, enrollment={"condition": condition, **more})
    assert recipe.enrollment.condition == condition
    return recipe


def enrollment_track(recipe, load):
    talker = recipe.target.model_copy(update={"segments": recipe.enrollment.segments})
    return dry_track(talker, recipe.enrollment.num_samples, load)


def test_a_clean_enrollment(corpus, scene_of, load):
    recipe = enrolled(corpus, "clean")
    scene = scene_of(recipe)
    track = enrollment_track(recipe, load)
    assert scene.enrollment.dtype == np.int16
    assert_proportional(scene.enrollment, track)
    # labels of single clips, laid one after the other; the joint ones differ by a frame at the seams
    labels = vad.speech_activity(track, RATE)
    assert level_db(scene.enrollment, labels) == pytest.approx(-26, abs=0.3)
    assert {s.clip_id for s in recipe.enrollment.segments}.isdisjoint(s.clip_id for s in recipe.target.segments)


def test_a_reverberant_enrollment(corpus, scene_of, responses_of, load):
    recipe = enrolled(corpus, "reverberant")
    scene = scene_of(recipe)
    response = responses_of(recipe).sources[recipe.target.source]
    assert_proportional(scene.enrollment, at_the_microphone(enrollment_track(recipe, load), response))


@pytest.mark.parametrize("snr_db", [0.0, 12.0])
def test_a_noisy_enrollment_has_the_asked_snr(corpus, scene_of, load, snr_db):
    recipe = enrolled(corpus, "noisy", snr_db=snr_db)
    scene = scene_of(recipe)
    speech = enrollment_track(recipe, load)
    noise = load("hush", recipe.enrollment.noise.segment)
    assert recipe.enrollment.noise.segment.path != recipe.noise.segment.path
    # both parts of the sum by least squares
    parts, *_ = np.linalg.lstsq(np.stack([speech, noise], axis=1), scene.enrollment.astype(float), rcond=None)
    assert np.abs(scene.enrollment - parts[0] * speech - parts[1] * noise).max() <= 0.51
    labels = vad.speech_activity(speech, RATE)
    found = level_db(parts[0] * speech, labels) - level_db(parts[1] * noise)
    assert found == pytest.approx(snr_db, abs=0.3)


# ---- what is refused


@pytest.mark.parametrize(
    "silence", [np.zeros, lambda count: 1e-6 * np.random.default_rng(0).standard_normal(count)]
)
@pytest.mark.parametrize("who", ["target", "interferer"])
def test_a_clip_without_speech_is_refused_by_name(recipes, responses_of, load, who, silence):
    recipe = recipes[0]
    talker = recipe.target if who == "target" else recipe.interferers[0]
    paths = {segment.path for segment in talker.segments}

    def hushed(corpus: str, segment: Segment) -> np.ndarray:
        return silence(segment.num_samples) if segment.path in paths else load(corpus, segment)

    with pytest.raises(InputError) as caught:
        mixing.mix(recipe, responses_of(recipe), hushed)
    first = talker.segments[0]
    assert str(caught.value) == (
        f"{first.path}: no speech found in it; remove {first.clip_id} from the manifest and plan again"
    )


def test_silent_noise_is_refused_by_name(recipes, responses_of, load):
    recipe = recipes[0]

    def hushed(corpus: str, segment: Segment) -> np.ndarray:
        return np.zeros(segment.num_samples) if corpus == "hush" else load(corpus, segment)

    with pytest.raises(InputError) as caught:
        mixing.mix(recipe, responses_of(recipe), hushed)
    segment = recipe.noise.segment
    assert str(caught.value) == (
        f"{segment.path}: silent from sample {segment.start} for {segment.num_samples}; remove "
        f"{segment.clip_id} from the noise manifest and plan again"
    )


def test_rumble_of_a_recording_is_no_speech(recipes, load, responses_of):
    """A 30 Hz rumble as loud as the interferer's voice itself leaves the SIR of the voices what was asked."""
    recipe = recipes[0]
    others = {segment.path for talker in recipe.interferers for segment in talker.segments}

    def rumbling(corpus, segment):
        clip = load(corpus, segment)
        if segment.path not in others:
            return clip
        time = np.arange(len(clip)) / RATE
        return clip + np.sqrt(2) * np.std(clip) * np.sin(2 * np.pi * 30 * time)

    scene = mixing.mix(recipe, responses_of(recipe), rumbling)
    above = scipy.signal.butter(6, 90, btype="highpass", fs=RATE, output="sos")
    voices = {who: scipy.signal.sosfiltfilt(above, scene.stems[who]) for who in ("target", "interferer")}
    level = {who: level_db(voices[who], scene.active[who]) for who in voices}
    assert level["target"] - level["interferer"] == pytest.approx(recipe.sir_db, abs=0.3)
