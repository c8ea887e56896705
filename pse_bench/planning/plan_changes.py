"""What differs between two plans, in words; and whether one goes on where another ends."""

import hashlib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pse_bench.errors import InputError
from pse_bench.io import documents
from pse_bench.planning import plan


def begins_with(path: Path, sha256: str) -> bool:
    """Whether a plan is the one that has a hash, or that one with more scenes after its own."""
    seen = hashlib.sha256()
    with path.open("rb") as stream:
        for line in stream:
            seen.update(line)
            if seen.hexdigest() == sha256:
                return True
    return False


def changes(known: Path, now: Path) -> list[str]:
    """What differs between two plans, in phrases: seed, scenes, scenario, manifests. Nothing where the
    first one cannot be read any more."""
    try:
        before, after = (plan.read(path)[1] for path in (known, now))
    except InputError:
        return []
    scenes = [len(plan.places(path)) for path in (known, now)]
    found = documents.changes(before.get("seed"), after.get("seed"), "seed")
    found += [f"{scenes[0]} scenes, now {scenes[1]}"] if scenes[0] != scenes[1] else []
    found += documents.changes(_content(before), _content(after))
    found += _manifests(before.get("manifests", {}), after.get("manifests", {}))
    return found or [f"other recipes from line {_first_difference(known, now)} of its plan on"]


def _content(head: dict[str, Any]) -> Any:
    return head.get("scenario", head.get("imported"))


def _manifests(known: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for role in {**known, **now}:
        files = [described.get(role, []) for described in (known, now)]
        if files[0] != files[1]:
            before, after = (" + ".join(str(one["clips"]) for one in own) or "no" for own in files)
            others = " others" if before == after else ""
            yield f"{before} clips of {role.replace('_', ' ')}, now {after}{others}"


def _first_difference(known: Path, now: Path) -> int:
    with known.open("rb") as before, now.open("rb") as after:
        return next((n for n, (old, new) in enumerate(zip_longest(before, after), 1) if old != new), 0)
