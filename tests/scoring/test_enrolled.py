"""Other enrollments of the same person: which they are, and the mean and the worst over them."""

import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import tiny
from scipy import stats
from work import call

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import RequestError
from pse_bench.io import audio
from pse_bench.planning import plan
from pse_bench.runtime.executor import Serial
from pse_bench.simulation import render
from pse_bench.submission import submission
from pse_bench.systems import enrollments
from pse_bench.systems.enhance import enhance

# Says which enrollment it was given in its first samples, and turns down by it.
FICKLE = """\
import numpy as np

info = {"uses_enrollment": False}  # so that it is called once a mixture


def enhance(mixture, enrollment, sample_rate):
    gain = 0.02 + 0.9 * (np.abs(enrollment[:4000]).mean() * 1e4 % 1)
    return np.concatenate([enrollment[:2000], gain * mixture[2000:]])
"""
CHANGES = {
    "scenarios": ["TS1", "TS3"],
    "target": {"distance_m": 0.7, "level_dbfs": -26, "deal": "speakers"},
    "room": {"rooms": 1, "places": 1},
}
WHICH = ("right", "other-1", "other-2")


@pytest.fixture(scope="module")
def dataset(corpus, tmp_path_factory) -> Dataset:
    """Four people, each the target of four scenes."""
    out = tmp_path_factory.mktemp("enrolled")
    path = corpus.plan(out / "plan.jsonl", 16, **CHANGES)
    render.render(path, out / "dataset", executor=Serial(), roots=corpus.roots, bank=out / "rooms")
    return Dataset.open(out / "dataset")


@pytest.fixture(scope="module")
def submissions(dataset, tmp_path_factory) -> dict[str, Path]:
    """What the system makes with each enrollment."""
    out = tmp_path_factory.mktemp("submissions")
    (out / "fickle.py").write_text(FICKLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(out)
        for which in WHICH:
            enhance(dataset, "fickle:enhance", out / which, executor=Serial(), enrollment=which)
    return {which: out / which for which in WHICH}


def test_an_other_enrollment_is_of_the_same_person_and_not_heard(dataset, submissions, tmp_path) -> None:
    recipes = {recipe.scene_id: recipe for recipe in plan.read(dataset.folder / "plan.jsonl")[2]}
    begins = {
        audio.read_pcm16(dataset.folder / row.enrollment_path)[:2000].tobytes(): row.scene_id
        for row in dataset.mixtures
    }
    given: dict[str, dict[str, str]] = defaultdict(dict)
    for which, folder in submissions.items():
        for row in dataset.mixtures:
            first = submission.read_estimate(folder, row).samples[:2000] * audio.FULL_SCALE
            given[row.mixture_id][which] = begins[np.round(first).astype(np.int16).tobytes()]
        title = submission.read_system(folder).name
        assert title == "fickle:enhance" + ("" if which == "right" else f" (other enrollment {which[-1]})")
    for row in dataset.mixtures:
        found, recipe = given[row.mixture_id], recipes[row.scene_id]
        contents = [recipes[scene].enrollment for scene in found.values()]
        assert contents[0] == recipe.enrollment
        assert all(one != other for k, one in enumerate(contents) for other in contents[:k])
        for other in WHICH[1:]:
            enrolled = recipes[found[other]]
            assert enrolled.target.speaker_id == row.target_speaker
            heard, said = ({s.path for s in part.segments} for part in (recipe.target, enrolled.enrollment))
            assert not heard & said
    told: list[str] = []
    whole, again = (enrollments.paths(dataset, f"other-{k}", told.append) for k in (1, 2 * 3 * 4 + 1))
    assert again == whole
    assert told == ["16 of 16 scenes have fewer than 25 other enrollments; one is used again"]
    few = tiny.some_scenes(dataset, tmp_path / "few", 0, 1)
    with pytest.raises(RequestError, match=r"scene s000000: \w+ has no other enrollment that is not heard in it"):
        enhance(few, "mixture", tmp_path / "none", executor=Serial(), enrollment="other-1")
    assert call("enhance", dataset.folder, "--enrollment", "other", "-o", tmp_path / "n").exit_code == 2


def interval(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Student's t on the logit scale, of a mean over people."""
    place = (values.mean() - low) / (high - low)
    reach = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) / (high - low) / (place * (1 - place))
    ends = 1 / (1 + np.exp(-(np.log(place / (1 - place)) + np.array([-reach, reach]))))
    return tuple(low + (high - low) * ends)


def test_mean_and_worst_are_those_of_a_slow_count(dataset, submissions, tmp_path) -> None:
    results = [tmp_path / which for which in WHICH]
    for which, folder in submissions.items():
        tiny.scored(dataset, folder, tmp_path / which, ["tsos", "leakage_reduction_db"])
    done = call("enrollments", *results, "--metrics", "TS1.tsos,TS3.leakage_reduction_db", "--json")
    assert done.exit_code == 0, done.output
    lines = {line["metric"]: line for line in json.loads(done.stdout)}
    people = {row.mixture_id: row.target_speaker for row in dataset.mixtures}
    for metric, bounds, worst in (("tsos", (0, 100), max), ("leakage_reduction_db", (-40, 120), min)):
        table = []
        for result in results:
            own = defaultdict(list)
            with (result / "scores.csv").open(newline="") as stream:
                for row in csv.DictReader(stream):
                    if row["metric"] == metric:
                        own[people[row["mixture_id"]]].append(row)
            if metric == "tsos":
                counts = {w: [r["detail"].split("/") for r in rows] for w, rows in own.items()}
                table.append(
                    {w: 100 * sum(int(a) for a, _ in c) / sum(int(b) for _, b in c) for w, c in counts.items()}
                )
            else:
                table.append({w: float(np.mean([float(r["value"]) for r in rows])) for w, rows in own.items()})
        over = {w: [one[w] for one in table] for w in table[0]}
        line = lines[metric]
        assert line["speakers"] == len(over) == 4
        assert line["enrollments"] == 3
        for what, choose in (("mean", np.mean), ("worst", worst)):
            values = np.array([choose(found) for found in over.values()])
            assert line[what] == pytest.approx(values.mean())
            assert (line[f"{what}_low"], line[f"{what}_high"]) == pytest.approx(interval(values, *bounds))
        assert line["worst"] != line["mean"]
    text = call("enrollments", *results).output
    assert "over 3 enrollments of each person" in text
    assert "TS1.tsos (%)" in text
    assert "one result; give those with other enrollments" in call("enrollments", results[0]).output
