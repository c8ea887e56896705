"""Writes docs/reference/ from the code: python docs/reference.py. A test fails when its pages are stale."""

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import yaml

import pse_bench
from pse_bench import metrics, schemas
from pse_bench.asr.hypothesis_csv import Hypothesis
from pse_bench.cli import cli
from pse_bench.dataset import dataset
from pse_bench.export import listening_test
from pse_bench.importing import ratings
from pse_bench.io.documents import Record
from pse_bench.leaderboard import shown, table
from pse_bench.metrics import detection
from pse_bench.metrics.metric import AGGREGATIONS
from pse_bench.planning import channel, scenario
from pse_bench.simulation.dataset_writer import Problem
from pse_bench.submission import submission
from pse_bench.systems import public

HERE = Path(__file__).parent
NOTE = "<!-- Made by docs/reference.py from the code. Change the code and run it again. -->\n"
README = HERE.parent / "README.md"
PICTURE = HERE / "images" / "tradeoff.svg"
CALLS = HERE / "images" / "calls.svg"
ON_CALLS = (
    "mixture",
    "baseline:no-its",
    "baseline:its",
    "baseline:its-noisy-reference",
    "DTLN",
    "GTCRN",
    "RNNoise",
    "DeepFilterNet3",
)
BOARDS = "<!-- boards, made by docs/reference.py -->"
PUBLIC_PAGE = HERE / "how-to" / "public-systems.md"
PUBLIC = "<!-- public systems, made by docs/reference.py -->"
SETS = ("libri-mini-v1", "embedded-v1")
HEADLINE = {
    "TS2.tsos": "TS2 TSOS, % ↓",
    "TS3.net_leakage_reduction_db": "TS3 net reduction, dB ↑",
}
FIRST = 6
SECTIONS = ("Args:", "Args,", "Raises:", "Raises ", "Returns:", "Source:", "Source ")
WIDTH = 96


