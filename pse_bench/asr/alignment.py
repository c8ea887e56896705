"""Where the words of a known text lie in a sound: forced alignment by pocketsphinx (extra ``asr``)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pse_bench.asr.recogniser import require

# A sound for every letter: enough to align a word that the dictionary lacks, in the middle of words that it has.
_SOUNDS = "a:AE b:B c:K d:D e:EH f:F g:G h:HH i:IH j:JH k:K l:L m:M "
_SOUNDS += "n:N o:AA p:P q:K r:R s:S t:T u:AH v:V w:W x:K y:Y z:Z"
LETTERS = dict(pair.split(":") for pair in _SOUNDS.split())


def aligner() -> Any:
    """A decoder that prunes nothing: there is one path only, and it is to be found even through crude
    pronunciations. Raises InputError where pocketsphinx is not installed."""
    require("pocketsphinx", "pocketsphinx", "asr")
    from pocketsphinx import Decoder

    return Decoder(lm=None, loglevel="FATAL", beam=1e-80, wbeam=1e-60, pbeam=1e-80)


def aligned(decoder: Any, samples: np.ndarray, words: Sequence[str]) -> list[tuple[str, float, float]]:
    """Every word in lower case with its begin and end in seconds; none when the text could not be found.

    Args:
        decoder: an ``aligner``.
        samples: int16 at 16 kHz.
        words: what is said, in lower case.
    """
    for word in words:
        if decoder.lookup_word(word) is None:
            decoder.add_word(word, " ".join(LETTERS[letter] for letter in word if letter in LETTERS), True)
    decoder.set_align_text(" ".join(words))
    decoder.reinit_feat()
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    found = [
        (segment.word, segment.start_frame / 100, (segment.end_frame + 1) / 100)
        for segment in decoder.seg() or ()
        if segment.word[0] not in "<["
    ]
    return found if [word.split("(")[0] for word, *_ in found] == list(words) else []
