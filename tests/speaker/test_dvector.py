"""The d-vector: parity with the package it comes from, its file read as data, and what has no voice."""

import hashlib
import importlib.util
import io
import json
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from model_signals import RATE, talker

from pse_bench.errors import FailedScore, InputError, UndefinedScore
from pse_bench.io import audio
from pse_bench.speaker import dvector, dvector_weights
from pse_bench.speaker.dvector import embed
from pse_bench.speaker.dvector_weights import read_tensors
from pse_bench.speaker.encoders import similarity, speaker_similarity, speaker_similarity_of_failure

installed = pytest.mark.usefixtures("_dvector_weights")


@pytest.fixture
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights are read and no embedding is remembered."""
    monkeypatch.setattr(dvector, "_known", {})
    dvector._network.cache_clear()
    yield
    dvector._network.cache_clear()


# ---- parity


@installed
def test_embeddings_are_those_of_the_package(goldens) -> None:
    for name, samples in (("loud", talker(110.0, 5.0)), ("soft", 0.001 * talker(210.0, 1.0))):
        vector = embed(samples, RATE)
        assert vector.shape == (256,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)
        assert vector.min() >= 0.0
        np.testing.assert_allclose(vector, goldens["dvector"][name], atol=2e-6)


def test_mel_powers_are_those_of_the_package(goldens) -> None:
    mel = dvector.mel_spectrogram(talker(110.0, 5.0), sample_rate=RATE, frame=400, hop=160, num_mels=40)
    assert mel.shape == (501, 40)
    np.testing.assert_allclose(mel[[0, 1, 300, 500]], goldens["dvector"]["mel"], rtol=1e-6)


def test_windows_lie_where_the_package_has_them(goldens) -> None:
    for length, starts in goldens["dvector"]["starts"].items():
        assert dvector.window_starts(int(length)) == starts


@installed
def test_the_network_is_the_one_that_torch_runs() -> None:
    torch = pytest.importorskip("torch")
    tensors = read_tensors(dvector_weights.weights_path().read_bytes())
    lstm = torch.nn.LSTM(40, 256, 3, batch_first=True)
    lstm.load_state_dict({n[5:]: torch.from_numpy(v) for n, v in tensors.items() if n.startswith("lstm.")})
    windows = np.random.default_rng(0).exponential(0.01, (3, 160, 40)).astype(np.float32)
    with torch.no_grad():
        hidden = lstm(torch.from_numpy(windows))[1][0][-1].numpy()
    expected = np.maximum(hidden @ tensors["linear.weight"].T + tensors["linear.bias"], 0)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(dvector.forward(windows), expected, atol=2e-6)


@installed
def test_the_file_is_read_as_torch_reads_it() -> None:
    torch = pytest.importorskip("torch")
    path = dvector_weights.weights_path()
    state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    tensors = read_tensors(path.read_bytes())
    assert tensors.keys() == state.keys()
    assert all(np.array_equal(tensors[name], state[name].numpy()) for name in state)


@installed
def test_goldens_are_what_the_maker_makes(goldens) -> None:
    for name in ("torch", "librosa"):
        pytest.importorskip(name)
    if importlib.util.find_spec("resemblyzer") is None:
        pytest.skip("resemblyzer is not installed")
    code = "import json, make_model_goldens as m; print(json.dumps(m.reference_dvector()))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=Path(__file__).parents[1] / "helpers", capture_output=True, text=True, check=True,
    )  # fmt: skip
    made = json.loads(done.stdout)
    assert made["starts"] == goldens["dvector"]["starts"]
    for name in ("loud", "soft", "mel"):
        np.testing.assert_allclose(made[name], goldens["dvector"][name], rtol=1e-5, atol=1e-6)


# ---- what it hears


@installed
def test_the_same_voice_is_nearer_than_another() -> None:
    one, again, other = talker(110.0, 3.0), talker(110.0, 3.0, seed=1), talker(210.0, 3.0)
    alike = speaker_similarity(estimate=one, enrollment=again, sample_rate=RATE)
    apart = speaker_similarity(estimate=one, enrollment=other, sample_rate=RATE)
    assert 0.0 <= apart < alike <= 1.0
    assert similarity(embed(one, RATE), embed(one, RATE)) == pytest.approx(1.0)


@installed
def test_soft_voices_are_raised_and_loud_ones_left() -> None:
    voice = talker(110.0, 2.0)
    assert similarity(embed(1e-3 * voice, RATE), embed(1e-2 * voice, RATE)) > 0.99999
    assert similarity(embed(voice, RATE), embed(8 * voice, RATE)) < 0.99999


@installed
def test_muted_stretches_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    voice = talker(110.0, 4.0)
    pause = 1e-3 * np.random.default_rng(0).standard_normal(6 * RATE)
    kept = similarity(embed(voice, RATE), embed(np.concatenate([voice, pause]), RATE))
    monkeypatch.setattr(dvector, "_known", {})
    monkeypatch.setattr(dvector, "SILENT_DB", 300.0)
    counted = similarity(embed(voice, RATE), embed(np.concatenate([voice, pause]), RATE))
    # the window on the edge counts, and sounds a little different
    assert kept > 0.96
    assert counted < kept - 0.05


@installed
def test_many_windows_are_the_same_as_few(monkeypatch: pytest.MonkeyPatch) -> None:
    voice = talker(110.0, 6.0)
    whole = embed(voice, RATE)
    monkeypatch.setattr(dvector, "_known", {})
    monkeypatch.setattr(dvector, "_AT_ONCE", 2)
    np.testing.assert_allclose(embed(voice, RATE), whole, atol=1e-6)


@installed
def test_other_rates_are_resampled() -> None:
    voice = talker(110.0, 3.0)
    assert similarity(embed(audio.resample(voice, RATE, 48_000), 48_000), embed(voice, RATE)) > 0.999


@installed
def test_many_at_once_are_as_each_alone() -> None:
    pytest.importorskip("torch")
    voices = [talker(110.0, 3.0), talker(150.0, 0.7), talker(200.0, 5.0)]
    np.testing.assert_allclose(dvector.embed_all(voices, RATE), [embed(one, RATE) for one in voices], atol=1e-6)
    with pytest.raises(InputError, match="silent"):
        dvector.embed_all([voices[0], np.zeros(RATE)], RATE)


@installed
def test_an_embedding_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = embed(talker(120.0, 1.0), RATE)
    monkeypatch.setattr(dvector, "_embed_all", None)
    assert embed(talker(120.0, 1.0), RATE) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1.0


def test_few_embeddings_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dvector, "_known", {})
    monkeypatch.setattr(dvector, "_REMEMBERED", 2)
    monkeypatch.setattr(dvector, "_embed_all", lambda sounds, run: np.stack([sounds[0][:1]]))
    for value in (0.1, 0.2, 0.3):
        embed(np.full(RATE, value), RATE)
    assert len(dvector._known) == 2


# ---- what has no voice


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.ones(7_999), "0.50 s long, shorter than 0.5 s"),
        (np.zeros(0), "shorter than"),
        (np.zeros(RATE), "silent"),
        (np.full(RATE, 1e-30), "silent"),
        (np.full(RATE, np.nan), "NaN"),
        (np.ones((RATE, 2)), "shape"),
    ],
)
def test_what_has_no_voice_is_refused(samples: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        embed(samples, RATE)


def test_whose_fault_it_is() -> None:
    voice, silence, blip = talker(110.0, 1.0), np.zeros(RATE), talker(110.0, 0.4)
    with pytest.raises(UndefinedScore, match="the enrollment has no d-vector: it is silent"):
        speaker_similarity(estimate=silence, enrollment=silence, sample_rate=RATE)
    with pytest.raises(UndefinedScore, match="enrollment"):
        speaker_similarity_of_failure(enrollment=blip, sample_rate=RATE)
    with pytest.raises(UndefinedScore, match="the clip is shorter"):
        speaker_similarity(estimate=np.zeros(100), enrollment=voice, sample_rate=RATE)
    with pytest.raises(FailedScore, match="the estimate has no d-vector: it is silent"):
        speaker_similarity(estimate=silence, enrollment=voice, sample_rate=RATE)
    assert speaker_similarity_of_failure(enrollment=voice, sample_rate=RATE) == 0.0


# ---- the file


def checkpoint(document: object, storages: dict[str, list[float]] | None = None) -> bytes:
    """A file in torch's older format."""
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, document, list(storages or {})]
    body = [len(v).to_bytes(8, "little") + np.array(v, "<f4").tobytes() for v in (storages or {}).values()]
    return b"".join([*(part if isinstance(part, bytes) else pickle.dumps(part, 2) for part in head), *body])


