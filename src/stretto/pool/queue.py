"""Queue: those who wait, first come, first served. Whoever waits may leave it from anywhere, at once and at no cost."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any


class Queue:
    """Who is in it, in the order in which they came; its length and its members are only those who still wait.

    Who leaves keeps his place, as a mark, until those before him are gone, or until more have left than wait. Then all
    such places are dropped together, so that thousands who leave in any order cost no more than thousands of steps. The
    first place is always that of somebody who waits.
    """

    def __init__(self) -> None:
        self._places: deque[Any] = deque()
        self._left: set[Any] = set()

    def __len__(self) -> int:
        return len(self._places) - len(self._left)

    def __iter__(self) -> Iterator[Any]:
        """Those who are there now; they may leave meanwhile."""
        return iter(self.front(len(self._places)))

    def front(self, places: int) -> list[Any]:
        """Who waits at one of so many places in front."""
        left = self._left
        return [one for one in islice(self._places, places) if one not in left]

    def append(self, one: Any) -> None:
        """Come, behind all others."""
        self._places.append(one)

    def first(self) -> Any:
        """Who waits longest; there must be somebody."""
        return self._places[0]

    def popleft(self) -> Any:
        """Take the first out; there must be somebody."""
        first = self._places.popleft()
        if self._left:
            self._drop()
        return first

    def leave(self, one: Any) -> None:
        """Wait no more; he must be there."""
        left = self._left
        left.add(one)
        if 2 * len(left) > len(self._places):
            self._places = deque(self)
            left.clear()
        else:
            self._drop()

    def _drop(self) -> None:
        """Drop the places in front of the first who waits."""
        places, left = self._places, self._left
        while places and places[0] in left:
            left.discard(places.popleft())

    def clear(self) -> None:
        """Nobody waits any more."""
        self._places.clear()
        self._left.clear()
