"""Sound in and out: exact to the sample, and nothing repaired in silence."""

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pse_bench.errors import InputError
from pse_bench.io import audio

RATE = 16000


def tone(num_samples: int = 4000, amplitude: float = 0.3) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * 440 * np.arange(num_samples) / RATE)


def fault(path, reader=audio.read, **options) -> str:
    """The one-line message that reading a file is refused with; it names the file."""
    with pytest.raises(InputError) as refused:
        reader(path, **options)
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message


# ---- seconds and samples


@pytest.mark.parametrize(
    ("seconds", "rate", "samples"),
    [(0, 16000, 0), (1, 16000, 16000), (0.5, 44101, 22051), (1.0000312, 16000, 16000), (2.001, 16000, 32016)],
)
def test_seconds_become_whole_samples(seconds, rate, samples):
    assert audio.seconds_to_samples(seconds, rate) == samples


@given(st.integers(0, 10**7), st.sampled_from([8000, 16000, 44100, 48000]))
def test_samples_survive_the_way_through_seconds(samples, rate):
    assert audio.seconds_to_samples(samples / rate, rate) == samples


# ---- round trips


@pytest.mark.parametrize("ending", [".wav", ".flac"])
@pytest.mark.parametrize("part", ["", ".part"])
def test_stored_samples_come_back_bit_for_bit(tmp_path, ending, part):
    pcm = np.random.default_rng(1).integers(-32768, 32768, 5000, dtype=np.int16)
    path = tmp_path / f"a{ending}{part}"
    audio.write(path, pcm, RATE)
    assert (audio.read_pcm16(path) == pcm).all()
    samples, rate = audio.read(path, sample_rate=RATE, num_samples=5000)
    assert rate == RATE
    assert samples.dtype == np.float64
    assert (samples * audio.FULL_SCALE == pcm).all()
    assert (audio.to_pcm16(samples) == pcm).all()
    assert audio.info(path) == audio.Info(RATE, 5000, 1, "PCM_16")
    assert soundfile.info(str(path)).format == ending[1:].upper()


def test_floats_are_stored_where_they_are_asked_for(tmp_path):
    audio.write(tmp_path / "a.wav", tone(), RATE, subtype="FLOAT")
    assert audio.info(tmp_path / "a.wav").subtype == "FLOAT"
    assert np.allclose(audio.read(tmp_path / "a.wav")[0], tone(), atol=1e-7)


def test_the_hash_is_of_the_sound_and_not_of_the_file(tmp_path):
    pcm = audio.to_pcm16(tone())
    for name in ("a.wav", "a.flac"):
        audio.write(tmp_path / name, pcm, RATE)
    hashes = {audio.sha256_of_samples(audio.read_pcm16(tmp_path / name)) for name in ("a.wav", "a.flac")}
    assert hashes == {audio.sha256_of_samples(pcm)}
    assert audio.sha256_of_samples(pcm.astype(">i2")) in hashes
    assert audio.sha256_of_samples(pcm[::-1]) not in hashes
    assert audio.sha256_of_samples(np.repeat(pcm, 2)[::2]) in hashes


def test_a_stretch_is_read_where_it_was_asked(tmp_path):
    audio.write(tmp_path / "a.flac", audio.to_pcm16(tone()), RATE)
    whole, _ = audio.read(tmp_path / "a.flac")
    stretch, _ = audio.read(tmp_path / "a.flac", start=1000, stop=1500)
    assert (stretch == whole[1000:1500]).all()
    rest, _ = audio.read(tmp_path / "a.flac", start=3990)
    assert (rest == whole[3990:]).all()


COMPRESSED = {
    "mp3": ("a.mp3", {"format": "MP3"}),
    "vorbis": ("a.ogg", {"format": "OGG", "subtype": "VORBIS"}),
    "opus": ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
    "gsm": ("a.wav", {"subtype": "GSM610"}),  # libsndfile cannot jump into it at all
}


