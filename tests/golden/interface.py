"""What others hold on to: commands and options, public names, metrics, and the keys of every file.

``python tests/golden/interface.py`` writes the golden file. Keys are read off files that commands write.
"""

import csv
import enum
import inspect
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import published
import yaml

import pse_bench
from pse_bench.cli import cli

GOLDEN = published.HERE / "interface.json"
OPEN = {"versions", "packages", "members"}
"""Keys that hold a mapping whose own keys are data: packages, files."""
METRIC = ("unit", "higher_is_better", "scenarios", "family", "low", "high", "worst", "version")


def commands(command: click.Command, name: str = "pse-bench") -> dict[str, Any]:
    """Every command and group below one, with what each takes."""
    context = click.Context(command)
    found: dict[str, Any] = {name: {_name(one): _described(one) for one in command.params}}
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            below = command.get_command(context, inner)
            assert below is not None
            found |= commands(below, f"{name} {inner}")
    return found


def _name(parameter: click.Parameter) -> str:
    return max(parameter.opts, key=len) if isinstance(parameter, click.Option) else parameter.human_readable_name


def _described(parameter: click.Parameter) -> dict[str, Any]:
    kind, default = parameter.type, parameter.default
    found: dict[str, Any] = {"type": kind.name, "names": sorted([*parameter.opts, *parameter.secondary_opts])}
    if isinstance(kind, click.Choice):
        found["choices"] = [value.value if isinstance(value, enum.Enum) else str(value) for value in kind.choices]
    if isinstance(kind, (click.IntRange, click.FloatRange)):
        found["range"] = [kind.min, kind.max]
    if isinstance(default, (str, int, float)):  # neither computed nor click's mark for none
        found["default"] = default
    given = {
        "required": parameter.required,
        "multiple": parameter.multiple,
        "flag": getattr(parameter, "is_flag", False),
        "hidden": getattr(parameter, "hidden", False),
        "many": parameter.nargs != 1,
    }
    return found | {key: True for key, value in given.items() if value}


def public() -> dict[str, Any]:
    """The names of ``pse_bench``; of functions and classes the parameters, too."""
    found: dict[str, Any] = {}
    for name in pse_bench.__all__:
        value = getattr(pse_bench, name)
        exception = isinstance(value, type) and issubclass(value, Exception)
        found[name] = "" if exception or not callable(value) else ", ".join(inspect.signature(value).parameters)
    return found


def metrics() -> dict[str, Any]:
    """What is published of each metric."""
    return {name: {key: getattr(one, key) for key in METRIC} for name, one in pse_bench.METRICS.items()}


def keys(document: object, at: str = "") -> Iterator[str]:
    """The paths to all keys of a document; items of lists are taken together."""
    if isinstance(document, dict):
        yield f"{at}.*" if at.rsplit(".", 1)[-1] in OPEN else at
        for key, value in document.items() if at.rsplit(".", 1)[-1] not in OPEN else ():
            yield from keys(value, f"{at}.{key}")
    elif isinstance(document, list):
        yield at
        for item in document:
            yield from keys(item, f"{at}[]")
    else:
        yield at


def of_file(path: Path) -> list[str] | None:
    """The columns of a CSV, in order, or the keys of documents, sorted; None of anything else."""
    text = path.read_text(encoding="utf-8") if path.suffix in (".csv", ".json", ".jsonl", ".yaml") else ""
    if path.suffix == ".csv":
        return next(csv.reader(io.StringIO(text)))
    if path.suffix == ".json":
        return sorted(set(keys(json.loads(text))))
    if path.suffix == ".jsonl":
        first, *others = (json.loads(line) for line in text.splitlines())
        return [*sorted(set(keys(first))), *sorted({f"line{key}" for one in others for key in keys(one)})]
    return sorted(set(keys(yaml.safe_load(text)))) if path.suffix == ".yaml" else None


def printed(*words: object) -> str:
    """What a command prints; a status of 1, as of ``check``, is none of our business."""
    from click.testing import CliRunner

    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert isinstance(result.exception, SystemExit | None), result.output
    return result.stdout


