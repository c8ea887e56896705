"""What several commands share: options and what of the library they name, messages, and groups of registries."""

import os
import sys
from collections.abc import Callable, Iterable
from functools import partial, reduce
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

import pse_bench
from pse_bench.errors import InputError, one_line
from pse_bench.io import cache_folder

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
PLACE = click.Path(path_type=Path)
SHOWN = 20
"""Estimates that are named one by one when they cannot be made or used."""
SYSTEMS = "mixture, silence, oracle-mask, baseline:<recipe>, a .safetensors or .onnx file, or module:callable."


def _scenarios(ctx: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem | str]:
    """Shipped scenarios, and files, that begin with what was typed."""
    from pse_bench.planning.scenario import shipped

    return [*(name for name in shipped() if name.startswith(begun)), CompletionItem(begun, type="file")]


def _fields(texts: tuple[str, ...]) -> dict[str, Any]:
    from pse_bench.submission.submission import parse_fields

    return parse_fields(texts)


def _shard(_: click.Context, __: click.Parameter, given: str | None) -> Any:
    from pse_bench.runtime.sharding import Shard

    return Shard.parse(given) if given else None


class ExecutorName(click.Choice):
    """A name of ours, of an entry point, or ``module:attribute``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from pse_bench.runtime.registry import EXECUTORS

        return value if ":" in value or value in EXECUTORS.outside() else super().convert(value, param, ctx)


def combine_options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Combine options into one decorator, in the order of the help text."""

    return lambda command: reduce(lambda taking, option: option(taking), reversed(options), command)