def compressed(folder, kind, num_samples=24000):
    """A file of noise that ``soundfile`` wrote, and its samples as one call of ``soundfile`` decodes them."""
    name, options = COMPRESSED[kind]
    if options.get("format", "WAV") not in soundfile.available_formats():
        pytest.skip(f"this libsndfile has no {kind}")
    soundfile.write(folder / name, 0.2 * np.random.default_rng(1).standard_normal(num_samples), RATE, **options)
    with soundfile.SoundFile(folder / name) as stream:
        return folder / name, stream.read(stream.frames)


@pytest.mark.parametrize("kind", COMPRESSED)
def test_a_stretch_of_a_compressed_file_is_that_of_the_whole(tmp_path, monkeypatch, kind):
    path, whole = compressed(tmp_path, kind)
    assert audio.info(path).num_samples == len(whole)
    assert (audio.read(path)[0] == whole).all()
    for start, stop in ((1, 400), (5000, 5001), (12345, 20000), (len(whole) - 500, len(whole))):
        assert (audio.read(path, start=start, stop=stop)[0] == whole[start:stop]).all()
    monkeypatch.setattr(audio, "BLOCK", 1000)
    assert (np.concatenate(list(audio.blocks(path))) == whole).all()
    assert (audio.read(path, start=12345, stop=20000)[0] == whole[12345:20000]).all()


@pytest.mark.parametrize("kind", ["mp3", "vorbis", "opus"])
def test_a_compressed_file_has_the_length_and_the_place_of_its_sound(tmp_path, kind):
    """The encoder's delay and what it adds to the last frame are taken off again."""
    path = tmp_path / COMPRESSED[kind][0]
    compressed(tmp_path, kind, num_samples=24001)
    soundfile.write(path, tone(24001), RATE, **COMPRESSED[kind][1])
    samples, _ = audio.read(path)
    assert len(samples) == 24001
    assert np.abs(samples - tone(24001))[1000:-1000].max() < 0.05


def test_an_mp3_that_does_not_say_its_length_is_as_long_as_it_is_decoded(tmp_path):
    path = tmp_path / "a.mp3"
    soundfile.write(path, tone(24001), RATE, bitrate_mode="CONSTANT", compression_level=0.5)
    content = path.read_bytes()
    second = content.index(content[:2], 2)  # the first frame holds no sound but the length
    assert b"Info" in content[:second]
    estimates = []
    for cut in (0, 100, 5000):
        path.write_bytes(content[second : len(content) - cut])
        decoded = len(soundfile.read(path)[0])
        assert audio.info(path).num_samples == len(audio.read(path)[0]) == decoded
        estimates.append(soundfile.info(path).frames == decoded)  # from the number of bytes
    assert not all(estimates)


def test_an_mp3_that_ends_before_it_says_is_refused(tmp_path):
    path, _ = compressed(tmp_path, "mp3")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for reader in (audio.read, audio.info):
        assert "the file is truncated" in fault(path, reader)


# ---- AAC, through PyAV


@pytest.fixture
def aac(tmp_path):
    """Writes a mono tone of 24,001 samples as AAC or ALAC; gives its path."""
    av = pytest.importorskip("av", reason="the extra m4a is not installed")

    def write(name, codec="aac", channels=1, **options):
        with av.open(str(tmp_path / name), "w", options=options) as container:
            stream = container.add_stream(codec, rate=RATE, layout={1: "mono", 2: "stereo"}[channels])
            samples = np.repeat(tone(24001).astype(np.float32)[None], channels, axis=0)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=stream.layout.name)
            frame.sample_rate, frame.pts = RATE, 0
            to_stream = av.AudioResampler(stream.format, frame_size=stream.codec_context.frame_size)
            for part in [*to_stream.resample(frame), *to_stream.resample(None)]:
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
        return tmp_path / name

    return write


