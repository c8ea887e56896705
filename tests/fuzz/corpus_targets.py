"""What is read of corpora, and arguments of commands."""

from pathlib import Path

from target import Read, Target, of_file, of_text

from pse_bench.corpora import csv_columns
from pse_bench.corpora.readers import librispeech, vctk
from pse_bench.corpora.roots import Roots
from pse_bench.dataset import webdataset
from pse_bench.importing import librimix
from pse_bench.runtime.sharding import Shard


def _librimix(folder: Path) -> Read:
    for name in ("mix/a_b.wav", "s1/a_b.wav", "s2/a_b.wav", "noise/a_b.wav"):
        (folder / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "root" / name).write_bytes(b"")
    path = folder / "metadata.csv"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        librimix.read_metadata(path, folder / "root")

    return read


LIBRIMIX = (
    b"mixture_ID,mixture_path,source_1_path,source_2_path,noise_path,length\n"
    b"a_b,/data/mix/a_b.wav,/data/s1/a_b.wav,/data/s2/a_b.wav,noise/a_b.wav,9000\n"
)


def _index(path: Path) -> None:
    csv_columns.read(path, key=("utterance_id", "path"), value=("text", "transcript"))


def _librispeech(text: str) -> list[str]:
    texts, problems = librispeech.parse_transcripts(text, "1-2.trans.txt")
    assert all(texts.values())
    return problems


TARGETS: tuple[Target, ...] = (
    Target("librimix", "importing.librimix.read_metadata", "csv", lambda: [LIBRIMIX], _librimix, 60_000),
    Target(
        *("enrollment-map", "importing.librimix.read_enrollments", "text"),
        lambda: [b"a_b a s1/c_d\na_b b s2/c_d\n"],
        of_file("map", librimix.read_enrollments),
        80_000,
    ),
    Target(
        *("index", "corpora.index.read", "csv"),
        lambda: [b'utterance_id,speaker,text\nu1,anna,good day\nu2,bert,"well, well"\n'],
        of_file("index.csv", _index),
        80_000,
    ),
    Target(
        *("librispeech-speakers", "corpora.readers.librispeech.parse_speakers", "text"),
        lambda: [b"; id | sex\n14 | F | train | 25.03 | Kristin LeMoine\n16 | M | dev | 8 | |CBW|Simon\n"],
        of_text(lambda text: librispeech.parse_speakers(text, "SPEAKERS.TXT")),
        80_000,
    ),
    Target(
        *("librispeech-texts", "corpora.readers.librispeech.parse_transcripts", "text"),
        lambda: [b"1-2-0001 GOOD DAY\n1-2-0002 WELL\n"],
        of_text(_librispeech),
        80_000,
    ),
    Target(
        *("vctk-speakers", "corpora.readers.vctk.parse_speakers", "text"),
        lambda: [
            b"ID  AGE  GENDER  ACCENTS  REGION COMMENTS\np225  23  F    English    Southern  England\ns5 22 M x\n"
        ],
        of_text(lambda text: vctk.parse_speakers(text, "speaker-info.txt")),
        80_000,
    ),
    Target(
        *("root", "corpora.roots.Roots.parse", "text"),
        lambda: [b"librispeech=/tmp", b"c=.", b"a=b=c"],
        of_text(lambda text: Roots.parse((text,)).locate(text.partition("=")[0], "a/b")),
        80_000,
    ),
    Target("shard-option", "shares.Share.parse", "text", lambda: [b"1/3", b"3/3"], of_text(Shard.parse), 80_000),
    Target(
        *("size-option", "pack.parse_size", "text"),
        lambda: [b"500MB", b"1.5 GiB", b"1000"],
        of_text(webdataset.parse_size),
        80_000,
    ),
)
