"""Sampling without replacement: each item is used once before any is used twice."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import cast

from pse_bench import rng

Entry = tuple[str, str]
"""An item's sort key among those that were used as often, and its name."""


class _Levels:
    """Items by how often they were used, those used least first.

    An item that is used once more is added to the next level; on its old one it stays until a search meets it
    there. A level is sorted when it is searched. So a draw costs the same from a few items and from many.
    """

    def __init__(self, uses: dict[str, int]) -> None:
        self._uses = uses  # of every item, kept by the sampler
        self._piles: dict[int, list[Entry]] = defaultdict(list)  # the next one last
        self._unordered: set[int] = set()
        self._laid = 0
        self.items = 0

    def lay(self, entry: Entry) -> None:
        """Add an item to the level of its present number of uses."""
        level = self._uses[entry[1]]
        self._piles[level].append(entry)
        self._unordered.add(level)
        self._laid += 1
        if self._laid > 2 * self.items + 100:
            for number, pile in self._piles.items():  # forget the items that are on a later level
                pile[:] = [one for one in pile if self._uses[one[1]] == number]
            self._laid = sum(map(len, self._piles.values()))

    def first(self, accept: Callable[[str], bool]) -> str | None:
        """The first acceptable item among those used least."""
        for level in sorted(self._piles):
            pile = self._piles[level]
            if level in self._unordered:
                pile.sort(reverse=True)
                self._unordered.remove(level)
            for place in range(len(pile) - 1, -1, -1):
                item = pile[place][1]
                if self._uses[item] != level:
                    del pile[place]
                    self._laid -= 1
                elif accept(item):
                    return item
            if not pile:
                del self._piles[level]
        return None


class BalancedSampler:
    """Draws the items that were used least, in an order that depends on seed and names alone. Every item has a
    group; where ``leading`` ones are given, only these are drawn when no group is asked for."""

    def __init__(
        self, items: Iterable[tuple[str, str]], seed: int, name: str, leading: Collection[str] | None = None
    ) -> None:
        self._seed, self._name = seed, name
        self._group = dict(items)
        self._leading = self._group if leading is None else leading
        self._uses = dict.fromkeys(self._group, 0)
        self._leaders = _Levels(self._uses)
        self._grouped: dict[str, _Levels] = defaultdict(lambda: _Levels(self._uses))
        for item in self._group:
            for levels in self._levels_of(item):
                levels.items += 1
            self._lay(item)

    def _levels_of(self, item: str) -> list[_Levels]:
        own = self._grouped[self._group[item]]
        return [own, self._leaders] if item in self._leading else [own]

    def _lay(self, item: str) -> None:
        entry = rng.sort_key(self._seed, self._name, self._uses[item], item), item
        for levels in self._levels_of(item):
            levels.lay(entry)

    def next(self, accept: Callable[[str], bool], group: str | None = None) -> str | None:
        """The first acceptable item among those used least, or None when no item is acceptable."""
        item = (self._leaders if group is None else self._grouped[group]).first(accept)
        if item is not None:
            self._uses[item] += 1
            self._lay(item)
        return item

    def next_of_all(self) -> str:
        """The first of the items that were used least."""
        return cast(str, self.next(lambda _: True))

    def each(self, accept: Callable[[str], bool], group: str, first: str | None = None) -> Iterator[str]:
        """Acceptable items of a group, none twice, each drawn when it is asked for; after ``first``, which was
        drawn already, where one is given."""
        used: set[str] = set()
        item = self.next(accept, group) if first is None else first
        while item is not None:
            used.add(item)
            yield item
            item = self.next(lambda item: item not in used and accept(item), group)
