# Generated from tests/live/_async/test_losses.py by tools/make_sync.py: do not edit.
"""Connections that are lost: what was being asked raises with its cause, and the next statement works."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from chaos.messages import Message
from chaos.proxy import Do, Proxy, Rule
from tests.live.support import kill, meanwhile, until

from stretto._sync.database import Database
from stretto.errors import ConnectError, ConnectionLost, PoolClosed
from stretto.sqlstate import AdminShutdown

OWN = "select pid from pg_stat_activity where application_name = %s"


def terminate_when_sleeping(schema: str) -> Any:
    def work(connection: psycopg.Connection[Any]) -> None:
        sleeping = f"{OWN} and wait_event = 'PgSleep'"
        until(connection, f"select count(*) > 0 from ({sleeping}) s", schema)
        connection.execute(f"select pg_terminate_backend(pid) from ({sleeping}) s", (schema,))

    return work


def test_a_session_that_is_ended_in_the_middle(one: Database, server_url: str, schema: str) -> None:
    for verb in (one.fetch, one.fetchval, one.execute):
        with (
            meanwhile(server_url, terminate_when_sleeping(schema)),
            pytest.raises(ConnectionLost, match="terminating connection") as caught,
        ):
            verb("select pg_sleep(60)")
        assert caught.value.outcome == "unknown"
        assert isinstance(caught.value.__cause__, AdminShutdown)
        assert caught.value.__cause__.sqlstate == "57P01"
        assert one.fetchval("select 1") == 1


ONCE = "pg_sleep(case when pg_backend_pid() = $1 then 60 else 0 end)"  # the session that is ended sleeps, no other
READS = [
    (f"select count(*) from done, {ONCE}", 0),
    (f"with one as (select 7 as n) select n from one, {ONCE}", 7),
    (f"/* read */ values ((select 8 from {ONCE}))", 8),
]


@pytest.mark.parametrize(("sql", "value"), READS)
def test_what_only_reads_is_sent_again_where_that_is_wanted(
    open_db: Any, server_url: str, schema: str, outside: psycopg.Connection[Any], sql: str, value: int
) -> None:
    outside.execute("create table done (id int)")
    db = open_db(connections=1, retry_reads=True)
    for verb in ("fetchval", "fetchval", "fetchrow", "fetch"):  # cold, then warm
        pid = db.fetchval("select pg_backend_pid()")
        with meanwhile(server_url, terminate_when_sleeping(schema)):
            found = getattr(db, verb)(sql, pid)
        rows = {"fetchval": [(found,)], "fetchrow": [found], "fetch": found}[verb]
        assert [tuple(row) for row in rows] == [(value,)]
    assert db.stats().opened == 5


NOT_AGAIN = [
    "insert into done select 1 from pg_sleep(60)",
    "with new as (insert into done select 1 from pg_sleep(60) returning id) select * from new",
    "select nextval('counter') from pg_sleep(60)",
    "select id from done, pg_sleep(60) for update",
    "do $$ begin perform pg_sleep(60); end $$",
]


@pytest.mark.parametrize("sql", NOT_AGAIN)
def test_what_writes_is_not_sent_again(
    open_db: Any, server_url: str, schema: str, outside: psycopg.Connection[Any], sql: str
) -> None:
    outside.execute("create table done (id int); create sequence counter; insert into done values (0)")
    db = open_db(connections=1, retry_reads=True)
    with meanwhile(server_url, terminate_when_sleeping(schema)), pytest.raises(ConnectionLost) as caught:
        db.fetch(sql)
    assert caught.value.outcome == "unknown"
    assert db.fetchval("select count(*) from done") == 1


def test_nothing_is_sent_again_in_a_transaction_or_on_a_connection_of_ones_own(
    open_db: Any, server_url: str, schema: str
) -> None:
    db = open_db(connections=1, retry_reads=True)
    with pytest.raises(ConnectionLost):
        with db.transaction():
            with meanwhile(server_url, terminate_when_sleeping(schema)):
                db.fetch("select pg_sleep(60)")
    with db.connection() as connection:
        with meanwhile(server_url, terminate_when_sleeping(schema)), pytest.raises(ConnectionLost):
            connection.fetch("select pg_sleep(60)")


def test_rows_of_which_a_part_was_read_are_not_asked_for_again(open_db: Any, server_url: str) -> None:
    with Proxy.before(server_url) as proxy:
        db = open_db(proxy.url(server_url), connections=1, retry_reads=True)
        sql = "select repeat('x', 100000) as text from generate_series(1, 60) i"
        assert len(db.fetch(sql)) == 60
        cut = proxy.add(Rule(row_number(40), Do.CUT))
        with pytest.raises(ConnectionLost):
            db.fetch(sql)
        assert cut.hits == 1
        proxy.clear()
        few = proxy.add(Rule(row_number(2), Do.CUT))
        assert len(db.fetch("select 'x' as text from generate_series(1, 3) i")) == 3
        assert few.hits == 1
        db.close()


def row_number(number: int) -> Callable[[Message], bool]:
    """A rule's condition: the n-th row that goes by."""
    rows = itertools.count(1)
    return lambda message: message.side == "B" and message.kind == "D" and next(rows) == number


