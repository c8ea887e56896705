"""What was published stays: the sound of the frozen sets, scores, plans."""

import json
from pathlib import Path

import published
import pytest
import soundfile

HERE = Path(__file__).parent


def test_embedded_v1_sounds_as_it_was_published(dataset: Path) -> None:
    found, known = published.contents(dataset), published.committed("embedded-v1")
    assert len(found) == 27
    assert found == {path: known[path] for path in found}


@pytest.mark.dev_corpus
def test_libri_mini_v1_sounds_as_it_was_published(work: Path, dev_corpus: Path) -> None:
    plan = published.first_scenes("libri-mini-v1", work)
    speech = dev_corpus / "speech" / "LibriSpeech"
    noise = published.set_noise("libri-mini-v1", plan, work / "noise", speech)
    dataset = published.rendered(
        plan, work / "libri-mini-v1", f"librispeech={speech}", f"libri-mini-noise={noise}"
    )
    found, known = published.contents(dataset), published.committed("libri-mini-v1")
    assert len(found) == 27
    assert found == {path: known[path] for path in found}


@pytest.mark.dev_corpus
@pytest.mark.parametrize("ending", [".flac", ".WAV"])
def test_speechocean_v1_sounds_as_it_was_published_from_flac_and_from_wav(work: Path, ending: str) -> None:
    corpus = HERE.parents[2] / "shared" / "data" / "speechocean762"
    if not corpus.is_dir():
        pytest.skip(f"no speechocean762 in {corpus}")
    plan = published.first_scenes("speechocean-v1", work)
    copy = work / f"speechocean762{ending}"
    for name, path in published.clips(plan):
        if name == "speechocean762":
            samples, rate = soundfile.read(str((corpus / path).with_suffix(".flac")), dtype="int16")
            to = (copy / path).with_suffix(ending)
            to.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(str(to), samples, rate, format=ending[1:].upper())
    voices = published.embedded_corpus(plan, work / "voices")
    dataset = published.rendered(plan, work / f"so{ending}", f"speechocean762={copy}", f"embedded={voices}")
    found, known = published.contents(dataset), published.committed("speechocean-v1")
    assert len(found) == 27
    assert found == {path: known[path] for path in found}


def test_the_twin_of_embedded_v1_sounds_as_it_was_published(work: Path) -> None:
    plan = published.first_scenes("embedded-v1-dev", work)
    voices = published.embedded_corpus(plan, work / "dev-voices")
    dataset = published.rendered(plan, work / "embedded-v1-dev", f"embedded={voices}")
    found, known = published.contents(dataset), published.committed("embedded-v1-dev")
    assert len(found) == 27
    assert found == {path: known[path] for path in found}


def test_a_call_of_synthetic_voices_sounds_as_it_was_published(work: Path) -> None:
    plan = published.first_scenes("embedded-call-v1", work, slice(3, 4))  # clipping, GSM and lost packets
    voices = published.embedded_corpus(plan, work / "corpus")  # clips of it may be there
    dataset = published.rendered(plan, work / "embedded-call-v1", f"embedded={voices}")
    found, known = published.contents(dataset), published.committed("embedded-call-v1")
    assert len(found) == 7
    assert found == {path: known[path] for path in found}


@pytest.mark.dev_corpus
def test_a_call_of_speechocean_sounds_as_it_was_published(work: Path) -> None:
    if not (corpus := HERE.parents[2] / "shared" / "data" / "speechocean762").is_dir():
        pytest.skip(f"no speechocean762 in {corpus}")
    plan = published.first_scenes("speechocean-call-v1", work, slice(4, 5))
    voices = published.embedded_corpus(plan, work / "noise-of-calls")
    dataset = published.rendered(
        plan, work / "speechocean-call-v1", f"speechocean762={corpus}", f"embedded={voices}"
    )
    found, known = published.contents(dataset), published.committed("speechocean-call-v1")
    assert len(found) == 7
    assert found == {path: known[path] for path in found}


def test_scores_are_those_that_were_published(scores: dict[str, list[str]]) -> None:
    header, *rows = (line.split(",") for line in (HERE / "scores.csv").read_text().splitlines())
    assert all(lines[0].split(",") == header[1:] for lines in scores.values())
    now = [(name, *line.split(",")) for name, lines in scores.items() for line in lines[1:]]
    value = header.index("value")
    assert [(*row[:value], *row[value + 1 :]) for row in now] == [
        (*row[:value], *row[value + 1 :]) for row in rows
    ]
    for one, other in zip(now, rows, strict=True):
        found, known = (float(row[value] or "nan") for row in (one, other))
        assert found == pytest.approx(known, rel=1e-6, abs=1e-6, nan_ok=True), other


def test_plans_of_shipped_scenarios_are_those_that_were_published(work: Path) -> None:
    assert published.plans(work) == json.loads((HERE / "plans.json").read_text())
