"""Words and word errors against a slow twin, jiwer itself, and the rules that a score has to obey."""

from functools import cache

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.errors import UndefinedScore
from pse_bench.metrics import REGISTRY, recognition
from pse_bench.metrics.recognition import WordCounts, counts, normalise, words
from pse_bench.metrics.signals import Ratio

RATE = 16_000
few = st.lists(st.sampled_from("abcd"), max_size=9)
"""Few different words, so that many alignments compete."""
NEW = "zz"
"""A word that no reference has."""


def brute_force(reference: list[str], hypothesis: list[str]) -> tuple[int, set[tuple[int, int, int]]]:
    """The fewest errors, and every (deletions, insertions, substitutions) that reaches them."""

    @cache
    def ways(i: int, j: int) -> frozenset[tuple[int, int, int]]:
        if not i and not j:
            return frozenset({(0, 0, 0)})
        found = set()
        if i:
            found |= {(d + 1, n, s) for d, n, s in ways(i - 1, j)}
        if j:
            found |= {(d, n + 1, s) for d, n, s in ways(i, j - 1)}
        if i and j:
            wrong = reference[i - 1] != hypothesis[j - 1]
            found |= {(d, n, s + wrong) for d, n, s in ways(i - 1, j - 1)}
        fewest = min(map(sum, found))
        return frozenset(way for way in found if sum(way) == fewest)

    best = ways(len(reference), len(hypothesis))
    return sum(next(iter(best))), set(best)


# ---- the normaliser


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Place blue at F2, now!", "place blue at f two now"),
        ("place blue at F two now", "place blue at f two now"),
        ("Don’t DON'T dont", "dont dont dont"),
        ("'tis the dogs' o'clock", "tis the dogs oclock"),
        ("twenty-one; 21 — 21st", "twenty one twenty one twenty first"),
        ("1,250 and 1250,300 and 1,2", "one thousand two hundred fifty and one thousand two hundred fifty "
         "three hundred and one two"),
        ("3.05 %", "three point zero five percent"),
        ("3.", "three"),
        ("007 & 0", "zero zero seven and zero"),
        ("2nd 3rd 5th 12th 20th 100th 0th", "second third fifth twelfth twentieth one hundredth zeroth"),
        ("1000000 2000000001", "one million two billion one"),
        ("1234567890123", "one two three four five six seven eight nine zero one two three"),
        ("café naïve Ærø straße", "cafe naive ærø strasse"),
        ("[Music] well <unk> (yes)", "well yes"),
        ("  ", ""),
        ("... ! ?", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_normalised_texts(text: str, expected: str) -> None:
    assert normalise(text) == expected


def test_words_keep_the_apostrophes_inside_them() -> None:
    assert words("'Don't' y'all'd say the dogs' ...") == ["don't", "y'all'd", "say", "the", "dogs"]


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert len(once.split()) == len(words(text))


@given(st.integers(0, 10**12 - 1))
def test_every_number_has_its_own_words(number: int) -> None:
    spoken = words(str(number))
    assert words(f"{number:,}") == spoken
    assert value_of(spoken) == number


def value_of(spoken: list[str]) -> int:
    """A slow reader of cardinals."""
    scales = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
    ones = {normalise(str(n)): n for n in [*range(20), *range(20, 100, 10)]}
    total = group = 0
    for word in spoken:
        if word in scales:
            total, group = total + group * scales[word], 0
        elif word == "hundred":
            group *= 100
        else:
            group += ones[word]
    return total + group


# ---- counts


@given(few, few)
def test_errors_equal_those_of_a_brute_force_alignment(reference: list[str], hypothesis: list[str]) -> None:
    found = counts(" ".join(reference), " ".join(hypothesis))
    fewest, ways = brute_force(reference, hypothesis)
    assert found.errors == fewest
    assert (found.deletions, found.insertions, found.substitutions) in ways
    assert found.reference_words == len(reference)
    assert found.deletions - found.insertions == len(reference) - len(hypothesis)


@given(st.lists(st.tuples(few.filter(bool), few), min_size=1, max_size=5))
def test_pooled_counts_are_those_of_jiwer(pairs: list[tuple[list[str], list[str]]]) -> None:
    texts = [(" ".join(reference), " ".join(hypothesis)) for reference, hypothesis in pairs]
    pooled = sum((counts(*pair) for pair in texts), start=WordCounts())
    theirs = jiwer.process_words([pair[0] for pair in texts], [pair[1] for pair in texts])
    assert pooled.deletions == theirs.deletions
    assert pooled.insertions == theirs.insertions
    assert pooled.substitutions == theirs.substitutions
    assert pooled.errors / pooled.reference_words == pytest.approx(theirs.wer)


def test_empty_texts_are_legal() -> None:
    assert counts("", "") == WordCounts()
    assert counts("", "I hear two words") == WordCounts(insertions=4)
    assert counts("not a word", "") == WordCounts(deletions=3, reference_words=3)
    assert counts("one two", "one two") + counts("", "boo") == WordCounts(insertions=1, reference_words=2)


def test_both_texts_are_normalised_alike() -> None:
    assert counts("It's 2 o’clock.", "ITS TWO OCLOCK") == WordCounts(reference_words=3)


# Only a word that was not said is an error wherever it comes: see the counterexample below for words left out.
@given(few, few, st.data())
def test_a_word_that_was_not_said_never_lowers_the_errors(
    reference: list[str], hypothesis: list[str], data: st.DataObject
) -> None:
    before = counts(" ".join(reference), " ".join(hypothesis)).errors
    place = data.draw(st.integers(0, len(hypothesis)))
    added = [*hypothesis[:place], NEW, *hypothesis[place:]]
    assert counts(" ".join(reference), " ".join(added)).errors >= before
    if place < len(hypothesis):
        replaced = [*hypothesis[:place], NEW, *hypothesis[place + 1 :]]
        assert counts(" ".join(reference), " ".join(replaced)).errors >= before


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=9), st.data())
def test_each_word_missed_or_misheard_is_one_error_more(reference: list[str], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(reference))))
    heard: list[str | None] = list(reference)
    for number, place in enumerate(order, start=1):
        heard[place] = data.draw(st.sampled_from([None, NEW]))
        hypothesis = " ".join(word for word in heard if word)
        assert counts(" ".join(reference), hypothesis).errors == number


