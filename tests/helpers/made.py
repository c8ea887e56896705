"""Results made by hand: a folder as ``score`` leaves it, from the rows that a test is about."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pse_bench.io import atomic, tables
from pse_bench.schemas import Mixture, Score

BLANK = Mixture(
    **dict.fromkeys(("mixture_id", "scene_id", "mixture_path", "reference_path", "enrollment_path"), ""),
    **dict.fromkeys(("target_speaker", "interferer_speaker", "target_gender", "interferer_gender"), ""),
    **dict.fromkeys(("noise_id", "text", "interferer_text", "noise_category", "room_id"), ""),
    **dict.fromkeys(("sir_db", "sir_achieved_db", "target_distance_m", "interferer_distance_m", "overlap")),
    **{"scenario": "TS1", "num_samples": 16000, "sample_rate": 16000, "mixture_sha256": "0" * 64},
    **{"snr_db": 0.0, "snr_achieved_db": 0.0, "rt60_s": 0.3, "rt60_achieved_s": 0.3, "num_interferers": 0},
    **{"enrollment_s": 1.0, "enrollment_condition": "clean", "scene_gain_db": 0.0},
)
ABOUT = {
    "schema": 1,
    "kind": "pse-bench result",
    "dataset_fingerprint": "a" * 64,
    "reference": "early",
    "metrics": {"tsos": {"version": 1}},
    "system": {"name": "mine"},
}

Row = tuple[str, str, float | None, str, str]
"""Speaker, metric, value, status, detail; one mixture a row unless it has the metric already."""


def result(folder: Path, rows: Iterable[Row], scenario: str = "TS1", **about: Any) -> Path:
    """A result folder: the k-th row of a metric belongs to mixture k, whose speaker is that row's."""
    folder.mkdir()
    mixtures: dict[str, Mixture] = {}
    scores, count = [], {}
    for speaker, metric, value, status, detail in rows:
        number = count[metric] = count.get(metric, 0) + 1
        name = f"s{number:06d}_{scenario}"
        mixtures[name] = BLANK.model_copy(
            update={"mixture_id": name, "scenario": scenario, "target_speaker": speaker}
        )
        scores.append(
            Score(mixture_id=name, scenario=scenario, metric=metric, value=value, status=status, detail=detail)
        )
    tables.write_table(folder / "mixtures.csv", Mixture, mixtures.values())
    tables.write_table(folder / "scores.csv", Score, scores)
    finish(folder, **about)
    return folder


def finish(folder: Path, **about: Any) -> None:
    """Write the ``result.json`` that belongs to the tables of a folder as they are now."""
    hashes = {f"{name}_sha256": atomic.sha256(folder / f"{name}.csv") for name in ("scores", "mixtures")}
    atomic.write_json(folder / "result.json", ABOUT | hashes | about)


def means(values: Iterable[float], speakers: Iterable[str], metric: str = "si_sdr") -> list[Row]:
    return [(speaker, metric, float(v), "ok", "") for speaker, v in zip(speakers, values, strict=True)]
