"""Tasks, loops and threads that come and go, each with statements of its own, leave nothing: a case is one task."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from tests.cases import cases
from tests.live.support import until
from tests.live.test_processes import SESSIONS, run_program

CHURNED = cases(10_000)

CHURN = """
import asyncio, gc, os, sys, threading
from stretto._async.database import AsyncDatabase
from stretto._sync.database import Database

url, what, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
EACH = 500  # tasks of a loop, uses of a thread

def state():
    gc.collect()
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resident, len(gc.get_objects()), len(os.listdir("/proc/self/fd")), threading.active_count()

async def in_tasks():
    async def work(i):
        if i % 10 == 0:
            async with db.transaction():
                assert await db.fetchval("select $1::int", i) == i
        else:
            assert await db.fetchval("select $1::int", i) == i
    async with AsyncDatabase(url, connections=2) as db:
        slow = asyncio.ensure_future(db.fetchval("select pg_sleep(60)"))
        await asyncio.gather(*(work(i) for i in range(EACH)))
        slow.cancel()

def in_thread(db):
    for i in range(EACH):
        assert db.fetchval("select $1::int", i) == i

def churn(count):
    if what == "threads":
        with Database(url, connections=4) as db:
            for _ in range(0, count, 4 * EACH):
                threads = [threading.Thread(target=in_thread, args=(db,)) for _ in range(4)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
        return
    if what == "uvloop":
        import uvloop
    factory = uvloop.new_event_loop if what == "uvloop" else asyncio.new_event_loop
    for _ in range(0, count, EACH):
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(in_tasks())

churn(4 * EACH)
before = state()
churn(count)
rss, objects, descriptors, threads = (b - a for a, b in zip(before, state()))
print(rss < 3_000_000 or rss, objects < 100 or objects, descriptors, threads)
"""


@pytest.mark.fuzz(CHURNED)
@pytest.mark.parametrize("what", ["asyncio", "uvloop", "threads"])
def test_tasks_loops_and_threads_that_come_and_go_leave_nothing(
    server_url: str, what: str, outside: psycopg.Connection[Any], schema: str
) -> None:
    url = f"{server_url}{'&' if '?' in server_url else '?'}application_name={schema}"
    assert run_program(CHURN, url, what, str(CHURNED)) == "True True 0 0"
    until(outside, SESSIONS, schema, wanted=0)
