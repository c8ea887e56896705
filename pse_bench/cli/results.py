"""table, sessions, enrollments, compare, report, inspect: results and datasets as text and pages."""

import json
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
@options.results
@click.option("--plot", type=options.FILE, metavar="FILE.svg", help="Also draw the figures, as an SVG file.")
@options.intervals
@options.formats(help="How to print.")
@options.force
@options.as_json
def sessions(results: tuple[Path, ...], plot: Path | None, force: bool, as_json: bool, **printed: Any) -> None:
    """Print figures of takes of minutes by stretch, a column a system.

    How far interferers are reduced by the time since the target was last active, what the target loses in the
    first second of each return, alone and together with others, and by the length of its turns.
    """
    from pse_bench.errors import InputError
    from pse_bench.metrics import OF_SESSIONS
    from pse_bench.reporting import tables
    from pse_bench.scoring.results import check_comparable

    opened = [pse_bench.Result.open(folder) for folder in results]
    check_comparable(opened)
    there = {row.metric for result in opened for row in result.summaries}
    if not (names := [name for name in OF_SESSIONS if name in there]):
        remedy = "score a dataset whose scenario has a session, or name them with score --metrics"
        raise InputError(f"{results[0]}: no figures by stretch; {remedy}")
    if plot:
        options.require_new(plot, force)
        pse_bench.plot_sessions(opened).save(plot)
        options.echo_note(f"drawn in {plot}")
    if as_json:
        rows = [(one.system, row) for one in opened for row in one.summaries if row.metric in names]
        click.echo(json.dumps([{"system": system, **row.model_dump()} for system, row in rows]))
    else:
        click.echo(tables.results_text(opened, asked=names, **printed))


@cli.command()
@options.results
@click.option(
    "--metrics",
    "asked",
    metavar="NAMES",
    callback=lambda *given: [name.strip() for name in given[-1].split(",")] if given[-1] else None,
    help="Figures to show, separated by commas: tsos, or TS2.tsos of one scenario; the headline ones by default.",
)
@options.intervals
@options.formats(help="How to print.")
@options.as_json
def enrollments(results: tuple[Path, ...], asked: list[str] | None, as_json: bool, **printed: Any) -> None:
    """Print figures of one system over several enrollments of each person: their mean, and each person's worst.

    RESULTS are of submissions that enhance made with --enrollment right, other-1, other-2 and so on.
    """
    from pse_bench.reporting import tables
    from pse_bench.scoring import enrolled

    opened = [pse_bench.Result.open(folder) for folder in results]
    lines = enrolled.over_enrollments(opened, asked)
    if as_json:
        click.echo(json.dumps([asdict(line) for line in lines]))
    else:
        click.echo(tables.enrolled_text(lines, opened, **printed))


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
