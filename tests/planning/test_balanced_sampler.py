"""Dealing: everything once before anything twice, and nothing but names decides the order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pse_bench.planning.balanced_sampler import Deck

items = st.lists(
    st.tuples(st.text(max_size=4), st.sampled_from(["a", "b", "c"])),
    min_size=1,
    max_size=15,
    unique_by=lambda i: i[0],
)


def anything(_: str) -> bool:
    return True


@given(items, st.integers(-3, 3), st.integers(0, 60))
def test_every_item_is_dealt_once_before_any_is_dealt_twice(deck_of, seed, deals):
    deck = Deck(deck_of, seed, "target")
    dealt = [deck.deal(anything) for _ in range(deals)]
    size = len(deck_of)
    everything = {name for name, _ in deck_of}
    for start in range(0, deals, size):
        lap = dealt[start : start + size]
        assert len(set(lap)) == len(lap)
        assert len(lap) < size or set(lap) == everything


@given(items, st.integers(0, 3), st.lists(st.sampled_from([None, "a", "b", "c"]), max_size=40))
def test_a_group_deals_its_least_used_item(deck_of, seed, groups):
    """Whoever asks, the item is one of those used least among all that could have been dealt."""
    deck = Deck(deck_of, seed, "target")
    group_of = dict(deck_of)
    uses: Counter[str] = Counter()
    for group in groups:
        possible = [name for name in group_of if group in {None, group_of[name]}]
        dealt = deck.deal(anything, group)
        if not possible:
            assert dealt is None
            continue
        assert dealt in possible
        assert uses[dealt] == min(uses[name] for name in possible)
        uses[dealt] += 1


@given(items, st.lists(st.sets(st.integers(0, 14)), max_size=40))
def test_constraints_are_kept_and_the_least_used_acceptable_item_comes(deck_of, refusals):
    deck = Deck(deck_of, 1, "noise")
    names = [name for name, _ in deck_of]
    uses: Counter[str] = Counter()
    for refused in refusals:
        acceptable = {name for number, name in enumerate(names) if number not in refused}
        dealt = deck.deal(acceptable.__contains__)
        if not acceptable:
            assert dealt is None
            continue
        assert dealt in acceptable
        assert uses[dealt] == min(uses[name] for name in acceptable)
        uses[dealt] += 1


@given(items, st.randoms(use_true_random=False), st.integers(0, 3), st.integers(0, 40))
def test_the_order_of_the_items_given_does_not_matter(deck_of, random, seed, deals):
    shuffled = list(deck_of)
    random.shuffle(shuffled)
    one, other = Deck(deck_of, seed, "x"), Deck(shuffled, seed, "x")
    assert [one.deal(anything) for _ in range(deals)] == [other.deal(anything) for _ in range(deals)]


@given(items, st.integers(0, 3), st.integers(0, 30), st.integers(0, 30))
def test_more_deals_begin_with_the_same_ones(deck_of, seed, few, more):
    long, short = Deck(deck_of, seed, "x"), Deck(deck_of, seed, "x")
    assert [long.deal(anything) for _ in range(few + more)][:few] == [short.deal(anything) for _ in range(few)]


def test_a_refused_deal_changes_nothing():
    deck_of = [(str(number), "") for number in range(10)]
    one, other = Deck(deck_of, 1, "x"), Deck(deck_of, 1, "x")
    assert one.deal(lambda _: False) is None
    assert one.deal(anything, "no such group") is None
    assert [one.deal(anything) for _ in range(15)] == [other.deal(anything) for _ in range(15)]


def test_seed_and_name_decide_the_order_and_each_lap_has_another():
    deck_of = [(str(number), "") for number in range(30)]

    def laps(seed, name):
        deck = Deck(deck_of, seed, name)
        dealt = [deck.deal(anything) for _ in range(60)]
        return dealt[:30], dealt[30:]

    orders = [tuple(lap) for seed in (1, 2) for name in ("x", "y") for lap in laps(seed, name)]
    assert len(set(orders)) == len(orders)
    assert tuple(str(number) for number in range(30)) not in orders


def test_an_item_that_is_added_leaves_the_order_of_the_others():
    """A larger corpus does not turn a data set into quite another one."""
    few = Deck([(str(number), "") for number in range(20)], 1, "x")
    many = Deck([(str(number), "") for number in range(21)], 1, "x")
    assert [few.deal(anything) for _ in range(20)] == [
        name for name in (many.deal(anything) for _ in range(21)) if name != "20"
    ]


def test_an_empty_deck_deals_nothing():
    assert Deck([], 1, "x").deal(anything) is None


@given(st.sets(st.integers(0, 11)), st.lists(st.one_of(st.none(), st.integers(0, 2)), max_size=40))
def test_leading_items_are_dealt_as_if_the_others_were_not_accepted(leading, deals):
    items = [(str(number), str(number % 3)) for number in range(12)]
    leading = {str(number) for number in leading}
    one, other = Deck(items, 1, "deck", leading=leading), Deck(items, 1, "deck")
    for group in deals:
        if group is None:
            assert one.deal(lambda _: True) == other.deal(leading.__contains__)
        else:
            assert one.deal(lambda _: True, str(group)) == other.deal(lambda _: True, str(group))
