# Generated from tests/live/_async/test_transact.py by tools/make_sync.py: do not edit.
"""Functions run in transactions: tried again where that can help; hooks; deadlines; the last statement's COMMIT."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import psycopg
import pytest
from tests.live.support import Broken

import stretto
from stretto._sync.database import Database
from stretto.errors import ConnectionLost, PoolTimeout, StatementTimeout, TransactionClosed, UsageError
from stretto.sqlstate import DeadlockDetected, DivisionByZero, SerializationFailure, UniqueViolation

SEEN = "select array_agg(i order by i) from t"
RAISE = "do $$ begin raise exception 'again' using errcode = '{}'; end $$"


@pytest.fixture
def t(outside: psycopg.Connection[Any], schema: str) -> str:
    """A table of numbers, each once."""
    outside.execute("create table t (i int primary key)")
    return schema


def seen(outside: psycopg.Connection[Any]) -> list[int]:
    """What others see in the table."""
    (found,) = outside.execute(SEEN).fetchone() or (None,)
    return found or []


# --- transact() -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_a_conflict_is_tried_again(db: Database, t: str, outside: psycopg.Connection[Any], code: str) -> None:
    tries: list[int] = []

    def work(number: int) -> str:
        tries.append(number)
        db.execute("insert into t values ($1)", number)
        if len(tries) < 3:
            db.execute(RAISE.format(code))
        return "done"

    assert db.transact(work, 7) == "done"
    assert tries == [7, 7, 7]
    assert seen(outside) == [7]


def test_a_conflict_counts_by_the_first_error_of_the_server(db: Database, t: str) -> None:
    tries: list[int] = []

    def wrapped() -> None:
        tries.append(1)
        try:
            db.execute(RAISE.format("40001"))
        except stretto.Error as error:
            raise Broken from error

    with pytest.raises(Broken):
        db.transact(wrapped, attempts=3)
    assert len(tries) == 3

    def swallowed() -> None:
        tries.append(1)
        with pytest.raises(SerializationFailure):
            db.execute(RAISE.format("40001"))

    with pytest.raises(SerializationFailure):
        db.transact(swallowed, attempts=2)
    assert len(tries) == 5


def test_a_conflict_in_a_block_inside_is_tried_again_where_it_leaves_it(db: Database, t: str) -> None:
    tries: list[int] = []

    def inside(caught: bool) -> None:
        tries.append(1)
        try:
            with db.transaction(), db.transaction():
                db.execute(RAISE.format("40001"))
        except SerializationFailure:
            if not caught:
                raise

    with pytest.raises(SerializationFailure):
        db.transact(inside, False, attempts=3)
    assert len(tries) == 3
    db.transact(inside, True, attempts=3)
    assert len(tries) == 4


def test_a_conflict_at_commit_is_tried_again(db: Database, outside: psycopg.Connection[Any], t: str) -> None:
    """Write skew: what each has read the other writes; the server tells at the second COMMIT."""
    db.execute("insert into t values (1)")
    tries: list[int] = []

    def work() -> Any:
        tries.append(1)
        found = db.fetchval("select count(*) from t")
        if len(tries) == 1:
            with stretto.detached():
                with db.transaction(isolation="serializable"):
                    db.fetchval("select count(*) from t")
                    db.execute("insert into t values (2)")
        db.execute("insert into t values (3)")
        return found

    assert db.transact(work, isolation="serializable") == 2
    assert len(tries) == 2
    assert seen(outside) == [1, 2, 3]


def test_other_errors_are_not_tried_again(db: Database, t: str) -> None:
    tries: list[int] = []

    def work(sql: str) -> None:
        tries.append(1)
        db.execute(sql)
        raise Broken

    for sql, error in (("select 1/0", DivisionByZero), ("select 1", Broken), (RAISE.format("40003"), stretto.Error)):
        with pytest.raises(error):
            db.transact(work, sql)
    assert len(tries) == 3


def test_attempts_and_time_are_limited(db: Database) -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        db.execute(RAISE.format("40P01"))

    with pytest.raises(DeadlockDetected):
        db.transact(work, attempts=1)
    assert len(tries) == 1
    with pytest.raises((DeadlockDetected, StatementTimeout)):
        db.transact(work, attempts=10_000, timeout=0.2)
    assert len(tries) < 1000
    with pytest.raises(UsageError, match="at least one"):
        db.transact(work, attempts=0)


def test_inside_a_transaction_it_is_a_savepoint_and_called_once(
    db: Database, t: str, outside: psycopg.Connection[Any]
) -> None:
    tries: list[int] = []

    def work(code: str | None) -> None:
        tries.append(1)
        db.execute("insert into t values ($1)", len(tries))
        if code is not None:
            db.execute(RAISE.format(code))

    with db.transaction():
        with pytest.raises(SerializationFailure):
            db.transact(work, "40001")
        db.transact(work, None)
    assert len(tries) == 2
    assert seen(outside) == [2]


# --- The decorator --------------------------------------------------------------------------------------------------


def test_decorated_functions_find_their_database(db: Database, t: str, outside: psycopg.Connection[Any]) -> None:
    class Service:
        def __init__(self) -> None:
            self.db = db

        @stretto.transactional
        def by_attribute(self, number: int) -> bool:
            self.db.execute("insert into t values ($1)", number)
            return seen(outside) == []

    @stretto.transactional(isolation="serializable", attempts=2)
    def by_argument(number: int, database: Database) -> Any:
        return database.fetchval("show transaction_isolation")

    @stretto.transactional(db, readonly=True)
    def by_name() -> Any:
        """Its own text."""
        return db.fetchval("show transaction_read_only")

    assert Service().by_attribute(1)
    assert seen(outside) == [1]
    assert by_argument(1, database=db) == by_argument(1, db) == "serializable"
    assert by_name() == "on"
    assert by_name.__doc__ == "Its own text."
    with pytest.raises(UsageError, match="no Database among its arguments"):
        by_argument(1, None)  # type: ignore[arg-type]  # that is the point


# --- Generators -----------------------------------------------------------------------------------------------------


def test_a_generator_function_is_refused(db: Database, t: str) -> None:
    """It would run when its transaction has ended."""

    def generate(number: int) -> Any:
        db.execute("insert into t values ($1)", number)
        yield number

    class Callable_:
        def __call__(self) -> Any:
            yield db.execute("insert into t values (1)")

    for function in (generate, partial(generate, 1), Callable_()):
        with pytest.raises(UsageError, match="is a generator function"):
            db.transact(function)
    for decorate in (stretto.transactional, stretto.transactional(db)):
        with pytest.raises(UsageError, match=r"generate\(\) is a generator function"):
            decorate(generate)

    def wrapped() -> Any:
        db.execute("insert into t values (2)")
        return generate(3)

    with pytest.raises(UsageError, match="returned generate, a generator"):
        db.transact(wrapped)
    with pytest.raises(UsageError, match="a generator, which would run"):
        db.transact(lambda: db.stream("insert into t values (4) returning i"))
    assert db.fetchval(SEEN) is None, "what it did before is rolled back"


# --- Hooks ----------------------------------------------------------------------------------------------------------


def test_hooks_run_after_the_outermost_end_in_order(db: Database, t: str) -> None:
    called: list[str] = []

    def note(what: str) -> None:
        found = db.fetchval(SEEN)
        called.append(f"{what} {found}")

    with db.transaction() as outer:
        db.on_commit(lambda: note("first"))
        outer.on_rollback(lambda: called.append("never"))
        with db.transaction() as inner:
            inner.on_commit(lambda: note("inner"))
            db.execute("insert into t values (1)")
        with pytest.raises(Broken):
            with db.transaction():
                db.on_commit(lambda: called.append("never, it was rolled back"))
                db.on_rollback(lambda: called.append("inner rollback"))
                with db.transaction():
                    db.on_rollback(lambda: called.append("innermost rollback"))
                raise Broken
        assert called == ["inner rollback", "innermost rollback"]
        outer.on_commit(lambda: called.append("last"))
    assert called == ["inner rollback", "innermost rollback", "first [1]", "inner [1]", "last"]
    for hook in (db.on_commit, db.on_rollback):
        with pytest.raises(UsageError, match="runs in a transaction"):
            hook(lambda: None)


def test_a_hook_that_fails_hides_nothing(db: Database, t: str, caplog: pytest.LogCaptureFixture) -> None:
    called: list[str] = []

    def fail() -> None:
        raise Broken

    with caplog.at_level(logging.ERROR, "stretto"):
        with db.transaction():
            db.on_commit(fail)
            db.on_commit(lambda: called.append("next"))
            db.execute("insert into t values (1)")
        with pytest.raises(DivisionByZero):
            with db.transaction():
                db.on_rollback(fail)
                db.execute("select 1/0")
    assert called == ["next"]
    assert [record.message.partition(" opened")[0] for record in caplog.records] == ["a hook of the transaction"] * 2
    assert db.fetchval(SEEN) == [1]


class Interrupt(BaseException):
    """As KeyboardInterrupt, which pytest would take for its own."""


def test_a_hook_that_is_interrupted_keeps_no_other_from_being_called(db: Database, t: str) -> None:
    called: list[str] = []

    def interrupted() -> None:
        called.append("interrupted")
        raise Interrupt

    with pytest.raises(Interrupt):
        with db.transaction():
            db.on_commit(interrupted)
            db.on_commit(lambda: called.append("commit"))
            db.execute("insert into t values (1)")
    with pytest.raises(Interrupt):
        with db.transaction(), db.transaction():
            db.on_rollback(interrupted)
            db.on_rollback(lambda: called.append("rollback"))
            raise Broken
    assert called == ["interrupted", "commit", "interrupted", "rollback"]
    assert db.fetchval(SEEN) == [1]


def test_a_hook_of_a_block_that_has_ended_is_refused(db: Database, t: str, caplog: pytest.LogCaptureFixture) -> None:
    called: list[str] = []

    def late() -> None:
        called.append("a hook")
        transaction.on_commit(lambda: called.append("late"))

    with caplog.at_level(logging.ERROR, "stretto"):
        with db.transaction() as transaction:
            with db.transaction() as nested:
                db.execute("insert into t values (1)")
            for hook in (nested.on_commit, nested.on_rollback):
                with pytest.raises(TransactionClosed, match="would never be called"):
                    hook(lambda: called.append("late"))
            transaction.on_commit(late)
    assert called == ["a hook"]
    assert "would never be called" in caplog.text
    for hook in (transaction.on_commit, transaction.on_rollback):
        with pytest.raises(TransactionClosed, match="would never be called"):
            hook(lambda: called.append("late"))
    with db.transaction() as transaction:
        transaction.final.execute("insert into t values (2)")
        with pytest.raises(TransactionClosed):
            transaction.on_commit(lambda: called.append("late"))
    assert called == ["a hook"]


# --- The last statement ---------------------------------------------------------------------------------------------


def test_commit_rides_with_the_last_statement(one: Database, t: str, outside: psycopg.Connection[Any]) -> None:
    called: list[str] = []
    for number in range(3):
        with one.transaction() as transaction:
            transaction.on_commit(lambda: called.append("commit"))
            found = transaction.final.fetchval("insert into t values ($1) returning i", number)
            assert found == number
            assert seen(outside) == list(range(number + 1))
            assert len(called) == number + 1
            with pytest.raises(TransactionClosed):
                one.execute("insert into t values (9)")
    assert one.transact(lambda: one.final.execute("delete from t")) == "DELETE 3"
    assert seen(outside) == []
    with pytest.raises(UsageError, match="final"):
        one.final.execute("select 1")


def test_a_last_statement_that_fails_rolls_back(one: Database, t: str, outside: psycopg.Connection[Any]) -> None:
    outside.execute("create table u (i int references t deferrable initially deferred)")
    for last in ("insert into t values (1)", "insert into u values (9)", "selec"):
        for verb in ("execute", "fetch"):
            called: list[str] = []
            with pytest.raises(stretto.errors.DatabaseError) as caught:
                with one.transaction() as transaction:
                    transaction.on_rollback(lambda called=called: called.append("rollback"))
                    one.execute("insert into t values (1)")
                    getattr(transaction.final, verb)(last)
            assert caught.value.sqlstate in ("23505", "23503", "42601")
            assert called == ["rollback"]
            assert seen(outside) == []
    with pytest.raises(UniqueViolation):
        with one.transaction() as transaction:
            with pytest.raises(UniqueViolation):
                transaction.final.execute("insert into t values ($1), ($1)", 1)
    assert one.fetchval("select 1") == 1


def test_a_last_statement_that_was_not_sent_leaves_the_block_open(
    one: Database, t: str, outside: psycopg.Connection[Any]
) -> None:
    with one.transaction() as transaction:
        with pytest.raises(UsageError):
            transaction.final.execute("insert into t values ($1)", 1, 2)
        transaction.final.executemany("insert into t values ($1)", [])
        one.execute("insert into t values (1)")
        with one.transaction() as inner:
            inner.final.execute("insert into t values ($1)", 2)
            one.execute("insert into t values (3)")
            with pytest.raises(UsageError, match="nested"):
                transaction.final.execute("select 1")
        assert seen(outside) == []
    assert seen(outside) == [1, 2, 3]


# --- Deadlines ------------------------------------------------------------------------------------------------------


def test_a_deadline_is_for_all_inside(open_db: Any) -> None:
    db = open_db(connections=1)
    with stretto.deadline(0.1), pytest.raises(StatementTimeout, match=r"the deadline of 0\.1 seconds has passed"):
        db.fetch("select pg_sleep(60)")
    with stretto.deadline(0.1), pytest.raises(StatementTimeout, match=r"the deadline of 0\.1"):
        with db.transaction():
            db.fetch("select pg_sleep(60)")
    with stretto.deadline(0.1):
        with db.connection() as connection:
            with stretto.detached(), pytest.raises(StatementTimeout, match=r"the deadline of 0\.1"):
                connection.fetch("select pg_sleep(60)")
    with db.connection():
        with stretto.deadline(0.1), pytest.raises(PoolTimeout, match=r"the deadline of 0\.1"):
            db.fetch("select 1")
        with stretto.deadline(0.1), pytest.raises(PoolTimeout, match=r"the deadline of 0\.1"):
            with db.connection():
                pass
    assert db.fetchval("select 1") == 1


def test_the_nearest_limit_counts(one: Database) -> None:
    with stretto.deadline(60), stretto.deadline(0.1), stretto.deadline(50):
        with pytest.raises(StatementTimeout, match=r"deadline of 0\.1"):
            one.fetch("select pg_sleep(60)")
        with pytest.raises(StatementTimeout, match=r"deadline of 0\.1"):
            one.fetch("select pg_sleep(60)")
    assert one.fetchval("select 1") == 1  # the connection has recovered
    with stretto.deadline(60), pytest.raises(StatementTimeout, match=r"^no answer within 0\.05"):
        one.fetch("select pg_sleep(60)", timeout=0.05)
    with pytest.raises(UsageError), stretto.deadline(-1):
        pass
    assert one.fetchval("select 1") == 1


def test_a_transactions_timeout_rolls_it_back(one: Database, t: str, outside: psycopg.Connection[Any]) -> None:
    with pytest.raises(StatementTimeout, match=r"the deadline of 0\.1"):
        with one.transaction(timeout=0.1):
            one.execute("insert into t values (1)")
            with pytest.raises(StatementTimeout):
                one.fetch("select pg_sleep(60)")
    with pytest.raises(StatementTimeout, match=r"the deadline of 0\.01"):
        with one.transaction(timeout=0.01):
            one.execute("insert into t values (1)")
            outside.execute("select pg_sleep(0.02)")
    assert one.fetchval(SEEN) is None


def test_a_statement_given_up_fails_its_block_only(one: Database, t: str, outside: psycopg.Connection[Any]) -> None:
    for first in (True, False):
        with one.transaction():
            if not first:
                one.execute("insert into t values (1)")
            with pytest.raises(StatementTimeout):
                with one.transaction():
                    one.fetch("select pg_sleep(60)", timeout=0.05)
            one.execute("insert into t values ($1)", 2)
        assert seen(outside) == ([2] if first else [1, 2])
        outside.execute("truncate t")


def test_a_lost_connection_is_not_tried_again(one: Database, outside: psycopg.Connection[Any], t: str) -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        one.execute("insert into t values (1)")
        outside.execute("select pg_terminate_backend(%s)", (one.fetchval("select pg_backend_pid()"),))
        one.fetchval("select pg_sleep(10)")

    with pytest.raises(ConnectionLost) as caught:
        one.transact(work)
    assert caught.value.outcome in ("rolled_back", "not_sent")
    assert len(tries) == 1
