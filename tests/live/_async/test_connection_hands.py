"""One connection() in several hands: who leaves its block while others use it, and others' transactions on it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from tests.live.support import Broken, until

from stretto._async.database import AsyncDatabase
from stretto.errors import ConnectionLost, Error, UsageError

RUNNING = "select count(*) from pg_stat_activity where application_name = %s and state = 'active' and query like %s"


async def seen(outside: psycopg.Connection[Any], beside: Any, sql: str, *args: Any, wanted: int = 1) -> None:
    """Let the others go on until the server says so."""
    while outside.execute(sql, args).fetchone() != (wanted,):  # type: ignore[call-overload]  # not a literal
        await beside.turn()


async def failed(use: Any, *args: Any) -> Error:
    """The error that a call ends with."""
    with pytest.raises(Error) as caught:
        await use(*args)
    return caught.value


@pytest.mark.parametrize("by_exception", [False, True])
async def test_who_leaves_the_block_takes_the_connection_from_those_who_still_use_it(
    db: AsyncDatabase, beside: Any, outside: psycopg.Connection[Any], schema: str, by_exception: bool
) -> None:
    try:
        async with db.connection() as connection:
            pid = connection.pid
            running = beside.start(failed, connection.fetchval, "select pg_sleep(60)")
            await seen(outside, beside, RUNNING, schema, "%pg_sleep(60)%")
            if by_exception:
                raise Broken
    except Broken:
        pass
    assert [await db.fetchval("select $1::int", number) for number in range(5)] == [0, 1, 2, 3, 4]
    error = await beside.result(running)
    assert isinstance(error, UsageError)
    assert "ended while the statement ran" in str(error)
    until(outside, "select count(*) from pg_stat_activity where pid = %s", pid, wanted=0)
    assert db.stats().held == 0


async def transfer(connection: Any, go_on: Any, found: list[str]) -> str:
    async with connection.transaction():
        await connection.execute("insert into t values ('first')")
        found.append("begun")
        await go_on()
        await connection.execute("insert into t values ('second')")
    return "committed"


async def test_a_transaction_that_outlives_the_block_of_its_connection_is_rolled_back(
    one: AsyncDatabase, beside: Any
) -> None:
    await one.execute("create table t (name text)")
    found: list[str] = []

    async def go_on() -> None:
        while "go on" not in found:
            await beside.turn()

    async with one.connection() as connection:
        late = beside.start(failed, transfer, connection, go_on, found)
        while "begun" not in found:
            await beside.turn()
    async with one.transaction():
        await one.execute("insert into t values ('other')")
        found.append("go on")
        error = await beside.result(late)
    assert isinstance(error, ConnectionLost)
    assert error.outcome in ("not_sent", "rolled_back")
    assert "its block of connection() has ended" in str(error)
    assert [row[0] for row in await one.fetch("select name from t")] == ["other"]


async def test_a_transaction_of_another_hand_is_not_joined(one: AsyncDatabase, beside: Any) -> None:
    await one.execute("create table t (name text)")
    found: list[str] = []

    async def go_on() -> None:
        while "go on" not in found:
            await beside.turn()

    async with one.connection() as connection:
        kept = beside.start(transfer, connection, go_on, found)
        while "begun" not in found:
            await beside.turn()
        with pytest.raises(UsageError, match="of another task or thread is open"):
            async with connection.transaction():
                await connection.execute("insert into t values ('of another transaction')")
        with pytest.raises(UsageError, match="of another task or thread is open"):
            await connection.execute("insert into t values ('of none')")
        found.append("go on")
        assert await beside.result(kept) == "committed"
        assert await connection.fetchval("select count(*) from t") == 2
        async with connection.transaction():
            await connection.execute("insert into t values ('third')")
    assert await one.fetchval("select count(*) from t") == 3


async def test_statements_of_several_hands_have_their_own_answers(db: AsyncDatabase, beside: Any) -> None:
    async with db.connection() as connection:
        for seconds in (0.0, 0.02):
            sql = f"select $1::int from pg_sleep({seconds})"
            asked = [beside.start(connection.fetchval, sql, number) for number in range(8)]
            assert [await beside.result(each) for each in asked] == list(range(8))


async def test_who_listens_when_the_block_ends_is_told(db: AsyncDatabase, beside: Any) -> None:
    async def listen(connection: Any) -> None:
        await connection.listen("somewhere")
        async for _ in connection.notifications():
            pass

    async with db.connection() as connection:
        listening = beside.start(failed, listen, connection)
        while not connection._listening:
            await beside.turn()
    error = await beside.result(listening)
    assert isinstance(error, UsageError)
    assert "given back" in str(error)
    assert await db.fetchval("select 1") == 1


async def test_only_one_waits_for_notifications(db: AsyncDatabase, beside: Any) -> None:
    async def listen(connection: Any) -> str:
        async for notification in connection.notifications():
            return str(notification.payload)
        return ""

    async with db.connection() as connection:
        await connection.listen("somewhere")
        listening = beside.start(listen, connection)
        while not connection._listening:
            await beside.turn()
        with pytest.raises(UsageError, match="waits for notifications on this connection already"):
            await listen(connection)
        await db.execute("select pg_notify('somewhere', 'hello')")
        assert await beside.result(listening) == "hello"
        assert await connection.fetchval("select 1") == 1


async def test_who_makes_the_rows_may_ask_the_same_connection(db: AsyncDatabase) -> None:
    async with db.connection() as connection:
        await connection.execute("create temp table t (n int)")
        rows = [(await connection.fetchval("select $1::int", number),) for number in range(3)]
        await connection.executemany("insert into t values ($1)", (row for row in rows))
        assert await connection.fetchval("select sum(n) from t") == 3
