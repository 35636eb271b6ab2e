"""stretto behind a web server: SQL into dictionaries, and its models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from benchmarks import web
from benchmarks.contenders import contender
from benchmarks.web import Queries
from stretto import AsyncDatabase, Model, field

ONE = web.ONE.format(parameter="$1")
WRITE = web.WRITE.format(ids="$1::int[]", numbers="$2::int[]")


@contender("web", "stretto")
async def plain(url: str, connections: int) -> AsyncIterator[Queries]:
    async with AsyncDatabase(url, connections=connections) as db:

        async def one(key: int) -> web.World:
            return await db.fetchrow(ONE, key, into=dict)

        async def many(keys: Sequence[int]) -> list[web.World]:
            return await asyncio.gather(*[db.fetchrow(ONE, key, into=dict) for key in keys])

        async def fortunes() -> list[tuple[int, str]]:
            return await db.fetch(web.ALL, into=tuple)

        async def update(new: Mapping[int, int]) -> list[web.World]:
            worlds = await many(list(new))
            for world in worlds:
                world["randomNumber"] = new[world["id"]]
            await db.execute(WRITE, list(new), list(new.values()))
            return worlds

        yield Queries(one, many, fortunes, update)


class World(Model, table="world"):
    id: int = field(primary_key=True)
    number: int = field(column="randomnumber")

    def plain(self) -> web.World:
        return {"id": self.id, "randomNumber": self.number}


@contender("web", "stretto Models")
async def models(url: str, connections: int) -> AsyncIterator[Queries]:
    async with AsyncDatabase(url, connections=connections) as db:

        async def one(key: int) -> web.World:
            return (await db.get(World, key)).plain()

        async def get(keys: Sequence[int]) -> list[World]:
            return await asyncio.gather(*[db.get(World, key) for key in keys])

        async def many(keys: Sequence[int]) -> list[web.World]:
            return [world.plain() for world in await get(keys)]

        async def fortunes() -> list[tuple[int, str]]:
            return await db.fetch(web.ALL, into=tuple)

        async def update(new: Mapping[int, int]) -> list[web.World]:
            worlds = await get(list(new))
            for world in worlds:
                world.number = new[world.id]
            await db.update_many(worlds)
            return [world.plain() for world in worlds]

        yield Queries(one, many, fortunes, update)
