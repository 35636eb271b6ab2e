"""Who gives up disturbs nobody: what travels on a shared connection, seen from the wire by a proxy (asyncio)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import psycopg
import pytest
from chaos.proxy import Do, Proxy, Rule, on
from tests.live.support import Broken, until

from stretto._async.database import AsyncDatabase
from stretto.errors import (
    ConnectionLost,
    DatabaseError,
    EncodeError,
    Error,
    StatementTimeout,
)
from stretto.sqlstate import DivisionByZero, IdleSessionTimeout, LockNotAvailable, QueryCanceled, UniqueViolation

FAST = "select $1::int"


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def eventually(condition: Callable[[], Any], what: str = "") -> None:
    """Let the loop go on until something is so; fail after a long while."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError(what or "it never came to be so")


def at_rest(db: AsyncDatabase) -> bool:
    stats = db.stats()
    return not (stats.held or stats.shared or stats.waiting or stats.opening or stats.in_flight)


async def settled(db: AsyncDatabase) -> None:
    """Wait until nobody uses the pool; fails when something is never given back."""
    await eventually(lambda: at_rest(db), f"never at rest: {db.stats()}")


async def warm(db: AsyncDatabase) -> None:
    """Let statements be known to be short, so that they are packed on one connection."""
    for _ in range(20):
        await db.fetchval(FAST, 1)


async def test_what_was_not_sent_is_taken_back(server_url: str) -> None:
    """Cancelled in the same turn of the loop, it never leaves; neighbours do."""
    with Proxy.before(server_url) as proxy, Proxy.before(server_url) as other:
        async with (
            AsyncDatabase(proxy.url(server_url), connections=1) as db,
            AsyncDatabase(other.url(server_url), connections=1) as watcher,
        ):
            await warm(db)
            rule = proxy.add(Rule(on("F", "B"), Do.NOTE, times=None))
            head = asyncio.create_task(db.fetchval(FAST, 0))
            await asyncio.sleep(0)  # it is sent at once; what comes in the same turn waits for the turn's end
            link = db._pool.scheduler.lanes[0].link
            late = [asyncio.create_task(db.fetchval(FAST, i)) for i in range(1, 4)]
            asyncio.get_running_loop().call_soon(late[1].cancel)
            found = await asyncio.gather(head, *late, return_exceptions=True)
            assert [found[0], found[1], found[3]] == [0, 1, 3]
            assert isinstance(found[2], asyncio.CancelledError)
            assert rule.hits <= 4
            assert not link.machine.inflight
            assert await watcher.fetchval("select 1") == 1
            assert proxy.heard["F", "cancel"] == 0


async def test_who_waits_for_a_connection_and_is_cancelled_has_said_nothing(server_url: str) -> None:
    with Proxy.before(server_url) as proxy:
        async with AsyncDatabase(proxy.url(server_url), connections=1) as db:
            async with db.connection() as connection:
                await connection.fetchval("select 1")
                said = dict(proxy.heard)
                tasks = [asyncio.create_task(db.execute(f"select {i} as never_sent")) for i in range(20)]
                await asyncio.sleep(0)
                assert db.stats().waiting == 20
                for task in tasks:
                    task.cancel()
                done = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(isinstance(each, asyncio.CancelledError) for each in done)
                assert db.stats().waiting == 0
                assert await connection.fetchval("select 1") == 1
                assert proxy.heard["F", "Q"] == said.get(("F", "Q"), 0), "something of them was sent"
            assert await db.fetchval("select 1") == 1
            assert proxy.heard["F", "cancel"] == 0


