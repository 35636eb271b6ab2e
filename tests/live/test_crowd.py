"""A crowd of tasks: more than the queue takes are told so, the collector is relieved meanwhile."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from stretto.errors import PoolFull
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
    db = open_db(connections=1)
    before = gc.get_threshold()
    async with db.connection():
        tasks = [asyncio.ensure_future(db.fetchval("select 1")) for _ in range(CROWD)]
        await asyncio.sleep(0)  # each task has had its turn
        assert db.stats().waiting == CROWD
        await db.close(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert gc.get_threshold() == before
