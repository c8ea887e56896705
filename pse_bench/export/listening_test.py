"""Listening tests of systems: a webMUSHRA configuration a rater, and P.835 and P.808 sheets of the same sounds.

Everything that raters are given lies in the folder ``raters``, in files whose names say nothing; ``key.csv``,
which stays with the experimenter, tells what each of them is. Sources: ITU-R BS.1534-3 (MUSHRA), P.835 (speech,
background, overall) and P.808 (overall) of ITU-T; webMUSHRA's doc/experimenter.md, https://github.com/audiolabs/webMUSHRA.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from pse_bench import rng
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError, RequestError
from pse_bench.export import exporter
from pse_bench.export.stimuli import REFERENCE, choose_mixtures, conditions_of, sounds_of
from pse_bench.io import atomic, audio
from pse_bench.io.documents import Record
from pse_bench.io.tables import csv_writer, write_table
from pse_bench.reporting import estimates
from pse_bench.reporting.plot import ShownSystem, systems_of
from pse_bench.runtime.progress import Update, no_progress
from pse_bench.schemas import Mixture, ScenarioLabel
from pse_bench.scoring.results import Result, check_comparable

FORMAT = "listening-test"
KEY = "key.csv"
MOST_CONDITIONS = 12
"""That webMUSHRA shows beside each other, the reference apart."""
LONGEST_S = 12.0
"""Beyond which webMUSHRA takes a page only where ``strict`` is false, as BS.1534 has it."""
SHEETS = {"p835": ("sig", "bak", "ovrl"), "p808": ("mos",)}
"""What is rated in each sheet, from 1 to 5."""
INSTRUCTIONS = (
    "You hear one person in noise, in some recordings with another person talking. The reference is that person "
    "alone. Rate how good each version is beside the reference, from bad to excellent: lost or damaged speech of "
    "that person and what is left of anything else both make it worse. One of the versions is the reference "
    "itself: rate it 100. Use headphones, in a quiet place."
)


class Stimulus(Record):
    """A row of ``key.csv``: what a sound of a listening test is."""

    stimulus: str
    trial: str
    mixture_id: str
    scenario: ScenarioLabel
    target_speaker: str
    role: Literal["system", "anchor", "reference"]
    system: str
    gain_db: float


@dataclass(frozen=True)
class Design:
    """How a listening test is made up.

    Attributes:
        scenario: whose mixtures are heard, TS1 or TS2.
        scenes: how many of them.
        by_chance: any of them, not those on which figures differ most.
        raters: for how many people there are files.
        per_rater: mixtures of which one rater hears every condition; all by default.
        anchors: of ``stimuli.ANCHORS``.
        match_level: whether all conditions have the reference's level.
        seed: chooses mixtures, names and orders.
    """

    scenario: Literal["TS1", "TS2"] = "TS2"
    scenes: int = 12
    by_chance: bool = False
    raters: int = 24
    per_rater: int | None = None
    anchors: Sequence[str] = ("mixture", "anchor35")
    match_level: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        if self.per_rater and self.per_rater > self.scenes:
            raise RequestError(f"--per-rater {self.per_rater}: of --scenes {self.scenes}; ask for no more")

    def share(self, rater: int, shift: int = 0) -> list[int]:
        """Which of the mixtures a rater hears: a window that goes around, so that after any number of raters no
        mixture was heard more than once more than another. ``shift`` moves it on as so many raters would, so that
        those of several conditions cover the mixtures evenly, too."""
        size = self.per_rater or self.scenes
        return [((rater + shift) * size + step) % self.scenes for step in range(size)]


def export(
    folders: Sequence[Path],
    out: Path,
    *,
    dataset: Path,
    submissions: Sequence[Path],
    design: Design,
    force: bool = False,
    note: Callable[[str], None] = lambda _: None,
    progress: Update = no_progress,
) -> list[Stimulus]:
    """Write a listening test of the systems of results; the rows of its key.

    Args:
        folders: results of one dataset, two or more.
        out: where it goes.
        dataset: what they were scored on.
        submissions: what they were scored from; of the system ``mixture`` none is needed.
        design: how it is made up.
        force: replace an export.
        note: takes what is worth knowing, a line each.

    Raises:
        InputError: results that cannot stand side by side, a dataset or submission that they were not scored on or
            from, a submission that is missing, or a folder that holds something else.
        RequestError: there are not so many mixtures, or too many conditions.
    """
    results = [Result.open(folder) for folder in folders]
    check_comparable(results)
    systems = systems_of(results)
    opened = Dataset.open(dataset).require_unchanged()
    estimates.check_dataset(systems, opened)
    anchors = list(dict.fromkeys([*design.anchors, *(s.style.name for s in systems if s.style.name == "mixture")]))
    rated = [system for system in systems if system.style.name not in anchors]
    names = conditions_of(rated, anchors)
    if len(rated) < 2:
        raise RequestError(f"{len(rated)} system beside the anchors; give the results of two or more")
    if len(names) - 1 > MOST_CONDITIONS:
        raise RequestError(
            f"{len(names) - 1} systems and anchors, webMUSHRA shows at most {MOST_CONDITIONS}; give fewer results"
        )
    mixtures = choose_mixtures(
        systems, design.scenario, design.scenes, seed=design.seed, by_chance=design.by_chance
    )
    with ExitStack() as stack:
        found = estimates.opened(stack, systems, opened, submissions)
        given = {system: folder for _, folder, mine in found for system in mine if system in rated}
        if lacking := [system for system in rated if system not in given]:
            raise InputError(
                f"{lacking[0].result.folder}: no --submission that it was scored from; add that of "
                f"{lacking[0].style.name}"
            )
        reference = results[0].about["reference"]
        about = {"seed": design.seed, "raters": design.raters, "reference": reference, "conditions": names}
        about |= {"match_level": design.match_level, "by_chance": design.by_chance}
        with exporter.folder(out, opened, FORMAT, len(mixtures), force=force, more=about) as part:
            place = part / "raters"
            (place / "audio").mkdir(parents=True)
            key: list[Stimulus] = []
            for number, row in enumerate(mixtures):
                progress(number, len(mixtures))
                key += _write_sounds(opened, row, given, anchors, reference, design, place / "audio")
            progress(len(mixtures), len(mixtures))
            key.sort(key=lambda one: one.stimulus)
            write_table(part / KEY, Stimulus, key)
            _write_raters(design, mixtures, key, names, name_of(out), place)
    longest_s = max(row.num_samples / row.sample_rate for row in mixtures)
    if longest_s > LONGEST_S:
        note(f"scenes of up to {longest_s:.1f} s, longer than BS.1534 has them: pages have strict: false")
    return key


def name_of(out: Path) -> str:
    """The test's name, of letters that webMUSHRA keeps as they are."""
    return re.sub(r"[^a-z0-9]+", "-", out.resolve().name.lower()).strip("-") or "test"


