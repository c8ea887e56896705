"""report, inspect: pages to look at and to listen to."""

from pathlib import Path
from typing import Any

import click

from pse_bench.cli import options
from pse_bench.errors import plain


@click.command()
@click.argument("results", nargs=-1, required=True, type=options.FOLDER)
@options.out_file
@click.option(
    "--dataset", type=options.FOLDER, help="What the results were scored on: adds scenes to see and hear."
)
@click.option(
    "--submission",
    "submissions",
    multiple=True,
    type=click.Path(path_type=Path),
    help="What a result was scored from, a folder or a zip; repeatable. Needs --dataset.",
)
@click.option(
    "--scenes",
    "worst",
    type=click.IntRange(1, 9),
    default=2,
    show_default=True,
    help="Worst scenes of each system and failure; the median one is always there.",
)
@click.option("--title", default="", help="Title of the page.")
@options.jobs
@options.force
def report(results: tuple[Path, ...], out: Path, jobs: int, **asked: Any) -> None:
    """Make a page of RESULTS, one or several side by side: plots, tables, and scenes to listen to.

    One file that works from a mail attachment, without a network. Results hold figures only: with --dataset and a
    --submission for each system, the page has the worst and the median scenes of each failure, with sound.
    """
    from pse_bench.reporting.report import build
    from pse_bench.runtime.progress import progress

    executor = options.executor(jobs, isolated=True)
    size = build(results, out, executor=executor, progress=progress, **asked)
    if not asked["submissions"]:
        click.echo("note: nothing to hear; add --dataset DIR and --submission DIR for each system", err=True)
    click.echo(f"{out}: {len(results)} result{'s' if len(results) > 1 else ''}, {size / 1e6:.1f} MB")


@click.command()
@click.argument("dataset", type=options.FOLDER)
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
    from pse_bench.dataset.dataset import Dataset
    from pse_bench.reporting import html
    from pse_bench.runtime.progress import progress

    if out:
        html.require_new(out, force)
    opened = Dataset.open(dataset).require_unchanged()
    if scene_id is None:
        from pse_bench.reporting import dataset_page

        with progress("looking", "scenes") as update:
            found = dataset_page.overview(opened, update)
        click.echo(plain(dataset_page.terminal(opened, found)))
        size = dataset_page.write(opened, found, out) if out else 0
    else:
        from pse_bench.reporting import scene_page
        from pse_bench.reporting.media import Media

        kept = Media()
        shown = scene_page.scene(opened, scene_id, kept)
        click.echo(plain(scene_page.terminal(scene_id, shown)))
        size = scene_page.write(opened, scene_id, shown, kept, out) if out else 0
    if out:
        click.echo(f"{out}: {size / 1e6:.1f} MB", err=True)


COMMANDS = (report, inspect)
