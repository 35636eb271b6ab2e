"""Turns in the sandbox: what works over several connections works over its one, and who waits for ever is told why."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from inspect import currentframe
from typing import Any

import psycopg
import pytest

import stretto
from stretto.errors import PoolTimeout, UsageError
from stretto.sqlstate import DivisionByZero
from stretto.testing import _turns, sandbox

MANY = "select generate_series(1, 3000)"
INSERT = "insert into t values ($1)"
SHORT, LONG = 0.05, 60.0


def line(offset: int = 0) -> str:
    """The place of the caller's line, or of one after it."""
    frame = currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return f"{__file__}:{frame.f_back.f_lineno + offset}"


def thread_of(function: Callable[[], Any]) -> Future[Any]:
    """Run a function in a thread; nothing waits for its end."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(function)
    finally:
        pool.shutdown(wait=False)


async def read_while_others_write(db: stretto.AsyncDatabase) -> int:
    """Stream, with statements of another task and of the loop's own body in between."""

    async def write() -> None:
        await begun.wait()
        for number in range(5):
            await db.execute(INSERT, number)
        written.set()

    begun, written = asyncio.Event(), asyncio.Event()
    task = asyncio.ensure_future(write())
    rows = 0
    async for number in db.stream(MANY, into=int, batch=100):
        rows += 1
        begun.set()
        if number == 10:
            await written.wait()
        if number % 1000 == 0:
            await db.execute(INSERT, number)
    await task
    return rows


async def test_a_stream_is_not_ended_by_others(db: stretto.AsyncDatabase, seen: Any) -> None:
    async with sandbox(db):
        assert await read_while_others_write(db) == 3000
        assert await db.fetchval("select count(*) from t") == 8
    assert seen() is None
    assert await read_while_others_write(db) == 3000  # as outside
    assert seen() == [0, 1, 2, 3, 4, 1000, 2000, 3000]


def test_a_blocking_stream_is_not_ended_by_others(db: stretto.Database, seen: Any) -> None:
    def read() -> int:
        rows = 0
        for number in db.stream(MANY, into=int, batch=100):
            rows += 1
            if number % 1000 == 0:
                db.execute(INSERT, number)
                thread_of(lambda number=number: db.execute(INSERT, number + 1)).result(LONG)
        return rows

    with sandbox(db):
        assert read() == 3000
        assert db.fetchval("select count(*) from t") == 6
    assert seen() is None
    assert read() == 3000
    assert seen() == [1000, 1001, 2000, 2001, 3000, 3001]


async def test_a_stream_of_a_plain_function_is_not_ended_by_others(db: stretto.AsyncDatabase) -> None:
    def read(db: stretto.Database) -> int:
        rows = 0
        for number in db.stream(MANY, into=int):
            rows += 1
            if number % 1000 == 0:
                db.execute(INSERT, number)
        return rows

    async with sandbox(db):
        assert await asyncio.gather(db.run(read), db.fetchval("select 1")) == [3000, 1]


async def test_a_stream_in_a_block_is_as_outside(db: stretto.AsyncDatabase) -> None:
    async def read() -> int:
        rows = 0
        async with db.transaction():
            async for number in db.stream(MANY, into=int, batch=100):
                rows += await db.fetchval("select 1 where $1::int > 0", number)
        return rows

    async with sandbox(db):
        assert await read() == 3000
    assert await read() == 3000


def test_a_blocking_stream_in_a_block_is_as_outside(db: stretto.Database) -> None:
    rows = 0
    with sandbox(db), db.transaction():
        for number in db.stream(MANY, into=int, batch=100):
            rows += db.fetchval("select 1 where $1::int > 0", number)
    assert rows == 3000


async def test_a_stream_that_fails_fails_alone(db: stretto.AsyncDatabase) -> None:
    async with sandbox(db):
        await db.execute(INSERT, 1)
        with pytest.raises(DivisionByZero):
            _ = [number async for number in db.stream("select 1 / (3 - i) from generate_series(1, 5) i")]
        with pytest.raises(UsageError, match="batch=0: at least one"):
            _ = [number async for number in db.stream(MANY, batch=0)]
        assert await db.fetchval("select array_agg(i) from t") == [1]


async def test_a_stream_may_be_read_after_the_sandbox(db: stretto.AsyncDatabase) -> None:
    async with sandbox(db):
        begun, later = db.stream(MANY, into=int), db.stream(MANY, into=int)
        assert await anext(begun) == 1
    assert sum([1 async for _ in begun]) == 2999
    assert sum([1 async for _ in later]) == 3000


def test_a_blocking_stream_may_be_read_after_the_sandbox(db: stretto.Database) -> None:
    with sandbox(db):
        begun, later = iter(db.stream(MANY, into=int)), db.stream(MANY, into=int)
        assert next(begun) == 1
    assert (len(list(begun)), len(list(later))) == (2999, 3000)


