"""The one family of errors that a person, not a programmer, has to act on. The command line turns any of these
into a single line and exit status 1; every other exception is a fault of pse-bench and keeps its traceback."""

from typing import ClassVar

LONGEST = 500  # characters of a message


def one_line(text: str, longest: int = LONGEST) -> str:
    """A text that strangers may have had a hand in, safe to show on a terminal: no line ends, no control or other
    unprintable characters, and of a bounded length. What is too long loses its middle: a message begins with the
    file and ends with the remedy."""
    if len(text) > longest:
        tail = longest // 3
        text = f"{text[: longest - tail - 3]} … {text[len(text) - tail :]}"
    if not text.isprintable():
        text = plain(" ".join(text.splitlines()))
        if len(text) > longest:  # an escape takes up to ten characters
            return one_line(text, longest)
    return text


def plain(text: str) -> str:
    """A text that may hold names of strangers, fit for a terminal: what cannot be printed becomes escapes, so that
    no name moves the cursor or changes what stands above it. Lines stay."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


class PseBenchError(Exception):
    """Something that the user can put right. The message names the file, what was found, what was expected and
    what to do, on one line, whatever characters stood in the file."""

    longest: ClassVar[int] = LONGEST

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message, self.longest))


class InputError(PseBenchError):
    """A file or value that was handed in is not what it should be."""


class RequestError(PseBenchError):
    """A request that cannot be met with the clips or rooms at hand."""


class UndefinedScore(PseBenchError):
    """A metric has no value on this mixture through no fault of the system (silent reference, too short)."""


class FailedScore(PseBenchError):
    """A metric has no value because of the system's output (NaN, silence where speech is needed)."""
