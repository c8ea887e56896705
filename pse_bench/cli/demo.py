"""demo: the whole chain on the embedded corpus, each step also shown as the command that does it."""

from pathlib import Path
from typing import Any

import click

from pse_bench.cli import options

SCENES, SEED = 24, 1
REFERENCES = ("mixture", "oracle-mask", "silence")
BASELINES = ("baseline:no-its", "baseline:its", "baseline:its-noisy-reference")


@click.command()
@click.option("--out", type=options.FOLDER, default=Path("demo"), show_default=True, help="Folder to write.")
@click.option(
    "-n", "--scenes", type=click.IntRange(1), default=SCENES, show_default=True, help="Number of scenes."
)
@options.jobs
@click.pass_context
def demo(ctx: click.Context, out: Path, scenes: int, jobs: int) -> None:
    """Run the whole chain on the embedded corpus.

    Corpus, plan, dataset, three reference systems, three trained models, scores, table, report: minutes on a
    laptop, seconds of it the second time. Needs pse-bench[embedded], and [baseline] for the trained models.
    """
    from pse_bench.cli import corpora, generate, reporting, scoring
    from pse_bench.cli.results import table

    def step(command: click.Command, *words: str, **values: Any) -> None:
        """Say a command as it would be typed, and run it."""
        click.secho(f"\n$ pse-bench {' '.join(words)}", err=True, bold=True)
        ctx.invoke(command, **values)

    corpus, dataset = out / "corpus", out / "dataset"
    speech = corpus / "manifests" / "embedded.test.csv"
    noise = corpus / "manifests" / "embedded.noise-test.csv"
    bank = out / "rooms"
    step(corpora.synth, "corpus synth", str(corpus), out=corpus, jobs=jobs)
    step(
        generate.generate,
        f"generate embedded --speech {speech} --noise {noise} -n {scenes} --seed {SEED}",
        f"--root embedded={corpus} --room-bank {bank} -o {dataset}",
        scenario="embedded",
        speech=(speech,),
        noise=(noise,),
        scenes=scenes,
        seed=SEED,
        roots=(f"embedded={corpus}",),
        bank=bank,
        out=dataset,
        jobs=jobs,
    )
    step(generate.verify, f"verify {dataset}", folder=dataset, jobs=jobs)
    submissions, results = [], []
    for system in (*REFERENCES, *_baselines()):
        name = system.replace(":", "-")
        submission, result = out / "submissions" / name, out / "results" / name
        step(
            scoring.enhance,
            f"enhance {dataset} --system {system} -o {submission} --force",
            dataset=dataset,
            system=system,
            out=submission,
            jobs=jobs,
            force=True,
        )
        step(
            scoring.score,
            f"score {dataset} {submission} -o {result} --force --quiet",
            dataset=dataset,
            submission=submission,
            out=result,
            jobs=jobs,
            force=True,
            quiet=True,
        )
        submissions.append(submission)
        results.append(result)
    step(table, f"table {' '.join(map(str, results))}", results=tuple(results))
    page = out / "report.html"
    step(
        reporting.report,
        f"report {' '.join(map(str, results))} --dataset {dataset}",
        f"{' '.join(f'--submission {folder}' for folder in submissions)} -o {page} --force",
        results=tuple(results),
        dataset=dataset,
        submissions=tuple(submissions),
        out=page,
        jobs=jobs,
        force=True,
    )
    places = {
        dataset / "mixtures.csv": "every mixture: who, where, how loud",
        dataset / "TS2": "mixtures to listen to",
        dataset / "stems": "what they are the sum of",
        dataset / "activity": "when target and interferer speak",
        out / "results": "scores.csv (every clip), summary.csv (the tables), result.json",
    }
    width = max(len(str(path)) for path in places)
    click.echo("\nWhere to look")
    for path, what in places.items():
        click.echo(f"  {path!s:{width}}  {what}")
    click.echo(
        "\nNext: enhance the dataset with your own model and score it beside these, for example\n"
        f"  pse-bench enhance {dataset} --system my_model:enhance -o {out / 'submissions' / 'mine'}\n\n"
        f"Open in a browser, to see the trade-off and to hear where systems fail:\n{page}"
    )


def _baselines() -> tuple[str, ...]:
    """The trained models that come with the package, where they can be run here; else why they cannot is said."""
    from pse_bench.speaker.encoders import DEFAULT, ENCODERS
    from pse_bench.systems import trained
    from pse_bench.training import REMEDY

    try:
        from pse_bench.training import checkpoint
    except ImportError:
        reason = f"torch is not installed; run {REMEDY}"
    else:
        reason = ENCODERS[DEFAULT].missing()
    if reason:
        click.echo(f"\nThe trained models {', '.join(BASELINES)} are left out: {reason}", err=True)
        return ()
    return tuple(name for name in BASELINES if name.removeprefix(trained.SHIPPED) in checkpoint.shipped())


COMMANDS = (demo,)
