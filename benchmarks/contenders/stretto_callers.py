"""stretto with many callers: threads, greenlets and tasks on one Database."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from benchmarks.contenders import contender
from stretto import AsyncDatabase, Database
from stretto.cli.race.contenders.stretto_ import BOTH, OFF, POINT


def _lacking(present: bool, what: str) -> str | None:
    return None if present else f"stretto's {what}"


NO_OFF = _lacking("pipelining" in inspect.signature(Database).parameters, "pipelining=")
NO_TRANSACTION = _lacking(hasattr(Database, "transaction"), "transaction()")
NO_TRANSACT = _lacking(hasattr(Database, "transact"), "transact()")


def _register_neighbours(ending: str, options: dict[str, Any], **when: Any) -> None:
    @contender("neighbours", f"stretto Database{ending}", **when)
    def blocking(url: str, connections: int) -> Iterator[Any]:
        with Database(url, connections=connections, **options) as db:
            yield lambda key: db.fetchrow(POINT, key), lambda seconds: db.execute("select pg_sleep($1)", seconds)

    @contender("neighbours", f"stretto AsyncDatabase{ending}", loops=("asyncio",) if options else BOTH, **when)
    async def asynchronous(url: str, connections: int) -> AsyncIterator[Any]:
        async with AsyncDatabase(url, connections=connections, **options) as db:
            yield lambda key: db.fetchrow(POINT, key), lambda seconds: db.execute("select pg_sleep($1)", seconds)


_register_neighbours("", {})
_register_neighbours(", pipelining off", OFF, needs=NO_OFF)


@contender("writes", "stretto Database")
def writes_blocking(url: str, callers: int, connections: int, sql: str) -> Iterator[Any]:
    sql = sql.format(key="$1", note="$2")
    with Database(url, connections=connections) as db:
        yield [lambda row: db.execute(sql, *row)] * callers, db.fetchval


@contender("writes", "stretto AsyncDatabase", loops=BOTH)
async def writes_async(url: str, callers: int, connections: int, sql: str) -> AsyncIterator[Any]:
    sql = sql.format(key="$1", note="$2")
    async with AsyncDatabase(url, connections=connections) as db:
        yield [lambda row: db.execute(sql, *row)] * callers, db.fetchval


@contender("transaction", "stretto Database, no transaction")
def bare_blocking(url: str, callers: int, connections: int, sql: str) -> Iterator[Any]:
    sql = sql.format(parameter="$1")
    with Database(url, connections=connections) as db:
        yield [lambda key: db.fetchrow(sql, key)] * callers


@contender("transaction", "stretto AsyncDatabase, no transaction")
async def bare_async(url: str, callers: int, connections: int, sql: str) -> AsyncIterator[Any]:
    sql = sql.format(parameter="$1")
    async with AsyncDatabase(url, connections=connections) as db:
        yield [lambda key: db.fetchrow(sql, key)] * callers


@contender("transaction", "stretto Database transaction()", needs=NO_TRANSACTION)
def transaction_blocking(url: str, callers: int, connections: int, sql: str) -> Iterator[Any]:
    sql = sql.format(parameter="$1")
    with Database(url, connections=connections) as db:

        def ask(key: int) -> Any:
            with db.transaction():
                return db.fetchrow(sql, key)

        yield [ask] * callers


@contender("transaction", "stretto AsyncDatabase transaction()", needs=NO_TRANSACTION)
async def transaction_async(url: str, callers: int, connections: int, sql: str) -> AsyncIterator[Any]:
    sql = sql.format(parameter="$1")
    async with AsyncDatabase(url, connections=connections) as db:

        async def ask(key: int) -> Any:
            async with db.transaction():
                return await db.fetchrow(sql, key)

        yield [ask] * callers


@contender("transaction", "stretto Database transact()", needs=NO_TRANSACT)
def transact_blocking(url: str, callers: int, connections: int, sql: str) -> Iterator[Any]:
    sql = sql.format(parameter="$1")
    with Database(url, connections=connections) as db:

        def work(key: int) -> Any:
            return db.fetchrow(sql, key)

        yield [lambda key: db.transact(work, key)] * callers


@contender("transaction", "stretto AsyncDatabase transact()", needs=NO_TRANSACT)
async def transact_async(url: str, callers: int, connections: int, sql: str) -> AsyncIterator[Any]:
    sql = sql.format(parameter="$1")
    async with AsyncDatabase(url, connections=connections) as db:

        async def work(key: int) -> Any:
            return await db.fetchrow(sql, key)

        yield [lambda key: db.transact(work, key)] * callers


@contender("memory", "stretto blocking")
def memory_blocking(url: str, count: int) -> Iterator[Any]:
    with ExitStack() as stack:
        db = stack.enter_context(Database(url, connections=count))
        held = []

        def grow(more: int) -> None:
            for _ in range(more):
                held.append(stack.enter_context(db.connection()))
                held[-1].fetchrow(POINT, 1)

        yield grow, lambda sql: held[0].fetchval(sql)


@contender("memory", "stretto asyncio")
async def memory_async(url: str, count: int) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(AsyncDatabase(url, connections=count))
        held: list[Any] = []

        async def grow(more: int) -> None:
            for _ in range(more):
                held.append(await stack.enter_async_context(db.connection()))
                await held[-1].fetchrow(POINT, 1)

        yield grow, lambda sql: held[0].fetchval(sql)
