"""Every parser of pse-bench as a target: valid documents, and a function that reads what was made of them.

A target is opened in a folder of its own and gives a function of bytes. That function writes the bytes to where
the parser looks for them and runs the real thing. Only a ``PseBenchError`` is an answer; any other exception is
a fault. What it returns are lines that a person would be shown.

Files that have to have a known SHA-256 (weights of the speaker encoder, models of DNSMOS) are not here: nothing
else is ever parsed as one of them.
"""

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import valid

from pse_bench import (
    archive,
    audio,
    benchmark,
    check,
    cluster,
    dataset,
    enhance,
    files,
    ledger,
    memory,
    pack,
    packed,
    parts,
    plan,
    probabilities,
    records,
    results,
    scenario,
    store,
    submission,
    summaries,
    tables,
)
from pse_bench.boards import board, leaderboard
from pse_bench.checks import examine
from pse_bench.corpora import clips, index, librimix, librispeech, vctk
from pse_bench.corpora.roots import Roots
from pse_bench.executor import Serial
from pse_bench.recognisers import hypotheses, transcripts
from pse_bench.shares import Share

Read = Callable[[bytes], Iterable[str] | None]
"""Parses a document, and gives lines that a person would be shown."""


@dataclass(frozen=True)
class Target:
    """One parser.

    Attributes:
        reads: the function that is called.
        kind: which mistakes belong to the document, see ``mutations.KINDS``.
        seeds: valid documents.
        open: given an empty folder, the function that parses.
        executions: how often it runs in ``make fuzz``.
        memory_mb: by how much its process may grow over all of them.
    """

    name: str
    reads: str
    kind: str
    seeds: Callable[[], list[bytes]]
    open: Callable[[Path], Read]
    executions: int = 30_000
    memory_mb: int = 150


def _file(name: str, parse: Callable[[Path], Any]) -> Callable[[Path], Read]:
    """A parser of a file by its path."""

    def opened(folder: Path) -> Read:
        path = folder / name

        def read(content: bytes) -> None:
            path.write_bytes(content)
            parse(path)

        return read

    return opened


def _of_text(parse: Callable[[str], Any]) -> Callable[[Path], Read]:
    """A parser of a text: an argument of a command, or a file that was decoded before."""

    def opened(_: Path) -> Read:
        def read(content: bytes) -> Iterable[str]:
            found = parse(content.decode(errors="replace"))
            return found if isinstance(found, list) else ()

        return read

    return opened


def _table(name: str, record: type[files.Record], row: files.Record, executions: int = 60_000) -> Target:
    return Target(
        f"table-{name}",
        f"files.read_table({record.__name__})",
        "csv",
        lambda: [valid.table(record, [row, row, row])],
        _file(f"{name}.csv", lambda path: files.read_table(path, record)),
        executions,
    )


# ---- datasets, submissions


def _tables() -> dict[str, bytes]:
    """What a dataset's description gives the hashes of."""
    tables = {
        "mixtures.csv": valid.table(records.Mixture, valid.mixtures()),
        "files.csv": valid.table(records.StoredFile, [valid.STORED]),
    }
    return {**tables, "plan.jsonl": valid.plans()[0]}


def _description() -> bytes:
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in _tables().items()}
    return valid.text(valid.DESCRIPTION | {"plan_sha256": hashes.pop("plan.jsonl"), "tables": hashes})


def _dataset(folder: Path) -> Read:
    for name, content in _tables().items():
        (folder / name).write_bytes(content)

    def read(content: bytes) -> Iterable[str]:
        (folder / "dataset.json").write_bytes(content)
        there = dataset.Dataset.open(folder)
        dataset.fingerprint(there.description.plan_sha256, there.files)
        there.require_unchanged()
        return ()

    return read


def _activity(text: str) -> None:
    dataset.activity_masks(*dataset.activity_frames(text, "activity.json"))


def _system(folder: Path) -> Read:
    def read(content: bytes) -> Iterable[str]:
        (folder / "system.yaml").write_bytes(content)
        lines = [str(finding) for finding in check.system_findings(folder)]
        system = submission.read_system(folder)
        submission.write_system(folder, system)
        assert submission.read_system(folder) == system
        return lines

    return read


