"""pse-bench plan and generate: who is left out, and what is refused."""

from pathlib import Path

import builders
import pytest
import yaml
from work import call

from pse_bench.io.tables import write_table
from pse_bench.schemas import NoiseClip, Utterance


@pytest.fixture
def one_target(tmp_path: Path) -> tuple[object, ...]:
    """What plan and generate take, of a corpus in which one speaker of five can be a target."""
    others = [builders.utterance(f"p{who}", number, seconds=4.9) for who in range(4) for number in range(2)]
    write_table(tmp_path / "speech.csv", Utterance, [*builders.speech(1), *others])
    write_table(tmp_path / "noise.csv", NoiseClip, builders.noises())
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(builders.content(duration_s=6.0)))
    given = ("--speech", tmp_path / "speech.csv", "--noise", tmp_path / "noise.csv", "-n", 2, "--seed", 1)
    return (tmp_path / "mine.yaml", *given)


LEFT_OUT = (
    "4 of 5 speakers are never targets: too little other speech for the enrollment, less than 10 s "
    "(books/p0 4.9 s, books/p1 4.9 s, books/p2 4.9 s, 1 more); enrollment.shortest_s: 4.9 would admit books/p0"
)


@pytest.mark.parametrize("command", ["plan", "generate"])
def test_one_target_is_refused_with_who_is_left_out_and_why(
    one_target: tuple[object, ...], tmp_path: Path, command: str
) -> None:
    done = call(command, *one_target, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert done.stderr == (
        "Error: scenario test: 1 of 5 speakers can be a target where --min-targets is 2: "
        f"{LEFT_OUT}; or give more speech\n"
    )
    assert not (tmp_path / "out").exists()


def test_one_target_is_planned_where_that_is_asked_for(one_target: tuple[object, ...], tmp_path: Path) -> None:
    done = call("plan", *one_target, "--min-targets", 1, "-o", tmp_path / "plan.jsonl")
    assert done.exit_code == 0
    assert f"note: {LEFT_OUT}\n" in done.stderr


def test_what_is_said_to_admit_more_does(one_target: tuple[object, ...], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump(builders.content(duration_s=6.0, enrollment={"shortest_s": 4.9}))
    )
    done = call("plan", *one_target, "--min-targets", 5, "-o", tmp_path / "plan.jsonl")
    assert done.exit_code == 0
    assert "never" not in done.stderr
