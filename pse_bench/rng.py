"""Random numbers as pure functions of a seed and a name.

Every number that a scene depends on is drawn here, so it is the same whatever the order of the work, the
number of workers or the number of scenes asked for. Nothing in the package touches a global generator.
"""

import contextlib
import hashlib
import importlib
import json
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from struct import Struct
from typing import Any

import numpy as np

Name = str | int
_sha256: Callable[[bytes], Any] = hashlib.sha256
for _module in ("_sha2", "_sha256"):  # since Python 3.12, and before
    with contextlib.suppress(ImportError, AttributeError):
        # Python's own: of names, which are short, it makes a sum in half the time of OpenSSL's.
        _sha256 = importlib.import_module(_module).sha256
        break
_TEXT = json.JSONEncoder(separators=(",", ":"))
_FIRST_64_BITS = Struct(">Q").unpack_from


class SeedPath:
    """A seed with the beginning of a name, used as a seed: what the names of many draws have in common is encoded
    once. ``unit(SeedPath(seed, "a"), "b")`` is ``unit(seed, "a", "b")``."""

    __slots__ = ("head",)

    def __init__(self, seed: "Seed", *name: Name) -> None:
        self.head = _head(seed) + _parts(*name)


Seed = int | SeedPath


def _digest(seed: Seed, name: tuple[Name, ...]) -> bytes:
    return _sha256(f"{_head(seed)}{_encoded(name)}]".encode()).digest()


def _head(seed: Seed) -> str:
    """The beginning of a JSON list that is still open; an encoder for all of it takes several times as long."""
    return seed.head if type(seed) is SeedPath else f"[{seed if type(seed) is int else _TEXT.encode(seed)}"


def _encoded(name: tuple[Name, ...]) -> str:
    text = ""
    for part in name:
        if type(part) is str:
            text += f",{encode_basestring_ascii(part)}"
        else:
            text += f",{part if type(part) is int else _TEXT.encode(part)}"
    return text


@lru_cache(maxsize=4096, typed=True)
def _parts(*name: Name) -> str:
    """A name that is drawn for again and again, as the same quantity is in every scene."""
    return _encoded(name)


def unit(seed: Seed, *name: Name) -> float:
    """A number in [0, 1) with 53 random bits, fixed by ``seed`` and ``name``."""
    text = f"{seed.head if type(seed) is SeedPath else _head(seed)}{_parts(*name)}]"
    return (_FIRST_64_BITS(_sha256(text.encode()).digest())[0] >> 11) / 2.0**53


def units(count: int, seed: Seed, *name: Name) -> list[float]:
    """Numbers in [0, 1), fixed by ``seed`` and ``name``; fewer of them are the first of more."""
    raw = np.random.PCG64(int.from_bytes(_digest(seed, name)[:16], "big")).random_raw(count)
    found: list[float] = ((raw >> np.uint64(11)) / 2.0**53).tolist()
    return found


def uniform(low: float, high: float, seed: Seed, *name: Name) -> float:
    """A number in [low, high)."""
    return low + (high - low) * unit(seed, *name)


def integer(low: int, high: int, seed: Seed, *name: Name) -> int:
    """A whole number in [low, high], both ends included."""
    return low + math.floor((high - low + 1) * unit(seed, *name))


def choice(options: Sequence[Any], seed: Seed, *name: Name) -> Any:
    """One of ``options``, each equally likely."""
    return options[integer(0, len(options) - 1, seed, *name)]


def sort_key(seed: Seed, *name: Name) -> str:
    """A sorting key: items ordered by it stand in an order that depends on the names alone."""
    return _digest(seed, name).hex()


def white_noise(num_samples: int, seed: Seed, *name: Name) -> np.ndarray:
    """White Gaussian noise of unit variance, shape (num_samples,), float64.

    Made from the generator's raw bits, whose stream NumPy promises to keep, by summing twelve uniform
    numbers (Irwin-Hall): additions only, so the values are the same on every processor, which a logarithm
    or a cosine from a vector library would not promise. Values lie within ±6.
    """
    bits = np.random.PCG64(int.from_bytes(_digest(seed, name)[:16], "big"))
    total = np.zeros(num_samples)
    for _ in range(12):
        total += bits.random_raw(num_samples) >> np.uint64(11)
    return total / 2.0**53 - 6.0


def generator(seed: Seed, *name: Name) -> np.random.Generator:
    """A generator for statistics, fixed by ``seed`` and ``name``. Nothing that sounds uses it."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(_digest(seed, name)[:16], "big")))
