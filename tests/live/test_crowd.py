"""A crowd of tasks: most of it waits outside, more than the queue takes are told so, the collector is relieved."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

import stretto
from stretto.errors import PoolClosed, PoolFull, PoolTimeout
from stretto.protocol.request import Request
from stretto.runtime.crowd import CROWD, YOUNG


async def test_the_collector_comes_less_often_while_a_crowd_waits(open_db: Any) -> None:
    db = open_db(connections=1, queue=CROWD)
    assert await db.fetchval("select 1") == 1
    before = gc.get_threshold()
    async with db.connection():
        tasks = [asyncio.ensure_future(db.fetchval("select $1::int", i)) for i in range(CROWD + 10)]
        await asyncio.sleep(0)  # each task has had its turn
        assert db.stats().waiting == CROWD
        assert gc.get_threshold()[0] == max(YOUNG, before[0])
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert found[:CROWD] == list(range(CROWD))
    assert [type(one) for one in found[CROWD:]] == [PoolFull] * 10
    assert gc.get_threshold() == before


async def test_a_crowd_that_is_sent_home_is_none_any_more(open_db: Any) -> None:
    db = open_db(connections=1, slow=None)
    before = gc.get_threshold()
    async with db.connection():
        tasks = [asyncio.ensure_future(db.fetchval("select 1")) for _ in range(CROWD)]
        await asyncio.sleep(0)  # each task has had its turn
        assert db.stats().waiting == CROWD
        await db.close(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert gc.get_threshold() == before


# Outside: those of a crowd for whom nothing is built yet ------------------------------------------------------------

MANY = 2 * CROWD + 100


async def read(db: Any, number: int) -> int:
    return int(await db.fetchval("select $1::int", number))


async def patient(db: Any, number: int) -> int:
    return int(await db.fetchval("select $1::int", number, timeout=120))


async def write(db: Any, number: int) -> int:
    async with db.transaction():
        return int(await db.fetchval("select $1::int", number))


async def idle(db: Any, number: int) -> int:
    async with db.transaction():
        return number  # nothing is sent


async def bridged(db: Any, number: int) -> int:
    return int(await db.run(lambda db: db.fetchval("select $1::int", number)))


async def batched(db: Any, number: int) -> int:
    async with db.batch() as batch:
        batch.add("select $1::int", number)
    return int(batch.results[0].rows[0][0])


async def reserved(db: Any, number: int) -> int:
    async with db.connection() as connection:
        return int(await connection.fetchval("select $1::int", number))


KINDS = (read, write, idle, bridged, batched, reserved)


def begun(db: Any, *kinds: Any) -> list[asyncio.Task[int]]:
    """Tasks of these kinds in turn, more than a crowd."""
    return [asyncio.ensure_future(kinds[number % len(kinds)](db, number)) for number in range(MANY)]


def built() -> int:
    """Requests that there are."""
    return sum(type(one) is Request for one in gc.get_objects())


async def crowded(db: Any, *kinds: Any) -> list[asyncio.Task[int]]:
    """As begun, and all of them wait."""
    tasks = begun(db, *kinds)
    await asyncio.sleep(0)  # each task has had its turn
    return tasks


async def test_most_of_a_crowd_has_nothing_built_and_is_served_in_its_order(open_db: Any) -> None:
    db = open_db(connections=1, slow=None)
    assert await read(db, 1) == 1
    ended: list[int] = []
    async with db.connection():
        before = built()
        tasks = await crowded(db, read)
        for task in tasks:
            task.add_done_callback(lambda task: ended.append(task.result()))
        assert db.stats().waiting == MANY
        assert built() - before <= CROWD
    await asyncio.gather(*tasks)
    await asyncio.sleep(0)  # the last callback
    assert ended == list(range(MANY))
    assert db.stats().waiting == 0


async def test_whatever_a_crowd_asks_for_is_done(open_db: Any) -> None:
    db = open_db(connections=2, slow=None)
    async with db.connection():
        async with db.connection():
            tasks = await crowded(db, *KINDS)
        more = begun(db, *KINDS)  # while the others come in
    assert await asyncio.gather(*tasks) == list(range(MANY))
    assert await asyncio.gather(*more) == list(range(MANY))
    assert await asyncio.gather(*begun(db, idle)) == list(range(MANY))  # the crowd is gone


async def test_a_block_that_sends_nothing_holds_nobody_up(open_db: Any) -> None:
    db = open_db(connections=1, slow=None)
    done = asyncio.Event()

    async def lingering(db: Any, number: int) -> int:
        async with db.transaction():
            await done.wait()
        return number

    async with db.connection():
        first = [asyncio.ensure_future(read(db, number)) for number in range(CROWD)]
        lingerers = await crowded(db, lingering)
        last = asyncio.ensure_future(read(db, MANY))
        await asyncio.sleep(0)
        assert db.stats().waiting == CROWD + MANY + 1
    assert await last == MANY
    done.set()
    assert await asyncio.gather(*lingerers) == list(range(MANY))
    assert await asyncio.gather(*first) == list(range(CROWD))


async def test_an_open_transaction_does_not_wait_behind_the_crowd(open_db: Any) -> None:
    db = open_db(connections=1, slow=None)
    async with db.transaction():
        assert await read(db, 1) == 1
        with stretto.detached():
            tasks = await crowded(db, read, write)
        assert await read(db, 2) == 2
        assert await write(db, 3) == 3
        assert db.stats().waiting == MANY
    assert await asyncio.gather(*tasks) == list(range(MANY))


LIMITED: dict[str, Any] = {
    "timeout": lambda db: db.fetchval("select 1", timeout=0.01),
    "block": lambda db: enter(db.transaction(timeout=0.01)),
    "deadline": lambda db: in_time(db),
}


async def enter(block: Any) -> None:
    async with block:
        raise AssertionError


async def in_time(db: Any) -> None:
    with stretto.deadline(0.01):
        await db.fetchval("select 1")


@pytest.mark.parametrize("how", LIMITED)
async def test_time_runs_outside_too(open_db: Any, how: str) -> None:
    db = open_db(connections=1, slow=None)
    async with db.connection():
        tasks = await crowded(db, read)
        with pytest.raises(PoolTimeout):
            await LIMITED[how](db)
        assert db.stats().waiting == MANY
    assert await asyncio.gather(*tasks) == list(range(MANY))


async def test_all_are_told_when_they_have_waited_too_long(open_db: Any) -> None:
    db = open_db(connections=1, acquire_timeout=0.3)
    async with db.connection():
        tasks = await crowded(db, read, write)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in found} == {PoolTimeout}
        assert db.stats().waiting == 0
    assert await read(db, 1) == 1


async def test_whoever_is_cancelled_outside_leaves(open_db: Any) -> None:
    db = open_db(connections=1, slow=None)
    async with db.connection():
        tasks = await crowded(db, read, write)
        for task in tasks[CROWD:]:
            task.cancel("enough")
        found = await asyncio.gather(*tasks[CROWD:], return_exceptions=True)
        assert {type(one) for one in found} == {asyncio.CancelledError}
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await tasks[-1]
        assert db.stats().waiting == CROWD
    assert await asyncio.gather(*tasks[:CROWD]) == list(range(CROWD))


@pytest.mark.parametrize("timeout", [0.0, None])
async def test_closing_serves_or_sends_home_who_is_outside(open_db: Any, timeout: float | None) -> None:
    db = open_db(connections=1, slow=None)
    async with db.connection():
        tasks = await crowded(db, read, patient, write)
        closing = asyncio.ensure_future(db.close(timeout))
        await asyncio.sleep(0)
        if timeout == 0.0:
            await closing
    found = await asyncio.gather(*tasks, return_exceptions=True)
    await closing
    assert found == list(range(MANY)) or (timeout == 0.0 and {type(one) for one in found} == {PoolClosed})
    with pytest.raises(PoolClosed):
        await read(db, 1)


async def test_a_failure_that_will_repeat_itself_is_told_outside_too(open_db: Any) -> None:
    db = open_db(connections=1, dbname="there_is_none")
    found = await asyncio.gather(*begun(db, read, patient, write), return_exceptions=True)
    assert {getattr(one, "sqlstate", None) for one in found} == {"3D000"}
    assert db.stats().failed == 1
