"""What several workers make of one work: render and score on one process, on a pool, and on dask workers.

Scenes of the embedded corpus, each in a room of its own, are rendered and scored by one process, by a pool of
processes, and by the workers of a dask scheduler; scheduler and workers are started by their own command lines on
this machine. Then the same with a worker that is killed in the middle, and as three shards with a merge. Every run
has to give the bytes of a serial one. Printed are wall seconds, and the ratios of pool to one process and of dask
to pool, each run with its start. What the machine can give at most is measured beside it: several runs on one
process each that know nothing of each other, at the same time. Processors that share caches, clock or a core do
not give two processes twice the speed of one.

    python benchmarks/executors.py [--scenes 100] [--workers 2] [--rounds 1] [--part render|score|dask|shards ...]

Exits with status 1 when a run gives other bytes, or a ratio misses its bound.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from pse_bench.corpora.roots import Roots
from pse_bench.corpora.synthetic import embedded
from pse_bench.dataset.dataset import Dataset
from pse_bench.planning.plan import plan_dataset
from pse_bench.runtime import dask as cluster
from pse_bench.runtime import merging
from pse_bench.runtime.executor import Executor, Processes, Serial
from pse_bench.runtime.sharding import Shard
from pse_bench.scoring import result_writer, score
from pse_bench.simulation import dataset_writer, render
from pse_bench.systems import enhance

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pse-bench"
METRICS = ["tsos", "leakage_reduction_db", "si_sdr", "stoi"]
SPEEDUP, OVERHEAD = 1.85, 1.15
"""Least speed-up of two processes; most that dask may take of the pool's time."""

WANTED_BY: dict[str, Callable[[str], set[str]]] = {
    "one process": lambda stage: {stage},
    "pool": lambda stage: {stage, "dask"},
    "dask": lambda stage: {"dask"},
}


class Bench:
    """One plan, and what is done with it in one folder after another."""

    def __init__(self, folder: Path, scenes: int, scenario: str) -> None:
        corpus = CACHE / "embedded"
        embedded.synthesize(corpus, executor=Processes(2))
        self.folder, self.roots = folder, Roots({"embedded": corpus})
        speech, noise = (embedded.manifest(corpus / "manifests", part) for part in ("test", "noise-test"))
        self.plan = folder / "plan.jsonl"
        plan_dataset(scenario, self.plan, speech=[speech], noise=[noise], scenes=scenes, seed=1)

    def render(self, name: str, executor: Executor, **more: Any) -> float:
        begin = time.perf_counter()
        bank = self.folder / "rooms"
        render.render(self.plan, self.folder / name, roots=self.roots, executor=executor, bank=bank, **more)
        return time.perf_counter() - begin

    def enhance(self, name: str, executor: Executor, **more: Any) -> None:
        enhance.enhance(self.dataset, "mixture", self.folder / f"{name}-audio", executor=executor, **more)

    def score(self, name: str, executor: Executor, **more: Any) -> float:
        audio, out = self.folder / "serial-audio", self.folder / f"{name}-scores"
        begin = time.perf_counter()
        score.score(self.dataset, audio, out, executor=executor, names=METRICS, cache=None, **more)
        return time.perf_counter() - begin

    @property
    def dataset(self) -> Dataset:
        return Dataset.open(self.folder / "serial")

    def same(self, name: str, kinds: tuple[str, ...] = ("", "-scores")) -> bool:
        """Whether a run gave the serial run's bytes."""
        return all(
            contents(self.folder / f"{name}{kind}") == contents(self.folder / f"serial{kind}") for kind in kinds
        )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file by its path; of dataset.json all but how long it took, and its seal."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    if "dataset.json" in found:
        document = json.loads(found["dataset.json"])
        document.pop("timings_s")
        document.pop("seal_sha256")
        found["dataset.json"] = json.dumps(document).encode()
    return found


