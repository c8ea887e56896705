"""Mistakes of JSON, also of lines of it."""

import json
import random
from collections.abc import Sequence
from typing import Any

from mistake import Mutation, odd_text
from text_mistakes import LINES

NUMBERS = (0, -1, 1, 2, 2**31, 2**53, 2**63, -(2**64), 10**40, 10**400, 0.5, -0.0, 1e308, 1e-320)
VALUES = (float("nan"), float("inf"), float("-inf"), None, True, False)


def _odd_value(chance: random.Random) -> Any:
    pick = chance.random()
    if pick < 0.35:
        return chance.choice(NUMBERS)
    if pick < 0.5:
        return chance.choice(VALUES)
    if pick < 0.75:
        return odd_text(chance)
    if pick < 0.9:
        odd = ([], {}, [None], {"": 1}, [[]], {"a": {"a": {}}}, [1, "a"], {"schema": 1}, "\ud800", [{}])
        return chance.choice(odd)
    deep: Any = odd_text(chance)
    for _ in range(chance.choice((3, 50, 400))):
        deep = [deep] if chance.random() < 0.5 else {"a": deep}
    return deep


def _spots(document: Any) -> list[tuple[Any, Any]]:
    """Every container with a key or index of it."""
    found, pending = [], [document]
    while pending:
        one = pending.pop()
        inside = one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ()
        for key, value in inside:
            found.append((one, key))
            if isinstance(value, (dict, list)):
                pending.append(value)
    return found


def _value_odd(chance: random.Random, place: Any, key: Any) -> None:
    place[key] = _odd_value(chance)


def _value_gone(_: random.Random, place: Any, key: Any) -> None:
    del place[key]


def _value_wrapped(chance: random.Random, place: Any, key: Any) -> None:
    place[key] = [place[key]] if chance.random() < 0.5 else {"": place[key]}


def _key_renamed(chance: random.Random, place: Any, key: Any) -> None:
    if isinstance(place, dict):
        place[key[:-1] if key and chance.random() < 0.5 else odd_text(chance)] = place.pop(key)


def _number_changed(chance: random.Random, place: Any, key: Any) -> None:
    if isinstance(number := place[key], (int, float)):
        place[key] = chance.choice((number * -1, number + 1, number * 10**9, 0, str(number), 2**62))


def _value_from_elsewhere(chance: random.Random, place: Any, key: Any) -> None:
    if isinstance(place, dict) and len(place) > 1:
        place[key] = place[chance.choice(list(place))]
    elif isinstance(place, list):
        place.extend([place[key]] * chance.choice((1, 1, 40)))


JSON_CHANGES = (_value_odd, _value_odd, _value_gone, _value_wrapped, _key_renamed, _number_changed)
JSON_CHANGES = (*JSON_CHANGES, _value_from_elsewhere)


def change_json(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """A change of a document that is JSON, or of a line of it."""
    lines = content.split(b"\n")
    whole = content[:1] == b"{" and b"\n{" not in content
    index = 0 if whole else chance.randrange(len(lines))
    try:
        document = json.loads(content if whole else lines[index])
        spots = _spots(document)
    except (ValueError, RecursionError):
        return odd_text(chance).encode() + content if whole else content
    if not spots:
        return content
    for _ in range(chance.choice((1, 1, 2))):
        place, key = chance.choice(spots)
        if (isinstance(place, dict) and key in place) or (isinstance(place, list) and key < len(place)):
            chance.choice(JSON_CHANGES)(chance, place, key)
    try:
        made = json.dumps(document).encode()
    except (ValueError, RecursionError):
        return content
    return made + b"\n" if whole else b"\n".join([*lines[:index], made, *lines[index + 1 :]])


def _json_raw(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """What no encoder writes, in place of a value."""
    colons = [index for index, byte in enumerate(content[:20_000]) if byte == ord(":")]
    if not colons:
        return content
    first = chance.choice(colons) + 1
    stops = [stop for stop in (content.find(b",", first), content.find(b"}", first)) if stop >= 0]
    deep = chance.choice((100, 900, 30_000))
    odd = chance.choice(
        (
            *(b"[" * deep, b'{"a":' * deep, b"9" * 5000, b"1e999", b"-NaN", b'"\\ud800"', b'"\\u0000"', b'"\x00"'),
            *(b"'a'", b"01", b"1.", b"nul", b'{"schema":1,"schema":2}', b'"' + b"a" * 20_000 + b'"'),
            b"[" + b"0," * 9000,
        )
    )
    return content[:first] + odd + content[min(stops, default=first) :]


JSON: tuple[Mutation, ...] = (change_json, change_json, change_json, change_json, _json_raw, *LINES[:3])
