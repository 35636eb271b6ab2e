"""asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg

from benchmarks.cases import copy, rows, stream
from benchmarks.contenders import contender
from stretto.cli.race.contenders.asyncpg_ import BOTH, HELD, POINT


@contender("rows", "asyncpg Records")
async def rows_records(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    yield lambda: connection.fetch(rows.SQL), "names"
    await connection.close()


@contender("stream", "asyncpg cursor")
async def stream_cursor(url: str) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:
        connection = await asyncpg.connect(url)
        stack.push_async_callback(connection.close)
        await stack.enter_async_context(connection.transaction())
        yield lambda: connection.cursor(stream.SQL, prefetch=stream.BATCH)


@contender("copy", "asyncpg copy_records_to_table")
async def copy_records(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    yield lambda source: connection.copy_records_to_table(copy.TABLE, records=source), connection.fetchval
    await connection.close()


@contender("startup", "asyncpg")
async def startup(url: str) -> AsyncIterator[Any]:
    async def connect() -> Any:
        connection = await asyncpg.connect(url)
        value = await connection.fetchval("select 1")
        await connection.close()
        return value

    yield "import asyncpg", connect


@contender("neighbours", "asyncpg pool", loops=BOTH)
async def neighbours_pool(url: str, connections: int) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(url, min_size=connections, max_size=connections) as pool:
        yield lambda key: pool.fetchrow(POINT, key), lambda seconds: pool.execute("select pg_sleep($1)", seconds)


@contender("writes", "asyncpg pool", loops=BOTH)
async def writes_pool(url: str, callers: int, connections: int, sql: str) -> AsyncIterator[Any]:
    sql = sql.format(key="$1", note="$2")
    async with asyncpg.create_pool(url, min_size=min(callers, connections), max_size=connections) as pool:
        yield [lambda row: pool.execute(sql, *row)] * callers, pool.fetchval


@contender("writes", "asyncpg held", callers=HELD)
async def writes_held(url: str, callers: int, _connections: int, sql: str) -> AsyncIterator[Any]:
    sql = sql.format(key="$1", note="$2")
    connections = [await asyncpg.connect(url) for _ in range(callers)]
    yield [lambda row, c=connection: c.execute(sql, *row) for connection in connections], connections[0].fetchval
    for connection in connections:
        await connection.close()


@contender("transaction", "asyncpg held", callers=HELD)
async def transaction_held(url: str, callers: int, _connections: int, sql: str) -> AsyncIterator[Any]:
    sql = sql.format(parameter="$1")

    def asker(connection: Any) -> Callable[[int], Any]:
        async def ask(key: int) -> Any:
            async with connection.transaction():
                return await connection.fetchrow(sql, key)

        return ask

    connections = [await asyncpg.connect(url) for _ in range(callers)]
    yield [asker(connection) for connection in connections]
    for connection in connections:
        await connection.close()


@contender("transaction", "asyncpg pool", loops=BOTH)
async def transaction_pool(url: str, callers: int, connections: int, sql: str) -> AsyncIterator[Any]:
    sql = sql.format(parameter="$1")
    async with asyncpg.create_pool(url, min_size=min(callers, connections), max_size=connections) as pool:

        async def ask(key: int) -> Any:
            async with pool.acquire() as connection, connection.transaction():
                return await connection.fetchrow(sql, key)

        yield [ask] * callers


@contender("memory", "asyncpg")
async def memory(url: str, _count: int) -> AsyncIterator[Any]:
    held: list[Any] = []

    async def grow(more: int) -> None:
        for _ in range(more):
            held.append(await asyncpg.connect(url))
            await held[-1].fetchrow(POINT, 1)

    yield grow, lambda sql: held[0].fetchval(sql)
    for connection in held:
        await connection.close()
