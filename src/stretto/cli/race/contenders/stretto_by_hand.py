"""stretto without its models, where others have models: rows, and objects put together by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from stretto import AsyncDatabase, Database
from stretto.cli.race.contenders import by_hand, contender
from stretto.cli.race.workloads import mixed, select

POINT = select.SQL.format(parameter="$1")


@contender("models", "stretto Database Row", callers=range(1, 100))
def models_blocking(url: str, callers: int, connections: int) -> Iterator[Any]:
    with Database(url, connections=connections) as db:
        yield [lambda key: db.fetchrow(POINT, key)] * callers


@contender("models", "stretto AsyncDatabase Row")
async def models_async(url: str, callers: int, connections: int) -> AsyncIterator[Any]:
    async with AsyncDatabase(url, connections=connections) as db:
        yield [lambda key: db.fetchrow(POINT, key)] * callers


@contender("graph", "stretto blocking by hand")
def graph_blocking(url: str) -> Iterator[Any]:
    with Database(url) as db:

        def fetch() -> list[by_hand.Parent]:
            parents = db.fetch(by_hand.PARENTS)
            children = db.fetch(by_hand.CHILDREN_OF, by_hand.keys(parents))
            grandchildren = db.fetch(by_hand.GRANDCHILDREN_OF, by_hand.keys(children))
            return by_hand.stitched(parents, children, grandchildren)

        yield fetch


@contender("graph", "stretto asyncio by hand")
async def graph_async(url: str) -> AsyncIterator[Any]:
    async with AsyncDatabase(url) as db:

        async def fetch() -> list[by_hand.Parent]:
            parents = await db.fetch(by_hand.PARENTS)
            children = await db.fetch(by_hand.CHILDREN_OF, by_hand.keys(parents))
            grandchildren = await db.fetch(by_hand.GRANDCHILDREN_OF, by_hand.keys(children))
            return by_hand.stitched(parents, children, grandchildren)

        yield fetch


def _register_mixed(label: str, together: int | None) -> None:
    @contender("mixed", f"stretto asyncio by hand, {label}")
    async def asynchronous(url: str, connections: int) -> AsyncIterator[Any]:
        async with AsyncDatabase(url, connections=connections) as db:

            async def write(number: int) -> list[by_hand.A]:
                async with db.transaction():
                    first = await db.fetch(by_hand.WRITE_A, by_hand.texts(number))
                    second = await db.fetch(by_hand.WRITE_B, by_hand.owners(first))
                return by_hand.with_branches(first, second)

            async def read() -> list[by_hand.A]:
                first = await db.fetch(by_hand.READ_A, mixed.READ)
                return by_hand.with_branches(first, await db.fetch(by_hand.READ_B, by_hand.keys(first)))

            yield write, read, db.fetchval, together


_register_mixed("all at once", None)
_register_mixed(f"chunks of {mixed.CHUNK}", mixed.CHUNK)


def _register_mixed_blocking(label: str, callers: int | None, **options: Any) -> None:
    @contender("mixed", f"stretto by hand, {label}", **options)
    def blocking(url: str, connections: int) -> Iterator[Any]:
        with Database(url, connections=connections) as db:

            def write(number: int) -> list[by_hand.A]:
                with db.transaction():
                    first = db.fetch(by_hand.WRITE_A, by_hand.texts(number))
                    second = db.fetch(by_hand.WRITE_B, by_hand.owners(first))
                return by_hand.with_branches(first, second)

            def read() -> list[by_hand.A]:
                first = db.fetch(by_hand.READ_A, mixed.READ)
                return by_hand.with_branches(first, db.fetch(by_hand.READ_B, by_hand.keys(first)))

            yield write, read, db.fetchval, callers or connections


_register_mixed_blocking("one by one", 1)
_register_mixed_blocking("threads", None)
_register_mixed_blocking(f"gevent, {mixed.CHUNK} greenlets", mixed.CHUNK, gevent=True)
