"""Noise laid out as ``<category>/<file>.<ending>``, deeper folders allowed (DEMAND, MUSAN, WHAM, your own).

The category is the first folder below the root, or the root's own name for files directly in it. A noise_id
is the category, then the rest of the path without its ending: ``rain/rain``, ``music/fma/a01``.
"""

from pathlib import Path
from typing import Any

from pse_bench.corpora import scan
from pse_bench.schemas import NoiseClip

LAYOUT = "<category>/<file>.wav"


def read(
    root: Path, *, name: str, executor: Any, progress: scan.Progress | None = None
) -> tuple[list[NoiseClip], list[str]]:
    """Clips of noise and problems (see ``clips``).

    Args:
        root: the folder of categories.
        name: the corpus name in the rows.
        executor: an executor of pse_bench.runtime.executor.
        progress: called with files done and files in all.

    Raises:
        InputError: no such folder, or no sound in it.
    """
    root = Path(root)
    paths, problems = scan.find(root)
    if not paths and not problems:
        raise scan.none_found(root, LAYOUT)
    own = root.resolve().name or "noise"
    entries: dict[str, dict[str, Any]] = {}
    for path in paths:
        inside = path if "/" in path else f"{own}/{path}"
        entries[path] = {"noise_id": scan.stem(inside), "category": inside.partition("/")[0]}
    rows, more = scan.rows_of(
        NoiseClip, name, root, entries, id_field="noise_id", executor=executor, progress=progress
    )
    return rows, sorted(problems + more)
