"""Distributions of a scenario: a constant, ``{uniform: [low, high]}`` or ``{choice: [a, b, …]}``."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Annotated, Any

from pydantic import PlainValidator

from pse_bench import rng
from pse_bench.registry import nearest
from pse_bench.schemas import ENGINE_GROUP, ENGINES

DECIMALS = 3
"""Drawn numbers are rounded to this many decimals before anything is made of them."""


@dataclass(frozen=True)
class Quantity:
    """A distribution: one of ``options``, or uniform from ``low`` to ``high`` when there are none."""

    options: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0

    def draw(self, seed: rng.Seed, *name: rng.Name, least: float = -math.inf) -> Any:
        """One value, a pure function of seed and name, on condition that it is not below ``least``, which must not
        be above ``largest``. Uniform values are rounded to 3 decimals."""
        if len(self.options) == 1:
            return self.options[0]
        if self.options:
            options = self.options if least == -math.inf else [one for one in self.options if one >= least]
            return rng.choice(options, seed, *name)
        low, high = (self.low if self.low >= least else least), self.high
        value = round(low + (high - low) * rng.unit(seed, *name), DECIMALS)
        # bounds may have more decimals than a draw: rounding never leaves them
        return low if value < low else high if value > high else value

    @property
    def largest(self) -> float:
        """The greatest value that can be drawn."""
        return max(self.options) if self.options else self.high

    @property
    def smallest(self) -> float:
        """The least value that can be drawn."""
        return min(self.options) if self.options else self.low


def _quantity(value: Any, check: Callable[[Any], Any], *, whole: bool = False) -> Quantity:
    match value:
        case {"choice": [_, *_] as options} if len(value) == 1:
            return Quantity(options=tuple(map(check, options)))
        case {"uniform": [_, _] as ends} if len(value) == 1:
            low, high = map(check, ends)
            if isinstance(low, str) or low > high:
                raise ValueError(f"expected uniform: [low, high] with low <= high, found {ends}")
            if whole:
                raise ValueError("expected a whole number or {choice: [1, 2]}, found a uniform range")
            return Quantity(low=low, high=high)
        case dict():
            raise ValueError(f"expected a constant, {{uniform: [low, high]}} or {{choice: [a, b]}}, found {value}")
    return Quantity(options=(check(value),))


def number(low: float, high: float = 100_000, *, whole: bool = False) -> PlainValidator:
    def check(value: Any) -> float | int:
        kind = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
            kind_of = "whole number" if whole else "number"
            raise ValueError(f"expected a {kind_of} from {low:g} to {high:g}, found {value!r:.80}")
        return value if whole else float(value)

    return PlainValidator(lambda value: _quantity(value, check, whole=whole))


def word(*allowed: str, group: str = "") -> PlainValidator:
    def check(value: Any) -> str:
        if value not in allowed and not (group and entry_points(group=group, name=value)):
            near = nearest(str(value), allowed)
            hint = f"; did you mean {near!r}?" if near else ""
            raise ValueError(f"expected one of {', '.join(allowed)}, found {value!r}{hint}")
        return value

    return PlainValidator(lambda value: _quantity(value, check))


NonNegative = Annotated[Quantity, number(0)]
Positive = Annotated[Quantity, number(0.001)]
Decibels = Annotated[Quantity, number(-100, 100)]
Share = Annotated[Quantity, number(0, 1)]
Whole = Annotated[Quantity, number(1, whole=True)]
Engine = Annotated[Quantity, word(*ENGINES, "measured", group=ENGINE_GROUP)]
