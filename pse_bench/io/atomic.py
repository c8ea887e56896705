"""Files that are whole or absent: atomic writes, hashes, sealed documents, and what was computed once."""

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pse_bench.errors import InputError
from pse_bench.io import documents
from pse_bench.io.locks import lock

SEAL = "seal_sha256"  # last key of a sealed document: the SHA-256 of the document without it


@contextlib.contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give a temporary name to write to; on success it takes the place of ``path``, on failure it goes.

    Other processes may be making the same file: where it is ``shared``, each writes under a name of its own;
    otherwise the second one is refused with an InputError. The disk is not made to catch up: after a power cut,
    what continues a run tells by the hashes which files are whole (see ``runtime.resume``).
    """
    if not os.path.isdir(path.parent):
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
        if not lock(handle):
            raise InputError(f"{path}: another process is writing it; wait for it or stop it")
        yield
    finally:
        os.close(handle)


def require_new(path: Path, force: bool) -> None:
    """Refuse to replace a file unless asked to. Raises InputError."""
    if path.exists() and not force:
        raise InputError(f"{path}: exists already; give another name, or --force to replace it")


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes have left half-written below a folder."""
    for left in folder.rglob("*.part"):
        left.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes, *, shared: bool = False) -> None:
    """Write a whole file, or nothing; ``shared`` as in ``replacing``."""
    with replacing(path, shared=shared) as part:
        part.write_bytes(content)


def write_text(path: Path, text: str, *, shared: bool = False) -> None:
    """Write a whole text file, or nothing; ``shared`` as in ``replacing``."""
    write_bytes(path, text.encode(), shared=shared)


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document that a person can read."""
    write_bytes(path, _json(document))


def write_sealed(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON document with its seal, by which ``sealed`` tells later whether a bit of it has changed."""
    write_json(path, _with_seal(document))


def sealed(document: dict[str, Any], path: Path) -> bool:
    """Whether a document that was read from a file has a seal; one of an earlier version has none. Raises
    InputError where it is the seal of another document, or the file is not written as ``write_sealed`` does."""
    if SEAL not in document:
        return False
    if document != _with_seal(document) or path.read_bytes() != _json(document):
        raise InputError(f"{path}: changed since it was written (sha256 differs); restore it or make it again")
    return True


def _with_seal(document: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in document.items() if key != SEAL}
    return rest | {SEAL: hashlib.sha256(_json(rest)).hexdigest()}


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


@dataclass(frozen=True)
class ContentCache:
    """What was computed once: small JSON documents, one a key. Any number of processes may share the folder.

    A key is the SHA-256 of all inputs, and the identity of what computes; '' where the key covers that, too. An
    entry that is damaged, or of another key than its name says, counts as none.
    """

    folder: Path

    def get(self, key: str, identity: str = "") -> Any:
        """The content of a key; None where there is none."""
        try:
            entry = documents.read_json(self._path(key, identity))
            return entry["content"] if entry == _entry(key, identity, entry["content"]) else None
        except (InputError, KeyError, TypeError):
            return None

    def put(self, key: str, content: Any, identity: str = "") -> None:
        """Keep the content of a key, whole or not at all. Raises OSError where it cannot be written."""
        write_text(self._path(key, identity), json.dumps(_entry(key, identity, content)) + "\n", shared=True)

    def _path(self, key: str, identity: str) -> Path:
        return self.folder / identity[:16] / key[:2] / f"{key}.json"


def _entry(key: str, identity: str, content: Any) -> dict[str, Any]:
    digest = sha256_of_text(json.dumps(content))
    return {"key": key, "identity": identity, "sha256": digest, "content": content}
