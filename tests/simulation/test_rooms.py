"""Room responses: reverberation time, the direct sound, the engine behind them, measured ones, and the bank."""

import csv
import io
import json
import multiprocessing

import numpy as np
import pytest
import scipy.signal
import soundfile

from pse_bench.errors import InputError, RequestError
from pse_bench.io import atomic
from pse_bench.planning import plan
from pse_bench.runtime.executor import Processes, Serial
from pse_bench.schemas import MeasuredRoom, MeasuredSource, SimulatedRoom
from pse_bench.simulation import room as rooms
from pse_bench.simulation.engines import pyroomacoustics, shoebox

RATE = 16000


ENGINES = ["image-source", "pyroomacoustics"]
with_every_engine = pytest.mark.parametrize("engine", ENGINES)


def room_with(**changes):
    """A small room with two sources whose direct sound comes well before any reflection."""
    content = {
        "engine": "image-source",
        "room_id": "r",
        "size_m": (4.0, 3.5, 2.6),
        "rt60_s": 0.2,
        "microphone_m": (1.5, 1.6, 1.2),
        "sources_m": [(2.3, 1.9, 1.4), (2.9, 2.2, 1.5)],
    }
    return SimulatedRoom(**{**content, **changes})


def random_room(seed, **changes):
    """A room of random size, reverberation time and positions."""
    chance = np.random.default_rng(seed)
    size = chance.uniform((3.0, 3.0, 2.4), (6.0, 5.5, 3.2)).round(2)
    microphone, *sources = (chance.uniform(0.15, 0.85, (4, 3)) * size).round(3)
    return room_with(
        size_m=tuple(size.tolist()),
        rt60_s=round(chance.uniform(0.2, 0.4), 3),
        microphone_m=tuple(microphone.tolist()),
        sources_m=[tuple(source.tolist()) for source in sources],
        **changes,
    )


def t30_s(response):
    """Reverberation time of a response by the textbook: backward integration, a line from -5 to -35 dB."""
    decay_db = 10 * np.log10(np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1])
    decay_db -= decay_db[0]
    inside = (decay_db < -5) & (decay_db > -35)
    return -60 / np.polyfit(np.flatnonzero(inside) / RATE, decay_db[inside], 1)[0]


def arrival(response, around):
    """When a band-limited impulse near a sample has its peak, to 1/100 of a sample."""
    piece = response[around - 32 : around + 32].astype(np.float64)
    fine = scipy.signal.resample(np.pad(piece, 64), 192 * 100)
    return around - 32 - 64 + np.argmax(fine) / 100


def distances_m(room):
    return [float(np.linalg.norm(np.subtract(source, room.microphone_m))) for source in room.sources_m]


# ---- reverberation time


@with_every_engine
@pytest.mark.parametrize("seed", range(8))
def test_the_asked_reverberation_time_is_what_is_measured(seed, engine):
    room = random_room(seed, engine=engine)
    responses = rooms.simulate(room, RATE)
    measured = [t30_s(response.samples) for response in responses.sources]
    assert measured == pytest.approx([room.rt60_s] * 3, rel=0.10)
    assert np.mean(measured) == pytest.approx(room.rt60_s, rel=0.02)
    assert [response.rt60_s for response in responses.sources] == pytest.approx(measured, rel=0.005)
    assert responses.rt60_s == pytest.approx(np.mean(measured), rel=0.005)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"size_m": (10.0,) * 3, "rt60_s": 0.1, "microphone_m": (0.5, 5, 5), "sources_m": [(5.5, 5.2, 5.1)]},
            r"room r: no absorption gives an RT60 of 0\.1 s in 10×10×10 m; change room\.size_m or room\.rt60_s",
        ),
        (
            # a solution for the images' energy that the finished response does not keep
            {"size_m": (10.0,) * 3, "rt60_s": 0.1, "microphone_m": (0.51, 5, 5), "sources_m": [(3.5, 5.2, 5.1)]},
            r"room r: no absorption gives an RT60 of 0\.1 s in 10×10×10 m; change room\.size_m or room\.rt60_s",
        ),
        (
            {"rt60_s": 2.0},
            r"room r: an RT60 of 2\.0 s in 4×3\.5×2\.6 m takes \d+ million image sources a source; ask for",
        ),
    ],
    ids=["too dead", "too dead for the response", "too many images"],
)
def test_an_impossible_reverberation_time_is_refused(changes, complaint):
    with pytest.raises(RequestError, match=complaint) as caught:
        rooms.simulate(room_with(engine="pyroomacoustics", **changes), RATE)
    assert "\n" not in str(caught.value)


