"""How each system looks on every plot of a page: its name, colour and shape."""

from collections.abc import Sequence
from dataclasses import dataclass

from pse_bench.leaderboard.leaderboard import CONTROL, REFERENCES
from pse_bench.reporting import tables
from pse_bench.scoring.results import Result

COLOURS = 8
SHAPES = ("circle", "triangle", "diamond", "down", "hexagon", "plus")
REFERENCE_SHAPES = {"mixture": "square", "silence": "square", "oracle-mask": "star"}
SHORT = 26
"""Characters of a name that a plot has room for; tables and legends have all of it."""


@dataclass(frozen=True)
class Look:
    """``colour`` is a class of the style sheet. What is ``hollow`` has an outline only: controls, and the mixture.
    ``trivial`` are the two that do nothing and leave nothing."""

    name: str
    colour: str
    shape: str
    hollow: bool
    reference: bool
    control: bool
    trivial: bool

    @property
    def short(self) -> str:
        if self.control:
            return "wrong enrollment"  # a line ties it to its system
        return self.name if len(self.name) <= SHORT else f"{self.name[: SHORT - 1]}…"


def looks_of(results: Sequence[Result]) -> list[Look]:
    """One a result, in their order. A control has the colour of its system."""
    found: list[Look] = []
    numbers: dict[str, int] = {}
    for result, name in zip(results, tables.heads(results), strict=True):
        control = result.system.endswith(CONTROL)
        own = result.system.removesuffix(CONTROL)
        if own in REFERENCES:
            hollow = control or own == "mixture"
            trivial = own in ("mixture", "silence")
            found.append(Look(name, "reference", REFERENCE_SHAPES[own], hollow, not control, control, trivial))
            continue
        key = own if control or own not in numbers else name
        number = numbers.setdefault(key, len(numbers))
        shape = SHAPES[(number + number // COLOURS) % len(SHAPES)]
        found.append(Look(name, f"c{number % COLOURS}", shape, control, False, control, False))
    return found


def in_detail(looks: Sequence[Look]) -> list[int]:
    """Which to show clip by clip: the systems, and the mixture that they began with. Controls have a place of
    their own. An oracle and silence would stretch every axis: they are shown where there is nothing else."""
    everybody = range(len(looks))
    right = [n for n in everybody if not looks[n].control]
    if any(not looks[n].reference for n in right):
        return [n for n in right if not looks[n].reference or looks[n].hollow]
    return [n for n in right if looks[n].hollow or not looks[n].trivial] or list(everybody)


def to_hear(looks: Sequence[Look]) -> list[int]:
    """Whose failures are worth hearing: of everybody shown in detail but the mixture, where there is any other."""
    detailed = in_detail(looks)
    return [n for n in detailed if not looks[n].trivial] or detailed
