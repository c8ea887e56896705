"""From manifests, a scenario and a seed to fully drawn recipes. All chance of a dataset lives here and below.

Recipe k depends on the seed, the names of things and the recipes before it (clips are dealt evenly), never on
the number of scenes asked for, the order of the manifests' rows or the machine.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, islice
from os import SEEK_END
from pathlib import Path
from typing import Any

from pse_bench import rng
from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.io.atomic import replacing, require_new, sha256_of_text
from pse_bench.io.documents import Record, opened, parse, parse_json, text_of
from pse_bench.io.tables import read_table
from pse_bench.planning import scenario as scenarios
from pse_bench.planning.clip_pool import Pool, SpeechPool, speaker_key
from pse_bench.planning.geometry import RoomSampler
from pse_bench.planning.interferers import InterfererSampler, NoiseSampler
from pse_bench.planning.scenario import Scenario
from pse_bench.planning.takes import TakeSampler
from pse_bench.planning.targets import TargetSampler, TargetTrack
from pse_bench.runtime.progress import Update
from pse_bench.schemas import (
    SCHEMA,
    Channel,
    Enrollment,
    Imported,
    MeasuredResponse,
    Noise,
    NoiseClip,
    Recipe,
    Session,
    Talker,
    Utterance,
)

KIND = "pse-bench plan"

SCENE_ID = re.compile(rb'\{"scene_id":"([A-Za-z0-9-]+)"')
"""With which a recipe's line begins."""


