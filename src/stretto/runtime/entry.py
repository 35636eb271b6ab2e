"""Where a crowd of tasks waits: before what they ask for is built, so that each of them costs little.

Of many who wait only the first, some hundreds, have a request or a ticket in the scheduler's queue. All others wait
outside with nothing but a Waiter, in the order in which they came, and come in when there is room in the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from time import monotonic
from types import TracebackType
from typing import Any, Self

from stretto.errors import PoolTimeout
from stretto.pool.queue import Queue
from stretto.runtime.crowd import CROWD, ROOM
from stretto.runtime.keeper import Keeper


class Waiter:
    """What one task awaits: as an asyncio.Future, but a third of its size with all that belongs to it.

    Its result is ``since``, when it began to wait; ``patient``: it was said for how long.
    """

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_home", "_loop", "_outcome", "since")
    patient = False

    def __init__(self, since: float, home: Queue, loop: asyncio.AbstractEventLoop) -> None:
        self.since = since
        self._asyncio_future_blocking = False
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None
        self._home = home
        self._loop = loop
        self._outcome: BaseException | bool = False

    def end(self, error: BaseException | None = None) -> None:
        """Let the task go on, or fail."""
        if self._outcome is False:
            self._outcome = error or True
            self._tell()

    def cancel(self, msg: Any = None) -> bool:
        """Be cancelled, by the task."""
        if self._outcome is not False:
            return False
        self._home.leave(self)
        self.end(asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg))
        return True

    def result(self) -> float:
        """The time since when it has waited; raises what it was ended with."""
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self.since

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context | None = None) -> None:
        """Be awaited by a task, which is called back."""
        self._callback, self._context = callback, context
        if self._outcome is not False:
            self._tell()

    def _tell(self) -> None:
        if self._callback is not None:
            self._loop.call_soon(self._callback, self, context=self._context)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of its task, which need not be running: asyncio.run() cancels who is left when it has ended."""
        return self._loop

    def __await__(self) -> Generator[Any, None, float]:
        return self  # as much of a generator as await needs

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Self:
        if self._outcome is False:
            self._asyncio_future_blocking = True
            return self
        raise StopIteration(self.result())

    def send(self, value: None) -> Self:
        """As a generator, for who steps through what a task awaits (``runtime.bridge``)."""
        return self.__next__()

    def throw(self, error: Any, value: Any = None, trace: TracebackType | None = None) -> Self:
        """Raise what is thrown into the task: an error, or its class, value and traceback."""
        if isinstance(error, type):
            error = value if isinstance(value, error) else error() if value is None else error(value)
        raise error if trace is None else error.with_traceback(trace)

    def close(self) -> None:
        """End early."""


class PatientWaiter(Waiter):
    """One whose task has said for how long it waits."""

    __slots__ = ()
    patient = True


class Entry(Keeper):
    """The way in, for calls that are not built yet."""

    _loop: asyncio.AbstractEventLoop | None = None
    _too_late: asyncio.TimerHandle | None = None
    _coming = False

    def _check(self) -> asyncio.AbstractEventLoop:
        raise NotImplementedError

    def _fail(self, waiter: Any, error: BaseException) -> None:
        raise NotImplementedError

    def turn(self, timeout: float | None) -> Any:
        """Be awaited while the crowd is ``shut``; gives the time of the call. ``timeout``: seconds at most.

        Raises PoolTimeout, PoolFull, PoolClosed.
        """
        loop = self._check()
        outside = self.crowd.outside
        self.scheduler.check_room(len(outside))
        now = monotonic()
        waiter = (Waiter if timeout is None else PatientWaiter)(now, outside, loop)
        outside.append(waiter)
        self.crowd.shut = True  # it is not any more where another loop was closed in a crowd
        self.let_in()
        if self._timeout is not None and self._too_late is None:
            self._too_late = loop.call_at(now + self._timeout, self._send_away)
        return waiter if timeout is None else self._limited(waiter, timeout)

    async def _limited(self, waiter: Waiter, timeout: float) -> float:
        try:
            async with asyncio.timeout(timeout):
                return await waiter
        except PoolTimeout:
            raise  # he was sent away: it says after how long
        except TimeoutError:
            error = self._in_vain(timeout)
            raise error from error.__cause__

    def let_in(self) -> None:
        """Let the first come in, if there is room. They have joined the queue in the next pass of the loop."""
        crowd = self.crowd
        waiting = len(self.scheduler.waiting)
        crowd.count(waiting)
        if crowd.shut and waiting < ROOM and not self._coming and self._loop is not None:
            self._coming = True
            crowd.admit(CROWD - ROOM)
            self._loop.call_soon(self._came)

    def _came(self) -> None:
        self._coming = False
        crowd = self.crowd
        if crowd.outside or len(self.scheduler.waiting) >= ROOM:
            self.let_in()
        else:
            crowd.shut = False

    def _send_away(self) -> None:
        """Tell those who have waited too long."""
        self._too_late = None
        outside = self.crowd.outside
        if self._timeout is None or self._loop is None:
            return
        due = monotonic() - self._timeout
        while outside:
            since = outside.first().since
            if since > due + 0.001:
                self._too_late = self._loop.call_at(since + self._timeout, self._send_away)
                break
            self._fail(outside.popleft(), self._in_vain(self._timeout))
