"""Runs that continue: render, enhance and score finish item by item, and pick up where they were stopped.

What a run depends on stands in its journal beside what it has finished. Run again, it keeps the items that are
proved intact and makes the others; run with something else, it is refused.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, locks
from pse_bench.runtime import journal, sharding
from pse_bench.runtime.journal import Entry
from pse_bench.runtime.sharding import Shard

E = TypeVar("E", bound=documents.Record)
S = TypeVar("S", bound=documents.Record)
T = TypeVar("T")


@dataclass(frozen=True)
class Stage(Generic[E, S]):
    """What is particular to the runs of a stage.

    Attributes:
        name: of its journal and in the heads of its shards.
        entry: a finished item in the journal.
        key: the field of ``entry`` that names the item.
        state: what a shard alone knows.
        finished: the file that is written last.
        complete: what to say of a folder whose run is complete.
        found: what to say of its folders where no run of ours made them.
        files: other files that it writes.
        folders: folders that it writes into.
        exclusive: nothing else may lie in a folder of ours. Otherwise anything may, once the run has begun.
        identity: what all shards agree on; None where nothing of it is used.
    """

    name: Literal["render", "enhance", "score"]
    entry: type[E]
    key: str
    state: type[S]
    finished: str
    complete: str = ""
    found: str = ""
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    exclusive: bool = True
    identity: type[documents.Record] | None = None

    @property
    def journal(self) -> str:
        """File name of the journal."""
        return f"{self.name}.journal"

    def entries(self, path: Path, entries: list[Entry]) -> list[E]:
        """Entries of the journal at ``path`` as records. Raises InputError where it is damaged."""
        return journal.checked(self.entry, entries, path)

    def remove_unfinished(self, out: Path) -> None:
        """Remove what killed processes have left half-written."""
        for name in self.folders:
            atomic.remove_unfinished(out / name)


@dataclass(frozen=True)
class Source:
    """A file that a run copies into its folder, as ``name``, before it begins."""

    path: Path
    name: str
    sha256: str


class ResumableRun(Generic[E, S]):
    """A run in its folder, locked for this process, with an open journal.

    Attributes:
        out: the folder; with a shard, the shard's own.
        items: names of the items to make, in order.
        reused: how many of them an earlier run has made.
    """

    def __init__(self, stage: Stage[E, S], out: Path, identity: Entry, items: Sequence[str]) -> None:
        self.out, self.items, self.reused = out, items, 0
        self._stage, self._identity = stage, identity
        self._journal: journal.Journal
        self._numbers: dict[str, int] = {}

    def __contains__(self, item: str) -> bool:
        """Whether an item is finished."""
        return item in self._numbers

    def __len__(self) -> int:
        """How many items are finished."""
        return len(self._numbers)

    def add(self, entry: E) -> None:
        """Keep a finished item, whose files are whole."""
        self._numbers[getattr(entry, self._stage.key)] = self._journal.add(entry.model_dump(mode="json"))

    def finished(self, build: Callable[[Entry], T]) -> journal.LazyEntries[T]:
        """The finished items in order, each read from the journal and made by ``build`` when it is asked for."""
        numbers = [self._numbers[item] for item in self.items if item in self._numbers]
        return journal.LazyEntries(self._journal, numbers, build)

    def finish_shard(self, shard: Shard, total: int, state: S, identity: Entry | None = None) -> None:
        """Mark the shard of ``total`` items as finished; ``identity`` is what all shards agree on, by default what
        the run depends on."""
        own = state.model_dump(mode="json")
        known = identity or self._identity
        sharding.write_head(self.out, self._stage.name, shard, total, identity=known, own=own)

    @contextmanager
    def _begun(self, earlier: list[E]) -> Iterator[None]:
        """Open the journal with what is kept of an earlier run. ``earlier`` is emptied: the journal knows."""
        names = [getattr(entry, self._stage.key) for entry in earlier]
        self._numbers = {name: number for number, name in enumerate(names)}
        self.reused = len(self._numbers)
        kept = (entry.model_dump(mode="json") for entry in earlier)
        with journal.record(self.out / self._stage.journal, self._identity, kept) as self._journal:
            earlier.clear()
            yield


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
    sources: Sequence[Source] = (),
    reopen: Callable[[Path], list[E]] | None = None,
) -> Iterator[ResumableRun[E, S]]:
    """Begin a run, or continue one; when the block ends well, the run is complete and its journal goes.

    Args:
        stage: what is run.
        out: the output's folder, new or ours to continue.
        identity: what the run depends on.
        items: names of all items in order.
        intact: whether what an entry says of the files in a folder is still so.
        shard: make only the items of this shard, in a folder of its own.
        force: replace what an earlier run has made.
        sources: files to copy into the folder.
        reopen: entries of a complete run, to continue that too. Without it, a complete run is refused.

    Raises:
        InputError: the folder holds something else, or a run of another identity; it is complete already;
            another process is at work in it.
    """
    wanted = shard.of_items(items) if shard else items
    if shard:
        sharding.check_only_shards(out, [source.path for source in sources])
        out = out / shard.folder_name
        (out / sharding.HEAD).unlink(missing_ok=True)  # finished only when this run says so
    with locks.locked(out, stage.name):
        _clean(stage, out, sources, force=force)
        earlier = _earlier(stage, out, identity, reopen)
        for source in sources:
            _copy(source, out)
        stage.remove_unfinished(out)
        names = set(wanted)
        earlier = [entry for entry in earlier if getattr(entry, stage.key) in names and intact(out, entry)]
        run = ResumableRun(stage, out, identity, wanted)
        with run._begun(earlier):
            yield run
        if not shard:
            (out / stage.journal).unlink()


def _clean(stage: Stage, out: Path, sources: Sequence[Source], *, force: bool) -> None:
    """Make sure that the folder is new, or ours to continue or (``force``) to clear. Looked at before anything is
    removed: a dataset, a submission and a result have files of the same names."""
    ours = any((out / name).exists() for name in (stage.journal, stage.finished))
    copies = {source.name for source in sources if _holds(out / source.name, source)}
    known = {stage.journal, *copies, *(f"{source.name}.part" for source in sources), f"{stage.journal}.part"}
    if stage.exclusive:
        own = {stage.finished, sharding.HEAD, *stage.files, *stage.folders}
        known |= own | {f"{name}.part" for name in own}
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


def _holds(path: Path, source: Source) -> bool:
    return path.is_file() and atomic.sha256(path) == source.sha256


def _copy(source: Source, out: Path) -> None:
    if (out / source.name).resolve() != source.path.resolve():
        with atomic.replacing(out / source.name) as part:
            shutil.copyfile(source.path, part)
    if not _holds(out / source.name, source):
        raise InputError(f"{source.path}: changed while it was read; run the same command again")


def _earlier(stage: Stage[E, S], out: Path, identity: Entry, reopen: Callable[[Path], list[E]] | None) -> list[E]:
    """What an earlier run of the same identity has finished."""
    path = out / stage.journal
    if path.exists():
        known, entries = journal.read(path)
        if known:
            journal.check(out, known, identity)
        return stage.entries(path, entries)
    if (out / stage.finished).exists():
        if reopen is None:
            raise InputError(f"{out}: {stage.complete}; give a new folder, or --force to replace it")
        return reopen(out)
    return []
