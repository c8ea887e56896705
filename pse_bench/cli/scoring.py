"""enhance, detect, score: from a dataset to a submission, and from there to a result."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from pse_bench.cli import options
from pse_bench.errors import one_line

SHOWN = 20
"""Estimates that are named one by one when they cannot be used."""


_enrollment = click.option(
    "--enrollment",
    type=click.Choice(["right", "wrong"]),
    default="right",
    show_default=True,
    help="wrong: another speaker's enrollment, as a control.",
)
_jobs = click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Worker processes.")


@click.command()
@click.argument("dataset", type=options.FOLDER)
@click.option("--system", required=True, help=options.SYSTEMS)
@_enrollment
@click.option("--streaming", is_flag=True, help="Run a trained model hop by hop.")
@options.out_folder
@_jobs
@options.distribution_options
@options.force
def enhance(**asked: Any) -> None:
    """Run a system over a dataset and write a submission.

    A callable is called as enhance(mixture, enrollment, sample_rate) with float32 arrays, and returns the
    estimate, as long as the mixture.
    """
    _submit("enhancing", "{} mixtures enhanced by {}", **asked)


@click.command()
@click.argument("dataset", type=options.FOLDER)
@click.option(
    "--system",
    required=True,
    help="chance, energy, baseline:pvad, a pVAD's .safetensors file, or module:callable.",
)
@_enrollment
@options.out_folder
@_jobs
@options.distribution_options
@options.force
def detect(**asked: Any) -> None:
    """Let a system say who speaks when, and write a submission of activity.

    A callable is called as detect(mixture, enrollment, sample_rate) with float32 arrays, and returns the
    probabilities of target speech, other speech and no speech of each 10 ms, shape (num_frames, 3).
    """
    _submit("detecting", "who speaks in {} mixtures, by {}", gives="activity", **asked)


def _submit(doing: str, done: str, dataset: Path, system: str, out: Path, **asked: Any) -> None:
    """Run a system over a dataset; ``doing`` and ``done`` are printed meanwhile and in the end."""
    from pse_bench.dataset.dataset import Dataset
    from pse_bench.runtime.progress import progress
    from pse_bench.systems import enhance as stage

    given = options.distribution(**asked)
    opened, shard = Dataset.open(dataset), given["share"]
    with progress(doing, "mixtures") as update:
        count = stage.enhance(
            opened, system, out, memory=options.cache() / "embeddings", progress=update, notice=_note, **given
        )
    click.echo(f"{out}: {done.format(count, system)}{f', shard {shard} is done' if shard else ''}")
    if shard:
        options.echo_next_step(f"pse-bench merge {out}, once all shards are done")
    else:
        options.echo_next_step(f"pse-bench score {dataset} {out} -o results/{out.name}")


def _note(line: str) -> None:
    click.echo(f"note: {line}", err=True)


@click.command()
@click.argument("dataset", type=options.FOLDER)
@click.argument("submission", type=click.Path(path_type=Path))
@options.out_folder
@click.option(
    "--metrics",
    "names",
    callback=lambda ctx, _, text: [name.strip() for name in text.split(",")] if text else None,
    help="Names or module:attribute separated by commas, or all; by default those that need no model.",
)
@click.option(
    "--recogniser",
    metavar="SPEC",
    help="Adds word errors: pocketsphinx, whisper:FOLDER, or csv:FILE with columns mixture_id and text.",
)
@click.option(
    "--reference",
    type=click.Choice(["early", "reverberant"]),
    help="What the target is compared with; the dataset's own choice by default.",
)
@options.jobs
@options.distribution_options
@click.option("--no-cache", is_flag=True, help="Compute every score, also those that are known from earlier runs.")
@options.force
@click.option("--quiet", is_flag=True, help="Print no table.")
@options.as_json
def score(
    dataset: Path,
    submission: Path,
    out: Path,
    recogniser: str | None,
    no_cache: bool,
    quiet: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Score a submission, a folder or a zip: every metric on every mixture, none left out.

    Of activity all pvad figures are computed, of audio the --metrics. A missing or unusable estimate takes each
    metric's worst value and is named; the exit status is then 1.
    """
    from pse_bench.dataset.dataset import Dataset
    from pse_bench.runtime.progress import progress
    from pse_bench.scoring import score as stage

    opened = Dataset.open(dataset)
    listener = _recogniser(recogniser, opened) if recogniser else None
    given = options.distribution(isolated=True, **asked)
    cache = None if no_cache else options.cache() / "scores"
    with progress("scoring", "mixtures") as update:
        report = stage.score(opened, submission, out, recogniser=listener, cache=cache, progress=update, **given)
    tell(report, out, quiet=quiet, as_json=as_json, shard=given["share"])


def tell(report: Any, out: Path, *, quiet: bool, as_json: bool, shard: Any = None) -> None:
    """Print the outcome of a scoring or of a merge of its shards. The exit status is 1 where estimates could not
    be used."""
    from pse_bench.reporting import tables
    from pse_bench.scoring.results import Result

    options.echo_errors(report.problems[:SHOWN])
    if len(report.problems) > SHOWN:
        click.echo(f"… and {len(report.problems) - SHOWN} more, see the details in {out / 'scores.csv'}", err=True)
    for warning in report.warnings:
        click.echo(f"warning: {one_line(warning)}", err=True)
    if shard:
        click.echo(f"{out}: {report.mixtures} mixtures scored, shard {shard} is done")
    elif as_json:
        click.echo(json.dumps([row.model_dump() for row in Result.open(out).summaries]))
    elif quiet:
        click.echo(f"{out}: {report.mixtures} mixtures scored")
    else:
        click.echo(tables.terminal([Result.open(out)]))
    if shard:
        options.echo_next_step(f"pse-bench merge {out}, once all shards are done")
    elif not report.problems:
        options.echo_next_step(f"pse-bench table {out} OTHER_RESULT, or pse-bench compare {out} OTHER_RESULT")
    if report.problems:
        click.echo(
            f"{len(report.problems)} of {report.files} estimates are missing or unusable and were given the "
            "worst values; mend them and score again with --force",
            err=True,
        )
        sys.exit(1)


def _recogniser(spec: str, dataset: Any) -> Any:
    """The recogniser of ``--recogniser``, given the dataset's sentences, with a cache of its transcripts."""
    from pse_bench.asr import load, remembered

    sentences = sorted({text for row in dataset.mixtures for text in (row.text, row.interferer_text)} - {""})
    listener = load(spec, sentences, {row.mixture_id for row in dataset.mixtures})
    _note(f"{listener.name} {listener.version}: {listener.note}")
    return remembered(listener, options.cache() / "transcripts")


COMMANDS = (enhance, detect, score)
