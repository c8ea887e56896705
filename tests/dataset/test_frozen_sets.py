"""Benchmark sets: the plans are those that the maker draws, the roles are kept apart, and a dataset is proven."""

import json
import runpy
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile
import yaml

from pse_bench.corpora import clip_reader
from pse_bench.corpora.roots import Roots
from pse_bench.corpora.synthetic import benchmark_noise
from pse_bench.dataset import frozen_sets
from pse_bench.dataset.frozen_sets import Content, Speaker
from pse_bench.errors import InputError
from pse_bench.io import atomic, tables
from pse_bench.planning import plan
from pse_bench.runtime.executor import Processes
from pse_bench.schemas import NoiseClip, Recipe, Utterance

pytestmark = pytest.mark.usefixtures("_as_in_a_new_process")
ROOT = Path(__file__).parents[2]
FREEZE = ROOT / "leaderboards" / "freeze.py"
TWINS = ("embedded-v1-dev", "libri-mini-v1-dev")
CALLS = ("embedded-call-v1", "speechocean-call-v1")
SETS = ("embedded-v1", "libri-mini-v1", "speechocean-v1", *TWINS, *CALLS)


def recipes(name: str) -> list[Recipe]:
    return list(plan.read(frozen_sets.load(name).plan)[2])


# ---- the sets that are shipped


def test_the_sets_are_shipped():
    assert set(SETS) <= set(frozen_sets.shipped())


@pytest.mark.parametrize("name", SETS)
def test_the_maker_still_draws_the_committed_plan(name, tmp_path):
    chosen = frozen_sets.load(name)
    count = runpy.run_path(str(FREEZE))["draw"](chosen, tmp_path / "plan.jsonl")
    assert count == chosen.about.scenes == sum(group.scenes for group in chosen.about.groups)
    assert (tmp_path / "plan.jsonl").read_bytes() == chosen.plan.read_bytes()
    assert atomic.sha256(chosen.plan) == chosen.about.plan_sha256


@pytest.mark.parametrize("name", SETS)
def test_everybody_has_one_role_and_the_plan_keeps_to_it(name):
    speakers = tables.read_table(frozen_sets.load(name).folder / "speakers.csv", Speaker)
    assert len({(row.corpus, row.speaker_id) for row in speakers}) == len(speakers)
    roles = {(row.corpus, row.speaker_id): row.role for row in speakers}
    groups = {row.speaker_id: row.target_group for row in speakers}
    for recipe in recipes(name):
        assert roles[recipe.target.corpus, recipe.target.speaker_id].startswith("target")
        assert groups[recipe.target.speaker_id] == recipe.enrollment_source
        assert len(recipe.interferers) <= (2 if name in CALLS else 1)
        for interferer in recipe.interferers:
            assert roles[interferer.corpus, interferer.speaker_id].endswith("interferer")
            assert interferer.speaker_id != recipe.target.speaker_id
        assert recipe.target.text or name in CALLS  # turns are cut, so their words are not known


@pytest.mark.parametrize("name", SETS)
def test_no_enrollment_overlaps_what_is_said_in_its_scene(name):
    for recipe in recipes(name):
        for said in recipe.target.segments:
            for known in recipe.enrollment.segments:
                apart = (
                    known.start >= said.start + said.num_samples or said.start >= known.start + known.num_samples
                )
                assert known.path != said.path or apart


@pytest.mark.parametrize(
    ("name", "each"),
    [
        ("embedded-v1", {5: 12}),
        ("libri-mini-v1", {4: 7, 2: 40}),
        ("speechocean-v1", {4: 40}),
        ("embedded-v1-dev", {5: 12}),
        ("libri-mini-v1-dev", {4: 7}),
        ("embedded-call-v1", {1: 12}),
        ("speechocean-call-v1", {1: 40}),
    ],
)
def test_every_speaker_has_the_same_number_of_scenes(name, each):
    assert Counter(Counter(recipe.target.speaker_id for recipe in recipes(name)).values()) == each


