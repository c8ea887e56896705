"""What a mistake is, and values that nobody expects."""

import random
from collections.abc import Callable, Sequence

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
    *("", " ", "\t", "true", "False", "null", "~", "None", "[]", "{}", "TS1", "TS9", "all", "pcm:", "ok"),
    *("2026-99-99",),
    *("..", "../../etc/passwd", "/", "/dev/zero", "a/b", "C:\\x", "con", ".", "-", "--", "a b", "part-1-of-2"),
    *("=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "<script>alert(1)</script>", "{{7*7}}", "%s%n", "${HOME}", "'\"`"),
    *("\0", "\x1b[31mred", "\x07", "\x7f", "\x85", "\u2028", "\u202ertl", "\ufeff", "\ufffd", "é", "e\u0301"),
    *(
        "İ",
        "ß",
        "𝟙",
        "\U0001f600",
        "\u200b",
        "０１",
        "\r",
        "\r\n",
        '"',
        '""',
        "'",
        "\\",
        "\\u0000",
        "#",
        ";",
        "|",
        ",",
    ),
)
LONG_WORDS = ("a" * 300, "a" * 5000, "é" * 3000, "a" * 140_000, "x/" * 20_000, "\u202e" * 1000, "\x1b[2J" * 400)
SPECIAL_BYTES = (
    *(
        b"\0",
        b"\xff",
        b"\xfe\xff",
        b"\xff\xfe",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xef\xbb\xbf",
    ),
)
INTEGERS = (0, 1, 2, 3, 4, 7, 8, 15, 16, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31)
INTEGERS = (*INTEGERS, 2**32 - 2, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def odd_text(chance: random.Random) -> str:
    """A value that nobody expects."""
    pick = chance.random()
    if pick < 0.45:
        return chance.choice(NUMBERS)
    if pick < 0.96:
        return chance.choice(WORDS)
    return chance.choice(LONG_NUMBERS if pick < 0.98 else LONG_WORDS)
