"""The clips that scenes are made of, by name, by speaker and by session."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import Any

from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.planning.balanced_sampler import BalancedSampler
from pse_bench.schemas import NoiseClip, Segment, Utterance


def speaker_key(clip: Utterance) -> str:
    """The key of a clip's speaker, unique over corpora: ``<corpus>/<speaker_id>``."""
    return f"{clip.corpus}/{clip.speaker_id}"


_ASCII_WORDS = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "'")}


def normalise_sentence(text: str) -> str:
    """A sentence without case and punctuation, to tell whether two are the same."""
    text = text.casefold()
    if text.isascii():
        kept = text.translate(_ASCII_WORDS)
    else:
        kept = "".join(c if c.isalnum() or c == "'" else " " for c in text)
    return " ".join(kept.split())


class Pool:
    """Clips by name, ``<corpus>/<id>``, with lengths in samples at the scenes' rate.

    Raises:
        InputError: two different clips have one name.
    """

    def __init__(self, clips: Iterable[Any], rate: int) -> None:
        self.rate = rate
        self._clips: dict[str, Any] = {}
        for clip in clips:
            known = self._clips.setdefault(self.name(clip), clip)
            if known != clip:
                raise InputError(
                    f"corpus {clip.corpus}: {self.name(clip)} stands twice with different contents "
                    f"({known.path} and {clip.path}); remove one from the manifests"
                )

    @staticmethod
    def name(clip: Any) -> str:
        """The name of a clip."""
        return f"{clip.corpus}/{clip_id(clip)}"

    def __getitem__(self, name: str) -> Any:
        return self._clips[name]

    def __iter__(self) -> Any:
        return iter(self._clips.values())

    def __len__(self) -> int:
        return len(self._clips)

    def names(self) -> Iterable[str]:
        """All names."""
        return self._clips.keys()

    def length(self, clip: Any) -> int:
        """A clip's length in samples at the scenes' rate."""
        if clip.sample_rate == self.rate:  # asked a dozen times a scene
            return clip.num_samples
        start = _start(clip)
        return self._at_rate(start + clip.num_samples, clip) - self._at_rate(start, clip)

    def material(self, clips: Iterable[Any]) -> int:
        """The length of several clips together."""
        return sum(map(self.length, clips))

    def segment(self, clip: Any, *, onset: int = 0, start: int = 0, num_samples: int | None = None) -> Segment:
        """A stretch of a clip, all of it unless said, laid into a track at ``onset``."""
        return Segment(
            clip_id=clip_id(clip),
            path=clip.path,
            sha256=clip.sha256,
            start=self._at_rate(_start(clip), clip) + start,
            num_samples=self.length(clip) if num_samples is None else num_samples,
            onset=onset,
        )

    def _at_rate(self, num_samples: int, clip: Any) -> int:
        return audio.resampled_length(num_samples, clip.sample_rate, self.rate)


class SpeechPool(Pool):
    """Utterances, also by the key of their speaker."""

    def __init__(self, clips: Iterable[Utterance], rate: int) -> None:
        super().__init__(clips, rate)
        self.people: dict[str, list[Utterance]] = defaultdict(list)
        for name in sorted(self.names()):
            self.people[speaker_key(self[name])].append(self[name])
        self._spoken: dict[str, dict[str, int]] = {}
        """Of each speaker, the length of every session."""
        for who, own in self.people.items():
            spoken = self._spoken[who] = defaultdict(int)
            for clip in own:
                spoken[clip.session] += self.length(clip)

    def sampler(self, seed: int, name: str, leading: Collection[str] | None = None) -> BalancedSampler:
        """A sampler of the utterances, grouped by speaker; ``leading`` as in ``BalancedSampler``."""
        return BalancedSampler(((key, speaker_key(self[key])) for key in self.names()), seed, name, leading)

    def same_session(self, clip: Utterance) -> list[Utterance]:
        """The same speaker's other clips; of the same session where the corpus has sessions."""
        own = [other for other in self.people[speaker_key(clip)] if other is not clip]
        if self.has_sessions(clip):
            return [other for other in own if other.session == clip.session]
        return own

    def other_sessions(self, clip: Utterance, used: list[Utterance]) -> list[Utterance]:
        """The same speaker's clips of other sessions or, without sessions, the clips that are not used."""
        own = self.people[speaker_key(clip)]
        if self.has_sessions(clip):
            return [other for other in own if other.session != clip.session]
        # by content: one recording under two names is still the scene's own
        hashes = {clip.sha256, *(other.sha256 for other in used)}
        return [other for other in own if other.sha256 not in hashes]

    def is_other_session(self, clip: Utterance, used: list[Utterance]) -> Callable[[str], bool]:
        """A test of whether a clip of the same speaker, by its name, is one of ``other_sessions``."""
        if self.has_sessions(clip):
            return lambda name: self[name].session != clip.session
        hashes = {clip.sha256, *(other.sha256 for other in used)}
        return lambda name: self[name].sha256 not in hashes

    def length_in_other_sessions(self, clip: Utterance) -> int:
        """The length of the same speaker's ``other_sessions``, in samples."""
        spoken = self._spoken[speaker_key(clip)]
        if self.has_sessions(clip):
            return sum(spoken.values()) - spoken[clip.session]
        return self.material(self.other_sessions(clip, []))

    def unused_parts(self, clip: Utterance, used: list[Utterance]) -> list[Utterance]:
        """Unused segments of the recordings that the used clips of a speaker are cut from."""
        taken = [clip, *used]

        def free(other: Utterance) -> bool:
            return not any(other.sha256 == own.sha256 and _overlap(other, own) for own in taken)

        recordings = {own.sha256 for own in taken}
        return [other for other in self.people[speaker_key(clip)] if other.sha256 in recordings and free(other)]

    def has_sessions(self, clip: Utterance) -> bool:
        """Whether the corpus has this speaker in more than one session."""
        return len(self._spoken[speaker_key(clip)]) > 1


class NoisePool(Pool):
    """Clips of noise."""

    def sampler(self, seed: int) -> BalancedSampler:
        """A sampler of the clips."""
        return BalancedSampler(((key, "") for key in self.names()), seed, "noise")

    def categories(self) -> set[str]:
        """The categories there are."""
        return {clip.category for clip in self}


def _start(clip: Any) -> int:
    """Where a clip begins in its file; only speech is ever listed in parts."""
    return clip.start if isinstance(clip, Utterance) else 0


def _overlap(one: Utterance, other: Utterance) -> bool:
    return one.start < other.start + other.num_samples and other.start < one.start + one.num_samples


def clip_id(clip: Utterance | NoiseClip) -> str:
    """A clip's name in its corpus."""
    return clip.noise_id if isinstance(clip, NoiseClip) else clip.utterance_id
