"""What goes wrong while a command runs, and what is found afterwards.

Each fault is a function of a trial, which runs the command once, disturbs it and gives what it showed. Then damage
is looked for, the same command is run again, and its output is compared with that of an undisturbed run.
"""

import contextlib
import fcntl
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from faults import commands
from faults.commands import Chore

from pse_bench import rng

HERE = Path(__file__).parent
LIMIT_S = 300.0
KILLS = 10
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Shown:
    """How a disturbed run ended: its exit status (negative: the signal), what it said on stderr, and the moment of
    the disturbance in seconds."""

    code: int
    text: str
    moment_s: float | None = None
    left: int = 0


@dataclass(frozen=True)
class Row:
    """One fault run, as in the table."""

    command: str
    fault: str
    moment_s: str
    exit_status: int
    line: str
    processes_left: int
    tracebacks: int
    files_damaged: int
    exit_status_again: int
    files_lost: int
    files_different: int

    @property
    def good(self) -> bool:
        """Whether nothing was lost, damaged or shown that should not be."""
        bad = (self.processes_left, self.tracebacks, self.files_damaged, self.files_lost, self.files_different)
        return not any(bad) and self.exit_status_again == 0


@dataclass
class Trial:
    """A command with its inputs, in folders of its own. ``lasting_s`` is how long it takes undisturbed."""

    chore: Chore
    inputs: Path
    folder: Path
    lasting_s: float = 0.0
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def words(self) -> list[str]:
        return [sys.executable, "-m", "pse_bench", *self.chore.words(self.inputs, self.out)]

    @property
    def environment(self) -> dict[str, str]:
        (self.folder / "tmp").mkdir(exist_ok=True)
        own = {"TMPDIR": str(self.folder / "tmp"), "XDG_CACHE_HOME": str(self.folder / "cache")}
        return os.environ | own | self.extra

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.words,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end(self, running: subprocess.Popen[str], moment_s: float | None = None) -> Shown:
        """Wait for a run, and count which of its processes do not end with it."""
        text = running.communicate(timeout=LIMIT_S)[1] or ""
        return Shown(running.returncode, text, moment_s, left_of(running.pid))

    def run(self) -> Shown:
        return self.end(self.start())

    def moment(self, name: str) -> float:
        """A moment in the run, a function of the names of command and fault."""
        return rng.uniform(0.05, 0.95, 1, "faults", self.chore.name, name) * self.lasting_s


