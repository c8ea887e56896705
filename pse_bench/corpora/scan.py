"""Finding the sound files of a corpus, and checking every one of them."""

import heapq
import math
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import soundfile

from pse_bench.errors import InputError, UndefinedScore
from pse_bench.io import atomic, audio, pyav
from pse_bench.runtime.progress import Update, no_progress

ENDINGS = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64"}
    | pyav.ENDINGS
)
BATCH = 50
"""Files a task: enough to hide the cost of handing a task over, few enough to spread and to show progress."""

RATES_HZ = (4_000, 768_000)
"""Sampling rates that there are: another one is a header that lies, and resampling it would not end."""
PEAKS = (1e-7, 1e10)
"""From the last of 24 bits to whole numbers of 32 bits kept as float. Powers outside cannot be reckoned with."""
MEASURED_S = 60
"""Longest clip from whose samples something is measured, in seconds: no room decays for a minute."""

Measure = Callable[[np.ndarray, int], Mapping[str, Any]]
"""Further fields of a row from samples, shape (num_samples,), and their rate in Hz. Picklable."""

# libsndfile quietly shortens a file whose header promises more sound than there is, but keeps a note of it.
_PROMISED = re.compile(r"(?m)^\s*(?:data|SSND|Data Size|riff)\s*: (\d+) \(should be (\d+)\)")
_CUT_SHORT = ("Junk after the last page", "lacks an end-of-stream bit", "not match value from 'ds64' chunk")
# Sizes that programs write when they do not know the length yet (pipes); such a file is whole.
_UNKNOWN_SIZE = 0x7FFF_0000


@dataclass(frozen=True)
class ScannedFile:
    """One good sound file: its path below the root, what every row says of it, and what was ``measured``."""

    path: str
    num_samples: int
    sample_rate: int
    sha256: str
    measured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the file's row that come from its sound."""
        return {**{name: value for name, value in vars(self).items() if name != "measured"}, **self.measured}


def stem(path: str) -> str:
    """A path without its ending: ``p225/p225_001.wav`` gives ``p225/p225_001``."""
    return path[: len(path) - len(PurePosixPath(path).suffix)]


def find(
    root: Path, folders: Sequence[str] = ("",), *, endings: Iterable[str] = ENDINGS
) -> tuple[list[str], list[str]]:
    """Sound files below some folders of a root: their paths relative to it, sorted, and problems.

    Names that begin with a dot are passed over. Links are followed, but every folder is listed once and
    under its own name where it has one, so a loop ends and nothing is found twice. Kinds of files that need PyAV
    are one problem where it is not installed.
    """
    endings = frozenset(endings)
    found: list[str] = []
    problems: list[str] = []
    pending, links, seen = list(folders), list[str](), set[tuple[int, int]]()
    while pending or links:
        folder = pending.pop() if pending else heapq.heappop(links)
        try:
            status = os.stat(root / folder)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    is_folder = _is_folder(entry)
                    is_sound = not is_folder and _ending(entry.name) in endings
                    if entry.name.startswith(".") or not (is_folder or is_sound):
                        continue
                    if fault := _fault_in_name(entry.name):
                        problems.append(f"{ascii(str(root / path))[1:-1]}: {fault}; rename it")
                    elif is_sound:
                        found.append(path)
                    elif entry.is_symlink():
                        heapq.heappush(links, path)
                    else:
                        pending.append(path)
        except OSError as error:
            problems.append(f"{root / folder}: cannot be listed ({error.strerror}); check the folder's rights")
    needing = Counter(filter(pyav.ENDINGS.__contains__, map(_ending, found)))
    if needing and not pyav.is_installed():
        found = [path for path in found if _ending(path) not in needing]
        kinds = " and ".join(f"{count} {ending}" for ending, count in sorted(needing.items()))
        problems.append(f"{root}: {kinds} files are left out, as PyAV is not installed; {pyav.REMEDY}")
    return sorted(found), sorted(problems)


