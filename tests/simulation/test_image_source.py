"""Our image sources: against sums written down one image at a time, closed forms, and pyroomacoustics."""

import hashlib
import itertools
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pse_bench.schemas import SimulatedRoom
from pse_bench.signal.rt60 import rt60_s
from pse_bench.simulation import room as rooms
from pse_bench.simulation.engines import image_source
from pse_bench.simulation.engines.image_source import LEAD
from pse_bench.simulation.rir import EARLY_S

RATE = 16000
SIZE = (4.3, 3.7, 2.6)
SOURCE, MICROPHONE = (1.1, 2.9, 1.6), (2.8, 1.2, 1.1)
WALLS = (0.9, 0.8, 0.85, 0.75, 0.7, 0.6)


def spectrum(samples, hz):
    """The Fourier transform of a response at some frequencies, time zero at its lead."""
    samples = samples.astype(np.float64)
    return np.exp(-2j * np.pi * np.outer(hz, np.arange(len(samples)) - LEAD) / RATE) @ samples


def one_by_one(size, source, microphone, reflection, reach_m):
    """Distance and pressure of every image, from its reflections: mirror the source at one wall after another."""
    seen = {(0, 0, 0): (np.array(source), 1.0)}
    edge = list(seen)
    while edge:
        reached = []
        for cell in edge:
            position, pressure = seen[cell]
            for axis in range(3):
                for step in (-1, 1):
                    if cell[axis] * step < 0:
                        continue
                    # going outwards, the wall between this copy of the room and the next
                    wall_m = size[axis] * (cell[axis] + (step > 0))
                    number = 2 * axis + (cell[axis] + (step > 0)) % 2
                    beyond = (*cell[:axis], cell[axis] + step, *cell[axis + 1 :])
                    if beyond in seen or abs(wall_m - microphone[axis]) > reach_m:
                        continue
                    mirrored = position.copy()
                    mirrored[axis] = 2 * wall_m - mirrored[axis]
                    seen[beyond] = (mirrored, pressure * reflection[number])
                    reached.append(beyond)
        edge = reached
    distances = np.array([math.dist(position, microphone) for position, _ in seen.values()])
    pressures = np.array([pressure for _, pressure in seen.values()])
    near = distances <= reach_m
    return distances[near], pressures[near] / distances[near]


def without_mean_pressure(monkeypatch):
    monkeypatch.setattr(image_source, "_mean_pressure", lambda source, reflection, rate, num: np.zeros(num))


place = st.tuples(*(st.floats(0.1, 0.9) for _ in range(3)))


@settings(max_examples=30, deadline=None)
@given(
    size=st.tuples(st.floats(2, 5), st.floats(2, 5), st.floats(2, 3)),
    source=place,
    microphone=place,
    reflection=st.tuples(*(st.floats(0.1, 0.99) for _ in range(6))),
)
def test_every_image_is_there_once_with_its_walls(size, source, microphone, reflection):
    source, microphone = (tuple(np.multiply(where, size)) for where in (source, microphone))
    if math.dist(source, microphone) < 0.1:
        return
    found = image_source.images(size, source, microphone, 12.0)
    gains = [
        image_source._gains(hits, reflection[2 * axis : 2 * axis + 2])
        for axis, hits in zip(found.axes, found.hits, strict=True)
    ]
    distances, pressures = [], []
    for plane, count in enumerate(found.counts):
        far = np.sqrt(found.points_m2[:count] + found.planes_m[plane] ** 2)
        points = gains[1][found.second[:count]] * gains[2][found.third[:count]]
        distances.append(far)
        pressures.append(points * gains[0][plane] / far)
    distances, pressures = np.concatenate(distances), np.concatenate(pressures)
    expected = one_by_one(size, source, microphone, reflection, 12.0)
    assert len(found) == len(distances) == pytest.approx(len(expected[0]), abs=1)
    count = len(distances)
    if count == len(expected[0]):
        assert np.sort(distances) == pytest.approx(np.sort(expected[0]), rel=1e-9)
        assert np.sort(pressures) == pytest.approx(np.sort(expected[1]), rel=1e-9)


