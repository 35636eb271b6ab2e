"""asyncpg's pool, with its defaults but for the size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

import asyncpg

from chaos.contenders import Program, Session, UnknownOutcome, by_hand, retrying


class Asyncpg:
    name: ClassVar[str] = "asyncpg"
    unknown: ClassVar[tuple[type[Exception], ...]] = (UnknownOutcome,)
    cancellable: ClassVar[bool] = True

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    @classmethod
    async def open(cls, url: str, connections: int, **_: Any) -> Self:
        return cls(await asyncpg.create_pool(url, min_size=0, max_size=connections))

    async def fetchval(self, sql: str, *args: Any, timeout: float | None = None) -> Any:
        # Not by the pool's own fetchval(timeout=): that has no limit for giving the connection back.
        async with self.pool.acquire(timeout=timeout) as connection:
            return await connection.fetchval(sql, *args, timeout=timeout)

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[Session]:
        async with self.pool.acquire() as connection:
            yield connection

    async def transact(self, program: Program, isolation: str) -> Any:
        async def once() -> Any:
            async with self.pool.acquire() as connection:
                own = connection.transaction(isolation=isolation.replace(" ", "_"))
                return await by_hand(program, connection.fetchval, own.start, own.commit, own.rollback)

        return await retrying(once)

    async def close(self) -> None:
        self.pool.terminate()  # its close() may wait for ever after what it went through


CONTENDER = Asyncpg
