"""Turns at a transaction's connection, on asyncio: who may send now, in the order in which they came."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, TypeVar

from stretto.errors import StatementTimeout
from stretto.runtime.lazy import refuse_generated

T = TypeVar("T")
Work = Callable[..., Awaitable[T]]  # what transact() calls
_ACLOSE = "async_generator_athrow"  # the type of what an async generator's aclose() returns
_CLOSING = 5.0  # seconds for generators to be closed in


class Turns:
    """The turns in one block: statements go together, pipelined; a nested block, BEGIN and COMMIT go alone."""

    __slots__ = ("_alone", "_inside", "_waiting")

    def __init__(self) -> None:
        self._inside = 0
        self._alone = False
        self._waiting: deque[tuple[asyncio.Future[None], bool]] | None = None  # nearly nobody ever waits

    def try_enter(self, alone: bool) -> bool:
        """Take a turn if there is one now."""
        if self._waiting or not self._free(alone):
            return False
        self._take(alone)
        return True

    async def enter(self, alone: bool, timeout: float | None) -> None:
        """Wait for a turn; raises StatementTimeout when ``timeout`` seconds have passed, and then nothing was sent."""
        if self.try_enter(alone):
            return
        if self._waiting is None:
            self._waiting = deque()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, alone))
        try:
            async with asyncio.timeout(timeout):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave(alone)  # it was given in the very moment
            else:
                turn.cancel()
                self._wake()
            if isinstance(error, TimeoutError):
                raise too_late(timeout) from None
            raise

    async def seize(self, link_of: Any, why: Any) -> bool:
        """Go in alone before everybody else if nobody is inside; else False: their answers need not be waited for."""
        if not self._free(True):
            return False
        self._take(True)
        return True

    def leave(self, alone: bool) -> None:
        """End a turn."""
        if alone:
            self._alone = False
        else:
            self._inside -= 1
        self._wake()

    def _free(self, alone: bool) -> bool:
        return not self._alone and not (alone and self._inside)

    def _take(self, alone: bool) -> None:
        if alone:
            self._alone = True
        else:
            self._inside += 1

    def _wake(self) -> None:
        waiting = self._waiting
        while waiting:
            turn, alone = waiting[0]
            if not turn.done():
                if not self._free(alone):
                    return
                self._take(alone)
                turn.set_result(None)
            waiting.popleft()


def too_late(timeout: float | None) -> StatementTimeout:
    """The error for whoever has waited too long."""
    return StatementTimeout(
        f"the transaction's connection was in use by its other statements for {timeout} seconds", outcome="not_sent"
    )


async def value_of(found: Any) -> Any:
    """What a function has returned, awaited where it is to be; raises UsageError for a generator."""
    result = await found if isawaitable(found) else found
    refuse_generated(result)
    return result


async def forgotten_closed(timeout: float | None) -> None:
    """Wait until the loop has closed the generators that nobody has any more. It does so in tasks of its own."""
    await asyncio.sleep(0)  # the tasks for what was forgotten just now begin
    mine = asyncio.current_task()
    closing = [one for one in asyncio.all_tasks() if one is not mine and type(one.get_coro()).__name__ == _ACLOSE]
    if closing:
        await asyncio.wait(closing, timeout=_CLOSING if timeout is None else min(timeout, _CLOSING))


async def pause(seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)


def later(loop: Any, work: Callable[[], Awaitable[Any]]) -> None:
    """Do something soon, on the loop, from wherever this is called (a finalizer)."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(lambda: loop.create_task(work()))


def here() -> Any:
    """The running loop, for ``later``."""
    return asyncio.get_running_loop()