class Planner:
    """Draws recipes one after the other.

    Args:
        speech: clips that targets, and interferers unless given apart, are taken from.
        rirs: measured responses; needed when the scenario's engine may be ``measured``.
        interferer_speech: clips of people who are only interferers.
        min_targets: how many speakers must be able to be a target.

    Raises:
        RequestError: the manifests cannot give what the scenario asks for, or too few speakers can be a target.
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
        min_targets: int = 1,
    ) -> None:
        self._scenario, self._seed, rate = scenario, seed, scenario.sample_rate
        people = others = SpeechPool(speech, rate)
        if interferer_speech is not None:
            others = SpeechPool(interferer_speech, rate)
        clips = [*people.values(), *others.values()]
        Pool(clips, rate)  # one name must not stand for two clips across both
        self._targets = TargetSampler(scenario, people, seed, min_targets)
        who = {speaker_key(people[name]) for name in self._targets.names}
        self._interferers = InterfererSampler(scenario, others, who, seed)
        self._noises = NoiseSampler(scenario, Pool(noise, rate), seed)
        self._rooms = RoomSampler(scenario, rirs, seed)
        takes = TakeSampler(scenario, people, others, self._targets, self._interferers)
        self._takes = takes if scenario.session else None
        self.notes = [*self._targets.notes, *self._rooms.notes]
        if low := {clip.utterance_id: clip.sample_rate for clip in clips if clip.sample_rate < rate}:
            self.notes.append(
                f"{len(low)} clips are sampled at less than {rate} Hz, as {next(iter(low))} at "
                f"{min(low.values())} Hz: their speech holds nothing above half their own rate"
            )

    def recipe(self, index: int) -> Recipe:
        """The next recipe; scenes are drawn in order from 0."""
        asked, chance, scene_id = self._scenario, rng.SeedPath(self._seed, "scene", index), f"s{index:06d}"
        # every scenario, or one of them by its share
        labels = list(asked.scenarios) if asked.shares is None else [asked.draw_label(chance)]
        if self._takes:
            track, interferers, turns = self._takes.draw(chance, scene_id)
        else:
            track = self._targets.track(chance, scene_id)
            interferers = [] if labels == ["TS1"] else self._interferers.draw(chance, scene_id, track)
        room, places = self._rooms.draw(index, len(interferers))
        placed = zip([track.talker, *interferers], places, strict=True)
        target, *others = (Talker.of_checked(**{**vars(talker), **place}) for talker, place in placed)
        session = None
        if self._takes:
            noise, *more = self._noises.draw_joined(chance, scene_id, track.num_samples)
            session = Session(turns=turns, noise=[one.segment for one in more])
        else:
            noise = self._noises.draw(chance, scene_id, track.num_samples)
        return Recipe.of_checked(
            scene_id=scene_id,
            sample_rate=asked.sample_rate,
            num_samples=track.num_samples,
            scenarios=labels,
            target=target,
            level_dbfs=asked.target.level_dbfs.draw(chance, "level_dbfs"),
            interferers=others,
            sir_db=asked.interferer.sir_db.draw(chance, "sir_db") if others else None,
            noise=noise,
            snr_db=asked.noise.snr_db.draw(chance, "snr_db"),
            room=room,
            enrollment=self._enrollment(rng.SeedPath(chance, "enrollment"), scene_id, track, noise),
            channel=asked.draw_channel(chance, num_samples=track.num_samples),
            session=session,
        )

    def _enrollment(self, chance: rng.Seed, scene_id: str, track: TargetTrack, scene_noise: Noise) -> Enrollment:
        asked = self._scenario.enrollment
        wanted = audio.seconds_to_samples(asked.duration_s.draw(chance, "duration_s"), self._scenario.sample_rate)
        utterances = asked.utterances.draw(chance, "utterances") if asked.utterances else None
        segments = self._targets.enrollment(track.clips, wanted, scene_id, utterances)
        filled = sum(segment.num_samples for segment in segments)
        condition = asked.condition.draw(chance, "condition")
        noisy = condition == "noisy"
        return Enrollment.of_checked(
            condition=condition,
            segments=segments,
            num_samples=filled,
            noise=self._noises.draw(chance, scene_id, filled, scene_noise.segment.path) if noisy else None,
            snr_db=asked.snr_db.draw(chance, "snr_db") if noisy else None,
            utterances=utterances,
            channel=self._enrollment_channel(chance, filled),
        )

    def _enrollment_channel(self, chance: rng.Seed, num_samples: int) -> Channel | None:
        asked, rate = self._scenario.enrollment.channel, self._scenario.sample_rate
        return asked.draw(chance, "channel", num_samples=num_samples, sample_rate=rate) if asked else None


Manifests = str | Path | Sequence[str | Path | Sequence[Any]]


def plan_dataset(
    scenario: str | Path | Mapping[str, Any],
    out: str | Path,
    *,
    speech: Manifests,
    noise: Manifests,
    interferer_speech: Manifests = (),
    rir: Manifests = (),
    scenes: int,
    seed: int,
    min_targets: int = 2,
    force: bool = False,
    progress: Update = lambda done, total: None,
    echo: Callable[[str], None] = lambda line: None,
) -> Path:
    """Draw the recipes of a dataset and write its plan; gives the plan's path.

    Nothing is left to chance afterwards: the same plan renders to the same bytes.

    Args:
        scenario: a scenario file, the name of a shipped scenario, or a scenario's content.
        speech, noise, rir: a manifest's file, or manifests as files or as rows.
        interferer_speech: manifests of speakers who only interfere; without them, every speaker may be either.
        seed: any whole number; the same seed gives the same plan.
        min_targets: how many speakers must be able to be a target; which are left out is said through ``echo``.
        progress: called with scenes done and scenes in all.
        echo: called with lines worth saying.

    Raises:
        InputError: the plan is there already, or the scenario or a manifest cannot be read.
        RequestError: the manifests cannot give what the scenario asks for.
    """
    out = Path(out)
    require_new(out, force)
    if isinstance(scenario, Mapping):
        content, named = dict(scenario), "the scenario"
        chosen = scenarios.parse_scenario(content, named)
    else:
        named = str(scenario)
        chosen, content = scenarios.load(named)
    manifests = {
        "speech": _tables(speech, Utterance, "--speech"),
        "interferer_speech": _tables(interferer_speech, Utterance, "--interferer-speech"),
        "noise": _tables(noise, NoiseClip, "--noise"),
        "rir": _tables(rir, MeasuredResponse),
    }
    rows: dict[str, Any] = {role: list(chain.from_iterable(tables)) for role, tables in manifests.items()}
    others = rows.pop("interferer_speech") or None
    rows |= {"rirs": rows.pop("rir"), "interferer_speech": others, "min_targets": min_targets}
    planner = Planner(chosen, seed=seed, **rows)
    if scenarios.is_changed(chosen.name, content):
        echo(
            f"{named} has the name of the shipped scenario {chosen.name} but differs from it; give it a name of "
            "its own, or its results will be taken for that one's"
        )
    for note in planner.notes:
        echo(note)

    def recipes() -> Iterator[Recipe]:
        for index in range(scenes):
            yield planner.recipe(index)
            progress(index + 1, scenes)

    write(out, header(content, manifests=manifests, seed=seed), recipes())
    return out


def _tables(manifests: Manifests, record: type[Record], needed: str = "") -> list[list[Any]]:
    """The rows of each manifest. Raises InputError where manifests that are ``needed`` hold none together."""
    files = [manifests] if isinstance(manifests, str | Path) else manifests
    tables = [read_table(each, record) if isinstance(each, str | Path) else list(each) for each in files]
    if needed and tables and not any(tables):
        where = f"{files[0]}: " if isinstance(files[0], str | Path) else ""
        raise InputError(f"{where}lists no clips; give a manifest with rows for {needed}")
    return tables


def header(content: dict[str, Any], *, manifests: dict[str, list[list[Any]]], seed: int) -> dict[str, Any]:
    """The first line of a plan. It does not tell the number of scenes, so that a longer plan begins with a
    shorter one."""
    described = {
        role: [{"clips": len(rows), "sha256": _content_hash(rows)} for rows in files]
        for role, files in manifests.items()
    }
    return {"schema": SCHEMA, "kind": KIND, "seed": seed, "manifests": described, "scenario": content}


def imported_header(about: Imported, *, seed: int) -> dict[str, Any]:
    """The first line of a plan whose scenes were taken from another project's test set."""
    return {"schema": SCHEMA, "kind": KIND, "seed": seed, "imported": about.model_dump()}


