"""Blind editions: nothing says which clip is which but the key, and a submission scores as it would have."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from work import call

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.submission import blind

METRICS = ("--metrics", "tsos,leakage_reduction_db", "--jobs", 1)


@pytest.fixture(scope="module")
def edition(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A blind edition, and its key. Not to be changed."""
    place = tmp_path_factory.mktemp("blind")
    assert blind.write(dataset, place / "edition", place / "key.json") == len(dataset)
    return place / "edition", place / "key.json"


@pytest.fixture
def submission(edition: tuple[Path, Path], tmp_path: Path) -> Path:
    """What a system that changes nothing makes of it."""
    shutil.copytree(edition[0] / "mixtures", tmp_path / "mine")
    (tmp_path / "mine" / "system.yaml").write_text("name: mixture\nversion: '1'\n")
    return tmp_path / "mine"


def test_nothing_tells_the_clips_apart_but_what_is_in_them(edition: tuple[Path, Path], dataset: Dataset) -> None:
    folder, key = edition
    with (folder / "list.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = json.loads(key.read_text())["names"]
    assert {Path(row["mixture"]).stem for row in rows} == set(names)
    assert sorted(names.values()) == sorted(row.mixture_id for row in dataset.mixtures)
    assert [row["mixture"] for row in rows] == sorted(row["mixture"] for row in rows)
    assert list(names.values()) != [row.mixture_id for row in dataset.mixtures]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 2 * len(dataset) + 1
    assert {path.stat().st_mtime for path in (folder, *folder.rglob("*"))} == {blind.DATE_S}
    said = " ".join(str(path.relative_to(folder)) for path in files) + (folder / "list.csv").read_text()
    assert not any(word in said for word in ("TS1", "TS2", "TS3", *(row.scene_id for row in dataset.mixtures)))
    by_id = {row.mixture_id: row for row in dataset.mixtures}
    for row in rows:
        mixture = by_id[names[Path(row["mixture"]).stem]]
        assert (folder / row["mixture"]).read_bytes() == dataset.read_bytes(mixture.mixture_path)
        assert (folder / row["enrollment"]).read_bytes() == dataset.read_bytes(mixture.enrollment_path)


def test_it_scores_as_the_same_system_does_that_sees_everything(
    edition: tuple[Path, Path],
    submission: Path,
    dataset: Dataset,
    submitted: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    given = ("score", dataset.folder, submission, "--blind-key", edition[1], "-o", tmp_path / "r", *METRICS)
    done = call(*given)
    assert done.exit_code == 0, done.stderr
    assert call("score", dataset.folder, submitted("mixture"), "-o", tmp_path / "s", *METRICS).exit_code == 0
    assert (tmp_path / "r" / "scores.csv").read_bytes() == (tmp_path / "s" / "scores.csv").read_bytes()
    about, other = (json.loads((tmp_path / name / "result.json").read_text()) for name in "rs")
    assert about["evidence"] == "blind"
    assert "evidence" not in other
    assert about["submission_sha256"] == other["submission_sha256"]
    assert call("verify", tmp_path / "r").exit_code == 0


def test_a_clip_that_is_missing_is_named_and_takes_the_worst_value(
    edition: tuple[Path, Path], submission: Path, dataset: Dataset, tmp_path: Path
) -> None:
    name, mixture_id = next(iter(json.loads(edition[1].read_text())["names"].items()))
    next(submission.glob(f"{name}.*")).unlink()
    done = call("score", dataset.folder, submission, "--blind-key", edition[1], "-o", tmp_path / "r", *METRICS)
    assert done.exit_code == 1
    scene_id, _, label = mixture_id.rpartition("_")
    assert f"{label}/{scene_id}.flac: missing" in done.stderr


def test_a_key_that_does_not_fit_is_one_line(
    edition: tuple[Path, Path], submission: Path, dataset: Dataset, tmp_path: Path
) -> None:
    def refused(key: Path, folder: Path = submission) -> str:
        done = call("score", dataset.folder, folder, "--blind-key", key, "-o", tmp_path / "r", *METRICS)
        assert done.exit_code == 1
        assert done.stderr.count("\n") == 1
        assert not (tmp_path / "r").exists()
        return done.stderr

    content = json.loads(edition[1].read_text())
    content.pop("seal_sha256")
    other = tmp_path / "other.json"
    atomic.write_sealed(other, {**content, "fingerprint": "0" * 64})
    assert "the key of another dataset" in refused(other)
    other.write_text(edition[1].read_text().replace(next(iter(content["names"])), "f" * 16))
    assert "changed since it was written" in refused(other)
    atomic.write_json(other, {"kind": "pse-bench blind key"})
    assert "other.json" in refused(other)
    assert "no such file" in refused(tmp_path / "nowhere.json")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "system.yaml").write_text("name: x\n")
    assert "no file of this blind edition here" in refused(edition[1], empty)


def test_an_edition_is_written_once_and_never_with_its_key(
    edition: tuple[Path, Path], dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="not empty"):
        blind.write(dataset, edition[0], tmp_path / "key.json")
    with pytest.raises(InputError, match="there already"):
        blind.write(dataset, tmp_path / "new", edition[1])
    with pytest.raises(InputError, match="would be given away with it"):
        blind.write(dataset, tmp_path / "new", tmp_path / "new" / "key.json")
    assert not (tmp_path / "new").exists()
