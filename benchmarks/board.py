"""How long a large board takes to show, to add a row to, and to verify, and where the time goes.

    python benchmarks/board.py [--rows 32] [--scenes 667] [--speakers 40] [--work DIR]

Results are simulated: every metric of a clip but the opinions of models, three mixtures a scene, and the words
that a recogniser wrote down. All but the last become the board at once; then the commands run as a person would
run them, on one thread. Printed for each: wall and processor seconds, and the share of its steps, of another run
under cProfile, which makes short calls look longer than they are. Beside verifying stands what it cannot do
without, unpacking and parsing the kept scores, and beside reading them the same with a record a row.
WORK is kept where it is named, and used again.

Exits with status 1 when a command takes more than 10 processor seconds.
"""

import argparse
import cProfile
import csv
import io
import lzma
import os
import pstats
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np

from pse_bench import metrics, rng
from pse_bench.cli import cli
from pse_bench.io import atomic, tables
from pse_bench.leaderboard import evidence, leaderboard, table
from pse_bench.leaderboard.evidence import Stated
from pse_bench.metrics import Metric, Ratio, recognition
from pse_bench.schemas import Mixture, Score
from pse_bench.scoring import hypotheses
from pse_bench.scoring.results import Result
from pse_bench.scoring.summary import Scores, summarise

MOST_S = 10.0
CLIP = [one for one in metrics.REGISTRY.values() if one.of == "clip" and not one.model]
WORDS = {"wer": "errors", "del": "deletions", "ins": "insertions", "sub": "substitutions"}
SPOKEN = [
    "place",
    "lay",
    "set",
    "bin",
    "blue",
    "green",
    "red",
    "at",
    "by",
    "in",
    "F",
    "A",
    "two",
    "nine",
    "now",
    "soon",
]
VARIANTS = 20  # of what was recognised; a system has one. On our boards about as many clips are heard alike
STEPS = {
    "unpacking": ("evidence.py", "_unpack"),
    "packing": ("evidence.py", "_pack"),
    "hashes": ("atomic.py", "sha256"),
    "reading scores": ("summary.py", "read"),
    "figures and intervals": ("summary.py", "summaries_of"),
    "sums of speakers": ("evidence.py", "speaker_sums"),
    "word errors": ("hypotheses.py", "differences"),
    "reading the board": ("table.py", "read"),
    "order and pairs": ("leaderboard.py", "order"),
}
"""Steps by the file and the name of the function that does each; none calls another."""


def mixtures(scenes: int, speakers: int) -> list[Mixture]:
    """Three a scene, dealt to the speakers in turn."""
    blank = dict.fromkeys(name for name, field in Mixture.model_fields.items() if field.is_required())
    words = dict.fromkeys((name for name, field in Mixture.model_fields.items() if field.annotation is str), "x")
    rest = {"target_gender": "F", "num_interferers": 1, "enrollment_s": 5.0, "scene_gain_db": 0.0}
    found = []
    for number in range(scenes):
        chance = rng.generator(0, "board", "scene", number)
        levels = {
            name: round(float(chance.uniform(-5, 20)), 3) for name in ("sir_db", "snr_db", "sir_achieved_db")
        }
        for label in ("TS1", "TS2", "TS3"):
            scene_id = f"s{number:06d}"
            own = {"mixture_id": f"{scene_id}_{label}", "scene_id": scene_id, "scenario": label}
            own |= {"target_speaker": f"p{number % speakers:03d}", "num_samples": 160_000, "sample_rate": 16_000}
            text = "" if label == "TS3" else " ".join(chance.choice(SPOKEN, 12))
            hashed = atomic.sha256_of_text(own["mixture_id"])
            found.append(
                Mixture(**{**blank, **words, **rest, **levels, **own, "text": text, "mixture_sha256": hashed})
            )
    return found


