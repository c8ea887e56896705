"""The target of a scene: its speaker, its clips, and the enrollment clips."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from pse_bench import rng
from pse_bench.errors import RequestError
from pse_bench.io import audio
from pse_bench.planning.balanced_sampler import BalancedSampler
from pse_bench.planning.clip_pool import SpeechPool, speaker_key
from pse_bench.planning.scenario import Scenario
from pse_bench.schemas import Segment, Utterance

Name = tuple[rng.Name, ...]


@dataclass(frozen=True)
class TargetTrack:
    """The target's clips in a scene of ``num_samples``, and their segments. ``text`` is empty where a clip was
    cut."""

    clips: list[Utterance]
    segments: list[Segment]
    text: str
    num_samples: int

    @property
    def span(self) -> tuple[int, int]:
        """First sample of the first segment and end of the last."""
        last = self.segments[-1]
        return self.segments[0].onset, last.onset + last.num_samples


class TargetSampler:
    """Draws target utterances, evenly over all that can be used or over their speakers.

    A clip can be used when it fits the longest scene, with other clips where a target has several, and its speaker
    has enough other speech for the longest enrollment, or for ``enrollment.shortest_s``. ``notes`` holds how many
    speakers are left out and why.

    Raises:
        RequestError: nobody can be a target.
    """

    def __init__(self, scenario: Scenario, pool: SpeechPool, seed: int) -> None:
        self._scenario, self._pool, self._seed = scenario, pool, seed
        self._longest = self._samples(scenario.duration_s.largest)
        self.notes: list[str] = []
        self.names = self._eligible()
        if not self.names:
            raise RequestError(
                f"scenario {scenario.name}: no speaker of the speech manifest can be a target "
                f"({'; '.join(self.notes) or 'the manifest is empty'}); give more speech, a shorter "
                "enrollment.duration_s or a longer duration_s"
            )
        self._sampler = pool.sampler(seed, "target", leading=self.names)
        self._enrollment_sampler = pool.sampler(seed, "enrollment", leading=())
        people = {speaker_key(pool[name]) for name in self.names}
        self._speakers = BalancedSampler(((who, "") for who in people), seed, "target speaker")

    # ---- who may be a target

    def _eligible(self) -> set[str]:
        reasons: Counter[str] = Counter()
        eligible = set()
        for own in self._pool.people.values():
            found = {self._pool.name(clip): self._obstacle(clip) for clip in own}
            usable = {name for name, obstacle in found.items() if not obstacle}
            eligible |= usable
            if not usable:
                reasons[next(iter(found.values()))] += 1
        for reason, count in sorted(reasons.items()):
            self.notes.append(f"{count} of {len(self._pool.people)} speakers are never targets: {reason}")
        return eligible

    def _obstacle(self, clip: Utterance) -> str:
        """Why a track cannot begin with a clip; '' when it can."""
        target, pool = self._scenario.target, self._pool
        if pool.length(clip) < self._samples(target.shortest_s):
            return "utterances shorter than target.shortest_s"
        count = int(target.utterances.largest)
        mates = sorted(pool.length(other) for other in pool.same_session(clip)) if count > 1 else []
        used_up = 0 if pool.has_sessions(clip) or count == 1 else sum(mates[-(count - 1) :])
        other_speech = pool.length_in_other_sessions(clip)
        if not other_speech and self._scenario.enrollment.source != "other-utterance":
            other_speech = pool.material(pool.unused_parts(clip, []))
        other_speech -= used_up
        if other_speech < self._least_enrollment(self._samples(self._scenario.enrollment.duration_s.largest)):
            return "too little other speech for the enrollment"
        pauses = (count - 1) * self._samples(target.pause_s.largest)
        length = pool.length(clip) + sum(mates[: count - 1]) + pauses
        if target.clip == "whole" and (len(mates) < count - 1 or length > self._longest):
            return "utterances too long or too few for the scene"
        return ""

    def _least_enrollment(self, num_samples: int) -> int:
        """The shortest enrollment that is accepted where ``num_samples`` are asked for."""
        shortest_s = self._scenario.enrollment.shortest_s
        return num_samples if shortest_s is None else min(num_samples, self._samples(shortest_s))

    def _first_clip(self) -> Utterance:
        """The clip that the next scene begins with."""
        who = None
        if self._scenario.target.deal == "speakers":
            who = self._speakers.next_of_all()
        return self._pool[cast(str, self._sampler.next(self.names.__contains__, who))]

    # ---- the track

    def track(self, name: Name, scene_id: str) -> TargetTrack:
        """The next scene's target track."""
        track = self._whole(name, scene_id) if self._scenario.target.clip == "whole" else self._cut(name)
        free = track.num_samples - track.span[1]
        shift = rng.integer(0, free, self._seed, *name, "target", "onset")
        moved = [segment.model_copy(update={"onset": segment.onset + shift}) for segment in track.segments]
        return replace(track, segments=moved)

    def _cut(self, name: Name) -> TargetTrack:
        """One clip, cut to a scene of the drawn length where it is longer."""
        clip = self._first_clip()
        num_samples = self._samples(self._scenario.duration_s.draw(self._seed, *name, "duration_s"))
        length = self._pool.length(clip)
        kept = min(length, num_samples)
        start = rng.integer(0, length - kept, self._seed, *name, "target", "cut")
        segment = self._pool.segment(clip, start=start, num_samples=kept)
        return TargetTrack([clip], [segment], clip.text if kept == length else "", num_samples)

    def _whole(self, name: Name, scene_id: str) -> TargetTrack:
        """Whole clips with pauses between them, in a scene that is drawn to hold them."""
        target, pool = self._scenario.target, self._pool
        first = self._first_clip()
        clips, segments, length = [first], [pool.segment(first)], pool.length(first)
        count = target.utterances.draw(self._seed, *name, "target", "utterances")
        for number in range(1, count):
            pause = self._samples(target.pause_s.draw(self._seed, *name, "target", "pause_s", number))
            clip = self._next_clip(clips, length + pause, count - number - 1)
            if clip is None:
                raise RequestError(
                    f"{scene_id}: speaker {first.speaker_id} has no utterance that fits beside "
                    f"{first.utterance_id} in {self._scenario.duration_s.largest:g} s; ask for a longer "
                    "duration_s or fewer target.utterances"
                )
            clips.append(clip)
            segments.append(pool.segment(clip, onset=length + pause))
            length += pause + pool.length(clip)
        # whole milliseconds, unless the longest scene itself ends between two of them
        least_s = min(math.ceil(length / pool.rate * 1000) / 1000, self._scenario.duration_s.largest)
        duration_s = self._scenario.duration_s.draw_at_least(least_s, self._seed, *name, "duration_s")
        text = " ".join(clip.text for clip in clips) if all(clip.text for clip in clips) else ""
        return TargetTrack(clips, segments, text, self._samples(duration_s))

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

    # ---- the enrollment

    def enrollment(self, track: TargetTrack, num_samples: int, scene_id: str) -> list[Segment]:
        """Other speech of the target, one clip after the other, cut at ``num_samples``; less of it where the
        scenario puts up with that. Other utterances or, where there are none and the scenario allows it, the rest
        of the same one."""
        pool, first = self._pool, track.clips[0]
        allowed = pool.is_other_session(first, track.clips)
        segments: list[Segment] = []
        used: set[str] = set()
        filled = 0
        while filled < num_samples:

            def fits(key: str, allowed: Callable[[str], bool] = allowed) -> bool:
                return key not in used and allowed(key)

            name = self._enrollment_sampler.next(fits, speaker_key(first))
            if name is None and not used and self._scenario.enrollment.source != "other-utterance":
                rest = {pool.name(clip) for clip in pool.unused_parts(first, track.clips)}
                allowed = rest.__contains__
                name = self._enrollment_sampler.next(allowed, speaker_key(first))
            if name is None and filled >= self._least_enrollment(num_samples):
                break
            if name is None:
                raise RequestError(
                    f"{scene_id}: speaker {first.speaker_id} has less than {num_samples / pool.rate:g} s of "
                    "other speech for the enrollment; ask for a shorter enrollment.duration_s"
                )
            used.add(name)
            kept = min(pool.length(pool[name]), num_samples - filled)
            segments.append(pool.segment(pool[name], onset=filled, num_samples=kept))
            filled += kept
        return segments

    def _samples(self, seconds: float) -> int:
        return audio.seconds_to_samples(seconds, self._pool.rate)
