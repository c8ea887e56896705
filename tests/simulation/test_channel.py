"""Channels: each against a closed form or an independent implementation, aligned, and drawn as asked."""

import io

import numpy as np
import pytest
import soundfile

from pse_bench.dataset.dataset import Dataset
from pse_bench.dataset.groups import groups_of
from pse_bench.io import atomic, audio
from pse_bench.planning import plan
from pse_bench.planning.channel import ChannelChoice
from pse_bench.runtime.executor import Processes, Serial
from pse_bench.schemas import Channel
from pse_bench.simulation import channel, render
from pse_bench.simulation.verify import verify

RATE = 16000
CHANNEL = {
    "microphone_tilt_db": {"uniform": [-3, 3]},
    "gain_control": {"choice": ["none", "automatic"]},
    "clipping": {"choice": [0, 0.01]},
    "band": {"choice": ["full", "narrow", "telephone"]},
    "codec": {"choice": ["none", "opus", "gsm", "mu-law", "a-law"]},
    "bitrate_kbps": {"uniform": [12, 32]},
    "loss": {"choice": [0, 0.1]},
    "loss_burst": 2,
    "concealment": {"choice": ["silence", "repetition"]},
}


def noise(seconds: float = 2.0, seed: int = 0, level: float = 0.05) -> np.ndarray:
    """Pink-like noise, which codecs keep better than white noise."""
    white = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    spectrum = np.fft.rfft(white)
    spectrum /= np.sqrt(np.arange(len(spectrum)) + 20)
    pink = np.fft.irfft(spectrum, len(white))
    return level * pink / pink.std()


def lag(one: np.ndarray, other: np.ndarray) -> int:
    """By how many samples the second comes later."""
    size = 2 * len(one)
    crossed = np.fft.irfft(np.conj(np.fft.rfft(one, size)) * np.fft.rfft(other, size))
    place = int(np.argmax(crossed))
    return place if place < size // 2 else place - size


def drawn(seed: int = 1, seconds: float = 10.0, **asked: object) -> Channel | None:
    choice = ChannelChoice.model_validate(asked)
    return choice.draw(seed, "scene", 0, num_samples=round(seconds * RATE), sample_rate=RATE)


# ---- each of them


@pytest.mark.parametrize(
    "changes",
    [
        {"microphone_tilt_db": 3.0},
        {"gain_control": "automatic"},
        {"clipping": 0.05},
        {"band": "narrow"},
        {"band": "telephone"},
        {"codec": "opus", "bitrate_kbps": 16.0},
        {"codec": "gsm"},
        {"codec": "mu-law"},
        {"codec": "a-law"},
        {"lost": [(3, 2)], "concealment": "repetition"},
    ],
    ids=str,
)
@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_nothing_moves_in_time_and_the_input_stays(changes, rate):
    sound = noise(2.0 * rate / RATE)
    before = sound.copy()
    found = channel.apply(sound, Channel(**changes), rate)
    assert found.shape == sound.shape
    assert lag(sound, found) == 0
    assert not np.array_equal(found, sound)
    assert np.array_equal(sound, before)
    assert np.abs(found).max() <= channel.PEAK


def test_nothing_asked_changes_nothing():
    sound = noise()
    assert np.array_equal(channel.apply(sound, Channel(), RATE), sound)


def test_clipping_by_its_share():
    sound = noise(5.0)
    for share in (0.001, 0.02, 0.3):
        found = channel.clip(sound, share)
        assert np.mean(np.abs(found) >= np.abs(found).max()) == pytest.approx(share, abs=2 / len(sound))
        inside = np.abs(found) < np.abs(found).max()
        assert np.array_equal(found[inside], sound[inside])


@pytest.mark.parametrize(("hz", "octaves"), [(250, -2), (1000, 0), (2000, 1), (4000, 2)])
def test_a_tilt_turns_about_1_khz(hz, octaves):
    time = np.arange(4 * RATE) / RATE
    tone = 0.01 * np.sin(2 * np.pi * hz * time)
    middle = slice(RATE, 3 * RATE)
    gain_db = 20 * np.log10(channel.tilt(tone, 3.0, RATE)[middle].std() / tone[middle].std())
    assert gain_db == pytest.approx(3.0 * octaves, abs=0.01)


