"""enhance, detect, system: systems over a dataset, and what can be said of them without one."""

import json
import re
from pathlib import Path
from typing import Any

import click

import pse_bench
from pse_bench.cli import cli, options
from pse_bench.errors import InputError
from pse_bench.io import cache_folder
from pse_bench.runtime.progress import progress


def _which(_: click.Context, __: click.Parameter, given: str) -> str:
    if not re.fullmatch(r"right|wrong|other-[1-9]\d*", given):
        raise click.BadParameter(f"{given!r} is none of right, wrong, other-1, other-2, …")
    return given


_enrollment = options.option(
    "--enrollment",
    metavar="[right|wrong|other-K]",
    callback=_which,
    default="right",
    help="wrong: another speaker's enrollment, as a control; other-1, other-2, …: another one of the target's.",
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
_command = click.option(
    "--command",
    metavar="LINE",
    help="In place of a system any program, with {mixture}, {enrollment} and {output} for paths of WAV files, or "
    "{list} for a CSV of many of them.",
)
_time_limit = click.option(
    "--time-limit",
    "time_limit_s",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Of --command for a mixture, with {list} times their number; 300 by default.",
)
_detectors = "chance, energy, baseline:pvad, a pVAD's .safetensors file, or module:callable."


@cli.command()
@options.dataset
@click.option("--system", help=options.SYSTEMS)
@_arguments
@_command
@_time_limit
@_enrollment
@options.streaming
@_running
def enhance(**asked: Any) -> None:
    """Run a system over a dataset and write a submission.

    A callable is called as enhance(mixture, enrollment, sample_rate) with float32 arrays, and returns the
    estimate, as long as the mixture. So is the method of that name of an object, a class or a module; or they have
    reset(enrollment) and step(samples), which gives as many as it is given, and say hop and delay in samples.

    A mixture on which the system fails costs only itself; the exit status is then 1, and the same command tries
    only what is missing.
    """
    if asked["time_limit_s"] and not asked["command"]:
        raise click.UsageError("--time-limit is for --command; a callable has none")
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
    doing: str,
    done: str,
    dataset: Path,
    system: str | None,
    arguments: tuple[str, ...],
    out: Path,
    command: str | None = None,
    **asked: Any,
) -> None:
    """Run a system over a dataset; ``doing`` and ``done`` are printed meanwhile and in the end."""
    from pse_bench.systems.enhance import MixturesFailed

    name = _system_name(system, command, arguments)
    shard = asked["share"]
    given = {
        "memory": cache_folder() / "embeddings",
        "notice": options.echo_note,
        **options.with_executor(asked, isolated=True),
    }
    opened = pse_bench.Dataset.open(dataset)
    try:
        with progress(doing, "mixtures") as update:
            count = pse_bench.enhance_dataset(opened, name, out, progress=update, **given)
    except MixturesFailed as error:
        options.fail_on_mixtures(error)
    of, scenes = opened.description.scenes, asked["scenes"]
    part = f", the first {scenes} of {of} scenes" if scenes and scenes < of else ""
    click.echo(f"{out}: {done.format(count, command or name)}{part}{f', shard {shard} is done' if shard else ''}")
    merging, scoring = f"merge {out}, once all shards are done", f"score {dataset} {out} -o results/{out.name}"
    options.echo_next_step(f"pse-bench {merging if shard else scoring}")


def _system_name(system: str | None, command: str | None, arguments: tuple[str, ...]) -> str:
    """The name of what SYSTEM or --system with --arg, or --command, asks for."""
    from pse_bench.systems import registry
    from pse_bench.systems.command import name_of

    if system and not command:
        return registry.with_arguments(system, arguments)
    if not command or system or arguments:
        raise click.UsageError("give a system, with --arg where it takes any, or --command, and not both")
    return name_of(command)


@cli.command()
@click.argument("system", required=False)
@_arguments
@_command
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
    system: str | None,
    arguments: tuple[str, ...],
    command: str | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    **asked: Any,
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

    if system == public.PREFIX:
        click.echo(json.dumps(public.listed()) if as_json else public.as_text())
        return
    if out:
        options.require_new(out, force)
    name = _system_name(system, command, arguments)
    # a process of its own, whose libraries have one thread
    outcome = next(iter(options.executor(1, isolated=True).run(_measure, [{"name": name, **asked}])))
    if outcome.lost:
        raise InputError(f"system {name}: {outcome.lost}")
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
