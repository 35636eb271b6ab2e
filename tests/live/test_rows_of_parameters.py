"""Rows of parameters that come from elsewhere: another driver's rows, and an async iterable, which is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest

from stretto._async.database import AsyncDatabase
from stretto.errors import UsageError


async def test_asyncpgs_records_are_rows(open_db: Callable[..., AsyncDatabase], server_url: str) -> None:
    peer = await asyncpg.connect(server_url)
    records = await peer.fetch("select i, i::text from generate_series(1, 3) i")
    await peer.close()
    assert await open_db().fetchmany("select $1::int, $2", records) == [(1, "1"), (2, "2"), (3, "3")]


async def test_an_async_iterable_is_to_be_collected_first(open_db: Callable[..., AsyncDatabase]) -> None:
    async def rows() -> AsyncIterator[tuple[int]]:
        yield (1,)

    db, given = open_db(), rows()
    with pytest.raises(UsageError, match=r"^rows: an iterable of lists or tuples, not async_generator \(collect what"):
        await db.executemany("select $1::int", given)  # type: ignore[arg-type]  # the mistake
    assert await db.fetchmany("select $1::int", [row async for row in given], into=int) == [1]