def test_the_people_of_libri_mini_are_those_of_its_manifests():
    chosen = frozen_sets.load("libri-mini-v1")
    by_role = {role: set() for role in ("target", "interferer", "babble", "training")}
    for row in tables.read_table(chosen.folder / "speakers.csv", Speaker):
        if row.corpus == "librispeech":
            by_role[row.role].add(row.speaker_id)

    def people(name: str) -> set[str]:
        rows = tables.read_table(chosen.folder / f"{name}.csv", Utterance)
        assert all(row.sha256.startswith("pcm:") for row in rows)
        return {row.speaker_id for row in rows}

    targets = {source: people(f"targets.{source}-utterance") for source in ("other", "same")}
    assert [len(who) for who in targets.values()] == [7, 40]
    assert by_role["target"] == targets["other"] | targets["same"]
    assert by_role["interferer"] == people("interferers")
    assert by_role["babble"] == people("babble")
    assert by_role["training"] == people("training")
    assert chosen.about.babble == "babble.csv"


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_has_other_people_of_whom_nobody_was_trained_on(name):
    twin = frozen_sets.load(name)
    assert twin.title == name == f"{twin.about.development_of}-dev"
    own = frozen_sets.load(twin.about.development_of)
    people, others = (
        {
            (row.corpus, row.speaker_id)
            for row in tables.read_table(chosen.folder / "speakers.csv", Speaker)
            if row.role != "training"
        }
        for chosen in (twin, own)
    )
    assert not people & others
    trained = tables.read_table(ROOT / "manifests" / "embedded.train.csv", Utterance)
    assert not people & {(row.corpus, row.speaker_id) for row in trained}
    for weights in (ROOT / "pse_bench" / "training" / "weights").glob("*.json"):
        validated = set(json.loads(weights.read_text())["training"]["validation"]["people"])
        assert {"/".join(who) for who in people if who[0] == "librispeech"} <= validated


def test_targets_of_speechocean_take_pauses_and_nobody_of_it_was_trained_on():
    manifests, trained = ROOT / "manifests", set()
    for path in (manifests / "embedded.train.csv", *(ROOT / "leaderboards").glob("*/training.csv")):
        trained |= {(row.corpus, row.speaker_id) for row in tables.read_table(path, Utterance)}
    people = tables.read_table(frozen_sets.load("speechocean-v1").folder / "speakers.csv", Speaker)
    assert not {(row.corpus, row.speaker_id) for row in people} & trained
    assert Counter(row.role for row in people) == {"target": 40, "interferer": 12, "babble": 6}
    for recipe in recipes("speechocean-v1"):
        first, second = recipe.target.segments
        assert second.onset - (first.onset + first.num_samples) >= 0.5 * recipe.sample_rate


@pytest.mark.parametrize("name", CALLS)
def test_the_target_of_a_call_comes_back_and_most_calls_have_a_channel(name):
    channels = [recipe.channel for recipe in recipes(name)]
    assert 1 <= channels.count(None) < len(channels) / 3
    found = [channel for channel in channels if channel]
    assert {channel.codec for channel in found} == {"none", "opus", "gsm"}
    for what in ("gain_control", "clipping", "band", "lost"):
        assert len({str(getattr(channel, what)) for channel in found}) > 1
    for recipe in recipes(name):
        own = [turn for turn in recipe.session.turns if turn.talker == 0]
        away_s = [(b.onset - a.onset - a.num_samples) / recipe.sample_rate for a, b in pairwise(own)]
        assert recipe.num_samples == 60 * recipe.sample_rate
        assert away_s
        assert 3 <= min(away_s) <= max(away_s) <= 30
    people = {one.speaker_id for recipe in recipes(name) for one in (recipe.target, *recipe.interferers)}
    speakers = tables.read_table(frozen_sets.load(name.replace("-call", "")).folder / "speakers.csv", Speaker)
    assert people == {row.speaker_id for row in speakers if row.role.startswith("target")}


@pytest.mark.dev_corpus
def test_the_noise_of_libri_mini_is_made_as_listed(dev_corpus, tmp_path):
    chosen = frozen_sets.load("libri-mini-v1")
    roots = Roots({"librispeech": dev_corpus / "speech" / "LibriSpeech"})
    work = frozen_sets.noise_orders(chosen, tmp_path, roots)
    benchmark_noise.make(work, executor=Processes(2))
    assert benchmark_noise.rows(work) == tables.read_table(chosen.folder / "noise.csv", NoiseClip)


