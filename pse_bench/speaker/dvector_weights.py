"""The d-vector network's file, read as data: a pickle of which whatever is no tensor is refused before it is made.

Neither resemblyzer, whose wheel holds the file, nor torch, which wrote it, is imported.
"""

import hashlib
import importlib.util
import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from pse_bench.errors import InputError

VARIABLE = "PSE_BENCH_DVECTOR"
REMEDY = (
    "run `python -m pip install --no-deps resemblyzer==0.1.4` (only its pretrained.pt is read), "
    f"or set {VARIABLE} to that file"
)
SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
"""The weights that define the embedding. Another file is refused, so this is also the hash of what was used."""


def missing() -> str:
    """Why no d-vector can be computed here, with the remedy; '' when the weights are in place."""
    try:
        weights_path()
    except InputError as error:
        return str(error)
    return ""


def weights_path() -> Path:
    """The weights file: what PSE_BENCH_DVECTOR names, else the one of the installed resemblyzer package.

    Raises:
        InputError: there is none.
    """
    if named := os.environ.get(VARIABLE):
        if not Path(named).is_file():
            raise InputError(f"{named}: no such file, named by {VARIABLE}; {REMEDY}")
        return Path(named)
    # Finding a top-level package does not run it.
    package = importlib.util.find_spec("resemblyzer")
    for folder in (package and package.submodule_search_locations) or ():
        path = Path(folder) / "pretrained.pt"
        if path.is_file():
            return path
    raise InputError(f"the d-vector weights are not installed; {REMEDY}")


def read() -> dict[str, np.ndarray]:
    """The network's tensors by name, float32, from the file at ``weights_path``.

    Raises:
        InputError: it is missing, unreadable or not the known one.
    """
    path = weights_path()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from error
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        raise InputError(f"{path}: not the d-vector weights (sha256 {found:.12}, expected {SHA256:.12}); {REMEDY}")
    return read_tensors(content)


class _View(NamedTuple):
    """A tensor as the file states it: a stretch of a storage, in elements."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Reader(pickle.Unpickler):
    """Unpickles dicts, lists, numbers, text and float tensors; anything else is refused before it is made."""

    known: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): lambda *stated: _View(*stated[:4]),
        ("torch", "FloatStorage"): "float32",
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.known:
            raise pickle.UnpicklingError(f"holds {module}.{name}, which is no tensor")
        return self.known[module, name]

    def persistent_load(self, pid: Any) -> str:
        kind, element, storage, *_ = pid
        if (kind, element) != ("storage", "float32"):
            raise pickle.UnpicklingError(f"holds a {kind} of {element}, expected float32 storage")
        return storage


def read_tensors(content: bytes) -> dict[str, np.ndarray]:
    """The tensors under ``model_state`` of a checkpoint in torch's older format (before its zip files): a magic
    number, a version and a description of the machine, the document, the names of its storages, and then each
    storage as a count of eight bytes and its float32 values.

    Raises:
        InputError: it is something else, damaged, or holds more than tensors and plain values.
    """
    stream = io.BytesIO(content)
    try:
        magic, version, machine = (_Reader(stream).load() for _ in range(3))
        if (magic, version, machine["little_endian"]) != (0x1950A86A20F9469CFC6C, 1001, True):
            raise ValueError("is not a checkpoint in torch's older format")
        views = _Reader(stream).load()["model_state"]
        storages = {}
        for name in _Reader(stream).load():
            count = int.from_bytes(stream.read(8), "little")
            storages[name] = np.frombuffer(stream.read(4 * count), dtype="<f4", count=count)
        return {name: _tensor(storages[view.storage], view) for name, view in views.items()}
    except Exception as error:  # a damaged pickle can raise anything
        raise InputError(
            f"the d-vector weights cannot be read ({error or type(error).__name__}); {REMEDY}"
        ) from error


def _tensor(storage: np.ndarray, view: _View) -> np.ndarray:
    """A copy. Only tensors whose elements lie in order without gaps are known."""
    size = int(np.prod(view.shape))
    in_order = tuple(int(np.prod(view.shape[i + 1 :])) for i in range(len(view.shape)))
    values = storage[view.offset : view.offset + size]
    if view.strides != in_order or view.offset < 0 or len(values) != size:
        raise ValueError("holds a tensor that does not lie in one piece")
    return values.reshape(view.shape).copy()