def words_of(rows: list[Mixture], variant: int) -> dict[str, str]:
    """What a recogniser may have written down of each: a fifth of the words missing, a fifth misheard."""
    found = {}
    for row in rows:
        chance = rng.generator(variant, "board", "words", row.mixture_id)
        said = row.text.split() or list(chance.choice(SPOKEN, chance.integers(0, 6)))
        kept = [word if chance.random() > 0.2 else str(chance.choice(SPOKEN)) for word in said]
        found[row.mixture_id] = " ".join(word for word in kept if chance.random() > 0.2)
    return found


def of_words(rows: list[Mixture], texts: dict[str, str]) -> dict[tuple[str, str], Ratio]:
    """Word errors by mixture and metric, which have to follow from the words."""
    found = {}
    for row in rows:
        counted = recognition.counts(row.text, texts[row.mixture_id])
        for name, kind in WORDS.items():
            bound = 2 * counted.reference_words
            found[row.mixture_id, name] = Ratio(min(getattr(counted, kind), bound), counted.reference_words)
        found[row.mixture_id, "leaked_words_per_min"] = Ratio(min(counted.insertions, 50.0), 10.0)
    return found


def score_of(
    metric: Metric, row: Mixture, quality: float, chance: np.random.Generator, words: Ratio | None
) -> Score:
    """A score of a system; ``quality`` between 0 and 1."""
    ratio, value = words, 0.0
    if metric.in_db:
        left_db = (40 * quality if metric.family == "leakage" else 1.0) + 3 * chance.normal()
        energy = float(chance.uniform(10, 60))
        ratio = Ratio(energy, energy * 10 ** (-left_db / 10))
    elif metric.aggregation == "ratio" and ratio is None:
        ratio = Ratio(int(chance.binomial(300, 0.4 * (1 - quality))), 300)
    elif ratio is None:
        low, high = metric.low or 0.0, min(metric.high or 3.0, 30.0)
        value = low + (high - low) * float(chance.beta(2, 8))
    return Score(
        mixture_id=row.mixture_id,
        scenario=row.scenario,
        metric=metric.name,
        value=value if ratio is None else metric.value_of(ratio),
        status="ok",
        detail="" if ratio is None else str(ratio),
    )


def results(work: Path, number: int, scenes: int, speakers: int) -> Iterator[Path]:
    """The folders of so many results, the references first."""
    rows = mixtures(scenes, speakers)
    texts = [words_of(rows, variant) for variant in range(VARIANTS)]
    counted = [of_words(rows, one) for one in texts]
    names = [*leaderboard.REFERENCES, *(f"system {n:02d}" for n in range(len(leaderboard.REFERENCES), number))]
    for place, name in enumerate(names):
        folder, chance = work / "results" / f"{place:02d}", rng.generator(place, "board", "system")
        folder.mkdir(parents=True)
        variant, quality = place % VARIANTS, 0.2 + 0.6 * place / number
        tables.write_table(folder / "mixtures.csv", Mixture, rows)
        hypotheses.write(folder, texts[variant])
        found = (
            score_of(metric, row, quality, chance, counted[variant].get((row.mixture_id, metric.name)))
            for row in rows
            for metric in CLIP
            if row.scenario in metric.scenarios
        )
        tables.write_table(folder / "scores.csv", Score, found)
        summarise(folder)
        about = {
            **{"schema": 1, "kind": "pse-bench result", "dataset": "large-v1", "dataset_fingerprint": "a" * 64},
            **{"reference": "early", "complete": True, "mixtures": len(rows), "target_speakers": speakers},
            "metrics": {metric.name: {"version": metric.version} for metric in CLIP},
            **{f"{path.stem}_sha256": atomic.sha256(path) for path in folder.glob("*.csv")},
            "system": {
                **{"name": name, "version": "1", "training_data": "none", "tuned_on": "nothing", "licence": "MIT"}
            },
        }
        atomic.write_sealed(folder / "result.json", about)
        yield folder


