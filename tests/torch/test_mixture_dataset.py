"""A rendered dataset, in a folder or in shards, as torch reads it."""

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader

from pse_bench.dataset import webdataset
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError, RequestError
from pse_bench.runtime.executor import Serial
from pse_bench.torch import MixtureDataset, collate

STEMS = ("target", "interferer", "noise")


def test_items_are_what_another_reader_finds_in_the_files(rendered) -> None:
    items = MixtureDataset(str(rendered), fields=("mixture", "reference", "enrollment", *STEMS))
    assert len(items) == len(Dataset.open(rendered).mixtures) == 36
    for index in range(0, 36, 5):
        item = items[index]
        row = item["metadata"]
        for name, path in (("mixture", row["mixture_path"]), ("enrollment", row["enrollment_path"])):
            wanted, rate = soundfile.read(rendered / path, dtype="float32")
            assert rate == items.sample_rate
            assert np.array_equal(item[name], wanted)
        assert torch.equal(item["mixture"], sum(item[stem] for stem in STEMS))
        early, _ = soundfile.read(rendered / "stems" / "target_early" / f"{row['scene_id']}.flac", dtype="float32")
        assert np.array_equal(item["reference"], np.zeros_like(early) if row["scenario"] == "TS3" else early)


def test_shards_give_the_items_of_the_folder(rendered, tmp_path) -> None:
    webdataset.pack(Dataset.open(rendered), str(tmp_path / "shards"), size=10**6, executor=Serial())
    first, second = MixtureDataset(rendered), MixtureDataset(tmp_path / "shards")
    assert all(torch.equal(first[7][name], second[7][name]) for name in first.fields)


def test_cuts_move_with_the_epoch_and_keep_sound_and_activity_together(rendered) -> None:
    whole, cut = MixtureDataset(rendered), MixtureDataset(rendered, chunk_s=1.0, scenarios=["TS2"])
    assert {row.scenario for row in cut.rows} == {"TS2"}
    starts = []
    for epoch in range(3):
        cut.set_epoch(epoch)
        item = cut[0]
        full = next(whole[i] for i in range(36) if whole.rows[i].mixture_id == cut.rows[0].mixture_id)
        windows = full["mixture"].unfold(0, 16000, 160)
        (start,) = torch.nonzero((windows == item["mixture"]).all(1)).flatten().tolist()
        assert torch.equal(full["target_active"][start : start + 100], item["target_active"])
        starts.append(start)
    assert len(set(starts)) > 1


def test_collate_pads_and_tells_lengths(rendered) -> None:
    items = MixtureDataset(rendered)
    batch = next(iter(DataLoader(items, batch_size=5, collate_fn=collate, num_workers=1)))
    lengths = [len(items[index]["enrollment"]) for index in range(5)]
    assert batch["enrollment_length"].tolist() == lengths
    assert batch["enrollment"].shape == (5, max(lengths))
    assert not batch["enrollment"][int(np.argmin(lengths)), min(lengths) :].any()
    assert [row["mixture_id"] for row in batch["metadata"]] == [row.mixture_id for row in items.rows[:5]]


def test_what_cannot_be_is_refused_in_words(rendered, tmp_path) -> None:
    with pytest.raises(RequestError, match="no field 'sound'; fields are mixture"):
        MixtureDataset(rendered, fields=["sound"])
    with pytest.raises(RequestError, match="no mixture of TS1, TS2, TS3 is long enough; give"):
        MixtureDataset(rendered, chunk_s=60)
    with pytest.raises(InputError, match="no dataset here"):
        MixtureDataset(tmp_path)
