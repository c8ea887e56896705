"""Files at a place that fsspec has a name for: a folder, or a URL (s3://…, gs://…, memory://…)."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

from pse_bench.errors import InputError
from pse_bench.io import atomic, locks

REMEDY = "pip install 'pse-bench[shards]', and what fsspec asks for besides"


def is_url(place: str) -> bool:
    """Whether a place is not simply a folder of this machine."""
    return "://" in place and not place.startswith("file://")


def folder(place: str) -> Path:
    """A place that is a folder of this machine."""
    return Path(place.removeprefix("file://"))


def read(place: str, name: str, start: int = 0, stop: int | None = None) -> bytes:
    """The bytes of a file, or of a stretch of it. Raises InputError when it is not there."""
    system, root = _system(place)
    try:
        if stop is not None and not is_url(place):  # what lies beyond the end would be allocated before it is read
            stop = min(stop, system.size(f"{root}/{name}"))
        return system.cat_file(f"{root}/{name}", start=start, end=stop) if stop != start else b""
    except FileNotFoundError as error:
        raise InputError(f"{place}/{name}: no such file; check the place, or write the shards again") from error


def size(place: str, name: str) -> int | None:
    """The size of a file in bytes; None where there is none."""
    system, root = _system(place)
    try:
        return system.size(f"{root}/{name}")
    except FileNotFoundError:
        return None


def names(place: str) -> list[str]:
    """The files that lie at a place, sorted."""
    system, root = _system(place)
    found = system.ls(root, detail=False) if system.isdir(root) else []
    return sorted(path.rsplit("/", 1)[-1] for path in found)


def remove(place: str, name: str) -> None:
    """Remove a file."""
    system, root = _system(place)
    system.rm_file(f"{root}/{name}")


def held(place: str, purpose: str) -> AbstractContextManager[None]:
    """Hold a folder as ``locks.locked`` does; a URL cannot be held."""
    return nullcontext() if is_url(place) else locks.locked(folder(place), purpose)


@contextmanager
def writing(place: str, name: str) -> Iterator[Path]:
    """A local file to write, which comes to its place when it is whole."""
    if not is_url(place):
        with atomic.replacing(folder(place) / name, shared=True) as part:
            yield part
        return
    system, root = _system(place)
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as own:
        local = Path(own) / name
        yield local
        system.makedirs(root, exist_ok=True)
        system.put_file(str(local), f"{root}/{name}")


@lru_cache(maxsize=8)
def _system(place: str) -> tuple[Any, str]:
    """The file system of a place, and the path in it."""
    try:
        from fsspec.core import url_to_fs

        system, root = url_to_fs(place)
    except ImportError as error:
        raise InputError(f"{place}: {error}; run {REMEDY}") from error
    except ValueError as error:
        raise InputError(f"{place}: {error}; give a folder or a URL that fsspec knows") from error
    return system, root.rstrip("/")