option = partial(click.option, show_default=True)
scenario = click.argument("scenario", shell_complete=_scenarios)
dataset = click.argument("dataset", type=FOLDER)
submission = click.argument("submission", type=PLACE)
results = click.argument("results", nargs=-1, required=True, type=FOLDER)
manifests = partial(click.option, type=FILE, multiple=True)
formats = partial(
    option, "--format", "form", type=click.Choice(["terminal", "markdown", "csv", "latex"]), default="terminal"
)
intervals = click.option(
    "--no-intervals",
    "intervals",
    is_flag=True,
    callback=lambda *given: not given[-1],
    help="Leave out the 95 % intervals.",
)
figures = combine_options(
    click.option(
        "--metrics",
        "asked",
        metavar="NAMES",
        callback=lambda *given: [name.strip() for name in given[-1].split(",")] if given[-1] else None,
        help="Figures to show, separated by commas: tsos, or TS2.tsos of one scenario.",
    ),
    click.option("--all", "everything", is_flag=True, help="Show every figure, not the six headline ones."),
    intervals,
)
scenes = click.option(
    "--scenes",
    type=click.IntRange(1),
    help="Only the first N scenes; run again with more, it continues. Such a result enters no leaderboard.",
    metavar="N",
)
fields = click.option(
    "--set",
    "fields",
    multiple=True,
    metavar="FIELD=VALUE",
    callback=lambda *given: _fields(given[-1]),
    help="Field of system.yaml, as licence=MIT; repeatable.",
)
out_file = click.option("-o", "--out", type=FILE, required=True, help="File to write.")
out_folder = click.option("-o", "--out", type=FOLDER, required=True, help="Folder to write.")
force = click.option("--force", is_flag=True, help="Replace what an earlier run wrote.")
quiet = click.option("--quiet", is_flag=True, help="Print no table.")
streaming = click.option("--streaming", is_flag=True, help="Run the system hop by hop.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
roots = click.option(
    "--root",
    "roots",
    multiple=True,
    metavar="NAME=DIR",
    callback=lambda *given: pse_bench.Roots.parse(given[-1], echo_note),
    help="Folder of a corpus; repeatable. Or set PSE_BENCH_ROOT_<NAME>.",
)
jobs = click.option(
    "--jobs",
    type=click.IntRange(1),
    default=lambda: len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    show_default="all cores",
    help="Worker processes.",
)
bank = click.option(
    "--room-bank",
    "bank",
    type=FOLDER,
    default=lambda: cache_folder() / "rooms",
    show_default="~/.cache/pse-bench/rooms",
    help="Where responses of shared rooms are kept.",
)
distribution_options = combine_options(
    option(
        "--executor",
        "kind",
        type=ExecutorName(["local", "dask", "dask-jobqueue"]),
        default="local",
        help="local: --jobs processes here; dask: the workers of --scheduler; dask-jobqueue: of --config.",
    ),
    click.option("--scheduler", metavar="ADDRESS", help="Of a running dask scheduler, as tcp://host:8786."),
    click.option("--config", type=FILE, help="YAML that says how to ask Slurm for workers (see the docs)."),
    click.option("--shard", "share", metavar="I/N", callback=_shard, help="Only shard I of N, for merge."),
)


def executor(
    jobs: int,
    kind: str = "local",
    scheduler: str | None = None,
    config: Path | None = None,
    isolated: bool = False,
) -> Any:
    """The executor that ``--jobs`` and ``distribution_options`` name; its connections are closed when the command
    ends. ``isolated`` work may crash its process, so it never runs in this one.

    Raises:
        InputError: an option is missing or belongs to another executor, or nothing answers.
    """
    from pse_bench.runtime.registry import EXECUTORS, ExecutorOptions

    for name, given, owner in (("--scheduler", scheduler, "dask"), ("--config", config, "dask-jobqueue")):
        if bool(given) != (kind == owner) and kind in EXECUTORS:
            raise InputError(f"{name} and --executor {owner} go together; give both or neither")
    asked = ExecutorOptions(jobs, isolated, scheduler, config)
    return click.get_current_context().with_resource(EXECUTORS.find(kind)(asked))


def with_executor(asked: dict[str, Any], *, isolated: bool = False) -> dict[str, Any]:
    """The options of a command as arguments of a job of the library: ``executor`` in place of those that name it
    (see ``executor``), all others as they are. Raises InputError."""
    names = asked.keys() & {"jobs", "kind", "scheduler", "config"}
    where = executor(**{name: asked[name] for name in names}, isolated=isolated)
    return {"executor": where, **{name: value for name, value in asked.items() if name not in names}}


def require_new(out: Path, force: bool) -> None:
    """Refuse to replace a file unless asked to. Raises InputError."""
    from pse_bench.io import atomic

    atomic.require_new(out, force)


def echo_next_step(line: str) -> None:
    """Print the next command for a person; a script, whose stderr is no terminal, gets nothing."""
    if sys.stderr.isatty():
        click.echo(f"next: {line}", err=True)


def echo_note(line: str) -> None:
    """Print what is worth knowing and is no error; a warning says that it is one."""
    click.echo(f"{'' if line.startswith('warning: ') else 'note: '}{one_line(line)}", err=True)


def echo_errors(lines: Iterable[str], *, err: bool = True) -> None:
    """Print errors, a line each, with control characters of file names escaped."""
    for line in lines:
        click.echo(one_line(line), err=err)


def fail(*lines: str) -> NoReturn:
    """Print errors and end with status 1."""
    echo_errors(lines)
    sys.exit(1)


def fail_on_mixtures(error: Any) -> NoReturn:
    """Print on which mixtures a system failed, and end."""
    width = max(map(len, error.failed))
    shown = [f"{name:{width}}  {reason}" for name, reason in error.failed.items()]
    more = [f"… and {len(shown) - SHOWN} more"] if len(shown) > SHOWN else []
    fail(*shown[:SHOWN], *more, str(error))


class RegistryGroup(click.Group):
    """A group whose commands are its own, those of a registry's entries, and ``module:attribute``. ``registry``
    names the registry or what gives it, imported when a command is looked for; ``make`` makes that of an entry."""

    def __init__(self, *args: Any, registry: str, make: Callable[[str, Any], click.Command], **rest: Any) -> None:
        super().__init__(*args, **rest)
        self._registry, self._make = registry, make

    def _entries(self) -> Any:
        found = resolve_name(self._registry)
        return found() if callable(found) else found

    def list_commands(self, ctx: click.Context) -> list[str]:
        known = self._entries()
        return sorted({*super().list_commands(ctx), *known, *known.outside()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (own := super().get_command(ctx, cmd_name)) is not None:
            return own
        known = self._entries()
        there = ":" in cmd_name or cmd_name in {*known, *known.outside()}
        return self._make(cmd_name, known.find(cmd_name)) if there else None
