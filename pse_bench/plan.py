"""From manifests, a scenario and a seed to fully drawn recipes. All chance of a dataset lives here.

Recipe k depends on the seed, the names of things and the recipes before it (clips are dealt evenly), never on
the number of scenes asked for, the order of the manifests' rows or the machine.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pse_bench import audio, draws
from pse_bench.decks import Deck
from pse_bench.errors import InputError, RequestError
from pse_bench.files import parse, parse_json, read_text, replacing, sha256_of_text
from pse_bench.placing import Places
from pse_bench.records import (
    SCHEMA,
    Enrollment,
    MeasuredResponse,
    Noise,
    NoiseClip,
    Recipe,
    Segment,
    Talker,
    Utterance,
)
from pse_bench.scenario import Scenario, parse_scenario

SHORTEST_INTERFERER_S = 1.0
SHORTEST_PIECE_S = 0.25


class Planner:
    """Draws recipes one after the other.

    Args:
        scenario: the distributions.
        speech: clips that targets, and interferers unless given apart, are taken from.
        noise: clips of noise.
        rirs: measured responses; needed when the scenario's engine may be ``measured``.
        seed: any whole number.
        interferer_speech: clips of people who are only interferers.

    Raises:
        RequestError: the manifests cannot give what the scenario asks for.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        speech: list[Utterance],
        noise: list[NoiseClip],
        rirs: Iterable[MeasuredResponse] = (),
        seed: int,
        interferer_speech: list[Utterance] | None = None,
    ) -> None:
        self.scenario, self.seed, self.rate = scenario, seed, scenario.sample_rate
        self.notes: list[str] = []
        others = speech if interferer_speech is None else interferer_speech
        self._clips = _by_id([*speech, *(others if others is not speech else [])], "utterance_id")
        self._noises = _by_id(noise, "noise_id")
        self._people = _people(speech)
        self._interferer_people = _people(others)
        self._targets = self._eligible_targets()
        self._check_pools()
        self._target_deck = self._deck(speech, "target")
        self._enrollment_deck = self._deck(speech, "enrollment")
        self._interferer_deck = self._deck(others, "interferer")
        self._noise_deck = Deck(((key, "") for key in self._noises), seed, "noise")
        self._places = Places(scenario, list(rirs), seed)

    def recipe(self, index: int) -> Recipe:
        """The next recipe; scenes are drawn in order from 0."""
        scenario, name = self.scenario, ("scene", index)
        scene_id = f"s{index:06d}"
        labels = self._labels(name)
        target_clips, segments, length = self._target_track(name, scene_id)
        if scenario.target.clip == "whole":
            bound = math.ceil(length / self.rate * 1000) / 1000
            duration_s = scenario.duration_s.draw_at_least(bound, self.seed, *name, "duration_s")
            num_samples = audio.seconds_to_samples(duration_s, self.rate)
        else:
            num_samples = self._seconds(scenario.duration_s.draw(self.seed, *name, "duration_s"))
            segments = [self._cut(segments[0], num_samples, *name, "target", "cut")]
            length = segments[0].num_samples
        shift = draws.integer(0, num_samples - length, self.seed, *name, "target", "onset")
        segments = [part.model_copy(update={"onset": part.onset + shift}) for part in segments]
        person = target_clips[0]
        whole = scenario.target.clip == "whole" or length == self._length(person)
        interferers = self._interferers(name, scene_id, target_clips, segments, num_samples, labels)
        room, sources = self._places.draw(index, len(interferers))
        noise = self._noise(num_samples, (*name, "noise"), scene_id)
        distances = [distance for _, distance in sources]
        return Recipe(
            scene_id=scene_id,
            sample_rate=self.rate,
            num_samples=num_samples,
            scenarios=labels,
            target=Talker(
                corpus=person.corpus,
                speaker_id=person.speaker_id,
                gender=person.gender,
                segments=segments,
                text=" ".join(clip.text for clip in target_clips) if whole else "",
                source=sources[0][0],
                distance_m=distances[0],
                overlap=None,
            ),
            level_dbfs=scenario.target.level_dbfs.draw(self.seed, *name, "level_dbfs"),
            interferers=[
                talker.model_copy(update={"source": source, "distance_m": distance})
                for talker, (source, distance) in zip(interferers, sources[1:], strict=True)
            ],
            sir_db=scenario.interferer.sir_db.draw(self.seed, *name, "sir_db") if interferers else None,
            noise=noise,
            snr_db=scenario.noise.snr_db.draw(self.seed, *name, "snr_db"),
            room=room,
            enrollment=self._enrollment(name, scene_id, target_clips, noise),
        )

    # ---- who may be a target

    def _eligible_targets(self) -> set[str]:
        """Names of the clips that a target track may begin with."""
        scenario = self.scenario
        longest = self._seconds(scenario.duration_s.largest)
        need = self._seconds(scenario.enrollment.duration_s.largest)
        count = int(scenario.target.utterances.largest)
        pause = self._seconds(scenario.target.pause_s.largest)
        reasons: Counter[str] = Counter()
        eligible = set()
        for clips in self._people.values():
            found = False
            for clip in clips:
                mates = self._mates(clip)
                if self._material(self._elsewhere(clip, [])) - self._enrollment_loss(clip, count) < need:
                    reason = "too little other speech for the enrollment"
                elif scenario.target.clip == "segment":
                    reason = ""
                elif len(mates) < count - 1 or (
                    self._length(clip) + sum(mates[: count - 1]) + (count - 1) * pause > longest
                ):
                    reason = "utterances too long or too few for the scene"
                else:
                    reason = ""
                if not reason:
                    eligible.add(_key(clip, "utterance_id"))
                    found = True
            if not found:
                reasons[reason] += 1
        for reason, speakers in sorted(reasons.items()):
            self.notes.append(f"{speakers} of {len(self._people)} speakers are never targets: {reason}")
        return eligible

    def _mates(self, clip: Utterance) -> list[int]:
        """Lengths of what else the target may say in a scene that begins with ``clip``, shortest first."""
        return sorted(self._length(other) for other in self._companions(clip))

    def _companions(self, clip: Utterance) -> list[Utterance]:
        """The same person's other clips, of the same session so that the enrollment can be of another."""
        return [
            other
            for other in self._people[_person(clip)]
            if other is not clip and (other.session == clip.session or not self._has_sessions(clip))
        ]

    def _has_sessions(self, clip: Utterance) -> bool:
        return len({other.session for other in self._people[_person(clip)]}) > 1

    def _elsewhere(self, clip: Utterance, used: list[Utterance]) -> list[Utterance]:
        """What an enrollment may be taken from: another session where there is one, else other clips."""
        people = self._people[_person(clip)]
        if self._has_sessions(clip):
            return [other for other in people if other.session != clip.session]
        return [other for other in people if other is not clip and other not in used]

    def _enrollment_loss(self, clip: Utterance, count: int) -> int:
        """How much of the enrollment's material a scene may use up itself, at most."""
        if self._has_sessions(clip) or count == 1:
            return 0
        return sum(self._mates(clip)[-(count - 1) :])

    def _material(self, clips: Iterable[Utterance]) -> int:
        return sum(self._length(clip) for clip in clips)

    def _check_pools(self) -> None:
        scenario = self.scenario
        if not self._targets:
            raise RequestError(
                f"scenario {scenario.name}: no speaker of the speech manifest can be a target "
                f"({'; '.join(self.notes) or 'the manifest is empty'}); give more speech, a shorter "
                "enrollment.duration_s or a longer duration_s"
            )
        if scenario.scenarios != ["TS1"]:
            least = int(scenario.interferer.count.largest)
            others = set(self._interferer_people) - {_person(self._clips[key]) for key in self._targets}
            available = max(len(self._interferer_people) - 1, len(others))
            if available < least:
                raise RequestError(
                    f"scenario {scenario.name}: {least} interferers beside the target need more speakers, "
                    f"found {len(self._interferer_people)} in the speech manifest; give more speakers"
                )
        relation = set(scenario.interferer.gender.options) - {"any"}
        if relation and any(not clip.gender for clip in self._clips.values()):
            clip = next(clip for clip in self._clips.values() if not clip.gender)
            raise RequestError(
                f"scenario {scenario.name}: interferer.gender asks for a relation, but the gender of speaker "
                f"{clip.speaker_id} of {clip.corpus} is not known; fill in the manifest's gender column"
            )
        if scenario.noise.categories:
            known = {clip.category for clip in self._noises.values()}
            if missing := sorted(set(scenario.noise.categories) - known):
                raise RequestError(
                    f"scenario {scenario.name}: noise category {missing[0]!r} is not in the noise manifest; "
                    f"it has {', '.join(sorted(known))}"
                )

    # ---- one scene

    def _labels(self, name: tuple[draws.Name, ...]) -> list[str]:
        shares = self.scenario.shares
        if shares is None:
            return list(self.scenario.scenarios)
        remaining = draws.unit(self.seed, *name, "scenario")
        for label in self.scenario.scenarios:
            remaining -= shares[label]
            if remaining < 0:
                return [label]
        return [max(shares, key=shares.__getitem__)]

    def _target_track(
        self, name: tuple[draws.Name, ...], scene_id: str
    ) -> tuple[list[Utterance], list[Segment], int]:
        """The target's clips, where they stand relative to the first, and the length of it all."""
        target = self.scenario.target
        first = self._clips[self._target_deck.deal(self._targets.__contains__)]
        clips, segments = [first], [self._segment(first, 0)]
        length = self._length(first)
        count = target.utterances.draw(self.seed, *name, "target", "utterances")
        longest = self._seconds(self.scenario.duration_s.largest)
        pause_max = self._seconds(target.pause_s.largest)
        for number in range(1, count):
            pause = self._seconds(target.pause_s.draw(self.seed, *name, "target", "pause_s", number))
            left = count - number - 1  # clips still to come after this one
            pool = [clip for clip in self._companions(first) if clip not in clips]

            def fits(key: str, length: int = length, pause: int = pause, left: int = left, pool: Any = pool):
                clip = self._clips[key]
                if clip not in pool:
                    return False
                rest = sorted(self._length(other) for other in pool if other is not clip)[:left]
                total = length + pause + self._length(clip) + sum(rest) + left * pause_max
                return len(rest) == left and total <= longest

            key = self._target_deck.deal(fits, _person(first))
            if key is None:
                raise RequestError(
                    f"{scene_id}: speaker {first.speaker_id} has no utterance that fits beside "
                    f"{first.utterance_id} in {self.scenario.duration_s.largest:g} s; ask for a longer "
                    "duration_s or fewer target.utterances"
                )
            clips.append(self._clips[key])
            segments.append(self._segment(self._clips[key], length + pause))
            length += pause + self._length(self._clips[key])
        return clips, segments, length

    def _interferers(
        self,
        name: tuple[draws.Name, ...],
        scene_id: str,
        target_clips: list[Utterance],
        target_segments: list[Segment],
        num_samples: int,
        labels: list[str],
    ) -> list[Talker]:
        if labels == ["TS1"]:
            return []
        interferer = self.scenario.interferer
        talk = (target_segments[0].onset, target_segments[-1].onset + target_segments[-1].num_samples)
        talkers: list[Talker] = []
        for number in range(interferer.count.draw(self.seed, *name, "interferer", "count")):
            who = (*name, "interferer", number)
            overlap = interferer.overlap.draw(self.seed, *who, "overlap")
            start, stop = self._span(overlap, talk, num_samples, who, scene_id)
            taken = {_person(target_clips[0]), *(f"{other.corpus}/{other.speaker_id}" for other in talkers)}
            relation = interferer.gender.draw(self.seed, *who, "gender")
            said = {_words(clip.text) for clip in target_clips} - {""}

            def accept(key: str, taken: Any = taken, relation: str = relation, said: Any = said) -> bool:
                clip = self._clips[key]
                return (
                    _person(clip) not in taken
                    and _words(clip.text) not in said
                    and (relation == "any" or (clip.gender == target_clips[0].gender) == (relation == "same"))
                )

            def enough(key: str, accept: Callable = accept, need: int = stop - start) -> bool:
                if not accept(key):
                    return False
                clip = self._clips[key]
                if self._length(clip) >= need:
                    return True
                people = self._interferer_people[_person(clip)]
                return need <= self._material(c for c in people if accept(_key(c, "utterance_id")))

            key = self._interferer_deck.deal(enough)
            if key is None:
                raise RequestError(
                    f"{scene_id}: no interferer has {(stop - start) / self.rate:.2f} s of speech, is another "
                    f"speaker than {target_clips[0].speaker_id}, of gender relation {relation!r}, and says "
                    "another sentence; give more speech or a shorter duration_s"
                )
            talkers.append(self._interferer(key, accept, start, stop, overlap, who))
        return talkers

    def _span(
        self,
        overlap: float,
        talk: tuple[int, int],
        num_samples: int,
        who: tuple[draws.Name, ...],
        scene_id: str,
    ) -> tuple[int, int]:
        """When an interferer may talk: its share of the target's time, and all time before or after."""
        if overlap == 1:
            return 0, num_samples
        covered = round(overlap * (talk[1] - talk[0]))
        before, after = (0, talk[0] + covered), (talk[1] - covered, num_samples)
        shortest = self._seconds(SHORTEST_INTERFERER_S)
        sides = [side for side in (before, after) if side[1] - side[0] >= shortest]
        if not sides:
            raise RequestError(
                f"{scene_id}: an overlap of {overlap:g} leaves an interferer less than "
                f"{SHORTEST_INTERFERER_S:g} s; ask for a longer duration_s or a larger interferer.overlap"
            )
        return draws.choice(sides, self.seed, *who, "side")

    def _interferer(
        self,
        key: str,
        accept: Callable[[str], bool],
        start: int,
        stop: int,
        overlap: float,
        who: tuple[draws.Name, ...],
    ) -> Talker:
        """One interferer's clips one after the other from ``start`` until ``stop``, the last one cut."""
        first = self._clips[key]
        segments: list[Segment] = []
        words: list[str] = []
        onset, whole, used = start, True, set()
        while key is not None:
            used.add(key)
            clip = self._clips[key]
            length = self._length(clip)
            offset = 0
            if not segments and length > stop - onset:
                offset = draws.integer(0, length - (stop - onset), self.seed, *who, "cut")
            kept = min(length, stop - onset)
            segments.append(self._segment(clip, onset, start=offset, num_samples=kept))
            words.append(clip.text)
            whole &= kept == length and bool(clip.text)
            pause = self.scenario.interferer.pause_s.draw(self.seed, *who, "pause_s", len(segments))
            onset += kept + self._seconds(pause)
            if stop - onset < self._seconds(SHORTEST_PIECE_S):
                break
            key = self._interferer_deck.deal(
                lambda other: other not in used and accept(other), _person(first)
            )
        return Talker(
            corpus=first.corpus,
            speaker_id=first.speaker_id,
            gender=first.gender,
            segments=segments,
            text=" ".join(words) if whole else "",
            source=0,
            distance_m=None,
            overlap=overlap,
        )

    def _noise(
        self, num_samples: int, name: tuple[draws.Name, ...], scene_id: str, besides: str = ""
    ) -> Noise:
        """A stretch of noise that covers ``num_samples`` without repeating."""
        categories = self.scenario.noise.categories

        def accept(key: str) -> bool:
            clip = self._noises[key]
            return (
                self._length(clip) >= num_samples
                and clip.path != besides
                and (not categories or clip.category in categories)
            )

        key = self._noise_deck.deal(accept)
        if key is None:
            raise RequestError(
                f"{scene_id}: no noise clip is {num_samples / self.rate:.2f} s long; give longer noise or a "
                "shorter duration_s (noise is never repeated)"
            )
        clip = self._noises[key]
        start = draws.integer(0, self._length(clip) - num_samples, self.seed, *name, "start")
        segment = self._segment(clip, 0, start=start, num_samples=num_samples)
        return Noise(corpus=clip.corpus, category=clip.category, segment=segment)

    def _enrollment(
        self, name: tuple[draws.Name, ...], scene_id: str, target_clips: list[Utterance], scene_noise: Noise
    ) -> Enrollment:
        """Other utterances of the target, one after the other until the drawn length."""
        choice = self.scenario.enrollment
        need = self._seconds(choice.duration_s.draw(self.seed, *name, "enrollment", "duration_s"))
        allowed = {_key(clip, "utterance_id") for clip in self._elsewhere(target_clips[0], target_clips)}
        segments: list[Segment] = []
        filled = 0
        while filled < need:
            key = self._enrollment_deck.deal(allowed.__contains__, _person(target_clips[0]))
            if key is None:
                raise RequestError(
                    f"{scene_id}: speaker {target_clips[0].speaker_id} has less than {need / self.rate:g} s of "
                    "other speech for the enrollment; ask for a shorter enrollment.duration_s"
                )
            allowed.discard(key)
            kept = min(self._length(self._clips[key]), need - filled)
            segments.append(self._segment(self._clips[key], filled, num_samples=kept))
            filled += kept
        condition = choice.condition.draw(self.seed, *name, "enrollment", "condition")
        noisy = condition == "noisy"
        besides = scene_noise.segment.path
        return Enrollment(
            condition=condition,
            segments=segments,
            num_samples=need,
            noise=self._noise(need, (*name, "enrollment", "noise"), scene_id, besides) if noisy else None,
            snr_db=choice.snr_db.draw(self.seed, *name, "enrollment", "snr_db") if noisy else None,
        )

    # ---- small things

    def _deck(self, clips: list[Utterance], name: str) -> Deck:
        return Deck(((_key(clip, "utterance_id"), _person(clip)) for clip in clips), self.seed, name)

    def _seconds(self, seconds: float) -> int:
        return audio.seconds_to_samples(seconds, self.rate)

    def _length(self, clip: Utterance | NoiseClip) -> int:
        return audio.resampled_length(clip.num_samples, clip.sample_rate, self.rate)

    def _segment(self, clip: Any, onset: int, *, start: int = 0, num_samples: int | None = None) -> Segment:
        return Segment(
            clip_id=getattr(clip, "utterance_id", None) or clip.noise_id,
            path=clip.path,
            sha256=clip.sha256,
            start=start,
            num_samples=self._length(clip) if num_samples is None else num_samples,
            onset=onset,
        )

    def _cut(self, segment: Segment, num_samples: int, *name: draws.Name) -> Segment:
        """A stretch of at most ``num_samples`` of a segment."""
        surplus = segment.num_samples - num_samples
        if surplus <= 0:
            return segment
        start = draws.integer(0, surplus, self.seed, *name)
        return segment.model_copy(update={"start": start, "num_samples": num_samples})


