"""Zips from strangers, unpacked safely: nothing lands outside a private folder, nothing grows without limit.

Every member's header is judged before anything is written, and all faults are named at once. Headers can lie, so
the limit on size is enforced again while the bytes come out. Links are never made: only plain files are written.
"""

import contextlib
import io
import re
import shutil
import stat
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pse_bench.errors import InputError
from pse_bench.submission.check.findings import Finding

MAX_MEMBERS = 100_000
DIRECTORY_BYTES = 512
"""How long a member's line in the zip's directory may be on average: the directory is read at once."""

MAX_RATIO = 1032
"""What deflate reaches at most (on digital silence it does). Who claims more has a header that lies."""

CHUNK = 1 << 20
LITTER = re.compile(r"(^|/)(__MACOSX(/|$)|\.DS_Store$|\._[^/]*$|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)
"""What operating systems leave in folders; passed over."""

TEXTS = {
    "archive-outside": (
        "names that are absolute, have a drive letter, or climb out with '..'",
        "names below the top of the zip",
        "zip the submission's folder itself",
    ),
    "archive-name": (
        "names with backslashes, colons, control characters, empty or overlong parts",
        "plain names with / between folders",
        "zip it again with another tool (zip -r, or Python's shutil.make_archive)",
    ),
    "archive-duplicate": (
        "names that occur twice, or differ only in case, or are a file and a folder at once",
        "every name once",
        "zip it again from scratch",
    ),
    "archive-link": (
        "links, devices or other things that are not plain files",
        "plain files and folders",
        "put the files themselves in place of the links (zip follows links unless told -y)",
    ),
    "archive-encrypted": ("encrypted files", "no password", "zip it again without a password"),
    "archive-method": (
        "files packed by another method than deflate",
        "stored or deflated files",
        "zip it again with the plain zip method",
    ),
    "archive-bomb": (
        f"files that claim to unpack to over {MAX_RATIO} times their size, or share their bytes with others",
        "a zip whose files lie one after the other",
        "zip it again from scratch",
    ),
    "archive-damaged": (
        "files that cannot be unpacked (cut off, or their checksum is wrong)",
        "an undamaged zip",
        "zip it again, and compare its size after each transfer",
    ),
}


class RefusedArchive(InputError):
    """A zip that was not unpacked; ``findings`` holds every reason."""

    longest = 4000  # all reasons at once, each with the first files

    def __init__(self, path: Path, findings: list[Finding]) -> None:
        super().__init__("; ".join([f"{path}: {findings[0]}", *map(str, findings[1:])]))
        self.findings = findings


@contextlib.contextmanager
def opened(
    path: Path,
    limit_bytes: int,
    *,
    max_members: int = MAX_MEMBERS,
    passed_over: Callable[[str], None] = lambda name: None,
) -> Iterator[Path]:
    """The folder with the content of ``path``: itself, or a zip unpacked for the time being.

    A zip's content may lie in one folder at its top, which is then given.

    Args:
        path: a folder, or a zip.
        limit_bytes: the size up to which a zip may unpack.
        max_members: how many files and folders it may hold.
        passed_over: called with each name that is not unpacked because an operating system left it there.

    Raises:
        RefusedArchive: the zip is not safe or not whole, with all reasons.
        InputError: no such file or folder, or not enough room to unpack.
    """
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise InputError(f"{path}: no such folder or zip; check the path")
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as private:
        unpack(path, Path(private), limit_bytes, max_members=max_members, passed_over=passed_over)
        yield _top(Path(private))


def unpack(
    path: Path,
    into: Path,
    limit_bytes: int,
    *,
    max_members: int = MAX_MEMBERS,
    passed_over: Callable[[str], None] = lambda name: None,
) -> None:
    """Unpack a zip into an empty folder. Arguments and errors as for ``opened``."""
    with path.open("rb", buffering=0) as raw:
        directory = max(CHUNK, max_members * DIRECTORY_BYTES)
        with _readable(path, _Bounded(raw, directory)) as archive:
            members = archive.infolist()
            findings = _judge(archive, limit_bytes, max_members)
            if findings:
                raise RefusedArchive(path, findings)
            wanted = []
            for member in members:
                name = _normal(member)
                if LITTER.search(name):
                    passed_over(name)
                elif name and not _is_folder(member):
                    wanted.append((name, member))
            _check_room(into, sum(member.file_size for _, member in wanted))
            _extract(path, archive, into, wanted, limit_bytes)


class _Bounded(io.BufferedReader):
    """A file of which no single read is large: a zip's directory is read in one go, as long as it claims to be."""

    def __init__(self, raw: io.RawIOBase, limit: int) -> None:
        super().__init__(raw)
        self.limit = limit

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.limit:
            raise zipfile.BadZipFile("its directory is larger than any submission's")
        return super().read(size)


def _readable(path: Path, stream: _Bounded) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, OSError, EOFError) as error:
        # ValueError: names that are not UTF-8, or impossible offsets
        reason = " ".join(str(error).split()) or type(error).__name__
        finding = Finding(
            "fatal",
            "archive-unreadable",
            f"not a zip that can be read ({reason})",
            "a folder, or a zip",
            "zip the submission again, and not as tar, 7z or rar",
        )
        raise RefusedArchive(path, [finding]) from error


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return member.orig_filename.endswith("/")


def _normal(member: zipfile.ZipInfo) -> str:
    """A member's name without './' and the slash of a folder."""
    return "/".join(part for part in member.orig_filename.split("/") if part not in ("", "."))


