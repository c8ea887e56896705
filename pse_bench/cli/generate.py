"""plan, rooms, render, generate, verify, benchmark: from manifests to a dataset that can be trusted."""

import json
import sys
from pathlib import Path
from typing import Any

import click

import pse_bench
from pse_bench.cli import cli, options
from pse_bench.io import cache_folder
from pse_bench.runtime.progress import progress

planning = options.combine_options(
    options.scenario,
    options.manifests("--speech", required=True, help="Manifest of speech; repeatable."),
    options.manifests(
        "--interferer-speech",
        help="Manifest of people who only interfere; repeatable. Without it, everybody may be either.",
    ),
    options.manifests("--noise", required=True, help="Manifest of noise; repeatable."),
    options.manifests("--rir", help="Manifest of measured responses; repeatable."),
    click.option("-n", "--scenes", type=click.IntRange(1), required=True, help="Number of scenes."),
    click.option("--seed", type=int, required=True, help="Any whole number; the same seed, the same plan."),
    options.option(
        "--min-targets",
        type=click.IntRange(1),
        default=2,
        help="Refuse where fewer speakers can be a target; who cannot, and why, is printed.",
    ),
)
rendering = options.combine_options(
    options.roots,
    options.jobs,
    options.distribution_options,
    options.bank,
    options.option("--format", type=click.Choice(["flac", "wav"]), default="flac"),
    click.option(
        "--keep",
        metavar="PARTS",
        callback=lambda *given: [name.strip() for name in given[-1].split(",")] if given[-1] else None,
        help="Write only the mixtures and these, separated by commas: target, target_early, interferer, noise, "
        "enrollment, activity. A training set needs no more than what it is trained with; by default, everything.",
    ),
    options.force,
    click.option("--dry-run", is_flag=True, help="Render a few scenes to nowhere; print bytes and minutes."),
    options.as_json,
)


@cli.command()
@planning
@options.out_file
@options.force
def plan(out: Path, **asked: Any) -> None:
    """Draw the recipes of a dataset.

    SCENARIO is a YAML file or the name of a shipped scenario. Nothing is left to chance afterwards: the same
    plan renders to the same bytes.
    """
    _plan(out, **asked)
    click.echo(out)
    options.echo_next_step(f"pse-bench render {out} -o {out.stem}-dataset")


def _plan(out: Path, **asked: Any) -> None:
    with progress("planning", "scenes") as update:
        pse_bench.plan_dataset(out=out, progress=update, echo=options.echo_note, **asked)


@cli.command()
@click.argument("plans", type=options.FILE, nargs=-1, required=True)
@options.bank
@click.option("--build", is_flag=True, help="Simulate the rooms that the bank lacks.")
@options.jobs
@options.as_json
def rooms(plans: tuple[Path, ...], bank: Path, build: bool, jobs: int, as_json: bool) -> None:
    """Print how often each simulated room of one or more PLANS is used, as CSV.

    Plans share the responses of a room that is the same in all of them. With --build, rooms are simulated before
    any scene is rendered: once, for as many plans and machines as see the bank. Only scenarios with room.rooms
    share rooms; a room that one scene alone has is simulated with the scene and needs no bank.
    """
    from pse_bench.io.tables import as_csv
    from pse_bench.simulation import room

    if build:
        recipes = (recipe for path in plans for recipe in pse_bench.read_plan(path)[2])
        with progress("simulating", "rooms") as update:
            room.build(recipes, bank, options.executor(jobs), update)
    rows = [row.model_dump() for row in room.usage(plans, bank)]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        row["size_m"] = "x".join(f"{length:g}" for length in row["size_m"])
    click.echo(as_csv(list(room.Use.model_fields), [row.values() for row in rows]))
    if scenes := [row["scenes"] for row in rows]:
        built = sum(row["built"] for row in rows)
        spread = f"{sum(scenes)} scenes: {min(scenes)} to {max(scenes)} a room"
        click.echo(f"{len(rows)} rooms ({built} built), {spread}", err=True)


