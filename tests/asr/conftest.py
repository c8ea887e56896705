"""A recogniser without ears, for what surrounds recognisers."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from pse_bench.asr import Recogniser


@dataclass(frozen=True)
class Parrot:
    """Writes how loud a sound is, and keeps count."""

    heard: list[str] = field(default_factory=list)

    def __call__(self, samples: np.ndarray, mixture_id: str) -> str:
        self.heard.append(mixture_id)
        return f"{len(samples)} samples, {np.max(np.abs(samples)):.3f}"


@pytest.fixture
def make_parrot() -> Callable[..., Recogniser]:
    def make(model: str = "1", *, by_sound: bool = True) -> Recogniser:
        return Recogniser("parrot", "1", model, "a bird", Parrot(), by_sound)

    return make
