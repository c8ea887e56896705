"""Corpus readers. Every module of this package is one: it holds a ``READER`` and is called as its command is."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from pse_bench.corpora.reader import Reader
from pse_bench.registry import Registry

READERS: Registry[Reader[Any]] = Registry(
    "corpus reader",
    {module.name: import_module(f"{__name__}.{module.name}").READER for module in iter_modules(__path__)},
    group="pse_bench.corpora",
    check=lambda entry: "" if isinstance(entry, Reader) else "not a pse_bench.corpora.reader.Reader",
)
