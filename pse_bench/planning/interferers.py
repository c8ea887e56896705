"""Who and what disturbs a scene: interferers and noise."""

from collections.abc import Callable

from pse_bench import rng
from pse_bench.errors import RequestError
from pse_bench.io import audio
from pse_bench.planning.clip_pool import NoisePool, SpeechPool, normalise_sentence, speaker_key
from pse_bench.planning.scenario import Scenario
from pse_bench.planning.targets import Name, TargetTrack
from pse_bench.schemas import Noise, Segment, Talker, Utterance

SHORTEST_INTERFERER_S = 1.0
SHORTEST_PIECE_S = 0.25


class InterfererSampler:
    """Deals interferers: never the target's person, never the target's sentence.

    Raises:
        RequestError: too few speakers, or a gender relation is asked for and a gender is not known.
    """

    def __init__(self, scenario: Scenario, pool: SpeechPool, targets: set[str], seed: int) -> None:
        self._scenario, self._pool, self._seed = scenario, pool, seed
        self._sampler = pool.sampler(seed, "interferer")
        needed = 0 if scenario.scenarios == ["TS1"] else int(scenario.interferer.count.largest)
        available = len(pool.people) - (1 if targets & set(pool.people) else 0)
        if available < needed:
            raise RequestError(
                f"scenario {scenario.name}: {needed} interferer{'s' if needed > 1 else ''} beside the target "
                f"need more speakers, found {len(pool.people)} in the speech manifest; give more speakers"
            )
        relation = set(scenario.interferer.gender.options) - {"any"}
        nameless = next((clip for clip in pool if not clip.gender), None)
        if relation and nameless:
            raise RequestError(
                f"scenario {scenario.name}: interferer.gender asks for a relation, but the gender of speaker "
                f"{nameless.speaker_id} of {nameless.corpus} is not known; fill in the manifest's gender column"
            )

    def draw(self, name: Name, scene_id: str, track: TargetTrack) -> list[Talker]:
        """The interferers of the next scene; their places are not drawn here."""
        asked = self._scenario.interferer
        talkers: list[Talker] = []
        for number in range(asked.count.draw(self._seed, *name, "interferer", "count")):
            who = (*name, "interferer", number)
            overlap = asked.overlap.draw(self._seed, *who, "overlap")
            start, stop = self._span(overlap, track, who, scene_id)
            relation = asked.gender.draw(self._seed, *who, "gender")
            accept = self._rule(track, talkers, relation)
            first = self._sampler.next(
                lambda key, accept=accept, need=stop - start: self._enough(key, accept, need)
            )
            if first is None:
                raise RequestError(
                    f"{scene_id}: no interferer has {(stop - start) / self._pool.rate:.2f} s of speech, is "
                    f"another speaker than {track.clips[0].speaker_id}, of gender relation {relation!r}, and "
                    "says another sentence; give more speech or a shorter duration_s"
                )
            talkers.append(self._talker(first, accept, (start, stop), overlap, who))
        return talkers

    def _rule(self, track: TargetTrack, others: list[Talker], relation: str) -> Callable[[str], bool]:
        """Whether a clip may be an interferer's."""
        taken = {speaker_key(track.clips[0]), *(f"{other.corpus}/{other.speaker_id}" for other in others)}
        said = {normalise_sentence(clip.text) for clip in track.clips} - {""}
        gender = track.clips[0].gender

        def accept(name: str) -> bool:
            clip: Utterance = self._pool[name]
            return (
                speaker_key(clip) not in taken
                and normalise_sentence(clip.text) not in said
                and (relation == "any" or (clip.gender == gender) == (relation == "same"))
            )

        return accept

    def _enough(self, name: str, accept: Callable[[str], bool], need: int) -> bool:
        """Whether a clip may begin an interferer's part of ``need`` samples: its person can fill it."""
        if not accept(name):
            return False
        clip = self._pool[name]
        if self._pool.length(clip) >= need:
            return True
        for other in self._pool.people[speaker_key(clip)]:
            if accept(self._pool.name(other)):
                need -= self._pool.length(other)
                if need <= 0:
                    return True
        return False

    def _span(self, overlap: float, track: TargetTrack, who: Name, scene_id: str) -> tuple[int, int]:
        """When an interferer may talk: its share of the target's time, and all time before or after."""
        if overlap == 1:
            return 0, track.num_samples
        begin, end = track.span
        covered = round(overlap * (end - begin))
        before, after = (0, begin + covered), (end - covered, track.num_samples)
        shortest = self._samples(SHORTEST_INTERFERER_S)
        sides = [side for side in (before, after) if side[1] - side[0] >= shortest]
        if not sides:
            raise RequestError(
                f"{scene_id}: an overlap of {overlap:g} leaves an interferer less than "
                f"{SHORTEST_INTERFERER_S:g} s; ask for a longer duration_s or a larger interferer.overlap"
            )
        return rng.choice(sides, self._seed, *who, "side")

    def _talker(
        self, first: str, accept: Callable[[str], bool], span: tuple[int, int], overlap: float, who: Name
    ) -> Talker:
        """One interferer's clips one after the other until the end of the span, the last one cut."""
        pool, (onset, stop) = self._pool, span
        segments: list[Segment] = []
        said: list[str] = []
        used: set[str] = set()
        name: str | None = first
        while name is not None:
            used.add(name)
            clip = pool[name]
            length = pool.length(clip)
            kept = min(length, stop - onset)
            # a long clip is cut anywhere, one that comes after another begins at its beginning
            start = 0 if segments else rng.integer(0, length - kept, self._seed, *who, "cut")
            segments.append(pool.segment(clip, onset=onset, start=start, num_samples=kept))
            said.append(clip.text if kept == length else "")
            pause_s = self._scenario.interferer.pause_s.draw(self._seed, *who, "pause_s", len(segments))
            onset += kept + self._samples(pause_s)
            if stop - onset < self._samples(SHORTEST_PIECE_S):
                break
            name = self._sampler.next(lambda key: key not in used and accept(key), speaker_key(clip))
        return Talker(
            corpus=pool[first].corpus,
            speaker_id=pool[first].speaker_id,
            gender=pool[first].gender,
            segments=segments,
            text=" ".join(said) if all(said) else "",
            source=0,
            distance_m=None,
            overlap=overlap,
        )

    def _samples(self, seconds: float) -> int:
        return audio.seconds_to_samples(seconds, self._pool.rate)


