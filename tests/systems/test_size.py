"""Parameters and multiply-accumulates, counted while a system runs, against closed forms and the package onnx."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pse_bench.systems import profile, size

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'pse-bench[baseline]'")
FRAMES, BATCH = 7, 2
pytestmark = [
    pytest.mark.filterwarnings("ignore:You are using the legacy"),
    pytest.mark.filterwarnings("ignore:The feature will be removed"),
    pytest.mark.filterwarnings("ignore:Converting a tensor to a Python boolean"),
    pytest.mark.filterwarnings("ignore:Exporting a model to ONNX with a batch_size"),
]

LAYERS: dict[str, tuple[Any, tuple[int, ...], int]] = {
    "matrix": (lambda: torch.nn.Linear(5, 3), (FRAMES, 5), FRAMES * 5 * 3),
    "convolution": (lambda: torch.nn.Conv1d(4, 6, 3, groups=2), (1, 4, 9), 7 * 6 * 2 * 3),
    "transposed": (lambda: torch.nn.ConvTranspose1d(4, 6, 3, stride=2), (1, 4, 9), 9 * 4 * 6 * 3),
    "LSTM": (lambda: torch.nn.LSTM(5, 3), (FRAMES, BATCH, 5), FRAMES * BATCH * 4 * 3 * (5 + 3)),
    "GRU": (lambda: torch.nn.GRU(5, 3), (FRAMES, BATCH, 5), FRAMES * BATCH * 3 * 3 * (5 + 3)),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_torch_layers(kind: str) -> None:
    make, shape, macs = LAYERS[kind]
    layer = make().eval()
    with torch.inference_mode():
        counted = size.count(lambda: layer(torch.zeros(shape)))
    assert counted == size.Size(sum(one.numel() for one in layer.parameters()), macs)


@pytest.mark.parametrize("kind", LAYERS)
def test_onnx_layers(kind: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'pse-bench[baseline]'")
    onnxruntime = pytest.importorskip("onnxruntime")
    make, shape, macs = LAYERS[kind]
    path = tmp_path / "layer.onnx"
    torch.onnx.export(make().eval(), (torch.zeros(shape),), str(path), dynamo=False, input_names=["x"])
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    counted = size.count(lambda: [session.run(None, {"x": np.zeros(shape, np.float32)}) for _ in range(3)])
    assert counted.macs == 3 * macs
    graph = onnx.load(str(path)).graph
    tensors = [
        *graph.initializer,
        *(each.t for node in graph.node for each in node.attribute if each.HasField("t")),
    ]
    assert counted.parameters == sum(int(np.prod(one.dims)) for one in tensors if one.data_type == 1)
    assert onnxruntime.InferenceSession.run.__qualname__ == "Session.run", "as it was"


def test_modules_that_do_not_run_do_not_count() -> None:
    one, other = torch.nn.Linear(5, 3), torch.nn.Linear(50, 30)
    assert size.count(lambda: one(torch.zeros(5))).parameters == 18
    assert other.weight.numel() == 1500
    assert size.count(lambda: None) == size.Size()


def test_a_module_whose_part_runs_counts_as_a_whole() -> None:
    class Masking(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.scale = torch.nn.Linear(5, 3), torch.nn.Parameter(torch.ones(3))

        def step(self, frame: Any) -> Any:
            return self.scale * self.layer(frame)

    model = Masking()
    assert size.count(lambda: model.step(torch.zeros(5))).parameters == 21


@pytest.mark.parametrize("streaming", [False, True])
def test_the_baseline_is_as_large_as_it_says(
    checkpoint_path: Path, other_encoder: object, streaming: bool
) -> None:
    system = profile.registry.load(str(checkpoint_path), streaming=streaming)
    counted = profile.measure_size(system, 16_000)
    assert counted.parameters == system.system.parameters
    assert system.macs_per_second <= counted.macs < 1.06 * system.macs_per_second, "the embedding anew each hop"
