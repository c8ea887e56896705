"""plan, render, generate, verify: from manifests to a dataset that can be trusted."""

import json
import sys
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from pse_bench.cli import options
from pse_bench.errors import one_line


def _scenarios(ctx: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem | str]:
    """Shipped scenarios, and files, that begin with what was typed."""
    from pse_bench.planning.scenario import shipped

    return [*(name for name in shipped() if name.startswith(begun)), CompletionItem(begun, type="file")]


planning = options.combine_options(
    click.argument("scenario", shell_complete=_scenarios),
    click.option(
        "--speech", type=options.FILE, multiple=True, required=True, help="Manifest of speech; repeatable."
    ),
    click.option(
        "--interferer-speech",
        type=options.FILE,
        multiple=True,
        help="Manifest of people who only interfere; repeatable. Without it, everybody may be either.",
    ),
    click.option(
        "--noise", type=options.FILE, multiple=True, required=True, help="Manifest of noise; repeatable."
    ),
    click.option("--rir", type=options.FILE, multiple=True, help="Manifest of measured responses; repeatable."),
    click.option("-n", "--scenes", type=click.IntRange(1), required=True, help="Number of scenes."),
    click.option("--seed", type=int, required=True, help="Any whole number; the same seed, the same plan."),
)
rendering = options.combine_options(
    options.roots,
    options.jobs,
    options.distribution_options,
    options.bank,
    click.option("--format", type=click.Choice(["flac", "wav"]), default="flac", show_default=True),
    options.force,
    click.option("--dry-run", is_flag=True, help="Render a few scenes to nowhere; print bytes and minutes."),
    options.as_json,
)


@click.command()
@planning
@options.out_file
@options.force
def plan(out: Path, force: bool, **asked: Any) -> None:
    """Draw the recipes of a dataset.

    SCENARIO is a YAML file or the name of a shipped scenario. Nothing is left to chance afterwards: the same
    plan renders to the same bytes.
    """
    _plan(out, force, **asked)
    click.echo(out)
    options.echo_next_step(f"pse-bench render {out} -o {out.stem}-dataset")


@click.command()
@click.argument("plan", type=options.FILE)
@options.out_folder
@rendering
def render(plan: Path, **asked: Any) -> None:
    """Render a plan into a dataset. Interrupted, the same command continues."""
    _render(plan, **asked)


@click.command()
@planning
@options.out_folder
@rendering
def generate(out: Path, dry_run: bool, force: bool, **asked: Any) -> None:
    """Plan and render in one go. The plan is kept in the dataset as plan.jsonl."""
    import tempfile

    names = ("scenario", "speech", "interferer_speech", "noise", "rir", "scenes", "seed")
    planned = {name: asked.pop(name) for name in names}
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
        path = Path(folder) / "plan.jsonl"
        _plan(path, True, **planned)
        _render(path, out=out, dry_run=dry_run, force=force, **asked)


@click.command()
@click.argument("folder", type=options.FOLDER)
@click.option(
    "--rerender", type=click.IntRange(0), default=0, metavar="K", help="Render K scenes again and compare."
)
@options.roots
@options.jobs
@options.as_json
def verify(folder: Path, rerender: int, roots: tuple[str, ...], jobs: int, as_json: bool) -> None:
    """Check a dataset or a result, and name whatever differs.

    Of a dataset: the hash of every file, sums of stems, levels, lengths. Of a result: the hash of every file, and
    that its figures can be computed. A bit that has changed anywhere is found.
    """
    from pse_bench.corpora.roots import Roots
    from pse_bench.runtime.progress import progress
    from pse_bench.scoring import results
    from pse_bench.simulation.verify import verify as check

    kind = "result" if results.lies_in(folder) else "dataset"
    if kind == "result":
        report = results.verify(folder)
    else:
        with progress("verifying", "scenes") as update:
            report = check(
                folder,
                rerender=rerender,
                roots=Roots.parse(roots),
                executor=options.executor(jobs),
                progress=update,
            )
    if as_json:
        click.echo(json.dumps({kind: str(folder), "checked": report.checked, "problems": report.problems}))
    else:
        options.echo_errors(report.problems, err=False)
        checked = ", ".join(f"{count} {what}" for what, count in report.checked.items())
        click.echo(f"{folder}: checked {checked}; {len(report.problems) or 'no'} problems")
    if report.problems:
        sys.exit(1)


