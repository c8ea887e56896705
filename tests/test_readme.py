"""Commands of the README, and of pages that go on from there, on a small tree in LibriSpeech's own layout."""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import sets
from documents import README, ROOT, blocks, run, write_files

from pse_bench.corpora.readers import librispeech
from pse_bench.io import audio
from pse_bench.runtime.executor import Serial

RATE = 16_000


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


def test_the_commands_of_the_readme_work_in_order(place: Path) -> None:
    write_files(README, place)
    scripts = dict(blocks("run"))
    # fewer scenes than a reader would make, the same commands
    run(scripts["librispeech"].replace("-n 10", "-n 4"), place)
    shutil.copytree(place / "submissions" / "oracle-mask", place / "my-submission")
    description = re.search(r"```yaml\n(name: my-model.*?)```", README.read_text(), re.DOTALL)
    (place / "my-submission" / "system.yaml").write_text(description[1])
    run(scripts["submission"], place)
    run(scripts["callable"], place)
    run(scripts["system"], place)
    run(scripts["detect"], place)
    if find_spec("torch"):
        run(scripts["baseline"], place)
    run(scripts["compare"], place)
    run(scripts["report"], place)
    assert "<script>" in (place / "listen.html").read_text()
    run(scripts["toolkits"], place)
    run(scripts["librimix"], place)
    # pages that go on from there
    for page in ("generate", "scenario"):
        path = ROOT / "docs" / "how-to" / f"{page}.md"
        if page == "scenario":
            write_files(path, place)
        for _, script in blocks("run", path):
            run(script, place)


def test_the_two_commands_are_there_and_make_knows_them() -> None:
    makefile = (README.parent / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target}" in README.read_text()
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_every_shipped_scenario_is_described() -> None:
    text = README.read_text()
    for path in (README.parent / "scenarios").glob("*.yaml"):
        assert f"`{path.stem}`" in text


def test_every_metric_is_explained() -> None:
    from pse_bench.metrics import METRICS, computed_from

    text = README.read_text()
    assert [name for name in (*METRICS, *computed_from("activity")) if f"`{name}`" not in text] == []
