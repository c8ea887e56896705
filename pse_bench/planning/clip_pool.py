"""The clips that scenes are made of, by name, by speaker and by session; and sampling without replacement: each
item is used once before any is used twice."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, cast

from pse_bench import rng
from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.schemas import MeasuredResponse, NoiseClip, Segment, Talker, Utterance


class _Levels:
    """Items by how often they were used, those used least first.

    An item that is used once more is added to the next level; on its old one it stays until a search meets it
    there. A level is sorted when it is searched. So a draw costs the same from a few items and from many.
    """

    def __init__(self, uses: dict[str, int]) -> None:
        self._uses = uses  # of every item, kept by the sampler
        self._piles: dict[int, list[tuple[str, str]]] = defaultdict(list)  # sort key and item, the next one last
        self._unordered: set[int] = set()
        self._items = self._laid = 0

    def lay(self, entry: tuple[str, str]) -> None:
        """Add an item to the level of its present number of uses."""
        level = self._uses[entry[1]]
        self._piles[level].append(entry)
        self._unordered.add(level)
        self._items += level == 0  # once each
        self._laid += 1
        if self._laid > 2 * self._items + 100:
            for number, pile in self._piles.items():  # forget the items that are on a later level
                pile[:] = [one for one in pile if self._uses[one[1]] == number]
            self._laid = sum(map(len, self._piles.values()))

    def first(self, accept: Callable[[str], bool]) -> str | None:
        """The first acceptable item among those used least."""
        for level in sorted(self._piles):
            pile = self._piles[level]
            if level in self._unordered:
                pile.sort(reverse=True)
                self._unordered.remove(level)
            for place in range(len(pile) - 1, -1, -1):
                item = pile[place][1]
                if self._uses[item] != level:
                    del pile[place]
                    self._laid -= 1
                elif accept(item):
                    return item
            if not pile:
                del self._piles[level]
        return None


class BalancedSampler:
    """Draws the items that were used least, in an order that depends on seed and names alone. Every item has a
    group; where ``leading`` ones are given, only these are drawn when no group is asked for."""

    def __init__(
        self, items: Iterable[tuple[str, str]], seed: int, name: str, leading: Collection[str] | None = None
    ) -> None:
        self._seed, self._name = seed, name
        self._group = dict(items)
        self._leading = self._group if leading is None else leading
        self._uses = dict.fromkeys(self._group, 0)
        self._leaders = _Levels(self._uses)
        self._grouped: dict[str, _Levels] = defaultdict(lambda: _Levels(self._uses))
        for item in self._group:
            self._lay(item)

    def _lay(self, item: str) -> None:
        entry = rng.sort_key(self._seed, self._name, self._uses[item], item), item
        self._grouped[self._group[item]].lay(entry)
        if item in self._leading:
            self._leaders.lay(entry)

    def next(self, accept: Callable[[str], bool], group: str | None = None) -> str | None:
        """The first acceptable item among those used least, or None when no item is acceptable."""
        item = (self._leaders if group is None else self._grouped[group]).first(accept)
        if item is not None:
            self._uses[item] += 1
            self._lay(item)
        return item

    def next_of_all(self) -> str:
        """The first of the items that were used least."""
        return cast(str, self.next(lambda _: True))

    def each(self, accept: Callable[[str], bool], group: str, first: str | None = None) -> Iterator[str]:
        """Acceptable items of a group, none twice, each drawn when it is asked for; after ``first``, which was
        drawn already, where one is given."""
        used: set[str] = set()
        item = self.next(accept, group) if first is None else first
        while item is not None:
            used.add(item)
            yield item
            item = self.next(lambda item: item not in used and accept(item), group)


_ID: dict[Any, str] = {Utterance: "utterance_id", NoiseClip: "noise_id", MeasuredResponse: "rir_id"}

Stretch = tuple[Utterance, int, int, int]
"""A clip, the first sample that is used of it, its onset in the scene, and its number of samples there."""


def speaker_key(clip: Utterance | Talker) -> str:
    """The key of who speaks, unique over corpora: ``<corpus>/<speaker_id>``."""
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


class Pool(dict[str, Any]):
    """Clips, or measured responses, by name, ``<corpus>/<id>``, with lengths in samples at the scenes' rate.
    Raises InputError where two different ones have one name."""

    def __init__(self, clips: Iterable[Any], rate: int) -> None:
        super().__init__()
        self.rate = rate
        for clip in clips:
            known = self.setdefault(self.name(clip), clip)
            if known != clip:
                raise InputError(
                    f"corpus {clip.corpus}: {self.name(clip)} stands twice with different contents "
                    f"({known.path} and {clip.path}); remove one from the manifests"
                )

    @staticmethod
    def name(clip: Any) -> str:
        """The name of a clip."""
        return f"{clip.corpus}/{getattr(clip, _ID[type(clip)])}"

    def length(self, clip: Any) -> int:
        """A clip's length in samples at the scenes' rate."""
        if clip.sample_rate == self.rate:  # asked a dozen times a scene
            return clip.num_samples
        start = getattr(clip, "start", 0)
        return self._at_rate(start + clip.num_samples, clip) - self._at_rate(start, clip)

    def segment(self, clip: Any, start: int, onset: int, num_samples: int) -> Segment:
        """A stretch of a clip."""
        start += self._at_rate(getattr(clip, "start", 0), clip)  # only speech is ever listed in parts of a file
        return Segment.of_checked(
            clip_id=getattr(clip, _ID[type(clip)]),
            path=clip.path,
            sha256=clip.sha256,
            start=start,
            num_samples=num_samples,
            onset=onset,
        )

    def _at_rate(self, num_samples: int, clip: Any) -> int:
        return audio.resampled_length(num_samples, clip.sample_rate, self.rate)


class SpeechPool(Pool):
    """Utterances, also by the key of their speaker (``people``)."""

    def __init__(self, clips: Iterable[Utterance], rate: int) -> None:
        super().__init__(clips, rate)
        self.people: dict[str, list[Utterance]] = defaultdict(list)
        self._spoken: dict[str, Counter[str]] = defaultdict(Counter)  # the length of every session of a speaker
        for _, clip in sorted(self.items()):
            self.people[speaker_key(clip)].append(clip)
            self._spoken[speaker_key(clip)][clip.session] += self.length(clip)

    def sampler(self, seed: int, name: str, leading: Collection[str] | None = None) -> BalancedSampler:
        """A sampler of the utterances, grouped by speaker; ``leading`` as in ``BalancedSampler``."""
        return BalancedSampler(((key, speaker_key(clip)) for key, clip in self.items()), seed, name, leading)

    def talker(self, stretches: Sequence[Stretch], overlap: float | None = None) -> Talker:
        """Who says some stretches of one speaker's clips, at no place yet."""
        first = stretches[0][0]
        texts = [clip.text if kept == self.length(clip) else "" for clip, _, _, kept in stretches]
        return Talker.of_checked(
            corpus=first.corpus,
            speaker_id=first.speaker_id,
            gender=first.gender,
            segments=[self.segment(*stretch) for stretch in stretches],
            text=" ".join(texts) if all(texts) else "",
            source=0,
            distance_m=None,
            overlap=overlap,
        )

    def has_sessions(self, clip: Utterance) -> bool:
        """Whether the corpus has this speaker in more than one session."""
        return len(self._spoken[speaker_key(clip)]) > 1

    def same_session(self, clip: Utterance) -> list[Utterance]:
        """The same speaker's other clips; of the same session where the corpus has sessions."""
        every = not self.has_sessions(clip)
        own = self.people[speaker_key(clip)]
        return [other for other in own if other is not clip and (every or other.session == clip.session)]

    def is_other_session(self, used: Sequence[Utterance]) -> Callable[[Utterance], bool]:
        """A test of whether a clip of the same speaker is of another session or, without sessions, not used."""
        if self.has_sessions(used[0]):
            return lambda clip: clip.session != used[0].session
        hashes = {clip.sha256 for clip in used}  # by content: a recording under two names is still the scene's own
        return lambda clip: clip.sha256 not in hashes

    def length_in_other_sessions(self, clip: Utterance) -> int:
        """The length of the same speaker's clips that ``is_other_session`` accepts, in samples."""
        spoken = self._spoken[speaker_key(clip)]
        if len(spoken) > 1:
            return spoken.total() - spoken[clip.session]
        return sum(map(self.length, filter(self.is_other_session([clip]), self.people[speaker_key(clip)])))

    def possible_targets(self, enrollment_s: float) -> int:
        """How many speakers have an utterance beside which enough other speech is left for an enrollment."""
        needed = audio.seconds_to_samples(enrollment_s, self.rate)
        enough = (
            any(self.length_in_other_sessions(clip) >= needed for clip in own) for own in self.people.values()
        )
        return sum(enough)

    def unused_parts(self, used: Sequence[Utterance]) -> list[Utterance]:
        """Unused segments of the recordings that the used clips of a speaker are cut from."""

        def is_free(part: Utterance) -> bool:
            taken = [own for own in used if own.sha256 == part.sha256]
            end = part.start + part.num_samples
            return bool(taken) and all(end <= o.start or o.start + o.num_samples <= part.start for o in taken)

        return list(filter(is_free, self.people[speaker_key(used[0])]))
