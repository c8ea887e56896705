"""leaderboard: who stands where."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pse_bench.cli import options

if TYPE_CHECKING:
    from pse_bench.leaderboard.table import Kind


@click.group()
def leaderboard() -> None:
    """Leaderboards: a CSV with a row a system, and beside it what each row was made from."""


@leaderboard.command()
@click.argument("board", type=options.FILE)
@click.argument("results", nargs=-1, required=True, type=options.FOLDER)
@click.option(
    "--kind",
    type=click.Choice(["reference", "baseline", "submission"]),
    default="submission",
    show_default=True,
    help="What the systems are. One with the wrong enrollment is a control by itself.",
)
@click.option("--date", metavar="YYYY-MM-DD", default="", help="Date of the rows; today by default.")
@click.option("--rtf", type=click.FloatRange(0), help="Real-time factor on one thread.")
@click.option("--replace", is_flag=True, help="Take the place of the row of the same system and version.")
def add(board: Path, results: tuple[Path, ...], kind: "Kind", date: str, rtf: float | None, replace: bool) -> None:
    """Put RESULTS on BOARD, the CSV named after their dataset (<name>-v<version>.csv).

    Refused: partial results, results of another dataset or version of a metric, and changed files.
    """
    from pse_bench.leaderboard import leaderboard as boards

    for result in results:
        row = boards.add(board, result, kind=kind, date=date, rtf=rtf, replace=replace)
        entry = row.entry
        place = (
            f"rank {entry.rank}, mean rank {entry.mean_rank:.1f}" if entry.rank else "a control, without a rank"
        )
        click.echo(f"{board}: {entry.name}: {place}")


@leaderboard.command()
@click.argument("board", type=options.FILE)
@click.option("--sort", metavar="COLUMN", help="Order by a column of the CSV, best first; by rank by default.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "csv"]),
    default="terminal",
    show_default=True,
    help="How to print; csv has every column.",
)
def show(board: Path, sort: str | None, form: str) -> None:
    """Print BOARD with the figures that are ranked."""
    from pse_bench.leaderboard import display
    from pse_bench.leaderboard.table import read

    rows = read(board)
    click.echo(display.FORMATS[form](board, display.by_column(rows, sort) if sort else rows, sort or ""))


@leaderboard.command()
@click.argument("board", type=options.FILE)
@click.argument("results", nargs=-1, type=options.FOLDER)
@options.as_json
def verify(board: Path, results: tuple[Path, ...], as_json: bool) -> None:
    """Compute BOARD again from what is kept beside it: figures, hashes, ranks and order.

    With RESULTS, their rows are computed again from every single score.
    """
    from pse_bench.leaderboard import leaderboard as boards

    problems = boards.verify(board, results)
    if as_json:
        click.echo(json.dumps({"board": str(board), "problems": problems}))
    else:
        options.echo_errors(problems)
    if problems:
        sys.exit(1)
    if not as_json:
        again = f", {len(results)} of them from their scores" if results else ""
        click.echo(f"{board}: all rows follow from their results{again}")


COMMANDS = (leaderboard,)
