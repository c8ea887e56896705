"""A group of commands that has one for each entry of a registry, made when the group is used."""

from collections.abc import Callable
from typing import Any

import click

from pse_bench.errors import InputError


class RegistryGroup(click.Group):
    """A group whose commands are its own, those of a registry's entries, and ``module:attribute``.

    Args:
        registry: gives the registry; it is called only when a command of the group is looked for.
        make: gives the command of an entry from its name and the entry.
    """

    def __init__(
        self, *args: Any, registry: Callable[[], Any], make: Callable[[str, Any], click.Command], **rest: Any
    ) -> None:
        super().__init__(*args, **rest)
        self._registry, self._make = registry, make

    def list_commands(self, ctx: click.Context) -> list[str]:
        known = self._registry()
        return sorted({*super().list_commands(ctx), *known, *known.outside()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (own := super().get_command(ctx, cmd_name)) is not None:
            return own
        known = self._registry()
        if ":" not in cmd_name and cmd_name not in known and cmd_name not in known.outside():
            return None
        try:
            return self._make(cmd_name, known.find(cmd_name))
        except InputError as error:
            raise click.ClickException(str(error)) from error
