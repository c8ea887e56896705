"""Sessions as they are rendered: one mixture a take, the sum of its stems, active where turns are, and again the
same."""

import numpy as np
import pytest

from pse_bench.dataset.dataset import Dataset
from pse_bench.io import tables
from pse_bench.planning import plan
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import Mixture, Noise, Segment
from pse_bench.signal import convolution, vad
from pse_bench.simulation import mixing, render
from pse_bench.simulation.verify import verify

RATE = 16000
SESSION = {
    "scenarios": ["TS2"],
    "duration_s": {"uniform": [16.0, 24.0]},
    "target": {"clip": "segment", "pause_s": 0.1},
    "interferer": {"overlap": 1.0, "pause_s": 0.1, "count": {"choice": [1, 2]}},
    "session": {
        "turn_s": {"uniform": [1.0, 4.0]},
        "pause_s": {"uniform": [3.0, 6.0]},
        "backchannels": 0.5,
        "backchannel_s": {"uniform": [0.8, 1.4]},
    },
}


@pytest.fixture(scope="module")
def rendered(corpus, tmp_path_factory) -> Dataset:
    out = tmp_path_factory.mktemp("takes")
    path = corpus.plan(out / "plan.jsonl", 2, **SESSION)
    render.render(path, out / "one", executor=Serial(), roots=corpus.roots, bank=out / "rooms")
    return Dataset.open(out / "one")


def test_a_take_is_one_mixture_and_the_dataset_is_whole(rendered: Dataset, corpus) -> None:
    recipes = list(plan.read(rendered.folder / "plan.jsonl")[2])
    assert [row.mixture_id for row in rendered.mixtures] == [f"{one.scene_id}_TS2" for one in recipes]
    assert [row.session_turns for row in rendered.mixtures] == [len(one.session.turns) for one in recipes]
    report = verify(rendered.folder, executor=Serial(), rerender=1, roots=corpus.roots)
    assert report.problems == []


def test_who_is_active_has_a_turn(rendered: Dataset) -> None:
    for recipe in plan.read(rendered.folder / "plan.jsonl")[2]:
        active = rendered.read_activity(recipe.scene_id)
        for who, talkers in (("target", {0}), ("interferer", {1, 2})):
            turns = np.zeros(recipe.num_samples + RATE, dtype=bool)
            for turn in recipe.session.turns:
                if turn.talker in talkers:  # sound takes its time, and labels are of 10 ms
                    turns[turn.onset : turn.onset + turn.num_samples + RATE // 20] = True
            assert not (active[who] & ~turns[: recipe.num_samples]).any()
            assert (active[who] & turns[: recipe.num_samples]).sum() > 0.3 * turns.sum()


def test_other_datasets_have_no_column_of_turns(corpus, tmp_path) -> None:
    path = corpus.plan(tmp_path / "plan.jsonl", 1)
    where = {"roots": corpus.roots, "bank": tmp_path / "rooms"}
    render.render(path, tmp_path / "plain", executor=Serial(), **where)
    table = tmp_path / "plain" / "mixtures.csv"
    assert "session" not in table.read_text()
    assert {row.session_turns for row in tables.read_table(table, Mixture)} == {0}


def test_noise_that_goes_over_into_the_next_stays_as_loud() -> None:
    """Where stretches meet, power is that of each: gains are those of a sine and a cosine."""
    chance = np.random.default_rng(0)
    sounds = [gain * chance.standard_normal(4 * RATE) for gain in (0.02, 0.3, 0.1)]
    parts = [
        Segment(clip_id="n", path=f"{n}.wav", sha256="0" * 64, start=0, num_samples=4 * RATE, onset=n * 3 * RATE)
        for n in range(3)
    ]
    first = Noise(corpus="n", category="hiss", segment=parts[0])

    def load(_: str, segment: Segment) -> np.ndarray:
        return sounds[int(segment.path[0])]

    track, power = mixing._noise(first, load, parts[1:])
    assert len(track) == 10 * RATE
    seconds = track.reshape(20, RATE // 2)
    assert np.allclose(np.mean(seconds**2, axis=1), 1.0, atol=0.08)
    assert power == pytest.approx(vad.mean_power(track))
    alone, _ = mixing._noise(first, load)
    assert alone is sounds[0], "one stretch is not touched"
    begin = sounds[1][:RATE] / np.sqrt(vad.mean_power(sounds[1]))
    rising = np.sin(np.pi / 2 * (np.arange(RATE) + 0.5) / RATE)
    before = sounds[0][3 * RATE :] / np.sqrt(vad.mean_power(sounds[0]))
    assert np.allclose(track[3 * RATE : 4 * RATE], rising * begin + rising[::-1] * before)


def test_a_track_of_many_blocks_is_convolved_as_a_whole(monkeypatch) -> None:
    chance = np.random.default_rng(3)
    track, parts = chance.standard_normal(40_000), [chance.standard_normal(count) for count in (60, 200)]
    monkeypatch.setattr(convolution, "GROUP", 7)
    for found, part in zip(convolution.convolved(track, parts), parts, strict=True):
        wanted = np.convolve(track, np.pad(part, (0, 200 - len(part))))
        assert np.allclose(found, wanted, atol=1e-10)
