"""How work is split: shares of it for the jobs of an array, batches for the workers of one job.

Nothing that is made depends on the split.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from pse_bench.errors import InputError

LARGEST_BATCH = 100
AHEAD = 4
"""A worker takes this part of what would be its share of the rest."""

T = TypeVar("T")


def batches(items: Sequence[T], workers: int, least: int) -> list[Sequence[T]]:
    """Consecutive items for a worker at a time: at most a hundred, and fewer the fewer are left, down to
    ``least``, so that at the end no worker waits long for the last one (guided self-scheduling)."""
    found, first = [], 0
    while first < len(items):
        size = min(LARGEST_BATCH, max(least, (len(items) - first) // (AHEAD * workers)))
        found.append(items[first : first + size])
        first += size
    return found


@dataclass(frozen=True)
class Share:
    """Share ``number`` (from 1) of ``of`` equal ones, each a stretch of consecutive items."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "Share":
        """From "2/3". Raises InputError on anything else."""
        found = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})", text)
        if not found or int(found[1]) > int(found[2]):
            raise InputError(f"--shard {text}: expected I/N with I from 1 to N, for example 1/3")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def of_items(self, items: Sequence[T]) -> Sequence[T]:
        """The items of this share."""
        return items[slice(*self.stretch(len(items)))]

    def stretch(self, total: int) -> tuple[int, int]:
        """First item and the one after the last."""
        return (self.number - 1) * total // self.of, self.number * total // self.of
