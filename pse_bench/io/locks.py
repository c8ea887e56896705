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
    with _held(folder) as free:
        if not free:
            raise InputError(
                f"{folder}: another process is at work here ({purpose}); wait for it or stop it"
            ) from None
        yield


@contextlib.contextmanager
def taking_turns(folder: Path, purpose: str) -> Iterator[None]:
    """Hold a folder of something that several commands may want at once, as the caches are: when another process
    is at work in it, say so on stderr and wait. What it was to make may be there then, so look again."""
    with _held(folder) as free:
        if free:
            yield
            return
    print(
        f"note: {folder}: another process is at work here ({purpose}); waiting for what it makes",
        file=sys.stderr,
        flush=True,
    )
    with _held(folder, waiting=True):
        yield


@contextlib.contextmanager
def _held(folder: Path, *, waiting: bool = False) -> Iterator[bool]:
    """Hold a folder, and tell whether it could be held."""
    folder.mkdir(parents=True, exist_ok=True)
    # The folder itself is the lock, so nothing is left behind by a process that was killed.
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield lock(handle, waiting=waiting)
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
    """In a worker: refuse to go on where it does not see what was written for it, and so works elsewhere.

    Raises:
        InputError: the file is not there.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: not seen by the worker on {platform.node()}; give folders that all machines share"
        )
