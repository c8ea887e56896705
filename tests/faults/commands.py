"""The long commands that are disturbed, what each of them works from, and how its output is compared."""

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helpers import tiny

from pse_bench.io.atomic import SEAL

SCENES = 16
JOBS = ("--jobs", "2")
TABLES = ("mixtures.csv", "files.csv", "dataset.json", "quarantine.csv")
TRAINING = """\
task: pvad
steps: 40
batch: 2
model: {hidden: 8}
data: {chunk_s: 1.5}
optimiser: {warmup_steps: 2, average: 0.9}
validation: {speakers: 2, scenes: 3, every: 10}
log_every: 5
save_every: 5
"""


@dataclass(frozen=True)
class Chore:
    """A command.

    ``words`` are its arguments, of the folder that it works from and of the folder that it writes into;
    ``source`` is a file in the former that may vanish or change meanwhile, '' where there is none. ``prepare``
    puts something into the latter before. ``growing`` are outputs that grow while the command runs, beside its
    journal. Where not ``pooled``, there are no workers that could die. Where it ``describes`` its sources, other
    sources give another output, which is no damage; so do the tables that it ``lists`` what could be made in.
    ``needs`` is a package.
    """

    name: str
    words: Callable[[Path, Path], list[str]]
    source: str = ""
    prepare: Callable[[Path, Path], None] = lambda inputs, out: None
    growing: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    pooled: bool = True
    describes: bool = False
    needs: str = ""


def _text(*words: object) -> list[str]:
    return [str(word) for word in words]


def _roots(inputs: Path) -> list[str]:
    return _text("--root", f"voices={inputs / 'speech'}", "--root", f"noises={inputs / 'noise'}")


def _generate(inputs: Path, out: Path, scenes: int = SCENES) -> list[str]:
    material = _text("--speech", inputs / "speech.csv", "--noise", inputs / "noise.csv", *_roots(inputs))
    rooms = _text("--room-bank", out / "rooms")
    drawn = _text("-n", scenes, "--seed", 3, "-o", out / "dataset")
    return _text("generate", inputs / "tiny.yaml", *material, *rooms, *drawn, *JOBS)


def _render(inputs: Path, out: Path) -> list[str]:
    plan = inputs / "dataset" / "plan.jsonl"
    return _text("render", plan, "-o", out / "dataset", *_roots(inputs), "--room-bank", inputs / "rooms", *JOBS)


def _enhance(inputs: Path, out: Path) -> list[str]:
    return _text("enhance", inputs / "dataset", "--system", "oracle-mask", "-o", out / "submission", *JOBS)


def _score(inputs: Path, out: Path) -> list[str]:
    return _text("score", inputs / "dataset", inputs / "submission", "-o", out / "result", "--quiet", *JOBS)


def _train(inputs: Path, out: Path) -> list[str]:
    data = _text("--dataset", inputs / "dataset", "-o", out / "run", "--threads", 1)
    return _text("train", "pvad", "--config", inputs / "training.yaml", *data)


def _report(inputs: Path, out: Path) -> list[str]:
    heard = _text("--dataset", inputs / "dataset", "--submission", inputs / "submission")
    return _text("report", inputs / "result", *heard, "-o", out / "report.html", *JOBS)


def _copy_shares(inputs: Path, out: Path) -> None:
    shutil.copytree(inputs / "shares", out / "shares", dirs_exist_ok=True)


CHORES = (
    Chore("corpus synth", lambda inputs, out: _text("corpus", "synth", out / "corpus", *JOBS)),
    Chore(
        "manifest",
        lambda inputs, out: _text(
            "manifest", "folder", inputs / "speech", "--name", "voices", "-o", out / "speech.csv", "--force", *JOBS
        ),
        source="speech/dora/2.wav",
        describes=True,
    ),
    Chore("generate", _generate, source="speech/dora/2.wav", lists=TABLES),
    Chore("render", _render, source="speech/dora/2.wav", lists=TABLES),
    Chore("enhance", _enhance, source="dataset/TS2/s000004.flac"),
    Chore("score", _score, source="dataset/stems/target_early/s000004.flac"),
    Chore(
        "train",
        _train,
        source="dataset/TS2/s000004.flac",
        growing=("log.csv", "looks.csv", "state.safetensors", "checkpoint.safetensors", "checkpoint.json"),
        pooled=False,
        needs="torch",
    ),
    Chore("report", _report, source="dataset/TS2/s000001.flac", pooled=False),
    Chore("merge", lambda inputs, out: _text("merge", out / "shares"), prepare=_copy_shares, pooled=False),
    Chore(
        "pack",
        lambda inputs, out: _text("pack", inputs / "dataset", "-o", out / "shards", "--size", "300kB", *JOBS),
        source="dataset/TS2/s000004.flac",
    ),
)


def prepare(inputs: Path, scenes: int = SCENES, *, judged: bool = True) -> None:
    """Everything that the chores work from: a corpus, a dataset and shares of it, and where it is ``judged`` a
    submission and a result."""
    tiny.write_corpus(inputs)
    (inputs / "tiny.yaml").write_text(tiny.SCENARIO)
    (inputs / "training.yaml").write_text(TRAINING)
    for kind, folder, table, name in (
        ("folder", "speech", "speech", "voices"),
        ("noise", "noise", "noise", "noises"),
    ):
        _run("manifest", kind, inputs / folder, "--name", name, "-o", inputs / f"{table}.csv", "--jobs", 1)
    _run(*_generate(inputs, inputs, scenes))
    for share in ("1/2", "2/2"):
        plan, rooms = inputs / "dataset" / "plan.jsonl", inputs / "rooms"
        words = ("render", plan, "-o", inputs / "shares", "--shard", share, "--room-bank", rooms, "--jobs", 1)
        _run(*words, *_roots(inputs))
    if judged:
        _run("enhance", inputs / "dataset", "--system", "mixture", "-o", inputs / "submission")
        heard = "tsos,leakage_reduction_db,residual_dbfs,si_sdr"  # with which a report has scenes to hear
        _run("score", inputs / "dataset", inputs / "submission", "-o", inputs / "result", "--metrics", heard)


def _run(*words: object) -> None:
    command = [sys.executable, "-m", "pse_bench", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr}")


# ---- comparing


def contents(folder: Path) -> dict[str, bytes]:
    """What a command has written, without what differs from run to run: how long it took."""
    return {
        str(path.relative_to(folder)): _timeless(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith((".journal", ".part"))
    }


def _timeless(path: Path) -> bytes:
    content = path.read_bytes()
    if path.name in ("dataset.json", "part.json"):
        try:
            document = json.loads(content)
        except ValueError:
            return content
        for holder in (document, document.get("own", {})):
            holder.pop("timings_s", None)
        document.pop(SEAL, None)
        return json.dumps(document).encode()
    if path.name == "log.csv":
        rows = list(csv.DictReader(io.StringIO(content.decode())))
        return json.dumps(
            [{key: value for key, value in row.items() if key != "audio_s_per_s"} for row in rows]
        ).encode()
    return content
