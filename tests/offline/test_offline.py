"""No command of the core asks the network for anything; ``make offline`` shows the same for the whole demo."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

HERE = Path(__file__).parent

CHAIN = """
from pse_bench.cli import cli

def run(line):
    cli(line.split(), standalone_mode=False)

roots = "--root voices=speech --root noises=noise"
run(f"generate tiny.yaml --speech speech.csv --noise noise.csv -n 1 --seed 1 {roots} -o made --room-bank r")
run("verify made --jobs 1")
run("enhance made --system mixture --jobs 1 -o submitted")
run("check made submitted --jobs 1")
run("score made submitted --jobs 1 -o result --metrics all --quiet")
run("verify result")
run("table result")
run("inspect made -o inspect.html")
run("pack made -o shards --jobs 1")
run("report result --dataset made --submission submitted -o report.html")
run("doctor")
"""


def denied(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python where every process that starts has no network; each try is written to ``cwd/tried.txt``."""
    known = {**os.environ, "PYTHONPATH": str(HERE), "PSE_BENCH_OFFLINE_LOG": str(cwd / "tried.txt"), **environment}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=known, capture_output=True, text=True, check=False
    )


def test_the_chain_asks_for_nothing(tmp_path: Path) -> None:
    tiny.write_corpus(tmp_path)
    tiny.write_manifests(tmp_path)
    done = denied("-c", CHAIN, cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "tried.txt").exists(), (tmp_path / "tried.txt").read_text()
    assert json.loads((tmp_path / "result/result.json").read_text())["complete"] is True


TRIES = {
    "a name": "import socket; socket.getaddrinfo('example.org', 80)",
    "an address": "import socket; socket.create_connection(('127.0.0.1', 9))",
    "a page": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9/')",
    "a datagram": "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    "a child": "import subprocess, sys; subprocess.run([sys.executable, '-c', \"import socket; "
    "socket.create_connection(('127.0.0.1', 9))\"], check=True)",
}


@pytest.mark.parametrize("code", TRIES.values(), ids=TRIES)
def test_a_try_would_be_noticed(tmp_path: Path, code: str) -> None:
    done = denied("-c", code, cwd=tmp_path)
    assert done.returncode == 1
    assert "no network here: socket." in done.stderr
    assert (tmp_path / "tried.txt").read_text().startswith("socket.")


def test_a_try_that_is_swallowed_would_be_noticed(tmp_path: Path) -> None:
    code = f"try:\n    {TRIES['an address']}\nexcept OSError:\n    pass"
    assert denied("-c", code, cwd=tmp_path).returncode == 0
    assert (tmp_path / "tried.txt").exists()


def test_processes_of_this_machine_may_talk(tmp_path: Path) -> None:
    code = "import socket; a, b = socket.socketpair(); a.sendall(b'x'); assert b.recv(1) == b'x'"
    assert denied("-c", code, cwd=tmp_path).returncode == 0
