"""Dealing clips so that each is used once before any is used twice."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from pse_bench import draws


class Deck:
    """Items dealt by fewest uses first, in an order that depends on seed and names alone.

    Args:
        items: names of the items, with the group that each belongs to.
        seed, name: what fixes the order.
        leading: where given, only these are dealt when no group is asked for.
    """

    def __init__(
        self, items: Iterable[tuple[str, str]], seed: int, name: str, leading: Collection[str] | None = None
    ) -> None:
        self._seed, self._name = seed, name
        self._group = dict(items)
        self._leading = self._group if leading is None else leading
        # levels[uses] and grouped[group][uses] hold (order, item) sorted
        self._levels: dict[int, list[tuple[str, str]]] = defaultdict(list)
        self._grouped: dict[str, dict[int, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
        entries = sorted((draws.order(seed, name, 0, item), item) for item in self._group)
        if leaders := [entry for entry in entries if entry[1] in self._leading]:
            self._levels[0] = leaders
        for entry in entries:
            self._grouped[self._group[entry[1]]][0].append(entry)

    def _insert(self, item: str, uses: int) -> None:
        entry = (draws.order(self._seed, self._name, uses, item), item)
        if item in self._leading:
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
        leading = [self._levels] if entry[1] in self._leading else []
        for levels in (*leading, self._grouped[self._group[entry[1]]]):
            del levels[uses][bisect_left(levels[uses], entry)]
            if not levels[uses]:
                del levels[uses]
        self._insert(entry[1], uses + 1)
