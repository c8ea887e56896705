"""A dataset as a folder of audio with ``metadata.jsonl``, which the package ``datasets`` loads as it stands: the
columns of ``mixtures.csv``, with mixture, enrollment and reference (None in TS3) as audio.

That package reads nothing outside the folder, so the sounds are linked into it, or copied where the file system
has no hard links.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from pse_bench.dataset.dataset import Dataset
from pse_bench.export.exporter import Exporter, Item, folder, lines
from pse_bench.runtime.progress import Update, no_progress
from pse_bench.schemas import Mixture

SOUNDS = ("mixture", "enrollment", "reference")
COLUMNS = [name for name in Mixture.model_fields if not name.endswith("_path")]


def write(
    dataset: Dataset, chosen: list[Item], out: Path, *, force: bool = False, progress: Update = no_progress
) -> Path:
    """Write a folder of audio with metadata.jsonl, as Hugging Face datasets loads it.

    Sounds are linked into the folder where the file system can, else copied.
    """
    with folder(out, dataset, "huggingface", len(chosen), force=force) as part:
        for count, item in enumerate(chosen, 1):
            for name in (item.sounds[role] for role in SOUNDS if role in item.sounds):
                _link(dataset.folder / name, part / name)
            progress(count, len(chosen))
        lines(part / "metadata.jsonl", (json.dumps(_row(item), ensure_ascii=False) for item in chosen))
    return out


def _row(item: Item) -> dict[str, Any]:
    paths = {f"{role}_file_name": item.sounds.get(role) for role in SOUNDS}
    return paths | {name: getattr(item.row, name) for name in COLUMNS}


def _link(source: Path, target: Path) -> None:
    if target.exists():  # the three mixtures of a scene share a reference and an enrollment
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


EXPORTERS = {
    "huggingface": Exporter(
        write, next_step=lambda path: f'datasets.load_dataset("audiofolder", data_dir={str(path)!r})'
    )
}
