"""A crew of threads (or greenlets) that work off what one producer gives them; ``acrew`` has it for asyncio.

What is given and not yet taken is one item at most, so that slow work slows the producer.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any

_END: Any = object()


class Crew:
    """Up to ``size`` workers, started with the first items; a crew of one is the producer himself.

    The first failure ends it: what was begun is done to its end, nothing further is taken.
    """

    def __init__(self, size: int, work: Callable[[Any], Any]) -> None:
        self.failure: BaseException | None = None
        self._size = size
        self._work = work
        self._items: queue.Queue[Any] = queue.Queue(1)
        self._threads: list[threading.Thread] = []

    def give(self, item: Any) -> bool:
        """Have an item worked off; waits while all are busy. False once somebody has failed."""
        if self._size == 1:
            self._do(item)
            return self.failure is None
        if len(self._threads) < self._size:
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(self._run,), name="stretto-bulk", daemon=True)
            thread.start()
            self._threads.append(thread)  # once it runs: end() joins it
        while self.failure is None:
            try:
                self._items.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def end(self) -> None:
        """Wait until all is done; raises nothing: see ``failure``."""
        for _ in self._threads:
            while any(thread.is_alive() for thread in self._threads):
                try:
                    self._items.put(_END, timeout=0.1)
                except queue.Full:
                    continue
                break
        for thread in self._threads:
            thread.join()

    def abandon(self, error: BaseException) -> None:
        """Take nothing further, and wait for what was begun."""
        self.failure = self.failure or error
        self.end()

    def _run(self) -> None:
        while True:
            item = self._items.get()
            if item is _END:
                return
            if self.failure is None:
                self._do(item)

    def _do(self, item: Any) -> None:
        try:
            self._work(item)
        except BaseException as error:
            self.failure = self.failure or error
            if self._size == 1 and not isinstance(error, Exception):
                raise
