"""Small valid documents of every kind that pse-bench reads, made in code by the library's own writers."""

import io
import json
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from pse_bench import metrics, schemas
from pse_bench.dataset import dataset, frozen_sets
from pse_bench.io import documents as documents_io
from pse_bench.io import tables
from pse_bench.leaderboard import leaderboard
from pse_bench.leaderboard import table as board
from pse_bench.planning import scenario

RATE = 16_000
FRAMES = 12
"""Activity frames of the mixtures here."""
SAMPLES = FRAMES * RATE // 100
HASH = "a" * 64
SHA = {"sha256": HASH}


def text(document: Any) -> bytes:
    """A JSON document."""
    return (json.dumps(document) + "\n").encode()


def lines(documents: Iterable[Any]) -> bytes:
    """JSON lines."""
    return b"".join(text(document) for document in documents)


def table(record: type[documents_io.Record], rows: Sequence[documents_io.Record]) -> bytes:
    """A CSV as the library writes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        tables.write_table(path, record, rows)
        return path.read_bytes()


# ---- manifests and plan

UTTERANCE = schemas.Utterance(
    **{"corpus": "c", "utterance_id": "u-1", "speaker_id": "anna", "gender": "F", "path": "anna/1/u-1.flac"},
    **{"num_samples": 48000, "sample_rate": RATE, "text": "good day, said anna", "sha256": HASH},
)
NOISE = schemas.NoiseClip(
    **{"corpus": "c", "noise_id": "n", "category": "hum", "path": "n.wav", **SHA},
    **{"num_samples": 9000, "sample_rate": RATE},
)
RESPONSE = schemas.MeasuredResponse(
    **{"corpus": "c", "rir_id": "r", "room_id": "hall", "path": "r.wav", "num_samples": 900, "sample_rate": RATE},
    **{"rt60_s": 0.31, **SHA},
)


@cache
def scenario_content() -> dict[str, Any]:
    """A shipped scenario as written."""
    return scenario.load("embedded")[1]


@cache
def plans() -> list[bytes]:
    """A simulated plan of two scenes, a measured one, and an imported one."""
    own = (frozen_sets.load("embedded-v1").plan).read_bytes().split(b"\n")
    drawn = b"\n".join([*own[:3], b""])
    recipe = json.loads(own[1])
    measured = {
        **recipe,
        "room": {
            **{"engine": "measured", "room_id": "hall", "corpus": "c", "rt60_s": 0.3},
            "sources": [{"rir_id": "r", "path": "r.wav", **SHA}],
        },
    }
    recorded = {**recipe, "noise": None, "snr_db": None, "room": {"engine": "recorded", "room_id": "x"}}
    head = json.loads(own[0])
    about = {"name": "set", "version": 1, "description": "", "sample_rate": RATE, "reference": "reverberant"}
    imported = {"schema": 1, "kind": "pse-bench plan", "seed": 1, "imported": {**about, "metadata_sha256": HASH}}
    return [drawn, lines([head, measured]), lines([imported, recorded])]


# ---- datasets and results


def mixtures(count: int = 6) -> list[schemas.Mixture]:
    """Rows of mixtures.csv: scenes of two speakers, each as TS1, TS2 and TS3."""
    rows = []
    for number in range(count):
        scene, label = f"s{number // 3}", ("TS1", "TS2", "TS3")[number % 3]
        rows.append(
            schemas.Mixture(
                **{"mixture_id": f"{scene}_{label}", "scene_id": scene, "scenario": label},
                **{"mixture_path": f"{label}/{scene}.flac", "reference_path": f"stems/target_early/{scene}.flac"},
                **{
                    "enrollment_path": f"enrollment/{scene}.flac",
                    "target_speaker": ["anna", "bert"][number // 3 % 2],
                },
                **{"interferer_speaker": "carl", "noise_id": "n", "sir_db": 3.0, "snr_db": 15.5, "overlap": 0.25},
                **{"sir_achieved_db": 3.01, "snr_achieved_db": 15.49, "rt60_s": 0.3, "rt60_achieved_s": 0.301},
                **{"target_distance_m": 0.5, "interferer_distance_m": 1.5, "num_samples": SAMPLES},
                **{"sample_rate": RATE, "text": "good day", "interferer_text": "", "mixture_sha256": HASH},
                **{"target_gender": "F", "interferer_gender": "M", "noise_category": "hum", "room_id": "r1"},
                **{"num_interferers": 1, "enrollment_s": 1.5, "enrollment_condition": "clean"},
                scene_gain_db=-0.5,
            )
        )
    return rows


STORED = schemas.StoredFile(path="TS1/s0.flac", num_bytes=12, sha256=HASH, content_sha256=HASH)
DESCRIPTION = {
    **{"schema": 1, "kind": "pse-bench dataset", "name": "tiny", "version": 1, "reference": "early"},
    **{"sample_rate": RATE, "format": "flac", "plan_sha256": HASH, "fingerprint": HASH, "planned_scenes": 2},
    **{"scenes": 2, "mixtures": 6, "complete": True, "tables": {"mixtures.csv": HASH, "files.csv": HASH}},
    **{"versions": {"numpy": "2.0"}, "timings_s": {"render": 1.5}},
}


def activity() -> bytes:
    """An activity file."""
    labels = {"target": np.arange(FRAMES) % 2 == 0, "interferer": np.zeros(FRAMES, dtype=bool)}
    return dataset.activity_document("s0", RATE, SAMPLES, labels).encode()


def scores() -> list[schemas.Score]:
    """A row of every metric and mixture, one of them failed and one undefined."""
    rows = []
    for row in mixtures():
        for metric in metrics.ALL_METRICS.values():
            if row.scenario in metric.scenarios:
                detail = "3.5/12.0"
                rows.append(
                    schemas.Score(
                        **{"mixture_id": row.mixture_id, "scenario": row.scenario, "metric": metric.name},
                        **{"value": 0.5, "status": "ok", "detail": detail},
                    )
                )
    change = {"value": None, "status": "undefined", "detail": "silent reference"}
    return [*rows[:-1], rows[-1].model_copy(update=change)]


def detections() -> list[schemas.Detection]:
    """Rows of detections.csv, one of them failed."""
    half = FRAMES // 2
    rows = [
        schemas.Detection(
            **{"mixture_id": row.mixture_id, "scenario": row.scenario, "status": "ok", "detail": ""},
            **{"target": f"312*{half - 1} -5", "not_target": f"-312*{half}", "other": f"7*{half}"},
            **{"not_other": f"-400*{half}", "none": f"9*{half}", "not_none": f"-4000*{half}"},
            **{"delays_ms": "30 120", "missed": 1},
        )
        for row in mixtures()
    ]
    return [*rows[:-1], rows[-1].model_copy(update={"status": "failed", "detail": "missing"})]


ABOUT = {
    **{"schema": 1, "kind": "pse-bench result", "dataset": "tiny-v1", "dataset_fingerprint": HASH},
    **{"submission_sha256": HASH, "reference": "early", "complete": True, "mixtures": 6, "target_speakers": 2},
    **{"metrics": {"tsos": {"version": 1}, "wer": {"version": 2, "model": "m"}}, "recogniser": {"name": "csv"}},
    **{"pse_bench": "0.1.0", "packages": {"numpy": "2.0"}},
    "system": {"name": "mine", "version": "1", "causal": True, "algorithmic_latency_ms": 20.0, "holds": ["audio"]},
}
SUMMARY = [
    schemas.Summary(
        **{"scenario": "TS2", "metric": "tsos", "value": 3.25, "ci_low": 2.0, "ci_high": None, "unit": "%"},
        **{"higher_is_better": False, "aggregation": "ratio of sums over clips", "scored": 2, "expected": 2},
    )
]


@cache
def shipped_board() -> bytes:
    """The first rows of a shipped leaderboard."""
    return b"\n".join((frozen_sets.SHIPPED / "embedded-v1.csv").read_bytes().split(b"\n")[:5]) + b"\n"


@cache
def entries() -> tuple[list[board.Row], list[tuple[bytes, bytes]]]:
    """Rows of the shipped board, and the result.json and summary.csv behind each."""
    where = frozen_sets.SHIPPED / "embedded-v1.csv"
    known = board.read(where)
    references = [row for row in known if row.entry.kind == "reference"]
    rows = leaderboard.order(references)[0]
    folders = [board.evidence_folder(where, row.entry) for row in rows]
    return rows, [((f / "result.json").read_bytes(), (f / "summary.csv").read_bytes()) for f in folders]


# ---- journals and shares

SCORED = {
    **{"mixture_id": "s0_TS1", "sha256": HASH, "problem": ""},
    "scores": [{**scores()[0].model_dump(mode="json"), "mixture_id": "s0_TS1"}],
}


def rendered(number: int = 0) -> dict[str, Any]:
    """An entry of render.journal."""
    row = mixtures()[3 * number]
    stored = STORED.model_copy(update={"path": f"TS1/s{number}.flac"})
    rows, files = [row.model_dump(mode="json")], [stored.model_dump(mode="json")]
    return {"scene_id": row.scene_id, "rows": rows, "files": files}


def journal(entry: dict[str, Any]) -> bytes:
    """A journal with what its run depends on and one entry."""
    return lines([{"dataset": HASH, "system": "mine", "gives": "audio"}, entry])


def head(stage: str, own: dict[str, Any], identity: dict[str, Any]) -> bytes:
    """part.json of the only share."""
    stretch = {"number": 1, "of": 1, "first": 0, "stop": 1, "total": 1}
    return text({"schema": 1, "stage": stage, **stretch, "identity": identity, "own": own})


# ---- sound and archives


def sound(form: str, subtype: str, channels: int = 1, length: int = 400) -> bytes:
    """A short sound file."""
    stream = io.BytesIO()
    samples = 0.4 * np.sin(np.arange(length * channels) / 7).reshape(length, channels)
    soundfile.write(stream, samples, RATE, format=form, subtype=subtype)
    content = stream.getvalue()
    peak = content.find(b"PEAK")
    if peak < 0:
        return content
    # When it was written: WAV and CAF of floating point say so, and would differ every second.
    stamp = peak + (12 if form == "WAV" else 16)
    return content[:stamp] + bytes(4) + content[stamp + 4 :]


def archive(members: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, content in members:
            made.writestr(zipfile.ZipInfo(name), content, method)
    return stream.getvalue()


def odd_archives() -> list[bytes]:
    """Valid zips as people make them, and some that are not a submission."""
    said = b"name: mine\nversion: '1'\n"
    plain = [("sub/system.yaml", said), ("sub/TS1/s0.wav", sound("WAV", "PCM_16")), ("sub/TS2/", b"")]
    link = zipfile.ZipInfo("sub/TS1/s1.wav")
    link.external_attr = 0o120777 << 16
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr(zipfile.ZipInfo("sub/system.yaml"), said)
        made.writestr(link, "/etc/passwd")
    return [
        archive(plain),
        archive(plain, zipfile.ZIP_STORED),
        archive([*plain, ("__MACOSX/._x", b"x"), ("sub/.DS_Store", b"y")]),
        archive([("../up", b"x"), ("/abs", b"y"), ("a\\b", b"z"), ("A", b"1"), ("a", b"2"), ("a/b", b"3")]),
        archive([("zeros", bytes(300_000))]),
        archive([("é" * 90, b"x"), ("e\u0301", b"y"), ("\u202e", b"z")]),
        stream.getvalue(),
        archive([]) + b"comment",
    ]


def safetensors(document: dict[str, Any], tensors: dict[str, np.ndarray]) -> bytes:
    """A file of tensors as the library's checkpoints are, without torch."""
    header: dict[str, Any] = {"__metadata__": {"pse_bench": json.dumps(document)}}
    content = b""
    for name, tensor in tensors.items():
        header[name] = {
            **{"dtype": "F32", "shape": list(tensor.shape)},
            "data_offsets": [len(content), len(content) + tensor.nbytes],
        }
        content += tensor.astype("<f4").tobytes()
    top = json.dumps(header).encode()
    return len(top).to_bytes(8, "little") + top + content
