"""Everything that people get wrong, as functions that do it to a correct submission."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from pse_bench.dataset.dataset import Dataset
from pse_bench.io import audio
from pse_bench.submission import submission

RATE = 16_000
ALL = ("TS1", "TS2", "TS3")
HEARD = ("TS1", "TS2")

Break = Callable[[Path, Dataset], None]
Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Case:
    """What is done to a submission, and the one finding that comes of it: code, files, and words of its line."""

    name: str
    do: Break
    severity: str
    code: str
    words: str
    count: int = 9


# ---- how it is done


def estimates(folder: Path, labels: tuple[str, ...] = ALL, scenes: int = 3) -> list[Path]:
    """The files of the first scenes."""
    return [path for label in labels for path in sorted((folder / label).iterdir())[:scenes]]


def write(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "FLOAT") -> None:
    """Put a WAV in the place of an estimate."""
    path.unlink()
    soundfile.write(str(path.with_suffix(".wav")), samples, rate, format="WAV", subtype=subtype)


def each(change: Callable[[Path], object], labels: tuple[str, ...], scenes: int) -> Break:
    """Change the files of estimates one by one."""

    def do(folder: Path, dataset: Dataset) -> None:
        for path in estimates(folder, labels, scenes):
            change(path)

    return do


def sound(change: Change, labels: tuple[str, ...] = ALL, scenes: int = 3, subtype: str = "FLOAT") -> Break:
    """Change the samples of estimates."""
    return each(lambda path: write(path, change(soundfile.read(str(path))[0]), subtype=subtype), labels, scenes)


def written(labels: tuple[str, ...] = ALL, scenes: int = 3, **how: object) -> Break:
    """Write estimates in another way."""
    return each(lambda path: write(path, soundfile.read(str(path))[0], **how), labels, scenes)


def content(data: Callable[[bytes], bytes]) -> Break:
    """Change the bytes of the first estimate of TS2."""
    return each(lambda path: path.write_bytes(data(path.read_bytes())), ("TS2",), 1)


def renamed(name: Callable[[Path], str], labels: tuple[str, ...] = ALL, scenes: int = 3) -> Break:
    """Give files other names, below the submission; ``name`` gets the path below it."""

    def do(folder: Path, dataset: Dataset) -> None:
        for path in estimates(folder, labels, scenes):
            target = folder / name(path.relative_to(folder))
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)

    return do


def described(text: str | None, name: str = "system.yaml") -> Break:
    """Another system.yaml, or none."""

    def do(folder: Path, dataset: Dataset) -> None:
        (folder / "system.yaml").unlink()
        if text is not None:
            (folder / name).write_text(text)

    return do


def added(name: str, text: str = "x") -> Break:
    """One more file."""

    def do(folder: Path, dataset: Dataset) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    return do


def removed(labels: tuple[str, ...], scenes: int = 3) -> Break:
    """Fewer files."""

    def do(folder: Path, dataset: Dataset) -> None:
        for path in estimates(folder, labels, scenes):
            path.unlink()

    return do


def twice(folder: Path, dataset: Dataset) -> None:
    path = estimates(folder, ("TS1",), 1)[0]
    shutil.copyfile(path, path.with_suffix(".wav"))


def copied(stem: str, gain: float = 1.0) -> Break:
    """The dataset's own sound as a submission, in TS1 and TS2."""

    def do(folder: Path, dataset: Dataset) -> None:
        for row in dataset.mixtures:
            if row.scenario != "TS3":
                path = folder / f"{submission.estimate_name(row)}.flac"
                own = audio.info(dataset.folder / row.mixture_path).num_samples
                signal = dataset.read_stem(row.scene_id, stem)[:own].astype(np.float64)
                write(path, gain * signal)

    return do


def unprocessed(folder: Path, dataset: Dataset) -> None:
    row = dataset.mixtures[0]
    shutil.copyfile(dataset.folder / row.mixture_path, folder / f"{submission.estimate_name(row)}.flac")


def turned_down(gain: float, delay: int = 0) -> Break:
    """Every estimate is its mixture at another level."""

    def do(folder: Path, dataset: Dataset) -> None:
        for path in estimates(folder):
            mixture, _ = audio.read(dataset.folder / path.relative_to(folder).with_suffix(".flac"))
            write(path, gain * np.pad(mixture, (delay, 0))[: len(mixture)])

    return do


def same_for_both(folder: Path, dataset: Dataset) -> None:
    for path in estimates(folder, ("TS1",), 2):
        shutil.copyfile(path, folder / "TS2" / path.name)


def vorbis(folder: Path, dataset: Dataset) -> None:
    path = estimates(folder, ("TS1",), 1)[0]
    samples, rate = soundfile.read(str(path))
    path.unlink()
    soundfile.write(str(path.with_suffix(".wav")), samples, rate, format="OGG", subtype="VORBIS")


