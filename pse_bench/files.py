"""Files that are whole or absent: atomic writes, hashes, tables and locks.

A table is a CSV whose header is its schema: exactly the fields of one record. A journal or a plan is JSON
lines. Both are read into records, and anything unexpected is refused with file, line, found and expected.
"""

import contextlib
import csv
import difflib
import fcntl
import hashlib
import io
import json
import os
import platform
import sys
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pse_bench.errors import InputError

SEAL = "seal_sha256"
"""Last key of a sealed document: the SHA-256 of the document without it."""


class Record(BaseModel):
    """A checked, frozen row or document. Unknown keys are refused; numbers are never guessed from text
    except in a CSV, where all cells are text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    optional_columns: ClassVar[tuple[str, ...]] = ()
    """Columns that a table may lack, and does where no row departs from their default."""


R = TypeVar("R", bound=Record)


@contextlib.contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give a temporary name to write to; on success it takes the place of ``path``, on failure it goes.

    The disk is not made to catch up: after a power cut, what continues a run tells by the hashes which files
    are whole (see ``journal``).

    Args:
        path: the file to make or replace.
        shared: other processes may be making the same file; each writes under a name of its own. Without it, one
            that writes the file at the same time is refused.

    Raises:
        InputError: another process is writing the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    own = f"{uuid.uuid4().hex}." if shared else ""
    part = path.with_name(f"{own}{path.name}.part")
    with contextlib.nullcontext() if shared else _only_writer(part, path):
        try:
            yield part
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _only_writer(part: Path, path: Path) -> Iterator[None]:
    handle = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not _lock(handle):
            raise InputError(f"{path}: another process is writing it; wait for it or stop it")
        yield
    finally:
        os.close(handle)


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes have left half-written below a folder."""
    for left in folder.rglob("*.part"):
        left.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, shared: bool = False) -> None:
    """Write a whole text file, or nothing; ``shared`` as in ``replacing``."""
    with replacing(path, shared=shared) as part:
        part.write_text(text, encoding="utf-8", newline="")


def write_bytes(path: Path, content: bytes, *, shared: bool = False) -> None:
    """Write a whole file, or nothing; ``shared`` as in ``replacing``."""
    with replacing(path, shared=shared) as part:
        part.write_bytes(content)


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document that a person can read."""
    write_bytes(path, _json(document))


def write_sealed(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON document with its seal, by which ``sealed`` tells later whether a bit of it has changed."""
    rest = {key: value for key, value in document.items() if key != SEAL}
    write_json(path, rest | {SEAL: _seal(rest)})


def sealed(document: dict[str, Any], path: Path) -> bool:
    """Whether a document that was read from a file has a seal; one of an earlier version has none.

    Raises:
        InputError: the seal is not that of the document, or the file is not written as ``write_sealed`` does.
    """
    if SEAL not in document:
        return False
    rest = {key: value for key, value in document.items() if key != SEAL}
    if document[SEAL] != _seal(rest) or path.read_bytes() != _json(document):
        raise InputError(f"{path}: changed since it was written (sha256 differs); restore it or make it again")
    return True


def _seal(rest: dict[str, Any]) -> str:
    return hashlib.sha256(_json(rest)).hexdigest()


def _json(document: Any) -> bytes:
    # half a surrogate pair can be read from JSON, but is nothing that text could be written with
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode(errors="surrogatepass")


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_text(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def locked(folder: Path, purpose: str) -> Iterator[None]:
    """Hold a folder for one process. Raises InputError when another one is at work in it."""
    with _held(folder) as free:
        if not free:
            raise InputError(
                f"{folder}: another process is at work here ({purpose}); wait for it or stop it"
            ) from None
        yield


@contextlib.contextmanager
def taking_turns(folder: Path, purpose: str) -> Iterator[None]:
    """Hold a folder of something that several commands may want at once, as the caches are: when another process
    is at work in it, say so on stderr and wait. What it was to make may be there then, so look again."""
    with _held(folder) as free:
        if free:
            yield
            return
    print(
        f"note: {folder}: another process is at work here ({purpose}); waiting for what it makes",
        file=sys.stderr,
        flush=True,
    )
    with _held(folder, waiting=True):
        yield


@contextlib.contextmanager
def _held(folder: Path, *, waiting: bool = False) -> Iterator[bool]:
    """Hold a folder, and tell whether it could be held."""
    folder.mkdir(parents=True, exist_ok=True)
    # The folder itself is the lock, so nothing is left behind by a process that was killed.
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield _lock(handle, waiting=waiting)
    finally:
        os.close(handle)


def _lock(handle: int, *, waiting: bool = False) -> bool:
    """Lock what is open for this process, until it is closed; whether it was free."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if waiting else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        pass  # a network file system may know no locks; files are whole all the same
    return True


def require_seen(path: Path) -> None:
    """In a worker: refuse to go on where it does not see what was written for it, and so works elsewhere.

    Raises:
        InputError: the file is not there.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: not seen by the worker on {platform.node()}; give folders that all machines share"
        )


