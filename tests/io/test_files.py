"""Files are whole or absent, and what is read from them is what was written, or one clear line."""

import csv
import errno
import io
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, locks, tables


class Inner(documents.Record):
    """A nested record."""

    distance_m: float
    level_dbfs: float = 0.0


class Row(documents.Record):
    """One field of every kind that a table may have."""

    name: str
    count: int
    value: float
    maybe: float | None
    flag: bool
    label: Literal["TS1", "TS2"]


class Document(documents.Record):
    """A document with a nested record."""

    title: str
    inner: Inner
    other: Inner | None = None


HEADER = "name,count,value,maybe,flag,label"


def fault(call, *arguments, **options) -> str:
    """The one-line message that a call is refused with."""
    with pytest.raises(InputError) as refused:
        call(*arguments, **options)
    message = str(refused.value)
    assert "\n" not in message
    assert message
    return message


def table(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


# ---- whole or absent


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "sub" / "result.csv"
    with atomic.replacing(path) as part:
        part.write_text("half")
        assert not path.exists()
        assert part.parent == path.parent, "a rename is atomic only within one folder"
    assert path.read_text() == "half"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("problem", [RuntimeError("no"), KeyboardInterrupt()])
def test_a_failure_leaves_what_was_there_and_no_litter(tmp_path, problem):
    path = tmp_path / "result.csv"
    path.write_text("earlier")

    def fail():
        with atomic.replacing(path) as part:
            part.write_text("half")
            raise problem

    with pytest.raises(type(problem)):
        fail()
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_whose_rows_fail_on_the_way_leaves_what_was_there(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("earlier")

    def rows():
        yield Row(name="a", count=1, value=1.0, maybe=None, flag=True, label="TS1")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        tables.write_table(path, Row, rows())
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_written_byte_for_byte(tmp_path):
    text = "één\r\nzwei\n\u2028drei"
    atomic.write_text(tmp_path / "a.txt", text)
    assert (tmp_path / "a.txt").read_bytes() == text.encode()
    assert documents.read_text(tmp_path / "a.txt") == text


def test_json_is_written_for_people(tmp_path):
    atomic.write_json(tmp_path / "a.json", {"café": [1, 2]})
    assert "café" in (tmp_path / "a.json").read_text("utf-8")
    assert documents.parse_json(documents.read_text(tmp_path / "a.json"), "a.json") == {"café": [1, 2]}


def test_hashes_are_those_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert atomic.sha256(tmp_path / "a") == abc
    assert atomic.sha256_of_text("abc") == abc


# ---- reading text and documents


def test_a_mark_at_the_beginning_is_not_part_of_the_text(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfname")
    assert documents.read_text(tmp_path / "a.csv") == "name"


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "latin").write_bytes("caf\xe9".encode("latin-1"))
    assert f"{tmp_path / 'none'}: no such file" in fault(documents.read_text, tmp_path / "none")
    assert "not UTF-8 text (byte 3)" in fault(documents.read_text, tmp_path / "latin")
    assert "cannot be read" in fault(documents.read_text, tmp_path)
    assert "cannot be read" in fault(documents.read_text, tmp_path / "latin" / "below a file")


@pytest.mark.parametrize("text", ["", "{", "[1,]", "[" * 100_000, '{"a": 1}}', "1" * 5000])
def test_what_is_not_json_is_refused_in_one_line(text):
    assert fault(documents.parse_json, text, "plan.jsonl:7").startswith("plan.jsonl:7: not JSON")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"titel": "a", "inner": {"distance_m": 1.0}}, "unknown key 'titel'; did you mean 'title'?"),
        ({"title": "a", "inner": {"distanc_m": 1.0}}, "did you mean 'distance_m'?"),
        ({"title": "a", "inner": {"distance_m": 1.0, "level_db": 1.0}}, "did you mean 'level_dbfs'?"),
        (
            {"title": "a", "inner": {"distance_m": 1.0}, "other": {"distance_m": 1.0, "distance_mm": 1}},
            "unknown key 'other.distance_mm'; did you mean 'distance_m'?",
        ),
        ({"title": "a", "inner": {"distance_m": 1.0, "zzz": 1}}, "known keys: distance_m, level_dbfs"),
        ({"title": "a"}, "key 'inner' is missing; add it"),
        ({"title": "a", "inner": {}}, "key 'inner.distance_m' is missing"),
        ({"title": 3, "inner": {"distance_m": 1.0}}, "title: Input should be a valid string, found 3"),
        ({"title": "a", "inner": {"distance_m": "1"}}, "inner.distance_m: Input should be a valid number"),
        ({"title": "a", "inner": {"distance_m": True}}, "inner.distance_m: Input should be a valid number"),
        ({"title": "a", "inner": {"distance_m": float("nan")}}, "finite number"),
        ({"title": "a", "inner": {"distance_m": float("inf")}}, "finite number"),
        (["title"], "content: Input should be a valid dictionary"),
        ({"title": "a", "inner": {"distance_m": 1.0}, "new\nline": 1}, "unknown key 'new\\nline'"),
        ({1: "a"}, "key 'title' is missing; add it (and 2 more)"),
    ],
)
def test_the_first_fault_of_a_document_is_explained(content, expected):
    message = fault(documents.parse, Document, content, "doc.json")
    assert message.startswith("doc.json: ")
    assert expected in message


