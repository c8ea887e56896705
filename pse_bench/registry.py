"""Registries: the named things that people add to, each a dict beside its definitions.

A name is one of ours, one that an installed package announces as an entry point, or ``module:attribute``. Code
from outside is imported only for a name that somebody gave.
"""

import difflib
import importlib
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from pse_bench.errors import InputError, PseBenchError

T = TypeVar("T")


class Registry(dict[str, T]):
    """Our own entries by name; ``find`` also looks for those from outside.

    Args:
        kind: what an entry is, in one word for messages, such as ``metric``.
        entries: our own, by name.
        group: of the entry points of other packages, such as ``pse_bench.metrics``.
        check: says what is wrong with an entry from outside, or gives '' where nothing is.
    """

    def __init__(
        self, kind: str, entries: Mapping[str, T], *, group: str, check: Callable[[Any], str] = lambda _: ""
    ) -> None:
        super().__init__(entries)
        self.kind, self.group, self._check = kind, group, check

    def outside(self) -> dict[str, EntryPoint]:
        """The entry points of installed packages by name; ours go before one of the same name."""
        return {point.name: point for point in entry_points(group=self.group) if point.name not in self}

    def find(self, name: str, folder: Path | None = None) -> T:
        """The entry of a name: ours, an entry point's, or what ``module:attribute`` gives, looked for in
        ``folder`` or the current one, too. Raises InputError where there is none, or ``check`` refuses it."""
        if name in self:
            return self[name]
        if ":" in name:
            entry = load_attribute(name, self.kind, folder)
        elif name in (points := self.outside()):
            try:
                entry = points[name].load()
            except (Exception, SystemExit) as error:  # whatever somebody else's module raises
                origin = points[name].value
                raise InputError(f"{self.kind} {name}: cannot load {origin} ({reason(error)})") from error
        else:
            near = suggestion(name, [*self, *points])
            raise InputError(f"{self.kind} {name!r} is not known; {near} or give module:attribute")
        if problem := self._check(entry):
            raise InputError(f"{self.kind} {name}: {problem}")
        return entry


def collect(package: ModuleType, attribute: str) -> dict[str, Any]:
    """The dicts of one name in the modules of a package, joined: who adds a module there changes nothing else."""
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        found |= getattr(importlib.import_module(info.name), attribute, {})
    return found


@cache
def installed_version(package: str) -> str:
    """The installed version of a package; '' where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that one was probably meant to be, or None."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)


def suggestion(name: str, known: Iterable[str], what: str = "known", none: str = "") -> str:
    """The nearest known name as a question, or all of them; ``none`` stands for a list without names."""
    known = list(known)
    near = nearest(name, known)
    return f"did you mean {near!r}?" if near else f"{what}: {', '.join(known) or none}"


def load_attribute(name: str, kind: str, folder: Path | None = None) -> Any:
    """The object that ``module:attribute`` names, looked for in ``folder`` or the current one, too. Raises
    InputError where it is no such name, the module cannot be imported, or it has no such attribute."""
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise InputError(f"{kind} {name!r}: expected module:attribute")
    module = load_module(module_name, f"{kind} {name}", folder)
    if not hasattr(module, attribute):
        near = nearest(attribute, [known for known in vars(module) if not known.startswith("_")])
        hint = f"; did you mean {near!r}?" if near else ""
        raise InputError(f"{kind} {name}: {module_name} has no {attribute!r}{hint}")
    return getattr(module, attribute)


def load_module(name: str, asker: str, folder: Path | None = None) -> ModuleType:
    """The module of a name, looked for in ``folder`` or the current one, too; ``asker`` begins messages. Raises
    InputError where it cannot be imported."""
    here = folder or Path.cwd()
    if ("" not in sys.path or here != Path.cwd()) and str(here) not in sys.path:
        sys.path.insert(0, str(here))  # a console script does not look where it was called
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever somebody else's module raises
        hint = f"; give the module, {name[:-3]}, and not its file" if name.endswith(".py") else ""
        raise InputError(f"{asker}: cannot import {name} ({reason(error)}){hint}") from error


def reason(error: BaseException, ours: Iterable[str] = ()) -> str:
    """An exception in one line, with the place in the code that raised it, which is in none of the files ``ours``;
    a PseBenchError says itself what to do."""
    if isinstance(error, PseBenchError):
        return str(error)
    skipped = {__file__, importlib.__file__, *ours}
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename not in skipped and not frame.filename.startswith("<"):
            place = f" at {Path(frame.filename).name}:{frame.lineno}"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}{': ' if text else ''}{text}{place}"
