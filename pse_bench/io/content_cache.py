"""What was computed once, kept on disk by what it was computed from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pse_bench.errors import InputError
from pse_bench.io import atomic, documents


@dataclass(frozen=True)
class ContentCache:
    """Small JSON documents, one a key. Any number of processes may share the folder.

    A key is the SHA-256 of all inputs, and the identity of what computes; '' where the key covers that, too. An
    entry that is damaged, or of another key than its name says, counts as none.
    """

    folder: Path

    def get(self, key: str, identity: str = "") -> Any:
        """The content of a key; None where there is none."""
        try:
            entry = documents.read_json(self._path(key, identity))
            whole = entry == _entry(key, identity, entry["content"])
        except (InputError, KeyError, TypeError):
            return None
        return entry["content"] if whole else None

    def put(self, key: str, content: Any, identity: str = "") -> None:
        """Keep the content of a key, whole or not at all. Raises OSError where it cannot be written."""
        with atomic.replacing(self._path(key, identity), shared=True) as part:
            part.write_text(json.dumps(_entry(key, identity, content)) + "\n", encoding="utf-8")

    def _path(self, key: str, identity: str) -> Path:
        return self.folder / identity[:16] / key[:2] / f"{key}.json"


def _entry(key: str, identity: str, content: Any) -> dict[str, Any]:
    digest = atomic.sha256_of_text(json.dumps(content))
    return {"key": key, "identity": identity, "sha256": digest, "content": content}
