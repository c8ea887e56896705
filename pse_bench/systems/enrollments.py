"""Which enrollment goes with a mixture: its own, another one of the target's, or for a control somebody else's."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from pse_bench import rng
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import RequestError
from pse_bench.planning import plan
from pse_bench.schemas import Mixture, Recipe

SCENES = 3  # the first ones, of which a system is asked whether it hears the enrollment
OTHER = re.compile(r"other-([1-9]\d*)")


def title(which: str) -> str:
    """What is put behind the name of a system that was enrolled so, '' for nothing."""
    if number := OTHER.fullmatch(which):
        return f" (other enrollment {number[1]})"
    return "" if which == "right" else f" ({which} enrollment)"


def paths(dataset: Dataset, which: str, notice: Callable[[str], None]) -> dict[str, str]:
    """Each mixture's enrollment: ``right`` for its own, ``wrong`` for one of somebody who is not in the scene at
    all, ``other-1``, ``other-2`` and so on for others of the same person. Notice is given where these repeat."""
    mixtures = dataset.mixtures
    if which == "right":
        return {row.mixture_id: row.enrollment_path for row in mixtures}
    if number := OTHER.fullmatch(which):
        recipes = plan.read(dataset.folder / "plan.jsonl")[2]
        return _others(mixtures, recipes, int(number[1]), notice)
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


def _others(
    mixtures: list[Mixture], recipes: Iterable[Recipe], number: int, notice: Callable[[str], None]
) -> dict[str, str]:
    """The enrollment of the same person that is the ``number``-th of those of other scenes that say nothing of
    what is heard in this one, around again where there are fewer. They have one order a person, so most of a
    person's scenes get the same."""
    enrolled = {row.scene_id: row.enrollment_path for row in mixtures}
    scenes = {recipe.scene_id: recipe for recipe in recipes if recipe.scene_id in enrolled}
    own: dict[str, dict[str, str]] = defaultdict(
        dict
    )  # by person and content: one that is there twice counts once
    for name, recipe in scenes.items():
        own[recipe.target.speaker_id].setdefault(recipe.enrollment.model_dump_json(), name)
    chosen, short = {}, 0
    for name, recipe in scenes.items():
        speaker, said = recipe.target.speaker_id, recipe.enrollment.model_dump_json()
        heard = {segment.clip_id for segment in recipe.target.segments}
        order = sorted(own[speaker].items(), key=lambda item: rng.sort_key(0, "other", speaker, item[1]))
        fit = [
            other
            for content, other in order
            if content != said and not heard & {one.clip_id for one in scenes[other].enrollment.segments}
        ]
        if not fit:
            raise RequestError(
                f"scene {name}: {speaker} has no other enrollment that is not heard in it; use a dataset with "
                "more scenes of each person"
            )
        short += len(fit) < number
        chosen[name] = enrolled[fit[(number - 1) % len(fit)]]
    if short:
        notice(f"{short} of {len(scenes)} scenes have fewer than {number} other enrollments; one is used again")
    return {row.mixture_id: chosen[row.scene_id] for row in mixtures}


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
