"""A task that is cancelled in a bulk load, and an interrupt in a blocking one: nothing is left, all can be used."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from tests.live.support import meanwhile, until

from stretto._async.database import AsyncDatabase
from stretto._sync.database import Database
from stretto.flows import batches

WAYS: list[dict[str, Any]] = [{}, {"chunks": 2}, {"errors": "report"}, {"atomic": False, "chunks": 2}]


@pytest.mark.parametrize("way", WAYS, ids=repr)
async def test_a_cancelled_load_leaves_nothing_unfinished(db: AsyncDatabase, way: dict[str, Any]) -> None:
    await db.execute("create table t (id int primary key)")
    begun = asyncio.Event()

    def source() -> Iterator[tuple[int]]:
        number = 0
        while True:
            if number == 20_000:
                begun.set()
            yield (number,)
            number += 1

    task = asyncio.create_task(db.copy_in("t", source(), **way))
    await asyncio.wait_for(begun.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    count = await db.fetchval("select count(*) from t")
    assert count == 0 or (way.get("atomic") is False and count % 100 == 0)
    tables = "select count(*) from pg_class where relkind = 'r' and relnamespace = current_schema()::regnamespace"
    assert await db.fetchval(tables) == 1
    await db.execute("truncate t")
    assert (await db.copy_in("t", [(1,)], **way)).rows == 1


@pytest.mark.parametrize("way", WAYS, ids=repr)
def test_an_interrupt_in_the_source_leaves_nothing_unfinished(
    open_db: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, way: dict[str, Any]
) -> None:
    monkeypatch.setattr(batches, "BLOCK_ROWS", 1000)
    db: Database = open_db(connections=4)
    db.execute("create table t (id int primary key)")

    def source() -> Iterator[tuple[int]]:
        for number in range(5000):
            yield (number,)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        db.copy_in("t", source(), **way)
    assert db.fetchval("select count(*) from t") % 1000 == 0
    if way.get("atomic", True):
        assert db.fetchval("select count(*) from t") == 0
    assert db.copy_in("t", [(5001,)], **way).rows == 1


WAITING = "select count(*) from pg_locks where not granted and relation = %s::regclass"
ROWS = [(number,) for number in range(3000)]


async def test_a_load_cancelled_while_its_last_chunks_land_takes_none_further(
    db: AsyncDatabase, outside: psycopg.Connection[Any], schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BLOCK_ROWS", 1000)
    await db.execute("create table t (id int primary key)")
    with outside.transaction():
        outside.execute("lock table t in share mode")
        task = asyncio.create_task(db.copy_in("t", ROWS, atomic=False, chunks=2))
        await asyncio.to_thread(until, outside, WAITING, f"{schema}.t", wanted=2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert caught.value.__notes__ == ["0 rows of the load have landed"]
    assert await db.fetchval("select count(*) from t") == 0


def test_a_load_interrupted_while_its_last_chunks_land_tells_how_many_have(
    open_db: Callable[..., Any], server_url: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BLOCK_ROWS", 1000)
    db: Database = open_db(connections=4)
    db.execute("create table t (id int primary key)")

    def interrupt(other: psycopg.Connection[Any]) -> None:
        until(other, WAITING, f"{schema}.t", wanted=2)
        os.kill(os.getpid(), signal.SIGINT)
        holder.rollback()

    with psycopg.connect(server_url) as holder:
        holder.execute(f"lock table {schema}.t in share mode")
        with meanwhile(server_url, interrupt), pytest.raises(KeyboardInterrupt) as caught:
            db.copy_in("t", ROWS, atomic=False, chunks=2)
    landed = db.fetchval("select count(*) from t")
    assert landed % 1000 == 0
    assert caught.value.__notes__ == [f"{landed} rows of the load have landed"]