# ---- the response itself


@with_every_engine
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_the_direct_sound_arrives_on_time(rate, engine):
    room = room_with(engine=engine)
    responses = rooms.simulate(room, rate)
    for response, distance_m in zip(responses.sources, distances_m(room), strict=True):
        expected = distance_m / 343 * rate
        assert abs(response.direct_path - expected) <= 0.5
        if rate >= 16000:  # at 8 kHz the first reflections overlap with it
            assert arrival(
                response.samples, response.pre_delay + response.direct_path
            ) - response.pre_delay == pytest.approx(expected, abs=0.1)


@with_every_engine
def test_level_falls_with_distance(engine):
    room = room_with(engine=engine)
    responses = rooms.simulate(room, 48000)
    direct = [response.samples[: response.pre_delay + response.direct_path + 20] for response in responses.sources]
    peaks = [np.abs(samples).max() for samples in direct]
    near_m, far_m = distances_m(room)
    assert peaks[0] / peaks[1] == pytest.approx(far_m / near_m, rel=0.05)


@with_every_engine
def test_early_sound_ends_50_ms_after_the_direct_sound(engine):
    response = rooms.simulate(room_with(engine=engine), RATE).sources[0]
    early = response.early(RATE)
    assert len(early) == response.pre_delay + response.direct_path + 800
    assert np.array_equal(early, response.samples[: len(early)])
    assert len(early) < len(response.samples)


@pytest.fixture
def reflection(monkeypatch):
    """The pressure reflection factor of the walls that a simulation ended with."""
    used = []
    build = pyroomacoustics._build
    monkeypatch.setattr(pyroomacoustics, "_build", lambda *given: used.append(given[2]) or build(*given))
    return lambda: used[-1]


def plain_shoebox(room, reflection):
    """The same room, straight from pyroomacoustics."""
    import pyroomacoustics as pra

    reach_m = 343.0 * room.rt60_s + np.linalg.norm(room.size_m)
    shoebox = pra.ShoeBox(
        room.size_m,
        fs=RATE,
        materials=pra.Material(energy_absorption=1 - reflection**2),
        max_order=int(np.ceil(reach_m / min(room.size_m))),
        air_absorption=False,
    )
    shoebox.add_microphone(room.microphone_m)
    for position in room.sources_m:
        shoebox.add_source(position)
    shoebox.compute_rir()
    return shoebox.rir[0]


def test_responses_are_those_of_the_engine(reflection):
    """Up to where we cut, equal to an ordinary simulation with all images of that order.

    Without the engine's high-pass: that one runs backwards too, and would carry the images beyond our end
    into the part before it.
    """
    import pyroomacoustics as pra

    room = room_with(engine="pyroomacoustics")
    pra.constants.set("rir_hpf_enable", False)
    try:
        ours = rooms.simulate(room, RATE)
        plain = plain_shoebox(room, reflection())
    finally:
        pra.constants.set("rir_hpf_enable", True)
    for response, expected in zip(ours.sources, plain, strict=True):
        kept = len(response.samples) - 81  # an image is 81 samples wide; the last ones lack their neighbours
        assert kept > 0.9 * room.rt60_s * RATE
        assert response.pre_delay == 40  # the engine's constant delay
        error = np.abs(response.samples[:kept] - expected[:kept]).max()
        assert error <= 1e-5 * np.abs(expected).max()


