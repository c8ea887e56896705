"""The command line as a user meets it: help, mistakes in one line, data on stdout, interruptions."""

import contextlib
import csv
import errno
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import click
import pytest
import tiny
from click.testing import CliRunner, Result

from pse_bench import __version__
from pse_bench.cli import REMEDIES, Boundary, cli
from pse_bench.dataset.dataset import SOUND_PACKAGES
from pse_bench.errors import InputError

INTERRUPTED = "interrupted; run the same command again to continue\n"


def call(*words: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="pse-bench")


def members(group: click.Group) -> list[tuple[str, click.Command]]:
    ctx = click.Context(group)
    return [(name, group.get_command(ctx, name)) for name in group.list_commands(ctx)]


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    """Every command and group by the words that call it."""
    yield path
    for name, command in members(group):
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield (*path, name)


def command_of(words: Sequence[str]) -> click.Command:
    found: click.Command = cli
    for word in words:
        assert isinstance(found, click.Group)
        found = dict(members(found))[word]
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus and, made from it through commands alone, everything up to two results."""
    root = tmp_path_factory.mktemp("home")
    tiny.write_corpus(root)
    (root / "tiny.yaml").write_text(tiny.SCENARIO)
    os.environ.pop("PSE_BENCH_ROOT_VOICES", None)
    steps = [
        ("manifest", "folder", root / "speech", "--name", "voices", "-o", root / "speech.csv", "--jobs", 1),
        ("manifest", "noise", root / "noise", "--name", "noises", "-o", root / "noise.csv", "--jobs", 1),
        ("plan", root / "tiny.yaml", *MANIFESTS(root), "-n", 2, "--seed", 1, "-o", root / "plan.jsonl"),
        ("render", root / "plan.jsonl", "-o", root / "dataset", *ROOTS(root), "--jobs", 1),
        ("enhance", root / "dataset", "--system", "mixture", "-o", root / "mixture"),
        ("enhance", root / "dataset", "--system", "silence", "-o", root / "silence"),
        *(
            ("score", root / "dataset", root / name, "-o", root / f"r-{name}", "--metrics", "tsos", "--jobs", 1)
            for name in ("mixture", "silence")
        ),
    ]
    for words in steps:
        done = call(*words)
        assert done.exit_code == 0, (words, done.stderr, done.exception)
    return root


def MANIFESTS(root: Path) -> tuple[object, ...]:  # noqa: N802 - a constant but for the folder
    return ("--speech", root / "speech.csv", "--noise", root / "noise.csv")


def ROOTS(root: Path) -> tuple[object, ...]:  # noqa: N802
    rooms = ("--room-bank", root / "rooms")
    return ("--root", f"voices={root / 'speech'}", "--root", f"noises={root / 'noise'}", *rooms)


# ---- help


@pytest.mark.parametrize("words", list(commands(cli)), ids=lambda words: "-".join(words) or "top")
def test_help_is_complete(words: tuple[str, ...]) -> None:
    command = command_of(words)
    for flag in ("--help", "-h"):
        done = call(*words, flag)
        assert done.exit_code == 0
        assert done.stderr == ""
    text = done.stdout
    assert text.startswith(f"Usage: pse-bench {' '.join(words)}".rstrip())
    assert command.help
    assert command.help.split("\n", maxsplit=1)[0].rstrip(".") in " ".join(text.split())
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert max(parameter.opts, key=len) in text
            assert parameter.help or parameter.name in ("out", "format"), f"{parameter.name} has no help"
        else:
            assert (parameter.metavar or parameter.name.upper()) in text
    if isinstance(command, click.Group):
        for name, inner in members(command):
            assert re.search(rf"^  {name} +\S", text, re.MULTILINE), f"{name} has no summary"
            assert inner.short_help != ""


def test_the_version() -> None:
    first, sound = call("--version").stdout.splitlines()
    assert first == f"pse-bench, version {__version__}"
    assert sound == "sound depends on " + ", ".join(f"{name} {version(name)}" for name in SOUND_PACKAGES)


def test_no_command_shows_the_help() -> None:
    done = call()
    assert done.exit_code == 2
    assert "Usage: pse-bench" in done.stdout + done.stderr


# ---- usage errors


@pytest.mark.parametrize(
    "words",
    [
        ("rendr",),
        ("--jobs",),
        ("plan",),
        ("plan", "s.yaml", "--speech", "a.csv", "--noise", "b.csv", "-n", "0", "--seed", "1", "-o", "p"),
        ("plan", "s.yaml", "--speech", "a.csv", "--noise", "b.csv", "-n", "two", "--seed", "1", "-o", "p"),
        ("render", "plan.jsonl"),
        ("render", "plan.jsonl", "-o", "d", "--format", "mp3"),
        ("render", "plan.jsonl", "-o", "d", "--jobs", "0"),
        ("enhance", "d", "-o", "s"),
        ("enhance", "d", "--system", "mixture", "-o", "s", "--enrollment", "none"),
        ("score", "d", "s", "-o", "r", "--reference", "dry"),
        ("table",),
        ("table", "r", "--format", "html"),
        ("table", __file__),
        ("verify", "d", "--rerender", "-1"),
        ("manifest", "librispeech"),
    ],
    ids=lambda words: " ".join(words).replace(__file__, "file")[:40],
)
def test_a_wrong_use_exits_2(words: tuple[str, ...]) -> None:
    done = call(*words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Usage: pse-bench" in done.stderr
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


# ---- the user's mistakes: one line, exit status 1


def one_line(done: Result, words: str) -> None:
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr


MISTAKES: dict[str, tuple[Callable[[Path, Path], tuple[object, ...]], str]] = {
    "score no dataset": (
        lambda home, out: ("score", out, home / "mixture", "-o", out / "r"),
        "no dataset here (dataset.json is missing); give the folder that render or generate wrote",
    ),
    "score no submission": (
        lambda home, out: ("score", home / "dataset", out / "nothing", "-o", out / "r"),
        "no such folder or zip; check the path",
    ),
    "score the dataset itself": (
        lambda home, out: ("score", home / "dataset", home / "dataset", "-o", out / "r"),
        "system.yaml: missing; write one",
    ),
    "score into a result": (
        lambda home, out: ("score", home / "dataset", home / "mixture", "-o", home / "r-mixture"),
        "holds a result already; give a new folder, or --force to replace it",
    ),
    "score into the dataset": (
        lambda home, out: ("score", home / "dataset", home / "mixture", "-o", home / "dataset", "--force"),
        "holds other files",
    ),
    "score an unknown metric": (
        lambda home, out: (
            "score",
            home / "dataset",
            home / "mixture",
            "-o",
            out / "r",
            "--metrics",
            "tsos,sisdr",
        ),
        "metric 'sisdr' is not known; did you mean 'si_sdr'?",
    ),
    "score an empty metric": (
        lambda home, out: ("score", home / "dataset", home / "mixture", "-o", out / "r", "--metrics", "tsos,"),
        "metric '' is not known; known: tsos, ",
    ),
    "enhance with an unknown system": (
        lambda home, out: ("enhance", home / "dataset", "--system", "wiener", "-o", out / "s"),
        "system 'wiener': expected mixture, silence, oracle-mask or module:callable",
    ),
    "enhance with a missing module": (
        lambda home, out: ("enhance", home / "dataset", "--system", "no_such_module:f", "-o", out / "s"),
        "system no_such_module:f: cannot import no_such_module (ModuleNotFoundError: No module named",
    ),
    "enhance into a submission": (
        lambda home, out: ("enhance", home / "dataset", "--system", "silence", "-o", home / "mixture"),
        "holds a submission already; give a new folder, or --force to replace it",
    ),
    "enhance into the dataset": (
        lambda home, out: ("enhance", home / "dataset", "--system", "mixture", "-o", home / "dataset", "--force"),
        "holds other files",
    ),
    "table of no result": (
        lambda home, out: ("table", home / "r-mixture", home / "dataset"),
        "no result here (result.json is missing); give a folder that score wrote",
    ),
    "plan without a scenario": (
        lambda home, out: ("plan", "tiny", *MANIFESTS(home), "-n", 1, "--seed", 1, "-o", out / "p.jsonl"),
        "tiny: neither a scenario file nor a shipped scenario; shipped: ",
    ),
    "plan with a missing scenario file": (
        lambda home, out: ("plan", out / "x.yaml", *MANIFESTS(home), "-n", 1, "--seed", 1, "-o", out / "p.jsonl"),
        "x.yaml: no such file; check the path",
    ),
    "plan with a manifest of the wrong kind": (
        lambda home, out: (
            *("plan", home / "tiny.yaml", "--speech", home / "noise.csv", "--noise", home / "noise.csv"),
            *("-n", 1, "--seed", 1, "-o", out / "p.jsonl"),
        ),
        "noise.csv: unknown column 'noise_id'",
    ),
    "plan over a plan": (
        lambda home, out: (
            *("plan", home / "tiny.yaml", *MANIFESTS(home), "-n", 1, "--seed", 1),
            *("-o", home / "plan.jsonl"),
        ),
        "plan.jsonl: exists already; give another name, or --force to replace it",
    ),
    "render no plan": (
        lambda home, out: ("render", home / "speech.csv", "-o", out / "d", *ROOTS(home)),
        "speech.csv:1: not JSON",
    ),
    "render a missing plan": (
        lambda home, out: ("render", out / "plan.jsonl", "-o", out / "d", *ROOTS(home)),
        "plan.jsonl: no such file; check the path",
    ),
    "render with a root that is none": (
        lambda home, out: ("render", home / "plan.jsonl", "-o", out / "d", "--root", "voices"),
        "--root voices: expected NAME=DIR, for example librispeech=/data/LibriSpeech",
    ),
    "render with a root that is missing": (
        lambda home, out: ("render", home / "plan.jsonl", "-o", out / "d", "--root", f"voices={out / 'x'}"),
        "is not a folder; give the folder of corpus voices",
    ),
    "render into a submission": (
        lambda home, out: ("render", home / "plan.jsonl", "-o", home / "mixture", *ROOTS(home)),
        "holds other files (TS1, TS2, TS3); give a new or empty folder",
    ),
    "verify no dataset": (lambda home, out: ("verify", home / "mixture"), "no dataset here"),
    "manifest of a missing folder": (
        lambda home, out: ("manifest", "folder", out / "x", "-o", out / "m.csv", "--jobs", 1),
        "x: no such folder; check the path",
    ),
    "manifest of a folder without sound": (
        lambda home, out: ("manifest", "noise", out, "-o", out / "m.csv", "--jobs", 1),
        "no sound files here, expected <category>/<file>.wav; check the path",
    ),
    "manifest over a manifest": (
        lambda home, out: ("manifest", "noise", home / "noise", "-o", home / "noise.csv", "--jobs", 1),
        "noise.csv: exists already",
    ),
    "a name that is too long": (
        lambda home, out: ("enhance", home / "dataset", "--system", "mixture", "-o", out / ("x" * 300)),
        "the name is too long for this file system; give a shorter one",
    ),
    "a folder below a file": (
        lambda home, out: ("enhance", home / "dataset", "--system", "mixture", "-o", home / "plan.jsonl" / "s"),
        "a file is where a folder is needed; give another path",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(home: Path, tmp_path: Path, mistake: str) -> None:
    words, expected = MISTAKES[mistake]
    before = sorted(home.rglob("*"))
    one_line(call(*words(home, tmp_path)), expected)
    assert sorted(home.rglob("*")) == before, "nothing was written and nothing lost"


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("dataset.json", None, "no dataset here"),
        ("dataset.json", "{}", "dataset.json: schema None, expected 1"),
        ("dataset.json", "{", "dataset.json: not JSON"),
        ("dataset.json", '{"schema": 2}', "schema 2, expected 1; render it again"),
        ("dataset.json", '{"schema": 1}', "is missing; add it"),
        ("mixtures.csv", None, "mixtures.csv: no such file"),
        ("mixtures.csv", "", "mixtures.csv: empty, expected a CSV"),
        ("mixtures.csv", "mixture_id\n", "column 'scene_id' is missing"),
        ("activity/s000000.json", "{}", "s000000.json: missing or changed since it was rendered"),
        ("activity/s000001.json", None, "s000001.json: missing or changed since it was rendered"),
        ("TS1/s000000.flac", None, "s000000.flac: missing or changed since it was rendered"),
        ("TS1/s000000.flac", "not sound", "s000000.flac: missing or changed since it was rendered"),
        ("stems/target_early/s000000.flac", "", "s000000.flac: missing or changed since it was rendered"),
    ],
)
def test_a_damaged_dataset_is_one_line(
    home: Path, tmp_path: Path, file: str, text: str | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "dataset"
    subprocess.run(["cp", "-r", home / "dataset", copy], check=True)
    if text is None:
        (copy / file).unlink()
    else:
        (copy / file).write_text(text)
    from pse_bench.runtime.executor import Serial

    monkeypatch.setattr("pse_bench.cli.options.executor", lambda jobs, **_: Serial())
    one_line(call("score", copy, home / "mixture", "-o", tmp_path / "r", "--metrics", "tsos,si_sdr"), words)
    done = call("enhance", copy, "--system", "mixture", "-o", tmp_path / "s")
    if not file.startswith("activity"):
        one_line(done, words)


def test_an_unknown_reference_in_a_dataset(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "dataset"
    subprocess.run(["cp", "-r", home / "dataset", copy], check=True)
    path = copy / "dataset.json"
    path.write_text(path.read_text().replace('"early"', '"dry"'))
    one_line(call("score", copy, home / "mixture", "-o", tmp_path / "r"), "reference: Input should be 'early', ")


# ---- the boundary


@pytest.mark.parametrize("number", REMEDIES)
def test_what_the_system_refuses_is_one_line(number: int) -> None:
    @click.command()
    def failing() -> None:
        raise OSError(number, "whatever", "/some/file")

    group = Boundary(commands=[failing])
    done = CliRunner().invoke(group, ["failing"])
    one_line(done, f"/some/file: {REMEDIES[number]}")


def test_an_error_with_line_breaks_is_still_one_line() -> None:
    @click.command()
    def failing() -> None:
        raise InputError("a file\ncalled oddly: no good")

    one_line(CliRunner().invoke(Boundary(commands=[failing]), ["failing"]), "a file called oddly: no good")


def test_our_own_faults_keep_their_traceback() -> None:
    @click.command()
    def failing() -> None:
        raise ZeroDivisionError("ours")

    done = CliRunner().invoke(Boundary(commands=[failing]), ["failing"])
    assert isinstance(done.exception, ZeroDivisionError)


# ---- data on stdout, everything else on stderr


def test_table_csv_is_nothing_but_csv(home: Path) -> None:
    done = call("table", home / "r-mixture", home / "r-silence", "--format", "csv")
    assert (done.exit_code, done.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["system"], row["scenario"], row["metric"], float(row["value"])) for row in rows][2:] == [
        ("silence", "TS1", "tsos", 100.0),
        ("silence", "TS2", "tsos", 100.0),
    ]
    assert rows[0]["system"] == "mixture"


@pytest.mark.parametrize("form", ["terminal", "markdown"])
def test_the_other_forms_of_a_table(home: Path, form: str) -> None:
    done = call("table", home / "r-silence", "--format", form)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "TS2: target + interferer + noise" in done.stdout
    assert "100.0" in done.stdout


def test_score_json(home: Path, tmp_path: Path) -> None:
    done = tiny.pse_bench(
        *("score", home / "dataset", home / "silence", "-o", tmp_path / "r", "--metrics", "tsos,si_sdr", "--json")
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [(row["scenario"], row["metric"], row["value"]) for row in rows] == [
        ("TS1", "tsos", 100.0),
        ("TS1", "si_sdr", -50.0),
        ("TS2", "tsos", 100.0),
        ("TS2", "si_sdr", -50.0),
    ]
    assert re.search(r"^scoring: 6/6 mixtures, ", done.stderr, re.MULTILINE)


def test_verify_render_and_dry_run_json(home: Path, tmp_path: Path) -> None:
    done = call("verify", home / "dataset", "--jobs", 1, "--json")
    assert done.exit_code == 0
    verified = json.loads(done.stdout)
    assert verified["problems"] == []
    assert verified["checked"]
    done = call("render", home / "plan.jsonl", "-o", home / "dataset", *ROOTS(home), "--jobs", 1, "--json")
    rendered = json.loads(done.stdout)
    about = json.loads((home / "dataset" / "dataset.json").read_text())
    assert rendered == {
        "dataset": str(home / "dataset"),
        "scenes": 2,
        "mixtures": 6,
        "fingerprint": about["fingerprint"],
        "problems": [],
    }
    done = call("render", home / "plan.jsonl", "-o", tmp_path / "d", *ROOTS(home), "--dry-run", "--json")
    assert json.loads(done.stdout)["mixtures"] == 6
    assert not (tmp_path / "d").exists()


def test_enhance_says_what_it_did(home: Path, tmp_path: Path) -> None:
    done = call("enhance", home / "dataset", "--system", "silence", "-o", tmp_path / "s")
    assert done.stdout == f"{tmp_path / 's'}: 6 mixtures enhanced by silence\n"
    assert re.fullmatch(r"enhancing: 6/6 mixtures, [\d.]+/s in \d+:\d\d\n", done.stderr)


# ---- pipes


def with_closed_stdout(*words: object) -> subprocess.CompletedProcess[str]:
    """Run a command whose stdout nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "pse_bench", *map(str, words)]
        return subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        os.close(writer)


