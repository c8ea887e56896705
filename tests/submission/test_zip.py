"""Zips from strangers: unpacked whole into a private folder that goes away, or not at all."""

import io
import os
import stat
import struct
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.runtime.executor import Serial
from pse_bench.submission import submission
from pse_bench.submission import zip as archive
from pse_bench.submission.check.run import check
from pse_bench.submission.zip import RefusedArchive, opened

LIMIT = 1 << 20

Make = Callable[[zipfile.ZipFile], None]


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders are made: it has to be empty again after each test."""
    folder = tmp_path / "private"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == [], "the private folder is removed"
    assert sorted(path.name for path in tmp_path.iterdir()) in (["private"], ["a.zip", "private"])


def packed(path: Path, make: Make) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        make(out)
    return path


def listed(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def named(*names: str) -> Make:
    """Members of these names, exactly as they are written here."""

    def make(out: zipfile.ZipFile) -> None:
        for name in names:
            member = zipfile.ZipInfo("x")
            member.filename = name
            out.writestr(member, b"content")

    return make


def special(mode: int, name: str = "TS1/link") -> Make:
    """A member that claims to be something else than a file."""

    def make(out: zipfile.ZipFile) -> None:
        member = zipfile.ZipInfo(name)
        member.create_system = 3
        member.external_attr = mode << 16
        out.writestr(member, b"/etc/passwd")

    return make


def edited(path: Path, change: Callable[[bytearray], None]) -> Path:
    """Change the bytes of a zip."""
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def central(data: bytearray, member: int = 0) -> int:
    """Where the directory's line of a member begins."""
    place = data.index(b"PK\x01\x02")
    for _ in range(member):
        place = data.index(b"PK\x01\x02", place + 1)
    return place


# ---- good ones


def test_a_folder_is_given_as_it_is(tmp_path: Path) -> None:
    with opened(tmp_path, LIMIT) as folder:
        assert folder == tmp_path


@pytest.mark.parametrize("top", ["", "mine/", "a/b/", "./"])
def test_a_zip_is_unpacked_for_the_time_being(tmp_path: Path, private: Path, top: str) -> None:
    names = [f"{top}{name}" for name in ("TS1/a.flac", "TS2/a.flac", "system.yaml")]
    path = packed(tmp_path / "a.zip", named(*names))
    with opened(path, LIMIT) as folder:
        assert listed(folder) == ["TS1/a.flac", "TS2/a.flac", "system.yaml"]
        assert private in folder.parents
        assert stat.S_IMODE(os.stat(next(private.iterdir())).st_mode) == 0o700, "nobody else looks in"
        assert {stat.S_IMODE(item.stat().st_mode) & 0o111 for item in folder.rglob("*.flac")} == {0}
    path.unlink()


def test_one_scenario_alone_is_not_taken_for_a_folder_around_it(tmp_path: Path, private: Path) -> None:
    with opened(packed(tmp_path / "a.zip", named("TS1/a.flac", "TS1/b.flac")), LIMIT) as folder:
        assert listed(folder) == ["TS1/a.flac", "TS1/b.flac"]


def test_what_operating_systems_leave_is_passed_over_and_told(tmp_path: Path, private: Path) -> None:
    litter = ["__MACOSX/mine/TS1/._a.flac", "mine/.DS_Store", "mine/TS1/Thumbs.db"]
    path = packed(tmp_path / "a.zip", named("mine/", "mine/TS1/", *litter, "mine/TS1/a.flac"))
    told: list[str] = []
    with opened(path, LIMIT, passed_over=told.append) as folder:
        assert listed(folder) == ["TS1/a.flac"]
    assert told == litter


def test_the_private_folder_goes_when_its_user_fails(tmp_path: Path, private: Path) -> None:
    path = packed(tmp_path / "a.zip", named("TS1/a.flac"))
    with pytest.raises(KeyboardInterrupt), opened(path, LIMIT):
        raise KeyboardInterrupt


# ---- refused ones


def zeros(size: int) -> Make:
    return lambda out: out.writestr("TS1/a.wav", bytes(size))


def many(count: int) -> Make:
    return lambda out: [out.writestr(f"TS1/{number}", b"") for number in range(count)] and None


