"""table: results as text."""

from pathlib import Path

import click

from pse_bench.cli import options


@click.command()
@click.argument("results", nargs=-1, required=True, type=options.FOLDER)
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "csv"]),
    default="terminal",
    show_default=True,
    help="How to print.",
)
def table(results: tuple[Path, ...], form: str) -> None:
    """Print results side by side: a table a scenario, a column a system."""
    from pse_bench import tables
    from pse_bench.results import Result, check_comparable

    opened = [Result.open(folder) for folder in results]
    check_comparable(opened)
    click.echo(tables.FORMATS[form](opened))


COMMANDS = (table,)
