# Generated from tests/live/_async/test_bulk_crash.py by tools/make_sync.py: do not edit.
"""Bulk loads whose server crashes: what it has emptied is not taken for the rows."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from tests.live.support import until

import stretto.embedded
from stretto._sync.database import Database
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


def test_a_crash_between_two_blocks_leaves_nothing(
    open_db: Callable[..., Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BLOCK_ROWS", 500)
    db: Database = open_db(url, connections=4)
    asking: Database = open_db(url, connections=1)
    db.execute("create table t (id int primary key)")

    def source() -> Iterator[tuple[int]]:
        for number in range(6000):
            if number == 3000:
                asking.execute("checkpoint")  # the staging table is known after the crash: as an empty one
                crash(url)
            yield (number,)

    with pytest.raises((ConnectionLost, CrashShutdown)):
        db.copy_in("t", source(), chunks=2)
    with psycopg.connect(url, autocommit=True) as outside:
        until(outside, "select count(*) from t", wanted=0)
    assert (db.copy_in("t", [(1,)], chunks=2)).rows == 1
    assert db.fetchval("select count(*) from pg_class where relname like 'stretto_staging%'") == 0
