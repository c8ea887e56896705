"""export: a trained model, or a dataset, for other programs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pse_bench.cli import options, packing


@click.group()
def export() -> None:
    """Write a trained model, or a dataset, in a form that other programs read."""


@export.command()
@click.argument("checkpoint", type=options.FILE)
@options.out_file
@options.force
def onnx(checkpoint: Path, out: Path, force: bool) -> None:
    """Write an enhancer's checkpoint as an ONNX file that runs hop by hop without torch.

    State goes in and out with every hop. The file is compared with torch before it takes its place.
    """
    from pse_bench.errors import InputError

    if out.suffix != ".onnx":
        raise InputError(f"{out}: give a name that ends in .onnx, so that `enhance --system` knows it")
    if out.exists() and not force:
        raise InputError(f"{out}: exists already; give another name, or --force to replace it")
    try:
        from pse_bench.export import onnx as room
    except ImportError as error:
        raise InputError(f"export needs {error.name}; run pip install 'pse-bench[baseline]'") from error

    difference = room.export(checkpoint, out)
    click.echo(f"{out}: differs from torch by {difference:.1e} at most")


exporting = options.together(
    click.argument("dataset", type=options.FOLDER),
    click.option(
        "--scenario",
        "scenarios",
        type=click.Choice(["TS1", "TS2", "TS3"]),
        multiple=True,
        help="Only mixtures of this scenario; repeatable.",
    ),
    options.out_folder,
    options.force,
)


@export.command()
@exporting
def lhotse(**asked: Any) -> None:
    """Write cuts.jsonl, a CutSet of lhotse: a cut a mixture.

    Supervisions tell who speaks; enrollment, reference and stems are custom recordings. Sounds are named as
    DATASET is given: give a full path to open the cuts from anywhere.
    """
    from pse_bench.export import lhotse as room

    path, count = _export(room.write, **asked)
    click.echo(f"{path}: {count} cuts")
    options.hint(f"lhotse.CutSet.from_jsonl({str(path)!r})")


@export.command()
@exporting
def kaldi(**asked: Any) -> None:
    """Write a Kaldi-style data folder, as ESPnet's recipe for target speaker extraction (tse1) reads it.

    wav.scp, spk1.scp (reference), enroll_spk1.scp, text, utt2spk, spk2utt. In TS3 the reference is silence.
    Sounds are named as DATASET is given: give a full path to use the folder from anywhere.
    """
    from pse_bench.export import kaldi as room

    path, count = _export(room.write_kaldi, **asked)
    click.echo(f"{path}: {count} mixtures")
    options.hint("copy or link the folder into the recipe's data/")


@export.command()
@exporting
def wesep(**asked: Any) -> None:
    """Write a data folder for WeSep's recipes.

    wav.scp (mixture and reference), utt2spk, spk1.enroll, single.wav.scp, single.utt2spk. In TS3 the reference is
    silence. Sounds are named as DATASET is given: give a full path to use the folder from anywhere.
    """
    from pse_bench.export import kaldi as room

    path, count = _export(room.write_wesep, **asked)
    click.echo(f"{path}: {count} mixtures")
    options.hint("give wav.scp and utt2spk to WeSep's make_shard_list_premix.py")


@export.command()
@exporting
def huggingface(**asked: Any) -> None:
    """Write a folder of audio with metadata.jsonl, as Hugging Face datasets loads it.

    Sounds are linked into the folder where the file system can, else copied.
    """
    from functools import partial

    from pse_bench.export import huggingface as room
    from pse_bench.runtime.progress import progress

    with progress("linking", "mixtures") as update:
        path, count = _export(partial(room.write, progress=update), **asked)
    click.echo(f"{path}: {count} mixtures")
    options.hint(f'datasets.load_dataset("audiofolder", data_dir={str(path)!r})')


def _export(
    write: Callable[..., Path], *, dataset: Path, scenarios: tuple[str, ...], out: Path, force: bool
) -> tuple[Path, int]:
    from pse_bench.dataset.dataset import Dataset
    from pse_bench.export.items import items

    opened = Dataset.open(dataset)
    chosen = items(opened, scenarios)
    return write(opened, chosen, out, force=force), len(chosen)


# tar shards; `pack` by the name under which one looks for it here
export.add_command(packing.pack, "webdataset")

COMMANDS = (export,)
