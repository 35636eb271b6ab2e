"""The sandbox: all that a test does, in whatever task or thread, is in one transaction and is rolled back."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import stretto
from stretto.errors import TransactionClosed, UsageError
from stretto.sqlstate import DivisionByZero, UniqueViolation
from stretto.testing import expect, sandbox

SEEN = "select array_agg(i order by i) from t"
INSERT = "insert into t values ($1)"


class Broken(Exception):
    """What a block raises."""


async def test_tasks_are_in_it_and_it_is_rolled_back(db: stretto.AsyncDatabase, seen: Any) -> None:
    async def put(number: int) -> None:
        async with db.transaction():
            await db.execute(INSERT, number)

    async with sandbox(db) as same:
        assert same is db
        await asyncio.gather(*(put(number) for number in range(5)), *(db.execute(INSERT, i) for i in range(5, 10)))
        assert await db.fetchval(SEEN) == list(range(10))
        pids = await asyncio.gather(*(db.fetchval("select pg_backend_pid()") for _ in range(5)))
        assert len(set(pids)) == 1
        assert seen() is None
    assert await db.fetchval(SEEN) is None
    await db.execute(INSERT, 1)
    assert seen() == [1]


async def test_a_task_from_before_is_in_it(db: stretto.AsyncDatabase, seen: Any) -> None:
    async def work() -> list[int]:
        await begun.wait()
        await db.execute(INSERT, 1)
        inside: list[int] = await db.fetchval(SEEN)
        joined.set()
        await over.wait()
        await db.execute(INSERT, 2)
        return inside

    begun, joined, over = asyncio.Event(), asyncio.Event(), asyncio.Event()
    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    async with sandbox(db):
        begun.set()
        await joined.wait()
        assert await db.fetchval(SEEN) == [1]
    over.set()
    assert await task == [1]
    assert seen() == [2]


def test_threads_are_in_it(db: stretto.Database, seen: Any) -> None:
    def put(number: int) -> None:
        with db.transaction():
            db.execute(INSERT, number)
        db.execute(INSERT, number + 100)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            with sandbox(db):
                list(pool.map(put, range(10)))
                assert db.fetchval("select count(*) from t") == 20
                assert seen() is None
            assert db.fetchval("select count(*) from t") == 0
        list(pool.map(put, range(10)))  # threads that were in a sandbox are not any more
    assert seen() == [*range(10), *range(100, 110)]


async def test_plain_functions_on_the_loop_are_in_it(db: stretto.AsyncDatabase, seen: Any) -> None:
    def work(db: stretto.Database, number: int) -> None:
        db.execute(INSERT, number)
        with pytest.raises(UniqueViolation), db.transaction():
            db.execute(INSERT, number)

    async with sandbox(db):
        await asyncio.gather(db.run(work, 1), db.run(work, 2))
        assert await db.fetchval(SEEN) == [1, 2]
    assert seen() is None


def test_a_statement_fails_alone(db: stretto.Database) -> None:
    with sandbox(db):
        db.execute(INSERT, 1)
        with pytest.raises(UniqueViolation):
            db.execute(INSERT, 1)
        with pytest.raises(DivisionByZero):
            db.fetch("select 1 / 0")
        with pytest.raises(UniqueViolation):
            db.copy_in("t", [(1,)])
        db.copy_in("t", [(2,)])
        assert list(db.stream("select i from t order by i", into=int)) == [1, 2]
        assert db.fetchval(SEEN) == [1, 2]


async def test_an_async_statement_fails_alone(db: stretto.AsyncDatabase) -> None:
    async with sandbox(db):
        found = await asyncio.gather(
            *(db.execute(INSERT, 1) for _ in range(3)), db.fetch("select 1 / 0"), return_exceptions=True
        )
        assert [type(one) for one in found] == [str, UniqueViolation, UniqueViolation, DivisionByZero]
        with pytest.raises(UniqueViolation):
            await db.copy_in("t", [(1,)])
        await db.copy_in("t", [(2,)])
        assert [number async for number in db.stream("select i from t order by i", into=int)] == [1, 2]


async def test_a_block_is_rolled_back_alone(db: stretto.AsyncDatabase) -> None:
    async with sandbox(db):
        await db.execute(INSERT, 1)
        with pytest.raises(Broken):
            async with db.transaction(isolation="serializable", readonly=True):
                await db.execute(INSERT, 2)
                raise Broken
        assert await db.transact(lambda: db.fetchval(SEEN), isolation="serializable") == [1]


def test_a_block_in_a_block_is_rolled_back_alone(db: stretto.Database) -> None:
    with sandbox(db):
        with db.transaction(isolation="serializable"):
            db.execute(INSERT, 1)
            with pytest.raises(Broken), db.transaction(isolation="serializable"):
                db.execute(INSERT, 2)
                raise Broken
            with stretto.detached():
                db.execute(INSERT, 3)
        assert db.transact(lambda: db.fetchval(SEEN), isolation="serializable") == [1, 3]


async def test_what_outlives_its_block_is_told_so(db: stretto.AsyncDatabase) -> None:
    async def late() -> None:
        await over.wait()
        await db.execute(INSERT, 1)

    over = asyncio.Event()
    async with sandbox(db):
        async with db.transaction():
            task = asyncio.ensure_future(late())
        over.set()
        with pytest.raises(TransactionClosed):
            await task


def test_statements_are_counted_as_outside(db: stretto.Database) -> None:
    with sandbox(db):
        with expect(statements=2, round_trips=2):
            db.execute(INSERT, 1)
            db.fetch(SEEN)
        with expect(statements=1), db.transaction():
            db.fetch(SEEN)


def test_an_exception_goes_on(db: stretto.Database, seen: Any) -> None:
    with pytest.raises(Broken), sandbox(db):
        db.execute(INSERT, 1)
        raise Broken
    assert (seen(), db.fetchval(SEEN)) == (None, None)


async def test_what_it_is_not_for(db: stretto.AsyncDatabase, server_url: str) -> None:
    with pytest.raises(UsageError, match="async with"):
        sandbox(db).__enter__()
    with stretto.Database(server_url) as blocking:
        with pytest.raises(UsageError, match="by `with`"):
            await sandbox(blocking).__aenter__()
        async with sandbox(db):
            with pytest.raises(UsageError, match="one at a time"):
                sandbox(blocking).__enter__()
        async with db.transaction():
            with pytest.raises(UsageError, match="inside a transaction"):
                await sandbox(db).__aenter__()
        with sandbox(blocking):
            assert blocking.fetchval("select 1") == 1