def test_the_response_has_the_spectrum_of_its_images(monkeypatch):
    """Its twin is a sum over images, each with its exact delay."""
    without_mean_pressure(monkeypatch)
    reach_m = 30.0
    found = image_source.response(image_source.images(SIZE, SOURCE, MICROPHONE, reach_m), WALLS, RATE)
    distances, pressures = one_by_one(SIZE, SOURCE, MICROPHONE, WALLS, reach_m)
    assert len(distances) > 2000
    hz = np.linspace(50, 6500, 400)
    expected = np.exp(-2j * np.pi * np.outer(hz, distances / 343.0)) @ pressures
    error = np.abs(spectrum(found, hz) - expected) ** 2
    assert 10 * np.log10(error.sum() / np.sum(np.abs(expected) ** 2)) < -50


@pytest.mark.parametrize("distance_m", [0.31, 1.0, 2.6421])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_the_direct_sound_is_a_pulse_of_one_over_its_distance_at_its_exact_time(distance_m, rate):
    where = (10.0, 10.0, 10.0)
    source = image_source.images((20.0, 20.0, 20.0), (10.0 + distance_m, 10.0, 10.0), where, 3.0)
    assert len(source) == 1
    samples = image_source.response(source, (0.5,) * 6, rate).astype(np.float64)
    # the pulse is symmetric about its time
    size = 1 << 14
    hz = np.fft.rfftfreq(size, 1 / rate)
    phase = np.unwrap(np.angle(np.fft.rfft(samples, size)))
    inside = (hz > 0.1 * rate / 2) & (hz < 0.8 * rate / 2)
    slope = np.polyfit(hz[inside], phase[inside], 1)[0]
    delay = -slope * rate / (2 * np.pi) - LEAD
    assert delay == pytest.approx(distance_m / 343.0 * rate, abs=0.01)
    level = np.abs(np.fft.rfft(samples, size))[inside]
    assert level == pytest.approx(np.full(len(level), 1 / distance_m), rel=0.01)


def test_the_first_reflections_of_six_different_walls(monkeypatch):
    """In a large room each first-order reflection stands alone: 1 / d times the factor of its wall."""
    without_mean_pressure(monkeypatch)
    size, source, microphone = (19.0, 23.0, 29.0), (7.0, 8.0, 9.0), (9.0, 10.0, 12.0)
    rate = 48000
    samples = image_source.response(image_source.images(size, source, microphone, 60.0), WALLS, rate)
    for number, factor in enumerate(WALLS):
        axis, far = divmod(number, 2)
        mirrored = list(source)
        mirrored[axis] = 2 * size[axis] * far - source[axis]
        distance_m = math.dist(mirrored, microphone)
        at = LEAD + distance_m / 343.0 * rate
        piece = samples[round(at) - 30 : round(at) + 31].astype(np.float64)
        assert piece.sum() == pytest.approx(factor / distance_m, rel=0.03), image_source.WALLS[number]


def test_nothing_arrives_before_the_direct_sound():
    source = image_source.images((6.0, 5.0, 3.0), (5.5, 4.4, 1.5), (0.7, 0.8, 1.2), 100.0)
    samples = image_source.response(source, (0.85,) * 6, RATE)
    direct = int(source.direct_m / 343.0 * RATE)
    assert not samples[:direct].any()
    energy = samples.astype(np.float64) ** 2
    assert 10 * np.log10(energy[: LEAD + direct - 12].sum() / energy.sum()) < -40


def test_the_mean_pressure_of_the_images_is_what_is_taken_away(monkeypatch):
    """The closed form against the images themselves, averaged over 20 ms."""
    source = image_source.images((6.0, 5.0, 3.0), (3.1, 2.7, 1.5), (2.0, 2.0, 1.2), 130.0)
    reflection = (0.9, 0.85, 0.8, 0.9, 0.7, 0.85)
    expected = image_source._mean_pressure(source, reflection, RATE, 5600)
    without_mean_pressure(monkeypatch)
    plain = image_source.response(source, reflection, RATE)[LEAD : LEAD + 5600]
    averaged = plain[:5440].reshape(-1, 320).mean(axis=1)
    known = expected[:5440].reshape(-1, 320).mean(axis=1)
    late = slice(4, None)  # 80 ms on
    assert np.sum((averaged - known)[late] ** 2) < 0.03 * np.sum(averaged[late] ** 2)


