"""Interferers and noise of a scene: which clips may be used, when they are heard, and how they are drawn."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from pse_bench import rng
from pse_bench.errors import RequestError
from pse_bench.io import audio
from pse_bench.planning.clip_pool import NoisePool, SpeechPool, normalise_sentence, speaker_key
from pse_bench.planning.scenario import Scenario
from pse_bench.planning.targets import Name, TargetTrack
from pse_bench.schemas import Noise, Talker, Utterance

SHORTEST_INTERFERER_S = 1.0
SHORTEST_SEGMENT_S = 0.25


T = TypeVar("T")


@dataclass(frozen=True)
class Eligibility:
    """Which clips an interferer may speak.

    Attributes:
        speakers: keys of the target and of the interferers that the scene has already.
        sentences: the target's, as ``normalise_sentence`` gives them; unknown ones ("") left out.
        gender: the target's.
        relation: of the interferer's gender to it: ``same``, ``different`` or ``any``.
    """

    speakers: set[str]
    sentences: set[str]
    gender: str
    relation: str

    def allows(self, *, speaker: str, sentence: str, gender: str) -> bool:
        """Whether a clip is of another speaker, says another sentence, and has the gender relation."""
        return (
            speaker not in self.speakers
            and sentence not in self.sentences
            and (self.relation == "any" or (gender == self.gender) == (self.relation == "same"))
        )


def interferer_spans(
    overlap: float, target: tuple[int, int], num_samples: int, *, rate: int, grid: int = 1
) -> list[tuple[int, int]]:
    """The spans in which an interferer may talk, in samples: until it has overlapped with enough of the target, or
    from where enough of the target is left. Spans shorter than ``SHORTEST_INTERFERER_S`` are left out.

    Args:
        overlap: share of the target's time; 1 gives the whole scene.
        target: first sample and end of the target's track.
        num_samples: length of the scene.
        rate: Hz.
        grid: spans begin at its multiples.
    """
    if overlap == 1:
        return [(0, num_samples)]
    begin, end = target
    covered = round(overlap * (end - begin))
    shortest = audio.seconds_to_samples(SHORTEST_INTERFERER_S, rate)
    sides = (0, begin + covered), ((end - covered) // grid * grid, num_samples)
    return [side for side in sides if side[1] - side[0] >= shortest]


def fill_span(
    span: tuple[int, int],
    clips: Iterable[T],
    length: Callable[[T], int],
    *,
    cut: Callable[[int], int],
    pause: Callable[[int], int],
    rate: int,
    grid: int = 1,
) -> list[tuple[T, int, int, int]]:
    """Clips one after the other until the end of a span: each with its start, its onset in the scene and its
    number of samples. The first is cut anywhere where it is too long, the others begin at their beginning; the
    last one is cut at the span's end.

    Args:
        span: first sample and end.
        clips: taken as long as ``SHORTEST_SEGMENT_S`` of the span is left.
        length: of a clip, in samples.
        cut: from the number of samples that are too many to the start of the first clip.
        pause: from the number of clips so far to the pause after them, in samples.
        rate: Hz.
        grid: onsets after the first are its multiples.
    """
    onset, stop = span
    shortest = audio.seconds_to_samples(SHORTEST_SEGMENT_S, rate)
    segments: list[tuple[T, int, int, int]] = []
    for clip in clips:
        kept = min(length(clip), stop - onset)
        start = 0 if segments else cut(length(clip) - kept)
        segments.append((clip, start, onset, kept))
        onset = -(-(onset + kept + pause(len(segments))) // grid) * grid
        if stop - onset < shortest:
            break
    return segments


class InterfererSampler:
    """Draws interferers: never the target's speaker, never the target's sentence.

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
        """The interferers of the next scene; their positions are not drawn here."""
        asked = self._scenario.interferer
        talkers: list[Talker] = []
        for number in range(asked.count.draw(self._seed, *name, "interferer", "count")):
            who = (*name, "interferer", number)
            overlap = asked.overlap.draw(self._seed, *who, "overlap")
            start, stop = self._span(overlap, track, who, scene_id)
            relation = asked.gender.draw(self._seed, *who, "gender")
            accept = self._rule(track, talkers, relation)
            first = self._sampler.next(partial(self._enough, accept=accept, need=stop - start))
            if first is None:
                raise RequestError(
                    f"{scene_id}: no interferer has {(stop - start) / self._pool.rate:.2f} s of speech, is "
                    f"another speaker than {track.clips[0].speaker_id}, of gender relation {relation!r}, and "
                    "says another sentence; give more speech or a shorter duration_s"
                )
            talkers.append(self._talker(first, accept, (start, stop), overlap, who))
        return talkers

    def _rule(self, track: TargetTrack, others: list[Talker], relation: str) -> Callable[[str], bool]:
        """Whether a clip, by its name, may be an interferer's."""
        rule = Eligibility(
            speakers={speaker_key(track.clips[0]), *(f"{other.corpus}/{other.speaker_id}" for other in others)},
            sentences={normalise_sentence(clip.text) for clip in track.clips} - {""},
            gender=track.clips[0].gender,
            relation=relation,
        )

        def accept(name: str) -> bool:
            clip: Utterance = self._pool[name]
            return rule.allows(
                speaker=speaker_key(clip), sentence=normalise_sentence(clip.text), gender=clip.gender
            )

        return accept

    def _enough(self, name: str, accept: Callable[[str], bool], need: int) -> bool:
        """Whether a clip may begin a track of ``need`` samples: its speaker has enough clips to fill it."""
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
        """One of the spans in which an interferer may talk."""
        spans = interferer_spans(overlap, track.span, track.num_samples, rate=self._pool.rate)
        if not spans:
            raise RequestError(
                f"{scene_id}: an overlap of {overlap:g} leaves an interferer less than "
                f"{SHORTEST_INTERFERER_S:g} s; ask for a longer duration_s or a larger interferer.overlap"
            )
        return rng.choice(spans, self._seed, *who, "side")

    def _talker(
        self, first: str, accept: Callable[[str], bool], span: tuple[int, int], overlap: float, who: Name
    ) -> Talker:
        """One interferer: clips of one speaker that fill a span, the first one given."""
        pool, rate = self._pool, self._pool.rate
        pause_s = self._scenario.interferer.pause_s

        def clips() -> Iterable[Utterance]:
            used: set[str] = set()
            name: str | None = first
            while name is not None:
                used.add(name)
                yield pool[name]
                name = self._sampler.next(lambda key: key not in used and accept(key), speaker_key(pool[first]))

        filled = fill_span(
            span,
            clips(),
            pool.length,
            cut=lambda spare: rng.integer(0, spare, self._seed, *who, "cut"),
            pause=lambda count: audio.seconds_to_samples(pause_s.draw(self._seed, *who, "pause_s", count), rate),
            rate=rate,
        )
        texts = [clip.text if kept == pool.length(clip) else "" for clip, _, _, kept in filled]
        return Talker(
            corpus=pool[first].corpus,
            speaker_id=pool[first].speaker_id,
            gender=pool[first].gender,
            segments=[
                pool.segment(clip, onset=onset, start=start, num_samples=kept)
                for clip, start, onset, kept in filled
            ],
            text=" ".join(texts) if all(texts) else "",
            source=0,
            distance_m=None,
            overlap=overlap,
        )


class NoiseSampler:
    """Draws noise, evenly over all clips that are long enough; noise is never repeated to fill a scene.

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
