"""A bigram language model of known sentences, in the ARPA format that recognisers read.

Witten-Bell: after a word that was seen n times with t different followers, a follower seen c times has the
probability (c + t·p) / (n + t), and one never seen t·p / (n + t), where p is its own probability,
(count + 1) / (all + number of different words).

Source: Witten and Bell, "The zero-frequency problem", IEEE Trans. Information Theory 37(4), 1991.
"""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence, Set

START, END = "<s>", "</s>"


def arpa(sentences: Iterable[Sequence[str]], vocabulary: Set[str]) -> str:
    """The model as the text of an ARPA file; the same sentences in any order give the same text.

    Args:
        sentences: the words of each.
        vocabulary: the words that can be recognised. Others break a sentence: what stands beside them is
            counted, but not as neighbours of anything.
    """
    singles: Counter[str] = Counter()
    followers: dict[str, Counter[str]] = defaultdict(Counter)
    for sentence in sentences:
        padded = [START, *sentence, END]
        for before, word in itertools.pairwise(padded):
            if word == END or word in vocabulary:
                singles[word] += 1
                if before == START or before in vocabulary:
                    followers[before][word] += 1
    total = singles.total() + len(singles)
    alone = {word: (count + 1) / total for word, count in singles.items()}
    rest = {before: len(after) / (after.total() + len(after)) for before, after in followers.items()}
    pairs = [
        (before, word, (count + len(after) * alone[word]) / (after.total() + len(after)))
        for before, after in sorted(followers.items())
        for word, count in sorted(after.items())
    ]
    lines = ["\\data\\", f"ngram 1={len(alone) + 1}", f"ngram 2={len(pairs)}", "", "\\1-grams:"]
    # A sentence's start is never predicted; −99 is how ARPA files say so.
    lines += [f"-99 {START} {_log(rest.get(START, 1.0))}"]
    lines += [
        f"{_log(alone[word])} {word}" + (f" {_log(rest[word])}" if word in rest else "") for word in sorted(alone)
    ]
    lines += ["", "\\2-grams:", *(f"{_log(p)} {before} {word}" for before, word, p in pairs), "", "\\end\\", ""]
    return "\n".join(lines)


def _log(probability: float) -> str:
    return f"{math.log10(probability):.4f}"
