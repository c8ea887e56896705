"""What a run leaves for the next one: what is remembered, journals, shares, shards, and the jobs of a cluster."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import valid
from target import Read, Target, either, of_file

from pse_bench import schemas
from pse_bench.dataset import webdataset
from pse_bench.io.atomic import ContentCache
from pse_bench.runtime import dask, merging, resume
from pse_bench.scoring import result_writer
from pse_bench.simulation import dataset_writer
from pse_bench.systems import enhance

# ---- journals and shares


def _journal(name: str, again: Callable[[Path], Any]) -> Callable[[Path], Read]:
    def opened(folder: Path) -> Read:
        out = folder / "out"
        out.mkdir()

        def read(content: bytes) -> None:
            (out / name).write_bytes(content)
            again(out)

        return read

    return opened


NOTHING = hashlib.sha256(b"").hexdigest()
IDENTITY = {"dataset": valid.HASH, "system": "mine", "plan_sha256": NOTHING}


def _resume(stage: resume.Stage, out: Path, intact: Callable[[Path, Any], bool]) -> None:
    for entry in resume._earlier(stage, out, partial(resume.check_identity, identity=IDENTITY), None):
        intact(out, entry)


def _resume_render(out: Path) -> None:
    _resume(dataset_writer.STAGE, out, dataset_writer.intact)


def _resume_enhance(out: Path) -> None:
    _resume(enhance.STAGES["audio"], out, enhance._intact)


def _resume_score(out: Path) -> None:
    _resume(result_writer.STAGE, out, result_writer.current)


MERGERS: dict[str, Callable[[Path, list[merging.FinishedShard]], Any]] = {
    "render": dataset_writer.merge,
    "score": result_writer.merge,
    "enhance": enhance.merge,
}


def _share(stage: str, name: str) -> Callable[[Path], Read]:
    """part.json or the journal of a share that is then merged."""
    head, entries, others = {
        "render": (
            valid.head("render", {"problems": [], "timings_s": {"render": 1.0}}, _rendered()),
            _entry_of_plan(),
            {},
        ),
        "score": (valid.head("score", {"detected": []}, valid.ABOUT), valid.SCORED, {}),
        "enhance": (
            valid.head("enhance", {"system": {"name": "mine", "holds": ["audio"]}}, IDENTITY),
            {"mixture_id": "s0_TS1", "path": "TS1/s0.flac", **valid.SHA},
            {},
        ),
    }[stage]
    whole = {"part.json": head, f"{stage}.journal": valid.journal(entries), **others}
    whole["mixtures.csv"] = valid.table(schemas.Mixture, valid.mixtures()[:1])
    whole["TS1/s0.flac"] = b"sound"

    def opened(folder: Path) -> Read:
        out = folder / "out"
        part = out / "part-1-of-1"

        def read(content: bytes) -> None:
            own = valid.plans()[0].split(b"\n")
            for file, there in {**whole, "plan.jsonl": b"\n".join([*own[:2], b""]), name: content}.items():
                (part / file).parent.mkdir(parents=True, exist_ok=True)
                (part / file).write_bytes(there)
            try:
                found = merging.gather(out)
                MERGERS[found[0].head.stage](out, found)
            finally:
                for left in sorted(folder.rglob("*"), reverse=True):
                    left.rmdir() if left.is_dir() else left.unlink()

        return read

    return opened


def _rendered() -> dict[str, Any]:
    """What shares of a rendering agree on."""
    return {"schema": 1, "plan_sha256": valid.HASH, "format": "flac", "versions": {"numpy": "2.0"}}


def _scene_id() -> str:
    """The first scene of the plan."""
    return str(json.loads(valid.plans()[0].split(b"\n")[1])["scene_id"])


def _share_seeds(stage: str, name: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        if name == "part.json":
            own = {
                "render": {"problems": [{"scene_id": _scene_id(), "reason": "?"}], "timings_s": {"render": 1.0}},
                "score": {"detected": [{"row": valid.detections()[0].model_dump(), "sha256": "", "problem": ""}]},
                "enhance": {"system": {"name": "mine", "holds": ["audio"]}},
            }[stage]
            about = {"render": _rendered(), "score": valid.ABOUT, "enhance": IDENTITY}[stage]
            plain = {"render": {"problems": [], "timings_s": {"render": 1.0}}, "score": {"detected": []}}
            return [valid.head(stage, own, about), valid.head(stage, plain.get(stage, own), about)]
        entry = {"render": _entry_of_plan(), "score": valid.SCORED}[stage]
        return [valid.journal(entry)]

    return seeds


def _entry_of_plan() -> dict[str, Any]:
    return {**valid.rendered(), "scene_id": _scene_id()}


# ---- shards


def _shards(name: str) -> Callable[[Path], Read]:
    whole = _shard_files()

    def opened(folder: Path) -> Read:
        for file, content in whole.items():
            (folder / file).write_bytes(content)

        def read(content: bytes) -> None:
            webdataset._contents.cache_clear()
            (folder / name).write_bytes(content)
            there = webdataset.open_any(str(folder))
            scenes = list(dict.fromkeys(row.scene_id for row in there.mixtures))[:2]
            for scene_id in scenes:
                there.has(f"activity/{scene_id}.json")
                either(there.read_activity, scene_id)
                either(there.read_stem, scene_id, "target")

        return read

    return opened


def _shard_files() -> dict[str, bytes]:
    """A packed dataset of one scene, as pack writes it."""
    rows = valid.mixtures()[:3]
    sound = valid.sound("FLAC", "PCM_16")
    stored = {"activity/s0.json": valid.activity(), "stems/target/s0.flac": sound}
    content, members = bytes(512), {}
    for path, inside in stored.items():
        members[path] = (len(content), len(inside), hashlib.sha256(inside).hexdigest())
        content += inside + bytes(-len(inside) % 512)
    table = valid.table(schemas.Mixture, rows)
    shard = {"url": "tiny-000000.tar", "nsamples": 1, "filesize": len(content), "sha256": valid.HASH}
    tables_ = {"mixtures.csv": hashlib.sha256(table).hexdigest(), "files.csv": valid.HASH}
    index_ = {
        **{
            "__kind__": "wids-shard-index-v1",
            "wids_version": 1,
            "schema": 1,
            "kind": webdataset.KIND,
            "name": "tiny-v1",
        },
        **{"size": 10_000, "dataset": valid.DESCRIPTION | {"tables": tables_}, "shardlist": [shard]},
    }
    contents = {"shard": shard, "dataset_fingerprint": valid.HASH, "members": members}
    return {
        **{"index.json": valid.text(index_), "mixtures.csv": table},
        **{"tiny-000000.tar": content, "tiny-000000.json": valid.text(contents)},
    }


# ---- what is remembered


def _cached(folder: Path) -> Read:
    kept = ContentCache(folder)
    kept.put(valid.HASH, "good day")
    (path,) = folder.rglob("*.json")

    def read(content: bytes) -> None:
        path.write_bytes(content)
        kept.get(valid.HASH)

    return read


def _cache_seeds() -> list[bytes]:
    scores = {"k": [0.5, "ok", "1/2"], "l": [None, "undefined", "silent"]}
    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(("good day", scores, [0.5, 0.25])):
            ContentCache(Path(folder) / str(number)).put(valid.HASH, content)
        return [path.read_bytes() for path in sorted(Path(folder).rglob("*.json"))]


# ---- all of these

TARGETS: tuple[Target, ...] = (
    Target("cache", "atomic.ContentCache", "json", _cache_seeds, _cached, 80_000),
    Target(
        *("render-journal", "store.prepare", "json"),
        lambda: [valid.lines([IDENTITY, valid.rendered(0), valid.rendered(1)])],
        _journal("render.journal", _resume_render),
        20_000,
    ),
    Target(
        *("enhance-journal", "enhance", "json"),
        lambda: [valid.lines([IDENTITY, {"mixture_id": "s0_TS1", "path": "TS1/s0.flac", **valid.SHA}])],
        _journal("enhance.journal", _resume_enhance),
        80_000,
    ),
    Target(
        *("score-journal", "ledger.earlier", "json"),
        lambda: [valid.lines([IDENTITY, valid.SCORED])],
        _journal("score.journal", _resume_score),
        80_000,
    ),
    *(
        Target(
            *(f"merge-{stage}-{name.removesuffix('.json')}", "parts.gather, merged", "json"),
            _share_seeds(stage, name),
            _share(stage, name),
            10_000,
        )
        for stage, name in (
            *(("render", "part.json"), ("score", "part.json"), ("enhance", "part.json")),
            *(("render", "render.journal"), ("score", "score.journal")),
        )
    ),
    Target(
        *("shard-index", "packed.open_any", "json"),
        lambda: [_shard_files()["index.json"]],
        _shards("index.json"),
        30_000,
    ),
    Target(
        *("shard-contents", "pack.read_contents, packed", "json"),
        lambda: [_shard_files()["tiny-000000.json"]],
        _shards("tiny-000000.json"),
        30_000,
    ),
    Target(
        *("jobs.yaml", "cluster.read_jobs", "yaml"),
        lambda: [
            b"schema: 1\nsystem: slurm\nworkers: 8\nworkers_per_job: 4\nmemory_per_job: 16GB\n"
            b"walltime: '02:00:00'\n"
            b"queue: main\ndirectives: ['--gres=gpu:1']\nprologue:\n  - module load python\n"
        ],
        of_file("jobs.yaml", dask.read_jobs),
        10_000,
    ),
)