def left_of(group: int) -> int:
    """How many processes of a group do not end within ten seconds; they are ended then."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return 0
        time.sleep(0.05)
    count = sum(1 for path in Path("/proc").glob("[0-9]*/stat") if _group_of(path) == group)
    os.killpg(group, signal.SIGKILL)
    return count


def _group_of(path: Path) -> int:
    try:
        return int(path.read_text().rpartition(")")[2].split()[2])
    except OSError:
        return 0


# ---- the faults


def signalled(trial: Trial, name: str, number: signal.Signals, *, everybody: bool) -> Shown:
    """A signal at a moment, an earlier one where the command had ended before."""
    moment_s = trial.moment(name)
    while True:
        running = trial.start()
        try:
            running.wait(moment_s)
        except subprocess.TimeoutExpired:
            (os.killpg if everybody else os.kill)(running.pid, number)
            return trial.end(running, moment_s)
        trial.end(running)
        fresh(trial)
        moment_s *= 0.7


def killed(trial: Trial, name: str) -> Shown:
    """kill -9, of the command alone or with all its workers."""
    return signalled(trial, name, signal.SIGKILL, everybody=int(name.rsplit(maxsplit=1)[-1]) % 2 == 0)


def stopped(trial: Trial, name: str) -> Shown:
    """SIGTERM, as a job scheduler sends it."""
    return signalled(trial, name, signal.SIGTERM, everybody=False)


def terminal_closed(trial: Trial, name: str) -> Shown:
    """The terminal that the command was started in goes away."""
    moment_s = trial.moment(name)
    while True:
        master, slave = pty.openpty()
        running = subprocess.Popen(
            trial.words,
            env=trial.environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads here
        )
        os.close(slave)
        os.set_blocking(master, False)
        shown, end = b"", time.monotonic() + moment_s
        while running.poll() is None and time.monotonic() < end:
            with contextlib.suppress(BlockingIOError, OSError):
                shown += os.read(master, 65536)
            time.sleep(0.02)
        early = running.poll() is None
        os.close(master)
        running.wait(LIMIT_S)
        if early:
            return Shown(running.returncode, shown.decode(errors="replace"), moment_s, left_of(running.pid))
        fresh(trial)
        moment_s *= 0.7


def disk_full(trial: Trial, name: str) -> Shown:
    """A file system that holds half of what the command writes."""
    before, after = pages(trial.out), pages(trial.folder.with_name("reference") / "out")
    with mounted(trial, f"size={PAGE * max(before + max(after - before, 0) // 2, 1)}") as remount:
        filler = trial.out / "filler"
        if after < 2:
            filler.write_bytes(bytes(PAGE))
        shown = trial.run()
        filler.unlink(missing_ok=True)
        remount("size=1g")
        keep(trial)
    return shown


def pages(folder: Path) -> int:
    """How much a folder holds, in the pages that such a file system counts."""
    return sum(-(-path.stat().st_size // PAGE) for path in folder.rglob("*") if path.is_file())


def read_only(trial: Trial, name: str) -> Shown:
    """A file system that cannot be written to."""
    with mounted(trial, "size=1g") as remount:
        remount("ro")
        shown = trial.run()
        remount("rw")
        keep(trial)
    return shown


@contextlib.contextmanager
def mounted(trial: Trial, options: str) -> Iterator[Callable[[str], None]]:
    """A small file system where the output goes. Its content is kept by ``keep`` before it is gone."""
    content = trial.folder / "content"
    shutil.copytree(trial.out, content)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", trial.out], check=True)
    try:
        shutil.copytree(content, trial.out, dirs_exist_ok=True)
        yield lambda changed: subprocess.run(["mount", "-o", f"remount,{changed}", trial.out], check=True) and None
    finally:
        subprocess.run(["umount", trial.out], check=True)
        kept = trial.folder / "kept"
        if kept.exists():
            shutil.rmtree(trial.out)
            kept.rename(trial.out)


def keep(trial: Trial) -> None:
    shutil.copytree(trial.out, trial.folder / "kept")


def can_mount() -> bool:
    """Whether file systems can be mounted here, as root can."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        return False
    return subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False).returncode == 0


def source_vanishes(trial: Trial, name: str) -> Shown:
    """A file that the command works from is moved away, and brought back afterwards."""
    path = trial.inputs / trial.chore.source
    away = path.with_name("away")
    moment_s = 0.5 * trial.moment(name)
    running = trial.start()
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(moment_s)
    path.rename(away)
    shown = trial.end(running, moment_s)
    away.rename(path)
    return shown


def source_changes(trial: Trial, name: str) -> Shown:
    """A file that the command works from is written over, and restored afterwards."""
    path = trial.inputs / trial.chore.source
    content = path.read_bytes()
    moment_s = 0.5 * trial.moment(name)
    running = trial.start()
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(moment_s)
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(200) + content[middle + 200 :])
    shown = trial.end(running, moment_s)
    path.write_bytes(content)
    return shown


def worker_dies(trial: Trial, name: str) -> Shown:
    """One of the worker processes is killed."""
    moment_s = trial.moment(name)
    while True:
        running = trial.start()
        begin = time.monotonic()
        while running.poll() is None:
            workers = _workers(running.pid)
            if workers and time.monotonic() - begin > moment_s:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(workers[0], signal.SIGKILL)
                    return trial.end(running, time.monotonic() - begin)
            time.sleep(0.02)
        trial.end(running)
        fresh(trial)
        moment_s *= 0.7
        if moment_s < 1e-3:
            raise RuntimeError(f"{trial.chore.name}: no worker process was seen")