def _archive(folder: Path) -> Read:
    path = folder / "sub.zip"

    def read(content: bytes) -> Iterable[str]:
        path.write_bytes(content)
        names: list[str] = []
        with archive.opened(path, 1 << 20, max_members=100, passed_over=names.append) as top:
            for found in top.rglob("*"):
                assert found.resolve().is_relative_to(top.resolve()), found
                assert not found.is_symlink(), found
        return ()

    return read


def _sound(ending: str) -> Callable[[Path], Read]:
    def opened(folder: Path) -> Read:
        path = folder / f"s0{ending}"
        (folder / "TS1").mkdir()
        estimate = folder / "TS1" / f"s0{ending}"
        estimate.symlink_to(path)
        row = valid.mixtures()[0].model_copy(update={"num_samples": 400, "mixture_path": "mixture.flac"})
        (folder / "mixture.flac").write_bytes(valid.sound("FLAC", "PCM_16"))
        about: Any = SimpleNamespace(
            folder=folder,
            read_sound=lambda path, count: audio.read_pcm16(folder / "mixture.flac", num_samples=count),
            read_stem=lambda scene_id, stem, count: audio.read_pcm16(folder / "mixture.flac", num_samples=count),
            description=SimpleNamespace(reference="early"),
        )

        def read(content: bytes) -> Iterable[str]:
            path.write_bytes(content)
            lines = [word for facts in [examine.facts(about, folder, row, path.name)] for _, word in facts.faults]
            found, problems = clips.describe(folder, [path.name], executor=Serial())
            for clip in found:
                assert clip.num_samples > 0
            _either(audio.read_pcm16, path)
            _either(audio.pcm16_of, content, "shard")
            _either(audio.read, path, start=100, stop=200)
            submission.read_estimate(folder, row)
            return [*lines, *problems]

        return read

    return opened


