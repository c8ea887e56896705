"""An executor over the workers of a dask.distributed scheduler, on one machine or many.

The machines share their folders. Workers have one thread each (metrics keep state a thread must not share, and
numerical libraries give other bits with more), and the packages of this process.
"""

import importlib
import logging
import platform
import queue
import re
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from pse_bench.errors import InputError
from pse_bench.io import documents, yaml_reader
from pse_bench.registry import installed_version
from pse_bench.runtime.executor import Outcome

PACKAGES = ("pse-bench", "numpy", "scipy", "soundfile", "pyroomacoustics", "pystoi", "pesq", "onnxruntime")
"""Packages that have to be the same on all machines, or the same work could give other results."""
Versions = tuple[tuple[str, str], ...]

PATIENCE_S = 60.0  # while there is no worker at all; for workers that a queue starts there is no limit
CONNECT_S = 10.0
TASK_S = 1.0  # items that take less go several at a time, for a scheduler takes milliseconds for a task
AHEAD = 3  # tasks a worker that are with the scheduler at a time
CONTINUE = "run the same command again, it continues"
GONE = f"the scheduler is gone; start it and its workers and {CONTINUE}"
REMEDY = "pip install 'pse-bench[cluster]'"


class Dask:
    """The workers of a scheduler that ``client`` is connected to.

    The scheduler gives what a lost worker was doing to another one, again and again (four times, unless it says
    otherwise). What was queued at a worker when it died is under suspicion too, so an item is reported as lost
    only when it has done the same once more while nothing else was with the scheduler.

    Where a queue starts the workers, work is cut to fit the number ``expected``. ``patience_s`` is how long to
    wait while there is none; None waits for ever.
    """

    def __init__(self, client: Any, *, expected: int = 0, patience_s: float | None = PATIENCE_S) -> None:
        self._client, self._expected, self._patience_s = client, expected, patience_s

    @property
    def jobs(self) -> int:
        """How many items are worked on at a time."""
        return max(1, self._expected, self._workers())

    def _workers(self) -> int:
        try:
            return len(self._client.nthreads())
        except OSError as error:
            raise InputError(GONE) from error

    def run(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        from distributed import CancelledError, KilledWorker

        task = partial(_carry_out, _packages(), function)
        todo, suspects, alone = deque(range(len(items))), deque[int](), False
        running: dict[Any, list[int]] = {}
        finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        jobs, asked, pace_s = self.jobs, time.monotonic(), TASK_S
        try:
            while True:
                if time.monotonic() > asked + 1:  # workers come and go
                    jobs, asked = self.jobs, time.monotonic()
                groups: list[list[int]] = []
                while todo and len(running) + len(groups) < AHEAD * jobs:
                    size = min(TASK_S / pace_s, len(todo) / (AHEAD * jobs))
                    groups.append([todo.popleft() for _ in range(max(1, int(size)))])
                if suspects and not groups and not running:
                    alone = True  # from here on: there is nothing left to do but them
                    groups.append([suspects.popleft()])
                for group in groups:
                    future = self._client.submit(task, [items[index] for index in group], pure=False)
                    running[future] = group
                    future.add_done_callback(finished.put)
                if not running:
                    return
                future = self._next(finished)
                group = running.pop(future)
                try:
                    values, seconds = future.result()
                except KilledWorker:
                    if alone:
                        yield Outcome(group[0], lost="its worker process died again and again (a crash or a kill)")
                    else:
                        suspects += group  # to see which of them it was
                    continue
                pace_s = max(seconds / len(group), 1e-3)
                yield from map(Outcome, group, values)
        except CancelledError as error:
            raise InputError(GONE) from error
        finally:
            if running and self._client.status == "running":
                self._client.cancel(list(running))

    def _next(self, finished: "queue.SimpleQueue[Any]") -> Any:
        """The next task that is done; waits for it."""
        while True:
            try:
                return finished.get(timeout=self._patience_s)
            except queue.Empty:
                if not self._workers():
                    address = self._client.scheduler.address
                    remedy = f"start some (dask worker {address} --nthreads 1) and {CONTINUE}"
                    raise InputError(f"{address}: no worker for {self._patience_s:.0f} s; {remedy}") from None


def _carry_out(packages: Versions, function: Callable[[Any], Any], items: list[Any]) -> tuple[list[Any], float]:
    """Results of some items, computed in a worker that passes ``_check_worker``, and the seconds they took."""
    _check_worker(packages)
    begin = time.monotonic()
    return [function(item) for item in items], time.monotonic() - begin


@lru_cache
def _check_worker(packages: Versions) -> None:
    """Raise InputError where a worker has more threads or other packages than asked for."""
    from distributed import get_worker

    worker = f"the worker on {platform.node()} has"
    threads = get_worker().state.nthreads
    if threads != 1:
        remedy = "start workers with --nthreads 1 (and --nworkers for more of them)"
        raise InputError(f"{worker} {threads} threads; {remedy}")
    own = dict(_packages())
    for name, wanted in packages:
        if own[name] != wanted:
            found = f"{name} {own[name] or 'not installed'}"
            raise InputError(f"{worker} {found}, this machine has {wanted or 'none'}; install the same on all")


@lru_cache
def _packages() -> Versions:
    return tuple((name, installed_version(name)) for name in PACKAGES)


@contextmanager
def connected(address: str) -> Iterator[Dask]:
    """The workers of a scheduler that is running. Raises InputError when nothing answers there."""
    if not re.fullmatch(r"(\w+://)?[^\s/]+:\d+", address):
        raise InputError(f"--scheduler {address}: expected an address such as tcp://host:8786")
    distributed = _module("distributed")
    try:
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        remedy = "start one with dask scheduler, and give the address that it prints"
        raise InputError(f"--scheduler {address}: no scheduler answers there; {remedy}") from error
    with client:
        yield Dask(client)


class Jobs(documents.Record):
    """The file of ``--executor dask-jobqueue``: how to ask a batch system for workers.

    ``workers`` of one thread each, ``workers_per_job`` of them in a job with ``memory_per_job``; ``walltime`` of a
    job as H:M:S; ``directives`` are lines after #SBATCH, ``prologue`` lines of shell before the workers start;
    ``interface`` is the network device between machines, ``python`` the interpreter on them. ``system: local``
    starts the same job scripts on this machine, to try a file.
    """

    schema_: Annotated[Literal[1], Field(alias="schema")]
    system: Literal["slurm", "local"] = "slurm"
    workers: Annotated[int, Field(ge=1)]
    workers_per_job: Annotated[int, Field(ge=1)] = 1
    memory_per_job: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$")]
    walltime: Annotated[str, Field(pattern=r"^(\d+-)?\d{1,3}:\d{2}:\d{2}$")] = "01:00:00"
    queue: str | None = None
    account: str | None = None
    directives: Annotated[list[str], Field(default_factory=list)]
    prologue: Annotated[list[str], Field(default_factory=list)]
    interface: str | None = None
    python: str | None = None
    log_folder: str | None = None


def read_jobs(path: Path) -> Jobs:
    """A file of ``--executor dask-jobqueue``. Raises InputError with the first thing that is wrong in it."""
    content = yaml_reader.load_mapping(path, "schema, workers, memory_per_job, …")
    return documents.parse(Jobs, content, str(path))


def batch_system(jobs: Jobs) -> Any:
    """The dask-jobqueue cluster of a file, before it has any workers."""
    options = {
        **{"cores": jobs.workers_per_job, "processes": jobs.workers_per_job, "memory": jobs.memory_per_job},
        **{"interface": jobs.interface, "job_script_prologue": jobs.prologue, "log_directory": jobs.log_folder},
        "scheduler_options": {"dashboard_address": ":0"},
        **({"python": jobs.python} if jobs.python else {}),
    }
    if jobs.system == "local":
        return _module("dask_jobqueue.local").LocalCluster(**options)
    options |= {"walltime": jobs.walltime, "job_extra_directives": jobs.directives}
    return _module("dask_jobqueue").SLURMCluster(**options, queue=jobs.queue, account=jobs.account)


@contextmanager
def queued(path: Path) -> Iterator[Dask]:
    """Workers that a batch system starts for this command and that end with it."""
    jobs = read_jobs(path)
    distributed = _module("distributed")
    with batch_system(jobs) as cluster:
        cluster.scale(n=jobs.workers)
        with distributed.Client(cluster, set_as_default=False) as client:
            yield Dask(client, expected=jobs.workers, patience_s=None)


def _module(name: str) -> Any:
    handler = signal.getsignal(signal.SIGINT)
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"--executor dask needs {name}, which is not installed; run {REMEDY}") from error
    if signal.getsignal(signal.SIGINT) is not handler:
        signal.signal(signal.SIGINT, handler)  # dask_jobqueue makes Ctrl-C end the process with status 0
    # what it has to say of a lost connection is said by us in one line
    for part in ("distributed", "distributed.client"):
        logging.getLogger(part).setLevel(logging.CRITICAL)
    return module
