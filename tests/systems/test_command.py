"""Programs as systems: what they are given, every way in which one fails a mixture, and that nothing is left."""

import os
import shlex
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import numpy as np
import pytest
import tiny
from click.testing import CliRunner, Result

from pse_bench.cli import cli
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.scoring.results import Result as Scored
from pse_bench.submission import submission
from pse_bench.systems import base, registry
from pse_bench.systems.base import SystemInput

# Copies the mixture with nothing but the standard library, but for some that it counts in a file.
PICKY = """\
import array, sys, time, wave

def write(path, frames, rate=16000, channels=1, width=2):
    with wave.open(path, "wb") as stream:
        stream.setnchannels(channels)
        stream.setsampwidth(width)
        stream.setframerate(rate)
        stream.writeframes(frames)

def enhance(mixture, enrollment, output):
    with wave.open(enrollment) as stream:
        assert stream.getparams()[:3] == (1, 2, 16000)
    with wave.open(mixture) as stream:
        assert stream.getparams()[:3] == (1, 2, 16000)
        frames = stream.readframes(stream.getnframes())
    with open("count", "a") as stream:
        number = stream.write("x") and stream.tell()
    print("a line\\nenhancing", mixture, file=sys.stderr)
    if number % 10 == 2:
        print("nothing to be heard in", mixture, file=sys.stderr)
        return 3
    if number == 4:
        time.sleep(60)
    elif number == 6:
        write(output, frames[:-2])
    elif number == 8:
        write(output, frames, rate=8000, channels=2)
    elif number == 9:
        open(output, "w").write("no sound")
    elif number != 10:
        write(output, frames)
"""
EACH = f"{PICKY}\nsys.exit(enhance(*sys.argv[1:]))\n"
ALL = f"""\
{PICKY}
import csv
worst = [enhance(*row.values()) for row in csv.DictReader(open(sys.argv[1]))]
sys.exit(max(filter(None, worst), default=0))
"""
WHOLE = "the mixture's length to the sample"
LINES = """\
s000000_TS2  exit status 3: nothing to be heard in {mixture}
s000001_TS1  late: not done after 3 s: enhancing {mixture}
s000001_TS3  wrong-length: 1 samples too short, expected the mixture's length to the sample
s000002_TS2  wrong-rate: 8000 Hz, expected 16000 Hz; wrong-channels: 2 channels, expected 1 channel
s000002_TS3  unreadable: not a sound file that can be opened (Format not recognised), expected a FLAC or WAV \
file that can be opened
s000003_TS1  missing-file: no file, expected the estimate at {output}
s000003_TS3  exit status 3: nothing to be heard in {mixture}
"""
FAILED = [line.split()[0] for line in LINES.splitlines()]


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="pse-bench")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, a fresh one. What is temporary lies below it, and goes."""
    folder, temporary = tmp_path / "here", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    yield folder
    assert not list(temporary.iterdir())


def estimates(dataset: Dataset, out: Path) -> set[str]:
    """The mixtures whose estimate is the mixture, and no other estimate is there."""
    there = [row for row in dataset.mixtures if audio.find(out / row.scenario, row.scene_id)]
    for row in there:
        samples = submission.read_estimate(out, row).samples
        assert np.array_equal(samples * audio.FULL_SCALE, audio.read_pcm16(dataset.folder / row.mixture_path))
    return {row.mixture_id for row in there}


@pytest.mark.parametrize("which", ["shell script", "another environment", "list", "list in another environment"])
def test_a_program_enhances_a_dataset(dataset: Dataset, here: Path, which: str) -> None:
    if which == "shell script":
        Path("run.sh").write_text('#!/bin/sh\ntest -s "$2" && cp "$1" "$3"\n')
        Path("run.sh").chmod(0o755)
        line, name = "./run.sh {mixture} {enrollment} {output}", "run.sh"
    elif which == "list":
        Path("run.sh").write_text('sed 1d "$1" | tr -d "\\r" | while IFS=, read m e o; do cp "$m" "$o"; done\n')
        line, name = "sh run.sh {list}", "run.sh"
    else:
        venv.create("its env", with_pip=False)
        by_list = which != "another environment"
        Path("enhance.py").write_text((ALL if by_list else EACH).replace("number = ", "number = 0 * "))
        places = "{list}" if by_list else "{mixture} {enrollment} {output}"
        line, name = f"'its env/bin/python' enhance.py {places}", "enhance.py"
        seen = subprocess.run(
            ["its env/bin/python", "-c", "import numpy"], capture_output=True, text=True, check=False
        )
        assert "No module named 'numpy'" in seen.stderr, "an environment of its own"
    done = call("enhance", dataset.folder, "--command", line, "-o", "s", "--jobs", 2)
    assert (done.exit_code, done.stdout) == (0, f"s: 12 mixtures enhanced by {line}\n"), done.stderr
    assert len(estimates(dataset, Path("s"))) == 12
    about = submission.read_system(Path("s"))
    assert (about.name, about.description) == (name, f"Run as: {line}")


def test_each_failure_is_one_line_and_costs_one_mixture(dataset: Dataset, here: Path) -> None:
    Path("picky.py").write_text(EACH)
    # without the enrollment, which the first scenes would be tried with another of
    line = f"{shlex.quote(sys.executable)} -I -S picky.py {{mixture}} {{mixture}} {{output}}"
    words = ("enhance", dataset.folder, "--command", line, "-o", "s", "--time-limit", 3)
    done = call(*words)
    *lines, last = done.stderr.splitlines()
    assert (done.exit_code, done.stdout) == (1, "")
    assert lines[-len(FAILED) :] == LINES.splitlines()
    assert last == (
        "s: 7 of 12 mixtures failed, first s000000_TS2 (exit status 3: nothing to be heard in {mixture}); score "
        "gives them the worst values; the same command tries only these again"
    )
    names = {row.mixture_id for row in dataset.mixtures}
    assert estimates(dataset, Path("s")) == names - {*FAILED}

    scored = call("score", dataset.folder, "s", "-o", "r", "--metrics", "si_sdr", "--jobs", 1)
    assert scored.exit_code == 1
    assert "7 of 12 estimates are missing or unusable" in scored.stderr
    rows = Scored.open("r").scores
    ok = set(rows[rows.status == "ok"].mixture_id)
    assert ok == {name for name in names - {*FAILED} if not name.endswith("TS3")}, "everything else is scored"

    Path("count").write_text(12 * "x")
    again = call(*words)
    assert (again.exit_code, Path("count").read_text()) == (0, 19 * "x"), "only those that failed are tried"
    assert estimates(dataset, Path("s")) == names
    assert not Path("s/enhance.journal").exists()


def test_a_batch_that_ends_badly_keeps_what_it_wrote(dataset: Dataset, here: Path) -> None:
    Path("picky.py").write_text(ALL)
    line = f"{shlex.quote(sys.executable)} -I -S picky.py {{list}}"
    Path("count").write_text(4 * "x")  # past the one that hangs
    done = call("enhance", dataset.folder, "--command", line, "-o", "s")
    assert done.exit_code == 1
    assert len(estimates(dataset, Path("s"))) == 12 - 5
    assert f"s000000_TS2  wrong-length: 1 samples too short, expected {WHOLE}" in done.stderr
    assert "s000001_TS3  exit status 3: enhancing mixture-6.wav\n" in done.stderr


def test_a_batch_that_is_late_keeps_what_it_wrote(dataset: Dataset, here: Path) -> None:
    Path("slow.sh").write_text(
        'sed 1d "$1" | tr -d "\\r" | while IFS=, read m e o; do cp "$m" "$o"; echo x >> n; '
        "test $(wc -l < n) != 8 || sleep 60; done\n"
    )
    words = ("enhance", dataset.folder, "--command", "sh slow.sh {list}", "-o", "s", "--time-limit", 0.3)
    done = call(*words)
    assert done.exit_code == 1
    assert "s000002_TS3  late: not done after 0.3 s for each of 7 mixtures\n" in done.stderr
    assert len(estimates(dataset, Path("s"))) == 8
    assert call(*words).exit_code == 0


def test_shards_of_a_program_merge(dataset: Dataset, here: Path) -> None:
    for shard in ("1/2", "2/2"):
        words = ("--command", "cp {mixture} {output}", "-o", "s", "--shard", shard, "--jobs", 2)
        assert call("enhance", dataset.folder, *words).exit_code == 0
    assert call("merge", "s").exit_code == 0
    assert len(estimates(dataset, Path("s"))) == 12


def given(num_samples: int = 800) -> SystemInput:
    mixture = (np.arange(num_samples) % 100 / 128).astype(np.float32)
    return SystemInput(mixture, mixture, 16_000, mixture, mixture)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 7", "exit status 7"),
        ("printf 'one\\n\\033[31mred\\r\\n\\n' >&2; exit 1", "exit status 1: \\x1b[31mred"),
        ("kill -KILL $$", "ended by SIGKILL"),
        ("true", "missing-file: no file, expected the estimate at {output}"),
        ("mkdir $2", "missing-file: no file, expected the estimate at {output}"),
        (": > $2", "unreadable: not a sound file that can be opened"),
    ],
)
def test_what_goes_wrong_is_said(here: Path, script: str, reason: str) -> None:
    Path("run.sh").write_text(f"{script}\n")
    loaded = registry.load("command:sh run.sh {mixture} {output}")
    with pytest.raises(InputError) as caught:
        base.enhance(loaded, given(), "one")
    assert str(caught.value).startswith(f"system run.sh: failed on one ({reason}")


@pytest.mark.parametrize(
    ("samples", "fault"),
    [
        (np.full(800, np.nan), "not-finite: NaN, expected finite numbers"),
        (np.zeros(802), f"wrong-length: 2 samples too long, expected {WHOLE}"),
        (np.zeros(0), "empty: no samples, expected the mixture's length"),
    ],
)
def test_what_a_program_wrote_is_named_as_check_names_it(here: Path, samples: np.ndarray, fault: str) -> None:
    tiny.write_float(Path("bad.wav"), samples)
    Path("run.sh").write_text("cp bad.wav $2")
    with pytest.raises(InputError) as caught:
        base.enhance(registry.load("command:sh run.sh {mixture} {output}"), given(), "one")
    assert fault in str(caught.value)


def test_words_are_those_of_a_shell_without_one(here: Path) -> None:
    Path("a b.py").write_text("import sys; print(sys.argv[1:], file=sys.stderr); sys.exit(1)")
    line = f"{shlex.quote(sys.executable)} 'a b.py' '*; $HOME' --x={{mixture}} {{output}} '{{other}}'"
    with pytest.raises(InputError) as caught:
        base.enhance(registry.load(f"command:{line}"), given(), "one")
    assert "exit status 1: ['*; $HOME', '--x={mixture}', '{output}', '{other}']" in str(caught.value)


def test_figures_of_a_program(here: Path) -> None:
    done = call("system", "--command", "cp {mixture} {output}")
    assert done.exit_code == 0, done.output
    assert "kept: 0.00 ms seen" in done.stdout


def test_its_identity_is_that_of_its_files(here: Path) -> None:
    Path("model.bin").write_text("weights")
    Path("run.sh").write_text("cp $2 $3")

    def code() -> str:
        return registry.load("command:sh run.sh --model=model.bin {mixture} {output}").code

    first = code()
    assert code() == first
    Path("model.bin").write_text("other weights")
    second = code()
    Path("run.sh").write_text("cp $2 $3;")
    assert len({first, second, code()}) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--command", "cp {mixture}"],
            "--command 'cp {mixture}': expected after the program {mixture} and {outp",
        ),
        (["--command", "cp {list} {output}"], "--command 'cp {list} {output}': expected after the program"),
        (["--command", "{mixture} {output}"], "--command '{mixture} {output}': expected after the program"),
        (["--command", "cp '{mixture} {output}"], "No closing quotation; quote it as for a shell"),
        (["--command", " "], "--command ' ': names no program"),
        (["--command", "./cp {mixture} {output}"], "--command: no program './cp' in "),
        (["--command", "no-such-program {mixture} {output}"], "--command: no program 'no-such-program' in "),
        (["--command", "cp {mixture} {output}", "--streaming"], "cannot be streamed"),
    ],
)
def test_what_is_no_command_is_said_at_once(dataset: Dataset, here: Path, words: list[str], said: str) -> None:
    done = call("enhance", dataset.folder, *words, "-o", "s")
    assert (done.exit_code, done.stderr.count("\n"), Path("s").exists()) == (1, 1, False), done.output
    assert said in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--command", "cp {mixture} {output}", "--system", "mixture"],
        ["--command", "cp {mixture} {output}", "--arg", "a=1"],
        ["--system", "mixture", "--time-limit", "3"],
        ["--command", "cp {mixture} {output}", "--time-limit", "0"],
        [],
    ],
)
def test_options_that_do_not_go_together(dataset: Dataset, here: Path, words: list[str]) -> None:
    assert call("enhance", dataset.folder, *words, "-o", "s").exit_code == 2


def test_a_program_that_always_fails_is_given_up(dataset: Dataset, here: Path) -> None:
    Path("run.sh").write_text("echo x >> count; echo no file model.bin, line $(wc -l < count) >&2; exit 2")
    done = call("enhance", dataset.folder, "--command", "sh run.sh {mixture} {output}", "-o", "s")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert (
        "failed on s000000_TS1 (exit status 2: no file model.bin, line 1), and likewise on the next 4"
        in done.stderr
    )
    assert Path("count").read_text().count("x") == 5


# ---- nothing is left running or lying about

HANGING = 'echo $$ > pid.part; sleep 300 & sleep 300 & mv pid.part pid; wait; cp "$1" "$2"\n'


def test_what_a_program_leaves_running_ends_with_it(here: Path) -> None:
    Path("run.sh").write_text('sleep 300 & echo $! > pid; cp "$1" "$2"')
    base.enhance(registry.load("command:sh run.sh {mixture} {output}"), given(), "one")
    await_end(int(Path("pid").read_text()))


def await_end(pid: int) -> None:
    limit = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < limit, "it is still running"
        time.sleep(0.05)


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_late_program_ends_with_all_that_it_started(here: Path, stubborn: bool) -> None:
    Path("run.sh").write_text(("trap '' TERM\n" if stubborn else "") + HANGING)
    with pytest.raises(InputError, match="late: not done after 1 s"):
        base.enhance(registry.load("command:sh run.sh {mixture} {output}", time_limit_s=1), given(), "one")
    await_end(int(Path("pid").read_text()))


@pytest.mark.parametrize(("number", "jobs"), [(signal.SIGINT, 1), (signal.SIGTERM, 2), (signal.SIGKILL, 2)])
def test_a_program_ends_with_the_command(dataset: Dataset, here: Path, number: signal.Signals, jobs: int) -> None:
    Path("run.sh").write_text(HANGING)
    line = "sh run.sh {mixture} {output}"
    words = ["enhance", str(dataset.folder), "--command", line, "-o", "s", "--jobs", str(jobs)]
    running = subprocess.Popen([sys.executable, "-m", "pse_bench", *words], start_new_session=True)
    try:
        limit = time.monotonic() + 60
        while not Path("pid").exists():
            assert running.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.02)
        pid = int(Path("pid").read_text())
        os.killpg(running.pid, number)
        running.wait(30)
        await_end(pid)
        while list((here.parent / "temporary").iterdir()) and time.monotonic() < limit:
            time.sleep(0.05)
    finally:
        running.kill()


def test_a_program_ends_with_its_worker(dataset: Dataset, here: Path) -> None:
    """A worker that is killed takes its program with it, and its mixtures are done by another."""
    worker = "$(cut -d ' ' -f 4 /proc/$PPID/stat)"
    Path("run.sh").write_text(
        f'test -e killed && exec cp "$1" "$2"\n: > killed; echo $$ > pid; kill -KILL {worker}; sleep 300'
    )
    words = ("--command", "sh run.sh {mixture} {output}", "-o", "s", "--jobs", 2)
    assert call("enhance", dataset.folder, *words).exit_code == 0
    await_end(int(Path("pid").read_text()))
    assert len(estimates(dataset, Path("s"))) == 12
