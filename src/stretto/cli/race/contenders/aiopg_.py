"""aiopg: psycopg2 on asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiopg

from stretto.cli.race.contenders import contender
from stretto.cli.race.workloads.census import Crew, Worker


def _worker(cursor: Any) -> Worker:
    async def fetch(sql: str, *parameters: Any) -> list[Any]:
        await cursor.execute(sql, parameters)
        found: list[Any] = await cursor.fetchall()
        return found

    return Worker(lambda sql, *parameters: cursor.execute(sql, parameters), fetch)


@contender("census", "aiopg")
async def census(url: str, workers: int, _connections: int) -> AsyncIterator[Any]:
    """Each task has a connection."""
    async with AsyncExitStack() as stack:
        crew = []
        for _ in range(workers):
            connection = await stack.enter_async_context(aiopg.connect(url))
            crew.append(_worker(await stack.enter_async_context(connection.cursor())))

        async def value(sql: str) -> Any:
            [[found]] = await crew[0].fetch(sql)
            return found

        yield Crew(crew, value)
