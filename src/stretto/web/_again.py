"""Whether a request may be tried again after 40001 and 40P01: its handler must have said so."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

from stretto.errors import CommitUnknown

F = TypeVar("F", bound=Callable[..., Any])
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0  # seconds


class Permission:
    """What the handler of one request has said."""

    def __init__(self) -> None:
        self.given = False


PERMISSION: ContextVar[Permission | None] = ContextVar("stretto_web_permission", default=None)


def retryable(handler: F) -> F:
    """Decorate a handler, plain or async, that may be called again for the same request.

    The middleware then answers 40001 (serialization failure) and 40P01 (deadlock) by running the application again, in
    a transaction of its own, as long as nothing was sent and it has the request's body. What the handler does beside
    the database it does again. Without a middleware around it nothing changes.
    """
    if inspect.iscoroutinefunction(handler):

        @wraps(handler)
        async def awaited(*args: Any, **keywords: Any) -> Any:
            _permit()
            return await handler(*args, **keywords)

        return awaited  # type: ignore[return-value]  # it has the handler's signature

    @wraps(handler)
    def called(*args: Any, **keywords: Any) -> Any:
        _permit()
        return handler(*args, **keywords)

    return called  # type: ignore[return-value]  # it has the handler's signature


def _permit() -> None:
    permission = PERMISSION.get()
    if permission is not None:
        permission.given = True


def is_conflict(error: BaseException | None) -> bool:
    """Tell whether the same transaction may succeed if it is run again."""
    return bool(getattr(error, "retryable", False)) and not isinstance(error, CommitUnknown)


def pause_after(attempt: int) -> float:
    """Seconds to wait after a failed attempt: random up to a limit that doubles each time, as transact() does."""
    return random.uniform(0.0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (attempt - 1)))  # noqa: S311  # not a secret
