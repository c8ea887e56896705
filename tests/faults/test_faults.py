"""A few rows of the fault matrix, on a smaller dataset; ``make faults`` runs all of it."""

from pathlib import Path

import pytest
from faults import chores, disturb
from faults.disturb import Trial

Trials = dict[str, tuple[Trial, dict[str, bytes]]]
SCENES = 5
TRIED = [
    ("manifest", "two runs at once"),
    ("render", "killed 2"),
    ("render", "source vanishes"),
    ("enhance", "worker dies"),
    ("enhance", "terminal closed"),
    ("merge", "killed 1"),
    ("pack", "stopped by SIGTERM"),
    ("pack", "clock goes backwards"),
]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    """Each command with what it writes undisturbed, made when it is first asked for."""
    here = tmp_path_factory.mktemp("faults")
    (here / "inputs").mkdir()
    chores.prepare(here / "inputs", SCENES)

    class Made(dict):
        def __missing__(self, name: str) -> tuple[Trial, dict[str, bytes]]:
            (chore,) = (chore for chore in chores.CHORES if chore.name == name)
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


def test_a_row_is_bad_when_anything_is_wrong(
    trials: dict[str, tuple[Trial, dict[str, bytes]]], tmp_path: Path
) -> None:
    """The judge itself: output that differs, that is missing, and a command that shows a traceback."""
    trial, expected = trials["pack"]

    def shows(text: str) -> disturb.Fault:
        return lambda trial, name: disturb.Shown(trial.run().code, text)

    good = disturb.attempt(trial, "left alone", shows(""), expected)
    assert good.good
    wrong = dict(expected)
    wrong[sorted(wrong)[0]] += b" "
    assert disturb.attempt(trial, "left alone", shows(""), wrong).files_different == 1
    assert disturb.attempt(trial, "left alone", shows(""), wrong).files_damaged == 1
    assert disturb.attempt(trial, "left alone", shows(""), {**expected, "gone": b""}).files_lost == 1
    assert disturb.attempt(trial, "left alone", shows("Traceback (most recent call"), expected).tracebacks == 1
