"""What kinds of scenes a dataset holds: the distributions, read from strict YAML.

Every quantity is a constant, ``{uniform: [low, high]}`` or ``{choice: [a, b, …]}``.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from pse_bench import rng
from pse_bench.errors import InputError
from pse_bench.io import yaml_reader
from pse_bench.io.documents import Record, faults, parse
from pse_bench.planning.channel import Through
from pse_bench.planning.quantity import (
    Decibels,
    Engine,
    NonNegative,
    Positive,
    Quantity,
    Share,
    Whole,
    number,
    word,
)
from pse_bench.planning.session import SessionChoice
from pse_bench.registry import nearest
from pse_bench.schemas import SCHEMA, Channel, EnrollmentSource, ScenarioLabel

_HERE = Path(__file__).parents[1]
SHIPPED = next(path for path in (_HERE / "scenarios", _HERE.parent / "scenarios") if path.is_dir())
"""The scenarios that come with the package: inside it when installed, beside it in a checkout."""


class Target(Record):
    """The enrolled speaker. ``clip``: ``whole`` utterances only, so that the words are known exactly, or a
    ``segment`` cut to the scene. ``pause_s`` lies between consecutive utterances. ``deal``: every utterance, or
    every speaker, is the target once before any is twice. Clips below ``shortest_s`` are never dealt."""

    clip: Literal["whole", "segment"] = "whole"
    deal: Literal["utterances", "speakers"] = "utterances"
    shortest_s: Annotated[float, Field(ge=0)] = 0.0
    utterances: Whole = Quantity(options=(1,))
    pause_s: NonNegative = Quantity(options=(0.5,))
    distance_m: Positive
    level_dbfs: Annotated[Quantity, number(-70, 0)]


class Interferer(Record):
    """Everybody else. ``overlap``: share of the target's time during which an interferer may talk; the rest of
    an interferer's time lies before or after. ``gender`` is the relation to the target's."""

    count: Whole = Quantity(options=(1,))
    gender: Annotated[Quantity, word("any", "same", "different")] = Quantity(options=("any",))
    pause_s: NonNegative = Quantity(options=(0.3,))
    overlap: Share = Quantity(options=(1.0,))
    distance_m: Positive
    sir_db: Decibels


class NoiseField(Record):
    """Noise at the microphone. ``categories``: those of the manifest that may be used; none means all."""

    snr_db: Decibels
    categories: Annotated[list[str], Field(default_factory=list)]


class Room(Record):
    """The room. ``rooms`` draws that many rooms once and shares them between scenes, each with ``places``
    places for the target and as many for interferers; without it every scene has a room of its own.
    ``measured_rt60_max_s`` leaves out measured rooms that ring longer. ``tail`` is how responses of the engine
    image-source end: ``specular`` image sources throughout, or ``diffuse`` noise 50 ms after the direct sound."""

    engine: Engine = Quantity(options=("image-source",))
    tail: Annotated[Quantity, word("specular", "diffuse")] = Quantity(options=("specular",))
    length_m: Positive = Quantity(low=3.0, high=8.0)
    width_m: Positive = Quantity(low=3.0, high=8.0)
    height_m: Positive = Quantity(low=2.5, high=3.5)
    rt60_s: Annotated[Quantity, number(0.1, 2)] = Quantity(low=0.2, high=0.6)
    talker_height_m: Positive = Quantity(low=1.1, high=1.8)
    microphone_height_m: Positive = Quantity(low=0.7, high=1.6)
    wall_distance_m: Annotated[float, Field(gt=0)] = 0.3
    rooms: Annotated[int, Field(ge=1)] | None = None
    places: Annotated[int, Field(ge=1)] = 4
    measured_rt60_max_s: Annotated[float, Field(gt=0)] | None = None


class EnrollmentChoice(Record):
    """What a system is given of the target, dry, in the scene's room, or with noise: other utterances or, with
    ``source: same-utterance``, another part of the same one where a person has no other. Where there is less than
    ``duration_s`` of it, ``shortest_s`` is enough. ``utterances`` are how many it is cut from, in parts as equal
    as they allow; without it each is used to its end before another is. ``channel`` is what it passes through,
    apart from the mixtures' one."""

    source: EnrollmentSource = "other-utterance"
    duration_s: Positive
    shortest_s: Annotated[float, Field(gt=0)] | None = None
    condition: Annotated[Quantity, word("clean", "reverberant", "noisy")] = Quantity(options=("clean",))
    snr_db: Decibels = Quantity(options=(15.0,))
    # what was prepared for training is known by the text of the keys above
    utterances: Annotated[Whole | None, Field(repr=False)] = None
    channel: Annotated[Through, Field(repr=False)] = None


