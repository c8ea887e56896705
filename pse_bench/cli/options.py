"""Options that several commands share, and the objects of the library that they name."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from pse_bench.errors import one_line

FILE = click.Path(path_type=Path, dir_okay=False)
SYSTEMS = "mixture, silence, oracle-mask, baseline:<recipe>, a .safetensors or .onnx file, or module:callable."
FOLDER = click.Path(path_type=Path, file_okay=False)

out_file = click.option("-o", "--out", type=FILE, required=True, help="File to write.")
out_folder = click.option("-o", "--out", type=FOLDER, required=True, help="Folder to write.")
force = click.option("--force", is_flag=True, help="Replace what an earlier run wrote.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
roots = click.option(
    "--root",
    "roots",
    multiple=True,
    metavar="NAME=DIR",
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
    default=lambda: cache() / "rooms",
    show_default="~/.cache/pse-bench/rooms",
    help="Where responses of shared rooms are kept.",
)


def echo_next_step(line: str) -> None:
    """Print the next command for a person; a script, whose stderr is no terminal, gets nothing."""
    if sys.stderr.isatty():
        click.echo(f"next: {line}", err=True)


def echo_errors(lines: Iterable[str], *, err: bool = True) -> None:
    """Print errors, a line each, with control characters of file names escaped."""
    for line in lines:
        click.echo(one_line(line), err=err)


def cache() -> Path:
    """The folder of caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pse-bench"


def combine_options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Combine options into one decorator, in the order of the help text."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def executor(jobs: int, *, isolated: bool = False) -> Any:
    """The executor of ``--jobs``. ``isolated`` work may crash its process, so it never runs in this one."""
    from pse_bench.runtime.registry import EXECUTORS, ExecutorOptions

    return click.get_current_context().with_resource(EXECUTORS["local"](ExecutorOptions(jobs, isolated)))


class ExecutorName(click.Choice):
    """A name of ours, of an entry point, or ``module:attribute``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if ":" in value:
            return value
        from pse_bench.runtime.registry import EXECUTORS

        return value if value in EXECUTORS.outside() else super().convert(value, param, ctx)


distribution_options = combine_options(
    click.option(
        "--executor",
        "kind",
        type=ExecutorName(["local", "dask", "dask-jobqueue"]),
        default="local",
        show_default=True,
        help="local: --jobs processes here; dask: the workers of --scheduler; dask-jobqueue: of --config.",
    ),
    click.option("--scheduler", metavar="ADDRESS", help="Of a running dask scheduler, as tcp://host:8786."),
    click.option(
        "--config", "cluster_config", type=FILE, help="YAML that says how to ask Slurm for workers (see the docs)."
    ),
    click.option("--shard", metavar="I/N", help="Only shard I of N, for merge."),
)


def chosen_executor(
    kind: str, *, scheduler: str | None, cluster_config: Path | None, jobs: int, isolated: bool = False
) -> Any:
    """Executor of a command with ``distribution_options``; its connections are closed when the command ends.

    Raises:
        InputError: an option is missing or belongs to another executor, or nothing answers.
    """
    from pse_bench.errors import InputError
    from pse_bench.runtime.registry import EXECUTORS, ExecutorOptions

    for name, given, owner in (("--scheduler", scheduler, "dask"), ("--config", cluster_config, "dask-jobqueue")):
        if bool(given) != (kind == owner) and kind in EXECUTORS:
            raise InputError(f"{name} and --executor {owner} go together; give both or neither")
    if kind == "local":
        return executor(jobs, isolated=isolated)
    asked = ExecutorOptions(jobs, isolated, scheduler, cluster_config)
    return click.get_current_context().with_resource(EXECUTORS.find(kind)(asked))


def chosen_shard(shard: str | None) -> Any:
    """The shard that ``--shard`` names, or None. Raises InputError."""
    from pse_bench.runtime.sharding import Shard

    return Shard.parse(shard) if shard else None


def distribution(
    *,
    jobs: int,
    shard: str | None,
    kind: str,
    scheduler: str | None,
    cluster_config: Path | None,
    isolated: bool = False,
    **others: Any,
) -> dict[str, Any]:
    """The options of a command as arguments of a job of the library: ``executor`` and ``share`` for those of
    ``distribution_options`` and ``--jobs``, all others as they are. Raises InputError."""
    chosen = chosen_shard(shard)
    where = chosen_executor(kind, scheduler=scheduler, cluster_config=cluster_config, jobs=jobs, isolated=isolated)
    return {"executor": where, "share": chosen, **others}
