"""AsyncPool: opens the connections that the traffic wants, makes used ones as new, and closes them."""

from __future__ import annotations

from contextlib import suppress

from stretto.errors import Error
from stretto.flows.query import execute
from stretto.runtime.aio import Link
from stretto.runtime.atraffic import Traffic
from stretto.runtime.keeper import closed

RESTORING = 5.0  # seconds for a used connection to be made as new before it is closed
RESET = (
    "SET SESSION AUTHORIZATION DEFAULT; RESET ROLE; RESET ALL; SELECT pg_catalog.pg_advisory_unlock_all(); "
    "CLOSE ALL; UNLISTEN *; DISCARD TEMP; DISCARD SEQUENCES"
)


class AsyncPool(Traffic):
    """Opens connections for its traffic, as many as are wanted; see Traffic for the parameters."""

    async def acquire(self, timeout: float | None = None) -> Link:
        """Take a connection for oneself, waiting ``timeout`` seconds at most, or as long as the pool allows.

        Raises PoolTimeout, PoolClosed, ConnectError and its kin.
        """
        return await self.hold(self._limit(timeout), timeout is not None)

    def _limit(self, timeout: float | None) -> float | None:
        if timeout is None or self._timeout is None:
            return self._timeout if timeout is None else timeout
        return min(timeout, self._timeout)

    async def _open(self, until: float | None = None) -> None:
        """Open one connection, for whoever waits: until a time of the runtime's clock, where it is given.

        What will fail again is told to all who wait; other failures are tried again, after a pause.
        """
        try:
            link = await Link.connect(self.shared, until)
        except Error as error:
            self.scheduler.opening -= 1
            self._tell(error)
            return
        except BaseException:
            self.scheduler.opening -= 1
            raise
        self.scheduler.opening -= 1
        if self._refusal is not None:
            await link.close()
        else:
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
                link.give_up_all()
                await link.recover()
                if link.machine.status != "I":
                    await link.run(execute(self.shared, "ROLLBACK", ()), RESTORING)
                if used or link.machine.changed:
                    await link.run(execute(self.shared, RESET, ()), RESTORING)
                link.machine.changed = False
                if link.machine.status == "I" and link.machine.idle() and not link.closed:
                    self._free(link.lane)
                    return
        except BaseException:
            link.abort()
            raise
        link.abort()

    async def close(self) -> None:
        """Close all connections, those in use too."""
        self._refusal = closed
        self._report_holders()
        self._stop_timers()
        self._fail_all(self._everybody(), closed())
        for lane in list(self.scheduler.lanes):
            await lane.link.close()
        await self._ended()
