"""Commands of the README, and of pages that go on from there, on a small tree in LibriSpeech's own layout."""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import sets
from documents import FROM_THE_README, README, ROOT, blocks, marked, run, write_files

from pse_bench.corpora.readers import librispeech
from pse_bench.io import audio
from pse_bench.runtime.executor import Serial

RATE = 16_000
NEEDS = {"baseline": "torch", "torch": "torch", "onnx": "onnx"}
"""Blocks that a machine without a package cannot run."""


def voice(pitch_hz: float, seed: int, seconds: float) -> np.ndarray:
    """Syllables of one synthetic talker."""
    chance = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * pitch_hz * (time + 0.01 * np.sin(3 * time))
    tone = sum(np.sin(k * phase + k) / k for k in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * time + chance.uniform(0, 6)), 0, None)
    return 0.2 * tone * syllables + 1e-4 * chance.standard_normal(len(time))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a LibriSpeech tree of five speakers and a folder of noise."""
    root = tmp_path_factory.mktemp("readme")
    tree = root / "LibriSpeech"
    lines = [";ID |SEX| SUBSET |MINUTES| NAME"]
    for speaker in range(11, 16):
        lines.append(f"{speaker} | {'FM'[speaker % 2]} | test-other | 1.00 | Somebody")
        for chapter in (100, 200):
            folder = tree / "test-other" / str(speaker) / str(chapter)
            folder.mkdir(parents=True)
            texts = []
            for number in range(3):
                name = f"{speaker}-{chapter}-{number:04}"
                sound = voice(90 + 25 * (speaker - 11), 10 * speaker + chapter + number, 4.5)
                audio.write(folder / f"{name}.flac", sound, RATE)
                texts.append(f"{name} SENTENCE {number} OF {speaker} IN {chapter}")
            (folder / f"{speaker}-{chapter}.trans.txt").write_text("\n".join(texts) + "\n")
    (tree / "SPEAKERS.TXT").write_text("\n".join(lines) + "\n")
    names = sorted(tree.rglob("*.flac"))[:12]
    rows, _ = librispeech.READER.read(tree, executor=Serial())
    said = {row.path: row for row in rows}
    sets.write(
        root / "Libri2Mix",
        [(said[path.relative_to(tree).as_posix()], audio.read(path)[0]) for path in names],
    )
    hiss = root / "noise" / "hiss"
    hiss.mkdir(parents=True)
    audio.write(hiss / "a.wav", 0.02 * np.random.default_rng(1).standard_normal(20 * RATE), RATE)
    return root


def test_the_commands_of_the_readme_and_the_pages_work_in_order(place: Path) -> None:
    scripts = dict(blocks("run"))
    write_files(README, place)
    # fewer scenes than a reader would make, the same commands
    run(scripts["librispeech"].replace("-n 10", "-n 4"), place)
    shutil.copytree(place / "submissions" / "oracle-mask", place / "my-submission")
    description = re.search(r"```yaml\n(name: my-model.*?)```", README.read_text(), re.DOTALL)
    (place / "my-submission" / "system.yaml").write_text(description[1])
    for name in ("callable", "submission"):
        run(scripts[name], place)
    run(f"python - <<'END'\n{scripts['notebook']}END", place)
    assert (place / "tradeoff.svg").read_text().startswith("<svg")
    for page in FROM_THE_README:
        if any(mark == "write" for mark, *_ in marked(page)):
            write_files(page, place)
        for name, script in blocks("run", page):
            if name not in NEEDS or find_spec(NEEDS[name]):
                run(script, place)
    assert "<script>" in (place / "listen.html").read_text()


def test_the_boards_and_the_picture_of_the_readme_are_those_of_the_repository(reference: ModuleType) -> None:
    assert reference.headline() in README.read_text(), "stale: run python docs/reference.py"
    assert reference.picture() == reference.PICTURE.read_text(), "stale: run python docs/reference.py"
    assert reference.calls() == reference.CALLS.read_text(), "stale: run python docs/reference.py"


def test_the_readme_is_short() -> None:
    text = README.read_text()
    assert len(text.splitlines()) <= 200
    assert len(text.encode()) <= 9 * 1024


def test_the_two_commands_are_there_and_make_knows_them() -> None:
    makefile = (README.parent / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target}" in README.read_text()
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_every_shipped_scenario_is_described() -> None:
    text = (ROOT / "docs" / "how-to" / "scenario.md").read_text()
    for path in (ROOT / "scenarios").glob("*.yaml"):
        assert f"`{path.stem}`" in text


def test_every_metric_is_explained() -> None:
    from pse_bench.metrics import METRICS, computed_from
    from pse_bench.metrics.further import FURTHER

    text = (ROOT / "docs" / "explanation" / "figures.md").read_text()
    assert [
        name
        for name in (*METRICS, *computed_from("activity"), *(one.name for one in FURTHER))
        if f"`{name}`" not in text
    ] == []
