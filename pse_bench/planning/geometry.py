"""Rooms and the positions of talkers and microphone, drawn together until they fit."""

import math
from collections import defaultdict
from collections.abc import Iterable

from pse_bench import rng
from pse_bench.errors import InputError, RequestError
from pse_bench.planning.balanced_sampler import BalancedSampler
from pse_bench.planning.scenario import DECIMALS, Quantity, Scenario
from pse_bench.schemas import MeasuredResponse, MeasuredRoom, MeasuredSource, Position, SimulatedRoom

ROOM_TRIES = 300
PLACE_TRIES = 30

Placed = tuple[int, float | None]
"""A source's index in its room, and its distance from the microphone in metres where it is known."""


class RoomSampler:
    """Draws the room and the source positions of each scene.

    Sizes, heights and distances are drawn together, again and again until all of them fit into the room: a
    distance that a small room cannot hold is not drawn in it.
    """

    def __init__(self, scenario: Scenario, rirs: Iterable[MeasuredResponse], seed: int) -> None:
        self._scenario, self._seed = scenario, seed
        self.notes: list[str] = []
        self._measured = self._measured_rooms(list(rirs))
        self._measured_sampler = BalancedSampler(((name, "") for name in self._measured), seed, "measured room")
        rooms = scenario.room.rooms
        self._bank: dict[str, SimulatedRoom] = {}
        self._bank_sampler = BalancedSampler(((f"r{i:05d}", "") for i in range(rooms or 0)), seed, "room")

    def draw(self, index: int, num_interferers: int) -> tuple[SimulatedRoom | MeasuredRoom, list[Placed]]:
        """A scene's room; the target's source and distance, then each interferer's."""
        room, name = self._scenario.room, ("scene", index)
        engine = room.engine.draw(self._seed, *name, "room", "engine")
        if engine == "measured":
            return self._draw_measured(name, num_interferers)
        if room.rooms is None:
            drawn = self._room(f"s{index:06d}", name, engine, 1, num_interferers)
            places = list(range(1 + num_interferers))
        else:
            room_id = self._bank_sampler.next_of_all()
            if room_id not in self._bank:
                name_of_room = ("room", int(room_id[1:]))
                # a shared room is simulated in one way, whatever the scene that needs it first was dealt
                simulated = [option for option in room.engine.options if option != "measured"]
                engine = rng.choice(simulated, self._seed, *name_of_room, "room", "engine")
                self._bank[room_id] = self._room(room_id, name_of_room, engine, room.places, room.places)
            drawn = self._bank[room_id]
            others = sorted(
                range(room.places, 2 * room.places), key=lambda p: rng.sort_key(self._seed, *name, "place", p)
            )
            if num_interferers > len(others):
                raise RequestError(
                    f"scenario {self._scenario.name}: {num_interferers} interferers need room.places of at "
                    f"least {num_interferers}, found {room.places}; ask for more places or fewer interferers"
                )
            target = rng.integer(0, room.places - 1, self._seed, *name, "place", "target")
            places = [target, *others[:num_interferers]]
        return drawn, [
            (place, round(math.dist(drawn.sources_m[place], drawn.microphone_m), DECIMALS)) for place in places
        ]

    # ---- simulated

    def _room(
        self, room_id: str, name: tuple[rng.Name, ...], engine: str, num_targets: int, num_interferers: int
    ) -> SimulatedRoom:
        room = self._scenario.room
        asked = [self._scenario.target.distance_m] * num_targets
        asked += [self._scenario.interferer.distance_m] * num_interferers
        for attempt in range(ROOM_TRIES):
            chance = rng.SeedPath(self._seed, *name, "room", attempt)
            size = tuple(
                quantity.draw(chance, axis)
                for axis, quantity in (("x", room.length_m), ("y", room.width_m), ("z", room.height_m))
            )
            microphone = self._microphone(size, chance)
            if microphone is None:
                continue
            sources = []
            for number, distance in enumerate(asked):
                place = self._source_position(size, microphone, distance, rng.SeedPath(chance, "source", number))
                if place is None:
                    break
                sources.append(place)
            else:
                rt60_s = room.rt60_s.draw(self._seed, *name, "room", "rt60_s")
                return SimulatedRoom(
                    engine=engine,
                    room_id=room_id,
                    tail=room.tail.draw(self._seed, *name, "room", "tail"),
                    size_m=size,
                    rt60_s=rt60_s,
                    microphone_m=microphone,
                    sources_m=sources,
                )
        raise RequestError(
            f"room {room_id}: no room of {ROOM_TRIES} drawn holds the microphone and talkers at these "
            f"distances, {room.wall_distance_m:g} m from the walls; ask for larger rooms or shorter distances"
        )

    def _microphone(self, size: Position, chance: rng.Seed) -> Position | None:
        margin = self._scenario.room.wall_distance_m
        height = self._scenario.room.microphone_height_m.draw(chance, "microphone", "z")
        point = (
            round(rng.uniform(margin, size[0] - margin, chance, "microphone", "x"), DECIMALS),
            round(rng.uniform(margin, size[1] - margin, chance, "microphone", "y"), DECIMALS),
            height,
        )
        return point if self._inside(point, size) else None

    def _source_position(
        self, size: Position, microphone: Position, asked: Quantity, chance: rng.Seed
    ) -> Position | None:
        for attempt in range(PLACE_TRIES):
            distance = asked.draw(chance, attempt, "distance_m")
            height = self._scenario.room.talker_height_m.draw(chance, attempt, "height_m")
            rise = height - microphone[2]
            if abs(rise) >= distance:
                continue
            level = math.sqrt(distance**2 - rise**2)
            angle = rng.uniform(0, 2 * math.pi, chance, attempt, "angle")
            point = (
                round(microphone[0] + level * math.cos(angle), DECIMALS),
                round(microphone[1] + level * math.sin(angle), DECIMALS),
                height,
            )
            if self._inside(point, size):
                return point
        return None

    def _inside(self, point: Position, size: Position) -> bool:
        margin = self._scenario.room.wall_distance_m
        (x, y, z), (length, width, height) = point, size  # written out: this is asked more often than anything
        return margin <= x <= length - margin and margin <= y <= width - margin and margin <= z <= height - margin

    # ---- measured

    def _measured_rooms(self, rirs: list[MeasuredResponse]) -> dict[str, list[MeasuredResponse]]:
        room = self._scenario.room
        if "measured" not in room.engine.options:
            return {}
        limit = room.measured_rt60_max_s or math.inf
        rooms: dict[str, list[MeasuredResponse]] = defaultdict(list)
        known: dict[tuple[str, str], MeasuredResponse] = {}
        for rir in rirs:
            if known.setdefault((rir.corpus, rir.rir_id), rir) != rir:
                raise InputError(
                    f"corpus {rir.corpus}: response {rir.rir_id} stands twice with different contents; remove "
                    "one from the manifests"
                )
        for _, rir in sorted(known.items()):
            if rir.rt60_s <= limit:
                rooms[f"{rir.corpus}/{rir.room_id}"].append(rir)
        left_out = len(known) - sum(map(len, rooms.values()))
        if left_out:
            self.notes.append(
                f"{left_out} of {len(known)} measured responses ring longer than room.measured_rt60_max_s "
                f"({limit:g} s) and are left out"
            )
        if not rooms:
            raise RequestError(
                f"scenario {self._scenario.name}: room.engine may be measured, but no measured response is "
                f"given (of {len(rirs)}, none within room.measured_rt60_max_s); add --rir MANIFEST.csv"
            )
        return dict(rooms)

    def _draw_measured(
        self, name: tuple[rng.Name, ...], num_interferers: int
    ) -> tuple[MeasuredRoom, list[Placed]]:
        rirs = self._measured[self._measured_sampler.next_of_all()]
        ordered = sorted(rirs, key=lambda rir: rng.sort_key(self._seed, *name, "response", rir.rir_id))
        # A room with fewer responses than talkers: they share, as if they stood at one place.
        chosen = [ordered[number % len(ordered)] for number in range(1 + num_interferers)]
        room = MeasuredRoom(
            engine="measured",
            room_id=rirs[0].room_id,
            corpus=rirs[0].corpus,
            rt60_s=round(sum(rir.rt60_s for rir in chosen) / len(chosen), DECIMALS),
            sources=[MeasuredSource(rir_id=rir.rir_id, path=rir.path, sha256=rir.sha256) for rir in chosen],
        )
        return room, [(number, None) for number in range(len(chosen))]
