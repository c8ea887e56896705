"""Batches: a function of (seed, step), levels as drawn, and nobody where they should not be."""

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tiny_training import silent

from pse_bench.corpora.clip_reader import identity
from pse_bench.errors import InputError, RequestError
from pse_bench.io.tables import read_table
from pse_bench.planning.channel import ChannelChoice
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import NoiseClip, Utterance
from pse_bench.signal import vad
from pse_bench.signal.vad import active_power, power_db
from pse_bench.simulation.channel import apply
from pse_bench.simulation.mixing import PEAK
from pse_bench.simulation.source_image import fade
from pse_bench.training.data import batches, clip_store, enrollment_pool
from pse_bench.training.data.augment import OWN
from pse_bench.training.data.prepared_folder import Preparation
from pse_bench.training.data.sources import allowed, from_manifests

RATE = 16_000


@pytest.fixture(scope="module")
def source(tiny):
    return tiny.source(tiny.config())


def same(one, other) -> bool:
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(one, other, strict=True))


def test_a_batch_is_a_function_of_seed_and_step(source) -> None:
    scenes = source.scenes
    assert same(batches.draw(scenes, 1, 5, range(4)), batches.draw(scenes, 1, 5, range(4)))
    assert not same(batches.draw(scenes, 1, 5, range(4)), batches.draw(scenes, 1, 6, range(4)))
    assert not same(batches.draw(scenes, 1, 5, range(4)), batches.draw(scenes, 2, 5, range(4)))


def test_ranks_share_a_batch_out(source) -> None:
    whole = batches.draw(source.scenes, 1, 5, range(4))
    parts = [
        next(batches.loader(source.scenes, seed=1, steps=range(5, 6), batch=4, rank=rank, world=2))
        for rank in range(2)
    ]
    assert same(whole, [np.concatenate(pair) for pair in zip(*parts, strict=True)])


def test_workers_give_the_same_batches_in_order(source) -> None:
    asked = {"seed": 3, "steps": range(2, 6), "batch": 2}
    alone = list(batches.loader(source.scenes, **asked))
    helped = list(batches.loader(source.scenes, workers=2, **asked))
    assert len(alone) == len(helped) == 4
    assert all(same(a, b) for a, b in zip(alone, helped, strict=True))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_to_workers_too_ends_a_step_and_not_what_it_waits_for(name: str) -> None:
    """As a terminal and a job scheduler send it, while the loop waits for a worker."""
    command = [sys.executable, str(Path(__file__).with_name("slow_scenes.py")), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, start_new_session=True)
    number = int(getattr(signal, name))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"a step has ended, then {number}\n", "")


def test_kinds_and_shapes(source) -> None:
    batch = batches.draw(source.scenes, 1, 0, range(3))
    assert batch.mixture.shape == batch.reference.shape == (3, 24_000)
    assert batch.mixture.dtype == batch.reference.dtype == batch.embedding.dtype == np.float32
    assert batch.target_active.shape == batch.interferer_active.shape == (3, 150)
    assert batch.embedding.shape == (3, 256)
    assert np.allclose(np.linalg.norm(batch.embedding, axis=1), 1, atol=1e-5)


def test_sir_and_snr_are_as_drawn_on_the_parts_themselves(source) -> None:
    for index in range(24):
        parts = source.scenes.scene(4, ("levels", index), everything=True)
        masks = {who: vad.to_samples(labels, 24_000, RATE) for who, labels in parts.active.items()}
        target, interferer = (
            power_db(active_power(parts.stems[who].astype(float), masks[who])) for who in ("target", "interferer")
        )
        noise = power_db(float(np.mean(parts.stems["noise"].astype(float) ** 2)))
        assert target - interferer == pytest.approx(parts.levels["sir_db"], abs=0.01)
        assert target - noise == pytest.approx(parts.levels["snr_db"], abs=0.01)
        assert np.abs(parts.mixture("TS2")).max() <= PEAK * 1.0001


def test_a_mixture_is_the_sum_of_its_parts_and_an_inactive_target_has_no_reference(source) -> None:
    seen = set()
    for step in range(12):
        parts = [source.scenes.scene(1, ("step", step, index)) for index in range(2)]
        batch = batches.draw(source.scenes, 1, step, range(2))
        for row, part in enumerate(parts):
            seen.add(part.label)
            total = part.stems["noise"] + sum(
                part.stems[name]
                for name, labels in (("target", ("TS1", "TS2")), ("interferer", ("TS2", "TS3")))
                if part.label in labels
            )
            assert np.allclose(batch.mixture[row], total, atol=1e-7)
            its = part.label == "TS3"
            assert batch.is_its[row] == its
            assert batch.reference[row].any() != its
            assert batch.target_active[row].any() != its
            assert (part.label != "TS1") == batch.interferer_active[row].any()
    assert seen == {"TS1", "TS2", "TS3"}