@pytest.mark.parametrize(
    ("band", "hz", "expected_db", "off"),
    [
        # both ways through a filter of fourth order: twice the 3 dB at its edges
        ("telephone", 300, -6.02, 0.1),
        ("telephone", 1000, 0, 0.1),
        ("telephone", 3400, -6.02, 0.1),
        ("narrow", 100, 0, 0.1),
        ("narrow", 3800, -6.02, 0.1),
    ],
)
def test_bands_end_where_they_should(band, hz, expected_db, off):
    tone = 0.1 * np.sin(2 * np.pi * hz * np.arange(4 * RATE) / RATE)
    middle = slice(RATE, 3 * RATE)
    found = channel.limit_band(tone, band, RATE)[middle]
    assert 20 * np.log10(found.std() / tone[middle].std()) == pytest.approx(expected_db, abs=off)
    assert channel.limit_band(tone, "full", RATE) is tone


def test_automatic_gain_brings_speech_to_its_level():
    time = np.arange(20 * RATE) / RATE
    for level_dbfs in (-40, -23, -10):
        tone = np.sqrt(2) * 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * 300 * time)
        settled = (tone * channel.gains(tone, RATE))[-RATE:]
        assert 10 * np.log10(np.mean(settled**2)) == pytest.approx(channel.LEVEL_DBFS, abs=0.05)
    quiet = 1e-4 * tone  # no more than so much
    assert channel.gains(quiet, RATE)[-1] == pytest.approx(10 ** (channel.MOST_GAIN_DB / 20))


def test_automatic_gain_is_causal_and_that_of_a_plain_loop():
    sound = noise(3.0, level=0.02) * np.repeat([0.1, 1.0, 0.3], RATE)
    gain = channel.gains(sound, RATE)
    changed = sound.copy()
    changed[2 * RATE :] = 0.0
    assert np.array_equal(channel.gains(changed, RATE)[: 2 * RATE], gain[: 2 * RATE])
    hop, level, known = 160, None, []
    for start in range(0, len(sound), hop):
        power = float(np.mean(sound[start : start + hop] ** 2))
        level = power if level is None else level
        level += (power - level) * (1 - np.exp(-0.01 / (0.05 if power > level else 1.0)))
        wanted_db = min(max(-23 - max(10 * np.log10(level), -60), -20), 20)
        known.append(10 ** (wanted_db / 20))
    assert np.allclose(gain[hop::hop], known[: len(gain[hop::hop])], rtol=1e-12)


@pytest.mark.parametrize("repeat", [False, True], ids=["silence", "repetition"])
def test_lost_packets_are_those_of_a_plain_loop(repeat):
    sound, lost = noise(1.0), [(0, 2), (5, 3), (49, 1)]
    missing = {first + number: number for first, count in lost for number in range(count)}
    expected = sound.copy()
    for packet in range(50):
        place = slice(packet * 320, (packet + 1) * 320)
        if packet in missing:
            last = packet - missing[packet] - 1
            kept = sound[last * 320 : (last + 1) * 320] * 0.5 ** missing[packet] if repeat and last >= 0 else 0.0
            expected[place] = kept
    assert np.array_equal(channel.conceal(sound, lost, RATE, repeat=repeat), expected)


# ---- codecs


@pytest.mark.parametrize(("codec", "law"), [("mu-law", "ulaw"), ("a-law", "alaw")])
def test_logarithmic_laws_against_their_formulas(codec, law):
    sound = noise(2.0 * 8000 / RATE, level=0.1)
    found = channel.encode(sound, codec, None, 8000)
    # G.711: 8 chords of 16 steps; the relative error is at most half a step of a chord
    small = 4 / 8192 if law == "ulaw" else 4 / 4096
    assert np.all(np.abs(found - sound) <= np.maximum(np.abs(sound) / 32 + small, small))
    assert len(np.unique(found)) <= 256
    continuous = {
        "ulaw": lambda x: np.sign(x) * np.log1p(255 * np.abs(x)) / np.log1p(255),
        "alaw": lambda x: (
            np.sign(x)
            * np.where(np.abs(x) < 1 / 87.6, 87.6 * np.abs(x), 1 + np.log(np.maximum(87.6 * np.abs(x), 1e-9)))
            / (1 + np.log(87.6))
        ),
    }[law]
    # the codes stand evenly along the compressing curve, of which the standard's is a polygon
    assert np.abs(continuous(found) - continuous(sound)).max() < 1.5 / 128


