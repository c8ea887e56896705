"""Real recordings, and a table of who speaks when, as a dataset without references.

Every person of a recording is the target of it once, of each excerpt if it is cut into some: TS1 where only the
target talks, TS2 where others talk too, TS3 where only others do. The enrollment is where the same person talks
alone in another recording, or in another part of the same.

Tables are RTTM (``SPEAKER <recording> <channel> <start> <duration> <NA> <NA> <speaker> <NA> <NA>``; NIST, The 2009
Rich Transcription evaluation plan, appendix A), or a CSV with recording, start, duration, speaker and maybe text.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Literal

from pse_bench.corpora import scan
from pse_bench.errors import InputError
from pse_bench.importing import recordings
from pse_bench.io import audio, documents, tables
from pse_bench.registry import suggestion
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update, no_progress
from pse_bench.schemas import Enrollment, Recipe

COLUMNS = ("recording", "start", "duration", "speaker")
SLACK_S = 0.010
"""Times are rounded: so much may a segment reach beyond the recording's end, or into the same person's next."""
ENROLLED_S = 10.0
SHORTEST_S = 2.0
"""Less of a person alone enrolls nobody."""
PIECE_S = 0.3
"""Shorter stretches are not taken for an enrollment: an end of a word, or what is between two labels."""

Source = Literal["other-recording", "other-part"]
Span = tuple[int, int]
"""First sample, and the one behind the last."""


@dataclass(frozen=True)
class Turn:
    """Somebody talks in a recording. ``where`` names the line in errors; ``text`` is '' where it is not known."""

    recording: str
    start_s: float
    end_s: float
    speaker: str
    text: str
    where: str


@dataclass(frozen=True)
class Recording:
    """A file, and who talks when in it: spans in samples and texts, in order, by speaker."""

    name: str
    clip: scan.ScannedFile
    turns: Mapping[str, Sequence[tuple[Span, str]]]


# ---- the table


def read_turns(path: Path) -> list[Turn]:
    """The lines of a table of who speaks when: RTTM where its name ends so, else CSV.

    Raises:
        InputError: not such a table, a time that is none, no lines at all, or somebody who talks twice at once.
    """
    turns = list(_rttm(path) if path.suffix.lower() == ".rttm" else _csv(path))
    if not turns:
        raise InputError(f"{path}: nobody speaks in it; give lines of who speaks when")
    said: dict[tuple[str, str], list[Turn]] = defaultdict(list)
    for turn in turns:
        said[turn.recording, turn.speaker].append(turn)
    for own in said.values():
        for one, other in pairwise(sorted(own, key=lambda turn: turn.start_s)):
            if other.start_s < one.end_s - SLACK_S:
                raise InputError(
                    f"{other.where}: {other.speaker} speaks from {other.start_s:g} s on and, by another line, up "
                    f"to {one.end_s:g} s; join the two, or correct the speaker of one"
                )
    return turns


def _rttm(path: Path) -> Iterator[Turn]:
    for number, line in enumerate(documents.read_text(path).splitlines(), 1):
        words, where = line.split(), f"{path}:{number}"
        if not words or words[0].startswith(";"):
            continue
        if len(words) not in (9, 10):
            raise InputError(f"{where}: {len(words)} fields, expected the 9 or 10 of RTTM; repair the line")
        if words[0] == "SPEAKER":
            yield _turn(where, recording=words[1], start=words[3], duration=words[4], speaker=words[7])


def _csv(path: Path) -> Iterator[Turn]:
    table = tables.csv_lines(documents.read_text(path), path)
    header = [name.strip().lower() for name in next(table)[1]]
    for name in header:
        if name not in (*COLUMNS, "text"):
            raise InputError(f"{path}: unknown column {name!r}; {suggestion(name, (*COLUMNS, 'text'))}")
    if missing := [name for name in COLUMNS if name not in header]:
        raise InputError(f"{path}: no column {missing[0]!r}; found {', '.join(header) or 'an empty file'}")
    for where, cells in table:
        yield _turn(where, **dict(zip(header, cells, strict=True)))


def _turn(where: str, *, recording: str, start: str, duration: str, speaker: str, text: str = "") -> Turn:
    try:
        begin, length = float(start), float(duration)
    except ValueError:
        begin = length = math.nan
    if not (0 <= begin < math.inf and 0 < length < math.inf):
        found = f"start {start!r} and duration {duration!r}"
        raise InputError(f"{where}: {found}; expected seconds from 0 on, and more than 0")
    recording, speaker = recording.strip(), speaker.strip()
    if not recording or not speaker or ";" in speaker:
        raise InputError(f"{where}: recording {recording!r} and speaker {speaker!r}; expected names without ;")
    return Turn(recording, begin, begin + length, speaker, text.strip(), where)


# ---- the recordings


def _files(path: Path, turns: Sequence[Turn], root: Path) -> dict[str, str]:
    """The file of each recording below the root: at the path that the recording is called, with or without an
    ending, or anywhere under that name (``ES2002a`` also is ``ES2002a/audio/ES2002a.Mix-Headset.wav``)."""
    found, problems = scan.find(root)
    if not found:
        raise InputError(problems[0] if problems else f"{root}: no sound files in it; give the folder as --audio")
    named: dict[str, set[str]] = defaultdict(set)
    for file in found:
        own = PurePosixPath(file)
        for name in {file, scan.stem(file), own.name, own.stem, own.name.partition(".")[0]}:
            named[name].add(file)
    files: dict[str, str] = {}
    for turn in turns:
        if turn.recording in files:
            continue
        there = {
            file for file in named[turn.recording] if file == turn.recording or scan.stem(file) == turn.recording
        }
        there = there or named[turn.recording]
        if len(there) != 1:
            fault = f"{len(there)} files of this name" if there else "no such sound file"
            some = f", as {' and '.join(sorted(there)[:2])}" if there else ""
            raise InputError(
                f"{turn.where}: recording {turn.recording}: {fault} below {root}{some}; give its folder as "
                "--audio, or its path there as recording"
            )
        (files[turn.recording],) = there
    return files


def _recordings(
    turns: Sequence[Turn], files: Mapping[str, str], clips: recordings.Clips, rate: int
) -> list[Recording]:
    by_name: dict[str, dict[str, list[tuple[Span, str]]]] = defaultdict(lambda: defaultdict(list))
    for turn in sorted(turns, key=lambda turn: turn.start_s):
        clip = clips[files[turn.recording]]
        seconds = clip.num_samples / rate
        if turn.end_s > seconds + SLACK_S:
            raise InputError(
                f"{turn.where}: {turn.speaker} speaks up to {turn.end_s:.3f} s, but {clip.path} ends at "
                f"{seconds:.3f} s; correct the line, or give the whole recording"
            )
        span = tuple(min(audio.seconds_to_samples(s, rate), clip.num_samples) for s in (turn.start_s, turn.end_s))
        if span[0] < span[1]:
            by_name[turn.recording][turn.speaker].append(((span[0], span[1]), turn.text))
    return [Recording(name, clips[files[name]], dict(own)) for name, own in sorted(by_name.items())]


# ---- scenes


def read(
    path: Path,
    root: Path,
    *,
    targets: Sequence[str] = (),
    excerpt_s: float | None = None,
    source: Source = "other-recording",
    enrolled_s: float = ENROLLED_S,
    executor: Executor,
    progress: Update = no_progress,
) -> tuple[list[Recipe], list[str]]:
    """The scenes of recordings, and a line for everything left out.

    Args:
        path: who speaks when.
        root: the folder of the recordings.
        targets: whom to take as a target; everybody by default.
        excerpt_s: cut recordings into pieces of so many seconds, the rest left out; by default they stay whole.
        source: where the enrollment is from.
        enrolled_s: the longest enrollment, in seconds.

    Raises:
        InputError: the table or a recording cannot be used, a target speaks nowhere or cannot be enrolled, or
            nothing is left.
    """
    turns = read_turns(path)
    people = {turn.speaker for turn in turns}
    if unknown := [name for name in targets if name not in people]:
        raise InputError(f"{path}: {unknown[0]} speaks nowhere in it; {suggestion(unknown[0], sorted(people))}")
    if source == "other-part" and not excerpt_s:
        raise InputError("--enrollment other-part takes what lies outside an excerpt; give --excerpt SECONDS, too")
    files = _files(path, turns, root)
    clips, rate = recordings.clips_of(root, files.values(), executor=executor, progress=progress)
    known = _recordings(turns, files, clips, rate)
    alone = {person: _alone(person, known) for person in people}
    scenes: list[Recipe] = []
    problems: list[str] = []
    for recording in known:
        pieces = _pieces(recording.clip.num_samples, excerpt_s, rate)
        if not pieces:
            problems.append(f"{recording.name}: shorter than an excerpt of {excerpt_s:g} s; left out")
        for person in sorted(recording.turns):
            if targets and person not in targets:
                continue
            lost = ""
            for number, piece in enumerate(pieces):
                beside = piece if source == "other-part" else (0, recording.clip.num_samples)
                enrollment = _enrollment(alone[person], recording, beside, enrolled_s, rate, source)
                if enrollment is None:
                    place = "outside of an excerpt" if source == "other-part" else "in other recordings"
                    lost = f"{recording.name}: {person} talks alone for less than {SHORTEST_S:g} s {place}, too "
                    lost += "little for an enrollment; left out"
                elif scene := _scene(recording, person, piece, number if excerpt_s else None, enrollment, rate):
                    scenes.append(scene)
            if lost:
                problems.append(lost)
    if targets and (
        missing := [name for name in targets if name not in {one.target.speaker_id for one in scenes}]
    ):
        raise InputError(
            next((one for one in problems if f": {missing[0]} " in one), f"{path}: {missing[0]}: no scene")
        )
    if not scenes:
        raise InputError(
            f"{path}: no scene can be made; {problems[0] if problems else 'nobody talks in an excerpt'}"
        )
    return scenes, problems


def _pieces(length: int, excerpt_s: float | None, rate: int) -> list[Span]:
    if not excerpt_s:
        return [(0, length)]
    size = audio.seconds_to_samples(excerpt_s, rate)
    return [(first, first + size) for first in range(0, length - size + 1, size)]


def _scene(
    recording: Recording, target: str, piece: Span, number: int | None, enrollment: Enrollment, rate: int
) -> Recipe | None:
    """One target in one piece of a recording; None where nobody talks in it."""
    begin, end = piece
    talkers = {}
    for person, turns in recording.turns.items():
        inside = [(max(a, begin), min(b, end), (a, b), text) for (a, b), text in turns if a < end and b > begin]
        segments = [recordings.stretch(recording.clip, a, b - a, a - begin) for a, b, _, _ in inside]
        whole = all(text and (a, b) == span for a, b, span, text in inside)
        text = " ".join(text for *_, text in inside) if whole else ""
        talkers[person] = recordings.talker(person, segments, text)
    others = [one for name, one in talkers.items() if name != target and one.segments]
    own = talkers[target]
    if not own.segments and not others:
        return None
    label = "TS3" if not own.segments else "TS2" if others else "TS1"
    place = [] if number is None else [f"{number:04d}"]
    mixture = recordings.stretch(recording.clip, begin, end - begin)
    known = {"target": own, "interferers": others, "enrollment": enrollment}
    return recordings.recipe(recordings.scene_name(recording.name, target, *place), label, rate, mixture, **known)


# ---- enrollments


def _alone(person: str, known: Sequence[Recording]) -> list[tuple[Recording, Span]]:
    """Where a person talks and nobody else does, in all recordings."""
    found = []
    for recording in known:
        others = sorted(span for name, turns in recording.turns.items() if name != person for span, _ in turns)
        for (first, end), _ in recording.turns.get(person, ()):
            begin = first
            for start, stop in others:
                if begin < start < end:
                    found.append((recording, (begin, start)))
                if start < end:
                    begin = max(begin, stop)
            if begin < end:
                found.append((recording, (begin, end)))
    return found


def _enrollment(
    alone: Sequence[tuple[Recording, Span]],
    here: Recording,
    piece: Span,
    longest_s: float,
    rate: int,
    source: Source,
) -> Enrollment | None:
    """The longest stretches outside of a piece of the recording, in other recordings or in this one, joined; None
    where that is too little."""
    spans = []
    for recording, (begin, end) in alone:
        if recording is not here and source == "other-recording":
            spans.append((recording, begin, end))
        elif recording is here and source == "other-part":
            spans += [(recording, begin, min(end, piece[0])), (recording, max(begin, piece[1]), end)]
    shortest = audio.seconds_to_samples(PIECE_S, rate)
    longest_first = sorted(
        (one for one in spans if one[2] - one[1] >= shortest),
        key=lambda one: (one[1] - one[2], one[0].name, one[1]),
    )
    left, segments = audio.seconds_to_samples(longest_s, rate), []
    filled = 0
    for recording, begin, end in longest_first:
        if taken := min(end - begin, left - filled):
            segments.append(recordings.stretch(recording.clip, begin, taken, filled))
            filled += taken
    if filled < min(audio.seconds_to_samples(SHORTEST_S, rate), left):
        return None
    return Enrollment(condition="recorded", segments=segments, num_samples=filled, noise=None, snr_db=None)
