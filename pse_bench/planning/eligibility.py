"""Who can be the target of a scene; of the others why not, and what would admit them."""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from pse_bench.io import audio
from pse_bench.planning.clip_pool import SpeechPool
from pse_bench.planning.scenario import Scenario
from pse_bench.schemas import Utterance


@dataclass(frozen=True)
class Obstacle:
    """Why a clip cannot be a target and what would admit it; the length in s that is too short or too long, and by
    how much it is."""

    reason: str
    remedy: str
    length_s: float = 0.0
    lack_s: float = 0.0

    @property
    def length(self) -> str:
        return f" {round(self.length_s, 2):g} s" if self.lack_s else ""


NAMED = 3
"""How many of the speakers who are never targets are named."""


class TargetEligibility:
    """The ``names`` of the clips that can be a target, or begin one, and ``notes``: a line for each reason why
    speakers have none.

    A clip can be used when it fits the longest scene, with other clips where a target has several, and its speaker
    has enough other speech for the longest enrollment, or for ``enrollment.shortest_s``.
    """

    def __init__(self, scenario: Scenario, pool: SpeechPool) -> None:
        self._scenario, self._pool = scenario, pool
        self.names: set[str] = set()
        left_out: dict[str, list[tuple[int, float, str, list[Obstacle]]]] = defaultdict(list)
        for who, clips in pool.people.items():
            obstacles = {pool.name(clip): list(self._obstacles(clip)) for clip in clips}
            self.names |= {name for name, found in obstacles.items() if not found}
            if all(obstacles.values()):
                missing = [(len(found), sum(one.lack_s for one in found), found) for found in obstacles.values()]
                count, lack_s, nearest = min(missing, key=lambda one: one[:2])
                left_out[nearest[0].reason].append((count, lack_s, who, nearest))
        self.notes: list[str] = []
        for why, people in sorted(left_out.items(), key=lambda one: (-len(one[1]), one[0])):
            people.sort(key=lambda one: one[:3])
            named = [f"{who}{found[0].length}" for _, _, who, found in people[:NAMED]]
            named += [f"{len(people) - NAMED} more"] if len(people) > NAMED else []
            _, _, first, found = people[0]
            never = "is never a target" if len(people) == 1 else "are never targets"
            self.notes.append(
                f"{len(people)} of {len(pool.people)} speakers {never}: {why} "
                f"({', '.join(named)}); {' and '.join(one.remedy for one in found)} would admit {first}"
            )

    def least_enrollment(self, num_samples: int) -> int:
        """The shortest enrollment that is accepted where ``num_samples`` are asked for."""
        shortest_s = self._scenario.enrollment.shortest_s
        return num_samples if shortest_s is None else min(num_samples, self._samples(shortest_s))

    def _obstacles(self, clip: Utterance) -> Iterator[Obstacle]:
        """Why a track cannot begin with a clip; nothing when it can."""
        target, asked, pool = self._scenario.target, self._scenario.enrollment, self._pool
        length, shortest = pool.length(clip), self._samples(target.shortest_s)
        if length < shortest:
            yield self._too_short("utterances shorter than", "target.shortest_s", length, shortest)
        more = int(target.utterances.largest) - 1
        mates = sorted(pool.length(other) for other in pool.same_session(clip)) if more else []
        if len(mates) < more and target.clip == "whole":
            yield Obstacle(f"fewer than {more + 1} utterances in a session", "fewer target.utterances")
            more = len(mates)
        other_speech = pool.length_in_other_sessions(clip)
        parts = 0 if other_speech else sum(map(pool.length, pool.unused_parts([clip])))
        if asked.source != "other-utterance":
            other_speech = other_speech or parts
        alone = not other_speech
        if more and not pool.has_sessions(clip):  # what else the target says is not left for the enrollment
            other_speech -= sum(mates[-more:])
        least = self.least_enrollment(self._samples(asked.duration_s.largest))
        if alone:
            remedy = "enrollment.source: same-utterance" if parts >= least else "another recording"
            yield Obstacle("only one recording, so no other speech for the enrollment", remedy)
        elif other_speech < least:
            what = "too little other speech for the enrollment, less than"
            yield self._too_short(what, "enrollment.shortest_s", other_speech, least)
        length += sum(mates[:more]) + more * self._samples(target.pause_s.largest)
        longest = self._samples(self._scenario.duration_s.largest)
        if target.clip == "whole" and length > longest:
            length_s, longest_s = length / pool.rate, longest / pool.rate
            remedy = f"duration_s: {math.ceil(100 * length_s) / 100:g}{'' if more else ' or target.clip: segment'}"
            what = f"utterances longer than the scene, more than {longest_s:g} s"
            yield Obstacle(what, remedy, length_s, length_s - longest_s)

    def _too_short(self, what: str, key: str, length: int, wanted: int) -> Obstacle:
        length_s, wanted_s = length / self._pool.rate, wanted / self._pool.rate
        remedy = f"{key}: {math.floor(100 * length_s) / 100:g}" if length_s >= 0.01 else "fewer target.utterances"
        return Obstacle(f"{what} {wanted_s:g} s", remedy, length_s, wanted_s - length_s)

    def _samples(self, seconds: float) -> int:
        return audio.seconds_to_samples(seconds, self._pool.rate)