# ---- judged by the headers


def _judge(archive: zipfile.ZipFile, limit_bytes: int, max_members: int) -> list[Finding]:
    """Everything that speaks against unpacking."""
    members = archive.infolist()
    if len(members) > max_members:
        found = f"{len(members)} files and folders"
        remedy = "zip the submission alone: one file a mixture and system.yaml"
        return [Finding("fatal", "archive-too-many", found, f"at most {max_members}", remedy)]
    faults: dict[str, list[str]] = {}
    shared = _overlapping(archive)
    twice = _duplicates(members)
    for number, member in enumerate(members):
        for code in _faults(member):
            faults.setdefault(code, []).append(member.orig_filename)
        if number in shared:
            faults.setdefault("archive-bomb", []).append(member.orig_filename)
        if number in twice:
            faults.setdefault("archive-duplicate", []).append(member.orig_filename)
    findings = [_finding(code, faults[code], len(members)) for code in TEXTS if code in faults]
    total = sum(member.file_size for member in members)
    if total > limit_bytes:
        findings.append(_too_big(total, limit_bytes))
    return findings


def _finding(code: str, names: list[str], of: int) -> Finding:
    found, expected, remedy = TEXTS[code]
    return Finding("fatal", code, found, expected, remedy, tuple(dict.fromkeys(names)), of)


def _too_big(total: int, limit_bytes: int) -> Finding:
    return Finding(
        "fatal",
        "archive-too-big",
        f"unpacks to {total / 1e6:.1f} MB or more",
        f"at most {limit_bytes / 1e6:.1f} MB, several times what this dataset's estimates take",
        "zip the submission alone, as 16 or 24 bit FLAC",
    )


def _faults(member: zipfile.ZipInfo) -> Iterator[str]:
    """The codes of what is wrong with one member by itself."""
    name = member.orig_filename
    slashed = name.replace("\\", "/")
    parts = slashed.removesuffix("/").split("/")
    if slashed.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name):
        yield "archive-outside"
    elif (
        "\\" in name
        or ":" in name
        or "" in parts
        or not name.isprintable()
        or len(name) > 1000
        or any(len(part.encode(errors="replace")) > 255 for part in parts)
    ):
        yield "archive-name"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > _is_folder(member):
        yield "archive-link"
    if member.flag_bits & (0x1 | 0x40 | 0x2000):
        yield "archive-encrypted"
    elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        yield "archive-method"
    elif member.file_size > _most(member):
        yield "archive-bomb"


def _most(member: zipfile.ZipInfo) -> int:
    """The bytes that a member can unpack to at most."""
    stored = member.compress_type == zipfile.ZIP_STORED
    return member.compress_size if stored else MAX_RATIO * member.compress_size


def _duplicates(members: list[zipfile.ZipInfo]) -> set[int]:
    """The members that would land on one another, on a file system that tells A from a or one that does not."""
    folded = [unicodedata.normalize("NFC", _normal(member)).casefold() for member in members]
    folders = set()
    for name, member in zip(folded, members, strict=True):
        parts = name.split("/")
        folders |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + _is_folder(member))}
    seen: dict[str, int] = {}
    twice = set()
    for number, (name, member) in enumerate(zip(folded, members, strict=True)):
        if _is_folder(member):
            continue
        if name in folders or name in seen:
            twice.add(number)
        seen[name] = number
    return twice


def _overlapping(archive: zipfile.ZipFile) -> set[int]:
    """The members whose bytes reach into the next one's (so does a bomb) or lie before the zip."""
    members = archive.infolist()
    order = sorted(range(len(members)), key=lambda number: members[number].header_offset)
    ends = [members[number].header_offset for number in order[1:]] + [archive.start_dir] * bool(order)
    return {
        number
        for number, end in zip(order, ends, strict=True)
        if not 0 <= members[number].header_offset <= end - 30 - members[number].compress_size
    }


# ---- and again while unpacking


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{folder.parent}: {free / 1e6:.0f} MB are free, unpacking needs {needed / 1e6:.0f} MB; "
            "make room, or set TMPDIR to a folder elsewhere"
        )


def _extract(
    path: Path,
    archive: zipfile.ZipFile,
    into: Path,
    members: list[tuple[str, zipfile.ZipInfo]],
    limit_bytes: int,
) -> None:
    left = limit_bytes
    damaged = []
    for name, member in members:
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as sink:
            try:
                for chunk in _chunks(archive, member):
                    left -= len(chunk)
                    if left < 0:
                        raise RefusedArchive(path, [_too_big(limit_bytes, limit_bytes)])
                    sink.write(chunk)
                    if sink.tell() > member.file_size:
                        raise zipfile.BadZipFile("longer than its header says")
                if sink.tell() != member.file_size:
                    raise zipfile.BadZipFile("shorter than its header says")
            except zipfile.BadZipFile:
                damaged.append(member.orig_filename)
    if damaged:
        raise RefusedArchive(path, [_finding("archive-damaged", damaged, len(members))])


def _chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of a member. Raises BadZipFile in whatever way it is damaged."""
    try:
        with archive.open(member) as source:
            while chunk := source.read(CHUNK):
                yield chunk
    except (zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OSError) as error:
        # OSError: the place that a header names is before the file's beginning
        raise zipfile.BadZipFile(str(error)) from error


def _top(folder: Path) -> Path:
    """The folder that holds the content: as long as a folder is alone and has folders in it, that one."""
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or not any(path.is_dir() for path in inside[0].iterdir()):
            return folder
        folder = inside[0]