# ---- against pyroomacoustics


def drawn(seed):
    chance = np.random.default_rng(seed)
    size = chance.uniform((3.0, 3.0, 2.5), (6.0, 6.0, 3.5))
    source, microphone = chance.uniform(0.1, 0.9, (2, 3)) * size
    return size, source, microphone, chance.uniform(0.6, 0.85)


@pytest.fixture
def pra():
    import pyroomacoustics

    pyroomacoustics.constants.set("num_threads", 1)
    pyroomacoustics.constants.set("rir_hpf_enable", False)
    yield pyroomacoustics
    pyroomacoustics.constants.set("rir_hpf_enable", True)


@pytest.mark.parametrize("seed", range(4))
def test_responses_are_those_of_pyroomacoustics_in_the_band(pra, seed):
    size, source, microphone, reflection = drawn(seed)
    walls = (reflection,) * 6
    names = ("west", "east", "south", "north", "floor", "ceiling")
    if seed % 2:
        walls = tuple(np.round(np.linspace(reflection, reflection - 0.3, 6), 3))
    reach_m = 55.0
    ours = image_source.response(image_source.images(size, source, microphone, reach_m), walls, RATE)
    shoebox = pra.ShoeBox(
        size,
        fs=RATE,
        materials={name: pra.Material(1 - wall**2) for name, wall in zip(names, walls, strict=True)},
        max_order=math.ceil((reach_m + np.linalg.norm(size)) * np.linalg.norm(1 / np.array(size))),
        air_absorption=False,
    )
    shoebox.add_microphone(microphone)
    shoebox.add_source(source)
    shoebox.compute_rir()
    # until the first image beyond our reach begins; faded, for theirs has a mean pressure whose end would click
    end = int(reach_m / 343.0 * RATE)
    fade = np.minimum(1, np.arange(end, 0, -1) / (0.06 * RATE)) ** 2
    ours, theirs = (fade * samples[:end] for samples in (ours, shoebox.rir[0][0]))
    hz = np.fft.rfftfreq(1 << 15, 1 / RATE)
    inside = (hz >= 50) & (hz <= 6500)
    ours, theirs = (np.fft.rfft(samples, 1 << 15)[inside] for samples in (ours, theirs))
    error_db = 10 * np.log10(np.sum(np.abs(ours - theirs) ** 2) / np.sum(np.abs(theirs) ** 2))
    assert error_db < -40


# ---- a room


def room_with(**changes):
    content = {
        "engine": "image-source",
        "room_id": "r",
        "size_m": (5.2, 4.1, 2.7),
        "rt60_s": 0.35,
        "microphone_m": (1.5, 1.6, 1.2),
        "sources_m": [(2.3, 1.9, 1.4), (4.4, 3.2, 1.5)],
    }
    return SimulatedRoom(**{**content, **changes})


def test_rt60_of_random_rooms_is_the_asked_one():
    chance = np.random.default_rng(7)
    off = []
    for _ in range(20):
        size = chance.uniform((3.0, 3.0, 2.5), (8.0, 8.0, 3.5))
        microphone, source = chance.uniform(0.1, 0.9, (2, 3)) * size
        asked = chance.uniform(0.2, 0.6)
        room = room_with(
            size_m=tuple(size.tolist()),
            rt60_s=asked,
            microphone_m=tuple(microphone.tolist()),
            sources_m=[tuple(source.tolist())],
        )
        (found,) = rooms.simulate(room, RATE).sources
        assert rt60_s(found.samples, RATE) == pytest.approx(found.rt60_s, rel=1e-6)
        off.append(abs(found.rt60_s / asked - 1))
    assert np.quantile(off, 0.95) <= 0.05
    assert np.median(off) <= 0.01


