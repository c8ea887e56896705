"""Mistakes of bytes, of numbers in headers, of zips and of safetensors."""

import random
from collections.abc import Sequence

from json_mistakes import change_json
from mistake import INTEGERS, SPECIAL_BYTES, Mutation, odd_text

# ---- bytes


def _place(chance: random.Random, content: bytes) -> int:
    return chance.randrange(len(content) + 1)


def _flip(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    if not content:
        return content
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    return content[: _place(chance, content)]


def _drop(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    first = _place(chance, content)
    return content[:first] + content[first + chance.choice((1, 1, 2, 4, 16, 100)) :]


def _repeat(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    first = _place(chance, content)
    piece = content[first : first + chance.choice((1, 4, 16, 100, 1000))]
    return content[:first] + piece * chance.choice((2, 2, 3, 50)) + content[first + len(piece) :]


def _splice(chance: random.Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    other = chance.choice(seeds)
    return content[: _place(chance, content)] + other[_place(chance, other) :]


def _insert(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    first = _place(chance, content)
    odd = chance.choice(SPECIAL_BYTES) if chance.random() < 0.4 else odd_text(chance).encode()
    return content[:first] + odd + content[first:]


BYTES: tuple[Mutation, ...] = (_flip, _cut, _drop, _repeat, _splice, _insert)


# ---- headers


def _field(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """A whole number where another stood, most often in the first hundred bytes."""
    if len(content) < 8:
        return content
    size = chance.choice((1, 2, 2, 4, 4, 4, 8))
    first = chance.randrange(min(len(content), 100) if chance.random() < 0.6 else len(content))
    number = chance.choice(INTEGERS) if chance.random() < 0.8 else chance.getrandbits(64)
    order = "little" if chance.random() < 0.6 else "big"
    return content[:first] + (number % 256**size).to_bytes(size, order) + content[first + size :]


def _zip_field(chance: random.Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """A field of one of a zip's headers."""
    marks = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\7\x08")
    places = [place for mark in marks for place in _all(content, mark)]
    if not places:
        return _field(chance, content, seeds)
    first = chance.choice(places) + chance.randrange(4, 46)
    size = chance.choice((1, 2, 2, 4, 4, 8))
    number = chance.choice(INTEGERS) % 256**size
    return content[:first] + number.to_bytes(size, "little") + content[first + size :]


def _all(content: bytes, mark: bytes) -> list[int]:
    found, place = [], content.find(mark)
    while place >= 0:
        found.append(place)
        place = content.find(mark, place + 1)
    return found


BINARY: tuple[Mutation, ...] = (_field, _field, _field, *BYTES)
ZIP: tuple[Mutation, ...] = (_zip_field, _zip_field, _zip_field, _field, *BYTES)


def _safetensors(chance: random.Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """A change of the JSON at the head, with the length that belongs to it most of the time."""
    size = int.from_bytes(content[:8], "little")
    head = change_json(chance, content[8 : 8 + size].rstrip(b" "), seeds).rstrip(b"\n")
    told = len(head) if chance.random() < 0.95 else chance.choice(INTEGERS)
    return told.to_bytes(8, "little") + head + content[8 + size :]


SAFETENSORS: tuple[Mutation, ...] = (_safetensors, _safetensors, _safetensors, _field, *BYTES)
