"""export listening-test, import ratings: what people hear, as a test that they take and as figures."""

from pathlib import Path
from typing import Any

import click

from pse_bench.cli import options
from pse_bench.cli.exchange import export, import_
from pse_bench.runtime.progress import progress


@export.command("listening-test")
@options.results
@options.out_folder
@click.option("--dataset", type=options.FOLDER, required=True, help="What the results were scored on.")
@click.option(
    "--submission",
    "submissions",
    multiple=True,
    type=options.PLACE,
    help="What a result was scored from, a folder or a zip; repeatable, one for each system.",
)
@options.option("--scenario", type=click.Choice(["TS1", "TS2"]), default="TS2", help="Whose mixtures are heard.")
@options.option("--scenes", type=click.IntRange(1), default=12, metavar="N", help="How many mixtures are heard.")
@options.option(
    "--choose",
    type=click.Choice(["disagreement", "random"]),
    default="disagreement",
    help="Mixtures on which the figures of the systems differ most, or any. Either deals target speakers evenly.",
)
@options.option(
    "--raters", type=click.IntRange(2, 999), default=24, metavar="N", help="People to write files for."
)
@click.option(
    "--per-rater", type=click.IntRange(1), metavar="N", help="Mixtures that one rater hears.  [default: all]"
)
@options.option(
    "--anchor",
    "anchors",
    type=click.Choice(["mixture", "anchor35", "anchor70"]),
    multiple=True,
    default=("mixture", "anchor35"),
    help="Conditions beside the systems: the unprocessed mixture, the reference below 3.5 or 7 kHz; repeatable.",
)
@click.option(
    "--match-level",
    is_flag=True,
    help="Give all the reference's level where the target speaks, instead of leaving levels as they are.",
)
@options.option("--seed", type=int, default=1, help="Chooses names, orders, and mixtures that are alike.")
@options.force
def listening_test(
    results: tuple[Path, ...],
    out: Path,
    dataset: Path,
    submissions: tuple[Path, ...],
    choose: str,
    force: bool,
    **asked: Any,
) -> None:
    """Write a listening test of the systems of RESULTS, two or more.

    OUT/raters is what raters are given: sounds under names that say nothing and, for each rater, a configuration
    of webMUSHRA (r01.yaml) and sheets for ratings of P.835 (p835-r01.csv) and P.808 (p808-r01.csv), all in an
    order of the rater's own. OUT/key.csv tells what each sound is: keep it. `import ratings` reads the answers.
    """
    from pse_bench.export import listening_test as test

    design = test.Design(by_chance=choose == "random", **asked)
    with progress("writing", "mixtures") as update:
        key = test.export(
            results,
            out,
            dataset=dataset,
            submissions=submissions,
            design=design,
            force=force,
            note=options.echo_note,
            progress=update,
        )
    conditions = len({row.system for row in key})
    click.echo(f"{out}: {design.scenes} mixtures in {conditions} conditions for {design.raters} raters")
    name = test.name_of(out)
    options.echo_next_step(f"cp -r {out}/raters WEBMUSHRA/configs/{name}, then open ?config={name}/r01.yaml")


@import_.command()
@click.argument("test", type=options.FOLDER)
@click.argument("answers", nargs=-1, required=True, type=options.PLACE)
@click.option("-o", "--out", type=options.FILE, help="CSV to write: every rating, with what was rated.")
@options.formats(help="How to print.")
@options.force
def ratings(test: Path, answers: tuple[Path, ...], out: Path | None, form: str, force: bool) -> None:
    """Take in what raters answered to the listening test in the folder TEST, and print it by system.

    ANSWERS are webMUSHRA's mushra.csv and sheets that were filled in, or folders of them. Metrics are mushra
    (0 to 100), mos_sig, mos_bak, mos_ovrl (P.835) and mos (P.808; 1 to 5), with 95 % intervals over raters and
    target speakers. Raters who rate the hidden reference below 90 on more than 15 % of their pages are named and
    their MUSHRA ratings left out, as ITU-R BS.1534 says.
    """
    from pse_bench.importing import ratings as reader
    from pse_bench.io.tables import write_table

    if out:
        options.require_new(out, force)
    found = reader.read(test, answers, options.echo_note)
    if out:
        write_table(out, reader.Rating, found)
    click.echo(reader.text(reader.figures(found), form))
