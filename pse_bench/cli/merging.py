"""merge: shares of one work become the whole."""

from pathlib import Path

import click

from pse_bench.cli import generate, options, scoring


@click.command()
@click.argument("out", type=options.FOLDER)
@click.option("--quiet", is_flag=True, help="Print no table.")
@options.as_json
def merge(out: Path, quiet: bool, as_json: bool) -> None:
    """Merge what render, enhance, detect or score made with --shard.

    OUT is the folder that all shares were written to. What comes out is, to the byte, what one run would have
    made; gaps and overlaps are refused. Files are moved, not copied.
    """
    import json

    from pse_bench.runtime import resume
    from pse_bench.scoring import result_writer
    from pse_bench.simulation import dataset_writer
    from pse_bench.systems import enhance

    if resume.removed_rest(out):
        click.echo(
            json.dumps({"merged": str(out)}) if as_json else f"{out}: merged; the rest of its shares is removed"
        )
        return
    found = resume.gather(out)
    stage = found[0].head.stage
    if stage == "render":
        generate.tell(dataset_writer.merged(out, found), as_json=as_json)
    elif stage == "score":
        scoring.tell(result_writer.merged(out, found), out, quiet=quiet, as_json=as_json)
    else:
        count = enhance.merged(out, found)
        click.echo(json.dumps({"mixtures": count}) if as_json else f"{out}: {count} mixtures")


COMMANDS = (merge,)
