"""Feeds every parser documents that are wrong: python tests/fuzz/fuzz.py, or make fuzz.

A document is a function of seed, target and number, so what fails is made again by those three (``--show``); only
an Ogg stream has a serial number of its own.
A fault is any exception but a ``PseBenchError``, a process that dies, a document that takes over two seconds of
processor time, a message that is not one printable line of bounded length, and memory beyond the target's bound.
Each target runs in a process of its own, two side by side.
"""

import argparse
import contextlib
import csv
import gc
import json
import mmap
import multiprocessing
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import mutations  # noqa: E402
from target import Read, Target  # noqa: E402
from targets import BY_NAME, TARGETS  # noqa: E402

from pse_bench.errors import PseBenchError  # noqa: E402

SLOWEST_S = 2.0
HANGS_S = 30.0
"""Seconds on the wall after which a document is given up."""
ADDRESS_SPACE = 3 << 30
"""Bytes beyond what is taken at the start that a process may ask for; what asks for more meets a MemoryError."""
LONGEST = 4000
"""Characters of any line; errors are held to their own bound."""
MOST_DEATHS = 10
"""Processes that may end before a target is given up."""
OF_MPG123 = re.compile(r"Note: |Warning: |\[src/libmpg123|main: \[src/libmpg123|\[.*/libmpg123")
"""What the reader of MP3 inside libsndfile says on its own; a library in C, it cannot be told not to."""
KEPT = 3
"""Documents kept of one fault."""
SCRATCH = Path("/dev/shm")


@dataclass
class Outcome:
    """What came of a target. ``faults`` are counted by kind; ``documents`` are numbers of the first ones.
    ``seconds`` are those of a processor."""

    executions: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    growth_mb: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    documents: dict[str, list[int]] = field(default_factory=dict)

    def note(self, fault: str, number: int) -> None:
        """One more fault."""
        self.faults[fault] = self.faults.get(fault, 0) + 1
        known = self.documents.setdefault(fault, [])
        if len(known) < KEPT:
            known.append(number)


class Hangs(BaseException):
    """A document that does not come to an end; nothing catches it on the way."""


def document(target: Target, seeds: list[bytes], seed: int, number: int) -> bytes:
    """The content that belongs to a number."""
    return mutations.mutate(random.Random(f"{seed} {target.name} {number}"), seeds, target.kind)


def judge(read: Read, content: bytes) -> tuple[str, bool]:
    """The fault that a document shows ('' for none), and whether it was accepted without a word."""
    begin = time.process_time()
    lines: Iterable[str] = ()
    longest, accepted = LONGEST, False
    try:
        lines = list(read(content) or ())
        accepted = not lines
    except PseBenchError as error:
        lines, longest = [str(error)], error.longest
    except Hangs:
        return f"takes over {HANGS_S:g} s", False
    except Exception as error:
        if os.environ.get("FUZZ_TRACEBACK"):
            traceback.print_exc()
        return _described(error), False
    if time.process_time() - begin > SLOWEST_S:
        return f"takes over {SLOWEST_S:g} s of processor time", accepted
    for line in lines:
        if not line.isprintable() or not line.strip():
            return f"a message that is not printable: {line[:80]!r}", accepted
        if len(line) > longest:
            return f"a message of over {longest} characters: {line[:80]!r}", accepted
    return "", accepted


