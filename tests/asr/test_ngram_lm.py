"""The language model: its probabilities, and what becomes of words that cannot be heard."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.asr.ngram_lm import END, START, arpa

sentences = st.lists(st.lists(st.sampled_from("abcde"), max_size=6), min_size=1, max_size=8)


def read(model: str) -> tuple[dict[str, float], dict[str, float], dict[str, dict[str, float]]]:
    """Probabilities, back-off weights and pair probabilities of an ARPA file."""
    sections = model.split("\\")
    singles = [line.split() for line in sections[3].splitlines()[1:] if line]
    pairs = [line.split() for line in sections[4].splitlines()[1:] if line]
    alone = {cells[1]: 10 ** float(cells[0]) for cells in singles}
    rest = {cells[1]: 10 ** float(cells[2]) for cells in singles if len(cells) == 3}
    after: dict[str, dict[str, float]] = defaultdict(dict)
    for log, before, word in pairs:
        after[before][word] = 10 ** float(log)
    assert f"ngram 1={len(singles)}\nngram 2={len(pairs)}\n" in sections[2]
    return alone, rest, after


@given(sentences, st.sets(st.sampled_from("abcde"), min_size=1))
def test_what_may_follow_a_word_adds_up_to_one(texts: list[list[str]], vocabulary: set[str]) -> None:
    alone, rest, after = read(arpa(texts, vocabulary))
    assert set(alone) <= {START, END, *vocabulary}
    predicted = {word: p for word, p in alone.items() if word != START}
    assert sum(predicted.values()) == pytest.approx(1, abs=2e-3)  # four digits are written
    for before, weight in rest.items():
        followers = after.get(before, {})
        backed_off = weight * sum(p for word, p in predicted.items() if word not in followers)
        assert sum(followers.values()) + backed_off == pytest.approx(1, abs=2e-3)


def test_probabilities_are_those_of_witten_and_bell() -> None:
    alone, rest, after = read(arpa([["a", "b"], ["a", "c"], ["a", "b"]], {"a", "b", "c"}))
    assert alone["b"] == pytest.approx((2 + 1) / (9 + 4), rel=1e-3)
    assert rest["a"] == pytest.approx(2 / (3 + 2), rel=1e-3)
    assert after["a"]["b"] == pytest.approx((2 + 2 * 3 / 13) / 5, rel=1e-3)
    assert after[START]["a"] == pytest.approx((3 + 4 / 13) / 4, rel=1e-3)


def test_a_word_outside_the_vocabulary_joins_nothing() -> None:
    _, _, after = read(arpa([["a", "tilney", "b"]], {"a", "b"}))
    assert {before: set(words) for before, words in after.items()} == {START: {"a"}, "b": {END}}


@given(sentences)
def test_the_order_of_sentences_makes_no_difference(texts: list[list[str]]) -> None:
    assert arpa(texts, set("abcde")) == arpa(texts[::-1], set("abcde"))
