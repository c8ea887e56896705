"""What a dataset is made from and holds, what is submitted, and sound."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import valid
from target import Read, Target, either, of_file, of_text

from pse_bench import schemas
from pse_bench.corpora import scan
from pse_bench.dataset import dataset, frozen_sets
from pse_bench.io import audio, documents
from pse_bench.io import tables as csv_tables
from pse_bench.planning import plan, scenario
from pse_bench.runtime.executor import Serial
from pse_bench.submission import activity_csv, submission
from pse_bench.submission import zip as archive
from pse_bench.submission.check import file_stats, run


def _table(name: str, record: type[documents.Record], row: documents.Record, executions: int = 60_000) -> Target:
    return Target(
        *(f"table-{name}", f"tables.read_table({record.__name__})", "csv"),
        lambda: [valid.table(record, [row, row, row])],
        of_file(f"{name}.csv", lambda path: csv_tables.read_table(path, record)),
        executions,
    )


def _tables() -> dict[str, bytes]:
    """What a dataset's description gives the hashes of."""
    tables = {
        "mixtures.csv": valid.table(schemas.Mixture, valid.mixtures()),
        "files.csv": valid.table(schemas.StoredFile, [valid.STORED]),
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
    assert dataset.parse_activity(text, "activity.json").masks


def _system(folder: Path) -> Read:
    def read(content: bytes) -> Iterable[str]:
        (folder / "system.yaml").write_bytes(content)
        lines = [str(finding) for finding in run.system_findings(folder)]
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
            read_sound=lambda path, count: audio.read_pcm16(folder / "mixture.flac", num_samples=count) / 32768,
            read_stem=lambda scene_id, stem, count: (
                audio.read_pcm16(folder / "mixture.flac", num_samples=count) / 32768
            ),
            description=SimpleNamespace(reference="early"),
            stem_name=lambda scene_id, stem: f"stems/{stem}/{scene_id}.flac",
            has=lambda name: True,
        )

        def read(content: bytes) -> Iterable[str]:
            path.write_bytes(content)
            lines = [word for _, word in file_stats.measure((about, folder, row, path.name)).faults]
            found, problems = scan.describe(folder, [path.name], executor=Serial())
            for clip in found:
                assert clip.num_samples > 0
            either(audio.read_pcm16, path)
            either(audio.read_pcm16, audio.FileContent(content, "shard"))
            either(audio.read, path, start=100, stop=200)
            submission.read_estimate(folder, row)
            return [*lines, *problems]

        return read

    return opened


TARGETS: tuple[Target, ...] = (
    Target(
        *("scenario", "scenario.load", "yaml"),
        lambda: [(scenario.SHIPPED / f"{name}.yaml").read_bytes() for name in scenario.shipped()[-6:-1]],
        of_file("own.yaml", lambda path: scenario.load(str(path))),
        10_000,
    ),
    Target("plan", "plan.read", "json", valid.plans, of_file("plan.jsonl", lambda path: list(plan.read(path)[2]))),
    _table("speech", schemas.Utterance, valid.UTTERANCE, 50_000),
    _table("noise", schemas.NoiseClip, valid.NOISE, 50_000),
    _table("responses", schemas.MeasuredResponse, valid.RESPONSE, 50_000),
    _table("mixtures", schemas.Mixture, valid.mixtures()[0]),
    _table("files", schemas.StoredFile, valid.STORED, 50_000),
    _table("contents", frozen_sets.Content, frozen_sets.Content(path="TS1/s0", content_sha256=valid.HASH), 30_000),
    Target("dataset.json", "dataset.Dataset.open", "json", lambda: [_description()], _dataset, 30_000),
    Target("activity", "dataset.parse_activity", "json", lambda: [valid.activity()], of_text(_activity), 80_000),
    Target(
        *("set.json", "benchmark.load", "json"),
        lambda: [(frozen_sets.SHIPPED / name / "set.json").read_bytes() for name in frozen_sets.shipped()],
        of_file("set.json", lambda path: frozen_sets.load(str(path.parent))),
    ),
    Target("archive", "zip.opened", "zip", valid.odd_archives, _archive, 20_000),
    Target(
        *("system.yaml", "submission.read_system, check.system_findings", "yaml"),
        lambda: [
            b"name: mine\nversion: '1'\ncausal: true\nalgorithmic_latency_ms: 20\n"
            b"parameters: 123\nholds: [audio]\n",
            b"name: x\nversion: 1.0\nurl: https://example.org\ndescription: >\n  many\n  words\n",
        ],
        _system,
        10_000,
    ),
    Target(
        *("probabilities", "probabilities.read", "csv"),
        lambda: [b"target,other,none\n" + b"0.5,0.25,0.25\n1,0,0\n0.1,0.2,0.7\n" * 4],
        of_file("s0.csv", lambda path: activity_csv.read(path, valid.FRAMES)),
        80_000,
    ),
    Target(
        *("wav", "audio, clips, examine", "binary"),
        lambda: (
            [valid.sound("WAV", kind) for kind in ("PCM_16", "PCM_24", "FLOAT")]
            + [valid.sound("WAV", "PCM_16", 2)]
        ),
        _sound(".wav"),
        20_000,
    ),
    Target(
        *("flac", "audio, clips, examine", "binary"),
        lambda: [valid.sound("FLAC", "PCM_16"), valid.sound("FLAC", "PCM_24"), valid.sound("FLAC", "PCM_16", 2)],
        _sound(".flac"),
        20_000,
    ),
    Target(
        *("other-sound", "audio, clips, examine", "binary"),
        lambda: [
            valid.sound(*kind)
            for kind in (("OGG", "VORBIS"), ("AIFF", "PCM_16"), ("W64", "PCM_16"), ("CAF", "FLOAT"))
        ],
        _sound(".wav"),
        10_000,
    ),
)
