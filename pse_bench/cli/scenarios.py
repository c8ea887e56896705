"""scenario: those that are shipped, and checking one of one's own."""

import sys

import click

from pse_bench.cli import cli, options


@cli.group("scenario")
def group() -> None:
    """The scenarios that come with pse-bench, and checks of your own."""


@group.command("list")
def list_shipped() -> None:
    """Print the name, version and description of every shipped scenario."""
    from pse_bench.planning.scenario import load, shipped

    width = max(map(len, shipped()))
    for name in shipped():
        scenario, _ = load(name)
        click.echo(f"{name:{width}}  v{scenario.version}  {' '.join(scenario.description.split())}")


@group.command()
@options.scenario
def show(scenario: str) -> None:
    """Print a scenario as it is written, to begin one of your own with."""
    from pse_bench.io.documents import read_text
    from pse_bench.planning.scenario import find

    click.echo(read_text(find(scenario)), nl=False)


@group.command()
@options.scenario
def check(scenario: str) -> None:
    """Print everything that is wrong with a scenario, a line each.

    The exit status is 1 when anything is.
    """
    from pse_bench.io import yaml_reader
    from pse_bench.planning.scenario import find, load, mistakes

    path = find(scenario)
    if lines := mistakes(yaml_reader.load(path), str(path)):
        options.echo_errors(lines, err=False)
        sys.exit(1)
    valid, _ = load(scenario)
    click.echo(f"{scenario}: valid, {valid.name} version {valid.version}")
