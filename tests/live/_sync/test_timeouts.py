# Generated from tests/live/_async/test_timeouts.py by tools/make_sync.py: do not edit.
"""Timeouts: the statement is cancelled on the server, and the connection goes on without a foreign error or result."""

from __future__ import annotations

import socket
from typing import Any

import psycopg
import pytest

from stretto._sync.database import Database
from stretto.errors import PoolTimeout, StatementTimeout
from stretto.sqlstate import QueryCanceled

ACTIVE = (
    "select count(*) from pg_stat_activity where application_name = $1 and state = 'active' and pid <> pg_backend_pid()"
)


def ended(watcher: Database, schema: str) -> None:
    """Wait until the server runs nothing of ours; the loop goes on meanwhile."""
    while watcher.fetchval(ACTIVE, schema):
        pass


def test_a_timeout_cancels_the_statement(one: Database, db: Database, schema: str) -> None:
    pid = one.fetchval("select pg_backend_pid()")
    for verb in (one.fetch, one.fetchrow, one.fetchval, one.execute):
        with pytest.raises(StatementTimeout, match=r"within 0.05 seconds") as caught:
            verb("select pg_sleep(60)", timeout=0.05)
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.outcome == "unknown"
        ended(db, schema)
        assert one.fetchval("select pg_backend_pid()") == pid, "the connection was not kept"


def test_a_timeout_of_many_statements_leaves_nothing(one: Database, db: Database, schema: str) -> None:
    one.execute("create table t (id int)")
    insert = "insert into t select $1::int from pg_sleep($2)"
    with pytest.raises(StatementTimeout):
        one.executemany(insert, [(1, 0.0), (2, 60.0), (3, 0.0)], timeout=0.1)
    with pytest.raises(StatementTimeout):
        with one.batch(timeout=0.1) as batch:
            batch.add(insert, 1, 0.0)
            batch.add(insert, 2, 60.0)
            batch.add(insert, 3, 0.0)
    ended(db, schema)
    assert one.fetchval("select count(*) from t") == 0


def test_a_databases_own_timeout_and_a_calls(open_db: Any) -> None:
    db = open_db(connections=1, timeout=0.05)
    with pytest.raises(StatementTimeout, match=r"0\.05"):
        db.fetch("select pg_sleep(60)")
    assert db.fetchval("select 1 from pg_sleep(0.2)", timeout=20) == 1


def test_a_timeout_while_a_large_result_comes(one: Database) -> None:
    for _ in range(3):
        with pytest.raises(StatementTimeout):
            one.fetch(
                "select i, repeat('x', 100), pg_sleep(i % 2000 / 2000.0) from generate_series(1, 100000) i", timeout=0.1
            )
        assert one.fetchval("select 5") == 5


def test_a_timeout_while_a_large_argument_goes(one: Database) -> None:
    one.fetchval("select length($1::text)", "x")
    for _ in range(3):
        with pytest.raises(StatementTimeout):
            one.fetchval("select length($1::text) from pg_sleep(60)", "x" * 5_000_000, timeout=0.2)
        assert one.fetchval("select 6") == 6


def test_a_statement_that_waits_for_a_lock_is_given_up(one: Database, outside: psycopg.Connection[Any]) -> None:
    one.execute("create table t (id int)")
    with outside.transaction():
        outside.execute("lock table t")
        with pytest.raises(StatementTimeout):
            one.execute("insert into t values (1)", timeout=0.05)
        assert one.fetchval("select 1") == 1, "it still waits for the lock"
    assert one.fetchval("select count(*) from t") == 0


def test_the_servers_own_timeout_is_its_own_error(one: Database) -> None:
    with one.connection() as connection:
        connection.execute("set statement_timeout = '20ms'")
        with pytest.raises(QueryCanceled):
            connection.execute("select pg_sleep(60)", timeout=20)


def test_a_timeout_in_a_transaction_fails_it(one: Database) -> None:
    one.execute("create table t (id int)")
    with one.connection() as connection:
        connection.execute("begin; insert into t values (1)")
        with pytest.raises(StatementTimeout):
            connection.execute("select pg_sleep(60)", timeout=0.05)
        assert connection.execute("rollback") == "ROLLBACK"
        assert connection.fetchval("select count(*) from t") == 0


def test_nobody_inherits_a_transaction_that_was_given_up(one: Database) -> None:
    one.execute("create table t (id int)")
    with pytest.raises(StatementTimeout):
        with one.connection() as connection:
            connection.execute("begin; insert into t values (1); commit; begin; select pg_sleep(60)", timeout=0.1)
    assert one.execute("insert into t values (2)") == "INSERT 0 1"
    assert one.fetchval("select pg_current_xact_id_if_assigned()::text") is None
    assert one.fetchval("select count(*) from t") == 2


@pytest.mark.parametrize("pause", [0.0, 0.0005, 0.001, 0.002])
def test_late_cancels_hit_nobody_else(one: Database, pause: float) -> None:
    """Each statement carries a number of its own and may be timed out just when it is answered."""
    answers = timeouts = 0
    for i in range(150):
        try:
            found = one.fetchval("select $1::int from pg_sleep($2)", i, pause, timeout=0.0001 + pause)
        except StatementTimeout:
            timeouts += 1
        else:
            assert found == i
            answers += 1
        assert one.fetchval("select $1::int", -i) == -i
    assert answers + timeouts == 150


def test_a_timeout_of_nothing_is_told(one: Database) -> None:
    for timeout in (0.0, -1.0, 1e-9):
        with pytest.raises(StatementTimeout):
            one.fetchval("select pg_sleep(60)", timeout=timeout)
        assert one.fetchval("select 1") == 1


def test_waiting_for_a_connection_ends_in_time(open_db: Any) -> None:
    db = open_db(connections=1, acquire_timeout=0.05)
    with db.connection() as connection:
        for _ in range(3):
            with pytest.raises(PoolTimeout, match=r"no connection became free within 0\.05 seconds"):
                db.fetchval("select 1")
        assert connection.fetchval("select 1") == 1
    assert db.fetchval("select 1") == 1


def test_a_timeout_covers_the_wait_for_a_connection(one: Database) -> None:
    with one.connection():
        with pytest.raises(PoolTimeout):
            one.fetchval("select 1", timeout=0.05)
    assert one.fetchval("select 1") == 1


def test_a_timeout_covers_the_making_of_a_connection(open_db: Any, beside: Any) -> None:
    """At a port where nobody answers, while the pool would have room for more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/postgres"
        db = open_db(url, connections=3, acquire_timeout=10)
        for _ in range(2):
            with pytest.raises(PoolTimeout):
                beside.result(beside.start(lambda: db.fetchval("select 1", timeout=0.05)))
        assert db.stats().waiting == 0
