"""psycopg 3 where others have models: rows, and objects put together by hand, on its own pools."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg

from stretto.cli.race.contenders import by_hand, contender
from stretto.cli.race.contenders.psycopg3_pool import asynchronous, blocking
from stretto.cli.race.workloads import mixed

CHILDREN_OF, GRANDCHILDREN_OF = by_hand.percent(by_hand.CHILDREN_OF), by_hand.percent(by_hand.GRANDCHILDREN_OF)
WRITE_A, WRITE_B = by_hand.percent(by_hand.WRITE_A), by_hand.percent(by_hand.WRITE_B)
READ_A, READ_B = by_hand.percent(by_hand.READ_A), by_hand.percent(by_hand.READ_B)


@contender("graph", "psycopg 3 three queries, stitched")
def graph(url: str) -> Iterator[Any]:
    with psycopg.connect(url, autocommit=True) as connection:

        def fetch() -> list[by_hand.Parent]:
            parents = connection.execute(by_hand.PARENTS, binary=True).fetchall()
            children = connection.execute(CHILDREN_OF, (by_hand.keys(parents),), binary=True).fetchall()
            grandchildren = connection.execute(GRANDCHILDREN_OF, (by_hand.keys(children),), binary=True).fetchall()
            return by_hand.stitched(parents, children, grandchildren)

        yield fetch


@contender("mixed", "psycopg 3 by hand, threads")
def mixed_threads(url: str, connections: int) -> Iterator[Any]:
    with blocking(url, connections, autocommit=True) as pool:

        def write(number: int) -> list[by_hand.A]:
            with pool.connection() as connection, connection.transaction():
                first = connection.execute(WRITE_A, (by_hand.texts(number),)).fetchall()
                second = connection.execute(WRITE_B, (by_hand.owners(first),)).fetchall()
            return by_hand.with_branches(first, second)

        def read() -> list[by_hand.A]:
            with pool.connection() as connection:
                first = connection.execute(READ_A, (mixed.READ,)).fetchall()
                second = connection.execute(READ_B, (by_hand.keys(first),)).fetchall()
            return by_hand.with_branches(first, second)

        def value(sql: Any) -> Any:
            with pool.connection() as connection:
                [found] = connection.execute(sql).fetchone() or [None]
            return found

        yield write, read, value, connections


@contender("mixed", f"psycopg 3 by hand, chunks of {mixed.CHUNK}")
async def mixed_chunks(url: str, connections: int) -> AsyncIterator[Any]:
    async with asynchronous(url, connections, autocommit=True) as pool:

        async def write(number: int) -> list[by_hand.A]:
            async with pool.connection() as connection, connection.transaction():
                first = await (await connection.execute(WRITE_A, (by_hand.texts(number),))).fetchall()
                second = await (await connection.execute(WRITE_B, (by_hand.owners(first),))).fetchall()
            return by_hand.with_branches(first, second)

        async def read() -> list[by_hand.A]:
            async with pool.connection() as connection:
                first = await (await connection.execute(READ_A, (mixed.READ,))).fetchall()
                second = await (await connection.execute(READ_B, (by_hand.keys(first),))).fetchall()
            return by_hand.with_branches(first, second)

        async def value(sql: Any) -> Any:
            async with pool.connection() as connection:
                [found] = await (await connection.execute(sql)).fetchone() or [None]
            return found

        yield write, read, value, mixed.CHUNK
