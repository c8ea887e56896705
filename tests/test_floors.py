"""The house: data flows one way, and a module imports only from the floors below its own.

A module that is not in the table fails the test, so a new one gets its floor when it is written.
"""

import ast
import graphlib
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import pse_bench

ROOT = Path(pse_bench.__file__).parent
NAME = "pse_bench"

FLOORS: tuple[tuple[str, ...], ...] = (
    ("pse_bench", "errors", "interrupts"),  # 0
    (
        "draws",
        "audio",
        "files",
        "decay",
        "executor",
        "progress",
        "findings",
        "grids",
        "mel",
        "dvector_weights",
        "streams",
        "filters",
        "allocator",
    ),  # 1
    ("records", "activity", "journal", "decks", "archive", "dvector", "statistics", "response"),  # still 1
    ("plain_yaml",),
    ("engines.*", "shares", "places", "cluster"),  # still 1, on top of those
    ("parts",),
    ("corpora.*", "scenario", "rooms", "pools", "heard", "metrics.*"),  # 2
    ("casting", "placing", "mixing", "memory", "embeddings", "recognisers.*", "figures", "probabilities"),  # 3
    ("interference", "recorded"),  # 4
    ("plan", "dataset", "submission"),  # 5
    ("checks.*", "store", "bank", "benchmark", "onnx_system", "pack", "interop.*", "detections"),  # 6
    ("packed", "summaries"),
    ("ledger",),
    ("baseline.*",),  # still 6, on top of those, then what loads it
    ("models",),
    ("systems",),
    ("detectors",),
    ("render", "enhance", "score", "check", "system_figures"),  # 7: the workers, which never import each other
    ("verify", "breakdown", "doctor"),  # 8
    ("results",),  # still 8, each on top of those before
    ("comparison", "boards.*"),
    ("tables",),
    ("pages.*",),
    ("cli.*",),  # 9
    ("__main__",),
)
"""From the ground up, with the numbers of the README's table. ``name.*`` is a sub-package: its modules
share a floor and may import each other as long as nobody goes in a circle."""

CHOOSES_EXECUTOR = "cli.*"
"""The only place that makes an executor; everybody else is handed one and may import only the type."""
EXECUTORS = ("executor", "cluster")
"""Where executors are written; the second builds on the first."""


