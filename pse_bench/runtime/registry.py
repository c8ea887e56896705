"""Executors by name, for ``--executor``."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pse_bench.registry import Registry
from pse_bench.runtime.executor import Processes, Serial


@dataclass(frozen=True)
class ExecutorOptions:
    """What a command says of where its work runs: ``jobs`` processes on this machine; ``isolated`` work may crash
    its process, so it never runs in the command's own; the address of a running dask ``scheduler``; ``config``, a
    file that says how to ask a batch system for workers."""

    jobs: int = 1
    isolated: bool = False
    scheduler: str | None = None
    config: Path | None = None


def local(options: ExecutorOptions) -> AbstractContextManager[Any]:
    """Processes on this machine, or none beside this one where a single job needs none."""
    several = options.jobs > 1 or options.isolated
    return nullcontext(Processes(options.jobs) if several else Serial())


def _dask(options: ExecutorOptions) -> AbstractContextManager[Any]:
    from pse_bench.runtime import dask

    return dask.queued(options.config) if options.config else dask.connected(str(options.scheduler))


EXECUTORS: Registry[Callable[[ExecutorOptions], AbstractContextManager[Any]]] = Registry(
    "executor",
    {"local": local, "dask": _dask, "dask-jobqueue": _dask},
    group="pse_bench.executors",
    check=lambda entry: "" if callable(entry) else "is no function of ExecutorOptions; give one",
)
"""What ``--executor`` names: functions that give an executor for as long as a command runs."""
