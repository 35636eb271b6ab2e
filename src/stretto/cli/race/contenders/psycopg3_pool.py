"""psycopg 3 behind its own pools (psycopg[pool])."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from psycopg_pool import AsyncConnectionPool, ConnectionPool

from stretto.cli.race.contenders import contender
from stretto.cli.race.workloads import select
from stretto.cli.race.workloads.census import Crew, Worker

POINT = select.SQL.format(parameter="%s")


AUTOCOMMIT = {"autocommit": True}


@contextmanager
def blocking(url: str, size: int, **options: Any) -> Iterator[ConnectionPool[Any]]:
    with ConnectionPool(url, min_size=size, max_size=size, kwargs=options, open=True) as pool:
        pool.wait()
        yield pool


@asynccontextmanager
async def asynchronous(url: str, size: int, **options: Any) -> AsyncIterator[AsyncConnectionPool[Any]]:
    async with AsyncConnectionPool(url, min_size=size, max_size=size, kwargs=options, open=False) as pool:
        await pool.wait()
        yield pool


@contender("select", "psycopg 3 blocking pool", callers=range(1, 1000))
def select_pool(url: str, callers: int, connections: int) -> Iterator[Any]:
    with blocking(url, min(callers, connections), **AUTOCOMMIT) as pool:

        def ask(key: int) -> Any:
            with pool.connection() as connection:
                return connection.execute(POINT, (key,)).fetchone()

        yield [ask] * callers


@contender("select", "psycopg 3 asyncio pool")
async def select_async_pool(url: str, callers: int, connections: int) -> AsyncIterator[Any]:
    async with asynchronous(url, min(callers, connections), **AUTOCOMMIT) as pool:

        async def ask(key: int) -> Any:
            async with pool.connection() as connection:
                return await (await connection.execute(POINT, (key,))).fetchone()

        yield [ask] * callers


@contender("census", "psycopg 3 threads, pool")
def census_pool(url: str, workers: int, connections: int) -> Iterator[Any]:
    with blocking(url, connections, **AUTOCOMMIT) as pool:

        def execute(sql: Any, *parameters: Any) -> None:
            with pool.connection() as connection:
                connection.execute(sql, parameters)

        def fetch(sql: Any, *parameters: Any) -> list[Any]:
            with pool.connection() as connection:
                found: list[Any] = connection.execute(sql, parameters).fetchall()
                return found

        yield Crew([Worker(execute, fetch)] * workers, lambda sql: fetch(sql)[0][0])


@contender("census", "psycopg 3 asyncio, pool")
async def census_async_pool(url: str, workers: int, connections: int) -> AsyncIterator[Any]:
    async with asynchronous(url, connections, **AUTOCOMMIT) as pool:

        async def execute(sql: Any, *parameters: Any) -> None:
            async with pool.connection() as connection:
                await connection.execute(sql, parameters)

        async def fetch(sql: Any, *parameters: Any) -> list[Any]:
            async with pool.connection() as connection:
                found: list[Any] = await (await connection.execute(sql, parameters)).fetchall()
                return found

        async def value(sql: Any) -> Any:
            return (await fetch(sql))[0][0]

        yield Crew([Worker(execute, fetch)] * workers, value)
