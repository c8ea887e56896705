"""From values to pixels: the axes of a plot, with round ticks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

ROOT_TICKS = (0, 1, 5, 10, 20, 40, 60, 80, 100, 120)
"""Where an axis that is drawn by square roots has ticks."""


@dataclass(frozen=True)
class Scale:
    """An axis: ``low`` lies at the pixel ``start``, ``high`` at ``stop``. With ``root``, distances are those of
    square roots, which gives small values room; signs are kept."""

    low: float
    high: float
    start: float
    stop: float
    root: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; of one beyond the axis, its end."""
        inside = min(max(value, self.low), self.high)
        low, high, place = (self._stretched(v) for v in (self.low, self.high, inside))
        return round(self.start + (self.stop - self.start) * (place - low) / (high - low), 1)

    def _stretched(self, value: float) -> float:
        return math.copysign(math.sqrt(abs(value)), value) if self.root else value

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Pixels and labels of round values."""
        if self.root:
            values: Iterable[float] = sorted({*ROOT_TICKS, *(-value for value in ROOT_TICKS)})
            return [(self.at(value), f"{value:g}") for value in values if self.low <= value <= self.high]
        step = round_step(self.high - self.low, most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(self.at(n * step), f"{round(n * step, 9) + 0.0:g}") for n in range(first, last + 1)]


def round_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 5, 10, … that fits at most so many times into a span."""
    exponent = math.floor(math.log10(span / most))
    steps = (factor * 10.0**power for power in range(exponent, exponent + 3) for factor in (1, 2, 5))
    return next(step for step in steps if span / step <= most)


def scale_over(values: Iterable[float], start: float, stop: float, *, low: float, high: float) -> Scale:
    """A linear axis over values with a margin, within what they cannot leave (``low``, ``high``)."""
    found = list(values)
    least, most = min(found, default=0.0), max(found, default=1.0)
    margin = 0.06 * (most - least) or 0.5 * max(abs(most) * 0.1, 1e-3)
    return Scale(max(low, least - margin), min(high, most + margin), start, stop)
