"""An hour of generation and scoring: do memory, open files, temporary files and rate stay as they are?

The commands run as a person would run them, on ``--jobs`` processes, first generate and then score, each for half
of the time (and once more where it ends before). All scenes are of one length, and those that are scored of one
scenario, so that the work stays the same from begin to end. The process trees are looked at every few seconds.
Printed for each command: the median of the first and of the last third of the samples, once the workers are warm,
and the largest. The rate is given by the second and by the second of processor time, which other work on the
machine changes less.

    python benchmarks/soak.py [--minutes 60] [--jobs 2] [--out docs/reliability/soak.csv]
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import median

from pse_bench.planning import scenario as scenarios

EVERY_S = 5.0
LENGTH_S = 8.0
WARM = 0.1
"""The share of a command's samples that are left out at its begin."""
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    """A command at one moment. ``main_mb`` and ``worker_mb`` are resident memory, of the process that was started
    and of the largest other one; ``files`` are open handles of all, ``temporary`` what lies in TMPDIR."""

    command: str
    elapsed_s: float
    done: int
    processor_s: float
    main_mb: float
    worker_mb: float
    files: int
    temporary: int


def tree(root: int) -> list[int]:
    """A process and all below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for process in found:
        found += parents.get(process, [])
    return found


def memory_mb(process: int) -> float:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE / 1e6


def look(command: str, root: int, elapsed_s: float, journal: Path, folder: Path) -> Sample | None:
    """The state of a command's processes; None when they are just ending."""
    try:
        ticks, files = 0, 0
        memory = []
        for process in tree(root):
            memory.append(memory_mb(process))
            ticks += sum(map(int, Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:15]))
            files += len(os.listdir(f"/proc/{process}/fd"))
        with journal.open("rb") as stream:
            done = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b"")) - 1
    except OSError:
        return None
    return Sample(
        command=command,
        elapsed_s=round(elapsed_s, 1),
        done=done,
        processor_s=round(ticks / TICKS, 1),
        main_mb=round(memory[0], 1),
        worker_mb=round(max(memory[1:], default=0.0), 1),
        files=files,
        temporary=sum(1 for _ in folder.rglob("*")),
    )


def run(words: list[str], folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "pse_bench", *words], check=True, env=environment(folder))


def environment(folder: Path) -> dict[str, str]:
    """Temporary files and caches of the commands lie where they can be counted."""
    (folder / "tmp").mkdir(exist_ok=True)
    return os.environ | {"TMPDIR": str(folder / "tmp"), "XDG_CACHE_HOME": str(folder / "cache")}


def watch(words: list[str], folder: Path, journal: Path, after: Sample | None) -> list[Sample]:
    """Run a command to its end and look at it now and then; counts go on ``after`` an earlier run of it."""
    samples = []
    begin = time.monotonic()
    with (folder / "log.txt").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pse_bench", *words], env=environment(folder), stdout=log, stderr=log
        )
        while process.poll() is None:
            time.sleep(EVERY_S)
            sample = look(words[0], process.pid, time.monotonic() - begin, journal, folder / "tmp")
            if sample and sample.done > 0:
                samples.append(sample if after is None else later(sample, after))
    if process.returncode:
        sys.exit(f"{words[0]} ended with {process.returncode}; see {folder / 'log.txt'}")
    return samples


def later(sample: Sample, after: Sample) -> Sample:
    sums = {key: getattr(sample, key) + getattr(after, key) for key in ("elapsed_s", "done", "processor_s")}
    return replace(sample, **sums)


def rate(samples: list[Sample], per: str) -> float:
    first, last = samples[0], samples[-1]
    return (last.done - first.done) / (getattr(last, per) - getattr(first, per))


