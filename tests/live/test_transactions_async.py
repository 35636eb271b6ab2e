"""Transactions on asyncio: tasks that join, outlive, fail and are cancelled; pipelining on the one connection."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import Any

import psycopg
import pytest
from tests.live.support import Broken, until

import stretto
from stretto import Model, field, relation, select
from stretto._async.database import AsyncDatabase
from stretto.errors import TransactionAborted, TransactionClosed, UsageError
from stretto.sqlstate import DivisionByZero, UniqueViolation

SEEN = "select array_agg(i order by i) from t"
OPEN = "select count(*) from pg_stat_activity where application_name = %s and state like 'idle in transaction%%'"
RUNNING_ONE = "select count(*) from pg_stat_activity where application_name = %s and wait_event = 'PgSleep'"
COMMITTING = (
    "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and query like '%%COMMIT' and "
    "application_name = %s"
)
SLOW_COMMIT = """
create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.2); return null; end $$;
create constraint trigger slow after insert on t deferrable initially deferred for each row execute function slow()
"""


class Thing(Model, table="t"):
    i: int = field(primary_key=True, references="t.i")
    same: list[Thing] = relation("i")


@pytest.fixture
def t(outside: psycopg.Connection[Any], schema: str) -> str:
    """A table of numbers, each once."""
    outside.execute("create table t (i int primary key)")
    return schema


async def put(db: AsyncDatabase, number: int) -> None:
    await db.execute("insert into t values ($1)", number)


async def test_gather_inside_is_on_the_one_connection(db: AsyncDatabase, t: str) -> None:
    for _ in range(3):
        async with db.transaction():
            pids = await asyncio.gather(*(db.fetchval("select pg_backend_pid()") for _ in range(20)))
            assert len(set(pids)) == 1
            await asyncio.gather(*(put(db, number) for number in range(20)))
            assert await db.fetchval(SEEN) == list(range(20))
            await db.execute("delete from t")


async def test_the_root_cause_comes_out_of_gather(db: AsyncDatabase, t: str) -> None:
    for warm in (False, True):
        with pytest.raises(DivisionByZero) as caught:
            async with db.transaction():
                if warm:
                    await put(db, 1)
                await asyncio.gather(
                    *(put(db, number) for number in (2, 3)),
                    db.fetch("select 1 / 0"),
                    *(put(db, number) for number in (4, 5)),
                )
        assert not isinstance(caught.value.__context__, DivisionByZero)
        assert await db.fetchval(SEEN) is None


async def test_those_behind_the_root_cause_name_it(db: AsyncDatabase, t: str) -> None:
    with pytest.raises(UniqueViolation) as caught:
        async with db.transaction():
            await put(db, 1)
            found = await asyncio.gather(put(db, 1), put(db, 2), db.fetch("select 1"), return_exceptions=True)
    assert [type(error) for error in found] == [UniqueViolation, TransactionAborted, TransactionAborted]
    assert [error.__cause__ for error in found[1:]] == [caught.value, caught.value]
    assert not found[1].retryable


async def test_a_task_group_inside(db: AsyncDatabase, t: str) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with db.transaction(), asyncio.TaskGroup() as group:
            await put(db, 1)
            group.create_task(put(db, 1))
            group.create_task(db.fetch("select pg_sleep(60)"))
    assert type(caught.value.exceptions[0]) is UniqueViolation
    assert await db.fetchval(SEEN) is None


async def test_a_task_group_that_only_heard_of_the_root_cause(db: AsyncDatabase, t: str) -> None:
    with pytest.raises(DivisionByZero):
        async with db.transaction():
            with pytest.raises(DivisionByZero):
                await db.fetch("select 1 / 0")
            async with asyncio.TaskGroup() as group:
                group.create_task(put(db, 1))
                group.create_task(put(db, 2))


async def test_a_task_group_around_gets_its_cancellation(db: AsyncDatabase, t: str) -> None:
    async def work(fail: bool) -> None:
        async with db.transaction():
            await put(db, int(fail))
            if fail:
                raise Broken
            await db.fetch("select pg_sleep(3)")

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(work(False))
            group.create_task(work(True))
    assert [type(error) for error in caught.value.exceptions] == [Broken]
    assert await db.fetchval(SEEN) is None


async def test_a_task_that_outlives_its_block_is_told(db: AsyncDatabase, t: str) -> None:
    go = asyncio.Event()

    async def child() -> None:
        await go.wait()
        await put(db, 2)

    async def nested_child() -> None:
        await go.wait()
        async with db.transaction():
            await put(db, 3)

    async def free() -> None:
        await go.wait()
        await put(db, 4)

    async with db.transaction():
        await put(db, 1)
        tasks = [asyncio.create_task(child()), asyncio.create_task(nested_child())]
        with stretto.detached():
            detached = asyncio.create_task(free())
    go.set()
    for task in tasks:
        with pytest.raises(TransactionClosed, match=r"opened at .*test_transactions_async\.py:\d+ has ended"):
            await task
    await detached
    assert await db.fetchval(SEEN) == [1, 4]


async def test_a_task_that_joins_leaves_a_stream_whole(db: AsyncDatabase, t: str) -> None:
    """Also while the stream waits for its next batch: its turn comes first, and then theirs."""
    for number in (1, 2):
        had: list[int] = []
        async with db.transaction(), asyncio.TaskGroup() as group:
            seven = asyncio.Event()
            group.create_task(stream(db, had, seven))
            await seven.wait()
            group.create_task(db.execute("insert into t values ($1)", number))
        assert had == list(range(1, 501))
    assert await db.fetchval(SEEN) == [1, 2]


async def stream(db: AsyncDatabase, had: list[int], seven: asyncio.Event) -> None:
    async for row in db.stream("select generate_series(1, 500)", batch=5):
        had.append(row[0])
        if row[0] == 7:
            seven.set()
        await asyncio.sleep(0)


async def test_a_statement_under_way_is_waited_for_at_commit(db: AsyncDatabase, t: str) -> None:
    async with db.transaction():
        await put(db, 1)
        task = asyncio.create_task(db.execute("insert into t select 2 from pg_sleep(0.05)"))
        await asyncio.sleep(0)
    assert task.done()
    assert await task == "INSERT 0 1"
    assert await db.fetchval(SEEN) == [1, 2]


async def test_a_nested_block_of_another_task_is_waited_for_at_commit(db: AsyncDatabase, t: str) -> None:
    async def nested() -> None:
        async with db.transaction():
            await put(db, 2)
            open_now.set()
            await leaving.wait()
            await put(db, 3)

    open_now, leaving = asyncio.Event(), asyncio.Event()
    async with db.transaction():
        await put(db, 1)
        task = asyncio.ensure_future(nested())
        await open_now.wait()
        asyncio.get_running_loop().call_later(0.01, leaving.set)
    await task
    assert await db.fetchval(SEEN) == [1, 2, 3]


async def test_a_nested_block_whose_task_has_ended_is_not_waited_for(db: AsyncDatabase, t: str) -> None:
    async def pieces() -> Any:
        async with db.transaction():
            await put(db, 2)
            yield 1

    async def first() -> None:  # as asyncio.wait_for() does in Python 3.11
        assert await anext(generator) == 1

    generator = pieces()
    with pytest.raises(UsageError, match=r"nested one opened at .*test_transactions_async.py:.* was still open"):
        async with db.transaction():
            await put(db, 1)
            await asyncio.ensure_future(first())
    assert db.stats().held == 0
    assert await db.fetchval(SEEN) is None
    await generator.aclose()


async def test_a_generator_that_the_loop_closes_slowly_is_waited_for(db: AsyncDatabase, t: str) -> None:
    async def pieces() -> Any:
        async with db.transaction():
            await put(db, 2)
            try:
                yield 1
            finally:
                await db.execute("select pg_sleep(0.05)")
                await asyncio.sleep(0)

    async with db.transaction():
        await put(db, 1)
        async for _ in pieces():
            break
    assert await db.fetchval(SEEN) == [1]


async def test_a_body_that_fails_does_not_wait_for_its_tasks(db: AsyncDatabase, t: str) -> None:
    with pytest.raises(Broken):
        async with db.transaction():
            await put(db, 1)
            task = asyncio.create_task(db.fetch("select pg_sleep(60)"))
            await asyncio.sleep(0)
            raise Broken
    with pytest.raises(TransactionAborted, match="was left by Broken") as told:
        await task
    assert isinstance(told.value.__cause__, Broken)
    assert await db.fetchval("select count(*) from t where i = 1") == 0


async def sleeping(db: AsyncDatabase, schema: str, outside: psycopg.Connection[Any]) -> asyncio.Task[Any]:
    """A task whose statement is known to run on the server."""
    task = asyncio.create_task(db.fetch("select pg_sleep(60)"))
    await asyncio.sleep(0)
    await asyncio.to_thread(until, outside, RUNNING_ONE, schema, wanted=1)
    return task


@pytest.mark.parametrize("cancelled", [False, True], ids=["raises", "cancelled"])
async def test_what_a_left_block_still_runs_is_cancelled_on_the_server(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any], cancelled: bool
) -> None:
    """Its row is free, and its connection is the next one's."""
    await put(one, 1)
    opened = one.stats().opened
    tasks: list[asyncio.Task[Any]] = []

    async def work() -> None:
        async with one.transaction():
            await one.execute("update t set i = i where i = 1")
            tasks.append(await sleeping(one, t, outside))
            if cancelled:
                await asyncio.Event().wait()
            raise Broken

    working = asyncio.create_task(work())
    if cancelled:
        while not tasks:
            await asyncio.wait((working,), timeout=0.01)
        working.cancel()
    with pytest.raises(asyncio.CancelledError if cancelled else Broken):
        await working
    with pytest.raises(TransactionAborted, match="was left by"):
        await tasks[0]
    await one.execute("update t set i = i where i = 1")
    assert outside.execute(RUNNING_ONE, (t,)).fetchone() == (0,)
    assert one.stats().opened == opened