def test_mixtures_pass_through_the_channel_and_references_do_not(source, tiny, monkeypatch) -> None:
    asked = source.scenes._scenario
    choice = ChannelChoice.model_validate({"band": "telephone", "loss": 0.2})
    monkeypatch.setattr(source.scenes, "_scenario", asked.model_copy(update={"channel": choice}))
    through = source.scenes.scene(1, ("channel",))
    monkeypatch.setattr(source.scenes, "_scenario", asked)
    plain = source.scenes.scene(1, ("channel",))
    assert through.channel is not None
    assert all(np.array_equal(through.stems[stem], plain.stems[stem]) for stem in plain.stems)
    mixture, before = through.mixture(through.label), plain.mixture(plain.label)
    assert mixture.dtype == np.float32
    assert np.array_equal(mixture, apply(before, through.channel, RATE).astype(np.float32))
    assert not np.array_equal(mixture, before)


def test_the_reference_is_near_the_target_and_no_louder(source) -> None:
    part = source.scenes.scene(1, ("reference",), everything=True)
    apart = part.stems["target"] - part.stems["reference"]
    assert 0 < np.sum(apart.astype(float) ** 2) < 0.5 * np.sum(part.stems["target"].astype(float) ** 2)


def test_the_share_of_inactive_targets_is_the_configurations(tiny) -> None:
    none = tiny.source(tiny.config(data={"its_share": 0.0})).scenes
    assert not any(none._scenario.draw_label(1, "x", i) == "TS3" for i in range(300))
    most = tiny.source(tiny.config(data={"its_share": 0.5})).scenes
    labels = [most._scenario.draw_label(1, "x", i) for i in range(3000)]
    assert labels.count("TS3") / 3000 == pytest.approx(0.5, abs=0.03)
    assert labels.count("TS1") / labels.count("TS2") == pytest.approx(0.75, abs=0.12)


def test_who_is_enrolled_is_who_is_heard_and_never_in_the_same_samples(source) -> None:
    speakers = source.scenes._speakers
    clips, enrollments = speakers._clips, speakers._enrollments
    alone = 0
    for index in range(60):
        role, row = speakers.target(1, ("enrolled", index))
        crop = enrollments.crops[row]
        assert clips[crop.clip].voice == role.clip.voice
        (piece,) = role.segments
        begin = clips[crop.clip].start + crop.start
        assert begin + crop.num_samples <= piece.first or piece.first + piece.num_samples <= begin
        alone += clips[crop.clip].start == role.clip.start
        others = speakers.interferers(1, ("enrolled", index), role)
        assert others
        assert role.clip.person not in {other.clip.person for other in others}
    assert alone > 5


def test_people_who_are_looked_at_are_never_trained_on(source) -> None:
    speakers = source.scenes._speakers
    heard = {name.split("@")[0] for name in speakers._voices.of}
    held_out = {word.strip() for word in source.notes[1].rsplit(": ", 1)[1].split(",")}
    assert len(held_out) == 2
    assert not heard & held_out
    assert all("interferer" in part.stems and part.active["target"].any() for part in source.validation)


def test_only_people_of_the_table_are_used(tiny, tmp_path) -> None:
    rows = read_table(tiny.folder / "speech.csv", Utterance)
    table = tmp_path / "people.csv"
    table.write_text("corpus,speaker_id,role\ntalk,ada,training\ntalk,bea,target\ntalk,eve,interferer\n")
    used, beside = allowed(rows, table)
    assert ({row.speaker_id for row in used}, beside) == ({"ada", "eve"}, {"talk/eve"})
    table.write_text("corpus,speaker_id\ntalk,ada\ntalk,bea\n")
    used, beside = allowed(rows, table)
    assert ({row.speaker_id for row in used}, beside) == ({"ada", "bea"}, set())
    table.write_text("corpus,speaker_id\nother,ada\n")
    assert len(allowed(rows, table)[0]) == len(rows)
    table.write_text("corpus,speaker_id\ntalk,nobody\n")
    with pytest.raises(InputError, match="none of its training speakers"):
        allowed(rows, table)


