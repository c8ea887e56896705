"""Make the manifests of libri-mini-v1: who has which part in the set, and where utterances are cut.

    python leaderboards/make_libri_mini.py --dev-corpus DIR
    python leaderboards/make_libri_mini.py --dev-corpus DIR --twin

The set is made of LibriSpeech utterances only, so whoever has LibriSpeech has all of its speech. Utterances are
identified by their decoded samples, since four of the files that were at hand are not the originals but hold the
same sound (they came from WAV copies). Roles are drawn by name and seed, with as many women as men:

- targets with several utterances: everybody of test-other and dev-clean;
- targets with one utterance (train-clean-100): it is cut once, in its longest pause that leaves at least
  ``PART_S`` on either side. Forced alignment by pocketsphinx tells which words lie on which side. Who has no such
  pause, or where alignment and speech activity do not agree on its edges, is not taken;
- interferers: one long utterance; babble: one utterance of some length;
- training: everybody else, and all of the other corpora, so that a system can be trained on people who are
  nowhere in the set. Speakers whose recordings hum, hiss or hold digital silence are among these.

The development twin, libri-mini-v1-dev, has those of the training people on whom the shipped models were validated
and not trained, targets and interferers at once; who trains for this board leaves them out. Their utterances are
shorter, so parts and pauses may be, too.
"""

import argparse
import itertools
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from pse_bench import rng
from pse_bench.asr import alignment
from pse_bench.corpora import clip_reader, csv_columns
from pse_bench.corpora.readers import librispeech
from pse_bench.dataset.frozen_sets import Speaker
from pse_bench.errors import InputError, PseBenchError
from pse_bench.io import audio
from pse_bench.io import tables as csv_tables
from pse_bench.runtime.executor import Processes
from pse_bench.schemas import Utterance
from pse_bench.signal import vad

FOLDER = Path(__file__).parent / "libri-mini-v1"
TWIN = Path(__file__).parent / "libri-mini-v1-dev"
SEED = 1
SEVERAL = ("test-other", "dev-clean")
ONE = "train-clean-100"
UNEVEN = {"839", "150", "198", "7190", "254", "3235", "6064"}
"""Speakers whose hum, hiss or digital silence makes speech activity unsure."""
TARGETS, INTERFERERS, BABBLE = 20, 12, 6
"""People of each gender."""
INTERFERER_S = 12.0
"""As long as the longest scene, so that one utterance fills it."""
BABBLE_S = 8.0
PART_S, PAUSE_S = 5.0, 0.3
TWIN_PART_S, TWIN_PAUSE_S = 3.5, 0.2
TWIN_PEOPLE = {"39", "233", "2391", "4088", "4397", "6848", "7505", "7859"}
"""``validation.people`` of ``experiments/tradeoff``."""
AGREEMENT_S = 0.25
"""How far the edges of the pause may lie apart between speech activity and alignment."""


def make(dev_corpus: Path, out: Path, jobs: int) -> dict[str, int]:
    """Write the manifests and ``speakers.csv``; the number of people by role."""
    root = dev_corpus / "speech" / "LibriSpeech"
    people = everybody(root, jobs)
    several = {who for who, own in people.items() if own[0].path.startswith(SEVERAL)}
    single = [who for who, own in people.items() if len(own) == 1 and who not in several | UNEVEN]
    parts = cut_all([people[who][0] for who in single], root)
    lengths_s = {who: people[who][0].num_samples / people[who][0].sample_rate for who in single}
    taken = set(several)

    def choose(role: str, count: int, allowed: list[str]) -> set[str]:
        chosen: set[str] = set()
        for gender in "FM":
            free = [who for who in allowed if who not in taken and people[who][0].gender == gender]
            if len(free) < count:
                raise InputError(
                    f"{root}: {len(free)} speakers of gender {gender} can be {role}, expected {count}"
                )
            chosen |= set(sorted(free, key=lambda who: rng.sort_key(SEED, role, who))[:count])
        taken.update(chosen)
        return chosen

    cut = choose("target", TARGETS, list(parts))
    interferers = choose("interferer", INTERFERERS, [who for who in single if lengths_s[who] >= INTERFERER_S])
    babble = choose("babble", BABBLE, [who for who in single if lengths_s[who] >= BABBLE_S])
    training = set(people) - taken
    tables = {
        "targets.other-utterance": [row for who in several for row in people[who]],
        "targets.same-utterance": [part for who in cut for part in parts[who]],
        "interferers": [row for who in interferers for row in people[who]],
        "babble": [row for who in babble for row in people[who]],
        "training": [row for who in training for row in people[who]],
    }
    for name, listed in tables.items():
        csv_tables.write_table(
            out / f"{name}.csv", Utterance, sorted(listed, key=lambda row: (row.path, row.start))
        )
    roles = {
        "target": several | cut,
        "interferer": interferers,
        "babble": babble,
        "training": training,
    }
    speakers = [
        Speaker(
            corpus="librispeech",
            speaker_id=who,
            gender=people[who][0].gender,
            role=role,
            target_group="" if role != "target" else "same-utterance" if who in cut else "other-utterance",
        )
        for role, members in roles.items()
        for who in sorted(members, key=int)
    ]
    csv_tables.write_table(out / "speakers.csv", Speaker, speakers + _others(dev_corpus))
    return {role: len(members) for role, members in roles.items()}


