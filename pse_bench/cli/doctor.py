"""doctor, completion: the state of the installation, and completion in a shell."""

import json

import click
from click.shell_completion import get_completion_class

from pse_bench.cli import cli, options

VARIABLE = "_PSE_BENCH_COMPLETE"
PLACES = {"bash": "~/.bashrc", "zsh": "~/.zshrc", "fish": "~/.config/fish/completions/pse-bench.fish"}


@cli.command()
@options.as_json
def doctor(as_json: bool) -> None:
    """Say what is installed, and what to install for which command; free disk and threads.

    The exit status is 1 when something is missing that every command needs.
    """
    from pse_bench.doctor import diagnose
    from pse_bench.runtime.executor import THREAD_VARIABLES

    found = diagnose(options.cache(), THREAD_VARIABLES)
    if as_json:
        click.echo(json.dumps(found))
    else:
        click.echo(f"pse-bench {found['version']}, Python {found['python']}, {found['machine']}")
        held = [f"{name} {release}" for name, release in found["packages"].items() if release]
        click.echo(f"packages   {', '.join(held)}")
        for extra in found["extras"]:
            absent = ", ".join(name for name, release in extra["packages"].items() if release is None)
            state = f"missing: {absent}; {extra['install']}" if absent else "there"
            click.echo(f"{extra['name']:16}{state}\n{'':16}for {extra['serves']}")
        for folder, free in found["disk"].items():
            click.echo(f"disk       {free / 1e9:.1f} GB free in {folder}")
        limits = ", ".join(f"{name}={value}" for name, value in found["threads"].items())
        cores = f"{found['cores']} cores"
        click.echo(f"threads    {cores}; {limits or 'no variable limits the threads of a library'}")
    if found["missing"]:
        missing = ", ".join(found["missing"])
        options.fail(f"missing: {missing}; run pip install --force-reinstall pse-bench")


@cli.command()
@click.argument("shell", type=click.Choice(list(PLACES)))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands, options and shipped names at the tab key.

    \b
    bash  pse-bench completion bash >> ~/.bashrc
    zsh   pse-bench completion zsh >> ~/.zshrc
    fish  pse-bench completion fish > ~/.config/fish/completions/pse-bench.fish
    """
    top = click.get_current_context().find_root().command
    template = get_completion_class(shell)
    assert template is not None  # one of click's own
    words = {"complete_func": "_pse_bench_completion", "complete_var": VARIABLE, "prog_name": "pse-bench"}
    # source() would first run bash to ask for its version
    click.echo(template(top, {}, "pse-bench", VARIABLE).source_template % words)
    options.echo_next_step(f"put it into {PLACES[shell]} and open a new shell")
