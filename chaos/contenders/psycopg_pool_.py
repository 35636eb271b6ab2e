"""psycopg 3 and its AsyncConnectionPool, with their defaults but for the size and autocommit."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from psycopg_pool import AsyncConnectionPool

from chaos.contenders import Program, Session, UnknownOutcome, by_hand, retrying


@functools.cache
def placeholders(sql: str) -> str:
    """The statement with psycopg's placeholders; the parameters are used once each, in their order."""
    return re.sub(r"\$\d+", "%s", sql.replace("%", "%%"))


class _Held:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetchval(self, sql: str, *args: Any, timeout: float | None = None) -> Any:
        async with asyncio.timeout(timeout):
            cursor = await self._connection.execute(placeholders(sql), args)
            row = await cursor.fetchone() if cursor.description else None
            return row and row[0]


class PsycopgPool:
    name: ClassVar[str] = "psycopg_pool"
    unknown: ClassVar[tuple[type[Exception], ...]] = (UnknownOutcome,)
    cancellable: ClassVar[bool] = True

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    @classmethod
    async def open(cls, url: str, connections: int, **_: Any) -> Self:
        pool = AsyncConnectionPool(url, min_size=connections, kwargs={"autocommit": True}, open=False)
        await pool.open()
        return cls(pool)

    async def fetchval(self, sql: str, *args: Any, timeout: float | None = None) -> Any:
        async with asyncio.timeout(timeout), self.exclusive() as connection:
            return await connection.fetchval(sql, *args)

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[Session]:
        async with self.pool.connection() as connection:
            yield _Held(connection)

    async def transact(self, program: Program, isolation: str) -> Any:
        async def once() -> Any:
            async with self.pool.connection() as connection:
                return await by_hand(
                    program,
                    _Held(connection).fetchval,
                    lambda: connection.execute(f"begin isolation level {isolation}"),
                    lambda: connection.execute("commit"),
                    lambda: connection.execute("rollback"),
                )

        return await retrying(once)

    async def close(self) -> None:
        await self.pool.close(timeout=1)


CONTENDER = PsycopgPool
