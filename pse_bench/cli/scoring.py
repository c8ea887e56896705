"""enhance, detect, check, score, merge, system: from a dataset to a submission, and from there to a result."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import pse_bench
from pse_bench.cli import cli, generate, options, recognition
from pse_bench.errors import InputError, plain
from pse_bench.io import cache_folder
from pse_bench.runtime.progress import progress

SHOWN = 20
"""Estimates that are named one by one when they cannot be used."""

_enrollment = options.option(
    "--enrollment",
    type=click.Choice(["right", "wrong"]),
    default="right",
    help="wrong: another speaker's enrollment, as a control.",
)
_running = options.combine_options(
    options.out_folder,
    options.option("--jobs", type=click.IntRange(1), default=1, help="Worker processes."),
    options.distribution_options,
    options.scenes,
    options.fields,
    options.force,
)
_arguments = options.option(
    "--arg",
    "arguments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Calls SYSTEM, a module:factory, with this argument to get the system; repeatable.",
)
_detectors = "chance, energy, baseline:pvad, a pVAD's .safetensors file, or module:callable."


@cli.command()
@options.dataset
@click.option("--system", required=True, help=options.SYSTEMS)
@_arguments
@_enrollment
@options.streaming
@_running
def enhance(**asked: Any) -> None:
    """Run a system over a dataset and write a submission.

    A callable is called as enhance(mixture, enrollment, sample_rate) with float32 arrays, and returns the
    estimate, as long as the mixture. So is the method of that name of an object, a class or a module; or they have
    reset(enrollment) and step(samples), which gives as many as it is given, and say hop and delay in samples.
    """
    _submit("enhancing", "{} mixtures enhanced by {}", **asked)


@cli.command()
@options.dataset
@click.option("--system", required=True, help=_detectors)
@_arguments
@_enrollment
@_running
def detect(**asked: Any) -> None:
    """Let a system say who speaks when, and write a submission of activity.

    A callable is called as detect(mixture, enrollment, sample_rate) with float32 arrays, and returns the
    probabilities of target speech, other speech and no speech of each 10 ms, shape (num_frames, 3).
    """
    _submit("detecting", "who speaks in {} mixtures, by {}", gives="activity", **asked)


def _submit(
    doing: str, done: str, dataset: Path, system: str, arguments: tuple[str, ...], out: Path, **asked: Any
) -> None:
    """Run a system over a dataset; ``doing`` and ``done`` are printed meanwhile and in the end."""
    from pse_bench.systems.registry import with_arguments

    system = with_arguments(system, arguments)
    shard = asked["share"]
    given = {"memory": cache_folder() / "embeddings", "notice": options.echo_note, **options.with_executor(asked)}
    opened = pse_bench.Dataset.open(dataset)
    with progress(doing, "mixtures") as update:
        count = pse_bench.enhance_dataset(opened, system, out, progress=update, **given)
    of, scenes = opened.description.scenes, asked["scenes"]
    part = f", the first {scenes} of {of} scenes" if scenes and scenes < of else ""
    click.echo(f"{out}: {done.format(count, system)}{part}{f', shard {shard} is done' if shard else ''}")
    merging, scoring = f"merge {out}, once all shards are done", f"score {dataset} {out} -o results/{out.name}"
    options.echo_next_step(f"pse-bench {merging if shard else scoring}")


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
    options.echo_errors(failed[:SHOWN])
    if len(failed) > SHOWN:
        click.echo(f"… and {len(failed) - SHOWN} more, see the details in {out / 'scores.csv'}", err=True)
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
            count = submissions.merge(out, shards)
            click.echo(json.dumps({"mixtures": count}) if as_json else f"{out}: {count} mixtures")


@cli.command()
@click.argument("system")
@_arguments
@options.streaming
@click.option(
    "--latency-ms",
    type=click.FloatRange(0),
    help="Algorithmic latency to hold it to; by default what it states, else 20 ms.",
)
@options.option("--sample-rate", type=click.IntRange(8000), default=16_000, help="Of the test signals, Hz.")
@click.option("-o", "--out", type=options.FILE, help="JSON file to write the figures to, for leaderboard add.")
@options.force
@options.as_json
def system(
    system: str, arguments: tuple[str, ...], out: Path | None, force: bool, as_json: bool, **asked: Any
) -> None:
    """Figures of a system, yours or ours: look-ahead, lag, speed on one core, size, and what it does at all.

    The input is changed from some sample on, for many samples and signals: the output may not change earlier than
    the algorithmic latency allows. The exit status is 1 when it does, unless the system says itself that it is not
    causal. Lag is what the output is late by, and says which delay to declare. Parameters and multiply-accumulates
    are counted of torch modules and of ONNX files. SYSTEM is what `enhance --system` takes; `public:` lists the
    published systems that it may be.
    """
    from pse_bench.io import atomic
    from pse_bench.systems import public
    from pse_bench.systems.registry import with_arguments

    if system == public.PREFIX:
        click.echo(json.dumps(public.listed()) if as_json else public.as_text())
        return
    if out:
        options.require_new(out, force)
    system = with_arguments(system, arguments)
    # a process of its own, whose libraries have one thread
    outcome = next(iter(options.executor(1, isolated=True).run(_measure, [{"name": system, **asked}])))
    if outcome.lost:
        raise InputError(f"system {system}: {outcome.lost}")
    figures = outcome.value
    if out:
        atomic.write_json(out, figures.document())
    if as_json:
        click.echo(json.dumps(figures.document()))
    else:
        for name, value in _rows(figures).items():
            click.echo(f"{name:22}{value}")
    if not figures.kept and (figures.causal is not False or asked["latency_ms"] is not None):
        options.fail(
            f"system {figures.system}: its output changes {figures.look_ahead_ms:.1f} ms before its input does; "
            f"more than the {figures.latency_ms:g} ms that it may look ahead"
        )


def _measure(asked: dict[str, Any]) -> Any:
    from pse_bench.runtime.executor import one_core

    with one_core():
        from pse_bench.systems.profile import measure

        return measure(**asked)


def _rows(figures: Any) -> dict[str, str]:
    from pse_bench.submission import verdicts

    if not figures.responses:
        causality = "nothing shown: no change of the input reached the output"
    elif figures.kept:
        heard = f"{figures.responses} of {figures.probes} changes heard"
        causality = f"kept: {figures.look_ahead_ms:.2f} ms seen, {heard}"
    else:
        admitted = ", as it says (causal: false)" if figures.causal is False else ""
        causality = f"broken: {figures.look_ahead_ms:.1f} ms seen{admitted}"
    stated = "" if figures.stated else " (not stated; the baseline's)"
    resampled = f", {figures.resampling_ms:g} ms of it to resample to {figures.hears_hz} Hz and back"
    lag = "unknown: the output has nothing in common with the input"
    if figures.lag_samples is not None:
        off = f"{abs(figures.lag_samples)} samples ({abs(figures.lag_ms):.2f} ms)"
        way = "late" if figures.lag_samples > 0 else "early"
        declare = f"; declare delay = {figures.delay_to_declare}" if figures.delay_to_declare >= 0 else ""
        lag = f"{off} {way}{declare}" if figures.lag_samples else "none"
    load = "" if figures.load is None else f" (load {figures.load:.1f})"
    enrollment = {None: "unknown: no output", True: "changes the output", False: verdicts.IGNORES}
    gain = "" if figures.constant_gain_db is None else f", {verdicts.gain_text(figures.constant_gain_db)}"
    return {
        "system": figures.system,
        "algorithmic latency": f"{figures.latency_ms:g} ms{stated}{resampled if figures.resampling_ms else ''}",
        "look-ahead": causality,
        "lag": lag,
        "latency class": figures.latency_class or "unknown",
        "real-time factor": f"{figures.rtf_cpu:.4f} of processor time, {figures.rtf:.4f} of wall time{load}",
        "parameters": _count(figures.parameters, figures.parameters_counted, ""),
        "multiply-accumulates": _count(figures.macs_per_second, figures.macs_per_second_counted, " a second"),
        "level": f"{figures.level_policy}{gain}",
        "enrollment": enrollment[figures.uses_enrollment],
    }


def _count(number: int | None, counted: int | None, unit: str) -> str:
    """What a system has, and what was counted where it states something else."""
    if number is None:
        return "unknown: no torch module and no ONNX file ran"
    beside = abs(number - (counted or number)) > 0.02 * number
    return f"{number:,}{unit}{f' stated, {counted:,} counted' if beside else ''}"
