"""From manifests, a scenario and a seed to fully drawn recipes. All chance of a dataset lives here and below.

Recipe k depends on the seed, the names of things and the recipes before it (clips are dealt evenly), never on
the number of scenes asked for, the order of the manifests' rows or the machine.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.io.atomic import replacing, sha256_of_text
from pse_bench.io.documents import parse, parse_json, read_text
from pse_bench.planning.clip_pool import NoisePool, SpeechPool, speaker_key
from pse_bench.planning.geometry import RoomSampler
from pse_bench.planning.interferers import InterfererSampler, NoiseSampler
from pse_bench.planning.scenario import Scenario, parse_scenario
from pse_bench.planning.targets import Name, TargetSampler, TargetTrack
from pse_bench.schemas import (
    SCHEMA,
    Enrollment,
    Imported,
    MeasuredResponse,
    Noise,
    NoiseClip,
    Recipe,
    Talker,
    Utterance,
)


class Planner:
    """Draws recipes one after the other.

    Args:
        scenario: the distributions.
        speech: clips that targets, and interferers unless given apart, are taken from.
        noise: clips of noise.
        rirs: measured responses; needed when the scenario's engine may be ``measured``.
        seed: any whole number.
        interferer_speech: clips of people who are only interferers.

    Raises:
        RequestError: the manifests cannot give what the scenario asks for.
        InputError: one name stands for two clips.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        speech: Iterable[Utterance],
        noise: Iterable[NoiseClip],
        rirs: Iterable[MeasuredResponse] = (),
        seed: int,
        interferer_speech: Iterable[Utterance] | None = None,
    ) -> None:
        self._scenario, self._seed, self._rate = scenario, seed, scenario.sample_rate
        people = SpeechPool(speech, self._rate)
        others = people
        if interferer_speech is not None:
            others = SpeechPool(interferer_speech, self._rate)
            SpeechPool([*people, *others], self._rate)  # one name must not stand for two clips across both
        self._targets = TargetSampler(scenario, people, seed)
        who = {speaker_key(people[name]) for name in self._targets.names}
        self._interferers = InterfererSampler(scenario, others, who, seed)
        self._noises = NoiseSampler(scenario, NoisePool(noise, self._rate), seed)
        self._rooms = RoomSampler(scenario, rirs, seed)
        low = _coarse([*people, *others], self._rate)
        self.notes = [*self._targets.notes, *self._rooms.notes, *low]

    def recipe(self, index: int) -> Recipe:
        """The next recipe; scenes are drawn in order from 0."""
        asked, name, scene_id = self._scenario, ("scene", index), f"s{index:06d}"
        # every scenario, or one of them by its share
        labels = list(asked.scenarios) if asked.shares is None else [asked.draw_label(self._seed, *name)]
        track = self._targets.track(name, scene_id)
        interferers = [] if labels == ["TS1"] else self._interferers.draw(name, scene_id, track)
        room, (place, *places) = self._rooms.draw(index, len(interferers))
        noise = self._noises.draw((*name, "noise"), scene_id, track.num_samples)
        first = track.clips[0]
        return Recipe(
            scene_id=scene_id,
            sample_rate=self._rate,
            num_samples=track.num_samples,
            scenarios=labels,
            target=Talker(
                corpus=first.corpus,
                speaker_id=first.speaker_id,
                gender=first.gender,
                segments=track.segments,
                text=track.text,
                source=place[0],
                distance_m=place[1],
                overlap=None,
            ),
            level_dbfs=asked.target.level_dbfs.draw(self._seed, *name, "level_dbfs"),
            interferers=[
                talker.model_copy(update={"source": source, "distance_m": distance_m})
                for talker, (source, distance_m) in zip(interferers, places, strict=True)
            ],
            sir_db=asked.interferer.sir_db.draw(self._seed, *name, "sir_db") if interferers else None,
            noise=noise,
            snr_db=asked.noise.snr_db.draw(self._seed, *name, "snr_db"),
            room=room,
            enrollment=self._enrollment((*name, "enrollment"), scene_id, track, noise),
        )

    def _enrollment(self, name: Name, scene_id: str, track: TargetTrack, scene_noise: Noise) -> Enrollment:
        asked = self._scenario.enrollment
        num_samples = audio.seconds_to_samples(asked.duration_s.draw(self._seed, *name, "duration_s"), self._rate)
        segments = self._targets.enrollment(track, num_samples, scene_id)
        filled = sum(segment.num_samples for segment in segments)
        condition = asked.condition.draw(self._seed, *name, "condition")
        noise = None
        if condition == "noisy":
            besides = scene_noise.segment.path
            noise = self._noises.draw((*name, "noise"), scene_id, filled, besides)
        return Enrollment(
            condition=condition,
            segments=segments,
            num_samples=filled,
            noise=noise,
            snr_db=asked.snr_db.draw(self._seed, *name, "snr_db") if noise else None,
        )


