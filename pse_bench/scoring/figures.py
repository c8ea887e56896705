"""Figures by their names, ``<scenario>.<metric>``: which are shown unless others are asked for, and how a value is
written, so that it is the same wherever it stands."""

import math
from collections.abc import Collection, Sequence

from pse_bench import metrics
from pse_bench.errors import InputError
from pse_bench.registry import suggestion
from pse_bench.schemas import Summary

HEADLINE = (
    "TS2.tsos",
    "TS3.net_leakage_reduction_db",
    "TS2.pause_leakage_db",
    "TS1.tsos",
    "TS2.si_sdri",
    "TS2.wer",
)
"""The figures that tables, reports and boards show unless asked for others, the most important first."""
OF_TAKES = (
    "TS2.tsos",
    "TS2.return_tsos",
    "TS2.pause_leakage_to_3s_db",
    "TS2.pause_leakage_to_30s_db",
    "TS2.si_sdri",
    "TS2.turn_stoi",
)
"""The same of takes of sessions, which have stretches instead of scenarios."""
INSTEAD = {
    "TS2.tsos": "TS2.activity_f1",
    "TS3.net_leakage_reduction_db": "TS3.leakage_reduction_db",
    "TS1.tsos": "TS1.activity_f1",
    "TS2.wer": "TS2.stoi",
}
"""What stands for a headline figure that nobody has."""
OTHERS = "--all shows every one, --metrics those that it names"
"""What to say below headline figures of the others."""
DECIMALS = 4
"""Digits after the point that a value is rounded to before anything is made of it; boards keep so many."""


def name_of(row: Summary) -> str:
    """The name of a figure."""
    return f"{row.scenario}.{row.metric}"


def headline(there: Collection[str]) -> list[str]:
    """The headline figures among those that are there, and with them the figures of metrics that are not ours: for
    them somebody asked."""
    takes = "TS2.return_tsos" in there and not any(name.startswith("TS3.") for name in there)
    found = [name if name in there else INSTEAD.get(name, name) for name in (OF_TAKES if takes else HEADLINE)]
    own = [name for name in there if name.partition(".")[2] not in metrics.REGISTRY]
    return [name for name in (*found, *own) if name in there]


def named(asked: Sequence[str], there: Collection[str]) -> list[str]:
    """The figures that are asked for, each as ``TS2.tsos``, or as ``tsos`` in every scenario that has it. Raises
    InputError when one is not there."""
    found: list[str] = []
    for name in asked:
        same = [one for one in there if name in (one, one.partition(".")[2])]
        if not same:
            known = there if "." in name else dict.fromkeys(one.partition(".")[2] for one in there)
            raise InputError(f"no figure {name!r} here; {suggestion(name, known, 'there are')}")
        found += same
    return list(dict.fromkeys(found))


def written(value: float, unit: str, more: int = 0) -> str:
    """A value as text: one digit after the point, two where the unit's range is small; ``more`` than that of
    differences."""
    digits = (1 if unit and unit != "s" and not unit.startswith("MOS") else 2) + more
    text = f"{value if more else round(value, DECIMALS):.{digits}f}"
    return text if float(text) else text.removeprefix("-")


def in_pieces(value: float | None, low: float | None, high: float | None, unit: str) -> tuple[str, str]:
    """The value of a figure and its interval; '' for what is not there."""
    text, first, last = ("" if v is None or math.isnan(v) else written(v, unit) for v in (value, low, high))
    return text, f"[{first}, {last}]" if first and last else ""


def labelled(name: str, unit: str, higher_is_better: bool) -> str:
    """A figure's name with its unit and the direction that is better."""
    return f"{name}{f' ({unit})' if unit else ''} {'↑' if higher_is_better else '↓'}"
