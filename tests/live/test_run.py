"""run(fn, ...): the same function in four runtimes, and what the bridge to asyncio promises."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from greenlet import GreenletExit, greenlet
from tests.live.business import keep_books
from tests.live.conftest import LOOPS
from tests.live.support import RUNNING, Broken
from tests.live.test_runtimes import run_program

import stretto
from stretto._async.database import AsyncDatabase
from stretto._bridge.connection import BridgedConnection
from stretto._bridge.database import BridgedDatabase
from stretto._bridge.transaction import BridgedTransacting
from stretto._sync.connection import Connection
from stretto._sync.database import Database
from stretto._sync.objects import Objects
from stretto.errors import UsageError
from stretto.runtime.aturns import pause
from stretto.runtime.bridge import Side, await_
from stretto.sqlstate import DivisionByZero, QueryCanceled

NUMBER: contextvars.ContextVar[int] = contextvars.ContextVar("NUMBER", default=0)


def one_more(db: Database, number: int = 1) -> int:
    found: int = db.fetchval("select $1::int + 1", number)
    return found


# --- one function, four runtimes --------------------------------------------------------------------------------------

GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys
import gevent
import stretto
from tests.live.business import keep_books

url, schema = sys.argv[1:]
with stretto.Database(url, server_settings={"search_path": schema}) as db:
    print(gevent.spawn(db.run, keep_books, 9, prefix="Volume").get())
"""


@pytest.fixture
def schemas(outside: psycopg.Connection[Any], schema: str) -> Iterator[Callable[[str], str]]:
    """Make an empty schema for each runtime."""
    made: list[str] = []

    def make(runtime: str) -> str:
        made.append(f"{schema}_{runtime}")
        outside.execute(f"create schema {made[-1]}")
        return made[-1]

    yield make
    for name in made:
        outside.execute(f"drop schema {name} cascade")


def test_one_function_sees_the_same_in_all_runtimes(server_url: str, schemas: Callable[[str], str]) -> None:
    async def on_a_loop(runtime: str) -> dict[str, Any]:
        async with AsyncDatabase(server_url, server_settings={"search_path": schemas(runtime)}) as db:
            return await db.run(keep_books, 9, prefix="Volume")

    def blocking(runtime: str) -> dict[str, Any]:
        with Database(server_url, server_settings={"search_path": schemas(runtime)}) as db:
            return db.run(keep_books, 9, prefix="Volume")

    wanted = blocking("plain")
    assert len(wanted) > 20
    assert wanted["stream"] == [f"Volume {i}" for i in range(9)]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(blocking, "thread").result() == wanted
    for name, loop_factory in LOOPS.items():
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            assert runner.run(on_a_loop(name)) == wanted
    assert run_program(GEVENT, server_url, schemas("gevent")) == str(wanted)


INHERITED = Objects.__dict__.keys() | {  # they go through _run, _shared and what else is overridden
    "batch", "execute", "executemany", "fetch", "fetchmany", "fetchrow", "fetchval", "run", "set_type_codec",
    "closed", "in_transaction", "listen", "parameters", "pid", "reset", "unlisten",
}  # fmt: skip


@pytest.mark.parametrize("facade", [BridgedDatabase, BridgedConnection])
def test_the_facade_has_thought_of_every_verb(facade: type) -> None:
    names = {name for name in dir(facade) if not name.startswith("_") and hasattr(facade, name)}  # not others' names
    own = facade.__dict__.keys() | BridgedTransacting.__dict__.keys()
    assert names - own <= INHERITED
    blocking = Database if issubclass(facade, Database) else Connection
    assert {name for name in own if not name.startswith("_")} <= {*dir(blocking)}


