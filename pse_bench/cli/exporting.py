"""export: a trained model, or a dataset, for other programs."""

import inspect
from pathlib import Path
from typing import Any

import click

from pse_bench.cli import options, packing
from pse_bench.cli.registry_group import RegistryGroup


def _exporters() -> Any:
    from pse_bench.export.exporter import exporters

    return exporters()


def _command(name: str, exporter: Any) -> click.Command:
    @click.command(name, help=inspect.cleandoc(exporter.help))
    @exporting
    def write(dataset: Path, scenarios: tuple[str, ...], out: Path, force: bool) -> None:
        from pse_bench.dataset.dataset import Dataset
        from pse_bench.export.items import items
        from pse_bench.runtime.progress import progress

        opened = Dataset.open(dataset)
        chosen = items(opened, scenarios)
        with progress("exporting", "mixtures") as update:
            path = exporter.write(opened, chosen, out, force=force, progress=update)
        click.echo(f"{path}: {len(chosen)} {exporter.unit}")
        options.echo_next_step(exporter.next_step(path))

    return write


@click.group(cls=RegistryGroup, registry=_exporters, make=_command)
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
        from pse_bench.systems import onnx_export
    except ImportError as error:
        raise InputError(f"export needs {error.name}; run pip install 'pse-bench[baseline]'") from error

    difference = onnx_export.export(checkpoint, out)
    click.echo(f"{out}: differs from torch by {difference:.1e} at most")


exporting = options.combine_options(
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


# tar shards; `pack` by the name under which one looks for it here
export.add_command(packing.pack, "webdataset")

COMMANDS = (export,)
