"""Where a corpus lies on this machine: manifests hold relative paths, the root is given at run time."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pse_bench.errors import InputError
from pse_bench.registry import nearest, suggestion

LOSSLESS = (".flac", ".wav", ".WAV")
"""Endings that a corpus's files may have in place of those of its manifest."""


class Roots:
    """Folders of corpora by name, from ``--root NAME=DIR`` or the variable ``PSE_BENCH_ROOT_<NAME>``.

    ``notice`` is told of a folder that was given for no corpus (see ``name_misspelt``).
    """

    def __init__(self, folders: dict[str, Path], notice: Callable[[str], None] | None = None) -> None:
        self._folders, self._notice = folders, notice

    @classmethod
    def parse(cls, options: tuple[str, ...], notice: Callable[[str], None] | None = None) -> "Roots":
        """Roots from the values of ``--root``. Raises InputError on a value without '=' or a missing folder."""
        folders = {}
        for option in options:
            name, _, folder = option.partition("=")
            if not name or not folder:
                raise InputError(f"--root {option}: expected NAME=DIR, for example librispeech=/data/LibriSpeech")
            if not os.path.isdir(folder):
                raise InputError(f"--root {option}: {folder} is not a folder; give the folder of corpus {name}")
            folders[name] = Path(folder).resolve()
        return cls(folders, notice)

    def locate(self, corpus: str, path: str) -> Path:
        """The path of a corpus's file, or where it is missing that of the same name in another lossless format:
        manifests that identify clips by their samples allow it. Raises InputError when the corpus has no root."""
        root = self._folders.get(corpus) or os.environ.get(_variable(corpus))
        if not root:
            remedy = f"add --root {corpus}=DIR or set {_variable(corpus)}"
            raise InputError(f"corpus {corpus}: no folder given; {remedy}")
        found = Path(root, path)
        if path and not found.exists():
            others = (found.with_suffix(ending) for ending in LOSSLESS)
            return next((other for other in others if other.is_file()), found)
        return found

    def hide(self, text: str, corpora: Iterable[str]) -> str:
        """A message with corpora by name instead of by their place on this machine, for files."""
        for corpus in corpora:
            text = text.replace(f"{self.locate(corpus, '')}{os.sep}", f"{corpus}:")
        return text

    def check(self, corpora: Iterable[str]) -> None:
        """Raise InputError for the first corpus without a folder, before any work is done, after
        ``name_misspelt``."""
        needed = set(corpora)
        self.name_misspelt(needed)
        for corpus in sorted(needed):
            folder = self.locate(corpus, "")
            if not os.path.isdir(folder):
                raise InputError(f"corpus {corpus}: {folder} is not a folder; correct --root {corpus}=DIR")

    def name_misspelt(self, corpora: Iterable[str]) -> None:
        """Give notice of folders whose corpus is none of these but called alike, or called otherwise where one of
        these has no folder."""
        known = sorted(set(corpora))
        lacking = any(name not in self._folders and _variable(name) not in os.environ for name in known)
        for name in sorted(self._folders.keys() - set(known)):
            if self._notice and (lacking or nearest(name, known)):
                self._notice(f"--root {name} names no corpus here; {suggestion(name, known, 'needed')}")

    def joined(self, folders: Mapping[str, Path]) -> "Roots":
        """These roots and more; a corpus that both have lies where ``folders`` says."""
        return Roots(self._folders | {corpus: folder.resolve() for corpus, folder in folders.items()})

    def settled(self, corpora: Iterable[str]) -> "Roots":
        """The roots of some corpora with whole paths, which mean the same in every process."""
        return Roots({corpus: self.locate(corpus, "").resolve() for corpus in corpora})


def _variable(corpus: str) -> str:
    return "PSE_BENCH_ROOT_" + re.sub(r"[^A-Z0-9]", "_", corpus.upper())
