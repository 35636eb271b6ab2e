"""psycopg 3 behind its own pools (psycopg[pool])."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from psycopg_pool import AsyncConnectionPool, ConnectionPool

from benchmarks.cases import select
from benchmarks.contenders import contender

POINT = select.SQL.format(parameter="%s")
AUTOCOMMIT = {"autocommit": True}


@contender("select", "psycopg 3 blocking pool")
def select_pool(url: str, callers: int, connections: int) -> Iterator[Any]:
    size = min(callers, connections)
    with ConnectionPool(url, min_size=size, max_size=connections, kwargs=AUTOCOMMIT, open=True) as pool:
        pool.wait()

        def ask(key: int) -> Any:
            with pool.connection() as connection:
                return connection.execute(POINT, (key,)).fetchone()

        yield [ask] * callers


@contender("select", "psycopg 3 asyncio pool")
async def select_async_pool(url: str, callers: int, connections: int) -> AsyncIterator[Any]:
    size = min(callers, connections)
    async with AsyncConnectionPool(url, min_size=size, max_size=connections, kwargs=AUTOCOMMIT, open=False) as pool:
        await pool.wait()

        async def ask(key: int) -> Any:
            async with pool.connection() as connection:
                return await (await connection.execute(POINT, (key,))).fetchone()

        yield [ask] * callers