def _workers(group: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        if _group_of(path) == group:
            with contextlib.suppress(OSError):
                if b"spawn_main" in path.with_name("cmdline").read_bytes():
                    found.append(int(path.parent.name))
    return sorted(found)


def two_at_once(trial: Trial, name: str) -> Shown:
    """The same command on the same target a moment later. One of the two has to finish."""
    moment_s = 0.3 * trial.moment(name)
    first = trial.start()
    time.sleep(moment_s)
    second = trial.start()
    shown = [trial.end(first), trial.end(second, moment_s)]
    worse = max(shown, key=lambda one: one.code)
    text = "".join(one.text for one in shown)
    both = all(one.code for one in shown)
    return Shown(worse.code, text + ("Traceback: neither finished" if both else ""), moment_s)


def clock_backwards(trial: Trial, name: str) -> Shown:
    """Every third look at the clock finds it an hour earlier, in the command and in its workers."""
    trial.extra["PYTHONPATH"] = str(HERE / "backwards")
    shown = trial.run()
    trial.extra.clear()
    return shown


Fault = Callable[[Trial, str], Shown]


def faults(chore: Chore, mounting: bool, kills: int = KILLS) -> dict[str, Fault]:
    """What is done to a command, by name."""
    found: dict[str, Fault] = {f"killed {number}": killed for number in range(1, kills + 1)}
    found |= {"stopped by SIGTERM": stopped, "terminal closed": terminal_closed}
    if mounting:
        found |= {"disk full": disk_full, "read-only target": read_only}
    if chore.source:
        found |= {"source vanishes": source_vanishes, "source changes": source_changes}
    if chore.pooled:
        found["worker dies"] = worker_dies
    return found | {"two runs at once": two_at_once, "clock goes backwards": clock_backwards}


# ---- one trial


def fresh(trial: Trial) -> None:
    """An output folder as it was before the command."""
    for name in ("out", "cache", "tmp", "kept", "content"):
        shutil.rmtree(trial.folder / name, ignore_errors=True)
    trial.out.mkdir(parents=True)
    trial.chore.prepare(trial.inputs, trial.out)


def undisturbed(trial: Trial) -> dict[str, bytes]:
    """What the command writes when it is left alone; how long that takes is kept in the trial."""
    fresh(trial)
    begin = time.monotonic()
    shown = trial.run()
    trial.lasting_s = time.monotonic() - begin
    if shown.code:
        raise RuntimeError(f"{trial.chore.name}: {shown.text}")
    return commands.contents(trial.out)


def attempt(trial: Trial, name: str, fault: Fault, expected: dict[str, bytes]) -> Row:
    """Disturb a command, look for damage, run it again and compare."""
    fresh(trial)
    shown = fault(trial, name)
    found = commands.contents(trial.out)
    growing = trial.chore.growing
    damaged = [
        name
        for name, content in found.items()
        if name in expected and content != expected[name] and Path(name).name not in growing
    ]
    if name.startswith("source"):
        damaged = [
            found for found in damaged if not trial.chore.describes and Path(found).name not in trial.chore.lists
        ]
    # A command that was disturbed after its last file has finished, whatever its exit status.
    again = Shown(0, "") if found == expected else trial.run()
    after = commands.contents(trial.out)
    text = shown.text + again.text
    # A kill leaves what was half-written, and nothing else does; what finishes afterwards removes it.
    lost = [name for name in expected if name not in after]
    different = [name for name in after if after[name] != expected.get(name)]
    different += [str(path) for path in trial.out.rglob("*.part")]
    return Row(
        command=trial.chore.name,
        fault=name,
        moment_s="" if shown.moment_s is None else f"{shown.moment_s:.2f}",
        exit_status=shown.code,
        line=said(shown.text, trial),
        processes_left=shown.left + again.left,
        tracebacks=len(re.findall(r"Traceback|Exception ignored", text)),
        files_damaged=len(damaged),
        exit_status_again=again.code,
        files_lost=len(lost),
        files_different=len(different),
    )


def said(text: str, trial: Trial) -> str:
    """The last line for a person among the progress, with short names for the folders."""
    told = re.findall(r"(?m)^(?:Error: |stopped by |interrupted|\w*Error\b).*", text)
    line = told[-1] if told else ""
    for folder, short in ((trial.out, "OUT"), (trial.inputs, "IN"), (trial.folder, "HERE")):
        line = line.replace(str(folder), short)
    return line
