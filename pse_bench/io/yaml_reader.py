"""YAML that people and strangers write, read without surprises: plain values in bounded time and memory."""

from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from pse_bench.errors import InputError
from pse_bench.io import documents

LONGEST = 32_768  # characters of a document: several times any that is of use, and a second's work
TOO_LONG = f"over {LONGEST} characters long; keep it to the known keys"
ALIAS = "aliases are not used here: it refers to another place in it (*name); write the value out"


class PlainYaml(yaml.SafeLoader):
    """Plain YAML without tags, aliases (a few of which can stand for gigabytes), or a key given twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise InputError(ALIAS)
        if getattr(event, "tag", None) is not None:
            raise ComposerError(None, None, "tags are not used here", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        content = super().construct_mapping(node, deep)
        if len(content) < len(keys):
            twice = next(key for number, key in enumerate(keys) if key in keys[:number])
            raise ConstructorError(None, None, f"key {twice!r} given twice", node.start_mark)
        return content

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:
        value = super().construct_scalar(node)
        value.encode()  # half of a surrogate pair is no character
        return value

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        number = super().construct_yaml_int(node)
        float(number)  # an OverflowError where it can neither be computed with nor be printed
        return number


PlainYaml.add_constructor("tag:yaml.org,2002:int", PlainYaml.construct_yaml_int)


def load(path: Path, loader: type[PlainYaml] = PlainYaml) -> Any:
    """The content of a file. Raises InputError as ``read``, and when there is no such file."""
    if path.is_file() and path.stat().st_size > 4 * LONGEST:  # not even decoded
        raise InputError(f"{path}: {TOO_LONG}")
    return read(documents.read_text(path), str(path), loader)


def load_mapping(path: Path, keys: str, loader: type[PlainYaml] = PlainYaml) -> dict[Any, Any]:
    """The mapping that a file holds. Raises InputError as ``load``, and with its ``keys`` where it holds none."""
    if isinstance(content := load(path, loader), dict):
        return content
    raise InputError(f"{path}: expected a mapping with {keys}")


def read(text: str, where: str, loader: type[PlainYaml] = PlainYaml) -> Any:
    """The content of a document; ``where`` names it in the error. Raises InputError where it is too long, not
    YAML, or has tags, aliases, a key twice, or a number beyond all use."""
    if len(text) > LONGEST:
        raise InputError(f"{where}: {TOO_LONG}")
    try:
        return yaml.load(text, Loader=loader)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        # all but the first: of dates and numbers that look right and are not, and of too many brackets
        raise InputError(f"{where}: not YAML ({' '.join(str(error).split()):.200}); repair it") from error
