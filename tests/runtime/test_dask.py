"""Work over a dask scheduler whose workers are processes with command lines of their own."""

import importlib.util
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import chores
import pytest
from work import Home, call, contents

from pse_bench.corpora.roots import Roots
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.runtime import dask as cluster
from pse_bench.runtime.executor import Outcome, Serial
from pse_bench.scoring import score
from pse_bench.simulation import render

pytest.importorskip("distributed")
TESTS = Path(__file__).resolve().parents[1]
ENVIRONMENT = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
"""Twice is enough to be told apart from bad luck."""


class Farm:
    """A scheduler on loopback, and workers that come and go."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self._folder = folder
        self._started: list[subprocess.Popen] = []
        self._start("scheduler", "--host", "127.0.0.1", "--port", port)

    def _start(self, *words: object) -> subprocess.Popen:
        """Elsewhere than where the commands run, as on another machine."""
        line = [sys.executable, "-m", "dask", *map(str, words), "--no-dashboard"]
        path = os.pathsep.join([str(TESTS / "helpers"), str(TESTS.parent)])
        with (self._folder / f"{len(self._started)}.log").open("w") as log:
            started = subprocess.Popen(
                line,
                cwd=self._folder,
                env={**os.environ, **ENVIRONMENT, "PYTHONPATH": path, "XDG_CACHE_HOME": str(self._folder)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started.append(started)
        return started

    def worker(self, *more: object) -> subprocess.Popen:
        return self._start("worker", self.address, *(more or ("--nthreads", 1)))

    @staticmethod
    def kill(process: subprocess.Popen) -> None:
        """For good: with the nanny that would start it again."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        for process in reversed(self._started):
            if process.poll() is None:
                self.kill(process)


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    made = Farm(tmp_path_factory.mktemp("farm"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def two(farm: Farm) -> list[subprocess.Popen]:
    """Two workers that stay."""
    from distributed import Client

    workers = [farm.worker(), farm.worker()]
    with Client(farm.address, timeout="60s", set_as_default=False) as client:
        client.wait_for_workers(2, timeout=120)
    return workers


@pytest.fixture
def dask(farm: Farm, two: list[subprocess.Popen]) -> Iterator[cluster.Dask]:
    with cluster.connected(farm.address) as executor:
        yield executor


def outcomes(executor: cluster.Dask, function: Callable[[Any], Any], items: list) -> list[Outcome]:
    done = list(executor.run(function, items))
    assert sorted(outcome.index for outcome in done) == list(range(len(items)))
    return sorted(done, key=lambda outcome: outcome.index)


# ---- an executor like the others


def test_workers_give_what_one_process_gives(dask: cluster.Dask) -> None:
    assert dask.jobs == 2
    items = list(range(25))
    assert outcomes(dask, chores.square, items) == list(Serial().run(chores.square, items))
    assert outcomes(dask, chores.square, []) == []


def test_workers_have_one_thread(dask: cluster.Dask) -> None:
    (outcome,) = outcomes(dask, chores.environment, [0])
    assert outcome.value["OMP_NUM_THREADS"] == "1"
    assert outcome.value["OPENBLAS_NUM_THREADS"] == "1"


def test_a_refusal_passes_through_with_its_message(dask: cluster.Dask) -> None:
    with pytest.raises(InputError, match="clip 2: damaged"):
        list(dask.run(chores.refuse, list(range(5))))
    assert outcomes(dask, chores.square, [3]) == [Outcome(0, 9)]


def test_a_death_costs_its_own_item_only(dask: cluster.Dask) -> None:
    done = outcomes(dask, chores.exits, list(range(7)))
    assert [outcome.value for outcome in done] == [0, 1, 2, None, 4, 5, 6]
    assert [outcome.lost for outcome in done if outcome.lost] == [
        "its worker process died again and again (a crash or a kill)"
    ]


def test_who_was_beside_a_death_is_tried_alone() -> None:
    """What is queued at a dying worker falls under the scheduler's suspicion, however often that happens."""
    from concurrent.futures import Future

    from distributed import KilledWorker

    class Client:
        """A scheduler that gives up all it holds when item 3 is among it."""

        status = "running"

        def __init__(self) -> None:
            self.held: list[tuple[Future, Callable, list]] = []

        def nthreads(self) -> dict[str, int]:
            return {"one": 1, "other": 1}

        def submit(self, function: Callable, items: list, *, pure: bool) -> Future:
            future: Future = Future()
            self.held.append((future, function, items))
            return future

        def work(self) -> None:
            held, self.held = self.held, []
            doomed = any(3 in items for *_, items in held)
            for future, _, items in held:
                if doomed:
                    future.set_exception(KilledWorker("a task", None, 3))
                else:
                    future.set_result((items, 0.1))

    client = Client()
    dask = cluster.Dask(client)
    dask._next = lambda finished: finished.get() if not finished.empty() else (client.work(), finished.get())[1]
    done = outcomes(dask, chores.square, list(range(20)))
    assert [outcome.index for outcome in done if outcome.lost] == [3]


def test_a_death_by_bad_luck_costs_nothing(dask: cluster.Dask, tmp_path: Path) -> None:
    items = ["", str(tmp_path / "been here"), ""]
    assert outcomes(dask, chores.dies_once, items) == [Outcome(index, item) for index, item in enumerate(items)]


def test_other_packages_are_refused(dask: cluster.Dask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_packages", lambda: (("numpy", "1.0"), ("scipy", "")))
    with pytest.raises(
        InputError, match=r"the worker on .* has numpy .*, this machine has 1\.0; install the same"
    ):
        list(dask.run(chores.square, [1]))


# ---- the same bytes


@pytest.mark.parametrize("stage", ["render", "enhance", "score", "detect", "score activity"])
def test_commands_give_the_bytes_of_one_process(
    home: Home, farm: Farm, two: list, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with paths that mean something only where the command is given."""
    monkeypatch.chdir(home.out)
    words = [
        word.relative_to(home.out) if word == home.out / "there" else word for word in home.words(stage, "there")
    ]
    done = call(*words, "--executor", "dask", "--scheduler", farm.address)
    assert done.exit_code == 0, done.output
    assert contents(home.out / "there") == contents(home.serial(stage))


def test_a_callable_is_found_and_never_stale(
    home: Home, farm: Farm, two: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers outlive the code that they once loaded."""
    monkeypatch.chdir(home.out)
    monkeypatch.setattr(sys, "path", list(sys.path))
    levels = []
    for gain in ("0.5", "0.25"):
        code = f"def enhance(mixture, enrollment, rate):\n    return {gain} * mixture\n"
        Path("my_gain.py").write_text(code)
        os.utime("my_gain.py", (1e9 * float(gain), 1e9 * float(gain)))  # not within one second
        sys.modules.pop("my_gain", None)
        words = ("enhance", home.dataset, "--system", "my_gain:enhance", "-o", gain)
        done = call(*words, "--executor", "dask", "--scheduler", farm.address)
        assert done.exit_code == 0, done.output
        row = Dataset.open(home.dataset).mixtures[0]
        import soundfile

        levels.append(abs(soundfile.read(f"{gain}/TS1/{row.scene_id}.flac")[0]).max())
    assert levels[1] == pytest.approx(levels[0] / 2, rel=1e-3)


def test_a_worker_is_lost_in_the_middle(
    home: Home, farm: Farm, two: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its batch is done by the others, and nothing shows it."""
    monkeypatch.setattr(render, "BATCH", 1)
    roots = Roots({"voices": home.root / "speech", "noises": home.root / "noise"})
    for stage in ("render", "score"):
        third = farm.worker()
        killed = []

        def update(done: int, total: int, third: subprocess.Popen = third, killed: list = killed) -> None:
            if done > 0 and not killed:
                killed.append(Farm.kill(third))

        with cluster.connected(farm.address) as dask:
            until(lambda dask=dask: dask.jobs == 3)
            if stage == "render":
                bank = home.root / "bank"
                given = {"roots": roots, "executor": dask, "bank": bank, "progress": update}
                render.render(home.plan, home.out / stage, **given)
            else:
                dataset, audio = Dataset.open(home.dataset), home.root / "mixture"
                names = ["tsos", "leakage_reduction_db", "si_sdr"]
                score.score(dataset, audio, home.out / stage, executor=dask, names=names, progress=update)
        assert killed
    assert contents(home.out / "render") == contents(home.dataset)
    assert contents(home.out / "score") == contents(home.serial("score"))


@pytest.mark.parametrize("stage", ["render", "enhance"])
def test_what_a_lost_worker_leaves_half_written_goes(
    home: Home, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Serial):
        """A process that was killed while it wrote; another one did its work."""

        def run(self, function: Callable, items: list) -> Iterator[Outcome]:
            for outcome in super().run(function, items):
                left = home.out / "there" / "TS1" / "0123.s000001.flac.part"
                left.parent.mkdir(exist_ok=True)
                left.write_bytes(b"fLaC")
                yield outcome

    monkeypatch.setattr("pse_bench.cli.options.executor", lambda *_, **__: Killed())
    done = call(*home.words(stage, "there"))
    assert done.exit_code == 0, done.output
    assert contents(home.out / "there") == contents(home.serial(stage))


# ---- what can be wrong


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_worker_with_threads_is_refused(tmp_path: Path) -> None:
    farm = Farm(tmp_path)
    try:
        farm.worker("--nthreads", 2)
        with (
            cluster.connected(farm.address) as dask,
            pytest.raises(InputError, match="has 2 threads; start workers"),
        ):
            list(dask.run(chores.square, [1]))
    finally:
        farm.close()


def test_no_worker_and_no_scheduler_are_told(tmp_path: Path) -> None:
    farm = Farm(tmp_path)
    try:
        with cluster.connected(farm.address) as dask:
            waiting = cluster.Dask(dask._client, patience_s=0.2)
            with pytest.raises(InputError, match=r"no worker for 0 s; start some \(dask worker tcp://127"):
                list(waiting.run(chores.square, [1]))
            run = dask.run(chores.process, list(range(50)))
            farm.worker()
            next(run)
            farm.close()
            with pytest.raises(
                InputError, match="the scheduler is gone; start it and its workers and run the same"
            ):
                list(run)
    finally:
        farm.close()


def test_a_worker_that_does_not_see_the_folders_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(Serial):
        def run(self, function: Callable, items: list) -> Iterator[Outcome]:
            for number, item in enumerate(items):
                hidden = [home.out / "render", home.out / "enhance", home.root / "mixture"]
                for folder in hidden:
                    if folder.exists():
                        folder.rename(folder.with_name(f"{folder.name}.hidden"))
                try:
                    yield Outcome(number, function(item))
                finally:
                    for folder in hidden:
                        if (away := folder.with_name(f"{folder.name}.hidden")).exists():
                            away.rename(folder)

    monkeypatch.setattr("pse_bench.cli.options.executor", lambda *_, **__: Elsewhere())
    for stage in ("render", "enhance", "score"):
        done = call(*home.words(stage, stage))
        assert done.exit_code == 1
        assert "not seen by the worker on" in done.stderr
        assert "give folders that all machines share" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--executor", "dask"), "--scheduler and --executor dask go together; give both or neither"),
        (
            ("--scheduler", "tcp://127.0.0.1:1"),
            "--scheduler and --executor dask go together; give both or neither",
        ),
        (
            ("--executor", "dask-jobqueue"),
            "--config and --executor dask-jobqueue go together; give both or neither",
        ),
        (("--executor", "dask", "--scheduler", "there"), "--scheduler there: expected an address such as tcp://"),
        (("--executor", "dask", "--scheduler", "tcp://127.0.0.1:1"), "no scheduler answers there; start one with"),
        (("--executor", "dask-jobqueue", "--config", "no.yaml"), "no.yaml: no such file"),
    ],
)
def test_mistakes_are_one_line(
    home: Home, options: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 1.0)
    done = call(*home.words("enhance", "there"), *options)
    assert done.exit_code == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (home.out / "there").exists()


# ---- workers from a batch system

JOBS = """\
schema: 1
workers: 64
workers_per_job: 8
memory_per_job: 16GB
walltime: "04:00:00"
queue: cpu
account: speech
directives: ["--exclude=node7"]
prologue: ["module load python"]
interface: lo
"""


def jobs_file(folder: Path, text: str) -> Path:
    path = folder / "jobs.yaml"
    path.write_text(text)
    return path


# it is not imported here: that would replace what Ctrl-C does
needs_jobqueue = pytest.mark.skipif(
    not importlib.util.find_spec("dask_jobqueue"), reason="dask-jobqueue is not installed"
)


@needs_jobqueue
def test_the_job_script_is_what_the_file_asks_for(tmp_path: Path) -> None:
    handler = signal.getsignal(signal.SIGINT)
    with cluster.batch_system(cluster.read_jobs(jobs_file(tmp_path, JOBS))) as made:
        script = made.job_script()
    assert signal.getsignal(signal.SIGINT) is handler  # which importing dask_jobqueue replaces
    for line in ("-p cpu", "-A speech", "--cpus-per-task=8", "-t 04:00:00", "--exclude=node7"):
        assert f"#SBATCH {line}\n" in script
    assert "\nmodule load python\n" in script
    assert "--nthreads 1 " in script
    assert "--nworkers 8 " in script
    assert "--interface lo" in script


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (JOBS.replace("workers: 64", "worker: 64"), "unknown key 'worker'; did you mean 'workers'?"),
        (JOBS.replace("workers: 64\n", ""), "key 'workers' is missing; add it"),
        (JOBS.replace("64", "0"), "workers: Input should be greater than or equal to 1, found 0"),
        (JOBS.replace("16GB", "much"), "memory_per_job: String should match pattern"),
        (JOBS.replace('"04:00:00"', "4"), "walltime: Input should be a valid string, found 4"),
        (JOBS.replace("schema: 1", "schema: 2"), "schema: Input should be 1, found 2"),
        (f"{JOBS}system: pbs\n", "system: Input should be 'slurm' or 'local', found 'pbs'"),
        ("- a\n", "expected a mapping with schema, workers"),
        ("a: [", "not YAML"),
    ],
)
def test_a_wrong_file_is_one_line(home: Home, text: str, words: str) -> None:
    path = jobs_file(home.out, text)
    done = call(*home.words("enhance", "there"), "--executor", "dask-jobqueue", "--config", path)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"Error: {path}: ")
    assert words in done.stderr


@needs_jobqueue
def test_workers_that_a_batch_system_starts(home: Home) -> None:
    path = jobs_file(home.out, "schema: 1\nsystem: local\nworkers: 2\nmemory_per_job: 2GB\n")
    words = home.words("enhance", "there")
    done = call(*words, "--executor", "dask-jobqueue", "--config", path)
    assert done.exit_code == 0, done.output
    assert contents(home.out / "there") == contents(home.serial("enhance"))


def test_what_is_sent_to_a_worker_does_not_grow_with_the_dataset(home: Home) -> None:
    sent: list[int] = []

    class Weighing(Serial):
        def run(self, function: Callable, items: list) -> Iterator[Outcome]:
            sent.append(max((len(pickle.dumps(item)) for item in items), default=0))
            return iter(())  # weighed, and not scored: rows that are there eight times have no figures

    dataset = Dataset.open(home.dataset)
    large = Dataset(dataset.folder, dataset.description, dataset.mixtures * 8)
    for number, data in enumerate((dataset, large)):
        out = home.out / str(number)
        score.score(data, home.root / "mixture", out, executor=Weighing(), names=["si_sdr"])
    assert sent[0] == pytest.approx(sent[2], abs=64)
