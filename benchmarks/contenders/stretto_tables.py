"""stretto's copy_table()."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from benchmarks.cases.copy_table import TABLE
from benchmarks.contenders import contender
from stretto import AsyncDatabase, Database


@contender("copy_table", "stretto blocking")
def copy_blocking(url: str, to: str) -> Iterator[Any]:
    with Database(url) as source, Database(to) as target:
        yield lambda: source.copy_table(TABLE, target)


@contender("copy_table", "stretto verified")
def copy_verified(url: str, to: str) -> Iterator[Any]:
    """Both sides are counted and added up, too."""
    with Database(url) as source, Database(to) as target:
        yield lambda: source.copy_table(TABLE, target, verify=True)


@contender("copy_table", "stretto 2 jobs by part")
def copy_parts(url: str, to: str) -> Iterator[Any]:
    """Ranges at the same time, each committed by itself."""
    with Database(url) as source, Database(to) as target:
        yield lambda: source.copy_table(TABLE, target, jobs=2, atomic=False)


@contender("copy_table", "stretto asyncio")
async def copy_async(url: str, to: str) -> AsyncIterator[Any]:
    async with AsyncDatabase(url) as source, AsyncDatabase(to) as target:
        yield lambda: source.copy_table(TABLE, target)
