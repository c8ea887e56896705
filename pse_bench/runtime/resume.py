"""Runs that continue: render, enhance and score finish item by item, and pick up where they were stopped.

What a run depends on stands in its journal, a file of JSON lines, before what it has finished: an entry an item,
written only when the item's files are whole. Run again, it keeps the items that are proved intact and makes the
others; run with something else, it is refused. A last line that was cut off by a crash is left out.
"""

import json
import os
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, BinaryIO, Generic, Literal, TypeVar

from pydantic import ValidationError

from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, locks
from pse_bench.runtime import sharding
from pse_bench.runtime.sharding import Shard

NAMED = 5  # changes that are told
LARGE = 1 << 26  # bytes of a source that is worth a link
Entry = dict[str, Any]
E = TypeVar("E", bound=documents.Record)
S = TypeVar("S", bound=documents.Record)
T = TypeVar("T")


@dataclass(frozen=True)
class Stage(Generic[E, S]):
    """What is particular to the runs of a stage."""

    name: Literal["render", "enhance", "score"]  # of its journal and in the heads of its shards
    entry: type[E]  # a finished item in the journal
    key: str  # the field of ``entry`` that names the item
    state: type[S]  # what a shard alone knows
    finished: str  # the file that is written last
    complete: str = ""  # what to say of a folder whose run is complete
    found: str = ""  # what to say of its folders where no run of ours made them
    files: tuple[str, ...] = ()  # what else it writes
    folders: tuple[str, ...] = ()  # what it writes into
    exclusive: bool = True  # nothing else may lie in a folder of ours; otherwise anything, once the run has begun
    identity: type[documents.Record] | None = None  # what all shards agree on; None where nothing of it is used

    @property
    def journal(self) -> str:
        return f"{self.name}.journal"

    def entries(self, path: Path, entries: Iterable[Entry]) -> list[E]:
        """Entries of the journal at ``path`` as records. Raises InputError naming the line that is none."""
        found = []
        for number, entry in enumerate(entries, 2):
            try:
                found.append(self.entry.model_validate(entry))
            except ValidationError as error:
                fault = f"line {number}: {documents.explain(error, self.entry)}"
                raise InputError(f"{path}: damaged; use --force to start again ({fault})") from error
        return found

    def remove_unfinished(self, out: Path) -> None:
        """Remove what killed processes have left half-written."""
        for name in self.folders:
            atomic.remove_unfinished(out / name)


@dataclass(frozen=True)
class Source:
    """A file that a run copies into its folder, as ``name``, before it begins. A large one for a shard, of which
    there may be thousands, is linked where the file system can."""

    path: Path
    name: str
    sha256: str
    linked: bool = False

    def at(self, path: Path) -> bool:
        """Whether it is what lies at a path."""
        return path.is_file() and atomic.sha256(path) == self.sha256

    def copy(self, out: Path) -> None:
        """Copy it into a folder, where it may lie already."""
        if (out / self.name).resolve() != self.path.resolve():
            if self.linked and self.path.stat().st_size >= LARGE:
                with suppress(OSError), atomic.replacing(out / self.name, shared=True) as part:
                    os.link(self.path, part)
                    return
            with atomic.replacing(out / self.name) as part:
                shutil.copyfile(self.path, part)
        if not self.at(out / self.name):
            raise InputError(f"{self.path}: changed while it was read; run the same command again")


def read_journal(path: Path) -> tuple[Entry, list[Entry]]:
    """The identity of a run and the items it finished; empty when it got no further than starting. Raises
    InputError when the file is damaged otherwise than by being cut off."""
    try:
        *whole, _ = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return {}, []
    entries = [documents.parse_json(line, f"{path}:{number}") for number, line in enumerate(whole, 1)]
    if not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{path}: damaged; use --force to start again")
    return (entries[0], entries[1:]) if entries else ({}, [])


