"""corpus, manifest: which clips there are."""

import sys
from pathlib import Path
from typing import Any

import click

from pse_bench.cli import options
from pse_bench.cli.registry_group import RegistryGroup
from pse_bench.errors import one_line


@click.group()
def corpus() -> None:
    """The corpus that comes with pse-bench."""


@corpus.command()
@click.argument("out", type=options.FOLDER)
@options.jobs
def synth(out: Path, jobs: int) -> None:
    """Write the embedded corpus: voices, transcripts, noise and their manifests.

    The files are the same on every machine; those that are there already are kept. Needs the extra
    pse-bench[embedded] (espeak-ng, GPL-3).
    """
    from pse_bench.corpora.synthetic import embedded
    from pse_bench.io.locks import locked
    from pse_bench.runtime.progress import progress

    with locked(out, "corpus synth"), progress("synthesizing", "batches") as update:
        embedded.synthesize(out, executor=options.executor(jobs), progress=update)
    click.echo(f"{out}: embedded corpus; manifests in {out / 'manifests'}")
    if different := embedded.differing(out):
        click.echo(
            f"note: {len(different)} clips, as {different[0]}, are not those of the shipped manifests: another "
            "espeak-ng or processor; figures on this corpus do not compare with published ones",
            err=True,
        )


def _readers() -> Any:
    from pse_bench.corpora.readers import READERS

    return READERS


def _command(name: str, reader: Any) -> click.Command:
    """The command of a reader."""
    common = options.combine_options(
        click.argument("root", type=options.FOLDER), options.out_file, options.jobs, options.force
    )
    named = click.option(
        "--name",
        default=reader.corpus or None,
        show_default=reader.corpus or "the folder's name",
        help="Name of the corpus, for --root NAME=DIR.",
    )
    own = [
        click.option(
            option.flag,
            option.name,
            type=options.FILE if option.is_file else click.Choice(option.choices) if option.choices else str,
            multiple=option.repeatable,
            help=option.help,
        )
        for option in reader.options
    ]

    def write(root: Path, out: Path, jobs: int, force: bool, name: str | None, **asked: Any) -> None:
        _write(reader, root, out=out, jobs=jobs, force=force, name=name or reader.name_of(root), **asked)

    return click.command(name, help=reader.help)(options.combine_options(common, named, *own)(write))


@click.group(cls=RegistryGroup, registry=_readers, make=_command)
def manifest() -> None:
    """List the clips of a corpus in a CSV.

    Paths in it are relative to ROOT, so the file is good on every machine. Clips that cannot be used are
    named and left out; the exit status is then 1.
    """


def _write(reader: Any, root: Path, *, out: Path, jobs: int, force: bool, name: str, **asked: Any) -> None:
    from pse_bench.errors import InputError
    from pse_bench.io.tables import write_table
    from pse_bench.runtime.progress import progress

    if out.exists() and not force:
        raise InputError(f"{out}: exists already; give another name, or --force to replace it")
    with progress("reading", "files") as update:
        rows, problems = reader.read(
            root,
            name=name,
            executor=options.executor(jobs),
            progress=update,
            notice=lambda line: click.echo(f"note: {one_line(line)}", err=True),
            **asked,
        )
    write_table(out, reader.record, rows)
    minutes = sum(row.num_samples / row.sample_rate for row in rows) / 60
    length = f"{minutes / 60:.2f} h" if minutes >= 10 else f"{minutes:.1f} min"
    click.echo(f"{out}: {len(rows)} clips of {name}, {length}")
    options.echo_next_step(f"pse-bench generate SCENARIO … --root {name}={root}")
    if problems:
        options.echo_errors(problems)
        click.echo(f"{len(problems)} left out; the others are listed in {out}", err=True)
        sys.exit(1)


COMMANDS = (corpus, manifest)
