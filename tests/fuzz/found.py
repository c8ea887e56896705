"""What fuzzing has found, each in as few bytes as it takes: all of these once ended in a traceback, or took any
amount of memory or time. The name of the target, the document, and a word for what it was."""

import io
import json
from typing import Any

import numpy as np
import soundfile
import valid

from pse_bench.schemas import Score

BIG = "0x" + "f" * 9000
"""A whole number that Python computes and refuses to print."""


def _with(document: dict[str, Any], **changed: Any) -> bytes:
    return json.dumps(document | changed).encode()


def _lines(*documents: Any) -> bytes:
    return "".join(json.dumps(document) + "\n" for document in documents).encode()


def _before_the_beginning() -> bytes:
    """A zip whose directory says that its only file lies before the zip's beginning."""
    content = valid.archive([("a", b"x")])
    place = content.index(b"PK\5\6") + 16
    return (
        content[:place]
        + (int.from_bytes(content[place : place + 4], "little") + 10).to_bytes(4, "little")
        + content[place + 4 :]
    )


def _flac_of_years() -> bytes:
    """A FLAC of some hundred bytes whose header promises 2**36 - 1 samples."""
    content = bytearray(valid.sound("FLAC", "PCM_16"))
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4
    return bytes(content)


def _late_sound() -> bytes:
    """A WAV that is silent as long as the mixture lasts, and goes on."""
    stream = io.BytesIO()
    soundfile.write(stream, np.append(np.zeros(400), 0.4 * np.ones(50)), 16_000, format="WAV", subtype="PCM_16")
    return stream.getvalue()


ACTIVITY = json.loads(valid.activity())
ABOUT = {"dataset": valid.HASH, "system": "mine"}
ENHANCED = {"mixture_id": "s0_TS1", "path": "TS1/s0.flac", **valid.SHA}
SCORED = valid.SCORED
DETECTION = valid.detections()[0].model_dump()
HALF = "312*6"


def _detections(**changed: Any) -> bytes:
    rows = valid.detections()
    return valid.table(type(rows[0]), [rows[0].model_copy(update=changed), *rows[1:]])


def _mixtures(**changed: Any) -> bytes:
    rows = valid.mixtures()
    return valid.table(type(rows[0]), [row.model_copy(update=changed) for row in rows])


def _scores(**changed: Any) -> bytes:
    return valid.table(Score, [row.model_copy(update=changed) for row in valid.scores()[:-1]])


def _long_named() -> dict[str, Any]:
    scene = json.loads(valid.plans()[0].split(b"\n")[1])["scene_id"]
    stored = {**valid.STORED.model_dump(), "path": "a" * 300}
    return {**valid.rendered(), "scene_id": scene, "files": [stored]}


