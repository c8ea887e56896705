"""The noise of benchmark sets: the same clips for everybody, and babble of people at equal levels."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pse_bench.corpora import clip_reader
from pse_bench.corpora.roots import Roots
from pse_bench.corpora.synthetic import benchmark_noise, noise
from pse_bench.corpora.synthetic.benchmark_noise import NoiseSpec
from pse_bench.errors import InputError, RequestError
from pse_bench.io import atomic, audio
from pse_bench.runtime.executor import Processes, Serial
from pse_bench.schemas import Utterance
from pse_bench.signal import vad

RATE = 16_000
SPEC = NoiseSpec(
    corpus="set-noise", seed=3, sample_rate=RATE, duration_s=1.5, categories=["fan", "pink"], clips=2, talkers=3
)


def speech_like(seed: int, level: float) -> np.ndarray:
    """Bursts of a tone complex with pauses, shape (num_samples,)."""
    time = np.arange(2 * RATE) / RATE
    tone = sum(np.sin(2 * np.pi * k * (120 + 15 * seed) * time + k * seed) / k for k in range(1, 12))
    bursts = (np.sin(2 * np.pi * 1.5 * time + seed) > -0.2).astype(float)
    return level * tone * bursts + 1e-3 * np.random.default_rng(seed).standard_normal(len(time))


@pytest.fixture(scope="module")
def talkers(tmp_path_factory) -> tuple[Path, list[Utterance]]:
    """Four people, one much louder than the others, each with two utterances."""
    root = tmp_path_factory.mktemp("talk")
    rows = []
    for who in range(4):
        for take in range(2):
            path = f"p{who}/p{who}-{take}.flac"
            (root / path).parent.mkdir(exist_ok=True)
            soundfile.write(root / path, speech_like(2 * who + take, 0.2 if who == 2 else 0.02), RATE)
            rows.append(
                Utterance(
                    corpus="talk",
                    utterance_id=f"p{who}-{take}",
                    speaker_id=f"p{who}",
                    gender="",
                    path=path,
                    num_samples=2 * RATE,
                    sample_rate=RATE,
                    text="",
                    sha256=clip_reader.identity(root / path, of_sound=True),
                )
            )
    return root, rows


def orders(out: Path, talkers, *, known=None, spec: NoiseSpec = SPEC) -> list[benchmark_noise.Order]:
    root, rows = talkers
    return benchmark_noise.orders(out, spec, talkers=rows, roots=Roots({"talk": root}), known=known or {})


def test_the_clips_are_the_same_whatever_the_order_and_the_workers(talkers, tmp_path):
    one, two = orders(tmp_path / "one", talkers), orders(tmp_path / "two", (talkers[0], talkers[1][::-1]))
    benchmark_noise.make(one, executor=Serial())
    benchmark_noise.make(two[::-1], executor=Processes(2))
    assert benchmark_noise.rows(one) == benchmark_noise.rows(two)
    made = benchmark_noise.rows(one)
    assert [row.category for row in made] == ["babble", "babble", "fan", "fan", "pink", "pink"]
    assert len({row.sha256 for row in made}) == 6
    assert {row.num_samples for row in made} == {audio.seconds_to_samples(1.5, RATE)}


def test_clips_that_are_as_listed_are_kept_and_others_made_again(talkers, tmp_path):
    benchmark_noise.make(orders(tmp_path, talkers), executor=Serial())
    known = {row.path: row.sha256 for row in benchmark_noise.rows(orders(tmp_path, talkers))}
    kept, spoilt = (tmp_path / path for path in ("fan/fan-1.wav", "babble/babble-2.wav"))
    spoilt.write_bytes(kept.read_bytes())
    before = kept.stat().st_mtime_ns
    again = orders(tmp_path, talkers, known=known)
    assert benchmark_noise.differing(again) == ["babble/babble-2.wav"]
    benchmark_noise.make(again, executor=Serial())
    assert kept.stat().st_mtime_ns == before
    assert benchmark_noise.differing(again) == []


def test_everybody_in_babble_talks_at_the_same_level(talkers):
    root, rows = talkers
    for who in range(4):
        clips = tuple(row for row in rows if row.speaker_id == f"p{who}")
        speech = benchmark_noise._speech(clips, Roots({"talk": root}), RATE)
        assert len(speech) == 4 * RATE
        for half in np.split(speech, 2):
            mask = vad.to_samples(vad.speech_activity(half, RATE), len(half), RATE)
            assert vad.active_power(half, mask) == pytest.approx(1, rel=1e-6)


def test_babble_is_the_sum_of_its_talkers_each_turned_to_a_place_of_its_own():
    talkers = [np.zeros(500), np.zeros(700)]
    talkers[0][3], talkers[1][5] = 1.0, 2.0
    total = sum(noise.turned(talkers, 2000, 1, "x"))
    places = [np.flatnonzero(total == value) for value in (1.0, 2.0)]
    assert [set(np.diff(place)) for place in places] == [{500}, {700}]
    assert np.count_nonzero(total) == len(places[0]) + len(places[1])


def test_too_few_talkers_or_an_utterance_that_is_not_the_listed_one(talkers, tmp_path):
    root, rows = talkers
    with pytest.raises(RequestError, match="babble of 3 talkers: 2 are listed"):
        orders(tmp_path, (root, rows[:4]))
    wrong = [row.model_copy(update={"sha256": f"pcm:{'0' * 64}"}) for row in rows]
    with pytest.raises(InputError, match=r"p\d/p\d-0.flac: not the file its manifest describes"):
        benchmark_noise.make(orders(tmp_path, (root, wrong)), executor=Serial())
    assert list(tmp_path.rglob("babble*.wav")) == []


# ---- identity of sound


def test_an_identity_of_sound_holds_for_every_lossless_container_and_no_other_sound(tmp_path):
    samples = audio.to_pcm16(speech_like(1, 0.1))
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / name, samples, RATE, subtype="PCM_16")
    changed = samples.copy()
    changed[777] += 1
    soundfile.write(tmp_path / "b.flac", changed, RATE, subtype="PCM_16")
    sound = clip_reader.identity(tmp_path / "a.wav", of_sound=True)
    assert sound == f"pcm:{audio.sha256_of_samples(samples)}"
    assert len(clip_reader.read(tmp_path / "a.flac", sound)[0]) == len(samples)
    of_bytes = atomic.sha256(tmp_path / "a.wav")
    assert clip_reader.identity(tmp_path / "a.wav", of_sound=False) == of_bytes
    clip_reader.read(tmp_path / "a.wav", of_bytes)
    for path, identity in (("b.flac", sound), ("a.flac", of_bytes)):
        with pytest.raises(InputError, match="not the file its manifest describes"):
            clip_reader.read(tmp_path / path, identity)
