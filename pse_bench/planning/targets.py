"""The target of a scene: its speaker, its clips, and the enrollment clips."""

import math
from dataclasses import dataclass
from typing import cast

from pse_bench import rng
from pse_bench.errors import RequestError
from pse_bench.io import audio
from pse_bench.planning.clip_pool import BalancedSampler, SpeechPool, Stretch, speaker_key
from pse_bench.planning.eligibility import TargetEligibility
from pse_bench.planning.scenario import Scenario
from pse_bench.schemas import Segment, Talker, Utterance


@dataclass(frozen=True)
class TargetTrack:
    """The target's clips in a scene of ``num_samples``, and who says them."""

    clips: list[Utterance]
    talker: Talker
    num_samples: int

    @property
    def span(self) -> tuple[int, int]:
        """First sample of the first segment and end of the last."""
        first, last = self.talker.segments[0], self.talker.segments[-1]
        return first.onset, last.onset + last.num_samples


class TargetSampler:
    """Draws target utterances, evenly over all that can be used or over their speakers.

    ``notes`` says which speakers are left out (see ``TargetEligibility``). Raises RequestError where fewer than
    ``least`` speakers can be targets.
    """

    def __init__(self, scenario: Scenario, pool: SpeechPool, seed: int, least: int = 1) -> None:
        self._scenario, self._pool = scenario, pool
        self._longest = self._samples(scenario.duration_s.largest)
        self._eligible = TargetEligibility(scenario, pool)
        self.names, self.notes = self._eligible.names, self._eligible.notes
        people = {speaker_key(pool[name]) for name in self.names}
        if len(people) < least:
            who = (
                f"{len(people)} of {len(pool.people)} speakers" if people else "no speaker of the speech manifest"
            )
            wanted = f" where --min-targets is {least}" if people else ""
            nobody = f"the manifest {'lists nobody else' if people else 'is empty'}; give more speech"
            why = f"{'; '.join(self.notes)}; or give more speech" if self.notes else nobody
            raise RequestError(f"scenario {scenario.name}: {who} can be a target{wanted}: {why}")
        self._sampler = pool.sampler(seed, "target", leading=self.names)
        self._enrollment_sampler = pool.sampler(seed, "enrollment", leading=())
        self._speakers = BalancedSampler(((who, "") for who in people), seed, "target speaker")

    def track(self, chance: rng.Seed, scene_id: str) -> TargetTrack:
        """The next scene's target track: whole clips, or one that is cut where it is longer than the scene."""
        first = self._first()
        if self._scenario.target.clip == "whole":
            stretches, num_samples = self._whole(first, chance, scene_id)
        else:
            num_samples = self._samples(self._scenario.duration_s.draw(chance, "duration_s"))
            length = self._pool.length(first)
            kept = min(length, num_samples)
            stretches = [(first, rng.integer(0, length - kept, chance, "target", "cut"), 0, kept)]
        _, _, onset, kept = stretches[-1]
        shift = rng.integer(0, num_samples - onset - kept, chance, "target", "onset")
        moved = [(clip, start, onset + shift, kept) for clip, start, onset, kept in stretches]
        return TargetTrack([clip for clip, *_ in moved], self._pool.talker(moved), num_samples)

    def _first(self) -> Utterance:
        """What the next scene's target says first."""
        who = self._speakers.next_of_all() if self._scenario.target.deal == "speakers" else None
        first: Utterance = self._pool[cast(str, self._sampler.next(self.names.__contains__, who))]
        return first

    def clips_of_take(self, num_samples: int) -> list[Utterance]:
        """What the target of the next scene may say in turns: clips of one session that last for so many samples,
        or all that leave enough other speech for the enrollment."""
        pool, clips = self._pool, [self._first()]
        mates = {pool.name(clip): clip for clip in pool.same_session(clips[0])}
        longest = self._samples(self._scenario.enrollment.duration_s.largest)
        kept, spoken = self._eligible.least_enrollment(longest), pool.length(clips[0])
        spare = pool.length_in_other_sessions(clips[0]) - kept
        for name in self._sampler.each(mates.__contains__, speaker_key(clips[0])):
            length = pool.length(mates[name])
            if not pool.has_sessions(clips[0]):
                spare -= length
            if spoken >= num_samples or spare < 0:
                break
            clips.append(mates[name])
            spoken += length
        return clips

    def _whole(self, first: Utterance, chance: rng.Seed, scene_id: str) -> tuple[list[Stretch], int]:
        """Whole clips with pauses between them, in a scene that is drawn to hold them."""
        target, pool, duration_s = self._scenario.target, self._pool, self._scenario.duration_s
        length = pool.length(first)
        stretches = [(first, 0, 0, length)]
        count = target.utterances.draw(chance, "target", "utterances")
        for number in range(1, count):
            length += self._samples(target.pause_s.draw(chance, "target", "pause_s", number))
            clip = self._next_clip([clip for clip, *_ in stretches], length, count - number - 1)
            if clip is None:
                raise RequestError(
                    f"{scene_id}: speaker {first.speaker_id} has no utterance that fits beside "
                    f"{first.utterance_id} in {duration_s.largest:g} s; ask for a longer "
                    "duration_s or fewer target.utterances"
                )
            stretches.append((clip, 0, length, pool.length(clip)))
            length += pool.length(clip)
        # whole milliseconds, unless the longest scene itself ends between two of them
        least_s = min(math.ceil(length / pool.rate * 1000) / 1000, duration_s.largest)
        return stretches, self._samples(duration_s.draw(chance, "duration_s", least=least_s))

    def _next_clip(self, clips: list[Utterance], length: int, left: int) -> Utterance | None:
        """Another clip of the same speaker after ``length`` samples, so that ``left`` more still fit."""
        pool = self._pool
        free = {pool.name(c): pool.length(c) for c in pool.same_session(clips[0]) if c not in clips}
        pauses = left * self._samples(self._scenario.target.pause_s.largest)

        def fits(name: str) -> bool:
            if name not in free:
                return False
            rest = sorted(size for other, size in free.items() if other != name)[:left]
            return len(rest) == left and length + free[name] + sum(rest) + pauses <= self._longest

        name = self._sampler.next(fits, speaker_key(clips[0]))
        return None if name is None else pool[name]

    def enrollment(
        self, clips: list[Utterance], num_samples: int, scene_id: str, utterances: int | None = None
    ) -> list[Segment]:
        """Other speech of a target than its ``clips``, one after the other, cut at ``num_samples``; less where the
        scenario puts up with that. Other utterances or, where there are none and the scenario allows it, the
        rest of the same one. From so many ``utterances`` as there are, or as are long enough together, in equal
        parts; without it, each is used to its end before another is."""
        pool, who = self._pool, speaker_key(clips[0])
        allowed = pool.is_other_session(clips)
        if self._scenario.enrollment.source != "other-utterance" and not any(map(allowed, pool.people[who])):
            allowed = pool.unused_parts(clips).__contains__
        chosen: list[Utterance] = []
        found = 0
        for name in self._enrollment_sampler.each(lambda name: allowed(pool[name]), who):
            chosen.append(pool[name])
            found += pool.length(pool[name])
            if found >= num_samples and len(chosen) >= (utterances or 1):
                break
        lengths = [pool.length(clip) for clip in chosen]
        parts = lengths if utterances is None else _shared(lengths, num_samples)
        segments: list[Segment] = []
        filled = 0
        for clip, part in zip(chosen, parts, strict=True):
            kept = min(part, num_samples - filled)
            segments.append(pool.segment(clip, 0, filled, kept))
            filled += kept
        if filled < self._eligible.least_enrollment(num_samples):
            raise RequestError(
                f"{scene_id}: speaker {clips[0].speaker_id} has less than {num_samples / pool.rate:g} s of "
                "other speech for the enrollment; ask for a shorter enrollment.duration_s"
            )
        return segments

    def _samples(self, seconds: float) -> int:
        return audio.seconds_to_samples(seconds, self._pool.rate)


def _shared(lengths: list[int], whole: int) -> list[int]:
    """How much of each clip makes ``whole`` samples, as equal as their lengths allow; all where they have less."""
    parts = dict.fromkeys(range(len(lengths)), 0)
    for done, number in enumerate(sorted(parts, key=lambda number: lengths[number])):
        left = len(lengths) - done
        parts[number] = min(lengths[number], -(-(whole - sum(parts.values())) // left))
    return list(parts.values())