async def test_a_connection_knows_its_session_until_its_block_ends(db: AsyncDatabase) -> None:
    def work(db: Database) -> None:
        with db.connection() as connection:
            assert connection.pid == connection.fetchval("select pg_backend_pid()")
            assert repr(connection) == f"<BridgedConnection pid={connection.pid} idle>"
            assert not connection.closed
            server = connection.parameters["server_version"]
        assert server
        assert connection.closed
        assert "closed" in repr(connection)
        for use in (connection.reset, lambda: connection.parameters, lambda: connection.execute("select 1")):
            with pytest.raises(UsageError, match="given back"):
                use()

    await db.run(work)


async def test_notifications_come_while_the_loop_goes_on(db: AsyncDatabase) -> None:
    def listen(db: Database) -> list[str]:
        payloads: list[str] = []
        for notification in db.listen("bridge"):
            payloads.append(notification.payload)
            if len(payloads) == 3:
                break
        return payloads

    task = asyncio.create_task(db.run(listen))
    i = 0
    while not task.done():
        await db.execute("select pg_notify('bridge', $1)", str(i))
        i += 1
    first, *rest = map(int, await task)
    assert rest == [first + 1, first + 2]


async def test_a_sink_may_cancel_its_copy(db: AsyncDatabase) -> None:
    def copy(db: Database) -> None:
        with db.connection() as connection:
            connection.copy_out(
                "select repeat('x', 1000), pg_sleep(0.0001) from generate_series(1, 10000000)",
                lambda data: connection.cancel(),
            )

    with pytest.raises(QueryCanceled):
        await db.run(copy)
    assert await db.run(one_more) == 2


# --- many at a time ---------------------------------------------------------------------------------------------------


async def test_many_functions_run_at_a_time(db: AsyncDatabase) -> None:
    def work(db: Database, task: int) -> int:
        for i in range(30):
            assert db.fetchval("select $1::int * 1000 + $2::int", task, i) == task * 1000 + i
        return task

    tasks = range(150)  # more than are kept for the next time
    for _ in range(2):
        assert await asyncio.gather(*(db.run(work, task) for task in tasks)) == list(tasks)


async def test_a_function_that_waits_holds_up_nobody(db: AsyncDatabase, schema: str) -> None:
    """The first waits for a lock that only the second gives back."""
    await db.execute("create table t (id int)")
    locked = asyncio.Event()

    def waiting(db: Database) -> str:
        return db.execute("insert into t values (1)")

    def holding(db: Database) -> None:
        with db.connection() as connection:
            connection.execute("begin; lock table t in exclusive mode")
            locked.set()
            while not connection.fetchval(
                "select count(*) from pg_locks where not granted and relation = 't'::regclass"
            ):
                pass

    async with asyncio.TaskGroup() as group:
        group.create_task(db.run(holding))
        await locked.wait()
        first = group.create_task(db.run(waiting))
    assert first.result() == "INSERT 0 1"


async def test_calls_may_be_nested(db: AsyncDatabase) -> None:
    def outer(db: Database) -> list[Any]:
        return [db.run(one_more, 10), db.run(one_more, number=20), db.run(lambda same: same is db)]

    assert await db.run(outer) == [11, 21, True]


async def test_what_is_called_back_may_run_another(db: AsyncDatabase) -> None:
    """An async sink inside of a function inside of a task: the second greenlet is the child of the first."""
    found: list[int] = []

    async def sink(data: bytes) -> None:
        found.append(await db.run(one_more, int(data)))

    def copy(blocking: Database) -> int:
        blocking.copy_out("select 5", sink)
        return one_more(blocking, found[0])

    for _ in range(3):
        assert await db.run(copy) == 7
    assert found == [6, 6, 6]


# --- contextvars ------------------------------------------------------------------------------------------------------


async def test_the_function_runs_in_the_context_of_its_task(db: AsyncDatabase) -> None:
    def work(db: Database, number: int) -> int:
        seen = NUMBER.get()
        token = NUMBER.set(number + 1)
        db.fetchval("select 1")
        assert NUMBER.get() == number + 1
        NUMBER.reset(token)
        db.fetchval("select 1")
        NUMBER.set(number + 2)
        return seen

    async def task(number: int) -> None:
        for _ in range(5):
            token = NUMBER.set(number)
            assert await db.run(work, number) == number
            assert NUMBER.get() == number + 2
            NUMBER.reset(token)
            assert NUMBER.get() == 0

    await asyncio.gather(*(task(i * 10) for i in range(20)))
    assert NUMBER.get() == 0


