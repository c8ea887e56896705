"""The documentation: it builds without a warning, nothing generated is stale, and what it tells to type works."""

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import meetings
import pytest
from documents import (
    FROM_THE_README,
    PAGES,
    README,
    ROOT,
    SHELLS,
    TUTORIAL,
    blocks,
    commands,
    marked,
    run,
    write_files,
)

import pse_bench
from pse_bench.cli import cli
from pse_bench.importing import segments

EXAMPLES = ROOT / "docs" / "examples"

RECORDINGS = ROOT / "docs" / "how-to" / "real-recordings.md"
RUN = (README, TUTORIAL, RECORDINGS, *FROM_THE_README)
"""Pages whose marked blocks are run, here and in test_readme.py."""


def test_generated_pages_are_those_of_the_code(reference: ModuleType) -> None:
    folder = ROOT / "docs" / "reference"
    made = reference.pages()
    assert {path.name for path in folder.iterdir()} == set(made)
    for name, text in made.items():
        assert (folder / name).read_text(encoding="utf-8") == text, "stale: run python docs/reference.py"


def test_every_metric_has_a_definition_and_a_source(reference: ModuleType) -> None:
    from pse_bench import metrics

    for metric in metrics.ALL_METRICS.values():
        assert len(reference._definition(metric)) > 40, metric.name
        assert metric.source


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="needs pse-bench[docs]")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "--site-dir",
        str(tmp_path / "site"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 12
    for page in pages:
        html = page.read_text(encoding="utf-8")
        fetched = re.findall(r"<(?:link|script|img)[^>]+(?:href|src)=\"?(https?:[^\"\s>]+)", html)
        assert [address for address in fetched if "canonical" not in address] == [], "opens without a network"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_not_run_could_be(page: Path) -> None:
    """Commands, options and their kinds are those of the command line; files of the repository exist."""
    typed = [line for _, _, language, code in marked(page) if language in SHELLS for line in commands(code)]
    for line in typed:
        for named in re.findall(r"(?<![\w/])(?:leaderboards|scenarios|experiments|benchmarks)/[\w./-]+", line):
            assert (ROOT / named).exists(), f"{page.name}: there is no {named}"
        words = shlex.split(line.removeprefix("for ").partition(" | ")[0]) if line.startswith("pse-bench ") else []
        if words and ">" not in line:
            command, context = cli, click.Context(cli)
            words = words[1:]
            while isinstance(command, click.Group):
                command = command.get_command(context, words.pop(0))
                assert command is not None, line
            known = {name for option in command.params for name in option.opts + option.secondary_opts}
            used = [word.partition("=")[0] for word in words if word.startswith("-")]
            assert [word for word in used if word not in {*known, "-h", "--help"}] == [], f"{page.name}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_is_run_or_says_why_not(page: Path) -> None:
    run_somewhere = {
        line for path in RUN for mark, _, _, code in marked(path) if mark == "run" for line in commands(code)
    }
    for mark, said, language, code in marked(page):
        if language not in SHELLS:
            continue
        if mark == "run":
            assert page in RUN, f"{page.name}: nothing runs {said}"
        elif mark != "not run":
            others = [line for line in commands(code) if line not in run_somewhere]
            assert others == [], f"{page.name}: neither run nor marked with why not"


def test_the_tutorial(tmp_path: Path) -> None:
    write_files(TUTORIAL, tmp_path)
    said = {}
    for name, script in blocks("run", TUTORIAL):
        # fewer scenes than a reader would make, the same commands
        said[name] = run(script.replace("-n 12", "-n 2"), tmp_path)
    assert "2 scenes, 6 mixtures" in said["dataset"]
    assert "leakage_reduction_db" in said["scores"]
    assert re.search(r"my_model:enhance.*a control, without a rank", said["board"])
    for name in ("python_api.py", "train_reference.py"):
        shutil.copy(EXAMPLES / name, tmp_path)
    printed = run("python python_api.py", tmp_path)
    assert re.search(r"10\.9 dB lost: tsos +0\.0 %\n +11\.1 dB lost: tsos 100\.0 %", printed)
    assert re.search(r"TS3 +leakage_reduction_db +120\.0", printed)
    assert "refused: estimate: samples up to" in printed
    if importlib.util.find_spec("torch"):
        run("python train_reference.py", tmp_path)


def test_real_recordings(tmp_path: Path) -> None:
    write_files(RECORDINGS, tmp_path)
    meetings.write(tmp_path / "calls", meetings.turns_of(tmp_path / "calls.csv"), 7.5)
    names = ("mixture", "clean", "enroll", "enhanced")
    meetings.write(tmp_path / "theirs", [(name, 0.5, 2.0, "anna") for name in names], 3.0)
    (tmp_path / "transcriptions").mkdir()
    turns = [
        ("P05", "0:00:01.10", "0:00:03.00"),
        ("P06", "0:00:02.00", "0:01:00.50"),
        ("P05", "0:00:02.90", "0:00:04.00"),
    ]
    said = [
        {"session_id": "S02", "speaker": who, "start_time": a, "end_time": b, "words": "so"} for who, a, b in turns
    ]
    (tmp_path / "transcriptions" / "S02.json").write_text(json.dumps(said))
    printed = {name: run(script, tmp_path) for name, script in blocks("run", RECORDINGS)}
    assert "4 scenes, 4 mixtures" in printed["calls"]
    assert "activity_f1" in printed["calls"]
    turns = [(turn.speaker, turn.start_s, turn.end_s) for turn in segments.read_turns(tmp_path / "chime.csv")]
    assert turns == [("P05", 1.1, 3.0), ("P05", 3.0, 4.0), ("P06", 2.0, 60.5)]
    assert "Theirs" in printed["outputs"]


def test_every_public_name_is_in_an_example_that_runs() -> None:
    text = "".join((EXAMPLES / name).read_text() for name in ("python_api.py", "train_reference.py"))
    used = [name for name in pse_bench.__all__ if len(re.findall(rf"\b{name}\b", text)) < 2]
    assert used == []