class NoiseSampler:
    """Deals noise, evenly over all clips that are long enough; noise is never repeated to fill a scene.

    Raises:
        RequestError: a category is asked for that the manifest does not have.
    """

    def __init__(self, scenario: Scenario, pool: NoisePool, seed: int) -> None:
        self._pool, self._seed = pool, seed
        self._categories = set(scenario.noise.categories)
        self._sampler = pool.sampler(seed)
        if missing := sorted(self._categories - pool.categories()):
            raise RequestError(
                f"scenario {scenario.name}: noise category {missing[0]!r} is not in the noise manifest; "
                f"it has {', '.join(sorted(pool.categories())) or 'none'}"
            )

    def draw(self, name: Name, scene_id: str, num_samples: int, besides: str = "") -> Noise:
        """A stretch of ``num_samples`` of a clip other than the one at the path ``besides``."""
        pool = self._pool

        def accept(key: str) -> bool:
            clip = pool[key]
            wanted = not self._categories or clip.category in self._categories
            return wanted and pool.length(clip) >= num_samples and clip.path != besides

        key = self._sampler.next(accept)
        if key is None:
            which = "noise clip beside the scene's own" if besides else "noise clip"
            what = "enrollment.duration_s" if besides else "duration_s"
            raise RequestError(
                f"{scene_id}: no {which} is {num_samples / pool.rate:.2f} s long; give longer or more noise or a "
                f"shorter {what} (noise is never repeated)"
            )
        clip = pool[key]
        start = rng.integer(0, pool.length(clip) - num_samples, self._seed, *name, "start")
        segment = pool.segment(clip, start=start, num_samples=num_samples)
        return Noise(corpus=clip.corpus, category=clip.category, segment=segment)
