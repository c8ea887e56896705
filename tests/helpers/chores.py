"""Work for other processes to do, fail at, or die of. Imports little, since every worker process does too."""

import ctypes
import os
import signal
import time


def square(number: int) -> int:
    """A result that depends on the item alone; odd numbers take longer."""
    time.sleep(0.01 * (number % 2))
    return number * number


def environment(_: object) -> dict[str, str | None]:
    """What decides the number of threads of a worker's libraries."""
    from pse_bench.runtime.executor import THREAD_VARIABLES

    return {name: os.environ.get(name) for name in THREAD_VARIABLES}


def refuse(number: int) -> int:
    """Raise what the command line turns into one line."""
    from pse_bench.errors import InputError

    if number == 2:
        raise InputError("clip 2: damaged; restore it")
    return number


def exits(number: int) -> int:
    """End the process without a word on item 3."""
    if number == 3:
        os._exit(7)
    return number


def segfaults(number: int) -> int:
    """Read address 0 on item 3, as a fault in native code does."""
    if number == 3:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        ctypes.string_at(0)
    return number


def dies_once(path: str) -> str:
    """End the process the first time, as when somebody's memory runs out, and not the second."""
    if path and not os.path.exists(path):
        open(path, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return path


def dies_writing_once(path: str) -> None:
    """Write a file; the first time, end the process half-way, as a worker does that is killed."""
    from pathlib import Path

    from pse_bench.io import atomic

    with atomic.replacing(Path(path), shared=True) as part:
        part.write_bytes(b"half")
        dies_once(f"{path}.tried")
        part.write_bytes(b"whole")


def process(_: object) -> int:
    """Which process does the work."""
    return os.getpid()
