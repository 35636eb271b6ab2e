"""psycopg 3 behind its own pools (psycopg[pool])."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from benchmarks.contenders import contender
from stretto.cli.race.contenders.psycopg3_pool import AUTOCOMMIT, POINT, asynchronous, blocking

SLEEP = "select pg_sleep(%s)"


@contender("neighbours", "psycopg 3 blocking pool")
def neighbours(url: str, connections: int) -> Iterator[Any]:
    with blocking(url, connections, **AUTOCOMMIT) as pool:

        def ask(key: int) -> Any:
            with pool.connection() as connection:
                return connection.execute(POINT, (key,)).fetchone()

        def sleep(seconds: float) -> None:
            with pool.connection() as connection:
                connection.execute(SLEEP, (seconds,))

        yield ask, sleep


@contender("neighbours", "psycopg 3 asyncio pool")
async def neighbours_async(url: str, connections: int) -> AsyncIterator[Any]:
    async with asynchronous(url, connections, **AUTOCOMMIT) as pool:

        async def ask(key: int) -> Any:
            async with pool.connection() as connection:
                return await (await connection.execute(POINT, (key,))).fetchone()

        async def sleep(seconds: float) -> None:
            async with pool.connection() as connection:
                await connection.execute(SLEEP, (seconds,))

        yield ask, sleep


@contender("writes", "psycopg 3 blocking pool")
def writes(url: str, callers: int, connections: int, sql: Any) -> Iterator[Any]:
    sql = sql.format(key="%(key)s", note="%(note)s")
    with blocking(url, min(callers, connections), **AUTOCOMMIT) as pool:

        def write(row: tuple[int, str]) -> None:
            with pool.connection() as connection:
                connection.execute(sql, {"key": row[0], "note": row[1]})

        def value(query: Any) -> Any:
            with pool.connection() as connection:
                [found] = connection.execute(query).fetchone() or [None]
                return found

        yield [write] * callers, value


@contender("writes", "psycopg 3 asyncio pool")
async def writes_async(url: str, callers: int, connections: int, sql: Any) -> AsyncIterator[Any]:
    sql = sql.format(key="%(key)s", note="%(note)s")
    async with asynchronous(url, min(callers, connections), **AUTOCOMMIT) as pool:

        async def write(row: tuple[int, str]) -> None:
            async with pool.connection() as connection:
                await connection.execute(sql, {"key": row[0], "note": row[1]})

        async def value(query: Any) -> Any:
            async with pool.connection() as connection:
                [found] = await (await connection.execute(query)).fetchone() or [None]
                return found

        yield [write] * callers, value


@contender("transaction", "psycopg 3 blocking pool")
def transaction(url: str, callers: int, connections: int, sql: Any) -> Iterator[Any]:
    """Its pool's `connection()` is a transaction."""
    sql = sql.format(parameter="%s")
    with blocking(url, min(callers, connections)) as pool:

        def ask(key: int) -> Any:
            with pool.connection() as connection:
                return connection.execute(sql, (key,)).fetchone()

        yield [ask] * callers


@contender("transaction", "psycopg 3 asyncio pool")
async def transaction_async(url: str, callers: int, connections: int, sql: Any) -> AsyncIterator[Any]:
    sql = sql.format(parameter="%s")
    async with asynchronous(url, min(callers, connections)) as pool:

        async def ask(key: int) -> Any:
            async with pool.connection() as connection:
                return await (await connection.execute(sql, (key,))).fetchone()

        yield [ask] * callers
