"""AsyncPool: opens the connections that the traffic wants, makes used ones as new, and closes them."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import Any

from stretto.errors import Error, UsageError
from stretto.flows.query import execute
from stretto.runtime.aio import Link
from stretto.runtime.atraffic import Traffic
from stretto.runtime.aturns import pause
from stretto.runtime.base import given_back, may_cancel
from stretto.runtime.forks import forked
from stretto.runtime.keeper import closed

CALM = 3  # times in a row that nothing is seen to go on: between two requests of one call nothing is in flight
LOOK = 0.003  # seconds between looks at what still goes on
RESTORING = 5.0  # seconds for a used connection to be made as new before it is closed
RESET = (
    "SET SESSION AUTHORIZATION DEFAULT; RESET ROLE; RESET ALL; SELECT pg_catalog.pg_advisory_unlock_all(); "
    "CLOSE ALL; UNLISTEN *; DISCARD TEMP; DISCARD SEQUENCES"
)
# What PREPARE has named; our own statements stay.
FORGET = """; DO $$DECLARE one text; BEGIN
FOR one IN SELECT name FROM pg_catalog.pg_prepared_statements WHERE from_sql LOOP
EXECUTE pg_catalog.format('DEALLOCATE %I', one); END LOOP; END$$"""


class AsyncPool(Traffic):
    """Opens connections for its traffic, as many as are wanted; see Traffic for the parameters."""

    def acquire(self, timeout: float | None = None, since: float = 0.0) -> Any:
        """Take a connection (a Link) for oneself, waiting ``timeout`` seconds at most, or as long as the pool allows.

        ``since``: when the caller began to wait, if it was before now; the pool's own limit counts from there. Raises
        PoolTimeout, PoolClosed, ConnectError and its kin.
        """
        return self.hold(self._limit(timeout), timeout is not None, since)

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
            self._stop_opening()
            if until is None or monotonic() < until:
                self._tell(error)
            else:
                self._dispatch()  # the time of whoever opened it was up, which says nothing of the server
            return
        except BaseException:
            self._stop_opening()
            raise
        self._stop_opening()
        if self._over:
            await link.close()
        else:
            self.joined(link)

    async def release(self, link: Link, *, used: bool = False) -> None:
        """Give a connection back, in whatever state. ``used``: its session may have been changed.

        Making it as new does not keep the caller: it happens beside him where he might have to wait for it.
        """
        if link.closed:
            return
        machine = link.machine
        if machine.status == "I" and machine.idle() and not (used or machine.changed or link.recovering):
            self._free(link.lane)
        else:
            self._spawn(self._restore, link, used)

    async def discard(self, link: Link) -> None:
        """Close a connection that its block has left and somebody still uses, who is told; what he runs is stopped."""
        if link.closed:
            return
        running = may_cancel(link.machine)
        for request in link.machine.due():
            request.failure = request.failure or given_back()
        link.abort(UsageError("its block of connection() has ended"))
        if running:
            self._spawn(self._cancel, link)

    async def _cancel(self, link: Link) -> None:
        with suppress(Error, OSError):
            await link.cancel()

    async def _restore(self, link: Link, used: bool) -> None:
        """Roll back what is open and reset the session; a connection that can't be made as new is closed."""
        try:
            with suppress(Error):
                link.give_up_all()
                await link.recover()
                if link.machine.status != "I":
                    await link.run(execute(self.shared, "ROLLBACK", ()), RESTORING)
                if used or link.machine.changed:
                    reset = RESET + (FORGET if link.machine.changed else "")
                    await link.run(execute(self.shared, reset, ()), RESTORING)
                link.machine.changed = False
                whole = link.machine.status == "I" and link.machine.idle() and not link.closed
                if whole and not self._strayed(link.lane, []):
                    self._free(link.lane)
                    return
        except BaseException:
            link.abort()
            raise
        link.abort()

    async def close(self, timeout: float | None) -> None:
        """Refuse new callers, serve those who are there for ``timeout`` seconds (None: to their end), close all."""
        if self._refusal is forked:
            return  # in a child process nothing is its own
        self._arrive()
        try:
            try:
                if self.crowd.outside and timeout != 0.0:
                    self.crowd.admit(len(self.crowd.outside))
                    await pause(0.0)  # they come in, and are served as those who were there
            finally:
                if self._refusal is None:
                    self._refusal = closed
            await self._drain(None if timeout is None else monotonic() + timeout)
        finally:
            await self._end()

    async def _drain(self, until: float | None) -> None:
        calm = 0
        while calm < CALM and not self._over and (until is None or monotonic() < until):
            calm = 0 if self._is_busy() else calm + 1
            await pause(0.0 if calm else LOOK)

    async def _end(self) -> None:
        """Close all connections, those in use too, and stop what they run."""
        if not self._over:
            self._report_holders()
        waiters = self._shut()
        self._stop_timers()
        self._fail_all(waiters, closed())
        links = [lane.link for lane in list(self.scheduler.lanes)]
        running = [link for link in links if self._refusal is closed and may_cancel(link.machine)]
        for link in links:
            await link.close()
        await self._ended()
        await self._stop(running)
