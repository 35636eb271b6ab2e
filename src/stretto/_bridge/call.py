"""``AsyncDatabase.run``: blocking-style code on the event loop. greenlet is loaded when it is first used."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from stretto.runtime.call import check_callable, plain


async def acall(db: Any, fn: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Call ``fn(db, ...)`` in a greenlet with a BridgedDatabase; raises UsageError as ``runtime.call.call``."""
    check_callable(fn)
    return plain(fn, await _bridge()(db, fn, args, keywords))


@cache
def _bridge() -> Callable[..., Any]:
    from stretto._bridge.database import bridge

    return bridge
