"""Any program as a system: it is given WAV files and writes one. A system of the name ``command:<command line>``.

A program runs without a shell, in the folder where the command was given, in a process group of its own that ends
when its time is up and when the process that asked for it ends in any way (see ``supervisor``).
"""

import csv
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.submission.check import file_stats, findings
from pse_bench.submission.submission import System
from pse_bench.systems import supervisor
from pse_bench.systems.base import LoadedSystem, SystemInput
from pse_bench.systems.sources import Sources

PREFIX = "command:"
CLIP = ("mixture", "enrollment", "output")
TIME_LIMIT_S = 300.0
TAIL = 1 << 16  # bytes of stderr in which its last line is looked for


def is_command(name: str) -> bool:
    """Whether the name of a system is that of a program, and not of a callable in a module ``command``."""
    return name.startswith(PREFIX) and "{" in name


def name_of(line: str) -> str:
    """The name of the system that a command line is. Raises InputError where no program can be run by it."""
    _words(line)
    return f"{PREFIX}{line}"


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InputError(f"--command {line!r}: {error}; quote it as for a shell") from error
    if not words or not words[0]:
        raise InputError(f"--command {line!r}: names no program; give its path and arguments")
    there = {place for place in (*CLIP, "list") if any(f"{{{place}}}" in word for word in words[1:])}
    if not ({"mixture", "output"} <= there <= {*CLIP} or there == {"list"}):
        expected = "after the program {mixture} and {output} (and {enrollment}), or {list} alone"
        raise InputError(f"--command {line!r}: expected {expected}")
    return words


def load(
    name: str, *, streaming: bool = False, folder: Path | None = None, time_limit_s: float | None = None
) -> LoadedSystem:
    """The system of a program.

    Args:
        name: ``command:`` and the command line.
        streaming: refused.
        folder: where it runs; the current one by default.
        time_limit_s: for a mixture; with ``{list}`` for all of them, times their number.

    Raises:
        InputError: the command line cannot be run, or there is no such program.
    """
    if streaming:
        raise InputError(f"system {name}: cannot be streamed; only what has reset(enrollment) and step(hop) can")
    line, here = name.removeprefix(PREFIX), folder or Path.cwd()
    words = _words(line)
    found = shutil.which(str(here / words[0]) if os.sep in words[0] else words[0])
    if found is None:
        raise InputError(f"--command: no program {words[0]!r} in {here} or on the PATH; give its path")
    files = [Path(found)]  # and those that are its arguments, as scripts and weights
    files += [path for word in words[1:] if os.path.isfile(path := here / word.rpartition("=")[2])]
    scripted = len(files) > 1 and files[1] == here / words[1]  # what comes first is an interpreter
    read = Sources.of({}, files)
    run_batch = partial(_run, words, here, TIME_LIMIT_S if time_limit_s is None else time_limit_s)

    def run(given: SystemInput) -> np.ndarray:
        (estimate,) = run_batch([given])
        if isinstance(estimate, str):
            raise InputError(estimate)
        return estimate

    return LoadedSystem(
        run,
        System(
            name=files[scripted].name,
            version=read.digest[:12],
            description=f"Run as: {line}",
            uses_enrollment=None if _by_list(words) or "{enrollment}" in line else False,
        ),
        read.digest,
        complete=False,
        sources=read,
        run_batch=run_batch if _by_list(words) else None,
    )


def _by_list(words: list[str]) -> bool:
    return any("{list}" in word for word in words)


