"""What a question took: how many statements, in how many round trips, and how long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from stretto.testing import Seen, expect


class Cost:
    """What was sent since it was made, and the seconds since; stopped by `watched`."""

    def __init__(self, seen: Seen) -> None:
        self.seconds = 0.0
        self._seen = seen

    def __str__(self) -> str:
        sent, trips = len(self._seen.statements), self._seen.round_trips
        return f"{_counted(sent, 'statement')}, {_counted(trips, 'round trip')}, {1000 * self.seconds:,.0f} ms"


@contextmanager
def watched() -> Iterator[Cost]:
    """What the block takes; to be read after it."""
    with expect() as seen:
        cost = Cost(seen)
        begun = time.perf_counter()
        yield cost
        cost.seconds = time.perf_counter() - begun


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
