"""Shares and batches: every item once, and what is merged is what one run makes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from work import Home, call, contents

from pse_bench.corpora.roots import Roots
from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.planning import plan
from pse_bench.runtime import merging, resume
from pse_bench.runtime.executor import Serial
from pse_bench.runtime.sharding import HEAD, LARGEST_BATCH, Shard, batches
from pse_bench.simulation import render

STAGES = ["render", "enhance", "score"]
SharedOut = Callable[..., Path]


@given(total=st.integers(0, 500), of=st.integers(1, 60))
def test_shards_are_every_item_once_in_order_and_alike_in_size(total: int, of: int) -> None:
    shards = [Shard(number, of).of_items(range(total)) for number in range(1, of + 1)]
    assert [item for shard in shards for item in shard] == list(range(total))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@given(total=st.integers(0, 5000), workers=st.integers(1, 200), least=st.integers(1, 8))
def test_batches_are_every_item_once_in_order(total: int, workers: int, least: int) -> None:
    found = batches(range(total), workers, least)
    assert [item for batch in found for item in batch] == list(range(total))
    assert all(least <= len(batch) <= LARGEST_BATCH for batch in found[:-1])
    if found and len(found[0]) > least:
        assert len(found) >= workers, "nobody is left without work to make batches large"
    sizes = [len(batch) for batch in found]
    assert sizes == sorted(sizes, reverse=True), "the last ones are the smallest"
    assert max(sizes[-2 * workers :], default=0) <= max(2 * least, 4)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/3/5", "1 / 3", "01/3", ""])
def test_what_is_no_share_is_told(text: str) -> None:
    with pytest.raises(InputError, match=r"--shard .*: expected I/N with I from 1 to N"):
        Shard.parse(text)


# ---- the same bytes


@pytest.mark.parametrize("stage", [*STAGES, "detect", "score activity"])
def test_merged_shards_are_what_one_run_makes(home: Home, shared_out: SharedOut, stage: str) -> None:
    """In whatever order they were made; more shards than scenes are fine."""
    out = shared_out(stage, "merged", *(f"{number}/5" for number in (4, 1, 5, 3, 2)))
    done = call("merge", out)
    assert done.exit_code == 0, done.output
    found, expected = contents(out), contents(home.serial(stage))
    assert list(sorted(found)) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
    if stage == "score":
        assert "tiny-v1, mixtures: 4 of TS1" in done.stdout


def test_a_shard_reads_its_own_scenes_and_a_large_plan_is_not_copied(
    home: Home, shared_out: SharedOut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million scenes in thousands of shards: a copy for each would fill a disk."""
    recipes = list(plan.read(home.plan)[2])
    assert plan.scene_ids(home.plan) == [recipe.scene_id for recipe in recipes]
    assert list(plan.read(home.plan, (1, 3))[2]) == recipes[1:3]
    head, first, *rest = home.plan.read_bytes().split(b"\n")
    other = tmp_path / "plan.jsonl"  # an escaped name, and damage that another shard will tell of
    other.write_bytes(
        b"\n".join([head, first.replace(b'"s000000"', rb'"\u0073000000"', 1), *rest[:-2], b"{", b""])
    )
    assert [*plan.read(other, (0, 2))[2]] == recipes[:2]
    with pytest.raises(InputError, match=rf"plan.jsonl:{len(recipes) + 1}: not JSON"):
        plan.scene_ids(other)
    monkeypatch.setattr(resume, "LARGE", 0)
    out = shared_out("render", "merged", "1/2", "2/2")
    assert all((out / f"part-{number}-of-2" / "plan.jsonl").samefile(home.plan) for number in (1, 2))
    assert call("merge", out).exit_code == 0
    assert contents(out) == contents(home.dataset)


def test_a_share_is_continued(home: Home, shared_out: SharedOut) -> None:
    out = shared_out("render", "merged", "1/2", "2/2")
    (out / "part-1-of-2" / "stems" / "noise" / "s000001.flac").write_bytes(b"damaged")
    again = call(*home.words("render", "merged"), "--shard", "1/2")
    assert "2 scenes (1 kept from an earlier run), 6 mixtures, shard 1/2 is done" in again.stdout
    assert call("merge", out).exit_code == 0
    assert contents(out) == contents(home.dataset)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("after", [0, 2])
