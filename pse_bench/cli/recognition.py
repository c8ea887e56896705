"""Recognisers as they are asked for; probe: how much of what they write down was not said."""

from pathlib import Path
from typing import Any

import click

import pse_bench
from pse_bench.cli import cli, options
from pse_bench.io import cache_folder
from pse_bench.runtime.progress import progress


def recogniser(spec: str, dataset: Any) -> Any:
    """The recogniser of ``--recogniser``, given the dataset's sentences, with a cache of its transcripts."""
    from pse_bench.asr import load, remembered
    from pse_bench.asr.probe import known

    sentences = sorted({text for row in dataset.mixtures for text in (row.text, row.interferer_text)} - {""})
    listener = load(spec, sentences, {row.mixture_id for row in dataset.mixtures})
    options.echo_note(
        "; ".join(filter(None, [f"{listener.name} {listener.version}: {listener.note}", known(listener.model)]))
    )
    return remembered(listener, cache_folder() / "transcripts")


@cli.command()
@click.argument("spec", metavar="RECOGNISER")
@options.dataset
@click.option("--scenes", type=click.IntRange(1), help="Only the first N scenes.")
@click.option("-o", "--out", "table", type=options.FILE, help="A CSV of figures that takes this one's, too.")
@options.as_json
def probe(spec: str, dataset: Path, scenes: int | None, table: Path | None, as_json: bool) -> None:
    """How much a recogniser writes down that was not said: the masked-word probe.

    Every fifth word of each reference is silenced. What RECOGNISER writes down of these words all the same, it
    guesses from the others; its deletions understate over-suppression by as much. Needs the extra
    pse-bench[asr], which finds the words.
    """
    from pse_bench.asr.probe import note
    from pse_bench.scoring.probing import probe_dataset

    opened = pse_bench.Dataset.open(dataset)
    command = " ".join(["pse-bench probe", spec, opened.folder.resolve().name])
    command += f" --scenes {scenes}" if scenes else ""
    with progress("probing", "references") as update:
        asked = recogniser(spec, opened)
        figures, usable, there = probe_dataset(asked, opened, scenes=scenes, command=command, progress=update)
    if table:
        note(figures, table)
    if as_json:
        click.echo(figures.model_dump_json())
        return
    click.echo(f"{figures.sentence}; of the same words not silenced {figures.heard:.1f} %")
    others = f"; in {there - usable} more none could be placed" if there > usable else ""
    click.echo(f"{figures.silenced} words of {usable} references{others}")
