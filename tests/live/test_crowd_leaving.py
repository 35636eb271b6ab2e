"""A crowd of tasks that leaves again: since when each has waited, whoever is cancelled, and what is kept of him."""

from __future__ import annotations

import asyncio
import gc
import random
from time import monotonic
from typing import Any

import pytest
from tests.live.test_crowd import MANY, bridged, crowded, read, reserved, write

from stretto.errors import PoolTimeout
from stretto.protocol.request import Request
from stretto.runtime.atraffic import Ticket
from stretto.runtime.crowd import CROWD
from stretto.runtime.entry import Waiter


async def bridged_block(db: Any, number: int) -> int:
    def block(db: Any) -> int:
        with db.transaction():
            return int(db.fetchval("select $1::int", number))

    return int(await db.run(block))


async def bridged_reserved(db: Any, number: int) -> int:
    def block(db: Any) -> int:
        with db.connection() as connection:
            return int(connection.fetchval("select $1::int", number))

    return int(await db.run(block))


@pytest.mark.parametrize("kind", [read, write, reserved, bridged, bridged_block, bridged_reserved])
async def test_the_time_outside_is_a_part_of_acquire_timeout(open_db: Any, kind: Any) -> None:
    db = open_db(connections=1, acquire_timeout=90, slow=None)
    async with db.connection():
        tasks = await crowded(db, kind)
        for waiter in db._pool.crowd.outside:
            waiter.since -= 100  # as if he had come so long ago
        for task in tasks[:CROWD]:
            task.cancel()
        found = await asyncio.gather(*tasks[CROWD:], return_exceptions=True)
        assert {type(one) for one in found} == {PoolTimeout}
        assert db.stats().waiting == 0
        assert all("within 90 seconds" in str(one) for one in found)
    assert await kind(db, 7) == 7


@pytest.mark.parametrize("kind", [write, reserved])
async def test_the_time_outside_is_not_that_of_the_next_block(open_db: Any, kind: Any) -> None:
    db = open_db(connections=1, acquire_timeout=90, slow=None)

    async def twice(db: Any, number: int) -> tuple[int, int]:
        return await kind(db, number), await kind(db, number)

    async with db.connection():
        tasks = await crowded(db, twice)
        for waiter in db._pool.crowd.outside:
            waiter.since -= 50
    assert await asyncio.gather(*tasks) == [(number, number) for number in range(MANY)]


async def test_whoever_has_waited_longest_is_told_first_wherever_he_stands(open_db: Any) -> None:
    db = open_db(connections=1, acquire_timeout=90)
    pool = db._pool
    async with db.connection():
        newcomer = asyncio.ensure_future(pool.acquire())
        await asyncio.sleep(0)
        with pytest.raises(PoolTimeout, match="within 90 seconds"):
            await pool.acquire(None, monotonic() - 100)
        assert not newcomer.done()
        assert db.stats().waiting == 1
    await pool.release(await newcomer)


def kept() -> int:
    """What is there of those who wait, or have waited."""
    gc.collect()
    return sum(isinstance(one, Request | Ticket | Waiter) for one in gc.get_objects())


@pytest.mark.parametrize("more", [0, 1500])
async def test_many_leave_in_any_order_and_nothing_of_them_is_kept(open_db: Any, more: int) -> None:
    db = open_db(connections=1, slow=None)
    assert await read(db, 7) == 7
    dice = random.Random(more)
    async with db.connection():
        before = kept()
        count = CROWD - 1 + more
        kinds = (read, write, reserved)
        tasks = [asyncio.ensure_future(kinds[number % 3](db, number)) for number in range(count)]
        await asyncio.sleep(0)  # each task has had its turn
        assert db.stats().waiting == count
        leaving = dice.sample(tasks, count - 100)
        for part in range(0, len(leaving), 200):
            for task in leaving[part : part + 200]:
                task.cancel()
            await asyncio.gather(*leaving[part : part + 200], return_exceptions=True)
            await asyncio.sleep(0)
            assert db.stats().waiting == count - len(leaving[: part + 200])
        assert all(task.cancelled() for task in leaving)
        leaving.clear()
        staying = [number for number, task in enumerate(tasks) if not task.done()]
        tasks = [tasks[number] for number in staying]
        assert len(staying) == 100
        assert kept() - before <= 2 * 100 + 2  # of those who have left no more than of those who stay
    assert await asyncio.gather(*tasks) == staying
    assert db.stats().waiting == 0
