"""import: another project's test set as a plan."""

import sys
from pathlib import Path
from typing import Any

import click

from pse_bench.cli import options


@click.group("import")
def import_() -> None:
    """Take another project's test set as a plan, so that it gains TS1 and TS3 twins.

    Every talker of a mixture is the enrolled target of a scene once. Nothing is simulated: sources are added as
    they are, and the mixtures of TS2 are compared with those of the set. Scenes that cannot be taken are named
    and left out; the exit status is then 1.
    """


importing = options.combine_options(
    click.argument("metadata", type=options.FILE),
    options.out_file,
    options.roots,
    click.option(
        "--corpus",
        default="librimix",
        show_default=True,
        help="Name of the folder with the set's audio, for --root.",
    ),
    click.option("--name", help="Name of the dataset.  [default: the metadata's, without its ending]"),
    click.option(
        "--speech",
        type=options.FILE,
        multiple=True,
        help="Manifest of the corpus that the sources are made of: genders, and words where a source holds all.",
    ),
    options.jobs,
    options.force,
)


@import_.command()
@importing
@click.option("--seed", type=int, default=1, show_default=True, help="Chooses enrollments.")
def librimix(**asked: Any) -> None:
    """LibriMix: METADATA lies beside its audio, as wav16k/max/metadata/mixture_test_mix_both.csv.

    The enrollment is another utterance that the target says in the set.
    """
    _import(enrollments=None, **asked)


@import_.command()
@importing
@click.argument("enrollments", type=options.FILE)
def speakerbeam(**asked: Any) -> None:
    """SpeakerBeam: LibriMix's METADATA, and the map_mixture2enrollment that tells the ENROLLMENTS."""
    _import(seed=0, **asked)


def _import(
    *,
    metadata: Path,
    enrollments: Path | None,
    out: Path,
    roots: tuple[str, ...],
    corpus: str,
    name: str | None,
    speech: tuple[Path, ...],
    seed: int,
    jobs: int,
    force: bool,
) -> None:
    import re

    from pse_bench.corpora.roots import Roots
    from pse_bench.errors import InputError
    from pse_bench.importing import librimix as test_sets
    from pse_bench.io.tables import read_table
    from pse_bench.planning import plan
    from pse_bench.runtime.progress import progress
    from pse_bench.schemas import Utterance

    if out.exists() and not force:
        raise InputError(f"{out}: exists already; give another name, or --force to replace it")
    called = name or re.sub(r"[^a-z0-9]+", "-", metadata.stem.lower()).strip("-")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", called):
        raise InputError(f"--name {called}: expected small letters, digits and hyphens, such as libri2mix-test")
    where = Roots.parse(roots)
    where.check([corpus])
    with progress("importing", "scenes") as update:
        about, recipes, problems = test_sets.read(
            metadata,
            name=called,
            corpus=corpus,
            roots=where,
            seed=seed,
            enrollments=enrollments,
            speech=[row for path in speech for row in read_table(path, Utterance)],
            executor=options.executor(jobs),
            progress=update,
        )
    plan.write(out, plan.imported_header(about, seed=seed), recipes)
    click.echo(f"{out}: {len(recipes)} scenes")
    options.echo_next_step(f"pse-bench render {out} --root {corpus}={where.locate(corpus, '')} -o {called}")
    if problems:
        options.echo_errors(problems)
        click.echo(f"{len(problems)} left out; the others are in {out}", err=True)
        sys.exit(1)


COMMANDS = (import_,)
