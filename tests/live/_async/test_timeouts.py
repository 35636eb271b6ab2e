"""Timeouts: the statement is cancelled on the server, and the connection goes on without a foreign error or result."""

from __future__ import annotations

import socket
from typing import Any

import psycopg
import pytest

from stretto._async.database import AsyncDatabase
from stretto.errors import PoolTimeout, StatementTimeout
from stretto.sqlstate import QueryCanceled

ACTIVE = (
    "select count(*) from pg_stat_activity where application_name = $1 and state = 'active' and pid <> pg_backend_pid()"
)


async def ended(watcher: AsyncDatabase, schema: str) -> None:
    """Wait until the server runs nothing of ours; the loop goes on meanwhile."""
    while await watcher.fetchval(ACTIVE, schema):
        pass


async def test_a_timeout_cancels_the_statement(one: AsyncDatabase, db: AsyncDatabase, schema: str) -> None:
    pid = await one.fetchval("select pg_backend_pid()")
    for verb in (one.fetch, one.fetchrow, one.fetchval, one.execute):
        with pytest.raises(StatementTimeout, match=r"within 0.05 seconds") as caught:
            await verb("select pg_sleep(60)", timeout=0.05)
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.outcome == "unknown"
        await ended(db, schema)
        assert await one.fetchval("select pg_backend_pid()") == pid, "the connection was not kept"


async def test_a_timeout_of_many_statements_leaves_nothing(one: AsyncDatabase, db: AsyncDatabase, schema: str) -> None:
    await one.execute("create table t (id int)")
    insert = "insert into t select $1::int from pg_sleep($2)"
    with pytest.raises(StatementTimeout):
        await one.executemany(insert, [(1, 0.0), (2, 60.0), (3, 0.0)], timeout=0.1)
    with pytest.raises(StatementTimeout):
        async with one.batch(timeout=0.1) as batch:
            batch.add(insert, 1, 0.0)
            batch.add(insert, 2, 60.0)
            batch.add(insert, 3, 0.0)
    await ended(db, schema)
    assert await one.fetchval("select count(*) from t") == 0


async def test_a_databases_own_timeout_and_a_calls(open_db: Any) -> None:
    db = open_db(connections=1, timeout=0.05)
    with pytest.raises(StatementTimeout, match=r"0\.05"):
        await db.fetch("select pg_sleep(60)")
    assert await db.fetchval("select 1 from pg_sleep(0.2)", timeout=20) == 1


async def test_a_timeout_while_a_large_result_comes(one: AsyncDatabase) -> None:
    for _ in range(3):
        with pytest.raises(StatementTimeout):
            await one.fetch(
                "select i, repeat('x', 100), pg_sleep(i % 2000 / 2000.0) from generate_series(1, 100000) i", timeout=0.1
            )
        assert await one.fetchval("select 5") == 5


async def test_a_timeout_while_a_large_argument_goes(one: AsyncDatabase) -> None:
    await one.fetchval("select length($1::text)", "x")
    for _ in range(3):
        with pytest.raises(StatementTimeout):
            await one.fetchval("select length($1::text) from pg_sleep(60)", "x" * 5_000_000, timeout=0.2)
        assert await one.fetchval("select 6") == 6


async def test_a_statement_that_waits_for_a_lock_is_given_up(
    one: AsyncDatabase, outside: psycopg.Connection[Any]
) -> None:
    await one.execute("create table t (id int)")
    with outside.transaction():
        outside.execute("lock table t")
        with pytest.raises(StatementTimeout):
            await one.execute("insert into t values (1)", timeout=0.05)
        assert await one.fetchval("select 1") == 1, "it still waits for the lock"
    assert await one.fetchval("select count(*) from t") == 0


async def test_the_servers_own_timeout_is_its_own_error(one: AsyncDatabase) -> None:
    async with one.connection() as connection:
        await connection.execute("set statement_timeout = '20ms'")
        with pytest.raises(QueryCanceled):
            await connection.execute("select pg_sleep(60)", timeout=20)


async def test_a_timeout_in_a_transaction_fails_it(one: AsyncDatabase) -> None:
    await one.execute("create table t (id int)")
    async with one.connection() as connection:
        await connection.execute("begin; insert into t values (1)")
        with pytest.raises(StatementTimeout):
            await connection.execute("select pg_sleep(60)", timeout=0.05)
        assert await connection.execute("rollback") == "ROLLBACK"
        assert await connection.fetchval("select count(*) from t") == 0


async def test_nobody_inherits_a_transaction_that_was_given_up(one: AsyncDatabase) -> None:
    await one.execute("create table t (id int)")
    with pytest.raises(StatementTimeout):
        async with one.connection() as connection:
            await connection.execute("begin; insert into t values (1); commit; begin; select pg_sleep(60)", timeout=0.1)
    assert await one.execute("insert into t values (2)") == "INSERT 0 1"
    assert await one.fetchval("select pg_current_xact_id_if_assigned()::text") is None
    assert await one.fetchval("select count(*) from t") == 2


@pytest.mark.parametrize("pause", [0.0, 0.0005, 0.001, 0.002])
async def test_late_cancels_hit_nobody_else(one: AsyncDatabase, pause: float) -> None:
    """Each statement carries a number of its own and may be timed out just when it is answered."""
    answers = timeouts = 0
    for i in range(150):
        try:
            found = await one.fetchval("select $1::int from pg_sleep($2)", i, pause, timeout=0.0001 + pause)
        except StatementTimeout:
            timeouts += 1
        else:
            assert found == i
            answers += 1
        assert await one.fetchval("select $1::int", -i) == -i
    assert answers + timeouts == 150


async def test_a_timeout_of_nothing_is_told(one: AsyncDatabase) -> None:
    for timeout in (0.0, -1.0, 1e-9):
        with pytest.raises(StatementTimeout):
            await one.fetchval("select pg_sleep(60)", timeout=timeout)
        assert await one.fetchval("select 1") == 1


async def test_waiting_for_a_connection_ends_in_time(open_db: Any) -> None:
    db = open_db(connections=1, acquire_timeout=0.05)
    async with db.connection() as connection:
        for _ in range(3):
            with pytest.raises(PoolTimeout, match=r"no connection became free within 0\.05 seconds"):
                await db.fetchval("select 1")
        assert await connection.fetchval("select 1") == 1
    assert await db.fetchval("select 1") == 1


async def test_a_timeout_covers_the_wait_for_a_connection(one: AsyncDatabase) -> None:
    async with one.connection():
        with pytest.raises(PoolTimeout):
            await one.fetchval("select 1", timeout=0.05)
    assert await one.fetchval("select 1") == 1


async def test_a_timeout_covers_the_making_of_a_connection(open_db: Any, beside: Any) -> None:
    """At a port where nobody answers, while the pool would have room for more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/postgres"
        db = open_db(url, connections=3, acquire_timeout=10)
        for _ in range(2):
            with pytest.raises(PoolTimeout):
                await beside.result(beside.start(lambda: db.fetchval("select 1", timeout=0.05)))
        assert db.stats().waiting == 0