def _content_hash(rows: list[Any]) -> str:
    return sha256_of_text("\n".join(sorted(row.model_dump_json(exclude_defaults=True) for row in rows)))


def write(path: str | Path, head: dict[str, Any], recipes: Iterable[Recipe]) -> int:
    """Write a plan; the number of its scenes."""
    count = 0
    with replacing(Path(path)) as part, part.open("w", encoding="utf-8", newline="") as stream:
        stream.write(json.dumps(head, ensure_ascii=False) + "\n")
        for recipe in recipes:
            stream.write(recipe.model_dump_json(exclude=_later_keys(recipe)) + "\n")
            count += 1
    return count


def _later_keys(recipe: Recipe) -> dict[str, Any]:
    """What a recipe does not make use of, of keys that came later: its line is as it was before there were any."""
    idle: dict[str, Any] = {key: True for key in ("channel", "session") if getattr(recipe, key) is None}
    unused = {key for key in ("utterances", "channel") if getattr(recipe.enrollment, key) is None}
    return {**idle, "enrollment": unused} if unused else idle


def read(
    path: str | Path, stretch: tuple[int, int] | None = None
) -> tuple[Scenario | Imported, dict[str, Any], Iterator[Recipe]]:
    """A plan's scenario (or what it was imported from), its header and its recipes in order.

    Args:
        stretch: of which scene on, and before which, recipes are read; all by default.

    Raises:
        InputError: not a plan, another schema, or a damaged line (also while the recipes are taken).
    """
    path = Path(path)
    with opened(path) as stream:
        first, second = (text_of(stream.readline(), str(path)) for _ in range(2))
        stream.seek(-min(1, stream.seek(0, SEEK_END)), SEEK_END)
        if stream.read() not in (b"\n", b""):
            raise InputError(f"{path}: the last line is cut off; plan it again")
    head = parse_json(first.removesuffix("\n"), f"{path}:1")
    if not isinstance(head, dict) or head.get("kind") != KIND:
        raise InputError(f"{path}: not a plan; make one with pse-bench plan")
    if head.get("schema") != SCHEMA:
        raise InputError(f"{path}: schema {head.get('schema')!r}, expected {SCHEMA}; plan it again")
    scenario: Scenario | Imported
    if "imported" in head:
        scenario = parse(Imported, head["imported"], f"{path}:1: imported")
    else:
        scenario = scenarios.parse_scenario(head.get("scenario"), f"{path}:1: scenario")
    if not second:
        raise InputError(f"{path}: holds no scenes; plan it again")

    begin_and_end = stretch or (0, None)

    def recipes() -> Iterator[Recipe]:
        seen: set[str] = set()
        for number, line in enumerate(islice(_recipe_lines(path), *begin_and_end), begin_and_end[0] + 2):
            where = f"{path}:{number}"
            text = text_of(line, str(path)).removesuffix("\n")
            recipe = parse(Recipe, parse_json(text, where), where, strict=False)
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


def _recipe_lines(path: Path) -> Iterator[bytes]:
    """One after the other: a plan may be larger than memory."""
    with opened(path) as stream:
        stream.readline()
        yield from stream


def scene_ids(path: Path) -> list[str]:
    """The names of a plan's scenes, in order; of their recipes nothing else is read. Raises InputError where there
    is none."""
    return [_scene_id(line, f"{path}:{number}") for number, line in enumerate(_recipe_lines(path), 2)]


def _scene_id(line: bytes, where: str) -> str:
    if found := SCENE_ID.match(line):
        return found[1].decode()
    return parse(Recipe, parse_json(text_of(line, where), where), where, strict=False).scene_id


def places(path: Path) -> list[int]:
    """The byte at which each recipe of a plan begins, in order."""
    with path.open("rb") as stream:
        return list(accumulate(map(len, stream)))[:-1]


def at(path: Path, places: Iterable[int]) -> Iterator[Recipe]:
    """The recipes that begin at some bytes of a plan that was read before."""
    with path.open("rb") as stream:
        for place in places:
            stream.seek(place)
            yield Recipe.model_validate_json(stream.readline(), strict=False)
