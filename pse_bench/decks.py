"""Dealing clips so that each is used once before any is used twice."""

from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterable

from pse_bench import draws


class Deck:
    """Items dealt by fewest uses first, in an order that depends on seed and names alone.

    Args:
        items: names of the items, with the group that each belongs to.
        seed, name: what fixes the order.
    """

    def __init__(self, items: Iterable[tuple[str, str]], seed: int, name: str) -> None:
        self._seed, self._name = seed, name
        self._group = dict(items)
        # levels[uses] and grouped[group][uses] hold (order, item) sorted
        self._levels: dict[int, list[tuple[str, str]]] = defaultdict(list)
        self._grouped: dict[str, dict[int, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
        for item in self._group:
            self._insert(item, 0)

    def _insert(self, item: str, uses: int) -> None:
        entry = (draws.order(self._seed, self._name, uses, item), item)
        insort(self._levels[uses], entry)
        insort(self._grouped[self._group[item]][uses], entry)

    def deal(self, accept: Callable[[str], bool], group: str | None = None) -> str | None:
        """The first acceptable item among those used least, or None when no item is acceptable."""
        levels = self._levels if group is None else self._grouped[group]
        for uses in sorted(levels):
            for entry in levels[uses]:
                if accept(entry[1]):
                    self._take(entry, uses)
                    return entry[1]
        return None

    def _take(self, entry: tuple[str, str], uses: int) -> None:
        for levels in (self._levels, self._grouped[self._group[entry[1]]]):
            levels[uses].remove(entry)
            if not levels[uses]:
                del levels[uses]
        self._insert(entry[1], uses + 1)