def read_text(path: Path) -> str:
    """A UTF-8 text file as it is. Raises InputError when it is missing, unreadable or not UTF-8."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its rights") from error
    return text_of(content, str(path))


def text_of(content: bytes, where: str) -> str:
    """The text of a file's bytes; ``where`` names it. Raises InputError when they are not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def parse_json(text: str, where: str) -> Any:
    """A JSON document; ``where`` names it in the error."""
    try:
        document = json.loads(text)
        if "\\u" in text:  # half of a surrogate pair is no character
            json.dumps(document, ensure_ascii=False).encode()
        return document
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON ({error}); restore it or make it again") from error


def parse(record: type[R], content: Any, where: str, *, strict: bool = True) -> R:
    """One record from a decoded document. Raises InputError with the first thing that is wrong."""
    try:
        return record.model_validate(content, strict=strict)
    except ValidationError as error:
        raise InputError(f"{where}: {explain(error, record)}") from error


def cached(record: type[R], path: Path) -> R:
    """A document of ours in a cache, whose folder can be made again. Raises InputError when it is damaged."""
    try:
        return parse(record, parse_json(read_text(path), str(path)), str(path), strict=False)
    except InputError as error:
        raise InputError(f"{error}; remove {path.parent}, and it is made again") from error


def explain(error: ValidationError, record: type[BaseModel]) -> str:
    """The first fault that pydantic found, in one line, with the nearest known key.

    An unknown key comes before all else: a key that is misspelt is also missing under its right name.
    """
    problems = error.errors(include_url=False)
    first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    place = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _keys_beside(record, first["loc"])
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(known))}"
        return f"unknown key {place!r}; {hint}{more}"
    if first["type"] == "missing":
        return f"key {place!r} is missing; add it{more}"
    message = first["msg"].removeprefix("Value error, ")
    found = first["input"]
    shown = "" if first["type"] == "value_error" or isinstance(found, dict) else f", found {found!r:.80}"
    place = place if place.isprintable() else ascii(place)
    return f"{place or 'content'}: {message}{shown}{more}"


def _keys_beside(record: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """The keys that are known where an unknown one stood, as far as nested records can be followed."""
    model: Any = record
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        inner = field.annotation if field else None
        options = [inner, *getattr(inner, "__args__", ())]
        model = next((option for option in options if hasattr(option, "model_fields")), model)
    return [field.alias or name for name, field in model.model_fields.items()]


def read_table(path: Path, record: type[R], *, optional: Iterable[str] = ()) -> list[R]:
    """The rows of a CSV whose columns are the fields of ``record``, in any order.

    Columns in ``optional``, and those that the record says, may be absent. Empty cells are None where the field
    allows it. Raises InputError naming the line.
    """
    return table_of(read_text(path), record, str(path), optional=optional)


def table_of(text: str, record: type[R], path: str, *, optional: Iterable[str] = ()) -> list[R]:
    """As ``read_table``, of a file's text; ``path`` names it in errors."""
    rows = csv.reader(io.StringIO(text))
    try:
        header = next(rows, [])
        fields = record.model_fields
        _check_header(path, header, list(fields), {*optional, *record.optional_columns})
        nullable = {name for name, field in fields.items() if _allows_none(field.annotation)}
        return [_row(path, rows.line_num, header, cells, record, nullable) for cells in rows if cells]
    except csv.Error as error:
        raise InputError(f"{path}:{rows.line_num}: not CSV ({error}); repair the line") from error


def _check_header(path: str, header: list[str], fields: list[str], optional: set[str]) -> None:
    if not header:
        raise InputError(f"{path}: empty, expected a CSV with the columns {', '.join(fields)}")
    for name in header:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known columns: {', '.join(fields)}"
            raise InputError(f"{path}: unknown column {name!r}; {hint}")
    if len(set(header)) != len(header):
        raise InputError(f"{path}: a column is named twice; keep one")
    missing = [name for name in fields if name not in header and name not in optional]
    if missing:
        raise InputError(f"{path}: column {missing[0]!r} is missing; expected {', '.join(fields)}")


def _row(path: str, line: int, header: list[str], cells: list[str], record: type[R], nullable: set[str]) -> R:
    if len(cells) != len(header):
        raise InputError(f"{path}:{line}: {len(cells)} cells, expected {len(header)}; repair the line")
    content = {
        name: None if cell == "" and name in nullable else cell for name, cell in zip(header, cells, strict=True)
    }
    return parse(record, content, f"{path}:{line}", strict=False)


def _allows_none(annotation: Any) -> bool:
    return type(None) in getattr(annotation, "__args__", ())


def write_table(path: Path, record: type[Record], rows: Iterable[Record]) -> None:
    """Write records as a CSV with one column a field. None becomes an empty cell. Rows that can be gone through
    twice, as a list can, are not held in memory."""
    idle = set(record.optional_columns)
    rows = list(rows) if idle and isinstance(rows, Iterator) else rows
    for row in rows if idle else ():
        idle = {name for name in idle if getattr(row, name) == record.model_fields[name].default}
    names = [name for name in record.model_fields if name not in idle]
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow([cell(getattr(row, name)) for name in names])


def cell(value: Any) -> str:
    """A value as text in a table; None is empty."""
    if value is None:
        return ""
    # repr is the shortest text that reads back as the same number
    return repr(value) if isinstance(value, float) else str(value)
