# Generated from tests/live/_async/test_transactions.py by tools/make_sync.py: do not edit.
"""Transactions: what is kept, what is rolled back, what is raised, and what runs inside."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from tests.live.support import Broken, kill

import stretto
from stretto._sync.database import Database
from stretto.errors import ConnectionLost, EncodeError, TransactionAborted, TransactionClosed, UsageError
from stretto.sqlstate import (
    AdminShutdown,
    DivisionByZero,
    ForeignKeyViolation,
    IdleInTransactionSessionTimeout,
    ReadOnlySqlTransaction,
    SqlSyntaxError,
    TransactionTimeout,
    UniqueViolation,
)

SEEN = "select array_agg(i order by i) from t"


@pytest.fixture
def t(outside: psycopg.Connection[Any], schema: str) -> str:
    """A table of numbers, each once."""
    outside.execute("create table t (i int primary key)")
    return schema


def seen(outside: psycopg.Connection[Any]) -> list[int]:
    """What others see in the table."""
    (found,) = outside.execute(SEEN).fetchone() or (None,)
    return found or []


def put(db: Database, *numbers: int) -> None:
    """A function that knows of no transaction."""
    for number in numbers:
        db.execute("insert into t values ($1)", number)


# --- What is kept ---------------------------------------------------------------------------------------------------


def test_leaving_commits_and_an_exception_rolls_back(db: Database, t: str, outside: psycopg.Connection[Any]) -> None:
    with db.transaction():
        put(db, 1, 2)
        assert seen(outside) == []
        assert db.fetchval(SEEN) == [1, 2]
    assert seen(outside) == [1, 2]
    with pytest.raises(Broken):
        with db.transaction():
            put(db, 3)
            raise Broken
    assert seen(outside) == [1, 2]
    assert db.fetchval("select pg_current_xact_id_if_assigned()::text") is None


FIRST = {
    "a statement with arguments": lambda db: db.execute("insert into t values ($1)", 1),
    "a statement without": lambda db: db.execute("insert into t values (1)"),
    "several statements": lambda db: db.execute("insert into t values (0); delete from t; insert into t values (1)"),
    "a query": lambda db: db.fetch("insert into t values (1) returning i"),
    "many": lambda db: db.executemany("insert into t values ($1)", [(1,)]),
    "many that return": lambda db: db.fetchmany("insert into t values ($1) returning i", [(1,)]),
    "rows copied in": lambda db: db.copy_in("t", [(1,)]),
    "text copied in": lambda db: db.copy_in("t", b"1\n", format="csv"),
}


@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
@pytest.mark.parametrize("nested", [False, True], ids=["outermost", "nested"])
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_begin_rides_with_whatever_comes_first(
    db: Database, t: str, outside: psycopg.Connection[Any], first: Any, nested: bool, warm: bool
) -> None:
    if warm:
        first(db)
        outside.execute("truncate t")
    with pytest.raises(Broken):
        with db.transaction():
            if nested:
                with db.transaction():
                    first(db)
            else:
                first(db)
            assert db.fetchval(SEEN) == [1]
            assert seen(outside) == []
            raise Broken
    assert seen(outside) == []
    with db.transaction():
        found = first(db)
    assert seen(outside) == [1]
    if isinstance(found, stretto.Report):
        found = str(found)
    assert found in (None, "INSERT 0 1", "COPY 1", [(1,)]), "the answer to BEGIN was taken for the statement's"


def test_a_batch_and_a_stream_and_a_copy_out_are_inside(db: Database, t: str) -> None:
    with db.transaction():
        with db.batch() as batch:
            batch.add("insert into t values ($1)", 1)
            batch.add("select i from t")
        assert [result.tag for result in batch.results] == ["INSERT 0 1", "SELECT 1"]
        assert batch.results[1].rows == [(1,)]
        assert [row.i for row in db.stream("select i from t", batch=1)] == [1]
        chunks: list[bytes] = []
        assert db.copy_out("t", chunks.append) == "COPY 1"
        assert b"".join(chunks) == b"1\n"
        for row in db.stream("select generate_series(1, 5) i", batch=2):
            assert row.i == 1
            break
        assert db.fetchval("select 1") == 1


def test_a_block_without_a_statement_takes_no_connection(one: Database) -> None:
    with one.connection(), one.transaction(), one.transaction():
        pass


OPTIONS = [
    ({}, "read committed", "off", "off"),
    ({"isolation": "read_committed"}, "read committed", "off", "off"),
    ({"isolation": "repeatable_read"}, "repeatable read", "off", "off"),
    ({"isolation": "REPEATABLE READ", "readonly": True}, "repeatable read", "on", "off"),
    ({"isolation": "serializable"}, "serializable", "off", "off"),
    ({"isolation": "serializable", "readonly": True, "deferrable": True}, "serializable", "on", "on"),
]


@pytest.mark.parametrize(("options", "isolation", "readonly", "deferrable"), OPTIONS)
def test_options_are_the_transactions_and_nobody_elses(
    one: Database, options: dict[str, Any], isolation: str, readonly: str, deferrable: str
) -> None:
    query = (
        "select current_setting('transaction_isolation'), current_setting('transaction_read_only'), "
        "current_setting('transaction_deferrable')"
    )
    with one.transaction(**options):
        assert one.fetchrow(query) == (isolation, readonly, deferrable)
    assert one.fetchrow(query) == ("read committed", "off", "off")


WRONG = [
    ({"isolation": "snapshot"}, "'serializable'"),
    ({"isolation": 4}, "isolation=4"),
    ({"deferrable": True}, "readonly=True"),
    ({"isolation": "serializable", "deferrable": True}, "readonly=True"),
]


@pytest.mark.parametrize(("options", "said"), WRONG)
def test_options_that_there_are_not(db: Database, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        db.transaction(**options)


def test_a_nested_block_cannot_ask_for_another_transaction(db: Database) -> None:
    with db.transaction(isolation="repeatable_read"):
        with db.transaction(isolation="repeatable_read"):
            pass
        for options in ({"isolation": "serializable"}, {"readonly": True}):
            with pytest.raises(UsageError, match=r"detached\(\)"):
                with db.transaction(**options):
                    pass
        assert db.fetchval("select 1") == 1


def test_two_databases_have_transactions_of_their_own(
    db: Database, one: Database, t: str, outside: psycopg.Connection[Any]
) -> None:
    with pytest.raises(Broken):
        with db.transaction():
            put(db, 1)
            with one.transaction():
                put(one, 2)
                put(db, 3)
            assert seen(outside) == [2]
            raise Broken
    assert seen(outside) == [2]


def test_detached_is_outside(db: Database, t: str, outside: psycopg.Connection[Any]) -> None:
    with pytest.raises(Broken):
        with db.transaction():
            put(db, 1)
            with stretto.detached():
                put(db, 2)
                with db.transaction(isolation="serializable"):
                    put(db, 3)
            put(db, 4)
            raise Broken
    assert seen(outside) == [2, 3]


def test_a_connection_is_another_session(one: Database, db: Database, t: str) -> None:
    with db.transaction():
        put(db, 1)
        with db.connection() as connection:
            assert not connection.in_transaction
            assert connection.fetchval(SEEN) is None


# --- Nested blocks --------------------------------------------------------------------------------------------------


def test_an_error_in_a_nested_block_leaves_the_outer_one_usable(
    db: Database, t: str, outside: psycopg.Connection[Any]
) -> None:
    with db.transaction():
        put(db, 1)
        with pytest.raises(DivisionByZero):
            with db.transaction():
                put(db, 2)
                db.fetch("select 1 / 0")
        with db.transaction():
            put(db, 3)
            with pytest.raises(Broken):
                with db.transaction():
                    put(db, 4)
                    raise Broken
        assert db.fetchval(SEEN) == [1, 3]
    assert seen(outside) == [1, 3]


@pytest.mark.parametrize("statement", ["selec 1", "select 1 / 0; select 1", "insert into t values (1)", "select $1"])
def test_a_nested_block_may_fail_with_its_first_statement(db: Database, t: str, statement: str) -> None:
    with db.transaction():
        put(db, 1)
        with pytest.raises(stretto.Error):
            with db.transaction():
                db.execute(statement)
        assert db.fetchval(SEEN) == [1]


def test_a_nested_block_may_fail_with_the_first_statement_of_all(
    db: Database, t: str, outside: psycopg.Connection[Any]
) -> None:
    for statement in ("selec 1", "select 1/0", "insert into t values ('x')"):
        with db.transaction():
            with pytest.raises(stretto.Error):
                with db.transaction():
                    db.execute(statement)
            with pytest.raises(stretto.Error):
                with db.transaction():
                    db.fetch(statement)
            db.execute("insert into t values ($1) on conflict do nothing", 1)
            assert db.fetchval("select pg_current_xact_id_if_assigned() is null") in (False, True)
            assert seen(outside) == [] or statement != "selec 1"
    assert seen(outside) == [1]


def test_a_hundred_blocks_deep(db: Database, t: str, outside: psycopg.Connection[Any]) -> None:
    def deeper(depth: int) -> None:
        with db.transaction():
            put(db, depth)
            if depth < 100:
                deeper(depth + 1)
            if depth == 50:
                raise Broken

    with db.transaction():
        with pytest.raises(Broken):
            deeper(1)
        put(db, 0)
    assert seen(outside) == [0]
    with db.transaction():
        deeper(51)
    assert seen(outside) == [0, *range(51, 101)]


def test_the_outer_objects_verbs_refuse_while_a_nested_block_is_open(db: Database) -> None:
    with db.transaction() as outer:
        assert outer.fetchval("select 1") == 1
        with db.transaction() as inner:
            assert inner.fetchval("select 1") == 1
            with pytest.raises(UsageError, match="a nested transaction"):
                outer.fetchval("select 1")
        assert outer.fetchval("select 2") == 2


# --- What is raised -------------------------------------------------------------------------------------------------


def test_the_first_error_is_the_one_that_is_raised(db: Database, t: str) -> None:
    with pytest.raises(DivisionByZero) as caught:
        with db.transaction():
            with pytest.raises(DivisionByZero) as first:
                db.fetch("select 1 / 0")
            for verb in (db.fetch, db.execute):
                with pytest.raises(TransactionAborted, match="division by zero") as second:
                    verb("select 1")
                assert second.value.__cause__ is first.value
            db.execute("select 1")
    assert caught.value is first.value


def test_a_body_that_swallows_the_error_does_not_pass_for_success(
    db: Database, t: str, outside: psycopg.Connection[Any]
) -> None:
    with pytest.raises(UniqueViolation):
        with db.transaction():
            put(db, 1)
            with pytest.raises(UniqueViolation):
                put(db, 1)
    assert seen(outside) == []


def test_another_exception_of_the_body_goes_on_as_it_is(db: Database) -> None:
    with pytest.raises(Broken) as caught:
        with db.transaction():
            try:
                db.fetch("select 1 / 0")
            except DivisionByZero as error:
                raise Broken from error
    assert isinstance(caught.value.__cause__, DivisionByZero)


def test_errors_before_anything_is_sent_fail_nothing(db: Database, t: str, outside: psycopg.Connection[Any]) -> None:
    with db.transaction():
        for _ in range(2):
            with pytest.raises(EncodeError):
                db.execute("insert into t values ($1)", "x")
            with pytest.raises(UsageError):
                db.execute("insert into t values ($1)", 1, 2)
        put(db, 1)
        with pytest.raises(EncodeError):
            db.execute("insert into t values ($1)", "x")
    assert seen(outside) == [1]


def test_what_is_deferred_to_commit_is_raised_there(db: Database, t: str, outside: psycopg.Connection[Any]) -> None:
    outside.execute("create table u (i int references t deferrable initially deferred)")
    with pytest.raises(ForeignKeyViolation):
        with db.transaction():
            put(db, 1)
            db.execute("insert into u values (2)")
    assert seen(outside) == []
    assert db.fetchval("select 1") == 1


def test_positions_count_in_the_callers_statement(db: Database) -> None:
    for sql in ("select 1 +\n nonsense", "selec 1"):
        errors = []
        for verb in (db.execute, db.fetch):
            with pytest.raises(stretto.errors.DatabaseError) as caught:
                with db.transaction(isolation="serializable"):
                    verb(sql)
            errors.append((caught.value.position, str(caught.value), caught.value.query))
        assert errors[0] == errors[1]


def test_begin_that_fails_takes_the_statement_along(one: Database, t: str, outside: psycopg.Connection[Any]) -> None:
    """There is no such begin on a healthy server: one is made."""
    for verb in (one.execute, one.fetch):
        transaction = one.transaction()
        with pytest.raises(SqlSyntaxError):
            with transaction:
                getattr(transaction, "_origin", transaction)._entered().trunk.pending[:] = ["BEGINN"]
                verb("insert into t values (1)")
    assert seen(outside) == []
    assert one.fetchval("select 1") == 1


def test_a_readonly_transaction_refuses_to_write(one: Database, t: str) -> None:
    with pytest.raises(ReadOnlySqlTransaction):
        with one.transaction(readonly=True):
            put(one, 1)
    put(one, 1)


@pytest.mark.parametrize("by_hand", ["commit", "rollback", "end; select 1", "abort"])
def test_a_transaction_ended_by_hand_is_told(one: Database, t: str, by_hand: str) -> None:
    with pytest.raises(UsageError, match="was not sent: inside transaction"):
        with one.transaction():
            put(one, 1)
            one.execute(by_hand)
    assert one.fetchval("select count(*) from t") == 0
    assert one.fetchval("select pg_current_xact_id_if_assigned()::text") is None


# --- The end --------------------------------------------------------------------------------------------------------


def test_a_transaction_that_has_ended_says_where_it_was_opened(db: Database, t: str) -> None:
    with db.transaction() as outer:
        with db.transaction() as inner:
            pass
        with pytest.raises(TransactionClosed, match=r"test_transactions\.py:\d+"):
            inner.fetchval("select 1")
        with pytest.raises(UsageError, match="one block"):
            outer.__enter__()
    for transaction in (outer, inner):
        with pytest.raises(TransactionClosed, match=r"test_transactions\.py:\d+"):
            transaction.execute("insert into t values (1)")
    with pytest.raises(UsageError, match="enter it"):
        db.transaction().fetchval("select 1")
    assert db.fetchval(SEEN) is None


def test_a_connection_lost_inside_says_that_nothing_is_left(
    one: Database, t: str, outside: psycopg.Connection[Any]
) -> None:
    with pytest.raises(ConnectionLost, match="terminating") as caught:
        with one.transaction():
            put(one, 1)
            kill(outside, one.fetchval("select pg_backend_pid()"))
            one.fetchval("select 1")
    assert isinstance(caught.value.__cause__, AdminShutdown)
    assert caught.value.outcome in ("rolled_back", "not_sent")
    assert one.fetchval(SEEN) is None


def test_a_connection_lost_before_commit_was_rolled_back(
    one: Database, t: str, outside: psycopg.Connection[Any]
) -> None:
    called: list[str] = []
    with pytest.raises(ConnectionLost) as caught:
        with one.transaction() as transaction:
            transaction.on_commit(lambda: called.append("commit"))
            transaction.on_rollback(lambda: called.append("rollback"))
            put(one, 1)
            kill(outside, one.fetchval("select pg_backend_pid()"))
    assert caught.value.outcome == "rolled_back"
    assert caught.value.safe_to_retry
    assert called == ["rollback"]
    assert one.fetchval(SEEN) is None


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("idle_in_transaction_session_timeout", IdleInTransactionSessionTimeout),
        ("transaction_timeout", TransactionTimeout),
    ],
)
def test_a_transaction_that_the_server_ends_says_why(
    open_db: Any, t: str, outside: psycopg.Connection[Any], setting: str, why: type[Exception]
) -> None:
    """Between two statements; the server's reason is the root cause of all that follows, and the session is gone."""
    one = open_db(connections=1, server_settings={"search_path": t, setting: "50ms", "application_name": t})
    called: list[str] = []
    with pytest.raises(ConnectionLost) as caught:
        with one.transaction() as transaction:
            transaction.on_rollback(lambda: called.append("rollback"))
            put(one, 1)
            pid = one.fetchval("select pg_backend_pid()")
            while outside.execute("select 1 from pg_stat_activity where application_name = %s", (t,)).fetchone():
                pass
            with pytest.raises(ConnectionLost):
                one.fetchval("select 1")
            with pytest.raises(TransactionAborted) as after:
                one.fetchval("select 2")
            assert isinstance(after.value.__cause__, ConnectionLost)
    assert isinstance(caught.value.__cause__, why)
    assert caught.value.outcome in ("rolled_back", "not_sent")
    assert called == ["rollback"]
    assert one.fetchval(SEEN) is None
    assert one.fetchval("select pg_backend_pid()") != pid