def coded(monkeypatch, sound, codec, kbps, rate):
    """The sound after a codec, the stream that it was, and what FFmpeg decodes of that, at ``rate``."""
    av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'pse-bench[m4a]'")
    streams, write = [], soundfile.write

    def kept(stream: io.BytesIO, *given: object, **more: object) -> None:
        write(stream, *given, **more)
        streams.append(stream.getvalue())

    monkeypatch.setattr(soundfile, "write", kept)
    found = channel.encode(sound, codec, kbps, RATE)
    with av.open(io.BytesIO(streams[0])) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        parts = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    other = audio.resample(np.concatenate(parts).astype(np.float64), rate, RATE)
    return found, streams[0], other[: len(sound)]


@pytest.mark.parametrize("codec", ["gsm", "mu-law", "a-law"])
def test_codecs_of_telephones_are_what_another_decoder_makes_of_the_stream(codec, monkeypatch):
    sound = noise(2.0)
    found, stream, other = coded(monkeypatch, sound, codec, None, 8000)
    assert np.abs(found - other).max() < 1e-6
    kbps = {"gsm": 13.0, "mu-law": 64.0, "a-law": 64.0}[codec]  # GSM 06.10, G.711
    assert 8 * len(stream) / 2.0 / 1000 == pytest.approx(kbps, rel=0.02)


@pytest.mark.parametrize("kbps", [12.0, 24.0, 64.0])
def test_opus_is_what_another_decoder_makes_of_the_stream(kbps, monkeypatch):
    sound = noise(4.0)
    found, stream, other = coded(monkeypatch, sound, "opus", kbps, 48000)
    # FFmpeg leaves the coder's delay in, or takes it out: libsndfile's is aligned
    shift = lag(found, other)
    assert shift in (0, 104)  # 312 samples of 48 kHz
    other, ours = other[shift:], found[: len(found) - shift]
    error_db = 10 * np.log10(np.mean((ours - other)[800:-800] ** 2) / np.mean(ours[800:-800] ** 2))
    assert error_db < -25
    assert 8 * len(stream) / 4.0 / 1000 == pytest.approx(kbps, rel=0.35)


def test_more_bits_are_more_like_the_original():
    sound = noise(4.0)
    errors = [np.mean((channel.encode(sound, "opus", kbps, RATE) - sound) ** 2) for kbps in (8.0, 24.0, 96.0)]
    assert errors == sorted(errors, reverse=True)


# ---- drawn


def test_losses_come_as_often_and_in_such_bursts_as_asked():
    for loss, burst in ((0.02, 1.0), (0.1, 2.0), (0.3, 5.0)):
        found = drawn(seconds=10_000 * 0.02, loss=loss, loss_burst=burst)
        assert found is not None
        lengths = [count for _, count in found.lost]
        deviation = np.sqrt(loss * (1 - loss) * (2 * burst - 1) / 10_000)
        assert abs(sum(lengths) / 10_000 - loss) < 4 * deviation
        assert found.loss == pytest.approx(sum(lengths) / 10_000, abs=5e-4)
        # neighbouring bursts are one, so singles of 2 % are hardly longer than 1
        expected = burst if burst > 1 else 1 / (1 - loss)
        assert abs(np.mean(lengths) - expected) < 4 * burst / np.sqrt(len(lengths)) + 0.01
        ends = [first + count for first, count in found.lost]
        assert all(end < first for end, (first, _) in zip(ends, found.lost[1:], strict=False))


def test_a_longer_scene_begins_with_the_losses_of_a_shorter_one():
    short, long = (drawn(seconds=seconds, loss=0.2) for seconds in (10.0, 20.0))
    assert short is not None
    assert long is not None
    assert long.lost[: len(short.lost) - 1] == short.lost[:-1]


