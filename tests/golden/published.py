"""What the package has published, computed anew: ``python tests/golden/published.py`` writes the golden files.

Only commands are used, so that nothing about the inside of the package can change what is compared. Scores are
compared to a relative 1e-6: libraries of linear algebra may differ in the last bits between processors.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pse_bench.cli import cli
from pse_bench.corpora.roots import Roots
from pse_bench.corpora.synthetic import benchmark_noise, embedded
from pse_bench.dataset import frozen_sets

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCENES = 3
SYSTEMS = ("mixture", "oracle-mask", "published:fade")


def fade(mixture: np.ndarray, enrollment: np.ndarray, sample_rate: int) -> np.ndarray:
    """The mixture, faded out and in every second: every amount of suppression, for thresholds to divide."""
    return mixture * (0.5 + 0.5 * np.cos(2 * np.pi * np.arange(len(mixture)) / sample_rate)).astype(np.float32)


def command(*words: object) -> None:
    """Run a command of the package in this process."""
    cli([str(word) for word in words], standalone_mode=False)


def first_scenes(name: str, out: Path, which: slice = slice(SCENES)) -> Path:
    """The header and some recipes of a frozen set as a plan, by default the first."""
    lines = (ROOT / "leaderboards" / name / "plan.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    plan = out / f"{name}.jsonl"
    plan.write_text("".join([lines[0], *lines[1:][which]]), encoding="utf-8")
    return plan


def clips(plan: Path) -> Iterator[tuple[str, str]]:
    """Corpus and path of every clip that a plan uses."""
    for line in plan.read_text(encoding="utf-8").splitlines()[1:]:
        recipe = json.loads(line)
        for track in (recipe["target"], *recipe["interferers"], recipe["enrollment"]):
            for segment in track["segments"]:
                yield track.get("corpus", recipe["target"]["corpus"]), segment["path"]
        yield recipe["noise"]["corpus"], recipe["noise"]["segment"]["path"]


def embedded_corpus(plan: Path, out: Path) -> Path:
    """As much of the embedded corpus as a plan uses."""
    used = {path for _, path in clips(plan)}
    for order in embedded.orders(out, (*embedded.SPLITS, embedded.DEV)):
        of_order = f"{order.kind}/{order.name}/"
        own = (path for path in used if path.startswith(of_order))
        if any(order.kind == "speech" or path.startswith(f"{of_order}{order.split}-") for path in own):
            embedded.carry_out(order)
    return out


def set_noise(name: str, plan: Path, out: Path, speech: Path) -> Path:
    """As much of the noise that a set makes as a plan uses; ``speech`` is where its babble lies."""
    used = {path for _, path in clips(plan)}
    chosen = frozen_sets.load(name)
    for order in frozen_sets.noise_orders(chosen, out, Roots.parse([f"librispeech={speech}"])):
        if f"{order.category}/{order.noise_id}.wav" in used:
            benchmark_noise.carry_out(order)
    return out


def rendered(plan: Path, out: Path, *roots: str) -> Path:
    """A plan's dataset."""
    words = [word for root in roots for word in ("--root", root)]
    command("render", plan, "-o", out, "--jobs", 1, "--room-bank", out.parent / "rooms", *words)
    return out


def contents(dataset: Path) -> dict[str, str]:
    """SHA-256 of what each file of a dataset holds, by its path without the ending."""
    header, *rows = (line.split(",") for line in (dataset / "files.csv").read_text(encoding="utf-8").splitlines())
    path, digest = header.index("path"), header.index("content_sha256")
    return {str(Path(row[path]).with_suffix("")): row[digest] for row in rows}


def committed(name: str) -> dict[str, str]:
    """The same of a frozen set as it was published."""
    text = (ROOT / "leaderboards" / name / "contents.csv").read_text(encoding="utf-8")
    return dict(line.split(",") for line in text.splitlines()[1:])


def scores(dataset: Path, work: Path) -> dict[str, list[str]]:
    """The rows of scores.csv of each system."""
    found = {}
    for system in SYSTEMS:
        out = work / system.rpartition(":")[2]
        result = work / f"{out.name}.result"
        command("enhance", dataset, "--system", system, "-o", out, "--jobs", 1)
        command("score", dataset, out, "-o", result, "--jobs", 1, "--quiet")
        found[out.name] = (result / "scores.csv").read_text(encoding="utf-8").splitlines()
    return found


def plans(work: Path) -> dict[str, dict[str, object]]:
    """SHA-256 of three scenes of every shipped scenario, planned from manifests of the repository, and the first
    of them, to see what another sum comes from."""
    manifests = ROOT / "manifests"
    rir = work / "rir.csv"
    columns = "corpus,rir_id,room_id,path,num_samples,sample_rate,rt60_s,sha256"
    rows = [f"rooms,{n},room-{n % 3},{n}.wav,16000,16000,0.4{n * n},{n:064x}" for n in range(9)]
    rir.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    found = {}
    for scenario in sorted((ROOT / "scenarios").glob("*.yaml")):
        small = scenario.stem in ("embedded", "embedded-call", "session")
        speech = manifests / ("embedded.test.csv" if small else "librispeech.dev-corpus.csv")
        noise = (
            manifests / "embedded.noise-test.csv"
            if small
            else ROOT / "leaderboards" / "libri-mini-v1" / "noise.csv"
        )
        words = ["--rir", rir] if scenario.stem == "measured-rooms" else []
        plan = work / f"{scenario.stem}.jsonl"
        command(
            "plan", scenario, "--speech", speech, "--noise", noise, *words, *("-n", 3, "--seed", 7, "-o", plan)
        )
        first = json.loads(plan.read_text(encoding="utf-8").splitlines()[1])
        first = first["session"]["turns"][:5] if "session" in first else first  # of a take, the beginning
        found[scenario.stem] = {"sha256": hashlib.sha256(plan.read_bytes()).hexdigest(), "first": first}
    return found


def main() -> None:
    """Write the golden files."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(work / "cache")
        plan = first_scenes("embedded-v1", work)
        corpus = embedded_corpus(plan, work / "corpus")
        made = scores(rendered(plan, work / "dataset", f"embedded={corpus}"), work)
        lines = [f"system,{made['mixture'][0]}", *(f"{name},{row}" for name in made for row in made[name][1:])]
        (HERE / "scores.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        text = json.dumps(plans(work), indent=1, ensure_ascii=False)
        (HERE / "plans.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
