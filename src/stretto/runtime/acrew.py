"""A crew of tasks that work off what one producer gives them; ``crew`` has it for threads and greenlets.

What is given and not yet taken is one item at most, so that slow work slows the producer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

_END: Any = object()


class Crew:
    """Up to ``size`` workers, started with the first items; a crew of one is the producer himself.

    The first failure ends it: what was begun is done to its end, nothing further is taken.
    """

    def __init__(self, size: int, work: Callable[[Any], Awaitable[Any]]) -> None:
        self.failure: BaseException | None = None
        self._size = size
        self._work = work
        self._items: asyncio.Queue[Any] = asyncio.Queue(1)
        self._tasks: list[asyncio.Task[None]] = []

    async def give(self, item: Any) -> bool:
        """Have an item worked off; waits while all are busy. False once somebody has failed."""
        if self._size == 1:
            await self._do(item)
            return self.failure is None
        if len(self._tasks) < self._size:
            self._tasks.append(asyncio.create_task(self._run()))
        if self.failure is None:
            await self._items.put(item)
        return self.failure is None

    async def end(self) -> None:
        """Wait until all is done; raises nothing: see ``failure``."""
        for _ in self._tasks:
            await self._items.put(_END)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def abandon(self, error: BaseException) -> None:
        """Stop: who waits for the server is cancelled, as the producer was."""
        self.failure = self.failure or error
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            item = await self._items.get()
            if item is _END:
                return
            if self.failure is None:
                await self._do(item)

    async def _do(self, item: Any) -> None:
        try:
            await self._work(item)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.failure = self.failure or error
            if self._size == 1 and not isinstance(error, Exception):
                raise
