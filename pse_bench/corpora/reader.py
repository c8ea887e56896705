"""What a corpus reader is: the layout of a corpus in its folder, and the walk that makes rows of a manifest.

Reading gives ``(rows, problems)``. A problem is one line that names a file, what was found, what was expected
and the remedy; the file it names is left out of the rows, all others are kept. Both lists are in the order of
their paths, whatever order the file system or the executor gave. Only what makes the whole request impossible
(no such folder, an index that cannot be read) raises InputError.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pse_bench.corpora import scan
from pse_bench.errors import InputError
from pse_bench.io import documents
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update, no_progress
from pse_bench.schemas import Utterance

R = TypeVar("R", bound=documents.Record)


class UnlistedSpeaker(InputError):
    """A speaker without a line in the corpus's list, which leaves out all files of that speaker."""


class Genders(dict[str, str]):
    """Gender (F, M or '' where it is not known) by speaker, from the list ``source`` of a corpus.

    Looking up a speaker who is not listed raises UnlistedSpeaker.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source

    @classmethod
    def parse(cls, text: str, where: str, entry: Callable[[str], tuple[str, str]], expected: str) -> "Genders":
        """Genders from a list with a line a speaker, of which ``entry`` gives the speaker and F or M. Raises
        InputError naming a line that is not as ``expected``, or gives a speaker another gender."""
        genders = cls(where)
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip() or line.startswith(";") or line.split()[0] == "ID":
                continue  # a comment or the header
            speaker, gender = entry(line)
            if not speaker or gender not in ("F", "M"):
                raise InputError(
                    f"{where}:{number}: found {line.strip()!r:.80}, expected {expected}; restore the original file"
                )
            if genders.setdefault(speaker, gender) != gender:
                raise InputError(f"{where}:{number}: speaker {speaker!r} is listed as F and M; keep one line")
        return genders

    def __missing__(self, speaker: str) -> str:
        raise UnlistedSpeaker(f"speaker {speaker} is not in {Path(self.source).name}")


@dataclass(frozen=True)
class Layout:
    """How one corpus lies in its folder.

    Attributes:
        pattern: what paths look like, for messages.
        fields: the fields of a file's row that do not come from its sound, or None to pass the file over; raises
            InputError to make a problem of the file.
        folders: where below the root sound files are looked for.
        endings: of sound files.
        problems: faults of the corpus's own lists; ``fields`` may add to them.
        begin: called with the paths of all sound files before any of ``fields``.
        unused: gives, after them, a line on what the lists name and no file holds, or ''.
    """

    pattern: str
    fields: Callable[[str], Mapping[str, Any] | None]
    folders: Sequence[str] = ("",)
    endings: Collection[str] = scan.ENDINGS
    problems: list[str] = field(default_factory=list)
    begin: Callable[[Sequence[str]], Any] = lambda paths: None
    unused: Callable[[], str] = lambda: ""


@dataclass(frozen=True)
class Option:
    """An option of ``pse-bench manifest``: ``name`` is the argument of the layout that it becomes. One called
    ``transcripts`` or ``genders`` is hinted at where rows lack a text or a gender."""

    flag: str
    name: str
    help: str
    choices: tuple[str, ...] = ()
    is_file: bool = False
    repeatable: bool = False


@dataclass(frozen=True)
class Reader(Generic[R]):
    """A kind of corpus, from which ``pse-bench manifest`` makes a command.

    Attributes:
        layout: gives the layout below a root; further arguments are those of ``options``.
        record: a row of the manifest.
        id_field: the field of a row that must not repeat; the first path keeps an id.
        help: of the command, one sentence.
        options: what may be said of the corpus.
        corpus: its name in the rows; that of its folder by default.
        measure: gives fields of a row that come from the samples (see ``scan.describe``).
        licence, citation: of the one corpus that is read, where it is one.
    """

    layout: Callable[..., Layout]
    record: type[R]
    id_field: str
    help: str
    options: Sequence[Option] = ()
    corpus: str = ""
    measure: scan.Measure | None = None
    licence: str = ""
    citation: str = ""

    def read(
        self,
        root: Path,
        *,
        name: str = "",
        executor: Executor,
        progress: Update = no_progress,
        notice: Callable[[str], None] = lambda line: None,
        **options: Any,
    ) -> tuple[list[R], list[str]]:
        """List the clips of a corpus in a folder: rows of its manifest, and problems.

        Args:
            name: the corpus's name in the rows, where it is not the usual one.
            notice: called with lines that are worth saying and no problems.
            options: arguments of the layout.

        Raises:
            InputError: no such folder, no sound in it, or a list of the corpus cannot be read.
        """
        root = Path(root)
        if not root.is_dir():
            raise InputError(f"{root}: no such folder; check the path")
        layout = self.layout(root, **options)
        paths, problems = scan.find(root, layout.folders, endings=layout.endings)
        layout.begin(paths)
        entries: dict[str, Mapping[str, Any]] = {}
        unlisted = defaultdict(list)
        for path in paths:
            try:
                if (found := layout.fields(path)) is not None:
                    entries[path] = found
            except UnlistedSpeaker as error:
                unlisted[str(error)].append(path)
            except InputError as error:
                problems.append(str(error))
        problems += layout.problems
        problems += [
            f"{root / left_out[0]}: {fault}, which leaves out {len(left_out)} files; add the speaker's line"
            for fault, left_out in unlisted.items()
        ]
        if not entries and not problems:
            raise InputError(f"{root}: no sound files here, expected {layout.pattern}; check the path")
        if line := layout.unused():
            notice(line)
        clips, more = scan.describe(
            root, sorted(entries), executor=executor, progress=progress, measure=self.measure
        )
        rows: list[R] = []
        owners: dict[str, str] = {}
        for clip in clips:
            fields = {"corpus": name or self.name_of(root), **clip.fields, **entries[clip.path]}
            key = fields[self.id_field]
            if (owner := owners.setdefault(key, clip.path)) == clip.path:
                rows.append(self.record(**fields))
            else:
                more.append(
                    f"{root / clip.path}: {self.id_field} {key!r} is that of {owner} already; rename or remove one"
                )
        for line in self._gaps([row for row in rows if isinstance(row, Utterance)], options):
            notice(f"{root}: {line}")
        return rows, sorted(problems + more)

    def _gaps(self, rows: list[Utterance], given: Mapping[str, Any]) -> Iterator[str]:
        """What is not known of utterances, what that costs, and the option that gives it, a line each."""
        remedies = {
            option.name: f"; {option.flag} FILE gives it: a {option.help.rstrip('.')}"
            for option in self.options
            if not given.get(option.name)
        }
        if silent := [row.path for row in rows if not row.text]:
            count = f"{len(silent)} of {len(rows)} utterances have no transcript, as {silent[0]}"
            cost = "they stay, with empty text: no word errors where they speak"
            yield f"{count}; {cost}{remedies.get('transcripts', '')}"
        people = {row.speaker_id for row in rows}
        if unknown := {row.speaker_id for row in rows if not row.gender}:
            count = f"{len(unknown)} of {len(people)} speakers have no gender, as {min(unknown)}"
            cost = "scenarios with interferer.gender same or different need it"
            yield f"{count}; {cost}{remedies.get('genders', '')}"

    def name_of(self, root: Path) -> str:
        """The name of a corpus that nobody named: the usual one, or that of its folder."""
        return self.corpus or root.resolve().name


def root_with(index: str, root: Path, usual: Sequence[str]) -> str:
    """The remedy where a root lacks the list that marks it: a folder nearby that has it, if there is one."""
    nearby = (*(root / name for name in usual), root.resolve().parent)
    folder = next((folder for folder in nearby if (folder / index).is_file()), None)
    return f"give {folder}, which has {index}" if folder else f"give the folder that holds {index}"
