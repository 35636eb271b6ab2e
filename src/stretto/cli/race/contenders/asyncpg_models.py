"""asyncpg where others have models: Records as they come, and objects put together by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from stretto.cli.race.contenders import by_hand, contender
from stretto.cli.race.workloads import mixed, select

POINT = select.SQL.format(parameter="$1")


@contender("models", "asyncpg pool")
async def models_pool(url: str, callers: int, connections: int) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(url, min_size=min(callers, connections), max_size=connections) as pool:
        yield [lambda key: pool.fetchrow(POINT, key)] * callers


@contender("graph", "asyncpg three queries, stitched")
async def graph_queries(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)

    async def fetch() -> list[by_hand.Parent]:
        parents = await connection.fetch(by_hand.PARENTS)
        children = await connection.fetch(by_hand.CHILDREN_OF, by_hand.keys(parents))
        grandchildren = await connection.fetch(by_hand.GRANDCHILDREN_OF, by_hand.keys(children))
        return by_hand.stitched(parents, children, grandchildren)

    yield fetch
    await connection.close()


@contender("graph", "asyncpg three whole tables, stitched")
async def graph_tables(url: str) -> AsyncIterator[Any]:
    """What can be done where it is known that all rows are wanted."""
    connection = await asyncpg.connect(url)

    async def fetch() -> list[by_hand.Parent]:
        parents = await connection.fetch(by_hand.PARENTS)
        children = await connection.fetch(by_hand.CHILDREN)
        return by_hand.stitched(parents, children, await connection.fetch(by_hand.GRANDCHILDREN))

    yield fetch
    await connection.close()


def _register_mixed(label: str, together: int | None, **options: Any) -> None:
    @contender("mixed", f"asyncpg by hand, {label}", **options)
    async def on_pool(url: str, connections: int) -> AsyncIterator[Any]:
        async with asyncpg.create_pool(url, min_size=connections, max_size=connections) as pool:

            async def write(number: int) -> list[by_hand.A]:
                async with pool.acquire() as connection, connection.transaction():
                    first = await connection.fetch(by_hand.WRITE_A, by_hand.texts(number))
                    second = await connection.fetch(by_hand.WRITE_B, by_hand.owners(first))
                return by_hand.with_branches(first, second)

            async def read() -> list[by_hand.A]:
                async with pool.acquire() as connection:
                    first = await connection.fetch(by_hand.READ_A, mixed.READ)
                    second = await connection.fetch(by_hand.READ_B, by_hand.keys(first))
                return by_hand.with_branches(first, second)

            yield write, read, pool.fetchval, together


_register_mixed("all at once", None)
_register_mixed(f"chunks of {mixed.CHUNK}", mixed.CHUNK, loops=("asyncio", "uvloop"))
