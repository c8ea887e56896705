"""corpus, manifest: which clips there are."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pse_bench.cli import options
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


@click.group()
def manifest() -> None:
    """List the clips of a corpus in a CSV.

    Paths in it are relative to ROOT, so the file is good on every machine. Clips that cannot be used are
    named and left out; the exit status is then 1.
    """


common = options.together(
    click.argument("root", type=options.FOLDER), options.out_file, options.jobs, options.force
)


def named(default: str | None) -> Callable[[Any], Any]:
    """The option for the corpus's name."""
    return click.option(
        "--name",
        default=default,
        show_default=default or "the folder's name",
        help="Name of the corpus, for --root NAME=DIR.",
    )


@manifest.command()
@common
@named("librispeech")
@click.option("--subset", "subsets", multiple=True, help="Subset to list, such as test-other; repeatable.")
def librispeech(root: Path, name: str, subsets: tuple[str, ...], **asked: Any) -> None:
    """A LibriSpeech tree: ROOT holds SPEAKERS.TXT."""
    from pse_bench.corpora import librispeech as reader
    from pse_bench.schemas import Utterance

    _write(reader.read, Utterance, root, name=name, subsets=subsets or None, notice=_notice, **asked)


@manifest.command()
@common
@named("vctk")
@click.option("--mic", type=click.Choice(["mic1", "mic2"]), help="Microphone of VCTK 0.92; mic1 by default.")
def vctk(root: Path, name: str, mic: str | None, **asked: Any) -> None:
    """A VCTK tree (0.80 or 0.92)."""
    from pse_bench.corpora import vctk as reader
    from pse_bench.schemas import Utterance

    _write(reader.read, Utterance, root, name=name, mic=mic, **asked)


@manifest.command()
@common
@named(None)
@click.option("--transcripts", type=options.FILE, help="CSV with columns utterance_id and text.")
@click.option("--genders", type=options.FILE, help="CSV with columns speaker_id and gender (F or M).")
def folder(root: Path, name: str | None, **asked: Any) -> None:
    """A plain folder: <speaker>/<utterance>.wav, or <speaker>/<session>/<utterance>.wav."""
    from pse_bench.corpora import folder as reader
    from pse_bench.schemas import Utterance

    _write(reader.read, Utterance, root, name=name or root.resolve().name, notice=_notice, **asked)


@manifest.command()
@common
@named(None)
def noise(root: Path, name: str | None, **asked: Any) -> None:
    """A folder of noise: <category>/<file>.wav."""
    from pse_bench.corpora import noise as reader
    from pse_bench.schemas import NoiseClip

    _write(reader.read, NoiseClip, root, name=name or root.resolve().name, **asked)


@manifest.command()
@common
@named(None)
@click.option("--table", type=options.FILE, help="CSV with columns path and room.")
def rir(root: Path, name: str | None, **asked: Any) -> None:
    """Measured room impulse responses: one mono file each, or <room>/<file>.wav."""
    from pse_bench.corpora import rir as reader
    from pse_bench.schemas import MeasuredResponse

    _write(reader.read, MeasuredResponse, root, name=name or root.resolve().name, notice=_notice, **asked)


def _notice(line: str) -> None:
    click.echo(f"note: {one_line(line)}", err=True)


def _write(
    read: Callable[..., Any], record: Any, root: Path, *, out: Path, jobs: int, force: bool, **asked: Any
) -> None:
    from pse_bench.errors import InputError
    from pse_bench.io.tables import write_table
    from pse_bench.runtime.progress import progress

    if out.exists() and not force:
        raise InputError(f"{out}: exists already; give another name, or --force to replace it")
    with progress("reading", "files") as update:
        rows, problems = read(root, executor=options.executor(jobs), progress=update, **asked)
    write_table(out, record, rows)
    minutes = sum(row.num_samples / row.sample_rate for row in rows) / 60
    length = f"{minutes / 60:.2f} h" if minutes >= 10 else f"{minutes:.1f} min"
    click.echo(f"{out}: {len(rows)} clips of {asked['name']}, {length}")
    options.hint(f"pse-bench generate SCENARIO … --root {asked['name']}={root}")
    if problems:
        options.complain(problems)
        click.echo(f"{len(problems)} left out; the others are listed in {out}", err=True)
        sys.exit(1)


COMMANDS = (corpus, manifest)
