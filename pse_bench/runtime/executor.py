"""Executors: where work runs. Functions get one as an argument and never choose one themselves.

Results come back in the order of completion with the index of their item, so nothing about a result may
depend on when it came. Executors: ``Serial`` here and now, ``Processes`` on this machine.
"""

import multiprocessing
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Any, Protocol

from pse_bench.runtime import interrupts

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """The outcome of one item: its value, or why its worker process died."""

    index: int
    value: Any = None
    lost: str = ""


class Executor(Protocol):
    """Runs a function over items."""

    jobs: int

    def run(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        """Yield an outcome an item as they complete. Exceptions of ``function`` pass through."""


class Serial:
    """One item after the other in this process."""

    jobs = 1

    def run(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        for index, item in enumerate(items):
            yield Outcome(index, function(item))


class Processes:
    """A pool of worker processes with one thread each.

    A worker that dies (a crash in native code, a kill) costs only the items that were being worked on: each
    of those is tried once more alone, and reported as lost if it takes its process down again.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def run(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        todo = list(range(len(items)))
        suspects: list[int] = []
        while todo:
            done, in_flight = yield from self._pool(function, items, todo, self.jobs)
            todo = [index for index in todo if index not in done and index not in in_flight]
            suspects += in_flight
        for index in suspects:
            _, crashed = yield from self._pool(function, items, [index], 1)
            if crashed:
                yield Outcome(index, lost="its worker process died twice (a crash in native code or a kill)")

    def _pool(
        self, function: Callable[[Any], Any], items: Sequence[Any], indices: list[int], jobs: int
    ) -> Generator[Outcome, None, tuple[set[int], list[int]]]:
        """Work through ``indices`` until done or broken; return the finished and the suspect ones."""
        done: set[int] = set()
        queue = iter(indices)
        running: dict[Future, int] = {}
        # spawn: a fork would copy locks of threads that do not exist in the child
        context = multiprocessing.get_context("spawn")
        with interrupts.deferred():
            # It keeps this mask, and so outlives a terminal as it outlives Ctrl-C: it tidies up after all others.
            resource_tracker.ensure_running()
        pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=interrupts.worker_signals)
        try:
            exhausted = False
            while True:
                while not exhausted and len(running) < 2 * jobs:
                    index = next(queue, None)
                    if index is None:
                        exhausted = True
                        break
                    with _starting():
                        running[pool.submit(function, items[index])] = index
                if not running:
                    return done, []
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    value = future.result()
                    index = running.pop(future)
                    done.add(index)
                    yield Outcome(index, value)
        except BrokenProcessPool:
            return done, sorted(running.values())
        except (KeyboardInterrupt, GeneratorExit):
            for worker in list((pool._processes or {}).values()):
                worker.terminate()  # nobody waits for what it was doing
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _starting() -> Iterator[None]:
    """Set what workers inherit that are started now: one thread each (libraries read these variables when they
    load), and no signal until ``interrupts.worker_signals`` says what it does."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        with interrupts.deferred():
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
