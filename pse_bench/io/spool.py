"""Sound that comes in blocks and is read more than once, whatever its length."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

IN_MEMORY = 16 << 20  # bytes; what is more lies in a file
BLOCK = 1 << 16  # samples that are read at a time


class Spool:
    """Samples as they come, kept as float64: iteration gives blocks of them, from the first on every time.

    Many of them lie in a file of ``folder`` that has no name, so that nothing is left of it in the end.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder))  # noqa: SIM115, it is closed by close
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Forget the samples."""
        self._file.close()

    def add(self, block: np.ndarray) -> None:
        """Keep a block, shape (num_samples,), behind those before."""
        self._file.seek(8 * self._size)
        self._file.write(block.astype(np.float64).tobytes())
        self._size += len(block)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[np.ndarray]:
        for begin in range(0, self._size, BLOCK):
            yield self._read(begin, BLOCK)

    def first(self, num_samples: int) -> np.ndarray:
        """The first so many samples, or all where there are fewer."""
        return self._read(0, num_samples)

    def _read(self, begin: int, num_samples: int) -> np.ndarray:
        self._file.seek(8 * begin)
        return np.frombuffer(self._file.read(8 * num_samples), dtype=np.float64)
