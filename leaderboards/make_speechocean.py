"""Make the manifests of speechocean-v1: its targets, and everybody's part in it.

    python leaderboards/make_speechocean.py --root DIR

DIR is speechocean762 as OpenSLR 101 unpacks; the set was made from a copy cut down to 40 adults of the test part
with about a minute of each. Whoever runs this on the whole corpus keeps to the utterances that ``targets.csv``
lists. Utterances are identified by their samples and called as in the corpus (``.WAV``); FLAC copies do as well.

Interferers and noise are those of the embedded corpus, which every installation makes by itself. So the set can be
made by whoever has this one corpus, and no interferer is a target; the price is that interferers are synthetic
voices, which are told apart from people more easily than people are from each other: read leakage on this
set beside that on libri-mini-v1.
"""

import argparse
import sys
from pathlib import Path

from pse_bench.corpora import clip_reader, scan
from pse_bench.corpora.readers import speechocean762
from pse_bench.corpora.synthetic import voices
from pse_bench.dataset.frozen_sets import Speaker
from pse_bench.errors import InputError, PseBenchError
from pse_bench.io import documents
from pse_bench.io import tables as csv_tables
from pse_bench.runtime.executor import Processes
from pse_bench.schemas import Utterance

FOLDER = Path(__file__).parent / "speechocean-v1"
ADULT = 18
"""Years, from ``spk2age``."""


def make(root: Path, out: Path, jobs: int) -> dict[str, int]:
    """Write the manifest and ``speakers.csv``; the number of people by role."""
    listed = out / "targets.csv"
    rows, problems = speechocean762.READER.read(root, part="test", executor=Processes(jobs))
    if problems:
        raise InputError(problems[0])
    ages = dict(line.split() for line in documents.read_text(root / "test" / "spk2age").splitlines())
    before = {row.utterance_id for row in csv_tables.read_table(listed, Utterance)} if listed.is_file() else None
    targets = [
        row.model_copy(
            update={
                "path": f"{scan.stem(row.path)}.WAV",
                "sha256": clip_reader.identity(root / row.path, of_sound=True),
            }
        )
        for row in rows
        if int(ages[row.speaker_id]) >= ADULT and (before is None or row.utterance_id in before)
    ]
    csv_tables.write_table(listed, Utterance, targets)
    people = {row.speaker_id: row.gender for row in targets}
    speakers = [
        Speaker(
            corpus=speechocean762.READER.corpus,
            speaker_id=who,
            gender=gender,
            role="target",
            target_group="other-utterance",
        )
        for who, gender in sorted(people.items())
    ]
    for group, role in (("test", "interferer"), ("babble-test", "babble")):
        speakers += [
            Speaker(corpus="embedded", speaker_id=who, gender=voices.gender(who), role=role, target_group="")
            for who in voices.speakers(group)
        ]
    csv_tables.write_table(out / "speakers.csv", Speaker, speakers)
    return {"targets": len(people), "utterances": len(targets)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--root", type=Path, required=True, help="folder that holds WAVE and test")
    parser.add_argument("-o", "--out", type=Path, default=FOLDER)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    try:
        counts = make(asked.root, asked.out, asked.jobs)
    except PseBenchError as error:
        sys.exit(str(error))
    print(f"{asked.out}: {', '.join(f'{count} {name}' for name, count in counts.items())}")


if __name__ == "__main__":
    main()