class Scenario(Record):
    """A whole scenario file. ``shares`` renders each scene as only one of the scenarios, drawn with these
    probabilities (a training set with a target-inactive share); without it every scene becomes all of them.
    ``channel`` is what mixtures pass through, ``none`` by default. With ``session`` every scene is a take of
    minutes, in which target and interferers have turns."""

    schema_: Annotated[int, Field(alias="schema")] = SCHEMA
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    version: Annotated[int, Field(ge=1)]
    description: str = ""
    sample_rate: Literal[8000, 16000, 24000, 32000, 44100, 48000]
    duration_s: Positive
    scenarios: Annotated[list[ScenarioLabel], Field(min_length=1)]
    shares: dict[ScenarioLabel, float] | None = None
    target: Target
    interferer: Interferer
    noise: NoiseField
    room: Room
    enrollment: EnrollmentChoice
    channel: Through = None
    session: SessionChoice | None = None
    reference: Literal["early", "reverberant"] = "early"

    @model_validator(mode="after")
    def _consistent(self) -> "Scenario":
        if found := list(self._contradictions()):
            raise ValidationError.from_exception_data(
                "Scenario",
                [
                    {"type": PydanticCustomError("value_error", text), "loc": tuple(key.split(".")), "input": None}
                    for key, text in found
                ],
            )
        return self

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        """Keys that do not go together: one of them, and what is wrong."""
        if self.schema_ != SCHEMA:
            yield "schema", f"{self.schema_} is not known, expected {SCHEMA}; use a matching pse-bench"
        if len(set(self.scenarios)) != len(self.scenarios):
            yield "scenarios", "one is named twice"
        if self.target.clip == "segment" and self.target.utterances.largest > 1:
            yield "target.utterances", "several need clip: whole; a segment is cut from one utterance"
        if "diffuse" in self.room.tail.options and "pyroomacoustics" in self.room.engine.options:
            yield "room.tail", "diffuse needs room.engine image-source; pyroomacoustics has no such tail"
        if self.shares is not None:
            if set(self.shares) != set(self.scenarios):
                yield "shares", "needs exactly the labels of scenarios"
            elif min(self.shares.values()) < 0 or abs(sum(self.shares.values()) - 1) > 1e-9:
                yield "shares", "needs probabilities that add up to 1"
        if self.session is not None:
            if self.scenarios != ["TS2"]:
                yield "scenarios", "a session is one take with stretches of all three; write [TS2]"
            if self.target.clip != "segment":
                yield "target.clip", "turns of a session are cut; write segment"
            if self.interferer.overlap != Quantity(options=(1.0,)):
                yield "interferer.overlap", "session.both says how often an interferer talks along; leave it out"
            if self.duration_s.smallest < (least_s := self.session.longest_round_s):
                yield "duration_s", f"a take has to hold a pause and a turn of its session, {least_s:g} s or more"

    def draw_channel(self, seed: rng.Seed, *name: rng.Name, num_samples: int) -> Channel | None:
        """The channel of a scene; None where it does nothing."""
        if self.channel is None:
            return None
        return self.channel.draw(seed, *name, "channel", num_samples=num_samples, sample_rate=self.sample_rate)

    def draw_label(self, seed: rng.Seed, *name: rng.Name) -> ScenarioLabel:
        """One of the scenarios, drawn with its share; without shares each is equally likely."""
        shares = self.shares or dict.fromkeys(self.scenarios, 1 / len(self.scenarios))
        remaining = rng.unit(seed, *name, "scenario")
        for label in self.scenarios:
            remaining -= shares[label]
            if remaining < 0:
                return label
        return max(shares, key=shares.__getitem__)


def find(scenario: str | Path) -> Path:
    """The file of a scenario: one that is given, or a shipped one by its name. Raises InputError where there is no
    such scenario."""
    path = Path(scenario)
    if path.suffix or path.exists():
        return path
    if (ours := SHIPPED / f"{scenario}.yaml").is_file():
        return ours
    near = nearest(str(scenario), shipped())
    hint = f"did you mean {near!r}? " if near else ""
    raise InputError(
        f"{scenario}: neither a scenario file nor a shipped scenario; {hint}shipped: {', '.join(shipped())}"
    )


def load(scenario: str | Path) -> tuple[Scenario, dict[str, Any]]:
    """A scenario from a file, or a shipped one by its name; and its content as written. Raises InputError where
    there is no such scenario, on what is not YAML, on an unknown key and on a value that is not allowed."""
    path = find(scenario)
    content = yaml_reader.load(path)
    return parse_scenario(content, str(path)), content


def mistakes(content: Any, where: str) -> list[str]:
    """All that is wrong with the content of a scenario, a line each; ``where`` names it. Where a value is wrong,
    whether the others go together is looked at with that of the scenario ``standard``. Raises InputError where it
    holds no keys at all."""
    try:
        Scenario.model_validate(_mapping(content, where))
        return []
    except ValidationError as error:
        lines = faults(error, Scenario)
        usable = _usable(content, ([*map(str, problem["loc"])] for problem in error.errors()))
    try:
        Scenario.model_validate(usable)
    except ValidationError as error:
        lines += [line for line in faults(error, Scenario) if line not in lines]
    return [f"{where}: {line}" for line in lines]


def _usable(content: dict[str, Any], places: Iterable[Sequence[str]]) -> dict[str, Any]:
    """A scenario's content with what is written at some places as it is in ``standard``, or left out."""
    usable, standard = copy.deepcopy(content), load("standard")[1]
    for section, *below in places:
        nested = hasattr(Scenario.model_fields[section].annotation, "model_fields") if below else False
        ours, theirs, key = usable, standard, section
        if nested and isinstance(usable.get(section), dict):
            ours, theirs, key = usable[section], standard[section], below[0]
        ours.pop(key, None)
        if key in theirs:
            ours[key] = theirs[key]
        if key == "scenarios":
            usable.pop("shares", None)
    return usable


def parse_scenario(content: Any, where: str) -> Scenario:
    """A scenario from its content as written; ``where`` names it in errors."""
    return parse(Scenario, _mapping(content, where), where)


def _mapping(content: Any, where: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InputError(f"{where}: expected a mapping with name, version, sample_rate …; see scenarios/")
    return content


def shipped() -> list[str]:
    """Names of the scenarios that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def is_changed(name: str, content: dict[str, Any]) -> bool:
    """Whether a scenario has the name of a shipped one and other content."""
    return name in shipped() and load(name)[1] != content
