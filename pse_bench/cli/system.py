"""system: speed, size and causality of a system."""

import dataclasses
import json
import sys
from typing import Any

import click

from pse_bench.cli import options


@click.command()
@click.argument("system")
@click.option("--streaming", is_flag=True, help="Run a trained model hop by hop.")
@click.option(
    "--latency-ms",
    type=click.FloatRange(0),
    help="Algorithmic latency to hold it to; by default what it states, else 20 ms.",
)
@click.option(
    "--sample-rate", type=click.IntRange(8000), default=16_000, show_default=True, help="Of the test signals, Hz."
)
@options.as_json
def system(system: str, streaming: bool, latency_ms: float | None, sample_rate: int, as_json: bool) -> None:
    """Figures of a system, yours or ours: speed on one thread, size, and whether it looks ahead.

    The input is changed from some sample on, for many samples and signals: the output may not change earlier than
    the algorithmic latency allows. The exit status is 1 when it does, unless the system says itself that it is not
    causal. SYSTEM is what `enhance --system` takes.
    """
    from pse_bench.errors import InputError

    asked = {"name": system, "streaming": streaming, "sample_rate": sample_rate, "latency_ms": latency_ms}
    # a process of its own, whose libraries have one thread
    outcome = next(iter(options.executor(1, isolated=True).run(_measure, [asked])))
    if outcome.lost:
        raise InputError(f"system {system}: {outcome.lost}")
    figures = outcome.value
    fails = not figures.kept and (figures.causal is not False or latency_ms is not None)
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(figures), "kept": figures.kept}))
    else:
        for name, value in _rows(figures):
            click.echo(f"{name:22}{value}")
    if fails:
        click.echo(
            f"system {figures.system}: its output changes {figures.look_ahead_ms:.1f} ms before its input does; "
            f"more than the {figures.latency_ms:g} ms that it may look ahead",
            err=True,
        )
        sys.exit(1)


def _measure(asked: dict[str, Any]) -> Any:
    from pse_bench.systems.profile import measure

    return measure(**asked)


def _rows(figures: Any) -> list[tuple[str, str]]:
    source = "" if figures.stated else " (not stated; the baseline's)"
    if not figures.responses:
        causality = "nothing shown: no change of the input reached the output"
    elif figures.kept:
        causality = (
            f"kept: {figures.look_ahead_ms:.2f} ms seen, {figures.responses} of {figures.probes} changes heard"
        )
    else:
        causality = f"broken: {figures.look_ahead_ms:.1f} ms seen"
        causality += ", as it says (causal: false)" if figures.causal is False else ""
    return [
        ("system", figures.system),
        ("algorithmic latency", f"{figures.latency_ms:g} ms{source}"),
        ("look-ahead", causality),
        ("real-time factor", f"{figures.rtf:.4f} on one thread"),
        ("parameters", "unknown" if figures.parameters is None else f"{figures.parameters:,}"),
        (
            "multiply-accumulates",
            "unknown"
            if figures.macs_per_second is None
            else f"{figures.macs_per_second / 1e6:,.0f} million a second",
        ),
    ]


COMMANDS = (system,)
