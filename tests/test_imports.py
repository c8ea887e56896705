"""What an import costs and leaves behind, and who chooses an executor."""

import importlib.util
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from test_packages import MODULES

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
    names = [
        name
        for name in MODULES
        if not {"training", "torch"} & set(name.split(".")) or importlib.util.find_spec("torch")
    ]
    assert len(names) > 40
    assert json.loads(in_a_new_process(f"NAMES = {names!r}\n{IMPORT_ALL}")) == []


def test_only_the_command_line_chooses_an_executor() -> None:
    """Everybody else is handed one and may import only its type."""
    choice = re.compile(
        r"from pse_bench\.runtime(\.executor|\.dask)? import .*\b(Serial|Processes|Dask|executor|dask)\b"
    )
    free = ("pse_bench.cli", "pse_bench.runtime", "pse_bench.torch")  # what people hold in their own code
    assert [
        name for name, path in MODULES.items() if not name.startswith(free) and choice.search(path.read_text())
    ] == []