def lying_size(data: bytearray) -> None:
    """Both headers say that the member is small."""
    for place in (data.index(b"PK\x03\x04") + 22, central(data) + 24):
        data[place : place + 4] = struct.pack("<I", 100)


def boasting_size(data: bytearray) -> None:
    """The directory says that the member is large."""
    data[central(data) + 24 : central(data) + 28] = struct.pack("<I", 900_000)


def encrypted(data: bytearray) -> None:
    for place in (data.index(b"PK\x03\x04") + 6, central(data) + 8):
        data[place] |= 1


def flipped(data: bytearray) -> None:
    """A byte of the content is another one."""
    data[data.index(b"content") + 2] ^= 0xFF


def shared_bytes(data: bytearray) -> None:
    """The second member's line points at the first one's bytes: many names, one kernel."""
    place = central(data, 1) + 42
    data[place : place + 4] = struct.pack("<I", 0)


def huge_directory(data: bytearray) -> None:
    place = data.index(b"PK\x05\x06") + 12
    data[place : place + 4] = struct.pack("<I", 0xFFFFFFF0)


def stored(name: str = "TS1/a", size: int = 0) -> Make:
    def make(out: zipfile.ZipFile) -> None:
        out.writestr(name, b"content" + bytes(size), zipfile.ZIP_STORED)
        out.writestr(f"{name}b", b"other", zipfile.ZIP_STORED)

    return make