def files(dataset: Path, scored: Path, work: Path) -> dict[str, Any]:
    """Keys of what commands write and print.

    Args:
        dataset: a rendered one.
        scored: the folder with a submission and a result of ``mixture`` and of ``oracle-mask``.
        work: an empty folder.
    """
    mixture, oracle = scored / "mixture.result", scored / "oracle-mask.result"
    run = published.command
    run("detect", dataset, "--system", "energy", "-o", work / "activity", "--jobs", 1)
    run("score", dataset, work / "activity", "-o", work / "activity.result", "--jobs", 1, "--quiet")
    for form in ("kaldi", "huggingface", "lhotse", "wesep", "webdataset"):
        run("export", form, dataset, "-o", work / form)
    speech = dataset / "stems"
    run("manifest", "folder", speech, "-o", work / "speech.csv", "--jobs", 1)
    run("manifest", "noise", speech, "-o", work / "noise.csv", "--jobs", 1)
    (work / "rir").mkdir()
    _response(work / "rir" / "one.wav")
    run("manifest", "rir", work / "rir", "-o", work / "rir.csv", "--jobs", 1)

    folders = {
        "dataset": dataset,
        "submission": scored / "mixture",
        "result": mixture,
        "activity": work / "activity",
        "activity.result": work / "activity.result",
    }
    found: dict[str, Any] = {}
    for name, folder in folders.items():
        found |= {f"{name}/{path.name}": of_file(path) for path in sorted(folder.iterdir()) if path.is_file()}
        for path in sorted(path for path in folder.iterdir() if path.is_dir() and (name != "submission")):
            inner = next((one for one in sorted(path.rglob("*.*")) if of_file(one)), None)
            found |= {} if inner is None else {f"{name}/{path.name}/*{inner.suffix}": of_file(inner)}
    for form in ("kaldi", "huggingface", "lhotse", "wesep", "webdataset"):
        names = sorted(path for path in (work / form).iterdir() if path.is_file())
        found |= {f"{form}/{path.name}": of_file(path) for path in names}
    for path in sorted(work.glob("*.csv")):
        found[path.name] = of_file(path)
    board = published.ROOT / "leaderboards" / "embedded-v1.csv"
    for name, words in {
        "check": ("check", dataset, scored / "mixture", "--jobs", 1),
        "compare": ("compare", mixture, oracle),
        "leaderboard verify": ("leaderboard", "verify", board),
        "rooms": ("rooms", dataset / "plan.jsonl", "--room-bank", dataset.parent / "rooms"),
        "score": ("score", dataset, work / "activity", "-o", work / "again", "--jobs", 1),
        "verify": ("verify", dataset, "--jobs", 1),
    }.items():
        found[f"{name} --json"] = sorted(set(keys(json.loads(printed(*words, "--json")))))
    for name, words in {
        "compare": ("compare", mixture, oracle, "--format", "csv"),
        "leaderboard show": ("leaderboard", "show", board, "--format", "csv"),
        "rooms": ("rooms", dataset / "plan.jsonl", "--room-bank", dataset.parent / "rooms"),
        "table": ("table", mixture, oracle, "--format", "csv"),
    }.items():
        found[f"{name}, CSV"] = next(csv.reader(io.StringIO(printed(*words))))
    for name in ("result", "activity.result"):
        rows = list(csv.DictReader(io.StringIO((folders[name] / "summary.csv").read_text(encoding="utf-8"))))
        found[f"{name}, figures"] = sorted({f"{row['scenario']}.{row['metric']}" for row in rows})
    return found


def _response(path: Path) -> None:
    """A measured response: noise that falls."""
    import numpy as np
    import soundfile

    samples = np.random.default_rng(1).standard_normal(8000) * 10.0 ** (-np.arange(8000) / 1600)
    soundfile.write(path, 0.1 * samples, 16000)


def interface(dataset: Path, scored: Path, work: Path) -> dict[str, Any]:
    """All of it, as JSON has it."""
    parts = {
        "commands": commands(cli),
        "names": public(),
        "metrics": metrics(),
        "files": files(dataset, scored, work),
    }
    return json.loads(json.dumps(parts))


def differences(known: object, found: object, at: str = "") -> Iterator[str]:
    """A line for each thing that is gone, changed or new."""
    if isinstance(known, dict) and isinstance(found, dict):
        for key in [*known, *(key for key in found if key not in known)]:
            if key not in found:
                yield f"gone: {at} {key}"
            elif key not in known:
                yield f"new (run python tests/golden/interface.py): {at} {key}"
            else:
                yield from differences(known[key], found[key], f"{at} {key}")
    elif isinstance(known, list) and isinstance(found, list) and known != found:
        yield from (f"gone: {at} {item}" for item in known if item not in found)
        yield from (f"new (run python tests/golden/interface.py): {at} {i}" for i in found if i not in known)
        if sorted(map(str, known)) == sorted(map(str, found)):
            yield f"changed: {at}: order {found}, was {known}"
    elif known != found:
        yield f"changed: {at}: {found!r}, was {known!r}"


def main() -> None:
    """Write the golden file."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(work / "cache")
        plan = published.first_scenes("embedded-v1", work)
        corpus = published.embedded_corpus(plan, work / "corpus")
        dataset = published.rendered(plan, work / "dataset", f"embedded={corpus}")
        published.scores(dataset, work)
        (work / "files").mkdir()
        text = json.dumps(interface(dataset, work, work / "files"), indent=1, ensure_ascii=False)
    GOLDEN.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
