# Generated from tests/live/_async/test_connection_hands.py by tools/make_sync.py: do not edit.
"""One connection() in several hands: who leaves its block while others use it, and others' transactions on it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from tests.live.support import Broken, until

from stretto._sync.database import Database
from stretto.errors import ConnectionLost, Error, UsageError

RUNNING = "select count(*) from pg_stat_activity where application_name = %s and state = 'active' and query like %s"


def seen(outside: psycopg.Connection[Any], beside: Any, sql: str, *args: Any, wanted: int = 1) -> None:
    """Let the others go on until the server says so."""
    while outside.execute(sql, args).fetchone() != (wanted,):  # type: ignore[call-overload]  # not a literal
        beside.turn()


def failed(use: Any, *args: Any) -> Error:
    """The error that a call ends with."""
    with pytest.raises(Error) as caught:
        use(*args)
    return caught.value


@pytest.mark.parametrize("by_exception", [False, True])
def test_who_leaves_the_block_takes_the_connection_from_those_who_still_use_it(
    db: Database, beside: Any, outside: psycopg.Connection[Any], schema: str, by_exception: bool
) -> None:
    try:
        with db.connection() as connection:
            pid = connection.pid
            running = beside.start(failed, connection.fetchval, "select pg_sleep(60)")
            seen(outside, beside, RUNNING, schema, "%pg_sleep(60)%")
            if by_exception:
                raise Broken
    except Broken:
        pass
    assert [db.fetchval("select $1::int", number) for number in range(5)] == [0, 1, 2, 3, 4]
    error = beside.result(running)
    assert isinstance(error, UsageError)
    assert "ended while the statement ran" in str(error)
    until(outside, "select count(*) from pg_stat_activity where pid = %s", pid, wanted=0)
    assert db.stats().held == 0


def transfer(connection: Any, go_on: Any, found: list[str]) -> str:
    with connection.transaction():
        connection.execute("insert into t values ('first')")
        found.append("begun")
        go_on()
        connection.execute("insert into t values ('second')")
    return "committed"


def test_a_transaction_that_outlives_the_block_of_its_connection_is_rolled_back(one: Database, beside: Any) -> None:
    one.execute("create table t (name text)")
    found: list[str] = []

    def go_on() -> None:
        while "go on" not in found:
            beside.turn()

    with one.connection() as connection:
        late = beside.start(failed, transfer, connection, go_on, found)
        while "begun" not in found:
            beside.turn()
    with one.transaction():
        one.execute("insert into t values ('other')")
        found.append("go on")
        error = beside.result(late)
    assert isinstance(error, ConnectionLost)
    assert error.outcome in ("not_sent", "rolled_back")
    assert "its block of connection() has ended" in str(error)
    assert [row[0] for row in one.fetch("select name from t")] == ["other"]


def test_a_transaction_of_another_hand_is_not_joined(one: Database, beside: Any) -> None:
    one.execute("create table t (name text)")
    found: list[str] = []

    def go_on() -> None:
        while "go on" not in found:
            beside.turn()

    with one.connection() as connection:
        kept = beside.start(transfer, connection, go_on, found)
        while "begun" not in found:
            beside.turn()
        with pytest.raises(UsageError, match="of another task or thread is open"):
            with connection.transaction():
                connection.execute("insert into t values ('of another transaction')")
        with pytest.raises(UsageError, match="of another task or thread is open"):
            connection.execute("insert into t values ('of none')")
        found.append("go on")
        assert beside.result(kept) == "committed"
        assert connection.fetchval("select count(*) from t") == 2
        with connection.transaction():
            connection.execute("insert into t values ('third')")
    assert one.fetchval("select count(*) from t") == 3


def test_statements_of_several_hands_have_their_own_answers(db: Database, beside: Any) -> None:
    with db.connection() as connection:
        for seconds in (0.0, 0.02):
            sql = f"select $1::int from pg_sleep({seconds})"
            asked = [beside.start(connection.fetchval, sql, number) for number in range(8)]
            assert [beside.result(each) for each in asked] == list(range(8))


def test_who_listens_when_the_block_ends_is_told(db: Database, beside: Any) -> None:
    def listen(connection: Any) -> None:
        connection.listen("somewhere")
        for _ in connection.notifications():
            pass

    with db.connection() as connection:
        listening = beside.start(failed, listen, connection)
        while not connection._listening:
            beside.turn()
    error = beside.result(listening)
    assert isinstance(error, UsageError)
    assert "given back" in str(error)
    assert db.fetchval("select 1") == 1


def test_only_one_waits_for_notifications(db: Database, beside: Any) -> None:
    def listen(connection: Any) -> str:
        for notification in connection.notifications():
            return str(notification.payload)
        return ""

    with db.connection() as connection:
        connection.listen("somewhere")
        listening = beside.start(listen, connection)
        while not connection._listening:
            beside.turn()
        with pytest.raises(UsageError, match="waits for notifications on this connection already"):
            listen(connection)
        db.execute("select pg_notify('somewhere', 'hello')")
        assert beside.result(listening) == "hello"
        assert connection.fetchval("select 1") == 1


def test_who_makes_the_rows_may_ask_the_same_connection(db: Database) -> None:
    with db.connection() as connection:
        connection.execute("create temp table t (n int)")
        rows = [(connection.fetchval("select $1::int", number),) for number in range(3)]
        connection.executemany("insert into t values ($1)", (row for row in rows))
        assert connection.fetchval("select sum(n) from t") == 3