@pytest.mark.dev_corpus
def test_utterances_are_cut_where_the_manifest_says(dev_corpus):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed: pip install 'pse-bench[asr]'")
    maker = runpy.run_path(str(ROOT / "leaderboards" / "make_libri_mini.py"))
    listed = tables.read_table(frozen_sets.load("libri-mini-v1").folder / "targets.same-utterance.csv", Utterance)
    for first, second in ((listed[0], listed[1]), (listed[40], listed[41])):
        whole = first.model_copy(
            update={
                "utterance_id": first.utterance_id[:-1],
                "num_samples": first.num_samples + second.num_samples,
                "text": f"{first.text} {second.text}",
            }
        )
        made = maker["cut_all"]([whole], dev_corpus / "speech" / "LibriSpeech")
        assert made == {first.speaker_id: [first, second]}


# ---- a set of our own, from freezing to proof


@pytest.fixture(scope="module")
def tiny_set(corpus, tmp_path_factory) -> tuple[Path, str]:
    """A small set that makes noise and babble, frozen; and its fingerprint."""
    folder = tmp_path_factory.mktemp("sets") / "tiny-v3"
    folder.mkdir()
    head = corpus.plan(tmp_path_factory.mktemp("plan") / "plan.jsonl", 1).read_text().split("\n", 1)[0]
    (folder / "tiny.yaml").write_text(yaml.safe_dump(json.loads(head)["scenario"]))
    targets = [row for row in corpus.utterances if row.speaker_id in ("ada", "carl")]
    others = [row for row in corpus.utterances if row.speaker_id in ("bea", "dan")]
    for name, rows in (("targets", targets), ("others", others)):
        tables.write_table(folder / f"{name}.csv", Utterance, rows)
    document = {
        "name": "tiny",
        "version": 3,
        "description": "Tiny.",
        "scenario": str(folder / "tiny.yaml"),
        "seed": 1,
        "groups": [{"speech": ["targets.csv"], "scenes": 2}],
        "interferer_speech": ["others.csv"],
        "noise": ["noise.csv"],
        "roots": ["talk"],
        "made_noise": {
            "corpus": "tiny-noise",
            "seed": 1,
            "sample_rate": 16000,
            "duration_s": 4.0,
            "categories": ["pink"],
            "clips": 1,
            "talkers": 2,
        },
        "babble": "others.csv",
        "made_with": ["this test"],
    }
    atomic.write_json(folder / "set.json", {"schema": 1, "kind": frozen_sets.KIND, **document})
    cache = tmp_path_factory.mktemp("cache")
    mark = runpy.run_path(str(FREEZE))["freeze"](
        frozen_sets.load(str(folder)),
        roots=corpus.roots,
        given=(f"talk={corpus.root('talk')}",),
        jobs=1,
        cache=cache,
    )
    return folder, mark


def test_whoever_has_the_corpus_makes_the_identical_set(tiny_set, corpus, command, tmp_path):
    folder, mark = tiny_set
    done = command(
        "benchmark", folder, "-o", tmp_path / "out", "--root", f"talk={corpus.root('talk')}", "--jobs", 1
    )
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{tmp_path / 'out'}: the identical tiny-v3, fingerprint {mark}"
    again = command(
        "benchmark", folder, "-o", tmp_path / "out", "--root", f"talk={corpus.root('talk')}", "--jobs", 1
    )
    assert again.exit_code == 0
    assert "2 kept from an earlier run" in again.stdout


def test_a_set_has_a_blind_edition_and_its_key_lies_beside_it(tiny_set, corpus, command, tmp_path):
    words = ("benchmark", tiny_set[0], "-o", tmp_path / "out", "--root", f"talk={corpus.root('talk')}")
    done = command(*words, "--blind", tmp_path / "edition", "--jobs", 1)
    assert done.exit_code == 0, done.stderr
    key = tmp_path / "edition.key.json"
    assert (
        done.stdout.splitlines()[-1] == f"{tmp_path / 'edition'}: 6 mixtures, blind; the key stays with you: {key}"
    )
    assert len(list((tmp_path / "edition").rglob("*.flac"))) == 12
    assert key.is_file()
    again = command(*words, "--blind", tmp_path / "edition", "--jobs", 1)
    assert again.exit_code == 1
    assert "edition: not empty; give a new folder" in again.stderr