def _code(design: Design, kind: str, *name: str) -> str:
    """A name that says nothing: a letter, so that nobody takes it for a number, and 48 bits."""
    return f"{kind[0]}{rng.sort_key(design.seed, 'listening-test', kind, *name)[:12]}"


def _write_sounds(
    dataset: Dataset,
    row: Mixture,
    given: Mapping[ShownSystem, Path],
    anchors: Sequence[str],
    reference: str,
    design: Design,
    place: Path,
) -> list[Stimulus]:
    """Write all conditions of a mixture, and the enrollment, by which raters of sheets know whom to listen to."""
    trial, rows = _code(design, "trial", row.mixture_id), []
    enrollment = dataset.read_pcm16(row.enrollment_path)
    audio.write(place / f"{_code(design, 'enrollment', row.scene_id)}.wav", enrollment, row.sample_rate)
    for name, samples, gain_db in sounds_of(
        dataset, row, given, anchors, reference, match_level=design.match_level
    ):
        code = _code(design, "stimulus", row.mixture_id, name)
        audio.write(place / f"{code}.wav", audio.to_pcm16(samples), row.sample_rate)
        rows.append(
            Stimulus(
                stimulus=code,
                trial=trial,
                mixture_id=row.mixture_id,
                scenario=row.scenario,
                target_speaker=row.target_speaker,
                role="reference" if name == REFERENCE else "anchor" if name in anchors else "system",
                system=name,
                gain_db=gain_db,
            )
        )
    return rows


