"""Shares of one work on disk: made side by side in folders of their own, then merged.

A share lies in ``part-I-of-N`` inside the output, with its journal and, once it is finished, ``part.json``, which
says which stretch of the whole it is. Merging reads those, refuses gaps and overlaps, and moves the files to where
one run would have put them.
"""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, locks
from pse_bench.runtime import journal
from pse_bench.runtime.sharding import Share

HEAD = "part.json"
SCHEMA = 1
MERGED = ("dataset.json", "system.yaml", "result.json")
"""What a merge writes last."""
OWN = {HEAD, "plan.jsonl", "mixtures.csv", *(f"{stage}.journal" for stage in ("render", "enhance", "score"))}
"""Files of a share that merging does not move."""

R = TypeVar("R", bound=documents.Record)


class Head(documents.Record):
    """``part.json`` of a finished share: items ``first`` to ``stop`` of ``total``. All shares agree on
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


@dataclass(frozen=True)
class Part:
    """A finished share: its folder, head and journal entries."""

    folder: Path
    head: Head
    entries: list[journal.Entry]


def begin(out: Path, share: Share, allowed: Iterable[Path] = ()) -> Path:
    """The folder of a share, in an output that holds nothing but shares and the ``allowed`` files.

    Raises:
        InputError: it holds something else, as when the shares were merged already.
    """
    permitted = {path.resolve() for path in allowed}
    there = sorted(out.iterdir()) if out.is_dir() else []
    strangers = [path.name for path in there if not _share_of(path) and path.resolve() not in permitted]
    if strangers:
        raise InputError(
            f"{out}: holds other files ({', '.join(strangers[:3])}); give a new folder, or one of shares"
        )
    folder = out / f"part-{share.number}-of-{share.of}"
    (folder / HEAD).unlink(missing_ok=True)  # finished only when this run says so
    return folder


def finish(
    folder: Path, stage: str, share: Share, total: int, *, identity: dict[str, Any], own: dict[str, Any]
) -> None:
    """Say that a share is done."""
    first, stop = share.stretch(total)
    head = {"schema": SCHEMA, "stage": stage, "number": share.number, "of": share.of}
    head |= {"first": first, "stop": stop, "total": total, "identity": identity, "own": own}
    atomic.write_json(folder / HEAD, head)


def removed_rest(out: Path) -> bool:
    """Whether shares were merged here and only their removal was interrupted, which is done now then. What is left
    of them holds nothing but what they said of themselves."""
    merged = any((out / name).is_file() for name in MERGED)
    if not merged:
        return False
    with locks.locked(out, "merge"):
        return _removed_rest(out)


def _removed_rest(out: Path) -> bool:
    left = [path for path in out.iterdir() if _share_of(path)]
    whole = left and all((path / HEAD).is_file() for path in left) and len(left) == _share_of(left[0]).of
    kept = [path for folder in left for path in folder.rglob("*") if path.is_file()]
    if not left or whole or not {path.name for path in kept} <= OWN:
        return False
    for folder in left:
        shutil.rmtree(folder)
    return True


def gather(out: Path) -> list[Part]:
    """The shares in an output folder, in order.

    Raises:
        InputError: there are none; one is missing, unfinished or there twice; or they are of different work.
    """
    found = {share: path for path in sorted(out.iterdir()) if (share := _share_of(path))} if out.is_dir() else {}
    if not found:
        raise InputError(f"{out}: no shares here (part-1-of-N, …); give the folder that --shard wrote to")
    counts = sorted({share.of for share in found})
    if len(counts) > 1:
        raise InputError(f"{out}: shares of {counts[0]} and of {counts[1]} overlap; remove those of one kind")
    if any((out / name).is_file() for name in MERGED) and len(found) < counts[0]:
        raise InputError(f"{out}: merged already; remove what is left of its shares, the folders part-…")
    # a folder can be called part-1-of-99999999: gaps are counted, not listed
    absent = counts[0] - len(found)
    missing = next(share for n in range(len(found) + 1) if (share := Share(n + 1, counts[0])) not in found)
    unfinished = [share for share, path in found.items() if not (path / HEAD).is_file()]
    for gaps, what, first in (
        (absent, "missing", missing),
        (len(unfinished), "not finished", next(iter(unfinished), missing)),
    ):
        if gaps:
            raise InputError(
                f"{out}: {gaps} of {counts[0]} shares {'is' if gaps == 1 else 'are'} {what}, as {first}; run the "
                f"same command with --shard {first}"
            )
    parts = [_read(found[share], share) for share in sorted(found, key=lambda share: share.number)]
    for part in parts[1:]:
        _check_alike(part, parts[0])
    return parts


def own(part: Part, record: type[R]) -> R:
    """What only this share knows, as a record of its stage. Raises InputError when it is not that."""
    return documents.parse(record, part.head.own, f"{part.folder / HEAD}: own")


def identity(part: Part, record: type[documents.Record]) -> dict[str, Any]:
    """What all shares agree on. Raises InputError when it is not what their stage depends on."""
    documents.parse(record, part.head.identity, f"{part.folder / HEAD}: identity")
    return part.head.identity


def _share_of(path: Path) -> Share | None:
    found = re.fullmatch(r"part-([1-9][0-9]{0,8})-of-([1-9][0-9]{0,8})", path.name)
    if not found or int(found[1]) > int(found[2]) or not path.is_dir():
        return None
    return Share(int(found[1]), int(found[2]))


def _read(folder: Path, share: Share) -> Part:
    where = folder / HEAD
    head = documents.read_record(Head, where)
    if (head.number, head.of) != (share.number, share.of):
        raise InputError(
            f"{folder}: holds share {head.number}/{head.of}, so that one is there twice and {share} is missing; "
            f"run the same command with --shard {share}"
        )
    if (head.first, head.stop) != share.stretch(head.total):
        raise InputError(f"{where}: items {head.first} to {head.stop} are not share {share}; make it again")
    _, entries = journal.read(folder / f"{head.stage}.journal")
    return Part(folder, head, entries)


def _check_alike(part: Part, first: Part) -> None:
    for what in ("stage", "total"):
        if getattr(part.head, what) != getattr(first.head, what):
            raise InputError(
                f"{part.folder}: {what} {getattr(part.head, what)}, {first.folder.name} has "
                f"{getattr(first.head, what)}; merge shares of the same work"
            )
    for key, value in first.head.identity.items():
        if part.head.identity.get(key) != value:
            raise InputError(
                f"{part.folder}: has another {key.replace('_', ' ')} than {first.folder.name}; merge shares of "
                "the same work, made with the same packages"
            )


def check_whole(
    parts: list[Part], names: Callable[[Part], list[str]], expected: Sequence[str] | None = None
) -> None:
    """Hold what is in the shares against what should be.

    Args:
        parts: all shares.
        names: of the items that a share has done.
        expected: the names of all items in order; None where only their number is known.

    Raises:
        InputError: an item is missing, there twice, or in the wrong share.
    """
    seen: dict[str, Path] = {}
    for part in parts:
        found = names(part)
        for name in found:
            if name in seen:
                raise InputError(f"{part.folder}: {name} is in {seen[name].name} too; make one of them again")
            seen[name] = part.folder
        wanted = set(found) if expected is None else set(expected[part.head.first : part.head.stop])
        if len(found) != part.head.stop - part.head.first or set(found) != wanted:
            raise InputError(
                f"{part.folder}: holds {len(found)} items, expected {part.head.stop - part.head.first} of its "
                f"own; run the same command with --shard {part.head.number}/{part.head.of}"
            )


def move(part: Part, path: str, out: Path) -> None:
    """Bring a share's file to its place in the output; one that an interrupted merge has moved stays there."""
    source, target = part.folder / path, out / path
    if path.startswith("/") or ".." in path.split("/"):
        raise InputError(f"{part.folder}: lists {path!r:.80}, which is no file of its own; make the share again")
    if not os.path.isfile(source):  # also where its name is too long for one
        if os.path.isfile(target):
            return
        raise InputError(f"{source}: missing; run the same command with --shard {part.head.number}/{part.head.of}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with atomic.replacing(target) as copy:  # the share lies on another disk
            shutil.copyfile(source, copy)
        source.unlink()


def remove(parts: list[Part]) -> None:
    """Remove the folders of merged shares; first what says that they are whole, so that ``removed_rest`` can go on
    when this is interrupted."""
    for part in parts:
        (part.folder / HEAD).unlink(missing_ok=True)
    for part in parts:
        shutil.rmtree(part.folder)
