"""Functions whose call runs nothing yet, generators: their bodies would run when the transaction has ended."""

from __future__ import annotations

import inspect
from functools import partial
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from stretto.errors import UsageError


def refuse_generator(function: Any) -> None:
    """Raise UsageError for a generator function, plain or async, which is to run in a transaction."""
    called = function
    while isinstance(called, partial):
        called = called.func
    if not inspect.isroutine(called):
        called = getattr(called, "__call__", called)  # noqa: B004  # what is called, not whether it can be
    if inspect.isasyncgenfunction(called) or (inspect.isgeneratorfunction(called) and not _is_awaited(called)):
        name = getattr(called, "__qualname__", None) or type(called).__name__
        raise UsageError(f"{name}() is a generator function, of which nothing would run in the transaction: {_REMEDY}")


def refuse_generated(found: Any) -> None:
    """Raise UsageError for a generator that a function has returned to its transaction."""
    if type(found) in (GeneratorType, AsyncGeneratorType) and not inspect.isawaitable(found):
        raise UsageError(
            f"the function returned {found.__name__}, a generator, which would run when its transaction has ended: "
            f"{_REMEDY}"
        )


def _is_awaited(function: Any) -> bool:
    """Tell what types.coroutine() has made."""
    return bool(function.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE)


_REMEDY = "return a list, or open a transaction() around the loop, or in the generator and close it"
