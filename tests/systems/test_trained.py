"""Trained models as systems: checkpoints and ONNX files, whole and hop by hop, with any speaker encoder."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'pse-bench[baseline]'")
pytest.importorskip("onnx", reason="onnx is not installed: pip install 'pse-bench[baseline]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'pse-bench[baseline]'")

from checkpoints import replace_dvector, unit_embedding  # noqa: E402

from pse_bench.errors import InputError  # noqa: E402
from pse_bench.speaker.encoders import ENCODERS, Embed  # noqa: E402
from pse_bench.systems import base, registry, trained  # noqa: E402
from pse_bench.systems import onnx as onnx_system  # noqa: E402
from pse_bench.systems import onnx_export as export  # noqa: E402
from pse_bench.training import checkpoint  # noqa: E402
from pse_bench.training.models.e3net import E3Net  # noqa: E402
from pse_bench.training.models.inference import run_stream  # noqa: E402
from pse_bench.training.models.pvad import PVAD  # noqa: E402

RATE = 16_000


@pytest.fixture(scope="module")
def onnx_path(checkpoint_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "its.onnx"
    assert export.export(checkpoint_path, path) < 1e-4
    return path


@pytest.fixture
def work() -> base.SystemInput:
    chance = np.random.default_rng(2)
    target, rest = (0.1 * chance.standard_normal((2, 8123))).astype(np.float32)
    enrollment = chance.standard_normal(9000).astype(np.float32)
    return base.SystemInput(target + rest, enrollment, RATE, target, rest)


def run(name: str, work: base.SystemInput, streaming: bool = False) -> np.ndarray:
    return base.enhance(registry.load(name, streaming=streaming), work, "s000007_TS2")


def test_all_ways_give_the_same(
    checkpoint_path: Path, onnx_path: Path, work: base.SystemInput, model: E3Net, other_encoder: Embed
) -> None:
    embedding = other_encoder(work.enrollment, RATE)
    with torch.no_grad():
        expected = model(*(torch.from_numpy(v)[None] for v in (work.mixture, embedding)))[0].numpy()
    whole = run(str(checkpoint_path), work)
    assert np.abs(expected).max() > 0.05
    np.testing.assert_allclose(whole, expected, atol=1e-6)
    assert np.abs(run(str(checkpoint_path), work, streaming=True) - whole).max() < 1e-5
    assert np.abs(run(str(onnx_path), work) - whole).max() < 1e-4
    assert np.array_equal(run(str(onnx_path), work, streaming=True), run(str(onnx_path), work))


@pytest.mark.parametrize("num_samples", [1, 159, 160, 161, 1600])
def test_streams_of_any_length_are_aligned(model: E3Net, num_samples: int) -> None:
    mixture = np.random.default_rng(0).standard_normal(num_samples).astype(np.float32)
    embedding = np.full(256, 1 / 16, dtype=np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(mixture)[None], torch.from_numpy(embedding)[None])[0].numpy()
    assert np.abs(run_stream(model, embedding, mixture) - expected).max() < 1e-5


@pytest.mark.usefixtures("other_encoder")
def test_they_describe_themselves(checkpoint_path: Path, onnx_path: Path) -> None:
    ours, theirs = registry.load(str(checkpoint_path)), registry.load(str(onnx_path))
    assert ours.system.name == "its (its.safetensors)"
    assert theirs.system.name == "its (its.onnx)"
    for loaded in (ours, theirs):
        assert loaded.system.causal is True
        assert loaded.system.algorithmic_latency_ms == 20.0
        assert 0.75e6 < loaded.system.parameters < 1e6
        assert 70e6 < loaded.macs_per_second < 90e6
        assert loaded.complete
        assert loaded.system.version == loaded.code[:12]
    assert ours.code != theirs.code


def test_another_encoder(checkpoint_path: Path, onnx_path: Path, work: base.SystemInput) -> None:
    """The seam: any function from samples and rate to a vector."""
    heard = []

    def encoder(samples: np.ndarray, sample_rate: int) -> np.ndarray:
        heard.append((len(samples), sample_rate))
        return unit_embedding(samples, sample_rate)[::-1]

    for path in (checkpoint_path, onnx_path):
        given = trained.load(str(path), encoder=encoder).run(work)
        usual = trained.load(str(path), encoder=unit_embedding).run(work)
        assert given.shape == work.mixture.shape
        assert not np.allclose(given, usual, atol=1e-4)
    assert heard == [(9000, RATE)] * 2
    short = trained.load(str(checkpoint_path), encoder=lambda samples, sample_rate: np.ones(3))
    with pytest.raises(InputError, match=r"the encoder gave shape \(3,\), .* expects \(256,\)"):
        short.run(work)


def test_an_enrollment_is_heard_once_by_whatever_system(
    checkpoint_path: Path, onnx_path: Path, work: base.SystemInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another encoder, by its weights, hears it again; one that a caller hands in remembers for itself."""
    heard = []

    def listen(samples: np.ndarray, sample_rate: int) -> np.ndarray:
        heard.append(len(samples))
        return unit_embedding(samples, sample_rate)

    def estimate(path: Path, **asked: object) -> np.ndarray:
        return trained.load(str(path), memory=tmp_path, **asked).run(work)

    replace_dvector(monkeypatch, listen, "weights")
    expected = trained.load(str(checkpoint_path)).run(work)
    assert [np.array_equal(estimate(checkpoint_path), expected) for _ in range(2)] == [True, True]
    estimate(onnx_path)
    assert len(heard) == 2
    estimate(checkpoint_path, encoder=unit_embedding)
    replace_dvector(monkeypatch, listen, "other weights")
    estimate(checkpoint_path)
    assert len(heard) == 3


