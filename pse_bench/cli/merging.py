"""merge: shards of one work become the whole."""

from pathlib import Path

import click

from pse_bench.cli import generate, options, scoring


@click.command()
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", type=options.FOLDER, help="The whole, of shards that lie anywhere.")
@click.option("--quiet", is_flag=True, help="Print no table.")
@options.as_json
def merge(folders: tuple[Path, ...], out: Path | None, quiet: bool, as_json: bool) -> None:
    """Merge what render, enhance, detect or score made with --shard.

    FOLDER is the folder that all shards were written to. With -o, it is each shard, wherever it lies: a folder
    part-I-of-N, or one that holds some. What comes out is, to the byte, what one run would have made; gaps and
    overlaps are refused. Files are moved, not copied.
    """
    import json

    from pse_bench.runtime import merging
    from pse_bench.scoring import result_writer
    from pse_bench.simulation import dataset_writer
    from pse_bench.systems import enhance

    if out is None and len(folders) > 1:
        raise click.UsageError("shards of several folders need -o OUT, the folder of the whole")
    out, given = (folders[0], ()) if out is None else (out, folders)
    if merging.removed_rest(out):
        click.echo(
            json.dumps({"merged": str(out)}) if as_json else f"{out}: merged; the rest of its shards is removed"
        )
        return
    shards = merging.gather(out, given)
    stage = shards[0].head.stage
    if stage == "render":
        generate.tell(dataset_writer.merge(out, shards), as_json=as_json)
    elif stage == "score":
        scoring.tell(result_writer.merge(out, shards), out, quiet=quiet, as_json=as_json)
    else:
        count = enhance.merge(out, shards)
        click.echo(json.dumps({"mixtures": count}) if as_json else f"{out}: {count} mixtures")


COMMANDS = (merge,)
