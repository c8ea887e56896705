"""enhance, detect, score: from a dataset to figures."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from pse_bench.cli import options

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
@options.force
def enhance(
    dataset: Path, system: str, enrollment: str, streaming: bool, out: Path, jobs: int, force: bool
) -> None:
    """Run a system over a dataset and write a submission.

    A callable is called as enhance(mixture, enrollment, sample_rate) with float32 arrays, and returns the
    estimate, as long as the mixture.
    """
    asked = {"enrollment": enrollment, "streaming": streaming, "force": force}
    count = _submit("enhancing", dataset, system, out, jobs, **asked)
    click.echo(f"{out}: {count} mixtures enhanced by {system}")
    options.hint(f"pse-bench score {dataset} {out} -o results/{out.name}")


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
@options.force
def detect(dataset: Path, system: str, enrollment: str, out: Path, jobs: int, force: bool) -> None:
    """Let a system say who speaks when, and write a submission of activity.

    A callable is called as detect(mixture, enrollment, sample_rate) with float32 arrays, and returns the
    probabilities of target speech, other speech and no speech of each 10 ms, shape (num_frames, 3).
    """
    count = _submit("detecting", dataset, system, out, jobs, gives="activity", enrollment=enrollment, force=force)
    click.echo(f"{out}: who speaks in {count} mixtures, by {system}")
    options.hint(f"pse-bench score {dataset} {out} -o results/{out.name}")


def _submit(what: str, dataset: Path, system: str, out: Path, jobs: int, **asked: Any) -> int:
    from pse_bench import enhance as room
    from pse_bench.dataset import Dataset
    from pse_bench.progress import progress

    with progress(what, "mixtures") as update:
        return room.enhance(
            Dataset.open(dataset),
            system,
            out,
            executor=options.executor(jobs),
            progress=update,
            notice=lambda line: click.echo(f"note: {line}", err=True),
            **asked,
        )


@click.command()
@click.argument("dataset", type=options.FOLDER)
@click.argument("submission", type=click.Path(path_type=Path))
@options.out_folder
@click.option(
    "--metrics",
    help="Names separated by commas, or all; by default those that need no model.",
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
@click.option("--no-cache", is_flag=True, help="Compute every score, also those that are known from earlier runs.")
@options.force
@click.option("--quiet", is_flag=True, help="Print no table.")
@options.as_json
def score(
    dataset: Path,
    submission: Path,
    out: Path,
    metrics: str | None,
    recogniser: str | None,
    reference: str | None,
    jobs: int,
    no_cache: bool,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Score a submission, a folder or a zip: every metric on every mixture, none left out.

    Of activity all pvad figures are computed, of audio the --metrics. A missing or unusable estimate takes each
    metric's worst value and is named; the exit status is then 1.
    """
    from pse_bench import score as room
    from pse_bench import summaries as figures
    from pse_bench import tables
    from pse_bench.dataset import Dataset
    from pse_bench.progress import progress
    from pse_bench.results import Result

    opened = Dataset.open(dataset)
    listener = _recogniser(recogniser, opened) if recogniser else None
    with progress("scoring", "mixtures") as update:
        report = room.score(
            opened,
            submission,
            out,
            executor=options.executor(jobs, isolated=True),
            names=[name.strip() for name in metrics.split(",")] if metrics else None,
            recogniser=listener,
            reference=reference,
            cache=None if no_cache else options.cache() / "scores",
            force=force,
            progress=update,
        )
    summaries = figures.summarise(out)
    for problem in report.problems[:SHOWN]:
        click.echo(problem, err=True)
    if len(report.problems) > SHOWN:
        click.echo(f"… and {len(report.problems) - SHOWN} more, see the details in {out / 'scores.csv'}", err=True)
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        click.echo(json.dumps([row.model_dump() for row in summaries]))
    elif quiet:
        click.echo(f"{out}: {report.mixtures} mixtures scored")
    else:
        click.echo(tables.terminal([Result.open(out)]))
    if not report.problems:
        options.hint(f"pse-bench table {out} OTHER_RESULT, or pse-bench compare {out} OTHER_RESULT")
    if report.problems:
        click.echo(
            f"{len(report.problems)} of {report.files} estimates are missing or unusable and were given the "
            "worst values; mend them and score again with --force",
            err=True,
        )
        sys.exit(1)


def _recogniser(spec: str, dataset: Any) -> Any:
    """The recogniser of ``--recogniser``, which knows the dataset's sentences and remembers what it has heard."""
    from pse_bench.recognisers import load, remembered

    sentences = sorted({text for row in dataset.mixtures for text in (row.text, row.interferer_text)} - {""})
    listener = load(spec, sentences, {row.mixture_id for row in dataset.mixtures})
    click.echo(f"note: {listener.name} {listener.version}: {listener.note}", err=True)
    return remembered(listener, options.cache() / "transcripts")


COMMANDS = (enhance, detect, score)
