"""Tar shards: what the webdataset package and we read back are the files of the dataset."""

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from work import Home, call, contents

from pse_bench.dataset import webdataset as pack
from pse_bench.dataset.dataset import Dataset
from pse_bench.dataset.webdataset import ShardedDataset, open_any
from pse_bench.errors import InputError
from pse_bench.io import atomic, storage
from pse_bench.runtime.executor import Processes, Serial

SIZE = 700_000
"""Two scenes or so."""


def packed(home: Home, place: str, **more: object) -> pack.Index:
    return pack.pack(Dataset.open(home.dataset), place, **{"size": SIZE, "executor": Serial(), **more})


def of_dataset(home: Home) -> dict[tuple[str, str], bytes]:
    """The files of every scene by scene and field."""
    stored = Dataset.open(home.dataset).files
    return {
        (Path(row.path).stem, pack.field_of(row.path)): (home.dataset / row.path).read_bytes() for row in stored
    }


@pytest.mark.parametrize("scheme", ["", "file://", "memory:/"])
def test_we_read_back_what_was_written(home: Home, scheme: str) -> None:
    place = f"{scheme}{home.out / 'shards'}"
    index = packed(home, place)
    assert len(index.shardlist) > 1
    found, dataset = open_any(place), Dataset.open(home.dataset)
    assert isinstance(found, ShardedDataset)
    assert found.mixtures == dataset.mixtures
    assert found.description == dataset.description
    for file in dataset.files:
        assert found.has(file.path)
        assert found.read_bytes(file.path) == (home.dataset / file.path).read_bytes()
    assert not found.has("stems/noise2/s000001.flac")
    for row in dataset.mixtures:
        assert np.array_equal(found.read_sound(row.mixture_path), dataset.read_sound(row.mixture_path))
        assert np.array_equal(found.read_stem(row.scene_id, "noise"), dataset.read_stem(row.scene_id, "noise"))
        ours, theirs = (one.read_activity(row.scene_id) for one in (found, dataset))
        assert all(np.array_equal(ours[who], theirs[who]) for who in theirs)


def test_the_webdataset_package_reads_the_files_of_the_dataset(home: Home) -> None:
    webdataset = pytest.importorskip("webdataset")
    index = packed(home, str(home.out / "shards"))
    urls = [str(home.out / "shards" / shard.url) for shard in index.shardlist]
    found, rows, counts = {}, {}, []
    for sample in webdataset.WebDataset(urls, shardshuffle=False):
        fields = {name: value for name, value in sample.items() if not name.startswith("_")}
        rows[sample["__key__"]] = json.loads(fields.pop("scene.json"))
        found |= {(sample["__key__"], name): value for name, value in fields.items()}
        counts.append(sample["__url__"])
    assert found == of_dataset(home)
    assert [counts.count(url) for url in urls] == [shard.nsamples for shard in index.shardlist]
    mixtures = Dataset.open(home.dataset).mixtures
    assert list(rows) == list(dict.fromkeys(row.scene_id for row in mixtures)), "in the order of the plan"
    for row in mixtures:
        assert rows[row.scene_id][row.scenario.lower()] == row.model_dump(mode="json")


def test_the_datasets_package_reads_them_in_a_line(home: Home) -> None:
    datasets = pytest.importorskip("datasets")
    index = packed(home, str(home.out / "shards"))
    urls = [str(home.out / "shards" / shard.url) for shard in index.shardlist]
    found = datasets.load_dataset("webdataset", data_files=urls, split="train", streaming=True)
    assert {"ts1.flac", "ts3.flac", "enrollment.flac", "target.flac", "scene.json"} <= set(found.features)
    scenes = [row["scene.json"]["scene_id"] for row in found.select_columns(["scene.json"])]
    assert scenes == list(dict.fromkeys(row.scene_id for row in Dataset.open(home.dataset).mixtures))


def test_shards_are_whole_scenes_of_the_asked_size(home: Home) -> None:
    for size in (SIZE, 1_500_000, 10_000):
        place = home.out / str(size)
        index = packed(home, str(place), size=size)
        assert sum(shard.nsamples for shard in index.shardlist) == 4
        for shard in index.shardlist:
            path = place / shard.url
            assert shard.filesize == path.stat().st_size
            assert shard.sha256 == atomic.sha256(path)
            assert shard.filesize <= size or shard.nsamples == 1
            with tarfile.open(path) as tar:
                assert len({member.name.split(".")[0] for member in tar}) == shard.nsamples
        if size == SIZE:  # nothing more would have fitted
            sizes = [shard.filesize for shard in index.shardlist]
            assert sum(sizes[:2]) > size


