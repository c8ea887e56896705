"""check: is a submission what it should be, before anything is scored."""

import json
import sys
from pathlib import Path

import click

from pse_bench.cli import options
from pse_bench.errors import plain


@click.command()
@click.argument("dataset", type=options.FOLDER)
@click.argument("submission", type=click.Path(path_type=Path))
@options.jobs
@options.as_json
def check(dataset: Path, submission: Path, jobs: int, as_json: bool) -> None:
    """Say everything that is wrong with a submission, a folder or a zip, and how to mend it.

    Fatal is what cannot be scored; the exit status is then 1. A warning is what can be scored but will probably
    not give the figures that its author hopes for: a constant delay or gain, clipping, normalised peaks, copies.
    """
    from pse_bench.dataset.dataset import Dataset
    from pse_bench.runtime.progress import progress
    from pse_bench.submission.check.run import check as check_submission

    with progress("checking", "estimates") as update:
        report = check_submission(
            Dataset.open(dataset),
            submission,
            executor=options.executor(jobs, isolated=True),
            progress=update,
        )
    click.echo(json.dumps(report.document()) if as_json else plain(report.terminal()))
    if report.acceptable:
        options.echo_next_step(f"pse-bench score {dataset} {submission} -o results/{submission.stem}")
    else:
        sys.exit(1)


COMMANDS = (check,)
