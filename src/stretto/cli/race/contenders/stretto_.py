"""stretto with many callers: threads, greenlets and tasks on one Database; and with a connection for each caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from stretto import AsyncDatabase, Database
from stretto.cli.race.contenders import contender
from stretto.cli.race.workloads import select

POINT = select.SQL.format(parameter="$1")
HELD = range(1, 11)  # callers that have a connection each
MANY = range(2, 1_000_000)
BOTH = ("asyncio", "uvloop")
OFF: dict[str, Any] = {"pipelining": False}  # as it is given to a Database


@contender("select", "stretto blocking held", callers=HELD)
def select_held(url: str, callers: int, _connections: int) -> Iterator[Any]:
    with ExitStack() as stack:
        db = stack.enter_context(Database(url, connections=callers))
        held = [stack.enter_context(db.connection()) for _ in range(callers)]
        yield [lambda key, c=connection: c.fetchrow(POINT, key) for connection in held]


@contender("select", "stretto asyncio held", callers=HELD, loops=BOTH)
async def select_async_held(url: str, callers: int, _connections: int) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(AsyncDatabase(url, connections=callers))
        held = [await stack.enter_async_context(db.connection()) for _ in range(callers)]
        yield [lambda key, c=connection: c.fetchrow(POINT, key) for connection in held]


def _register_select(ending: str, options: dict[str, Any], **when: Any) -> None:
    @contender("select", f"stretto Database gevent{ending}", gevent=True, **when)
    @contender("select", f"stretto Database{ending}", **when)
    def blocking(url: str, callers: int, connections: int) -> Iterator[Any]:
        with Database(url, connections=connections, **options) as db:
            yield [lambda key: db.fetchrow(POINT, key)] * callers

    @contender("select", f"stretto AsyncDatabase{ending}", loops=("asyncio",) if options else BOTH, **when)
    async def asynchronous(url: str, callers: int, connections: int) -> AsyncIterator[Any]:
        async with AsyncDatabase(url, connections=connections, **options) as db:
            yield [lambda key: db.fetchrow(POINT, key)] * callers


_register_select("", {})


_register_select(", pipelining off", OFF, callers=MANY)
