"""Make librispeech.dev-corpus.csv, the manifest of the LibriSpeech utterances of the development corpus.

    python manifests/make_librispeech_dev_corpus.py --dev-corpus DIR

Its rows hold for every copy of LibriSpeech, so only utterances whose files are the original FLAC files are
listed: those of test-other and train-clean-100, which the corpus copied byte for byte. dev-clean is left
out, because its four files were made from WAV copies: the sound is the same, the bytes are not.

What can be told from a file is checked here: LibriSpeech was encoded by libFLAC 1.2.1 of 2007 (the four
dev-clean files name libFLAC 1.4.3), and a FLAC file holds the MD5 of the sound that was encoded, which must
match what it decodes to. That rules out damage and a conversion by newer tools. It does not prove that the
bytes are those of openslr.org/12; only a comparison with that download can.
"""

import argparse
import hashlib
import sys
from pathlib import Path

from pse_bench.corpora.readers import librispeech
from pse_bench.errors import InputError, PseBenchError
from pse_bench.io import audio, tables
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import Utterance

SUBSETS = ("test-other", "train-clean-100")
ENCODER = b"reference libFLAC 1.2.1 20070917"
OUTPUT = Path(__file__).with_name("librispeech.dev-corpus.csv")
# A FLAC file opens with "fLaC", a 4-byte block header and the stream's description, whose last 16 bytes of 34
# are the MD5 of the samples (RFC 9639, section 8.2). The comment block with the encoder's name follows soon.
MD5 = slice(26, 42)
HEAD_BYTES = 65536


def make(dev_corpus: Path, output: Path) -> int:
    """Write the manifest and return its number of rows. Raises InputError when a file is not an original."""
    root = dev_corpus / "speech" / "LibriSpeech"
    rows, problems = librispeech.READER.read(root, subsets=SUBSETS, executor=Serial())
    if problems:
        raise InputError(problems[0])
    for row in rows:
        check_original(root / row.path)
    tables.write_table(output, Utterance, rows)
    return len(rows)


def check_original(path: Path) -> None:
    """Raise InputError when a FLAC file was not encoded as LibriSpeech was, or does not match its MD5."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if ENCODER not in head:
        raise InputError(f"{path}: not encoded by {ENCODER.decode()} as LibriSpeech is; leave it out")
    sound = audio.read_pcm16(path).astype("<i2").tobytes()
    if hashlib.md5(sound, usedforsecurity=False).digest() != head[MD5]:
        raise InputError(f"{path}: the sound does not match its MD5; restore the file")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--dev-corpus", type=Path, required=True, help="folder that holds speech/LibriSpeech")
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    try:
        count = make(arguments.dev_corpus, arguments.output)
    except PseBenchError as error:
        sys.exit(str(error))
    print(f"{arguments.output}: {count} utterances")


if __name__ == "__main__":
    main()
