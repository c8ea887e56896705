"""Exported datasets, opened by the packages that they are for: the same mixtures, words and samples."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from pse_bench.cli import cli
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.export.exporter import items
from pse_bench.planning import plan
from pse_bench.schemas import Mixture


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="pse-bench")


def exported(dataset: Dataset, form: str, out: Path, *more: object) -> Path:
    """An export by the command; its folder."""
    done = call("export", form, dataset.folder, "-o", out, *more)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{out}")
    return out


def sound(dataset: Dataset, path: str) -> np.ndarray:
    return dataset.read_pcm16(path)


def as_pcm(samples: np.ndarray) -> np.ndarray:
    return np.round(samples * 32768).astype(np.int16)


def reference(dataset: Dataset, row: Mixture) -> np.ndarray:
    """What these recipes are to give: silence in TS3."""
    if row.scenario == "TS3":
        return np.zeros(row.num_samples, dtype=np.int16)
    return sound(dataset, row.reference_path)


# ---- lhotse


@pytest.fixture(scope="module")
def cuts(dataset, tmp_path_factory):
    lhotse = pytest.importorskip("lhotse", reason="needs pse-bench[interop]")
    out = exported(dataset, "lhotse", tmp_path_factory.mktemp("lhotse") / "cuts")
    found = lhotse.CutSet.from_jsonl(out / "cuts.jsonl").to_eager()
    lhotse.validate(found, read_data=True)
    return found


def test_lhotse_has_every_mixture_with_its_sounds(dataset, cuts) -> None:
    assert [cut.id for cut in cuts] == [row.mixture_id for row in dataset.mixtures]
    for cut, row in zip(cuts, dataset.mixtures, strict=True):
        assert (cut.num_samples, cut.sampling_rate) == (row.num_samples, row.sample_rate)
        assert np.array_equal(as_pcm(cut.load_audio()[0]), sound(dataset, row.mixture_path))
        # an enrollment is not as long as its cut, which load_enrollment() would have it
        assert np.array_equal(as_pcm(cut.enrollment.load_audio()[0]), sound(dataset, row.enrollment_path))
        assert cut.has_custom("reference") == (row.scenario != "TS3")
        if row.reference_path:
            assert np.array_equal(as_pcm(cut.load_reference()[0]), sound(dataset, row.reference_path))
        stems = [part for part in ("target", "interferer", "noise") if cut.has_custom(part)]
        total = sum(as_pcm(cut.load_custom(part)[0]).astype(int) for part in stems)
        assert np.array_equal(total, sound(dataset, row.mixture_path))


def test_lhotse_knows_who_says_what_and_when(dataset, cuts) -> None:
    _, _, planned = plan.read(dataset.folder / "plan.jsonl")
    recipes = {recipe.scene_id: recipe for recipe in planned}
    for cut, row in zip(cuts, dataset.mixtures, strict=True):
        roles = {person.custom["role"]: person for person in cut.supervisions}
        assert (
            set(roles) == {"TS1": {"target"}, "TS2": {"target", "interferer"}, "TS3": {"interferer"}}[row.scenario]
        )
        assert (cut.scenario, cut.target_speaker) == (row.scenario, row.target_speaker)
        for role, person in roles.items():
            talker = recipes[row.scene_id].target if role == "target" else recipes[row.scene_id].interferers[0]
            assert (person.speaker, person.text) == (talker.speaker_id, talker.text)
            first, last = talker.segments[0], talker.segments[-1]
            assert person.start == pytest.approx(first.onset / row.sample_rate, abs=1e-4)
            assert person.end == pytest.approx((last.onset + last.num_samples) / row.sample_rate, abs=1e-4)


# ---- Hugging Face


@pytest.mark.parametrize("scenarios", [(), ("TS1", "TS3")])
def test_datasets_loads_the_folder(dataset, tmp_path, monkeypatch, scenarios) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    datasets = pytest.importorskip("datasets", reason="needs pse-bench[interop]")
    out = exported(dataset, "huggingface", tmp_path / "set", *(w for s in scenarios for w in ("--scenario", s)))
    # its version 4 and later import torchcodec, which needs FFmpeg, also where no sound is decoded
    for module in ("torchcodec", "torchcodec.encoders"):
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(AudioEncoder=None))
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset("audiofolder", data_dir=str(out), cache_dir=cache, split="train")
    for name in ("mixture", "enrollment", "reference"):
        loaded = loaded.cast_column(name, datasets.Audio(decode=False))
    rows = [row for row in dataset.mixtures if not scenarios or row.scenario in scenarios]
    assert [row["mixture_id"] for row in loaded] == [row.mixture_id for row in rows]
    for got, row in zip(loaded, rows, strict=True):
        assert got["text"] == row.text
        assert {key: got[key] for key in ("sir_db", "snr_db", "target_speaker", "num_samples")} == {
            "sir_db": row.sir_db,
            "snr_db": row.snr_db,
            "target_speaker": row.target_speaker,
            "num_samples": row.num_samples,
        }
        for name, path in (("mixture", row.mixture_path), ("enrollment", row.enrollment_path)):
            assert np.array_equal(soundfile.read(got[name]["path"], dtype="int16")[0], sound(dataset, path))
        if row.reference_path:
            samples, _ = soundfile.read(got["reference"]["path"], dtype="int16")
            assert np.array_equal(samples, sound(dataset, row.reference_path))
        else:
            assert got["reference"] is None


# ---- Kaldi


def table(path: Path) -> dict[str, str]:
    """A file of keys and what stands behind them, sorted as Kaldi wants it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    keys = [line.split(maxsplit=1)[0] for line in lines]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    return {line.split(maxsplit=1)[0]: line.partition(" ")[2] for line in lines}


