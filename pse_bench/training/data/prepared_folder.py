"""Arrays that are computed once, kept in a folder, and mapped into the memory of every process that reads them.

A folder's name is a hash of everything that its arrays were made from, so it never has to be made again.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.lib.format import open_memmap
from pydantic import PrivateAttr

from pse_bench.corpora.roots import Roots
from pse_bench.errors import RequestError
from pse_bench.io import atomic, documents, locks
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update

Progress = Callable[[str, str], AbstractContextManager[Update]]
"""Makes a progress display from what is done and its unit."""


@dataclass(frozen=True)
class Preparation:
    """With what folders are prepared."""

    cache: Path  # where prepared folders lie
    bank: Path  # where simulated rooms are kept
    roots: Roots  # of the corpora
    executor: Executor  # decodes, simulates and embeds
    progress: Progress

    def results(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        what: str,
        unit: str,
        label: Callable[[Any], str],
        *,
        resume: Path | None = None,
    ) -> Iterator[tuple[int, Any]]:
        """The index and the value of each item, in the order of completion. In a folder of arrays to ``resume``
        (``resumable_array``), an item whose value was taken before an interruption is not computed again. Raises
        RequestError when one is lost; ``label`` says over what."""
        count = len(items)
        done = np.zeros(count, dtype=bool) if resume is None else resumable_array(resume, "done", bool, (count,))
        left = [int(index) for index in np.flatnonzero(~done)]
        with self.progress(what, unit) as update:
            outcomes = self.executor.run(function, [items[index] for index in left])
            for number, outcome in enumerate(outcomes, count - len(left) + 1):
                index = left[outcome.index]
                if outcome.lost:
                    raise RequestError(f"{label(items[index])}: {outcome.lost}")
                yield index, outcome.value
                done[index] = True  # the caller has put the value where it belongs
                update(number, count)


class PreparedFolder(documents.Record):
    """A folder of arrays and the document that describes them, which is written last, so a folder that has one is
    complete. Pickled, it is its path: a worker process maps the arrays for itself."""

    NAME: ClassVar[str]
    DESCRIPTION: ClassVar[str]

    fingerprint: str  # a hash of everything that the arrays were made from
    _folder: Path = PrivateAttr()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The folder at a path. Raises InputError when its description is damaged."""
        found = documents.cached(cls, folder / cls.DESCRIPTION)
        found._folder = folder
        return found

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
        return cls.open(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).open, (self._folder,)


def resumable_array(folder: Path, name: str, dtype: Any, shape: tuple[int, ...]) -> np.memmap:
    """An array in a folder that is being prepared, mapped to be written: what a run left, or zeros."""
    path = folder / f"{name}.npy"
    with suppress(OSError, ValueError):  # not there, or cut off while it was made
        found = np.load(path, mmap_mode="r+")
        if found.dtype == dtype and found.shape == shape:
            return found
    return open_memmap(path, "w+", dtype, shape)


def stored_array(name: str) -> cached_property[np.ndarray]:
    """The attribute of a ``PreparedFolder`` that is an array of its folder, mapped into memory."""
    return cached_property(lambda folder: np.load(folder._folder / f"{name}.npy", mmap_mode="r"))
