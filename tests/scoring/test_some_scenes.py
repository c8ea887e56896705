"""The first scenes of a dataset: enhanced, checked, scored, shown as what they are, and continued."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from work import call, contents

from pse_bench.dataset.dataset import Dataset
from pse_bench.scoring import results
from pse_bench.scoring.results import Result

SYSTEM = """\
from pathlib import Path

def enhance(mixture, enrollment, sample_rate):
    with Path("calls").open("a") as calls:
        calls.write("x")
    return 0.5 * mixture + 0.01 * enrollment[0]
"""


@pytest.fixture
def system(module: Callable[[str], str]) -> str:
    return f"{module(SYSTEM)}:enhance"


def enhanced(dataset: Dataset, system: str, *more: object, out: str = "out") -> str:
    done = call("enhance", dataset.folder, "--system", system, "-o", out, *more)
    assert done.exit_code == 0, done.output
    return done.stdout


def scored(dataset: Dataset, *more: object, submission: str = "out", out: str = "result") -> str:
    words = ["--metrics", "tsos,leakage_reduction_db", "--jobs", 1, *more]
    done = call("score", dataset.folder, submission, "-o", out, *words)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("which", ["right", "wrong"])
def test_more_scenes_continue_and_end_as_one_run_does(dataset: Dataset, system: str, which: str) -> None:
    """Also with wrong enrollments, which are chosen among everybody in the dataset."""
    assert "3 mixtures enhanced" in enhanced(dataset, system, "--scenes", 1, "--enrollment", which)
    assert {path.name for path in Path("out").glob("TS*/*")} == {"s000000.flac"}
    assert "scenes: 1\n" in Path("out/system.yaml").read_text()
    said = enhanced(dataset, system, "--scenes", 3, "--enrollment", which)
    assert "6 mixtures enhanced by" in said
    assert "the first 3 of 4 scenes" in said
    assert "3 mixtures enhanced" in enhanced(dataset, system, "--enrollment", which)
    # each mixture once, and those of the first scene again with another person's enrollment
    assert len(Path("calls").read_text()) == 12 + 3
    enhanced(dataset, system, "--enrollment", which, out="straight")
    assert contents(Path("out")) == contents(Path("straight"))


def test_fewer_than_are_there_takes_nothing_away(dataset: Dataset, system: str) -> None:
    enhanced(dataset, system, "--scenes", 2)
    before = contents(Path("out"))
    done = call("enhance", dataset.folder, "--system", system, "-o", "out", "--scenes", 1)
    assert done.exit_code == 1
    assert "out: 3 more than the 3 asked for are there already; ask for as many, or start again" in done.stderr
    assert contents(Path("out")) == before
    enhanced(dataset, system, "--scenes", 1, "--force")
    assert len(list(Path("out").glob("TS*/*"))) == 3


def test_a_part_is_checked_and_scored_as_what_it_is(dataset: Dataset, system: str) -> None:
    enhanced(dataset, system, "--scenes", 2)
    done = call("check", dataset.folder, "out", "--jobs", 1, "--json")
    found = json.loads(done.stdout)
    assert (found["acceptable"], found["expected"], found["present"]) == (True, 6, 6)
    assert not {"unfinished", "extra-file", "missing-file"} & {one["code"] for one in found["findings"]}
    assert "first 2 of 4 scenes of the dataset only" in scored(dataset)
    about = json.loads(Path("result/result.json").read_text())
    assert about["scenes"] == {"first": 2, "of": 4}
    assert about["complete"]
    assert Result.open("result").part == "first 2 of 4 scenes"
    assert results.verify(Path("result")).problems == []
    assert {row.expected for row in Result.open("result").summaries} == {2}


def test_a_part_of_a_whole_submission_then_all_of_it(dataset: Dataset, submitted: Callable, system: str) -> None:
    whole = str(submitted("mixture"))
    scored(dataset, "--scenes", 3, submission=whole)
    assert Result.open("result").about["mixtures"] == 9
    done = call("table", "result")
    assert "first 3 of 4 scenes of the dataset only" in done.stdout
    assert "first 3 of 4 scenes only" in _report(Path("result"))
    assert "dataset only" not in scored(dataset, submission=whole)
    scored(dataset, submission=whole, out="straight")
    assert contents(Path("result")) == contents(Path("straight"))
    scored(dataset, "--scenes", 400, submission=whole, out="all")
    assert contents(Path("all")) == contents(Path("straight"))


def _report(result: Path) -> str:
    done = call("report", result, "-o", "report.html")
    assert done.exit_code == 0, done.output
    return Path("report.html").read_text()


def test_shards_of_a_part(dataset: Dataset, system: str) -> None:
    for number in (1, 2):
        enhanced(dataset, system, "--scenes", 2, "--shard", f"{number}/2")
    assert call("merge", "out").exit_code == 0
    assert "scenes: 2\n" in Path("out/system.yaml").read_text()
    for number in (1, 2):
        scored(dataset, "--shard", f"{number}/2")
    assert call("merge", "result").exit_code == 0
    scored(dataset, out="straight")
    left = contents(Path("straight"))
    del left["score.journal"]
    assert contents(Path("result")) == left


def test_a_part_enters_no_board_and_stands_beside_no_whole(
    dataset: Dataset, submitted: Callable, system: str, tmp_path: Path
) -> None:
    enhanced(dataset, system, "--scenes", 1)
    scored(dataset)
    done = call("leaderboard", "add", tmp_path / "tiny-v1.csv", "result")
    assert done.exit_code == 1
    assert "result: first 1 of 4 scenes only; enhance and score all of them" in done.stderr
    assert not (tmp_path / "tiny-v1.csv").exists()
    scored(dataset, submission=str(submitted("mixture")), out="whole")
    for command in ("table", "compare"):
        done = call(command, "whole", "result")
        assert done.exit_code == 1
        assert "result: first 1 of 4 scenes, but whole has all scenes; score both with the same" in done.stderr


def test_more_scenes_than_were_enhanced_are_not_scored(dataset: Dataset, system: str) -> None:
    enhanced(dataset, system, "--scenes", 2)
    done = call("score", dataset.folder, "out", "-o", "result", "--scenes", 3)
    assert done.exit_code == 1
    assert "out: holds the first 2 scenes, as its system.yaml says; run enhance again" in done.stderr
    assert not Path("result").exists()


@pytest.mark.parametrize("command", ["enhance", "score", "detect"])
def test_no_scenes_are_no_part(dataset: Dataset, command: str) -> None:
    given = ["out"] if command == "score" else ["--system", "mixture"]
    done = call(command, dataset.folder, *given, "-o", "x", "--scenes", 0)
    assert done.exit_code == 2
    assert "Invalid value for '--scenes'" in done.stderr


def test_detection_of_the_first_scenes(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "activity"
    assert call("detect", dataset.folder, "--system", "energy", "-o", out, "--scenes", 2).exit_code == 0
    assert len(list(out.glob("activity/TS*/*.csv"))) == 6
    assert call("check", dataset.folder, out, "--jobs", 1).exit_code == 0
    done = call("score", dataset.folder, out, "-o", tmp_path / "r", "--jobs", 1)
    assert "first 2 of 4 scenes" in done.stdout
