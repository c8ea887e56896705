"""The embedded corpus: who says what, the same bits every time, levels, and what a second run keeps."""

import itertools
import os
import sys
from pathlib import Path

import chores
import numpy as np
import pytest

from pse_bench.corpora.synthetic import clips, embedded, espeak, voices
from pse_bench.errors import InputError, RequestError
from pse_bench.io import atomic, audio, tables
from pse_bench.runtime.executor import Outcome, Processes, Serial
from pse_bench.runtime.progress import no_progress
from pse_bench.schemas import NoiseClip, Utterance
from pse_bench.signal import vad

GROUPS = ("test", "train", "dev", "babble-test", "babble-train", "babble-dev")
VOICE = espeak.Voice("f3", 50, 50, 160)


@pytest.fixture(scope="module")
def speaking() -> None:
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'pse-bench[embedded]'")


@pytest.fixture(scope="module")
def some(speaking, tmp_path_factory) -> Path:
    """A corpus with the clips of two voices and of babble."""
    out = tmp_path_factory.mktemp("corpus")
    for order in wanted(out):
        embedded.carry_out(order)
    return out


def wanted(out: Path) -> list[embedded.Order]:
    names = {"test-f2", "train-m3", "babble"}
    return [
        order
        for order in embedded.orders(out)
        if order.name in names and (order.kind == "speech" or order.split == "test")
    ]


def contents(out: Path) -> dict[str, str]:
    return {str(path.relative_to(out)): atomic.sha256(path) for path in out.rglob("*") if path.is_file()}


