"""How well the voices of the embedded corpus are told apart, and their words understood.

    pse-bench corpus synth CORPUS
    python benchmarks/voice_separation.py CORPUS [--sentences 60]

Prints for test and train voices: the equal error rate of deciding from two sentences whether one voice spoke
both (d-vectors of resemblyzer, cosine, all pairs of utterances), the cosines themselves, and the word error
rate of pocketsphinx with a grammar of the sentences. Either part is left out, with a line that says so, where
its package is not installed:

    pip install resemblyzer 'setuptools<81' 'torch<=2.13.0' pocketsphinx

The voices were chosen so that the first rate is at most 3 % and the second at most 0.25.
"""

import argparse
from pathlib import Path

import numpy as np

from pse_bench.corpora.synthetic import embedded, voices
from pse_bench.io import audio, tables
from pse_bench.schemas import Utterance


def vectors(corpus: Path, rows: list[Utterance]) -> np.ndarray:
    """d-vectors of unit length, shape (utterances, 256)."""
    from resemblyzer import VoiceEncoder, preprocess_wav

    encoder = VoiceEncoder("cpu", verbose=False)
    sounds = (audio.read(corpus / row.path, sample_rate=16_000)[0].astype(np.float32) for row in rows)
    return np.array([encoder.embed_utterance(preprocess_wav(sound)) for sound in sounds])


def equal_error_rate(same: np.ndarray, different: np.ndarray) -> float:
    """The error rate at the threshold where pairs of one voice fail as often as pairs of two pass, in %."""
    thresholds = np.sort(np.concatenate([same, different]))
    misses = np.searchsorted(np.sort(same), thresholds) / len(same)
    passes = 1 - np.searchsorted(np.sort(different), thresholds) / len(different)
    best = np.argmin(np.abs(misses - passes))
    return 50 * (misses[best] + passes[best])


def separation(corpus: Path, split: str, rows: list[Utterance]) -> None:
    """Print how far the voices of a split are apart."""
    points = vectors(corpus, rows)
    cosines = points @ points.T
    speakers = np.array([row.speaker_id for row in rows])
    of_one = speakers[:, None] == speakers[None, :]
    pairs = np.triu(np.ones_like(of_one), 1)
    same, different = cosines[of_one & pairs], cosines[~of_one & pairs]
    print(
        f"{split}: EER {equal_error_rate(same, different):.2f} % over {len(same)} same-voice and "
        f"{len(different)} other pairs; cosine within voices {same.mean():.3f} (5th percentile "
        f"{np.percentile(same, 5):.3f}), between {different.mean():.3f} (95th {np.percentile(different, 95):.3f})"
    )
    names = sorted(set(speakers))
    between = np.array([[cosines[np.ix_(speakers == a, speakers == b)].mean() for b in names] for a in names])
    for index, name in enumerate(names):
        others = np.where(np.arange(len(names)) == index, -1, between[index])
        print(f"  {name}: own {between[index, index]:.3f}, nearest {names[others.argmax()]} {others.max():.3f}")


def grammar() -> str:
    """The sentences of the corpus in the Java Speech Grammar Format. Its dictionary has letters as ``a.``"""
    places = [words for words in voices.GRAMMAR]
    places[3] = tuple(f"{letter.lower()}." for letter in voices.LETTERS)
    body = " ".join(f"({' | '.join(words)})" for words in places)
    return f"#JSGF V1.0;\ngrammar sentences;\npublic <sentence> = {body};\n"


def words(corpus: Path, split: str, rows: list[Utterance], count: int, folder: Path) -> None:
    """Print the word error rate over ``count`` sentences, taken from all voices in turn."""
    import jiwer
    from pocketsphinx import Decoder

    (folder / "sentences.gram").write_text(grammar())
    decoder = Decoder(jsgf=str(folder / "sentences.gram"), samprate=16_000, loglevel="FATAL")
    by_turn = sorted(rows, key=lambda row: (row.utterance_id.rsplit("-", 1)[1], row.speaker_id))[:count]
    references, heard = [], []
    for row in by_turn:
        quiet = np.zeros(1600, dtype=np.int16)
        sound = np.concatenate([quiet, audio.read_pcm16(corpus / row.path), quiet])
        decoder.reinit_feat()  # or the utterance before would bear on this one
        decoder.start_utt()
        decoder.process_raw(sound.tobytes(), full_utt=True)
        decoder.end_utt()
        best = decoder.hyp()
        references.append(row.text.lower())
        heard.append(best.hypstr.replace(".", "") if best else "")
    print(f"{split}: WER {jiwer.wer(references, heard):.3f} over {len(by_turn)} sentences")
    for speaker in sorted({row.speaker_id for row in by_turn}):
        mine = [index for index, row in enumerate(by_turn) if row.speaker_id == speaker]
        rate = jiwer.wer([references[index] for index in mine], [heard[index] for index in mine])
        print(f"  {speaker}: {rate:.2f}")


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="what `pse-bench corpus synth` wrote")
    parser.add_argument("--sentences", type=int, default=60, help="sentences a split for the word error rate")
    arguments = parser.parse_args()
    for split in embedded.SPLITS:
        rows = tables.read_table(embedded.manifest(arguments.corpus / "manifests", split), Utterance)
        try:
            separation(arguments.corpus, split, rows)
        except ImportError as error:
            print(f"{split}: separation left out, {error}; pip install resemblyzer 'setuptools<81'")
        try:
            with tempfile.TemporaryDirectory() as folder:
                words(arguments.corpus, split, rows, arguments.sentences, Path(folder))
        except ImportError as error:
            print(f"{split}: word error rate left out, {error}; pip install pocketsphinx jiwer")


if __name__ == "__main__":
    main()
