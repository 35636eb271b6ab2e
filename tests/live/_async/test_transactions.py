"""Transactions: what is kept, what is rolled back, what is raised, and what runs inside."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from tests.live.support import Broken, kill

import stretto
from stretto._async.database import AsyncDatabase
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


async def put(db: AsyncDatabase, *numbers: int) -> None:
    """A function that knows of no transaction."""
    for number in numbers:
        await db.execute("insert into t values ($1)", number)


# --- What is kept ---------------------------------------------------------------------------------------------------


async def test_leaving_commits_and_an_exception_rolls_back(
    db: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    async with db.transaction():
        await put(db, 1, 2)
        assert seen(outside) == []
        assert await db.fetchval(SEEN) == [1, 2]
    assert seen(outside) == [1, 2]
    with pytest.raises(Broken):
        async with db.transaction():
            await put(db, 3)
            raise Broken
    assert seen(outside) == [1, 2]
    assert await db.fetchval("select pg_current_xact_id_if_assigned()::text") is None


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
async def test_begin_rides_with_whatever_comes_first(
    db: AsyncDatabase, t: str, outside: psycopg.Connection[Any], first: Any, nested: bool, warm: bool
) -> None:
    if warm:
        await first(db)
        outside.execute("truncate t")
    with pytest.raises(Broken):
        async with db.transaction():
            if nested:
                async with db.transaction():
                    await first(db)
            else:
                await first(db)
            assert await db.fetchval(SEEN) == [1]
            assert seen(outside) == []
            raise Broken
    assert seen(outside) == []
    async with db.transaction():
        found = await first(db)
    assert seen(outside) == [1]
    if isinstance(found, stretto.Report):
        found = str(found)
    assert found in (None, "INSERT 0 1", "COPY 1", [(1,)]), "the answer to BEGIN was taken for the statement's"


async def test_a_batch_and_a_stream_and_a_copy_out_are_inside(db: AsyncDatabase, t: str) -> None:
    async with db.transaction():
        async with db.batch() as batch:
            batch.add("insert into t values ($1)", 1)
            batch.add("select i from t")
        assert [result.tag for result in batch.results] == ["INSERT 0 1", "SELECT 1"]
        assert batch.results[1].rows == [(1,)]
        assert [row.i async for row in db.stream("select i from t", batch=1)] == [1]
        chunks: list[bytes] = []
        assert await db.copy_out("t", chunks.append) == "COPY 1"
        assert b"".join(chunks) == b"1\n"
        async for row in db.stream("select generate_series(1, 5) i", batch=2):
            assert row.i == 1
            break
        assert await db.fetchval("select 1") == 1


async def test_a_block_without_a_statement_takes_no_connection(one: AsyncDatabase) -> None:
    async with one.connection(), one.transaction(), one.transaction():
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
async def test_options_are_the_transactions_and_nobody_elses(
    one: AsyncDatabase, options: dict[str, Any], isolation: str, readonly: str, deferrable: str
) -> None:
    query = (
        "select current_setting('transaction_isolation'), current_setting('transaction_read_only'), "
        "current_setting('transaction_deferrable')"
    )
    async with one.transaction(**options):
        assert await one.fetchrow(query) == (isolation, readonly, deferrable)
    assert await one.fetchrow(query) == ("read committed", "off", "off")


WRONG = [
    ({"isolation": "snapshot"}, "'serializable'"),
    ({"isolation": 4}, "isolation=4"),
    ({"deferrable": True}, "readonly=True"),
    ({"isolation": "serializable", "deferrable": True}, "readonly=True"),
]


@pytest.mark.parametrize(("options", "said"), WRONG)
async def test_options_that_there_are_not(db: AsyncDatabase, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        db.transaction(**options)


async def test_a_nested_block_cannot_ask_for_another_transaction(db: AsyncDatabase) -> None:
    async with db.transaction(isolation="repeatable_read"):
        async with db.transaction(isolation="repeatable_read"):
            pass
        for options in ({"isolation": "serializable"}, {"readonly": True}):
            with pytest.raises(UsageError, match=r"detached\(\)"):
                async with db.transaction(**options):
                    pass
        assert await db.fetchval("select 1") == 1


async def test_two_databases_have_transactions_of_their_own(
    db: AsyncDatabase, one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    with pytest.raises(Broken):
        async with db.transaction():
            await put(db, 1)
            async with one.transaction():
                await put(one, 2)
                await put(db, 3)
            assert seen(outside) == [2]
            raise Broken
    assert seen(outside) == [2]


async def test_detached_is_outside(db: AsyncDatabase, t: str, outside: psycopg.Connection[Any]) -> None:
    with pytest.raises(Broken):
        async with db.transaction():
            await put(db, 1)
            with stretto.detached():
                await put(db, 2)
                async with db.transaction(isolation="serializable"):
                    await put(db, 3)
            await put(db, 4)
            raise Broken
    assert seen(outside) == [2, 3]


async def test_a_connection_is_another_session(one: AsyncDatabase, db: AsyncDatabase, t: str) -> None:
    async with db.transaction():
        await put(db, 1)
        async with db.connection() as connection:
            assert not connection.in_transaction
            assert await connection.fetchval(SEEN) is None


# --- Nested blocks --------------------------------------------------------------------------------------------------


async def test_an_error_in_a_nested_block_leaves_the_outer_one_usable(
    db: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    async with db.transaction():
        await put(db, 1)
        with pytest.raises(DivisionByZero):
            async with db.transaction():
                await put(db, 2)
                await db.fetch("select 1 / 0")
        async with db.transaction():
            await put(db, 3)
            with pytest.raises(Broken):
                async with db.transaction():
                    await put(db, 4)
                    raise Broken
        assert await db.fetchval(SEEN) == [1, 3]
    assert seen(outside) == [1, 3]


@pytest.mark.parametrize("statement", ["selec 1", "select 1 / 0; select 1", "insert into t values (1)", "select $1"])
async def test_a_nested_block_may_fail_with_its_first_statement(db: AsyncDatabase, t: str, statement: str) -> None:
    async with db.transaction():
        await put(db, 1)
        with pytest.raises(stretto.Error):
            async with db.transaction():
                await db.execute(statement)
        assert await db.fetchval(SEEN) == [1]


async def test_a_nested_block_may_fail_with_the_first_statement_of_all(
    db: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    for statement in ("selec 1", "select 1/0", "insert into t values ('x')"):
        async with db.transaction():
            with pytest.raises(stretto.Error):
                async with db.transaction():
                    await db.execute(statement)
            with pytest.raises(stretto.Error):
                async with db.transaction():
                    await db.fetch(statement)
            await db.execute("insert into t values ($1) on conflict do nothing", 1)
            assert await db.fetchval("select pg_current_xact_id_if_assigned() is null") in (False, True)
            assert seen(outside) == [] or statement != "selec 1"
    assert seen(outside) == [1]


async def test_a_hundred_blocks_deep(db: AsyncDatabase, t: str, outside: psycopg.Connection[Any]) -> None:
    async def deeper(depth: int) -> None:
        async with db.transaction():
            await put(db, depth)
            if depth < 100:
                await deeper(depth + 1)
            if depth == 50:
                raise Broken

    async with db.transaction():
        with pytest.raises(Broken):
            await deeper(1)
        await put(db, 0)
    assert seen(outside) == [0]
    async with db.transaction():
        await deeper(51)
    assert seen(outside) == [0, *range(51, 101)]


async def test_the_outer_objects_verbs_refuse_while_a_nested_block_is_open(db: AsyncDatabase) -> None:
    async with db.transaction() as outer:
        assert await outer.fetchval("select 1") == 1
        async with db.transaction() as inner:
            assert await inner.fetchval("select 1") == 1
            with pytest.raises(UsageError, match="a nested transaction"):
                await outer.fetchval("select 1")
        assert await outer.fetchval("select 2") == 2


# --- What is raised -------------------------------------------------------------------------------------------------


async def test_the_first_error_is_the_one_that_is_raised(db: AsyncDatabase, t: str) -> None:
    with pytest.raises(DivisionByZero) as caught:
        async with db.transaction():
            with pytest.raises(DivisionByZero) as first:
                await db.fetch("select 1 / 0")
            for verb in (db.fetch, db.execute):
                with pytest.raises(TransactionAborted, match="division by zero") as second:
                    await verb("select 1")
                assert second.value.__cause__ is first.value
            await db.execute("select 1")
    assert caught.value is first.value


async def test_a_body_that_swallows_the_error_does_not_pass_for_success(
    db: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    with pytest.raises(UniqueViolation):
        async with db.transaction():
            await put(db, 1)
            with pytest.raises(UniqueViolation):
                await put(db, 1)
    assert seen(outside) == []


async def test_another_exception_of_the_body_goes_on_as_it_is(db: AsyncDatabase) -> None:
    with pytest.raises(Broken) as caught:
        async with db.transaction():
            try:
                await db.fetch("select 1 / 0")
            except DivisionByZero as error:
                raise Broken from error
    assert isinstance(caught.value.__cause__, DivisionByZero)


async def test_errors_before_anything_is_sent_fail_nothing(
    db: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    async with db.transaction():
        for _ in range(2):
            with pytest.raises(EncodeError):
                await db.execute("insert into t values ($1)", "x")
            with pytest.raises(UsageError):
                await db.execute("insert into t values ($1)", 1, 2)
        await put(db, 1)
        with pytest.raises(EncodeError):
            await db.execute("insert into t values ($1)", "x")
    assert seen(outside) == [1]


async def test_what_is_deferred_to_commit_is_raised_there(
    db: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    outside.execute("create table u (i int references t deferrable initially deferred)")
    with pytest.raises(ForeignKeyViolation):
        async with db.transaction():
            await put(db, 1)
            await db.execute("insert into u values (2)")
    assert seen(outside) == []
    assert await db.fetchval("select 1") == 1


async def test_positions_count_in_the_callers_statement(db: AsyncDatabase) -> None:
    for sql in ("select 1 +\n nonsense", "selec 1"):
        errors = []
        for verb in (db.execute, db.fetch):
            with pytest.raises(stretto.errors.DatabaseError) as caught:
                async with db.transaction(isolation="serializable"):
                    await verb(sql)
            errors.append((caught.value.position, str(caught.value), caught.value.query))
        assert errors[0] == errors[1]


async def test_begin_that_fails_takes_the_statement_along(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    """There is no such begin on a healthy server: one is made."""
    for verb in (one.execute, one.fetch):
        transaction = one.transaction()
        with pytest.raises(SqlSyntaxError):
            async with transaction:
                getattr(transaction, "_origin", transaction)._entered().trunk.pending[:] = ["BEGINN"]
                await verb("insert into t values (1)")
    assert seen(outside) == []
    assert await one.fetchval("select 1") == 1


async def test_a_readonly_transaction_refuses_to_write(one: AsyncDatabase, t: str) -> None:
    with pytest.raises(ReadOnlySqlTransaction):
        async with one.transaction(readonly=True):
            await put(one, 1)
    await put(one, 1)


@pytest.mark.parametrize("by_hand", ["commit", "rollback", "end; select 1", "abort"])
async def test_a_transaction_ended_by_hand_is_told(one: AsyncDatabase, t: str, by_hand: str) -> None:
    with pytest.raises(UsageError, match="was not sent: inside transaction"):
        async with one.transaction():
            await put(one, 1)
            await one.execute(by_hand)
    assert await one.fetchval("select count(*) from t") == 0
    assert await one.fetchval("select pg_current_xact_id_if_assigned()::text") is None


# --- The end --------------------------------------------------------------------------------------------------------


async def test_a_transaction_that_has_ended_says_where_it_was_opened(db: AsyncDatabase, t: str) -> None:
    async with db.transaction() as outer:
        async with db.transaction() as inner:
            pass
        with pytest.raises(TransactionClosed, match=r"test_transactions\.py:\d+"):
            await inner.fetchval("select 1")
        with pytest.raises(UsageError, match="one block"):
            await outer.__aenter__()
    for transaction in (outer, inner):
        with pytest.raises(TransactionClosed, match=r"test_transactions\.py:\d+"):
            await transaction.execute("insert into t values (1)")
    with pytest.raises(UsageError, match="enter it"):
        await db.transaction().fetchval("select 1")
    assert await db.fetchval(SEEN) is None


async def test_a_connection_lost_inside_says_that_nothing_is_left(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    with pytest.raises(ConnectionLost, match="terminating") as caught:
        async with one.transaction():
            await put(one, 1)
            kill(outside, await one.fetchval("select pg_backend_pid()"))
            await one.fetchval("select 1")
    assert isinstance(caught.value.__cause__, AdminShutdown)
    assert caught.value.outcome in ("rolled_back", "not_sent")
    assert await one.fetchval(SEEN) is None


async def test_a_connection_lost_before_commit_was_rolled_back(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    called: list[str] = []
    with pytest.raises(ConnectionLost) as caught:
        async with one.transaction() as transaction:
            transaction.on_commit(lambda: called.append("commit"))
            transaction.on_rollback(lambda: called.append("rollback"))
            await put(one, 1)
            kill(outside, await one.fetchval("select pg_backend_pid()"))
    assert caught.value.outcome == "rolled_back"
    assert caught.value.safe_to_retry
    assert called == ["rollback"]
    assert await one.fetchval(SEEN) is None


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("idle_in_transaction_session_timeout", IdleInTransactionSessionTimeout),
        ("transaction_timeout", TransactionTimeout),
    ],
)
async def test_a_transaction_that_the_server_ends_says_why(
    open_db: Any, t: str, outside: psycopg.Connection[Any], setting: str, why: type[Exception]
) -> None:
    """Between two statements; the server's reason is the root cause of all that follows, and the session is gone."""
    one = open_db(connections=1, server_settings={"search_path": t, setting: "50ms", "application_name": t})
    called: list[str] = []
    with pytest.raises(ConnectionLost) as caught:
        async with one.transaction() as transaction:
            transaction.on_rollback(lambda: called.append("rollback"))
            await put(one, 1)
            pid = await one.fetchval("select pg_backend_pid()")
            while outside.execute("select 1 from pg_stat_activity where application_name = %s", (t,)).fetchone():
                pass
            with pytest.raises(ConnectionLost):
                await one.fetchval("select 1")
            with pytest.raises(TransactionAborted) as after:
                await one.fetchval("select 2")
            assert isinstance(after.value.__cause__, ConnectionLost)
    assert isinstance(caught.value.__cause__, why)
    assert caught.value.outcome in ("rolled_back", "not_sent")
    assert called == ["rollback"]
    assert await one.fetchval(SEEN) is None
    assert await one.fetchval("select pg_backend_pid()") != pid


