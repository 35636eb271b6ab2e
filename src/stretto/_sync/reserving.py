# Generated from src/stretto/_async/reserving.py by tools/make_sync.py: do not edit.
"""The block of connection(), which says so to those who do not enter it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, _GeneratorContextManager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from stretto._habits import Unentered

P = ParamSpec("P")
T = TypeVar("T")


class Block(Unentered, _GeneratorContextManager[Any]):
    """What connection() gives, for ``with``."""


def block(function: Callable[P, Iterator[T]]) -> Callable[P, AbstractContextManager[T]]:
    """As contextmanager."""
    generator: Any = function

    @wraps(function)
    def made(*args: P.args, **keywords: P.kwargs) -> AbstractContextManager[T]:
        return Block(generator, args, keywords)

    return made
