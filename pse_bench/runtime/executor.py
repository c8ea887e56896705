"""Executors: where work runs. Functions get one as an argument and never choose one themselves.

Results come back in the order of completion with the index of their item, so nothing about a result may depend on
when it came.
"""

import contextlib
import ctypes
import multiprocessing
import os
import platform
import struct
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import resource_tracker
from typing import Any, Protocol

from pse_bench.runtime import interrupts

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
"""The number of that call of the Linux kernel, for which Python has no function."""
KEEP_POLICY = 8
LONGEST_SLICE_NS = 100_000_000
LARGEST_ON_HEAP = 32 << 20  # bytes of the largest block that glibc can be told to take from there


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
        return (Outcome(index, function(item)) for index, item in enumerate(items))


class Processes:
    """A pool of worker processes with one thread each.

    A worker that dies (a crash in native code, a kill) costs only the items that were being worked on: each
    of those is tried once more alone, and reported as lost if it takes its process down again.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def run(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        todo, suspects = deque(range(len(items))), list[int]()
        while todo:
            suspects += yield from _pool(function, items, todo, self.jobs)
        for index in suspects:
            if (yield from _pool(function, items, deque([index]), 1)):
                yield Outcome(index, lost="its worker process died twice (a crash in native code or a kill)")


def _pool(
    function: Callable[[Any], Any], items: Sequence[Any], todo: deque[int], jobs: int
) -> Generator[Outcome, None, list[int]]:
    """Work through ``todo``, which is emptied, until done or broken; return the items that were in flight then."""
    running: dict[Future, int] = {}
    # spawn: a fork would copy locks of threads that do not exist in the child
    context = multiprocessing.get_context("spawn")
    with interrupts.deferred():
        # It keeps this mask, and so outlives a terminal as it outlives Ctrl-C: it tidies up after all others.
        resource_tracker.ensure_running()
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=interrupts.worker_signals)
    try:
        while True:
            while todo and len(running) < 2 * jobs:
                with _starting():
                    running[pool.submit(function, items[todo[0]])] = todo[0]
                todo.popleft()
            if not running:
                return []
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                value = future.result()
                yield Outcome(running.pop(future), value)
    except BrokenProcessPool:
        return sorted(running.values())
    except (KeyboardInterrupt, GeneratorExit):
        for worker in list((pool._processes or {}).values()):
            worker.terminate()  # nobody waits for what it was doing
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _starting() -> Iterator[None]:
    """Set what workers inherit that are started now: one thread each (libraries read these variables when they
    load), and no signal until ``interrupts.worker_signals`` says what it does."""
    before = {name: os.environ.pop(name, None) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        with interrupts.deferred():
            yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Hold the calling thread, and the threads that it starts, to the core that it is on, where the system can.

    Libraries that size their pools of threads by the cores that they may use, whatever the variables above say,
    find one. It is left afterwards, so that two processes that began on the same core do not stay there.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    core = min(before)
    with contextlib.suppress(OSError, AttributeError):
        core = ctypes.CDLL(None).sched_getcpu()
    os.sched_setaffinity(0, {core} & before or {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def long_slices() -> Iterator[None]:
    """Let the calling thread keep its core for up to 0.1 s at a stretch where others want it, too; Linux does so
    since 6.12, elsewhere nothing changes.

    By default it takes turns every few ms, and after each turn of another finds its caches cold: the processor
    time of a network that is run hop by hop grows by a quarter.
    """
    _ask_for_slices(LONGEST_SLICE_NS)
    try:
        yield
    finally:
        _ask_for_slices(0)


def _ask_for_slices(length_ns: int) -> None:
    """Set the slice of the calling thread; 0 is the default of the system."""
    if platform.system() == "Linux" and (number := SCHED_SETATTR.get(platform.machine())):
        size, policy, priority, nice = 48, 0, 0, os.getpriority(os.PRIO_PROCESS, 0)
        attributes = struct.pack("=IIQiIQQQ", size, policy, KEEP_POLICY, nice, priority, length_ns, 0, 0)
        ctypes.CDLL(None).syscall(number, 0, attributes, 0)  # what an older system makes of it does not matter


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Let this process keep up to 64 MB of what it frees, for its next arrays.

    Signals of seconds are megabytes. By default glibc hands each back to the system as soon as it is freed, and
    the next one comes page by page, zeroed: a sixth of the time that a scene takes. Its variables of the
    environment are read when a process starts, too early for work in the command's own; hence a call.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - only glibc has it, and these numbers mean something else elsewhere
        library.mallopt(M_MMAP_THRESHOLD, LARGEST_ON_HEAP)
        library.mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_ON_HEAP)
