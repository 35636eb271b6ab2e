"""A crowd of tasks: most of it waits outside, more than the queue takes are told so, the collector is relieved."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

import pytest
from tests.live.conftest import LOOPS

import stretto
from stretto import AsyncDatabase
from stretto.errors import PoolClosed, PoolFull, PoolTimeout
from stretto.pool.queue import Queue
from stretto.protocol.request import Request
from stretto.runtime.crowd import CROWD, YOUNG
from stretto.runtime.entry import Waiter


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


# Loops that end before the crowd is gone ----------------------------------------------------------------------------

Factory = Callable[[], asyncio.AbstractEventLoop]
EACH_LOOP = pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=LOOPS)


@EACH_LOOP
def test_whoever_is_left_when_a_program_ends_is_cancelled_outside_too(server_url: str, loop_factory: Factory) -> None:
    tasks: list[asyncio.Task[Any]] = []
    all_wait = asyncio.Event()

    async def serve() -> None:
        async with AsyncDatabase(server_url, connections=1, slow=None) as db, db.connection():
            tasks.extend(await crowded(db, read, write, patient))
            all_wait.set()
            await asyncio.Event().wait()

    async def main() -> None:
        tasks.append(asyncio.ensure_future(serve()))
        await all_wait.wait()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert all(task.cancelled() for task in tasks)


async def serve_another(db: Any) -> None:
    """Whoever comes on a new loop is served, a crowd as well; the loop before had the pool's connections."""
    with pytest.warns(ResourceWarning, match="event loop was closed"):
        assert await read(db, 1) == 1
    async with db.connection():
        tasks = await crowded(db, read, write)
    assert await asyncio.gather(*tasks) == list(range(MANY))
    await db.close()


@EACH_LOOP
def test_a_crowd_that_was_lost_with_its_loop_holds_nobody_up_on_the_next(
    server_url: str, loop_factory: Factory
) -> None:
    db = AsyncDatabase(server_url, connections=1, slow=None, acquire_timeout=60)
    loop = loop_factory()

    async def main() -> list[Any]:
        await db._pool.acquire()
        return await crowded(db, read, patient)

    lost = loop.run_until_complete(main())
    loop.close()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve_another(db))
    assert not any(task.done() for task in lost)


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_that_stops_while_a_crowd_comes_in_holds_nobody_up_on_the_next(server_url: str, name: str) -> None:
    db = AsyncDatabase(server_url, connections=1, slow=None, acquire_timeout=60)
    loop = LOOPS[name]()
    lost: list[Any] = []

    async def main() -> None:
        await db._pool.acquire()
        lost.extend(await crowded(db, read))
        stop = loop.stop if name == "uvloop" else partial(loop.call_soon, loop.stop)
        stop()  # at the end of the next pass
        for task in lost[:CROWD]:
            task.cancel()

    lost.append(loop.create_task(main()))
    loop.run_forever()
    loop.close()
    assert db._pool._coming
    with asyncio.Runner(loop_factory=LOOPS[name]) as runner:
        runner.run(serve_another(db))


async def test_an_error_may_be_thrown_into_a_waiter_by_class_value_and_traceback() -> None:
    waiter = Waiter(0.0, Queue(), asyncio.get_running_loop())
    error = OSError("gone")
    for thrown in [(error,), (OSError, error), (OSError, "gone", None), (OSError, error, error.__traceback__)]:
        with pytest.raises(OSError, match="gone"):
            waiter.throw(*thrown)
    with pytest.raises(OSError):
        waiter.throw(OSError)


async def test_whoever_is_sent_away_hears_after_how_long_whatever_he_has_said(open_db: Any) -> None:
    db = open_db(connections=1, acquire_timeout=0.3, slow=None)
    async with db.connection():
        found = await asyncio.gather(*await crowded(db, patient), return_exceptions=True)
    assert {type(one) for one in found} == {PoolTimeout}
    assert all("within 0.3 seconds" in str(one) for one in found[CROWD:])


async def test_time_outside_counts_once_against_a_deadline(open_db: Any) -> None:
    db = open_db(connections=1, slow=None)
    seen: list[float] = []

    async def limited() -> None:
        with stretto.deadline(60):
            await db.fetchval("select 1")

    async def watched(flow: Any, timeout: float, exclusive: bool, since: float) -> Any:
        seen.append(since + timeout)
        return await drive(flow, timeout, exclusive, since)

    drive, db._alone = db._alone, watched
    async with db.connection():
        tasks = await crowded(db, read)
        begun = monotonic()
        late = asyncio.ensure_future(limited())
        await asyncio.sleep(0.3)
        assert not late.done()
    await asyncio.gather(*tasks, late)
    assert begun + 60 <= seen[-1] < begun + 60.25


@pytest.mark.parametrize("count", [CROWD // 2, MANY])
async def test_closing_that_is_cancelled_at_once_closes_all_the_same(open_db: Any, count: int) -> None:
    db = open_db(connections=1, slow=None)
    async with db.connection():
        tasks = [asyncio.ensure_future(read(db, number)) for number in range(count)]
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(db.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert (db.stats().connections, db.stats().waiting) == (0, 0)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in found} == {PoolClosed}
    with pytest.raises(PoolClosed):
        await read(db, 1)


async def test_the_time_of_statements_is_not_that_of_blocks(open_db: Any) -> None:
    db = open_db(connections=1, slow=None, timeout=0.3)
    async with db.connection():
        tasks = await crowded(db, read)
        blocks = [asyncio.ensure_future(one(db, 7)) for one in (reserved, idle)]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in found} == {PoolTimeout}
    assert await asyncio.gather(*blocks) == [7, 7]


async def test_time_outside_counts_for_the_first_request_of_a_call_only(open_db: Any) -> None:
    db = open_db(connections=1, slow=None)
    placed: list[float] = []
    pool = db._pool
    enqueue, inner = pool._enqueue, pool.scheduler

    def watched(request: Any, now: float) -> None:
        if asyncio.current_task() is late:
            placed.append(now)
        enqueue(request, now)

    class Full:
        """The scheduler, which has no room for one."""

        def place(self, request: Any, now: float) -> Any:
            if asyncio.current_task() is not late:
                return inner.place(request, now)
            asyncio.get_running_loop().call_soon(pool._dispatch)  # there may be nobody else to do it
            return None

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    async with db.connection():
        tasks = await crowded(db, read)
        late = asyncio.ensure_future(db.fetchval("select 41, 42", column=1))  # two requests: it is not known yet
        await asyncio.sleep(0)
        between = monotonic()
        pool._enqueue, pool.scheduler = watched, Full()
    assert await late == 42
    await asyncio.gather(*tasks)
    first, second = placed
    assert first <= between < second