def test_a_dataset_that_sounds_different_is_not_the_set(tiny_set, corpus, command, tmp_path):
    """As where another release of a package makes another sound: the frozen hashes are changed here instead."""
    folder = Path(shutil.copytree(tiny_set[0], tmp_path / "changed"))
    about = json.loads((folder / "set.json").read_text())
    about["fingerprint"], about["versions"]["numpy"] = "0" * 64, "1.0"
    atomic.write_json(folder / "set.json", about)
    listed = tables.read_table(folder / "contents.csv", Content)
    spoilt = listed[3].model_copy(update={"content_sha256": "f" * 64})
    tables.write_table(folder / "contents.csv", Content, [*listed[:3], spoilt, *listed[4:]])
    done = command(
        "benchmark", folder, "-o", tmp_path / "out", "--root", f"talk={corpus.root('talk')}", "--jobs", 1
    )
    assert done.exit_code == 1
    assert f"not tiny-v3: 1 of {len(listed)} files sound different or are missing, as {spoilt.path}" in done.stderr
    assert "frozen with 1.0; install that release" in done.stderr
    assert "identical" not in done.stdout


def test_a_set_known_by_its_sound_is_made_from_any_lossless_copy(tiny_set, corpus, command, tmp_path):
    """Where its manifests identify clips by their samples."""
    folder = Path(shutil.copytree(tiny_set[0], tmp_path / "by-sound"))
    own = corpus.root("talk")
    for name in ("targets", "others"):
        rows = tables.read_table(folder / f"{name}.csv", Utterance)
        changed = [
            row.model_copy(update={"sha256": clip_reader.identity(own / row.path, of_sound=True)}) for row in rows
        ]
        tables.write_table(folder / f"{name}.csv", Utterance, changed)
    freeze = runpy.run_path(str(FREEZE))["freeze"]
    given = (f"talk={own}",)
    mark = freeze(frozen_sets.load(str(folder)), roots=corpus.roots, given=given, jobs=1, cache=tmp_path / "cache")
    copy = tmp_path / "copy"
    for row in (*tables.read_table(folder / "targets.csv", Utterance), *changed):
        path = own / row.path
        samples, rate = soundfile.read(str(path), dtype="int16")
        to = copy / Path(row.path).with_suffix(".flac" if path.suffix == ".wav" else ".wav")
        to.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(str(to), samples, rate)
    done = command("benchmark", folder, "-o", tmp_path / "out", "--root", f"talk={copy}", "--jobs", 1)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{tmp_path / 'out'}: the identical tiny-v3, fingerprint {mark}"


def test_a_dataset_of_another_plan_is_named(tiny_set, rendered):
    (line,) = frozen_sets.differences(frozen_sets.load(str(tiny_set[0])), rendered)
    assert "rendered from another plan than that of tiny-v3" in line


def test_what_is_missing_is_said_before_any_work(command, tmp_path, monkeypatch):
    monkeypatch.delenv("PSE_BENCH_ROOT_LIBRISPEECH", raising=False)
    done = command("benchmark", "libri-mini-v1", "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "corpus librispeech: no folder given; add --root librispeech=DIR" in done.stderr
    assert not (tmp_path / "out").exists()
    done = command("benchmark", "libri-maxi")
    assert done.exit_code == 2
    done = command("benchmark", "libri-maxi", "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert (
        "libri-maxi: no such benchmark set; there are embedded-call-v1, embedded-v1, embedded-v1-dev, "
        in done.stderr
    )


def test_the_sets_are_listed_with_what_they_need(command):
    lines = command("benchmark").stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == frozen_sets.shipped()
    assert "12 mixtures; needs no corpus" in lines[0]
    assert "180 mixtures; needs no corpus" in lines[1]
    assert "180 mixtures; needs no corpus" in lines[2]
    assert "324 mixtures; needs --root librispeech=DIR" in lines[3]
    assert "40 mixtures; needs --root speechocean762=DIR" in lines[5]
    assert "480 mixtures; needs --root speechocean762=DIR" in lines[6]


def test_a_spoilt_description_is_refused_in_a_line(tiny_set, tmp_path):
    folder = Path(shutil.copytree(tiny_set[0], tmp_path / "spoilt"))
    about = json.loads((folder / "set.json").read_text())
    atomic.write_json(folder / "set.json", {**about, "fingerprnt": "x"})
    with pytest.raises(InputError, match="unknown key 'fingerprnt'; did you mean 'fingerprint'"):
        frozen_sets.load(str(folder))
