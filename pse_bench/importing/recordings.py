"""What imports of recorded mixtures share: files below a folder as clips, and a plan of them rendered at once."""

import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pse_bench.corpora import scan
from pse_bench.corpora.roots import Roots
from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.planning import plan
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update
from pse_bench.schemas import Imported, Recipe, RecordedMixture, Segment, Talker
from pse_bench.simulation import dataset_writer, render

CORPUS = "recordings"
"""What plans call the folder of the files."""
Clips = dict[str, scan.ScannedFile]
"""Files by their path below the folder."""


def checked_name(name: str | None, listed: Path) -> str:
    """The dataset's name, by default that of the file that lists it. Raises InputError."""
    name = name or re.sub(r"[^a-z0-9]+", "-", listed.stem.lower()).strip("-")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise InputError(f"--name {name}: expected small letters, digits and hyphens, such as calls-2024")
    return name


def clips_of(root: Path, paths: Iterable[str], *, executor: Executor, progress: Update) -> tuple[Clips, int]:
    """Files below a folder, looked at from end to end, and their one rate in Hz. Raises InputError for the first
    that cannot be used, and where rates differ."""
    found, problems = scan.describe(root, sorted(set(paths)), executor=executor, progress=progress)
    if problems:
        more = f" (and {len(problems) - 1} more files)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}")
    first = found[0]
    for clip in found:
        if clip.sample_rate != first.sample_rate:
            raise InputError(
                f"{root / clip.path}: {clip.sample_rate} Hz, but {first.path} has {first.sample_rate} Hz; "
                "resample one, since a dataset has one rate"
            )
    return {clip.path: clip for clip in found}, first.sample_rate


def stretch(clip: scan.ScannedFile, start: int, num_samples: int, onset: int = 0) -> Segment:
    """A stretch of a file in samples."""
    return Segment(
        clip_id=scan.stem(clip.path),
        path=clip.path,
        sha256=clip.sha256,
        start=start,
        num_samples=num_samples,
        onset=onset,
    )


def talker(speaker: str, segments: Sequence[Segment], text: str = "") -> Talker:
    """Somebody of whom no more is known."""
    known: dict[str, Any] = {"gender": "", "source": 0, "distance_m": None, "overlap": None}
    return Talker(corpus=CORPUS, speaker_id=speaker, segments=list(segments), text=text, **known)


def recipe(scene_id: str, label: Any, rate: int, mixture: Segment, **known: Any) -> Recipe:
    """A scene that was recorded as one scenario. ``known``: target, interferers, enrollment and ``stems``."""
    room = RecordedMixture(engine="recorded-mixture", room_id="", mixture=mixture, stems=known.pop("stems", []))
    return Recipe(
        scene_id=scene_id,
        sample_rate=rate,
        num_samples=mixture.num_samples,
        scenarios=[label],
        level_dbfs=None,
        sir_db=None,
        noise=None,
        snr_db=None,
        room=room,
        **known,
    )


def scene_name(*parts: str) -> str:
    """The name of a scene from what it is of."""
    return re.sub(r"[^A-Za-z0-9]+", "-", "-".join(parts)).strip("-") or "scene"


def render_plan(
    listed: Path, out: Path, recipes: Sequence[Recipe], *, root: Path, name: str, reference: Any, **rendering: Any
) -> dataset_writer.RenderReport:
    """Render scenes that a file ``listed`` into a dataset. ``rendering`` goes to ``render.render``. Raises
    InputError where two scenes have one name, or as there."""
    known: set[str] = set()
    for one in recipes:
        if one.scene_id in known:
            raise InputError(f"{listed}: two scenes are called {one.scene_id}; rename one")
        known.add(one.scene_id)
    about = Imported(
        name=name,
        version=1,
        description=f"Imported from {listed.name}: nothing simulated, recordings as they are.",
        sample_rate=recipes[0].sample_rate,
        reference=reference,
        metadata_sha256=atomic.sha256(listed),
    )
    roots = Roots({CORPUS: root.resolve()})
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
        path = Path(folder) / "plan.jsonl"
        plan.write(path, plan.imported_header(about, seed=0), recipes)
        return render.render(path, out, roots=roots, bank=Path(folder) / "rooms", **rendering)
