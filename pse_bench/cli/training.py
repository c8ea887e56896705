"""train pvad, train pse, train interpolate."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import click

import pse_bench
from pse_bench.cli import cli, options
from pse_bench.io import cache_folder
from pse_bench.runtime.progress import progress

running = options.combine_options(
    click.option("--config", required=True, help="A configuration file, or the name of a shipped one."),
    click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Replace a value; dots go deeper."),
    options.manifests("--speech", help="Manifest of speech; repeatable."),
    options.manifests("--noise", help="Manifest of noise; repeatable."),
    click.option(
        "--speakers",
        type=options.FILE,
        help="CSV with corpus, speaker_id and perhaps role: train only on these, or on those of role training.",
    ),
    click.option(
        "--dataset",
        "datasets",
        multiple=True,
        metavar="PLACE",
        help="Train from rendered datasets instead, folders or shards of pack; repeatable.",
    ),
    click.option("--init-from", "begin", type=options.FILE, help="Checkpoint whose weights to begin with."),
    options.option("--workers", type=click.IntRange(0), default=0, help="Mix in so many processes."),
    click.option("--threads", type=click.IntRange(1), help="Threads of the model.  [default: torch's]"),
    options.option(
        "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="auto: a GPU if there is one."
    ),
    options.out_folder,
    options.roots,
    options.jobs,
    options.bank,
    click.option(
        "--cache",
        type=options.FOLDER,
        default=lambda: cache_folder() / "training",
        show_default="~/.cache/pse-bench/training",
        help="Where decoded speech, rooms and embeddings are kept.",
    ),
    options.force,
)


@cli.group()
def train() -> None:
    """Train the baseline: the personal VAD, or the enhancer with one of five recipes.

    Interrupted, the same command continues. On several GPUs: torchrun --nproc-per-node N -m pse_bench train …
    """


@train.command()
@running
def pvad(**asked: Any) -> None:
    """Train the personal voice activity detector."""
    _train("pvad", **asked)


@train.command()
@running
@click.option("--pvad", "guide", type=options.FILE, help="Checkpoint of the pVAD that guides the recipe.")
def pse(**asked: Any) -> None:
    """Train the enhancer. The recipe is in the configuration."""
    _train("pse", **asked)


def _train(task: str, config: str, changes: tuple[str, ...], **asked: Any) -> None:
    from pse_bench.training import config as configs

    chosen = configs.load(config, changes, task=task)
    echo = partial(click.echo, err=True)
    written = pse_bench.train_model(chosen, progress=progress, echo=echo, **options.with_executor(asked))
    if os.environ.get("RANK", "0") == "0":
        click.echo(written)


@train.command()
@click.argument("one", type=options.FILE)
@click.argument("other", type=options.FILE)
@click.option("--share", type=click.FloatRange(0, 1), required=True, help="0 gives ONE, 1 gives OTHER.")
@options.out_file
@options.force
def interpolate(one: Path, other: Path, share: float, out: Path, force: bool) -> None:
    """Write a checkpoint between two others: the control line that a recipe has to beat."""

    options.require_new(out, force)
    from pse_bench.training import checkpoint

    model, about = checkpoint.interpolate(one, other, share=share)
    checkpoint.save(out, model, about)
    click.echo(out)