def test_what_does_nothing_is_no_channel():
    assert drawn() is None
    assert drawn(loss_burst=3, bitrate_kbps=12, concealment="silence") is None
    assert drawn(codec="opus") == Channel(codec="opus", bitrate_kbps=24.0)


# ---- datasets


def rendered_with(corpus, out, executor=None, **changes):
    path = corpus.plan(out.with_suffix(".jsonl"), count=6, **changes)
    given = {"roots": corpus.roots, "bank": out.parent / "rooms"}
    render.render(path, out, executor=executor or Serial(), **given)
    return Dataset.open(out)


def test_stems_stay_and_mixtures_pass_through_the_channel(corpus, tmp_path, contents_of):
    plain = rendered_with(corpus, tmp_path / "plain")
    none = rendered_with(corpus, tmp_path / "none", channel="none")
    through = rendered_with(corpus, tmp_path / "through", channel=CHANNEL)
    of = {name: contents_of(tmp_path / name) for name in ("plain", "none", "through")}
    sounds = [name for name in of["plain"] if name.endswith((".flac", ".json")) and "dataset" not in name]
    assert all(of["none"][name] == of["plain"][name] for name in sounds)
    assert (tmp_path / "none/mixtures.csv").read_bytes() == (tmp_path / "plain/mixtures.csv").read_bytes()
    assert none.mixtures == plain.mixtures
    recipes = {recipe.scene_id: recipe for recipe in plan.read(tmp_path / "through.jsonl")[2]}
    for name in sounds:
        drawn_one = recipes[name.rsplit("/", 1)[1].split(".")[0]].channel
        same = of["through"][name] == of["plain"][name]
        assert same == (not name.startswith("TS") or drawn_one is None), name
    for row in through.mixtures:
        used = recipes[row.scene_id].channel or Channel()
        assert (row.channel_codec, row.channel_loss, row.channel_band) == (used.codec, used.loss, used.band)
        assert row.has_channel == (used != Channel())
    assert len(groups_of(through.mixtures, "channel_codec")) > 2
    assert verify(tmp_path / "through", rerender=2, roots=corpus.roots, executor=Serial()).problems == []


def test_workers_give_the_same_channels(corpus, tmp_path, contents_of):
    rendered_with(corpus, tmp_path / "one", channel=CHANNEL)
    rendered_with(corpus, tmp_path / "two", executor=Processes(2), channel=CHANNEL)
    one, two = (contents_of(tmp_path / name) for name in ("one", "two"))
    assert one == two


def test_a_mixture_without_its_channel_is_found(corpus, tmp_path):
    out = tmp_path / "dataset"
    dataset = rendered_with(corpus, out, channel={"band": "telephone"})
    row = dataset.mixtures[0]
    stems = [dataset.read_pcm16(dataset.stem_name(row.scene_id, stem)) for stem in ("target", "noise")]
    audio.write(out / row.mixture_path, sum(stems), RATE)
    found = verify(out, roots=corpus.roots, executor=Serial()).problems
    assert found == [f"{out / row.mixture_path}: changed since it was rendered (sha256 differs)"]
    about = dataset.description
    files = [f.model_copy(update=renewed(out, f.path)) if f.path == row.mixture_path else f for f in dataset.files]
    rewritten(out, about, files)
    found = verify(out, roots=corpus.roots, executor=Serial()).problems
    assert f"{out / row.mixture_path}: not the sum of its stems through its channel" in found


def renewed(out, path):
    pcm = audio.read_pcm16(out / path)
    return {"sha256": atomic.sha256(out / path), "content_sha256": audio.sha256_of_samples(pcm)}


def rewritten(out, about, files):
    """Tables and description as they would be with other files."""
    from pse_bench.dataset.dataset import fingerprint
    from pse_bench.io import tables
    from pse_bench.schemas import StoredFile

    tables.write_table(out / "files.csv", StoredFile, files)
    known = {**about.tables, "files.csv": atomic.sha256(out / "files.csv")}
    new = {"tables": known, "fingerprint": fingerprint(about.plan_sha256, files)}
    document = about.model_copy(update=new).model_dump(by_alias=True, exclude={"seal_sha256"})
    atomic.write_sealed(out / "dataset.json", document)
