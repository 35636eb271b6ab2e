"""``exclusive=True``: nobody is placed on the connection of such a statement while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from stretto._async.database import AsyncDatabase
from stretto._sync.database import Database
from stretto.context import deadline
from stretto.runtime.aturns import pause

SQL = "select $1::int as n"
SHORT = 1e-5


async def batched(db: Any, **keywords: Any) -> Any:
    async with db.batch(**keywords) as batch:
        batch.add(SQL, 7)
    return batch.results[0].rows


async def with_deadline(db: Any, **keywords: Any) -> Any:
    with deadline(30):
        return await db.fetch(SQL, 7, **keywords)


VERBS: dict[str, Callable[..., Any]] = {
    "fetch": lambda db, **keywords: db.fetch(SQL, 7, **keywords),
    "fetchrow": lambda db, **keywords: db.fetchrow(SQL, 7, **keywords),
    "fetchval": lambda db, **keywords: db.fetchval(SQL, 7, **keywords),
    "execute": lambda db, **keywords: db.execute(SQL, 7, **keywords),
    "execute, no arguments": lambda db, **keywords: db.execute("select 7 as n", **keywords),
    "executemany": lambda db, **keywords: db.executemany(SQL, [(7,)], **keywords),
    "fetchmany": lambda db, **keywords: db.fetchmany(SQL, [(7,)], **keywords),
    "batch": batched,
    "with a deadline": with_deadline,
    "run": lambda db, **keywords: db.run(lambda own: own.fetch(SQL, 7, **keywords)),
}
GIVEN = {
    "fetchrow": (7,),
    "fetchval": 7,
    "execute": "SELECT 1",
    "execute, no arguments": "SELECT 1",
    "executemany": None,
}


async def depths(db: AsyncDatabase, call: Callable[[], Any], others: int) -> tuple[list[int], Any]:
    """How many statements each of two idle connections carries when one call and others behind it are made at once."""
    async with db.connection(), db.connection():
        pass
    while db.stats().idle < 2:  # they are made as new beside us
        await pause(0)
    assert await db.fetchval(SQL, 1) == 1
    statement = db._shared.statements.get(SQL)
    assert statement is not None
    statement.service = statement.least = SHORT  # as it is known where the machine is quiet
    asked = asyncio.ensure_future(call())
    behind = [asyncio.ensure_future(db.fetchval(SQL, number)) for number in range(others)]
    await pause(0)
    found = sorted(lane.depth for lane in db._pool.scheduler.lanes)
    assert await asyncio.gather(*behind) == list(range(others))
    return found, await asked


@pytest.mark.parametrize("verb", VERBS)
async def test_nobody_is_placed_beside_an_exclusive_statement(open_db: Any, verb: str) -> None:
    db = open_db(connections=2)
    found, given = await depths(db, lambda: VERBS[verb](db, exclusive=True), 5)
    assert found == [1, 5]
    assert given == GIVEN.get(verb, [(7,)])


async def test_others_ride_along_where_it_is_not_said(open_db: Any) -> None:
    db = open_db(connections=2)
    found, _ = await depths(db, lambda: VERBS["fetch"](db), 5)
    assert found == [0, 6]


@pytest.mark.parametrize("verb", VERBS)
async def test_where_a_connection_is_ones_own_it_changes_nothing(open_db: Any, verb: str) -> None:
    db = open_db(connections=1)
    async with db.transaction():
        assert await VERBS[verb](db, exclusive=True) == GIVEN.get(verb, [(7,)])
    async with db.connection() as own:
        if verb != "run":
            assert await VERBS[verb](own, exclusive=True) == GIVEN.get(verb, [(7,)])


def test_blocking_code_has_it_too(open_db: Callable[..., Database]) -> None:
    db = open_db(connections=1)
    assert db.fetch(SQL, 7, exclusive=True) == [(7,)]
    assert db.fetchrow(SQL, 7, exclusive=True) == (7,)
    assert db.fetchval(SQL, 7, exclusive=True) == 7
    assert db.execute(SQL, 7, exclusive=True) == "SELECT 1"
    db.executemany(SQL, [(7,)], exclusive=True)
    assert db.fetchmany(SQL, [(7,)], exclusive=True) == [(7,)]
    with db.batch(exclusive=True) as batch:
        batch.add(SQL, 7)
    assert batch.results[0].rows == [(7,)]