def _plan(out: Path, force: bool, **asked: Any) -> None:
    from pse_bench.planning.job import plan_dataset
    from pse_bench.runtime.progress import progress

    with progress("planning", "scenes") as update:
        plan_dataset(out=out, force=force, progress=update, echo=_note, **asked)


def _note(line: str) -> None:
    click.echo(f"note: {line}", err=True)


def _render(
    plan: Path,
    *,
    out: Path,
    roots: tuple[str, ...],
    jobs: int,
    bank: Path,
    format: str,
    force: bool,
    dry_run: bool,
    as_json: bool,
    shard: str | None,
    **where_run: Any,
) -> None:
    from pse_bench.corpora.roots import Roots
    from pse_bench.runtime.progress import progress
    from pse_bench.simulation import render as simulation

    where, chosen = Roots.parse(roots), options.chosen_shard(shard)
    if dry_run:
        guess = simulation.estimate(plan, roots=where, jobs=jobs, format=format)
        for problem in guess.problems:
            click.echo(f"problem: {one_line(problem)}", err=True)
        if as_json:
            click.echo(json.dumps(guess.__dict__))
        else:
            click.echo(
                f"{guess.scenes} scenes, {guess.mixtures} mixtures: about {guess.num_bytes / 1e6:.0f} MB and "
                f"{_duration(guess.seconds)} with {jobs} jobs (measured on {guess.probed} scenes); "
                "nothing was written"
            )
        return
    executor = options.chosen_executor(jobs=jobs, **where_run)
    with progress("simulating", "rooms") as rooms_update, progress("rendering", "scenes") as update:
        report = simulation.render(
            plan,
            out,
            roots=where,
            executor=executor,
            bank=bank,
            format=format,
            share=chosen,
            force=force,
            progress=update,
            rooms_progress=rooms_update,
        )
    tell(report, as_json=as_json, shard=chosen)


def tell(report: Any, *, as_json: bool, shard: Any = None) -> None:
    """Say how a render or a merge of its shards ended; the exit status is 1 where scenes are missing."""
    if as_json:
        summary = {
            "dataset": str(report.dataset),
            "scenes": report.scenes,
            "mixtures": report.mixtures,
            "fingerprint": report.fingerprint,
            "problems": [problem.model_dump() for problem in report.problems],
        }
        click.echo(json.dumps(summary))
    else:
        kept = f" ({report.reused} kept from an earlier run)" if report.reused else ""
        end = f"shard {shard} is done" if shard else f"fingerprint {report.fingerprint[:12]}"
        click.echo(f"{report.dataset}: {report.scenes} scenes{kept}, {report.mixtures} mixtures, {end}")
        if shard:
            options.echo_next_step(f"pse-bench merge {report.dataset.parent}, once all shards are done")
        elif not report.problems:
            out = report.dataset
            options.echo_next_step(
                f"pse-bench verify {out}; pse-bench enhance {out} --system SYSTEM -o submissions/NAME"
            )
    if report.problems:
        options.echo_errors(f"{problem.scene_id}: {problem.reason}" for problem in report.problems[:5])
        total = len(report.problems)
        where = f"see {report.dataset / 'quarantine.csv'}; " if not shard else ""
        click.echo(
            f"{total} of {report.scenes + total} scenes could not be rendered, {where}"
            "put the sources right and run the same command again, it continues",
            err=True,
        )
        sys.exit(1)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"


COMMANDS = (plan, render, generate, verify)
