"""An exported enhancer run by onnxruntime, hop by hop, without torch; see ``export.onnx`` for the file.

Any model takes part that has the inputs and outputs described there and the same metadata.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io import atomic, documents
from pse_bench.signal import streaming
from pse_bench.speaker.encoders import DEFAULT

KEY = "pse_bench"
ELSEWHERE = re.compile(rb"[\x0a\x8a]\x80*\x00?[\x08\x88]\x80*\x00?location")
"""A key "location", as a file has it that names others (which could be any on this machine, and would not be part
of what its hash says), however long its length is written."""


class Description(documents.Record):
    """The metadata: what a program has to know beside inputs and outputs. Sizes in samples, rates in Hz."""

    name: str
    description: str = ""
    training_data: str = ""
    encoder: str = DEFAULT
    sample_rate: int
    hop: int
    window: int
    embedding: int
    parameters: int | None = None
    macs_per_second: int | None = None


@dataclass(frozen=True)
class Model:
    """An opened file: the session, what it says about itself, the shapes of its state's parts, and its SHA-256."""

    session: Any
    about: Description
    state: dict[str, tuple[int, ...]]
    digest: str

    def __call__(self, mixture: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        """The estimate of a mixture, both float32 of shape (num_samples,)."""
        return np.concatenate(list(self.blocks([mixture], len(mixture), embedding)))

    def blocks(
        self, mixture: Iterable[np.ndarray], num_samples: int, embedding: np.ndarray
    ) -> Iterator[np.ndarray]:
        """The estimate in blocks of a mixture in blocks, together of shape (num_samples,)."""
        stream = Stream(self, embedding)
        return streaming.blocks(stream.step, mixture, num_samples, hop=stream.hop, delay=stream.delay)


def open_session(model: bytes | Path) -> Any:
    """A session of onnxruntime on one thread and the processor, which prints nothing. Raises its errors."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is said by the exception
    # a fallback would print and try the same again
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)


def open_model(path: Path) -> Model:
    """Open an exported file, on one thread. Raises InputError when it is missing or no such file, and where
    onnxruntime is not installed."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    if not find_spec("onnxruntime"):
        raise InputError(f"{path}: needs onnxruntime; run pip install 'pse-bench[onnx]'")
    content = path.read_bytes()
    if ELSEWHERE.search(content):
        raise InputError(f"{path}: keeps weights in other files; save it as one file")
    try:
        session = open_session(content)
        metadata = session.get_modelmeta().custom_metadata_map
        shapes = {node.name: tuple(node.shape) for node in session.get_inputs()}
        outputs = {node.name for node in session.get_outputs()}
    except Exception as error:  # onnxruntime's own errors have no common family
        raise InputError(f"{path}: onnxruntime cannot open it ({' '.join(str(error).split())})") from error
    if KEY not in metadata:
        raise InputError(f"{path}: has no metadata {KEY!r}; give a file of `pse-bench export onnx`")
    where = f"{path} (metadata)"
    about = documents.parse(Description, documents.parse_json(metadata[KEY], where), where)
    state = {name: shape for name, shape in shapes.items() if name not in ("frame", "embedding")}
    expected = {"frame": (1, about.hop), "embedding": (1, about.embedding)}
    answers = {"estimate", *(f"next_{name}" for name in state)}
    if {name: shapes.get(name) for name in expected} != expected or outputs != answers:
        raise InputError(
            f"{path}: has the inputs {', '.join(shapes)} and outputs {', '.join(sorted(outputs))}; expected frame "
            f"{expected['frame']}, embedding {expected['embedding']}, a state, estimate and the next state"
        )
    return Model(session, about, state, atomic.sha256(path))


class Stream:
    """One call's enhancement for an enrolled speaker's embedding, shape (embedding,)."""

    def __init__(self, model: Model, embedding: np.ndarray) -> None:
        self.hop = model.about.hop
        self.delay = model.about.window - model.about.hop
        self._session = model.session
        self._names = ["estimate", *(f"next_{name}" for name in model.state)]
        self._inputs = {name: np.zeros(shape, dtype=np.float32) for name, shape in model.state.items()}
        self._inputs["embedding"] = np.array(embedding, dtype=np.float32)[None]

    def step(self, frame: np.ndarray) -> np.ndarray:
        """Hear one hop, float32 of shape (hop,), and give one, ``delay`` samples late."""
        self._inputs["frame"] = frame[None]
        estimate, *state = self._session.run(self._names, self._inputs)
        self._inputs.update(zip((name.removeprefix("next_") for name in self._names[1:]), state, strict=True))
        return estimate[0]
