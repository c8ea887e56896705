"""Training and the models that come of it; parsers that need torch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import valid
from target import Read, Target, of_file, of_text


def _config(task: str) -> Callable[[Path], Read]:
    from pse_bench.training import config

    return of_file("run.yaml", lambda path: config.load(str(path), task=task))


def _setting(text: str) -> None:
    from pse_bench.training import config

    config.load("pvad" if "pvad" in config.shipped() else config.shipped()[0], (text,), task="pvad")


def _configs(task: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        from pse_bench.training import config

        found = [(config.SHIPPED / f"{name}.yaml").read_bytes() for name in config.shipped()[-3:]]
        return [content for content in found if f"task: {task}".encode() in content]

    return seeds


def _speakers(path: Path) -> None:
    from pse_bench.training.data import sources

    sources.allowed([valid.UTTERANCE], path)


def _checkpoint(path: Path) -> None:
    from pse_bench.training import checkpoint

    checkpoint.load(path)


def _checkpoints() -> list[bytes]:
    import torch
    from safetensors.torch import save

    from pse_bench.training import checkpoint
    from pse_bench.training.models.e3net import E3Net, E3NetConfig
    from pse_bench.training.models.pvad import PVAD, PVADConfig

    torch.manual_seed(0)
    small = E3NetConfig(filters=320, bottleneck=4, fc=4, lstm=4, layers=1, embedding=4)
    made = [E3Net(small), PVAD(PVADConfig(mels=8, hidden=4, layers=1, embedding=4))]
    return [
        save(
            model.state_dict(),
            metadata={"pse_bench": json.dumps(checkpoint.describe(model).model_dump(by_alias=True))},
        )
        for model in made
    ]


def _run(folder: Path) -> Read:
    from pse_bench.training import run

    def read(content: bytes) -> None:
        (folder / "run.json").write_bytes(content)
        run.TrainingRun(folder, {"config": {"seed": 1}, "data": "a"})

    return read


def _log(path: Path) -> None:
    from pse_bench.training import run

    run.Log(path, 40)


def _prepared(name: str) -> Callable[[Path], Read]:
    """What describes a folder of the training cache."""

    def opened(folder: Path) -> Read:
        from pse_bench.training.data import clip_store, enrollment_pool, rir_spectra

        def read(content: bytes) -> None:
            (folder / f"{name}.json").write_bytes(content)
            if name == "acoustics":
                rooms = rir_spectra.RIRSpectra.open(folder)
                assert all(isinstance(size, int) for size in (rooms.size, rooms.chunk, rooms.pre_delay)), (
                    rooms.fingerprint
                )
                assert isinstance(rooms.rooms, list)
            elif name == "enrollments":
                pool = enrollment_pool.EnrollmentPool.open(folder)
                assert isinstance(pool.of_clip, dict), pool.fingerprint
            else:
                stuff = clip_store.ClipStore.open(folder)
                assert isinstance([stuff.clips, stuff.noises], list), (stuff.sample_rate, stuff.fingerprint)

        return read

    return opened


PREPARED: dict[str, Any] = {
    "acoustics": {
        **{"fingerprint": valid.HASH, "size": 900, "chunk": 800, "lead": 40},
        "rooms": [
            [
                [{"whole": 0, "early": 1, "direct": 40, "raw": [0, 90]}],
                [{"whole": 2, "early": 2, "direct": 41, "raw": [90, 80]}],
            ]
        ],
    },
    "enrollments": {
        **{"fingerprint": valid.HASH, "encoder": "dvector"},
        "crops": [{"clip": 0, "start": 10, "num_samples": 90, "condition": "clean"}],
    },
    "material": {
        **{"fingerprint": valid.HASH, "sample_rate": valid.RATE},
        "clips": [
            {
                **{
                    "name": "c/u",
                    "person": "c/anna",
                    "voice": "c/anna*1.0",
                    "gender": "F",
                    "session": "",
                    "sentence": "",
                },
                "start": 0,
                "num_samples": 90,
            }
        ],
        "noises": [{"name": "c/n", "category": "hum", "start": 0, "num_samples": 90}],
    },
}


def _onnx(path: Path) -> None:
    from pse_bench.systems import onnx as onnx_system

    onnx_system.open_model(path)


def _models() -> list[bytes]:
    """An exported model's inputs and outputs without anything in between."""
    import onnx
    from onnx import TensorProto, helper

    def value(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    nodes = [
        helper.make_node("Identity", ["frame"], ["estimate"]),
        helper.make_node("Identity", ["h"], ["next_h"]),
    ]
    inputs = [value("frame", 1, 8), value("embedding", 1, 4), value("h", 1, 2)]
    graph = helper.make_graph(nodes, "g", inputs, [value("estimate", 1, 8), value("next_h", 1, 2)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    about = {"name": "m", "sample_rate": valid.RATE, "hop": 8, "window": 16, "embedding": 4}
    helper.set_model_props(model, {"pse_bench": json.dumps(about)})
    return [onnx._serialize(model) if hasattr(onnx, "_serialize") else model.SerializeToString()]


TARGETS: tuple[Target, ...] = (
    Target("config-pvad", "baseline.config.load", "yaml", _configs("pvad"), _config("pvad"), 10_000),
    Target("config-pse", "baseline.config.load", "yaml", _configs("pse"), _config("pse"), 10_000),
    Target(
        *("set-option", "baseline.config.load(--set)", "yaml"),
        lambda: [b"optimiser.lr=0.0005", b"steps=100", b"model.hidden=8", b"data.speeds=[1.0, 1.1]"],
        of_text(_setting),
        10_000,
    ),
    Target(
        *("speakers", "baseline.sources.allowed", "csv"),
        lambda: [b"corpus,speaker_id,role\nc,anna,training\nc,bert,target\n"],
        of_file("speakers.csv", _speakers),
        80_000,
    ),
    Target(
        *("checkpoint", "baseline.checkpoint.load", "safetensors"),
        _checkpoints,
        of_file("m.safetensors", _checkpoint),
        10_000,
    ),
    Target(
        *("run.json", "baseline.journey.Run", "json"),
        lambda: [valid.text({"config": {"seed": 1}, "data": "a"})],
        _run,
        80_000,
    ),
    Target(
        *("log.csv", "baseline.journey.Log", "csv"),
        lambda: [b"step,loss,lr\n20,0.5,1e-3\n40,0.25,1e-3\n60,0.2,1e-3\n"],
        of_file("log.csv", _log),
        80_000,
    ),
    *(
        Target(
            *(f"cache-{name}", f"baseline.{name}", "json"),
            lambda content=content: [valid.text(content)],
            _prepared(name),
            60_000,
        )
        for name, content in PREPARED.items()
    ),
    Target("onnx", "onnx_system.open_model", "binary", _models, of_file("m.onnx", _onnx), 10_000),
)