def _described(error: BaseException) -> str:
    """An exception by its type and the last place of ours that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/pse_bench/" in frame.filename or "/tests/" in frame.filename]
    last = (ours or frames)[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}"


def run(target: Target, seed: int, numbers: range, place: Path, now: Any = None) -> Outcome:
    """Read the documents of some numbers; ``now`` is told which one it is."""
    found = Outcome()
    seeds = target.seeds()
    read = target.open(place)
    for content in seeds:  # what is loaded on first use is no growth
        judge(read, content)
    gc.collect()
    before = _peak_mb(reset=True)
    begin = time.process_time()
    for number in numbers:
        content = document(target, seeds, seed, number)
        if now is not None:
            now[:8] = number.to_bytes(8, "little")
        started = time.process_time()
        signal.setitimer(signal.ITIMER_REAL, HANGS_S)
        try:
            fault, accepted = judge(read, content)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        taken = time.process_time() - started
        found.slowest_ms = max(found.slowest_ms, round(1000 * taken, 1))
        found.executions += 1
        found.accepted += accepted
        found.refused += not accepted and not fault
        if fault:
            found.note(fault, number)
    found.seconds = round(time.process_time() - begin, 2)
    found.growth_mb = round(_peak_mb() - before, 1)
    if found.growth_mb > target.memory_mb:
        found.note(f"grows by over {target.memory_mb} MB", numbers.start)
    return found


def _peak_mb(*, reset: bool = False) -> float:
    """The most memory that this process has held, in MB, since it was last reset."""
    if reset:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ---- one target in a process


def _hang(*_: Any) -> None:
    raise Hangs


def work(target: Target, seed: int, numbers: range, now: Any, result: Path) -> None:
    """In a process of its own: read documents and write what came of it as JSON."""
    signal.signal(signal.SIGALRM, _hang)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + ADDRESS_SPACE, resource.RLIM_INFINITY))
    with tempfile.TemporaryDirectory(dir=SCRATCH if SCRATCH.is_dir() else None) as place:
        os.environ["TMPDIR"] = tempfile.tempdir = place
        inside = Path(place) / "target"
        inside.mkdir()
        found = run(target, seed, numbers, inside, now)
    result.write_text(json.dumps(asdict(found)))


def alone(order: tuple[str, int, int]) -> tuple[str, Outcome]:
    """Run a target in a process; where a document ends the process, note it and go on behind it.

    Args:
        order: name, seed and number of documents.
    """
    name, seed, stop = order
    whole, first = Outcome(), 0
    while first < stop and sum(whole.faults.values()) < MOST_DEATHS:
        with tempfile.TemporaryDirectory() as place, mmap.mmap(-1, 8) as now:
            result, printed = Path(place) / "result.json", Path(place) / "printed"
            status = _forked(printed, partial(work, BY_NAME[name], seed, range(first, stop), now, result))
            number = int.from_bytes(now[:8], "little")
            said = [line for line in printed.read_text(errors="replace").splitlines() if line.strip()]
            if status == 0:
                part = Outcome(**json.loads(result.read_text()))
                if unasked := [line for line in said if not OF_MPG123.match(line)]:
                    part.note(f"printed by the way: {unasked[0][:200]}", first)
                _add(whole, part)
                return name, whole
        if number == 0 and said and "Error" in said[-1]:
            raise RuntimeError(f"{name} does not start: {said}")
        whole.note(f"the process ends with status {status} {(said or [''])[-1][:200]}", number)
        whole.executions += max(number - first, 0) + 1
        first = max(number, first) + 1
    return name, whole


def _forked(printed: Path, function: Callable[[], None]) -> int:
    """Run a function in a copy of this process, what it prints in a file; how that ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        handle = os.open(printed, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        function()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _add(whole: Outcome, part: Outcome) -> None:
    for name in ("executions", "accepted", "refused", "seconds"):
        setattr(whole, name, getattr(whole, name) + getattr(part, name))
    for name in ("slowest_ms", "growth_mb"):
        setattr(whole, name, max(getattr(whole, name), getattr(part, name)))
    for fault, count in part.faults.items():
        whole.faults[fault] = whole.faults.get(fault, 0) + count
        whole.documents.setdefault(fault, []).extend(part.documents.get(fault, []))


# ---- all of them

COLUMNS = (
    *("target", "reads", "kind", "executions", "processor_s", "executions_per_s", "accepted"),
    *("refused", "slowest_ms", "growth_mb", "bound_mb", "faults"),
)


def main() -> int:
    """Run targets and write the table; the exit status is 1 when there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help="names; all by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="times the executions of each target")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="the table, as CSV")
    parser.add_argument("--show", type=int, help="write the document of this number to stdout and stop")
    asked = parser.parse_args()
    if asked.show is not None:
        target = BY_NAME[asked.targets[0]]
        sys.stdout.buffer.write(document(target, target.seeds(), asked.seed, asked.show))
        return 0
    chosen = [BY_NAME[name] for name in asked.targets] or list(TARGETS)
    begin, total, faults = time.monotonic(), 0, 0
    # of all of them the dearest first, so that none is left alone at the end
    dear = {"yaml": 20, "zip": 5, "binary": 5}
    order = chosen if asked.targets else sorted(chosen, key=lambda t: -t.executions * dear.get(t.kind, 1))
    orders = [(target.name, asked.seed, max(1, int(target.executions * asked.scale))) for target in order]
    with multiprocessing.get_context("fork").Pool(asked.jobs) as pool:
        for name, found in pool.imap_unordered(alone, orders):
            figures = f"{found.seconds:8.1f} s {found.slowest_ms:8.1f} ms {found.growth_mb:6.1f} MB"
            print(f"{name:28}{found.executions:8}{figures}", flush=True)
            for fault, count in found.faults.items():
                print(f"    FAULT {count} times, as {found.documents[fault][:KEPT]}: {fault}", flush=True)
            if asked.out:
                _write(asked.out, BY_NAME[name], found)
            total, faults = total + found.executions, faults + sum(found.faults.values())
    print(f"{total} executions of {len(chosen)} targets in {(time.monotonic() - begin) / 60:.1f} minutes")
    return int(faults > 0)


def _write(path: Path, target: Target, found: Outcome) -> None:
    """Put a target's row into the table, in the place of an earlier one."""
    rows: dict[str, list[Any]] = {}
    if path.exists():
        with path.open(encoding="utf-8", newline="") as stream:
            rows = {row[0]: row for row in list(csv.reader(stream))[1:]}
    rows[target.name] = _row(target, found)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(rows[name] for name in BY_NAME if name in rows)


def _row(target: Target, found: Outcome) -> list[Any]:
    pace = round(found.executions / found.seconds) if found.seconds else ""
    counts = [found.executions, round(found.seconds, 1), pace, found.accepted, found.refused]
    costs = [found.slowest_ms, found.growth_mb, target.memory_mb]
    return [target.name, target.reads, target.kind, *counts, *costs, sum(found.faults.values())]


if __name__ == "__main__":
    sys.exit(main())
