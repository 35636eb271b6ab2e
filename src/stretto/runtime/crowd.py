"""A crowd of callers who wait: while it is there, the cyclic collector comes for young objects less often.

Each caller who waits has some thirty objects (his task, coroutines, block), which are all alive.
"""

from __future__ import annotations

from stretto.protocol.collector import relieve, resume

CROWD = 1000  # who wait are a crowd; half of them are none any more
YOUNG = 10_000  # the threshold while there is one: garbage of so many objects is small beside the crowd itself


class Crowd:
    """Whether there is one at one Database."""

    __slots__ = ("_here",)

    def __init__(self) -> None:
        self._here = False

    def count(self, waiting: int) -> None:
        """So many wait now."""
        if self._here:
            if waiting < CROWD // 2:
                self._here = False
                resume(YOUNG)
        elif waiting >= CROWD:
            self._here = True
            relieve(YOUNG)