def filled(work: Path, number: int, scenes: int, speakers: int) -> tuple[Path, Path]:
    """The board of all results but the last, and the folder of that."""
    board, rows = work / "boards" / "large-v1.csv", []
    for place, folder in enumerate(results(work, number, scenes, speakers)):
        if place == number - 1:
            leaderboard.write(board, rows)
            return board, folder
        result = Result.open(folder)
        stated = Stated(
            kind="reference" if place < len(leaderboard.REFERENCES) else "submission", date="2026-01-01"
        )
        sums = evidence.speaker_sums(result.read_scores())
        rows.append(table.row_of(result, stated, evidence.as_array(sums, folder)))
        evidence.keep(board, table.evidence_folder(board, rows[-1].entry), result, stated, sums)
    raise SystemExit("--rows: give at least four")


def timed(words: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of a command, with its start."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "pse_bench", *words], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def shares(words: list[str]) -> str:
    """The steps of a command with their shares in %, the largest first."""
    profile, said = cProfile.Profile(), sys.stdout
    try:
        sys.stdout = io.StringIO()
        profile.runcall(cli, words, standalone_mode=False)
    finally:
        sys.stdout = said
    found = pstats.Stats(profile)
    whole = found.total_tt  # type: ignore[attr-defined]
    inside = {(Path(file).name, name): one[3] for (file, _, name), one in found.stats.items()}  # type: ignore[attr-defined]
    told = {step: 100 * inside.get(where, 0.0) / whole for step, where in STEPS.items()}
    told["all else"] = 100 - sum(told.values())
    return ", ".join(
        f"{step} {share:.0f} %" for step, share in sorted(told.items(), key=lambda one: -one[1]) if share >= 1
    )


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of a call."""
    began = time.process_time()
    work()
    return time.process_time() - began


def floor(board: Path) -> float:
    """Processor seconds of unpacking the tables of a board and splitting them into cells."""

    def parse() -> None:
        for path in [*board.with_suffix("").glob("results/*/scores.csv.xz")]:
            list(csv.reader(io.StringIO(lzma.decompress(path.read_bytes()).decode())))

    return seconds(parse)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--scenes", type=int, default=667)
    parser.add_argument("--speakers", type=int, default=40)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as private:
        work = given.work or Path(private)
        board, last = work / "boards" / "large-v1.csv", work / "results" / f"{given.rows - 1:02d}"
        if not board.exists():
            board, last = filled(work, given.rows, given.scenes, given.speakers)
        measured(board, last, Path(private))


def measured(board: Path, last: Path, private: Path) -> None:
    """Print how long the commands take on a board, and with a further result."""
    read = {
        name: tables.read_table(last / f"{name}.csv", of)
        for name, of in (("scores", Score), ("mixtures", Mixture))
    }
    print(len(table.read(board)), "rows;", ", ".join(f"{len(rows)} {name}" for name, rows in read.items()))
    late = []
    for command, more in (("show", []), ("verify", []), ("add", [str(last)])):
        took, split = [], ""
        for turn in range(2):
            used = private / f"{command}{turn}" / board.name
            if command == "add":
                shutil.copytree(board.parent, used.parent)
            words = ["leaderboard", command, str(used if command == "add" else board), *more]
            if turn:
                split = shares(words)
            else:
                took = timed(words)
        print(f"{command}: {took[0]:.1f} s, {took[1]:.1f} s of a processor: {split}", flush=True)
        late += [command] if took[1] > MOST_S else []
    least, reading = floor(board), seconds(lambda: Scores.read(last))
    print(f"unpacking and splitting the kept scores alone: {least:.1f} s")
    records = seconds(lambda: tables.read_table(last / "scores.csv", Score))
    print(f"reading a result: {reading:.2f} s, {records / reading:.1f} times faster than with a record a score")
    if late:
        sys.exit(f"more than {MOST_S:g} s: {', '.join(late)}")


if __name__ == "__main__":
    main()
