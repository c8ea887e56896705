"""Freeze a benchmark set: draw its plan, render it, and write down what came out.

    python leaderboards/freeze.py embedded-v1
    python leaderboards/freeze.py libri-mini-v1 --root librispeech=DIR

What stands in ``set.json`` above ``made_with``, the scenario and the manifests say what is drawn. Written are
``plan.jsonl``, ``contents.csv``, ``noise.csv`` of a set that makes its noise, ``speakers.csv`` where targets
interfere too, and counts, hashes and versions at the end of ``set.json``. To be run again when the scenario, the
manifests or anything that sounds has changed; once a set is published, it gets another version instead.
"""

import argparse
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pse_bench.corpora.roots import Roots
from pse_bench.corpora.synthetic import benchmark_noise
from pse_bench.dataset import dataset, frozen_sets
from pse_bench.dataset.frozen_sets import BenchmarkSet, Content, Speaker
from pse_bench.errors import InputError, PseBenchError
from pse_bench.io import atomic, cache_folder
from pse_bench.io import tables as csv_tables
from pse_bench.planning import plan, scenario
from pse_bench.runtime.executor import Processes, Serial
from pse_bench.schemas import NoiseClip, Recipe, Utterance
from pse_bench.simulation import render


def draw(chosen: BenchmarkSet, out: Path) -> int:
    """Write the plan of a set from its manifests; the number of its scenes."""
    about = chosen.about
    drawn, content = scenario.load(about.scenario)

    def rows(names: list[str], record: type) -> list[list]:
        return [csv_tables.read_table(chosen.manifest(name), record) for name in names]

    def together(tables: list[list]) -> list:
        return list(itertools.chain.from_iterable(tables))

    groups = [(rows(group.speech, Utterance), group.scenes) for group in about.groups]
    others, noise = rows(about.interferer_speech, Utterance), rows(about.noise, NoiseClip)

    def recipes() -> Iterator[Recipe]:
        first = 0
        for speech, scenes in groups:
            # a planner a group: everybody in it has the same number of scenes
            planner = plan.Planner(
                drawn,
                speech=together(speech),
                interferer_speech=together(others) or None,
                noise=together(noise),
                seed=about.seed,
            )
            for note in planner.notes:
                print(f"note: {note}", file=sys.stderr)
            yield from (planner.recipe(index) for index in range(first, first + scenes))
            first += scenes

    manifests = {
        "speech": [m for speech, _ in groups for m in speech],
        "interferer_speech": others,
        "noise": noise,
    }
    return plan.write(out, plan.header(content, manifests=manifests, seed=about.seed), recipes())


def freeze(chosen: BenchmarkSet, *, roots: Roots, given: tuple[str, ...], jobs: int, cache: Path) -> str:
    """Make everything of a set; its fingerprint. Raises InputError when a scene could not be rendered."""
    about, workers = chosen.about, Processes(jobs) if jobs > 1 else Serial()
    made = frozen_sets.prepare(chosen, cache / "benchmarks", roots=roots, executor=workers)
    if about.made_noise is not None:
        orders = frozen_sets.noise_orders(chosen, made[about.made_noise.corpus], roots)
        csv_tables.write_table(chosen.manifest(about.noise[0]), NoiseClip, benchmark_noise.rows(orders))
    if unlisted := frozen_sets.unlisted_clips(chosen, made, roots):
        raise InputError(f"{unlisted[0]}: not the clip that its manifest lists; freeze where it is made as listed")
    draw(chosen, chosen.plan)
    if not about.interferer_speech:
        csv_tables.write_table(chosen.folder / "speakers.csv", Speaker, everybody(chosen))
    folders = Roots.parse((*given, *(f"{corpus}={folder}" for corpus, folder in made.items())))
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
        out = Path(folder) / chosen.title
        report = render.render(chosen.plan, out, roots=folders, executor=workers, bank=cache / "rooms")
        if report.problems:
            raise InputError(f"{report.problems[0].scene_id}: {report.problems[0].reason}")
        opened = dataset.Dataset.open(out)
        csv_tables.write_table(chosen.folder / "contents.csv", Content, frozen_sets.contents(opened.files))
        frozen = about.model_copy(
            update={
                "scenes": report.scenes,
                "mixtures": report.mixtures,
                "plan_sha256": atomic.sha256(chosen.plan),
                "fingerprint": report.fingerprint,
                "versions": opened.description.versions,
            }
        )
    atomic.write_json(chosen.folder / "set.json", frozen.model_dump(mode="json", by_alias=True))
    return report.fingerprint


def everybody(chosen: BenchmarkSet) -> list[Speaker]:
    """The speakers of a set whose targets are its interferers too."""
    listed = [row for group in chosen.about.groups for name in group.speech for row in _table(chosen, name)]
    people = {(row.corpus, row.speaker_id): row.gender for row in listed}
    return [
        Speaker(
            corpus=corpus,
            speaker_id=speaker,
            gender=gender,
            role="target+interferer",
            target_group=scenario.load(chosen.about.scenario)[0].enrollment.source,
        )
        for (corpus, speaker), gender in sorted(people.items())
    ]


def _table(chosen: BenchmarkSet, name: str) -> list[Utterance]:
    return csv_tables.read_table(chosen.manifest(name), Utterance)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("name", help="the set: a folder beside this script")
    parser.add_argument("--root", action="append", default=[], help="NAME=DIR, as everywhere")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cache", type=Path, default=cache_folder())
    asked = parser.parse_args()
    try:
        chosen = frozen_sets.load(str(Path(__file__).parent / asked.name))
        given = tuple(asked.root)
        mark = freeze(chosen, roots=Roots.parse(given), given=given, jobs=asked.jobs, cache=asked.cache)
    except PseBenchError as error:
        sys.exit(str(error))
    print(f"{chosen.title}: {mark}")


if __name__ == "__main__":
    main()
