"""asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from stretto.cli.race.contenders import contender
from stretto.cli.race.workloads import select

POINT = select.SQL.format(parameter="$1")
BOTH = ("asyncio", "uvloop")
HELD = range(1, 11)


@contender("select", "asyncpg held", callers=HELD, loops=BOTH)
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
