"""An enrollment through a channel of its own: heard, told in mixtures.csv, and nothing else changes."""

from pathlib import Path

import numpy as np
import pytest

from pse_bench.dataset.dataset import Dataset
from pse_bench.dataset.groups import groups_of
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import CHANNEL
from pse_bench.simulation import channel, render, verify

CHANNELS = {"codec": {"choice": ["none", "mu-law"]}, "band": "telephone"}


@pytest.fixture(scope="module")
def pair(corpus, tmp_path_factory) -> tuple[Dataset, Dataset]:
    """A dataset, and the same with channels, noise and utterances of the enrollments."""
    root = tmp_path_factory.mktemp("enrollment-channel")
    found = []
    for name, asked in (("plain", {}), ("through", {"channel": CHANNELS})):
        plan_path = corpus.plan(
            root / f"{name}.jsonl", enrollment={"utterances": 2, "condition": "noisy", **asked}
        )
        out = root / name
        report = render.render(plan_path, out, roots=corpus.roots, executor=Serial(), bank=root / "rooms")
        assert report.problems == []
        found.append(Dataset.open(out))
    return found[0], found[1]


def test_only_the_enrollment_is_changed(pair: tuple[Dataset, Dataset]) -> None:
    plain, through = pair
    for one, other in zip(plain.mixtures, through.mixtures, strict=True):
        assert one.mixture_sha256 == other.mixture_sha256
        before, after = (data.read_pcm16(one.enrollment_path) for data in pair)
        assert before.shape == after.shape
        recipe = {f"{name}": getattr(other, f"enrollment_channel_{name}") for name in CHANNEL}
        applied = channel.apply(before / 32768, channel.Channel(**recipe), other.sample_rate)
        assert np.array_equal(after, np.rint(applied * 32768).astype(np.int16))


def test_columns_tell_of_it_and_break_figures_down(pair: tuple[Dataset, Dataset]) -> None:
    through = pair[1]
    heads = [Path(data.folder / "mixtures.csv").read_text().splitlines()[0].split(",") for data in pair]
    assert "enrollment_channel_codec" not in heads[0]
    assert {"enrollment_channel_codec", "enrollment_channel_band", "enrollment_snr_db"} <= set(heads[1])
    assert {row.enrollment_channel_band for row in through.mixtures} == {"telephone"}
    assert all(row.enrollment_snr_db is not None and row.enrollment_utterances for row in through.mixtures)
    assert not any(row.has_channel for row in through.mixtures)
    codecs = {row.enrollment_channel_codec for row in through.mixtures}
    if len(codecs) > 1:
        labels = [group.label for group in groups_of(through.mixtures, "enrollment_channel_codec")]
        assert labels == [*sorted(codecs), "all"]


def test_it_is_rendered_again_alike(pair: tuple[Dataset, Dataset], corpus) -> None:
    report = verify.verify(pair[1].folder, rerender=2, roots=corpus.roots, executor=Serial())
    assert report.problems == []