async def test_neighbours_of_what_is_given_up_get_their_answers_and_no_cancel_is_sent(server_url: str) -> None:
    """The replies are held back by the proxy, so all are on the wire when every third is given up."""
    with Proxy.before(server_url) as proxy:
        async with AsyncDatabase(proxy.url(server_url), connections=1) as db:
            pid = await db.fetchval("select pg_backend_pid()")
            while True:
                await warm(db)
                hold = proxy.add(Rule(on("B", "2"), Do.HOLD))
                tasks = [asyncio.create_task(db.fetchval(FAST, i)) for i in range(60)]
                await eventually(hold.fired.is_set)
                if db.stats().in_flight == 60:
                    break
                hold.release()  # a busy machine took so long over the first that nobody was placed behind it
                await asyncio.gather(*tasks)
            for task in tasks[::3]:
                task.cancel()
            gone = await asyncio.gather(*tasks[::3], return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in gone), "they had to wait"
            hold.release()
            for i, task in enumerate(tasks):
                if i % 3:
                    assert await task == i
            await settled(db)
            assert proxy.heard["F", "cancel"] == 0
            assert await db.fetchval("select pg_backend_pid()") == pid


async def test_a_running_statement_is_not_cancelled_while_others_wait_behind_it(server_url: str) -> None:
    """It was known to be short, and is slow this once."""
    sql = "select $1::int from pg_sleep(case when $1::int < 0 then 0.2 else 0 end)"
    with Proxy.before(server_url) as proxy:
        async with AsyncDatabase(proxy.url(server_url), connections=1) as db:
            while True:
                for _ in range(20):
                    await db.fetchval(sql, 1)
                head = asyncio.create_task(db.fetchval(sql, -1))
                behind = [asyncio.create_task(db.fetchval(sql, i)) for i in range(10)]
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                if db.stats().in_flight > 1:
                    break
                await asyncio.gather(head, *behind)  # a busy machine took so long that nobody was placed behind it
            head.cancel()
            assert await asyncio.gather(*behind) == list(range(10))
            assert head.cancelled()
            assert proxy.heard["F", "cancel"] == 0
            await settled(db)


async def test_one_timeout_of_a_thousand(server_url: str) -> None:
    sql = "select $1::int from pg_sleep(case when $1::int = 500 then 0.3 else 0 end)"
    async with AsyncDatabase(server_url, connections=4) as db:
        for _ in range(20):
            await db.fetchval(sql, 1)
        found = await asyncio.gather(
            *(db.fetchval(sql, i, timeout=0.1 if i == 500 else None) for i in range(1000)), return_exceptions=True
        )
        assert isinstance(found.pop(500), StatementTimeout)
        assert found == [i for i in range(1000) if i != 500]
        await settled(db)
        assert db.stats().connections == db.stats().idle


async def test_late_cancels_hit_no_stranger(server_url: str) -> None:
    """Statements end while they are given up, again and again; nobody else may hear of a cancel."""
    sql = "select $1::int from pg_sleep(0.0004)"
    async with AsyncDatabase(server_url, connections=2) as db:
        await asyncio.gather(*(db.fetchval(sql, i) for i in range(20)))

        async def victim(turn: int) -> None:
            for i in range(300):
                try:
                    async with asyncio.timeout(0.0003 * (1 + (i * 7 + turn) % 9)):
                        assert await db.fetchval(sql, i) == i
                except TimeoutError:
                    pass

        async def stranger(turn: int) -> None:
            for i in range(300):
                assert await db.fetchval(FAST, turn * 1000 + i) == turn * 1000 + i

        await asyncio.gather(*map(victim, range(4)), *map(stranger, range(4)))
        await settled(db)


