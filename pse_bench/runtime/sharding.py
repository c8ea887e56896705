"""How work is split: shards of it for the jobs of an array, batches for the workers of one job.

Nothing that is made depends on the split. A shard lies in the folder ``part-I-of-N`` of its output, with its
journal and, once it is finished, its head ``part.json``, which says which stretch of the whole it is.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import Field

from pse_bench.errors import InputError
from pse_bench.io import documents

HEAD = "part.json"
SCHEMA = 1
LARGEST_BATCH = 100
AHEAD = 4  # a worker takes this part of its equal portion of the rest

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


class Shard(NamedTuple):
    """Shard ``number`` (from 1) of ``of`` equal ones, each a stretch of consecutive items."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """From "2/3". Raises InputError on anything else."""
        if shard := cls._of_text(text, "{}/{}"):
            return shard
        raise InputError(f"--shard {text}: expected I/N with I from 1 to N, for example 1/3")

    @classmethod
    def of_folder(cls, name: str) -> "Shard | None":
        """From the name of its folder, "part-2-of-3"; None for any other name."""
        return cls._of_text(name, "part-{}-of-{}")

    @classmethod
    def _of_text(cls, text: str, form: str) -> "Shard | None":
        found = re.fullmatch(form.format(*["([1-9][0-9]{0,8})"] * 2), text)
        return cls(int(found[1]), int(found[2])) if found and int(found[1]) <= int(found[2]) else None

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def folder_name(self) -> str:
        return f"part-{self.number}-of-{self.of}"

    def of_items(self, items: Sequence[T]) -> Sequence[T]:
        """The items of this shard."""
        return items[slice(*self.stretch(len(items)))]

    def stretch(self, total: int) -> tuple[int, int]:
        """First item and the one after the last."""
        return (self.number - 1) * total // self.of, self.number * total // self.of


class ShardHead(documents.Record):
    """``part.json`` of a finished shard: items ``first`` to ``stop`` of ``total``. All shards agree on
    ``identity``; ``own`` is what only this one knows."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    stage: Literal["render", "enhance", "score"]
    number: int
    of: int
    first: int
    stop: int
    total: int
    identity: dict[str, Any]
    own: dict[str, Any]

    @property
    def shard(self) -> Shard:
        return Shard(self.number, self.of)


def read_head(folder: Path) -> ShardHead:
    """The head of a finished shard. Raises InputError when it is damaged or not of a shard of that many items."""
    where = folder / HEAD
    head = documents.read_record(ShardHead, where)
    if not 1 <= head.number <= head.of or (head.first, head.stop) != head.shard.stretch(head.total):
        raise InputError(f"{where}: items {head.first} to {head.stop} are not shard {head.shard}; make it again")
    return head


def check_only_shards(out: Path, allowed: Iterable[Path] = ()) -> None:
    """Raise InputError where an output holds anything but shards, begun copies of them, and the ``allowed`` files,
    as when the shards were merged already."""
    permitted = {path.resolve() for path in allowed}
    unexpected = [
        path.name
        for path in (sorted(out.iterdir()) if out.is_dir() else ())
        if not (path.is_dir() and Shard.of_folder(path.name.removesuffix(".part")))
        and path.resolve() not in permitted
    ]
    if unexpected:
        found = ", ".join(unexpected[:3])
        raise InputError(f"{out}: holds other files ({found}); give a new folder, or one of shards")
