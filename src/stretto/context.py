"""What surrounds code without being passed to it: a deadline, no transaction, or (a decorator) one of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from time import monotonic
from typing import Any, TypeVar, overload

from stretto._numbers import check_seconds
from stretto.errors import UsageError
from stretto.flows.ambient import present, surroundings
from stretto.runtime.lazy import refuse_generator

F = TypeVar("F", bound=Callable[..., Any])


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Give all that runs inside at most ``seconds``: statements, waits for connections, transactions, in every task.

    A plain ``with``, on asyncio too. Of nested deadlines the nearest counts, and a call's ``timeout=`` still narrows.
    What is late raises StatementTimeout or PoolTimeout, which say that it was the deadline. UsageError: ``seconds`` is
    no finite number, or negative.
    """
    if seconds is None:
        raise UsageError("a deadline is a number of seconds: without one there is no limit")
    check_seconds(deadline=seconds)
    if seconds < 0:
        raise UsageError(f"a deadline of {seconds} seconds: it can't be in the past")
    with surroundings(present().until(seconds, monotonic())):
        yield


@contextmanager
def detached() -> Iterator[None]:
    """Run what is inside outside of the open transaction, as are the tasks that are started inside.

    A plain ``with``, on asyncio too: ``with stretto.detached(): asyncio.create_task(...)``. A deadline goes on.
    """
    with surroundings(present().inside(None)):
        yield


@overload
def transactional(db: F, /) -> F: ...
@overload
def transactional(
    db: Any = None,
    *,
    isolation: str | None = None,
    readonly: bool = False,
    deferrable: bool = False,
    attempts: int = 5,
    timeout: float | None = None,
) -> Callable[[F], F]: ...
def transactional(db: Any = None, **options: Any) -> Any:
    """Decorate a function, or async function, to run by ``transact()``: in a transaction, again after 40001 and 40P01.

    ``db``: the Database or AsyncDatabase, or nothing: then the call's first argument that is one, or has one as its
    ``.db``. The other keywords are transact's. Called in a transaction of the same database, the function joins it, as
    a savepoint. Raises UsageError for a generator function, and where no argument is or has a database.
    """
    if callable(db) and not _is_database(db):
        return _decorated(db, None, options)
    return partial(_decorated, db=db, options=options)


def _decorated(function: Callable[..., Any], db: Any, options: dict[str, Any]) -> Callable[..., Any]:
    refuse_generator(function)
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def awaited(*args: Any, **keywords: Any) -> Any:
            database = _database_of(function, db, args, keywords)
            return await database.transact(partial(function, *args, **keywords), **options)

        return awaited

    @wraps(function)
    def called(*args: Any, **keywords: Any) -> Any:
        database = _database_of(function, db, args, keywords)
        return database.transact(partial(function, *args, **keywords), **options)

    return called


def _database_of(function: Callable[..., Any], db: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    for one in (db, *args, *keywords.values()):
        for found in (one, getattr(one, "db", None)):
            if _is_database(found):
                return found
    raise UsageError(
        f"{function.__qualname__}() has no Database among its arguments: name one by @stretto.transactional(db)"
    )


def _is_database(found: Any) -> bool:
    return hasattr(type(found), "transact")
