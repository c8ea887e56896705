"""leaderboard: who stands where, on which evidence, and whether that is so."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from pse_bench.cli import cli, options


@cli.group()
def leaderboard() -> None:
    """Leaderboards: a CSV with a row a system, and beside it what each row was made from."""


_board = click.argument("board", type=options.FILE)
_kind = options.option(
    "--kind",
    type=click.Choice(["reference", "baseline", "submission"]),
    default="submission",
    help="What the systems are. One with the wrong enrollment is a control by itself.",
)
_date = click.option("--date", metavar="YYYY-MM-DD", default="", help="Date of the rows; today by default.")
_rtf = click.option("--rtf", type=click.FloatRange(0), help="Real-time factor on one thread.")
_figures = click.option(
    "--figures",
    type=options.FILE,
    help="What `pse-bench system SYSTEM -o FILE` wrote: real-time factors, latency class, parameters.",
)
_trained = click.option("--trained-on", metavar="TEXT", help="Training data, where system.yaml does not say it.")
_tuned = click.option(
    "--tuned-on",
    metavar="TEXT",
    help="What settings were chosen on, as the development twin of the set; `nothing` where none were.",
)
_licence = click.option("--licence", metavar="TEXT", help="Licence of code and weights.")
EVIDENCE = ["self-reported", "rescored", "blind", "reproduced"]
_evidence = click.option(
    "--evidence",
    type=click.Choice(EVIDENCE),
    default="self-reported",
    show_default=True,
    help="Who made the figures: the others are for whoever maintains the board.",
)


@leaderboard.command()
@_board
@options.results
@_kind
@_date
@_rtf
@click.option("--replace", is_flag=True, help="Take the place of the row of the same system and version.")
@_evidence
@_figures
@_trained
@_tuned
@_licence
def add(board: Path, results: tuple[Path, ...], **asked: Any) -> None:
    """Put RESULTS on BOARD, the CSV named after their dataset (<name>-v<version>.csv).

    Refused: partial results, results of another dataset or version of a metric, changed files, and submissions
    that do not say what they were trained and tuned on, and their licence.
    """
    from pse_bench.leaderboard import leaderboard as boards

    for result in results:
        click.echo(f"{board}: {_standing(boards.add(board, result, **asked).entry)}")


def _standing(entry: Any) -> str:
    ends = "" if entry.net_score_low is None else f" [{entry.net_score_low:.1f}, {entry.net_score_high:.1f}]"
    score = f"net score {entry.net_score:.1f}{ends}"
    if entry.rank is None:
        return f"{entry.name}: a {entry.kind}, without a rank, {score}"
    places = f"{entry.rank_low} to {entry.rank_high}" if entry.rank_low != entry.rank_high else f"{entry.rank}"
    return f"{entry.name}: rank {places}, {score}"


@leaderboard.command()
@_board
@click.option(
    "--sort", metavar="COLUMN", help="Order by a column of the CSV, best first; by net score by default."
)
@click.option("--all-rows", is_flag=True, help="Show references and controls, too, which have no rank.")
@options.figures
@options.formats(help="How to print; csv has every column and row.")
def show(board: Path, sort: str | None, all_rows: bool, **asked: Any) -> None:
    """Print BOARD: who stands where, with six headline figures, or those that are asked for."""
    from pse_bench.leaderboard import shown, table

    rows = table.read(board)
    letters = shown.groups_of(rows, table.read_pairs(board))
    rows = shown.by_column(rows, sort) if sort else rows
    few = rows if all_rows or asked["form"] == "csv" else shown.ranked(rows) or rows
    beside, hidden = sort or "", len(rows) - len(few)
    click.echo(shown.text(board, few, beside=beside, letters=letters, hidden=hidden, **asked))


@leaderboard.command()
@_board
@click.argument("results", nargs=-1, type=options.FOLDER)
@options.as_json
def verify(board: Path, results: tuple[Path, ...], as_json: bool) -> None:
    """Compute BOARD again from what is kept beside it: every figure, interval, rank and group, and all hashes.

    With RESULTS, their rows are held against these, too.
    """
    from pse_bench.leaderboard import verification

    problems = verification.verify(board, results)
    if as_json:
        click.echo(json.dumps({"board": str(board), "problems": problems}))
    elif not problems:
        again = f", {len(results)} of them from their scores" if results else ""
        click.echo(f"{board}: all rows follow from their results{again}")
    if not as_json and (early := verification.without_scores(board)):
        more = f" and {len(early) - 1} more" if len(early) > 1 else ""
        options.echo_note(f"{board}: no scores are kept of {early[0]}{more}, which an earlier version added")
    options.echo_errors([] if as_json else problems)
    if problems:
        sys.exit(1)


@leaderboard.command()
@_board
@click.argument("results", nargs=-1, type=options.FOLDER)
@click.option("--evidence", "evidence_is", type=click.Choice(EVIDENCE), help="Who made RESULTS.")
def rescore(board: Path, results: tuple[Path, ...], evidence_is: Any) -> None:
    """Bring BOARD to the figures and the order of today, from the scores that are kept beside it.

    With RESULTS, which are the submissions of some rows scored again, these rows are made from them.
    """
    from pse_bench.leaderboard import leaderboard as boards

    for line in boards.rescore(board, results, evidence_is=evidence_is):
        click.echo(f"{board}: {line}")


@leaderboard.command()
@click.argument("result", type=options.FOLDER)
@click.option("--board", required=True, type=options.FILE, help="The board, in a checkout of its repository.")
@options.out_folder
@_figures
@_trained
@_tuned
@_licence
def submit(result: Path, board: Path, out: Path, **asked: Any) -> None:
    """Make the bundle of a pull request: the files that RESULT adds to a board, and a text that says what they
    are. The board itself stays as it is.
    """
    from pse_bench.leaderboard import changes

    row = changes.submit(result, board, out, **asked)
    click.echo(f"{out}: {_standing(row.entry)}; copy its boards/ over {board.parent} and commit")


@leaderboard.command()
@_board
@click.option("--base", required=True, type=options.FILE, help="The CSV as it was before; an empty file for none.")
def review(board: Path, base: Path) -> None:
    """Say of every row of BOARD that differs from BASE whether it follows from its scores, and what it changes.

    A line a row, accepted or refused; exit status 1 where one is refused. `leaderboards/ci.sh` runs it on what a
    pull request changes.
    """
    from pse_bench.leaderboard import changes

    found = changes.review(board, base)
    for line in found:
        click.echo(f"{board}: {line.words}")
    if any(line.refused for line in found):
        sys.exit(1)


@leaderboard.command()
@click.argument("boards", nargs=-1, required=True, type=options.FILE)
@options.out_folder
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    type=options.FOLDER,
    help="The dataset of a board: adds scenes to see and hear; repeatable.",
)
@click.option(
    "--submission",
    "submissions",
    multiple=True,
    type=options.PLACE,
    help="What a row was scored from, a folder or a zip; repeatable. Needs --dataset.",
)
@options.force
def site(boards: tuple[Path, ...], out: Path, **asked: Any) -> None:
    """Write BOARDS as a folder of pages that any server of files can host: a page a board, and one a system.

    Pages hold all that they show, fetch nothing, and work from a disk, too. With --dataset and a --submission, a
    system's page has the worst and the median scene of each failure, with sound.
    """
    from pse_bench.reporting import board_site
    from pse_bench.runtime.progress import progress

    pages = board_site.write(boards, out, progress=progress, **asked)
    click.echo(f"{pages[0]}: {len(pages)} pages of {len(boards)} boards")
