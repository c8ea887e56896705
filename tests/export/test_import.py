"""Another project's test set: imported, rendered, verified; its mixtures stay what they were."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sets import ROWS, LibriMix

from pse_bench.cli import cli
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.importing import librimix as reader
from pse_bench.io import audio
from pse_bench.planning import plan
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import Imported, Recipe
from pse_bench.simulation import render, verify


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="pse-bench")


def importing(there: LibriMix, out: Path, *more: object, kind: str = "librimix") -> Result:
    """The import command on a set."""
    root = ("--root", f"librimix={there.root}")
    return call("import", kind, there.metadata, *more, *root, "--jobs", 1, "-o", out)


@pytest.fixture(scope="module")
def plan_path(librimix: LibriMix, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("imported") / "plan.jsonl"
    done = importing(librimix, out, "--speech", librimix.manifest)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{out}: 20 scenes\n"
    return out


@pytest.fixture(scope="module")
def recipes(plan_path: Path) -> list[Recipe]:
    return list(plan.read(plan_path)[2])


@pytest.fixture(scope="module")
def imported(librimix: LibriMix, plan_path: Path) -> Dataset:
    """The set as a dataset."""
    out = plan_path.parent / "dataset"
    report = render.render(
        plan_path, out, roots=librimix.roots, executor=Serial(), bank=plan_path.parent / "rooms"
    )
    assert report.problems == []
    return Dataset.open(out)


def test_ten_rows_are_imported_rendered_and_verified(
    librimix: LibriMix, plan_path: Path, imported: Dataset, recipes: list[Recipe]
) -> None:
    about = plan.read(plan_path)[0]
    assert isinstance(about, Imported)
    assert (about.name, about.sample_rate, about.reference) == ("mixture-test-mix-both", 16_000, "reverberant")
    assert len(recipes) == 2 * ROWS  # either talker is the target once
    assert len(imported.mixtures) == 3 * len(recipes)
    report = verify.verify(imported.folder, rerender=20, roots=librimix.roots, executor=Serial())
    assert report.problems == []
    assert report.checked == {"files": 20 * 9, "mixtures": 60, "scenes rendered again": 20}


def test_ts2_is_the_mixture_as_shipped_and_stems_are_the_sources(
    librimix: LibriMix, imported: Dataset, recipes: list[Recipe]
) -> None:
    rows = {row.mixture_id: row for row in reader.read_metadata(librimix.metadata, librimix.root)}
    for recipe in recipes:
        name = "_".join(
            talker.segments[0].clip_id
            for talker in sorted((recipe.target, *recipe.interferers), key=lambda talker: talker.segments[0].path)
        )
        row, scene_id = rows[name], recipe.scene_id
        shipped = audio.read_pcm16(librimix.root / row.mixture).astype(int)
        (mixture,) = [m for m in imported.mixtures if m.mixture_id == f"{scene_id}_TS2"]
        ours = imported.read_pcm16(mixture.mixture_path).astype(int)
        assert mixture.scene_gain_db == 0
        assert np.abs(ours - shipped).max() <= 2  # each file of the set was rounded by itself
        target = int(scene_id[-1]) - 1
        stem, early, noise = (
            imported.read_pcm16(imported.stem_name(scene_id, name)) for name in ("target", "target_early", "noise")
        )
        assert np.array_equal(stem, audio.read_pcm16(librimix.root / row.sources[target]))
        assert np.array_equal(early, stem)
        assert np.array_equal(noise, audio.read_pcm16(librimix.root / row.noise))


def test_rows_tell_who_speaks_and_know_no_room(librimix: LibriMix, imported: Dataset) -> None:
    for row in imported.mixtures:
        assert (row.rt60_s, row.rt60_achieved_s, row.target_distance_m) == (None, None, None)
        assert row.target_gender in ("F", "M")
        assert row.snr_db == row.snr_achieved_db
        assert row.num_interferers == (row.scenario != "TS1")
    texts = {row.mixture_id: row.text for row in imported.mixtures if row.scenario == "TS2"}
    # in each mixture of the shortest length one source is whole and the other cut: its words are not told
    assert sum(text == "" for text in texts.values()) == ROWS


def test_enrollments_are_other_utterances_of_the_target(recipes: list[Recipe]) -> None:
    for recipe in recipes:
        heard = {segment.path for t in (recipe.target, *recipe.interferers) for segment in t.segments}
        (enrolled,) = recipe.enrollment.segments
        assert enrolled.path not in heard
        names = Path(enrolled.path).stem.split("_")
        number = 0 if "/s1/" in enrolled.path else 1
        assert reader.speaker_of(names[number]) == recipe.target.speaker_id
        assert names[number] != recipe.target.segments[0].clip_id


def test_speakerbeams_map_tells_the_enrollments(librimix: LibriMix, tmp_path: Path) -> None:
    rows = reader.read_metadata(librimix.metadata, librimix.root)
    lines = []
    for row in rows:
        for utterance in row.utterances:
            other = next(
                f"s{other.utterances.index(said) + 1}/{other.mixture_id}"
                for other in reversed(rows)
                for said in other.utterances
                if reader.speaker_of(said) == reader.speaker_of(utterance) and other is not row
            )
            lines.append(f"{row.mixture_id} {utterance} {other}")
    mapping = tmp_path / "map_mixture2enrollment"
    mapping.write_text("\n".join(lines) + "\n")
    done = importing(librimix, tmp_path / "plan.jsonl", mapping, kind="speakerbeam")
    assert done.exit_code == 0, done.output
    for line, recipe in zip(lines, plan.read(tmp_path / "plan.jsonl")[2], strict=True):
        source, mixture_id = line.split()[2].split("/")
        assert recipe.enrollment.segments[0].path == f"wav16k/min/test/{source}/{mixture_id}.wav"
    mapping.write_text("\n".join(lines[:-1]) + "\n")
    done = importing(librimix, tmp_path / "again.jsonl", mapping, kind="speakerbeam")
    assert done.exit_code == 1
    assert "map_mixture2enrollment has no enrollment for" in done.stderr
    assert len(list(plan.read(tmp_path / "again.jsonl")[2])) == 2 * ROWS - 1


def changed(there: LibriMix, to: Path, edit: Callable[[list[list[str]]], object]) -> LibriMix:
    """A copy of the set whose metadata is edited."""
    shutil.copytree(there.root, to / "set")
    moved = LibriMix(
        to / "set", to / "set" / there.metadata.relative_to(there.root), to / "set" / there.manifest.name
    )
    with moved.metadata.open() as stream:
        rows = list(csv.reader(stream))
    edit(rows)
    with moved.metadata.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return moved


def without_noise(rows: list[list[str]]) -> None:
    for row in rows:
        row[1] = row[1].replace("mix_both", "mix_clean")
        del row[4]


def test_a_set_without_noise(librimix: LibriMix, tmp_path: Path) -> None:
    there = changed(librimix, tmp_path, without_noise)
    done = importing(there, tmp_path / "plan.jsonl", "--name", "clean")
    assert done.exit_code == 0, done.output  # the mixture's file is not there, so nothing is compared
    (tmp_path / "short.jsonl").write_text("".join((tmp_path / "plan.jsonl").open().readlines()[:2]))
    out = tmp_path / "dataset"
    render.render(tmp_path / "short.jsonl", out, roots=there.roots, executor=Serial(), bank=tmp_path / "rooms")
    assert verify.verify(out, roots=there.roots, executor=Serial()).problems == []
    for row in Dataset.open(out).mixtures:
        assert (row.noise_id, row.snr_db, row.snr_achieved_db) == ("", None, None)
    seen = call("inspect", out, "-o", tmp_path / "page.html")
    assert seen.exit_code == 0, seen.output
    done = call("enhance", out, "--system", "mixture", "--jobs", 1, "-o", tmp_path / "submission")
    assert done.exit_code == 0, done.output
    asked = ("--metrics", "tsos,leakage_reduction_db", "--jobs", 1, "--quiet", "-o", tmp_path / "result")
    done = call("score", out, tmp_path / "submission", *asked)
    assert done.exit_code == 0, done.output
    heard = ("--dataset", out, "--submission", tmp_path / "submission", "-o", tmp_path / "report.html")
    done = call("report", tmp_path / "result", *heard)
    assert done.exit_code == 0, done.output
    scene = Dataset.open(out).mixtures[0].scene_id
    assert call("inspect", out, "--scene", scene, "-o", tmp_path / "scene.html").exit_code == 0


def test_a_mixture_that_is_not_its_sum_is_named(librimix: LibriMix, tmp_path: Path) -> None:
    there = changed(librimix, tmp_path, lambda rows: [row.pop(4) for row in rows])
    done = importing(there, tmp_path / "plan.jsonl")
    assert done.exit_code == 1
    assert "differs from the sum of its 2 sources by up to" in done.stderr
    assert not (tmp_path / "plan.jsonl").exists()


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda rows: rows[0].__setitem__(2, "s1"), "no column 'source_1_path'; found mixture_id, mixture_path"),
        (lambda rows: rows[0].__setitem__(4, "source_1_gain"), "lists gains, so LibriMix is made from it"),
        (lambda rows: rows[1].pop(), ":2: 5 cells, expected 6; repair the line"),
        (lambda rows: rows.append(rows[1]), ":12: mixture "),
        (lambda rows: rows[1].__setitem__(0, "one-two"), "expected the ids of their utterances joined by _"),
        (lambda rows: rows[1].__setitem__(2, "/mnt/s1/none.wav"), ":2: /mnt/s1/none.wav: not found below"),
        (lambda rows: rows.__delitem__(slice(1, None)), "lists no mixtures"),
        (lambda rows: rows.__delitem__(slice(0, None)), "found an empty file"),
        (lambda rows: rows[1].__setitem__(2, rows[2][2]), "samples"),
    ],
)
def test_metadata_that_cannot_be_used_is_one_line(
    librimix: LibriMix, tmp_path: Path, edit: Callable[[list[list[str]]], object], words: str
) -> None:
    done = importing(changed(librimix, tmp_path, edit), tmp_path / "plan.jsonl")
    assert done.exit_code == 1
    assert words in done.stderr
    assert not isinstance(done.exception, InputError)
    assert not (tmp_path / "plan.jsonl").exists()


def test_only_an_imported_scene_may_be_without_noise(recipes: list[Recipe]) -> None:
    content = recipes[0].model_dump()
    content["noise"] = None
    assert Recipe.model_validate(content).noise is None
    content["room"] = {"engine": "measured", "room_id": "a", "corpus": "b", "rt60_s": 0.3, "sources": []}
    with pytest.raises(ValueError, match="only an imported scene may be without"):
        Recipe.model_validate(content)
