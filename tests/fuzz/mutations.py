"""Documents made wrong on purpose: a valid one, and what chance does to it. A pure function of a generator.

Each kind of document has its own mistakes (a cell moved, a key twice, an alias, a size in a header that lies), and
all of them have those of bytes: bits turned, cuts, stretches from another document.
"""

import random
from collections.abc import Sequence

from binary_mistakes import BINARY, BYTES, SAFETENSORS, ZIP
from json_mistakes import JSON
from mistake import LARGEST, Mutation
from text_mistakes import CSV, TEXT, YAML

KINDS: dict[str, tuple[Mutation, ...]] = {
    "text": TEXT,
    "csv": CSV,
    "json": JSON,
    "yaml": YAML,
    "binary": BINARY,
    "zip": ZIP,
    "safetensors": SAFETENSORS,
}


def mutate(chance: random.Random, seeds: Sequence[bytes], kind: str) -> bytes:
    """A document with one to four mistakes in it; now and then none."""
    content = chance.choice(seeds)
    own = KINDS[kind]
    for _ in range(chance.choice((0, 1, 1, 1, 1, 2, 2, 3, 4))):
        change = chance.choice(own if chance.random() < 0.75 else BYTES)
        content = change(chance, content, seeds)
        if len(content) > LARGEST:
            content = content[:LARGEST]
    return content
