"""The masked-word probe (``asr.probe``) over the references of a dataset."""

from collections.abc import Sequence

import numpy as np

from pse_bench.asr import alignment
from pse_bench.asr.probe import Counts, Probe, probe
from pse_bench.asr.recogniser import Recogniser
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.runtime.progress import Update, no_progress
from pse_bench.schemas import Mixture
from pse_bench.scoring import statistics


def probe_dataset(
    recogniser: Recogniser,
    dataset: Dataset,
    *,
    scenes: int | None = None,
    command: str = "",
    progress: Update = no_progress,
) -> tuple[Probe, int, int]:
    """The figures of a recogniser on the references of TS1, and how many of how many could be aligned.

    Args:
        scenes: only the first of them.
        command: what gives the same again, for the row.

    Raises:
        InputError: pocketsphinx is not installed, or no reference has words that can be aligned.
    """
    if not recogniser.by_sound:
        raise InputError(f"recogniser {recogniser.name}: a table of texts hears nothing, so it cannot be probed")
    first = {row.mixture_id for row in dataset.first_scenes(scenes)}
    items = [item for item in dataset.filter("TS1") if item.row.text and item.row.mixture_id in first]
    items = items if dataset.description.reference != "none" else []
    rows = [item.row for item in items]
    decoder, found = alignment.aligner(), list[Counts]()
    for done, item in enumerate(items, start=1):
        samples = np.asarray(item.reference, dtype=np.float64)
        found.append(probe(recogniser, decoder, samples, item.sample_rate, item.row.text, item.row.scene_id))
        progress(done, len(items))
    total = sum(found, start=Counts())
    if not total.silenced:
        raise InputError(
            f"{dataset.folder}: no reference has words that can be found in it; the probe needs texts"
        )
    low, high = _interval(found, rows) or (None, None)
    about = dataset.description
    figures = Probe(
        recogniser=recogniser.name,
        model=recogniser.model,
        dataset=f"{about.name}-v{about.version}",
        fingerprint=about.fingerprint,
        silenced=total.silenced,
        heard=round(100 * total.heard / total.silenced, 2),
        restored=round(100 * total.restored / total.silenced, 2),
        restored_low=low,
        restored_high=high,
        command=command,
    )
    return figures, sum(counts.silenced > 0 for counts in found), len(rows)


def _interval(found: Sequence[Counts], rows: Sequence[Mixture]) -> tuple[float, float] | None:
    pairs = np.array([(counts.restored, counts.silenced) for counts in found], dtype=float)
    interval = statistics.quotient_interval(
        pairs,
        statistics.clusters_of([row.target_speaker for row in rows]),
        link=lambda sums: 100 * sums[..., 0] / sums[..., 1],
        low=0.0,
        high=100.0,
    )
    return interval and (round(interval[0], 2), round(interval[1], 2))
