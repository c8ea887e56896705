"""RIRs of a room: simulated by an engine or measured, and a bank that keeps the simulated ones.

A room's responses are a pure function of its record, the sample rate and the engine's version. They are kept
in a folder under a name made from those, so scenes that share a room share the work.
"""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.io.atomic import replacing, sha256, sha256_of_text
from pse_bench.registry import Registry
from pse_bench.schemas import ENGINE_GROUP, MeasuredRoom, SimulatedRoom
from pse_bench.signal.rt60 import measured_rt60_s
from pse_bench.simulation.engines import pyroomacoustics, shoebox
from pse_bench.simulation.rir import RIR, RoomRIRs


class Engine(Protocol):
    """What simulates rooms: a module, or any object that has these.

    ``VERSION`` is raised whenever the sound of a room changes; rooms in the bank are looked up by it.
    """

    VERSION: Any

    def simulate(self, room: SimulatedRoom, sample_rate: int) -> RoomRIRs:
        """The responses of all sources of a room, whose mean T30 is the asked one."""


ENGINES: Registry[Any] = Registry(
    "room engine",
    {"image-source": shoebox, "pyroomacoustics": pyroomacoustics},
    group=ENGINE_GROUP,
    check=lambda entry: (
        ""
        if callable(getattr(entry, "simulate", None)) and hasattr(entry, "VERSION")
        else "has no simulate or VERSION"
    ),
)


def _engine(room: SimulatedRoom) -> Engine:
    return ENGINES.find(room.engine)


def simulate(room: SimulatedRoom, sample_rate: int) -> RoomRIRs:
    """A simulated room's responses, whose mean T30 is the asked one.

    Raises:
        RequestError: no absorption gives that reverberation time, or it would take too many images.
    """
    return _engine(room).simulate(room, sample_rate)


# ---- measured responses


def measured(room: MeasuredRoom, sample_rate: int, locate: Callable[[str, str], Path]) -> RoomRIRs:
    """A measured room's responses at the wanted rate.

    The direct sound is where a response first exceeds a fifth of its peak.

    Args:
        locate: gives the path of a corpus's file (see ``corpora.roots``).

    Raises:
        InputError: a response is missing, damaged, or not the one that was planned with.
    """
    sources = []
    for source in room.sources:
        path = locate(room.corpus, source.path)
        audio.info(path)
        if sha256(path) != source.sha256:
            raise InputError(
                f"{path}: not the file its manifest describes (sha256 differs); restore it or make "
                "the manifest and the plan again"
            )
        samples, rate = audio.read(path)
        samples = audio.resample(samples, rate, sample_rate).astype(np.float32)
        direct = int(np.argmax(np.abs(samples) > 0.2 * np.abs(samples).max()))
        sources.append(RIR(samples, 0, direct, measured_rt60_s(samples, sample_rate)))
    return RoomRIRs(sources)


# ---- bank


def cache_key(room: SimulatedRoom, sample_rate: int) -> str:
    """The name of a simulated room's file in the bank: a hash of everything that its responses depend on."""
    library = version("pyroomacoustics") if room.engine == "pyroomacoustics" else ""
    what = [_engine(room).VERSION, library, sample_rate, room.model_dump(mode="json")]
    what[-1].pop("room_id")
    return sha256_of_text(json.dumps(what, sort_keys=True))[:32] + ".npz"


def from_bank(room: SimulatedRoom, sample_rate: int, folder: Path) -> RoomRIRs:
    """A room's responses from the bank in ``folder``, simulated and added when it is not there yet."""
    path = folder / cache_key(room, sample_rate)
    try:
        with np.load(path, allow_pickle=False) as stored:
            samples, about = stored["samples"], stored["about"]
        ends = np.cumsum(about[:, -1]).astype(int)
        return RoomRIRs(
            [
                RIR(samples[end - int(length) : end], int(lead), int(direct), float(time_s))
                for end, (lead, direct, time_s, length) in zip(ends, about, strict=True)
            ]
        )
    except Exception:  # not there, or damaged, in whatever way the archive's reader meets it
        pass
    built = simulate(room, sample_rate)
    about = [(one.pre_delay, one.direct_path, one.rt60_s, len(one.samples)) for one in built.sources]
    with replacing(path, shared=True) as part, part.open("wb") as stream:
        np.savez(stream, about=np.array(about), samples=np.concatenate([one.samples for one in built.sources]))
    return built
