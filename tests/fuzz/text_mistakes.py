"""Mistakes of lines and words, of tables and of YAML."""

import random
from collections.abc import Callable, Sequence

from mistake import LARGEST, NUMBERS, Mutation, odd_text

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
    lines.insert(chance.randrange(len(lines) + 1), odd_text(chance).encode())


def _odd_word(chance: random.Random, lines: list[bytes]) -> None:
    index = chance.randrange(len(lines))
    words = lines[index].split(b" ")
    words[chance.randrange(len(words))] = odd_text(chance).encode()
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
    cells[chance.randrange(len(cells))] = _quoted(odd_text(chance))
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


# ---- YAML


def _yaml_value(chance: random.Random, lines: list[bytes]) -> None:
    index = chance.randrange(len(lines))
    key, colon, _ = lines[index].partition(b":")
    if colon:
        lines[index] = key + b": " + chance.choice(YAML_VALUES)(chance).encode()


YAML_TAGS = ("python/object/apply:os.system", "int", "float", "binary", "timestamp", "set", "bool", "omap")
YAML_WORDS = (
    ("*a", "&a b", "&a [*a]", "<<: *a", "{<<: {a: b}}", "{<<: [1]}", "{? [a]: b}", "? x"),
    ("2001-99-99", "2001-12-14t21:59:43.10-99:99", "0b", "0x", "-.inf", ".nan", "190:20:30.15"),
    ("0x_", "0b_", "1__", "+_", "-_", "0o9", "=", "<<", "|", ">-", "%YAML 9.9", "---", "..."),
    ("9" * 5000, "0x" + "f" * 9000, "0b" + "1" * 9000, "1:" * 900 + "1", "9:" * 300 + "9.5"),
)
YAML_VALUES: tuple[Callable[[random.Random], str], ...] = (
    odd_text,
    odd_text,
    lambda chance: f'"{odd_text(chance)}"',
    lambda chance: "[" * chance.choice((1, 40, 300)),
    lambda chance: "{a: " * chance.choice((1, 40, 300)),
    lambda chance: "- " * chance.choice((1, 40, 300)),
    lambda chance: "[" + "a, " * chance.choice((1, 40, 300)),
    lambda chance: "{uniform: [" + odd_text(chance) + ", " + odd_text(chance) + "]}",
    lambda chance: "{choice: [" + ", ".join(odd_text(chance) for _ in range(3)) + "]}",
    lambda chance: chance.choice(YAML_WORDS[0]),
    lambda chance: f"!!{chance.choice(YAML_TAGS)} {odd_text(chance)}",
    lambda chance: chance.choice(YAML_WORDS[1]),
    lambda chance: chance.choice(YAML_WORDS[2]),
    lambda chance: chance.choice(YAML_WORDS[3]),
    lambda chance: '"' + chance.choice(("\\ud800", "\\x00", "\\U0010ffff", "\\Uffffffff", "\\x1b[2J", "\\")) + '"',
)


def _yaml_indent(chance: random.Random, lines: list[bytes]) -> None:
    index = chance.randrange(len(lines))
    lines[index] = b" " * chance.randrange(9) + lines[index].lstrip(b" ")


def _yaml_bomb(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """A few lines that stand for gigabytes, many keys, or a ladder of brackets."""
    depth = chance.choice((3, 9, 30))
    laughs, merges = "a0: &a0 [x, x]\n", "m0: &m0 {a: 1}\n"
    for n in range(1, depth):
        laughs += f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n"
        merges += f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}\n"
    keys = "".join(f"k{n}: {n}\n" for n in range(chance.choice((20, 60, 300))))
    bombs = (laughs, merges, keys, "[" * 300, "{" * 300, "- " * 300, "? " * 300, "? [" * 300, "'" * 99)
    odd = chance.choice(bombs)
    return odd.encode() + content if chance.random() < 0.5 else content + b"\n" + odd.encode()


YAML = (
    *map(_lines, (_yaml_value, _yaml_value, _yaml_value, _yaml_value, _yaml_indent)),
    *map(_lines, (_line_twice, _line_gone, _lines_swapped, _odd_line, _odd_word)),
    _yaml_bomb,
    _other_ends,
)
