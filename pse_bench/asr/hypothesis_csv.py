"""A CSV of hypotheses from any recogniser: ``mixture_id,text``, one row a mixture of the dataset.

The table belongs to one submission: nothing ties its texts to the sound, so keep it beside the audio it was made
from. Where nothing was recognised, the text is empty.
"""

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

from pse_bench.asr.recogniser import Recogniser, first_few
from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, tables
from pse_bench.metrics.signals import Signal


class Hypothesis(documents.Record):
    """A row of the table."""

    mixture_id: str
    text: str


def from_csv(path: Path, mixture_ids: Collection[str] | None = None) -> Recogniser:
    """The recogniser that answers from a table.

    Raises:
        InputError: the table is missing or damaged, names a mixture twice, or has not just the mixtures asked for;
            None leaves that open until a mixture is asked for.
    """
    texts: dict[str, str] = {}
    for row in tables.read_table(path, Hypothesis):
        if row.mixture_id in texts:
            raise InputError(f"{path}: {row.mixture_id} has more than one row; keep one")
        texts[row.mixture_id] = row.text
    wanted = texts if mixture_ids is None else set(mixture_ids)
    if unknown := [name for name in texts if name not in wanted]:
        raise InputError(
            f"{path}: {_some(unknown, f'{len(texts)} rows')} not in the dataset; remove them or give the table of "
            "this dataset"
        )
    if missing := [name for name in mixture_ids or () if name not in texts]:
        raise InputError(
            f"{path}: {_some(missing, f'{len(wanted)} mixtures')} missing; add a row for each, with an empty text "
            "where nothing was heard"
        )
    return Recogniser(
        name="csv",
        version="1",
        model=atomic.sha256_of_text("\n".join(map(repr, sorted(texts.items())))),
        note=f"hypotheses of a recogniser that is not known here, from {path.name}",
        decode=partial(_look_up, path, texts),
        by_sound=False,
    )


def _look_up(table: Path, texts: Mapping[str, str], samples: Signal, mixture_id: str) -> str:
    """The text of a mixture, whatever its sound, in place of decoding it."""
    if mixture_id not in texts:
        raise InputError(f"{table}: no row for {mixture_id}; add it, with an empty text if nothing was heard")
    return texts[mixture_id]


def _some(names: list[str], of: str) -> str:
    return f"{len(names)} ({first_few(names)}) of {of} {'is' if len(names) == 1 else 'are'}"
