"""psycopg 3, with its C speed-ups (psycopg[binary]) and its own thresholds of preparing statements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import psycopg

from stretto.cli.race.contenders import contender
from stretto.cli.race.workloads import select

POINT = select.SQL.format(parameter="%s")
HELD = range(1, 11)


@contender("select", "psycopg 3 blocking held", callers=HELD)
def select_held(url: str, callers: int, _connections: int) -> Iterator[Any]:
    connections = [psycopg.connect(url, autocommit=True) for _ in range(callers)]
    yield [lambda key, c=connection: c.execute(POINT, (key,)).fetchone() for connection in connections]
    for connection in connections:
        connection.close()


@contender("select", "psycopg 3 asyncio held", callers=HELD)
async def select_async_held(url: str, callers: int, _connections: int) -> AsyncIterator[Any]:
    connections = [await psycopg.AsyncConnection.connect(url, autocommit=True) for _ in range(callers)]
    yield [_asker(connection) for connection in connections]
    for connection in connections:
        await connection.close()


def _asker(connection: psycopg.AsyncConnection[Any]) -> Callable[[int], Any]:
    async def ask(key: int) -> Any:
        return await (await connection.execute(POINT, (key,))).fetchone()

    return ask


TOGETHER = 100


@contender("select", "psycopg 3 pipeline by hand", callers=range(2, 1_000_000), together=TOGETHER)
async def select_pipeline(url: str, callers: int, _connections: int) -> AsyncIterator[Any]:
    """The selects of up to 100 callers collected into one pipeline, which has one Sync: one fate for all of them."""
    count = callers // min(callers, TOGETHER)
    connections = [await psycopg.AsyncConnection.connect(url, autocommit=True) for _ in range(count)]
    yield [_asker_of_many(connection) for connection in connections]
    for connection in connections:
        await connection.close()


def _asker_of_many(connection: psycopg.AsyncConnection[Any]) -> Callable[[list[int]], Any]:
    async def ask(keys: list[int]) -> list[Any]:
        async with connection.pipeline():
            cursors = [await connection.execute(POINT, (key,)) for key in keys]
        return [await cursor.fetchone() for cursor in cursors]

    return ask
