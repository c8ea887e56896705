"""export, pack, import: models and datasets for other programs, and what others mixed, recorded or enhanced."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import click

import pse_bench
from pse_bench.cli import cli, options
from pse_bench.errors import InputError
from pse_bench.runtime.progress import progress


def _command(name: str, exporter: Any) -> click.Command:
    @click.command(name, help=inspect.cleandoc(exporter.help))
    @options.dataset
    @click.option(
        "--scenario",
        "scenarios",
        type=click.Choice(["TS1", "TS2", "TS3"]),
        multiple=True,
        help="Only mixtures of this scenario; repeatable.",
    )
    @options.out_folder
    @options.force
    def write(dataset: Path, scenarios: tuple[str, ...], out: Path, force: bool) -> None:
        from pse_bench.export.exporter import items

        opened = pse_bench.Dataset.open(dataset)
        chosen = items(opened, scenarios)
        with progress("exporting", "mixtures") as update:
            path = exporter.write(opened, chosen, out, force=force, progress=update)
        click.echo(f"{path}: {len(chosen)} {exporter.unit}")
        options.echo_next_step(exporter.next_step(path))

    return write


@cli.group(
    cls=options.RegistryGroup,
    registry="pse_bench.export.exporter:exporters",
    make=_command,
)
def export() -> None:
    """Write a trained model, or a dataset, in a form that other programs read."""


@export.command()
@click.argument("checkpoint", type=options.FILE)
@options.out_file
@options.force
def onnx(checkpoint: Path, out: Path, force: bool) -> None:
    """Write an enhancer's checkpoint as an ONNX file that runs hop by hop without torch.

    State goes in and out with every hop. The file is compared with torch before it takes its place.
    """

    if out.suffix != ".onnx":
        raise InputError(f"{out}: give a name that ends in .onnx, so that `enhance --system` knows it")
    options.require_new(out, force)
    try:
        from pse_bench.systems import onnx_export
    except ImportError as error:
        raise InputError(f"export needs {error.name}; run pip install 'pse-bench[baseline]'") from error

    difference = onnx_export.export(checkpoint, out)
    click.echo(f"{out}: differs from torch by {difference:.1e} at most")


@cli.command()
@options.dataset
@click.option("-o", "--out", "place", metavar="PLACE", required=True, help="Folder or URL (s3://…) to write.")
@options.option("--size", default="1GB", help="Bytes that a shard may have, as 500MB.")
@options.jobs
@options.force
@options.as_json
def pack(dataset: Path, place: str, size: str, as_json: bool, **asked: Any) -> None:
    """Write a dataset as tar shards in the WebDataset layout.

    PLACE is a folder or any URL that fsspec knows. train --dataset reads shards back, and so does the webdataset
    package. Interrupted, the same command continues.
    """
    from pse_bench.dataset import webdataset

    num_bytes, opened = webdataset.parse_size(size), pse_bench.Dataset.open(dataset)
    with progress("packing", "shards") as update:
        index = webdataset.pack(opened, place, size=num_bytes, progress=update, **options.with_executor(asked))
    shards = index.shardlist
    scenes, total = sum(shard.nsamples for shard in shards), sum(shard.filesize for shard in shards)
    if as_json:
        click.echo(json.dumps({"place": place, "shards": len(shards), "scenes": scenes, "bytes": total}))
    else:
        click.echo(f"{place}: {scenes} scenes in {len(shards)} shards, {total / 1e6:.0f} MB")


export.add_command(pack, "webdataset")  # the name under which one looks for it here


@cli.group("import")
def import_() -> None:
    """Take what others have mixed, recorded or enhanced; nothing of it is simulated.

    librimix and speakerbeam take a test set as a plan, so that it gains TS1 and TS3 twins: every talker of a
    mixture is the enrolled target of a scene once, sources are added as they are, and the mixtures of TS2 are
    compared with those of the set. segments takes real recordings, which have no references, and quadruples
    published outputs. Scenes that cannot be taken are named and left out; the exit status is then 1.
    """


importing = options.combine_options(
    click.argument("metadata", type=options.FILE),
    options.out_file,
    options.roots,
    options.option("--corpus", default="librimix", help="Name of the folder with the set's audio, for --root."),
    click.option("--name", help="Name of the dataset.  [default: the metadata's, without its ending]"),
    options.manifests(
        "--speech",
        help="Manifest of the corpus that the sources are made of: genders, and words where a source holds all.",
    ),
    options.jobs,
    options.force,
)


@import_.command()
@importing
@options.option("--seed", type=int, default=1, help="Chooses enrollments.")
def librimix(**asked: Any) -> None:
    """LibriMix: METADATA lies beside its audio, as wav16k/max/metadata/mixture_test_mix_both.csv.

    The enrollment is another utterance that the target says in the set.
    """
    _import(**asked)


@import_.command()
@importing
@click.argument("enrollments", type=options.FILE)
def speakerbeam(**asked: Any) -> None:
    """SpeakerBeam: LibriMix's METADATA, and the map_mixture2enrollment that tells the ENROLLMENTS."""
    _import(seed=0, **asked)