def test_a_read_is_sent_again_three_times_at_most(open_db: Any, server_url: str) -> None:
    with Proxy.before(server_url) as proxy:
        db = open_db(proxy.url(server_url), connections=1, retry_reads=True)
        assert db.fetchval("select 'cut me'") == "cut me"
        asked = Rule(lambda message: message.kind == "B" and message.says("select 'cut me'"), Do.CUT, times=None)
        cut = proxy.add(asked)
        with pytest.raises(ConnectionLost):
            db.fetchval("select 'cut me'")
        assert cut.hits == 4
        proxy.clear()
        assert db.fetchval("select 'cut me'") == "cut me"
        db.close()


def test_a_batch_that_is_ended_in_the_middle_left_nothing(one: Database, server_url: str, schema: str) -> None:
    one.execute("create table t (id int)")
    with meanwhile(server_url, terminate_when_sleeping(schema)), pytest.raises(ConnectionLost):
        with one.batch() as batch:
            batch.add("insert into t values (1)")
            batch.add("select pg_sleep(60)")
    assert one.fetchval("select count(*) from t") == 0


def test_a_connection_that_is_ended_while_idle_is_not_missed(
    one: Database, db: Database, outside: psycopg.Connection[Any]
) -> None:
    for _ in range(5):
        pid = one.fetchval("select pg_backend_pid()")
        kill(outside, pid)
        db.fetchval("select 1")  # an event loop hears of it when it runs
        assert one.fetchval("select pg_backend_pid()") != pid


def test_a_reserved_connection_that_is_ended_says_so_each_time(one: Database, outside: psycopg.Connection[Any]) -> None:
    with one.connection() as connection:
        kill(outside, connection.pid)
        for _ in range(3):
            with pytest.raises(ConnectionLost, match="terminating connection") as caught:
                connection.fetchval("select 1")
            assert isinstance(caught.value.__cause__, AdminShutdown)
        assert caught.value.outcome == "not_sent"
        assert connection.closed
        assert "closed" in repr(connection)
    assert one.fetchval("select 1") == 1


def test_a_reserved_connection_that_is_found_ended_has_the_server_s_last_words(
    one: Database, db: Database, outside: psycopg.Connection[Any]
) -> None:
    """Where an event loop has heard them before anything was asked, too."""
    with one.connection() as connection:
        kill(outside, connection.pid)
        while connection._link.machine.farewell is None:
            db.fetchval("select 1")
            connection._link.alive()
        with pytest.raises(ConnectionLost, match="terminating connection") as caught:
            connection.fetchval("select 1")
        assert isinstance(caught.value.__cause__, AdminShutdown)
        assert caught.value.outcome == "not_sent"


def test_all_connections_may_be_ended_at_once(
    db: Database, open_db: Any, outside: psycopg.Connection[Any], schema: str
) -> None:
    with db.connection() as first, db.connection() as second:
        assert first.fetchval("select 1") == second.fetchval("select 1")
    watcher = open_db(connections=1, server_settings={})
    outside.execute(f"select pg_terminate_backend(pid, 10000) from ({OWN}) s", (schema,))
    assert watcher.fetchval("select 1") == 1
    with db.connection() as first, db.connection() as second:
        assert first.fetchval("select 1") == second.fetchval("select 1")


def test_a_closed_database_says_so(open_db: Any) -> None:
    db = open_db()
    assert db.fetchval("select 1") == 1
    db.close()
    db.close()
    with pytest.raises(PoolClosed):
        db.fetchval("select 1")


def test_closing_leaves_no_session(open_db: Any, outside: psycopg.Connection[Any], schema: str) -> None:
    db = open_db(connections=3)
    with db, db.connection() as first, db.connection():
        first.execute("begin")
    until(outside, f"select count(*) from ({OWN}) s", schema, wanted=0)


def test_a_failed_connect_gives_its_place_back(open_db: Any, server_url: str) -> None:
    db = open_db(server_url, connections=1, dbname="no_such_database", acquire_timeout=5)
    for _ in range(3):
        with pytest.raises(ConnectError, match="no_such_database"):
            db.fetchval("select 1")