def nested(out: zipfile.ZipFile) -> None:
    """Each member's bytes are a member of their own, header and all, so that they unpack once for each."""
    data = bytes(LIMIT // 10)
    inner = []
    for number in range(20):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as around:
            around.writestr(f"TS1/{number:02}", data)
            inner.append(around.infolist()[0])
        data = stream.getvalue()[: around.start_dir]
    out.writestr("TS1/x", data, zipfile.ZIP_STORED)
    for depth, member in enumerate(reversed(inner), 1):
        member.header_offset = depth * len(member.FileHeader())
        out.filelist.append(member)


def bzipped(out: zipfile.ZipFile) -> None:
    out.writestr("TS1/a", b"content", zipfile.ZIP_BZIP2)


REFUSED: list[tuple[str, Make, Callable[[bytearray], None] | None, str]] = [
    ("absolute", named("/etc/passwd"), None, "archive-outside"),
    ("climbing", named("../evil"), None, "archive-outside"),
    ("climbing later", named("TS1/../../evil"), None, "archive-outside"),
    ("climbing backwards", named("..\\..\\evil"), None, "archive-outside"),
    ("another drive", named("C:\\evil"), None, "archive-outside"),
    ("another drive, slashed", named("c:evil"), None, "archive-outside"),
    ("a server", named("\\\\server\\share"), None, "archive-outside"),
    ("backslashes", named("TS1\\a.flac"), None, "archive-name"),
    ("a stream of a file", named("TS1/a.flac:hidden"), None, "archive-name"),
    ("a control character", named("TS1/\x1b[2Ja.flac"), None, "archive-name"),
    ("reversed writing", named("TS1/\u202ecalf.a"), None, "archive-name"),
    ("an empty part", named("TS1//a.flac"), None, "archive-name"),
    ("no name", named(""), None, "archive-name"),
    ("a long name", named("TS1/" + "x" * 300), None, "archive-name"),
    ("many folders", named("/".join(["x"] * 600)), None, "archive-name"),
    ("the same name twice", named("TS1/a", "TS1/a"), None, "archive-duplicate"),
    ("the same but for case", named("TS1/a", "ts1/A"), None, "archive-duplicate"),
    ("the same but for form", named("TS1/\u00e9", "TS1/e\u0301"), None, "archive-duplicate"),
    ("the same by a detour", named("TS1/a", "./TS1/a"), None, "archive-duplicate"),
    ("file and folder", named("TS1", "TS1/a"), None, "archive-duplicate"),
    ("a link", special(stat.S_IFLNK | 0o777), None, "archive-link"),
    ("a link to a folder", special(stat.S_IFLNK | 0o777, "TS1"), None, "archive-link"),
    ("a device", special(stat.S_IFCHR | 0o666), None, "archive-link"),
    ("a pipe", special(stat.S_IFIFO | 0o666), None, "archive-link"),
    ("a password", named("TS1/a"), encrypted, "archive-encrypted"),
    ("another method", bzipped, None, "archive-method"),
    ("too big", zeros(LIMIT + 1), None, "archive-too-big"),
    ("too many", many(60), None, "archive-too-many"),
    ("a header that boasts", stored(), boasting_size, "archive-damaged"),
    ("a header that says less", zeros(3 * LIMIT), lying_size, "archive-damaged"),
    ("two names for the same bytes", stored(size=5000), shared_bytes, "archive-damaged"),
    ("a bomb of members inside each other", nested, None, "archive-too-big"),
    ("another content", stored(), flipped, "archive-damaged"),
    ("a directory of gigabytes", named("TS1/a"), huge_directory, "archive-unreadable"),
]


@pytest.mark.parametrize(("make", "change", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_not_safe_or_not_whole_is_refused(
    tmp_path: Path, private: Path, make: Make, change: Callable[[bytearray], None] | None, code: str
) -> None:
    path = packed(tmp_path / "a.zip", make)
    if change:
        edited(path, change)
    with pytest.raises(RefusedArchive) as caught, opened(path, LIMIT, max_members=50):
        pytest.fail("was unpacked")
    assert [finding.code for finding in caught.value.findings] == [code]
    assert str(caught.value).startswith(f"{path}: {code}")
    assert str(caught.value).isprintable(), "one line, and nothing in it that a terminal obeys"


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"Rar!\x1a\x07\x01\x00", b"x" * 5000, b"PK\x05\x06" + b"\xff" * 18]
)
def test_what_is_no_zip_is_refused(tmp_path: Path, private: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(RefusedArchive, match="archive-unreadable: not a zip"), opened(tmp_path / "a.zip", LIMIT):
        pytest.fail("was unpacked")


def test_all_reasons_are_given_at_once(tmp_path: Path, private: Path) -> None:
    path = packed(tmp_path / "a.zip", named("../a", "/b", "TS1\\c", "TS1/d", "TS1/D", "TS1/fine"))
    with pytest.raises(RefusedArchive) as caught, opened(path, LIMIT):
        pytest.fail("was unpacked")
    found = {finding.code: (finding.files, finding.of) for finding in caught.value.findings}
    assert found == {
        "archive-outside": (("../a", "/b"), 6),
        "archive-name": (("TS1\\c",), 6),
        "archive-duplicate": (("TS1/D",), 6),
    }


def test_the_limit_holds_while_unpacking_whatever_the_headers_say(
    tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "a.zip", zeros(3 * LIMIT))
    monkeypatch.setattr(archive, "_judge", lambda *_: [])  # as if every header had lied well
    with pytest.raises(RefusedArchive, match="archive-too-big"), opened(path, LIMIT):
        pytest.fail("was unpacked")


def test_a_full_disk_is_noticed_before_it_is_full(
    tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "a.zip", zeros(1000))
    usage = archive.shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InputError, match="set TMPDIR to a folder elsewhere"), opened(path, LIMIT):
        pytest.fail("was unpacked")


# ---- any names, any bytes

ODD = ("..", ".", "", "/", "\\", "C:", "\x00", "\n", "e\u0301", "\u00e9", " ", "~", "x" * 256)
PIECES = st.sampled_from([*ODD, "TS1", "ts1", "a.flac", "A.FLAC"])
NAMES = st.lists(st.one_of(PIECES, st.text(max_size=4)), min_size=1, max_size=5).map("/".join)


def refused(path: Path, into: Path) -> RefusedArchive | None:
    """Unpack, or tell why not."""
    try:
        archive.unpack(path, into, LIMIT)
    except RefusedArchive as error:
        return error
    return None


def storable(name: str) -> bool:
    try:
        return len(name.encode()) < 60_000
    except UnicodeEncodeError:
        return False


@given(names=st.lists(NAMES.filter(storable), min_size=1, max_size=4))
@example(names=["/"])
@example(names=["./", "."])
@example(names=["TS1/", "TS1/a.flac"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_whatever_the_names_nothing_is_written_elsewhere(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as home:
        path = packed(Path(home) / "a.zip", named(*names))
        into = Path(home) / "deep" / "into"
        into.mkdir(parents=True)
        refusal = refused(path, into)
        if refusal:
            assert refusal.findings
            assert str(refusal).isprintable()
        else:
            found = {unicodedata.normalize("NFC", name) for name in listed(into)}
            plain = {
                archive.LITTER.search(name) or "/".join(p for p in name.split("/") if p != ".") for name in names
            }
            assert found <= {unicodedata.normalize("NFC", str(name)) for name in plain}
        outside = [name for name in listed(Path(home)) if not name.startswith("deep/into/")]
        assert outside == ["a.zip"]
        assert not any(item.is_symlink() for item in Path(home).rglob("*"))


WHOLE = io.BytesIO()
with zipfile.ZipFile(WHOLE, "w", zipfile.ZIP_DEFLATED) as _out:
    _out.writestr("TS1/a.flac", b"content" * 20)
    _out.writestr("system.yaml", b"name: x\n")


@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(WHOLE.getvalue()) - 1), st.integers(0, 255)), min_size=1, max_size=6
    ),
    cut=st.integers(0, 40),
)
@example(edits=[(233, 1)], cut=0)  # a file that would begin before the zip does
def test_a_damaged_zip_is_refused_or_unpacked_and_never_crashes(edits: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(WHOLE.getvalue())
    for place, value in edits:
        data[place] = value
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "a.zip"
        path.write_bytes(data[: len(data) - cut])
        into = Path(home) / "into"
        into.mkdir()
        refusal = refused(path, into)
        assert refusal is None or refusal.findings
        assert {name.split("/")[0] for name in listed(Path(home))} <= {"a.zip", "into"}


# ---- submissions in zips


def zipped(folder: Path, path: Path, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for item in sorted(folder.rglob("*")):
            out.write(item, f"{top}{item.relative_to(folder).as_posix()}")
    return path


@pytest.mark.parametrize("top", ["", "my-submission/"])
def test_a_good_zip_gives_no_findings(
    dataset: Dataset, whole: Path, tmp_path: Path, private: Path, top: str
) -> None:
    report = check(dataset, zipped(whole, tmp_path / "a.zip", top), executor=Serial())
    assert report.findings == ()
    assert (report.submission, report.present) == ("a.zip", 9)


def test_a_zip_is_checked_like_a_folder_and_its_litter_told(
    dataset: Dataset, good: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (good / "TS1" / "s000000.flac").unlink()
    (good / "TS2" / ".DS_Store").write_text("x")
    report = check(dataset, zipped(good, tmp_path_factory.mktemp("zip") / "a.zip", "mine/"), executor=Serial())
    assert [(finding.code, finding.files) for finding in report.findings] == [
        ("missing-file", ("TS1/s000000",)),
        ("litter", ("mine/TS2/.DS_Store",)),
    ]


def test_silence_in_float_packs_well_and_is_no_bomb(dataset: Dataset, tmp_path: Path, private: Path) -> None:
    import soundfile

    def make(out: zipfile.ZipFile) -> None:
        out.writestr("system.yaml", "name: x\nversion: '1'\n")
        for row in dataset.mixtures:
            data = io.BytesIO()
            soundfile.write(data, np.zeros(row.num_samples), row.sample_rate, format="WAV", subtype="DOUBLE")
            out.writestr(f"{submission.estimate_name(row)}.wav", data.getvalue())

    report = check(dataset, packed(tmp_path / "a.zip", make), executor=Serial())
    assert [finding.code for finding in report.findings] == ["silent"]


def test_a_refused_zip_is_a_report_too(dataset: Dataset, tmp_path: Path, private: Path) -> None:
    report = check(dataset, packed(tmp_path / "a.zip", named("../evil", "TS1\\a")), executor=Serial())
    assert not report.acceptable
    assert [finding.code for finding in report.findings] == ["archive-outside", "archive-name"]
    assert (report.expected, report.present) == (9, 0)


def test_the_limit_follows_from_the_dataset(dataset: Dataset, tmp_path: Path, private: Path) -> None:
    samples = sum(row.num_samples for row in dataset.mixtures)
    path = packed(tmp_path / "a.zip", zeros(8 * 4 * samples + (16 << 20) + 1))
    (finding,) = check(dataset, path, executor=Serial()).findings
    assert finding.code == "archive-too-big"