def test_m4a_is_read_like_every_other_file(aac):
    path = aac("a.m4a")
    samples, rate = audio.read(path)
    assert (rate, samples.dtype) == (RATE, np.float64)
    assert audio.info(path) == audio.Info(RATE, len(samples), 1, "FLOAT")
    assert 24001 <= len(samples) < 24001 + 1024  # the encoder's delay is gone, the last frame is whole
    assert np.abs(samples[:24001] - tone(24001))[1000:-1000].max() < 0.05
    assert (audio.read(path)[0] == samples).all()
    assert (audio.read(path, start=5000, stop=6000)[0] == samples[5000:6000]).all()


def test_alac_comes_back_bit_for_bit(aac):
    samples, _ = audio.read(aac("a.m4a", "alac"))
    assert len(samples) == 24001
    assert np.abs(samples - tone(24001)).max() < 2**-15


def test_a_bare_aac_stream_begins_with_its_encoders_delay(aac):
    samples, _ = audio.read(aac("a.aac"))
    assert np.abs(samples[1024:][:24001] - tone(24001))[1000:-1000].max() < 0.05


def test_broken_m4a_is_refused(aac, tmp_path):
    path = aac("a.m4a", movflags="faststart")
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert "not a sound file that can be opened (Invalid data" in fault(path)
    assert "2 channels, expected 1" in fault(aac("b.m4a", channels=2))
    assert "no such file" in fault(tmp_path / "none.m4a")


