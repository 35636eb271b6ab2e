"""The pool in use: what its errors name, connections that are replaced, given back as new, and follow a failover."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from chaos.proxy import Proxy
from chaos.server import fresh
from tests.live.support import Broken, kill, until

from stretto._async.database import AsyncDatabase
from stretto.context import deadline
from stretto.errors import DatabaseError, PoolTimeout, StatementTimeout, UsageError
from stretto.pool.lifetime import AT_ONCE

# What a session has that a new one has not. Statements of ours stay prepared, under names that say what they are.
STATE = """
select array_to_string(array(select name || '=' || setting from pg_settings where name not like '%.%' order by 1), ', ')
    || '; channels ' || array_to_string(array(select pg_listening_channels()), ' ')
    || '; locks ' || (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory')
    || '; cursors ' || (select count(*) from pg_cursors where is_holdable)
    || '; prepared ' || (select count(*) from pg_prepared_statements where from_sql)
    || '; temporary ' || (select count(*) from pg_class where relnamespace = pg_my_temp_schema())
    || '; role ' || current_user
"""
IDLE = "select count(*) from pg_stat_activity where application_name = $1 and state like 'idle in transaction%'"


async def test_a_timeout_names_the_size_and_the_oldest_holder(open_db: Any) -> None:
    db = open_db(connections=2)
    async with db.connection(), db.connection():
        with pytest.raises(PoolTimeout) as caught:
            await db.fetchval("select 1", timeout=0.05)
    text = str(caught.value)
    assert "2 of 2 are held" in text
    assert "1 caller waits" in text
    assert not any(f"/{name}/" in text for name in ("asyncio", "concurrent", "gevent"))
    assert "held for" in text
    assert "test_pool.py" in text
    assert "in test_a_timeout_names_the_size_and_the_oldest_holder" in text


async def test_who_waits_for_himself_gets_a_hint(open_db: Any) -> None:
    db = open_db(connections=1)
    async with db.connection():
        with pytest.raises(PoolTimeout, match="wait for each other for ever"), deadline(0.05):
            async with db.connection():
                raise AssertionError("the one connection was given twice")
    assert await db.fetchval("select 1") == 1


async def test_all_who_wait_are_counted(open_db: Any, beside: Any) -> None:
    db = open_db(connections=1)
    async with db.connection():
        waiting = [beside.start(db.fetchval, "select 1") for _ in range(2)]
        while db.stats().waiting < 2:
            await beside.turn()
        with pytest.raises(PoolTimeout, match="3 callers wait"):
            await db.fetchval("select 1", timeout=0.05)
    assert [await beside.result(each) for each in waiting] == [1, 1]


NO_AGE: dict[str, Any] = {"max_idle": None, "max_lifetime": None}


def leaks(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged of connections that were held for too long."""
    texts = [one.getMessage() for one in caplog.records if one.name == "stretto.pool"]
    return [text for text in texts if "leak_detection" in text]


async def test_who_holds_a_connection_for_too_long_is_named_once(
    open_db: Any, beside: Any, one: AsyncDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    db = open_db(connections=3, leak_detection=0.1, **NO_AGE)
    async with db.connection(), db.transaction():
        await db.execute("select 1")
        while len(leaks(caplog)) < 2:
            assert await one.fetchval("select 1") == 1
            await db._pool.release(await db._pool.acquire())  # somebody comes: blocking code looks when it is used
            await beside.turn()
        await one.fetchval("select 1 from pg_sleep(0.2)")
        await db._pool.release(await db._pool.acquire())
        assert len(leaks(caplog)) == 2
    for text in leaks(caplog):
        assert "not given back within 0.1 seconds (leak_detection): held for" in text
        assert "test_pool.py" in text
        assert "in test_who_holds_a_connection_for_too_long_is_named_once" in text


async def test_who_waits_in_vain_finds_out_who_holds(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(connections=1, leak_detection=0.1, **NO_AGE)
    async with db.connection():
        with pytest.raises(PoolTimeout):
            await db.fetchval("select 1", timeout=0.4)
        assert len(leaks(caplog)) == 1


async def test_who_gives_back_late_is_named_though_nobody_else_came(
    open_db: Any, caplog: pytest.LogCaptureFixture
) -> None:
    db = open_db(connections=1, leak_detection=0.1, **NO_AGE)
    for count in (1, 2):
        async with db.connection() as connection:
            await connection.fetchval("select 1 from pg_sleep(0.3)")
        while db.stats().held:  # it is being made as new
            await db.fetchval("select 1")
        assert len(leaks(caplog)) == count


@pytest.mark.parametrize("limit", [None, 600.0])
async def test_who_holds_a_connection_for_a_while_is_not_named(
    open_db: Any, one: AsyncDatabase, caplog: pytest.LogCaptureFixture, limit: float | None
) -> None:
    db = open_db(connections=1, leak_detection=limit, max_idle=0.05)
    async with db.connection() as connection:
        for _ in range(3):
            await connection.fetchval("select 1 from pg_sleep(0.06)")
    assert leaks(caplog) == []


async def test_who_listens_is_not_named(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(connections=2, leak_detection=0.05, **NO_AGE)
    async with db.connection() as connection:
        connection._link.listening = True
        for _ in range(3):
            await connection.fetchval("select 1 from pg_sleep(0.06)")
            await db.fetchval("select 1")
    assert leaks(caplog) == []


async def test_all_hold_one_and_want_another(open_db: Any, beside: Any) -> None:
    db = open_db(connections=3)

    async def greedy() -> str:
        async with db.connection():
            holding.append(1)
            while len(holding) < 3:
                await beside.turn()
            try:
                return str(await db.fetchval("select 'got one'", timeout=0.1))
            except StatementTimeout as error:  # in the queue, or with what was left of the time behind it
                return str(error)

    holding: list[int] = []
    told = [beside.start(greedy) for _ in range(3)]
    texts = [await beside.result(each) for each in told]
    assert any("wait for each other" in text for text in texts)
    while db.stats().held:  # they are being made as new
        await beside.turn()
    assert await db.fetchval("select 1") == 1


async def test_an_old_connection_is_replaced_and_nobody_notices(open_db: Any) -> None:
    db = open_db(connections=1, max_lifetime=0.1)
    pids = {await db.fetchval("select pg_backend_pid() from pg_sleep(0.01)") for _ in range(40)}
    assert len(pids) > 1


async def test_an_unused_connection_is_replaced_and_nobody_notices(open_db: Any, one: AsyncDatabase) -> None:
    db = open_db(connections=1, max_idle=0.1)
    pid = await db.fetchval("select pg_backend_pid()")
    await one.fetchval("select 1 from pg_sleep(0.3)")
    found = await db.fetchval("select pg_backend_pid()")  # blocking code looks when it is used
    await one.fetchval("select 1 from pg_sleep(0.3)")
    assert {found, await db.fetchval("select pg_backend_pid()")} != {pid}


async def test_a_connection_in_use_is_never_closed_for_its_age(open_db: Any, one: AsyncDatabase) -> None:
    db = open_db(connections=1, max_lifetime=0.05, max_idle=0.05)
    async with db.connection() as connection:
        pid = connection.pid
        for _ in range(3):
            assert await connection.fetchval("select pg_backend_pid() from pg_sleep(0.1)") == pid
            await one.fetchval("select 1 from pg_sleep(0.1)")
    async with db.transaction():
        pids = {await db.fetchval("select pg_backend_pid() from pg_sleep(0.1)") for _ in range(3)}
        assert len(pids) == 1
    assert await db.fetchval("select 1") == 1


async def hold_all(db: Any, beside: Any, count: int) -> set[int]:
    """So many callers have a connection each at the same time; give the ids of their sessions."""

    async def hold() -> None:
        async with db.connection() as connection:
            pids.add(connection.pid)
            while len(pids) < count:
                await beside.turn()

    pids: set[int] = set()
    for each in [beside.start(hold) for _ in range(count)]:
        await beside.result(each)
    return pids


def count_opening(db: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """For each attempt to connect: how many were under way, this one too, and how many had succeeded before."""
    seen = []
    open_one = db._pool._open

    async def counted(until: float | None = None) -> None:
        stats = db.stats()
        seen.append((stats.opening, stats.opened))
        await open_one(until)

    monkeypatch.setattr(db._pool, "_open", counted)
    return seen


async def test_many_who_come_at_once_do_not_connect_at_once(
    open_db: Any, beside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = open_db(connections=18)
    seen = count_opening(db, monkeypatch)
    assert len(await hold_all(db, beside, 18)) == 18
    assert max(opening for opening, _ in seen) <= AT_ONCE


async def test_after_an_outage_one_connects_and_then_more_and_more(
    open_db: Any, beside: Any, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy.before(server_url) as proxy:
        proxy.mode = "close"
        db = open_db(proxy.url(server_url), connections=18)
        with pytest.raises(PoolTimeout):
            await db.fetchval("select 1", timeout=0.2)
        while db.stats().opening:  # the last attempt belongs to the outage, and would be told to those who come next
            await beside.turn()
        proxy.mode = "forward"
        seen = count_opening(db, monkeypatch)
        assert len(await hold_all(db, beside, 18)) == 18
        assert all(opening <= opened + 1 for opening, opened in seen), seen
        await db.close()


CHANGES = [
    "set work_mem = '9MB'; set timezone = 'Asia/Tokyo'; set search_path = pg_catalog",
    "create temp table scratch (id int); create temp sequence counter",
    "listen news; listen weather",
    "select pg_advisory_lock(815)",
    "begin; declare held cursor with hold for select 1; commit",
    "prepare mine as select 1",
    "begin; select 1; set local work_mem = '10MB'",
    "begin; select 1/0",
    "set role pg_read_all_data",
    "set session authorization pg_monitor",
]


@pytest.mark.parametrize("change", CHANGES)
async def test_a_connection_comes_back_as_new(open_db: Any, change: str) -> None:
    one = open_db(connections=1)
    async with one.connection() as connection:
        pid, fresh = connection.pid, await connection.fetchval(STATE)
    async with one.connection() as connection:
        try:
            await connection.execute(change)
        except DatabaseError:
            assert "1/0" in change
    async with one.connection() as connection:
        assert connection.pid == pid
        assert await connection.fetchval(STATE) == fresh
        assert not connection.in_transaction
    assert await one.fetchval(IDLE, one._shared.config.startup_parameters().get("application_name", "")) == 0


async def test_a_transaction_comes_back_as_new(one: AsyncDatabase) -> None:
    pid, fresh = await one.fetchval("select pg_backend_pid()"), await one.fetchval(STATE)
    with pytest.raises(Broken):
        async with one.transaction():
            await one.execute("set local work_mem = '9MB'")
            raise Broken
    async with one.transaction():
        await one.execute("set work_mem = '9MB'")
        await one.execute("select pg_advisory_lock(816)")
        await one.execute("create temp table scratch (id int)")
    assert await one.fetchval(STATE) == fresh
    assert await one.fetchval("select pg_backend_pid()") == pid


async def test_a_stream_left_early_comes_back_as_new(one: AsyncDatabase) -> None:
    fresh = await one.fetchval(STATE)
    rows = one.stream("select i from generate_series(1, 100000) i", batch=10)
    async for _ in rows:
        break
    await rows.aclose()
    assert await one.fetchval(STATE) == fresh
    assert one.stats().held == 0


async def test_giving_back_twice_is_giving_back_once(open_db: Any, outside: psycopg.Connection[Any]) -> None:
    db = open_db(connections=2)
    link = await db._pool.acquire()
    await db._pool.release(link)
    await db._pool.release(link)
    assert db.stats().held == 0
    broken = await db._pool.acquire()
    broken.abort()
    await db._pool.release(broken)
    await db._pool.release(broken)
    lost = await db._pool.acquire()
    kill(outside, lost.greeting.pid)
    await db._pool.release(lost, used=True)
    async with db.connection() as first, db.connection() as second:
        assert await first.fetchval("select 1") == await second.fetchval("select 1")
    assert db.stats().connections <= 2


async def test_a_connection_is_of_no_use_behind_its_block(one: AsyncDatabase) -> None:
    async with one.connection() as kept:
        await kept.execute("select 1")
    for use in (kept.fetchval, kept.execute):
        with pytest.raises(UsageError, match="given back"):
            await use("begin")
    assert kept.closed
    assert "closed" in repr(kept)
    assert await one.fetchval("select 1") == 1
    with pytest.raises(UsageError, match="given back"):
        await kept.reset()


async def test_all_connections_are_left_when_the_server_becomes_read_only(open_db: Any) -> None:
    with fresh() as first, fresh() as second:
        for target, name in ((first, "first"), (second, "second")):
            target.execute(f"create table whoami as select '{name}' as name")
        hosts = [psycopg.conninfo.conninfo_to_dict(target.url) for target in (first, second)]
        db = open_db(
            first.url,
            host=",".join(str(host["host"]) for host in hosts),
            port=",".join(str(host["port"]) for host in hosts),
            target_session_attrs="read-write",
            connections=3,
        )
        async with db.connection() as a, db.connection() as b:
            assert [await each.fetchval("select name from whoami") for each in (a, b)] == ["first", "first"]
        first.execute("alter system set default_transaction_read_only = on")
        first.execute("select pg_reload_conf()")
        until(first.admin, "select current_setting('default_transaction_read_only')", wanted="on")
        codes = []
        for _ in range(5):
            try:
                await db.execute("insert into whoami values ('written')")
            except DatabaseError as error:  # of a connection that has not heard of it
                codes.append(error.sqlstate)
        assert codes in ([], ["25006"])
        async with db.transaction():
            await db.execute("insert into whoami values ('written')")
        assert await db.fetchval("select name from whoami") == "second"
        assert db.stats().connections <= 3


async def test_a_refused_write_leaves_all_connections(open_db: Any, server_url: str) -> None:
    """As behind an address that leads to another server now, which only says so when it is written to."""
    db = open_db(server_url, target_session_attrs="read-write", connections=2)
    before = set()
    async with db.connection() as a, db.connection() as b:
        before = {a.pid, b.pid}
    with pytest.raises(DatabaseError, match="standby") as caught:
        await db.execute("do $$ begin raise exception 'a standby' using errcode = '25006'; end $$")
    assert caught.value.sqlstate == "25006"
    async with db.connection() as a, db.connection() as b:
        assert not before & {a.pid, b.pid}
