"""Arrays that are computed once, kept in a folder, and mapped into the memory of every process that reads them.

A folder's name is a hash of everything that its arrays were made from, so it never has to be made again.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import numpy as np

from pse_bench.errors import RequestError
from pse_bench.io import atomic, documents, locks
from pse_bench.runtime.executor import Executor

Update = Callable[[int, int], None]
"""Told how many items are done, and of how many."""


class About(documents.Record):
    """The description of a folder; it is written last, so a folder that has one is complete."""

    fingerprint: str


A = TypeVar("A", bound=About)


@dataclass(frozen=True)
class PreparedFolder(Generic[A]):
    """A folder of arrays with their description. Picklable: a worker process maps the arrays for itself."""

    folder: Path

    NAME: ClassVar[str]
    DESCRIPTION: ClassVar[str]
    ABOUT: ClassVar[type[About]]

    @classmethod
    def prepare(cls, cache: Path, made_of: object, write: Callable[[Path], dict[str, Any]]) -> Self:
        """The folder of some inputs, from the cache where it is there already.

        Args:
            cache: where prepared folders lie.
            made_of: everything that the arrays depend on, as JSON takes it.
            write: writes the arrays into the folder; gives the description's other keys.
        """
        fingerprint = atomic.sha256_of_text(json.dumps(made_of))
        folder = cache / f"{cls.NAME}-{fingerprint[:16]}"
        with locks.taking_turns(folder, f"preparing {cls.NAME}"):
            if not (folder / cls.DESCRIPTION).is_file():
                atomic.write_json(folder / cls.DESCRIPTION, {"fingerprint": fingerprint, **write(folder)})
        return cls(folder)

    @cached_property
    def about(self) -> A:
        """The description. Raises InputError when it is damaged."""
        return cast(A, documents.cached(self.ABOUT, self.folder / self.DESCRIPTION))

    @property
    def fingerprint(self) -> str:
        """A hash of everything that the arrays were made from."""
        return self.about.fingerprint

    def array(self, name: str) -> np.ndarray:
        """An array of the folder, mapped into memory."""
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")

    def __getstate__(self) -> dict[str, Path]:
        return {"folder": self.folder}  # not the arrays: pickled, a map would become a copy


def new_array(path: Path, dtype: type, shape: tuple[int, ...]) -> np.memmap:
    """An array to be filled in a file, mapped into memory."""
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def results(
    executor: Executor,
    function: Callable[[Any], Any],
    items: Sequence[Any],
    label: Callable[[Any], str],
    progress: Update | None,
) -> Iterator[tuple[int, Any]]:
    """The index and the value of each item, in the order of completion.

    Raises:
        RequestError: a worker died; ``label`` says over what.
    """
    for done, outcome in enumerate(executor.run(function, items), 1):
        if outcome.lost:
            raise RequestError(f"{label(items[outcome.index])}: {outcome.lost}")
        yield outcome.index, outcome.value
        if progress:
            progress(done, len(items))
