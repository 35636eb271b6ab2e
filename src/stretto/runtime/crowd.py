"""A crowd of callers who wait: while it is there, the cyclic collector comes for young objects less often.

Each caller who waits has some thirty objects (his task, coroutines, block), which are all alive. On asyncio most of a
crowd waits ``outside`` (``runtime.entry``), before what each asks for is built.
"""

from __future__ import annotations

from stretto.pool.queue import Queue
from stretto.protocol.collector import relieve, resume

CROWD = 1000  # who wait are a crowd; half of them are none any more
ROOM = CROWD // 2
YOUNG = 10_000  # the threshold while there is one: garbage of so many objects is small beside the crowd itself


class Crowd:
    """Whether there is one at one Database. ``shut``: whoever comes now waits outside first."""

    __slots__ = ("_here", "outside", "shut")

    def __init__(self) -> None:
        self._here = False
        self.outside = Queue()
        self.shut = False

    def count(self, waiting: int) -> None:
        """So many wait in the queue now."""
        if self._here:
            if waiting < ROOM and len(self.outside) < ROOM:
                self._here = False
                resume(YOUNG)
        elif waiting >= CROWD:
            self._here = True
            relieve(YOUNG)

    def grown(self, waiting: int) -> None:
        """So many wait in the queue now, and are served in their order: if they are a crowd, let nobody else in."""
        self.count(waiting)
        if waiting >= CROWD:
            self.shut = True

    def admit(self, most: int) -> None:
        """Let so many come in: they have joined the queue in the next pass of the loop."""
        for _ in range(min(most, len(self.outside))):
            self.outside.popleft().end()

    def clear(self) -> None:
        """Nobody waits any more."""
        self.outside = Queue()  # who was outside leaves the one that he is in
        self.shut = False
        self.count(0)


NOBODY = Crowd()  # where nobody ever waits outside
