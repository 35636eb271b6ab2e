# Generated from tests/live/_async/test_closing.py by tools/make_sync.py: do not edit.
"""close(): new callers are refused, what has begun may end in time, and nothing is left on the server."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
import pytest
from chaos.proxy import Proxy
from tests.live.support import Broken, until

from stretto._sync.database import Database
from stretto.errors import ConnectionLost, PoolClosed

ACTIVE = """
select count(*) from pg_stat_activity
where application_name = $1 and state = 'active' and pid <> pg_backend_pid() and query like $2
"""
SESSIONS = "select count(*) from pg_stat_activity where application_name = %s"
KEY = 4711  # of an advisory lock


def running(watcher: Database, schema: str, beside: Any, sql: str = "%", count: int = 1) -> None:
    """Wait until so many statements are seen at work."""
    for _ in range(5000):
        if watcher.fetchval(ACTIVE, schema, sql) == count:
            return
        beside.turn()
    raise AssertionError(f"{sql} was not seen at work")


def closing(db: Database, beside: Any) -> None:
    """Wait until close() has begun."""
    while db._pool._refusal is None:
        beside.turn()


def test_what_runs_may_end(open_db: Any, beside: Any, one: Database, schema: str) -> None:
    db = open_db(connections=3)
    asked = [beside.start(db.fetchval, "select $1::int from pg_sleep(0.2)", i) for i in range(3)]
    running(one, schema, beside, "%pg_sleep(0.2)%", 3)
    db.close()
    assert [beside.result(each) for each in asked] == [0, 1, 2]
    assert db.stats().connections == 0
    with pytest.raises(PoolClosed):
        db.fetchval("select 1")


def test_who_waits_already_is_served(open_db: Any, beside: Any, db: Database, schema: str) -> None:
    one = open_db(connections=1)
    one.fetchval("select 1")  # where there is no connection yet nobody is waited for
    asked = [beside.start(one.fetchval, "select $1::int from pg_sleep(0.05)", i) for i in range(4)]
    while one.stats().waiting < 3:
        beside.turn()
    one.close()
    assert [beside.result(each) for each in asked] == [0, 1, 2, 3]


def test_a_statement_of_several_requests_ends_too(open_db: Any, beside: Any) -> None:
    """It is described first, and executed while the Database is being closed."""
    for _ in range(5):
        db = open_db(connections=2)
        db.fetchval("select 1")
        asked = beside.start(db.fetchval, "select row($1::int, pg_sleep(0.01))::text", 1)
        while not db.stats().in_flight and not asked.done():
            beside.turn()
        db.close()
        assert beside.result(asked) == '(1,"")'


def test_a_deadline_ends_what_does_not_end(
    open_db: Any, beside: Any, db: Database, schema: str, outside: psycopg.Connection[Any]
) -> None:
    one = open_db(connections=1)
    ran = beside.start(one.execute, "select pg_sleep(61)")
    running(db, schema, beside, "%pg_sleep(61)%")
    waited = beside.start(one.fetchval, "select 1")
    while not one.stats().waiting:
        beside.turn()
    one.close(timeout=0.05)
    with pytest.raises(ConnectionLost) as caught:
        beside.result(ran)
    assert caught.value.outcome == "unknown"
    with pytest.raises(PoolClosed):
        beside.result(waited)
    db.close()
    until(outside, SESSIONS, schema, wanted=0)  # the server was told: it would sleep on


def test_new_callers_are_refused_at_once(open_db: Any, beside: Any, one: Database, schema: str) -> None:
    db = open_db(connections=3)
    with one.connection() as gate:
        gate.execute(f"select pg_advisory_lock({KEY})")
        asked = beside.start(db.fetchval, f"select 7 from pg_advisory_xact_lock_shared({KEY})")
        running(open_db(connections=1), schema, beside, "%xact_lock_shared%")
        ending = beside.start(db.close, None)
        closing(db, beside)
        with pytest.raises(PoolClosed):
            db.fetchval("select 1")
        with pytest.raises(PoolClosed):
            with db.connection():
                raise AssertionError("a closed database gave a connection")
        with pytest.raises(PoolClosed):
            with db.transaction():
                db.fetchval("select 1")
        with pytest.raises(PoolClosed):
            for _ in db.stream("select 1"):
                raise AssertionError("a closed database gave rows")
        assert not ending.done()
        gate.execute(f"select pg_advisory_unlock({KEY})")
    assert beside.result(asked) == 7
    beside.result(ending)


def test_a_block_that_has_begun_may_end(open_db: Any, beside: Any, one: Database) -> None:
    one.execute("create table kept (id int)")
    db = open_db(connections=3)
    ending = None
    with db.transaction():
        db.execute("insert into kept values (1)")
        ending = beside.start(db.close)
        closing(db, beside)
        db.execute("insert into kept values (2)")
    beside.result(ending)
    assert one.fetchval("select count(*) from kept") == 2


def test_closing_again_is_harmless(open_db: Any, beside: Any, one: Database, schema: str) -> None:
    db = open_db()
    asked = beside.start(db.execute, "select pg_sleep(62)")
    running(one, schema, beside, "%pg_sleep(62)%")
    patient = beside.start(db.close, None)
    closing(db, beside)
    db.close(0)
    beside.result(patient)
    with pytest.raises(ConnectionLost):
        beside.result(asked)
    db.close()
    db.close(0)
    assert db.stats().connections == 0


def test_a_database_that_was_never_used_closes(open_db: Any) -> None:
    db = open_db()
    db.close()
    with pytest.raises(PoolClosed):
        db.execute("select 1")


def test_leaving_by_an_exception_closes_at_once(
    open_db: Any, beside: Any, one: Database, schema: str, outside: psycopg.Connection[Any]
) -> None:
    with pytest.raises(Broken):
        with open_db() as db:
            asked = beside.start(db.execute, "select pg_sleep(63)")
            running(one, schema, beside, "%pg_sleep(63)%")
            raise Broken
    with pytest.raises(ConnectionLost):
        beside.result(asked)
    one.close()
    until(outside, SESSIONS, schema, wanted=0)


def test_who_listens_is_not_waited_for(open_db: Any, beside: Any, one: Database, schema: str) -> None:
    db = open_db()

    def listen() -> None:
        for notification in db.listen("closing"):
            heard.append(notification.payload)

    heard: list[str] = []
    listener = beside.start(listen)
    while not heard:
        one.execute("notify closing, 'hello'")
        beside.turn()
    while not all(lane.link.listening for lane in db._pool.scheduler.lanes):
        beside.turn()
    db.close(None)
    with pytest.raises(PoolClosed):
        beside.result(listener)


def test_who_did_not_give_back_is_named(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = open_db()
    with caplog.at_level(logging.WARNING, "stretto.pool"):
        with db.connection() as connection:
            db.close(timeout=0.02)
            with pytest.raises(ConnectionLost):
                connection.fetchval("select 1")
    (record,) = caplog.records
    assert "test_closing.py" in record.getMessage()
    assert "was not given back" in record.getMessage()


def test_a_server_that_is_gone_does_not_keep_it(open_db: Any, beside: Any, server_url: str) -> None:
    with Proxy.before(server_url) as proxy:
        db = open_db(proxy.url(server_url), connections=2)
        assert db.fetchval("select 1") == 1
        proxy.black_hole()
        asked = beside.start(db.fetchval, "select 2")
        while not db.stats().in_flight:
            beside.turn()
        db.close(timeout=0.02)
        with pytest.raises(ConnectionLost):
            beside.result(asked)
        assert db.stats().connections == 0


def test_a_connection_that_is_being_made_does_not_keep_it(open_db: Any, beside: Any, server_url: str) -> None:
    with Proxy.before(server_url) as proxy:
        proxy.mode = "silent"
        db = open_db(proxy.url(server_url))
        asked = beside.start(db.fetchval, "select 2")
        while not proxy.accepted:
            beside.turn()
        db.close(timeout=0.02)
        with pytest.raises(PoolClosed):
            beside.result(asked)
        assert db.stats().opening == 0
