"""What the blocking faces of asynchronous objects have in common: whose they are, and how they wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

from greenlet import getcurrent

from stretto.errors import UsageError
from stretto.runtime.bridge import Call, await_

T = TypeVar("T")


class Facade:
    """The blocking face of an asynchronous object, inside one call of ``run`` and nowhere else."""

    _call: Call
    _origin: Any

    @property
    def _there(self) -> Any:
        """The asynchronous object, for whoever may wait for it; raises UsageError for all others."""
        if getcurrent() is not self._call.side:
            raise UsageError(
                "this db belongs to a call of AsyncDatabase.run() and works inside that call only, in its own task and "
                "thread: call run() again, or use the AsyncDatabase with await"
            )
        return self._origin

    def _iterate(self, items: Any) -> Iterator[Any]:
        """Iterate over an async generator. One that is left later than its run is closed by the loop."""
        try:
            while True:
                try:
                    item = await_(anext(items))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            if getcurrent() is self._call.side:
                await_(items.aclose())

    @contextmanager
    def _enter(self, manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Enter and leave an async context manager."""
        value = await_(manager.__aenter__())
        try:
            yield value
        except BaseException as error:
            if not await_(manager.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            await_(manager.__aexit__(None, None, None))