FOUND: tuple[tuple[str, bytes, str], ...] = (
    ("archive", b"PK\5\6" + bytes(18), "an empty zip"),
    ("archive", _before_the_beginning(), "a place before the beginning"),
    ("flac", _flac_of_years(), "samples that no memory holds"),
    ("jobs.yaml", b"a: " + b"[" * 2000, "too many brackets"),
    ("jobs.yaml", b"workers: !!timestamp soon", "a tag and no date"),
    ("jobs.yaml", b"workers: " + b"9:" * 300 + b"9.5", "a number of base sixty beyond a float"),
    ("jobs.yaml", f"workers: {BIG}".encode(), "a number beyond print"),
    ("jobs.yaml", b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "aliases"),
    ("system.yaml", f"name: x\nparameters: {BIG}".encode(), "a number beyond print"),
    ("system.yaml", b"name: x\nversion: " + b"9:" * 300 + b"9.5", "a number of base sixty beyond a float"),
    ("system.yaml", b'name: x\nversion: "\\ud800"', "half of a surrogate pair"),
    ("config-pvad", b"task: pvad\nsteps: " + b"9:" * 300 + b"9.5", "a number of base sixty beyond a float"),
    ("config-pse", f"task: pse\nrecipe: its\nsteps: {BIG}".encode(), "a number beyond print"),
    ("set-option", f"steps={BIG}".encode(), "a number beyond print"),
    ("scenario", ("\n".join(f"k{n}: 1" for n in range(9000))).encode(), "many keys, each held against all"),
    (
        "activity",
        _with(ACTIVITY, num_samples=2**60, hop=2**60, target="1", interferer="1"),
        "a mask beyond memory",
    ),
    ("activity", _with(ACTIVITY, target="\ud800" * valid.FRAMES), "half of a surrogate pair"),
    ("cache", b'{"key":"","identity":"","sha256":"","content":"\\ud800"}', "half of a pair"),
    ("root", b"c=" + b"a" * 5000, "a name longer than any"),
    ("size-option", b"9" * 400, "a number beyond a float"),
    ("enhance-journal", _lines(ABOUT, {}), "an empty entry"),
    ("enhance-journal", _lines(ABOUT, {**ENHANCED, "path": 1}), "a number for a path"),
    ("enhance-journal", _lines(ABOUT, {**ENHANCED, "path": "a" * 300}), "a name longer than any"),
    ("score-journal", _lines(ABOUT, {**SCORED, "mixture_id": "a" * 300}), "a name longer than any"),
    ("render-journal", _lines(ABOUT, {}), "an empty entry"),
    ("render-journal", _lines(ABOUT, {**valid.rendered(), "rows": 0.5}), "a number for rows"),
    (
        "render-journal",
        _lines(ABOUT, {**valid.rendered(), "files": [{**valid.STORED.model_dump(), "path": "a" * 300}]}),
        "a long name",
    ),
    ("merge-render-part", valid.head("render", {}, {}), "a share that knows nothing"),
    ("merge-render-part", valid.head("render", {"problems": [{}], "timings_s": {}}, ABOUT), "an empty problem"),
    ("merge-score-part", valid.head("score", {}, ABOUT), "no system"),
    (
        "merge-score-part",
        valid.head("score", {"detected": [{}]}, {"system": {"name": "x", "holds": ["activity"]}}),
        "an empty row",
    ),
    ("merge-enhance-part", valid.head("enhance", {"system": {"name": 1}}, ABOUT), "a number for a name"),
    ("merge-render-render.journal", _lines(ABOUT, {}), "an empty entry"),
    ("merge-score-score.journal", _lines(ABOUT, {"scores": []}), "no mixture"),
    ("shard-contents", b'{"members": {"a": [-5, 1e99, ""]}}', "a place before the beginning"),
    (
        "librimix",
        b"mixture_ID,source_1_path,source_2_path\na_b," + b"x/" * 20_000 + b",b\n",
        "a path of any length",
    ),
    ("run.json", b"[]", "a list"),
    ("log.csv", b"loss\n0.5\n", "no steps"),
    ("log.csv", b"step,loss\nsoon,0.5\n", "a step that is no number"),
    ("log.csv", b"step,loss\n1,0.5,7\n", "a cell too many"),
    ("log.csv", b"step,loss\n1," + b"a" * 140_000 + b"\n", "a cell beyond what csv reads"),
    ("speakers", b"corpus,speaker_id\nc," + b"a" * 140_000 + b"\n", "a cell beyond what csv reads"),
    ("cache-acoustics", b"{}", "nothing in it"),
    ("cache-enrollments", b'{"fingerprint":"","encoder":"","crops":[1]}', "a number for a crop"),
    ("cache-material", b'{"clips": 1}', "a number for clips"),
    ("result.json", _with(valid.ABOUT, target_speakers="many"), "a word for a number"),
    ("entry-result", b'{"kind": "pse-bench result", "system": {"name": "x"}}', "no dataset"),
    ("entry-result", b"[]", "a list"),
    ("detections", _detections(target="5*99999999999999999999", not_target=""), "a count beyond 64 bits"),
    ("detections", _detections(target=f"5*{'9' * 5000}"), "a count that is not read"),
    ("detections", _detections(missed=10**12), "onsets beyond memory"),
    ("detections", _detections(delays_ms="9" * 5000), "a delay that is not read"),
    (
        "scores",
        valid.table(Score, [row.model_copy(update={"value": 1e308}) for row in valid.scores()[:-1]]),
        "overflow",
    ),
    ("merge-render-render.journal", _lines(ABOUT, _long_named()), "a name longer than any"),
    ("result-mixtures", _mixtures(sample_rate=49), "frames without samples"),
    ("result-mixtures", _mixtures(num_samples=10**400), "samples beyond a float"),
    ("hypotheses", b"mixture_id,text\n\x1b[2Jname" + b"x" * 3000 + b",a\n", "a message that clears the screen"),
    (
        "dataset.json",
        valid.text(valid.DESCRIPTION | {"tables": {"a" * 300: valid.HASH, **valid.DESCRIPTION["tables"]}}),
        "a table whose name no file system takes",
    ),
    ("wav", _late_sound(), "sound after the mixture's end only"),
    ("dataset.json", valid.text(valid.DESCRIPTION | {"tables": {"files.csv": valid.HASH}}), "a table too few"),
)
