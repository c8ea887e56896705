"""corpus, manifest: which clips there are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from pse_bench.cli import cli, options
from pse_bench.runtime.progress import progress

ENROLLMENTS_S = (3, 5, 10)  # lengths at which manifest counts who can be a target


@cli.group()
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

    with locked(out, "corpus synth"), progress("synthesizing", "batches") as update:
        embedded.synthesize(out, executor=options.executor(jobs), progress=update)
    click.echo(f"{out}: embedded corpus; manifests in {out / 'manifests'}")
    if different := embedded.differing(out):
        options.echo_note(
            f"{len(different)} clips, as {different[0]}, are not those of the shipped manifests: another "
            "espeak-ng or processor; figures on this corpus do not compare with published ones"
        )


def _command(name: str, reader: Any) -> click.Command:
    """The command of a reader."""
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

    def write(root: Path, out: Path, force: bool, name: str | None, **asked: Any) -> None:
        from pse_bench.io.tables import write_table

        options.require_new(out, force)
        name = name or reader.name_of(root)
        given = {"name": name, "notice": options.echo_note, **options.with_executor(asked)}
        with progress("reading", "files") as update:
            rows, problems = reader.read(root, progress=update, **given)
        write_table(out, reader.record, rows)
        for line in _contents(name, rows):
            click.echo(f"{out}: {line}")
        options.echo_next_step(f"pse-bench generate SCENARIO … --root {name}={root}")
        if problems:
            options.fail(*problems, f"{len(problems)} left out; the others are listed in {out}")

    root = click.argument("root", type=options.FOLDER)
    taken = options.combine_options(root, options.out_file, options.jobs, options.force, named, *own)
    return click.command(name, help=reader.help)(taken(write))


def _contents(name: str, rows: list[Any]) -> Iterator[str]:
    """Lines on what a manifest holds and, of speech, on who can be a target."""
    from pse_bench.planning.clip_pool import SpeechPool
    from pse_bench.schemas import Utterance

    minutes = sum(row.num_samples / row.sample_rate for row in rows) / 60
    length = f"{minutes / 60:.2f} h" if minutes >= 10 else f"{minutes:.1f} min"
    groups = {
        "speaker_id": ("speaker", "speakers"),
        "category": ("category", "categories"),
        "room_id": ("room", "rooms"),
    }
    held = [f"{len(rows)} clips of {name}"]
    for key, (one, many) in groups.items():
        if rows and hasattr(rows[0], key):
            count = len({getattr(row, key) for row in rows})
            held.append(f"{count} {one if count == 1 else many}")
    yield ", ".join([*held, length])
    if rows and isinstance(rows[0], Utterance):
        pool = SpeechPool(rows, max(row.sample_rate for row in rows))
        counts = ", ".join(f"{pool.possible_targets(length_s)} with {length_s} s" for length_s in ENROLLMENTS_S)
        yield f"speakers who can be targets: {counts} of enrollment"


@cli.group(cls=options.RegistryGroup, registry="pse_bench.corpora.readers:READERS", make=_command)
def manifest() -> None:
    """List the clips of a corpus in a CSV.

    Paths in it are relative to ROOT, so the file is good on every machine. Clips that cannot be used are
    named and left out; the exit status is then 1.
    """
