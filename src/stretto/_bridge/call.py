"""``AsyncDatabase.run``: blocking-style code on the event loop. greenlet is loaded when it is first used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from stretto.runtime.call import check_callable


def acall(db: Any, fn: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any]) -> Awaitable[Any]:
    """Call ``fn(db, ...)`` in a greenlet with a BridgedDatabase; raises UsageError as ``runtime.call.call``."""
    check_callable(fn)
    return _bridge()(db, fn, args, keywords)


@cache
def _bridge() -> Callable[..., Awaitable[Any]]:
    from stretto._bridge.database import bridge

    return bridge