def make_twin(dev_corpus: Path, out: Path, jobs: int) -> dict[str, int]:
    """Write the manifest of the development twin; the number of its people."""
    root = dev_corpus / "speech" / "LibriSpeech"
    people = everybody(root, jobs)
    parts = cut_all([people[who][0] for who in sorted(TWIN_PEOPLE)], root, TWIN_PART_S, TWIN_PAUSE_S)
    listed = sorted(itertools.chain(*parts.values()), key=lambda row: (row.path, row.start))
    csv_tables.write_table(out / "targets.csv", Utterance, listed)
    return {"target+interferer": len(parts)}


def everybody(root: Path, jobs: int) -> dict[str, list[Utterance]]:
    """The utterances of all people of LibriSpeech that are there, by speaker, known by their samples."""
    rows, problems = librispeech.READER.read(root, executor=Processes(jobs))
    if problems:
        raise InputError(problems[0])
    people: dict[str, list[Utterance]] = defaultdict(list)
    for row in rows:
        of_sound = clip_reader.identity(root / row.path, of_sound=True)
        people[row.speaker_id].append(row.model_copy(update={"sha256": of_sound}))
    return people


def _others(dev_corpus: Path) -> list[Speaker]:
    """Speakers of the development corpus who are not LibriSpeech's: all for training."""
    table = dev_corpus / "speakers.csv"
    corpora = csv_columns.read(table, key=["speaker"], value=["corpus"])
    genders = csv_columns.read(table, key=["speaker"], value=["gender"])
    return [
        Speaker(corpus=corpus, speaker_id=who, gender=genders[who], role="training", target_group="")
        for who, corpus in sorted(corpora.items())
        if corpus != "LibriSpeech"
    ]


# ---- cutting


def cut_all(
    clips: list[Utterance], root: Path, part_s: float = PART_S, pause_s: float = PAUSE_S
) -> dict[str, list[Utterance]]:
    """The two parts of every utterance that can be cut, by speaker."""
    decoder = alignment.aligner()
    parts = {}
    for clip in clips:
        samples, rate = audio.read(root / clip.path)
        pause = longest_pause(samples, rate, part_s, pause_s)
        if pause is None:
            continue
        words = alignment.aligned(decoder, audio.to_pcm16(samples), clip.text.lower().split())
        at_s = sum(pause) / 2
        before = [word for word in words if (word[1] + word[2]) / 2 < at_s]
        after = words[len(before) :]
        edges = (before[-1][2], after[0][1]) if before and after else (0.0, 0.0)
        if max(abs(edges[0] - pause[0]), abs(edges[1] - pause[1])) > AGREEMENT_S:
            print(f"note: {clip.utterance_id}: pause {pause}, words {edges}: not taken", file=sys.stderr)
            continue
        at, spoken = audio.seconds_to_samples(at_s, rate), clip.text.split()
        parts[clip.speaker_id] = [
            _part(clip, "a", 0, at, spoken[: len(before)]),
            _part(clip, "b", at, clip.num_samples, spoken[len(before) :]),
        ]
    return parts


def _part(clip: Utterance, name: str, start: int, stop: int, words: list[str]) -> Utterance:
    changed = {"utterance_id": f"{clip.utterance_id}{name}", "start": start, "num_samples": stop - start}
    return clip.model_copy(update={**changed, "text": " ".join(words)})


def longest_pause(samples: np.ndarray, rate: int, part_s: float, pause_s: float) -> tuple[float, float] | None:
    """Begin and end, in seconds, of the longest pause that an utterance can be cut in."""
    active = vad.speech_activity(samples, rate)
    edges = np.flatnonzero(np.diff(active.astype(np.int8))) + 1
    pauses = [
        (round(int(begin) * vad.HOP_S, 2), round(int(end) * vad.HOP_S, 2))
        for begin, end in itertools.pairwise(edges)
        if not active[begin]
    ]
    fitting = [
        (begin, end)
        for begin, end in pauses
        if end - begin >= pause_s and part_s <= (begin + end) / 2 <= len(samples) / rate - part_s
    ]
    return max(fitting, key=lambda pause: pause[1] - pause[0], default=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--dev-corpus", type=Path, required=True, help="folder that holds speech/LibriSpeech")
    parser.add_argument("--twin", action="store_true", help="make the manifest of the development twin")
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    try:
        out = asked.out or (TWIN if asked.twin else FOLDER)
        counts = (make_twin if asked.twin else make)(asked.dev_corpus, out, asked.jobs)
    except PseBenchError as error:
        sys.exit(str(error))
    print(f"{out}: {', '.join(f'{count} {role}' for role, count in counts.items())}")


if __name__ == "__main__":
    main()
