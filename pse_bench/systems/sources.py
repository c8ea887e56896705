"""The files that a system is made of: its code, its weights, and whether one of them has changed."""

import os
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from pse_bench.io import atomic


@dataclass(frozen=True)
class Sources:
    """Files by the name that messages call them by, and the SHA-256 that each had when the system was loaded.
    ``digest`` changes when one of them does."""

    paths: Mapping[str, Path] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    @classmethod
    def of(cls, modules: Mapping[str, Path], read: Iterable[Path] = ()) -> "Sources":
        """Sources by the names of their modules, and other files or folders, as they are now."""
        code, others = {_file_name(module, path): path for module, path in modules.items()}, _named(read)
        hashes = {path: _sha256(path) for path in [*code.values(), *others.values()]}
        pairs = sorted((name, hashes[path]) for name, path in modules.items())
        pairs += sorted((name, hashes[path]) for name, path in others.items())
        paths = {**code, **others}
        digest = atomic.sha256_of_text(repr(pairs)) if pairs else ""
        return cls(paths, {name: hashes[path] for name, path in paths.items()}, digest)

    @property
    def by_path(self) -> dict[Path, str]:
        """The SHA-256 of each file."""
        return {path: self.sha256[name] for name, path in self.paths.items()}

    def changed(self, sha256: Mapping[str, str]) -> list[str]:
        """The names of those that are now other files than these hashes say."""
        return [name for name, path in self.paths.items() if name in sha256 and _sha256(path) != sha256[name]]


def _sha256(path: Path) -> str:
    try:
        return atomic.sha256(path)
    except OSError:
        return "missing"


def _file_name(module: str, path: Path) -> str:
    """The path of a module's source below the folder where it is imported from."""
    return "/".join(path.parts[-(module.count(".") + 1 + (path.name == "__init__.py")) :])


def _named(paths: Iterable[Path]) -> dict[str, Path]:
    """Files, and all that lie in folders, by their paths below the folder that they share: the same wherever that
    is."""
    paths = [path.absolute() for path in paths]
    shared = os.path.commonpath([path.parent for path in paths]) if paths else ""
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    return {file.relative_to(shared).as_posix(): file for file in files if not file.is_dir()}


def modules_beside(module: ModuleType) -> dict[str, Path]:
    """The sources by name of a module and of every loaded one that lies below the same folder and is not
    installed."""
    if not getattr(module, "__file__", None):
        return {}
    own = Path(str(module.__file__)).resolve()
    beside = own.parents[module.__name__.count(".") + (own.name == "__init__.py")]
    installed = [Path(path).resolve() for path in sysconfig.get_paths().values()]
    found = {}
    for name, loaded in list(sys.modules.items()):
        source = Path(getattr(loaded, "__file__", None) or ".").resolve()
        foreign = source == own or not any(source.is_relative_to(folder) for folder in installed)
        if foreign and source.is_file() and source.is_relative_to(beside):
            found[name] = source
    return found