def test_responses_are_high_passed_without_delay():
    import pyroomacoustics as pra
    from pyroomacoustics.utilities import design_highpass_filter_sos

    assert pra.constants.get("rir_hpf_enable")
    filtered = pyroomacoustics._build(*pyroomacoustics._images(room_with(), RATE), 0.75, RATE)
    pra.constants.set("rir_hpf_enable", False)
    try:
        plain = pyroomacoustics._build(*pyroomacoustics._images(room_with(), RATE), 0.75, RATE)
    finally:
        pra.constants.set("rir_hpf_enable", True)
    sections = design_highpass_filter_sos(
        RATE, pra.constants.get("rir_hpf_fc"), **pra.constants.get("rir_hpf_kwargs")
    )
    for one, other in zip(filtered, plain, strict=True):
        expected = scipy.signal.sosfiltfilt(sections, other.samples.astype(np.float64))
        assert np.abs(one.samples - expected).max() <= 1e-5 * np.abs(expected).max()
        assert abs(one.samples.sum()) < 0.1 * abs(other.samples.sum())


@with_every_engine
def test_the_same_room_has_the_same_bits_whatever_its_name(engine):
    one, other = (rooms.simulate(room_with(engine=engine, room_id=name), RATE) for name in ("one", "another"))
    assert_equal(one, other)


# ---- measured rooms


@pytest.fixture
def hall(corpus):
    """Builds the record of a measured room from responses of the corpus."""

    def build(*rir_ids):
        rows = {row.rir_id: row for row in corpus.measured}
        return MeasuredRoom(
            engine="measured",
            room_id="hall",
            corpus="halls",
            rt60_s=0.25,
            sources=[
                MeasuredSource(rir_id=name, path=rows[name].path, sha256=rows[name].sha256) for name in rir_ids
            ],
        )

    return build


def test_a_measured_response_is_taken_as_it_is(corpus, hall):
    responses = rooms.measured(hall("hall/right", "hall/left"), RATE, corpus.roots.locate)
    assert [response.direct_path for response in responses.sources] == [round(0.007 * RATE), round(0.004 * RATE)]
    assert [response.pre_delay for response in responses.sources] == [0, 0]
    stored, _ = soundfile.read(corpus.root("halls") / "hall/right.wav")
    assert np.array_equal(responses.sources[0].samples, stored.astype(np.float32))
    assert responses.rt60_s == pytest.approx(0.25, rel=0.05)


def test_a_measured_response_of_another_rate_is_resampled(corpus, hall):
    (response,) = rooms.measured(hall("cell/one"), RATE, corpus.roots.locate).sources
    stored, rate = soundfile.read(corpus.root("halls") / "cell/one.wav")
    assert rate == 48000
    assert len(response.samples) == -(-len(stored) // 3)
    # the kernel of the resampler reaches over a few samples
    assert abs(response.direct_path - 0.003 * RATE) <= 1
    assert np.argmax(np.abs(response.samples)) == round(0.003 * RATE)
    assert response.rt60_s == pytest.approx(0.25, rel=0.06)


def test_a_measured_response_that_was_exchanged_is_refused(corpus, hall, tmp_path):
    moved = corpus.moved(tmp_path / "corpora")
    path = moved.root("halls") / "hall/left.wav"
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples[::-1], rate, subtype="PCM_24")
    with pytest.raises(InputError, match=r"left\.wav: not the file its manifest describes \(sha256 differs\)"):
        rooms.measured(hall("hall/left"), RATE, moved.roots.locate)


# ---- bank


def assert_equal(one, other):
    """Equal to the last bit."""
    assert len(one.sources) == len(other.sources)
    for left, right in zip(one.sources, other.sources, strict=True):
        assert left.samples.dtype == right.samples.dtype == np.float32
        assert left.samples.tobytes() == right.samples.tobytes()
        assert (left.pre_delay, left.direct_path, left.rt60_s) == (
            right.pre_delay,
            right.direct_path,
            right.rt60_s,
        )


@pytest.fixture
def simulated(monkeypatch):
    """Which rooms were really simulated."""
    calls = []
    simulate = rooms.simulate
    monkeypatch.setattr(rooms, "simulate", lambda room, rate: calls.append(room.room_id) or simulate(room, rate))
    return calls