def _person(clip: Utterance) -> str:
    return f"{clip.corpus}/{clip.speaker_id}"


def _key(clip: Any, field: str) -> str:
    return f"{clip.corpus}/{getattr(clip, field)}"


def _words(text: str) -> str:
    """A sentence without case and punctuation, to tell whether two are the same."""
    return " ".join("".join(c if c.isalnum() or c == "'" else " " for c in text.casefold()).split())


def _people(clips: list[Utterance]) -> dict[str, list[Utterance]]:
    people = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: _key(clip, "utterance_id")):
        people[_person(clip)].append(clip)
    return dict(people)


def _by_id(clips: list[Any], field: str) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for clip in clips:
        known = named.setdefault(_key(clip, field), clip)
        if known != clip:
            raise InputError(
                f"corpus {clip.corpus}: {field} {getattr(clip, field)!r} stands twice with different contents "
                f"({known.path} and {clip.path}); remove one from the manifests"
            )
    return named


# ---- the plan as a file


def header(content: dict[str, Any], *, manifests: dict[str, list[list[Any]]], seed: int) -> dict[str, Any]:
    """The first line of a plan. It does not tell the number of scenes, so that a longer plan begins with a
    shorter one."""
    return {
        "schema": SCHEMA,
        "kind": "pse-bench plan",
        "seed": seed,
        "manifests": {
            role: [{"clips": len(rows), "sha256": _content_hash(rows)} for rows in files]
            for role, files in manifests.items()
        },
        "scenario": content,
    }


