"""Parameters and multiply-accumulates of a system, counted while it runs: of torch modules, and of ONNX files in
onnxruntime. Of other libraries nothing is known.

Multiply-accumulates are those of matrices, convolutions and recurrent layers, which is all but some percent. Torch
counts them itself, operation by operation. An ONNX file is run once more with onnxruntime's profile, which has the
shapes that each node met; its parameters are the tensors in the file, whose sizes are read here, since running one
does not take the package ``onnx``.
"""

import gc
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

GRAPH, NODE, INITIALIZER, ATTRIBUTE = 7, 1, 5, 5  # numbers of fields in onnx.proto
NESTED = {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"}  # of an attribute: t, g, tensors, graphs
DIMENSIONS, TYPE = 1, 2  # of a tensor
WEIGHTS = {1, 2, 3, 10, 11, 16, 17, 18, 19, 20, 21, 22}  # floats of all kinds, and quantised to 4 and 8 bits
ONCE_MORE = 8  # sets of shapes that a session is run once more with


@dataclass
class Size:
    """What was counted; None where nothing was."""

    parameters: int | None = None
    macs: int | None = None

    def add(self, parameters: int, macs: int) -> None:
        """More of either; nothing is no count."""
        self.parameters = (self.parameters or 0) + parameters if parameters else self.parameters
        self.macs = (self.macs or 0) + macs if macs else self.macs


def count(run: Callable[[], object]) -> Size:
    """What a call needs: the parameters of the models that run in it, and its multiply-accumulates."""
    size = Size()
    with ExitStack() as watching:
        if "torch" in sys.modules:
            watching.enter_context(_torch(size))
        if "onnxruntime" in sys.modules:
            watching.enter_context(_onnxruntime(size))
        run()
    return size


@contextmanager
def _torch(size: Size) -> Iterator[None]:
    """Add what torch computes meanwhile. The modules that run and those that they are part of have parameters."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    ran = set[int]()
    watch = torch.nn.modules.module.register_module_forward_hook(lambda module, *_: ran.add(id(module)))
    counter = FlopCounterMode(display=False)
    try:
        with warnings.catch_warnings(), counter:
            warnings.filterwarnings("ignore", "TF32 acceleration", UserWarning)  # by the next line, on any CPU
            with torch.backends.mkldnn.flags(enabled=False):  # whose LSTM is one operation, and not counted
                yield
    finally:
        watch.remove()
    modules = [each for each in gc.get_objects() if issubclass(type(each), torch.nn.Module)]
    whole = [each for each in modules if not ran.isdisjoint(map(id, each.modules()))]
    parameters = {id(one): one.numel() for each in whole for one in each.parameters()}
    size.add(sum(parameters.values()), counter.get_total_flops() // 2)


@dataclass
class _Calls:
    """The calls of a session: an example, and how many there were, by the shapes that it was given."""

    session: Any
    examples: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


@contextmanager
def _onnxruntime(size: Size) -> Iterator[None]:
    """Add what sessions of onnxruntime compute meanwhile."""
    from onnxruntime import InferenceSession

    seen: dict[int, _Calls] = {}
    run = InferenceSession.run

    def watched(self: Any, names: Any, given: Any, *rest: Any, **options: Any) -> Any:
        calls = seen.setdefault(id(self), _Calls(self))
        shapes = str({name: getattr(value, "shape", ()) for name, value in given.items()})
        if shapes in calls.examples or len(calls.examples) < ONCE_MORE:
            calls.examples.setdefault(shapes, dict(given))
        calls.counts[shapes] = calls.counts.get(shapes, 0) + 1
        return run(self, names, given, *rest, **options)

    InferenceSession.run = watched
    try:
        yield
    finally:
        del InferenceSession.run  # what it inherits is there again
    for calls in seen.values():
        model = calls.session._model_bytes or Path(calls.session._model_path).read_bytes()
        macs = sum(calls.counts[shapes] * _macs(model, given) for shapes, given in calls.examples.items())
        size.add(parameters_of_onnx(model), macs)


def _macs(model: bytes, given: dict[str, Any]) -> int:
    """Multiply-accumulates of an ONNX file's nodes for some inputs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # nodes as in the file
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_prepacking", "1")  # weights stay among the inputs
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        session.run(None, given)
        events = json.loads(Path(session.end_profiling()).read_text())
    return sum(
        _macs_of_node(event["args"]["op_name"], *(_shapes(event["args"][f"{way}_type_shape"]) for way in WAYS))
        for event in events
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
    )


WAYS = ("input", "output")


def _shapes(listed: list[dict[str, list[int]]]) -> list[list[int]]:
    """Shapes without their types."""
    return [shape for each in listed for shape in each.values()]


def _macs_of_node(kind: str, given: list[list[int]], made: list[list[int]]) -> int:
    """Multiply-accumulates of a node by the shapes of its inputs, weights among them, and outputs."""
    match kind:
        case "MatMul" | "MatMulInteger" | "QLinearMatMul":
            return prod(made[0]) * given[0][-1]
        case "Gemm":
            return prod(given[0]) * made[0][1]
        case "Conv" | "ConvInteger" | "QLinearConv":
            return prod(made[0]) * prod(given[3 if kind == "QLinearConv" else 1][1:])
        case "ConvTranspose":
            return prod(given[0]) * prod(given[1][1:])
        case "LSTM" | "GRU" | "RNN" | "DynamicQuantizeLSTM":
            return prod(given[0][:2]) * (prod(given[1]) + prod(given[2]))
    return 0


def parameters_of_onnx(model: bytes) -> int:
    """Numbers in the weights of an ONNX file, of its constants too."""
    return sum(_in_graph(graph) for number, graph in _fields(memoryview(model)) if number == GRAPH)


def _in_graph(graph: memoryview) -> int:
    total = 0
    for number, value in _fields(graph):
        if number == INITIALIZER:
            total += _in_tensor(value)
        elif number == NODE:
            for attribute in (each for inner, each in _fields(value) if inner == ATTRIBUTE):
                for inner, each in _fields(attribute):
                    if inner in NESTED:
                        total += _in_tensor(each) if NESTED[inner] == "tensor" else _in_graph(each)
    return total


def _in_tensor(tensor: memoryview) -> int:
    dimensions, kind = list[int](), 0
    for number, value in _fields(tensor):
        if number == DIMENSIONS:
            dimensions += [value] if isinstance(value, int) else _packed(value)
        elif number == TYPE:
            kind = value
    return prod(dimensions) if kind in WEIGHTS else 0


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """The fields of a message of Protocol Buffers: numbers, and values as they are or as bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, place = _varint(message, place)
            yield number, value
        else:
            size, place = _varint(message, place) if wire == 2 else ({1: 8, 5: 4}[wire], place)
            yield number, message[place : place + size]
            place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def _packed(values: memoryview) -> list[int]:
    place, found = 0, []
    while place < len(values):
        value, place = _varint(values, place)
        found.append(value)
    return found
