"""YAML that people and strangers write, read without surprises: plain values in bounded time and memory."""

from pathlib import Path
from typing import Any

import yaml

from pse_bench.errors import InputError
from pse_bench.io import documents

LONGEST = 32_768
"""Characters of the longest document that is read: several times any that is of use, and a second's work."""
DEEPEST = 40
"""Lists and mappings inside each other; the library's time grows with the square of their depth."""
MOST_BITS = 128
"""Of a whole number; larger ones can neither be computed with nor, at some size, be printed."""


class _Alias(yaml.YAMLError):
    """A reference to another place, a few of which can stand for gigabytes."""


class PlainYaml(yaml.SafeLoader):
    """Plain YAML without tags, aliases, or a key given twice."""

    _depth = 0

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            try:
                twice = key in seen
            except TypeError:
                break  # a list or mapping as a key, which is refused below
            if twice:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} given twice", node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:
        value = super().construct_scalar(node)
        value.encode()  # half of a surrogate pair is no character
        return value

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        """A whole number of a size to compute with."""
        number = self.construct_yaml_int(node)
        if number.bit_length() > MOST_BITS:
            raise yaml.constructor.ConstructorError(None, None, "a number too large", node.start_mark)
        return number

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise _Alias
        if getattr(self.peek_event(), "tag", None) is not None:
            raise yaml.composer.ComposerError(None, None, "tags are not used here", self.peek_event().start_mark)
        if self._depth == DEEPEST:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", self.peek_event().start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


PlainYaml.add_constructor("tag:yaml.org,2002:int", PlainYaml.construct_whole)


def load(path: Path, loader: type[PlainYaml] = PlainYaml) -> Any:
    """The content of a file. Raises InputError as ``read``, and when there is no such file."""
    if path.is_file() and path.stat().st_size > 4 * LONGEST:  # not even to be looked at
        raise _too_long(str(path))
    return read(documents.read_text(path), str(path), loader)


def read(text: str, where: str, loader: type[PlainYaml] = PlainYaml) -> Any:
    """The content of a document; ``where`` names it in the error.

    Raises:
        InputError: it is too long, not YAML, or has tags, aliases, a key twice, or a number beyond all use.
    """
    if len(text) > LONGEST:
        raise _too_long(where)
    try:
        return yaml.load(text, Loader=loader)
    except _Alias as error:
        raise InputError(
            f"{where}: aliases are not used here: it refers to another place in it (*name); write the value out"
        ) from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        # all but the first: of dates and numbers that look right and are not, and of too many brackets
        raise InputError(f"{where}: not YAML ({' '.join(str(error).split()):.200}); repair it") from error


def _too_long(where: str) -> InputError:
    return InputError(f"{where}: over {LONGEST} characters long; keep it to the known keys")
