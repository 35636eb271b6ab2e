"""Turns at a transaction's connection, in threads and greenlets: one after the other. ``aturns`` has it for asyncio."""

from __future__ import annotations

import inspect
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from stretto.errors import Error, StatementTimeout, UsageError
from stretto.runtime.base import CANCEL_GRACE
from stretto.runtime.lazy import refuse_generated

if TYPE_CHECKING:
    from stretto.runtime.blocking import Link

T = TypeVar("T")
Work = Callable[..., T]  # what transact() calls


class Turns:
    """The turns in one block, or on one connection: everybody goes alone, for whoever waits reads the socket himself.

    Each turn is a thread's or greenlet's. What interrupts it, a signal handler, can't wait for it.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # what interrupts it here may enter it
        self._taken = False
        self._holder = 0
        self._waiting: deque[tuple[threading.Event, int]] = deque()
        self._pid = os.getpid()

    def try_enter(self, alone: bool) -> bool:
        """Take a turn if there is one now."""
        with self._lock:
            if self._taken:
                return False
            self._taken = True
            self._holder = threading.get_ident()
            return True

    def enter(self, alone: bool, timeout: float | None) -> None:
        """Wait for a turn; raises StatementTimeout when ``timeout`` seconds have passed, and then nothing was sent.

        Raises UsageError where its end would be waited for by the very thread that has it, or that is next.
        """
        me = threading.get_ident()
        with self._lock:
            if self.try_enter(alone):
                return
            if self._pid != os.getpid():
                return  # a child process: whoever had the turn may not be here
            if me in (self._holder, *(ident for _, ident in self._waiting)):
                raise UsageError(
                    "this thread is in the middle of another statement or nested block of the same transaction or "
                    "connection, and what interrupts it there, as a signal handler, can't wait for its end: nothing "
                    "was sent; use stretto.detached() for another connection, or only note what is to be done later"
                )
            turn = threading.Event()
            self._waiting.append((turn, me))
        try:
            if turn.wait(timeout if timeout is None else max(timeout, 0.0)):
                return
        except BaseException:  # an interrupt
            if not self._withdraw(turn):
                self.leave(alone)
            raise
        if self._withdraw(turn):
            raise StatementTimeout(
                f"the block's connection was in use by its other statements for {timeout} seconds",
                outcome="not_sent",
            )

    def _withdraw(self, turn: threading.Event) -> bool:
        """Wait no longer; False when the turn was given in the very moment."""
        with self._lock:
            if turn.is_set():
                return False
            self._waiting = deque(one for one in self._waiting if one[0] is not turn)
            return True

    def seize(self, link_of: Callable[[], Link | None], why: Callable[[], Error]) -> bool:
        """Go in when whoever is inside has ended: two can't read one socket. What he runs is stopped, and he is told.

        False: he did not end by that, and the connection was closed; or it is this very thread, which goes on there
        when it has gone on here. Who ends a transaction is waited for.
        """
        if self._taken and self._holder == threading.get_ident():
            return False
        if self.try_enter(True):
            return True
        from stretto.runtime.recovery import AGAIN, stop  # with all that connecting needs

        pause, until = AGAIN, time.monotonic() + CANCEL_GRACE
        while not self.try_enter(True):
            link = link_of()
            stopping = link is not None and stop(link, why)
            if link is not None and stopping and time.monotonic() >= until:
                link.abort()
                return False
            try:
                Turns.enter(self, True, pause if stopping else None)  # a subclass may wait for another time
            except StatementTimeout:
                pause *= 2
            else:
                break
        return True

    def leave(self, alone: bool) -> None:
        """End a turn: it goes to whoever waits longest."""
        with self._lock:
            if self._waiting:
                turn, self._holder = self._waiting.popleft()
                turn.set()
            else:
                self._taken = False


def value_of(found: Any) -> Any:
    """What a function has returned; raises UsageError for what needs an event loop, and for a generator."""
    refuse_generated(found)
    if inspect.iscoroutine(found):
        found.close()
        raise UsageError("an async function needs an AsyncDatabase: here it would never run")
    return found


def forgotten_closed(timeout: float | None) -> None:
    """Nothing: a generator that nobody has any more is closed at once."""


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def later(loop: Any, work: Callable[[], Any]) -> None:
    """Do something soon, in a thread of its own: whoever calls this (a finalizer) may hold any lock."""
    threading.Thread(target=work, daemon=True).start()


def here() -> Any:
    """Nothing: there is no loop. For ``later``."""
    return None
