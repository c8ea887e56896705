"""A mixture hop by hop gives the same samples in whatever blocks it comes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from pse_bench.io.spool import Spool
from pse_bench.signal import streaming


def slow(mixture: np.ndarray) -> np.ndarray:
    """What ``Late`` gives: each sample with the sum of all before it, at its own place."""
    return mixture + np.concatenate([[0.0], np.cumsum(mixture)[:-1]])


class Late:
    """Adds the sum of what it has heard, and is late."""

    def __init__(self, hop: int, delay: int) -> None:
        self.line, self.sum, self.buffer = np.zeros(delay), 0.0, np.zeros(hop)

    def step(self, hop: np.ndarray) -> np.ndarray:
        assert hop.dtype == np.float32
        made = hop + self.sum + np.cumsum(hop, dtype=np.float64) - hop
        self.sum += float(np.sum(hop, dtype=np.float64))
        self.line = np.concatenate([self.line, made])
        self.buffer[:], self.line = self.line[: len(hop)], self.line[len(hop) :]
        return self.buffer


@given(
    length=some.integers(1, 300),
    hop=some.integers(1, 40),
    delay=some.integers(0, 90),
    cuts=some.lists(some.integers(0, 300), max_size=6),
    joined=some.integers(1, 99),
)
def test_blocks_are_the_whole(length: int, hop: int, delay: int, cuts: list[int], joined: int) -> None:
    mixture = np.random.default_rng(length).integers(-9, 9, length).astype(np.float32)
    pieces = np.split(mixture, sorted(min(cut, length) for cut in cuts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "BLOCK", joined)
        found = list(streaming.blocks(Late(hop, delay).step, pieces, length, hop=hop, delay=delay))
    assert np.array_equal(np.concatenate(found), slow(mixture))
    assert max(map(len, found)) < joined + hop
    assert np.array_equal(streaming.first(pieces, length // 2), mixture[: length // 2])


def test_a_spool_gives_what_it_was_given_again_and_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("pse_bench.io.spool.IN_MEMORY", 100)
    monkeypatch.setattr("pse_bench.io.spool.BLOCK", 7)
    sound = np.random.default_rng(1).standard_normal(50).astype(np.float32)
    with Spool(tmp_path) as spool:
        for block in np.split(sound, [0, 11, 30]):
            spool.add(block)
            assert np.array_equal(spool.first(60), sound[: len(spool)])
        assert [len(block) for block in spool] == [7] * 7 + [1]
        assert np.array_equal(np.concatenate(list(spool)), sound)
        assert np.array_equal(spool.first(9), sound[:9])
        spool.add(sound[:3])
        assert len(spool) == 53
    assert not list(tmp_path.iterdir()), "nothing is left"