@contextlib.contextmanager
def dask_workers(count: int) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """A scheduler on loopback and its workers: the address, and the processes of the workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "dask"]
    quiet: dict[str, Any] = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "start_new_session": True,  # so that one can be killed with its nanny
    }
    lines = [[*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]]
    lines += [[*dask, "worker", address, "--nthreads", "1", "--no-dashboard"]] * count
    started = [subprocess.Popen(line, **quiet) for line in lines]
    try:
        from distributed import Client

        with Client(address, timeout="60s", set_as_default=False) as client:
            client.wait_for_workers(count, timeout=120)
        yield address, started[1:]
    finally:
        for process in reversed(started):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def killing(worker: subprocess.Popen, after: float) -> Callable[[int, int], None]:
    """A progress display that kills a worker when some of the work is done."""

    def update(done: int, total: int) -> None:
        if done >= after * total and worker.returncode is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()

    return update


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1, help="runs of each kind, in turn; ratios are of medians")
    parser.add_argument("--scenario", default="standard")
    parser.add_argument("--part", choices=["render", "score", "dask", "shards"], action="append")
    asked = parser.parse_args()
    chosen = asked.part or ["render", "score", "dask", "shards"]
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
        return run(Bench(Path(folder), asked.scenes, asked.scenario), chosen, asked.workers, asked.rounds)


class Report:
    """Times and ratios as they are found; whether all bounds are met."""

    def __init__(self) -> None:
        self.fine = True
        self._times: dict[str, list[float]] = {}

    def timed(self, what: str, seconds: float) -> None:
        self._times.setdefault(what, []).append(seconds)
        print(f"{what:28} {seconds:8.2f} s", flush=True)

    def same(self, what: str, met: bool) -> None:
        self._judged(f"{what}: same bytes", "yes" if met else "no", met)

    def ratio(self, what: str, dividend: str, divisor: str, met: Callable[[float], bool]) -> None:
        """The ratio of two medians, where both were timed."""
        if dividend in self._times and divisor in self._times:
            ratio = statistics.median(self._times[dividend]) / statistics.median(self._times[divisor])
            self._judged(what, f"{ratio:.3f}", met(ratio))

    def machine(self, stage: str, workers: int) -> None:
        """What several runs that share nothing gain on this machine, and the pool's gain as a share of it."""
        if f"{stage}, one process" in self._times:
            one, apart, pool = (
                statistics.median(self._times[f"{stage}, {name}"])
                for name in ("one process", f"{workers} strangers", "pool")
            )
            most = workers * one / apart
            share = f"{most:.3f}, the pool {one / pool / most:.0%} of it"
            print(f"{f'{stage}: the most that the machine gives':44} {share}", flush=True)

    def _judged(self, what: str, shown: str, met: bool) -> None:
        self.fine &= met
        print(f"{what:38} {shown:>8}{'' if met else '   missed'}", flush=True)


def run(bench: Bench, chosen: list[str], workers: int, rounds: int) -> int:
    report = Report()
    one, pool = Processes(1), Processes(workers)
    bench.render("serial", Serial())
    bench.enhance("serial", Serial())
    bench.score("serial", Serial())
    print(f"{len(bench.dataset.mixtures)} mixtures, {workers} workers, load {os.getloadavg()[0]:.1f}", flush=True)
    with dask_workers(workers) as (address, processes), cluster.connected(address) as dask:
        executors = {"one process": one, "pool": pool, "dask": dask}
        for turn in range(rounds):
            for stage, work, kind in (("render", bench.render, ""), ("score", bench.score, "-scores")):
                if stage in chosen:
                    report.timed(f"{stage}, {workers} strangers", strangers(work, f"stranger{turn}", workers))
                for name, executor in executors.items():
                    if not WANTED_BY[name](stage) & set(chosen):
                        continue
                    folder = f"{name}{turn}"
                    report.timed(f"{stage}, {name}", work(folder, executor))
                    report.same(f"{stage}, {name}", bench.same(folder, (kind,)))
        if "dask" in chosen:
            lose_one(bench, dask, processes[0], report)
    if "shards" in chosen:
        share_out(bench, pool, report)
    print()
    for stage in ("render", "score"):
        report.ratio(
            f"{stage}: one process to pool",
            f"{stage}, one process",
            f"{stage}, pool",
            lambda ratio: workers != 2 or ratio >= SPEEDUP,
        )
        report.machine(stage, workers)
        report.ratio(f"{stage}: dask to pool", f"{stage}, dask", f"{stage}, pool", lambda ratio: ratio <= OVERHEAD)
    return 0 if report.fine else 1


def strangers(work: Callable[..., float], name: str, count: int) -> float:
    """Seconds of several runs at the same time, each on one process of its own."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda number: work(f"{name}-{number}", Processes(1)), range(count)))
    return time.perf_counter() - begin


def lose_one(bench: Bench, dask: cluster.Dask, worker: subprocess.Popen, report: Report) -> None:
    seconds = bench.render("killed", dask, progress=killing(worker, 0.4))
    seconds += bench.score("killed", dask)
    report.timed("both, dask, one killed", seconds)
    report.same("both, dask, one killed", bench.same("killed"))


def share_out(bench: Bench, pool: Executor, report: Report) -> None:
    for number in range(1, 4):
        shard = Shard(number, 3)
        bench.render("merged", pool, share=shard)
        bench.enhance("merged", pool, share=shard)
        bench.score("merged", pool, share=shard)
    begin = time.perf_counter()
    for room, kind in ((dataset_writer, ""), (enhance, "-audio"), (result_writer, "-scores")):
        out = bench.folder / f"merged{kind}"
        room.merge(out, merging.gather(out))
    report.timed("merge of three shards", time.perf_counter() - begin)
    report.same("merge of three shards", bench.same("merged", ("", "-audio", "-scores")))


if __name__ == "__main__":
    sys.exit(main())
