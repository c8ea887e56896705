"""A dataset as a lhotse CutSet: one cut a mixture, with everybody's supervision and the other sounds beside it.

The file is what lhotse itself writes (lhotse.readthedocs.io, "Cuts"); ``CutSet.from_jsonl`` reads it. Custom
recordings of a cut are ``enrollment``, ``reference`` (none in TS3), and the stems ``target``, ``interferer`` and
``noise`` that the mixture is the sum of.
"""

import json
from pathlib import Path
from typing import Any

from pse_bench.dataset.dataset import Dataset
from pse_bench.export.exporter import Exporter, Item, folder, lines
from pse_bench.runtime.progress import Update, no_progress

NAME = "cuts.jsonl"
# columns of mixtures.csv that a cut carries as custom fields
FACTS = ("scenario", "scene_id", "sir_db", "snr_db", "rt60_s", "enrollment_condition")


def write(
    dataset: Dataset, chosen: list[Item], out: Path, *, force: bool = False, progress: Update = no_progress
) -> Path:
    """Write cuts.jsonl, a CutSet of lhotse: a cut a mixture.

    Supervisions tell who speaks; enrollment, reference and stems are custom recordings. Sounds are named as
    DATASET is given: give a full path to open the cuts from anywhere.
    """
    with folder(out, dataset, "lhotse", len(chosen), force=force) as part:
        lines(part / NAME, (json.dumps(_cut(dataset.folder, item), ensure_ascii=False) for item in chosen))
    return out / NAME


def _cut(root: Path, item: Item) -> dict[str, Any]:
    row = item.row
    rate, length = row.sample_rate, row.num_samples

    def recording(role: str) -> dict[str, Any]:
        count = item.enrollment_samples if role == "enrollment" else length
        return {
            "id": row.mixture_id if role == "mixture" else f"{row.mixture_id}-{role}",
            "sources": [{"type": "file", "channels": [0], "source": str(root / item.sounds[role])}],
            "sampling_rate": rate,
            "num_samples": count,
            "duration": count / rate,
            "channel_ids": [0],
        }

    supervisions = [
        {
            "id": f"{row.mixture_id}-{person.role}{number or ''}",
            "recording_id": row.mixture_id,
            "start": person.start_s,
            "duration": person.duration_s,
            "channel": 0,
            "text": person.text,
            "speaker": person.speaker,
            **({"gender": person.gender} if person.gender else {}),
            "custom": {"role": person.role},
        }
        for number, person in enumerate(item.speech)
    ]
    facts = {name: value for name in FACTS if (value := getattr(row, name)) is not None}
    sounds = {role: recording(role) for role in item.sounds if role != "mixture"}
    return {
        "id": row.mixture_id,
        "start": 0.0,
        "duration": length / rate,
        "channel": 0,
        "supervisions": supervisions,
        "recording": recording("mixture"),
        "custom": {**facts, "target_speaker": row.target_speaker, **sounds},
        "type": "MonoCut",
    }


EXPORTERS = {
    "lhotse": Exporter(write, unit="cuts", next_step=lambda path: f"lhotse.CutSet.from_jsonl({str(path)!r})")
}
