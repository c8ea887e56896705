"""Shards become the whole: they are gathered and checked, and their files move to where one run would have put
them. A merge that is interrupted is run again."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Generic

from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, locks
from pse_bench.runtime import resume, sharding
from pse_bench.runtime.resume import E, S, Stage
from pse_bench.runtime.sharding import HEAD, Shard, ShardHead

MERGED = ("dataset.json", "system.yaml", "result.json")  # what a merge writes last
OWN = {HEAD, "plan.jsonl", "mixtures.csv", *(f"{stage}.journal" for stage in ("render", "enhance", "score"))}
"""Files of a shard that merging does not move."""
AGAIN = "run the same command with --shard"


@dataclass(frozen=True)
class FinishedShard:
    """A finished shard: its folder, head and journal entries."""

    folder: Path
    head: ShardHead
    entries: list[resume.Entry]

    def file(self, name: str) -> Path:
        """A file of its own. Raises InputError where it is missing."""
        if os.path.isfile(path := self.folder / name):  # not so where the name is too long for one
            return path
        raise InputError(f"{path}: missing; {AGAIN} {self.head.shard}")


@dataclass
class Merge(Generic[E, S]):
    """A merge in the making, its output ``out`` locked for this process.

    ``identity`` is what all ``shards`` agree on; ``entries`` are the finished items of each, in order, and
    ``states`` what each alone knows.
    """

    out: Path
    shards: list[FinishedShard]
    identity: resume.Entry
    entries: list[list[E]]
    states: list[S]

    def check(self, names: Sequence[list[str]], expected: Sequence[str] | None = None) -> None:
        """Compare the ``names`` of items that each shard has done with those ``expected``, in order; None where
        only their number is known. Raises InputError where one is missing, there twice, or in the wrong shard."""
        seen: dict[str, Path] = {}
        for shard, found in zip(self.shards, names, strict=True):
            head = shard.head
            for name in found:
                if name in seen:
                    raise InputError(f"{shard.folder}: {name} is in {seen[name].name} too; make one of them again")
                seen[name] = shard.folder
            wanted = set(found) if expected is None else set(expected[head.first : head.stop])
            if len(found) != (count := head.stop - head.first) or set(found) != wanted:
                raise InputError(
                    f"{shard.folder}: holds {len(found)} items, expected {count} of its own; {AGAIN} {head.shard}"
                )

    def move(self, paths: Sequence[Sequence[str]]) -> None:
        """Bring the files of each shard to their places in the output; before that, shards that lie elsewhere, so
        that a merge that is interrupted finds them again."""
        for number, shard in enumerate(self.shards):
            target = self.out / shard.head.shard.folder_name
            if shard.folder.resolve() != target.resolve():
                shutil.rmtree(_part(target), ignore_errors=True)  # of an interrupted merge
                _bring(shard.folder, target, _copy_folder)
                self.shards[number] = replace(shard, folder=target)
        for shard, own in zip(self.shards, paths, strict=True):
            for path in own:
                move(shard, path, self.out)

    def copy(self, name: str) -> None:
        """Copy a file that all shards have, or the first one, to the output."""
        _copy_file(self.shards[0].file(name), self.out / name)


@contextmanager
def merging(stage: Stage[E, S], out: Path, shards: list[FinishedShard]) -> Iterator[Merge[E, S]]:
    """Merge the shards that ``gather`` found; when the block ends well, the whole is made and they are removed.
    Raises InputError where a journal or a head is damaged, or another process is at work in ``out``."""
    identity = shards[0].head.identity
    if stage.identity:
        documents.parse(stage.identity, identity, f"{shards[0].folder / HEAD}: identity")
    with locks.locked(out, "merge"):
        entries = [stage.entries(shard.folder / stage.journal, shard.entries) for shard in shards]
        states = [documents.parse(stage.state, one.head.own, f"{one.folder / HEAD}: own") for one in shards]
        merge = Merge(out, list(shards), identity, entries, states)
        yield merge
        remove(merge.shards)


def gather(out: Path, given: Sequence[Path] = ()) -> list[FinishedShard]:
    """The shards in an output folder and in the folders ``given``, in order.

    A given folder is that of a shard, whatever its name, or one that shards were written to. One that holds none
    is passed over where nothing is missing without it: an interrupted merge may have moved them already. Raises
    InputError where there are none, one is missing, unfinished or there twice, or they are of different work.
    """
    found = _shards_in(out)
    held = [_shards_of(folder) for folder in given]
    for shard, path in chain.from_iterable(inside.items() for inside in held):
        if path.resolve().parent == out.resolve():
            continue
        if shard in found:
            raise InputError(f"{path}: holds shard {shard}, which {found[shard]} holds too; give one of them")
        sharding.check_only_shards(out)
        found[shard] = path
    _check_complete(out, found, [folder for folder, inside in zip(given, held, strict=True) if not inside])
    shards = [_read(found[shard], shard) for shard in sorted(found)]
    for one in shards[1:]:
        _check_alike(one, shards[0])
    return shards


def removed_rest(out: Path) -> bool:
    """Whether shards were merged here and only their removal was interrupted, which is done now then. What is left
    of them holds nothing but what they said of themselves."""
    if not _merged(out):
        return False
    with locks.locked(out, "merge"):
        left = _shards_in(out)
        heads = sum((folder / HEAD).is_file() for folder in left.values())
        whole = heads == len(left) == max((shard.of for shard in left), default=0)
        files = {path.name for folder in left.values() for path in folder.rglob("*") if path.is_file()}
        if not left or whole or not files <= OWN:
            return False
        for folder in left.values():
            shutil.rmtree(folder)
        return True


def _merged(out: Path) -> bool:
    return any((out / name).is_file() for name in MERGED)


def _shards_in(out: Path) -> dict[Shard, Path]:
    """The folders of shards in an output, whether they are finished or not."""
    there = sorted(path for path in out.iterdir() if path.is_dir()) if out.is_dir() else []
    return {shard: path for path in there if (shard := Shard.of_folder(path.name))}


def _shards_of(folder: Path) -> dict[Shard, Path]:
    """The shard that a given folder is, or those in it."""
    if (folder / HEAD).is_file():
        return {sharding.read_head(folder).shard: folder}
    if folder.is_dir() and (shard := Shard.of_folder(folder.name)):
        return {shard: folder}
    return _shards_in(folder)


def _check_complete(out: Path, found: dict[Shard, Path], empty: list[Path]) -> None:
    if not found and not empty:
        raise InputError(f"{out}: no shards here (part-1-of-N, …); give the folder that --shard wrote to")
    counts = sorted({shard.of for shard in found})
    if len(counts) > 1:
        raise InputError(f"{out}: shards of {counts[0]} and of {counts[1]} overlap; remove those of one kind")
    if empty and (not found or len(found) < counts[0]):
        raise InputError(f"{empty[0]}: no shard here ({HEAD} is missing); give the folders that --shard made")
    if _merged(out) and len(found) < counts[0]:
        raise InputError(f"{out}: merged already; remove what is left of its shards, the folders part-…")
    # a folder can be called part-1-of-99999999: gaps are counted, not listed
    missing = next(shard for n in range(len(found) + 1) if (shard := Shard(n + 1, counts[0])) not in found)
    unfinished = [shard for shard, path in found.items() if not (path / HEAD).is_file()]
    for gaps, what, first in (
        (counts[0] - len(found), "missing", missing),
        (len(unfinished), "not finished", next(iter(unfinished), missing)),
    ):
        if gaps:
            verb = "is" if gaps == 1 else "are"
            raise InputError(f"{out}: {gaps} of {counts[0]} shards {verb} {what}, as {first}; {AGAIN} {first}")


def _read(folder: Path, shard: Shard) -> FinishedShard:
    head = sharding.read_head(folder)
    if head.shard != shard:
        twice = f"holds shard {head.shard}, so that one is there twice and {shard} is missing"
        raise InputError(f"{folder}: {twice}; {AGAIN} {shard}")
    return FinishedShard(folder, head, resume.read_journal(folder / f"{head.stage}.journal")[1])


def _check_alike(one: FinishedShard, first: FinishedShard) -> None:
    for what in ("stage", "total"):
        own, others = (f"{getattr(shard.head, what)}" for shard in (one, first))
        if own != others:
            found = f"{what} {own}, {first.folder.name} has {others}"
            raise InputError(f"{one.folder}: {found}; merge shards of the same work")
    for key, value in first.head.identity.items():
        if one.head.identity.get(key) != value:
            what = key.removesuffix("_sha256").replace("_", " ")
            found = f"has another {what} than {first.folder.name}"
            raise InputError(f"{one.folder}: {found}; merge shards of the same work, made with the same packages")


def move(shard: FinishedShard, path: str, out: Path) -> None:
    """Bring a shard's file to its place in the output; one that an interrupted merge has moved stays there."""
    target = out / path
    if path.startswith("/") or ".." in path.split("/"):
        raise InputError(f"{shard.folder}: lists {path!r:.80}, which is no file of its own; make the shard again")
    if os.path.isfile(shard.folder / path) or not os.path.isfile(target):
        source = shard.file(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        _bring(source, target, _copy_file)


def _bring(source: Path, target: Path, copy: Callable[[Path, Path], None]) -> None:
    """Rename a file or a folder, or copy it from another disk: whole, or not at all."""
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy(source, target)
        (shutil.rmtree if source.is_dir() else os.unlink)(source)


def _copy_file(source: Path, target: Path) -> None:
    with atomic.replacing(target) as part:
        shutil.copyfile(source, part)


def _copy_folder(source: Path, target: Path) -> None:
    shutil.copytree(source, _part(target))
    os.replace(_part(target), target)


def _part(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.part")


def remove(shards: list[FinishedShard]) -> None:
    """Remove the folders of merged shards; first what says that they are whole, so that ``removed_rest`` can go on
    when this is interrupted."""
    for shard in shards:
        (shard.folder / HEAD).unlink(missing_ok=True)
    for shard in shards:
        shutil.rmtree(shard.folder)
