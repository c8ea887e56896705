"""Train the pVAD and all recipes, score them on both benchmark sets, and write what came out.

    python experiments/tradeoff/run.py --work DIR --corpus DIR [--jobs 2] [--until corpora|train|score|write]

CORPUS is a folder with speech/LibriSpeech, speech/VCTK, speech/CMU_ARCTIC, noise and transcripts.csv. Everything
is kept in WORK, and the same command continues where it was interrupted. ``runs.py`` says what is trained, the
YAML files beside it how; ``analysis.py`` does the arithmetic; results/ is what is committed.
"""

import argparse
import csv
import math
import os
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import analysis
import picture
from runs import COMPARED, HEARD, HERE, KINDS, SEEDS, SHARES, TRAININGS, Training

from pse_bench import rng
from pse_bench.training import config as configs

ROOT = HERE.parents[1]
SETS = ("libri-mini-v1", "embedded-v1")
PEOPLE = ROOT / "leaderboards" / "libri-mini-v1"
METRICS = "tsos,leakage_reduction_db,si_sdr,si_sdri,stoi,pause_leakage_db,target_loss_db"
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}


class Work:
    """A folder in which the experiment lies, and how its commands are run."""

    def __init__(self, folder: Path, corpus: Path, jobs: int) -> None:
        self.folder, self.corpus, self.jobs = folder, corpus, jobs
        roots = {
            "LIBRISPEECH": corpus / "speech" / "LibriSpeech",
            "VCTK": corpus / "speech" / "VCTK",
            "CMU_ARCTIC": corpus / "speech" / "CMU_ARCTIC",
            "DEVNOISE": corpus / "noise",
            "EMBEDDED": folder / "embedded",
        }
        self.env = {**os.environ, **ONE_THREAD, **{f"PSE_BENCH_ROOT_{key}": str(at) for key, at in roots.items()}}

    def __call__(self, log: str, *words: object) -> None:
        """Run ``pse-bench`` with its output in a file. Raises SystemExit, naming that file, when it fails."""
        path = self.folder / "logs" / f"{log}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pse_bench", *map(str, words)]
        with path.open("a", encoding="utf-8") as out:
            failed = subprocess.run(
                command, stdout=out, stderr=subprocess.STDOUT, env=self.env, check=False
            ).returncode
        if failed:
            raise SystemExit(f"{path}: {' '.join(command[1:])} ended with status {failed}")

    def data(self, people: float = 1.0, draw: int = 1) -> list[object]:
        """What a training hears, of a share of the people."""
        own, made = self.folder / "manifests", self.folder / "embedded" / "manifests"
        speech = (PEOPLE / "training.csv", own / "vctk.csv", own / "arctic.csv", made / "embedded.train.csv")
        noise = (own / "noise.csv", made / "embedded.noise-train.csv")
        words: list[object] = ["--speakers", self.speakers(people, draw)]
        return [*words, *both("--speech", speech), *both("--noise", noise)]

    def speakers(self, share: float, draw: int) -> Path:
        """The table of who may be trained on: those who are looked at, and a share of the others by corpus."""
        if share == 1:
            return PEOPLE / "speakers.csv"
        looked_at = configs.load(str(HERE / "base.yaml"), task="pse").validation.people
        with (PEOPLE / "speakers.csv").open(encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if row["role"] == "training"]
        chosen = []
        for corpus in sorted({row["corpus"] for row in rows}):
            names = sorted(row["speaker_id"] for row in rows if row["corpus"] == corpus)
            others = [name for name in names if f"{corpus}/{name}" not in looked_at]
            others.sort(key=lambda name: rng.sort_key(draw, "people", name))
            kept = {*others[: math.ceil(share * len(others))], *(set(names) - set(others))}
            chosen += [(corpus, name) for name in names if name in kept]
        path = self.folder / "manifests" / f"people-{share:g}.{draw}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(["corpus", "speaker_id"])
            table.writerows(chosen)
        return path

    def checkpoint(self, name: str) -> Path:
        """The averaged weights of a run."""
        return self.folder / "runs" / name / "checkpoint.safetensors"


def both(option: str, values: tuple[Path, ...]) -> list[object]:
    """An option before each of its values."""
    return [word for value in values for word in (option, value)]


