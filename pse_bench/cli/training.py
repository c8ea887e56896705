"""train pvad, train pse, train interpolate."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from pse_bench.cli import options

running = options.together(
    click.option("--config", required=True, help="A configuration file, or the name of a shipped one."),
    click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Replace a value; dots go deeper."),
    click.option("--speech", type=options.FILE, multiple=True, help="Manifest of speech; repeatable."),
    click.option("--noise", type=options.FILE, multiple=True, help="Manifest of noise; repeatable."),
    click.option(
        "--speakers",
        type=options.FILE,
        help="CSV with corpus, speaker_id and perhaps role: train only on these, or on those of role training.",
    ),
    click.option(
        "--dataset",
        multiple=True,
        metavar="PLACE",
        help="Train from rendered datasets instead, folders or shards of pack; repeatable.",
    ),
    click.option("--init-from", "begin", type=options.FILE, help="Checkpoint whose weights to begin with."),
    click.option(
        "--workers", type=click.IntRange(0), default=0, show_default=True, help="Mix in so many processes."
    ),
    click.option("--threads", type=click.IntRange(1), help="Threads of the model.  [default: torch's]"),
    options.out_folder,
    options.roots,
    options.jobs,
    options.bank,
    click.option(
        "--cache",
        type=options.FOLDER,
        default=lambda: options.cache() / "training",
        show_default="~/.cache/pse-bench/training",
        help="Where decoded speech, rooms and embeddings are kept.",
    ),
    options.force,
)


@click.group()
def train() -> None:
    """Train the baseline: the personal VAD, or the enhancer with one of five recipes.

    Interrupted, the same command continues. On several GPUs: torchrun --nproc-per-node N -m pse_bench train …
    """


@train.command()
@running
def pvad(**asked: Any) -> None:
    """Train the personal voice activity detector."""
    _train("pvad", guide=None, **asked)


@train.command()
@running
@click.option("--pvad", "guide", type=options.FILE, help="Checkpoint of the pVAD that guides the recipe.")
def pse(**asked: Any) -> None:
    """Train the enhancer. The recipe is in the configuration."""
    _train("pse", **asked)


@train.command()
@click.argument("one", type=options.FILE)
@click.argument("other", type=options.FILE)
@click.option("--share", type=click.FloatRange(0, 1), required=True, help="0 gives ONE, 1 gives OTHER.")
@options.out_file
@options.force
def interpolate(one: Path, other: Path, share: float, out: Path, force: bool) -> None:
    """Write a checkpoint between two others: the control line that a recipe has to beat."""
    from pse_bench.errors import InputError

    if out.exists() and not force:
        raise InputError(f"{out}: exists already; give another name, or --force to replace it")
    from pse_bench.training import checkpoint, tasks

    model, about = tasks.interpolate(one, other, share=share)
    checkpoint.save(out, model, about)
    click.echo(out)


def _train(
    task: str,
    *,
    config: str,
    changes: tuple[str, ...],
    speech: tuple[Path, ...],
    noise: tuple[Path, ...],
    speakers: Path | None,
    dataset: tuple[str, ...],
    begin: Path | None,
    guide: Path | None,
    workers: int,
    threads: int | None,
    out: Path,
    roots: tuple[str, ...],
    jobs: int,
    bank: Path,
    cache: Path,
    force: bool,
) -> None:
    import shutil

    from pse_bench.errors import InputError
    from pse_bench.training import REMEDY
    from pse_bench.training import config as configs

    asked = configs.load(config, changes, task=task)
    if bool(dataset) == bool(speech or noise):
        raise InputError("give either --speech and --noise to mix on the fly, or --dataset")
    try:
        import torch
    except ImportError as error:
        raise InputError(f"training needs torch, which is not installed; run {REMEDY}") from error
    from pse_bench.corpora.roots import Roots
    from pse_bench.io import locks
    from pse_bench.runtime.progress import progress
    from pse_bench.training import train as loop
    from pse_bench.training.data import sources

    if threads:
        torch.set_num_threads(threads)
    first = os.environ.get("RANK", "0") == "0"
    if force and first and (out / "run.json").exists():
        shutil.rmtree(out)
    with loop.first_then_others():  # the others find everything prepared
        if dataset:
            source = sources.from_datasets(asked, folders=dataset)
        else:
            source = sources.from_manifests(
                asked,
                speech=speech,
                noise=noise,
                speakers=speakers,
                roots=Roots.parse(roots),
                cache=cache,
                bank=bank,
                executor=options.executor(jobs),
                progress=progress,
            )
    for note in source.notes if first else ():
        click.echo(f"note: {note}", err=True)
    own = locks.locked(out, "training") if first else nullcontext()
    with own, progress("training", "s of audio") as update:
        loop.train(
            asked,
            source,
            out,
            guide=guide,
            begin=begin,
            workers=workers,
            progress=update,
            say=lambda line: click.echo(line, err=True),
        )
    if first:
        click.echo(out / "checkpoint.safetensors")


COMMANDS = (train,)