def test_a_long_wrong_value_is_not_printed_in_full():
    message = fault(documents.parse, Document, {"title": ["x" * 10_000], "inner": {"distance_m": 1.0}}, "doc.json")
    assert len(message) < 300


def test_records_do_not_change():
    row = Inner(distance_m=1.0)
    with pytest.raises(ValueError, match="frozen"):
        row.distance_m = 2.0


# ---- tables

rows = st.builds(
    Row,
    name=st.text(st.characters(codec="utf-8", exclude_characters="\x00")),
    count=st.integers(-(10**15), 10**15),
    value=st.floats(allow_nan=False, allow_infinity=False),
    maybe=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    flag=st.booleans(),
    label=st.sampled_from(["TS1", "TS2"]),
)


@given(st.lists(rows, max_size=4))
def test_a_table_reads_back_as_it_was_written(tmp_path, content):
    """Quotes, commas, line ends and every float to its last bit."""
    tables.write_table(tmp_path / "t.csv", Row, content)
    assert tables.read_table(tmp_path / "t.csv", Row) == content


@pytest.mark.parametrize("name", ["a\rb", "\r", "a\r\nb", "\n"])
def test_a_cell_with_any_end_of_a_line_is_quoted(tmp_path, name):
    row = Row(name=name, count=2, value=0.1, maybe=None, flag=False, label="TS2")
    tables.write_table(tmp_path / "t.csv", Row, [row])
    assert (tmp_path / "t.csv").read_bytes().decode() == f'{HEADER}\n"{name}",2,0.1,,False,TS2\n'
    assert tables.read_table(tmp_path / "t.csv", Row) == [row]


def test_a_table_is_plain_csv_in_the_order_of_the_fields(tmp_path):
    row = Row(name='a "b", c', count=2, value=0.1, maybe=None, flag=False, label="TS2")
    tables.write_table(tmp_path / "t.csv", Row, [row])
    text = (tmp_path / "t.csv").read_bytes().decode()
    assert text == f'{HEADER}\n"a ""b"", c",2,0.1,,False,TS2\n'
    assert next(csv.DictReader(io.StringIO(text)))["name"] == 'a "b", c'


def test_columns_stand_in_any_order_and_spreadsheets_may_end_lines_their_way(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbflabel,flag,maybe,value,count,name\r\nTS1,True,,1,2,a\r\n\r\n")
    assert tables.read_table(path, Row) == [Row(name="a", count=2, value=1.0, maybe=None, flag=True, label="TS1")]


def test_a_column_may_be_left_out_only_where_it_is_optional(tmp_path):
    class WithDefault(documents.Record):
        name: str
        text: str = ""

    path = table(tmp_path, "a", header="name")
    assert tables.read_table(path, WithDefault, optional=["text"]) == [WithDefault(name="a")]
    assert "column 'text' is missing" in fault(tables.read_table, path, WithDefault)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "empty, expected a CSV with the columns name, count"),
        ("nam,count,value,maybe,flag,label\n", "unknown column 'nam'; did you mean 'name'?"),
        (f"{HEADER},zzz\n", "unknown column 'zzz'; known columns: name, count"),
        (f"{HEADER},name\n", "a column is named twice"),
        ("name,count,value,maybe,flag\n", "column 'label' is missing"),
        (f"{HEADER}\na,1,1,1,True,TS1\na,1,1,1,True\n", ":3: 5 cells, expected 6"),
        (f"{HEADER}\na,1,1,1,True,TS1,x\n", ":2: 7 cells, expected 6"),
        (f"{HEADER}\na,one,1,1,True,TS1\n", ":2: count: Input should be a valid integer"),
        (f"{HEADER}\na,1.5,1,1,True,TS1\n", ":2: count: Input should be a valid integer"),
        (f"{HEADER}\na,,1,1,True,TS1\n", ":2: count: "),
        (f"{HEADER}\na,1,nan,1,True,TS1\n", ":2: value: Input should be a finite number"),
        (f"{HEADER}\na,1,1,inf,True,TS1\n", ":2: maybe: Input should be a finite number"),
        (f"{HEADER}\na,1,1,1,perhaps,TS1\n", ":2: flag: "),
        (f"{HEADER}\na,1,1,1,True,TS4\n", ":2: label: Input should be 'TS1' or 'TS2', found 'TS4'"),
        (f'{HEADER}\n"{"x" * 200_000}",1,1,1,True,TS1\n', "not CSV (field larger than field limit"),
    ],
)
def test_a_damaged_table_is_refused_with_its_line(tmp_path, text, expected):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    message = fault(tables.read_table, path, Row)
    assert message.startswith(str(path))
    assert expected in message


