"""Documents made wrong on purpose: a valid one, and what chance does to it. A pure function of a generator.

Each kind of document has its own mistakes (a cell moved, a key twice, an alias, a size in a header that lies), and
all of them have those of bytes: bits turned, cuts, stretches from another document.
"""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

LARGEST = 400_000
"""Bytes beyond which a mutated document is cut."""

NUMBERS = (
    *("0", "-1", "1", "2", "-0", "0.0", "1e-320", "1e308", "1e309", "-1e309", "NaN", "nan", "inf", "-Infinity"),
    *("127", "255", "32768", "65536", "2147483647", "2147483648", "-2147483649", "4294967295", "9007199254740993"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616", "1" + 40 * "0", "1" + 400 * "0"),
    *("0x10", "1_000", "1,5", "+3", "٣", "²", "1:30", "0o17", "1.", ".5", "1e5", "1E+400", "00012", " 7 "),
)
LONG_NUMBERS = ("9" * 4300, "9" * 4301, "1" + "0" * 20_000, "0." + "3" * 5000)
WORDS = (
    *(
        "",
        " ",
        "\t",
        "true",
        "False",
        "null",
        "~",
        "None",
        "[]",
        "{}",
        "TS1",
        "TS9",
        "all",
        "pcm:",
        "ok",
        "2026-99-99",
    ),
    *("..", "../../etc/passwd", "/", "/dev/zero", "a/b", "C:\\x", "con", ".", "-", "--", "a b", "part-1-of-2"),
    *("=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "<script>alert(1)</script>", "{{7*7}}", "%s%n", "${HOME}", "'\"`"),
    *(
        "\0",
        "\x1b[31mred",
        "\x07",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202ertl",
        "\ufeff",
        "\ufffd",
        "é",
        "e\u0301",
        "İ",
        "ß",
    ),
    *("𝟙", "\U0001f600", "\u200b", "０１", "\r", "\r\n", '"', '""', "'", "\\", "\\u0000", "#", ";", "|", ","),
)
LONG_WORDS = ("a" * 300, "a" * 5000, "é" * 3000, "a" * 140_000, "x/" * 20_000, "\u202e" * 1000, "\x1b[2J" * 400)
SPECIAL_BYTES = (
    b"\0",
    b"\xff",
    b"\xfe\xff",
    b"\xff\xfe",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
)
INTEGERS = (0, 1, 2, 3, 4, 7, 8, 15, 16, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31)
INTEGERS = (*INTEGERS, 2**32 - 2, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


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


def _odd(chance: random.Random) -> str:
    """A value that nobody expects."""
    pick = chance.random()
    if pick < 0.45:
        return chance.choice(NUMBERS)
    if pick < 0.96:
        return chance.choice(WORDS)
    return chance.choice(LONG_NUMBERS if pick < 0.98 else LONG_WORDS)


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
    odd = chance.choice(SPECIAL_BYTES) if chance.random() < 0.4 else _odd(chance).encode()
    return content[:first] + odd + content[first:]


BYTES: tuple[Mutation, ...] = (_flip, _cut, _drop, _repeat, _splice, _insert)


# ---- lines and words


def _lines(change: Callable[[random.Random, list[bytes]], None]) -> Mutation:
    def mutation(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
        lines = content.split(b"\n")
        change(chance, lines)
        return b"\n".join(lines)

    return mutation


def _line_twice(chance: random.Random, lines: list[bytes]) -> None:
    index = chance.randrange(len(lines))
    times = min(chance.choice((1, 1, 1, 300)), 1 + LARGEST // (len(lines[index]) + 1))
    lines[index:index] = [lines[index]] * times


def _line_gone(chance: random.Random, lines: list[bytes]) -> None:
    del lines[chance.randrange(len(lines))]


def _lines_swapped(chance: random.Random, lines: list[bytes]) -> None:
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _odd_line(chance: random.Random, lines: list[bytes]) -> None:
    lines.insert(chance.randrange(len(lines) + 1), _odd(chance).encode())


def _odd_word(chance: random.Random, lines: list[bytes]) -> None:
    index = chance.randrange(len(lines))
    words = lines[index].split(b" ")
    words[chance.randrange(len(words))] = _odd(chance).encode()
    lines[index] = b" ".join(words)


def _other_ends(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    return content.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n\n", b"\x85", "\u2028".encode())))


LINES = tuple(map(_lines, (_line_twice, _line_gone, _lines_swapped, _odd_line, _odd_word)))
TEXT: tuple[Mutation, ...] = (*LINES, _other_ends)


# ---- tables


def _quoted(text: str) -> bytes:
    return b'"' + text.replace('"', '""').encode() + b'"' if any(c in text for c in ',"\r\n') else text.encode()


def _cell_odd(chance: random.Random, lines: list[bytes]) -> None:
    index = chance.randrange(len(lines))
    cells = lines[index].split(b",")
    cells[chance.randrange(len(cells))] = _quoted(_odd(chance))
    lines[index] = b",".join(cells)


def _cells_swapped(chance: random.Random, lines: list[bytes]) -> None:
    index = chance.randrange(len(lines))
    cells = lines[index].split(b",")
    one, other = chance.randrange(len(cells)), chance.randrange(len(cells))
    cells[one], cells[other] = cells[other], cells[one]
    lines[index] = b",".join(cells)


def _cell_of_another_line(chance: random.Random, lines: list[bytes]) -> None:
    index, other = chance.randrange(len(lines)), lines[chance.randrange(len(lines))].split(b",")
    cells = lines[index].split(b",")
    place = chance.randrange(len(cells))
    cells[place] = other[min(place, len(other) - 1)]
    lines[index] = b",".join(cells)


def _column_moved(chance: random.Random, lines: list[bytes]) -> None:
    table = [line.split(b",") for line in lines]
    width = len(table[0])
    source, target = chance.randrange(width), chance.randrange(width)
    for cells in table:
        if len(cells) == width:
            cells.insert(target, cells.pop(source))
    lines[:] = [b",".join(cells) for cells in table]


def _column_gone_or_twice(chance: random.Random, lines: list[bytes]) -> None:
    table = [line.split(b",") for line in lines]
    width, twice = len(table[0]), chance.random() < 0.3
    place = chance.randrange(width)
    for cells in table:
        if len(cells) == width:
            cells[place : place + 1] = [cells[place]] * 2 if twice else []
    lines[:] = [b",".join(cells) for cells in table]


def _number_grown(chance: random.Random, lines: list[bytes]) -> None:
    index = chance.randrange(len(lines))
    cells = lines[index].split(b",")
    numeric = [place for place, cell in enumerate(cells) if cell[:1].isdigit() or cell[:1] == b"-"]
    if numeric:
        cells[chance.choice(numeric)] = chance.choice(NUMBERS).encode()
    lines[index] = b",".join(cells)


CSV = (
    *map(_lines, (_cell_odd, _cell_odd, _cells_swapped, _cell_of_another_line, _column_moved)),
    *map(_lines, (_column_gone_or_twice, _number_grown, _number_grown, _line_twice, _line_gone, _lines_swapped)),
    _other_ends,
)


# ---- JSON, also as lines of it


def _odd_value(chance: random.Random) -> Any:
    pick = chance.random()
    if pick < 0.35:
        return chance.choice(
            (0, -1, 1, 2, 2**31, 2**53, 2**63, -(2**64), 10**40, 10**400, 0.5, -0.0, 1e308, 1e-320)
        )
    if pick < 0.5:
        return chance.choice((float("nan"), float("inf"), float("-inf"), None, True, False))
    if pick < 0.75:
        return _odd(chance)
    if pick < 0.9:
        return chance.choice(
            ([], {}, [None], {"": 1}, [[]], {"a": {"a": {}}}, [1, "a"], {"schema": 1}, "\ud800", [{}])
        )
    deep: Any = _odd(chance)
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
        place[key[:-1] if key and chance.random() < 0.5 else _odd(chance)] = place.pop(key)


def _number_changed(chance: random.Random, place: Any, key: Any) -> None:
    if isinstance(place[key], (int, float)):
        place[key] = chance.choice(
            (place[key] * -1, place[key] + 1, place[key] * 10**9, 0, str(place[key]), 2**62)
        )


def _value_from_elsewhere(chance: random.Random, place: Any, key: Any) -> None:
    if isinstance(place, dict) and len(place) > 1:
        place[key] = place[chance.choice(list(place))]
    elif isinstance(place, list):
        place.extend([place[key]] * chance.choice((1, 1, 40)))


JSON_CHANGES = (
    _value_odd,
    _value_odd,
    _value_gone,
    _value_wrapped,
    _key_renamed,
    _number_changed,
    _value_from_elsewhere,
)


def _json(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """A change of a document that is JSON, or of a line of it."""
    lines = content.split(b"\n")
    whole = content[:1] == b"{" and b"\n{" not in content
    index = 0 if whole else chance.randrange(len(lines))
    try:
        document = json.loads(content if whole else lines[index])
        spots = _spots(document)
    except (ValueError, RecursionError):
        return _odd(chance).encode() + content if whole else content
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
            *(
                b"'a'",
                b"01",
                b"1.",
                b"nul",
                b'{"schema":1,"schema":2}',
                b'"' + b"a" * 20_000 + b'"',
                b"[" + b"0," * 9000,
            ),
        )
    )
    return content[:first] + odd + content[min(stops, default=first) :]


JSON: tuple[Mutation, ...] = (_json, _json, _json, _json, _json_raw, *LINES[:3])


# ---- YAML


def _yaml_value(chance: random.Random, lines: list[bytes]) -> None:
    index = chance.randrange(len(lines))
    key, colon, _ = lines[index].partition(b":")
    if colon:
        lines[index] = key + b": " + chance.choice(YAML_VALUES)(chance).encode()


YAML_VALUES: tuple[Callable[[random.Random], str], ...] = (
    _odd,
    _odd,
    lambda chance: f'"{_odd(chance)}"',
    lambda chance: "[" * chance.choice((1, 40, 300)),
    lambda chance: "{a: " * chance.choice((1, 40, 300)),
    lambda chance: "- " * chance.choice((1, 40, 300)),
    lambda chance: "[" + "a, " * chance.choice((1, 40, 300)),
    lambda chance: "{uniform: [" + _odd(chance) + ", " + _odd(chance) + "]}",
    lambda chance: "{choice: [" + ", ".join(_odd(chance) for _ in range(3)) + "]}",
    lambda chance: chance.choice(
        ("*a", "&a b", "&a [*a]", "<<: *a", "{<<: {a: b}}", "{<<: [1]}", "{? [a]: b}", "? x")
    ),
    lambda chance: (
        "!!"
        + chance.choice(
            ("python/object/apply:os.system", "int", "float", "binary", "timestamp", "set", "bool", "omap")
        )
        + " "
        + _odd(chance)
    ),
    lambda chance: chance.choice(
        ("2001-99-99", "2001-12-14t21:59:43.10-99:99", "0b", "0x", "-.inf", ".nan", "190:20:30.15")
    ),
    lambda chance: chance.choice(
        ("0x_", "0b_", "1__", "+_", "-_", "0o9", "=", "<<", "|", ">-", "%YAML 9.9", "---", "...")
    ),
    lambda chance: chance.choice(
        ("9" * 5000, "0x" + "f" * 9000, "0b" + "1" * 9000, "1:" * 900 + "1", "9:" * 300 + "9.5")
    ),
    lambda chance: '"' + chance.choice(("\\ud800", "\\x00", "\\U0010ffff", "\\Uffffffff", "\\x1b[2J", "\\")) + '"',
)


def _yaml_indent(chance: random.Random, lines: list[bytes]) -> None:
    index = chance.randrange(len(lines))
    lines[index] = b" " * chance.randrange(9) + lines[index].lstrip(b" ")


def _yaml_bomb(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """A few lines that stand for gigabytes, many keys, or a ladder of brackets."""
    depth = chance.choice((3, 9, 30))
    laughs = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, depth)
    )
    merges = "m0: &m0 {a: 1}\n" + "".join(
        f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}\n" for n in range(1, depth)
    )
    keys = "".join(f"k{n}: {n}\n" for n in range(chance.choice((20, 60, 300))))
    odd = chance.choice(
        (laughs, merges, keys, "[" * 300, "{" * 300, "- " * 300, "? " * 300, "? [" * 300, "'" * 99)
    )
    return odd.encode() + content if chance.random() < 0.5 else content + b"\n" + odd.encode()


YAML = (
    *map(_lines, (_yaml_value, _yaml_value, _yaml_value, _yaml_value, _yaml_indent)),
    *map(_lines, (_line_twice, _line_gone, _lines_swapped, _odd_line, _odd_word)),
    _yaml_bomb,
    _other_ends,
)


# ---- binary


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
    head = _json(chance, content[8 : 8 + size].rstrip(b" "), seeds).rstrip(b"\n")
    told = len(head) if chance.random() < 0.95 else chance.choice(INTEGERS)
    return told.to_bytes(8, "little") + head + content[8 + size :]


SAFETENSORS: tuple[Mutation, ...] = (_safetensors, _safetensors, _safetensors, _field, *BYTES)

KINDS: dict[str, tuple[Mutation, ...]] = {
    "text": TEXT,
    "csv": CSV,
    "json": JSON,
    "yaml": YAML,
    "binary": BINARY,
    "zip": ZIP,
    "safetensors": SAFETENSORS,
}
