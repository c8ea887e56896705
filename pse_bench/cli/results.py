"""table, compare: results as text."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from pse_bench.cli import options

form = click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "csv"]),
    default="terminal",
    show_default=True,
    help="How to print.",
)
by = click.option(
    "--by",
    metavar="COLUMN",
    help="Break down by a column of mixtures.csv (numbers in bands), gender_pair or same_gender.",
)


@click.command()
@click.argument("results", nargs=-1, required=True, type=options.FOLDER)
@by
@form
def table(results: tuple[Path, ...], by: str | None, form: str) -> None:
    """Print results side by side: a table a scenario, a column a system."""
    from pse_bench.reporting import tables
    from pse_bench.scoring.results import Result, check_comparable

    opened = [Result.open(folder) for folder in results]
    check_comparable(opened)
    click.echo(tables.FORMATS[form](opened, by=by))


@click.command()
@click.argument("result_a", type=options.FOLDER)
@click.argument("result_b", type=options.FOLDER)
@click.option("--metrics", help="Names separated by commas: the family of figures; all that both have by default.")
@by
@form
@options.as_json
def compare(result_a: Path, result_b: Path, metrics: str | None, by: str | None, form: str, as_json: bool) -> None:
    """Say what differs between two results, mixture by mixture, and how sure that is.

    A difference is named only when a test corrected for all figures shown rejects, its interval excludes zero, and
    it is large enough to matter. Ask for the figures that you want to know about: few are told apart more easily.
    """
    from pse_bench.reporting import tables
    from pse_bench.scoring import comparison
    from pse_bench.scoring.results import Result

    opened = [Result.open(folder) for folder in (result_a, result_b)]
    names = [name.strip() for name in metrics.split(",")] if metrics else None
    found = comparison.compare(*opened, names=names, by=by)
    if as_json:
        lines = [asdict(line) for line in found.lines]
        click.echo(json.dumps({"lines": lines, "speakers": found.speakers, "notes": found.notes}))
    else:
        click.echo(tables.COMPARE_FORMATS[form](found, opened, by=by))


COMMANDS = (table, compare)
