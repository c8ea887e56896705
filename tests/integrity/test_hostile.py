"""Names and files that strangers made: nothing of them runs, moves the cursor, or is read from elsewhere."""

import ast
import os
import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from made import means, result

import pse_bench
from pse_bench.cli import cli
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError, plain
from pse_bench.io import atomic, yaml_reader
from pse_bench.io import tables as csv_tables
from pse_bench.leaderboard import leaderboard
from pse_bench.reporting import tables
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import SimulatedRoom
from pse_bench.scoring import score
from pse_bench.scoring.results import Result
from pse_bench.simulation import room as rooms
from pse_bench.submission import submission
from pse_bench.submission import zip as archive
from pse_bench.training import config

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b1A\r\u202e"
NAMES = ["=cmd|' /C calc'!A0", "+1+1", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", " =1+1", "\t=1+1", "-x"]


# ---- terminals


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Run a command; all that it says, on a terminal as far as it can tell."""

    def run(*words: object) -> str:
        answer = CliRunner().invoke(cli, [str(word) for word in words], color=True)
        assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
        return answer.output

    return run


def assert_harmless(text: str) -> None:
    assert [c for c in text if not (c.isprintable() or c == "\n")] == []


def test_escapes_are_shown_and_lines_stay() -> None:
    assert plain(f"a{ESCAPES}\nb\tü−") == "a\\x1b]0;owned\\x07\\x1b[2J\\x9b1A\\r\\u202e\nb\\tü−"
    assert plain("\udcff") == "\\udcff"


def test_a_file_with_a_strange_name_is_told_in_plain_text(copied: Path, said) -> None:
    (copied / "dataset" / f"x{ESCAPES}").touch()
    (copied / "result" / f"y{ESCAPES}\n").touch()
    for folder in ("dataset", "result"):
        text = said("verify", copied / folder, "--jobs", 1)
        assert "\\x1b[2J" in text
        assert_harmless(text)


@pytest.mark.parametrize(
    "words", [("verify", f"no{ESCAPES}"), ("table", f"no{ESCAPES}"), ("check", "no\x1b[1A", "no\x1b[1A")]
)
def test_a_complaint_is_plain_text(said, words: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / words[1]
    folder.mkdir()
    text = said(words[0], *[folder for _ in words[1:]])
    assert "Error: " in text
    assert_harmless(text)


def test_names_in_tables_and_boards_are_plain_text(tmp_path: Path, said) -> None:
    rows = means([1, 2, 3], ["p", "q", "r"])
    one = result(tmp_path / "one", rows, system={"name": f"[red]one[/] [/nothing] {ESCAPES}"})
    text = said("table", one, "--by", "target_speaker")
    assert "[red]one[/] [/nothing]" in text
    assert_harmless(text)
    assert_harmless(said("compare", one, result(tmp_path / "two", rows, system={"name": ESCAPES})))


def test_parts_of_a_dataset_are_plain_text(tmp_path: Path, said) -> None:
    folder = result(tmp_path / "one", means([1, 2, 3], ["p", f"q{ESCAPES}", "r"]))
    assert_harmless(said("table", folder, "--by", "target_speaker"))


# ---- spreadsheets


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_of_a_printed_table_is_a_formula(tmp_path: Path, name: str) -> None:
    folder = result(tmp_path / "one", means([-1, -2, -3], ["p", "q", name]), system={"name": name})
    for by in (None, "target_speaker"):
        text = tables.results_text([Result.open(folder)], "csv", by=by)
        for cell in re.split(r"[,\n]", text):
            assert not cell.lstrip('" \t').startswith(csv_tables.FORMULA) or csv_tables.NUMBER.fullmatch(cell), (
                cell
            )


def test_numbers_and_bands_stay_as_they_are() -> None:
    cells = ["-5 to -2.5", "-1e-05", "+3", "-0.5", -1.5, None, "TS1", "0 to 5"]
    assert csv_tables.as_csv(["a"], [cells]) == "a\n-5 to -2.5,-1e-05,+3,-0.5,-1.5,,TS1,0 to 5"


@pytest.mark.parametrize("field", ["name", "version"])
@pytest.mark.parametrize("text", ["=1+1", "@x", "-1+cmd", " +1"])
def test_no_cell_of_a_board_is_a_formula(copied: Path, field: str, text: str) -> None:
    renamed(copied / "result", **{field: text})
    with pytest.raises(InputError, match=f"system {field} .* begins as a formula does; rename it in system.yaml"):
        leaderboard.add(copied / "tiny-v1.csv", copied / "result")


def test_no_cell_of_a_board_moves_the_cursor(copied: Path) -> None:
    renamed(copied / "result", version="1\x1b[2J")
    with pytest.raises(InputError, match=r"system version '1\\x1b\[2J' cannot be printed; rename it"):
        leaderboard.add(copied / "tiny-v1.csv", copied / "result")


def renamed(folder: Path, **changes: str) -> None:
    about = Result.open(folder).about
    atomic.write_sealed(folder / "result.json", {**about, "system": {**about["system"], **changes}})


# ---- code


class Planted:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (os.mkdir, (str(self.mark),))


def test_the_bank_of_rooms_is_never_unpickled(tmp_path: Path, made: Path) -> None:
    from pse_bench.planning import plan

    _, _, recipes = plan.read(made / "plan.jsonl")
    room = next(recipe.room for recipe in recipes)
    assert isinstance(room, SimulatedRoom)
    path = tmp_path / rooms.cache_key(room, 16_000)
    np.savez(path, about=np.ones((1, 4)), samples=np.array([Planted(tmp_path / "mark")], dtype=object))
    fresh = rooms.from_bank(room, 16_000, made / "rooms")
    found = rooms.from_bank(room, 16_000, tmp_path)
    assert np.array_equal(found.sources[0].samples, fresh.sources[0].samples)
    assert not (tmp_path / "mark").exists()


def test_the_name_of_a_system_in_a_file_runs_nothing(copied: Path, made: Path, said, monkeypatch) -> None:
    """``module:callable`` runs from the command line alone."""
    monkeypatch.chdir(copied)
    (copied / "planted_module.py").write_text("import os\nos.mkdir('mark')\n")
    (copied / "audio").mkdir()
    for row in Dataset.open(made / "dataset").mixtures:
        samples = Dataset.open(made / "dataset").read_sound(row.mixture_path).astype(float)
        submission.write_estimate(copied / "audio", row, samples)
    submission.write_system(copied / "audio", submission.System(name="planted_module:run", version="1"))
    opened = Dataset.open(copied / "dataset")
    score.score(opened, copied / "audio", copied / "r", executor=Serial(), names=["tsos"])
    said("check", copied / "dataset", copied / "audio", "--jobs", 1)
    assert "planted_module:run" in tables.results_text([Result.open(copied / "r")])
    assert not (copied / "mark").exists()


KINDS = ["beside.bin", "../outside.bin", "/etc/hostname"]


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("location", KINDS)
def test_an_onnx_file_reads_no_other_file(tmp_path: Path, location: str, long: bool) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from pse_bench.systems import onnx as onnx_system

    weights = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[1, 4])
    weights.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        weights.external_data.add(key=key, value=value)
    number = onnx.TensorProto.FLOAT
    ends = [onnx.helper.make_tensor_value_info(name, number, [1, 4]) for name in ("frame", "estimate")]
    nodes = [onnx.helper.make_node("Add", ["frame", "w"], ["estimate"])]
    graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:], [weights])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    content = model.SerializeToString()
    if long:  # the same length, written in two bytes: enough to hide from a search for the usual form
        content = content.replace(b"\x0a\x08location", b"\x0a\x88\x00location")
    for place in ("beside.bin", "../outside.bin"):
        (tmp_path / "in" / place).parent.mkdir(exist_ok=True)
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / place).write_bytes(bytes(16))
    (tmp_path / "in" / "model.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.onnx: keeps weights in other files; save it as one file"):
        onnx_system.open_model(tmp_path / "in" / "model.onnx")


# ---- what our own sources may not do

FORBIDDEN = {
    "eval", "exec", "compile", "os.system", "os.popen", "tempfile.mktemp", "yaml.unsafe_load", "yaml.full_load",
    "pickle.load", "pickle.loads", "marshal.loads", "shelve.open", "torch.load", "pandas.read_pickle",
    "joblib.load", "urllib.request.urlopen", "requests.get", "socket.socket", "socket.create_connection",
}  # fmt: skip
LOADERS = {"loader"}
"""The one place that reads YAML names what it was given."""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_yaml_is_read_as_plain_data() -> None:
    loaders = [yaml_reader.PlainYaml, config._Yaml]
    assert all(issubclass(loader, yaml.SafeLoader) for loader in loaders)


@pytest.mark.parametrize("path", sorted(Path(pse_bench.__file__).parent.rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_runs_what_a_file_says(path: Path) -> None:
    for name, call in calls(ast.parse(path.read_text(encoding="utf-8"))):
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert name not in FORBIDDEN, f"{path}:{call.lineno}: {name}"
        if name == "yaml.load":
            assert given["Loader"] in LOADERS, f"{path}:{call.lineno}"
        assert given.get("shell", "False") == "False", f"{path}:{call.lineno}"
        assert given.get("allow_pickle", "False") == "False", f"{path}:{call.lineno}"


# ---- files of our own


def test_what_is_unpacked_is_private_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("system.yaml", "name: x")
    with archive.opened(tmp_path / "a.zip", 1000) as folder:
        (private,) = (tmp_path / "tmp").iterdir()
        assert folder == private
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_outputs_have_the_rights_that_were_asked_for(made: Path, tmp_path: Path, mask: int) -> None:
    (tmp_path / "tmp").mkdir()
    before = os.umask(mask)
    try:
        opened = Dataset.open(made / "dataset")
        score.score(opened, made / "audio", tmp_path / "r", executor=Serial(), names=["tsos"])
    finally:
        os.umask(before)
    written = [path for path in (tmp_path / "r").iterdir()]
    assert len(written) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o666 & ~mask}
    assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o777 & ~mask
