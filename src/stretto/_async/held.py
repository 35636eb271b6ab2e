"""A connection in hand, from being taken to being given back: whose turn it is, and who has it lent."""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import monotonic
from typing import TYPE_CHECKING, Any

from stretto._async.transacting import AsyncTransacting
from stretto.errors import Notice, UsageError
from stretto.flows import stream
from stretto.flows.ending import rollback
from stretto.flows.listen import read_notices
from stretto.flows.query import Flow
from stretto.flows.shared import Shared
from stretto.runtime.aio import Link
from stretto.runtime.aturns import Turns
from stretto.runtime.tracing import own

if TYPE_CHECKING:
    from stretto._async.pool import AsyncPool

_COPYING = "a COPY is running on this connection: take another one for other statements"
_LENT = (
    "a transaction() of another task or thread is open on this connection: start what belongs to it inside the block, "
    "and take another connection for what does not"
)
_LISTENING = (
    "another thread waits for notifications on this connection: take another one for statements, or let it look for "
    "them now and then, by notifications(timeout=)"
)


class _GivenBack:
    """Stands in the place of a link whose block has ended: others use it now."""

    closed = True

    def __getattr__(self, name: str) -> Any:
        raise UsageError("this connection was given back at the end of its block: take another one by connection()")


GIVEN_BACK: Any = _GivenBack()


class AsyncHeld(AsyncTransacting):
    """What runs on it takes turns where it has to, in threads. No part of it outlives the block."""

    def __init__(self, link: Link, shared: Shared, database: Any) -> None:
        self._link = link
        self._shared = shared
        self._database = database
        self._notice_listener: Callable[[Notice], None] | None = None
        self._portal: stream.Portal | None = None
        self._copying = False
        self._listening = False
        self._lent = False  # to a transaction
        self._unclean = False
        self._turns = Turns()

    async def _take(self, timeout: float | None, since: float = 0.0) -> Link:
        """Lend the connection to a transaction, when what others run has ended."""
        await self._make_ready(timeout)
        if not self._turns.try_enter(False):
            await self._wait_turn(timeout)
        try:
            self._check_free()
            if self._link.closed:
                raise self._link.why_lost()
            if self._link.machine.status != "I":
                raise UsageError("a transaction that was begun by hand is open on this connection: end it first")
            self._lent = True
            return self._link
        finally:
            self._turns.leave(False)

    def _elsewhere(self) -> Any:
        return self._database

    async def _give(self, link: Link) -> None:
        self._lent = False
        self._unclean = (not link.closed and link.machine.status != "I") or link.recovering

    async def _alone(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        await self._make_ready(timeout)
        return await self._drive(flow, timeout, True)

    async def _make_ready(self, timeout: float | None) -> None:
        """End what was left open: a stream, a transaction whose task was cancelled."""
        self._check_free()
        if self._portal is not None:
            portal, self._portal = self._portal, None
            await self._drive(portal.close(), timeout)
        if self._unclean:
            await self._drive(rollback(), timeout)
            self._unclean = False

    def _claimed(self, start: Flow) -> Flow:
        """The beginning of a COPY, which has the connection from then on: before anybody else has a turn."""
        request = yield from start
        self._copying = True
        return request

    def _check_free(self) -> None:
        if self._copying or self._lent:
            raise UsageError(_COPYING if self._copying else _LENT)

    async def _drive(self, flow: Generator[Any, Any, Any], timeout: float | None, alone: bool = False) -> Any:
        """Run a flow in its turn. ``alone``: it does not belong to a COPY or transaction that has begun meanwhile."""
        turns = self._turns
        waited = 0.0 if turns.try_enter(False) else await self._wait_turn(timeout)
        try:
            if alone and waited:
                self._check_free()
            return await self._link.run(flow, timeout, waited)
        finally:
            turns.leave(False)
            if self._notice_listener is not None:
                for notice in read_notices(self._link.machine):
                    self._notice_listener(notice)

    async def _wait_turn(self, timeout: float | None) -> float:
        """Wait for a turn, in threads, where two can't read one socket; return for how long."""
        if self._listening:
            raise UsageError(_LISTENING)
        begun = monotonic()
        await self._turns.enter(False, timeout)
        return monotonic() - begun

    async def _part(self, pool: AsyncPool) -> None:
        """Give the connection back at the end of its block; one that somebody still uses is closed."""
        link, self._link = self._link, GIVEN_BACK
        link.tap = own(link.tap, None)
        if self._lent or self._copying or self._listening or not self._turns.try_enter(True):
            await pool.discard(link)
            return
        self._turns.leave(True)  # for those who wait: they see that it is gone
        await pool.release(link, used=True)
