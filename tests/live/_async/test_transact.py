"""Functions run in transactions: tried again where that can help; hooks; deadlines; the last statement's COMMIT."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import psycopg
import pytest
from tests.live.support import Broken

import stretto
from stretto._async.database import AsyncDatabase
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
async def test_a_conflict_is_tried_again(
    db: AsyncDatabase, t: str, outside: psycopg.Connection[Any], code: str
) -> None:
    tries: list[int] = []

    async def work(number: int) -> str:
        tries.append(number)
        await db.execute("insert into t values ($1)", number)
        if len(tries) < 3:
            await db.execute(RAISE.format(code))
        return "done"

    assert await db.transact(work, 7) == "done"
    assert tries == [7, 7, 7]
    assert seen(outside) == [7]


async def test_a_conflict_counts_by_the_first_error_of_the_server(db: AsyncDatabase, t: str) -> None:
    tries: list[int] = []

    async def wrapped() -> None:
        tries.append(1)
        try:
            await db.execute(RAISE.format("40001"))
        except stretto.Error as error:
            raise Broken from error

    with pytest.raises(Broken):
        await db.transact(wrapped, attempts=3)
    assert len(tries) == 3

    async def swallowed() -> None:
        tries.append(1)
        with pytest.raises(SerializationFailure):
            await db.execute(RAISE.format("40001"))

    with pytest.raises(SerializationFailure):
        await db.transact(swallowed, attempts=2)
    assert len(tries) == 5


async def test_a_conflict_in_a_block_inside_is_tried_again_where_it_leaves_it(db: AsyncDatabase, t: str) -> None:
    tries: list[int] = []

    async def inside(caught: bool) -> None:
        tries.append(1)
        try:
            async with db.transaction(), db.transaction():
                await db.execute(RAISE.format("40001"))
        except SerializationFailure:
            if not caught:
                raise

    with pytest.raises(SerializationFailure):
        await db.transact(inside, False, attempts=3)
    assert len(tries) == 3
    await db.transact(inside, True, attempts=3)
    assert len(tries) == 4


async def test_a_conflict_at_commit_is_tried_again(db: AsyncDatabase, outside: psycopg.Connection[Any], t: str) -> None:
    """Write skew: what each has read the other writes; the server tells at the second COMMIT."""
    await db.execute("insert into t values (1)")
    tries: list[int] = []

    async def work() -> Any:
        tries.append(1)
        found = await db.fetchval("select count(*) from t")
        if len(tries) == 1:
            with stretto.detached():
                async with db.transaction(isolation="serializable"):
                    await db.fetchval("select count(*) from t")
                    await db.execute("insert into t values (2)")
        await db.execute("insert into t values (3)")
        return found

    assert await db.transact(work, isolation="serializable") == 2
    assert len(tries) == 2
    assert seen(outside) == [1, 2, 3]


async def test_other_errors_are_not_tried_again(db: AsyncDatabase, t: str) -> None:
    tries: list[int] = []

    async def work(sql: str) -> None:
        tries.append(1)
        await db.execute(sql)
        raise Broken

    for sql, error in (("select 1/0", DivisionByZero), ("select 1", Broken), (RAISE.format("40003"), stretto.Error)):
        with pytest.raises(error):
            await db.transact(work, sql)
    assert len(tries) == 3


async def test_attempts_and_time_are_limited(db: AsyncDatabase) -> None:
    tries: list[int] = []

    async def work() -> None:
        tries.append(1)
        await db.execute(RAISE.format("40P01"))

    with pytest.raises(DeadlockDetected):
        await db.transact(work, attempts=1)
    assert len(tries) == 1
    with pytest.raises((DeadlockDetected, StatementTimeout)):
        await db.transact(work, attempts=10_000, timeout=0.2)
    assert len(tries) < 1000
    with pytest.raises(UsageError, match="at least one"):
        await db.transact(work, attempts=0)


async def test_inside_a_transaction_it_is_a_savepoint_and_called_once(
    db: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    tries: list[int] = []

    async def work(code: str | None) -> None:
        tries.append(1)
        await db.execute("insert into t values ($1)", len(tries))
        if code is not None:
            await db.execute(RAISE.format(code))

    async with db.transaction():
        with pytest.raises(SerializationFailure):
            await db.transact(work, "40001")
        await db.transact(work, None)
    assert len(tries) == 2
    assert seen(outside) == [2]


# --- The decorator --------------------------------------------------------------------------------------------------


async def test_decorated_functions_find_their_database(
    db: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    class Service:
        def __init__(self) -> None:
            self.db = db

        @stretto.transactional
        async def by_attribute(self, number: int) -> bool:
            await self.db.execute("insert into t values ($1)", number)
            return seen(outside) == []

    @stretto.transactional(isolation="serializable", attempts=2)
    async def by_argument(number: int, database: AsyncDatabase) -> Any:
        return await database.fetchval("show transaction_isolation")

    @stretto.transactional(db, readonly=True)
    async def by_name() -> Any:
        """Its own text."""
        return await db.fetchval("show transaction_read_only")

    assert await Service().by_attribute(1)
    assert seen(outside) == [1]
    assert await by_argument(1, database=db) == await by_argument(1, db) == "serializable"
    assert await by_name() == "on"
    assert by_name.__doc__ == "Its own text."
    with pytest.raises(UsageError, match="no Database among its arguments"):
        await by_argument(1, None)  # type: ignore[arg-type]  # that is the point


# --- Generators -----------------------------------------------------------------------------------------------------


async def test_a_generator_function_is_refused(db: AsyncDatabase, t: str) -> None:
    """It would run when its transaction has ended."""

    async def generate(number: int) -> Any:
        await db.execute("insert into t values ($1)", number)
        yield number

    class Callable_:
        async def __call__(self) -> Any:
            yield await db.execute("insert into t values (1)")

    for function in (generate, partial(generate, 1), Callable_()):
        with pytest.raises(UsageError, match="is a generator function"):
            await db.transact(function)
    for decorate in (stretto.transactional, stretto.transactional(db)):
        with pytest.raises(UsageError, match=r"generate\(\) is a generator function"):
            decorate(generate)

    async def wrapped() -> Any:
        await db.execute("insert into t values (2)")
        return generate(3)

    with pytest.raises(UsageError, match="returned generate, a generator"):
        await db.transact(wrapped)
    with pytest.raises(UsageError, match="a generator, which would run"):
        await db.transact(lambda: db.stream("insert into t values (4) returning i"))
    assert await db.fetchval(SEEN) is None, "what it did before is rolled back"


# --- Hooks ----------------------------------------------------------------------------------------------------------


async def test_hooks_run_after_the_outermost_end_in_order(db: AsyncDatabase, t: str) -> None:
    called: list[str] = []

    async def note(what: str) -> None:
        found = await db.fetchval(SEEN)
        called.append(f"{what} {found}")

    async with db.transaction() as outer:
        db.on_commit(lambda: note("first"))
        outer.on_rollback(lambda: called.append("never"))
        async with db.transaction() as inner:
            inner.on_commit(lambda: note("inner"))
            await db.execute("insert into t values (1)")
        with pytest.raises(Broken):
            async with db.transaction():
                db.on_commit(lambda: called.append("never, it was rolled back"))
                db.on_rollback(lambda: called.append("inner rollback"))
                async with db.transaction():
                    db.on_rollback(lambda: called.append("innermost rollback"))
                raise Broken
        assert called == ["inner rollback", "innermost rollback"]
        outer.on_commit(lambda: called.append("last"))
    assert called == ["inner rollback", "innermost rollback", "first [1]", "inner [1]", "last"]
    for hook in (db.on_commit, db.on_rollback):
        with pytest.raises(UsageError, match="runs in a transaction"):
            hook(lambda: None)


async def test_a_hook_that_fails_hides_nothing(db: AsyncDatabase, t: str, caplog: pytest.LogCaptureFixture) -> None:
    called: list[str] = []

    def fail() -> None:
        raise Broken

    with caplog.at_level(logging.ERROR, "stretto"):
        async with db.transaction():
            db.on_commit(fail)
            db.on_commit(lambda: called.append("next"))
            await db.execute("insert into t values (1)")
        with pytest.raises(DivisionByZero):
            async with db.transaction():
                db.on_rollback(fail)
                await db.execute("select 1/0")
    assert called == ["next"]
    assert [record.message.partition(" opened")[0] for record in caplog.records] == ["a hook of the transaction"] * 2
    assert await db.fetchval(SEEN) == [1]


class Interrupt(BaseException):
    """As KeyboardInterrupt, which pytest would take for its own."""


async def test_a_hook_that_is_interrupted_keeps_no_other_from_being_called(db: AsyncDatabase, t: str) -> None:
    called: list[str] = []

    def interrupted() -> None:
        called.append("interrupted")
        raise Interrupt

    with pytest.raises(Interrupt):
        async with db.transaction():
            db.on_commit(interrupted)
            db.on_commit(lambda: called.append("commit"))
            await db.execute("insert into t values (1)")
    with pytest.raises(Interrupt):
        async with db.transaction(), db.transaction():
            db.on_rollback(interrupted)
            db.on_rollback(lambda: called.append("rollback"))
            raise Broken
    assert called == ["interrupted", "commit", "interrupted", "rollback"]
    assert await db.fetchval(SEEN) == [1]


async def test_a_hook_of_a_block_that_has_ended_is_refused(
    db: AsyncDatabase, t: str, caplog: pytest.LogCaptureFixture
) -> None:
    called: list[str] = []

    def late() -> None:
        called.append("a hook")
        transaction.on_commit(lambda: called.append("late"))

    with caplog.at_level(logging.ERROR, "stretto"):
        async with db.transaction() as transaction:
            async with db.transaction() as nested:
                await db.execute("insert into t values (1)")
            for hook in (nested.on_commit, nested.on_rollback):
                with pytest.raises(TransactionClosed, match="would never be called"):
                    hook(lambda: called.append("late"))
            transaction.on_commit(late)
    assert called == ["a hook"]
    assert "would never be called" in caplog.text
    for hook in (transaction.on_commit, transaction.on_rollback):
        with pytest.raises(TransactionClosed, match="would never be called"):
            hook(lambda: called.append("late"))
    async with db.transaction() as transaction:
        await transaction.final.execute("insert into t values (2)")
        with pytest.raises(TransactionClosed):
            transaction.on_commit(lambda: called.append("late"))
    assert called == ["a hook"]


# --- The last statement ---------------------------------------------------------------------------------------------


async def test_commit_rides_with_the_last_statement(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    called: list[str] = []
    for number in range(3):
        async with one.transaction() as transaction:
            transaction.on_commit(lambda: called.append("commit"))
            found = await transaction.final.fetchval("insert into t values ($1) returning i", number)
            assert found == number
            assert seen(outside) == list(range(number + 1))
            assert len(called) == number + 1
            with pytest.raises(TransactionClosed):
                await one.execute("insert into t values (9)")
    assert await one.transact(lambda: one.final.execute("delete from t")) == "DELETE 3"
    assert seen(outside) == []
    with pytest.raises(UsageError, match="final"):
        await one.final.execute("select 1")


async def test_a_last_statement_that_fails_rolls_back(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    outside.execute("create table u (i int references t deferrable initially deferred)")
    for last in ("insert into t values (1)", "insert into u values (9)", "selec"):
        for verb in ("execute", "fetch"):
            called: list[str] = []
            with pytest.raises(stretto.errors.DatabaseError) as caught:
                async with one.transaction() as transaction:
                    transaction.on_rollback(lambda called=called: called.append("rollback"))
                    await one.execute("insert into t values (1)")
                    await getattr(transaction.final, verb)(last)
            assert caught.value.sqlstate in ("23505", "23503", "42601")
            assert called == ["rollback"]
            assert seen(outside) == []
    with pytest.raises(UniqueViolation):
        async with one.transaction() as transaction:
            with pytest.raises(UniqueViolation):
                await transaction.final.execute("insert into t values ($1), ($1)", 1)
    assert await one.fetchval("select 1") == 1


async def test_a_last_statement_that_was_not_sent_leaves_the_block_open(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    async with one.transaction() as transaction:
        with pytest.raises(UsageError):
            await transaction.final.execute("insert into t values ($1)", 1, 2)
        await transaction.final.executemany("insert into t values ($1)", [])
        await one.execute("insert into t values (1)")
        async with one.transaction() as inner:
            await inner.final.execute("insert into t values ($1)", 2)
            await one.execute("insert into t values (3)")
            with pytest.raises(UsageError, match="nested"):
                await transaction.final.execute("select 1")
        assert seen(outside) == []
    assert seen(outside) == [1, 2, 3]


# --- Deadlines ------------------------------------------------------------------------------------------------------


async def test_a_deadline_is_for_all_inside(open_db: Any) -> None:
    db = open_db(connections=1)
    with stretto.deadline(0.1), pytest.raises(StatementTimeout, match=r"the deadline of 0\.1 seconds has passed"):
        await db.fetch("select pg_sleep(60)")
    with stretto.deadline(0.1), pytest.raises(StatementTimeout, match=r"the deadline of 0\.1"):
        async with db.transaction():
            await db.fetch("select pg_sleep(60)")
    with stretto.deadline(0.1):
        async with db.connection() as connection:
            with stretto.detached(), pytest.raises(StatementTimeout, match=r"the deadline of 0\.1"):
                await connection.fetch("select pg_sleep(60)")
    async with db.connection():
        with stretto.deadline(0.1), pytest.raises(PoolTimeout, match=r"the deadline of 0\.1"):
            await db.fetch("select 1")
        with stretto.deadline(0.1), pytest.raises(PoolTimeout, match=r"the deadline of 0\.1"):
            async with db.connection():
                pass
    assert await db.fetchval("select 1") == 1


async def test_the_nearest_limit_counts(one: AsyncDatabase) -> None:
    with stretto.deadline(60), stretto.deadline(0.1), stretto.deadline(50):
        with pytest.raises(StatementTimeout, match=r"deadline of 0\.1"):
            await one.fetch("select pg_sleep(60)")
        with pytest.raises(StatementTimeout, match=r"deadline of 0\.1"):
            await one.fetch("select pg_sleep(60)")
    assert await one.fetchval("select 1") == 1  # the connection has recovered
    with stretto.deadline(60), pytest.raises(StatementTimeout, match=r"^no answer within 0\.05"):
        await one.fetch("select pg_sleep(60)", timeout=0.05)
    with pytest.raises(UsageError), stretto.deadline(-1):
        pass
    assert await one.fetchval("select 1") == 1


async def test_a_transactions_timeout_rolls_it_back(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    with pytest.raises(StatementTimeout, match=r"the deadline of 0\.1"):
        async with one.transaction(timeout=0.1):
            await one.execute("insert into t values (1)")
            with pytest.raises(StatementTimeout):
                await one.fetch("select pg_sleep(60)")
    with pytest.raises(StatementTimeout, match=r"the deadline of 0\.01"):
        async with one.transaction(timeout=0.01):
            await one.execute("insert into t values (1)")
            outside.execute("select pg_sleep(0.02)")
    assert await one.fetchval(SEEN) is None


async def test_a_statement_given_up_fails_its_block_only(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    for first in (True, False):
        async with one.transaction():
            if not first:
                await one.execute("insert into t values (1)")
            with pytest.raises(StatementTimeout):
                async with one.transaction():
                    await one.fetch("select pg_sleep(60)", timeout=0.05)
            await one.execute("insert into t values ($1)", 2)
        assert seen(outside) == ([2] if first else [1, 2])
        outside.execute("truncate t")


async def test_a_lost_connection_is_not_tried_again(
    one: AsyncDatabase, outside: psycopg.Connection[Any], t: str
) -> None:
    tries: list[int] = []

    async def work() -> None:
        tries.append(1)
        await one.execute("insert into t values (1)")
        outside.execute("select pg_terminate_backend(%s)", (await one.fetchval("select pg_backend_pid()"),))
        await one.fetchval("select pg_sleep(10)")

    with pytest.raises(ConnectionLost) as caught:
        await one.transact(work)
    assert caught.value.outcome in ("rolled_back", "not_sent")
    assert len(tries) == 1