def main() -> None:
    """Write every page."""
    for name, text in pages().items():
        (HERE / "reference" / name).write_text(text, encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")
    CALLS.write_text(calls(), encoding="utf-8")
    for page, mark, text in ((README, BOARDS, headline()), (PUBLIC_PAGE, PUBLIC, published())):
        before, _, rest = page.read_text(encoding="utf-8").partition(mark)
        page.write_text(f"{before}{text}{rest.partition(mark)[2]}", encoding="utf-8")


def pages() -> dict[str, str]:
    """The pages by their file's name."""
    return {"commands.md": commands(), "files.md": tables(), "metrics.md": figures(), "python.md": python()}


# ---- the README's tables


def headline() -> str:
    """The first systems of every board with some figures, and who is on its front, between marks."""
    return "\n\n".join([BOARDS, *(_first(name) for name in SETS), BOARDS])


def _first(name: str) -> str:
    board = HERE.parent / "leaderboards" / f"{name}.csv"
    rows = table.read(board)
    systems = shown.ranked(rows)
    letters = shown.groups_of(rows, table.read_pairs(board))
    heads = ["rank", "group", "system", "net score, % ↑"]
    figures = [figure for figure in HEADLINE if all(figure in row.cells for row in systems)]
    lines = [f"| {' | '.join([*heads, *(HEADLINE[figure] for figure in figures)])} |"]
    lines.append(f"|{'---|' * (len(heads) + len(figures))}")
    for row in systems[:FIRST]:
        told = [shown.rank(row.entry), letters.get(row.entry.name, ""), f"`{row.entry.system}`"]
        told += [" ".join(shown.score(row.entry)), *(f"{row.cells[figure]:.1f}" for figure in figures)]
        lines.append(f"| {' | '.join(told)} |")
    front = ", ".join(f"`{row.entry.system}`" for row in systems if row.entry.pareto)
    return "\n".join(
        [f"**{name}**, the first {len(systems[:FIRST])} of {len(systems)} systems; front: {front}", "", *lines]
    )


def picture() -> str:
    """The trade-off of the systems on the first board."""
    board = HERE.parent / "leaderboards" / f"{SETS[0]}.csv"
    rows = [row.entry for row in table.read(board) if row.entry.kind != "control"]
    return pse_bench.plot_tradeoff([table.evidence(board, entry) for entry in rows]).svg


def calls() -> str:
    """Figures by stretch of some systems on the board of calls of real people."""
    board = HERE.parent / "leaderboards" / "speechocean-call-v1.csv"
    rows = {row.entry.system: row.entry for row in table.read(board)}
    return pse_bench.plot_sessions([table.evidence(board, rows[name]) for name in ON_CALLS]).svg


# ---- published systems


def published() -> str:
    """What is known of each published system that there is an adapter for, between marks."""
    lines = [PUBLIC, "| system | install | licence of code and weights |", "|---|---|---|"]
    for name, system in public.systems().items():
        lines.append(f"| [`public:{name}`]({system.url}) | `{system.install}` | {system.licence} |")
    lines += ["", "| system | hears | delay | parameters | trained on |", "|---|---|---|---|---|"]
    for name, system in public.systems().items():
        rate_hz, hop = system.build.sample_rate, getattr(system.build, "hop", None)
        hears = f"{rate_hz:,} Hz, {hop} samples a step" if hop else f"{rate_hz:,} Hz, whole clips"
        delay = f"{system.build.delay} samples" if hop else "none"
        size = "unknown" if system.parameters is None else f"{system.parameters:,}"
        lines.append(f"| `public:{name}` | {hears} | {delay} | {size} | {system.training_data or 'unknown'} |")
    return "\n".join([*lines, PUBLIC])


# ---- commands


def commands() -> str:
    """Every command with its help, as the command line prints it."""
    parts = [
        f"{NOTE}# Commands\n",
        "Data goes to stdout; progress, notes and complaints to stderr. Exit status 0: done; 1: a mistake that\n"
        "one line explains, or a check that failed; 2: wrong usage; 130: interrupted. Nothing is overwritten\n"
        "without `--force`, and an interrupted command continues when it is run again.\n",
    ]
    for words, command in _commands(cli, ("pse-bench",)):
        parts += [
            f"{'#' * min(len(words) + 1, 4)} {' '.join(words)}\n",
            f"```text\n{_help(words, command)}\n```\n",
        ]
    return "\n".join(parts)


def _commands(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in sorted(command.list_commands(ctx)):
            yield from _commands(command.get_command(ctx, name), (*words, name))


def _help(words: tuple[str, ...], command: click.Command) -> str:
    parent = None
    for word in words[:-1]:
        parent = click.Context(cli, info_name=word, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)
    context = click.Context(
        command,
        info_name=words[-1],
        parent=parent,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


# ---- files

FILES: dict[str, tuple[tuple[str, type[Record]], ...]] = {
    "Manifests": (
        ("Speech: `<name>.csv`", schemas.Utterance),
        ("Noise: `<name>.csv`", schemas.NoiseClip),
        ("Measured room responses: `<name>.csv`", schemas.MeasuredResponse),
    ),
    "Scenario: `<name>.yaml`": (
        ("The file", scenario.Scenario),
        ("`target`", scenario.Target),
        ("`interferer`", scenario.Interferer),
        ("`noise`", scenario.NoiseField),
        ("`room`", scenario.Room),
        ("`enrollment`", scenario.EnrollmentChoice),
        ("`channel`", channel.ChannelChoice),
        ("`session`", scenario.SessionChoice),
    ),
    "Plan: `plan.jsonl`": (
        ("A line, after the header", schemas.Recipe),
        ("`target` and each of `interferers`", schemas.Talker),
        ("Each of `segments`", schemas.Segment),
        ("`noise`", schemas.Noise),
        ("`enrollment`", schemas.Enrollment),
        ("`channel`, where there is one", schemas.Channel),
        ("`session`, where there is one", schemas.Session),
        ("Each of `turns`", schemas.Turn),
        ("`room`, simulated", schemas.SimulatedRoom),
        ("`room`, measured", schemas.MeasuredRoom),
        ("`room`, imported", schemas.RecordedRoom),
        ("`imported` in the header of an imported plan", schemas.Imported),
    ),
    "Dataset": (
        ("`dataset.json`", dataset.Description),
        ("`mixtures.csv`", schemas.Mixture),
        ("`files.csv`", schemas.StoredFile),
        ("`activity/<scene_id>.json`", dataset.Activity),
        ("`quarantine.csv`", Problem),
    ),
    "Submission": (("`system.yaml`", submission.System),),
    "Result": (
        ("`scores.csv`", schemas.Score),
        ("`detections.csv`, where the submission holds activity", schemas.Detection),
        ("`hypotheses.csv`, where there was a recogniser", Hypothesis),
        ("`summary.csv`", schemas.Summary),
    ),
    "Listening test": (
        ("`key.csv`", listening_test.Stimulus),
        ("What `import ratings` writes", ratings.Rating),
    ),
    "Leaderboard": (("`<set>.csv`, before the figures", table.Entry),),
}


def tables() -> str:
    """Every file with its columns or keys."""
    meanings = yaml.safe_load((HERE / "columns.yaml").read_text(encoding="utf-8"))
    used: set[str] = set()
    parts = [
        f"{NOTE}# Files\n",
        "Everything between two commands is a file that a person can open. Unknown keys and columns are\n"
        f"refused, and so are other versions of the schema (now {schemas.SCHEMA}). Numbers carry their unit in\n"
        "the name: `_s` seconds, `_m` metres, `_db` decibels, `_dbfs` decibels relative to full scale, `_hz`\n"
        "hertz, `_ms` milliseconds; without one they count samples or have none. Paths are relative to the\n"
        "file's own folder, or to the root of a corpus that is given when a command runs.\n",
    ]
    for heading, kinds in FILES.items():
        parts.append(f"## {heading}\n")
        for title, record in kinds:
            parts.append(f"### {title}\n\n{_prose(record)}\n")
            parts.append("| name | type | meaning |\n|---|---|---|")
            for name, field in record.model_fields.items():
                key = f"{record.__name__}.{name}"
                meaning = field.description or meanings.get(key) or meanings.get(name)
                if meaning is None:
                    raise SystemExit(f"docs/columns.yaml: no meaning for {key}; add one")
                used |= set() if field.description else {key, name} & set(meanings)
                optional = "" if field.is_required() else _default(field.default)
                parts.append(f"| `{field.alias or name}` | {_type(field.annotation)} | {meaning}{optional} |")
            parts.append("")
    if idle := set(meanings) - used:
        raise SystemExit(f"docs/columns.yaml: {sorted(idle)} are names of nothing; remove them")
    return "\n".join(parts)


def _default(value: Any) -> str:
    if isinstance(value, scenario.Quantity):
        value = value.options[0] if len(value.options) == 1 else f"{value.low:g} to {value.high:g}"
    if value is None or value == "" or "Undefined" in repr(value):
        return "; may be left out"
    return f"; {str(value).lower() if isinstance(value, bool) else value} where left out"


def _type(annotation: Any) -> str:  # noqa: PLR0911 - a kind of type each
    """A type in words."""
    inner = [part for part in get_args(annotation) if part is not type(None)]
    if annotation is scenario.Quantity:
        return "quantity"
    if getattr(annotation, "__origin__", None) in (list, tuple):
        words = {2: "two", 3: "three"}
        return f"list of {_type(inner[0])}" if annotation.__origin__ is list else f"{words[len(inner)]} numbers"
    if getattr(annotation, "__origin__", None) is dict:
        return "mapping"
    if inner and all(isinstance(part, str | int) for part in inner):
        words = ", ".join(f"`{part}`" for part in inner if part != "")
        return f"{words} or empty" if "" in inner else words
    if type(None) in get_args(annotation):
        return f"{_type(inner[0])} or empty"
    if inner and hasattr(annotation, "__metadata__"):
        return _type(inner[0])
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return "mapping"
    if inner:
        return _type(inner[0])
    names = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _prose(record: type[Record]) -> str:
    return _words(inspect.getdoc(record) or "")


# ---- metrics


def figures() -> str:
    """Every metric with its definition, and what tables compute from the scores of all clips."""
    parts = [
        f"{NOTE}# Metrics\n",
        "s is the reference, ŝ the estimate, y the mixture; S and Ŝ are spectra of frames of 32 ms with a hop\n"
        "of 16 ms. The reference is the early target unless the scenario, or `--reference`, says otherwise. A\n"
        "value that does not exist is *undefined* and no number; one that the system made impossible is\n"
        "*failed* and counts as the worst.\n",
        "| metric | scenarios | better | unit |\n|---|---|---|---|",
    ]
    for metric in metrics.ALL_METRICS.values():
        better = "higher" if metric.higher_is_better else "lower"
        link = f"[`{metric.name}`](#{metric.name})"
        parts.append(f"| {link} | {', '.join(metric.scenarios)} | {better} | {metric.unit or '–'} |")
    parts.append("")
    for metric in metrics.ALL_METRICS.values():
        parts += [f"## {metric.name}\n", f"{_sentence(metric.description)}\n", f"{_definition(metric)}\n"]
        parts += [_facts(metric), ""]
    parts.append(
        "## Figures of a table\n\nComputed from the scores of all clips, beside the metric they come from.\n"
    )
    for metric in metrics.REGISTRY.values():
        if metric.of in ("clip", "activity"):
            continue
        better = "higher" if metric.higher_is_better else "lower"
        source = "` and `".join(metric.needs if metric.of == "scenarios" else (metric.of,))
        parts += [
            f"### {metric.name}\n",
            f"{_sentence(metric.description)} {_paragraphs(metric.compute)}\n",
            f"- unit {metric.unit}; {better} is better; {', '.join(metric.scenarios)}; from `{source}`",
            f"- smallest difference worth naming: {metric.resolution.size:g} ({metric.resolution.reason})\n",
        ]
    said = (inspect.getdoc(detection) or "").partition("\n\n")[2]
    parts.append(f"## Who speaks\n\nOf submissions that hold activity. {said}\n")
    for found in detection.ACTIVITY:
        better = "higher" if found.higher_is_better else "lower"
        parts += [
            f"### {found.name}\n",
            f"{_sentence(found.description)}\n",
            f"- unit {found.unit}; {better} is better; {', '.join(found.scenarios)}; "
            f"{AGGREGATIONS[found.aggregation]}",
            f"- source: {found.source}; version {found.version}\n",
        ]
    return "\n".join(parts)


def _facts(metric: metrics.Metric) -> str:
    unit = f" {metric.unit}" if metric.unit else ""
    low, high = (("unbounded" if end is None else f"{end:g}") for end in (metric.low, metric.high))
    worst = "all that could be lost" if metric.worst is None else f"{metric.worst:g}{unit}"
    over = "sum of numerators over sum of denominators" if metric.aggregation == "ratio" else "mean"
    asked = "" if metric.name in metrics.METRICS else "; with a model, when asked for"
    asked = "; of sessions, and elsewhere when asked for" if metric.name in metrics.OF_SESSIONS else asked
    lines = [
        f"- {'higher' if metric.higher_is_better else 'lower'} is better; {', '.join(metric.scenarios)}{asked}",
        f"- from {low} to {high}{unit}; a failed clip counts {worst}",
        f"- over clips: {over}",
        f"- smallest difference worth naming: {metric.resolution.size:g}{unit} ({metric.resolution.reason})",
        f"- source: {metric.source}",
        f"- version {metric.version}",
    ]
    return "\n".join(lines)


def _definition(metric: metrics.Metric) -> str:
    """What the function that has the metric's name says; a table of models shares one function."""
    compute = getattr(metric.compute, "func", metric.compute)
    return _paragraphs(getattr(sys.modules[compute.__module__], metric.name, compute))


def _paragraphs(function: Any) -> str:
    """A docstring up to its arguments, errors and sources."""
    kept = []
    for paragraph in (inspect.getdoc(function) or "").split("\n\n"):
        if paragraph.startswith(SECTIONS):
            break
        kept.append(_words(paragraph))
    return "\n\n".join(kept)


# ---- Python


def python() -> str:
    """The public names with their signatures."""
    parts = [
        f"{NOTE}# Python\n",
        "`from pse_bench import …` gives these; each is loaded when it is first used. Errors that a person can\n"
        "put right are `PseBenchError`. Signals are float arrays of full scale ±1, time on the last axis.\n"
        "`docs/examples/python_api.py` uses them.\n",
    ]
    for name in sorted(set(pse_bench.__all__) - {"__version__"}, key=str.lower):
        thing = getattr(pse_bench, name)
        parts.append(f"## {name}\n")
        if inspect.isfunction(thing):
            parts.append(f"```python\n{name}{_signature(thing)}\n```\n")
        elif not isinstance(thing, type):
            parts.append("Every metric by its name, in the order of tables.\n")
            continue
        text = inspect.getdoc(thing) or ""
        head, marked, rest = text.partition("Args:")
        parts.append(f"{_words(head).strip()}\n")
        if marked:
            parts.append(f"```text\n{marked}{rest}\n```\n")
        parts.append(f"Defined in `{thing.__module__}`.\n")
    return "\n".join(parts)


def _signature(function: Any) -> str:
    """Arguments, one a line, without their types, which type checkers and the text know."""
    signature = inspect.signature(function)
    shown, keyword = [], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword:
            shown.append("*")
            keyword = True
        default = parameter.default
        plain = default is None or isinstance(default, str | int | float | tuple)
        shown_as = json.dumps(default) if isinstance(default, str) else repr(default)
        value = "" if default is parameter.empty else f"={shown_as}" if plain else "=…"
        shown.append(f"{parameter.name}{value}")
    return f"({', '.join(shown)})"


# ---- text


def _words(text: str) -> str:
    """A docstring's text as Markdown: one line a paragraph, code as code."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n\n".join(part.replace("``", "`").replace("<", "&lt;") for part in paragraphs)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


if __name__ == "__main__":
    main()
