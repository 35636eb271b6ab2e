"""Calling a function with a Database: where it may simply block, that is all there is to it."""

from __future__ import annotations

from collections.abc import Callable
from types import AsyncGeneratorType, CoroutineType
from typing import Any

from stretto.errors import UsageError


def call(db: Any, fn: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Call ``fn(db, ...)``; raises UsageError for what is no function, and for an async one."""
    check_callable(fn)
    return plain(fn, fn(db, *args, **keywords))


def check_callable(fn: Any) -> None:
    """Raise UsageError for what can't be called, most often a function that was called already."""
    if not callable(fn):
        raise UsageError(f"run() takes a function and its arguments, run(fn, *args), and not a {type(fn).__name__}")


def plain(fn: Callable[..., Any], result: Any) -> Any:
    """Give back what ``fn`` returned. An async function has returned before any of it ran: UsageError."""
    if isinstance(result, (CoroutineType, AsyncGeneratorType)):
        if isinstance(result, CoroutineType):
            result.close()
        name = getattr(fn, "__qualname__", None) or type(fn).__name__
        raise UsageError(
            f"run() is for plain functions and {name} is async: either write it without async and await, "
            "or await it yourself, with an AsyncDatabase"
        )
    return result
