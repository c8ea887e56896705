"""What helps a person at the keyboard: doctor, completion, colours, and what comes next."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result

import pse_bench
from pse_bench import doctor
from pse_bench.cli import cli, options

ROOT = Path(pse_bench.__file__).parent.parent


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="pse-bench")


# ---- doctor


def test_doctor_names_every_extra_with_what_installs_it() -> None:
    found = json.loads(call("doctor", "--json").stdout)
    assert found["missing"] == []
    named = {extra["name"]: extra for extra in found["extras"]}
    for extra, packages in doctor_extras().items():
        assert named[extra]["install"] == f"pip install 'pse-bench[{extra}]'"
        assert set(named[extra]["packages"]) == packages
        assert doctor.SERVES[extra]
    text = call("doctor").stdout
    assert all(extra in text for extra in named)
    assert f"{found['cores']} cores" in text
    assert all(free > 0 for free in found["disk"].values())


def doctor_extras() -> dict[str, set[str]]:
    """The extras that the installation declares."""
    from importlib import metadata

    found: dict[str, set[str]] = {name: set() for name in metadata.metadata("pse-bench").get_all("Provides-Extra")}
    for line in metadata.requires("pse-bench") or []:
        if extra := re.search(r"extra == ['\"](\w+)['\"]", line):
            found[extra[1]].add(re.match(r"[\w.-]+", line)[0])
    return found


def test_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["numpy>=2", "no-such-package>=1", 'other-package; extra == "asr"']
    monkeypatch.setattr(doctor, "_requirements", lambda: lines)
    done = call("doctor")
    assert done.exit_code == 1
    assert done.stderr == "missing: no-such-package; run pip install --force-reinstall pse-bench\n"
    assert "missing: other-package; pip install 'pse-bench[asr]'" in done.stdout


# ---- completion


def completed(*words: str) -> list[str]:
    """What bash is offered for the last word."""
    environment = {
        **os.environ,
        "_PSE_BENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("pse-bench", *words)),
        "COMP_CWORD": str(len(words)),
    }
    program = "from pse_bench.cli import cli; cli(prog_name='pse-bench')"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_words_are_completed() -> None:
    assert completed("leader") == ["leaderboard"]
    assert completed("export", "hug") == ["huggingface"]
    assert "--enrollment" in completed("enhance", "dataset", "--en")
    assert completed("plan", "stress-far")[0] == "stress-far-target"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_takes_the_script(shell: str) -> None:
    done = call("completion", shell)
    assert done.exit_code == 0
    assert f"_PSE_BENCH_COMPLETE={shell}_complete" in done.stdout
    if shell == "bash":
        checked = subprocess.run(["bash", "-n"], input=done.stdout, text=True, capture_output=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


# ---- what is said to whom


def test_a_hint_is_for_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options.echo_next_step("pse-bench table")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    options.echo_next_step("pse-bench table")
    assert capsys.readouterr() == ("", "next: pse-bench table\n")


@pytest.mark.parametrize(("value", "coloured"), [("1", False), ("", True)])
def test_no_color(monkeypatch: pytest.MonkeyPatch, value: str, coloured: bool) -> None:
    monkeypatch.setenv("NO_COLOR", value)

    @click.command()
    def painted() -> None:
        click.secho("red", fg="red")

    monkeypatch.setitem(cli.commands, "painted", painted)
    done = CliRunner().invoke(cli, ["painted"], color=True)
    assert ("\x1b" in done.stdout) == coloured


# ---- the package


def test_every_public_name_is_there_and_the_stub_tells_the_same() -> None:
    assert sorted(pse_bench.__all__) == sorted(stub_names())
    for name in pse_bench.__all__:
        assert getattr(pse_bench, name) is not None
    assert set(pse_bench.__all__) <= set(dir(pse_bench))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pse_bench.nothing


def stub_names() -> list[str]:
    tree = ast.parse((ROOT / "pse_bench" / "__init__.pyi").read_text())
    (assigned,) = [node.value for node in tree.body if isinstance(node, ast.Assign)]
    return ast.literal_eval(assigned)


def test_public_names_have_types() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_citation_is_of_this_version() -> None:
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "license"} <= set(found)
    assert found["version"] == pse_bench.__version__