def _import(
    metadata: Path, out: Path, name: str | None, corpus: str, roots: Any, seed: int, force: bool, **asked: Any
) -> None:
    from pse_bench.importing import librimix as test_sets
    from pse_bench.planning import plan

    options.require_new(out, force)
    name = name or re.sub(r"[^a-z0-9]+", "-", metadata.stem.lower()).strip("-")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise InputError(f"--name {name}: expected small letters, digits and hyphens, such as libri2mix-test")
    roots.check([corpus])
    given = {"name": name, "corpus": corpus, "roots": roots, "seed": seed, **options.with_executor(asked)}
    with progress("importing", "scenes") as update:
        about, recipes, problems = test_sets.read(metadata, progress=update, **given)
    plan.write(out, plan.imported_header(about, seed=seed), recipes)
    click.echo(f"{out}: {len(recipes)} scenes")
    options.echo_next_step(f"pse-bench render {out} --root {corpus}={roots.locate(corpus, '')} -o {name}")
    if problems:
        options.fail(*problems, f"{len(problems)} left out; the others are in {out}")


recorded = options.combine_options(
    click.argument("table", type=options.FILE),
    options.out_folder,
    click.option("--audio", "root", type=options.FOLDER, help="Folder of the sound files.  [default: TABLE's]"),
    click.option("--name", help="Name of the dataset.  [default: TABLE's, without its ending]"),
    options.jobs,
    options.force,
    options.as_json,
)


@import_.command()
@recorded
@click.option("--target", "targets", multiple=True, metavar="SPEAKER", help="Only this person; repeatable.")
@click.option("--excerpt", "excerpt_s", type=click.FloatRange(1), metavar="SECONDS", help="Cut recordings so.")
@options.option(
    "--enrollment",
    "source",
    type=click.Choice(["other-recording", "other-part"]),
    default="other-recording",
    help="Where the target is heard alone; other-part is outside of the excerpt.",
)
@options.option(
    "--enrollment-s",
    "enrolled_s",
    type=click.FloatRange(0.5),
    default=10.0,
    metavar="SECONDS",
    help="The longest enrollment.",
)
def segments(table: Path, out: Path, root: Path | None, name: str | None, as_json: bool, **asked: Any) -> None:
    """Real recordings: TABLE says who speaks when, as RTTM or CSV.

    The CSV has columns recording, start, duration (in seconds), speaker and maybe text. Everybody is the target of
    each recording, or excerpt, once, enrolled by what the same person says alone in another; whoever cannot be is
    named and left out, the exit status is then 1. The dataset has no references: score computes what needs none.
    """
    from pse_bench.cli import generate
    from pse_bench.importing import recordings, segments

    root, force, name = root or table.parent, asked.pop("force"), recordings.checked_name(name, table)
    given = options.with_executor(asked)
    with progress("reading", "files") as update:
        recipes, problems = segments.read(table, root, progress=update, **given)
    rendering = {"executor": given["executor"], "force": force}
    with progress("rendering", "scenes") as update:
        report = recordings.render_plan(
            table, out, recipes, root=root, name=name, reference="none", progress=update, **rendering
        )
    generate.tell(report, as_json=as_json)
    if problems:
        more = [f"… and {len(problems) - options.SHOWN} more"] if len(problems) > options.SHOWN else []
        options.fail(*problems[: options.SHOWN], *more, f"{len(problems)} left out; the others are in {out}")


@import_.command()
@recorded
@click.option("--fit", is_flag=True, help="Cut, or pad with zeros, estimates up to 0.5 s too long or too short.")
@options.fields
def quadruples(
    table: Path, out: Path, root: Path | None, name: str | None, as_json: bool, fields: Any, **asked: Any
) -> None:
    """Published outputs: TABLE lists mixture, reference, enrollment and estimate of each, as CSV or JSON lines.

    OUT gets a dataset and a submission, so that score runs at once. Sounds stay as they are, estimates to the
    byte. Optional columns are id, interferer, scenario, speaker, interferer_speaker, text and interferer_text.
    Without a reference, a line is of TS3.
    """
    from pse_bench.cli import generate
    from pse_bench.importing import quadruples, recordings
    from pse_bench.submission.submission import DESCRIPTION

    root, force, name = root or table.parent, asked.pop("force"), recordings.checked_name(name, table)
    dataset, submission = out / "dataset", out / "submission"
    options.require_new(submission / DESCRIPTION, force)
    given = options.with_executor(asked)
    with progress("reading", "files") as update:
        recipes, rows = quadruples.read(table, root, progress=update, **given)
    rendering = {"executor": given["executor"], "force": force}
    with progress("rendering", "scenes") as update:
        report = recordings.render_plan(
            table, dataset, recipes, root=root, name=name, reference="reverberant", progress=update, **rendering
        )
    if not report.problems:
        quadruples.submit(pse_bench.Dataset.open(dataset), rows, root, submission, fields, name)
    generate.tell(report, as_json=as_json)
    options.echo_next_step(f"pse-bench score {dataset} {submission} -o {out / 'result'}")
