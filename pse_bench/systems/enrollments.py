"""Whose enrollment goes with a mixture: the target's, or for a control somebody else's."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pse_bench import rng
from pse_bench.errors import RequestError
from pse_bench.schemas import Mixture

SCENES = 3  # the first ones, of which a system is asked whether it hears the enrollment


def paths(mixtures: list[Mixture], which: str) -> dict[str, str]:
    """Each mixture's enrollment: its own, or one of somebody who is not in the scene at all."""
    if which == "right":
        return {row.mixture_id: row.enrollment_path for row in mixtures}
    voices: dict[str, set[str]] = defaultdict(set)
    for row in mixtures:
        voices[row.scene_id] |= {row.target_speaker, *row.interferer_speaker.split(";")}
    owners = {row.enrollment_path: row.target_speaker for row in mixtures}
    chosen = {}
    for row in mixtures:
        others = [path for path, owner in owners.items() if owner not in voices[row.scene_id]]
        if not others:
            reason = "everybody enrolled is in this scene, so there is no wrong enrollment"
            raise RequestError(f"{row.mixture_id}: {reason}; use a dataset with more target speakers")
        chosen[row.mixture_id] = min(others, key=lambda path: rng.sort_key(0, "wrong", row.scene_id, path))
    return chosen


def of_others(mixtures: Sequence[Mixture], given: Mapping[str, str]) -> dict[str, str]:
    """The ids of the mixtures of the first scenes. One of each scene, with an interferer where there is one, has
    the path of an enrollment of somebody else than the one whose enrollment it is given; the others have ''."""
    owners = {row.enrollment_path: row.target_speaker for row in mixtures}
    scenes = list(dict.fromkeys(row.scene_id for row in mixtures))[:SCENES]
    found = dict[str, str]()
    for scene in scenes:
        rows = [row for row in mixtures if row.scene_id == scene]
        found |= {row.mixture_id: "" for row in rows}
        tried = next((row for row in rows if row.scenario == "TS2"), rows[0])
        owner = owners[given[tried.mixture_id]]
        found[tried.mixture_id] = next((path for path, other in owners.items() if other != owner), "")
    return found
