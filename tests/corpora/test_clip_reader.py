"""Stretches of clips: nothing else is decoded, and they are what a whole clip gives."""

import os

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pse_bench.corpora import clip_reader
from pse_bench.errors import InputError
from pse_bench.io import atomic, audio

pytestmark = pytest.mark.usefixtures("_as_in_a_new_process")
RATES = (8000, 11025, 16000, 22050, 44100, 48000)


def noise(count, seed=1):
    return np.random.default_rng(seed).integers(-20000, 20000, count).astype(np.int16)


@settings(max_examples=60, deadline=None)
@given(
    rates=st.tuples(st.sampled_from(RATES), st.sampled_from(RATES)),
    count=st.integers(1, 6000),
    where=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_stretch_resampled_alone_has_the_bits_of_the_whole(rates, count, where):
    samples = noise(count) / audio.FULL_SCALE
    whole = audio.resample(samples, *rates)
    assert len(whole) == audio.resampled_length(count, *rates)
    first, last = sorted(round(share * len(whole)) for share in where)
    if first == last or rates[0] == rates[1]:
        return
    start, stop, before = audio.needed_to_resample(first, last, *rates)
    alone = audio.resample(samples[start:stop], *rates)
    assert np.array_equal(alone[before : before + last - first], whole[first:last])


@pytest.fixture
def clip(tmp_path):
    """Writes a clip; gives its path, its hash and its samples."""

    def write(name, count, rate, subtype="PCM_16"):
        pcm = noise(count)
        sound = pcm if subtype == "PCM_16" else pcm / audio.FULL_SCALE
        soundfile.write(tmp_path / name, sound, rate, subtype=subtype)
        return tmp_path / name, atomic.sha256(tmp_path / name), pcm / audio.FULL_SCALE

    return write


@pytest.mark.parametrize(("name", "subtype"), [("a.flac", "PCM_16"), ("a.wav", "PCM_16"), ("b.wav", "FLOAT")])
def test_a_stretch_is_that_of_the_file(clip, monkeypatch, name, subtype):
    path, sha256, samples = clip(name, 50_000, 16000, subtype)
    decoded = []
    read = audio.read
    monkeypatch.setattr(audio, "read", lambda *given, **more: decoded.append(more) or read(*given, **more))
    for start, count in ((0, 50_000), (31_000, 7000), (49_999, 1)):
        found = clip_reader.stretch(path, sha256, start=start, num_samples=count, sample_rate=16000)
        assert np.array_equal(found, samples[start : start + count])
    assert [stretch["stop"] - stretch["start"] for stretch in decoded] == [50_000, 7000, 1]


@pytest.mark.parametrize("rate", [8000, 44100])
def test_at_another_rate_it_is_a_stretch_of_the_resampled_clip_over_all_blocks(clip, monkeypatch, rate):
    monkeypatch.setattr(clip_reader, "BLOCK", 1000)
    path, sha256, samples = clip("a.wav", 9000, rate)
    whole = audio.resample(samples, rate, 16000)
    for start, count in ((0, len(whole)), (999, 2), (1000, 1000), (1234, 1500), (len(whole) - 3, 3)):
        found = clip_reader.stretch(path, sha256, start=start, num_samples=count, sample_rate=16000)
        assert np.array_equal(found, whole[start : start + count])


def test_a_clip_is_looked_at_once_until_somebody_touches_it(clip, monkeypatch):
    path, sha256, _ = clip("a.flac", 3000, 16000)
    looked = []
    identity = clip_reader.identity
    monkeypatch.setattr(
        clip_reader, "identity", lambda *given, **more: looked.append(given) or identity(*given, **more)
    )
    for _ in range(3):
        clip_reader.stretch(path, sha256, start=0, num_samples=10, sample_rate=16000)
    assert len(looked) == 1
    soundfile.write(path, noise(3000, seed=2), 16000)
    os.utime(path, ns=(1, 1))
    with pytest.raises(InputError, match=r"a\.flac: not the file its manifest describes \(sha256 differs\)"):
        clip_reader.stretch(path, sha256, start=0, num_samples=10, sample_rate=16000)


def test_a_clip_that_ends_before_the_stretch_is_refused(clip):
    path, sha256, _ = clip("a.flac", 3000, 8000)
    assert len(clip_reader.stretch(path, sha256, start=5990, num_samples=10, sample_rate=16000)) == 10
    with pytest.raises(InputError, match=r"a\.flac: shorter than its manifest says; make the manifest and plan"):
        clip_reader.stretch(path, sha256, start=5990, num_samples=11, sample_rate=16000)
