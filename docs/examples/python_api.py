# %% [markdown]
# # pse-bench from Python
#
# Run it after the tutorial, in the same folder: cell by cell in an editor that knows `# %%`, or as a whole.

# %%
from pathlib import Path

import numpy as np

from pse_bench import (
    METRICS,
    Clip,
    Dataset,
    Result,
    Serial,
    compare_results,
    enhance_dataset,
    evaluate,
    score_submission,
)

# %% [markdown]
# ## One metric on one clip
#
# Everything is turned down alike. A loss of 11.0 dB is the limit of over-suppression.

# %%
rate = 16_000
chance = np.random.default_rng(1)
speech = 0.1 * chance.standard_normal(2 * rate)
active = np.ones(len(speech), dtype=bool)


def judged(name: str, estimate: np.ndarray, reference: np.ndarray) -> float | None:
    """The value of a metric on a clip whose target talks throughout."""
    clip = Clip(
        estimate=estimate,
        mixture=reference,
        reference=reference,
        target_active=active,
        interferer_active=~active,
        sample_rate=rate,
    )
    return evaluate(METRICS[name], clip).value


for loss_db in (6, 10.9, 11.1):
    share = 10 ** (-loss_db / 20)
    print(f"{loss_db:5} dB lost: tsos {judged('tsos', share * speech, speech):5.1f} %")

# %% [markdown]
# ## A dataset

# %%
dataset = Dataset.open(Path("dataset"))
print(dataset.description.name, dataset.description.fingerprint[:12], len(dataset.mixtures), "mixtures")

row = next(row for row in dataset.mixtures if row.scenario == "TS2")
mixture = dataset.read_sound(row.mixture_path)
stems = {name: dataset.read_stem(row.scene_id, name).astype(int) for name in ("target", "interferer", "noise")}
assert np.array_equal(mixture, sum(stems.values())), "a mixture is exactly the sum of its stems"
print(row.mixture_id, f"SIR {row.sir_achieved_db} dB, SNR {row.snr_achieved_db} dB, RT60 {row.rt60_achieved_s} s")

# %% [markdown]
# ## A system, its scores, and a comparison
#
# `Serial()` works here and now; `Processes(4)` in four processes, which on Windows and macOS need the usual
# `if __name__ == "__main__"`.

# %%
enhance_dataset(dataset, "silence", Path("from-python/silence"), executor=Serial(), force=True)
score_submission(
    dataset,
    Path("from-python/silence"),
    Path("from-python/result"),
    executor=Serial(),
    names=["tsos", "leakage_reduction_db"],
    force=True,
)
result = Result.open(Path("from-python/result"))
for summary in result.summaries:
    print(summary.scenario, summary.metric, summary.value, f"[{summary.ci_low}, {summary.ci_high}] {summary.unit}")

# %%
found = compare_results(Result.open(Path("results/mixture")), result, names=["tsos"])
for line in found.lines:
    print(line.scenario, line.metric, line.verdict)