async def test_what_a_statement_does_happens_in_the_functions_context(one: AsyncDatabase) -> None:
    """Even in one that the function has made itself: so an ambient transaction is the one that it sees."""
    seen: list[int] = []

    def source(number: int) -> Iterator[tuple[int]]:
        seen.append(NUMBER.get())
        NUMBER.set(number)
        yield (number,)

    def work(db: Database) -> list[int]:
        db.execute("create table t (id int)")
        NUMBER.set(1)
        db.copy_in("t", source(2))
        inside = NUMBER.get()
        context = contextvars.copy_context()
        context.run(db.copy_in, "t", source(3))
        return [inside, NUMBER.get(), context[NUMBER]]

    assert await one.run(work) == [2, 2, 3]
    assert seen == [1, 2]
    assert NUMBER.get() == 2


async def test_the_task_of_a_function_is_that_which_awaits_it(db: AsyncDatabase) -> None:
    def work(db: Database) -> Any:
        db.fetchval("select 1")
        return asyncio.current_task()

    assert await db.run(work) is asyncio.current_task()


# --- exceptions -------------------------------------------------------------------------------------------------------


async def test_exceptions_pass_both_ways(db: AsyncDatabase) -> None:
    def work(db: Database, number: int) -> Any:
        try:
            return db.fetchval("select 1 / $1::int", number)
        except DivisionByZero as error:
            if db.fetchval("select 'still usable'"):
                raise Broken from error
        raise AssertionError

    for _ in range(3):
        with pytest.raises(Broken) as caught:
            await db.run(work, 0)
        assert isinstance(caught.value.__cause__, DivisionByZero)
        assert await db.run(work, 1) == 1


async def test_a_traceback_reads_from_the_task_to_the_statement(db: AsyncDatabase) -> None:
    def deeper(db: Database) -> None:
        db.fetchval("select 1 / 0")

    def work(db: Database) -> None:
        deeper(db)

    with pytest.raises(DivisionByZero) as caught:
        await db.run(work)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    wanted = ["run", "work", "deeper", "fetchval", "await_"]
    assert [name for name in dict.fromkeys(names) if name in wanted] == wanted
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


async def sleeping(db: AsyncDatabase, outside: psycopg.Connection[Any], fn: Callable[..., Any]) -> asyncio.Task[Any]:
    """Start a function in a task, and wait until its statement, which is marked, runs."""
    task = asyncio.create_task(db.run(fn))
    while outside.execute(RUNNING, ("%/* bridge */%",)).fetchone() != (1,):  # noqa: ASYNC110  # the server has no event for it
        await asyncio.sleep(0)
    return task


async def test_a_cancellation_is_raised_at_the_verb_that_waits(
    one: AsyncDatabase, outside: psycopg.Connection[Any]
) -> None:
    await one.execute("create table said (word text)")

    def work(db: Database) -> None:
        try:
            db.fetchval("select pg_sleep(60) /* bridge */")
        except asyncio.CancelledError:
            db.execute("insert into said values ('cancelled')")
            raise
        finally:
            db.execute("insert into said values ('finally')")

    task = await sleeping(one, outside, work)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert await one.fetch("select word from said", into=str) == ["cancelled", "finally"]


async def test_a_cancelled_block_gives_its_connection_back(
    one: AsyncDatabase, outside: psycopg.Connection[Any]
) -> None:
    def work(db: Database) -> None:
        with db.connection() as connection:
            connection.execute("begin")
            connection.fetchval("select pg_sleep(60) /* bridge */")

    def stream(db: Database) -> None:
        for _ in db.stream("select pg_sleep(60) /* bridge */"):
            pass

    for fn in (work, stream):
        task = await sleeping(one, outside, fn)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await one.run(one_more) == 2


