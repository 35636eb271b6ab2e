"""What each runtime does by itself: tasks, threads, greenlets, loops, and memory that stays flat."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.live.conftest import LOOPS
from tests.live.support import until

from stretto._async.database import AsyncDatabase

ROOT = Path(__file__).parents[2]
KEY = os.getpid()  # of an advisory lock
ACTIVE = (
    "select count(*) from pg_stat_activity where application_name = $1 and state = 'active' and pid <> pg_backend_pid()"
)


def run_program(program: str, *arguments: str) -> str:
    """Run a program of its own with the same build."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# --- asyncio ----------------------------------------------------------------------------------------------------------


async def test_many_tasks_share_few_connections(db: AsyncDatabase) -> None:
    async def work(task: int) -> None:
        for i in range(50):
            assert await db.fetchval("select $1::int * 1000 + $2::int", task, i) == task * 1000 + i

    await asyncio.gather(*(work(task) for task in range(40)))


async def test_an_error_of_one_task_is_its_own(db: AsyncDatabase) -> None:
    async def work(i: int) -> Any:
        return await db.fetchval("select 100 / (50 - $1::int)", i)

    found = await asyncio.gather(*(work(i) for i in range(100)), return_exceptions=True)
    assert [type(value).__name__ for value in found if not isinstance(value, int)] == ["DivisionByZero"]
    assert isinstance(found[50], Exception)


async def test_a_cancelled_task_cancels_its_statement(one: AsyncDatabase, db: AsyncDatabase, schema: str) -> None:
    pid = await one.fetchval("select pg_backend_pid()")
    for _ in range(3):
        task = asyncio.create_task(one.fetchval("select pg_sleep(60)"))
        while not await db.fetchval(ACTIVE, schema):
            pass
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while await db.fetchval(ACTIVE, schema):
            pass
        assert await one.fetchval("select pg_backend_pid()") == pid


@pytest.mark.parametrize("passes", [0, 1, 2, 3, 5, 8])
async def test_a_task_may_be_cancelled_at_any_moment(one: AsyncDatabase, passes: int) -> None:
    """The connection is never lost to the pool, and nobody gets another's answer."""
    for i in range(30):
        task = asyncio.create_task(one.fetchval("select $1::int from pg_sleep($2)", i, 0.0005 * (i % 3)))
        for _ in range(passes * (i % 5)):
            await asyncio.sleep(0)
        task.cancel()
        (found,) = await asyncio.gather(task, return_exceptions=True)
        assert found == i or isinstance(found, asyncio.CancelledError)
        assert await one.fetchval("select $1::int", -i) == -i


async def test_cancelled_streams_and_copies_leave_the_connection_usable(one: AsyncDatabase, schema: str) -> None:
    await one.execute("create table t (id int)")

    async def stream() -> None:
        async for _row in one.stream("select i, pg_sleep(0.001) from generate_series(1, 100000) i", batch=10):
            pass

    async def endless() -> Any:
        while True:
            yield (1,)
            await asyncio.sleep(0)

    async def copy_in() -> None:
        await one.copy_in("t", endless())

    async def copy_out() -> None:
        await one.copy_out("select i, pg_sleep(0.001) from generate_series(1, 100000) i", lambda data: None)

    async def notifications() -> None:
        async for _ in one.listen("news"):
            pass

    for work in (stream, copy_in, copy_out, notifications):
        for moment in (0.0, 0.001, 0.02, 0.1):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(moment):
                    await work()
            assert await one.fetchval("select count(*) from t") == 0


async def test_late_timeouts_of_many_tasks_hit_nobody_else(db: AsyncDatabase) -> None:
    async def work(i: int) -> bool:
        try:
            found = await db.fetchval("select $1::int from pg_sleep($2)", i, 0.001, timeout=0.0005 * (i % 6 + 1))
        except TimeoutError:
            return False
        assert found == i
        return True

    done = await asyncio.gather(*(work(i) for i in range(300)))
    assert len(done) == 300
    assert await asyncio.gather(*(db.fetchval("select $1::int", i) for i in range(30))) == list(range(30))


async def test_a_slow_sink_slows_the_server(one: AsyncDatabase, outside: psycopg.Connection[Any]) -> None:
    """The bytes that wait for the sink are bounded: the socket is no longer read."""
    async with one.connection() as connection:
        gate = asyncio.Event()
        sizes: list[int] = []

        async def sink(data: bytes) -> None:
            sizes.append(len(data))
            await gate.wait()

        sql = "select repeat('x', 1000) from generate_series(1, 60000)"
        task = asyncio.create_task(connection.copy_out(sql, sink))
        watch = "select wait_event = 'ClientWrite' from pg_stat_activity where pid = %s"
        while True:
            await asyncio.sleep(0)
            row = outside.execute(watch, (connection.pid,)).fetchone()
            if sizes and row is not None and row[0]:
                break
        head = connection._link.machine.head()
        assert head is not None
        assert head.buffered < 8 << 20
        gate.set()
        assert await task == "COPY 60000"
        assert sum(sizes) == 60000 * 1001


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=LOOPS)
def test_two_loops_in_turn(server_url: str, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> list[Any]:
        async with AsyncDatabase(server_url, connections=2) as db:
            return list(await asyncio.gather(*(db.fetchval("select $1::int", i) for i in range(10))))

    for _ in range(2):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            assert runner.run(main()) == list(range(10))


# --- threads ----------------------------------------------------------------------------------------------------------


def test_twenty_threads_share_a_database(open_db: Callable[..., Any]) -> None:
    db = open_db(connections=5)

    def work(thread: int) -> int:
        for i in range(200):
            assert db.fetchval("select $1::int * 1000 + $2::int", thread, i) == thread * 1000 + i
        return thread

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(work, range(20))) == list(range(20))