@pytest.mark.parametrize("form", ["csv", "terminal", None])
def test_a_closed_pipe_is_silent(home: Path, form: str | None) -> None:
    words = ("table", home / "r-mixture", "--format", form) if form else ("--help",)
    done = with_closed_stdout(*words)
    assert done.stderr == ""
    assert done.returncode == 1


def test_head_gets_its_line(home: Path) -> None:
    command = f"'{sys.executable}' -m pse_bench table '{home / 'r-mixture'}' --format csv | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith("system,scenario,metric,value,")
    assert done.stdout.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_one_line(home: Path) -> None:
    command = [sys.executable, "-m", "pse_bench", "table", str(home / "r-mixture")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith("Error: writing: the disk is full; ")
    assert done.stderr.count("\n") == 1


# ---- Ctrl-C

SLOW = """\
import time
from pathlib import Path


def enhance(mixture, enrollment, sample_rate):
    Path("started").touch()
    time.sleep(0.01 if Path("fast").exists() else 60)
    return mixture
"""


def interrupted(
    words: Sequence[object],
    cwd: Path,
    begun: Callable[[], bool],
    everybody: bool = True,
    number: signal.Signals = signal.SIGINT,
) -> tuple[int, str, str]:
    """Interrupt a command when it has begun, and give what is left. A terminal's Ctrl-C reaches all its
    processes, a supervisor's signal only the first. No process is left."""
    command = [sys.executable, "-m", "pse_bench", *map(str, words)]
    running = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        limit = time.monotonic() + 30
        while not begun():
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < limit
            time.sleep(0.02)
        (os.killpg if everybody else os.kill)(running.pid, number)
        out, err = running.communicate(timeout=30)
        await_end_of_group(running.pid)
    finally:
        running.kill()
    return running.returncode, out, err


def await_end_of_group(group: int) -> None:
    """Wait until no process of a group is left."""
    limit = time.monotonic() + 20
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < limit:
            os.killpg(group, 0)
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)
        raise AssertionError("processes were left")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(("jobs", "everybody"), [(1, True), (2, True), (2, False)])
