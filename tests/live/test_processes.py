"""A Database in a process: forks, signals, loops that end, threads, and memory that stays flat over long use."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.cases import FUZZED
from tests.live.conftest import LOOPS
from tests.live.support import until

from stretto._async.database import AsyncDatabase
from stretto.errors import UsageError

ROOT = Path(__file__).parents[2]
SESSIONS = "select count(*) from pg_stat_activity where application_name = %s"


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "PYTHONWARNINGS": "error"}


def run_program(program: str, *arguments: str) -> str:
    """Run a program with the same build; it may say nothing on stderr: a forgotten socket is an error there."""
    command = [sys.executable, "-c", program, *arguments]
    patience = None if FUZZED else 100
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=patience)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


# --- fork -------------------------------------------------------------------------------------------------------------

FORK = """
import asyncio, os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of a fork while there are threads
warnings.simplefilter("ignore", ResourceWarning)  # the child has not closed what it inherited
from stretto._async.database import AsyncDatabase
from stretto._sync.database import Database
from stretto.errors import UsageError

def refused(error):
    assert "after the fork" in str(error), error

async def in_child_on_a_loop(db):
    for use in (db.fetchval, db.execute):
        try:
            await use("select 1")
        except UsageError as error:
            refused(error)
        else:
            os._exit(2)
    try:
        async with db.connection():
            os._exit(3)
    except UsageError as error:
        refused(error)
    await db.close()

async def on_a_loop(url):
    db = AsyncDatabase(url, connections=2)
    async with db.connection() as held:
        pid, other = held.pid, await db.fetchval("select pg_backend_pid()")
        running = asyncio.ensure_future(db.fetchval("select 7 from pg_sleep(0.2)"))
        await asyncio.sleep(0)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                asyncio.run(in_child_on_a_loop(db))
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert await running == 7
        assert await held.fetchval("select pg_backend_pid()") == pid
    assert await db.fetchval("select pg_backend_pid()") in (pid, other)
    assert db.stats().opened == 2
    await db.close()

def blocking(url):
    db = Database(url, connections=2)
    with db.connection() as held:
        pid, other = held.pid, db.fetchval("select pg_backend_pid()")
        child = os.fork()
        if child == 0:
            for use in (db.fetchval, db.execute, lambda sql: db.connection().__enter__()):
                try:
                    use("select 1")
                except UsageError as error:
                    refused(error)
                else:
                    os._exit(2)
            db.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert held.fetchval("select pg_backend_pid()") == pid
    assert db.fetchval("select pg_backend_pid()") in (pid, other)
    assert db.stats().opened == 2
    db.close()

url, what = sys.argv[1:]
if what == "blocking":
    blocking(url)
else:
    if what == "uvloop":
        import uvloop
        loop_factory = uvloop.new_event_loop
    else:
        loop_factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(on_a_loop(url))
print("in peace")
"""


@pytest.mark.parametrize("what", ["blocking", "asyncio", "uvloop"])
def test_a_child_is_refused_and_its_parent_goes_on(server_url: str, what: str) -> None:
    assert run_program(FORK, server_url, what) == "in peace"


# --- loops and threads ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=LOOPS)
def test_another_loop_is_refused_by_name(
    server_url: str, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    db = AsyncDatabase(server_url, connections=1)
    refused: list[BaseException] = []

    async def elsewhere() -> None:
        for use in (db.fetchval, db.execute):
            with pytest.raises(UsageError) as caught:
                await use("select 1")
            refused.append(caught.value)
        with pytest.raises(UsageError):
            async with db.connection():
                raise AssertionError("a connection of another loop was given")
        with pytest.raises(UsageError):
            await db.close()

    async def main() -> None:
        assert await db.fetchval("select 1") == 1
        thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
        await asyncio.to_thread(lambda: (thread.start(), thread.join()))
        assert await db.fetchval("select 2") == 2
        await db.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert len(refused) == 2
    assert all("make one AsyncDatabase in each event loop" in str(error) for error in refused)


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=LOOPS)
def test_a_loop_that_ended_before_its_database_is_told_once(
    open_db: Any,
    server_url: str,
    schema: str,
    outside: psycopg.Connection[Any],
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    db = AsyncDatabase(server_url, connections=2, application_name=schema)

    async def use() -> Any:
        return sum(await asyncio.gather(*(db.fetchval(f"select {i} from pg_sleep(0.01)") for i in (1, 2))))

    async def use_and_close() -> Any:
        found = await use()
        await db.close()
        return found

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(use()) == 3
    with (
        asyncio.Runner(loop_factory=loop_factory) as runner,
        pytest.warns(ResourceWarning, match="event loop was closed") as warned,
    ):
        assert runner.run(use_and_close()) == 3
    assert len(warned) == 1
    until(outside, SESSIONS, schema, wanted=0)


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=LOOPS)
def test_a_database_may_be_closed_behind_its_loop(
    server_url: str,
    schema: str,
    outside: psycopg.Connection[Any],
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    db = AsyncDatabase(server_url, application_name=schema)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(db.fetchval("select 1")) == 1
    with asyncio.Runner(loop_factory=loop_factory) as runner, pytest.warns(ResourceWarning, match="event loop"):
        runner.run(db.close())
    until(outside, SESSIONS, schema, wanted=0)


# --- signals ----------------------------------------------------------------------------------------------------------

TERMINATED = """
import asyncio, signal, sys, threading
from stretto._async.database import AsyncDatabase
from stretto._sync.database import Database

