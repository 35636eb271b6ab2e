"""Transactions in threads and greenlets, and savepoints against a model: any order of blocks, errors and statements."""

from __future__ import annotations

import contextlib
import contextvars
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.live.support import Broken, until
from tests.live.test_runtimes import run_program

import stretto
from stretto._sync.database import Database
from stretto._sync.transaction import Transaction
from stretto.errors import TransactionAborted, TransactionClosed, UsageError
from stretto.runtime.turns import Turns

RUNNING = (
    "select count(*) from pg_stat_activity where application_name = %s and query like '%%pg_sleep(600)%%' "
    "and state = 'active'"
)
SEEN = "select array_agg(i order by i) from t"


@pytest.fixture
def t(outside: psycopg.Connection[Any], schema: str) -> str:
    """A table of numbers, each once."""
    outside.execute("create table t (i int primary key)")
    return schema


def in_context(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """A function that runs in a copy of this context, as a task would."""
    context = contextvars.copy_context()
    return lambda: context.run(function, *arguments)


def test_a_thread_has_no_part_in_anothers_transaction(db: Database, t: str) -> None:
    with db.transaction():
        db.execute("insert into t values (1)")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(db.fetchval, SEEN).result() is None
            assert pool.submit(in_context(db.fetchval, SEEN)).result() == [1]


def test_threads_of_one_context_take_turns(db: Database, t: str) -> None:
    def work(number: int) -> int:
        for i in range(10):
            db.execute("insert into t values ($1)", number * 10 + i)
        if number % 2:
            with db.transaction():
                db.execute("delete from t where i = $1", number * 10)
                with pytest.raises(Broken), db.transaction():
                    db.execute("delete from t")
                    raise Broken
        return db.fetchval("select pg_backend_pid()")  # type: ignore[no-any-return]  # a number

    with db.transaction(), ThreadPoolExecutor(8) as pool:
        pids = {future.result() for future in [pool.submit(in_context(work, number)) for number in range(8)]}
        assert len(pids) == 1
    kept = [number for number in range(80) if number not in (10, 30, 50, 70)]
    assert db.fetchval(SEEN) == kept


def test_a_thread_that_joins_leaves_a_stream_whole(db: Database, t: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        for number in (1, 2):
            had: list[int] = []
            with db.transaction() as transaction:
                for row in db.stream("select generate_series(1, 50)", batch=5):
                    had.append(row[0])
                    if row[0] == 7:
                        pool.submit(transaction.execute, "insert into t values ($1)", number).result(30)
            assert had == list(range(1, 51))
    assert db.fetchval(SEEN) == [1, 2]


SLEEPS = "select count(*) from pg_stat_activity where application_name = %s and wait_event = 'PgSleep'"


def test_a_signal_handler_does_not_wait_for_its_own_thread(
    db: Database, t: str, outside: psycopg.Connection[Any]
) -> None:
    """It interrupts a statement of the transaction that it would join; outside of it, it has another connection."""
    told: list[Any] = []

    def handler(*_: object) -> None:
        try:
            db.fetchval("select 1")
        except UsageError as error:
            told.append(str(error))
        with stretto.detached():
            told.append(db.fetchval("select count(*) from t"))

    def interrupt() -> None:
        until(outside, SLEEPS, t, wanted=1)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with ThreadPoolExecutor(1) as pool, db.transaction():
            db.execute("insert into t values (1)")
            interrupting = pool.submit(interrupt)
            assert db.fetchval("select 'done' from pg_sleep(1)") == "done"
            interrupting.result(30)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [type(each) for each in told] == [str, int]
    assert "signal handler" in told[0]
    assert told[1] == 0
    assert db.fetchval(SEEN) == [1]


def test_a_turn_that_comes_to_a_waiting_thread_is_its_own() -> None:
    turns = Turns()
    turns.enter(True, None)
    with pytest.raises(UsageError, match="detached"):
        turns.enter(True, None)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait_twice, turns)
        while not turns._waiting:
            pass
        turns.leave(True)
        assert waiting.result(30) == "told"
    turns.enter(True, None)
    turns.leave(True)


def wait_twice(turns: Turns) -> str:
    turns.enter(True, 30.0)
    try:
        turns.enter(True, 30.0)
    except UsageError:
        return "told"
    finally:
        turns.leave(True)
    return "came in"


def test_a_thread_that_has_a_turn_does_not_wait_for_its_own_end() -> None:
    turns = Turns()
    assert turns.try_enter(True)
    assert not turns.seize(lambda: None, TransactionAborted)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(turns.seize, lambda: None, TransactionAborted)
        turns.leave(True)
        assert other.result()


def test_a_thread_that_outlives_the_block_is_told(db: Database, t: str) -> None:
    go = threading.Event()

    def late() -> None:
        go.wait(20)
        db.execute("insert into t values (1)")

    with ThreadPoolExecutor(1) as pool:
        with db.transaction():
            future = pool.submit(in_context(late))
        go.set()
        with pytest.raises(TransactionClosed, match=r"test_transactions_threads\.py:\d+"):
            future.result()
    assert db.fetchval(SEEN) is None


@pytest.mark.parametrize("nested", [False, True])
def test_a_threads_statement_is_cancelled_where_the_block_is_left(
    db: Database, t: str, outside: psycopg.Connection[Any], nested: bool
) -> None:
    with ThreadPoolExecutor(1) as pool, db.transaction() if nested else contextlib.nullcontext():
        if nested:
            db.execute("insert into t values (0)")
        with pytest.raises(Broken), db.transaction():
            db.execute("insert into t values (1)")
            running = pool.submit(in_context(db.fetchval, "select pg_sleep(600)"))
            until(outside, RUNNING, t, wanted=1)
            raise Broken
        with pytest.raises(TransactionAborted, match="was left by Broken while it ran"):
            running.result(20)
        assert db.fetchval(SEEN) == ([0] if nested else None)
    until(outside, RUNNING, t, wanted=0)
    assert db.stats().held == 0
    assert db.stats().opened <= 2


def test_a_body_that_fails_does_not_wait_for_the_nested_block_of_another_thread(db: Database, t: str) -> None:
    opened, go = threading.Event(), threading.Event()

    def nested() -> None:
        with db.transaction():
            db.execute("insert into t values (2)")
            opened.set()
            assert go.wait(20)

    with ThreadPoolExecutor(1) as pool:
        with contextlib.suppress(ZeroDivisionError), db.transaction():
            db.execute("insert into t values (1)")
            future = pool.submit(in_context(nested))
            assert opened.wait(20)
            raise ZeroDivisionError
        assert db.stats().held == 0
        go.set()
        with pytest.raises(TransactionClosed, match=r"test_transactions_threads\.py:\d+"):
            future.result()
    assert db.fetchval(SEEN) is None


def test_transfers_of_many_threads_lose_nothing(open_db: Callable[..., Any], outside: psycopg.Connection[Any]) -> None:
    """Conflicts are tried again: the sum never changes, and each transfer that was acknowledged is there."""
    db = open_db(connections=8)
    outside.execute("create table account (id int primary key, balance int); create table ledger (id int primary key)")
    outside.execute("insert into account select i, 100 from generate_series(1, 4) i")

    @stretto.transactional(db, isolation="serializable", attempts=1000)
    def transfer(number: int) -> None:
        give, take = number % 4 + 1, (number // 4 + number + 1) % 4 + 1
        balance = db.fetchval("select balance from account where id = $1", give)
        db.execute("update account set balance = $2 where id = $1", give, balance - 1)
        balance = db.fetchval("select balance from account where id = $1", take)
        db.execute("update account set balance = $2 where id = $1", take, balance + 1)
        db.execute("insert into ledger values ($1)", number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(transfer, range(80)))
    assert db.fetchval("select sum(balance) from account") == 400
    assert db.fetchval("select count(*) from ledger") == 80


def test_a_function_of_the_other_world_is_refused(db: Database) -> None:
    async def work() -> None:
        raise AssertionError

    with pytest.raises(stretto.errors.UsageError, match="AsyncDatabase"):
        db.transact(work)


def test_an_interrupt_at_any_statement_leaves_nothing(one: Database, t: str) -> None:
    with pytest.raises(KeyboardInterrupt), one.transaction():
        one.execute("insert into t values (1)")
        raise KeyboardInterrupt
    assert one.fetchval(SEEN) is None


# --- gevent ---------------------------------------------------------------------------------------------------------

GEVENT = """
from gevent import monkey
monkey.patch_all()
import contextlib
import contextvars, sys
import gevent
import stretto
from stretto.errors import TransactionClosed, UsageError

with stretto.Database(sys.argv[1], connections=3) as db:
    db.execute(f"create table {sys.argv[2]} (i int)")
    insert = f"insert into {sys.argv[2]} values ($1)"

    def own(number):
        try:
            with db.transaction():
                db.execute(insert, number)
                gevent.sleep(0)
                if number % 2:
                    raise KeyError
        except KeyError:
            pass

    gevent.joinall([gevent.spawn(own, number) for number in range(20)], raise_error=True)
    assert db.fetchval(f"select count(*) from {sys.argv[2]}") == 10

    def join(number):
        db.execute(insert, number)
        with db.transaction():
            db.execute(insert, number)

    late = gevent.event.Event()

    def outlive():
        late.wait()
        try:
            db.execute(insert, 1)
        except TransactionClosed:
            return "closed"

    try:
        with db.transaction():
            spawn = lambda function, *args: gevent.spawn(contextvars.copy_context().run, function, *args)
            gevent.joinall([spawn(join, number) for number in range(20)], raise_error=True)
            assert db.fetchval(f"select count(*) from {sys.argv[2]}") == 50
            outliver = spawn(outlive)
            raise KeyError
    except KeyError:
        pass
    late.set()
    assert outliver.get() == "closed"
    print(db.fetchval(f"select count(*) from {sys.argv[2]}"))
"""


def test_greenlets_have_transactions_of_their_own_or_share_by_context(
    server_url: str, outside: psycopg.Connection[Any]
) -> None:
    table = f"gevent_{os.getpid()}"
    try:
        assert run_program(GEVENT, server_url, table) == "10"
    finally:
        outside.execute(f"drop table if exists public.{table}")


# --- Savepoints against a model -------------------------------------------------------------------------------------


def test_blocks_in_any_order_keep_what_a_model_keeps(
    open_db: Callable[..., Any], t: str, outside: psycopg.Connection[Any]
) -> None:
    db: Database = open_db(connections=2)

    class Blocks(RuleBasedStateMachine):
        """``levels``: what each open block sees; the last is the innermost. ``dead``: that block has failed."""

        def __init__(self) -> None:
            super().__init__()
            self.kept: list[int] = []
            self.levels: list[list[int]] = []
            self.blocks: list[Transaction] = []
            self.hooks: list[list[str]] = []
            self.called: list[str] = []
            self.dead = False
            self.next = 0

        @initialize()
        def empty(self) -> None:
            outside.execute("truncate t")

        @precondition(lambda self: len(self.levels) < 6 and not self.dead)
        @rule()
        def enter(self) -> None:
            block = db.transaction()
            block.__enter__()
            self.blocks.append(block)
            self.levels.append(list(self.levels[-1] if self.levels else self.kept))

        @precondition(lambda self: not self.dead)
        @rule(how=st.sampled_from(["arguments", "text", "many", "copy"]))
        def insert(self, how: str) -> None:
            number, self.next = self.next, self.next + 1
            if how == "arguments":
                db.execute("insert into t values ($1)", number)
            elif how == "text":
                db.execute(f"insert into t values ({number})")
            elif how == "many":
                db.executemany("insert into t values ($1)", [(number,)])
            else:
                db.copy_in("t", [(number,)])
            (self.levels[-1] if self.levels else self.kept).append(number)

        @precondition(lambda self: self.levels and not self.dead)
        @rule(sql=st.sampled_from(["select 1/0", "selec", "select 1; select 1/0", "insert into t values (null)"]))
        def fail(self, sql: str) -> None:
            with pytest.raises(stretto.errors.DatabaseError):
                db.execute(sql)
            self.dead = True

        @precondition(lambda self: self.dead)
        @rule()
        def use_the_dead(self) -> None:
            with pytest.raises(stretto.errors.TransactionAborted):
                db.fetchval("select 1")

        @precondition(lambda self: self.levels)
        @rule()
        def leave(self) -> None:
            block, level = self.blocks.pop(), self.levels.pop()
            if self.dead:
                with pytest.raises(stretto.errors.DatabaseError):
                    block.__exit__(None, None, None)
                self.dead = False
            else:
                block.__exit__(None, None, None)
                (self.levels[-1] if self.levels else self.kept)[:] = level

        @precondition(lambda self: self.levels)
        @rule()
        def leave_by_an_exception(self) -> None:
            error = Broken()
            assert not self.blocks.pop().__exit__(Broken, error, None)
            self.levels.pop()
            self.dead = False

        @precondition(lambda self: not self.dead)
        @rule()
        def look(self) -> None:
            assert (db.fetchval(SEEN) or []) == (self.levels[-1] if self.levels else self.kept)

        @invariant()
        def others_see_what_was_kept(self) -> None:
            (found,) = outside.execute(SEEN).fetchone() or (None,)
            assert (found or []) == self.kept

        def teardown(self) -> None:
            while self.blocks:
                self.blocks.pop().__exit__(Broken, Broken(), None)

    run_state_machine_as_test(
        Blocks,
        settings=settings(
            max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
