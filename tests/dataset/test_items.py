"""A dataset from Python: items, their sounds, and what is refused."""

import numpy as np
import pytest
import soundfile

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError


def test_items_are_what_another_reader_finds_in_the_files(dataset: Dataset) -> None:
    again = Dataset.open(str(dataset.folder))
    assert len(again) == len(dataset.mixtures)
    assert [item.row for item in again] == dataset.mixtures
    item = again[1]
    for sound, path in ((item.mixture, item.row.mixture_path), (item.enrollment, item.row.enrollment_path)):
        wanted, rate = soundfile.read(dataset.folder / path, dtype="float32")
        assert sound.dtype == np.float32
        assert np.array_equal(sound, wanted)
        assert rate == item.sample_rate
    stored = again.read_pcm16(item.row.mixture_path)
    assert stored.dtype == np.int16
    assert np.array_equal(stored / 32768, item.mixture)


@pytest.mark.parametrize(("scenario", "absent"), [("TS1", "interferer"), ("TS2", None), ("TS3", "target")])
def test_who_is_absent_has_no_stem_and_the_others_add_up(
    dataset: Dataset, scenario: str, absent: str | None
) -> None:
    items = dataset.filter(scenario)
    assert len(items) == sum(row.scenario == scenario for row in dataset.mixtures)
    for item in items:
        stems = {name: getattr(item, name) for name in ("target", "interferer", "noise")}
        assert [name for name, stem in stems.items() if stem is None] == ([absent] if absent else [])
        assert np.array_equal(item.mixture, sum(stem for stem in stems.values() if stem is not None))
        assert (item.reference is None) == (scenario == "TS3")
        assert {who for who, frames in item.active.items() if frames.any()} == {"target", "interferer"} - {absent}


def test_an_unknown_scenario_is_refused(dataset: Dataset) -> None:
    assert len(dataset.filter("TS1", "TS3")) == 2 * len(dataset.filter("TS2"))
    with pytest.raises(InputError, match="no scenario 'ts2'; there are TS1, TS2, TS3"):
        dataset.filter("ts2")