def table(samples: list[Sample]) -> None:
    """The first and last third of a command's samples."""
    working = [sample for sample in samples if sample.done < samples[-1].done]  # not while tables are written
    warm = working[int(WARM * len(working)) :]
    third = max(2, len(warm) // 3)
    begin, end = warm[:third], warm[-third:]
    unit = {"generate": "scenes", "score": "mixtures"}[samples[0].command]
    print(f"\n{samples[0].command}: {samples[-1].done} {unit} in {samples[-1].elapsed_s / 60:.1f} minutes")
    print(f"{'':34}{'first third':>12}{'last third':>12}{'change':>9}{'largest':>10}")
    rows = [
        ("main process, MB", "main_mb"),
        ("largest worker, MB", "worker_mb"),
        ("open files", "files"),
        ("temporary files", "temporary"),
    ]
    for name, key in rows:
        one, other = (median(getattr(sample, key) for sample in part) for part in (begin, end))
        most = max(getattr(sample, key) for sample in samples)
        print(f"{name:34}{one:12.1f}{other:12.1f}{change(one, other):>9}{most:10.1f}")
    for name, per in ((f"{unit} a second", "elapsed_s"), (f"{unit} a processor second", "processor_s")):
        one, other = rate(begin, per), rate(end, per)
        print(f"{name:34}{one:12.2f}{other:12.2f}{change(one, other):>9}")


def change(one: float, other: float) -> str:
    return f"{100 * (other / one - 1):+.1f} %" if one else f"{other - one:+.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="CSV of all samples")
    asked = parser.parse_args()
    half_s = 30 * asked.minutes
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as name:
        folder = Path(name)
        corpus = folder / "corpus"
        run(["corpus", "synth", str(corpus)], folder)
        manifests = corpus / "manifests"
        material = ["--speech", str(manifests / "embedded.test.csv")]
        material += ["--noise", str(manifests / "embedded.noise-test.csv"), "--root", f"embedded={corpus}"]

        def generate(scenes: int, out: Path, *labels: str) -> list[str]:
            scenario = folder / f"{out.name}.yaml"
            _, content = scenarios.load("embedded")
            content = {
                **content,
                "name": "soak",
                "duration_s": LENGTH_S,
                "scenarios": labels or content["scenarios"],
            }
            scenario.write_text(json.dumps(content))
            jobs = ["--jobs", str(asked.jobs), "-o", str(out)]
            return ["generate", str(scenario), *material, "-n", str(scenes), "--seed", "1", *jobs]

        def score(dataset: Path, out: Path) -> list[str]:
            return ["score", str(dataset), str(folder / "sub"), "-o", str(out), "--jobs", str(asked.jobs)]

        def paced(words: list[str]) -> float:
            begin = time.monotonic()
            run(words, folder)
            return time.monotonic() - begin

        def enhance(dataset: Path) -> list[str]:
            return ["enhance", str(dataset), "--system", "mixture", "-o", str(folder / "sub"), "--force"]

        # How much work half of the time is: first what is made only once, then the pace.
        run(generate(20, folder / "first"), folder)
        scenes = round(half_s * 400 / paced(generate(400, folder / "paced")))
        run(generate(150, folder / "heard", "TS2"), folder)
        run(enhance(folder / "heard"), folder)
        scored = round(half_s * 150 / paced(score(folder / "heard", folder / "result")))
        run(generate(scored, folder / "judged", "TS2"), folder)
        run(enhance(folder / "judged"), folder)
        phases = (
            (generate(scenes, folder / "out"), folder / "out", "render.journal"),
            (score(folder / "judged", folder / "scores"), folder / "scores", "score.journal"),
        )
        samples: list[Sample] = []
        for words, out, journal in phases:
            own: list[Sample] = []
            while not own or own[-1].elapsed_s < half_s - 60:
                shutil.rmtree(out, ignore_errors=True)
                shutil.rmtree(folder / "cache" / "pse-bench" / "scores", ignore_errors=True)
                own += watch(words, folder, out / journal, after=own[-1] if own else None)
            samples += own
            table(own)
            sys.stdout.flush()
            if asked.out:
                write(asked.out, samples)


def write(path: Path, samples: list[Sample]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([field.name for field in fields(Sample)])
        writer.writerows(asdict(sample).values() for sample in samples)


if __name__ == "__main__":
    main()
