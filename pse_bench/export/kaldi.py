"""A dataset as the text files of Kaldi-style recipes: ESPnet's target speaker extraction (egs2/librimix/tse1), and
WeSep (examples/librimix/tse).

In TS3 nobody's speech is wanted, but these recipes read a reference of every mixture: it is silence, written
once a length.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.export.exporter import Exporter, Item, folder, lines
from pse_bench.io import audio
from pse_bench.runtime.progress import Update, no_progress


def write_kaldi(
    dataset: Dataset, chosen: list[Item], out: Path, *, force: bool = False, progress: Update = no_progress
) -> Path:
    """Write a Kaldi-style data folder, as ESPnet's recipe for target speaker extraction (tse1) reads it.

    wav.scp, spk1.scp (reference), enroll_spk1.scp, text, utt2spk, spk2utt. In TS3 the reference is silence.
    Sounds are named as DATASET is given: give a full path to use the folder from anywhere.
    """
    sounds = _sounds(dataset, chosen, out)
    with folder(out, dataset, "kaldi", len(chosen), force=force) as part:
        _write_silence(chosen, part)
        for name, role in (("wav", "mixture"), ("spk1", "reference"), ("enroll_spk1", "enrollment")):
            _table(part / f"{name}.scp", sounds[role])
        _table(part / "text", {item.row.mixture_id: item.row.text for item in chosen})
        for name in ("utt2spk", "spk2utt"):  # every mixture is its own speaker, as that recipe has them
            _table(part / name, {key: key for key in sounds["mixture"]})
    return out


def write_wesep(
    dataset: Dataset, chosen: list[Item], out: Path, *, force: bool = False, progress: Update = no_progress
) -> Path:
    """Write a data folder for WeSep's recipes.

    wav.scp (mixture and reference), utt2spk, spk1.enroll, single.wav.scp, single.utt2spk. In TS3 the reference
    is silence. Sounds are named as DATASET is given: give a full path to use the folder from anywhere.
    """
    sounds = _sounds(dataset, chosen, out)
    speakers = {item.row.mixture_id: item.row.target_speaker for item in chosen}
    enrolled = {item.row.mixture_id: f"enrollment/{item.row.scene_id}" for item in chosen}
    with folder(out, dataset, "wesep", len(chosen), force=force) as part:
        _write_silence(chosen, part)
        both = {key: f"{path} {sounds['reference'][key]}" for key, path in sounds["mixture"].items()}
        _table(part / "wav.scp", both)
        _table(part / "utt2spk", speakers)
        _table(part / "spk1.enroll", enrolled)
        _table(part / "single.wav.scp", {enrolled[key]: path for key, path in sounds["enrollment"].items()})
        _table(part / "single.utt2spk", {enrolled[key]: speaker for key, speaker in speakers.items()})
    return out


def _table(path: Path, rows: Mapping[str, str]) -> None:
    lines(path, (f"{key} {value}".rstrip() for key, value in sorted(rows.items())))


def _sounds(dataset: Dataset, chosen: list[Item], out: Path) -> dict[str, dict[str, str]]:
    """The path of each mixture's sounds by role; the reference is silence where there is none. Raises InputError
    at a path with a blank, which these files cannot express."""
    tables: dict[str, dict[str, str]] = {"mixture": {}, "reference": {}, "enrollment": {}}
    for item in chosen:
        for role, table in tables.items():
            name = item.sounds.get(role)
            path = str(dataset.folder / name if name else out / _silence(item))
            if any(map(str.isspace, path)):
                raise InputError(
                    f"{path}: holds a blank, which Kaldi-style files cannot express; rename the folder"
                )
            table[item.row.mixture_id] = path
    return tables


def _silence(item: Item) -> str:
    return f"silence/{item.row.num_samples}.flac"


def _write_silence(chosen: list[Item], part: Path) -> None:
    (part / "silence").mkdir()
    for item in chosen:
        path = part / _silence(item)
        if "reference" not in item.sounds and not path.exists():
            audio.write(path, np.zeros(item.row.num_samples, dtype=np.int16), item.row.sample_rate)


NEXT_KALDI = "copy or link the folder into the recipe's data/"
NEXT_WESEP = "give wav.scp and utt2spk to WeSep's make_shard_list_premix.py"
EXPORTERS = {
    "kaldi": Exporter(write_kaldi, next_step=lambda _: NEXT_KALDI),
    "wesep": Exporter(write_wesep, next_step=lambda _: NEXT_WESEP),
}