def test_a_room_from_the_bank_is_the_simulated_one(tmp_path, simulated):
    first = rooms.from_bank(room_with(), RATE, tmp_path / "bank")
    second = rooms.from_bank(room_with(), RATE, tmp_path / "bank")
    third = rooms.from_bank(room_with(room_id="renamed"), RATE, tmp_path / "bank")
    assert simulated == ["r"]
    assert_equal(first, second)
    assert_equal(first, third)
    assert_equal(first, rooms.simulate(room_with(), RATE))
    assert [path.name for path in (tmp_path / "bank").iterdir()] == [rooms.cache_key(room_with(), RATE)]


@pytest.mark.parametrize(
    "changes",
    [
        {"engine": "pyroomacoustics"},
        {"tail": "diffuse"},
        {"rt60_s": 0.201},
        {"size_m": (4.0, 3.5, 2.61)},
        {"microphone_m": (1.5, 1.6, 1.21)},
        {"sources_m": [(2.9, 2.2, 1.5), (2.3, 1.9, 1.4)]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_room_has_another_place_in_the_bank(changes):
    assert rooms.cache_key(room_with(**changes), RATE) != rooms.cache_key(room_with(), RATE)


def test_rate_and_engine_version_are_part_of_the_place(monkeypatch):
    def name(rate=RATE, engine="image-source"):
        return rooms.cache_key(room_with(engine=engine), rate)

    names = {name(), name(8000), name(engine="pyroomacoustics")}
    monkeypatch.setattr(shoebox, "VERSION", shoebox.VERSION + 1)
    names.add(name())
    monkeypatch.setattr(pyroomacoustics, "VERSION", pyroomacoustics.VERSION + 1)
    names.add(name(engine="pyroomacoustics"))
    monkeypatch.setattr(rooms, "version", lambda package: "0.0")
    names.add(name(engine="pyroomacoustics"))
    assert len(names) == 6


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: b"not an archive at all",
        lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    ],
    ids=["empty", "truncated", "text", "flipped bit"],
)
def test_a_damaged_bank_file_is_made_again(tmp_path, simulated, damage):
    first = rooms.from_bank(room_with(), RATE, tmp_path)
    path = tmp_path / rooms.cache_key(room_with(), RATE)
    path.write_bytes(damage(path.read_bytes()))
    assert_equal(first, rooms.from_bank(room_with(), RATE, tmp_path))
    assert simulated == ["r", "r"]
    assert_equal(first, rooms.from_bank(room_with(), RATE, tmp_path))
    assert simulated == ["r", "r"]


def test_no_flipped_bit_in_a_bank_file_goes_unnoticed(tmp_path, monkeypatch):
    """Either the file still gives the same bits, or the room is made again; nothing else may happen."""
    first = rooms.from_bank(room_with(), RATE, tmp_path)
    monkeypatch.setattr(rooms, "simulate", lambda room, rate: first)
    path = tmp_path / rooms.cache_key(room_with(), RATE)
    content = path.read_bytes()
    directory = range(len(content) - 200, len(content))
    for position in [*range(0, 300, 2), *range(301, len(content) - 200, 997), *directory]:
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        assert_equal(first, rooms.from_bank(room_with(), RATE, tmp_path))


def build_at_once(folder, barrier, results):
    """Both processes reach the moment before writing together."""
    simulate = rooms.simulate

    def slow(room, rate):
        built = simulate(room, rate)
        barrier.wait(300)
        return built

    rooms.simulate = slow
    try:
        results.put(rooms.from_bank(room_with(), RATE, folder).sources[0].samples.tobytes())
    except BaseException as error:
        results.put(repr(error))
        raise


def test_two_processes_may_build_one_room_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    workers = [context.Process(target=build_at_once, args=(tmp_path, barrier, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join(300)
    assert [worker.exitcode for worker in workers] == [0, 0]
    expected = rooms.simulate(room_with(), RATE)
    assert found == [expected.sources[0].samples.tobytes()] * 2
    assert [path.name for path in tmp_path.iterdir()] == [rooms.cache_key(room_with(), RATE)]
    assert_equal(expected, rooms.from_bank(room_with(), RATE, tmp_path))


def test_writers_of_one_file_do_not_meet(tmp_path):
    """The moment that processes hit only rarely: both are writing, then both finish."""
    path = tmp_path / "room.npz"
    with atomic.replacing(path, shared=True) as slow:
        slow.write_bytes(b"half of")
        with atomic.replacing(path, shared=True) as fast:
            fast.write_bytes(b"a room")
        slow.write_bytes(b"a room")
    assert path.read_bytes() == b"a room"
    assert list(tmp_path.iterdir()) == [path]


# ---- the bank as a whole: built once by any number of processes, and how often its rooms are used

SHARED = {"rooms": 3, "places": 2}


def quiet(done, total):
    pass


def test_rooms_are_built_once_in_parallel(corpus, tmp_path, monkeypatch):
    recipes = corpus.recipes(6, room=SHARED)
    rooms.build(recipes, tmp_path / "parallel", Processes(2), quiet)
    rooms.build(recipes, tmp_path / "serial", Serial(), quiet)
    names = {rooms.cache_key(recipe.room, recipe.sample_rate) for recipe in recipes}
    for folder in ("parallel", "serial"):
        assert {path.name for path in (tmp_path / folder).iterdir()} == names
    for name in names:
        one, other = (np.load(tmp_path / folder / name) for folder in ("parallel", "serial"))
        assert one["samples"].tobytes() == other["samples"].tobytes()
        assert one["about"].tobytes() == other["about"].tobytes()
    monkeypatch.setattr(rooms, "simulate", lambda *given: 1 / 0)
    rooms.build(recipes, tmp_path / "serial", Serial(), quiet)


def test_usage_counts_scenes_people_and_places_over_plans(corpus, tmp_path):
    one = corpus.plan(tmp_path / "one.jsonl", count=5, room=SHARED)
    other = corpus.plan(tmp_path / "other.jsonl", count=7, room=SHARED)  # begins with the same rooms
    found = rooms.usage([one, other], tmp_path / "bank")
    recipes = [recipe for path in (one, other) for recipe in plan.read(path)[2]]
    assert len(found) == 3
    assert sum(use.scenes for use in found) == len(recipes) == 12
    assert [use.scenes for use in found] == sorted((use.scenes for use in found), reverse=True)
    for use in found:
        own = [recipe for recipe in recipes if recipe.room.room_id == use.room_id]
        people = [talker for recipe in own for talker in (recipe.target, *recipe.interferers)]
        assert (use.scenes, use.people, use.plans) == (len(own), len(people), 2)
        assert (use.places, use.places_used) == (4, len({talker.source for talker in people}))
        assert not use.built


def test_measured_rooms_are_no_part_of_it(corpus, tmp_path):
    path = corpus.plan(tmp_path / "plan.jsonl", room={"engine": "measured"})
    assert rooms.usage([path], tmp_path) == []


def test_the_command_builds_and_reports(corpus, command, tmp_path):
    path = corpus.plan(tmp_path / "plan.jsonl", count=5, room=SHARED)
    arguments = ("rooms", path, "--room-bank", tmp_path / "bank")
    before = command(*arguments)
    rows = list(csv.DictReader(io.StringIO(before.stdout)))
    assert [row["built"] for row in rows] == ["False"] * 3
    assert "3 rooms (0 built), 5 scenes: 1 to 2 a room" in before.stderr
    built = command(*arguments, "--build", "--jobs", 1, "--json")
    assert built.exit_code == 0
    assert [row["built"] for row in json.loads(built.stdout)] == [True] * 3
    # and a render finds them there
    rendered = command(
        "render", path, "-o", tmp_path / "out", "--room-bank", tmp_path / "bank", "--jobs", 1, *corpus.options
    )
    assert rendered.exit_code == 0
    assert "simulating" not in rendered.stderr
