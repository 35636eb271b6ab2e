"""What a bulk load on asyncio runs its transactions on: any connection of the pool, or one that it keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any

from stretto._async.connection import AsyncConnection
from stretto._async.transacting import AsyncTransacting
from stretto.errors import StatementTimeout
from stretto.flows.ambient import present
from stretto.runtime.aio import Link

_parallel: ContextVar[tuple[Any, ...]] = ContextVar("stretto_parallel_loads", default=())


class AsyncLane(AsyncTransacting):
    """Transactions of a Database that are nobody's surroundings: what a source asks of the Database is outside."""

    def __init__(self, db: Any) -> None:
        self._db = db
        self._shared = db._shared
        self._track_commit = db._track_commit

    def _take(self, timeout: float | None, since: float = 0.0) -> Any:
        return self._db._take(timeout, since)

    def _give(self, link: Link) -> Any:
        return self._db._give(link)

    def _alone(self, flow: Any, timeout: float | None, exclusive: bool = False, since: float = 0.0) -> Any:
        return self._db._alone(flow, timeout, exclusive, since)

    def _run(self, flow: Any, timeout: float | None, exclusive: bool = False, since: float = 0.0) -> Any:
        return self._within(present(), flow, timeout, exclusive)


class AsyncKeptLane(AsyncLane):
    """One transaction of a connection in hand; what has become of its COMMIT is asked on any other."""

    def __init__(self, db: Any, kept: AsyncConnection) -> None:
        super().__init__(db)
        self._kept = kept

    def _take(self, timeout: float | None, since: float = 0.0) -> Any:
        return self._kept._take(timeout, since)

    def _give(self, link: Link) -> Any:
        return self._kept._give(link)

    def _elsewhere(self) -> Any:
        return self._db


def is_in_parallel(db: Any) -> bool:
    """Whether this is asked for by the source of a load that goes in over several connections of this Database."""
    return any(one is db for one in _parallel.get())


@asynccontextmanager
async def turn_of(db: Any) -> AsyncIterator[None]:
    """A turn to hold a connection and wait for more of them: two that do so would wait for each other.

    Raises StatementTimeout where the deadline passes before.
    """
    now = present()
    left = now.remaining(None, monotonic())
    try:
        await db._loads.enter(True, left)
    except StatementTimeout as error:
        late = StatementTimeout(f"another load over several connections took {left} seconds", outcome="not_sent")
        now.explain(late, monotonic())
        raise late from error
    try:
        yield
    finally:
        db._loads.leave(True)


@asynccontextmanager
async def in_parallel(db: Any) -> AsyncIterator[None]:
    """A load's turn, in which its source can know of it. Raises StatementTimeout where the deadline passes before."""
    async with turn_of(db):
        around = _parallel.get()
        _parallel.set((*around, db))
        try:
            yield
        finally:
            _parallel.set(around)  # no reset(): the context may have changed meanwhile
