"""A dataset as the text files of Kaldi-style recipes: ESPnet's target speaker extraction, and WeSep.

In TS3 nobody's speech is wanted, but these recipes read a reference of every mixture: it is silence, written
once a length.
"""

from pathlib import Path

import numpy as np

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.export.exporter import Exporter
from pse_bench.export.items import Item, folder, lines
from pse_bench.io import audio
from pse_bench.runtime.progress import Update, no_progress


def write_kaldi(
    dataset: Dataset, chosen: list[Item], out: Path, *, force: bool = False, progress: Update = no_progress
) -> Path:
    """Write a data folder of ESPnet's recipe ``tse1`` (egs2/librimix/tse1); its path.

    ``wav.scp`` mixtures, ``spk1.scp`` references, ``enroll_spk1.scp`` enrollments, ``text`` what the target says,
    ``utt2spk`` and ``spk2utt`` with every mixture as its own speaker, as that recipe has them.

    Raises:
        InputError: a path holds a blank, which these files cannot express.
    """
    tables = _tables(dataset, chosen, out)
    ids = sorted(tables["mixture"])
    with folder(out, dataset, "kaldi", len(chosen), force=force) as part:
        _write_silence(chosen, part)
        for name, role in (("wav", "mixture"), ("spk1", "reference"), ("enroll_spk1", "enrollment")):
            lines(part / f"{name}.scp", (f"{key} {tables[role][key]}" for key in ids))
        texts = {item.row.mixture_id: item.row.text for item in chosen}
        lines(part / "text", (f"{key} {texts[key]}".rstrip() for key in ids))
        for name in ("utt2spk", "spk2utt"):
            lines(part / name, (f"{key} {key}" for key in ids))
    return out


def write_wesep(
    dataset: Dataset, chosen: list[Item], out: Path, *, force: bool = False, progress: Update = no_progress
) -> Path:
    """Write a data folder of WeSep's recipes (examples/librimix/tse); its path.

    ``wav.scp``: mixture and reference; ``utt2spk`` the target; ``single.wav.scp`` and ``single.utt2spk`` the
    enrollments, and ``spk1.enroll`` which of them belongs to a mixture.

    Raises:
        InputError: a path holds a blank, which these files cannot express.
    """
    tables = _tables(dataset, chosen, out)
    rows = {item.row.mixture_id: item.row for item in chosen}
    ids = sorted(rows)
    enrolled = {f"enrollment/{row.scene_id}": (tables["enrollment"][key], row) for key, row in rows.items()}
    with folder(out, dataset, "wesep", len(chosen), force=force) as part:
        _write_silence(chosen, part)
        lines(part / "wav.scp", (f"{key} {tables['mixture'][key]} {tables['reference'][key]}" for key in ids))
        lines(part / "utt2spk", (f"{key} {rows[key].target_speaker}" for key in ids))
        lines(part / "spk1.enroll", (f"{key} enrollment/{rows[key].scene_id}" for key in ids))
        lines(part / "single.wav.scp", (f"{key} {path}" for key, (path, _) in sorted(enrolled.items())))
        lines(
            part / "single.utt2spk", (f"{key} {row.target_speaker}" for key, (_, row) in sorted(enrolled.items()))
        )
    return out


def _tables(dataset: Dataset, chosen: list[Item], out: Path) -> dict[str, dict[str, str]]:
    """The path of each mixture's sounds by role; the reference is silence where there is none."""
    tables: dict[str, dict[str, str]] = {"mixture": {}, "reference": {}, "enrollment": {}}
    for item in chosen:
        for role, table in tables.items():
            name = item.sounds.get(role)
            path = dataset.folder / name if name else out / _silence(item)
            if any(character.isspace() for character in str(path)):
                raise InputError(
                    f"{path}: holds a blank, which Kaldi-style files cannot express; rename the folder"
                )
            table[item.row.mixture_id] = str(path)
    return tables


def _silence(item: Item) -> str:
    return f"silence/{item.row.num_samples}.flac"


def _write_silence(chosen: list[Item], part: Path) -> None:
    (part / "silence").mkdir()
    for item in chosen:
        path = part / _silence(item)
        if "reference" not in item.sounds and not path.exists():
            audio.write(path, np.zeros(item.row.num_samples, dtype=np.int16), item.row.sample_rate)


EXPORTERS = {
    "kaldi": Exporter(
        write_kaldi,
        """Write a Kaldi-style data folder, as ESPnet's recipe for target speaker extraction (tse1) reads it.

        wav.scp, spk1.scp (reference), enroll_spk1.scp, text, utt2spk, spk2utt. In TS3 the reference is silence.
        Sounds are named as DATASET is given: give a full path to use the folder from anywhere.
        """,
        next_step=lambda _: "copy or link the folder into the recipe's data/",
    ),
    "wesep": Exporter(
        write_wesep,
        """Write a data folder for WeSep's recipes.

        wav.scp (mixture and reference), utt2spk, spk1.enroll, single.wav.scp, single.utt2spk. In TS3 the reference
        is silence. Sounds are named as DATASET is given: give a full path to use the folder from anywhere.
        """,
        next_step=lambda _: "give wav.scp and utt2spk to WeSep's make_shard_list_premix.py",
    ),
}
