"""Measured room impulse responses: one mono file each.

A rir_id is the path below the root without its ending. Responses of one room share a room_id: the room's
name from a table where one is given, else the folder the file lies in, else (directly in the root) its stem.
"""

from pathlib import Path

import numpy as np

from pse_bench.corpora import csv_columns, scan
from pse_bench.corpora.reader import Layout, Option, Reader
from pse_bench.errors import InputError
from pse_bench.schemas import MeasuredResponse
from pse_bench.signal import rt60


def layout(root: Path, table: Path | None = None) -> Layout:
    """The layout of a folder of responses.

    ``table`` is a CSV with the columns ``path`` (below the root, or beginning with the root's own name) and
    ``room``. A file without a line in it is a problem; lines without a file are counted in a notice. Raises
    InputError where it cannot be read.
    """
    rooms = csv_columns.read(table, key=("path",), value=("room",)) if table else None
    own = root.resolve().name

    def fields(path: str) -> dict[str, str]:
        room = path.rpartition("/")[0] or scan.stem(path)
        if rooms is not None:
            room = rooms.take(path if path in rooms else f"{own}/{path}").strip()
        if not room:
            raise InputError(f"{root / path}: no room for it in {table}; add a line with path and room")
        return {"rir_id": scan.stem(path), "room_id": room}

    return Layout("<file>.wav or <room>/<file>.wav", fields, unused=lambda: rooms.unused(root) if rooms else "")


def reverberation(samples: np.ndarray, sample_rate: int) -> dict[str, float]:
    """The field ``rt60_s``, in seconds (see ``rt60.measured_rt60_s``)."""
    return {"rt60_s": rt60.measured_rt60_s(samples, sample_rate)}


READER = Reader(
    layout,
    MeasuredResponse,
    "rir_id",
    help="Measured room impulse responses: one mono file each, or <room>/<file>.wav.",
    options=[Option("--table", "table", "CSV with columns path and room.", is_file=True)],
    measure=reverberation,
)
