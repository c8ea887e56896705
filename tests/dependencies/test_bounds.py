"""Every dependency has a lowest and a highest release, and those that are written down lie between."""

import tomllib
from pathlib import Path

import pytest
from dependencies.lowest import PROJECT, lowest, requirements
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
EVERYTHING = sorted(set(requirements(list(EXTRAS))))
LOCK = (ROOT / "constraints.txt").read_text(encoding="utf-8")
LOCKED = dict(line.lower().split("==") for line in LOCK.splitlines() if "==" in line)


@pytest.mark.parametrize("line", EVERYTHING)
def test_every_dependency_has_both_bounds(line: str) -> None:
    operators = {bound.operator for bound in Requirement(line).specifier}
    assert operators == {"=="} or (operators & {">="} and operators & {"<", "<="}), line


def test_the_lowest_releases_are_those_of_the_bounds() -> None:
    for line in EVERYTHING:
        asked = Requirement(line)
        found = Requirement(lowest(line))
        (pin,) = found.specifier
        assert (found.name, found.extras, pin.operator) == (asked.name, asked.extras, "==")
        assert pin.version in asked.specifier
    with pytest.raises(ValueError, match="numpy<3: has no lower bound; write name>=LOWEST"):
        lowest("numpy<3")


def test_the_lock_holds_releases_within_the_bounds_and_nothing_of_one_machine() -> None:
    for line in EVERYTHING:
        asked = Requirement(line)
        if found := LOCKED.get(asked.name.lower()):
            assert Version(found) in asked.specifier, (line, found)
    assert {"numpy", "scipy", "pydantic", "torch", "pytest"} <= set(LOCKED)
    assert [mark for mark in ("://", " @ ", "+", "--") if mark in LOCK] == []