def test_a_diffuse_tail_has_the_rt60_and_keeps_the_early_part():
    room = room_with(tail="diffuse")
    built = rooms.simulate(room, RATE)
    assert built.rt60_s == pytest.approx(0.35, rel=0.02)
    for response in built.sources:
        end = response.pre_delay + response.direct_path + round(EARLY_S * RATE)
        late = response.samples[end + 320 :].astype(np.float64)
        # noise decays evenly: the same RT60 from the first half of it as from all of it
        assert rt60_s(late, RATE, range_db=15) == pytest.approx(rt60_s(late, RATE), rel=0.1)
        before, after = (np.mean(response.samples[slice(*at)] ** 2) for at in ((end - 320, end), (end, end + 320)))
        assert 10 * np.log10(before / after) == pytest.approx(60 * 0.020 / 0.35, abs=4)
    again = rooms.simulate(room, RATE)
    for one, other in itertools.pairwise([*built.sources, *again.sources][::2]):
        assert one.samples.tobytes() == other.samples.tobytes()
    apart = [response.samples[-2000:] for response in built.sources]
    least = min(map(len, apart))
    assert abs(np.corrcoef(apart[0][:least], apart[1][:least])[0, 1]) < 0.1


PRINT = """
import hashlib, sys
from pse_bench.schemas import SimulatedRoom
from pse_bench.simulation import room as rooms
room = SimulatedRoom.model_validate_json(sys.argv[1])
digest = hashlib.sha256()
for response in rooms.simulate(room, 16000).sources:
    digest.update(response.samples.tobytes() + repr(response.rt60_s).encode())
print(digest.hexdigest(), "pyroomacoustics" in sys.modules)
"""


def test_bits_do_not_depend_on_threads_and_pyroomacoustics_is_not_loaded():
    room = room_with()
    digest = hashlib.sha256()
    for response in rooms.simulate(room, RATE).sources:
        digest.update(response.samples.tobytes() + repr(response.rt60_s).encode())
    for threads in ("1", "3"):
        environment = {**os.environ, **{f"{name}_NUM_THREADS": threads for name in ("OMP", "OPENBLAS", "MKL")}}
        done = subprocess.run(
            [sys.executable, "-c", PRINT, room.model_dump_json()],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        assert done.stdout.split() == [digest.hexdigest(), "False"]


NARROW = """
import json, sys
from pse_bench.schemas import SimulatedRoom
from pse_bench.simulation import room as rooms
for text in json.load(sys.stdin):
    found = rooms.simulate(SimulatedRoom.model_validate_json(text), 16000).sources
    print(json.dumps([[one.rt60_s, one.samples.astype(float).tolist()] for one in found]))
"""


def test_a_processor_with_wider_vectors_makes_the_same_room():
    """The calibration takes several passes here, and each follows from what the last one measured."""
    from numpy._core import _multiarray_umath as core

    wider = [name for name in core.__cpu_dispatch__ if name.startswith(("X86_V4", "AVX512"))]
    if not any(core.__cpu_features__.get(name) for name in wider):
        pytest.skip("this processor has no vectors of 512 bit to go without")
    asked = [
        room_with(
            size_m=(3.64, 6.014, 3.176),
            rt60_s=0.271,
            microphone_m=(2.483, 4.99, 0.916),
            sources_m=[(1.616, 5.426, 1.589), (3.273, 2.787, 1.252)],
        ),
        room_with(
            size_m=(6.131, 6.622, 3.278),
            rt60_s=0.59,
            microphone_m=(0.977, 3.251, 0.946),
            sources_m=[(1.703, 2.959, 1.544), (4.594, 4.555, 1.324)],
        ),
    ]
    done = subprocess.run(
        [sys.executable, "-c", NARROW],
        input=json.dumps([room.model_dump_json() for room in asked]),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(wider)},
    )
    for room, line in zip(asked, done.stdout.splitlines(), strict=True):
        for here, (rt60, samples) in zip(rooms.simulate(room, RATE).sources, json.loads(line), strict=True):
            assert here.rt60_s == pytest.approx(rt60, rel=1e-12)
            assert np.abs(here.samples - samples).max() <= 1e-6 * np.abs(here.samples).max()