def _write_raters(
    design: Design,
    mixtures: Sequence[Mixture],
    key: Sequence[Stimulus],
    names: Sequence[str],
    name: str,
    place: Path,
) -> None:
    """Write the files of each rater: what is heard, and in which order, follows from seed and rater."""
    codes = {(one.mixture_id, one.system): one.stimulus for one in key}
    for rater in range(design.raters):
        who = f"r{rater + 1:02d}"
        pages = [mixtures[number] for number in design.share(rater)]
        pages.sort(key=lambda row: rng.sort_key(design.seed, "order", "mushra", who, row.mixture_id))
        trials = {_code(design, "trial", row.mixture_id): row for row in pages}
        document = _mushra(f"{name}-{who}", f"configs/{name}/audio", trials, codes, names)
        # a line a text: the parser that webMUSHRA carries does not fold
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10_000)
        atomic.write_text(place / f"{who}.yaml", text)
        alone = [
            (codes[row.mixture_id, condition], _code(design, "enrollment", row.scene_id))
            for shift, condition in enumerate(names)
            for row in (mixtures[number] for number in design.share(rater, shift))
        ]
        for form, scales in SHEETS.items():
            # P.835: half of the raters judge speech first, the others background
            heads = ("bak", "sig", "ovrl") if form == "p835" and rater % 2 else scales
            order = sorted(alone, key=lambda one: rng.sort_key(design.seed, "order", form, who, one[0]))
            _write_sheet(place / f"{form}-{who}.csv", who, order, heads)


def _mushra(
    test: str,
    audio_at: str,
    trials: Mapping[str, Mixture],
    codes: Mapping[tuple[str, str], str],
    names: Sequence[str],
) -> dict[str, Any]:
    """webMUSHRA's configuration for one rater."""
    pages = []
    for number, (trial, row) in enumerate(trials.items(), 1):
        sounds = [codes[row.mixture_id, name] for name in names if name != REFERENCE]
        page = {
            "type": "mushra",
            "id": trial,
            "name": f"{number} of {len(trials)}",
            "content": "",
            "showWaveform": True,
            "enableLooping": True,
            "reference": f"{audio_at}/{codes[row.mixture_id, REFERENCE]}.wav",
            "createAnchor35": False,
            "createAnchor70": False,
            "randomize": True,
            "stimuli": {code: f"{audio_at}/{code}.wav" for code in sorted(sounds)},
        }
        pages.append(page if row.num_samples <= LONGEST_S * row.sample_rate else {**page, "strict": False})
    welcome = {"type": "generic", "id": "welcome", "name": "Welcome", "content": INSTRUCTIONS}
    volume = {
        "type": "volume",
        "id": "volume",
        "name": "Volume",
        "content": "Set the volume so that you hear the voice comfortably, and leave it so.",
        "stimulus": pages[0]["reference"],
        "defaultVolume": 0.5,
    }
    finish = {
        "type": "finish",
        "name": "Thank you",
        "content": "That was the last one. Send the ratings.",
        "popupContent": "The ratings were sent. Thank you.",
        "showResults": False,
        "writeResults": True,
    }
    return {
        "testname": "Listening test",
        "testId": test,
        "bufferSize": 2048,
        "stopOnErrors": True,
        "showButtonPreviousPage": True,
        "remoteService": "service/write.php",
        "pages": [welcome, volume, *pages, finish],
    }


def _write_sheet(path: Path, rater: str, order: Sequence[tuple[str, str]], scales: Sequence[str]) -> None:
    """Write a sheet of single stimuli, in which the rater fills in the last columns."""
    with atomic.replacing(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv_writer(stream)
        writer.writerow(["rater", "position", "enrollment", "stimulus", *scales])
        for position, (stimulus, enrollment) in enumerate(order, 1):
            files = (f"audio/{enrollment}.wav", f"audio/{stimulus}.wav")
            writer.writerow([rater, position, *files, *("" for _ in scales)])
