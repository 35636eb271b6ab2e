"""A reserved connection: its session's state, what is reset, notifications and notices; and what a Database refuses."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest
from tests.live.support import Broken, kill, meanwhile, until

from stretto._async.database import AsyncDatabase
from stretto.errors import ConnectionLost, Notice, ProtocolError, UsageError
from stretto.flows.listen import Notification
from stretto.sqlstate import InFailedSqlTransaction, UndefinedTable

# What changes a session, and how it shows.
STATES = [
    ("set work_mem = '7MB'", "select current_setting('work_mem') = '7MB'"),
    ("create temp table w (id int)", "select to_regclass('pg_temp.w') is not null"),
    ("listen somewhere", "select exists (select from pg_listening_channels())"),
    (
        "select pg_advisory_lock(4711)",
        "select exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())",
    ),
    ("begin; insert into t values (1)", "select exists (select from t)"),
    ("declare c cursor with hold for select 1", "select exists (select from pg_cursors where name = 'c')"),
    ("set role pg_monitor", "select current_user = 'pg_monitor'"),
    ("set session characteristics as transaction read only", "select current_setting('transaction_read_only') = 'on'"),
]


@pytest.mark.parametrize(("change", "shows"), STATES)
async def test_session_state_holds_inside_and_is_reset_afterwards(one: AsyncDatabase, change: str, shows: str) -> None:
    await one.execute("create table t (id int)")
    pid = await one.fetchval("select pg_backend_pid()")
    async with one.connection() as connection:
        assert connection.pid == pid
        assert await connection.fetchval(shows) is False
        await connection.execute(change)
        assert await connection.fetchval(shows) is True
    assert await one.fetchval(shows) is False
    assert await one.fetchval("select pg_backend_pid()") == pid, "the connection was not kept"


@pytest.mark.parametrize(("change", "shows"), STATES)
async def test_session_state_is_gone_after_an_exception(one: AsyncDatabase, change: str, shows: str) -> None:
    await one.execute("create table t (id int)")
    with pytest.raises(Broken):
        async with one.connection() as connection:
            await connection.execute(change)
            raise Broken
    assert await one.fetchval(shows) is False


async def test_a_failed_transaction_is_ended(one: AsyncDatabase) -> None:
    async with one.connection() as connection:
        await connection.execute("begin")
        with pytest.raises(UndefinedTable):
            await connection.fetch("select * from nowhere")
        assert connection.in_transaction
        with pytest.raises(InFailedSqlTransaction):
            await connection.fetch("select 1")
    assert await one.fetchval("select 1") == 1


async def test_a_connection_tells_what_it_is(one: AsyncDatabase) -> None:
    async with one.connection() as connection:
        assert connection.parameters["client_encoding"] == "UTF8"
        assert "idle" in repr(connection)
        await connection.execute("set timezone = 'Asia/Tokyo'")
        assert connection.parameters["TimeZone"] == "Asia/Tokyo"
        await connection.execute("begin")
        assert "in transaction" in repr(connection)
        await connection.execute("commit")
        assert not connection.closed


async def test_the_verbs_of_a_connection_are_the_databases(one: AsyncDatabase) -> None:
    async with one.connection() as connection:
        await connection.execute("create temp table w (id int)")
        await connection.executemany("insert into w values ($1)", [(1,), (2,)])
        assert await connection.fetchmany("delete from w where id = $1 returning id", [(2,)], into=int) == [2]
        async with connection.batch() as batch:
            batch.add("insert into w values (5)")
            batch.add("select count(*) from w", into=int)
        assert batch.results[1].rows == [2]
        assert await connection.fetchrow("select * from w order by id") == (1,)
        assert await connection.copy_in("w", [(7,), (8,)]) == "COPY 2"
        assert await connection.fetch("select id from w order by id", into=int) == [1, 5, 7, 8]


# --- what a Database refuses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    ["begin", "start transaction", "begin; insert into t values (1)", "/* so */ begin isolation level serializable"],
)
async def test_begin_on_a_database_is_refused_and_nobody_inherits_it(
    one: AsyncDatabase, outside: psycopg.Connection[Any], schema: str, sql: str
) -> None:
    in_transaction = "select count(*) from pg_stat_activity where application_name = %s and state like 'idle in%%'"
    await one.execute("create table t (id int)")
    for verb in (one.execute, one.fetch):
        if verb == one.fetch and ";" in sql:
            continue
        with pytest.raises(UsageError, match=r"connection\(\)"):
            await verb(sql)
        await one.execute("insert into t values (2)")
        until(outside, in_transaction, schema, wanted=0)
    assert await one.fetch("select distinct id from t", into=int) == [2]


# --- notifications ----------------------------------------------------------------------------------------------------


async def test_own_and_foreign_notifications_come_in_order(db: AsyncDatabase, outside: psycopg.Connection[Any]) -> None:
    async with db.connection() as connection:
        await connection.listen("news", 'Odd "name"')
        await connection.execute("select pg_notify('news', 'own')")
        outside.execute("select pg_notify(%s, 'foreign'), pg_notify('news', '')", ('Odd "name"',))
        seen = []
        async for notification in connection.notifications(timeout=20):
            seen.append(notification)
            if len(seen) == 3:
                break
        other = outside.info.backend_pid
        assert seen == [
            Notification("news", "own", connection.pid or 0),
            Notification('Odd "name"', "foreign", other),
            Notification("news", "", other),
        ]
        await connection.unlisten("news")
        outside.execute("notify news")
        assert [one async for one in connection.notifications(timeout=0.05)] == []
        await connection.unlisten()
        assert await connection.fetchval("select count(*) from pg_listening_channels()") == 0
        with pytest.raises(UsageError):
            await connection.listen()


async def test_payloads_of_the_largest_size_and_many_of_them(
    db: AsyncDatabase, outside: psycopg.Connection[Any]
) -> None:
    async with db.connection() as connection:
        await connection.listen("news")
        payload = "é" * 3999 + "x"  # 7,999 bytes: the server takes less than 8,000
        outside.execute("select pg_notify('news', %s || i) from generate_series(1, 9) i", (payload[:-1],))
        seen = []
        async for notification in connection.notifications(timeout=20):
            seen.append(notification.payload)
            if len(seen) == 9:
                break
        assert seen == [payload[:-1] + str(i) for i in range(1, 10)]


async def test_notifications_that_come_during_statements_are_kept(
    one: AsyncDatabase, outside: psycopg.Connection[Any]
) -> None:
    async with one.connection() as connection:
        await connection.listen("news")
        for i in range(3):
            outside.execute("select pg_notify('news', %s)", (str(i),))
            assert await connection.fetchval("select 1") == 1
        assert [notification.payload async for notification in connection.notifications(timeout=0.2)] == ["0", "1", "2"]


async def test_waiting_for_notifications_ends_with_the_connection(
    one: AsyncDatabase, outside: psycopg.Connection[Any]
) -> None:
    async with one.connection() as connection:
        await connection.listen("news")
        kill(outside, connection.pid)
        with pytest.raises(ConnectionLost, match="terminating connection") as caught:
            async for _ in connection.notifications(timeout=20):
                pass
        assert getattr(caught.value.__cause__, "sqlstate", None) == "57P01"
        assert connection.closed
    assert await one.fetchval("select 1") == 1


async def test_listen_survives_a_lost_connection_and_tells_the_gap(
    db: AsyncDatabase, outside: psycopg.Connection[Any], server_url: str, schema: str
) -> None:
    listening = (
        "select pid from pg_stat_activity where application_name = %s and state = 'idle' and query like 'LISTEN%%'"
    )

    def notify(connection: psycopg.Connection[Any]) -> None:
        until(connection, f"select count(*) from ({listening}) s", schema, wanted=1)
        connection.execute("notify one, 'first'")

    seen = []
    with meanwhile(server_url, notify):
        async for notification in db.listen("one", "two"):
            seen.append((notification.channel, notification.payload, notification.gap))
            if len(seen) == 1:
                row = outside.execute(listening, (schema,)).fetchone()
                assert row is not None
                kill(outside, row[0])
            elif len(seen) == 3:
                outside.execute("notify two, 'again'")
            elif len(seen) == 4:
                break
    assert seen == [("one", "first", False), ("one", "", True), ("two", "", True), ("two", "again", False)]
    assert await db.fetchval("select 1") == 1


# --- notices ----------------------------------------------------------------------------------------------------------


async def test_notices_go_to_the_listener(one: AsyncDatabase) -> None:
    async with one.connection() as connection:
        heard: list[Notice] = []
        connection.on_notice(heard.append)
        await connection.execute("do $$ begin raise notice 'one'; raise warning 'two' using detail = 'so'; end $$")
        await connection.fetch("drop table if exists nowhere")
        assert [(notice.severity, notice.message, notice.detail) for notice in heard] == [
            ("NOTICE", "one", None),
            ("WARNING", "two", "so"),
            ("NOTICE", 'table "nowhere" does not exist, skipping', None),
        ]
        connection.on_notice(None)
        await connection.execute("do $$ begin raise notice 'three'; end $$")
        assert len(heard) == 3


async def test_notices_of_a_statement_that_fails_are_told_too(one: AsyncDatabase) -> None:
    async with one.connection() as connection:
        heard: list[Notice] = []
        connection.on_notice(heard.append)
        with pytest.raises(UndefinedTable):
            await connection.execute("drop table if exists nowhere; select * from nowhere")
        assert len(heard) == 1


async def test_a_connection_is_given_back_without_its_listener(one: AsyncDatabase) -> None:
    heard: list[Notice] = []
    async with one.connection() as connection:
        connection.on_notice(heard.append)
    await one.execute("drop table if exists nowhere")
    async with one.connection() as connection:
        connection.on_notice(heard.append)
        await connection.execute("select 1")
    assert heard == []


async def test_waiting_for_the_server_to_say_something(one: AsyncDatabase, outside: psycopg.Connection[Any]) -> None:
    async with one.connection() as connection:
        await connection.listen("news")
        until(outside, "select wait_event = 'ClientRead' from pg_stat_activity where pid = %s", connection.pid)
        assert [found async for found in connection.notifications(timeout=0.01)] == []
        assert await connection.fetchval("select 1") == 1


@pytest.mark.parametrize("sql", ["set work_mem = '123MB'", "listen nobody", "prepare p as select 1", "begin"])
async def test_what_changes_the_session_is_refused_on_a_shared_connection(db: AsyncDatabase, sql: str) -> None:
    before = await db.fetchval("show work_mem")
    with pytest.raises(UsageError, match="connection"):
        await db.execute(sql)
    assert await db.fetchval("show work_mem") == before
    assert await db.fetchval("select count(*) from pg_prepared_statements where not name like 'stretto%'") == 0


async def test_a_session_that_stops_speaking_utf8_is_closed(db: AsyncDatabase) -> None:
    async with db.connection() as connection:
        with pytest.raises(ProtocolError, match="client_encoding is LATIN1"):
            await connection.execute("set client_encoding = 'LATIN1'")
        assert connection.closed
    assert await db.fetchval("select length('é')") == 1
    async with db.connection() as connection:
        await connection.execute("set datestyle = 'SQL, DMY'; set intervalstyle = 'iso_8601'")
        await connection.execute("set standard_conforming_strings = off")
        row = await connection.fetchrow("select date '2013-07-23', interval '1 day', timestamptz '2013-07-23 00:00Z'")
        assert row == (dt.date(2013, 7, 23), dt.timedelta(1), dt.datetime(2013, 7, 23, tzinfo=dt.UTC))
