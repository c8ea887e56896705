"""Files of who speaks, as a system estimates it: ``activity/<TSk>/<scene_id>.csv``, a row each 10 ms.

The columns are the probabilities of target speech (whoever else speaks), other speech, and no speech; a row is a
frame of the dataset's activity grid: frame t covers samples [t · hop, (t + 1) · hop), and a last one that is cut
off counts. Four significant digits are kept: of 0.99999 the others' 8.213e-06 tells how sure it was.
"""

from pathlib import Path

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io import atomic, documents

HEADER = "target,other,none"
SUM_TOLERANCE = 0.01  # largest distance of the sum of a row from 1: what rounding to two decimals does
MOST_BYTES = 100  # longest line that is read: three numbers with all their digits


def faults(values: np.ndarray, num_frames: int) -> list[tuple[str, str]]:
    """Faults of an array as probabilities of ``num_frames`` frames, each a code and what was found."""
    if values.ndim != 2 or values.shape[1] != 3:
        return [("columns", f"shape {values.shape}, expected ({num_frames}, 3)")]
    found = []
    if len(values) != num_frames:
        found.append(("length", f"{len(values)} frames, expected {num_frames}"))
    if not np.isfinite(values).all():
        return [*found, ("not-finite", "NaN or infinite probabilities")]
    if values.size and (values.min() < 0 or values.max() > 1):
        worst = values.min() if values.min() < 0 else values.max()
        return [*found, ("range", f"{worst:g}, which is no probability")]
    sums = values.sum(axis=1)
    if values.size and (off := np.abs(sums - 1).max()) > SUM_TOLERANCE:
        frame = int(np.abs(sums - 1).argmax())
        found.append(("sums", f"probabilities that add up to {sums[frame]:.3g} (frame {frame}, off by {off:.3g})"))
    return found


def parse(path: Path, num_frames: int) -> np.ndarray:
    """The unchecked numbers of a file, float64 of shape (frames, 3). Raises InputError when it is missing, no such
    CSV, or far longer than ``num_frames`` lines."""
    if path.is_file() and path.stat().st_size > MOST_BYTES * (2 * num_frames + 100):
        raise InputError(f"{path}: {path.stat().st_size} bytes are too many; write {num_frames} rows")
    head, _, body = documents.read_text(path).replace("\r\n", "\n").partition("\n")
    if head.strip().replace(" ", "") != HEADER:
        raise InputError(f"{path}: begins with {head[:40]!r}, expected the header {HEADER}; write it")
    if not body.strip():
        return np.zeros((0, 3))
    try:
        return np.loadtxt(body.splitlines(), delimiter=",", ndmin=2, comments=None)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not three numbers a row ({reason:.120}); repair it") from error


def read(path: Path, num_frames: int) -> np.ndarray:
    """Read probabilities, float64 of shape (num_frames, 3). Raises InputError as ``parse``, and where they are no
    probabilities of so many frames."""
    values = parse(path, num_frames)
    if problems := faults(values, num_frames):
        raise InputError(f"{path}: {problems[0][1]}; write a row each 10 ms, {HEADER}, which add up to 1")
    return values


def write(path: Path, values: np.ndarray) -> None:
    """Write probabilities of shape (num_frames, 3), to four significant digits."""
    lines = [HEADER, *("{:.4g},{:.4g},{:.4g}".format(*row) for row in values.tolist())]
    atomic.write_text(path, "\n".join(lines) + "\n")