def test_a_statement_that_a_transactions_timeout_ends_says_so(open_db: Any, t: str) -> None:
    one = open_db(connections=1, server_settings={"search_path": t, "transaction_timeout": "50ms"})
    with pytest.raises(ConnectionLost, match="transaction timeout") as caught:
        with one.transaction():
            put(one, 1)
            one.fetchval("select pg_sleep(60)")
    assert isinstance(caught.value.__cause__, TransactionTimeout)
    assert caught.value.outcome == "rolled_back"
    assert one.fetchval(SEEN) is None


def test_a_reserved_connection_has_transactions_too(one: Database, t: str, outside: psycopg.Connection[Any]) -> None:
    with one.connection() as connection:
        with connection.transaction(isolation="serializable"):
            connection.execute("insert into t values (1)")
            with pytest.raises(DivisionByZero):
                with connection.transaction():
                    connection.execute("select 1/0")
            connection.copy_in("t", [(2,)])
            assert [row.i for row in connection.stream("select i from t order by i", batch=1)] == [1, 2]
            assert seen(outside) == []
            assert connection.in_transaction
        assert seen(outside) == [1, 2]
        with pytest.raises(Broken):
            with connection.transaction():
                connection.execute("insert into t values (3)")
                raise Broken
        assert not connection.in_transaction
        assert connection.transact(lambda: connection.final.execute("insert into t values (4)")) == "INSERT 0 1"
        connection.execute("begin")
        with pytest.raises(UsageError, match="by hand"):
            with connection.transaction():
                connection.execute("insert into t values (5)")
    assert seen(outside) == [1, 2, 4]
