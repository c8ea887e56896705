"""Target, enrollment and interferers of a training scene, as a function of the seed and the scene's name.

A dataset's plan uses clips evenly, so a scene depends on those before it. Here any step can be drawn on its own,
in any worker and after any interruption. Voices are drawn with the square root of their number of clips, so that
speakers with much speech are drawn more often and speakers with one utterance are not lost.
"""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from pse_bench import rng
from pse_bench.errors import RequestError
from pse_bench.io import audio
from pse_bench.planning.interferers import Eligibility, fill_span, interferer_spans
from pse_bench.planning.scenario import Scenario
from pse_bench.signal import vad
from pse_bench.training.data.clip_store import ClipStore, StoredClip
from pse_bench.training.data.enrollment_pool import EnrollmentPool

Name = tuple[rng.Name, ...]
TRIES = 40
LEAST_ACTIVE_S = 0.4  # a track is drawn again when it holds less speech than this


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
    """Draws targets with their enrollments, and interferers as a scenario says, for scenes of ``chunk`` samples.

    ``allowed`` are the indices of the clips that are used, ``targets`` of those whose voices may be a target's,
    all by default. Raises RequestError where nobody can be a target, or there are fewer than two people."""

    def __init__(
        self,
        store: ClipStore,
        enrollments: EnrollmentPool,
        scenario: Scenario,
        *,
        chunk: int,
        allowed: list[int],
        targets: list[int] | None = None,
    ) -> None:
        targets = allowed if targets is None else targets
        self.scenario, self._enrollments, self._chunk = scenario, enrollments, chunk
        self._rate, self._hop = store.sample_rate, vad.hop_samples(store.sample_rate)
        self._clips = clips = store.clips
        self._voices = _Weighted(clips, allowed)
        # with whom the crops of a clip enroll: those of the same voice
        self._crops = _Weighted(clips, [index for index in targets if index in enrollments.of_clip]).of
        self._targets = _Weighted(clips, [index for index in targets if clips[index].voice in self._crops])
        persons = {clips[index].person for index in allowed}
        if not self._targets.of or len(persons) < 2:
            raise RequestError(
                f"training needs at least two people with enough speech to enroll one, found {len(persons)}; give "
                "more speech or exclude fewer speakers"
            )
        self._spoken = np.concatenate([[0], np.cumsum(store.active)])

    def target(self, seed: int, name: Name) -> tuple[SpeakerTrack, int]:
        """A target's track, and which crop of the pool enrolls it."""
        most, best = 0, None
        for attempt in range(TRIES):
            segment, clip, row = self._candidate(seed, (*name, "target", attempt))
            spoken = self._activity(segment) if segment else 0
            if segment and spoken > most:
                most, best = spoken, (SpeakerTrack(clip, [segment]), row)
            if spoken * vad.HOP_S >= LEAST_ACTIVE_S:
                break
        if best is None:
            raise RequestError("nobody of the training speech can be enrolled and heard; give longer utterances")
        return best

    def embedding(self, crop: int) -> np.ndarray:
        """Of a crop of the pool, float32 of shape (size,)."""
        return np.asarray(self._enrollments.embeddings[crop])

    def _candidate(self, seed: int, name: Name) -> tuple[TrackSegment | None, StoredClip, int]:
        """A stretch of a clip, as long as the scene where it can be, laid anywhere into it, or None where too
        little is left beside the enrollment; the clip, and the row of a crop that enrolls its voice."""
        clips, hop = self._clips, self._hop
        index = self._targets.draw(seed, name)
        clip = clips[index]
        others = [other for other in self._crops[clip.voice] if other != index]
        elsewhere = [other for other in others if clips[other].session != clip.session] or others
        source = rng.choice(elsewhere, seed, *name, "enrollment") if elsewhere else index
        row, crop = rng.choice(self._enrollments.of_clip[source], seed, *name, "crop")
        # beside a crop of its own, the longer part
        sides = (0, crop.start), (crop.start + crop.num_samples, clip.num_samples)
        low, high = (0, clip.num_samples) if elsewhere else max(sides, key=lambda side: side[1] - side[0])
        if high - low < self._samples(LEAST_ACTIVE_S):
            return None, clip, row
        low = -(-low // hop) * hop
        length = min(high - low, self._chunk)
        start = low + hop * rng.integer(0, (high - low - length) // hop, seed, *name, "cut")
        onset = hop * rng.integer(0, (self._chunk - length) // hop, seed, *name, "onset")
        return TrackSegment(clip.start + start, onset, length), clip, row

    def interferers(self, seed: int, name: Name, target: SpeakerTrack) -> list[SpeakerTrack]:
        """The interferers of a scene; one for whom nobody eligible was found is left out."""
        asked = self.scenario.interferer
        tracks: list[SpeakerTrack] = []
        for number in range(asked.count.draw(seed, *name, "interferer", "count")):
            who = (*name, "interferer", number)
            rule = Eligibility(
                speakers={track.clip.person for track in (target, *tracks)},
                sentences={target.clip.sentence} - {""},
                gender=target.clip.gender,
                relation=asked.gender.draw(seed, *who, "gender"),
            )
            overlap = asked.overlap.draw(seed, *who, "overlap")
            spans = interferer_spans(overlap, target.span, self._chunk, rate=self._rate, grid=self._hop)
            span = rng.choice(spans or [(0, self._chunk)], seed, *who, "side")
            tries = (self._filled(span, rule, seed, (*who, attempt)) for attempt in range(TRIES))
            if track := next(filter(None, tries), None):
                tracks.append(track)
        return tracks

    def _filled(self, span: tuple[int, int], rule: Eligibility, seed: int, name: Name) -> SpeakerTrack | None:
        """Clips of one voice that fill a span; None where it is not eligible or says too little."""
        clips, hop, pause_s = self._clips, self._hop, self.scenario.interferer.pause_s

        def accept(clip: StoredClip) -> bool:
            return rule.allows(speaker=clip.person, sentence=clip.sentence, gender=clip.gender)

        first = self._voices.draw(seed, name)
        if not accept(clips[first]):
            return None
        own = self._voices.of[clips[first].voice]
        place = own.index(first)
        filled = fill_span(
            span,
            filter(accept, (clips[index] for index in own[place:] + own[:place])),
            lambda clip: clip.num_samples,
            cut=lambda spare: hop * rng.integer(0, spare // hop, seed, *name, "cut"),
            pause=lambda count: self._samples(pause_s.draw(seed, *name, "pause_s", count - 1)),
            rate=self._rate,
            grid=hop,
        )
        segments = [TrackSegment(clip.start + start, onset, kept) for clip, start, onset, kept in filled]
        spoken = sum(map(self._activity, segments))
        return SpeakerTrack(clips[first], segments) if spoken * vad.HOP_S >= LEAST_ACTIVE_S else None

    def _activity(self, segment: TrackSegment) -> int:
        """How many frames of a segment hold speech."""
        first = segment.first // self._hop
        return int(self._spoken[first + segment.num_samples // self._hop] - self._spoken[first])

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

    def draw(self, seed: int, name: Name) -> int:
        """The index of a clip."""
        voice = int(np.searchsorted(self._upto, rng.unit(seed, *name, "voice"), side="right"))
        return rng.choice(self.of[self._names[voice]], seed, *name, "clip")