def _coarse(clips: list[Utterance], rate: int) -> list[str]:
    """A note when clips are sampled below the scenes' rate."""
    low = {clip.utterance_id: clip.sample_rate for clip in clips if clip.sample_rate < rate}
    if not low:
        return []
    return [
        f"{len(low)} clips are sampled at less than {rate} Hz, as {next(iter(low))} at {min(low.values())} Hz: "
        "their speech holds nothing above half their own rate"
    ]


# ---- the plan as a file


def header(content: dict[str, Any], *, manifests: dict[str, list[list[Any]]], seed: int) -> dict[str, Any]:
    """The first line of a plan. It does not tell the number of scenes, so that a longer plan begins with a
    shorter one."""
    return {
        "schema": SCHEMA,
        "kind": "pse-bench plan",
        "seed": seed,
        "manifests": {
            role: [{"clips": len(rows), "sha256": _content_hash(rows)} for rows in files]
            for role, files in manifests.items()
        },
        "scenario": content,
    }


def imported_header(about: Imported, *, seed: int) -> dict[str, Any]:
    """The first line of a plan whose scenes were taken from another project's test set."""
    return {"schema": SCHEMA, "kind": "pse-bench plan", "seed": seed, "imported": about.model_dump()}


def _content_hash(rows: list[Any]) -> str:
    return sha256_of_text("\n".join(sorted(row.model_dump_json(exclude_defaults=True) for row in rows)))


def write(path: Path, head: dict[str, Any], recipes: Iterable[Recipe]) -> int:
    """Write a plan; the number of its scenes."""
    count = 0
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        stream.write(json.dumps(head, ensure_ascii=False) + "\n")
        for recipe in recipes:
            stream.write(recipe.model_dump_json() + "\n")
            count += 1
    return count


def read(path: Path) -> tuple[Scenario | Imported, dict[str, Any], Iterator[Recipe]]:
    """A plan's scenario (or what it was imported from), its header and its recipes in order.

    Raises:
        InputError: not a plan, another schema, or a damaged line (also while the recipes are taken).
    """
    lines = read_text(path).split("\n")
    if lines[-1]:
        raise InputError(f"{path}: the last line is cut off; plan it again")
    head = parse_json(lines[0], f"{path}:1")
    if not isinstance(head, dict) or head.get("kind") != "pse-bench plan":
        raise InputError(f"{path}: not a plan; make one with pse-bench plan")
    if head.get("schema") != SCHEMA:
        raise InputError(f"{path}: schema {head.get('schema')!r}, expected {SCHEMA}; plan it again")
    scenario = (
        parse(Imported, head["imported"], f"{path}:1: imported")
        if "imported" in head
        else parse_scenario(head.get("scenario"), f"{path}:1: scenario")
    )
    if len(lines) == 2:
        raise InputError(f"{path}: holds no scenes; plan it again")

    def recipes() -> Iterator[Recipe]:
        seen: set[str] = set()
        for number, line in enumerate(lines[1:-1], 2):
            where = f"{path}:{number}"
            recipe = parse(Recipe, parse_json(line, where), where, strict=False)
            if recipe.scene_id in seen:
                raise InputError(f"{where}: scene {recipe.scene_id} stands twice; plan it again")
            if recipe.sample_rate != scenario.sample_rate:
                raise InputError(
                    f"{where}: sampled at {recipe.sample_rate} Hz, its scenario at {scenario.sample_rate} Hz; "
                    "plan it again"
                )
            seen.add(recipe.scene_id)
            yield recipe

    return scenario, head, recipes()


def places(path: Path) -> list[int]:
    """The byte at which each recipe of a plan begins, in order."""
    with path.open("rb") as stream:
        starts = list(accumulate(len(line) for line in stream))
    return starts[:-1]


def at(path: Path, places: Iterable[int]) -> Iterator[Recipe]:
    """The recipes that begin at some bytes of a plan that was read before."""
    with path.open("rb") as stream:
        for place in places:
            stream.seek(place)
            yield Recipe.model_validate_json(stream.readline(), strict=False)
