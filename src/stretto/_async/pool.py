"""AsyncPool: opens the connections that the traffic wants, makes used ones as new, and closes them."""

from __future__ import annotations

from contextlib import suppress

from stretto.errors import Error, PoolClosed
from stretto.flows.query import execute
from stretto.flows.shared import Shared
from stretto.runtime.aio import Link
from stretto.runtime.atraffic import Traffic

RESTORING = 5.0  # seconds for a used connection to be made as new before it is closed
RESET = (
    "SET SESSION AUTHORIZATION DEFAULT; RESET ROLE; RESET ALL; SELECT pg_catalog.pg_advisory_unlock_all(); "
    "CLOSE ALL; UNLISTEN *; DISCARD TEMP; DISCARD SEQUENCES"
)


def _closed() -> Error:
    return PoolClosed("the Database is closed")


class AsyncPool(Traffic):
    """Up to ``size`` connections. Without ``pipelining`` each carries one statement at a time."""

    def __init__(self, shared: Shared, size: int, timeout: float | None, *, pipelining: bool = True) -> None:
        super().__init__(shared, size, timeout, pipelining)
        self._connected = False

    async def acquire(self, timeout: float | None = None) -> Link:
        """Take a connection for oneself, waiting ``timeout`` seconds at most, or as long as the pool allows.

        Raises PoolTimeout, PoolClosed, ConnectError and its kin.
        """
        return await self.hold(self._limit(timeout))

    def _limit(self, timeout: float | None) -> float | None:
        if timeout is None or self._timeout is None:
            return self._timeout if timeout is None else timeout
        return min(timeout, self._timeout)

    async def _open(self) -> None:
        """Open one connection, for whoever waits; what goes wrong is told to all of them."""
        try:
            link = await Link.connect(self.shared)
        except Error as error:
            self.scheduler.opening -= 1
            self._fail_all(error)
            return
        except BaseException:
            self.scheduler.opening -= 1
            raise
        self.scheduler.opening -= 1
        if self._refusal is not None:
            await link.close()
        else:
            self._connected = True
            self.joined(link)

    async def release(self, link: Link, *, used: bool = False) -> None:
        """Give a connection back, in whatever state. ``used``: its session may have been changed.

        Making it as new does not keep the caller: it happens beside him where he might have to wait for it.
        """
        if link.closed:
            return
        if link.machine.status == "I" and link.machine.idle() and not used and not link.machine.changed:
            self._free(link.lane)
        else:
            self._spawn(self._restore, link, used)

    async def _restore(self, link: Link, used: bool) -> None:
        """Roll back what is open and reset the session; a connection that can't be made as new is closed."""
        try:
            with suppress(Error):
                await link.recover()
                if link.machine.status != "I":
                    await link.run(execute(self.shared, "ROLLBACK", ()), RESTORING)
                if used or link.machine.changed:
                    await link.run(execute(self.shared, RESET, ()), RESTORING)
                link.machine.changed = False
                if link.machine.status == "I" and not link.closed:
                    self._free(link.lane)
                    return
        except BaseException:
            link.abort()
            raise
        link.abort()

    async def close(self) -> None:
        """Close all connections, those in use too."""
        self._refusal = _closed
        self._fail_all(_closed())
        for lane in list(self.scheduler.lanes):
            await lane.link.close()
        await self._ended()
