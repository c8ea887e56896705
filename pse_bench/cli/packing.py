"""pack: a dataset as tar shards."""

import json
from pathlib import Path

import click

from pse_bench.cli import options


@click.command()
@click.argument("dataset", type=options.FOLDER)
@click.option("-o", "--out", "place", metavar="PLACE", required=True, help="Folder or URL (s3://…) to write.")
@click.option("--size", default="1GB", show_default=True, help="Bytes that a shard may have, as 500MB.")
@options.jobs
@options.force
@options.as_json
def pack(dataset: Path, place: str, size: str, jobs: int, force: bool, as_json: bool) -> None:
    """Write a dataset as tar shards in the WebDataset layout.

    PLACE is a folder or any URL that fsspec knows. train --dataset reads shards back, and so does the webdataset
    package. Interrupted, the same command continues.
    """
    from pse_bench.dataset import webdataset as stage
    from pse_bench.dataset.dataset import Dataset
    from pse_bench.runtime.progress import progress

    num_bytes, opened = stage.parse_size(size), Dataset.open(dataset)
    with progress("packing", "shards") as update:
        index = stage.pack(
            opened, place, size=num_bytes, executor=options.executor(jobs), force=force, progress=update
        )
    total = sum(shard.filesize for shard in index.shardlist)
    scenes = sum(shard.nsamples for shard in index.shardlist)
    if as_json:
        click.echo(json.dumps({"place": place, "shards": len(index.shardlist), "scenes": scenes, "bytes": total}))
    else:
        click.echo(f"{place}: {scenes} scenes in {len(index.shardlist)} shards, {total / 1e6:.0f} MB")


COMMANDS = (pack,)