class Mischief:
    """Pickles to a call of ``os.mkdir``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("place", ["document", "magic", "names"])
def test_the_file_cannot_run_code(tmp_path: Path, place: str) -> None:
    mischief = Mischief(tmp_path / "made")
    content = checkpoint({"model_state": {}, "optimizer": mischief if place == "document" else None})
    if place == "magic":
        content = pickle.dumps(mischief, 2) + content
    if place == "names":
        content = content.removesuffix(pickle.dumps([], 2)) + pickle.dumps(mischief, 2)
    with pytest.raises(InputError, match=r"holds posix\.mkdir, which is no tensor"):
        read_tensors(content)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["builtins.eval", "torch.DoubleStorage", "pse_bench.io.audio.read", "os.system"])
def test_only_float_tensors_are_known(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    document = b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + b"."
    with pytest.raises(InputError, match=f"holds {name}"):
        read_tensors(checkpoint(document))


def tensor_document(offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """The pickle of ``{"model_state": {"x": tensor}}``."""

    class Pickler(pickle._Pickler):
        def persistent_id(self, value: object) -> object:
            return ("storage", Global("torch", "FloatStorage"), "s", "cpu", 4, None) if value is STORAGE else None

        def save(self, value: object, save_persistent_id: bool = True) -> None:
            if isinstance(value, Global):
                self.write(b"c" + f"{value.module}\n{value.name}\n".encode())
            elif isinstance(value, Call):
                self.save(value.function)
                self.save(value.arguments)
                self.write(pickle.REDUCE)
            else:
                super().save(value, save_persistent_id)

    stream = io.BytesIO()
    rebuild = Global("torch._utils", "_rebuild_tensor_v2")
    tensor = Call(rebuild, (STORAGE, offset, shape, strides, False, OrderedDict()))
    Pickler(stream, 2).dump({"model_state": {"x": tensor}})
    return stream.getvalue()


class Global:
    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    def __init__(self, function: Global, arguments: tuple) -> None:
        self.function, self.arguments = function, arguments


STORAGE = object()


def test_tensors_are_stretches_of_their_storage() -> None:
    values = {"s": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]}
    content = checkpoint(tensor_document(1, (2, 3), (3, 1)), values)
    assert read_tensors(content)["x"].tolist() == [[2, 3, 4], [5, 6, 7]]
    for cut in range(len(content)):
        with pytest.raises(InputError, match="cannot be read"):
            read_tensors(content[:cut])


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(2, (2, 3), (3, 1)), (-3, (3,), (1,)), (0, (3, 2), (1, 3)), (0, (2,), (2,)), (0, (9,), (0,))],
)
def test_tensors_outside_their_storage_are_refused(offset: int, shape: tuple, strides: tuple) -> None:
    with pytest.raises(InputError, match="does not lie in one piece"):
        read_tensors(checkpoint(tensor_document(offset, shape, strides), {"s": [1.0] * 7}))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"garbage", pickle.dumps(3, 2) * 5])
def test_other_files_are_no_checkpoint(content: bytes) -> None:
    with pytest.raises(InputError, match="d-vector weights cannot be read"):
        read_tensors(content)


# ---- finding it


@pytest.mark.usefixtures("_forgetful")
def test_without_the_package_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(dvector_weights.VARIABLE, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "not installed" in dvector_weights.missing()
    with pytest.raises(InputError, match=r"pip install --no-deps resemblyzer==0\.1\.4"):
        embed(talker(110.0, 1.0), RATE)


@pytest.mark.usefixtures("_forgetful")
def test_the_variable_names_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    monkeypatch.setenv(dvector_weights.VARIABLE, str(path))
    assert f"{path}: no such file, named by {dvector_weights.VARIABLE}" in dvector_weights.missing()
    path.write_bytes(b"other")
    assert dvector_weights.missing() == ""
    with pytest.raises(InputError, match=r"weights\.pt: not the d-vector weights \(sha256 "):
        embed(talker(110.0, 1.0), RATE)


@installed
def test_the_known_file_is_the_one_that_is_used() -> None:
    assert hashlib.sha256(dvector_weights.weights_path().read_bytes()).hexdigest() == dvector_weights.SHA256


@installed
def test_neither_torch_nor_resemblyzer_is_imported() -> None:
    code = (
        "import sys, numpy as np\n"
        "from pse_bench.speaker.dvector import embed\n"
        "embed(np.sin(np.arange(16000.0)), 16000)\n"
        "names = ('torch', 'resemblyzer', 'librosa', 'webrtcvad', 'scipy')\n"
        "print([name for name in names if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
