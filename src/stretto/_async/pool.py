"""AsyncPool: a few connections, each used by one caller at a time.

This is the simple pool: a statement takes a free connection for itself, opens one up to the limit, or waits its turn.
"""

from __future__ import annotations

from stretto.errors import PoolClosed
from stretto.flows.shared import Shared
from stretto.runtime.aio import Gate, Link


class AsyncPool:
    """Up to ``size`` connections; ``timeout`` seconds is how long anybody waits for one (None: for ever)."""

    def __init__(self, shared: Shared, size: int, timeout: float | None) -> None:
        self._shared = shared
        self._timeout = timeout
        self._gate = Gate(size)
        self._idle: list[Link] = []
        self._busy: set[Link] = set()
        self._closed = False

    async def acquire(self, limit: float | None = None) -> Link:
        """Take a connection, waiting ``limit`` seconds at most, or as long as the pool allows.

        Raises PoolTimeout, PoolClosed, ConnectError and its kin.
        """
        self._check_open()
        own = self._timeout
        await self._gate.acquire(own if limit is None else limit if own is None else min(limit, own))
        try:
            self._check_open()
            link = await self._take() or await Link.connect(self._shared)
            self._busy.add(link)
            if self._closed:
                await self._drop(link)
                self._check_open()
        except BaseException:
            self._gate.release()
            raise
        return link

    def _check_open(self) -> None:
        if self._closed:
            raise PoolClosed("the Database is closed")

    async def _drop(self, link: Link) -> None:
        self._busy.discard(link)
        await link.close()

    async def _take(self) -> Link | None:
        while True:
            try:
                link = self._idle.pop()
            except IndexError:  # another thread may have taken the last one
                return None
            if link.recovering:
                try:
                    await link.recover()
                except BaseException:
                    self._idle.append(link)
                    raise
            if link.machine.status != "I":
                await link.close()  # what was given up had opened a transaction
            elif link.alive():
                return link

    async def release(self, link: Link) -> None:
        """Give a connection back; one that is closed, or not idle, is dropped."""
        try:
            if self._closed or link.machine.status != "I":
                await self._drop(link)
                return
            self._busy.discard(link)
            if link.recovering:
                self._idle.insert(0, link)  # the last to be taken again
            elif not link.closed:
                self._idle.append(link)
        finally:
            self._gate.release()

    async def close(self) -> None:
        """Close all connections, those in use too."""
        self._closed = True
        for link in [*self._idle, *self._busy]:
            await link.close()
        self._idle.clear()