@pytest.mark.parametrize("mode", ["close", "reset", "silent"])
async def test_a_cancel_that_does_not_get_through_holds_nobody(
    server_url: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stretto.runtime.aio.CANCEL_GRACE", 0.3)
    with Proxy.before(server_url) as proxy:
        async with AsyncDatabase(proxy.url(server_url), connections=1) as db:
            pid = await db.fetchval("select pg_backend_pid()")
            proxy.mode = mode
            with pytest.raises(StatementTimeout):
                await db.fetchval("select pg_sleep(3)", timeout=0.02)
            await eventually(lambda: pid not in {lane.link.greeting.pid for lane in db._pool.scheduler.lanes})
            proxy.mode = "forward"
            assert await db.fetchval("select pg_backend_pid()") != pid
            assert db.stats().connections == 1


ERRORS = [
    ("parse", "selec 1", (), DatabaseError),
    ("bind", "select ($1::text)::int", ("no number",), DatabaseError),
    ("execute", "select 1 / ($1::int - $1::int)", (1,), DivisionByZero),
    ("deferred", "insert into deferred values ($1)", (1,), UniqueViolation),
]


@pytest.mark.parametrize(("sql", "args", "kind"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
async def test_an_error_is_its_callers_alone(
    open_db: Any, sql: str, args: tuple[Any, ...], kind: type[Exception]
) -> None:
    db = open_db(connections=1)
    await db.execute(
        "create table deferred (id int unique deferrable initially deferred); insert into deferred values (1)"
    )
    await warm(db)
    pid = await db.fetchval("select pg_backend_pid()")
    for _ in range(3):
        tasks = [db.fetchval(FAST, i) for i in range(10)]
        found = await asyncio.gather(*tasks[:5], db.fetch(sql, *args), *tasks[5:], return_exceptions=True)
        assert isinstance(found.pop(5), kind)
        assert found == list(range(10))
    assert await db.fetchval("select pg_backend_pid()") == pid


async def test_an_argument_that_cannot_be_encoded_says_nothing(server_url: str) -> None:
    with Proxy.before(server_url) as proxy:
        async with AsyncDatabase(proxy.url(server_url), connections=1) as db:
            await warm(db)
            said = dict(proxy.heard)
            for bad in ("text", 2**40, object(), 1.5):
                with pytest.raises(EncodeError):
                    await db.fetchval(FAST, bad)
            neighbours = await asyncio.gather(
                *(db.fetchval(FAST, i if i % 2 else "bad") for i in range(10)), return_exceptions=True
            )
            assert [each for each in neighbours if isinstance(each, int)] == [1, 3, 5, 7, 9]
            # A parameter's type may have changed, so the server is asked about the statement anew; it is not bound.
            assert proxy.heard["F", "B"] - said["F", "B"] == 5
            assert proxy.heard["F", "E"] - said["F", "E"] == 5


async def test_a_users_codec_that_raises_hurts_only_its_caller(open_db: Any) -> None:
    db = open_db(connections=1)
    await db.execute("create type mood as enum ('fine', 'bad')")

    def encode(value: Any) -> str:
        if value == "raise":
            raise Broken
        return str(value)

    def decode(text: str) -> str:
        if text == "bad":
            raise Broken
        return text.upper()

    db.set_type_codec("mood", encoder=encode, decoder=decode)
    sql = "select $1::mood"
    pid = await db.fetchval("select pg_backend_pid()")
    for _ in range(5):
        found = await asyncio.gather(
            db.fetchval(sql, "fine"), db.fetchval(sql, "raise"), db.fetchval(sql, "bad"), db.fetchval(FAST, 3),
            return_exceptions=True,
        )  # fmt: skip
        assert found[0] == "FINE"
        assert isinstance(found[1], Broken | Error)
        assert isinstance(found[2], Broken | Error)
        assert found[3] == 3
    assert await db.fetchval("select pg_backend_pid()") == pid


async def test_the_servers_timeouts_are_told_from_ours(open_db: Any, outside: psycopg.Connection[Any]) -> None:
    db = open_db(connections=1)
    await db.execute("create table locked (id int)")
    async with db.connection() as connection:
        await connection.execute("set statement_timeout = '20ms'")
        with pytest.raises(QueryCanceled) as canceled:
            await connection.execute("select pg_sleep(60)")
        await connection.execute("set statement_timeout = 0; set lock_timeout = '20ms'")
        with outside.transaction():
            outside.execute("lock table locked")
            with pytest.raises(LockNotAvailable) as locked:
                await connection.execute("select * from locked")
        with pytest.raises(StatementTimeout) as ours:
            await connection.execute("select pg_sleep(60)", timeout=0.02)
        await connection.execute("set idle_session_timeout = '20ms'")
        until(outside, "select count(*) from pg_stat_activity where pid = %s", connection.pid, wanted=0)
        with pytest.raises(ConnectionLost) as idle:
            await connection.execute("select 1")
    assert [canceled.value.sqlstate, locked.value.sqlstate] == ["57014", "55P03"]
    assert not isinstance(canceled.value, TimeoutError)
    assert ours.value.sqlstate is None
    assert isinstance(idle.value.__cause__, IdleSessionTimeout)
    assert await db.fetchval("select 1") == 1


# --- A cancellation at every await ------------------------------------------------------------------------------------


class Countdown:
    """Steps a coroutine as a task does, and throws a cancellation in at its n-th wait."""

    def __init__(self, work: Coroutine[Any, Any, Any], at: int) -> None:
        self.work = work
        self.at = at
        self.reached = False

    def __await__(self) -> Any:
        steps = self.work.__await__()
        value: Any = None
        for count in itertools.count():
            try:
                waited = steps.send(value) if count != self.at else self._cancel(steps)
            except StopIteration as stop:
                return stop.value
            value = yield waited

    def _cancel(self, steps: Any) -> Any:
        self.reached = True
        return steps.throw(asyncio.CancelledError())


async def use_statement(db: AsyncDatabase) -> None:
    assert await db.fetchval("select $1::int + 1", 1) == 2


async def use_connection(db: AsyncDatabase) -> None:
    async with db.connection() as connection:
        await connection.execute("set work_mem = '9MB'")
        await connection.fetchval("select 1")


async def use_transaction(db: AsyncDatabase) -> None:
    async with db.transaction():
        await db.execute("select 1")
        async with db.transaction():
            await db.fetchval("select 2")


async def use_stream(db: AsyncDatabase) -> None:
    rows: AsyncIterator[Any] = db.stream("select i from generate_series(1, 50) i", batch=10)
    async for _ in rows:
        pass


async def use_copy(db: AsyncDatabase) -> None:
    await db.copy_out("select i from generate_series(1, 50) i", lambda data: None)


async def use_and_close(db: AsyncDatabase) -> None:
    await db.fetchval("select 1")
    await db.close()


@pytest.mark.parametrize("fresh", [True, False], ids=["connecting", "connected"])
@pytest.mark.parametrize(
    "use", [use_statement, use_connection, use_transaction, use_stream, use_copy, use_and_close],
    ids=lambda use: use.__name__,
)  # fmt: skip
async def test_a_cancellation_at_every_await_leaves_nothing(
    server_url: str,
    schema: str,
    outside: psycopg.Connection[Any],
    use: Callable[[AsyncDatabase], Coroutine[Any, Any, None]],
    fresh: bool,
) -> None:
    """All sessions and descriptors are as before, and no task has failed unseen."""
    unseen: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: unseen.append(context))
    sessions = "select count(*) from pg_stat_activity where application_name = %s"
    async with AsyncDatabase(server_url) as first:
        await first.fetchval("select 1")  # what the loop opens once for all
    gc.collect()
    before = descriptors()
    at = 0
    while True:
        db = AsyncDatabase(server_url, connections=1, acquire_timeout=10, application_name=schema)
        if not fresh:
            await db.fetchval("select 1")
        call = Countdown(use(db), at)
        with contextlib.suppress(asyncio.CancelledError):
            await call
        if use is not use_and_close:
            await settled(db)
            assert await db.fetchval("show work_mem") != "9MB"
            async with db.connection() as connection:
                assert not connection.in_transaction
            assert db.stats().size == 1
        await db.close()
        if not call.reached:
            break
        at += 1
    assert at > 0
    del call, db
    gc.collect()
    assert descriptors() == before
    assert unseen == []
    until(outside, sessions, schema, wanted=0)


async def test_a_connection_that_comes_for_whoever_has_just_been_cancelled_goes_to_the_next(server_url: str) -> None:
    """At every distance between the giving back and the cancelling."""
    async with AsyncDatabase(server_url, connections=1, acquire_timeout=5) as db:
        for distance in range(8):
            async with db.connection():
                first = asyncio.create_task(db._pool.acquire())
                second = asyncio.create_task(db._pool.acquire())
                await asyncio.sleep(0)
            await eventually(lambda: db.stats().waiting < 2)
            for _ in range(distance):
                await asyncio.sleep(0)
            if first.cancel():
                with pytest.raises(asyncio.CancelledError):
                    await first
            else:
                await db._pool.release(await first)
            await db._pool.release(await second)
            await settled(db)
