"""asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg

from benchmarks.cases import copy, rows, select, stream
from benchmarks.contenders import contender

POINT = select.SQL.format(parameter="$1")
BOTH = ("asyncio", "uvloop")


@contender("select", "asyncpg held", callers=range(1, 11), loops=BOTH)
async def select_held(url: str, callers: int, _connections: int) -> AsyncIterator[Any]:
    """Its fastest way: a connection and a statement prepared by hand for each caller."""
    connections = [await asyncpg.connect(url) for _ in range(callers)]
    yield [(await connection.prepare(POINT)).fetchrow for connection in connections]
    for connection in connections:
        await connection.close()


@contender("select", "asyncpg pool", loops=BOTH)
async def select_pool(url: str, callers: int, connections: int) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(url, min_size=min(callers, connections), max_size=connections) as pool:
        yield [lambda key: pool.fetchrow(POINT, key)] * callers


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
