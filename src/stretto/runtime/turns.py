"""Turns at a transaction's connection, in threads and greenlets: one after the other. ``aturns`` has it for asyncio."""

from __future__ import annotations

import inspect
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from stretto.errors import StatementTimeout, UsageError

T = TypeVar("T")
Work = Callable[..., T]  # what transact() calls


class Turns:
    """The turns in one block: everybody goes alone, because whoever waits for an answer reads the socket himself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Event] = deque()
        self._pid = os.getpid()

    def try_enter(self, alone: bool) -> bool:
        """Take a turn if there is one now."""
        with self._lock:
            if self._taken:
                return False
            self._taken = True
            return True

    def enter(self, alone: bool, timeout: float | None) -> None:
        """Wait for a turn; raises StatementTimeout when ``timeout`` seconds have passed, and then nothing was sent."""
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            if self._pid != os.getpid():
                return  # a child process: whoever had the turn may not be here
            turn = threading.Event()
            self._waiting.append(turn)
        try:
            if turn.wait(timeout if timeout is None else max(timeout, 0.0)):
                return
        except BaseException:  # an interrupt
            if not self._withdraw(turn):
                self.leave(alone)
            raise
        if self._withdraw(turn):
            raise StatementTimeout(
                f"the transaction's connection was in use by its other statements for {timeout} seconds",
                outcome="not_sent",
            )

    def _withdraw(self, turn: threading.Event) -> bool:
        """Wait no longer; False when the turn was given in the very moment."""
        with self._lock:
            if turn.is_set():
                return False
            self._waiting.remove(turn)
            return True

    def seize(self) -> bool:
        """Go in when whoever is inside has ended: two can't read one socket."""
        self.enter(True, None)
        return True

    def leave(self, alone: bool) -> None:
        """End a turn: it goes to whoever waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


def value_of(found: Any) -> Any:
    """What a function has returned; raises UsageError for what needs an event loop."""
    if inspect.iscoroutine(found):
        found.close()
        raise UsageError("an async function needs an AsyncDatabase: here it would never run")
    return found


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def later(loop: Any, work: Callable[[], Any]) -> None:
    """Do something soon, in a thread of its own: whoever calls this (a finalizer) may hold any lock."""
    threading.Thread(target=work, daemon=True).start()


def here() -> Any:
    """Nothing: there is no loop. For ``later``."""
    return None