def test_the_line_of_a_fault_counts_lines_inside_quotes(tmp_path):
    path = table(tmp_path, '"two\nlines",1,1,1,True,TS1', "a,x,1,1,True,TS1")
    assert fault(tables.read_table, path, Row).startswith(f"{path}:4: count")


@given(st.text(max_size=200))
def test_any_text_is_a_table_or_one_line(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8", newline="")
    message = f"{path}: a table"
    try:
        tables.read_table(path, Row)
    except InputError as error:
        message = str(error)
    assert message.startswith(str(path))
    assert "\n" not in message


# ---- locks

HOLD = """
import sys
from pathlib import Path
from pse_bench.errors import InputError
from pse_bench.io.locks import locked
try:
    with locked(Path(sys.argv[1]), "rendering"):
        print("held", flush=True)
        sys.stdin.readline()
except InputError as error:
    print(error)
"""


def holder(folder: Path) -> subprocess.Popen:
    """Another process that tries to hold a folder until its input ends."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdin=pipe, stdout=pipe, text=True)


def test_two_processes_cannot_work_in_one_folder(tmp_path):
    folder = tmp_path / "dataset"
    with holder(folder) as other:
        assert other.stdout.readline() == "held\n"

        def work():
            with locks.locked(folder, "scoring"):
                raise AssertionError("two at work")

        assert f"{folder}: another process is at work here (scoring)" in fault(work)
        other.kill()
        other.wait()
    with locks.locked(folder, "scoring"):
        pass
    assert list(folder.iterdir()) == [], "a killed process leaves no lock behind"


def test_what_several_want_is_made_by_one_while_the_others_wait(tmp_path, monkeypatch):
    folder, order = tmp_path / "cache", []
    said = io.StringIO()  # capsys loses what a thread prints while it is read
    monkeypatch.setattr(sys, "stderr", said)
    with holder(folder) as other:
        assert other.stdout.readline() == "held\n"

        def wait() -> None:
            with locks.taking_turns(folder, "preparing rooms"):
                order.append("ours")

        waiting = threading.Thread(target=wait)
        waiting.start()
        deadline = time.monotonic() + 60
        while not said.getvalue().endswith("\n"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert said.getvalue() == (
            f"note: {folder}: another process is at work here (preparing rooms); waiting for what it makes\n"
        )
        assert not order
        other.kill()
        other.wait()
        waiting.join(60)
    assert order == ["ours"]


def test_a_lock_is_given_back_after_a_failure(tmp_path):
    def fail():
        with locks.locked(tmp_path, "scoring"):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        fail()
    with locks.locked(tmp_path, "scoring"):
        pass


def test_a_table_is_no_json_and_a_document_no_table(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"name": "a"}))
    assert "unknown column" in fault(tables.read_table, tmp_path / "a.json", Row)


def test_a_file_system_without_locks_is_worked_on_without(tmp_path, monkeypatch):
    """A network file system may refuse to lock a folder, which is not somebody else at work."""

    def refused(*_):
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(locks.fcntl, "flock", refused)
    with locks.locked(tmp_path / "out", "render"):
        (tmp_path / "out" / "x").touch()


def test_files_that_several_write_at_once_have_names_of_their_own(tmp_path):
    path = tmp_path / "a.flac"
    with atomic.replacing(path, shared=True) as one, atomic.replacing(path, shared=True) as other:
        assert one != other
        assert one.suffix == ".part"
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file(tmp_path):
    """The second is refused, and the file is the first one's, whole."""
    path = tmp_path / "table.csv"
    with atomic.replacing(path) as part:
        part.write_text("half")
        message = fault(atomic.write_text, path, "the other's")
        assert message == f"{path}: another process is writing it; wait for it or stop it"
        part.write_text("half and half")
    assert path.read_text() == "half and half"
    assert [child.name for child in tmp_path.iterdir()] == ["table.csv"]
    atomic.write_text(path, "later")
    assert path.read_text() == "later"


def test_many_writers_of_one_shared_file(tmp_path):
    path = tmp_path / "room.npy"
    with atomic.replacing(path, shared=True) as part:
        part.write_text("one")
        atomic.write_bytes(path, b"two", shared=True)
    assert path.read_text() == "one"
    assert [child.name for child in tmp_path.iterdir()] == ["room.npy"]