class Journal:
    """An open journal. Entries are added at its end and read back by their number, so that what a run has finished
    need not stay in memory."""

    def __init__(self, stream: BinaryIO, lengths: Iterable[int]) -> None:
        self._stream = stream
        self._starts = array("q", accumulate(lengths))

    def add(self, entry: Entry) -> int:
        """Write an entry, which is in the file when this returns; its number, from 0."""
        length = self._stream.write(_line(entry))
        self._stream.flush()
        self._starts.append(self._starts[-1] + length)
        return len(self._starts) - 2

    def __getitem__(self, number: int) -> Entry:
        self._stream.seek(self._starts[number])
        return json.loads(self._stream.readline())


@contextmanager
def open_journal(path: Path, identity: Entry, finished: Iterable[Entry]) -> Iterator[Journal]:
    """Write the journal anew with what is still valid, and open it. The entries of ``finished`` have the first
    numbers, in their order."""
    with atomic.replacing(path) as part, part.open("wb") as stream:
        lengths = array("q", (stream.write(_line(entry)) for entry in chain([identity], finished)))
    with path.open("a+b") as stream:
        yield Journal(stream, lengths)


def _line(entry: Entry) -> bytes:
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def check_identity(folder: Path, known: Entry, identity: Entry) -> None:
    """Refuse to continue a run that depended on something else. Raises InputError naming the differences."""
    refuse_changes(folder, documents.changes({key: known.get(key) for key in identity}, identity))


def refuse_changes(folder: Path, changes: Sequence[str]) -> None:
    """Refuse to continue a run of which something has changed, told in words. Raises InputError."""
    if changes:
        more = f"; and {len(changes) - NAMED} more" if len(changes) > NAMED else ""
        begun = "; ".join(changes[:NAMED])
        raise InputError(f"{folder}: begun with {begun}{more}; give a new folder, or --force to start again")


class LazyEntries(Sequence[T], Generic[T]):
    """Entries of an open journal by their numbers, each read and made by ``build`` when it is asked for."""

    def __init__(self, journal: Journal, numbers: Sequence[int], build: Callable[[Entry], T]) -> None:
        self._journal, self._numbers, self._build = journal, numbers, build

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        return self._build(self._journal[self._numbers[index]])


@dataclass(frozen=True)
class ResumableRun(Generic[E, S]):
    """A run in its folder, locked for this process; it contains the items that are finished."""

    stage: Stage[E, S]
    out: Path  # with a shard, the shard's own
    identity: Entry
    items: Sequence[str]  # names of those to make, in order
    journal: Journal
    numbers: dict[str, int]  # of the finished ones in the journal
    reused: int  # how many an earlier run has made

    def __contains__(self, item: str) -> bool:
        return item in self.numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, entry: E) -> None:
        """Keep a finished item, whose files are whole."""
        self.numbers[getattr(entry, self.stage.key)] = self.journal.add(entry.model_dump(mode="json"))

    def finished(self, build: Callable[[Entry], T]) -> LazyEntries[T]:
        """The finished items in order, each read from the journal and made by ``build`` when it is asked for."""
        return LazyEntries(self.journal, [self.numbers[item] for item in self.items if item in self], build)

    def finish_shard(self, shard: Shard, total: int, state: S, identity: Entry | None = None) -> None:
        """Mark the shard of ``total`` items as finished; ``identity`` is what all shards agree on, by default what
        the run depends on."""
        first, stop = shard.stretch(total)
        head = {"schema": sharding.SCHEMA, "stage": self.stage.name, **shard._asdict(), "first": first}
        head |= {"stop": stop, "total": total, "identity": identity or self.identity}
        head |= {"own": state.model_dump(mode="json")}
        atomic.write_json(self.out / sharding.HEAD, head)