async def test_a_copy_and_statements_take_turns(
    db: stretto.AsyncDatabase, open_db: Any, outside: psycopg.Connection[Any]
) -> None:
    async def write() -> None:
        await begun.wait()
        await db.execute(INSERT, 1)

    async def sink(data: bytes) -> None:
        begun.set()
        await asyncio.sleep(0)  # the others go on

    def on_the_way(progress: Any) -> None:
        begun.set()

    outside.execute("create table far (i int)")
    far = open_db(connections=1)
    async with sandbox(db):
        for copy in (
            lambda: db.copy_out(f"{MANY} i", sink),
            lambda: db.copy_table(f"{MANY} i", far, "far", progress=on_the_way),
        ):
            begun = asyncio.Event()
            await asyncio.gather(copy(), write())
            assert await db.fetchval("delete from t returning i") == 1
    assert outside.execute("select count(*) from far").fetchone() == (3000,)


# Who waits for ever --------------------------------------------------------------------------------------------------


@pytest.fixture(params=["acquire_timeout", "default"])
def impatient(request: pytest.FixtureRequest, db: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The database with a short acquire_timeout, or with none and a short default of the sandbox's."""
    # Not by open_db: the time is for turns, and not for connections on a slow machine.
    if request.param == "default":
        monkeypatch.setattr(_turns, "_SECONDS", SHORT)
    monkeypatch.setattr(db._pool, "_timeout", None)
    return db, SHORT if request.param == "acquire_timeout" else None


async def test_a_task_that_waits_for_a_block_that_waits_for_it_is_told(
    impatient: tuple[stretto.AsyncDatabase, float | None], seen: Any
) -> None:
    async def work() -> None:
        await opened.wait()
        try:
            await db.execute(INSERT, 1)
        finally:
            done.set()

    db, limit = impatient
    async with sandbox(db):
        await db.fetchval("select 1")
        db._pool._timeout = limit
        opened, done = asyncio.Event(), asyncio.Event()
        task = asyncio.ensure_future(work())
        async with db.transaction():
            place = line(-1)
            await db.execute(INSERT, 2)
            opened.set()
            await asyncio.wait_for(done.wait(), LONG)
        with pytest.raises(PoolTimeout, match=f"within {SHORT} seconds.* at {place}. .*was not sent") as told:
            await task
        assert told.value.outcome == "not_sent"
        await db.execute(INSERT, 3)
        assert await db.fetchval("select array_agg(i) from t") == [2, 3]
    assert seen() is None


def test_a_thread_that_waits_for_a_block_that_waits_for_it_is_told(
    impatient: tuple[stretto.Database, float | None], seen: Any
) -> None:
    db, limit = impatient
    with sandbox(db):
        db.fetchval("select 1")
        db._pool._timeout = limit
        with db.transaction():
            place = line(-1)
            db.execute(INSERT, 2)
            error = thread_of(lambda: db.execute(INSERT, 1)).exception(LONG)
        assert isinstance(error, PoolTimeout)
        assert f"within {SHORT} seconds" in str(error)
        assert f" at {place}. " in str(error)
        thread_of(lambda: db.execute(INSERT, 3)).result(LONG)
        assert db.fetchval("select array_agg(i) from t") == [2, 3]
    assert seen() is None


async def test_a_statement_waits_for_its_turn_no_longer_than_it_may(db: stretto.AsyncDatabase) -> None:
    async def work() -> None:
        await db.execute(INSERT, 1, timeout=SHORT)

    async with sandbox(db):
        task = asyncio.ensure_future(work())
        async with db.transaction():
            with pytest.raises(PoolTimeout, match=f"within {SHORT} seconds"):
                await asyncio.wait_for(task, LONG)


async def test_a_statement_that_takes_too_long_is_told_as_outside(db: stretto.AsyncDatabase) -> None:
    async def told(timeout: object) -> str:
        with pytest.raises(stretto.Error) as error:
            await db.execute("select pg_sleep(100)", timeout=timeout)
        return f"{type(error.value).__name__} {error.value}"

    outside = [await told(timeout) for timeout in (SHORT, "x")]
    async with sandbox(db):
        assert [await told(timeout) for timeout in (SHORT, "x")] == outside
        assert await db.fetchval("select 1") == 1


def test_a_blocking_statement_waits_for_its_turn_no_longer_than_it_may(db: stretto.Database) -> None:
    with sandbox(db), db.transaction():
        error = thread_of(lambda: db.execute(INSERT, 1, timeout=SHORT)).exception(LONG)
    assert isinstance(error, PoolTimeout)


def test_a_sandbox_ends_without_a_thread_that_stays_in_a_block(db: stretto.Database, seen: Any) -> None:
    def stay() -> None:
        with pytest.raises(stretto.errors.TransactionClosed), db.transaction():
            db.execute(INSERT, 1)
            opened.set()
            over.wait(LONG)
            db.execute(INSERT, 2)

    opened, over = threading.Event(), threading.Event()
    with sandbox(db):
        thread = thread_of(stay)
        assert opened.wait(LONG)
    assert db.stats().held == 0
    over.set()
    thread.result(LONG)
    with sandbox(db):
        db.execute(INSERT, 3)
    assert seen() is None
