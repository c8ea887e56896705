"""table, compare, report, inspect, leaderboard: results and datasets as text and pages, and who stands where."""

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

import pse_bench
from pse_bench.cli import cli, options
from pse_bench.errors import plain
from pse_bench.runtime.progress import progress

by = click.option(
    "--by",
    metavar="COLUMN",
    help="Break down by a column of mixtures.csv (numbers in bands), gender_pair or same_gender.",
)


@cli.command()
@options.results
@by
@options.figures
@click.option("--sort", metavar="METRIC", default="", help="Order systems by a figure, as TS2.tsos, best first.")
@options.formats(help="How to print; csv has every figure.")
def table(results: tuple[Path, ...], **asked: Any) -> None:
    """Print results side by side, a column a system: six headline figures, or those that are asked for."""
    from pse_bench.reporting import tables
    from pse_bench.scoring.results import check_comparable

    opened = [pse_bench.Result.open(folder) for folder in results]
    check_comparable(opened)
    click.echo(tables.results_text(opened, **asked))


@cli.command()
@click.argument("result_a", type=options.FOLDER)
@click.argument("result_b", type=options.FOLDER)
@click.option("--metrics", help="Names separated by commas: the family of figures; all that both have by default.")
@by
@options.intervals
@options.formats(help="How to print.")
@options.as_json
def compare(
    result_a: Path, result_b: Path, metrics: str | None, by: str | None, as_json: bool, **printed: Any
) -> None:
    """Say what differs between two results, mixture by mixture, and how sure that is.

    A difference is named only when a test corrected for all figures shown rejects, its interval excludes zero, and
    it is large enough to matter. Ask for the figures that you want to know about: few are told apart more easily.
    """
    from pse_bench.reporting import tables

    opened = [pse_bench.Result.open(folder) for folder in (result_a, result_b)]
    names = [name.strip() for name in metrics.split(",")] if metrics else None
    found = pse_bench.compare_results(*opened, names=names, by=by)
    if as_json:
        lines = [asdict(line) for line in found.lines]
        click.echo(json.dumps({"lines": lines, "speakers": found.speakers, "notes": found.notes}))
    else:
        click.echo(tables.comparison_text(found, opened, by=by, **printed))


@cli.command()
@options.results
@options.out_file
@click.option(
    "--dataset", type=options.FOLDER, help="What the results were scored on: adds scenes to see and hear."
)
@click.option(
    "--submission",
    "submissions",
    multiple=True,
    type=options.PLACE,
    help="What a result was scored from, a folder or a zip; repeatable. Needs --dataset.",
)
@options.option(
    "--scenes",
    "worst",
    type=click.IntRange(1, 9),
    default=2,
    help="Worst scenes of each system and failure; the median one is always there.",
)
@click.option("--title", default="", help="Title of the page.")
@options.jobs
@options.force
def report(results: tuple[Path, ...], out: Path, **asked: Any) -> None:
    """Make a page of RESULTS, one or several side by side: plots, tables, and scenes to listen to.

    One file that works from a mail attachment, without a network. Results hold figures only: with --dataset and a
    --submission for each system, the page has the worst and the median scenes of each failure, with sound.
    """
    from pse_bench.reporting.report import build

    size = build(results, out, progress=progress, **options.with_executor(asked, isolated=True))
    if not asked["submissions"]:
        options.echo_note("nothing to hear; add --dataset DIR and --submission DIR for each system")
    click.echo(f"{out}: {len(results)} result{'s' if len(results) > 1 else ''}, {size / 1e6:.1f} MB")


@cli.command()
@options.dataset
@click.option(
    "--scene", "scene_id", metavar="ID", help="Look at one scene: waveforms, spectrograms, activity, levels."
)
@click.option("-o", "--out", type=options.FILE, help="Page to write; without it there is only the summary.")
@options.force
def inspect(dataset: Path, scene_id: str | None, out: Path | None, force: bool) -> None:
    """Look at a dataset, or at one of its scenes, before it is used.

    How levels, rooms, distances and durations are spread, who speaks, how often clips are used, what looks odd.
    `verify` compares the files; this shows what they are.
    """
    from pse_bench.reporting import dataset_page, scene_page
    from pse_bench.reporting.clip_panel import Media

    if out:
        options.require_new(out, force)
    opened = pse_bench.Dataset.open(dataset).require_unchanged()
    if scene_id is None:
        with progress("looking", "scenes") as update:
            found = dataset_page.overview(opened, update)
        text, write = dataset_page.terminal(opened, found), partial(dataset_page.write, opened, found)
    else:
        kept = Media()
        shown = scene_page.scene(opened, scene_id, kept)
        text, write = (
            scene_page.terminal(scene_id, shown),
            partial(scene_page.write, opened, scene_id, shown, kept),
        )
    click.echo(plain(text))
    if out:
        click.echo(f"{out}: {write(out) / 1e6:.1f} MB", err=True)


@cli.group()
def leaderboard() -> None:
    """Leaderboards: a CSV with a row a system, and beside it what each row was made from."""


_board = click.argument("board", type=options.FILE)


@leaderboard.command()
@_board
@options.results
@options.option(
    "--kind",
    type=click.Choice(["reference", "baseline", "submission"]),
    default="submission",
    help="What the systems are. One with the wrong enrollment is a control by itself.",
)
@click.option("--date", metavar="YYYY-MM-DD", default="", help="Date of the rows; today by default.")
@click.option("--rtf", type=click.FloatRange(0), help="Real-time factor on one thread.")
@click.option("--replace", is_flag=True, help="Take the place of the row of the same system and version.")
def add(board: Path, results: tuple[Path, ...], **asked: Any) -> None:
    """Put RESULTS on BOARD, the CSV named after their dataset (<name>-v<version>.csv).

    Refused: partial results, results of another dataset or version of a metric, and changed files.
    """
    from pse_bench.leaderboard import leaderboard as boards

    for result in results:
        entry = boards.add(board, result, **asked).entry
        ranked = f"rank {entry.rank}, mean rank {entry.mean_rank:.1f}" if entry.rank else ""
        click.echo(f"{board}: {entry.name}: {ranked or 'a control, without a rank'}")


@leaderboard.command()
@_board
@click.option("--sort", metavar="COLUMN", help="Order by a column of the CSV, best first; by rank by default.")
@options.figures
@options.formats(help="How to print; csv has every column.")
def show(board: Path, sort: str | None, **asked: Any) -> None:
    """Print BOARD: who stands where, with six headline figures, or those that are asked for."""
    from pse_bench.leaderboard import table

    rows = table.read(board)
    rows = table.by_column(rows, sort) if sort else rows
    click.echo(table.text(board, rows, beside=sort or "", **asked))


@leaderboard.command()
@_board
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
    elif not problems:
        again = f", {len(results)} of them from their scores" if results else ""
        click.echo(f"{board}: all rows follow from their results{again}")
    options.echo_errors([] if as_json else problems)
    if problems:
        sys.exit(1)


@leaderboard.command()
@click.argument("boards", nargs=-1, required=True, type=options.FILE)
@options.out_folder
@options.force
def site(boards: tuple[Path, ...], out: Path, force: bool) -> None:
    """Write BOARDS as a folder of pages that any server of files can host: a page a board, and one a system.

    Pages hold all that they show, fetch nothing, and work from a disk, too.
    """
    from pse_bench.reporting import board_site

    pages = board_site.write(boards, out, force=force)
    click.echo(f"{pages[0]}: {len(pages)} pages of {len(boards)} boards")
