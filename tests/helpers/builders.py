"""Manifests and scenarios without a single sound file, for tests of everything that is drawn."""

import copy
import hashlib
from pathlib import Path

from pse_bench.planning import plan
from pse_bench.planning.plan import plan_dataset
from pse_bench.planning.scenario import Scenario, parse_scenario
from pse_bench.schemas import MeasuredResponse, NoiseClip, Recipe, Utterance

RATE = 16000

PLAIN = {
    "schema": 1,
    "name": "test",
    "version": 1,
    "sample_rate": RATE,
    "duration_s": {"uniform": [6.0, 8.0]},
    "scenarios": ["TS1", "TS2", "TS3"],
    "target": {"distance_m": {"uniform": [0.4, 1.3]}, "level_dbfs": {"uniform": [-32, -22]}},
    "interferer": {"distance_m": {"uniform": [1.5, 2.5]}, "sir_db": {"uniform": [0, 10]}},
    "noise": {"snr_db": {"uniform": [5, 20]}},
    "room": {"length_m": {"uniform": [5, 8]}, "width_m": {"uniform": [5, 8]}},
    "enrollment": {"duration_s": {"uniform": [5.0, 10.0]}},
}


def digest(*name: object) -> str:
    """A made-up SHA-256 that differs between names."""
    return hashlib.sha256(repr(name).encode()).hexdigest()


def utterance(
    speaker: str = "a",
    number: int = 0,
    *,
    seconds: float = 5.0,
    session: str = "",
    gender: str = "F",
    text: str | None = None,
    corpus: str = "books",
    rate: int = RATE,
) -> Utterance:
    """A clip of speech; in a folder of its session where one is given, as LibriSpeech has it."""
    name = f"{speaker}-{session or 'x'}-{number:04d}"
    folder = f"part/{speaker}/{session}" if session else speaker
    said = f"SENTENCE {number} OF {speaker} IN {session or 'X'}" if text is None else text
    return Utterance(
        **{"corpus": corpus, "utterance_id": name, "speaker_id": speaker, "gender": gender, "text": said},
        **{"path": f"{folder}/{name}.flac", "num_samples": round(seconds * rate), "sample_rate": rate},
        sha256=digest(corpus, name),
    )


def speech(
    speakers: int = 6,
    *,
    sessions: int = 2,
    each: int = 4,
    seconds: tuple[float, ...] = (4.0, 4.7, 5.3, 5.9),
    **rest,
) -> list[Utterance]:
    """A corpus: ``each`` clips in each session of each speaker, of alternating gender.

    Speaker and session names are such that they sort differently as numbers and as text.
    """
    return [
        utterance(
            f"{7 + 4 * who}",
            number,
            session=f"{98 + session}" if sessions else "",
            gender=rest.get("gender", "FM"[who % 2]),
            seconds=seconds[(who + number) % len(seconds)],
            **{key: value for key, value in rest.items() if key != "gender"},
        )
        for who in range(speakers)
        for session in range(sessions or 1)
        for number in range(each)
    ]


def noise_clip(
    number: int = 0, *, seconds: float = 12.0, category: str = "street", corpus: str = "sounds", rate: int = RATE
) -> NoiseClip:
    """A clip of noise."""
    return NoiseClip(
        **{"corpus": corpus, "noise_id": f"n{number}", "category": category, "path": f"{category}/n{number}.wav"},
        **{"num_samples": round(seconds * rate), "sample_rate": rate, "sha256": digest(corpus, "noise", number)},
    )


def noises(count: int = 7, **rest) -> list[NoiseClip]:
    """Clips of noise of two categories, all longer than a scene."""
    return [
        noise_clip(number, seconds=12 + number, category=("street", "café")[number % 2], **rest)
        for number in range(count)
    ]


def response(room: str = "hall", number: int = 0, *, rt60_s: float = 0.5) -> MeasuredResponse:
    """A measured room impulse response."""
    return MeasuredResponse(
        **{"corpus": "rooms", "rir_id": f"{room}-{number}", "room_id": room, "path": f"{room}/{number}.wav"},
        **{"num_samples": RATE, "sample_rate": RATE, "rt60_s": rt60_s, "sha256": digest(room, number)},
    )


def content(**changes) -> dict:
    """The content of a scenario file: ``PLAIN`` with changes, where sections are merged key by key."""
    merged = copy.deepcopy(PLAIN)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict) and key not in {"duration_s", "shares"}:
            merged[key].update(value)
        else:
            merged[key] = value
    return merged


def scenario(**changes) -> Scenario:
    """A scenario, ``PLAIN`` with changes."""
    return parse_scenario(content(**changes), "test.yaml")


def planner(*, seed: int = 1, clips=None, noise_clips=None, rirs=(), others=None, **changes) -> plan.Planner:
    """A planner over built manifests and a changed ``PLAIN`` scenario."""
    return plan.Planner(
        scenario(**changes),
        speech=speech() if clips is None else clips,
        noise=noises() if noise_clips is None else noise_clips,
        rirs=rirs,
        seed=seed,
        interferer_speech=others,
    )


def recipes(count: int, **what) -> list[Recipe]:
    """The first recipes of a planner."""
    drawn = planner(**what)
    return [drawn.recipe(index) for index in range(count)]


def write_plan(
    path: Path, count: int, *, seed: int = 1, clips=None, noise_clips=None, rirs=(), **changes
) -> bytes:
    """A plan written as the command does it; its bytes."""
    clips = speech() if clips is None else clips
    noise = noises() if noise_clips is None else noise_clips
    made = {"speech": [clips], "noise": [noise], "rir": [list(rirs)]}
    plan_dataset(content(**changes), path, **made, scenes=count, seed=seed, force=True)
    return path.read_bytes()
