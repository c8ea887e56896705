"""pocketsphinx with its own English acoustic model and a bigram model of the dataset's sentences.

Everything comes from one package of pip (extra ``asr``), so it works offline and on any machine. Because it knows
the sentences, its word error rates are far below those of a recogniser that does not, and it fails in
strong noise: it ranks systems at mild noise, and no more.
"""

import hashlib
import json
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pse_bench.asr import ngram_lm
from pse_bench.asr.recogniser import Recogniser, first_few, require
from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.metrics.recognition import words
from pse_bench.metrics.signals import Signal

SETTINGS: Mapping[str, float] = {"lw": 6.5, "fwdflatlw": 8.5, "bestpathlw": 9.5}
"""Weights of the language model in its three passes."""

ROOM_NOISE_LSB = 30.0
"""RMS of the room noise in steps of 16 bits (−61 dBFS). The cepstrum of digital silence is like nothing that the
acoustic model knows, and synthetic voices and gated outputs are full of it: on clean embedded speech the noise
brings the WER from 0.26 to 0.13 (every third utterance). What leaks below it is not transcribed."""

_loaded = threading.local()  # a decoder is no thread's but its own


@dataclass(frozen=True)
class SphinxDecoder:
    """A decoder and what it is made of. It is made once in each process and thread."""

    digest: str
    arpa: str
    dictionary: str

    def __call__(self, samples: Signal, mixture_id: str) -> str:
        """The words in 16 kHz samples, decoded at the level they have, as 16-bit sound over faint room noise."""
        if getattr(_loaded, "digest", "") != self.digest:
            from pocketsphinx import Decoder

            with tempfile.TemporaryDirectory() as folder:
                model, dictionary = Path(folder, "ngrams.arpa"), Path(folder, "words.dict")
                model.write_text(self.arpa, encoding="utf-8")
                dictionary.write_text(self.dictionary, encoding="utf-8")
                files = {"hmm": str(_acoustic_model()), "lm": str(model), "dict": str(dictionary)}
                _loaded.decoder = Decoder(**files, loglevel="FATAL", **SETTINGS)
            _loaded.digest = self.digest
        decoder = _loaded.decoder
        decoder.reinit_feat()  # forgets the utterance before
        decoder.start_utt()
        decoder.process_raw(with_room_noise(samples).tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""


def from_sentences(texts: Iterable[str]) -> Recogniser:
    """A recogniser that expects these sentences. Order, repetitions and empty ones make no difference.

    Raises:
        InputError: pocketsphinx is not installed, or there is no sentence with a word that it can pronounce.
    """
    require("pocketsphinx", "pocketsphinx", "asr")
    # Sorted and once each: how often a sentence is in a dataset is chance.
    sentences = sorted({tuple(words(text)) for text in texts} - {()})
    wanted = {word for sentence in sentences for word in sentence}
    spoken = pronunciations(wanted)
    if not spoken:
        raise InputError(
            "pocketsphinx: no known sentences to listen for (the dataset's texts are empty); give whisper:tiny.en "
            "or csv:FILE as the recogniser"
        )
    arpa = ngram_lm.arpa(sentences, spoken.keys())
    dictionary = "".join(
        f"{word}{f'({number})' if number > 1 else ''} {phones}\n"
        for word in sorted(spoken)
        for number, phones in enumerate(spoken[word], start=1)
    )
    files = sorted(path for path in _acoustic_model().iterdir() if path.is_file())
    acoustic = hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)).hexdigest()
    parts = [arpa, dictionary, json.dumps([SETTINGS, ROOM_NOISE_LSB]), acoustic]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    note = (
        f"a ranking aid for mild noise, not a headline WER: it knows the dataset's {len(sentences)} sentences "
        f"(bigram model of {len(wanted)} words)"
    )
    if missing := sorted(wanted - spoken.keys()):
        note += f"; {len(missing)} words have no known pronunciation and are never heard: {first_few(missing)}"
    decoder = SphinxDecoder(digest, arpa, dictionary)
    return Recogniser("pocketsphinx", version("pocketsphinx"), model=digest, note=note, decode=decoder)


def pronunciations(wanted: Iterable[str]) -> dict[str, list[str]]:
    """The ways to say each word that the package's dictionary has; words that it lacks are left out."""
    known: dict[str, list[str]] = defaultdict(list)
    lines = _acoustic_model().with_name("cmudict-en-us.dict").read_text(encoding="utf-8").splitlines()
    for line in lines:
        word, _, phones = line.partition(" ")
        known[word.partition("(")[0]].append(phones.strip())
    return {word: known[word] for word in sorted(set(wanted)) if word in known}


def with_room_noise(samples: Signal) -> np.ndarray:
    """Samples as 16 bits, held at full scale, over faint noise that is the same every time."""
    noise = ROOM_NOISE_LSB * np.random.default_rng(0).standard_normal(len(samples))
    noisy = np.round(audio.FULL_SCALE * samples + noise)
    return np.clip(noisy, -audio.FULL_SCALE, audio.FULL_SCALE - 1).astype("<i2")


def _acoustic_model() -> Path:
    from pocketsphinx import get_model_path

    return Path(get_model_path("en-us")) / "en-us"
