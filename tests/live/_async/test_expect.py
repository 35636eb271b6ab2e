"""stretto.testing.expect: how many statements a piece of code sends, in how many round trips."""

from __future__ import annotations

import re
from typing import Any

import pytest

from stretto._async.database import AsyncDatabase
from stretto.sqlstate import DivisionByZero
from stretto.testing import expect


async def test_statements_one_after_another(db: AsyncDatabase) -> None:
    with expect(statements=3, round_trips=3) as seen:
        assert await db.fetchval("select 1") == 1
        assert await db.fetch("select $1::int", 7) == [(7,)]
        await db.execute("select 2")
    assert seen.statements == ["select 1", "select $1::int", "select 2"]
    assert repr(seen) == "<Seen 3 statements, 3 round trips>"


async def test_the_first_time_counts_as_any_other(db: AsyncDatabase, schema: str) -> None:
    await db.execute(f"create type {schema}.mood as enum ('good')")
    await db.execute(f"create type {schema}.pair as (a {schema}.mood, b int)")
    for _ in range(2):
        with expect(statements=1, round_trips=1):
            assert await db.fetchval(f"select row('good', $1)::{schema}.pair", 1) == ("good", 1)


async def test_a_block_that_sends_nothing(db: AsyncDatabase) -> None:
    with expect(statements=0, round_trips=0):
        pass
    with expect(statements=1) as seen:
        await db.fetchval("select 1")
    await db.fetchval("select 2")
    assert seen.statements == ["select 1"]


async def test_a_mismatch_lists_the_sql_and_no_arguments(db: AsyncDatabase) -> None:
    with pytest.raises(AssertionError) as caught, expect(statements=1, round_trips=1):
        for i in range(2):
            await db.fetchval("select $1::text,\n  $2::int", "secret", i)
    assert str(caught.value) == (
        "expected 1 statement, not 2; expected 1 round trip, not 2:\n"
        "  1. select $1::text, $2::int\n"
        "  2. select $1::text, $2::int"
    )
    nothing = re.escape("expected 2 statements, not 0: nothing was sent")
    with pytest.raises(AssertionError, match=nothing), expect(statements=2):
        pass
    short = r"^expected 3 round trips, not 1:\n  1\. select 1, 1.{180,188}\.\.\.$"
    with pytest.raises(AssertionError, match=short), expect(statements=1, round_trips=3):
        await db.fetchval("select 1" + ", 1" * 100)


async def test_what_the_block_raises_comes_first(db: AsyncDatabase) -> None:
    with pytest.raises(ZeroDivisionError), expect(statements=5):
        await db.fetchval("select 1")
        raise ZeroDivisionError
    with expect(statements=1), pytest.raises(DivisionByZero):
        await db.fetchval("select 1 / 0")


async def test_blocks_in_blocks(db: AsyncDatabase) -> None:
    with expect(statements=3, round_trips=3):
        await db.fetchval("select 1")
        with expect(statements=1, round_trips=1):
            await db.fetchval("select 2")
        await db.fetchval("select 3")


async def test_a_batch_is_one_round_trip(db: AsyncDatabase, schema: str) -> None:
    with expect(statements=2, round_trips=1) as seen:
        async with db.batch() as batch:
            batch.add("select 1")
            batch.add("select 2")
    assert seen.statements == ["select 1", "select 2"]
    await db.execute("create table t (i int)")
    with expect(statements=1, round_trips=1):
        await db.executemany("insert into t values ($1)", [(i,) for i in range(50)])


async def test_a_transactions_own_statements(db: AsyncDatabase, schema: str) -> None:
    await db.execute("create table t (i int)")
    with expect(statements=2, round_trips=3) as seen:
        async with db.transaction():
            await db.execute("insert into t values (1)")
            await db.execute("insert into t values (2)")
    assert seen.statements == ["insert into t values (1)", "insert into t values (2)"]
    with expect(statements=1, round_trips=2):
        async with db.transaction():
            await db.fetchval("select 1")
    with expect(statements=2, round_trips=2):
        async with db.transaction() as tx:
            await db.execute("insert into t values ($1)", 3)
            await tx.final.execute("insert into t values ($1)", 4)
    with expect(statements=0, round_trips=0):
        async with db.transaction():
            pass
    with expect(statements=2):
        async with db.transaction():
            async with db.transaction():
                await db.fetchval("select 1")
            await db.fetchval("select 1")


async def test_a_reserved_connection(db: AsyncDatabase) -> None:
    with expect(statements=2, round_trips=2):
        async with db.connection() as connection:
            await connection.execute("set application_name = 'x'")
            await connection.fetchval("select 1")
    with expect(statements=1, round_trips=1):  # making the session as new is not the caller's
        await db.fetchval("select 1")


async def test_a_stream_is_one_statement(db: AsyncDatabase) -> None:
    with expect(statements=1) as seen:
        count = 0
        async for _ in db.stream("select generate_series(1, 50)", batch=10):
            count += 1
    assert count == 50
    assert seen.round_trips >= 5


async def test_a_copy_is_one_statement_and_one_that_asks_for_the_columns(db: AsyncDatabase, schema: str) -> None:
    await db.execute("create table t (i int)")
    await db.copy_in("t", [(1,), (2,)])
    with expect(statements=2, round_trips=4):  # the columns; the start and the end of the copy; COMMIT
        await db.copy_in("t", [(1,), (2,)])


async def test_functions_under_run_count(db: AsyncDatabase) -> None:
    def work(inner: Any) -> int:
        return int(inner.fetchval("select 1")) + int(inner.fetchval("select 2"))

    with expect(statements=2, round_trips=2):
        assert await db.run(work) == 3
