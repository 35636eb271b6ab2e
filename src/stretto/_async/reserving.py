"""The block of connection(), which says so to those who do not enter it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, _AsyncGeneratorContextManager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from stretto._habits import Unentered

P = ParamSpec("P")
T = TypeVar("T")


class Block(Unentered, _AsyncGeneratorContextManager[Any]):
    """What connection() gives, for ``async with``."""


def block(function: Callable[P, AsyncIterator[T]]) -> Callable[P, AbstractAsyncContextManager[T]]:
    """As asynccontextmanager."""
    generator: Any = function

    @wraps(function)
    def made(*args: P.args, **keywords: P.kwargs) -> AbstractAsyncContextManager[T]:
        return Block(generator, args, keywords)

    return made
