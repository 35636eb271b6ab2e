"""Bulk loads whose server crashes: what it has emptied is not taken for the rows."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import psycopg
import pytest
from tests.live.support import until

import stretto.embedded
from stretto._async.database import AsyncDatabase
from stretto.errors import ConnectionLost
from stretto.flows import batches
from stretto.sqlstate import CrashShutdown


@pytest.fixture
def url() -> Iterator[str]:
    with stretto.embedded.server() as url:
        yield url


def crash(url: str) -> None:
    """Kill one session as the system might; the server ends all others, and empties unlogged tables.

    Until it has ended them it may take new ones, as if nothing were.
    """
    with psycopg.connect(url) as victim, psycopg.connect(url, autocommit=True) as other:
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        for each in (victim, other):
            with pytest.raises(psycopg.OperationalError):
                while True:
                    each.execute("select 1")
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            continue
        return


async def test_a_crash_between_two_blocks_leaves_nothing(
    open_db: Callable[..., Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BLOCK_ROWS", 500)
    db: AsyncDatabase = open_db(url, connections=4)
    asking: AsyncDatabase = open_db(url, connections=1)
    await db.execute("create table t (id int primary key)")

    async def source() -> AsyncIterator[tuple[int]]:
        for number in range(6000):
            if number == 3000:
                await asking.execute("checkpoint")  # the staging table is known after the crash: as an empty one
                crash(url)
            yield (number,)

    with pytest.raises((ConnectionLost, CrashShutdown)):
        await db.copy_in("t", source(), chunks=2)
    with psycopg.connect(url, autocommit=True) as outside:
        until(outside, "select count(*) from t", wanted=0)
    assert (await db.copy_in("t", [(1,)], chunks=2)).rows == 1
    assert await db.fetchval("select count(*) from pg_class where relname like 'stretto_staging%'") == 0
