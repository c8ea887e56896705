"""Locks: one process at a time in a folder or at a file."""

import contextlib
import fcntl
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from pse_bench.errors import InputError


@contextlib.contextmanager
def locked(folder: Path, purpose: str) -> Iterator[None]:
    """Hold a folder for one process. Raises InputError when another one is at work in it."""
    with _opened(folder) as handle:
        if not lock(handle):
            raise InputError(f"{folder}: another process is at work here ({purpose}); wait for it or stop it")
        yield


@contextlib.contextmanager
def taking_turns(folder: Path, purpose: str) -> Iterator[None]:
    """Hold a folder of something that several commands may want at once, as the caches are: when another process
    is at work in it, say so on stderr and wait. What it was to make may be there then, so look again."""
    with _opened(folder) as handle:
        if not lock(handle):
            note = f"another process is at work here ({purpose}); waiting for what it makes"
            print(f"note: {folder}: {note}", file=sys.stderr, flush=True)
            lock(handle, waiting=True)
        yield


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """The folder itself is the lock, so nothing is left behind by a process that was killed."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def lock(handle: int, *, waiting: bool = False) -> bool:
    """Lock what is open for this process, until it is closed; whether it was free."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if waiting else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        pass  # a network file system may know no locks; files are whole all the same
    return True


def require_seen(path: Path) -> None:
    """In a worker: raise InputError where it does not see what was written for it, and so works elsewhere."""
    if not path.is_file():
        fault = f"not seen by the worker on {platform.node()}"
        raise InputError(f"{path}: {fault}; give folders that all machines share")