@cli.command()
@click.argument("plan", type=options.FILE)
@options.out_folder
@rendering
def render(**asked: Any) -> None:
    """Render a plan into a dataset. Interrupted, the same command continues.

    A plan that begins with the one of the dataset adds its further scenes.
    """
    _render(**asked)


@cli.command()
@planning
@options.out_folder
@rendering
def generate(**asked: Any) -> None:
    """Plan and render in one go. The plan is kept in the dataset as plan.jsonl.

    Interrupted, the same command continues; with more scenes, it adds them to the dataset.
    """
    import tempfile

    names = ("scenario", "speech", "interferer_speech", "noise", "rir", "scenes", "seed", "min_targets")
    planned = {name: asked.pop(name) for name in names}
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
        path = Path(folder) / "plan.jsonl"
        _plan(path, **planned)
        _render(path, **asked)


def _render(
    plan: Path,
    out: Path,
    *,
    roots: Any,
    jobs: int,
    format: str,
    keep: list[str] | None,
    dry_run: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    how: dict[str, Any] = {"format": format, **({} if keep is None else {"keep": keep})}
    if dry_run:
        from pse_bench.simulation.render import estimate

        guess = estimate(plan, roots=roots, jobs=jobs, **how)
        options.echo_errors(f"problem: {problem}" for problem in guess.problems)
        duration = f"{guess.seconds / 60:.1f} minutes" if guess.seconds >= 90 else f"{guess.seconds:.0f} seconds"
        text = (
            f"{guess.scenes} scenes, {guess.mixtures} mixtures: about {guess.num_bytes / 1e6:.0f} MB and "
            f"{duration} with {jobs} jobs (measured on {guess.probed} scenes); nothing was written"
        )
        click.echo(json.dumps(guess.__dict__) if as_json else text)
        return
    given = options.with_executor({"jobs": jobs, **asked})
    with progress("simulating", "rooms") as rooms_update, progress("rendering", "scenes") as update:
        report = pse_bench.render_plan(
            plan, out, roots=roots, progress=update, rooms_progress=rooms_update, **how, **given
        )
    tell(report, as_json=as_json, shard=asked["share"])


def tell(report: Any, *, as_json: bool, shard: Any = None) -> None:
    """Say how a render or a merge of its shards ended; the exit status is 1 where scenes are missing."""
    out, failed = report.dataset, report.problems
    if as_json:
        shown = {name: getattr(report, name) for name in ("scenes", "mixtures", "fingerprint")}
        problems = [problem.model_dump() for problem in failed]
        click.echo(json.dumps({"dataset": str(out), **shown, "problems": problems}))
    else:
        kept = f" ({report.reused} kept from an earlier run)" if report.reused else ""
        end = f"shard {shard} is done" if shard else f"fingerprint {report.fingerprint[:12]}"
        click.echo(f"{out}: {report.scenes} scenes{kept}, {report.mixtures} mixtures, {end}")
        following = f"pse-bench verify {out}; pse-bench enhance {out} --system SYSTEM -o submissions/NAME"
        if shard:
            options.echo_next_step(f"pse-bench merge {out.parent}, once all shards are done")
        elif not failed:
            options.echo_next_step(following)
    if failed:
        options.echo_errors(f"{problem.scene_id}: {problem.reason}" for problem in failed[:5])
        where = "" if shard else f"see {out / 'quarantine.csv'}; "
        options.fail(
            f"{len(failed)} of {report.scenes + len(failed)} scenes could not be rendered, {where}"
            "put the sources right and run the same command again, it continues"
        )


@cli.command()
@click.argument("folder", type=options.FOLDER)
@click.option(
    "--rerender", type=click.IntRange(0), default=0, metavar="K", help="Render K scenes again and compare."
)
@options.roots
@options.jobs
@options.as_json
def verify(folder: Path, as_json: bool, **asked: Any) -> None:
    """Check a dataset or a result, and name whatever differs.

    Of a dataset: the hash of every file, sums of stems, levels, lengths. Of a result: the hash of every file, and
    that its figures can be computed. A bit that has changed anywhere is found.
    """
    from pse_bench.scoring import results

    kind = "result" if results.lies_in(folder) else "dataset"
    if kind == "result":
        report: Any = results.verify(folder)
    else:
        with progress("verifying", "scenes") as update:
            report = pse_bench.verify_dataset(folder, progress=update, **options.with_executor(asked))
    if as_json:
        click.echo(json.dumps({kind: str(folder), "checked": report.checked, "problems": report.problems}))
    else:
        options.echo_errors(report.problems, err=False)
        checked = ", ".join(f"{count} {what}" for what, count in report.checked.items())
        click.echo(f"{folder}: checked {checked}; {len(report.problems) or 'no'} problems")
    if report.problems:
        sys.exit(1)


@cli.command()
@click.argument("name", metavar="[SET]", required=False)
@click.option("-o", "--out", type=options.FOLDER, help="Folder to write.")
@options.roots
@options.jobs
@options.force
@click.option(
    "--blind",
    "edition",
    type=options.FOLDER,
    help="Write there, too: mixtures and enrollments without scenarios, references and names that say anything.",
)
@click.option(
    "--blind-key",
    "key",
    type=options.FILE,
    help="What score needs to tell them, not to be given away; BLIND.key.json.",
)
@click.pass_context
def benchmark(
    ctx: click.Context,
    name: str | None,
    out: Path | None,
    roots: Any,
    jobs: int,
    force: bool,
    edition: Path | None,
    key: Path | None,
) -> None:
    """Make a benchmark set, and prove that it is the identical one.

    Without SET, list the sets. What a set needs beside the corpora that its line names is made on the spot and
    kept in ~/.cache/pse-bench. Interrupted, the same command continues. The exit status is 1 when the dataset is
    not the one that was frozen.
    """
    from pse_bench.dataset import frozen_sets
    from pse_bench.submission import blind

    if name is None:
        for title in frozen_sets.shipped():
            about = frozen_sets.load(title).about
            needs = f"--root {' '.join(f'{corpus}=DIR' for corpus in about.roots)}" if about.roots else "no corpus"
            click.echo(f"{title}: {about.description} {about.mixtures} mixtures; needs {needs}")
        return
    if out is None:
        raise click.UsageError("Missing option '-o' / '--out': the folder to write.")
    chosen, cache = frozen_sets.load(name), cache_folder() / "benchmarks"
    if edition:
        key = key or edition.with_name(f"{edition.name}.key.json")
        blind.check(edition, key)
    with progress("making", "batches") as update:
        made = frozen_sets.prepare(chosen, cache, roots=roots, executor=options.executor(jobs), progress=update)
    if different := frozen_sets.unlisted_clips(chosen, made, roots):
        options.echo_note(
            f"{len(different)} clips that were made, as {different[0]}, are not those of {chosen.title}: "
            "another release of a package, or another processor"
        )
    everything = roots.joined(made)
    ctx.invoke(render, plan=chosen.plan, out=out, roots=everything, jobs=jobs, force=force)
    ctx.invoke(verify, folder=out, roots=everything, jobs=jobs)
    if lines := frozen_sets.differences(chosen, out):
        options.fail(*lines)
    click.echo(f"{out}: the identical {chosen.title}, fingerprint {chosen.about.fingerprint}")
    if edition and key:
        count = blind.write(pse_bench.Dataset.open(out), edition, key)
        click.echo(f"{edition}: {count} mixtures, blind; the key stays with you: {key}")
        options.echo_next_step(f"pse-bench score {out} SUBMISSION --blind-key {key} -o RESULT")
