"""Rooms and the positions of talkers and microphone, drawn together until they fit."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from pse_bench import rng
from pse_bench.errors import RequestError
from pse_bench.planning.clip_pool import BalancedSampler, Pool
from pse_bench.planning.quantity import DECIMALS, Quantity
from pse_bench.planning.scenario import Scenario
from pse_bench.schemas import MeasuredResponse, MeasuredRoom, MeasuredSource, Position, SimulatedRoom

ROOM_TRIES = 300
PLACE_TRIES = 30


Placed = dict[str, Any]
"""A talker's ``source``, which is an index in its room, and its ``distance_m`` where it is known."""


class RoomSampler:
    """Draws the room and the source positions of each scene.

    Sizes, heights and distances are drawn together, again and again until all of them fit into the room: a
    distance that a small room cannot hold is not drawn in it.
    """

    def __init__(self, scenario: Scenario, rirs: Iterable[MeasuredResponse], seed: int) -> None:
        self._scenario, self._room, self._seed = scenario, scenario.room, seed
        self.notes: list[str] = []
        self._heights_m = self._room.talker_height_m.smallest, self._room.talker_height_m.largest
        self._measured = self._measured_rooms(list(rirs)) if "measured" in self._room.engine.options else {}
        self._measured_sampler = BalancedSampler(((name, "") for name in self._measured), seed, "measured room")
        names = [f"r{number:05d}" for number in range(self._room.rooms or 0)]
        self._bank: dict[str, SimulatedRoom] = {}
        self._bank_sampler = BalancedSampler(((name, "") for name in names), seed, "room")

    def draw(self, index: int, num_interferers: int) -> tuple[SimulatedRoom | MeasuredRoom, list[Placed]]:
        """A scene's room; the target's place, then each interferer's."""
        asked, chance = self._room, rng.SeedPath(self._seed, "scene", index)
        engine = asked.engine.draw(chance, "room", "engine")
        if engine == "measured":
            return self._draw_measured(chance, num_interferers)
        if asked.rooms is None:
            room = self._simulated(f"s{index:06d}", chance, engine, 1, num_interferers)
            places = list(range(1 + num_interferers))
        else:
            room = self._shared()
            target = rng.integer(0, asked.places - 1, chance, "place", "target")
            others = range(asked.places, 2 * asked.places)
            ordered = sorted(others, key=lambda place: rng.sort_key(chance, "place", place))
            places = [target, *ordered[:num_interferers]]
            if num_interferers > asked.places:
                raise RequestError(
                    f"scenario {self._scenario.name}: {num_interferers} interferers need room.places of at "
                    f"least {num_interferers}, found {asked.places}; ask for more places or fewer interferers"
                )
        distances_m = [round(math.dist(room.sources_m[place], room.microphone_m), DECIMALS) for place in places]
        return room, [{"source": at, "distance_m": far} for at, far in zip(places, distances_m, strict=True)]

    def _shared(self) -> SimulatedRoom:
        """One of the rooms that scenes share, drawn when it is first needed."""
        room_id = self._bank_sampler.next_of_all()
        if room_id not in self._bank:
            asked, chance = self._room, rng.SeedPath(self._seed, "room", int(room_id[1:]))
            # it is simulated in one way, whatever the scene that needs it first was dealt
            engines = [option for option in asked.engine.options if option != "measured"]
            engine = rng.choice(engines, chance, "room", "engine")
            self._bank[room_id] = self._simulated(room_id, chance, engine, asked.places, asked.places)
        return self._bank[room_id]

    def _simulated(
        self, room_id: str, chance: rng.Seed, engine: str, num_targets: int, num_interferers: int
    ) -> SimulatedRoom:
        asked = self._room
        distances = [self._scenario.target.distance_m] * num_targets
        distances += [self._scenario.interferer.distance_m] * num_interferers
        for attempt in range(ROOM_TRIES):
            own = rng.SeedPath(chance, "room", attempt)
            size = (asked.length_m.draw(own, "x"), asked.width_m.draw(own, "y"), asked.height_m.draw(own, "z"))
            if positions := self._positions(size, distances, own):
                return SimulatedRoom.of_checked(
                    engine=engine,
                    room_id=room_id,
                    tail=asked.tail.draw(chance, "room", "tail"),
                    size_m=size,
                    rt60_s=asked.rt60_s.draw(chance, "room", "rt60_s"),
                    microphone_m=positions[0],
                    sources_m=positions[1:],
                )
        raise RequestError(
            f"room {room_id}: no room of {ROOM_TRIES} drawn holds the microphone and talkers at these "
            f"distances, {asked.wall_distance_m:g} m from the walls; ask for larger rooms or shorter distances"
        )

    def _positions(self, size: Position, distances: list[Quantity], chance: rng.Seed) -> list[Position] | None:
        """Those of the microphone and of the sources; None where one of them does not fit."""
        margin = self._room.wall_distance_m
        microphone = (
            round(rng.uniform(margin, size[0] - margin, chance, "microphone", "x"), DECIMALS),
            round(rng.uniform(margin, size[1] - margin, chance, "microphone", "y"), DECIMALS),
            self._room.microphone_height_m.draw(chance, "microphone", "z"),
        )
        if not self._inside(microphone, size):
            return None
        found: list[Position] = [microphone]
        for number, distance in enumerate(distances):
            place = self._source(size, microphone, distance, rng.SeedPath(chance, "source", number))
            if place is None:
                return None
            found.append(place)
        return found

    def _source(self, size: Position, microphone: Position, asked: Quantity, chance: rng.Seed) -> Position | None:
        x, y, z = microphone
        lowest, highest = self._heights_m
        most_rise = max(z - lowest, highest - z)
        # from the microphone outwards: where even the nearest possible place is outside, no more is drawn
        nearest = _level_distance(asked.smallest, most_rise)
        for attempt in range(PLACE_TRIES):
            angle = rng.uniform(0, 2 * math.pi, chance, attempt, "angle")
            east, north = math.cos(angle), math.sin(angle)
            if not self._may_hold(x + nearest * east, y + nearest * north, size):
                continue
            distance = asked.draw(chance, attempt, "distance_m")
            near = _level_distance(distance, most_rise)
            if not self._may_hold(x + near * east, y + near * north, size):
                continue
            height = self._room.talker_height_m.draw(chance, attempt, "height_m")
            rise = height - z
            if abs(rise) >= distance:
                continue
            level = math.sqrt(distance**2 - rise**2)
            point = (round(x + level * east, DECIMALS), round(y + level * north, DECIMALS), height)
            if self._inside(point, size):
                return point
        return None

    def _may_hold(self, x: float, y: float, size: Position) -> bool:
        """Whether a point, rounded, may lie within the walls' distance."""
        least = self._room.wall_distance_m - 10**-DECIMALS
        return least <= x <= size[0] - least and least <= y <= size[1] - least

    def _inside(self, point: Position, size: Position) -> bool:
        margin = self._room.wall_distance_m
        (x, y, z), (length, width, height) = point, size  # written out: this is asked more often than anything
        return margin <= x <= length - margin and margin <= y <= width - margin and margin <= z <= height - margin

    def _measured_rooms(self, rirs: list[MeasuredResponse]) -> dict[str, list[MeasuredResponse]]:
        limit = self._room.measured_rt60_max_s or math.inf
        rooms: dict[str, list[MeasuredResponse]] = defaultdict(list)
        known = Pool(rirs, self._scenario.sample_rate)
        for _, rir in sorted(known.items()):
            if rir.rt60_s <= limit:
                rooms[f"{rir.corpus}/{rir.room_id}"].append(rir)
        if left_out := sum(rir.rt60_s > limit for rir in known.values()):
            self.notes.append(
                f"{left_out} of {len(known)} measured responses ring longer than room.measured_rt60_max_s "
                f"({limit:g} s) and are left out"
            )
        if not rooms:
            raise RequestError(
                f"scenario {self._scenario.name}: room.engine may be measured, but no measured response is "
                f"given (of {len(rirs)}, none within room.measured_rt60_max_s); add --rir MANIFEST.csv"
            )
        return rooms

    def _draw_measured(self, chance: rng.Seed, num_interferers: int) -> tuple[MeasuredRoom, list[Placed]]:
        rirs = self._measured[self._measured_sampler.next_of_all()]
        ordered = sorted(rirs, key=lambda rir: rng.sort_key(chance, "response", rir.rir_id))
        # in a room with fewer responses than talkers they share, as if they stood at one place
        chosen = [ordered[number % len(ordered)] for number in range(1 + num_interferers)]
        room = MeasuredRoom(
            engine="measured",
            room_id=rirs[0].room_id,
            corpus=rirs[0].corpus,
            rt60_s=round(sum(rir.rt60_s for rir in chosen) / len(chosen), DECIMALS),
            sources=[MeasuredSource(rir_id=rir.rir_id, path=rir.path, sha256=rir.sha256) for rir in chosen],
        )
        return room, [{"source": number, "distance_m": None} for number in range(len(chosen))]


def _level_distance(distance: float, rise: float) -> float:
    """How far a place is on the level, at most that much above or below."""
    return math.sqrt(distance**2 - rise**2) if distance > rise else 0.0