def test_an_interrupted_merge_is_run_again(
    home: Home, shared_out: SharedOut, stage: str, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shared_out(stage, "merged", "1/2", "2/2")
    move, count = merging.move, 0

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    def interrupted(*work: object) -> None:
        nonlocal count
        if count == after:
            stopped()
        count += 1
        move(*work)

    with monkeypatch.context() as patch:
        patch.setattr(merging, "move", interrupted)
        patch.setattr(merging, "remove", stopped)
        done = call("merge", out)
    assert (done.exit_code, done.stderr) == (130, "interrupted; run the same command again to continue\n")
    assert call("merge", out).exit_code == 0
    assert contents(out) == contents(home.serial(stage))


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("gone", ["", "journal"])
def test_a_merge_that_was_killed_while_it_removed_shards_is_run_again(
    home: Home, shared_out: SharedOut, stage: str, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the files of a shard were gone: the operating system chooses their order."""
    out = shared_out(stage, "merged", "1/2", "2/2")

    def partly(folder: Path) -> None:
        for path in folder.glob(f"*.{gone}"):
            path.unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(merging.shutil, "rmtree", partly)
        assert call("merge", out).exit_code == 130
    assert (out / "part-1-of-2").exists()
    assert call("merge", out).exit_code == 0
    assert contents(out) == contents(home.serial(stage))


def test_shards_on_another_disk_are_copied(
    home: Home, shared_out: SharedOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shared_out("enhance", "merged", "1/2", "2/2")

    replace = merging.os.replace

    def elsewhere(source: Path, target: Path) -> None:
        if "part-" in str(source):
            raise OSError(merging.errno.EXDEV, "Invalid cross-device link")
        replace(source, target)

    monkeypatch.setattr(merging.os, "replace", elsewhere)
    assert call("merge", out).exit_code == 0
    assert contents(out) == contents(home.serial("enhance"))


def test_scenes_that_cannot_be_rendered_are_told_by_the_merge(home: Home) -> None:
    corpus = home.out / "corpus"
    shutil.copytree(home.root / "noise", corpus / "noise")
    shutil.copytree(home.root / "speech", corpus / "speech")
    (corpus / "noise" / "hum" / "a.wav").unlink()
    roots = Roots({"voices": corpus / "speech", "noises": corpus / "noise"})
    for name, shards in (("whole", [None]), ("merged", [Shard(2, 3), Shard(1, 3), Shard(3, 3)])):
        for shard in shards:
            render.render(
                home.plan, home.out / name, roots=roots, executor=Serial(), bank=home.root / "bank", share=shard
            )
    done = call("merge", home.out / "merged")
    assert done.exit_code == 1
    assert "scenes could not be rendered" in done.stderr
    assert "quarantine.csv" in contents(home.out / "merged")
    assert contents(home.out / "merged") == contents(home.out / "whole")


def test_an_estimate_that_is_missing_is_told_by_the_merge(home: Home) -> None:
    copy = home.out / "copy"
    shutil.copytree(home.root / "mixture", copy)
    (copy / "TS2" / "s000003.flac").unlink()
    words = [copy if word == home.root / "mixture" else word for word in home.words("score", "merged")]
    assert [call(*words, "--shard", f"{n}/2").exit_code for n in (1, 2)] == [0, 1]
    whole = call(*[home.out / "whole" if word == home.out / "merged" else word for word in words])
    done = call("merge", home.out / "merged")
    assert (done.exit_code, whole.exit_code) == (1, 1)
    assert done.stderr.replace("merged", "whole") == "\n".join(
        whole.stderr.split("\n")[-len(done.stderr.split("\n")) :]
    )
    assert contents(home.out / "merged") == contents(home.out / "whole")


# ---- shards that lie anywhere


@pytest.mark.parametrize("stage", [*STAGES, "detect", "score activity"])
def test_shards_from_other_machines_are_merged(home: Home, shared_out: SharedOut, stage: str) -> None:
    """Given as a shard of any name, or as the folder that shards were written to."""
    there = shared_out(stage, "there", "1/3", "2/3", "3/3")
    (there / "part-2-of-3").rename(home.out / "second")
    done = call("merge", home.out / "second", there, "-o", home.out / "merged")
    assert done.exit_code == 0, done.output
    assert contents(home.out / "merged") == contents(home.serial(stage))
    assert not (home.out / "second").exists()
    assert call("merge", home.out / "second", there, "-o", home.out / "merged").exit_code == 1


def test_shards_that_lie_anywhere_are_checked_too(home: Home, shared_out: SharedOut) -> None:
    there, merged = shared_out("enhance", "there", "1/2"), home.out / "merged"
    first, second = there / "part-1-of-2", home.out / "second"
    refused(there, "1 of 2 shards is missing, as 2/2", first, "-o", merged)
    refused(there, "second: no shard here (part.json is missing); give", first, second, "-o", merged)
    shutil.copytree(first, second)
    refused(there, "second: holds shard 1/2, which", first, second, "-o", merged)
    shutil.rmtree(second)
    shared_out("enhance", "there", "2/2")
    refused(there, "holds other files (activity, ", there, "-o", home.root)
    refused(home.dataset, "dataset: no shard here (part.json is missing)", home.dataset, "-o", merged)
    assert call("merge", first, there).exit_code == 2
    assert not merged.exists()


@pytest.mark.parametrize("after", [0, 1, 2, 4])
@pytest.mark.parametrize("disk", ["this", "another"])
def test_an_interrupted_merge_of_shards_anywhere_is_run_again(
    home: Home, shared_out: SharedOut, monkeypatch: pytest.MonkeyPatch, after: int, disk: str
) -> None:
    words = ("merge", shared_out("enhance", "there", "1/2", "2/2"), "-o", home.out / "merged")
    replace, count = merging.os.replace, 0

    def interrupted(source: Path, target: Path) -> None:
        nonlocal count
        if disk == "another" and "there" in str(source):
            raise OSError(merging.errno.EXDEV, "Invalid cross-device link")
        if "part-" in str(source):
            if count == after:
                raise KeyboardInterrupt
            count += 1
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(merging.os, "replace", interrupted)
        assert call(*words).exit_code == 130
    assert call(*words).exit_code == 0
    assert contents(home.out / "merged") == contents(home.serial("enhance"))


# ---- gaps and overlaps


def refused(out: Path, words: str, *given: object) -> None:
    """The merge is refused in one line, and nothing was touched."""
    before = contents(out)
    done = call("merge", *(given or [out]))
    assert done.exit_code == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert contents(out) == before


def test_gaps_and_overlaps_are_refused(home: Home, shared_out: SharedOut) -> None:
    out = shared_out("enhance", "merged", "1/3", "3/3")
    refused(out, "1 of 3 shards is missing, as 2/3; run the same command with --shard 2/3")
    second = out / "part-2-of-3"
    shutil.copytree(out / "part-1-of-3", second)
    refused(out, "part-2-of-3: holds shard 1/3, so that one is there twice and 2/3 is missing")
    shutil.rmtree(second)
    shared_out("enhance", "merged", "2/3")
    (second / HEAD).rename(out.parent / "head")
    refused(out, "1 of 3 shards is not finished, as 2/3; run the same command with --shard 2/3")
    (out.parent / "head").rename(second / HEAD)
    lines = (second / "enhance.journal").read_text().splitlines(keepends=True)
    (second / "enhance.journal").write_text("".join(lines[:-1]))
    refused(out, "part-2-of-3: holds 3 items, expected 4 of its own")
    (second / "enhance.journal").write_text("".join([*lines[:-1], lines[1]]))
    refused(out, "is in part-2-of-3 too")
    other = (out / "part-1-of-3" / "enhance.journal").read_text().splitlines(keepends=True)
    (second / "enhance.journal").write_text("".join([*lines[:-1], other[1]]))
    refused(out, "is in part-1-of-3 too")
    (second / "enhance.journal").write_text("".join(lines))
    shutil.copytree(second, out / "part-2-of-4")
    refused(out, "shards of 3 and of 4 overlap")
    shutil.rmtree(out / "part-2-of-4")
    assert call("merge", out).exit_code == 0
    refused(out, "no shards here")


def test_scenes_of_another_plan_are_no_part_of_it(home: Home, shared_out: SharedOut) -> None:
    out = shared_out("render", "merged", "1/2", "2/2")
    head = out / "part-2-of-2" / HEAD
    document = json.loads(head.read_text())
    atomic.write_json(head, document | {"identity": {**document["identity"], "plan_sha256": "0" * 64}})
    refused(out, "part-2-of-2: has another plan than part-1-of-2; merge shards of the same work")
    atomic.write_json(head, document | {"total": 5, "first": 2, "stop": 5})
    refused(out, "part-2-of-2: total 5, part-1-of-2 has 4")
    atomic.write_json(head, document | {"first": 1})
    refused(out, "items 1 to 4 are not shard 2/2")
    atomic.write_json(head, document | {"stage": "score"})
    refused(out, "part-2-of-2: stage score, part-1-of-2 has render")
    atomic.write_json(head, document)
    journal = out / "part-2-of-2" / "render.journal"
    journal.write_text(journal.read_text().replace('"scene_id": "s000003"', '"scene_id": "s000009"', 1))
    refused(out, "part-2-of-2: holds 2 items, expected 2 of its own")


def test_a_share_goes_only_where_shares_are(home: Home, shared_out: SharedOut) -> None:
    out = shared_out("enhance", "merged", "1/1")
    assert call("merge", out).exit_code == 0
    done = call(*home.words("enhance", "merged"), "--shard", "1/1")
    assert done.exit_code == 1
    assert "merged: holds other files (TS1, TS2, TS3); give a new folder, or one of shards" in done.stderr


def test_a_part_of_a_merged_work_is_named(home: Home, shared_out: SharedOut) -> None:
    """Interrupted between the first and the last shard that is removed."""
    out = shared_out("enhance", "merged", "1/2", "2/2")
    shutil.copytree(out / "part-2-of-2", out.parent / "kept")
    assert call("merge", out).exit_code == 0
    (out.parent / "kept").rename(out / "part-2-of-2")
    refused(out, "merged already; remove what is left of its shards")
