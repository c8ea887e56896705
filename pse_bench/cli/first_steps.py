"""demo, doctor, completion: the whole chain at a glance, the state of the installation, completion in a shell."""

import json
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from pse_bench.cli import cli, options
from pse_bench.io import cache_folder

SCENES, SEED = 24, 1
REFERENCES = ("mixture", "oracle-mask", "silence")
BASELINES = ("baseline:no-its", "baseline:its", "baseline:its-noisy-reference")
VARIABLE = "_PSE_BENCH_COMPLETE"
PLACES = {"bash": "~/.bashrc", "zsh": "~/.zshrc", "fish": "~/.config/fish/completions/pse-bench.fish"}


@cli.command()
@options.option("-o", "--out", type=options.FOLDER, default=Path("demo"), help="Folder to write.")
@options.option("-n", "--scenes", type=click.IntRange(1), default=SCENES, help="Number of scenes.")
@options.jobs
@click.pass_context
def demo(ctx: click.Context, out: Path, scenes: int, jobs: int) -> None:
    """Run the whole chain on the embedded corpus.

    Corpus, plan, dataset, three reference systems, three trained models, scores, table, report: minutes on a
    laptop, seconds of it the second time. Needs pse-bench[embedded], and [baseline] for the trained models.
    """
    from pse_bench.cli import corpora, generate, results, scoring, systems
    from pse_bench.io.atomic import write_text
    from pse_bench.planning.scenario import find

    def step(command: click.Command, name: str, *words: object) -> None:
        """Print a command as it would be typed, and run it."""
        typed = [str(word) for word in words]
        click.secho(f"\n$ pse-bench {name} {' '.join(typed)}", err=True, bold=True)
        parallel = ["--jobs", str(jobs)] if any(option.name == "jobs" for option in command.params) else []
        with command.make_context(name, [*typed, *parallel], parent=ctx) as inner:
            command.invoke(inner)

    corpus, dataset, bank, page = out / "corpus", out / "dataset", out / "rooms", out / "report.html"
    speech, noise = (corpus / "manifests" / f"embedded.{name}.csv" for name in ("test", "noise-test"))
    step(corpora.synth, "corpus synth", corpus)
    scenario = out / "demo.yaml"
    write_text(scenario, find("embedded").read_text(encoding="utf-8").replace("name: embedded", "name: demo", 1))
    drawn = (scenario, "--speech", speech, "--noise", noise, "-n", scenes, "--seed", SEED)
    where = ("--root", f"embedded={corpus}", "--room-bank", bank, "-o", dataset)
    step(generate.generate, "generate", *drawn, *where)
    step(generate.verify, "verify", dataset)
    submissions, scored = [], []
    for system in (*REFERENCES, *_baselines()):
        name = system.replace(":", "-")
        submission, result = out / "submissions" / name, out / "results" / name
        step(systems.enhance, "enhance", dataset, "--system", system, "-o", submission, "--force")
        step(scoring.score, "score", dataset, submission, "-o", result, "--force", "--quiet")
        submissions += ["--submission", submission]
        scored.append(result)
    step(results.table, "table", *scored)
    step(results.report, "report", *scored, "--dataset", dataset, *submissions, "-o", page, "--force")
    click.echo(f"\n{_verdict(scored)}")
    places = {
        scenario: "what scenes are like; change it and generate again",
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


def _verdict(scored: list[Path]) -> str:
    """What training with inactive targets changed, in a sentence; where no model could run, what a mask that knows
    the answer does."""
    from pse_bench import Result

    first, second = (Result.open(folder) for folder in (scored[3:5] or scored[:2]))
    found = second.compare(first, metrics=["tsos", "leakage_reduction_db"]).set_index(["scenario", "metric"])

    def words(scenario: str, metric: str, unit: str, more: str, less: str) -> str:
        row = found.loc[scenario, metric]
        sign = 1 if row.difference > 0 else -1
        low, high = sorted((sign * row.ci_low, sign * row.ci_high))
        amount = f"{sign * row.difference:.1f} {unit} {more if sign > 0 else less} [{low:.1f}, {high:.1f}]"
        return amount if "better" in row.verdict else f"{amount} ({row.verdict})"

    removes = words("TS3", "leakage_reduction_db", "dB", "more", "less")
    loses = words("TS2", "tsos", "points", "more", "less")
    return (
        f"{second.system} removes {removes} of other talkers while the target is silent than {first.system}, and "
        f"over-suppresses {loses} of the target in TS2."
    )


def _baselines() -> tuple[str, ...]:
    """The shipped trained models where this machine can run them; otherwise a note says why it cannot."""
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


@cli.command()
@options.as_json
def doctor(as_json: bool) -> None:
    """Say what is installed, and what to install for which command; free disk and threads.

    The exit status is 1 when something is missing that every command needs.
    """
    from pse_bench.doctor import diagnose
    from pse_bench.runtime.executor import THREAD_VARIABLES

    found = diagnose(cache_folder(), THREAD_VARIABLES)
    if as_json:
        click.echo(json.dumps(found))
    else:
        click.echo(f"pse-bench {found['version']}, Python {found['python']}, {found['machine']}")
        held = [f"{name} {release}" for name, release in found["packages"].items() if release]
        click.echo(f"packages   {', '.join(held)}")
        for extra in found["extras"]:
            absent = ", ".join(name for name, release in extra["packages"].items() if release is None)
            state = f"missing: {absent}; {extra['install']}" if absent else "there"
            click.echo(f"{extra['name']:16}{state}\n{'':16}for {extra['serves']}")
        for folder, free in found["disk"].items():
            click.echo(f"disk       {free / 1e9:.1f} GB free in {folder}")
        limits = ", ".join(f"{name}={value}" for name, value in found["threads"].items())
        cores = f"{found['cores']} cores"
        click.echo(f"threads    {cores}; {limits or 'no variable limits the threads of a library'}")
    if found["missing"]:
        missing = ", ".join(found["missing"])
        options.fail(f"missing: {missing}; run pip install --force-reinstall pse-bench")


@cli.command()
@click.argument("shell", type=click.Choice(list(PLACES)))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands, options and shipped names at the tab key.

    \b
    bash  pse-bench completion bash >> ~/.bashrc
    zsh   pse-bench completion zsh >> ~/.zshrc
    fish  pse-bench completion fish > ~/.config/fish/completions/pse-bench.fish
    """
    top = click.get_current_context().find_root().command
    template = get_completion_class(shell)
    assert template is not None  # one of click's own
    words = {"complete_func": "_pse_bench_completion", "complete_var": VARIABLE, "prog_name": "pse-bench"}
    # source() would first run bash to ask for its version
    click.echo(template(top, {}, "pse-bench", VARIABLE).source_template % words)
    options.echo_next_step(f"put it into {PLACES[shell]} and open a new shell")
