"""stretto.testing.expect: which tasks, threads and greenlets count."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.live.test_runtimes import run_program

from stretto._async.database import AsyncDatabase
from stretto._sync.database import Database
from stretto.testing import expect


async def test_tasks_that_are_started_inside_count(db: AsyncDatabase) -> None:
    await db.fetchval("select 1")
    begun, go = asyncio.Event(), asyncio.Event()

    async def other() -> None:
        begun.set()
        await go.wait()
        await db.fetchval("select 'other'")

    before = asyncio.create_task(other())
    await begun.wait()
    with expect(statements=21, round_trips=2):
        await asyncio.gather(*(db.fetchval("select $1::int", i) for i in range(20)))
        go.set()
        await before
        await db.fetchval("select 1")


async def test_uneven_tasks(db: AsyncDatabase) -> None:
    async def one_after_another(number: int) -> None:
        for _ in range(number):
            await db.fetchval("select 1")

    with expect(statements=5) as seen:
        await asyncio.gather(one_after_another(1), one_after_another(4))
    assert 4 <= seen.round_trips <= 5


async def test_threads_with_a_copy_of_the_context_count(db: AsyncDatabase, server_url: str) -> None:
    with Database(server_url, connections=1) as blocking, expect(statements=2, round_trips=2):
        assert await asyncio.to_thread(blocking.fetchval, "select 1") == 1
        assert await db.fetchval("select 1") == 1


def test_other_threads_do_not_count(db: Database) -> None:
    with expect(statements=1, round_trips=1), ThreadPoolExecutor(1) as pool:
        assert pool.submit(db.fetchval, "select 1").result(30) == 1
        assert pool.submit(contextvars.copy_context().run, db.fetchval, "select 2").result(30) == 2


def test_threads_at_the_same_time_are_counted_once_each(db: Database) -> None:
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait(30)
        for _ in range(50):
            db.fetchval("select 1")

    with expect(statements=200) as seen, ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(contextvars.copy_context().run, work) for _ in range(4)]:
            future.result(60)
    assert 50 <= seen.round_trips <= 200


GREENLETS = """
import contextvars, sys
import gevent.monkey
gevent.monkey.patch_all()
import gevent, stretto
from stretto.testing import expect
with stretto.Database(sys.argv[1], connections=2) as db:
    db.fetchval("select 1")
    with expect(statements=11) as seen:
        copies = [contextvars.copy_context() for _ in range(10)]
        gevent.joinall([gevent.spawn(copy.run, db.fetchval, "select 1") for copy in copies], raise_error=True)
        db.fetchval("select 2")
    print(len(seen.statements), 2 <= seen.round_trips <= 11)  # 2, unless the server answers faster than we ask
"""


def test_greenlets_in_a_copy_of_the_context_count(server_url: str) -> None:
    pytest.importorskip("gevent")
    assert run_program(GREENLETS, server_url) == "11 True"


def test_nothing_is_hooked_before_it_is_used() -> None:
    program = """
import stretto.testing
from stretto.runtime import aio, blocking, traffic, atraffic
owners = (aio.Link, blocking.Link, traffic.Traffic, atraffic.Traffic)
hooked = lambda: [hasattr(owner.run, "__wrapped__") for owner in owners]
before = hooked()
with stretto.testing.expect(statements=0):
    print(before, hooked())
"""
    assert run_program(program) == f"{[False] * 4} {[True] * 4}"
