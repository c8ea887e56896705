"""One contract for each kind of thing that people add. Every entry keeps it, those of installed packages too."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pse_bench import metrics
from pse_bench.corpora.readers import READERS
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.export.exporter import exporters, items
from pse_bench.io.documents import Record
from pse_bench.registry import Registry
from pse_bench.runtime.executor import Serial
from pse_bench.runtime.registry import EXECUTORS, ExecutorOptions
from pse_bench.schemas import SimulatedRoom
from pse_bench.simulation.room import ENGINES
from pse_bench.speaker.encoders import ENCODERS
from pse_bench.systems import base, registry

RATE = 16_000
REGISTRIES: dict[str, Registry[Any]] = {
    "systems": registry.SYSTEMS,
    "metrics": metrics.REGISTRY,
    "corpora": READERS,
    "engines": ENGINES,
    "encoders": ENCODERS,
    "executors": EXECUTORS,
    "exporters": exporters(),
}


def sound(seed: int, seconds: float = 2.0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    return (0.1 * chance.standard_normal(round(seconds * RATE))).astype(np.float32)


def every(kind: str) -> Any:
    """Every entry of a registry, ours and of installed packages, as parameters of a test."""
    return pytest.mark.parametrize("name", [*REGISTRIES[kind], *REGISTRIES[kind].outside()])


@every("systems")
def test_a_system_gives_what_it_says(name: str) -> None:
    spec = registry.SYSTEMS.find(name)
    output = spec.output if isinstance(spec, registry.SystemSpec) else "audio"
    target, rest = sound(1), sound(2)
    given = base.SystemInput(target + rest, sound(3), RATE, target, rest)
    loaded = registry.load(name, output=output)
    check = base.enhance if output == "audio" else base.detect
    assert len(check(loaded, given, "a mixture"))  # shape, type and numbers are checked
    assert loaded.system.version


@every("metrics")
def test_a_metric_says_what_it_is_and_keeps_to_it(name: str) -> None:
    metric = metrics.REGISTRY.find(name)
    assert metric.name == name
    assert metric.description
    assert metric.source
    assert metric.version >= 1
    if metric.of != "clip" or "transcribe" in metric.needs or metric.missing():
        return
    reference = sound(4)
    clip = metrics.Clip(
        estimate=0.9 * reference,
        mixture=reference + sound(5),
        reference=None if metric.scenarios == ("TS3",) else reference,
        target_active=np.full(len(reference), metric.scenarios != ("TS3",)),
        interferer_active=np.ones(len(reference), dtype=bool),
        sample_rate=RATE,
        enrollment=sound(6),
        text="a word",
    )
    found = metrics.evaluate(metric, clip)
    assert found.status in ("ok", "undefined"), found
    if found.status == "ok":
        assert (-np.inf if metric.low is None else metric.low) <= found.value
        assert found.value <= (np.inf if metric.high is None else metric.high)


@every("corpora")
def test_a_reader_refuses_a_folder_without_a_corpus(name: str, tmp_path: Path) -> None:
    reader = READERS.find(name)
    assert issubclass(reader.record, Record)
    assert reader.help
    with pytest.raises(InputError):
        reader.read(tmp_path / "nowhere", corpus="mine", executor=Serial())


@every("engines")
def test_an_engine_reaches_the_reverberation_time(name: str) -> None:
    room = SimulatedRoom(
        room_id="r",
        engine=name,
        size_m=(5.0, 4.0, 3.0),
        rt60_s=0.25,
        microphone_m=(2.0, 2.0, 1.2),
        sources_m=[(3.0, 2.5, 1.4), (4.0, 1.0, 1.6)],
    )
    engine = ENGINES.find(name)
    assert engine.VERSION
    found = engine.simulate(room, RATE)
    assert len(found.sources) == 2
    assert found.rt60_s == pytest.approx(0.25, rel=0.1)


@every("encoders")
def test_an_encoder_gives_unit_vectors_that_repeat(name: str) -> None:
    encoder = ENCODERS.find(name)
    if encoder.missing():
        pytest.skip(encoder.missing())
    first, again = (encoder.embed(sound(7, 3.0), RATE) for _ in range(2))
    assert first.shape == (encoder.size,)
    assert np.array_equal(first, again)
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-4)


def test_a_recipe_gives_a_loss_that_can_be_minimised() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'pse-bench[baseline]'")
    from pse_bench.training.losses import LOSS_RECIPES, recipe_loss

    made = torch.Generator().manual_seed(1)
    reference, mixture = (torch.randn(2, 6, 5, dtype=torch.complex64, generator=made) for _ in range(2))
    frames = {
        "activity": torch.arange(12).reshape(2, 6) % 2,
        "probability": torch.rand(2, 6, generator=made),
        "its": torch.tensor([False, True]),
    }
    for name in [*LOSS_RECIPES, *LOSS_RECIPES.outside()]:
        estimate = (0.5 * mixture).requires_grad_()
        loss = recipe_loss(
            LOSS_RECIPES.find(name), estimate=estimate, reference=reference, mixture=mixture, **frames
        )
        loss.backward()
        assert torch.isfinite(loss), name
        assert torch.isfinite(torch.view_as_real(estimate.grad)).all(), name
        assert estimate.grad.abs().sum() > 0, name


@every("executors")
def test_an_executor_returns_every_item(name: str) -> None:
    if name in ("dask", "dask-jobqueue"):
        pytest.skip("tests/runtime/test_dask.py starts the workers that it needs")
    with EXECUTORS.find(name)(ExecutorOptions(jobs=2)) as executor:
        assert executor.jobs >= 1
        found = {outcome.index: outcome.value for outcome in executor.run(abs, [-3, -2, -1])}
    assert found == {0: 3, 1: 2, 2: 1}


@every("exporters")
def test_an_exporter_writes_a_folder_and_says_of_what(name: str, dataset: Dataset, tmp_path: Path) -> None:
    exporter = exporters().find(name)
    path = exporter.write(dataset, items(dataset), tmp_path / "out", force=False, progress=lambda *_: None)
    assert path.exists()
    assert (tmp_path / "out" / "export.json").is_file()
    assert exporter.help
    assert exporter.unit
    assert exporter.next_step(path)


# ---- from outside


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], str]:
    """Announce an object as the entry point ``mine`` of a group; its name as module:attribute."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def announce(group: str, entry: Any) -> str:
        module = type(sys)("outside_entries")
        module.ENTRY = entry  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "outside_entries", module)
        info = tmp_path / "outside-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\nmine = outside_entries:ENTRY\n")
        return "outside_entries:ENTRY"

    return announce


@pytest.mark.parametrize("kind", REGISTRIES)
def test_entries_come_from_packages_and_modules(kind: str, outside: Callable[[str, Any], str]) -> None:
    known = REGISTRIES[kind]
    assert known.group == f"pse_bench.{kind}"
    entry = known[next(iter(known))]
    entry = replace(entry, name="mine") if kind == "metrics" else entry
    written = outside(known.group, entry)
    assert list(known.outside()) == ["mine"]
    assert known.find("mine") is entry
    assert known.find(written) is entry
    assert "mine" not in known  # our own only, which are known without looking further


@pytest.mark.parametrize("kind", REGISTRIES)
def test_what_is_no_entry_is_one_line(kind: str, outside: Callable[[str, Any], str]) -> None:
    known = REGISTRIES[kind]
    written = outside(known.group, 3)
    for name in ("mine", written, "nowhere", "outside_entries:NOTHING", "no_such_module:x", ":", "a:"):
        with pytest.raises(InputError) as caught:
            known.find(name)
        assert str(caught.value).startswith(known.kind)
        assert "\n" not in str(caught.value)
