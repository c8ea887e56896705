"""Work in other processes: a death costs one item, and the order of completion shows nowhere."""

import os
import signal
import threading
from pathlib import Path

import chores
import pytest

from pse_bench.errors import InputError
from pse_bench.runtime import interrupts
from pse_bench.runtime.executor import (
    LONGEST_SLICE_NS,
    THREAD_VARIABLES,
    Outcome,
    Processes,
    Serial,
    long_slices,
)


def outcomes(executor, function, items):
    """What became of each item, in the order of the items; each is reported exactly once."""
    done = list(executor.run(function, items))
    assert sorted(outcome.index for outcome in done) == list(range(len(items)))
    return sorted(done, key=lambda outcome: outcome.index)


def test_one_after_the_other_is_in_order_and_in_this_process():
    done = list(Serial().run(chores.square, [3, 1, 2]))
    assert done == [Outcome(0, 9), Outcome(1, 1), Outcome(2, 4)]
    assert [outcome.value for outcome in Serial().run(chores.process, [0])] == [os.getpid()]
    assert list(Serial().run(chores.square, [])) == []


def test_one_after_the_other_is_lazy():
    """A result is there to be stored before the next item is begun."""
    begun = []
    run = Serial().run(lambda item: begun.append(item) or item, [1, 2, 3])
    next(run)
    assert begun == [1]


def test_several_processes_give_what_one_gives():
    items = list(range(25))
    assert outcomes(Processes(2), chores.square, items) == outcomes(Serial(), chores.square, items)


def test_work_is_done_elsewhere_with_one_thread_and_leaves_the_environment_alone(monkeypatch):
    monkeypatch.setenv(THREAD_VARIABLES[0], "5")
    monkeypatch.delenv(THREAD_VARIABLES[1], raising=False)
    before = dict(os.environ)
    (outcome,) = outcomes(Processes(1), chores.environment, [0])
    assert outcome.value == dict.fromkeys(THREAD_VARIABLES, "1")
    assert dict(os.environ) == before


def test_no_work_is_no_trouble():
    assert list(Processes(2).run(chores.square, [])) == []


@pytest.mark.parametrize("deadly", [chores.exits, chores.segfaults])
def test_a_death_costs_its_own_item_only(deadly):
    done = outcomes(Processes(2), deadly, list(range(7)))
    assert [outcome.value for outcome in done] == [0, 1, 2, None, 4, 5, 6]
    assert [bool(outcome.lost) for outcome in done] == [number == 3 for number in range(7)]
    assert "died twice" in done[3].lost


def test_a_death_by_bad_luck_costs_nothing(tmp_path):
    items = ["", str(tmp_path / "been here"), ""]
    done = outcomes(Processes(1), chores.dies_once, items)
    assert done == [Outcome(index, item) for index, item in enumerate(items)]


def test_a_refusal_passes_through_with_its_message():
    for executor in (Serial(), Processes(2)):
        with pytest.raises(InputError, match="clip 2: damaged"):
            list(executor.run(chores.refuse, list(range(5))))


def test_walking_away_ends_the_workers():
    """Results that nobody takes any more do not keep the processes alive."""
    run = Processes(1).run(chores.process, list(range(50)))
    worker = next(run).value
    run.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_signal_that_is_put_off_is_heeded_even_when_the_work_fails():
    """As a pool's does, whose workers the same signal has ended."""

    def fail():
        with interrupts.deferred():
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)  # and no other thread takes it
            raise BrokenPipeError

    with pytest.raises(KeyboardInterrupt):
        fail()


def test_a_signal_that_another_thread_took_late_leaves_nothing_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It raises while handlers are put back; the processes that are started later would inherit the mask."""
    handlers = [signal.getsignal(number) for number in interrupts.SIGNALS]
    mask, put_back, late = signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.signal, [KeyboardInterrupt]

    def raising(number: int, handler: object) -> object:
        before = put_back(number, handler)
        if number == signal.SIGINT and handler is handlers[0] and late:
            raise late.pop()
        return before

    monkeypatch.setattr(signal, "signal", raising)
    with pytest.raises(KeyboardInterrupt), interrupts.deferred():
        pass
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
    assert [signal.getsignal(number) for number in interrupts.SIGNALS] == handlers


def test_a_thread_may_keep_its_core_for_longer() -> None:
    before = os.sched_getparam(0) if hasattr(os, "sched_getparam") else None
    with long_slices():
        asked = _slice_ns()
    assert asked in (None, LONGEST_SLICE_NS)
    assert _slice_ns() != LONGEST_SLICE_NS
    assert before is None or os.sched_getparam(0) == before


def _slice_ns() -> int | None:
    """What the kernel says of this thread, None where it knows no slices of ordinary scheduling."""
    status = Path("/proc/self/sched")
    line = (
        [line for line in status.read_text().splitlines() if line.startswith("se.slice")]
        if status.exists()
        else []
    )
    return int(line[0].split()[-1]) if line else None