async def test_a_statement_that_a_transactions_timeout_ends_says_so(open_db: Any, t: str) -> None:
    one = open_db(connections=1, server_settings={"search_path": t, "transaction_timeout": "50ms"})
    with pytest.raises(ConnectionLost, match="transaction timeout") as caught:
        async with one.transaction():
            await put(one, 1)
            await one.fetchval("select pg_sleep(60)")
    assert isinstance(caught.value.__cause__, TransactionTimeout)
    assert caught.value.outcome == "rolled_back"
    assert await one.fetchval(SEEN) is None


async def test_a_reserved_connection_has_transactions_too(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    async with one.connection() as connection:
        async with connection.transaction(isolation="serializable"):
            await connection.execute("insert into t values (1)")
            with pytest.raises(DivisionByZero):
                async with connection.transaction():
                    await connection.execute("select 1/0")
            await connection.copy_in("t", [(2,)])
            assert [row.i async for row in connection.stream("select i from t order by i", batch=1)] == [1, 2]
            assert seen(outside) == []
            assert connection.in_transaction
        assert seen(outside) == [1, 2]
        with pytest.raises(Broken):
            async with connection.transaction():
                await connection.execute("insert into t values (3)")
                raise Broken
        assert not connection.in_transaction
        assert await connection.transact(lambda: connection.final.execute("insert into t values (4)")) == "INSERT 0 1"
        await connection.execute("begin")
        with pytest.raises(UsageError, match="by hand"):
            async with connection.transaction():
                await connection.execute("insert into t values (5)")
    assert seen(outside) == [1, 2, 4]
