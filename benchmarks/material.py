"""What the benchmarks of rendering share: corpora, scenarios, plans and a clock.

Without manifests the corpus is made: utterances of the embedded corpus joined to recordings as long as those of
LibriSpeech, and its noise.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import numpy as np

from pse_bench.corpora.roots import Roots
from pse_bench.corpora.synthetic import embedded
from pse_bench.dataset.dataset import sound_versions
from pse_bench.io import atomic, audio, tables
from pse_bench.planning import plan
from pse_bench.planning import scenario as scenarios
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import NoiseClip, Utterance

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pse-bench"
JOINED = 6
"""Utterances of two seconds that become one recording."""


def options(parser: argparse.ArgumentParser) -> None:
    """Corpora of one's own, as on the command line."""
    parser.add_argument("--speech", type=Path, help="manifest; without it the embedded corpus is made")
    parser.add_argument("--noise", type=Path)
    parser.add_argument("--root", action="append", default=[], metavar="NAME=DIR")


def corpora(asked: argparse.Namespace) -> tuple[list[Utterance], list[NoiseClip], Roots]:
    """Speech, noise, and where they lie."""
    if asked.speech and asked.noise:
        speech, noise = tables.read_table(asked.speech, Utterance), tables.read_table(asked.noise, NoiseClip)
        return speech, noise, Roots.parse(tuple(asked.root))
    folder = CACHE / "embedded"
    embedded.synthesize(folder, executor=Serial())
    manifests = folder / "manifests"
    noise = tables.read_table(embedded.manifest(manifests, "noise-test"), NoiseClip)
    spoken = tables.read_table(embedded.manifest(manifests, "test"), Utterance)
    long = CACHE / "benchmarks" / "recordings"
    return _joined(spoken, folder, long), noise, Roots({embedded.CORPUS: folder, "recordings": long})


def _joined(spoken: list[Utterance], folder: Path, out: Path) -> list[Utterance]:
    rows = []
    voices: dict[str, list[Utterance]] = {}
    for row in spoken:
        voices.setdefault(row.speaker_id, []).append(row)
    for speaker, clips in voices.items():
        for number in range(len(clips) // JOINED):
            parts = clips[number * JOINED : (number + 1) * JOINED]
            path = out / speaker / f"{speaker}-{number}.flac"
            sound = np.concatenate([audio.read_pcm16(folder / part.path) for part in parts])
            atomic.write_bytes(path, audio.encode(sound, embedded.SAMPLE_RATE, ".flac"))
            rows.append(
                Utterance(
                    corpus="recordings",
                    utterance_id=path.stem,
                    speaker_id=speaker,
                    gender=parts[0].gender,
                    path=path.relative_to(out).as_posix(),
                    num_samples=len(sound),
                    sample_rate=embedded.SAMPLE_RATE,
                    text=" ".join(part.text for part in parts),
                    sha256=atomic.sha256(path),
                )
            )
    return rows


def scenario(duration_s: float = 10.0, rooms: int | None = None, **room: Any) -> dict[str, Any]:
    """The standard scenario with scenes of one length, in rooms of a bank or each in a room of its own."""
    _, content = scenarios.load("standard")
    content = json.loads(json.dumps(content))
    content |= {"name": "benchmark", "duration_s": duration_s}
    content["target"] = {**content["target"], "clip": "segment"}
    content["target"].pop("utterances", None)
    content["enrollment"]["duration_s"] = 8.0
    content["room"] |= {**({"rooms": rooms, "places": 4} if rooms else {}), **room}
    return content


def planner(content: dict[str, Any], speech: list[Utterance], noise: list[NoiseClip]) -> plan.Planner:
    return plan.Planner(scenarios.parse_scenario(content, "the benchmark"), speech=speech, noise=noise, seed=1)


def write_plan(path: Path, content: dict[str, Any], recipes: list[Any]) -> Path:
    """A plan of some recipes."""
    plan.write(path, plan.header(content, manifests={}, seed=1), recipes)
    return path


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What the work gives, and the processor seconds it took: other processes do not count, nor does the disk."""
    begin = time.process_time()
    result = work()
    return result, time.process_time() - begin


def machine() -> str:
    """What this runs on, in a line."""
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    versions = ", ".join(f"{package} {version}" for package, version in sound_versions().items())
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


CHILD = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_mb(command: list[str]) -> float:
    """The most memory that a command, or any process it starts, takes."""
    # from a small process, because what a process is started from counts as its own
    done = subprocess.run([sys.executable, "-c", CHILD, *command], check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout) / (1024 if sys.platform != "darwin" else 1 << 20)