url, name, what = sys.argv[1:]

async def on_a_loop():
    task = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with AsyncDatabase(url, connections=3, application_name=name) as db:
        await asyncio.gather(*(db.execute("select pg_sleep(60)") for _ in range(3)))

def stop(number, frame):
    raise SystemExit

def blocking():
    signal.signal(signal.SIGTERM, stop)
    with Database(url, connections=3, application_name=name) as db:
        for _ in range(2):
            threading.Thread(target=sleep, args=(db,), daemon=True).start()
        db.execute("select pg_sleep(60)")

def sleep(db):
    try:
        db.execute("select pg_sleep(60)")
    except Exception:
        pass

try:
    asyncio.run(on_a_loop()) if what == "asyncio" else blocking()
except (asyncio.CancelledError, SystemExit):
    pass
"""


@pytest.mark.parametrize("what", ["asyncio", "blocking"])
def test_a_busy_program_that_is_terminated_leaves_nothing_running(
    server_url: str, schema: str, outside: psycopg.Connection[Any], what: str
) -> None:
    command = [sys.executable, "-c", TERMINATED, server_url, schema, what]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as program:
        until(outside, f"{SESSIONS} and wait_event = 'PgSleep'", schema, wanted=3)
        program.send_signal(signal.SIGTERM)
        _, said = program.communicate(timeout=20)
    assert (program.returncode, said) == (0, "")
    until(outside, SESSIONS, schema, wanted=0)


# --- memory -----------------------------------------------------------------------------------------------------------

FLAT = """
import asyncio, gc, os, sys
from stretto._async.database import AsyncDatabase
from stretto._sync.database import Database

url, what = sys.argv[1:]
page = os.sysconf("SC_PAGE_SIZE")

def state():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * page, len(gc.get_objects()), len(os.listdir("/proc/self/fd"))

async def on_a_loop(statements, holds):
    async def statement(count):
        for i in range(count):
            assert await db.fetchval("select $1::int", i) == i
    async def hold(count):
        for _ in range(count):
            link = await db._pool.acquire()
            await db._pool.release(link)
    async def fail(count):
        for _ in range(count):
            try:
                await db.fetchval("select $1::int", "x")
            except Exception:
                pass
    await asyncio.gather(*(statement(statements // 20) for _ in range(20)))
    await asyncio.gather(*(hold(holds // 20) for _ in range(20)))
    await fail(holds // 20)

def blocking(statements, holds):
    for i in range(statements):
        assert db.fetchval("select $1::int", i) == i
    for _ in range(holds):
        db._pool.release(db._pool.acquire())

async def measure_on_a_loop():
    await on_a_loop(2000, 2000)
    before = state()
    await on_a_loop(100_000, 100_000)
    return before, state()

if what == "asyncio":
    with asyncio.Runner() as runner:
        db = AsyncDatabase(url, connections=4)
        before, after = runner.run(measure_on_a_loop())
        runner.run(db.close())
else:
    with Database(url, connections=4) as db:
        blocking(2000, 2000)
        before = state()
        blocking(20_000, 100_000)
        after = state()
rss, objects, descriptors = (b - a for a, b in zip(before, after))
print(rss < 2_000_000 or rss, objects < 100 or objects, descriptors)
"""


@pytest.mark.parametrize("what", ["asyncio", "blocking"])
def test_a_hundred_thousand_uses_leave_nothing(server_url: str, what: str) -> None:
    assert run_program(FLAT, server_url, what) == "True True 0"


STOPPED = """
import asyncio, gc, os, resource, signal, sys
gc.disable()  # it would look at all the tasks again and again
from stretto._async.database import AsyncDatabase
from stretto.errors import Error, PoolFull

async def main():
    db = AsyncDatabase(sys.argv[1], connections=2, queue=10_000, slow=None)
    for i in range(20):
        await db.fetchval("select $1::int", i)
    pids = set()
    async with db.connection() as a, db.connection() as b:
        pids = {a.pid, b.pid}
    while db.stats().held:
        await asyncio.sleep(0)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        tasks = [asyncio.create_task(db.fetchval("select $1::int", i)) for i in range(100_000)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        stats = db.stats()
        full = sum(task.done() and type(task.exception()) is PoolFull for task in tasks)
        assert full + stats.in_flight + stats.waiting == 100_000, (full, stats)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        await db.close(0)
        left = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, Error) for each in left)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    print(full >= 88_000, stats.waiting <= 10_000, grown // 1024 < 700 or grown)

asyncio.run(main())
"""


def test_a_server_that_does_not_read_is_not_fed_without_end(server_url: str) -> None:
    assert run_program(STOPPED, server_url) == "True True True"


def test_objects_are_collected_with_their_database(server_url: str) -> None:
    async def use() -> None:
        async with AsyncDatabase(server_url, connections=2) as db:
            await asyncio.gather(*(db.fetchval("select $1::int", i) for i in range(10)))

    asyncio.run(use())
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(20):
        asyncio.run(use())
    gc.collect()
    assert len(gc.get_objects()) - before < 200
