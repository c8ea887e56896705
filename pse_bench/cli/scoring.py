"""check, score, merge: from a submission to a result."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import pse_bench
from pse_bench.cli import cli, generate, options, recognition
from pse_bench.errors import plain
from pse_bench.io import cache_folder
from pse_bench.runtime.progress import progress


@cli.command()
@options.dataset
@options.submission
@click.option(
    "--adopt",
    "out",
    type=options.FOLDER,
    metavar="OUT",
    help="Copy what belongs to a mixture, whatever it is called, into this new folder, and check that.",
)
@options.fields
@options.jobs
@options.as_json
def check(
    dataset: Path, submission: Path, out: Path | None, fields: dict[str, Any], jobs: int, as_json: bool
) -> None:
    """Say everything that is wrong with a submission, a folder or a zip, and how to mend it.

    Fatal is what cannot be scored; the exit status is then 1. A warning is what can be scored but will probably
    not give the figures that its author hopes for: a constant delay or gain, clipping, normalised peaks, copies.

    With --adopt a folder from elsewhere becomes a submission: names that hold scenario and scene (a_TS1.wav,
    ts1/a_enhanced.WAV, a/TS1.flac) are brought into place where only one file can be meant and the sound fits its
    mixture; all else is left and listed. --set fills in its system.yaml.
    """
    opened, executor = pse_bench.Dataset.open(dataset), options.executor(jobs, isolated=True)
    if fields and not out:
        raise click.UsageError("--set needs --adopt OUT: nothing is written into SUBMISSION; edit its system.yaml")
    adoption = None
    if out:
        from pse_bench.submission.adoption import adopt

        with progress("comparing", "files") as update:
            adoption = adopt(opened, submission, out, executor=executor, fields=fields, progress=update)
        if not as_json:
            click.echo(adoption.terminal())
        submission = out
    with progress("checking", "estimates") as update:
        report = pse_bench.check_submission(opened, submission, executor=executor, progress=update)
    document = {**report.document(), **({"adoption": adoption.document()} if adoption else {})}
    click.echo(json.dumps(document) if as_json else plain(report.terminal()))
    if not report.acceptable:
        sys.exit(1)
    options.echo_next_step(f"pse-bench score {dataset} {submission} -o results/{submission.stem}")


@cli.command()
@options.dataset
@options.submission
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
    help="Adds word errors: pocketsphinx, whisper:tiny.en, whisper:base, whisper:FOLDER, "
    "or csv:FILE with columns mixture_id and text.",
)
@click.option(
    "--reference",
    type=click.Choice(["early", "reverberant"]),
    help="What the target is compared with; the dataset's own choice by default.",
)
@options.jobs
@options.distribution_options
@options.scenes
@click.option("--blind-key", type=options.FILE, help="What tells the clips of a submission to benchmark --blind.")
@click.option("--no-cache", is_flag=True, help="Compute every score, also those that are known from earlier runs.")
@options.force
@options.quiet
@options.as_json
def score(dataset: Path, submission: Path, out: Path, quiet: bool, as_json: bool, **asked: Any) -> None:
    """Score a submission, a folder or a zip: every metric on every mixture, none left out.

    Of activity all pvad figures are computed, of audio the --metrics. A missing or unusable estimate takes each
    metric's worst value and is named; the exit status is then 1.
    """
    opened = pse_bench.Dataset.open(dataset)
    if asked["recogniser"]:
        asked["recogniser"] = recognition.recogniser(asked["recogniser"], opened)
    cache = None if asked.pop("no_cache") else cache_folder() / "scores"
    given = {"notice": options.echo_note, **options.with_executor(asked, isolated=True)}
    with progress("scoring", "mixtures") as update:
        report = pse_bench.score_submission(opened, submission, out, cache=cache, progress=update, **given)
    tell(report, out, quiet=quiet, as_json=as_json, shard=asked["share"], names=asked["names"] or ())


def tell(
    report: Any, out: Path, *, quiet: bool, as_json: bool, shard: Any = None, names: Sequence[str] = ()
) -> None:
    """Print the outcome of a scoring or of a merge of its shards, with the metrics that were asked for by their
    ``names``. The exit status is 1 where estimates could not be used."""
    from pse_bench.reporting import tables

    failed = report.problems
    options.echo_errors(failed[: options.SHOWN])
    if len(failed) > options.SHOWN:
        click.echo(f"… and {len(failed) - options.SHOWN} more, see the details in {out / 'scores.csv'}", err=True)
    options.echo_errors(f"warning: {warning}" for warning in report.warnings)
    if shard or (quiet and not as_json):
        click.echo(f"{out}: {report.mixtures} mixtures scored{f', shard {shard} is done' if shard else ''}")
    elif as_json:
        click.echo(json.dumps([row.model_dump() for row in pse_bench.Result.open(out).summaries]))
    else:
        result = pse_bench.Result.open(out)
        shown = list(names) if {*names} <= {row.metric for row in result.summaries} else None
        click.echo(tables.results_text([result], asked=shown))
    if shard:
        options.echo_next_step(f"pse-bench merge {out}, once all shards are done")
    elif not failed:
        options.echo_next_step(f"pse-bench table {out} OTHER_RESULT, or pse-bench compare {out} OTHER_RESULT")
    if failed:
        options.fail(
            f"{len(failed)} of {report.files} estimates are missing or unusable and were given the "
            "worst values; mend them and score again with --force"
        )


@cli.command()
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=options.PLACE)
@click.option("-o", "--out", type=options.FOLDER, help="The whole, of shards that lie anywhere.")
@options.quiet
@options.as_json
def merge(folders: tuple[Path, ...], out: Path | None, quiet: bool, as_json: bool) -> None:
    """Merge what render, enhance, detect or score made with --shard.

    FOLDER is the folder that all shards were written to. With -o, it is each shard, wherever it lies: a folder
    part-I-of-N, or one that holds some. What comes out is, to the byte, what one run would have made; gaps and
    overlaps are refused. Files are moved, not copied.
    """
    from pse_bench.runtime import merging
    from pse_bench.scoring import result_writer
    from pse_bench.simulation import dataset_writer
    from pse_bench.systems import enhance as submissions

    if out is None and len(folders) > 1:
        raise click.UsageError("shards of several folders need -o OUT, the folder of the whole")
    out, given = (folders[0], ()) if out is None else (out, folders)
    if merging.removed_rest(out):
        text = f"{out}: merged; the rest of its shards is removed"
        click.echo(json.dumps({"merged": str(out)}) if as_json else text)
        return
    shards = merging.gather(out, given)
    match shards[0].head.stage:
        case "render":
            generate.tell(dataset_writer.merge(out, shards), as_json=as_json)
        case "score":
            tell(result_writer.merge(out, shards), out, quiet=quiet, as_json=as_json)
        case _:
            try:
                count = submissions.merge(out, shards)
            except submissions.MixturesFailed as error:
                options.fail_on_mixtures(error)
            click.echo(json.dumps({"mixtures": count}) if as_json else f"{out}: {count} mixtures")