def test_m4a_that_ends_with_a_whole_frame_is_still_too_short(aac):
    import av

    path = aac("a.m4a", movflags="faststart")
    with av.open(str(path)) as container:
        packets = list(container.demux(audio=0))
    path.write_bytes(path.read_bytes()[: packets[len(packets) // 2].pos])
    assert "its header says 240" in fault(path)


def test_m4a_without_pyav_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(audio.pyav, "is_installed", lambda: False)
    (tmp_path / "a.m4a").write_bytes(b"")
    assert "reading .m4a needs PyAV; run pip install 'pse-bench[m4a]'" in fault(tmp_path / "a.m4a")


def test_rounding_is_to_the_nearest_step():
    steps = np.array([-1.0, -0.6, -0.4, 0.0, 0.4, 0.6, 32767.0]) / audio.FULL_SCALE
    assert audio.to_pcm16(steps).tolist() == [-1, -1, 0, 0, 0, 1, 32767]


def test_sounds_are_found_by_name_whatever_their_format(tmp_path):
    for name in ("a.wav", "b.flac", "a.mp3"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "a.flac").mkdir()
    assert audio.find(tmp_path, "a") == [tmp_path / "a.wav"]
    assert audio.find(tmp_path, "b") == [tmp_path / "b.flac"]
    assert audio.find(tmp_path / "none", "a") == []


# ---- refusals


def test_what_is_no_sound_is_refused(tmp_path):
    (tmp_path / "text.wav").write_text("hello")
    (tmp_path / "nothing.flac").write_bytes(b"")
    (tmp_path / "folder.wav").mkdir()
    for reader in (audio.read, audio.read_pcm16):
        assert "no such file" in fault(tmp_path / "none.wav", reader)
        assert "no such file" in fault(tmp_path / "folder.wav", reader)
        assert "not a sound file" in fault(tmp_path / "text.wav", reader)
        assert "not a sound file" in fault(tmp_path / "nothing.flac", reader)


def test_what_is_not_as_expected_is_refused(tmp_path):
    audio.write(tmp_path / "a.wav", audio.to_pcm16(tone()), RATE)
    soundfile.write(str(tmp_path / "stereo.wav"), np.zeros((100, 2)), RATE)
    soundfile.write(str(tmp_path / "empty.wav"), np.zeros(0), RATE)
    soundfile.write(str(tmp_path / "fine.wav"), np.zeros(10), RATE, subtype="PCM_24")
    assert "sampled at 16000 Hz, expected 48000 Hz" in fault(tmp_path / "a.wav", sample_rate=48000)
    assert "4000 samples long, expected 4001" in fault(tmp_path / "a.wav", num_samples=4001)
    assert "2 channels, expected 1" in fault(tmp_path / "stereo.wav")
    assert "holds no samples" in fault(tmp_path / "empty.wav")
    assert "expected mono PCM_16" in fault(tmp_path / "stereo.wav", audio.read_pcm16)
    assert "1 channels of PCM_24, expected mono PCM_16" in fault(tmp_path / "fine.wav", audio.read_pcm16)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_single_sample_that_is_no_number_is_refused(tmp_path, value):
    samples = tone()
    samples[-1] = value
    soundfile.write(str(tmp_path / "a.wav"), samples, RATE, subtype="FLOAT")
    assert "NaN or infinite" in fault(tmp_path / "a.wav")
    assert len(audio.read(tmp_path / "a.wav", stop=3999)[0]) == 3999


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_a_file_that_was_cut_off_is_refused(tmp_path, share):
    """A FLAC knows its length; a WAV is only known to be short where the length is."""
    noise = np.random.default_rng(1).integers(-9999, 9999, 40000, dtype=np.int16)
    for name in ("a.flac", "a.wav"):
        audio.write(tmp_path / name, noise, RATE)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
    assert "restore or remove it" in fault(tmp_path / "a.flac")
    assert "samples long, expected 40000" in fault(tmp_path / "a.wav", num_samples=40000)


def test_a_flac_with_flipped_bits_is_refused_or_read_as_it_was(tmp_path):
    """Damage in the sound itself is caught by FLAC's checksums, and never by a traceback."""
    noise = np.random.default_rng(1).integers(-9999, 9999, 20000, dtype=np.int16)
    audio.write(tmp_path / "a.flac", noise, RATE)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    refused = 0
    for place in range(200, len(content), len(content) // 12):
        damaged = bytearray(content)
        damaged[place] ^= 0x55
        (tmp_path / "b.flac").write_bytes(damaged)
        try:
            samples, _ = audio.read(tmp_path / "b.flac")
        except InputError:
            refused += 1
        else:
            assert (samples * audio.FULL_SCALE == noise).all()
    assert refused >= 8


def test_a_stretch_beyond_the_end_is_refused(tmp_path):
    audio.write(tmp_path / "a.wav", audio.to_pcm16(tone()), RATE)
    assert "ends after 4000 samples" in fault(tmp_path / "a.wav", start=3000, stop=5000)


# ---- resampling


@settings(max_examples=25)
@given(
    st.integers(1, 2000),
    st.sampled_from([8000, 16000, 22050, 44100, 48000]),
    st.sampled_from([8000, 16000, 44100]),
)
def test_the_length_after_resampling_is_known_before(num_samples, from_hz, to_hz):
    length = len(audio.resample(np.zeros(num_samples), from_hz, to_hz))
    assert length == audio.resampled_length(num_samples, from_hz, to_hz)
    assert length == -(-num_samples * to_hz // from_hz)


@pytest.mark.parametrize("from_hz", [8000, 22050, 44100, 48000])
def test_resampling_keeps_pitch_level_and_place(from_hz):
    def sound(rate):
        time = np.arange(rate // 2) / rate
        return np.sin(2 * np.pi * 700 * time) * np.exp(-(((time - 0.25) / 0.05) ** 2))

    resampled = audio.resample(sound(from_hz), from_hz, RATE)
    assert np.abs(resampled - sound(RATE)).max() < 2e-3


def test_resampling_leaves_no_mirror_images():
    time = np.arange(48000) / 48000
    too_high = np.sin(2 * np.pi * 10000 * time)
    assert np.std(audio.resample(too_high, 48000, RATE)[500:-500]) < 0.01


def test_nothing_is_done_where_nothing_is_asked():
    samples = tone()
    assert audio.resample(samples, RATE, RATE) is samples
