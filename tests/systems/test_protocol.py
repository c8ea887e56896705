"""Anybody's objects and modules as systems: whole or hop by hop, at any rate, with what they say of themselves."""

from collections.abc import Callable

import numpy as np
import pytest

from pse_bench.systems import base, registry

Write = Callable[[str], str]

# A gain that follows the level: 10 ms a hop, 8 ms late, with a state that `reset` clears.
FOLLOWER = '''\
import numpy as np


class Follower:
    """Turns down what is loud."""

    hop, delay = 160, 128

    def reset(self, enrollment):
        self.level, self.late = float(np.abs(enrollment).mean()), np.zeros(self.delay, np.float32)

    def step(self, hop):
        self.level = 0.9 * self.level + 0.1 * float(np.abs(hop).mean())
        line = np.concatenate([self.late, hop / np.float32(1 + self.level)])
        self.late = line[self.hop :]
        return line[: self.hop]

    def enhance(self, mixture, enrollment, sample_rate):
        self.reset(enrollment)
        padded = np.pad(mixture, (0, -len(mixture) % self.hop + 2 * self.hop))
        late = np.concatenate([self.step(hop) for hop in padded.reshape(-1, self.hop)])
        return late[self.delay :][: len(mixture)]


class Steps(Follower):
    enhance = None
'''


def given(num_samples: int = 8123, sample_rate: int = 16_000, seed: int = 2) -> base.SystemInput:
    chance = np.random.default_rng(seed)
    target, rest = (0.1 * chance.standard_normal((2, num_samples))).astype(np.float32)
    return base.SystemInput(
        target + rest, chance.standard_normal(5000).astype(np.float32), sample_rate, target, rest
    )


def run(name: str, work: base.SystemInput, **asked: bool) -> np.ndarray:
    return base.enhance(registry.load(name, **asked), work, "s000007_TS2")


@pytest.mark.parametrize("num_samples", [1, 32, 33, 160, 8123])
def test_whole_and_hop_by_hop_are_the_same_samples(module: Write, num_samples: int) -> None:
    name, work = module(FOLLOWER), given(num_samples)
    whole = run(f"{name}:Follower", work)
    assert np.abs(whole).max() > 0
    assert np.array_equal(run(f"{name}:Follower", work, streaming=True), whole)
    assert np.array_equal(run(f"{name}:Steps", work), whole)
    assert np.array_equal(run(f"{name}:Steps", work, streaming=True), whole)
    assert registry.load(f"{name}:Steps").described(16_000).algorithmic_latency_ms == 18.0
    assert registry.load(f"{name}:Steps").system.causal
