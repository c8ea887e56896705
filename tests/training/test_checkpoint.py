"""Checkpoints: one file that describes itself, whole or absent, and never unpickled."""

import copy
import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'pse-bench[baseline]'")
from safetensors.torch import save_file  # noqa: E402

from pse_bench.errors import InputError  # noqa: E402
from pse_bench.training import checkpoint  # noqa: E402
from pse_bench.training.models.e3net import E3Net, E3NetConfig  # noqa: E402


def test_a_checkpoint_comes_back_as_it_was(checkpoint_path: Path, model: E3Net) -> None:
    back, about = checkpoint.load(checkpoint_path)
    assert back.config == model.config
    assert not back.training
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in back.state_dict().items())
    assert (about.kind, about.recipe, about.seed, about.step) == ("e3net", "its", 3, 10)
    assert about.metrics == {"tsos": 0.5}
    assert about.data == {"speech": "abc"}
    beside = json.loads(checkpoint_path.with_suffix(".json").read_text())
    assert beside == about.model_dump(by_alias=True)
    assert sorted(path.name for path in checkpoint_path.parent.iterdir()) == ["its.json", "its.safetensors"]


def test_the_json_is_for_people_only(checkpoint_path: Path, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(checkpoint_path.read_bytes())
    assert checkpoint.load(tmp_path / "a.safetensors")[1].recipe == "its"


def test_a_write_that_fails_leaves_the_old_one(
    checkpoint_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(checkpoint_path.read_bytes())

    def fails(part: Path, content: bytes) -> None:
        part.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fails)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.write(path, {"x": torch.zeros(3)}, {})
    assert path.read_bytes() == checkpoint_path.read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.skipif(os.name == "nt", reason="permissions of another kind")
def test_a_group_can_read_it(tmp_path: Path, model: E3Net) -> None:
    before = os.umask(0o022)
    try:
        checkpoint.save(tmp_path / "a.safetensors", model, checkpoint.describe(model))
    finally:
        os.umask(before)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o644


def test_weights_of_16_bit_are_read_as_32(tmp_path: Path, model: E3Net) -> None:
    about = checkpoint.describe(model)
    checkpoint.save(tmp_path / "half.safetensors", copy.deepcopy(model).half(), about)
    checkpoint.save(tmp_path / "full.safetensors", model, about)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * (tmp_path / "full.safetensors").stat().st_size
    found, _ = checkpoint.load(tmp_path / "half.safetensors")
    for name, value in found.state_dict().items():
        assert value.dtype == model.state_dict()[name].dtype
        assert torch.allclose(value, model.state_dict()[name], rtol=1e-3, atol=1e-6)


def test_other_tensors_can_be_kept_too(tmp_path: Path) -> None:
    tensors = {"moment": torch.arange(4.0).reshape(2, 2).T, "step": torch.tensor(7)}
    checkpoint.write(tmp_path / "state.safetensors", tensors, {"epoch": 2})
    back, document = checkpoint.read(tmp_path / "state.safetensors")
    assert document == {"epoch": 2}
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)


def stored(path: Path, net: E3Net, change: dict) -> Path:
    document = checkpoint.describe(net).model_dump(by_alias=True) | change
    checkpoint.write(path, net.state_dict(), document)
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "gpt"}, "a.safetensors: kind"),
        ({"recipes": "its"}, "unknown key 'recipes'; did you mean 'recipe'"),
        ({"schema": 2}, "schema"),
        ({"model": {"depth": 3}}, "cannot be used .unknown key 'model.depth'; known keys: sample_rate"),
        ({"model": {"filters": 7}}, "its configuration cannot be used"),
        ({"model": {"filters": "many"}}, "its configuration cannot be used"),
        ({"model": {"layers": 3}}, "its weights do not fit its configuration"),
    ],
)
def test_a_description_that_does_not_fit(tmp_path: Path, model: E3Net, change: dict, words: str) -> None:
    path = stored(tmp_path / "a.safetensors", model, change)
    with pytest.raises(InputError, match=words) as caught:
        checkpoint.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path, checkpoint_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(InputError, match="no such file"):
        checkpoint.load(path)
    path.write_bytes(checkpoint_path.read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged or no safetensors file"):
        checkpoint.load(path)
    torch.save({"x": torch.zeros(2)}, path)
    with pytest.raises(InputError, match="damaged or no safetensors file"):
        checkpoint.load(path)
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(InputError, match="holds weights without their description"):
        checkpoint.load(path)


class Planted:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return (os.mkdir, (str(self.mark),))


def test_a_pickle_under_our_name_is_never_unpickled(tmp_path: Path) -> None:
    path, planted = tmp_path / "model.safetensors", pickle.dumps(Planted(tmp_path / "mark"))
    path.write_bytes(planted)
    with pytest.raises(InputError, match="damaged or no safetensors file"):
        checkpoint.load(path)
    with zipfile.ZipFile(path, "w") as stored:  # as torch writes a checkpoint
        stored.writestr("archive/data.pkl", planted)
    with pytest.raises(InputError, match="damaged or no safetensors file"):
        checkpoint.load(path)
    assert not (tmp_path / "mark").exists()


def test_a_description_of_another_model_is_our_fault(tmp_path: Path, model: E3Net) -> None:
    about = checkpoint.describe(E3Net(E3NetConfig(layers=1)))
    with pytest.raises(ValueError, match="the description is of another model"):
        checkpoint.save(tmp_path / "a.safetensors", model, about)
    with pytest.raises(ValueError, match=r"ends in \.safetensors"):
        checkpoint.write(tmp_path / "a.pt", {}, {})


def test_shipped_weights_load() -> None:
    for name, path in checkpoint.shipped().items():
        _, about = checkpoint.load(path)
        assert name in {about.recipe, about.kind}


def test_the_old_name_of_the_package_gives_the_same_modules() -> None:
    with pytest.warns(DeprecationWarning, match=r"pse_bench\.training"):
        from pse_bench.baseline.checkpoint import load

    assert load is checkpoint.load