def test_clips_are_known_by_their_samples_too(tiny, tmp_path) -> None:
    rows = read_table(tiny.folder / "speech.csv", Utterance)[:2]
    noise = read_table(tiny.folder / "noise.csv", NoiseClip)[:1]
    paths = [tiny.roots.locate(row.corpus, row.path) for row in rows]
    by_sound = [
        row.model_copy(update={"sha256": identity(path, of_sound=True)})
        for row, path in zip(rows, paths, strict=True)
    ]

    def prepared(name: str, speech: list[Utterance]) -> clip_store.ClipStore:
        preparation = Preparation(tmp_path / name, tmp_path, tiny.roots, Serial(), silent)
        return clip_store.prepare(preparation, speech=speech, noise=noise, voices=[OWN], sample_rate=RATE)

    of_files, of_sound = prepared("a", rows), prepared("b", by_sound)
    assert np.array_equal(of_files.speech, of_sound.speech)
    wrong = [row.model_copy(update={"sha256": "pcm:" + "0" * 64}) for row in rows]
    with pytest.raises(InputError, match="not the file its manifest describes"):
        prepared("c", wrong)


def test_who_is_an_interferer_only_is_never_a_target(tiny, tmp_path) -> None:
    everybody = sorted({row.speaker_id for row in read_table(tiny.folder / "speech.csv", Utterance)})
    lines = [f"talk,{who},{'interferer' if who in ('eve', 'bea') else 'training'}\n" for who in everybody]
    (tmp_path / "people.csv").write_text("".join(["corpus,speaker_id,role\n", *lines]))
    scenes = tiny.source(tiny.config(), tmp_path / "people.csv").scenes
    drawn = [scenes.scene(1, ("drawn", number), everything=True).people for number in range(40)]
    assert not {people[0] for people in drawn} & {"talk/eve", "talk/bea"}
    assert {"talk/eve", "talk/bea"} <= {who for people in drawn for who in people[1:]}


def test_a_preparation_that_was_interrupted_goes_on(tiny, tmp_path, monkeypatch) -> None:
    """After three files, and after two batches of enrollments: nothing is made twice, arrays are the same."""
    whole, taken = tiny.source(tiny.config()).scenes, Counter()
    monkeypatch.setattr(enrollment_pool, "AT_ONCE", 4)

    def prepared(**stops: int):
        for module, function in ((clip_store, clip_store._decode), (enrollment_pool, enrollment_pool._embedded)):
            name = function.__name__

            def counted(work, function=function, name=name):
                if taken[name] == stops.get(name):
                    raise KeyboardInterrupt
                taken[name] += 1
                return function(work)

            patch.setattr(module, name, counted)
        preparation = Preparation(tmp_path, tiny.cache / "rooms", tiny.roots, Serial(), silent)
        manifests = {role: [tiny.folder / f"{role}.csv"] for role in ("speech", "noise")}
        return from_manifests(tiny.config(), preparation, **manifests).scenes

    for stops in ({"_decode": 3}, {"_embedded": 2}):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            prepared(**stops)
    with monkeypatch.context() as patch:
        again = prepared()
    store, crops = again._store, again._speakers._enrollments.crops
    files = len({clip.name.split("@")[0] for clip in store.clips}) + len(store.noises)
    assert taken == {"_decode": files, "_embedded": -(-len(crops) // 4)}
    for name in ("speech", "active", "noise"):
        assert np.array_equal(getattr(whole._store, name), getattr(store, name))
    ours, theirs = (scenes._speakers._enrollments.embeddings for scenes in (whole, again))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_too_few_people_are_refused(tiny) -> None:
    with pytest.raises(RequestError, match=r"6 people .* 5 of them for validation"):
        tiny.source(tiny.config(validation={"speakers": 5}))


def test_people_to_look_at_can_be_named(tiny) -> None:
    source = tiny.source(tiny.config(validation={"people": ["talk/eve", "talk/ada"]}))
    assert "2 to validate on, with 0 min: talk/ada, talk/eve" in source.notes[1]
    with pytest.raises(RequestError, match=r"validation.people names talk/nobody.* for example talk/"):
        tiny.source(tiny.config(validation={"people": ["talk/eve", "talk/nobody"]}))


def test_an_image_is_the_direct_convolution(source) -> None:
    """Against numpy's convolution of the same dry track with the same response."""
    scenes = source.scenes
    role, _ = scenes._speakers.target(1, ("convolved",))
    place = scenes._rirs.rooms[0][0][0]
    tilts, scenes._tilts = scenes._tilts, []
    (image,), _ = scenes._images(role, place, [place.whole], 1, ("x",))
    scenes._tilts = tilts
    (piece,) = role.segments
    dry = np.zeros(scenes.chunk)
    sound = scenes._store.speech[piece.first : piece.first + piece.num_samples] / 32768
    fade(sound, RATE)
    dry[piece.onset : piece.onset + piece.num_samples] = sound
    start, length = place.raw
    response = scenes._rirs.samples[start : start + length].astype(float)
    expected = np.convolve(dry, response)[scenes._rirs.pre_delay :][: scenes.chunk]
    assert np.abs(image - expected).max() < 1e-5 * np.abs(expected).max() + 1e-7
