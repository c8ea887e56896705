"""Dealing: everything once before anything twice, and nothing but names decides the order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pse_bench.planning.clip_pool import BalancedSampler

items = st.lists(
    st.tuples(st.text(max_size=4), st.sampled_from(["a", "b", "c"])),
    min_size=1,
    max_size=15,
    unique_by=lambda i: i[0],
)


def anything(_: str) -> bool:
    return True


@given(items, st.integers(-3, 3), st.integers(0, 60))
def test_every_item_is_dealt_once_before_any_is_dealt_twice(sampler_items, seed, deals):
    sampler = BalancedSampler(sampler_items, seed, "target")
    dealt = [sampler.next(anything) for _ in range(deals)]
    size = len(sampler_items)
    everything = {name for name, _ in sampler_items}
    for start in range(0, deals, size):
        lap = dealt[start : start + size]
        assert len(set(lap)) == len(lap)
        assert len(lap) < size or set(lap) == everything


@given(items, st.integers(0, 3), st.lists(st.sampled_from([None, "a", "b", "c"]), max_size=40))
def test_a_group_deals_its_least_used_item(sampler_items, seed, groups):
    """Whoever asks, the item is one of those used least among all that could have been dealt."""
    sampler = BalancedSampler(sampler_items, seed, "target")
    group_of = dict(sampler_items)
    uses: Counter[str] = Counter()
    for group in groups:
        possible = [name for name in group_of if group in {None, group_of[name]}]
        dealt = sampler.next(anything, group)
        if not possible:
            assert dealt is None
            continue
        assert dealt in possible
        assert uses[dealt] == min(uses[name] for name in possible)
        uses[dealt] += 1


@given(items, st.lists(st.sets(st.integers(0, 14)), max_size=40))
def test_constraints_are_kept_and_the_least_used_acceptable_item_comes(sampler_items, refusals):
    sampler = BalancedSampler(sampler_items, 1, "noise")
    names = [name for name, _ in sampler_items]
    uses: Counter[str] = Counter()
    for refused in refusals:
        acceptable = {name for number, name in enumerate(names) if number not in refused}
        dealt = sampler.next(acceptable.__contains__)
        if not acceptable:
            assert dealt is None
            continue
        assert dealt in acceptable
        assert uses[dealt] == min(uses[name] for name in acceptable)
        uses[dealt] += 1


@given(items, st.randoms(use_true_random=False), st.integers(0, 3), st.integers(0, 40))
def test_the_order_of_the_items_given_does_not_matter(sampler_items, random, seed, deals):
    shuffled = list(sampler_items)
    random.shuffle(shuffled)
    one, other = BalancedSampler(sampler_items, seed, "x"), BalancedSampler(shuffled, seed, "x")
    assert [one.next(anything) for _ in range(deals)] == [other.next(anything) for _ in range(deals)]


@given(items, st.integers(0, 3), st.integers(0, 30), st.integers(0, 30))
def test_more_deals_begin_with_the_same_ones(sampler_items, seed, few, more):
    long, short = BalancedSampler(sampler_items, seed, "x"), BalancedSampler(sampler_items, seed, "x")
    assert [long.next(anything) for _ in range(few + more)][:few] == [short.next(anything) for _ in range(few)]


def test_a_refused_deal_changes_nothing():
    sampler_items = [(str(number), "") for number in range(10)]
    one, other = BalancedSampler(sampler_items, 1, "x"), BalancedSampler(sampler_items, 1, "x")
    assert one.next(lambda _: False) is None
    assert one.next(anything, "no such group") is None
    assert [one.next(anything) for _ in range(15)] == [other.next(anything) for _ in range(15)]


def test_seed_and_name_decide_the_order_and_each_lap_has_another():
    sampler_items = [(str(number), "") for number in range(30)]

    def laps(seed, name):
        sampler = BalancedSampler(sampler_items, seed, name)
        dealt = [sampler.next(anything) for _ in range(60)]
        return dealt[:30], dealt[30:]

    orders = [tuple(lap) for seed in (1, 2) for name in ("x", "y") for lap in laps(seed, name)]
    assert len(set(orders)) == len(orders)
    assert tuple(str(number) for number in range(30)) not in orders


def test_an_item_that_is_added_leaves_the_order_of_the_others():
    """A larger corpus does not turn a data set into quite another one."""
    few = BalancedSampler([(str(number), "") for number in range(20)], 1, "x")
    many = BalancedSampler([(str(number), "") for number in range(21)], 1, "x")
    assert [few.next(anything) for _ in range(20)] == [
        name for name in (many.next(anything) for _ in range(21)) if name != "20"
    ]


def test_an_empty_deck_deals_nothing():
    assert BalancedSampler([], 1, "x").next(anything) is None


@given(st.sets(st.integers(0, 11)), st.lists(st.one_of(st.none(), st.integers(0, 2)), max_size=40))
def test_leading_items_are_dealt_as_if_the_others_were_not_accepted(leading, deals):
    items = [(str(number), str(number % 3)) for number in range(12)]
    leading = {str(number) for number in leading}
    one, other = BalancedSampler(items, 1, "deck", leading=leading), BalancedSampler(items, 1, "deck")
    for group in deals:
        if group is None:
            assert one.next(lambda _: True) == other.next(leading.__contains__)
        else:
            assert one.next(lambda _: True, str(group)) == other.next(lambda _: True, str(group))