def test_stopped_by_a_supervisor_or_with_the_terminal(
    home: Path, tmp_path: Path, number: signal.Signals, jobs: int, everybody: bool
) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    words = ["enhance", home / "dataset", "--system", "slow:enhance", "-o", tmp_path / "s", "--jobs", jobs]
    code, out, err = interrupted(words, tmp_path, (tmp_path / "started").exists, everybody, number)
    assert (code, out) == (128 + number, "")
    assert err == f"stopped by {number.name}; run the same command again to continue\n"


def test_workers_do_not_outlive_a_killed_command(home: Path, tmp_path: Path) -> None:
    """They would wait for work for ever."""
    words = ["score", home / "dataset", home / "mixture", "-o", tmp_path / "r", "--jobs", 2]
    begun = (tmp_path / "r" / "score.journal").exists
    code, _, _ = interrupted(words, tmp_path, begun, everybody=False, number=signal.SIGKILL)
    assert code == -signal.SIGKILL


def test_what_nohup_ignores_stays_ignored(home: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW.replace("60", "2"))
    words = ["enhance", home / "dataset", "--system", "slow:enhance", "-o", tmp_path / "s"]
    command = f"trap '' HUP; exec '{sys.executable}' -m pse_bench {shlex.join(map(str, words))}"
    running = subprocess.Popen(["sh", "-c", command], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 30
    while not (tmp_path / "started").exists():
        assert time.monotonic() < limit
        time.sleep(0.02)
    running.send_signal(signal.SIGHUP)
    (tmp_path / "fast").touch()
    _, err = running.communicate(timeout=60)
    assert running.returncode == 0, err


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_from_the_beginning(home: Path, tmp_path: Path, closed: str) -> None:
    words = ["enhance", home / "dataset", "--system", "mixture", "-o", tmp_path / "s", "--jobs", 2]
    command = f"'{sys.executable}' -m pse_bench {shlex.join(map(str, words))} {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert (tmp_path / "s" / "system.yaml").exists()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.EIO, "Input/output error", "a.flac"), "a.flac: the disk or the network share failed; "),
        (OSError(errno.EFBIG, "File too large", "a.flac"), "a.flac: larger than the file system or a limit "),
        (OSError(errno.EXDEV, "Invalid cross-device link", "a"), "a: Invalid cross-device link; "),
        (MemoryError(), "not enough memory; use fewer --jobs"),
    ],
)
def test_what_the_machine_refuses_is_one_line(
    home: Path, error: BaseException, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("pse_bench.scoring.results.Result.open", fail)
    done = CliRunner().invoke(cli, ["table", str(home / "r-mixture")])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"Error: {line}")


@pytest.mark.parametrize(("jobs", "everybody"), [(1, True), (2, True), (2, False)])
def test_ctrl_c_while_enhancing(home: Path, tmp_path: Path, jobs: int, everybody: bool) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    words = ["enhance", home / "dataset", "--system", "slow:enhance", "-o", tmp_path / "s", "--jobs", jobs]
    code, out, err = interrupted(words, tmp_path, (tmp_path / "started").exists, everybody)
    assert (code, out, err) == (130, "", INTERRUPTED)
    (tmp_path / "fast").touch()
    again = tiny.pse_bench(*words, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "s" / "system.yaml").exists()


def test_ctrl_c_while_workers_start(home: Path, tmp_path: Path) -> None:
    """The moment between the start of a worker and its readiness is when it would print a traceback."""
    words = ["score", home / "dataset", home / "mixture", "-o", tmp_path / "r", "--jobs", 2]
    code, out, err = interrupted(words, tmp_path, (tmp_path / "r" / "score.journal").exists)
    assert (code, out, err) == (130, "", INTERRUPTED)
    assert not (tmp_path / "r" / "result.json").exists()
