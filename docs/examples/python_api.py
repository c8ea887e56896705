# %% [markdown]
# # pse-bench from Python
#
# Run it after the tutorial, in the same folder: cell by cell in an editor that knows `# %%`, or as a whole.
# Sound is float32 of full scale ±1 everywhere; paths are strings or `Path`.

# %%
from pathlib import Path

import numpy as np

from pse_bench import (
    METRICS,
    Clip,
    Dataset,
    InputError,
    Planner,
    PseBenchError,
    Recipe,
    Result,
    Roots,
    Scenario,
    Serial,
    __version__,
    check_submission,
    compare_results,
    enhance_dataset,
    evaluate,
    load_scenario,
    metrics,
    plan_dataset,
    plan_header,
    plot_distributions,
    plot_sessions,
    plot_tradeoff,
    read_plan,
    read_table,
    render_plan,
    score_submission,
    verify_dataset,
    write_plan,
)
from pse_bench.schemas import NoiseClip, Utterance

print("pse-bench", __version__)

# %% [markdown]
# ## One metric on one clip
#
# Everything is turned down alike. A loss of 11.0 dB is the limit of over-suppression. Activity is found in the
# reference where it is not given; `help(metrics.tsos)` says what a metric takes.

# %%
rate = 16_000
chance = np.random.default_rng(1)
speech = np.zeros(3 * rate)
speech[rate // 2 : -rate // 2] = 0.1 * chance.standard_normal(2 * rate)

for loss_db in (6, 10.9, 11.1):
    share = 10 ** (-loss_db / 20)
    lost = metrics.tsos(estimate=share * speech, reference=speech, sample_rate=rate)
    print(f"{loss_db:5} dB lost: tsos {lost:5.1f} %")

# %% [markdown]
# `evaluate` also says why a clip has no value; it takes activity as masks of samples.

# %%
talks = speech != 0
silent = Clip(
    estimate=np.zeros(len(speech)),
    mixture=speech,
    reference=speech,
    target_active=talks,
    interferer_active=~talks,
    sample_rate=rate,
)
print("silence:", evaluate(METRICS["stoi"], silent))
try:
    metrics.tsos(estimate=32768 * speech, reference=speech, sample_rate=rate)
except InputError as error:
    print("refused:", error)

# %% [markdown]
# ## A plan, and the dataset that it becomes

# %%
scenario, content = load_scenario("first-steps.yaml")
assert isinstance(scenario, Scenario)
roots = Roots({"embedded": Path("corpus")})
manifests = {
    "speech": "corpus/manifests/embedded.test.csv",
    "noise": "corpus/manifests/embedded.noise-test.csv",
}
plan_dataset(scenario=content, out="from-python/plan.jsonl", **manifests, scenes=2, seed=2, force=True)
render_plan(
    "from-python/plan.jsonl", "from-python/dataset", roots=roots, executor=Serial(), bank="rooms", force=True
)
print(verify_dataset("from-python/dataset", roots=roots, executor=Serial()))

# %% [markdown]
# The same in steps: recipes can be looked at, or changed, before they are written.

# %%
rows = [read_table(manifests["speech"], Utterance), read_table(manifests["noise"], NoiseClip)]
planner = Planner(scenario, speech=rows[0], noise=rows[1], seed=2)
recipes = [planner.recipe(index) for index in range(2)]
head = plan_header(content, manifests={"speech": [rows[0]], "noise": [rows[1]]}, seed=2)
write_plan("from-python/steps.jsonl", head, recipes)
_, _, again = read_plan("from-python/steps.jsonl")
first: Recipe = next(again)
print("a scene of", first.target.speaker_id, "with", [talker.speaker_id for talker in first.interferers])

# %% [markdown]
# ## A dataset

# %%
dataset = Dataset.open("dataset")
print(dataset.description.name, dataset.description.fingerprint[:12], len(dataset), "mixtures")

item = dataset.filter("TS2")[0]
total = item.target + item.interferer + item.noise
assert np.array_equal(item.mixture, total), "a mixture is exactly the sum of its stems"
row = item.row
print(row.mixture_id, f"SIR {row.sir_achieved_db} dB, SNR {row.snr_achieved_db} dB, RT60 {row.rt60_achieved_s} s")
gain = metrics.si_sdri(
    estimate=item.target, mixture=item.mixture, reference=item.reference, sample_rate=item.sample_rate
)
print(f"without interferer and noise: SI-SDR {gain:.1f} dB better")

# %% [markdown]
# ## A system, its scores, and a comparison
#
# `Serial()` works here and now; `Processes(4)` in four processes, for which a script needs the usual
# `if __name__ == "__main__"`, as `train_reference.py` has it.

# %%
enhance_dataset(dataset, "silence", "from-python/silence", executor=Serial(), force=True)
for finding in check_submission(dataset, "from-python/silence", executor=Serial()).findings:
    print(finding.severity, finding.code)
names = ["tsos", "leakage_reduction_db"]
score_submission(dataset, "from-python/silence", "from-python/result", executor=Serial(), names=names, force=True)
result = Result.open("from-python/result")
print(result.summary[["scenario", "metric", "value", "ci_low", "ci_high", "unit"]].to_string())
print(result.scores.groupby(["scenario", "metric"])["value"].median())

# %%
print(result.compare("results/mixture", metrics=["tsos"])[["scenario", "metric", "difference", "verdict"]])
found = compare_results(Result.open("results/mixture"), result, names=["tsos"])
for line in found.lines:
    print(line.scenario, line.metric, line.verdict)

# %% [markdown]
# Plots of the report, as the value of a cell or as SVG files.

# %%
plot_distributions(["results/mixture", "results/half"], "TS2.si_sdri").save("from-python/si_sdri.svg")
plot_tradeoff(["results/mixture", result]).save("from-python/tradeoff.svg")
try:
    plot_sessions(["results/mixture", result]).save("from-python/sessions.svg")
except InputError as error:
    print(error)  # these scenes are no sessions

# %% [markdown]
# What a person has to mend is a `PseBenchError`, with one line that says what to do.

# %%
try:
    Result.open("results/nothing")
except PseBenchError as error:
    print(error)
