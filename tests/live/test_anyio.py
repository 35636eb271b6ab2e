"""Cancel scopes of anyio around stretto: they cancel again at each await until their block is left, in cleanup too."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import psycopg
import pytest
from tests.live.support import Broken, until
from tests.live.test_cancelling import settled

from stretto._async.database import AsyncDatabase
from stretto.errors import Error, TransactionAborted

SLEEP = "select pg_sleep(60)"
SOON = 0.05  # seconds
RUNNING = "select count(*) from pg_stat_activity where application_name = %s and state <> 'idle'"


async def statement(db: AsyncDatabase) -> None:
    await db.fetchval(SLEEP)


async def connection(db: AsyncDatabase) -> None:
    async with db.connection() as connection:
        await connection.execute("set work_mem = '9MB'")
        await connection.fetchval(SLEEP)


async def transaction(db: AsyncDatabase) -> None:
    async with db.transaction():
        await db.execute("insert into t values (1)")
        await db.fetchval(SLEEP)


async def nested(db: AsyncDatabase) -> None:
    async with db.transaction(), db.transaction():
        await db.execute("insert into t values (1)")
        await db.fetchval(SLEEP)


async def idle_in_a_transaction(db: AsyncDatabase) -> None:
    async with db.transaction():
        await db.execute("insert into t values (1)")
        await anyio.sleep(60)


async def transacted(db: AsyncDatabase) -> None:
    await db.transact(lambda: transaction(db))


async def batch(db: AsyncDatabase) -> None:
    async with db.batch() as batch:
        batch.add("insert into t values (1)")
        batch.add(SLEEP)


async def stream(db: AsyncDatabase) -> None:
    async with db.connection() as connection:
        async for _ in connection.stream("select n, pg_sleep(n / 10.0) from generate_series(1, 600) n", batch=1):
            pass


async def copy(db: AsyncDatabase) -> None:
    async def rows() -> Any:
        while True:
            yield (1,)
            await anyio.sleep(0.001)

    await db.copy_in("t", rows())


async def in_a_group(db: AsyncDatabase) -> None:
    async with anyio.create_task_group() as group:
        for each in (statement, transaction, connection):
            group.start_soon(each, db)


USES: list[Callable[[AsyncDatabase], Awaitable[None]]] = [
    *(statement, connection, transaction, nested, idle_in_a_transaction, transacted, batch, stream, copy, in_a_group)
]
each_use = pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)


async def as_before(db: AsyncDatabase, outside: psycopg.Connection[Any], schema: str) -> None:
    """Nothing runs, nothing was kept, and all connections serve."""
    await settled(db)
    until(outside, RUNNING, schema, wanted=0)
    assert await db.fetchval("select count(*) from t") == 0
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(db.fetchval, "select pg_sleep(0.001)")
    async with db.connection() as connection:
        assert not connection.in_transaction
        assert await connection.fetchval("show work_mem") != "9MB"


@each_use
async def test_a_scope_that_moves_on_leaves_nothing(
    db: AsyncDatabase, outside: psycopg.Connection[Any], schema: str, use: Callable[[AsyncDatabase], Awaitable[None]]
) -> None:
    await db.execute("create table t (id int)")
    with anyio.move_on_after(SOON) as scope:
        await use(db)
    assert scope.cancelled_caught
    await as_before(db, outside, schema)


@each_use
async def test_a_scope_that_fails_raises_its_own_error(
    db: AsyncDatabase, outside: psycopg.Connection[Any], schema: str, use: Callable[[AsyncDatabase], Awaitable[None]]
) -> None:
    await db.execute("create table t (id int)")
    with pytest.raises(TimeoutError) as caught, anyio.fail_after(SOON):
        await use(db)
    assert not isinstance(caught.value, Error)
    await as_before(db, outside, schema)


@each_use
async def test_a_scope_that_was_cancelled_before_leaves_nothing(
    db: AsyncDatabase, outside: psycopg.Connection[Any], schema: str, use: Callable[[AsyncDatabase], Awaitable[None]]
) -> None:
    await db.execute("create table t (id int)")
    with anyio.CancelScope() as scope:
        scope.cancel()
        await use(db)
    assert scope.cancelled_caught
    await as_before(db, outside, schema)


async def test_the_inner_scope_ends_the_nested_block_only(db: AsyncDatabase) -> None:
    await db.execute("create table t (id int)")
    async with db.transaction():
        await db.execute("insert into t values (1)")
        with anyio.move_on_after(SOON) as inner:
            async with db.transaction():
                await db.execute("insert into t values (2)")
                await db.fetchval(SLEEP)
        assert inner.cancelled_caught
        await db.execute("insert into t values (3)")
    assert await db.fetch("select id from t order by id", into=int) == [1, 3]


async def test_an_inner_scope_around_a_statement_fails_its_block(db: AsyncDatabase) -> None:
    await db.execute("create table t (id int)")
    with pytest.raises(TransactionAborted):
        async with db.transaction():
            await db.execute("insert into t values (1)")
            with anyio.move_on_after(SOON):
                await db.fetchval(SLEEP)
            await db.execute("insert into t values (2)")
    assert await db.fetchval("select count(*) from t") == 0


async def test_the_outer_scope_goes_through_the_inner_one(
    db: AsyncDatabase, outside: psycopg.Connection[Any], schema: str
) -> None:
    await db.execute("create table t (id int)")
    with anyio.move_on_after(SOON) as outer:
        async with db.transaction():
            with anyio.move_on_after(60) as inner:
                async with db.transaction():
                    await db.fetchval(SLEEP)
    assert outer.cancelled_caught
    assert not inner.cancelled_caught
    await as_before(db, outside, schema)


async def test_what_is_shielded_is_done(db: AsyncDatabase) -> None:
    await db.execute("create table t (id int)")
    with anyio.CancelScope() as scope:
        scope.cancel()
        with anyio.CancelScope(shield=True):
            async with db.transaction():
                await db.execute("insert into t values (1)")
                assert await db.fetchval("select 7 from pg_sleep(0.01)") == 7
        await anyio.sleep(60)
    assert scope.cancelled_caught
    assert await db.fetchval("select count(*) from t") == 1


async def test_a_task_that_fails_takes_its_siblings_along(
    db: AsyncDatabase, outside: psycopg.Connection[Any], schema: str
) -> None:
    await db.execute("create table t (id int)")

    async def fail() -> None:
        await anyio.sleep(SOON)
        raise Broken

    with pytest.raises(BaseExceptionGroup) as caught:
        async with anyio.create_task_group() as group:
            for each in (statement, transaction):
                group.start_soon(each, db)
            group.start_soon(fail)
    assert [type(error) for error in caught.value.exceptions] == [Broken]
    await as_before(db, outside, schema)


async def test_nobody_gets_anothers_answer_under_scopes_of_any_length(
    db: AsyncDatabase, outside: psycopg.Connection[Any], schema: str
) -> None:
    await db.execute("create table t (id int)")
    r = random.Random(7)
    told: list[int] = []

    async def one(number: int) -> None:
        with anyio.move_on_after(r.random() * 0.02):
            if number % 3:
                assert await db.fetchval("select $1::int from pg_sleep($2)", number, r.random() * 0.004) == number
            else:
                async with db.transaction():
                    assert await db.fetchval("select $1::int", number) == number
            told.append(number)

    for _ in range(10):
        async with anyio.create_task_group() as group:
            for number in range(30):
                group.start_soon(one, number)
    assert told
    await as_before(db, outside, schema)