def prepare(work: Work) -> None:
    """The embedded corpus, and manifests of what is no LibriSpeech."""
    made = work.folder / "manifests"
    made.mkdir(parents=True, exist_ok=True)
    work("corpora", "corpus", "synth", work.folder / "embedded", "--jobs", work.jobs)
    if (made / "noise.csv").exists():
        return
    with (work.corpus / "transcripts.csv").open(encoding="utf-8", newline="") as stream:
        rows = [{"utterance_id": row["utt_id"], "text": row["text"]} for row in csv.DictReader(stream)]
    with (made / "transcripts.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["utterance_id", "text"])
        writer.writeheader()
        writer.writerows(rows)
    for name, out in (("VCTK", "vctk"), ("CMU_ARCTIC", "arctic")):
        at = work.corpus / "speech" / name
        texts = made / "transcripts.csv"
        work(
            "corpora", "manifest", "folder", at, "--name", name, "--transcripts", texts, "-o", made / f"{out}.csv"
        )
    work("corpora", "manifest", "noise", work.corpus / "noise", "--name", "devnoise", "-o", made / "noise.csv")


def train(work: Work, training: Training) -> None:
    """One run; a finished one is left alone, an interrupted one goes on."""
    words: list[object] = ["train", training.task, "--config", HERE / training.config]
    for change in training.changes:
        words += ["--set", change]
    if training.begin:
        words += ["--init-from", work.checkpoint(training.begin)]
    if training.guided:
        words += ["--pvad", work.checkpoint("pvad")]
    words += [*work.data(training.people, training.draw), "--threads", 1, "--jobs", 1]
    work(training.name, *words, "-o", work.folder / "runs" / training.name)


def train_all(work: Work, trainings: list[Training]) -> None:
    """Every run after those that it begins with, as many at once as there are jobs."""
    left, done = list(trainings), set[str]()
    with ThreadPoolExecutor(work.jobs) as pool:
        going: dict[Future[None], str] = {}
        while left or going:
            for training in [t for t in left if done.issuperset(t.needs)][: work.jobs - len(going)]:
                left.remove(training)
                going[pool.submit(train, work, training)] = training.name
            ready, _ = wait(going, return_when=FIRST_COMPLETED)
            for future in ready:
                future.result()
                done.add(going.pop(future))
                print(f"{time.strftime('%H:%M')} {len(done)} of {len(trainings)} runs", flush=True)


def between(work: Work) -> list[str]:
    """Checkpoints on the line from ``no-its`` to ``its``, one a seed and share."""
    names = []
    for seed in SEEDS:
        for share in SHARES:
            name = f"line-{share}.{seed}"
            ends = [work.checkpoint(f"{kind}.{seed}") for kind in ("no-its", "its")]
            out = work.checkpoint(name)
            if not out.exists():
                out.parent.mkdir(parents=True, exist_ok=True)
                work(name, "train", "interpolate", *ends, "--share", share, "-o", out)
            names.append(name)
    return names


System = tuple[str, str, str]
"""A name for its folders, what ``enhance --system`` takes, and with whose enrollment."""


def systems_of(work: Work) -> list[System]:
    """Every compared system, and the controls."""
    systems = [(name, name, "right") for name in ("mixture", "silence", "oracle-mask")]
    names = [training.name for training in COMPARED] + between(work)
    systems += [(name, str(work.checkpoint(name)), "right") for name in names]
    return systems + [(f"{kind}.1.wrong", str(work.checkpoint(f"{kind}.1")), "wrong") for kind in KINDS]


def enhanced(work: Work, set_name: str, system: System) -> None:
    """Enhance a benchmark set with a system."""
    name, asked, enrollment = system
    made = work.folder / "submissions" / set_name / name
    if not (made / "system.yaml").exists():
        dataset = work.folder / "sets" / set_name
        work(name, "enhance", dataset, "--system", asked, "--enrollment", enrollment, "--jobs", 1, "-o", made)


def score(work: Work, set_name: str, name: str, metrics: str = METRICS, kind: str = "results") -> None:
    """Score what a system made of a benchmark set."""
    made = work.folder / "submissions" / set_name / name
    result = work.folder / kind / set_name / name
    if not (result / "result.json").exists():
        dataset = work.folder / "sets" / set_name
        work(name, "score", dataset, made, "--metrics", metrics, "--jobs", 1, "--quiet", "-o", result)


def score_all(work: Work) -> None:
    """Every compared system on every set, and the controls."""
    for set_name in SETS:
        if not (work.folder / "sets" / set_name / "dataset.json").exists():
            work(set_name, "benchmark", set_name, "-o", work.folder / "sets" / set_name, "--jobs", work.jobs)
    systems = systems_of(work)
    with ThreadPoolExecutor(work.jobs) as pool:
        list(pool.map(lambda of: enhanced(work, *of), [(name, system) for name in SETS for system in systems]))
        futures = [pool.submit(score, work, set_name, name) for set_name in SETS for name, _, _ in systems]
        heard = ["mixture", *(f"{HEARD}.{seed}" for seed in SEEDS)]
        futures += [pool.submit(score, work, SETS[0], name, analysis.OPINION[1], "opinions") for name in heard]
        for number, future in enumerate(futures, 1):
            future.result()
            print(f"{time.strftime('%H:%M')} {number} of {len(futures)} scored", flush=True)


def main() -> None:
    """The whole experiment, as far as is asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, each on one thread")
    parser.add_argument("--until", choices=("corpora", "train", "score", "write"), default="write")
    asked = parser.parse_args()
    work = Work(asked.work.resolve(), asked.corpus.resolve(), asked.jobs)
    prepare(work)
    if asked.until == "corpora":
        return
    train_all(work, TRAININGS)
    if asked.until == "train":
        return
    score_all(work)
    if asked.until == "score":
        return
    analysis.write(work.folder, HERE / "results", SETS)
    picture.draw(HERE / "results", SETS)


if __name__ == "__main__":
    main()