@contextmanager
def resumable(
    stage: Stage[E, S],
    out: Path,
    identity: Entry,
    items: Sequence[str],
    *,
    intact: Callable[[Path, E], bool],
    shard: Shard | None = None,
    force: bool = False,
    whole: bool = True,
    sources: Sequence[Source] = (),
    check: Callable[[Path, Entry], None] | None = None,
    reopen: Callable[[Path], list[E]] | None = None,
) -> Iterator[ResumableRun[E, S]]:
    """Begin a run, or continue one; when the block ends well, the run is complete and the journal of a whole one
    goes.

    Args:
        out: the output's folder, new or ours to continue.
        identity, items: what the run depends on, and the names of all items in order.
        intact: whether what an entry says of the files in a folder is still so.
        shard: make only the items of this shard, in a folder of its own.
        force: replace what an earlier run has made.
        whole: whether ``items`` are all there can be; otherwise a later run may continue with more of them.
        sources: files to copy into the folder.
        check: refuses to continue a run in a folder that began with an identity; by default any but this one's.
        reopen: entries of a complete run, to continue that too. Without it, a complete run is refused.

    Raises:
        InputError: the folder holds something else, a run of another identity, or more than the part that is asked
            for; it is complete already; another process is at work in it.
    """
    wanted = shard.of_items(items) if shard else items
    if shard:
        sharding.check_only_shards(out, [source.path for source in sources])
        out = out / shard.folder_name
        (out / sharding.HEAD).unlink(missing_ok=True)  # finished only when this run says so
    with locks.locked(out, stage.name):
        _clean(stage, out, sources, force=force)
        earlier = _earlier(stage, out, check or partial(check_identity, identity=identity), reopen)
        for source in sources:
            source.copy(out)
        stage.remove_unfinished(out)
        names = set(wanted)
        if not whole and (more := sum(getattr(entry, stage.key) not in names for entry in earlier)):
            found = f"{more} more than the {len(names)} asked for are there already"
            raise InputError(f"{out}: {found}; ask for as many, or start again with --force")
        earlier = [entry for entry in earlier if getattr(entry, stage.key) in names and intact(out, entry)]
        numbers = {getattr(entry, stage.key): number for number, entry in enumerate(earlier)}
        kept = (entry.model_dump(mode="json") for entry in earlier)
        with open_journal(out / stage.journal, identity, kept) as journal:
            earlier.clear()  # the journal knows
            yield ResumableRun(stage, out, identity, wanted, journal, numbers, len(numbers))
        if whole and not shard:
            (out / stage.journal).unlink()


def _clean(stage: Stage, out: Path, sources: Sequence[Source], *, force: bool) -> None:
    """Make sure that the folder is new, or ours to continue or (``force``) to clear. Looked at before anything is
    removed: a dataset, a submission and a result have files of the same names."""
    ours = any((out / name).exists() for name in (stage.journal, stage.finished))
    known = {stage.journal, *(source.name for source in sources if source.at(out / source.name))}
    parts = {stage.journal, *(source.name for source in sources)}
    if stage.exclusive:
        own = {stage.finished, sharding.HEAD, *stage.files, *stage.folders}
        known, parts = known | own, parts | own
    known |= {f"{name}.part" for name in parts}
    given = {source.path.resolve() for source in sources}
    unexpected = sorted(
        path.name for path in out.iterdir() if path.name not in known and path.resolve() not in given
    )
    if unexpected and (stage.exclusive or not ours):
        raise InputError(f"{out}: holds other files ({', '.join(unexpected[:3])}); give a new or empty folder")
    if force and (ours or stage.exclusive):
        for name in stage.folders:
            shutil.rmtree(out / name, ignore_errors=True)
        # what shows that the folder is ours goes last
        for name in (*stage.files, sharding.HEAD, stage.finished, stage.journal):
            if (out / name).resolve() not in given:
                (out / name).unlink(missing_ok=True)
    elif not ours and any((out / name).exists() for name in stage.folders):
        raise InputError(f"{out}: {stage.found}; give a new folder, or --force to replace it")


def _earlier(
    stage: Stage[E, S], out: Path, check: Callable[[Path, Entry], None], reopen: Callable[[Path], list[E]] | None
) -> list[E]:
    """What an earlier run has finished that this one continues."""
    path = out / stage.journal
    if path.exists():
        known, entries = read_journal(path)
        if known:
            check(out, known)
        return stage.entries(path, entries)
    if not (out / stage.finished).exists():
        return []
    if reopen is None:
        raise InputError(f"{out}: {stage.complete}; give a new folder, or --force to replace it")
    return reopen(out)
