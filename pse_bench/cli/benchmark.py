"""benchmark: a published set, made again and proven to be the identical one."""

import sys
from pathlib import Path

import click

from pse_bench.cli import options


@click.command()
@click.argument("name", metavar="[SET]", required=False)
@click.option("-o", "--out", type=options.FOLDER, help="Folder to write.")
@options.roots
@options.jobs
@options.force
@click.pass_context
def benchmark(
    ctx: click.Context, name: str | None, out: Path | None, roots: tuple[str, ...], jobs: int, force: bool
) -> None:
    """Make a benchmark set, and prove that it is the identical one.

    Without SET, list the sets. What a set needs beside the corpora that its line names is made on the spot and
    kept in ~/.cache/pse-bench. Interrupted, the same command continues. The exit status is 1 when the dataset is
    not the one that was frozen.
    """
    from pse_bench.cli import generate
    from pse_bench.corpora.roots import Roots
    from pse_bench.dataset import frozen_sets as stage
    from pse_bench.runtime.progress import progress

    if name is None:
        for title in stage.shipped():
            about = stage.load(title).about
            needs = f"needs --root {' '.join(f'{corpus}=DIR' for corpus in about.roots)}" if about.roots else ""
            click.echo(f"{title}: {about.description} {about.mixtures} mixtures; {needs or 'needs no corpus'}")
        return
    if out is None:
        raise click.UsageError("Missing option '-o' / '--out': the folder to write.")
    chosen = stage.load(name)
    own, cache = Roots.parse(roots), options.cache() / "benchmarks"
    with progress("making", "batches") as update:
        made = stage.prepare(chosen, cache, roots=own, executor=options.executor(jobs), progress=update)
    if different := stage.unlisted_clips(chosen, made, own):
        click.echo(
            f"note: {len(different)} clips that were made, as {different[0]}, are not those of {chosen.title}: "
            "another release of a package, or another processor",
            err=True,
        )
    folders = (*roots, *(f"{corpus}={folder}" for corpus, folder in made.items()))
    ctx.invoke(generate.render, plan=chosen.plan, out=out, roots=folders, jobs=jobs, force=force)
    ctx.invoke(generate.verify, folder=out, jobs=jobs)
    lines = stage.differences(chosen, out)
    for line in lines:
        click.echo(line, err=True)
    if lines:
        sys.exit(1)
    click.echo(f"{out}: the identical {chosen.title}, fingerprint {chosen.about.fingerprint}")


COMMANDS = (benchmark,)