def children() -> list[str]:
    """Processes of this one that speak or that nobody waited for."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            command = (entry / "cmdline").read_text()
        except OSError:  # it ended meanwhile
            continue
        if int(parent) == os.getpid() and (state == "Z" or "espeak.py" in command):
            found.append(f"{entry.name} {state} {command}")
    return found


# ---- who says what


def test_groups_are_big_enough_balanced_and_share_no_voice():
    groups = {group: voices.speakers(group) for group in GROUPS}
    assert [len(groups[group]) for group in GROUPS] == [12, 12, 12, 6, 6, 6]
    for members in groups.values():
        genders = [voices.gender(speaker) for speaker in members]
        assert genders.count("F") == genders.count("M")
    everybody = list(itertools.chain(*groups.values()))
    variants = [voices.voice(speaker).variant for speaker in everybody]
    assert len(set(everybody)) == len(set(variants)) == 54


def test_no_sentence_comes_twice_and_all_follow_the_grammar():
    texts = list(itertools.chain(*voices.sentences().values()))
    assert len(set(texts)) == len(texts) == 54 * voices.UTTERANCES
    for text in texts:
        words = text.split(" ")
        assert len(words) == len(voices.GRAMMAR)
        assert all(word in known for word, known in zip(words, voices.GRAMMAR, strict=True))


def test_every_word_is_said_in_each_split():
    for split in (*embedded.SPLITS, embedded.DEV):
        said = {
            word
            for speaker in voices.speakers(split)
            for text in voices.utterances(speaker).values()
            for word in text.split()
        }
        assert said == set(itertools.chain(*voices.GRAMMAR))


def test_the_letter_a_is_not_read_as_the_article(monkeypatch):
    heard = []

    def listen(texts, *, voice):
        heard.extend(texts)
        return [(np.ones(100), 16_000) for _ in texts]

    monkeypatch.setattr(espeak, "speak_all", listen)
    embedded._spoken("test-f1", ["bin red at A two again", "bin red at B two again"])
    assert heard == ["bin red at eigh two again", "bin red at B two again"]


# ---- espeak-ng


def test_an_utterance_does_not_depend_on_those_before(speaking):
    texts = ["place blue at F two now", "bin red by S nine again", "set white in X six soon"]
    forward = espeak.speak_all(texts, voice=VOICE)
    backward = espeak.speak_all(texts[::-1], voice=VOICE)[::-1]
    ((alone, rate_hz),) = espeak.speak_all(texts[1:2], voice=VOICE)
    assert rate_hz == espeak.NATIVE_HZ
    for one, other in zip(forward, backward, strict=True):
        assert np.array_equal(one[0], other[0])
    assert np.array_equal(forward[1][0], alone)
    assert 0.01 < np.std(alone) < 1
    assert np.max(np.abs(alone)) <= 1


def test_variants_with_breath_and_klatt_voices_are_repeatable(speaking):
    for variant in ("f5", "klatt2", "Reed", "sandro"):  # these draw random numbers
        voice = espeak.Voice(variant, 50, 50, 160, language="en-us")
        (first, _), (second, _) = espeak.speak_all(["lay green with Z one please"] * 2, voice=voice)
        assert np.array_equal(first, second), variant


def test_an_unknown_voice_is_named(speaking):
    with pytest.raises(InputError, match="no such variant 'nobody'"):
        espeak.speak_all(["hello"], voice=espeak.Voice("nobody", 50, 50, 160))
    with pytest.raises(InputError, match=r"no such voice 'xx\+f3'"):
        espeak.speak_all(["hello"], voice=espeak.Voice("f3", 50, 50, 160, language="xx"))


def test_without_espeak_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(InputError, match=r"pip install 'pse-bench\[embedded\]'"):
        espeak.speak_all(["hello"], voice=VOICE)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="looks for processes in /proc")
def test_no_process_is_left_behind(speaking):
    espeak.speak_all(["place blue at F two now"] * 3, voice=VOICE)
    with pytest.raises(InputError):
        espeak.speak_all(["hello"], voice=espeak.Voice("nobody", 50, 50, 160))
    assert children() == []


# ---- clips


def test_clips_are_those_of_the_shipped_manifests(some):
    known, made = embedded.shipped(), contents(some)
    assert len(known) == 24 * voices.UTTERANCES + 2 * 6 * embedded.NOISE_CLIPS
    assert len(made) == 2 * voices.UTTERANCES + embedded.NOISE_CLIPS
    assert {path: known[path] for path in made} == made


def test_workers_in_any_order_give_the_same_bits(some, tmp_path):
    orders = [order for order in wanted(tmp_path) if order.kind == "speech"][::-1]
    outcomes = list(Processes(2).run(embedded.carry_out, orders))
    assert [outcome.value for outcome in outcomes] == [24, 24]
    made, expected = contents(tmp_path), contents(some)
    assert made == {path: expected[path] for path in expected if path.startswith("speech")}
    if Path("/proc/self").is_dir():
        assert children() == []


def test_a_second_run_makes_only_what_is_missing_or_damaged(some):
    order = next(order for order in wanted(some) if order.name == "test-f2")
    paths = sorted((some / "speech" / "test-f2").iterdir())
    before, times = contents(some), [path.stat().st_mtime_ns for path in paths]
    paths[3].unlink()
    paths[7].write_bytes(paths[7].read_bytes()[:-2])
    assert embedded.carry_out(order) == 2
    assert contents(some) == before
    kept = [path.stat().st_mtime_ns == time for path, time in zip(paths, times, strict=True)]
    assert kept.count(False) == 2
    assert embedded.carry_out(order) == 0


def test_utterances_have_natural_levels_and_lengths_and_do_not_clip(some):
    levels = []
    for path in sorted((some / "speech").rglob("*.wav")):
        samples, rate_hz = audio.read(path, sample_rate=embedded.SAMPLE_RATE)
        assert 1.2 < len(samples) / rate_hz < 3.5
        assert np.max(np.abs(samples)) <= 10 ** (-1 / 20) + 1e-4
        talking = vad.to_samples(vad.speech_activity(samples, rate_hz), len(samples), rate_hz)
        levels.append(vad.power_db(vad.active_power(samples, talking)))
        loud = np.flatnonzero(samples)
        assert 0.029 * rate_hz <= loud[0] <= 0.11 * rate_hz
        assert 0.029 * rate_hz <= len(samples) - 1 - loud[-1] <= 0.11 * rate_hz
    assert -30.5 < min(levels) < -28
    assert -24 < max(levels) < -21.5


def test_babble_never_rests(some):
    for path in sorted((some / "noise" / "babble").iterdir()):
        samples, rate_hz = audio.read(path, num_samples=int(embedded.NOISE_S * embedded.SAMPLE_RATE))
        frames = samples.reshape(-1, rate_hz // 10)
        level_db = 10 * np.log10(np.mean(frames**2, axis=1))
        assert np.min(level_db) > np.median(level_db) - 15


# ---- the whole corpus


def test_the_manifests_say_what_lies_there(monkeypatch, tmp_path):
    # The voices are stood in for, so that making everything takes a second; their sound is tested above.
    monkeypatch.setattr(embedded, "_spoken", lambda speaker, texts: [np.zeros(1)] * len(texts))
    monkeypatch.setattr(embedded, "_utterance", lambda sound, clip_id: np.linspace(0, 0.5, 200 + len(clip_id)))
    monkeypatch.setattr(embedded, "_talkers", lambda split: [np.linspace(-1, 1, 999)] * 6)
    monkeypatch.setattr(embedded, "NOISE_S", 0.25)
    seen = []
    embedded.synthesize(tmp_path, executor=Serial(), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 36) for done in range(1, 37)]
    for split in embedded.SPLITS:
        speech = tables.read_table(embedded.manifest(tmp_path / "manifests", split), Utterance)
        noise = tables.read_table(embedded.manifest(tmp_path / "manifests", f"noise-{split}"), NoiseClip)
        assert len(speech) == 12 * voices.UTTERANCES
        assert len(noise) == 6 * embedded.NOISE_CLIPS
        for rows in (speech, noise):
            assert [row.path for row in rows] == sorted(row.path for row in rows)
            assert {row.corpus for row in rows} == {"embedded"}
            assert all(atomic.sha256(tmp_path / row.path) == row.sha256 for row in rows)
        assert {row.text for row in speech} == {
            text for speaker in voices.speakers(split) for text in voices.utterances(speaker).values()
        }
    transcripts = tables.read_table(tmp_path / "transcripts.csv", embedded.Transcript)
    assert len(transcripts) == 24 * voices.UTTERANCES
    assert all(voices.utterances(row.speaker_id)[row.utterance_id] == row.text for row in transcripts)
    assert embedded.differing(tmp_path) == sorted(embedded.shipped())
    assert not list(tmp_path.rglob("*.part"))


def test_shipped_manifests_tell_the_texts_that_are_spoken():
    for split in embedded.SPLITS:
        rows = tables.read_table(embedded.manifest(embedded.SHIPPED, split), Utterance)
        for row in rows:
            assert row.text == voices.utterances(row.speaker_id)[row.utterance_id]
            assert row.gender == voices.gender(row.speaker_id)
            assert row.path == embedded.speech_path(row.utterance_id)


def test_a_lost_worker_is_told(tmp_path):
    class Losing:
        jobs = 1

        def run(self, function, items):
            yield Outcome(0, lost="killed")

    with pytest.raises(RequestError, match="babble was not made: killed; run the command again"):
        embedded.synthesize(tmp_path, executor=Losing())
    assert not (tmp_path / "manifests").exists()


def test_what_a_killed_worker_has_half_written_is_removed(tmp_path):
    path = tmp_path / "speech" / "a.wav"
    path.parent.mkdir()
    clips.make_all(chores.dies_writing_once, [str(path)], str, Processes(1), no_progress, [tmp_path / "speech"])
    assert sorted(found.name for found in path.parent.iterdir()) == ["a.wav", "a.wav.tried"]
    assert path.read_bytes() == b"whole"


def test_what_others_have_half_written_beside_the_corpus_stays(tmp_path):
    """A download, say; what a killed run of ours has left in the corpus goes."""
    foreign, ours = tmp_path / "dl" / "corpus.tar.gz.part", tmp_path / "speech" / "x" / "a.wav.part"
    for path in (foreign, ours):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")

    class Nobody:
        jobs = 1

        def run(self, function, items):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        embedded.synthesize(tmp_path, executor=Nobody())
    assert (foreign.exists(), ours.exists()) == (True, False)