def _ending(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; opening it says so
        return False


def _fault_in_name(name: str) -> str:
    kinds = set(map(unicodedata.category, name))
    if "Cs" in kinds:  # what Python makes of bytes that are no text
        return "the name is not UTF-8"
    # control characters, and what else breaks lines
    return "the name holds a control character" if kinds & {"Cc", "Zl", "Zp"} else ""


def describe(
    root: Path,
    paths: Sequence[str],
    *,
    executor: Any,
    progress: Update = no_progress,
    measure: Measure | None = None,
) -> tuple[list[ScannedFile], list[str]]:
    """Decode files from end to end and hash their bytes: clips of the good ones by path, and problems.

    A file is good when it is mono, as long as its header says, of a rate within ``RATES_HZ``, and holds finite
    numbers that are not all the same and whose peak is within ``PEAKS``. A truncated MPEG, NIST or headerless file
    may pass: those do not say how long they are. So does a FLAC that is cut short in its header too.

    Where something is measured, a clip is at most ``MEASURED_S`` long.
    """
    found: list[ScannedFile | str] = []
    batches = [list(paths[first : first + BATCH]) for first in range(0, len(paths), BATCH)]
    while batches:
        alone: list[list[str]] = []
        for outcome in executor.run(partial(_inspect, root, measure), batches):
            batch = batches[outcome.index]
            if outcome.lost and len(batch) > 1:
                alone += [[path] for path in batch]  # one file of these brought the process down; find it
                continue
            lost = f"{root / batch[0]}: cannot be read: {outcome.lost}; restore or remove it"
            found += [lost] if outcome.lost else outcome.value
            progress(len(found), len(paths))
        batches = alone
    clips = sorted((clip for clip in found if isinstance(clip, ScannedFile)), key=lambda clip: clip.path)
    return clips, sorted(problem for problem in found if isinstance(problem, str))


def _inspect(root: Path, measure: Measure | None, paths: list[str]) -> list[ScannedFile | str]:
    """A clip or a problem for each file. Runs in the executor's processes."""
    found: list[ScannedFile | str] = []
    for path in paths:
        try:
            found.append(_clip(root, path, measure))
        except InputError as error:
            found.append(str(error))
        except UndefinedScore as error:
            found.append(f"{root / path}: {error}")
        except OSError as error:
            found.append(f"{root / path}: cannot be read ({error.strerror}); check its rights")
    return found


def _clip(root: Path, name: str, measure: Measure | None) -> ScannedFile:
    """Look at one file, whatever its length with little memory."""
    path, (least, most) = root / name, RATES_HZ
    header = audio.info(path)
    length, rate = header.num_samples, header.sample_rate
    if not least <= rate <= most:
        raise InputError(
            f"{path}: sampled at {rate} Hz, expected {least} to {most} Hz; correct its header or remove it"
        )
    if measure and length > MEASURED_S * rate:
        raise InputError(f"{path}: {length / rate:.0f} s long, expected at most {MEASURED_S} s; cut or remove it")
    low, high = math.inf, -math.inf
    for block in audio.blocks(path):
        low, high = min(low, float(block.min())), max(high, float(block.max()))
    if _ending(name) not in pyav.ENDINGS:
        _check_whole(path)
    if low == high:
        held = (
            "holds only zeros, so it has no level"
            if low == 0
            else f"all its samples are {low:g}, so it holds no sound"
        )
        raise InputError(f"{path}: {held}; remove it")
    if not PEAKS[0] <= (peak := max(-low, high)) <= PEAKS[1]:
        raise InputError(
            f"{path}: its peak is {peak:.3g} where full scale is 1, expected {PEAKS[0]:g} to {PEAKS[1]:g}; "
            "scale or remove it"
        )
    return ScannedFile(name, length, rate, atomic.sha256(path), measure(*audio.read(path)) if measure else {})


def _check_whole(path: Path) -> None:
    """Raise InputError for a file that ends before its header says, which reading alone does not show."""
    try:
        log = soundfile.info(str(path)).extra_info
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise InputError(f"{path}: was changed while it was read; run the same command again") from error
    for promised, present in _PROMISED.findall(log):
        if int(present) < int(promised) < _UNKNOWN_SIZE:
            raise InputError(
                f"{path}: its header promises {promised} bytes of sound, {present} are there; "
                "the file is truncated, restore or remove it"
            )
    if any(mark in log for mark in _CUT_SHORT):
        raise InputError(f"{path}: ends before its header says; the file is truncated, restore or remove it")
