"""Slow statements that waited: for a connection of a pool that is too small, or behind others on one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.live._async.test_slow import WARM, longest, slow

from stretto.errors import PoolTimeout

SLEEP = "select pg_sleep(0.12)"


async def test_tasks_wait_for_a_connection(open_db: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(connections=1, slow=0.2)
    await asyncio.gather(*[db.execute(f"{SLEEP}, {number}") for number in range(3)])
    found = slow(caplog)
    assert [longest(one) for one in found[-1:]] == ["queued"]
    assert found[-1].sql == f"{SLEEP}, 2"


def test_threads_wait_for_a_connection(open_db: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(connections=1, slow=0.2)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda number: db.execute(f"{SLEEP}, {number}"), range(3)))
    assert longest(slow(caplog)[-1]) == "queued"


async def test_tasks_wait_for_a_connection_in_vain(
    open_db: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    db = open_db(connections=1, slow=0.1, acquire_timeout=0.15)
    async with db.connection():
        with pytest.raises(PoolTimeout):
            await db.fetch("select 1")
    (found,) = slow(caplog)
    assert (found.outcome, longest(found), found.pid) == ("failed with PoolTimeout (not_sent)", "queued", None)


def test_a_thread_waits_for_a_connection_in_vain(open_db: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(connections=1, slow=0.1, acquire_timeout=0.15)
    with db.connection(), pytest.raises(PoolTimeout):
        db.fetch("select 1")
    (found,) = slow(caplog)
    assert (found.outcome, longest(found), found.pid) == ("failed with PoolTimeout (not_sent)", "queued", None)


async def test_a_transaction_waits_for_its_connection(
    open_db: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    db = open_db(connections=1, slow=0.1)
    other = asyncio.ensure_future(db.execute(SLEEP))
    await asyncio.wait([asyncio.ensure_future(db.fetch("select 0")), other], return_when=asyncio.FIRST_COMPLETED)
    async with db.transaction():
        await db.fetch("select 1")
    await other
    assert {one.sql: longest(one) for one in slow(caplog)}.get("select 1", "queued") == "queued"


async def test_a_statement_waits_behind_others(open_db: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(slow=0.1, track_commit=False)
    async with db.transaction():
        await db.fetch(WARM)
        await asyncio.gather(db.execute(SLEEP), db.execute("select 2"))
    first, second = slow(caplog)
    assert (first.sql, longest(first), first.others) == (SLEEP, "server", 0)
    assert (second.sql, longest(second), second.others) == ("select 2", "behind", 1)