async def test_a_function_may_hold_a_cancellation_back(one: AsyncDatabase, outside: psycopg.Connection[Any]) -> None:
    def work(db: Database) -> int:
        try:
            db.fetchval("select pg_sleep(60) /* bridge */")
        except asyncio.CancelledError:
            return one_more(db, 6)
        raise AssertionError

    task = await sleeping(one, outside, work)
    task.cancel()
    assert await task == 7


async def test_timeouts_of_the_loop_and_of_a_verb(one: AsyncDatabase) -> None:
    def work(db: Database, timeout: float | None) -> None:
        db.fetchval("select pg_sleep(60)", timeout=timeout)

    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.02):
            await one.run(work, None)
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    with pytest.raises(stretto.errors.StatementTimeout):
        await one.run(work, 0.02)
    assert await one.run(one_more) == 2


@pytest.mark.parametrize("passes", [0, 1, 2, 3, 5, 8])
async def test_a_function_may_be_cancelled_at_any_moment(one: AsyncDatabase, passes: int) -> None:
    for i in range(30):
        task = asyncio.create_task(one.run(one_more, i))
        for _ in range(passes * (i % 5)):
            await asyncio.sleep(0)
        task.cancel()
        (found,) = await asyncio.gather(task, return_exceptions=True)
        assert found == i + 1 or isinstance(found, asyncio.CancelledError)
        assert await one.run(one_more, -i) == 1 - i


# --- functions whose task is gone -------------------------------------------------------------------------------------


