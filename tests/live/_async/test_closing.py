"""close(): new callers are refused, what has begun may end in time, and nothing is left on the server."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
import pytest
from chaos.proxy import Proxy
from tests.live.support import Broken, until

from stretto._async.database import AsyncDatabase
from stretto.errors import ConnectionLost, PoolClosed

ACTIVE = """
select count(*) from pg_stat_activity
where application_name = $1 and state = 'active' and pid <> pg_backend_pid() and query like $2
"""
SESSIONS = "select count(*) from pg_stat_activity where application_name = %s"
KEY = 4711  # of an advisory lock


async def running(watcher: AsyncDatabase, schema: str, beside: Any, sql: str = "%", count: int = 1) -> None:
    """Wait until so many statements are seen at work."""
    for _ in range(5000):
        if await watcher.fetchval(ACTIVE, schema, sql) == count:
            return
        await beside.turn()
    raise AssertionError(f"{sql} was not seen at work")


async def closing(db: AsyncDatabase, beside: Any) -> None:
    """Wait until close() has begun."""
    while db._pool._refusal is None:
        await beside.turn()


async def test_what_runs_may_end(open_db: Any, beside: Any, one: AsyncDatabase, schema: str) -> None:
    db = open_db(connections=3)
    asked = [beside.start(db.fetchval, "select $1::int from pg_sleep(0.2)", i) for i in range(3)]
    await running(one, schema, beside, "%pg_sleep(0.2)%", 3)
    await db.close()
    assert [await beside.result(each) for each in asked] == [0, 1, 2]
    assert db.stats().connections == 0
    with pytest.raises(PoolClosed):
        await db.fetchval("select 1")


async def test_who_waits_already_is_served(open_db: Any, beside: Any, db: AsyncDatabase, schema: str) -> None:
    one = open_db(connections=1)
    await one.fetchval("select 1")  # where there is no connection yet nobody is waited for
    asked = [beside.start(one.fetchval, "select $1::int from pg_sleep(0.05)", i) for i in range(4)]
    while one.stats().waiting < 3:
        await beside.turn()
    await one.close()
    assert [await beside.result(each) for each in asked] == [0, 1, 2, 3]


async def test_a_statement_of_several_requests_ends_too(open_db: Any, beside: Any) -> None:
    """It is described first, and executed while the Database is being closed."""
    for _ in range(5):
        db = open_db(connections=2)
        await db.fetchval("select 1")
        asked = beside.start(db.fetchval, "select row($1::int, pg_sleep(0.01))::text", 1)
        while not db.stats().in_flight and not asked.done():
            await beside.turn()
        await db.close()
        assert await beside.result(asked) == '(1,"")'


async def test_a_deadline_ends_what_does_not_end(
    open_db: Any, beside: Any, db: AsyncDatabase, schema: str, outside: psycopg.Connection[Any]
) -> None:
    one = open_db(connections=1)
    ran = beside.start(one.execute, "select pg_sleep(61)")
    await running(db, schema, beside, "%pg_sleep(61)%")
    waited = beside.start(one.fetchval, "select 1")
    while not one.stats().waiting:
        await beside.turn()
    await one.close(timeout=0.05)
    with pytest.raises(ConnectionLost) as caught:
        await beside.result(ran)
    assert caught.value.outcome == "unknown"
    with pytest.raises(PoolClosed):
        await beside.result(waited)
    await db.close()
    until(outside, SESSIONS, schema, wanted=0)  # the server was told: it would sleep on


async def test_new_callers_are_refused_at_once(open_db: Any, beside: Any, one: AsyncDatabase, schema: str) -> None:
    db = open_db(connections=3)
    async with one.connection() as gate:
        await gate.execute(f"select pg_advisory_lock({KEY})")
        asked = beside.start(db.fetchval, f"select 7 from pg_advisory_xact_lock_shared({KEY})")
        await running(open_db(connections=1), schema, beside, "%xact_lock_shared%")
        ending = beside.start(db.close, None)
        await closing(db, beside)
        with pytest.raises(PoolClosed):
            await db.fetchval("select 1")
        with pytest.raises(PoolClosed):
            async with db.connection():
                raise AssertionError("a closed database gave a connection")
        with pytest.raises(PoolClosed):
            async with db.transaction():
                await db.fetchval("select 1")
        with pytest.raises(PoolClosed):
            async for _ in db.stream("select 1"):
                raise AssertionError("a closed database gave rows")
        assert not ending.done()
        await gate.execute(f"select pg_advisory_unlock({KEY})")
    assert await beside.result(asked) == 7
    await beside.result(ending)


async def test_a_block_that_has_begun_may_end(open_db: Any, beside: Any, one: AsyncDatabase) -> None:
    await one.execute("create table kept (id int)")
    db = open_db(connections=3)
    ending = None
    async with db.transaction():
        await db.execute("insert into kept values (1)")
        ending = beside.start(db.close)
        await closing(db, beside)
        await db.execute("insert into kept values (2)")
    await beside.result(ending)
    assert await one.fetchval("select count(*) from kept") == 2


async def test_closing_again_is_harmless(open_db: Any, beside: Any, one: AsyncDatabase, schema: str) -> None:
    db = open_db()
    asked = beside.start(db.execute, "select pg_sleep(62)")
    await running(one, schema, beside, "%pg_sleep(62)%")
    patient = beside.start(db.close, None)
    await closing(db, beside)
    await db.close(0)
    await beside.result(patient)
    with pytest.raises(ConnectionLost):
        await beside.result(asked)
    await db.close()
    await db.close(0)
    assert db.stats().connections == 0


async def test_a_database_that_was_never_used_closes(open_db: Any) -> None:
    db = open_db()
    await db.close()
    with pytest.raises(PoolClosed):
        await db.execute("select 1")


async def test_leaving_by_an_exception_closes_at_once(
    open_db: Any, beside: Any, one: AsyncDatabase, schema: str, outside: psycopg.Connection[Any]
) -> None:
    with pytest.raises(Broken):
        async with open_db() as db:
            asked = beside.start(db.execute, "select pg_sleep(63)")
            await running(one, schema, beside, "%pg_sleep(63)%")
            raise Broken
    with pytest.raises(ConnectionLost):
        await beside.result(asked)
    await one.close()
    until(outside, SESSIONS, schema, wanted=0)


async def test_who_listens_is_not_waited_for(open_db: Any, beside: Any, one: AsyncDatabase, schema: str) -> None:
    db = open_db()

    async def listen() -> None:
        async for notification in db.listen("closing"):
            heard.append(notification.payload)

    heard: list[str] = []
    listener = beside.start(listen)
    while not heard:
        await one.execute("notify closing, 'hello'")
        await beside.turn()
    while not all(lane.link.listening for lane in db._pool.scheduler.lanes):
        await beside.turn()
    await db.close(None)
    with pytest.raises(PoolClosed):
        await beside.result(listener)


async def test_who_did_not_give_back_is_named(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = open_db()
    with caplog.at_level(logging.WARNING, "stretto.pool"):
        async with db.connection() as connection:
            await db.close(timeout=0.02)
            with pytest.raises(ConnectionLost):
                await connection.fetchval("select 1")
    (record,) = caplog.records
    assert "test_closing.py" in record.getMessage()
    assert "was not given back" in record.getMessage()


async def test_a_server_that_is_gone_does_not_keep_it(open_db: Any, beside: Any, server_url: str) -> None:
    with Proxy.before(server_url) as proxy:
        db = open_db(proxy.url(server_url), connections=2)
        assert await db.fetchval("select 1") == 1
        proxy.black_hole()
        asked = beside.start(db.fetchval, "select 2")
        while not db.stats().in_flight:
            await beside.turn()
        await db.close(timeout=0.02)
        with pytest.raises(ConnectionLost):
            await beside.result(asked)
        assert db.stats().connections == 0


async def test_a_connection_that_is_being_made_does_not_keep_it(open_db: Any, beside: Any, server_url: str) -> None:
    with Proxy.before(server_url) as proxy:
        proxy.mode = "silent"
        db = open_db(proxy.url(server_url))
        asked = beside.start(db.fetchval, "select 2")
        while not proxy.accepted:
            await beside.turn()
        await db.close(timeout=0.02)
        with pytest.raises(PoolClosed):
            await beside.result(asked)
        assert db.stats().opening == 0
