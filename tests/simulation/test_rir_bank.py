"""The room bank as a whole: built once by any number of processes, and how often its rooms are used."""

import csv
import io
import json

from pse_bench.planning import plan
from pse_bench.runtime.executor import Processes, Serial
from pse_bench.simulation import room

SHARED = {"rooms": 3, "places": 2}


def quiet(done, total):
    pass


def test_rooms_are_built_once_in_parallel(corpus, tmp_path, monkeypatch):
    recipes = corpus.recipes(6, room=SHARED)
    room.build(recipes, tmp_path / "parallel", Processes(2), quiet)
    room.build(recipes, tmp_path / "serial", Serial(), quiet)
    names = {room.cache_key(recipe.room, recipe.sample_rate) for recipe in recipes}
    for folder in ("parallel", "serial"):
        assert {path.name for path in (tmp_path / folder).iterdir()} == names
    for name in names:
        one, other = (room.np.load(tmp_path / folder / name) for folder in ("parallel", "serial"))
        assert one["samples"].tobytes() == other["samples"].tobytes()
        assert one["about"].tobytes() == other["about"].tobytes()
    monkeypatch.setattr(room, "simulate", lambda *given: 1 / 0)
    room.build(recipes, tmp_path / "serial", Serial(), quiet)


def test_usage_counts_scenes_people_and_places_over_plans(corpus, tmp_path):
    one = corpus.plan(tmp_path / "one.jsonl", count=5, room=SHARED)
    other = corpus.plan(tmp_path / "other.jsonl", count=7, room=SHARED)  # begins with the same rooms
    found = room.usage([one, other], tmp_path / "bank")
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
    assert room.usage([path], tmp_path) == []


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
