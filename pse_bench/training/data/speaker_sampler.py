"""Target, enrollment and interferers of a training scene, as a function of the seed and the scene's name.

A dataset's plan uses clips evenly, so a scene depends on those before it. Here any step can be drawn on its own,
in any worker and after any interruption. Voices are drawn with the square root of their number of clips, so that
speakers with much speech are drawn more often and speakers with one utterance are not lost.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import numpy as np

from pse_bench import rng
from pse_bench.errors import RequestError
from pse_bench.io import audio
from pse_bench.planning.interferers import Eligibility, fill_span, interferer_spans
from pse_bench.planning.scenario import Scenario
from pse_bench.signal import vad
from pse_bench.training.data.clip_store import ClipStore, StoredClip
from pse_bench.training.data.enrollment_pool import Crop, EnrollmentPool

Name = tuple[rng.Name, ...]
TRIES = 40
LEAST_ACTIVE_S = 0.4
"""A track is drawn again when it holds less speech than this."""


@dataclass(frozen=True)
class TrackSegment:
    """A stretch of the speech array and its onset in the scene. All three are multiples of the activity hop,
    except the length of a segment that ends with its clip."""

    first: int
    onset: int
    num_samples: int


@dataclass(frozen=True)
class SpeakerTrack:
    """What one speaker says in a scene: segments one after the other, all of one voice."""

    clip: StoredClip
    segments: list[TrackSegment]

    @property
    def span(self) -> tuple[int, int]:
        """First sample of the first segment and end of the last."""
        return self.segments[0].onset, self.segments[-1].onset + self.segments[-1].num_samples


class SpeakerSampler:
    """Draws targets with their enrollments, and interferers.

    Args:
        store, enrollments: what is drawn from.
        scenario: its distributions of interferers.
        chunk: length of a scene, in samples.
        people: keys of the speakers who may be used; None means all.
        all_voices: whether voices beside the speakers' own are used.

    Raises:
        RequestError: nobody can be a target, or there are fewer than two people.
    """

    def __init__(
        self,
        store: ClipStore,
        enrollments: EnrollmentPool,
        scenario: Scenario,
        *,
        chunk: int,
        people: set[str] | None = None,
        all_voices: bool = True,
    ) -> None:
        self._clips, self._enrollments, self._scenario, self._chunk = store.clips, enrollments, scenario, chunk
        self._rate = store.sample_rate
        self._hop = vad.hop_samples(self._rate)
        clips = store.clips
        allowed = [
            index
            for index, clip in enumerate(clips)
            if (people is None or clip.person in people) and (all_voices or clip.voice == clip.person)
        ]
        self._voices = _Weighted(clips, allowed)
        # with whom the crops of a clip enroll: those of the same voice
        self._crops: dict[str, list[int]] = {}
        for index in allowed:
            if index in enrollments.of_clip:
                self._crops.setdefault(clips[index].voice, []).append(index)
        self._targets = _Weighted(clips, [index for index in allowed if clips[index].voice in self._crops])
        persons = {clips[index].person for index in allowed}
        if not self._targets or len(persons) < 2:
            raise RequestError(
                f"training needs at least two people with enough speech to enroll one, found {len(persons)}; give "
                "more speech or exclude fewer speakers"
            )
        self._spoken = np.concatenate([[0], np.cumsum(store.active)])

    # ---- the target

    def target(self, seed: int, name: Name) -> tuple[SpeakerTrack, np.ndarray]:
        """A target's track and its embedding, float32 of shape (size,)."""
        best: tuple[int, SpeakerTrack, int] | None = None
        for attempt in range(TRIES):
            what = (*name, "target", attempt)
            index = self._targets.draw(seed, what)
            found = self._enrolled(index, seed, what)
            if found is None:
                continue
            row, (low, high) = found
            segment = self._cut(index, low, high, seed, what)
            spoken = self._activity(segment)
            if best is None or spoken > best[0]:
                best = (spoken, SpeakerTrack(self._clips[index], [segment]), row)
            if spoken * vad.HOP_S >= LEAST_ACTIVE_S:
                break
        if best is None or best[0] == 0:
            raise RequestError("nobody of the training speech can be enrolled and heard; give longer utterances")
        return best[1], np.asarray(self._enrollments.embeddings[best[2]])

    def _enrolled(self, index: int, seed: int, name: Name) -> tuple[int, tuple[int, int]] | None:
        """A crop that enrolls the voice of a clip, and the stretch of the clip that is left to be heard."""
        clips = self._clips
        clip = clips[index]
        others = [other for other in self._crops[clip.voice] if other != index]
        elsewhere = [other for other in others if clips[other].session != clip.session] or others
        source = rng.choice(elsewhere, seed, *name, "enrollment") if elsewhere else index
        row, crop = rng.choice(self._enrollments.of_clip[source], seed, *name, "crop")
        span = (0, clip.num_samples) if elsewhere else _besides(crop, clip.num_samples)
        return (row, span) if span[1] - span[0] >= self._samples(LEAST_ACTIVE_S) else None

    def _cut(self, index: int, low: int, high: int, seed: int, name: Name) -> TrackSegment:
        """A stretch of [low, high) of a clip, as long as the scene where it can be, laid anywhere into it."""
        hop = self._hop
        low = -(-low // hop) * hop
        length = min(high - low, self._chunk)
        start = low + hop * rng.integer(0, (high - low - length) // hop, seed, *name, "cut")
        onset = hop * rng.integer(0, (self._chunk - length) // hop, seed, *name, "onset")
        return TrackSegment(self._clips[index].start + start, onset, length)

    # ---- interferers

    def interferers(self, seed: int, name: Name, target: SpeakerTrack) -> list[SpeakerTrack]:
        """The interferers of a scene; one for whom nobody eligible was found is left out."""
        asked, clips = self._scenario.interferer, self._clips
        tracks: list[SpeakerTrack] = []
        for number in range(asked.count.draw(seed, *name, "interferer", "count")):
            who = (*name, "interferer", number)
            rule = Eligibility(
                speakers={track.clip.person for track in (target, *tracks)},
                sentences={target.clip.sentence} - {""},
                gender=target.clip.gender,
                relation=asked.gender.draw(seed, *who, "gender"),
            )

            def accept(index: int, rule: Eligibility = rule) -> bool:
                clip = clips[index]
                return rule.allows(speaker=clip.person, sentence=clip.sentence, gender=clip.gender)

            overlap = asked.overlap.draw(seed, *who, "overlap")
            spans = interferer_spans(overlap, target.span, self._chunk, rate=self._rate, grid=self._hop)
            span = rng.choice(spans or [(0, self._chunk)], seed, *who, "side")
            track = self._interferer(span, accept, seed, who)
            if track is not None:
                tracks.append(track)
        return tracks

    def _interferer(
        self, span: tuple[int, int], accept: Callable[[int], bool], seed: int, name: Name
    ) -> SpeakerTrack | None:
        """Clips of one voice that fill a span, from the first try that holds enough speech."""
        clips, hop = self._clips, self._hop
        for attempt in range(TRIES):
            what = (*name, attempt)
            first = self._voices.draw(seed, what)
            if not accept(first):
                continue
            own = self._voices.of[clips[first].voice]
            place = own.index(first)
            filled = fill_span(
                span,
                (clips[index] for index in own[place:] + own[:place] if accept(index)),
                lambda clip: clip.num_samples,
                cut=partial(self._cut_of, seed, what),
                pause=partial(self._pause, seed, what),
                rate=self._rate,
                grid=hop,
            )
            segments = [TrackSegment(clip.start + start, onset, kept) for clip, start, onset, kept in filled]
            if sum(map(self._activity, segments)) * vad.HOP_S >= LEAST_ACTIVE_S:
                return SpeakerTrack(clips[first], segments)
        return None

    def _activity(self, segment: TrackSegment) -> int:
        """How many frames of a segment hold speech."""
        first = segment.first // self._hop
        return int(self._spoken[first + segment.num_samples // self._hop] - self._spoken[first])

    def _cut_of(self, seed: int, name: Name, spare: int) -> int:
        """Where a clip is cut that is ``spare`` samples longer than its place."""
        return self._hop * rng.integer(0, spare // self._hop, seed, *name, "cut")

    def _pause(self, seed: int, name: Name, count: int) -> int:
        """Samples of silence after the ``count``-th clip."""
        pause_s = self._scenario.interferer.pause_s.draw(seed, *name, "pause_s", count - 1)
        return self._samples(pause_s)

    def _samples(self, seconds: float) -> int:
        return audio.seconds_to_samples(seconds, self._rate)


class _Weighted:
    """Clips to draw from: a voice by the square root of its number of clips, then one of its clips."""

    def __init__(self, clips: list[StoredClip], indices: list[int]) -> None:
        self.of: dict[str, list[int]] = {}
        for index in indices:
            self.of.setdefault(clips[index].voice, []).append(index)
        self._names = sorted(self.of)
        weights = np.array(list(accumulate(len(self.of[name]) ** 0.5 for name in self._names)))
        self._upto = weights / weights[-1] if len(weights) else weights

    def __bool__(self) -> bool:
        return bool(self.of)

    def draw(self, seed: int, name: Name) -> int:
        """The index of a clip."""
        voice = int(np.searchsorted(self._upto, rng.unit(seed, *name, "voice"), side="right"))
        return rng.choice(self.of[self._names[voice]], seed, *name, "clip")


def _besides(crop: Crop, num_samples: int) -> tuple[int, int]:
    """The longer part of a clip that a crop leaves."""
    before, after = (0, crop.start), (crop.start + crop.num_samples, num_samples)
    return max(before, after, key=lambda side: side[1] - side[0])
