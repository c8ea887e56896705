"""Noise laid out as ``<category>/<file>.<ending>``, deeper folders allowed (DEMAND, MUSAN, WHAM, your own).

The category is the first folder below the root, or the root's own name for files directly in it. A noise_id
is the category, then the rest of the path without its ending: ``rain/rain``, ``music/fma/a01``.
"""

from pathlib import Path

from pse_bench.corpora import scan
from pse_bench.corpora.reader import Layout, Reader
from pse_bench.schemas import NoiseClip


def layout(root: Path) -> Layout:
    """The layout of a folder of categories."""
    own = root.resolve().name or "noise"

    def fields(path: str) -> dict[str, str]:
        inside = path if "/" in path else f"{own}/{path}"
        return {"noise_id": scan.stem(inside), "category": inside.partition("/")[0]}

    return Layout("<category>/<file>.wav", fields)


READER = Reader(layout, NoiseClip, "noise_id", help="A folder of noise: <category>/<file>.wav.")