def late(count: int) -> Change:
    """The same number of samples, ``count`` later (earlier when negative)."""
    return lambda samples: (
        np.concatenate([np.zeros(count), samples[:-count]])
        if count > 0
        else np.concatenate([samples[-count:], np.zeros(-count)])
    )


def late_by_length(samples: np.ndarray) -> np.ndarray:
    """A shift that is another one for each file."""
    return late(int(400 + len(samples) % 977))(samples)


def one(value: float) -> Change:
    def change(samples: np.ndarray) -> np.ndarray:
        samples[1000] = value
        return samples

    return change


def noise(samples: np.ndarray) -> np.ndarray:
    seed = int(1e6 * np.abs(samples).sum())  # another one for each file
    return 0.1 * np.random.default_rng(seed).standard_normal(len(samples))


def clipped(samples: np.ndarray) -> np.ndarray:
    """One short stretch at full scale, which leaves level and shift as they are."""
    loud = samples.copy()
    loud[1000:1005] = 1.0
    return loud


BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
WHOLE = "name: x\nversion: '1'\n"

CASES = [
    # names and count
    Case("one file missing", removed(("TS2",), 1), "fatal", "missing-file", "8 of 9 are there", 1),
    Case("a scenario missing", removed(("TS3",)), "fatal", "missing-file", "none of TS3", 3),
    Case("no audio at all", removed(ALL), "fatal", "missing-file", "0 of 9 are there"),
    Case("flac and wav", twice, "fatal", "both-formats", "there as .flac and as .wav", 1),
    Case("mp3", renamed(lambda p: f"{p.with_suffix('.mp3')}"), "fatal", "wrong-ending", "the ending .mp3"),
    Case("no ending", renamed(lambda p: f"{p.with_suffix('')}"), "fatal", "wrong-ending", "ending is missing"),
    Case("ending in capitals", renamed(lambda p: f"{p.with_suffix('.FLAC')}"), "fatal", "wrong-case", ".FLAC"),
    Case("folder in small letters", renamed(lambda p: f"{p}".lower()), "fatal", "wrong-case", "named like ts1/"),
    Case(
        "flat, by mixture id",
        renamed(lambda p: f"{p.stem}_{p.parent}.flac"),
        "fatal",
        "wrong-name",
        "named like s000000_TS1.flac, which should be TS1/s000000.flac",
    ),
    Case(
        "a suffix",
        renamed(lambda p: f"{p.with_suffix('')}_enhanced.flac", ("TS1",)),
        "fatal",
        "wrong-name",
        "_enhanced",
        3,
    ),
    Case("one folder too deep", renamed(lambda p: f"out/{p}"), "fatal", "wrong-folder", "the folder out/TS1"),
    Case("another scene", added("TS1/s000077.flac"), "warning", "extra-file", "no estimate", 1),
    Case("a letter", added("notes/README.txt"), "warning", "extra-file", "no estimate", 1),
    Case("what macOS leaves", added("TS1/.DS_Store"), "warning", "litter", "operating system", 1),
    Case("interrupted", added("enhance.journal"), "warning", "unfinished", "interrupted pse-bench enhance", 1),
    # what the header says
    Case("another rate", written(rate=8000), "fatal", "wrong-rate", "8000 Hz, with the mixture's number"),
    Case(
        "resampled",
        lambda f, d: [write(p, soundfile.read(str(p))[0][::2], rate=8000) for p in estimates(f, ("TS1",))],
        "fatal",
        "wrong-rate",
        "8000 Hz; expected 16000 Hz; resample",
        3,
    ),
    Case("a few samples short", sound(lambda x: x[:-3]), "fatal", "wrong-length", "3 samples too short"),
    Case("a tail", sound(lambda x: np.append(x, np.zeros(160))), "fatal", "wrong-length", "160 samples too long"),
    Case(
        "whole frames only",
        sound(lambda x: x[: len(x) // 1000 * 1000]),
        "fatal",
        "wrong-length",
        "a last frame that is not full is dropped",
    ),
    Case("hours", sound(lambda x: np.resize(x, 900_000), ("TS1",), 1), "fatal", "wrong-length", "too long", 1),
    Case("stereo", sound(lambda x: np.stack([x, x], axis=1)), "fatal", "wrong-channels", "2 channels"),
    Case("8 bit", written(subtype="PCM_U8"), "fatal", "wrong-subtype", "stored as PCM_U8"),
    Case("telephone", written(subtype="ULAW", labels=("TS3",)), "fatal", "wrong-subtype", "as ULAW", 3),
    Case("vorbis called wav", vorbis, "fatal", "wrong-subtype", "stored as VORBIS", 1),
    Case("text", content(lambda _: b"no sound"), "fatal", "unreadable", "not a sound file", 1),
    Case("no bytes", content(lambda _: b""), "fatal", "unreadable", "not a sound file", 1),
    Case("cut off", content(lambda data: data[: len(data) // 2]), "fatal", "unreadable", "", 1),
    Case("no samples", sound(lambda x: x[:0], ("TS1",), 1), "fatal", "empty", "no samples", 1),
    # what the samples are
    Case("NaN", sound(one(np.nan)), "fatal", "not-finite", "NaN; expected finite"),
    Case("infinity", sound(one(-np.inf), ("TS2",), 2), "fatal", "not-finite", "infinite samples", 2),
    Case("the reference", copied("target_early"), "fatal", "reference-submitted", "stems/target_early", 6),
    Case("the target", copied("target", 0.9), "fatal", "reference-submitted", "stems/target, not", 6),
    Case("one mixture", unprocessed, "warning", "mixture-unchanged", "unprocessed; expected", 1),
    Case(
        "a late output",
        sound(late(320)),
        "warning",
        "delay",
        "320 samples (20.0 ms) late throughout (measured against the mixture in 6 of 6 and the reference in",
        6,
    ),
    Case("an early output", sound(late(-80)), "warning", "delay", "80 samples (5.0 ms) early", 6),
    Case("a sample late", sound(late(1)), "warning", "delay", "1 samples (0.1 ms) late", 6),
    Case("each late by its own", sound(late_by_length), "warning", "delay-varies", "by its own number", 6),
    Case("one late", sound(late(700), ("TS1",), 1), "warning", "delay-varies", "+700 to +700", 1),
    Case(
        "the mixture, turned down",
        turned_down(0.29),
        "warning",
        "constant-gain",
        "constant gain −10.8 dB: each is its mixture at another level",
    ),
    Case("half the level", sound(lambda x: 0.4 * x), "warning", "gain", "quieter than the reference", 6),
    Case("upside down", sound(lambda x: -x), "warning", "polarity", "upside down throughout", 6),
    Case("one upside down", sound(lambda x: -x, ("TS2",), 1), "warning", "polarity", "upside down;", 1),
    Case("integers", sound(lambda x: 32768 * x), "warning", "integer-scale", "divide by 32768"),
    Case("noise", sound(noise, HEARD, 1), "warning", "unrelated", "nothing in common", 2),
    Case("clipped", sound(clipped, ("TS3",)), "warning", "clipping", "3 stretches cut off at full scale", 3),
    Case(
        "peaks normalised",
        sound(lambda x: 0.9 * x / np.abs(x).max()),
        "warning",
        "peak-normalised",
        "the same peak (-0.9 dBFS)",
    ),
    Case(
        "levels normalised",
        sound(lambda x: 0.03 * x / np.sqrt(np.mean(x**2)), ("TS3",)),
        "warning",
        "level-normalised",
        "the same level (RMS) (-30.5 dBFS)",
        3,
    ),
    Case("two muted", sound(np.zeros_like, ("TS1",), 2), "warning", "silent", "nothing but zeros where", 2),
    Case("scene for scenario", same_for_both, "warning", "identical-files", "TS1/s000000.flac = TS2/", 4),
    # system.yaml
    Case("no system.yaml", described(None), "fatal", "system-missing", "no system.yaml; expected", 1),
    Case("system.yml", described(WHOLE, "system.yml"), "fatal", "system-missing", "did you mean 'system.yml'", 1),
    Case("no name", described("version: '1'"), "fatal", "system-missing-key", "no key 'name'", 1),
    Case("a misspelt key", described(f"{WHOLE}parameter: 1"), "fatal", "system-unknown-key", "'parameters'", 1),
    Case(
        "a number in words", described(f"{WHOLE}parameters: 3M"), "fatal", "system-wrong-value", "'3M', a str", 1
    ),
    Case("not YAML", described("name: ["), "fatal", "system-invalid", "not YAML", 1),
    Case("a list", described("- name"), "fatal", "system-invalid", "expected a mapping", 1),
    Case("a YAML bomb", described(BOMB), "fatal", "system-invalid", "refers to another place", 1),
    Case("a YAML flood", described("name: " + "x" * 300_000), "fatal", "system-invalid", "characters long", 1),
    Case("no version", described("name: x"), "warning", "system-absurd", "no version", 1),
    Case(
        "less than nothing", described(f"{WHOLE}parameters: -1"), "warning", "system-absurd", "parameters: -1", 1
    ),
    Case(
        "seconds for milliseconds",
        described(f"{WHOLE}algorithmic_latency_ms: 2.0e+7"),
        "warning",
        "system-absurd",
        "milliseconds from 0",
        1,
    ),
    Case(
        "no use of the enrollment",
        described(f"{WHOLE}uses_enrollment: false"),
        "warning",
        "ignores-enrollment",
        "ignores the enrollment (uses_enrollment: false); expected an output that follows",
        1,
    ),
    Case("not a link", described(f"{WHOLE}url: see paper"), "warning", "system-absurd", "https://", 1),
]
