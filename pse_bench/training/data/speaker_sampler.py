"""Who is in a training scene: every draw is a function of the seed and the scene's name, nothing is remembered.

A dataset's plan deals clips evenly, so a scene depends on those before it. Here any step can be drawn on its own,
in any worker and after any interruption. Voices are drawn with the square root of their number of clips, so that
people who speak much are heard more often and people who speak once are not lost.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from pse_bench import rng
from pse_bench.errors import RequestError
from pse_bench.io import audio
from pse_bench.planning.scenario import Scenario
from pse_bench.signal import vad
from pse_bench.training.data.clip_store import ClipStore, StoredClip
from pse_bench.training.data.enrollment_pool import Crop, EnrollmentPool

Name = tuple[rng.Name, ...]
TRIES = 40
LEAST_ACTIVE_S = 0.4
"""A part is drawn again when it holds less speech than this."""
SHORTEST_PIECE_S = 0.25


@dataclass(frozen=True)
class TrackSegment:
    """A stretch of the speech array laid into a scene. All three are multiples of the activity hop, but for the
    length of a piece that ends with its clip."""

    first: int
    onset: int
    num_samples: int


@dataclass(frozen=True)
class SpeakerTrack:
    """One person's part: pieces one after the other, all of one voice."""

    clip: StoredClip
    pieces: list[TrackSegment]


class SpeakerSampler:
    """Draws targets with their enrollments, and interferers.

    Args:
        people: who may be heard (persons of the material); None means everybody.
        all_voices: whether voices beside the people's own take part.

    Raises:
        RequestError: nobody can be a target, or there are fewer than two people.
    """

    def __init__(
        self,
        material: ClipStore,
        enrollments: EnrollmentPool,
        scenario: Scenario,
        *,
        chunk: int,
        people: set[str] | None = None,
        all_voices: bool = True,
    ) -> None:
        self._material, self._enrollments, self._scenario, self._chunk = material, enrollments, scenario, chunk
        self._rate = material.sample_rate
        self._hop = vad.hop_samples(self._rate)
        clips = material.clips
        heard = [
            index
            for index, clip in enumerate(clips)
            if (people is None or clip.person in people) and (all_voices or clip.voice == clip.person)
        ]
        self._voices = _Weighted(clips, heard)
        # with whom the crops of a clip enroll: those of the same voice
        self._crops: dict[str, list[int]] = {}
        for index in heard:
            if index in enrollments.of_clip:
                self._crops.setdefault(clips[index].voice, []).append(index)
        self._targets = _Weighted(clips, [index for index in heard if clips[index].voice in self._crops])
        persons = {clips[index].person for index in heard}
        if not self._targets or len(persons) < 2:
            raise RequestError(
                f"training needs at least two people with enough speech to enroll one, found {len(persons)}; give "
                "more speech or exclude fewer speakers"
            )
        self._spoken = np.concatenate([[0], np.cumsum(material.active)])

    # ---- the target

    def target(self, seed: int, name: Name) -> tuple[SpeakerTrack, np.ndarray]:
        """A target's part and its embedding, float32 of shape (size,)."""
        best: tuple[int, SpeakerTrack, int] | None = None
        for attempt in range(TRIES):
            what = (*name, "target", attempt)
            index = self._targets.draw(seed, what)
            found = self._enrolled(index, seed, what)
            if found is None:
                continue
            row, (low, high) = found
            piece = self._cut(index, low, high, seed, what)
            spoken = self._activity(piece)
            if best is None or spoken > best[0]:
                best = (spoken, SpeakerTrack(self._material.clips[index], [piece]), row)
            if spoken * vad.HOP_S >= LEAST_ACTIVE_S:
                break
        if best is None or best[0] == 0:
            raise RequestError("nobody of the training speech can be enrolled and heard; give longer utterances")
        return best[1], np.asarray(self._enrollments.embeddings[best[2]])

    def _enrolled(self, index: int, seed: int, name: Name) -> tuple[int, tuple[int, int]] | None:
        """A crop that enrolls the voice of a clip, and the stretch of the clip that is left to be heard."""
        clips = self._material.clips
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
        return TrackSegment(self._material.clips[index].start + start, onset, length)

    # ---- interferers

    def interferers(self, seed: int, name: Name, target: SpeakerTrack) -> list[SpeakerTrack]:
        """The people who disturb a scene: none is the target's person, none says the target's sentence."""
        asked, clips = self._scenario.interferer, self._material.clips
        roles: list[SpeakerTrack] = []
        for number in range(asked.count.draw(seed, *name, "interferer", "count")):
            who = (*name, "interferer", number)
            relation = asked.gender.draw(seed, *who, "gender")
            taken = {role.clip.person for role in (target, *roles)}

            def accept(index: int, taken: set[str] = taken, relation: str = relation) -> bool:
                clip = clips[index]
                same = clip.gender == target.clip.gender
                fits = relation == "any" or same == (relation == "same")
                return clip.person not in taken and fits and self._says_else(clip, target.clip)

            span = self._span(target.pieces, seed, who)
            role = self._talker(span, accept, seed, who)
            if role is not None:
                roles.append(role)
        return roles

    def _says_else(self, clip: StoredClip, other: StoredClip) -> bool:
        return not clip.sentence or clip.sentence != other.sentence

    def _span(self, pieces: list[TrackSegment], seed: int, name: Name) -> tuple[int, int]:
        """When an interferer may talk, as in a plan: its share of the target's time, and all before or after."""
        overlap = self._scenario.interferer.overlap.draw(seed, *name, "overlap")
        if overlap == 1:
            return 0, self._chunk
        begin, end = pieces[0].onset, pieces[-1].onset + pieces[-1].num_samples
        covered = round(overlap * (end - begin))
        hop = self._hop
        before, after = (0, begin + covered), ((end - covered) // hop * hop, self._chunk)
        sides = [side for side in (before, after) if side[1] - side[0] >= self._rate]
        return rng.choice(sides, seed, *name, "side") if sides else (0, self._chunk)

    def _talker(
        self, span: tuple[int, int], accept: Callable[[int], bool], seed: int, name: Name
    ) -> SpeakerTrack | None:
        clips, hop = self._material.clips, self._hop
        for attempt in range(TRIES):
            what = (*name, attempt)
            index = self._voices.draw(seed, what)
            if not accept(index):
                continue
            (onset, stop), pieces = span, []
            own = self._voices.of[clips[index].voice]
            order = own[own.index(index) :] + own[: own.index(index)]
            for number, current in enumerate(order):
                clip = clips[current]
                if not accept(current):
                    continue
                length = min(clip.num_samples, stop - onset)
                cut = 0 if pieces else hop * rng.integer(0, (clip.num_samples - length) // hop, seed, *what, "cut")
                pieces.append(TrackSegment(clip.start + cut, onset, length))
                pause = self._samples(self._scenario.interferer.pause_s.draw(seed, *what, "pause_s", number))
                onset = -(-(onset + length + pause) // hop) * hop
                if stop - onset < self._samples(SHORTEST_PIECE_S):
                    break
            if sum(map(self._activity, pieces)) * vad.HOP_S >= LEAST_ACTIVE_S:
                return SpeakerTrack(clips[index], pieces)
        return None

    def _activity(self, piece: TrackSegment) -> int:
        """How many frames of a piece hold speech."""
        first = piece.first // self._hop
        return int(self._spoken[first + piece.num_samples // self._hop] - self._spoken[first])

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