def test_a_right_word_taken_from_too_long_a_hypothesis_may_lower_the_errors() -> None:
    assert (counts("x a", "a p q r").errors, counts("x a", "p q r").errors) == (4, 3)


# ---- metrics of a clip


def estimate_of(duration_s: float) -> np.ndarray:
    return np.zeros(round(duration_s * RATE))


METRICS = {name: REGISTRY[name] for name in ("wer", "del", "ins", "sub")}


def test_metrics_are_ratios_over_the_words_said() -> None:
    heard = {"estimate": estimate_of(1), "transcribe": lambda x: "one too three for ever"}
    found = [metric.compute(text="one two three four", **heard) for metric in METRICS.values()]
    assert found == [Ratio(3, 4), Ratio(0, 4), Ratio(1, 4), Ratio(2, 4)]


def test_words_in_a_silence_are_counted_by_the_minute() -> None:
    sound = {"estimate": estimate_of(12), "mixture": estimate_of(12), "sample_rate": RATE}
    assert recognition.leaked_words(transcribe=lambda x: "Go, 2!", **sound) == Ratio(2, 12.0)
    assert recognition.leaked_words(transcribe=lambda x: "", **sound) == Ratio(0, 12.0)


@pytest.mark.parametrize("text", ["", "  ", "..."])
def test_a_clip_whose_words_are_not_known_is_undefined_for_every_system(text: str) -> None:
    unasked = {"text": text, "transcribe": lambda x: pytest.fail("asked in vain")}
    for metric in METRICS.values():
        with pytest.raises(UndefinedScore, match="not known"):
            metric.compute(estimate=estimate_of(1), **unasked)
        with pytest.raises(UndefinedScore, match="not known"):
            metric.failure(**unasked)


def test_a_clip_too_short_to_hold_words_is_undefined() -> None:
    sound = estimate_of(0.05)
    with pytest.raises(UndefinedScore, match="shorter"):
        recognition.leaked_words(estimate=sound, mixture=sound, transcribe=lambda x: "", sample_rate=RATE)


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), st.lists(st.sampled_from("abcde"), max_size=40))
def test_failing_is_never_better_than_any_output(reference: list[str], hypothesis: list[str]) -> None:
    text, heard = " ".join(reference), " ".join(hypothesis)
    known = {"text": text, "transcribe": lambda x: heard}
    for metric in METRICS.values():
        ok, failed = metric.compute(estimate=estimate_of(1), **known), metric.failure(**known)
        assert ok.numerator <= failed.numerator
        assert ok.denominator == failed.denominator == len(reference)
    sound = estimate_of(2)
    leak = {"mixture": sound, "transcribe": lambda x: heard, "sample_rate": RATE}
    ok, failed = recognition.leaked_words(estimate=sound, **leak), recognition.leaked_words_of_failure(**leak)
    assert ok.numerator <= failed.numerator == 10
    assert ok.denominator == failed.denominator


def test_figures_are_held_at_their_bounds() -> None:
    babble = " ".join(["blah"] * 100)
    known = {"estimate": estimate_of(6), "transcribe": lambda x: babble}
    found = {name: metric.compute(text="one two three", **known) for name, metric in METRICS.items()}
    assert found == {"wer": Ratio(6, 3), "del": Ratio(0, 3), "ins": Ratio(6, 3), "sub": Ratio(3, 3)}
    assert recognition.leaked_words(mixture=estimate_of(6), sample_rate=RATE, **known) == Ratio(30.0, 6.0)
