"""The networks of the baseline; their configurations are made from a document, checked, and have a hop."""

import dataclasses
from typing import Any, Self

from pse_bench.errors import InputError
from pse_bench.registry import suggestion


class ModelConfig:
    """Base of the frozen dataclasses that hold a network's sizes; each field has a default."""

    sample_rate: int
    hop_s: float

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> Self:
        """The configuration of a document. Raises InputError at an unknown key or a value of another type."""
        known = {field.name: type(field.default) for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        for key, value in fields.items():
            if key not in known:
                raise InputError(f"unknown key 'model.{key}'; {suggestion(key, known, 'known keys')}")
            wanted = known[key]
            if isinstance(value, bool) or not isinstance(value, (int, float) if wanted is float else wanted):
                raise InputError(f"model.{key}: expected {wanted.__name__}, found {value!r}")
        return cls(**fields)

    def check_positive(self) -> None:
        """Raise InputError where a size, or the hop in samples, is not positive."""
        sizes = [value for value in vars(self).values() if not isinstance(value, str)]
        if min(sizes) <= 0 or self.hop < 1:
            raise InputError(f"{self}: every size has to be positive")

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return round(self.hop_s * self.sample_rate)