def _content_hash(rows: list[Any]) -> str:
    return sha256_of_text("\n".join(sorted(row.model_dump_json() for row in rows)))


def write(path: Path, head: dict[str, Any], recipes: Iterable[Recipe]) -> int:
    """Write a plan; the number of its scenes."""
    count = 0
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        stream.write(json.dumps(head, ensure_ascii=False) + "\n")
        for recipe in recipes:
            stream.write(recipe.model_dump_json() + "\n")
            count += 1
    return count


def read(path: Path) -> tuple[Scenario, dict[str, Any], Iterator[Recipe]]:
    """A plan's scenario, its header and its recipes in order.

    Raises:
        InputError: not a plan, another schema, or a damaged line (also while the recipes are taken).
    """
    lines = read_text(path).split("\n")
    if lines[-1]:
        raise InputError(f"{path}: the last line is cut off; plan it again")
    head = parse_json(lines[0], f"{path}:1")
    if not isinstance(head, dict) or head.get("kind") != "pse-bench plan":
        raise InputError(f"{path}: not a plan; make one with pse-bench plan")
    if head.get("schema") != SCHEMA:
        raise InputError(f"{path}: schema {head.get('schema')!r}, expected {SCHEMA}; plan it again")
    scenario = parse_scenario(head.get("scenario"), f"{path}:1: scenario")

    def recipes() -> Iterator[Recipe]:
        for number, line in enumerate(lines[1:-1], 2):
            where = f"{path}:{number}"
            yield parse(Recipe, parse_json(line, where), where, strict=False)

    return scenario, head, recipes()
