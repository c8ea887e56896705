"""Documents: text and JSON read into checked records. What is unexpected is refused with file, found, expected."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pse_bench.errors import InputError
from pse_bench.registry import nearest, suggestion


class Record(BaseModel):
    """A checked, frozen row or document. Unknown keys are refused; numbers are never guessed from text
    except in a CSV, where all cells are text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    optional_columns: ClassVar[tuple[str, ...]] = ()
    """Columns that a table may lack, and does where no row departs from their default."""

    @classmethod
    def of_checked(cls, **values: Any) -> Self:
        """A record of values that were checked before: one for every field, in their order."""
        made = cls.__new__(cls)
        put = object.__setattr__  # a record is frozen; it is written out because a scene is a dozen of them
        put(made, "__dict__", values)
        put(made, "__pydantic_fields_set__", set(values))
        put(made, "__pydantic_extra__", None)
        put(made, "__pydantic_private__", None)
        return made


R = TypeVar("R", bound=Record)


def read_text(path: Path) -> str:
    """A UTF-8 text file as it is. Raises InputError when it is missing, unreadable or not UTF-8."""
    with opened(path) as stream:
        return text_of(stream.read(), str(path))


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file, to be read in the block. Raises InputError when it is missing or unreadable."""
    try:
        with path.open("rb") as stream:
            yield stream
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its rights") from error


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


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises InputError when it is missing, unreadable or not JSON."""
    return parse_json(read_text(path), str(path))


def read_record(record: type[R], path: Path, *, strict: bool = True) -> R:
    """The record that a JSON file holds. Raises InputError as ``read_json`` and ``parse``."""
    return parse(record, read_json(path), str(path), strict=strict)


def parse(record: type[R], content: Any, where: str, *, strict: bool = True) -> R:
    """One record from a decoded document. Raises InputError with the first thing that is wrong."""
    try:
        return record.model_validate(content, strict=strict)
    except ValidationError as error:
        raise InputError(f"{where}: {explain(error, record)}") from error


def cached(record: type[R], path: Path) -> R:
    """A document of ours in a cache, whose folder can be made again. Raises InputError when it is damaged."""
    try:
        return read_record(record, path, strict=False)
    except InputError as error:
        raise InputError(f"{error}; remove {path.parent}, and it is made again") from error


def explain(error: ValidationError, record: type[BaseModel]) -> str:
    """The first of the ``faults``, in one line with the number of the others."""
    first, *others = faults(error, record)
    return f"{first} (and {len(others)} more)" if others else first


def faults(error: ValidationError, record: type[BaseModel]) -> list[str]:
    """What pydantic found: the key, what it holds, what is allowed, and the nearest known name. Unknown keys come
    before all else: one that is misspelt is also missing under its right name, which is not told again."""
    lines, misspelt = [], set()
    problems = error.errors(include_url=False)
    for problem in sorted(problems, key=lambda problem: problem["type"] != "extra_forbidden"):
        place, found = ".".join(map(str, problem["loc"])), problem["input"]
        if problem["type"] == "extra_forbidden":
            *above, key = problem["loc"]
            known = sorted(_keys_beside(record, problem["loc"]))
            misspelt.add((*above, nearest(str(key), known)))
            lines.append(f"unknown key {place!r}; {suggestion(str(key), known, 'known keys')}")
        elif problem["type"] == "missing":
            if problem["loc"] not in misspelt:
                lines.append(f"key {place!r} is missing; add it")
        else:
            line = problem["msg"].removeprefix("Value error, ")
            if problem["type"] != "value_error" and not isinstance(found, dict):
                line += f", found {found!r:.80}"
            if problem["type"] == "literal_error" and (near := nearest(str(found), _words(problem))):
                line += f"; did you mean {near!r}?"
            lines.append(f"{(place if place.isprintable() else ascii(place)) or 'content'}: {line}")
    return lines


def _words(problem: Any) -> list[str]:
    """The words that are allowed where another one was found."""
    return re.findall("'([^']+)'", problem["ctx"]["expected"])


def _keys_beside(model: Any, location: tuple[Any, ...]) -> list[str]:
    """The keys of a record that are known where an unknown one stood, as far as nested ones can be followed."""
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        inner = field.annotation if field else None
        options = [inner, *getattr(inner, "__args__", ())]
        model = next((option for option in options if hasattr(option, "model_fields")), model)
    return [field.alias or name for name, field in model.model_fields.items()]


def changes(known: Any, found: Any, name: str = "") -> list[str]:
    """What differs between two documents, in words, a phrase for each key: ``noise.snr_db 5, now 10``. Of a hash,
    only that it is another one can be told, and the beginnings of both."""
    if known == found:
        return []
    if isinstance(known, dict) and isinstance(found, dict):
        keys = {**known, **found}
        inner = (changes(known.get(key), found.get(key), f"{name}.{key}".lstrip(".")) for key in keys)
        return [phrase for phrases in inner for phrase in phrases]
    if all(isinstance(each, str) and re.fullmatch("[0-9a-f]{64}", each) for each in (known, found)):
        return [f"another {name} (sha256 {known[:12]}, now {found[:12]})"]
    return [f"{name} {_in_words(known)}, now {_in_words(found)}"]


def _in_words(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value).replace('"', "")