async def test_what_a_left_nested_block_still_runs_is_cancelled_too(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    async with one.transaction():
        await put(one, 1)
        with pytest.raises(Broken):
            async with one.transaction():
                await put(one, 2)
                task = await sleeping(one, t, outside)
                raise Broken
        await put(one, 3)
        with pytest.raises(TransactionAborted, match="was left by Broken"):
            await task
    assert await one.fetchval(SEEN) == [1, 3]
    assert one.stats().opened == 1


async def test_blocks_in_a_gather_that_fails_keep_the_connection(one: AsyncDatabase, t: str) -> None:
    async def block(number: int) -> None:
        async with one.transaction():
            await put(one, number)
            if number == 2:
                raise Broken

    for _ in range(5):
        with pytest.raises(Broken):
            async with one.transaction():
                await asyncio.gather(*map(block, (1, 2, 3)))
    assert await one.fetchval(SEEN) is None
    assert one.stats().opened == 1


async def test_no_answer_goes_astray_where_blocks_are_left_at_any_moment(one: AsyncDatabase, t: str) -> None:
    """What runs beside is given up, and what comes next on the connection gets its own answer."""

    async def ask(number: int) -> None:
        for each in range(number, number + 3):
            with contextlib.suppress(TransactionAborted, TransactionClosed):
                assert await one.fetchval("select $1::int", each) == each
                assert await one.fetchmany("select $1::int + 1", [(each,), (each,)]) == [(each + 1,)] * 2

    async def after(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        raise Broken

    for turns in range(60):
        with pytest.raises(Broken):
            async with one.transaction():
                tasks = [asyncio.create_task(ask(10 * turns + each)) for each in (0, 3, 6)]
                await after(turns)
        assert await one.fetchval("select $1::int", -turns) == -turns
        await asyncio.gather(*tasks)
    assert one.stats().opened == 1


async def test_a_task_that_is_cancelled_in_a_hook_calls_the_others(one: AsyncDatabase, t: str) -> None:
    called: list[str] = []
    begun = asyncio.Event()

    async def slow() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def other() -> None:
        called.append(await one.fetchval("select 'after ' || count(*) from t"))

    async def work() -> None:
        async with one.transaction() as transaction:
            transaction.on_commit(slow)
            transaction.on_commit(other)
            await put(one, 1)

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert called == ["after 1"]


async def test_whoever_still_uses_a_connection_that_was_given_back_is_told(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    async with one.connection() as connection:
        task = asyncio.create_task(connection.fetch("select pg_sleep(60)"))
        await asyncio.to_thread(until, outside, RUNNING_ONE, t, wanted=1)
    with pytest.raises(UsageError, match="the block of this connection ended"):
        await task
    assert await one.fetchval("select 1") == 1


# --- Nested blocks in tasks -----------------------------------------------------------------------------------------


async def test_siblings_go_one_after_the_other_and_only_the_failed_is_rolled_back(db: AsyncDatabase, t: str) -> None:
    order: list[str] = []

    async def sibling(number: int) -> None:
        async with db.transaction():
            order.append(f"{number} begins")
            await put(db, number)
            await asyncio.sleep(0)
            if number % 2:
                await db.fetch("select 1 / 0")
            order.append(f"{number} ends")

    async with db.transaction():
        await asyncio.gather(*(sibling(number) for number in range(6)), return_exceptions=True)
    assert order == [
        *("0 begins", "0 ends", "1 begins", "2 begins", "2 ends", "3 begins", "4 begins", "4 ends", "5 begins")
    ]
    assert await db.fetchval(SEEN) == [0, 2, 4]


async def test_statements_of_the_outer_block_are_never_rolled_back_with_a_nested_one(db: AsyncDatabase, t: str) -> None:
    inside = asyncio.Event()

    async def nested() -> None:
        async with db.transaction():
            await put(db, 1)
            inside.set()
            await db.fetch("select pg_sleep(0.02)")
            raise Broken

    async def outer() -> None:
        await inside.wait()
        await put(db, 2)

    async with db.transaction():
        found = await asyncio.gather(nested(), outer(), return_exceptions=True)
        assert [type(one) for one in found] == [Broken, type(None)]
    assert await db.fetchval(SEEN) == [2]


async def test_whoever_waits_for_a_turn_may_be_cancelled(db: AsyncDatabase, t: str) -> None:
    async def nested(number: int) -> None:
        async with db.transaction():
            await put(db, number)
            await asyncio.sleep(0.001)

    async with db.transaction():
        tasks = [asyncio.create_task(nested(number)) for number in range(10)]
        tasks += [asyncio.create_task(put(db, number)) for number in range(10, 20)]
        await asyncio.sleep(0)
        for task in tasks[1::3]:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in found[1::3]] == [asyncio.CancelledError] * 7
        kept = [number for number in range(20) if number % 3 != 1]
        assert await db.fetchval(SEEN) == kept
    async with db.transaction():
        task = asyncio.create_task(nested(30))
        await asyncio.sleep(0)
        with pytest.raises(stretto.errors.StatementTimeout, match="in use by its other statements"):
            await db.fetchval("select 1", timeout=0.0001)
        await task


# --- Cancellation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", range(12))
async def test_a_transaction_may_be_cancelled_at_any_moment(one: AsyncDatabase, t: str, moment: int) -> None:
    """It is there as a whole or not at all; the next has a clean connection; the cancellation is delivered."""

    async def work() -> None:
        async with one.transaction():
            await put(one, 1)
            async with one.transaction():
                await put(one, 2)

    for _ in range(10):
        task = asyncio.create_task(work())
        for _ in range(moment):
            await asyncio.sleep(0)
        task.cancel()
        (found,) = await asyncio.gather(task, return_exceptions=True)
        assert found is None or isinstance(found, asyncio.CancelledError)
        seen = await one.fetchval(SEEN)
        assert seen in (None, [1, 2])
        assert seen == [1, 2] or found is not None
        assert await one.fetchval("select pg_current_xact_id_if_assigned()::text") is None
        await one.execute("delete from t")


async def test_a_cancelled_commit_is_not_cancelled_on_the_server(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    """The COMMIT takes its time by a deferred trigger; it takes place, and then the cancellation is delivered."""
    outside.execute(SLOW_COMMIT)
    called: list[str] = []

    async def work() -> None:
        async with one.transaction() as transaction:
            transaction.on_commit(lambda: called.append("commit"))
            await put(one, 1)

    task = asyncio.create_task(work())
    await asyncio.to_thread(until, outside, COMMITTING, t, wanted=1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert called == ["commit"]
    assert await one.fetchval(SEEN) == [1]
    called.clear()
    await one.execute("delete from t")
    with stretto.deadline(0.1):
        await work()
    assert called == ["commit"], "a late COMMIT that is answered has taken place"


async def test_a_cancelled_nested_block_leaves_the_outer_one_usable(db: AsyncDatabase, t: str) -> None:
    async with db.transaction():
        await put(db, 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02), db.transaction():
                await put(db, 2)
                await db.fetch("select pg_sleep(60)")
        await put(db, 3)
    assert await db.fetchval(SEEN) == [1, 3]


async def test_a_cancelled_statement_fails_its_block(db: AsyncDatabase, t: str) -> None:
    with pytest.raises(TransactionAborted) as caught:
        async with db.transaction():
            await put(db, 1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await db.fetch("select pg_sleep(60)")
            with pytest.raises(TransactionAborted):
                await put(db, 2)
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert await db.fetchval(SEEN) is None


async def test_a_copy_that_is_cancelled_fails_its_block(one: AsyncDatabase, t: str) -> None:
    async def endless(limit: asyncio.Timeout) -> Any:
        number = 0
        while True:
            yield ((number := number + 1),)
            if number == 20_000:  # the COPY has begun
                limit.reschedule(0.0)
            await asyncio.sleep(0)
            if number == 1000:
                limit.reschedule(0)

    with pytest.raises(TransactionAborted):
        async with one.transaction():
            await put(one, -1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as limit:
                    await one.copy_in("t", endless(limit))
            with pytest.raises(TransactionAborted):
                await put(one, -2)
    assert await one.fetchval(SEEN) is None


async def test_statements_during_a_copy_are_refused(one: AsyncDatabase, t: str) -> None:
    async def rows() -> Any:
        yield (1,)
        with pytest.raises(UsageError, match="COPY is running"):
            await put(one, 2)
        with pytest.raises(UsageError, match="COPY is running"):
            await one.fetchval("select 1")
        yield (3,)

    async with one.transaction():
        assert str(await one.copy_in("t", rows())) == "COPY 2"
    assert await one.fetchval(SEEN) == [1, 3]


# --- What is forgotten ----------------------------------------------------------------------------------------------


async def test_a_forgotten_transaction_is_found_out(
    one: AsyncDatabase, t: str, outside: psycopg.Connection[Any]
) -> None:
    async def forget() -> weakref.ref[Any]:
        transaction = one.transaction()
        await transaction.__aenter__()
        await put(one, 1)
        return weakref.ref(transaction)

    with pytest.warns(ResourceWarning, match=r"opened at .*test_transactions_async\.py:\d+> was forgotten"):
        reference = await asyncio.create_task(forget())
    assert reference() is None
    assert await one.fetchval(SEEN) is None
    until(outside, OPEN, t, wanted=0)


async def test_a_forgotten_transaction_lets_nothing_more_in(one: AsyncDatabase, t: str) -> None:
    async def forget() -> None:
        transaction = one.transaction()
        await transaction.__aenter__()
        await put(one, 1)
        with pytest.warns(ResourceWarning, match="forgotten"):
            del transaction
        with pytest.raises(TransactionClosed):
            await put(one, 2)

    await asyncio.create_task(forget())
    assert await one.fetchval(SEEN) is None


async def test_a_graph_behind_a_begin_by_hand_joins_its_transaction(db: AsyncDatabase, t: str) -> None:
    query = select(Thing).include(Thing.same, strategy="trip")
    async with db.connection() as connection:
        assert await connection.fetch(query) == []  # from now on it is known, and one trip
        answers = await asyncio.gather(
            connection.execute("begin"),
            connection.execute("insert into t values (1)"),
            connection.fetch(query),
            connection.execute("insert into t values (2)"),
            connection.fetch(query),
            connection.execute("rollback"),
        )
        assert [[one.same == [one] for one in objects] for objects in (answers[2], answers[4])] == [[True], [True] * 2]
        assert await connection.fetch(query) == []