def sources() -> dict[str, str]:
    """The text of every module of the package by its name, without the package's own name in front."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        found[".".join(parts) or NAME] = path.read_text(encoding="utf-8")
    return found


def imports(text: str, modules: set[str]) -> Iterator[tuple[str, str]]:
    """What a module imports from the package, at its top or inside functions: (module, imported name or '')."""

    def short(full: str) -> str:
        return full.removeprefix(f"{NAME}.")

    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((short(a.name), "") for a in node.names if a.name.split(".", maxsplit=1)[0] == NAME)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used here"
            if (node.module or "").split(".", maxsplit=1)[0] != NAME:
                continue
            origin = short(node.module)
            for alias in node.names:
                inner = alias.name if origin == NAME else f"{origin}.{alias.name}"
                yield (inner, "") if inner in modules else (origin, alias.name)


def row_of(module: str) -> str:
    """How a module stands in the table: by itself or as part of its sub-package."""
    head, _, _ = module.partition(".")
    return f"{head}.*" if any(f"{head}.*" in floor for floor in FLOORS) else module


def problems(texts: Mapping[str, str]) -> list[str]:
    """Everything about the imports of these modules that is against the rules."""
    floor_of = {row: number for number, floor in enumerate(FLOORS) for row in floor}
    found = [f"{module} has no floor; put it into FLOORS" for module in texts if row_of(module) not in floor_of]
    graph: dict[str, set[str]] = {}
    for module, text in texts.items():
        own = row_of(module)
        for origin, name in imports(text, set(texts)):
            if origin not in texts:
                found.append(f"{module} imports {origin}, which is not there")
                continue
            other = row_of(origin)
            graph.setdefault(module, set()).add(origin)
            if own != other and floor_of.get(other, 0) >= floor_of.get(own, 0):
                found.append(f"{module} imports {origin}, which is not on a lower floor")
            if origin in EXECUTORS and own not in (CHOOSES_EXECUTOR, *EXECUTORS) and name != "Executor":
                found.append(f"{module} imports {name or 'the whole of'} {origin}; it is handed one")
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found.append(f"imports go in a circle: {' -> '.join(error.args[1])}")
    return found


def test_every_module_imports_only_from_lower_floors() -> None:
    assert problems(sources()) == []


def test_the_table_names_nothing_twice_and_nothing_that_is_gone() -> None:
    rows = [row for floor in FLOORS for row in floor]
    assert len(rows) == len(set(rows))
    assert set(rows) == {row_of(module) for module in sources()}


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"newcomer": ""}, "newcomer has no floor"),
        (
            {"draws": "from pse_bench.records import Talker", "records": ""},
            "draws imports records, which is not on",
        ),
        (
            {"draws": "def f():\n    from pse_bench import audio", "audio": ""},
            "draws imports audio, which is not on",
        ),
        ({"score": "import pse_bench.enhance", "enhance": ""}, "score imports enhance, which is not on a lower"),
        ({"metrics.leakage": "from pse_bench import score", "score": ""}, "metrics.leakage imports score"),
        (
            {"corpora.a": "from pse_bench.metrics import b", "metrics": "", "metrics.b": ""},
            "corpora.a imports metrics.b",
        ),
        (
            {"metrics.a": "from pse_bench.metrics import b", "metrics.b": "from pse_bench.metrics.a import x"},
            "imports go in a circle",
        ),
        ({"render": "from pse_bench.executor import Serial", "executor": ""}, "render imports Serial executor"),
        ({"render": "from pse_bench import executor", "executor": ""}, "render imports the whole of executor"),
        ({"render": "from pse_bench import cluster", "cluster": ""}, "render imports the whole of cluster"),
        ({"cli.x": "from pse_bench import gone", "pse_bench": ""}, None),
        ({"cli.x": "import pse_bench.gone"}, "cli.x imports gone, which is not there"),
        ({"render": "from pse_bench.executor import Executor", "executor": ""}, None),
        ({"cli.x": "from pse_bench.executor import Serial", "executor": ""}, None),
        ({"draws": "import numpy\nfrom pse_bench.errors import InputError", "errors": ""}, None),
    ],
)
def test_the_rules_can_be_broken(texts: dict[str, str], words: str | None) -> None:
    found = problems(texts)
    if words is None:
        assert found == []
    else:
        assert any(words in problem for problem in found), found


# ---- what an import costs and leaves behind

SLOW = (
    "numpy",
    "scipy",
    "pandas",
    "torch",
    "pydantic",
    "soundfile",
    "pyroomacoustics",
    "rich",
    "yaml",
    "jinja2",
    "PIL",
)


def in_a_new_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("module", ["pse_bench", "pse_bench.errors", "pse_bench.cli", "pse_bench.__main__"])
def test_the_command_line_loads_nothing_slow(module: str) -> None:
    loaded = json.loads(in_a_new_process(f"import sys, json, {module}; print(json.dumps(list(sys.modules)))"))
    assert module in loaded
    assert [name for name in SLOW if name in loaded] == []


def test_help_answers(record_property: Callable[[str, object], None]) -> None:
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pse_bench", "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    record_property("seconds", round(time.perf_counter() - begin, 3))
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("Usage: pse-bench [OPTIONS] COMMAND")


IMPORT_ALL = """
import importlib, json, os, random, signal, sys
import numpy

def state():
    return {
        "numpy": repr(numpy.random.get_state()),
        "random": repr(random.getstate()),
        "environment": sorted(os.environ.items()),
        "folder": os.getcwd(),
        "path": sys.path,
        "errors": numpy.geterr(),
        "interrupt": repr(signal.getsignal(signal.SIGINT)),
        "json": repr(json.JSONEncoder.default),
    }

before = state()
for name in NAMES:
    importlib.import_module(name)
after = state()
print(json.dumps([key for key in before if before[key] != after[key]]))
"""


def test_importing_everything_changes_nothing_global() -> None:
    present = [m for m in sources() if not m.startswith("baseline.") or importlib.util.find_spec("torch")]
    names = [NAME if module == NAME else f"{NAME}.{module}" for module in present]
    assert len(names) > 40
    assert json.loads(in_a_new_process(f"NAMES = {names!r}\n{IMPORT_ALL}")) == []
