"""Interferers and noise of a scene: which clips may be used, when they are heard, and how they are drawn."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TypeVar

from pse_bench import rng
from pse_bench.errors import RequestError
from pse_bench.io import audio
from pse_bench.planning.clip_pool import BalancedSampler, Pool, SpeechPool, normalise_sentence, speaker_key
from pse_bench.planning.scenario import Scenario
from pse_bench.planning.targets import TargetTrack
from pse_bench.schemas import Noise, NoiseClip, Talker, Utterance

SHORTEST_INTERFERER_S = 1.0
SHORTEST_SEGMENT_S = 0.25
NOISE_JOIN_S = 1.0
"""How long a stretch of a session's noise fades into the next one."""

T = TypeVar("T")


@dataclass(frozen=True)
class Eligibility:
    """Which clips an interferer may speak: of none of the ``speakers`` that the scene has already, none of the
    target's ``sentences`` (normalised, without unknown ones), of a gender that has the ``relation`` to the
    target's, which is ``same``, ``different`` or ``any``."""

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
    """The spans in which an interferer may talk, in samples, first and end: until it has overlapped with enough of
    the ``target``'s span, or from where enough of that is left. An overlap of 1 gives the whole scene. Spans begin
    at multiples of ``grid``; those shorter than ``SHORTEST_INTERFERER_S`` are left out."""
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
    """Clips one after the other until less than ``SHORTEST_SEGMENT_S`` of a span is left: each with its start, its
    onset in the scene and its number of samples. The first is cut anywhere where it is too long, the others begin
    at their beginning; the last one is cut at the span's end. Onsets after the first are multiples of ``grid``.

    Args:
        length: of a clip, in samples. cut: from the number of samples that are too many to the start of the first
        clip. pause: from the number of clips so far to the pause after them, in samples.
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
    """Draws interferers: never the target's speaker, never the target's sentence. Raises RequestError where there
    are too few speakers, or a gender relation is asked for and a gender is not known."""

    def __init__(self, scenario: Scenario, pool: SpeechPool, targets: set[str], seed: int) -> None:
        self._asked, self._pool = scenario.interferer, pool
        self._sampler = pool.sampler(seed, "interferer")
        needed = 0 if scenario.scenarios == ["TS1"] else int(self._asked.count.largest)
        if len(pool.people) - bool(targets & set(pool.people)) < needed:
            raise RequestError(
                f"scenario {scenario.name}: {needed} interferer{'s' if needed > 1 else ''} beside the target "
                f"need more speakers, found {len(pool.people)} in the speech manifest; give more speakers"
            )
        nameless = next((clip for clip in pool.values() if not clip.gender), None)
        if nameless and set(self._asked.gender.options) - {"any"}:
            raise RequestError(
                f"scenario {scenario.name}: interferer.gender asks for a relation, but the gender of speaker "
                f"{nameless.speaker_id} of {nameless.corpus} is not known; fill in the manifest's gender column"
            )

    def draw(self, chance: rng.Seed, scene_id: str, track: TargetTrack) -> list[Talker]:
        """The interferers of the next scene; their positions are not drawn here."""
        pool, target = self._pool, track.clips[0]
        talkers: list[Talker] = []
        speakers, sentences = {speaker_key(target)}, {normalise_sentence(clip.text) for clip in track.clips} - {""}
        for number in range(self._asked.count.draw(chance, "interferer", "count")):
            own = rng.SeedPath(chance, "interferer", number)
            overlap = self._asked.overlap.draw(own, "overlap")
            spans = interferer_spans(overlap, track.span, track.num_samples, rate=pool.rate)
            if not spans:
                raise RequestError(
                    f"{scene_id}: an overlap of {overlap:g} leaves an interferer less than "
                    f"{SHORTEST_INTERFERER_S:g} s; ask for a longer duration_s or a larger interferer.overlap"
                )
            start, stop = rng.choice(spans, own, "side")
            rule = Eligibility(speakers, sentences, target.gender, self._asked.gender.draw(own, "gender"))
            talker = self._talker(rule, (start, stop), overlap, own)
            if talker is None:
                raise RequestError(
                    f"{scene_id}: no interferer has {(stop - start) / pool.rate:.2f} s of speech, is "
                    f"another speaker than {target.speaker_id}, of gender relation {rule.relation!r}, and "
                    "says another sentence; give more speech or a shorter duration_s"
                )
            talkers.append(talker)
            speakers.add(speaker_key(talker))
        return talkers

    def clips_of_take(
        self, chance: rng.Seed, scene_id: str, target: Sequence[Utterance], spoken: Sequence[int]
    ) -> list[list[Utterance]]:
        """What each interferer of a session may say: clips of one speaker that last for so many samples, or all.
        Arguments: what the target says, and for how long each of the interferers has turns."""
        pool, found = self._pool, list[list[Utterance]]()
        speakers, sentences = {speaker_key(target[0])}, {normalise_sentence(clip.text) for clip in target} - {""}
        for number, num_samples in enumerate(spoken):
            relation = self._asked.gender.draw(chance, "interferer", number, "gender")
            rule = Eligibility(speakers, sentences, target[0].gender, relation)
            accept = partial(self._accepts, rule)
            first = self._sampler.next(accept)
            if first is None:
                raise RequestError(
                    f"{scene_id}: no interferer is another speaker than {target[0].speaker_id}, of gender "
                    f"relation {rule.relation!r}, and says another sentence; give more speech"
                )
            clips = list[Utterance]()
            for name in self._sampler.each(accept, speaker_key(pool[first]), first):
                clips.append(pool[name])
                if sum(map(pool.length, clips)) >= num_samples:
                    break
            found.append(clips)
            speakers.add(speaker_key(clips[0]))
        return found

    def _accepts(self, rule: Eligibility, name: str) -> bool:
        clip = self._pool[name]
        who, sentence = speaker_key(clip), normalise_sentence(clip.text)
        return rule.allows(speaker=who, sentence=sentence, gender=clip.gender)

    def _talker(self, rule: Eligibility, span: tuple[int, int], overlap: float, chance: rng.Seed) -> Talker | None:
        """One interferer: clips of one speaker that fill a span; None where nobody has enough of them."""
        pool, pause_s = self._pool, self._asked.pause_s
        accept = partial(self._accepts, rule)

        def enough(name: str) -> bool:
            """Whether a clip may begin the track: its speaker has enough clips to fill it."""
            if not accept(name):
                return False
            own, need = pool.people[speaker_key(pool[name])], span[1] - span[0]
            spoken = accumulate(pool.length(other) for other in own if accept(pool.name(other)))
            return pool.length(pool[name]) >= need or any(length >= need for length in spoken)

        first = self._sampler.next(enough)
        if first is None:
            return None
        names = self._sampler.each(accept, speaker_key(pool[first]), first)
        filled = fill_span(
            span,
            (pool[name] for name in names),
            pool.length,
            cut=lambda spare: rng.integer(0, spare, chance, "cut"),
            pause=lambda count: audio.seconds_to_samples(pause_s.draw(chance, "pause_s", count), pool.rate),
            rate=pool.rate,
        )
        return pool.talker(filled, overlap)


class NoiseSampler:
    """Draws noise, evenly over all clips that are long enough; noise is never repeated to fill a scene. Raises
    RequestError where a category is asked for that the manifest does not have."""

    def __init__(self, scenario: Scenario, pool: Pool, seed: int) -> None:
        self._pool = pool
        self._sampler = BalancedSampler(((name, "") for name in pool), seed, "noise")
        known = {clip.category for clip in pool.values()}
        self._categories = set(scenario.noise.categories) or known
        if missing := sorted(self._categories - known):
            raise RequestError(
                f"scenario {scenario.name}: noise category {missing[0]!r} is not in the noise manifest; "
                f"it has {', '.join(sorted(known)) or 'none'}"
            )

    def draw(self, chance: rng.Seed, scene_id: str, num_samples: int, besides: str = "") -> Noise:
        """A stretch of ``num_samples`` of a clip other than the one at the path ``besides``."""
        pool = self._pool

        def accept(name: str) -> bool:
            clip = pool[name]
            return clip.category in self._categories and pool.length(clip) >= num_samples and clip.path != besides

        name = self._sampler.next(accept)
        if name is None:
            which = "noise clip beside the scene's own" if besides else "noise clip"
            what = "enrollment.duration_s" if besides else "duration_s"
            raise RequestError(
                f"{scene_id}: no {which} is {num_samples / pool.rate:.2f} s long; give longer or more noise or a "
                f"shorter {what} (noise is never repeated)"
            )
        clip = pool[name]
        start = rng.integer(0, pool.length(clip) - num_samples, chance, "noise", "start")
        segment = pool.segment(clip, start, 0, num_samples)
        return Noise.of_checked(corpus=clip.corpus, category=clip.category, segment=segment)

    def draw_joined(self, chance: rng.Seed, scene_id: str, num_samples: int) -> Iterator[Noise]:
        """Stretches of one category and corpus that follow each other over ``num_samples``: each begins
        ``NOISE_JOIN_S`` before the one before it ends. Clips are used again when all were."""
        pool, join = self._pool, audio.seconds_to_samples(NOISE_JOIN_S, self._pool.rate)
        known: NoiseClip | None = None

        def accept(name: str) -> bool:
            clip = pool[name]
            same = known is None or (clip.category, clip.corpus) == (known.category, known.corpus)
            return same and clip.category in self._categories and pool.length(clip) >= 2 * join

        onset = 0
        while True:
            name = self._sampler.next(accept)
            if name is None:
                raise RequestError(
                    f"{scene_id}: no noise clip is {2 * NOISE_JOIN_S:g} s long; give longer or more noise"
                )
            known = pool[name]
            kept = min(pool.length(known), num_samples - onset)
            start = rng.integer(0, pool.length(known) - kept, chance, "noise", "start", onset)
            segment = pool.segment(known, start, onset, kept)
            yield Noise(corpus=known.corpus, category=known.category, segment=segment)
            if onset + kept == num_samples:
                return
            onset += kept - join
