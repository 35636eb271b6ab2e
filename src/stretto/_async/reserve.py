"""Connections that a copy of a table on asyncio holds from its beginning to its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from typing import Any

from stretto._async.connection import AsyncConnection
from stretto._async.lanes import AsyncLane, is_in_parallel, turn_of
from stretto.errors import Error
from stretto.runtime.aio import Link


class AsyncReserve(AsyncLane):
    """A Database of which all that is asked here runs on connections that were taken before.

    So whoever needs two of them at once does not wait for the second, which others hold who wait for one of his.
    """

    def __init__(self, db: Any) -> None:
        super().__init__(db)
        self._free: list[Link] = []

    def __repr__(self) -> str:
        return repr(self._db)

    async def hold(self, least: int, most: int) -> int:
        """Take connections, and return how many; beyond ``least`` only such as nobody has.

        Those who do so take turns. Raises PoolTimeout and its kin; StatementTimeout at the deadline.
        """
        if is_in_parallel(self._db):  # the source of a load, whose turn it is
            await self._hold(least, least)
        else:
            async with turn_of(self._db):
                await self._hold(least, most)
        return len(self._free)

    async def _hold(self, least: int, most: int) -> None:
        while len(self._free) < least or (len(self._free) < most and self._has_room()):
            self._free.append(await self._db._acquire())

    def _has_room(self) -> bool:
        now = self._db.stats()
        return not now.waiting and (now.idle > 0 or now.connections + now.opening < now.size)

    async def end(self) -> None:
        """Give all back."""
        while self._free:
            await self._db._give(self._free.pop())

    async def _take(self, timeout: float | None, since: float = 0.0) -> Any:
        """One of those that are held; another one where they were lost."""
        while self._free:
            link = self._free.pop()
            if not link.closed:
                return link
        return await self._db._take(timeout, since)

    async def _give(self, link: Link) -> None:
        if link.closed or link.recovering or link.machine.status != "I" or not link.machine.idle():
            await self._db._give(link)
        else:
            self._free.append(link)

    def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        return super()._run(flow, self._db._timeout if timeout is None else timeout, exclusive, since)

    async def _alone(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        link = await self._take(timeout)
        try:
            return await link.run(flow, timeout)
        finally:
            await self._give(link)

    async def tidy(self, sql: str, timeout: float) -> None:
        """Execute what puts things back; where the held connections are lost, on a new one."""
        try:
            await self.execute(sql, timeout=timeout)
        except Error:
            await self._db.execute(sql, timeout=timeout)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """One of them in hand; it does not come back here."""
        link = await self._acquire()
        connection = AsyncConnection(link, self._shared)
        try:
            yield connection
        finally:
            await connection._part(self._db._pool)
