"""Measured room impulse responses: one mono file a response.

A rir_id is the path below the root without its ending. Responses of one room share a room_id: the room's
name from a table where one is given, else the folder the file lies in, else (directly in the root) its stem.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.corpora import csv_columns, scan
from pse_bench.schemas import MeasuredResponse
from pse_bench.signal import rt60

LAYOUT = "<file>.wav or <room>/<file>.wav"


def read(
    root: Path,
    *,
    name: str,
    table: Path | None = None,
    executor: Any,
    progress: scan.Progress | None = None,
    notice: scan.Notice | None = None,
) -> tuple[list[MeasuredResponse], list[str]]:
    """Measured responses with their RT60, and problems (see ``clips``).

    ``rt60_s`` is fitted from -5 to -35 dB (T30), or to -25 dB (T20) where the response ends or sinks into
    noise too soon, and rounded to a millisecond. One that does not even allow T20 is a problem.

    Args:
        root: the folder of responses.
        name: the corpus name in the rows.
        table: a CSV with the columns ``path`` (below the root, or beginning with the root's own name) and
            ``room``. A file without a line in it is a problem; lines without a file are counted in a notice.
        executor: an executor of pse_bench.runtime.executor.
        progress: called with files done and files in all.
        notice: called with lines worth saying.

    Raises:
        InputError: no such folder, no sound in it, or the table cannot be read.
    """
    root = Path(root)
    rooms = csv_columns.read(table, key=("path",), value=("room",)) if table else None
    paths, problems = scan.find(root)
    if not paths and not problems:
        raise scan.none_found(root, LAYOUT)
    own = root.resolve().name
    entries: dict[str, dict[str, Any]] = {}
    used: set[str] = set()
    for path in paths:
        room = path.rpartition("/")[0] or scan.stem(path)
        if rooms is not None:
            key = path if path in rooms else f"{own}/{path}"
            room = rooms.get(key, "").strip()
            used.add(key)
        if not room:
            problems.append(f"{root / path}: no room for it in {table}; add a line with path and room")
            continue
        entries[path] = {"rir_id": scan.stem(path), "room_id": room}
    idle = sorted(set(rooms or ()) - used)
    if idle and notice:
        notice(f"{table}: {len(idle)} of {len(rooms or ())} lines have no file in {root}, as {idle[0]}")
    rows, more = scan.rows_of(
        MeasuredResponse,
        name,
        root,
        entries,
        id_field="rir_id",
        executor=executor,
        progress=progress,
        measure=reverberation,
    )
    return rows, sorted(problems + more)


def reverberation(samples: np.ndarray, sample_rate: int) -> dict[str, float]:
    """The field ``rt60_s``, in seconds. Raises UndefinedScore when the response does not decay far enough."""
    return {"rt60_s": rt60.measured_rt60_s(samples, sample_rate)}