def test_threads_run_at_the_same_time(open_db: Callable[..., Any], outside: Any, schema: str) -> None:
    db = open_db(connections=10)
    sql = "select count(*) from pg_stat_activity where application_name = %s and wait_event = 'advisory'"
    outside.execute(f"select pg_advisory_lock({KEY})")
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(db.execute, f"select pg_advisory_xact_lock_shared({KEY})") for _ in range(10)]
        try:
            until(outside, sql, schema, wanted=10)
        finally:
            outside.execute(f"select pg_advisory_unlock({KEY})")
        assert [done.result(20) for done in waiting] == ["SELECT 1"] * 10


def test_errors_and_timeouts_of_threads_are_their_own(open_db: Callable[..., Any]) -> None:
    db = open_db(connections=4)

    def work(i: int) -> Any:
        try:
            return db.fetchval("select $1::int from pg_sleep($2)", i, 0.001, timeout=0.0005 * (i % 8 + 1))
        except TimeoutError:
            return i

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(work, range(300))) == list(range(300))
        assert list(pool.map(lambda i: db.fetchval("select $1::int", i), range(50))) == list(range(50))


def test_a_blocked_thread_is_served_in_its_turn(open_db: Callable[..., Any]) -> None:
    db = open_db(connections=1)
    begun = threading.Event()

    def work() -> Any:
        begun.set()
        return db.fetchval("select 7")

    with ThreadPoolExecutor(1) as pool, db.connection() as connection:
        waiting = pool.submit(work)
        assert begun.wait(20)
        assert connection.fetchval("select 1") == 1
        assert not waiting.done()
    assert waiting.result(20) == 7


# --- gevent -----------------------------------------------------------------------------------------------------------

GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys
import gevent
from stretto._sync.database import Database

url, name, key = sys.argv[1:]
with Database(url, connections=20, server_settings={"application_name": name}) as db, Database(url) as watcher:
    def work(number):
        return all(db.fetchval("select $1::int * 100 + $2::int", number, i) == number * 100 + i for i in range(50))

    assert all(done.get() for done in [gevent.spawn(work, number) for number in range(50)])

    sql = "select count(*) from pg_stat_activity where application_name = $1 and wait_event = 'advisory'"
    with watcher.connection() as holder:
        holder.execute(f"select pg_advisory_lock({key})")
        sleepers = [gevent.spawn(db.execute, f"select pg_advisory_xact_lock_shared({key})") for _ in range(20)]
        seen = 0
        while seen < 20:
            seen = holder.fetchval(sql, name)
    assert [done.get() for done in sleepers] == ["SELECT 1"] * 20
    print("overlapped", seen)
"""


def test_greenlets_run_at_the_same_time(server_url: str, schema: str) -> None:
    assert run_program(GEVENT, server_url, schema, str(KEY)) == "overlapped 20"


# --- memory -----------------------------------------------------------------------------------------------------------

STREAM = """
import asyncio, resource, sys
from stretto._async.database import AsyncDatabase
from stretto._sync.database import Database

SQL = "select i from generate_series(1, $1::int) i"

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def blocking(count):
    with Database(sys.argv[1]) as db:
        return sum(db.stream(SQL, count, into=int, batch=5000))

async def on_a_loop(count):
    total = 0
    async with AsyncDatabase(sys.argv[1]) as db:
        async for i in db.stream(SQL, count, into=int, batch=5000):
            total += i
    return total

run = blocking if sys.argv[2] == "blocking" else lambda count: asyncio.run(on_a_loop(count))
assert run(20_000) == sum(range(20_001))
before = peak()
assert run(1_000_000) == sum(range(1_000_001))
print(peak() - before)
"""


@pytest.mark.parametrize("runtime", ["blocking", "asyncio"])
def test_a_million_rows_stream_in_flat_memory(server_url: str, runtime: str) -> None:
    assert int(run_program(STREAM, server_url, runtime)) < 4, "MiB more for a million rows than for 20,000"


COPY = """
import resource, sys
from stretto._sync.database import Database

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

with Database(sys.argv[1], connections=1) as db, db.connection() as connection:
    connection.execute("create temp table t (id int, name text)")
    def run(count):
        connection.copy_in("t", ((i, "x" * 50) for i in range(count)))
        size = []
        connection.copy_out("t", lambda data: size.append(len(data)))
        return sum(size)
    run(20_000)
    before = peak()
    assert run(300_000) > 15_000_000
    print(peak() - before)
"""


def test_copy_goes_in_and_out_in_flat_memory(server_url: str) -> None:
    assert int(run_program(COPY, server_url)) < 6, "MiB more for 300,000 rows than for 20,000"