def test_kaldi_tables_name_the_sounds(dataset, tmp_path) -> None:
    out = exported(dataset, "kaldi", tmp_path / "data")
    rows = {row.mixture_id: row for row in dataset.mixtures}
    tables = {name: table(out / name) for name in ("wav.scp", "spk1.scp", "enroll_spk1.scp", "text", "utt2spk")}
    assert all(set(found) == set(rows) for found in tables.values())
    for key, row in rows.items():
        for name, expected in (
            ("wav.scp", sound(dataset, row.mixture_path)),
            ("spk1.scp", reference(dataset, row)),
            ("enroll_spk1.scp", sound(dataset, row.enrollment_path)),
        ):
            assert np.array_equal(soundfile.read(tables[name][key], dtype="int16")[0], expected)
        assert tables["text"][key] == row.text
        assert tables["utt2spk"][key] == key
    assert (out / "spk2utt").read_text() == (out / "utt2spk").read_text()


def test_wesep_tables_name_the_sounds(dataset, tmp_path) -> None:
    out = exported(dataset, "wesep", tmp_path / "data")
    rows = {row.mixture_id: row for row in dataset.mixtures}
    wavs, enrolled, single = (table(out / name) for name in ("wav.scp", "spk1.enroll", "single.wav.scp"))
    speakers, alone = table(out / "utt2spk"), table(out / "single.utt2spk")
    assert set(wavs) == set(enrolled) == set(speakers) == set(rows)
    assert set(single) == set(alone) == set(enrolled.values())
    for key, row in rows.items():
        mixture, wanted = wavs[key].split()
        assert np.array_equal(soundfile.read(mixture, dtype="int16")[0], sound(dataset, row.mixture_path))
        assert np.array_equal(soundfile.read(wanted, dtype="int16")[0], reference(dataset, row))
        samples, _ = soundfile.read(single[enrolled[key]], dtype="int16")
        assert np.array_equal(samples, sound(dataset, row.enrollment_path))
        assert speakers[key] == alone[enrolled[key]] == row.target_speaker


def test_a_blank_in_a_path_cannot_be_written_to_kaldi(dataset, tmp_path) -> None:
    (tmp_path / "with blank").symlink_to(dataset.folder)
    done = call("export", "kaldi", tmp_path / "with blank", "-o", tmp_path / "data")
    assert done.exit_code == 1
    assert "holds a blank, which Kaldi-style files cannot express; rename the folder" in done.stderr
    assert not (tmp_path / "data").exists()


# ---- the folder


@pytest.mark.parametrize("form", ["lhotse", "kaldi", "wesep", "huggingface"])
def test_an_export_says_what_it_is_and_is_replaced_only_when_asked(dataset, tmp_path, form) -> None:
    out = exported(dataset, form, tmp_path / "a")
    about = json.loads((out / "export.json").read_text())
    assert about["fingerprint"] == dataset.description.fingerprint
    assert about["mixtures"] == len(dataset.mixtures)
    (out / "mine.txt").write_text("")
    done = call("export", form, dataset.folder, "-o", out)
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "holds an export already; give a new folder, or --force to replace it" in done.stderr
    exported(dataset, form, out, "--force")
    assert not (out / "mine.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    (out / "export.json").unlink()
    done = call("export", form, dataset.folder, "-o", out, "--force")
    assert "holds other files" in done.stderr


def test_a_changed_dataset_is_not_exported(dataset, tmp_path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in dataset.folder.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    with (copy / "mixtures.csv").open("a") as stream:
        stream.write("\n")
    done = call("export", "lhotse", copy, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "mixtures.csv: missing or changed since it was rendered" in done.stderr


def test_a_scenario_that_is_not_there(dataset, tmp_path) -> None:
    only = [row for row in dataset.mixtures if row.scenario == "TS1"]
    narrowed = Dataset(dataset.folder, dataset.description, only)
    with pytest.raises(InputError, match="holds no mixture of TS3; there are TS1"):
        items(narrowed, ["TS3"])


# ---- webdataset


def test_the_webdataset_package_reads_mixtures_words_and_references(dataset: Dataset, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    shards = exported(dataset, "webdataset", tmp_path / "shards", "--jobs", 1)
    found = {}
    for sample in webdataset.WebDataset(sorted(map(str, shards.glob("*.tar"))), shardshuffle=False):
        for label in ("ts1", "ts2", "ts3"):
            row = json.loads(sample["scene.json"])[label]
            mixture, _ = soundfile.read(io.BytesIO(sample[f"{label}.flac"]), dtype="int16")
            found[row["mixture_id"]] = (mixture, row["text"])
    assert len(found) == len(dataset.mixtures)
    for row in dataset.mixtures:
        mixture, text = found[row.mixture_id]
        assert np.array_equal(mixture, sound(dataset, row.mixture_path))
        assert text == row.text