class Abandoned:
    """A function that waits for ever, started without a loop, and what it saw at its end."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.closed: list[str] = []
        self.running = AsyncDatabase("host=nowhere").run(self.work)
        self.running.send(None)

    async def forever(self) -> None:
        try:
            await asyncio.sleep(0)
        finally:
            self.closed.append("closed")

    def work(self, db: Database) -> None:
        try:
            await_(self.forever())
        except GreenletExit:
            self.seen.append("exit")
            try:
                await_(self.forever())
            except GreenletExit:
                self.seen.append("exit again")
            raise
        finally:
            self.seen.append("finally")

    SEEN = ("exit", "exit again", "finally")


def test_a_function_whose_coroutine_is_closed_ends() -> None:
    function = Abandoned()
    function.running.close()
    assert tuple(function.seen) == function.SEEN
    assert function.closed == ["closed", "closed"]


def test_a_function_that_is_forgotten_ends() -> None:
    function = Abandoned()
    del function.running
    assert tuple(function.seen) == function.SEEN


def test_a_function_may_be_forgotten_while_another_runs() -> None:
    """Whoever collects it goes on, and not the greenlet that had started it."""
    function = Abandoned()

    def collecting(db: Database) -> str:
        del function.running
        return "goes on"

    running = AsyncDatabase("host=nowhere").run(collecting)
    with pytest.raises(StopIteration) as caught:
        running.send(None)
    assert caught.value.value == "goes on"
    assert tuple(function.seen) == function.SEEN


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=LOOPS)
def test_the_end_of_the_loop_cancels_what_still_runs(
    server_url: str, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    seen: list[Any] = []

    def work(db: Database) -> None:
        try:
            seen.append(db.fetchval("select 'begun'"))
            begun.set()
            db.fetchval("select pg_sleep(60)")
        finally:
            seen.append(db.fetchval("select 'finally'"))

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(AsyncDatabase(server_url).run(closing, work))
        await begun.wait()
        return task

    def closing(db: Database, fn: Callable[[Database], None]) -> None:
        with db:
            fn(db)

    begun = asyncio.Event()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        task = runner.run(main())
        assert not task.done()
    assert task.cancelled()
    assert seen == ["begun", "finally"]


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=LOOPS)
def test_a_loop_that_is_closed_by_hand_ends_what_still_waits(
    server_url: str, loop_factory: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []

    class Value:
        """What only the function refers to."""

    def work(own: Database, fails: bool) -> None:
        value = None if fails else Value()  # the log refers to where it has failed
        values.extend(() if value is None else (weakref.ref(value),))
        try:
            seen.append(own.fetchval("select 'begun'"))
            own.fetchval("select pg_sleep(60)")
        except GreenletExit:
            seen.append("exit")
            if fails:
                raise ValueError("at the end") from None
            raise

    async def main() -> None:
        waiting.extend(asyncio.ensure_future(db.run(work, fails)) for fails in (True, False))
        while seen != ["begun", "begun"]:
            await pause(0)

    values: list[weakref.ref[Value]] = []
    waiting: list[asyncio.Task[None]] = []
    db = AsyncDatabase(server_url)
    loop = loop_factory()
    loop.run_until_complete(main())
    loop.close()
    assert seen == ["begun", "begun", "exit", "exit"]
    assert "ValueError: at the end" in caplog.text
    waiting.clear()
    gc.collect()
    assert [value() for value in values] == [None]
    assert db.stats().in_flight == 0


# --- nothing is left behind -------------------------------------------------------------------------------------------


def greenlets() -> int:
    gc.collect()
    return sum(isinstance(each, Side) for each in gc.get_objects())


async def test_greenlets_are_used_again_and_those_that_fail_are_gone(db: AsyncDatabase) -> None:
    def fail(db: Database) -> None:
        db.fetchval("select 1")
        raise Broken

    before = greenlets()
    await asyncio.gather(*(db.run(one_more) for _ in range(300)))
    kept = greenlets()
    assert kept <= max(before, 100)
    for _ in range(20):
        await db.run(one_more)
        with pytest.raises(Broken):
            await db.run(fail)
        task = asyncio.create_task(db.run(one_more))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert greenlets() <= kept


async def test_an_idle_greenlet_holds_nothing_of_the_last_call(db: AsyncDatabase) -> None:
    class Payload:
        """Something that a weak reference may be to."""

    def work(db: Database, payload: Payload) -> Payload:
        LAST.set(payload)
        db.fetchval("select 1")
        return payload

    LAST: contextvars.ContextVar[Payload] = contextvars.ContextVar("LAST")

    async def once() -> weakref.ref[Payload]:
        return weakref.ref(await db.run(work, Payload()))

    await db.fetchval("select 1")  # whoever opens a connection has its context kept by the loop
    reference = await asyncio.create_task(once())
    await asyncio.sleep(0)  # the task that has ended is held by the one that it wakes
    gc.collect()
    assert reference() is None


def test_threads_keep_greenlets_of_their_own(server_url: str) -> None:
    async def main() -> list[int]:
        async with AsyncDatabase(server_url, connections=2) as db:
            return list(await asyncio.gather(*(db.run(one_more, i) for i in range(20))))

    before = greenlets()
    for _ in range(2):
        with ThreadPoolExecutor(3) as pool:
            assert [done.result() for done in [pool.submit(asyncio.run, main()) for _ in range(6)]] == [
                list(range(1, 21))
            ] * 6
    assert greenlets() <= before + 1


def test_greenlet_is_loaded_by_the_first_run_on_asyncio(server_url: str) -> None:
    program = """
import asyncio, sys
import stretto
async def main():
    async with stretto.AsyncDatabase(sys.argv[1]) as db:
        await db.fetchval("select 1")
        before = "greenlet" in sys.modules
        await db.run(lambda db: db.fetchval("select 1"))
        print(before, "greenlet" in sys.modules)
with stretto.Database(sys.argv[1]) as db:
    db.run(lambda db: db.fetchval("select 1"))
