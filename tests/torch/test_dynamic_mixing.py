"""Batches mixed on the fly: what is in them, and that they depend on seed and step alone."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate
from torch.utils.data import DataLoader

from pse_bench.errors import InputError, RequestError
from pse_bench.signal.vad import power_over

ALL = ("mixture", "reference", "enrollment", "target_active", "interferer_active", "target", "interferer", "noise")


def same(first: dict, second: dict) -> bool:
    """Whether two batches are equal to the bit."""
    tensors = [name for name, value in first.items() if isinstance(value, torch.Tensor)]
    equal = all(torch.equal(first[name], second[name]) for name in tensors)
    return first.keys() == second.keys() and first["metadata"] == second["metadata"] and equal


def test_a_batch_has_the_keys_shapes_and_kinds_that_are_promised(mixing) -> None:
    scenes = mixing(fields=ALL)
    batch = scenes.batch(0)
    samples = round(1.5 * scenes.sample_rate)
    for name in ("mixture", "reference", "target", "interferer", "noise"):
        assert batch[name].shape == (6, samples)
        assert batch[name].dtype == torch.float32
        assert batch[name].abs().max() <= 1
    for name in ("target_active", "interferer_active"):
        assert batch[name].shape == (6, 150)
        assert batch[name].dtype == torch.bool
    assert batch["enrollment"].shape == (6, batch["enrollment_length"].max())
    assert set(batch) == {*ALL, "enrollment_length", "metadata"}


def test_a_mixture_is_the_sum_of_its_stems_at_the_levels_of_its_metadata(mixing) -> None:
    scenes = mixing(fields=ALL, batch=16)
    batch = scenes.batch(1)
    torch.testing.assert_close(
        batch["mixture"], batch["target"] + batch["interferer"] + batch["noise"], atol=1e-6, rtol=0
    )
    for index, row in enumerate(batch["metadata"]):
        silent = row["scenario"] == "TS3"
        assert silent != bool(batch["target"][index].any())
        assert silent != bool(batch["reference"][index].any())
        assert silent != bool(batch["target_active"][index].any())
        assert (row["scenario"] == "TS1") != bool(batch["interferer"][index].any())
        assert row["target_speaker"] not in row["interferer_speakers"]
        if row["scenario"] == "TS2":
            powers = [
                power_over(batch[f"{who}_active"][index].numpy(), batch[who][index].numpy(), scenes.sample_rate)
                for who in ("target", "interferer")
            ]
            assert 10 * np.log10(powers[0] / powers[1]) == pytest.approx(row["sir_db"], abs=0.01)


def test_an_enrollment_is_of_the_target_in_its_condition(mixing, tiny) -> None:
    batch = mixing(batch=16).batch(2)
    prepared = mixing(batch=16)._prepared
    conditions = {row["enrollment_condition"] for row in batch["metadata"]}
    assert conditions == {"clean", "reverberant", "noisy"}
    for index, row in enumerate(batch["metadata"]):
        sound = batch["enrollment"][index, : batch["enrollment_length"][index]].numpy()
        assert np.abs(sound).max() == pytest.approx(0.5, abs=1e-6)
        if row["enrollment_condition"] == "clean":
            own = [clip for clip in prepared.store.clips if clip.person == row["target_speaker"]]
            found = [
                correlate(prepared.store.speech[clip.start : clip.start + clip.num_samples] / 32768.0, sound)
                for clip in own
            ]
            energy = float(np.dot(sound, sound))
            assert max(float(np.abs(lags).max()) for lags in found) >= 0.9 * energy


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_gives_the_same_batches_in_order(mixing, workers: int) -> None:
    scenes = mixing(stop=5)
    alone = list(scenes)
    loaded = list(DataLoader(scenes, batch_size=None, num_workers=workers))
    assert len(loaded) == 5
    assert all(same(first, second) for first, second in zip(alone, loaded, strict=True))


@pytest.mark.parametrize("world", [2, 5])
def test_ranks_together_have_the_batch_of_one(mixing, world: int) -> None:
    whole = mixing().batch(4)
    shares = [mixing(rank=rank, world=world).batch(4) for rank in range(world)]
    assert [row for share in shares for row in share["metadata"]] == whole["metadata"]
    for name in ("mixture", "reference", "target_active", "enrollment_length"):
        assert torch.equal(torch.cat([share[name] for share in shares]), whole[name])


def test_going_on_at_a_step_gives_what_would_have_come(mixing) -> None:
    whole = list(mixing(stop=6))
    assert all(same(a, b) for a, b in zip(whole[4:], mixing(start=4, stop=6), strict=True))
    assert not same(whole[0], mixing(seed=4).batch(0))


def test_people_who_are_held_out_are_not_heard(mixing) -> None:
    everybody = mixing().people
    kept = [who for who in everybody if who not in ("talk/ada", "talk/dan")]
    scenes = mixing(people=kept, batch=30)
    rows = scenes.batch(0)["metadata"]
    assert len(everybody) == 6
    assert {who for row in rows for who in (row["target_speaker"], *row["interferer_speakers"])} <= set(kept)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"fields": ["mixtures"]}, RequestError, "no field 'mixtures'; fields are mixture, "),
        ({"rank": 2, "world": 2}, RequestError, "rank 2 of 2 cannot share a batch of 6"),
        ({"batch": 1, "world": 2, "rank": 0}, RequestError, "give a larger batch"),
        ({"chunks": 2}, InputError, "chunks"),
        ({"people": ["talk/ada"]}, RequestError, "at least two people"),
        (
            {"people": ["talk/ada", "talk/nobody"]},
            RequestError,
            "talk/nobody is not in the manifests; there are talk/ada",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(mixing, options: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        mixing(**options)
