"""asyncpg behind a web server: its pool, and for several rows a connection and a statement that is prepared on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import asyncpg

from benchmarks import web
from benchmarks.contenders import contender
from benchmarks.web import Queries

ONE = web.ONE.format(parameter="$1")
WRITE = web.WRITE.format(ids="$1::int[]", numbers="$2::int[]")


@contender("web", "asyncpg")
async def pool(url: str, connections: int) -> AsyncIterator[Queries]:
    async with asyncpg.create_pool(url, min_size=connections, max_size=connections) as pool:

        async def one(key: int) -> web.World:
            return dict(await pool.fetchrow(ONE, key))

        async def many(keys: Sequence[int]) -> list[web.World]:
            async with pool.acquire() as connection:
                return await read(connection, keys)

        async def read(connection: Any, keys: Sequence[int]) -> list[web.World]:
            prepared = await connection.prepare(ONE)
            return [dict(await prepared.fetchrow(key)) for key in keys]

        async def update(new: Mapping[int, int]) -> list[web.World]:
            async with pool.acquire() as connection:
                worlds = await read(connection, list(new))
                for world in worlds:
                    world["randomNumber"] = new[world["id"]]
                await connection.execute(WRITE, list(new), list(new.values()))
            return worlds

        yield Queries(one, many, lambda: pool.fetch(web.ALL), update)
