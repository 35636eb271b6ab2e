"""Streams: rows in bounded memory, and a connection that is usable whatever became of the stream."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
import pytest
from tests.live.support import Broken, kill

from stretto._async.database import AsyncDatabase
from stretto.errors import ConnectionLost, DecodeError, EncodeError, StatementTimeout, UsageError
from stretto.sqlstate import DivisionByZero, SqlSyntaxError


@pytest.mark.parametrize("batch", [1, 2, 7, 100, 101, 5000])
async def test_all_rows_come_in_order_whatever_the_batch(one: AsyncDatabase, batch: int) -> None:
    sql = "select i from generate_series(1, $1::int) i"
    assert [row.i async for row in one.stream(sql, 100, batch=batch)] == list(range(1, 101))
    assert [i async for i in one.stream(sql, 0, batch=batch, into=int)] == []
    assert await one.fetchval("select 1") == 1


async def test_what_is_no_query_streams_no_rows(one: AsyncDatabase) -> None:
    assert [row async for row in one.stream("create table t (id int)")] == []
    assert [row async for row in one.stream("insert into t values (1), (2) returning id", batch=1)] == [(1,), (2,)]
    assert [row async for row in one.stream("")] == []
    assert await one.fetchval("select count(*) from t") == 2


# Rows of which some are wide: a batch of them comes in parts.
WIDE = "select i, repeat('x', case when i % 10 = 0 then 300000 else i end) as t from generate_series(1, $1::int) i"


@pytest.mark.parametrize("batch", [1, 7, 10, 50, 1000])
async def test_wide_rows_come_in_order_whatever_the_batch(one: AsyncDatabase, batch: int) -> None:
    seen = [(row.i, len(row.t)) async for row in one.stream(WIDE, 100, batch=batch)]
    assert seen == [(i, 300_000 if i % 10 == 0 else i) for i in range(1, 101)]
    assert await one.fetchval("select 1") == 1


@pytest.mark.parametrize("batch", [7, 1000])
async def test_an_error_behind_wide_rows_is_raised_behind_them(one: AsyncDatabase, batch: int) -> None:
    sql = "select 100 / (31 - i) as q, i, repeat('x', 200000) from generate_series(1, 100) i"
    seen = []
    with pytest.raises(DivisionByZero):
        async for row in one.stream(sql, batch=batch):
            seen.append(row.i)
    assert 20 < len(seen) <= 30
    assert seen == list(range(1, len(seen) + 1))
    assert await one.fetchval("select 2") == 2


async def test_a_stream_of_wide_rows_may_be_left_early_and_its_connection_used(one: AsyncDatabase) -> None:
    async with one.connection() as connection:
        for taken in (1, 10, 25):
            async for row in connection.stream(WIDE, 60):
                if row.i == taken:
                    break
            assert await connection.fetchval("select 3") == 3


async def test_a_transaction_ends_although_wide_rows_of_a_stream_wait_in_it(
    one: AsyncDatabase, db: AsyncDatabase
) -> None:
    """What nobody reads waits with the server, and is out of the way when the transaction ends."""
    for end in (None, Broken):
        with suppress(Broken):
            async with one.transaction():
                await one.fetchval("select 1")
                stream = one.stream(WIDE, 100)
                assert (await anext(stream)).i == 1
                for _ in range(20):
                    await db.fetchval("select 1")  # an event loop reads meanwhile, until it has enough
                if end is not None:
                    raise end
        assert await one.fetchval("select 4") == 4


@pytest.mark.parametrize("taken", [1, 2, 3, 999])
async def test_a_stream_may_be_left_early(one: AsyncDatabase, taken: int) -> None:
    for _ in range(3):
        seen = 0
        async for _row in one.stream("select i, repeat('x', 500) from generate_series(1, 100000) i", batch=500):
            seen += 1
            if seen == taken:
                break
        assert await one.fetchval("select 2") == 2


async def test_a_stream_that_is_left_early_leaves_its_connection_usable(one: AsyncDatabase) -> None:
    async with one.connection() as connection:
        for _ in range(3):
            stream = connection.stream("select i from generate_series(1, 100000) i", batch=10)
            async for row in stream:
                if row.i == 15:
                    break
            await stream.aclose()
            assert await connection.fetchval("select 2") == 2
        assert not connection.in_transaction


async def test_an_exception_in_the_loop_ends_the_stream(one: AsyncDatabase) -> None:
    with pytest.raises(Broken):
        async for _row in one.stream("select i from generate_series(1, 100000) i", batch=10):
            raise Broken
    assert await one.fetchval("select 3") == 3


async def test_an_error_in_the_middle_is_raised_behind_the_rows_before_it(one: AsyncDatabase) -> None:
    for _ in range(2):
        seen: list[int] = []
        with pytest.raises(DivisionByZero) as caught:
            async for row in one.stream("select 100 / (31 - i) as q, i from generate_series(1, 100) i", batch=10):
                seen.append(row.i)
        assert seen == list(range(1, 31))
        assert caught.value.query is not None
        assert await one.fetchval("select 4") == 4


async def test_what_is_wrong_from_the_start_is_raised_at_the_first_row(one: AsyncDatabase) -> None:
    wrong: list[tuple[type[Exception], tuple[Any, ...], dict[str, Any]]] = [
        (SqlSyntaxError, ("selct 1",), {}),
        (EncodeError, ("select $1::int", "one"), {}),
        (UsageError, ("select $1::int",), {}),
        (UsageError, ("select 1",), {"batch": 0}),
        (DecodeError, ("select 1, 2",), {"into": int}),
    ]
    for kind, args, keywords in wrong:
        with pytest.raises(kind):
            async for _row in one.stream(*args, **keywords):
                pass
        assert await one.fetchval("select 5") == 5


async def test_a_class_that_raises_ends_the_stream(one: AsyncDatabase) -> None:
    class Picky:
        def __init__(self, i: int) -> None:
            if i == 25:
                raise Broken

    with pytest.raises(Broken):
        async for _row in one.stream("select i from generate_series(1, 100000) i", into=Picky, batch=10):
            pass
    assert await one.fetchval("select 6") == 6


async def test_two_streams_have_two_connections(db: AsyncDatabase) -> None:
    pairs = []
    async for a in db.stream("select i from generate_series(1, 3) i", into=int, batch=1):
        async for b in db.stream("select i from generate_series(1, 2) i", into=int, batch=1):
            pairs.append((a, b))
    assert pairs == [(a, b) for a in (1, 2, 3) for b in (1, 2)]


async def test_another_statement_on_its_connection_ends_a_stream(one: AsyncDatabase) -> None:
    async with one.connection() as connection:
        seen = []
        with pytest.raises(UsageError, match="another statement"):
            async for row in connection.stream("select i from generate_series(1, 20) i", batch=5):
                seen.append(row.i)
                if row.i == 7:
                    assert await connection.fetchval("select 1") == 1
        assert seen == list(range(1, 11))
        async for _row in connection.stream("select i from generate_series(1, 20) i", batch=5):
            break
        assert await connection.fetchval("select 7") == 7
        sql = "select i from generate_series(1, 20) i"
        with pytest.raises(UsageError, match="another statement"):
            async for _row in connection.stream(sql, batch=5):
                assert [row.i async for row in connection.stream(sql, batch=5)] == list(range(1, 21))
        assert await connection.fetchval("select 8") == 8


async def test_a_stream_in_a_transaction_stays_in_it(one: AsyncDatabase) -> None:
    async with one.connection() as connection:
        await connection.execute("begin; create table t (id int); insert into t select generate_series(1, 10)")
        assert [i async for i in connection.stream("select id from t", into=int, batch=3)] == list(range(1, 11))
        assert connection.in_transaction
        await connection.execute("rollback")


async def test_a_stream_has_no_records_of_types_that_nobody_asked_about(one: AsyncDatabase) -> None:
    """Nothing can be asked in the middle of a stream."""
    await one.execute("create type mood as enum ('sad', 'glad')")
    sql = "select row(i, 'glad'::mood) from generate_series(1, 5) i"
    with pytest.raises(DecodeError, match="fetch"):
        async for _row in one.stream(sql, batch=2):
            pass
    assert await one.fetchval("select row('sad'::mood)") == ("sad",)
    assert [row[0] async for row in one.stream(sql, batch=2)] == [(i, "glad") for i in range(1, 6)]
    assert await one.fetchval("select 8") == 8


async def test_a_stream_heals_after_a_table_was_altered(one: AsyncDatabase) -> None:
    await one.execute("create table t (a int); insert into t values (1), (2)")
    assert [row async for row in one.stream("select * from t", batch=1)] == [(1,), (2,)]
    await one.execute("alter table t add b text default 'b'")
    assert [row async for row in one.stream("select * from t", batch=1)] == [(1, "b"), (2, "b")]


async def test_each_batch_has_its_timeout(one: AsyncDatabase) -> None:
    sql = "select i, pg_sleep(case when i = 25 then 60 else 0 end) from generate_series(1, 100) i"
    seen = 0
    with pytest.raises(StatementTimeout):
        async for _row in one.stream(sql, batch=10, timeout=0.3):
            seen += 1
    assert seen == 20
    assert await one.fetchval("select 9") == 9


async def test_a_connection_lost_in_the_middle(one: AsyncDatabase, outside: psycopg.Connection[Any]) -> None:
    sql = "select i, pg_backend_pid() as pid, repeat('x', 1000) from generate_series(1, 100000) i"
    with pytest.raises(ConnectionLost) as caught:
        async for row in one.stream(sql, batch=100):
            if row.i == 50:
                kill(outside, row.pid)
    assert getattr(caught.value.__cause__, "sqlstate", None) in ("57P01", None)
    assert await one.fetchval("select 10") == 10


async def test_a_connection_lost_between_two_batches(
    one: AsyncDatabase, outside: psycopg.Connection[Any], beside: Any
) -> None:
    """It is heard of while the rows in hand are used."""
    sql = "select i, pg_backend_pid() as pid from generate_series(1, 1000) i"
    with pytest.raises(ConnectionLost):
        async for row in one.stream(sql, batch=100):
            if row.i == 50:
                kill(outside, row.pid)
                for _ in range(5):
                    await beside.turn()
    assert await one.fetchval("select 11") == 11


async def test_a_batch_that_takes_too_long_is_told_on_a_reserved_connection_too(one: AsyncDatabase) -> None:
    sql = "select pg_sleep(case when i = 25 then 60 else 0 end) from generate_series(1, 100) i"
    async with one.connection() as connection:
        with pytest.raises(StatementTimeout):
            async for _row in connection.stream(sql, batch=10, timeout=0.3):
                pass
        assert await connection.fetchval("select 12") == 12
