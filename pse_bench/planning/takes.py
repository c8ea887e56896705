"""Takes of minutes: what target and interferers say in the turns of a session."""

from collections.abc import Sequence
from functools import partial
from itertools import cycle

from pse_bench import rng
from pse_bench.io import audio
from pse_bench.planning.clip_pool import SpeechPool, Stretch
from pse_bench.planning.interferers import InterfererSampler, fill_span
from pse_bench.planning.quantity import Quantity
from pse_bench.planning.scenario import Scenario
from pse_bench.planning.targets import TargetSampler, TargetTrack
from pse_bench.schemas import Talker, Turn, Utterance


class TakeSampler:
    """Draws the tracks of a scenario with a ``session``. A take says each clip of its own once before it says any
    twice."""

    def __init__(
        self,
        scenario: Scenario,
        people: SpeechPool,
        others: SpeechPool,
        targets: TargetSampler,
        interferers: InterfererSampler,
    ) -> None:
        self._scenario, self._people, self._others = scenario, people, others
        self._targets, self._interferers = targets, interferers

    def draw(self, chance: rng.Seed, scene_id: str) -> tuple[TargetTrack, list[Talker], list[Turn]]:
        """The target of the next scene, its interferers at no place yet, and their turns. Raises RequestError
        where there is nobody to interfere."""
        asked, rate = self._scenario, self._scenario.sample_rate
        assert asked.session is not None
        num_samples = audio.seconds_to_samples(asked.duration_s.draw(chance, "duration_s"), rate)
        count = asked.interferer.count.draw(chance, "interferer", "count")
        turns = asked.session.draw(chance, "session", num_samples=num_samples, sample_rate=rate, others=count)
        by_talker = [[turn for turn in turns if turn.talker == talker] for talker in range(count + 1)]
        own, *others = [found for found in by_talker if found]  # the first have turns before the last
        spoken = [sum(turn.num_samples for turn in found) for found in (own, *others)]
        clips = self._targets.clips_of_take(spoken[0])
        whole = _talker(self._people, own, clips, asked.target.pause_s, rng.SeedPath(chance, "target"))
        said = self._interferers.clips_of_take(chance, scene_id, clips, spoken[1:])
        talkers = [
            _talker(self._others, found, own, asked.interferer.pause_s, rng.SeedPath(chance, "interferer", place))
            for place, (found, own) in enumerate(zip(others, said, strict=True))
        ]
        return TargetTrack(clips, whole, num_samples), talkers, turns


def _talker(
    pool: SpeechPool, turns: Sequence[Turn], clips: Sequence[Utterance], pause_s: Quantity, chance: rng.Seed
) -> Talker:
    """Who says clips, one after the other in each of some turns."""
    endless, found = cycle(clips), list[Stretch]()
    for turn in turns:
        own = rng.SeedPath(chance, "turn", turn.onset)
        found += fill_span(
            (turn.onset, turn.onset + turn.num_samples),
            endless,
            pool.length,
            cut=partial(_cut, own),
            pause=partial(_pause, own, pause_s, pool.rate),
            rate=pool.rate,
        )
    return pool.talker(found)


def _cut(chance: rng.Seed, spare: int) -> int:
    return rng.integer(0, spare, chance, "cut")


def _pause(chance: rng.Seed, pause_s: Quantity, rate: int, number: int) -> int:
    return audio.seconds_to_samples(pause_s.draw(chance, "pause_s", number), rate)