def test_where_and_how_often_it_is_written_shows_nowhere(home: Home) -> None:
    packed(home, str(home.out / "one"))
    packed(home, str(home.out / "two"), executor=Processes(2))
    assert contents(home.out / "one") == contents(home.out / "two")
    stamps = {path: path.stat().st_mtime_ns for path in (home.out / "one").glob("*.tar")}
    damaged, lost = sorted(stamps)[:2]
    damaged.write_bytes(damaged.read_bytes()[:-512])
    lost.with_suffix(".json").unlink()
    packed(home, str(home.out / "one"))
    assert contents(home.out / "one") == contents(home.out / "two")
    kept = [path for path, stamp in stamps.items() if path.stat().st_mtime_ns == stamp]
    assert set(kept) == set(stamps) - {damaged, lost}


def test_interrupted_there_is_no_index(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(home.out / "shards")
    writing, count = storage.writing, 0

    def full(where: str, name: str):
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return writing(where, name)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "writing", full)
        with pytest.raises(KeyboardInterrupt):
            packed(home, place)
    with pytest.raises(InputError, match=r"no dataset here"):
        open_any(place)
    shard = next((home.out / "shards").glob("*.tar"))
    (home.out / "shards" / f"{'0' * 32}.{shard.name}.part").write_bytes(b"what a killed process leaves behind")
    packed(home, place)
    packed(home, str(home.out / "straight"))
    assert contents(home.out / "shards") == contents(home.out / "straight")


def test_nothing_foreign_is_written_over(home: Home) -> None:
    dataset = home.out / "dataset"
    shutil.copytree(home.dataset, dataset)
    before = contents(dataset)
    with pytest.raises(InputError, match=r"holds other files \(TS1, TS2, TS3\); give a new or empty place"):
        packed(home, str(dataset))
    assert contents(dataset) == before
    place = home.out / "shards"
    packed(home, str(place))
    before = contents(place)
    with pytest.raises(InputError, match="holds shards of tiny-v1 with at most 700000 bytes; give another place"):
        packed(home, str(place), size=10_000_000)
    assert contents(place) == before
    packed(home, str(place), size=10_000_000, force=True)
    assert len(list(place.glob("*.tar"))) == 1, "those that were replaced are gone"


def test_what_was_changed_is_not_packed_and_not_read(home: Home) -> None:
    dataset, place = home.out / "dataset", home.out / "shards"
    shutil.copytree(home.dataset, dataset)
    (dataset / "TS2" / "s000001.flac").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"TS2/s000001\.flac: missing or changed since it was rendered"):
        pack.pack(Dataset.open(dataset), str(place), size=SIZE, executor=Serial())
    index = packed(home, str(place))
    member = pack.read_contents(str(place), index.shardlist[0]).members["stems/noise/s000000.flac"]
    tar = place / index.shardlist[0].url
    content = bytearray(tar.read_bytes())
    content[member[0] + 100] ^= 1
    tar.write_bytes(content)
    with pytest.raises(InputError, match=r"stems/noise/s000000\.flac in it is damaged; write the shards again"):
        ShardedDataset.open(str(place)).read_stem("s000000", "noise")
    (place / "mixtures.csv").write_text("changed")
    with pytest.raises(InputError, match=r"mixtures\.csv: not the table of these shards"):
        ShardedDataset.open(str(place))


@pytest.mark.parametrize(
    ("text", "size"),
    [("500MB", 500 * 10**6), ("1 GB", 10**9), ("1.5GiB", 3 * 2**29), ("2000000", 2 * 10**6), ("64k", 64000)],
)
def test_sizes(text: str, size: int) -> None:
    assert pack.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "big", "-1", "1TBB", "0", "1 parsec", "1e6", "nan"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InputError, match=r"--size .*: expected a number of bytes such as 500MB or 1GB"):
        pack.parse_size(text)


def test_the_command(home: Home) -> None:
    done = call("pack", home.dataset, "-o", home.out / "shards", "--size", "700kB", "--jobs", 1)
    assert done.exit_code == 0, done.output
    assert f"{home.out / 'shards'}: 4 scenes in " in done.stdout
    again = call("pack", home.dataset, "-o", home.out / "shards", "--size", "700kB", "--jobs", 1, "--json")
    assert json.loads(again.stdout)["scenes"] == 4
    strange = call("pack", home.dataset, "-o", "gopher://there/x", "--jobs", 1)
    assert strange.exit_code == 1
    assert strange.stderr.splitlines()[-1].startswith("Error: gopher://there/x: ")
