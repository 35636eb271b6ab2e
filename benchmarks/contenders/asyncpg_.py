"""asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from operator import attrgetter
from typing import Any

import asyncpg

from benchmarks.cases import copy, flow, rows, stream
from benchmarks.contenders import contender
from stretto.cli.race.contenders.asyncpg_ import BOTH, HELD, POINT
from stretto.cli.race.workloads import points


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


@contender("copy", "asyncpg")
async def copy_records(url: str, source: str) -> AsyncIterator[Any]:
    """copy_records_to_table, which takes tuples, and copy_to_table of a file."""
    connection = await asyncpg.connect(url)
    fields = attrgetter(*points.FIELDS)

    def load(rows: Any) -> Any:
        if source == "CSV":
            return connection.copy_to_table(copy.TABLE, source=rows, format="csv")
        records = map(fields, rows) if source == "objects" else rows
        return connection.copy_records_to_table(copy.TABLE, records=records)

    yield load, connection.fetchval
    await connection.close()


@contender("flow", "asyncpg")
async def flow_in_and_out(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)

    async def read() -> AsyncIterator[Any]:
        async with connection.transaction():
            async for row in connection.cursor(flow.SQL, prefetch=flow.BATCH):
                yield row

    def copy_out(sink: Callable[[bytes], None]) -> Any:
        async def take(block: bytes) -> None:
            sink(block)

        return connection.copy_from_table(flow.TABLE, output=take, format="csv")

    yield flow.Flow(
        lambda source: connection.copy_records_to_table(flow.TABLE, records=source), read, copy_out, connection.fetchval
    )
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