def test_an_encoder_that_is_not_known_here(tmp_path: Path, model: E3Net) -> None:
    path = tmp_path / "a.safetensors"
    checkpoint.save(path, model, checkpoint.describe(model, encoder="ecapa"))
    with pytest.raises(InputError, match="trained with the speaker encoder 'ecapa', known here: dvector"):
        registry.load(str(path))
    assert trained.load(str(path), encoder=unit_embedding).system.causal


@pytest.mark.usefixtures("other_encoder")
def test_a_function_of_its_own_refuses_another_rate(
    checkpoint_path: Path, onnx_path: Path, work: base.SystemInput
) -> None:
    other = base.SystemInput(work.mixture, work.enrollment, 8000, work.target, work.rest)
    for path in (checkpoint_path, onnx_path):
        assert run(str(path), other).shape == work.mixture.shape
        with pytest.raises(
            InputError, match=r"the mixture has 8000 Hz and the system hears 16000 Hz; call it through"
        ):
            trained.load(str(path)).run(other)


def test_the_number_of_threads_is_left_as_it_was(
    checkpoint_path: Path, work: base.SystemInput, other_encoder: Embed
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        two = run(str(checkpoint_path), work)
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        assert np.array_equal(run(str(checkpoint_path), work), two)
    finally:
        torch.set_num_threads(before)


# ---- what cannot be loaded


def test_a_recipe_without_weights() -> None:
    with pytest.raises(InputError, match="system baseline:wiener: no weights of that name come with this version"):
        registry.load("baseline:wiener")


@pytest.mark.parametrize("name", ["mixture", "oracle-mask", "numpy:abs"])
def test_what_cannot_be_streamed(name: str) -> None:
    with pytest.raises(InputError, match=f"system {name}: cannot be streamed"):
        registry.load(name, streaming=True)


def test_a_pvad_is_no_enhancer(tmp_path: Path) -> None:
    path = tmp_path / "pvad.safetensors"
    vad = PVAD()
    checkpoint.save(path, vad, checkpoint.describe(vad))
    with pytest.raises(InputError, match=r"pvad\.safetensors: holds a pvad, which enhances nothing"):
        registry.load(str(path))
    with pytest.raises(InputError, match="only an e3net can be exported"):
        export.export(path, tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()


def test_onnx_files_that_are_none(tmp_path: Path, onnx_path: Path) -> None:
    import onnx

    path = tmp_path / "a.onnx"
    with pytest.raises(InputError, match="no such file"):
        registry.load(str(path))
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="onnxruntime cannot open it"):
        registry.load(str(path))
    stored = onnx.load(onnx_path)
    stored.metadata_props[0].value = stored.metadata_props[0].value.replace('"hop": 160', '"hop": 80')
    onnx.save(stored, path)
    with pytest.raises(InputError, match=r"expected frame \(1, 80\)"):
        registry.load(str(path))
    del stored.metadata_props[:]
    onnx.save(stored, path)
    with pytest.raises(InputError, match=r"has no metadata 'pse_bench'; give a file of `pse-bench export onnx`"):
        registry.load(str(path))


def test_an_export_that_differs_is_not_kept(
    checkpoint_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_difference", lambda model, path: float("nan"))
    with pytest.raises(InputError, match="differs from torch by nan"):
        export.export(checkpoint_path, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


# ---- without torch


def test_an_onnx_file_needs_no_torch(onnx_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from pse_bench.systems import base, trained\n"
        f"model = trained.load({str(onnx_path)!r}, encoder=lambda samples, rate: np.ones(256) / 16)\n"
        "given = base.SystemInput(np.ones(1000, np.float32), np.ones(9000, np.float32), 16000, None, None)\n"
        "print(model.run(given).shape)\n"
        "try:\n    trained.load('baseline:its')\nexcept Exception as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        "(1000,)",
        "system baseline:its: needs torch; run pip install 'pse-bench[baseline]'",
    ], done.stderr


def test_the_stream_of_a_model_from_elsewhere(tmp_path: Path) -> None:
    """A hand-made file without an LSTM or torch: what the description asks for is enough."""
    from onnx import TensorProto, helper, save

    def value(name: str, size: int) -> object:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])

    graph = helper.make_graph(
        [
            helper.make_node("Identity", ["kept"], ["estimate"]),
            helper.make_node("Identity", ["frame"], ["next_kept"]),
        ],
        "late",
        [value("frame", 80), value("embedding", 4), value("kept", 80)],
        [value("estimate", 80), value("next_kept", 80)],
    )
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    about = onnx_system.Description(name="late", sample_rate=RATE, hop=80, window=160, embedding=4)
    entry = file.metadata_props.add()
    entry.key, entry.value = onnx_system.KEY, about.model_dump_json()
    save(file, tmp_path / "late.onnx")
    late = trained.load(str(tmp_path / "late.onnx"), encoder=lambda samples, rate: np.ones(4))
    mixture = np.random.default_rng(0).standard_normal(1001).astype(np.float32)
    given = base.SystemInput(mixture, mixture, RATE, mixture, mixture)
    assert np.array_equal(late.run(given), mixture)
    assert late.system.parameters is None


def test_the_fixture_of_the_other_encoder_is_taken_back(other_encoder: Callable) -> None:
    assert ENCODERS["dvector"].embed is other_encoder
