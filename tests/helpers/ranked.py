"""Results with every figure that a board ranks, made by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from made import BLANK

from pse_bench import metrics
from pse_bench.io import atomic, tables
from pse_bench.schemas import Mixture, Score
from pse_bench.scoring import hypotheses
from pse_bench.scoring.summary import summarise

SPEAKERS = 4
SPOKEN = 1000


def mixture(scene_id: str, label: str) -> Mixture:
    named = {"mixture_id": f"{scene_id}_{label}", "scene_id": scene_id, "scenario": label}
    said = {"text": "word " * SPOKEN if label == "TS2" else "", "target_speaker": f"p{scene_id}"}
    return BLANK.model_copy(update=named | said)


def result(
    folder: Path,
    name: str,
    *,
    tsos=(5, 6),
    wer=30,
    leakage=10,
    pause=8,
    loss=0.5,
    level=1.0,
    people=SPEAKERS,
    words: bool = False,
    takes: bool = False,
    of: Sequence[Mixture] = (),
    **about: Any,
) -> Path:
    """A result of a few speakers that has the given figures, a little different for each speaker; ``level`` is the
    energy that is left of others. With ``takes`` they are those of sessions: returns have what is given of words,
    and 10 to 30 s after the target is what is given of leakage. With ``words``, word errors follow from those that
    are kept beside them. ``of`` are the mixtures of a dataset, in place of made ones."""
    folder.mkdir(parents=True)
    figures = {
        ("TS1", "tsos"): tsos[0],
        ("TS2", "tsos"): tsos[1],
        ("TS2", "wer"): wer,
        ("TS2", "target_loss_db"): loss,
        ("TS2", "target_reduction_db"): loss,
        ("TS2", "pause_leakage_db"): pause,
        ("TS3", "leakage_reduction_db"): leakage,
    }
    if takes:
        named = ("tsos", "tsos_alone", "tsos_together", "return_tsos", "target_loss_db", "target_reduction_db")
        named += ("pause_leakage_db", "pause_leakage_to_3s_db", "pause_leakage_to_30s_db")
        given = (tsos[1], *tsos, wer, loss, loss, pause, pause, leakage)
        figures = {("TS2", metric): value for metric, value in zip(named, given, strict=True)}
    rows, scores, heard = {}, [], {}
    scenes = list(dict.fromkeys(row.scene_id for row in of)) or [f"s{number:06d}" for number in range(people)]
    given = {(row.scene_id, row.scenario): row for row in of}
    for (label, metric), value in figures.items():
        kind = metrics.ALL_METRICS[metric]
        for number, scene_id in enumerate(scenes):
            row = given.get((scene_id, label)) or mixture(scene_id, label)
            own = min(max(value + 0.1 * (number % SPEAKERS - 1.5), kind.low), kind.high)
            detail = f"{round(own * 10)}/1000" if kind.aggregation == "ratio" else ""
            rows[row.mixture_id] = row
            if words and metric == "wer":
                own = kind.value_of(metrics.ratio_of(detail))
                heard[row.mixture_id] = "word " * (SPOKEN - round(own * 10))
            if kind.in_db:
                detail = f"{level * 10 ** (own / 10)!r}/{level!r}"
            scores.append(
                Score(
                    mixture_id=row.mixture_id, scenario=label, metric=metric, value=own, status="ok", detail=detail
                )
            )
    tables.write_table(folder / "mixtures.csv", Mixture, rows.values())
    tables.write_table(folder / "scores.csv", Score, scores)
    if heard:
        hypotheses.write(folder, heard)
    document = {
        "schema": 1,
        "kind": "pse-bench result",
        "dataset": "tiny-v1",
        "dataset_fingerprint": "a" * 64,
        "reference": "early",
        "complete": True,
        "metrics": {metric: {"version": 1} for _, metric in figures},
        "mixtures": len(rows),
        "target_speakers": len({row.target_speaker for row in rows.values()}),
        "mixtures_sha256": atomic.sha256(folder / "mixtures.csv"),
        "system": {
            "name": name,
            "version": "1",
            "causal": True,
            "algorithmic_latency_ms": 20.0,
            "parameters": 810_000,
            "training_data": "LibriSpeech",
            "tuned_on": "tiny-v1-dev",
            "licence": "MIT",
        },
    }
    finish(folder, document | about)
    return folder


def finish(folder: Path, document: dict[str, Any]) -> None:
    """Write the ``summary.csv`` and ``result.json`` that belong to the scores of a folder as they are now."""
    summarise(folder)
    written = [path for path in folder.glob("*.csv") if path.name != "mixtures.csv"]
    hashes = {f"{path.stem}_sha256": atomic.sha256(path) for path in written}
    atomic.write_sealed(folder / "result.json", document | hashes)


CORNERS = {
    "mixture": {"tsos": (0, 0), "wer": 60, "leakage": 0, "pause": 0, "loss": 0},
    "silence": {"tsos": (100, 100), "wer": 100, "leakage": 120, "pause": 120, "loss": 120},
    "oracle-mask": {"tsos": (1, 2), "wer": 10, "leakage": 120, "pause": 25, "loss": 0.2},
}
