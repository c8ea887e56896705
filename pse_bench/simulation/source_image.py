"""A talker's image at the microphone, and its activity there."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.schemas import Segment
from pse_bench.signal import vad
from pse_bench.signal.convolution import convolved
from pse_bench.signal.filters import butterworth, zero_phase
from pse_bench.simulation.rir import RIR

FADE_S = 0.005
"""Every clip is faded in and out over this time, so that a cut does not click."""

RUMBLE_HZ = 65.0
"""Dry speech is heard above this frequency only; voices begin at about 75 Hz."""

Load = Callable[[str, Segment], np.ndarray]
"""Gives a stretch of a corpus's clip at the scene's rate: float64, shape (segment.num_samples,). Nobody
writes to it."""


class SourceImage:
    """A talker's clips, read once: their image at the microphone and its activity."""

    def __init__(self, corpus: str, segments: list[Segment], length: int, rate: int, load: Load) -> None:
        self._segments, self._length, self._rate = segments, length, rate
        self._clips = [load(corpus, segment) for segment in segments]

    def _track(self) -> tuple[np.ndarray, int]:
        """The clips laid into silence, from the first to the last, float64, and the sample that begins with."""
        begin = min(segment.onset for segment in self._segments)
        end = max(segment.onset + segment.num_samples for segment in self._segments)
        clips = (fade(highpass_speech(clip, self._rate), self._rate) for clip in self._clips)
        if len(self._segments) == 1:
            return next(clips), begin
        track = np.zeros(end - begin)
        for segment, clip in zip(self._segments, clips, strict=True):
            first = segment.onset - begin
            track[first : first + segment.num_samples] = clip
        return track, begin

    def dry(self) -> np.ndarray:
        """The clips laid into silence, float64, shape (length,)."""
        return _within(*self._track(), self._length)

    def convolve(self, response: RIR, samples: list[np.ndarray]) -> list[np.ndarray]:
        """The clips at the microphone, once for each of some parts of a response: float64, shape (length,)."""
        track, begin = self._track()
        return [_within(image, begin - response.pre_delay, self._length) for image in convolved(track, samples)]

    def through(self, response: RIR) -> tuple[np.ndarray, np.ndarray]:
        """The clips at the microphone, and their activity there."""
        return self.convolve(response, [response.samples])[0], self.active(response.direct_path)

    def active(self, delay: int) -> np.ndarray:
        """Frame labels at the microphone: of the dry clips, later by the direct sound's delay."""
        hop = vad.hop_samples(self._rate)
        labels = np.zeros(-(-self._length // hop), dtype=bool)
        for segment, clip in zip(self._segments, self._clips, strict=True):
            first, offset = divmod(segment.onset + delay, hop)
            # silence in front puts the clip onto the scene's grid
            own = vad.speech_activity(clip, self._rate, silence=offset)[: max(0, len(labels) - first)]
            labels[first : first + len(own)] |= own
        if not labels.any():
            raise InputError(
                f"{self._segments[0].path}: no speech found in it; remove {self._segments[0].clip_id} from the "
                "manifest and plan again"
            )
        return labels


def _within(sound: np.ndarray, begin: int, length: int) -> np.ndarray:
    """A sound that begins at some sample, which may be before the first, in silence of a length."""
    placed = np.zeros(length)
    sound = sound[max(0, -begin) : length - begin]
    placed[max(0, begin) : max(0, begin) + len(sound)] = sound
    return placed


def highpass_speech(speech: np.ndarray, rate: int) -> np.ndarray:
    """Speech without what lies below every voice. Hum and rumble of a recording would otherwise count into its
    level, by up to 10 dB in read corpora, and remain where the talker pauses."""
    padding = min(3 * rate // int(RUMBLE_HZ), len(speech) - 1)
    return zero_phase(butterworth(RUMBLE_HZ, "highpass", rate), speech, padding)


def fade(samples: np.ndarray, rate: int) -> np.ndarray:
    """Samples of a clip, faded in and out in place."""
    count = min(audio.seconds_to_samples(FADE_S, rate), len(samples) // 2)
    ramp = _ramp(count)
    samples[:count] *= ramp
    samples[len(samples) - count :] *= ramp[::-1]
    return samples


@lru_cache(maxsize=8)
def _ramp(count: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / count)