def _run(
    words: list[str], here: Path, limit_s: float, inputs: Iterable[SystemInput]
) -> Iterator[np.ndarray | str]:
    """The estimate of each input in order, or why there is none, by one run of a program."""
    with _supervised(here) as (asking, answers, folder):
        rows, expected = [], []
        for number, given in enumerate(inputs):
            rows.append(_write(folder, number, given))
            expected.append({"sample_rate": given.sample_rate, "num_samples": len(given.mixture)})
        listed = folder / "list.csv"
        if _by_list(words):
            with listed.open("w", newline="") as stream:
                csv.writer(stream).writerows([CLIP, *rows])
            places = {"{list}": str(listed)}
        else:
            places = {f"{{{name}}}": str(path) for name, path in zip(CLIP, rows[0], strict=True)}
        trouble = _run_to_end(asking, answers, [_filled(word, places) for word in words], limit_s, len(rows))
        if trouble and (said := _last_line(folder / "stderr", places)):
            trouble += f": {said}"
        for (*_, output), wanted in zip(rows, expected, strict=True):
            yield _estimate(output, trouble, wanted, partial_counts=_by_list(words))


def _estimate(output: Path, trouble: str, wanted: dict[str, int], *, partial_counts: bool) -> np.ndarray | str:
    """What a program wrote, if it is as ``wanted``; where not, or where its run had ``trouble`` and what it wrote
    before does not count, why."""
    if trouble and not (partial_counts and output.is_file()):
        return trouble
    if not output.is_file():
        return "missing-file: no file, expected the estimate at {output}"
    _, samples, faults = file_stats.read(output, **wanted)
    if samples is not None and not faults:
        return samples[:, 0]
    found = "; ".join(findings.fault(code, text, rate=wanted["sample_rate"]) for code, text in faults)
    return f"{found} ({trouble})" if trouble else found


def _filled(word: str, places: dict[str, str]) -> str:
    for place, path in places.items():
        word = word.replace(place, path)
    return word


def _write(folder: Path, number: int, given: SystemInput) -> tuple[Path, Path, Path]:
    """Write what a program is given, 16-bit; the paths of mixture, enrollment (one of all that are the same) and
    output."""
    pcm = [audio.to_pcm16(np.clip(one, -1, 1 - 1 / audio.FULL_SCALE)) for one in (given.mixture, given.enrollment)]
    paths = (folder / f"mixture-{number}.wav", folder / f"enrollment-{audio.sha256_of_samples(pcm[1])[:16]}.wav")
    for path, samples in zip(paths, pcm, strict=True):
        if not path.exists():
            audio.write(path, samples, given.sample_rate)
    return *paths, folder / f"output-{number}.wav"


@contextmanager
def _supervised(here: Path) -> Iterator[tuple[IO[bytes], IO[bytes], Path]]:
    """The ways to and from a supervisor that works in a folder, and its temporary folder."""
    folder = Path(tempfile.gettempdir()).resolve() / f"pse-bench-{uuid.uuid4().hex}"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", supervisor.__file__, str(folder)],
        cwd=here,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # out of reach of Ctrl-C, to tidy up
    )
    asking, answers = process.stdin, process.stdout
    assert asking
    assert answers
    try:
        if not answers.readline():
            raise OSError(f"no temporary folder can be made in {folder.parent}")
        yield asking, answers, folder
    finally:
        asking.close()
        answers.close()
        process.wait()


def _run_to_end(asking: IO[bytes], answers: IO[bytes], words: list[str], limit_s: float, mixtures: int) -> str:
    """Run a program for a number of mixtures; what went wrong, '' where nothing did."""
    asking.write(json.dumps(words).encode() + b"\n")
    if not select.select([answers], [], [], limit_s * mixtures)[0]:
        asking.write(b"\n")
        answers.readline()
        return f"late: not done after {limit_s:g} s" + (
            f" for each of {mixtures} mixtures" if mixtures > 1 else ""
        )
    status = answers.readline().decode().strip()
    if status == "0":
        return ""
    if not status.lstrip("-").isdigit():
        return f"cannot be started ({status or 'its supervisor was killed'})"
    with suppress(ValueError):
        return f"ended by {signal.Signals(-int(status)).name}"
    return f"exit status {status}"


def _last_line(path: Path, places: dict[str, str]) -> str:
    """The last line that a program said on stderr, with the places of its command line for their paths."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL))
        lines = stream.read().decode(errors="replace").splitlines()
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    for place, name in places.items():
        said = said.replace(name, place)
    return said.replace(f"{path.parent}/", "")
