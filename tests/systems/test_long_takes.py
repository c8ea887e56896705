"""Takes of minutes hop by hop: memory that does not grow, and the bytes of a run that holds all of it."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import meetings
import numpy as np
import pytest
from work import call

from pse_bench.dataset.dataset import Dataset
from pse_bench.io import audio
from pse_bench.runtime.executor import Serial
from pse_bench.systems import enhance, first_scenes, registry

HALVING = """\
import numpy as np

hop, delay = {hop}, 300


def reset(enrollment):
    global late, gain
    late, gain = np.zeros(delay, np.float32), np.float32({gain} * (1 + 10 * np.abs(enrollment).mean()))


def step(frame):
    global late
    late = np.concatenate([late, gain * frame])
    answer, late = late[:hop], late[hop:]
    return answer
"""


def take(folder: Path, seconds: float) -> Dataset:
    """One recording of two people, of that length."""
    turns = [("long", 0.5, 2.0, "anna"), ("long", 3.0, seconds - 4.0, "ben")]
    turns += [("other", 0.5, 2.5, "anna"), ("other", 3.5, 2.5, "ben")]
    meetings.write(folder / "audio", turns[:2], seconds)
    meetings.write(folder / "audio", turns[2:], 6.5)
    (folder / "who.rttm").write_text(meetings.rttm(turns))
    done = call("import", "segments", folder / "who.rttm", "--jobs", 1, "-o", folder / "dataset")
    assert done.exit_code == 0, done.output
    return Dataset.open(folder / "dataset")


def peak(dataset: Dataset, system: str, out: Path) -> int:
    tracemalloc.start()
    enhance.enhance(dataset, system, out, executor=Serial())
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_four_times_the_take_takes_no_more_memory(tmp_path, module, monkeypatch) -> None:
    for name in ("io.audio", "io.spool", "signal.streaming"):
        monkeypatch.setattr(f"pse_bench.{name}.BLOCK", 1 << 13)
    monkeypatch.setattr("pse_bench.io.spool.IN_MEMORY", 1 << 17)
    monkeypatch.setattr(first_scenes, "LONGEST_S", 2.0)
    system = module(HALVING.format(hop=1600, gain=0.3))
    peaks = [peak(take(tmp_path / f"{s}", s), system, tmp_path / f"out{s}") for s in (8.0, 24.0)]
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 8 * 24 * meetings.RATE, "less than the take alone in numbers of 64 bits"


@pytest.mark.parametrize("gain", [0.3, 40.0])
def test_files_are_those_of_a_run_that_holds_all_of_it(tmp_path, module, monkeypatch, gain: float) -> None:
    """In 24 bits, and as floats where it is too loud."""
    monkeypatch.setattr("pse_bench.io.audio.BLOCK", 10_000)
    monkeypatch.setattr(first_scenes, "LONGEST_S", 1.0)
    dataset, name = take(tmp_path, 8.0), module(HALVING.format(hop=160, gain=gain))
    enhance.enhance(dataset, name, tmp_path / "blocks", executor=Serial())
    load = registry.load
    monkeypatch.setattr(registry, "load", lambda *a, **k: replace(load(*a, **k), run_blocks=None))
    enhance._loaded.cache_clear()
    enhance.enhance(dataset, name, tmp_path / "whole", executor=Serial())
    for row in dataset.mixtures:
        (path,) = (tmp_path / "whole" / row.scenario).glob(f"{row.scene_id}.*")
        other = tmp_path / "blocks" / row.scenario / path.name
        if path.suffix == ".flac":
            assert other.read_bytes() == path.read_bytes()
        assert np.array_equal(audio.read(other)[0], audio.read(path)[0])
    both = [(tmp_path / kind / "system.yaml").read_text() for kind in ("blocks", "whole")]
    assert both[0] == both[1]
    assert "uses_enrollment: true" in both[0]
