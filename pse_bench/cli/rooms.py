"""rooms: the shared rooms of plans, how often each is used, and building them ahead."""

import json
from pathlib import Path

import click

from pse_bench.cli import options


@click.command()
@click.argument("plans", type=options.FILE, nargs=-1, required=True)
@options.bank
@click.option("--build", is_flag=True, help="Simulate the rooms that the bank lacks.")
@options.jobs
@options.as_json
def rooms(plans: tuple[Path, ...], bank: Path, build: bool, jobs: int, as_json: bool) -> None:
    """Print how often each simulated room of one or more PLANS is used, as CSV.

    Plans share the responses of a room that is the same in all of them. With --build, rooms are simulated before
    any scene is rendered: once, for as many plans and machines as see the bank. Only scenarios with room.rooms
    share rooms; a room that one scene alone has is simulated with the scene and needs no bank.
    """
    from pse_bench.io.text_table import as_csv
    from pse_bench.planning import plan
    from pse_bench.runtime.progress import progress
    from pse_bench.simulation import rir_bank as whole

    if build:
        recipes = (recipe for path in plans for recipe in plan.read(path)[2])
        with progress("simulating", "rooms") as update:
            whole.build(recipes, bank, options.executor(jobs), update)
    rows = [row.model_dump() for row in whole.usage(plans, bank)]
    if as_json:
        click.echo(json.dumps(rows))
    else:
        for row in rows:
            row["size_m"] = "x".join(f"{length:g}" for length in row["size_m"])
        click.echo(as_csv(list(whole.Use.model_fields), [row.values() for row in rows]))
        scenes = [row["scenes"] for row in rows]
        if rows:
            built = sum(row["built"] for row in rows)
            told = (
                f"{len(rows)} rooms ({built} built), {sum(scenes)} scenes: {min(scenes)} to {max(scenes)} a room"
            )
            click.echo(told, err=True)


COMMANDS = (rooms,)
