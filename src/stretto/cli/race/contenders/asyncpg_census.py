"""asyncpg in the census: statement by statement, and COPY by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from operator import attrgetter
from typing import Any

import asyncpg

from stretto.cli.race.contenders import contender
from stretto.cli.race.workloads import records
from stretto.cli.race.workloads.census import Crew, Load, Worker

BOTH = ("asyncio", "uvloop")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@contender("census", "asyncpg", loops=BOTH)
async def held(url: str, workers: int, _connections: int) -> AsyncIterator[Any]:
    """Each worker has a connection."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(connected(url)) for _ in range(workers)]
        yield Crew([Worker(c.execute, c.fetch) for c in connections], connections[0].fetchval, numbered=True)


@contender("census", "asyncpg, pool", loops=BOTH)
async def pool(url: str, workers: int, connections: int) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(url, min_size=connections, max_size=connections) as pool:
        yield Crew([Worker(pool.execute, pool.fetch)] * workers, pool.fetchval, numbered=True)


def _places(connection: Any, source: Iterable[Any]) -> Any:
    return connection.copy_records_to_table("geo_record", records=source, columns=records.GEO_COLUMNS)


@contender("census", "asyncpg COPY of rows")
async def copy_rows(url: str, _workers: int, _connections: int) -> AsyncIterator[Any]:
    async with connected(url) as connection:

        async def lines(source: Iterable[records.Line]) -> None:
            places = dict(await connection.fetch(records.numbered(records.SELECT_PLACES), records.FILE))
            select = records.numbered(records.SELECT_ITEMS)
            items = {n: [row[0] for row in await connection.fetch(select, n)] for n in records.ALL_SEGMENTS}
            rows = records.elements(source, places, items)
            await connection.copy_records_to_table("data_element", records=rows, columns=records.ELEMENT_COLUMNS)

        yield Load(lambda source: _places(connection, source), lines, connection.fetchval)


@contender("census", "asyncpg COPY of lines")
async def copy_lines(url: str, _workers: int, _connections: int) -> AsyncIterator[Any]:
    async with connected(url) as connection:

        async def lines(source: Iterable[records.Line]) -> None:
            async with connection.transaction():
                await connection.execute(records.CREATE_LINES)
                copied = map(attrgetter(*records.LINE_COLUMNS), source)
                await connection.copy_records_to_table("census_line", records=copied)
                await connection.execute(records.SPREAD_LINES)

        yield Load(lambda source: _places(connection, source), lines, connection.fetchval)
