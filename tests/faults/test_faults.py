"""A few rows of the fault matrix, on a smaller dataset; ``make faults`` runs all of it."""

from pathlib import Path

import pytest
from faults import commands, disturb
from faults.disturb import Trial

Trials = dict[str, tuple[Trial, dict[str, bytes]]]
SCENES = 5
TRIED = [
    ("manifest", "two runs at once"),
    ("render", "killed 2"),
    ("render", "source vanishes"),
    ("enhance", "worker dies"),
    ("merge", "killed 1"),
    ("pack", "terminal closed"),
]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    """Each command with what it writes undisturbed, made when it is first asked for."""
    here = tmp_path_factory.mktemp("faults")
    (here / "inputs").mkdir()
    commands.prepare(here / "inputs", SCENES, judged=False)

    class Made(dict):
        def __missing__(self, name: str) -> tuple[Trial, dict[str, bytes]]:
            (chore,) = (chore for chore in commands.CHORES if chore.name == name)
            trial = Trial(chore, here / "inputs", here / name)
            self[name] = trial, disturb.undisturbed(trial)
            return self[name]

    return Made()


@pytest.mark.parametrize(("name", "fault"), TRIED)
def test_disturbed_and_run_again(trials: Trials, name: str, fault: str) -> None:
    trial, expected = trials[name]
    row = disturb.attempt(trial, fault, disturb.faults(trial.chore, mounting=False)[fault], expected)
    assert row.good, row
    if fault.startswith("killed"):
        assert row.exit_status == -9


class Repeated(Trial):
    """A command that writes what is given, and nothing else."""

    def run(self) -> disturb.Shown:
        (self.out / "one.csv").write_bytes(b"1")
        return disturb.Shown(0, "")


def test_a_row_is_bad_when_anything_is_wrong(tmp_path: Path) -> None:
    """The judge itself: output that differs or is missing, and a command that shows a traceback."""
    trial = Repeated(commands.Chore("repeated", lambda inputs, out: []), tmp_path, tmp_path / "trial")

    def judged(expected: dict[str, bytes], text: str = "", left: int = 0) -> disturb.Row:
        return disturb.attempt(
            trial, "x", lambda trial, _: disturb.Shown(trial.run().code, text, 0, left), expected
        )

    assert judged({"one.csv": b"1"}).good
    wrong = judged({"one.csv": b"2"})
    assert (wrong.good, wrong.files_different, wrong.files_damaged) == (False, 1, 1)
    assert judged({"one.csv": b"1", "gone": b""}).files_lost == 1
    assert judged({"one.csv": b"1"}, "Traceback (most recent call last)").tracebacks == 1
    assert not judged({"one.csv": b"1"}, left=1).good
