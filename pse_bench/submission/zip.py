"""Zips from strangers, unpacked safely: nothing lands outside a private folder, nothing grows without limit.

All headers are held against ``RULES`` before anything is written, and all faults are named at once. Headers can
lie and members can share their bytes, so the limit on size is enforced again while the bytes come out. Links are
never made: only plain files are written.
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
from pathlib import Path, PurePosixPath

from pse_bench.errors import InputError
from pse_bench.submission.check.findings import Finding, finding

MAX_MEMBERS = 100_000
DIRECTORY_BYTES = 512  # of a member's entry in the zip's directory, at most on average: it is read at once
CHUNK = 1 << 20
LITTER = re.compile(r"(^|/)(__MACOSX(/|$)|\.DS_Store$|\._[^/]*$|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)
"""Names of files that operating systems leave in folders; passed over."""

OUTSIDE = re.compile(r"[/\\]|[A-Za-z]:|(.*[/\\])?\.\.([/\\]|$)", re.DOTALL)
"""The beginning of a name that leads out of a folder."""


def _odd_name(member: zipfile.ZipInfo) -> bool:
    name = member.orig_filename
    parts = name.removesuffix("/").split("/")
    return (
        len(name) > 1000
        or not name.isprintable()
        or any(c in name for c in "\\:")
        or any(not 0 < len(part.encode(errors="replace")) <= 255 for part in parts)
    )


def _no_plain_file(member: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(member.external_attr >> 16)
    return kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > _is_folder(member)


RULES: dict[str, tuple[Callable[[zipfile.ZipInfo], object], str]] = {
    "archive-outside": (
        lambda member: OUTSIDE.match(member.orig_filename),
        "names that are absolute, have a drive letter, or climb out with '..'",
    ),
    "archive-name": (_odd_name, "names with backslashes, colons, control characters, empty or overlong parts"),
    "archive-link": (_no_plain_file, "links, devices or other things that are not plain files"),
    "archive-encrypted": (lambda member: member.flag_bits & (0x1 | 0x40 | 0x2000), "encrypted files"),
    "archive-method": (
        lambda member: member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
        "files packed by another method than deflate",
    ),
}
"""Test and description by code of what is refused; a member is named under the first rule that it breaks."""


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
        InputError: no such file or folder, or not enough space to unpack.
    """
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise InputError(f"{path}: no such folder or zip; check the path")
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as private:
        top = Path(private)
        for name in unpack(path, top, limit_bytes, max_members):
            passed_over(name)
        # as long as a folder is alone and has folders in it, it is one around the content
        while len(inside := list(top.iterdir())) == 1 and any(item.is_dir() for item in inside[0].glob("*")):
            top = inside[0]
        yield top


def unpack(path: Path, into: Path, limit_bytes: int, max_members: int = MAX_MEMBERS) -> list[str]:
    """Unpack a zip into an empty folder; the names that are passed over. Arguments and errors as ``opened``."""
    with path.open("rb", buffering=0) as raw:
        try:
            archive = zipfile.ZipFile(_Bounded(raw, max(CHUNK, max_members * DIRECTORY_BYTES)))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, OSError, EOFError) as error:
            # ValueError: names that are not UTF-8, or impossible offsets
            reason = " ".join(str(error).split()) or type(error).__name__
            found = f"not a zip that can be read ({reason})"
            raise RefusedArchive(path, [finding("archive-unreadable", [], found)]) from error
        with archive:
            members = archive.infolist()
            if findings := _judge(members, limit_bytes, max_members):
                raise RefusedArchive(path, findings)
            named = [(_normal(member), member) for member in members]
            wanted = [
                (into / name, member)
                for name, member in named
                if name and not _is_folder(member) and not LITTER.search(name)
            ]
            needed, free = sum(member.file_size for _, member in wanted), shutil.disk_usage(into).free
            if needed > free:
                raise InputError(
                    f"{into.parent}: {free / 1e6:.0f} MB are free, unpacking needs {needed / 1e6:.0f} MB; "
                    "make room, or set TMPDIR to a folder elsewhere"
                )
            if findings := _extract(archive, wanted, limit_bytes):
                raise RefusedArchive(path, findings)
            return [name for name, _ in named if LITTER.search(name)]


class _Bounded(io.BufferedReader):
    """A file of which no single read is large: a zip's directory is read in one go, as long as it claims to be."""

    def __init__(self, raw: io.RawIOBase, limit: int) -> None:
        super().__init__(raw)
        self.limit = limit

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.limit:
            raise zipfile.BadZipFile("its directory is larger than any submission's")
        return super().read(size)


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return member.orig_filename.endswith("/")


def _normal(member: zipfile.ZipInfo) -> str:
    """A member's name without './' and the slash of a folder."""
    return "/".join(part for part in member.orig_filename.split("/") if part not in ("", "."))


def _judge(members: list[zipfile.ZipInfo], limit_bytes: int, max_members: int) -> list[Finding]:
    """Everything that the headers say against unpacking."""
    of = len(members)
    if of > max_members:
        return [finding("archive-too-many", [], f"{of} files and folders", most=max_members)]
    refused: dict[str, dict[str, None]] = {code: {} for code in RULES}
    for member in members:
        if code := next((code for code, (breaks, _) in RULES.items() if breaks(member)), ""):
            refused[code][member.orig_filename] = None
    findings = [finding(code, names, RULES[code][1], of) for code, names in refused.items() if names]
    if twice := _duplicates(members):
        found = "names that occur twice, or differ only in case, or are a file and a folder at once"
        findings.append(finding("archive-duplicate", twice, found, of))
    total = sum(member.file_size for member in members)
    return findings + ([_too_big(total, limit_bytes)] if total > limit_bytes else [])


def _too_big(total: int, limit_bytes: int) -> Finding:
    return finding("archive-too-big", [], f"unpacks to {total / 1e6:.1f} MB or more", most=limit_bytes / 1e6)


def _duplicates(members: list[zipfile.ZipInfo]) -> dict[str, None]:
    """The files that would land on another, on a file system that tells A from a or one that does not."""
    folded = [PurePosixPath(unicodedata.normalize("NFC", _normal(member)).casefold()) for member in members]
    there = {folder for path in folded for folder in path.parents}
    there |= {path for path, member in zip(folded, members, strict=True) if _is_folder(member)}
    twice: dict[str, None] = {}
    for path, member in zip(folded, members, strict=True):
        if not _is_folder(member):
            if path in there:
                twice[member.orig_filename] = None
            there.add(path)
    return twice


def _extract(
    archive: zipfile.ZipFile, wanted: list[tuple[Path, zipfile.ZipInfo]], limit_bytes: int
) -> list[Finding]:
    """Write the members to their paths; what speaks against it after all."""
    left, damaged = limit_bytes, []
    for target, member in wanted:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("xb") as sink:
                for chunk in _chunks(archive, member):
                    left -= len(chunk)
                    if left < 0:
                        return [_too_big(limit_bytes, limit_bytes)]
                    sink.write(chunk)
                if sink.tell() != member.file_size:
                    raise zipfile.BadZipFile("not as long as its header says")
        except zipfile.BadZipFile:
            damaged.append(member.orig_filename)
    found = "files that cannot be unpacked (cut off, or their checksum is wrong)"
    return [finding("archive-damaged", damaged, found, len(wanted))] if damaged else []


def _chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of a member. Raises BadZipFile in whatever way it is damaged."""
    try:
        with archive.open(member) as source:
            while chunk := source.read(CHUNK):
                yield chunk
    except (zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OSError) as error:
        # OSError: the place that a header names is before the file's beginning
        raise zipfile.BadZipFile(str(error)) from error
