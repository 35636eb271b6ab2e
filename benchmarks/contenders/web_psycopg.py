"""psycopg 3 behind a web server: its asynchronous pool, in autocommit, with a connection for each request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from benchmarks import web
from benchmarks.contenders import contender
from benchmarks.web import Queries

ONE = web.ONE.format(parameter="%s")
WRITE = web.WRITE.format(ids="%s::int[]", numbers="%s::int[]")


@contender("web", "psycopg 3")
async def pool(url: str, connections: int) -> AsyncIterator[Queries]:
    options = {"autocommit": True}
    async with AsyncConnectionPool(url, min_size=connections, max_size=connections, kwargs=options, open=False) as pool:
        await pool.wait()

        async def one(key: int) -> web.World:
            [found] = await many([key])
            return found

        async def many(keys: Sequence[int]) -> list[web.World]:
            async with pool.connection() as connection:
                return await read(connection, keys)

        async def read(connection: Any, keys: Sequence[int]) -> list[web.World]:
            cursor = connection.cursor(row_factory=dict_row)
            return [await (await cursor.execute(ONE, (key,))).fetchone() for key in keys]

        async def fortunes() -> Any:
            async with pool.connection() as connection:
                return await (await connection.execute(web.ALL)).fetchall()

        async def update(new: Mapping[int, int]) -> list[web.World]:
            async with pool.connection() as connection:
                worlds = await read(connection, list(new))
                for world in worlds:
                    world["randomNumber"] = new[world["id"]]
                await connection.execute(WRITE, (list(new), list(new.values())))
            return worlds

        yield Queries(one, many, fortunes, update)