asyncio.run(main())
"""
    assert run_program(program, server_url) == "False True"


# --- misuse -----------------------------------------------------------------------------------------------------------


class Kept:
    """What a function may keep of its run, and use too late."""

    connection: Any

    def __init__(self) -> None:
        self.done = asyncio.Event()

    def keep(self, db: Database) -> None:
        self.db = db
        with db.connection() as self.connection:
            self.done.set()


MISUSES: dict[str, Callable[[Kept], Any]] = {
    "statement": lambda kept: kept.db.fetchval("select 1"),
    "batch": lambda kept: kept.db.batch().__exit__(None, None, None),
    "connection": lambda kept: kept.db.connection().__enter__(),
    "stream": lambda kept: next(iter(kept.db.stream("select 1"))),
    "listen": lambda kept: next(iter(kept.db.listen("news"))),
    "copy_in": lambda kept: kept.db.copy_in("t", []),
    "copy_out": lambda kept: kept.db.copy_out("t", lambda data: None),
    "close": lambda kept: kept.db.close(),
    "nested": lambda kept: kept.db.run(one_more),
    "a connection's statement": lambda kept: kept.connection.execute("select 1"),
    "a connection's stream": lambda kept: next(iter(kept.connection.stream("select 1"))),
    "notifications": lambda kept: next(iter(kept.connection.notifications())),
    "cancel": lambda kept: kept.connection.cancel(),
    "on_notice": lambda kept: kept.connection.on_notice(print),
}


def in_a_thread(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
async def test_a_kept_db_is_refused(db: AsyncDatabase, misuse: Callable[[Kept], Any]) -> None:
    """After its run, in another run (of the same greenlet, too), in another greenlet, and in another thread."""
    kept = Kept()
    await db.run(kept.keep)
    refused = pytest.raises(UsageError, match=r"belongs to a call of AsyncDatabase\.run\(\).*call run\(\) again")
    with refused:
        misuse(kept)
    with refused:
        await db.run(lambda other: misuse(kept))

    def elsewhere(db: Database) -> None:
        kept.keep(db)
        with refused:
            greenlet(misuse).switch(kept)
        with refused:
            in_a_thread(lambda: misuse(kept))

    await db.run(elsewhere)


async def test_a_db_is_of_one_task(db: AsyncDatabase) -> None:
    kept = Kept()
    gate = threading.Event()

    def work(db: Database) -> None:
        kept.keep(db)
        while not gate.is_set():
            db.fetchval("select 1")

    task = asyncio.create_task(db.run(work))
    await kept.done.wait()
    with pytest.raises(UsageError, match="in its own task and thread"):
        kept.db.fetchval("select 1")
    gate.set()
    await task


async def test_an_iterator_that_outlives_its_run_ends_quietly(one: AsyncDatabase) -> None:
    """The loop gives its connection back."""

    def start(db: Database) -> Iterator[int]:
        numbers = iter(db.stream("select i from generate_series(1, 100000) i", into=int, batch=10))
        assert next(numbers) == 1
        return numbers

    numbers = await one.run(start)
    del numbers
    assert await one.run(one_more) == 2


async def async_function(db: Any) -> None:
    raise AssertionError


async def async_generator(db: Any) -> Any:
    yield None
    raise AssertionError


class AsyncCallable:
    async def __call__(self, db: Any) -> None:
        raise AssertionError


NOT_PLAIN: dict[str, tuple[Any, str]] = {
    "async def": (async_function, "async_function is async"),
    "async generator": (async_generator, "async_generator is async"),
    "partial": (functools.partial(async_function), "partial is async"),
    "callable": (AsyncCallable(), "AsyncCallable is async"),
    "lambda": (lambda db: async_function(db), "<lambda> is async"),
    "called already": (7, "takes a function and its arguments, run(fn, *args), and not a int"),
}


@pytest.mark.parametrize(("fn", "message"), NOT_PLAIN.values(), ids=NOT_PLAIN)
async def test_what_is_no_plain_function_is_refused(db: AsyncDatabase, fn: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        await db.run(fn)
    assert message in str(caught.value)
    with pytest.raises(UsageError) as caught:
        Database("host=nowhere").run(fn)
    assert message in str(caught.value)


async def test_only_a_function_of_run_waits_without_await() -> None:
    coroutine = async_function(None)
    with pytest.raises(UsageError, match="only a function that run"):
        await_(coroutine)
    coroutine.close()