def _either(parse: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """Run one of several parsers of the same content; its refusal does not end the others' turn."""
    try:
        parse(*arguments, **named)
    except files.InputError as error:
        if not str(error).isprintable():
            raise AssertionError(str(error)) from error


# ---- results and boards


def _scores(name: str) -> Callable[[Path], Read]:
    """scores.csv, detections.csv or mixtures.csv of a result whose other tables are whole."""

    def opened(folder: Path) -> Read:
        (folder / "mixtures.csv").write_bytes(valid.table(records.Mixture, valid.mixtures()))
        (folder / "scores.csv").write_bytes(valid.table(records.Score, valid.scores()))
        if name == "detections.csv":
            (folder / "detections.csv").write_bytes(valid.table(records.Detection, valid.detections()))

        def read(content: bytes) -> None:
            (folder / name).write_bytes(content)
            summaries.summaries_of(summaries.Scores.read(folder))

        return read

    return opened


def _result_seeds() -> list[bytes]:
    scores, mixtures = valid.table(records.Score, valid.scores()), valid.table(records.Mixture, valid.mixtures())
    hashes = {
        "scores_sha256": hashlib.sha256(scores).hexdigest(),
        "mixtures_sha256": hashlib.sha256(mixtures).hexdigest(),
    }
    return [valid.text(valid.ABOUT | hashes)]


def _result(folder: Path) -> Read:
    other = results.Result(folder / "other", json.loads(_result_seeds()[0]), valid.SUMMARY)
    path = folder / "result.json"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        result = results.Result(folder, results.about_of(path), valid.SUMMARY)
        results.check_comparable([result, other])
        board.row_of(result, kind="submission", date="2026-01-01", rtf=None)
        tables.terminal([result, other])

    return read


def _board(path: Path) -> None:
    rows = board.read(path)
    board.write(path, leaderboard.order(rows))
    assert {row.entry.name for row in board.read(path)} == {row.entry.name for row in rows}


def _entry(name: str) -> Callable[[Path], Read]:
    """What is kept behind a row of a board, which has the hash of it as whoever made both would see to."""

    def opened(folder: Path) -> Read:
        rows, kept = valid.entries()
        entry, (about, summary) = rows[0].entry, kept[0]
        path = folder / "embedded-v1.csv"

        def read(content: bytes) -> None:
            files_ = {"result.json": about, "summary.csv": summary, name: content}
            own = entry.model_copy(
                update={"result_sha256": hashlib.sha256(files_["result.json"]).hexdigest()},
            )
            place = board.evidence_folder(path, own)
            place.mkdir(parents=True, exist_ok=True)
            for file, there in files_.items():
                (place / file).write_bytes(there)
            result = board.evidence(path, own)
            results.check_comparable([result, result])
            board.row_of(result, kind="reference", date="2026-01-01", rtf=None)
            if name == "result.json":
                shutil.rmtree(place)

        return read

    return opened


# ---- journals and shares


def _journal(name: str, resume: Callable[[Path], Any]) -> Callable[[Path], Read]:
    def opened(folder: Path) -> Read:
        out = folder / "out"
        out.mkdir()

        def read(content: bytes) -> None:
            (out / name).write_bytes(content)
            resume(out)

        return read

    return opened


NOTHING = hashlib.sha256(b"").hexdigest()
IDENTITY = {"dataset": valid.HASH, "system": "mine", "plan_sha256": NOTHING}


def _resume_render(out: Path) -> None:
    (out.parent / "plan.jsonl").write_bytes(b"")
    for rendered in store.prepare(out, out.parent / "plan.jsonl", IDENTITY, force=False):
        store.intact(out, rendered)


def _resume_enhance(out: Path) -> None:
    enhance.earlier(out, IDENTITY)


def _resume_score(out: Path) -> None:
    for scored in ledger.earlier(out, IDENTITY):
        ledger.current(out, scored)


MERGERS: dict[str, Callable[[Path, list[parts.Part]], Any]] = {
    "render": store.merged,
    "score": ledger.merged,
    "enhance": enhance.merged,
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
    whole["mixtures.csv"] = valid.table(records.Mixture, valid.mixtures()[:1])
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
                found = parts.gather(out)
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
            packed._contents.cache_clear()
            (folder / name).write_bytes(content)
            there = packed.open_any(str(folder))
            scenes = list(dict.fromkeys(row.scene_id for row in there.mixtures))[:2]
            for scene_id in scenes:
                there.has(f"activity/{scene_id}.json")
                _either(there.read_activity, scene_id)
                _either(there.read_stem, scene_id, "target")

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
    table = valid.table(records.Mixture, rows)
    shard = {"url": "tiny-000000.tar", "nsamples": 1, "filesize": len(content), "sha256": valid.HASH}
    tables_ = {"mixtures.csv": hashlib.sha256(table).hexdigest(), "files.csv": valid.HASH}
    index_ = {
        **{
            "__kind__": "wids-shard-index-v1",
            "wids_version": 1,
            "schema": 1,
            "kind": pack.KIND,
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


def _transcripts(folder: Path) -> Read:
    listener = transcripts.Remembering(lambda samples, name: "", valid.HASH, folder)
    path = folder / "entry.json"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        listener._known(path, valid.HASH)

    return read


def _transcript_seeds() -> list[bytes]:
    listener = transcripts.Remembering(lambda samples, name: "", valid.HASH, Path())
    return [listener._entry(valid.HASH, "good day").model_dump_json(by_alias=True).encode()]


def _memory_seeds() -> list[bytes]:
    kept = {"k": [0.5, "ok", "1/2"], "l": [None, "undefined", "silent"]}
    return [valid.text({"sha256": files.sha256_of_text(json.dumps(kept)), "scores": kept})]


# ---- corpora


def _librimix(folder: Path) -> Read:
    for name in ("mix/a_b.wav", "s1/a_b.wav", "s2/a_b.wav", "noise/a_b.wav"):
        (folder / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "root" / name).write_bytes(b"")
    path = folder / "metadata.csv"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        librimix.read(path, folder / "root")

    return read


LIBRIMIX = (
    b"mixture_ID,mixture_path,source_1_path,source_2_path,noise_path,length\n"
    b"a_b,/data/mix/a_b.wav,/data/s1/a_b.wav,/data/s2/a_b.wav,noise/a_b.wav,9000\n"
)


def _index(path: Path) -> None:
    index.read(path, key=("utterance_id", "path"), value=("text", "transcript"))


def _librispeech(text: str) -> list[str]:
    texts, problems = librispeech.parse_transcripts(text, "1-2.trans.txt")
    assert all(texts.values())
    return problems


# ---- training


def _config(task: str) -> Callable[[Path], Read]:
    from pse_bench.baseline import config

    return _file("run.yaml", lambda path: config.load(str(path), task=task))


def _setting(text: str) -> None:
    from pse_bench.baseline import config

    config.load("pvad" if "pvad" in config.shipped() else config.shipped()[0], (text,), task="pvad")


def _configs(task: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        from pse_bench.baseline import config

        found = [(config.SHIPPED / f"{name}.yaml").read_bytes() for name in config.shipped()[-3:]]
        return [content for content in found if f"task: {task}".encode() in content]

    return seeds


def _speakers(path: Path) -> None:
    from pse_bench.baseline import sources

    sources.allowed([valid.UTTERANCE], path)


def _checkpoint(path: Path) -> None:
    from pse_bench.baseline import checkpoint

    checkpoint.load(path)


def _checkpoints() -> list[bytes]:
    from safetensors.torch import save

    from pse_bench.baseline import checkpoint
    from pse_bench.baseline.e3net import E3Net, E3NetConfig
    from pse_bench.baseline.pvad import PVAD, PVADConfig

    small = E3NetConfig(filters=320, bottleneck=4, fc=4, lstm=4, layers=1, embedding=4)
    made = [E3Net(small), PVAD(PVADConfig(mels=8, hidden=4, layers=1, embedding=4))]
    return [
        save(
            model.state_dict(),
            metadata={"pse_bench": json.dumps(checkpoint.describe(model).model_dump(by_alias=True))},
        )
        for model in made
    ]


def _run(folder: Path) -> Read:
    from pse_bench.baseline import journey

    def read(content: bytes) -> None:
        (folder / "run.json").write_bytes(content)
        journey.Run(folder, {"config": {"seed": 1}, "data": "a"})

    return read


def _log(path: Path) -> None:
    from pse_bench.baseline import journey

    journey.Log(path, 40)


def _prepared(name: str) -> Callable[[Path], Read]:
    """What describes a folder of the training cache."""

    def opened(folder: Path) -> Read:
        from pse_bench.baseline import acoustics, enrollments, material

        def read(content: bytes) -> None:
            (folder / f"{name}.json").write_bytes(content)
            if name == "acoustics":
                rooms = acoustics.Acoustics(folder)
                assert all(isinstance(size, int) for size in (rooms.size, rooms.chunk, rooms.lead)), (
                    rooms.fingerprint
                )
                assert isinstance(rooms.places, list)
            elif name == "enrollments":
                pool = enrollments.Enrollments(folder)
                assert isinstance(pool.of_clip, dict), pool.fingerprint
            else:
                stuff = material.Material(folder)
                assert isinstance([stuff.clips, stuff.noises], list), (stuff.sample_rate, stuff.fingerprint)

        return read

    return opened


PREPARED: dict[str, Any] = {
    "acoustics": {
        **{"fingerprint": valid.HASH, "size": 900, "chunk": 800, "lead": 40},
        "rooms": [
            [
                [{"whole": 0, "early": 1, "direct": 40, "raw": [0, 90]}],
                [{"whole": 2, "early": 2, "direct": 41, "raw": [90, 80]}],
            ]
        ],
    },
    "enrollments": {
        **{"fingerprint": valid.HASH, "encoder": "dvector"},
        "crops": [{"clip": 0, "start": 10, "num_samples": 90, "condition": "clean"}],
    },
    "material": {
        **{"fingerprint": valid.HASH, "sample_rate": valid.RATE},
        "clips": [
            {
                **{
                    "name": "c/u",
                    "person": "c/anna",
                    "voice": "c/anna*1.0",
                    "gender": "F",
                    "session": "",
                    "sentence": "",
                },
                "start": 0,
                "num_samples": 90,
            }
        ],
        "noises": [{"name": "c/n", "category": "hum", "start": 0, "num_samples": 90}],
    },
}


def _onnx(path: Path) -> None:
    from pse_bench import onnx_system

    onnx_system.open_model(path)


def _models() -> list[bytes]:
    """An exported model's inputs and outputs without anything in between."""
    import onnx
    from onnx import TensorProto, helper

    def value(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    nodes = [
        helper.make_node("Identity", ["frame"], ["estimate"]),
        helper.make_node("Identity", ["h"], ["next_h"]),
    ]
    inputs = [value("frame", 1, 8), value("embedding", 1, 4), value("h", 1, 2)]
    graph = helper.make_graph(nodes, "g", inputs, [value("estimate", 1, 8), value("next_h", 1, 2)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    about = {"name": "m", "sample_rate": valid.RATE, "hop": 8, "window": 16, "embedding": 4}
    helper.set_model_props(model, {"pse_bench": json.dumps(about)})
    return [onnx._serialize(model) if hasattr(onnx, "_serialize") else model.SerializeToString()]


# ---- all of them

TARGETS: tuple[Target, ...] = (
    Target(
        "scenario",
        "scenario.load",
        "yaml",
        lambda: [(scenario.SHIPPED / f"{name}.yaml").read_bytes() for name in scenario.shipped()[-6:-1]],
        _file("own.yaml", lambda path: scenario.load(str(path))),
        10_000,
    ),
    Target(
        "plan",
        "plan.read",
        "json",
        valid.plans,
        _file("plan.jsonl", lambda path: list(plan.read(path)[2])),
    ),
    _table("speech", records.Utterance, valid.UTTERANCE, 50_000),
    _table("noise", records.NoiseClip, valid.NOISE, 50_000),
    _table("responses", records.MeasuredResponse, valid.RESPONSE, 50_000),
    _table("mixtures", records.Mixture, valid.mixtures()[0]),
    _table("files", records.StoredFile, valid.STORED, 50_000),
    _table("contents", benchmark.Content, benchmark.Content(path="TS1/s0", content_sha256=valid.HASH), 30_000),
    Target("dataset.json", "dataset.Dataset.open", "json", lambda: [_description()], _dataset, 30_000),
    Target("activity", "dataset.activity_frames", "json", lambda: [valid.activity()], _of_text(_activity), 80_000),
    Target(
        "set.json",
        "benchmark.load",
        "json",
        lambda: [(benchmark.SHIPPED / name / "set.json").read_bytes() for name in benchmark.shipped()],
        _file("set.json", lambda path: benchmark.load(str(path.parent))),
    ),
    Target("archive", "archive.opened", "zip", valid.odd_archives, _archive, 20_000),
    Target(
        "system.yaml",
        "submission.read_system, check.system_findings",
        "yaml",
        lambda: [
            b"name: mine\nversion: '1'\ncausal: true\nalgorithmic_latency_ms: 20\n"
            b"parameters: 123\nholds: [audio]\n",
            b"name: x\nversion: 1.0\nurl: https://example.org\ndescription: >\n  many\n  words\n",
        ],
        _system,
        10_000,
    ),
    Target(
        "probabilities",
        "probabilities.read",
        "csv",
        lambda: [b"target,other,none\n" + b"0.5,0.25,0.25\n1,0,0\n0.1,0.2,0.7\n" * 4],
        _file("s0.csv", lambda path: probabilities.read(path, valid.FRAMES)),
        80_000,
    ),
    Target(
        "wav",
        "audio, clips, examine",
        "binary",
        lambda: (
            [valid.sound("WAV", kind) for kind in ("PCM_16", "PCM_24", "FLOAT")]
            + [valid.sound("WAV", "PCM_16", 2)]
        ),
        _sound(".wav"),
        20_000,
    ),
    Target(
        "flac",
        "audio, clips, examine",
        "binary",
        lambda: [valid.sound("FLAC", "PCM_16"), valid.sound("FLAC", "PCM_24"), valid.sound("FLAC", "PCM_16", 2)],
        _sound(".flac"),
        20_000,
    ),
    Target(
        "other-sound",
        "audio, clips, examine",
        "binary",
        lambda: [
            valid.sound(*kind)
            for kind in (("OGG", "VORBIS"), ("AIFF", "PCM_16"), ("W64", "PCM_16"), ("CAF", "FLOAT"))
        ],
        _sound(".wav"),
        10_000,
    ),
    Target(
        "scores",
        "summaries.Scores.read, summaries_of",
        "csv",
        lambda: [valid.table(records.Score, valid.scores())],
        _scores("scores.csv"),
        10_000,
    ),
    Target(
        "detections",
        "detections.read, summaries",
        "csv",
        lambda: [valid.table(records.Detection, valid.detections())],
        _scores("detections.csv"),
        10_000,
    ),
    Target(
        "result-mixtures",
        "summaries.Scores.read, summaries_of",
        "csv",
        lambda: [valid.table(records.Mixture, valid.mixtures())],
        _scores("mixtures.csv"),
        10_000,
    ),
    Target("result.json", "results.Result.open, tables", "json", _result_seeds, _result, 20_000),
    Target(
        "board",
        "boards.board.read",
        "csv",
        lambda: [valid.shipped_board()],
        _file("embedded-v1.csv", _board),
        10_000,
    ),
    Target(
        "entry-result",
        "boards.board.evidence, row_of",
        "json",
        lambda: [about for about, _ in valid.entries()[1]],
        _entry("result.json"),
        10_000,
    ),
    Target(
        "entry-summary",
        "boards.board.evidence, row_of",
        "csv",
        lambda: [summary for _, summary in valid.entries()[1]],
        _entry("summary.csv"),
        10_000,
    ),
    Target(
        "hypotheses",
        "recognisers.hypotheses.from_csv",
        "csv",
        lambda: [b"mixture_id,text\ns0_TS1,good day\ns0_TS2,\n"],
        _file("said.csv", lambda path: hypotheses.from_csv(path, ["s0_TS1", "s0_TS2"])),
        80_000,
    ),
    Target("transcripts", "recognisers.transcripts", "json", _transcript_seeds, _transcripts, 80_000),
    Target("score-memory", "memory", "json", _memory_seeds, _file("entry.json", memory._read), 80_000),
    Target(
        "render-journal",
        "store.prepare",
        "json",
        lambda: [valid.lines([IDENTITY, valid.rendered(0), valid.rendered(1)])],
        _journal("render.journal", _resume_render),
        20_000,
    ),
    Target(
        "enhance-journal",
        "enhance",
        "json",
        lambda: [valid.lines([IDENTITY, {"mixture_id": "s0_TS1", "path": "TS1/s0.flac", **valid.SHA}])],
        _journal("enhance.journal", _resume_enhance),
        80_000,
    ),
    Target(
        "score-journal",
        "ledger.earlier",
        "json",
        lambda: [valid.lines([IDENTITY, valid.SCORED])],
        _journal("score.journal", _resume_score),
        80_000,
    ),
    *(
        Target(
            f"merge-{stage}-{name.removesuffix('.json')}",
            "parts.gather, merged",
            "json",
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
        "shard-index",
        "packed.open_any",
        "json",
        lambda: [_shard_files()["index.json"]],
        _shards("index.json"),
        30_000,
    ),
    Target(
        "shard-contents",
        "pack.read_contents, packed",
        "json",
        lambda: [_shard_files()["tiny-000000.json"]],
        _shards("tiny-000000.json"),
        30_000,
    ),
    Target(
        "jobs.yaml",
        "cluster.read_jobs",
        "yaml",
        lambda: [
            b"schema: 1\nsystem: slurm\nworkers: 8\nworkers_per_job: 4\nmemory_per_job: 16GB\n"
            b"walltime: '02:00:00'\n"
            b"queue: main\ndirectives: ['--gres=gpu:1']\nprologue:\n  - module load python\n"
        ],
        _file("jobs.yaml", cluster.read_jobs),
        10_000,
    ),
    Target("librimix", "corpora.librimix.read", "csv", lambda: [LIBRIMIX], _librimix, 60_000),
    Target(
        "enrollment-map",
        "corpora.librimix.read_enrollments",
        "text",
        lambda: [b"a_b a s1/c_d\na_b b s2/c_d\n"],
        _file("map", librimix.read_enrollments),
        80_000,
    ),
    Target(
        "index",
        "corpora.index.read",
        "csv",
        lambda: [b'utterance_id,speaker,text\nu1,anna,good day\nu2,bert,"well, well"\n'],
        _file("index.csv", _index),
        80_000,
    ),
    Target(
        "librispeech-speakers",
        "corpora.librispeech.parse_speakers",
        "text",
        lambda: [b"; id | sex\n14 | F | train | 25.03 | Kristin LeMoine\n16 | M | dev | 8 | |CBW|Simon\n"],
        _of_text(lambda text: librispeech.parse_speakers(text, "SPEAKERS.TXT")),
        80_000,
    ),
    Target(
        "librispeech-texts",
        "corpora.librispeech.parse_transcripts",
        "text",
        lambda: [b"1-2-0001 GOOD DAY\n1-2-0002 WELL\n"],
        _of_text(_librispeech),
        80_000,
    ),
    Target(
        "vctk-speakers",
        "corpora.vctk.parse_speakers",
        "text",
        lambda: [
            b"ID  AGE  GENDER  ACCENTS  REGION COMMENTS\np225  23  F    English    Southern  England\ns5 22 M x\n"
        ],
        _of_text(lambda text: vctk.parse_speakers(text, "speaker-info.txt")),
        80_000,
    ),
    Target(
        "root",
        "corpora.roots.Roots.parse",
        "text",
        lambda: [b"librispeech=/tmp", b"c=.", b"a=b=c"],
        _of_text(lambda text: Roots.parse((text,)).locate(text.partition("=")[0], "a/b")),
        80_000,
    ),
    Target("shard-option", "shares.Share.parse", "text", lambda: [b"1/3", b"3/3"], _of_text(Share.parse), 80_000),
    Target(
        "size-option",
        "pack.parse_size",
        "text",
        lambda: [b"500MB", b"1.5 GiB", b"1000"],
        _of_text(pack.parse_size),
        80_000,
    ),
)

if importlib.util.find_spec("torch"):
    TARGETS += (
        Target("config-pvad", "baseline.config.load", "yaml", _configs("pvad"), _config("pvad"), 10_000),
        Target("config-pse", "baseline.config.load", "yaml", _configs("pse"), _config("pse"), 10_000),
        Target(
            "set-option",
            "baseline.config.load(--set)",
            "yaml",
            lambda: [b"optimiser.lr=0.0005", b"steps=100", b"model.hidden=8", b"data.speeds=[1.0, 1.1]"],
            _of_text(_setting),
            10_000,
        ),
        Target(
            "speakers",
            "baseline.sources.allowed",
            "csv",
            lambda: [b"corpus,speaker_id,role\nc,anna,training\nc,bert,target\n"],
            _file("speakers.csv", _speakers),
            80_000,
        ),
        Target(
            "checkpoint",
            "baseline.checkpoint.load",
            "safetensors",
            _checkpoints,
            _file("m.safetensors", _checkpoint),
            10_000,
        ),
        Target(
            "run.json",
            "baseline.journey.Run",
            "json",
            lambda: [valid.text({"config": {"seed": 1}, "data": "a"})],
            _run,
            80_000,
        ),
        Target(
            "log.csv",
            "baseline.journey.Log",
            "csv",
            lambda: [b"step,loss,lr\n20,0.5,1e-3\n40,0.25,1e-3\n60,0.2,1e-3\n"],
            _file("log.csv", _log),
            80_000,
        ),
        *(
            Target(
                f"cache-{name}",
                f"baseline.{name}",
                "json",
                lambda content=content: [valid.text(content)],
                _prepared(name),
                60_000,
            )
            for name, content in PREPARED.items()
        ),
        Target("onnx", "onnx_system.open_model", "binary", _models, _file("m.onnx", _onnx), 10_000),
    )

BY_NAME = {target.name: target for target in TARGETS}
assert len(BY_NAME) == len(TARGETS)
