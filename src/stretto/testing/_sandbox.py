"""A transaction around a whole test, that is rolled back: whatever uses the Database, in whatever thread, is in it.

While it is open, the Database is of a class that takes each context in which it is used into the transaction.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from stretto._async.database import AsyncDatabase
from stretto._async.transaction import AsyncTransaction
from stretto._sync.database import Database
from stretto._sync.transaction import Transaction
from stretto.errors import UsageError
from stretto.flows.ambient import AMBIENT, Ambient, ambient, present
from stretto.flows.bulk import Report
from stretto.flows.moved import TableCopy
from stretto.flows.transaction import Scope
from stretto.testing._turns import at_most, turns_of

D = TypeVar("D", bound=Database | AsyncDatabase)
_open = threading.Lock()  # there is one sandbox at a time
_leave_block = Ambient.inside


class sandbox(Generic[D]):  # noqa: N801  # a context manager, used as a function
    """Let all that uses ``db`` inside the block run in one transaction, which is rolled back at its end.

    ``with`` for a Database, ``async with`` for an AsyncDatabase; gives ``db``. Tasks, threads and greenlets join,
    also those that were there before, and take turns at the one connection. A statement outside of ``transaction()``
    is a savepoint of its own, so that it fails alone, and a ``transaction()`` is a savepoint: its ``isolation=`` and
    ``readonly=`` are not looked at, ``on_commit`` functions are not called, constraints that are deferred are not
    checked at its end, and now() is the same all the time. ``stream()`` outside of one fetches all its rows first.
    ``detached()`` does not leave the sandbox; ``connection()`` and ``listen()`` do. Who waits for a turn longer than
    the Database's ``acquire_timeout`` (30 seconds where that is None) gets PoolTimeout, which says whose turn it is.
    Raises UsageError where there is a sandbox or a transaction of it already.
    """

    def __init__(self, db: D) -> None:
        self._db: Any = db
        self._same = db
        self._transaction: Any = None
        self._scope: Any = None

    def __enter__(self) -> D:
        if not isinstance(self._db, Database):
            raise UsageError("an AsyncDatabase's sandbox is entered by `async with`")
        self._begin()
        try:
            self._transaction.__enter__()
            self._install(_Sandboxed)
        except BaseException:
            _open.release()
            raise
        return self._same

    def __exit__(self, *raised: object) -> None:
        try:
            self._remove(Database)
            done = _Done()
            self._transaction.__exit__(_Done, done, None)
        finally:
            _open.release()

    async def __aenter__(self) -> D:
        if not isinstance(self._db, AsyncDatabase):
            raise UsageError("a blocking Database's sandbox is entered by `with`")
        self._begin()
        try:
            await self._transaction.__aenter__()
            self._install(_AsyncSandboxed)
        except BaseException:
            _open.release()
            raise
        return self._same

    async def __aexit__(self, *raised: object) -> None:
        try:
            self._remove(AsyncDatabase)
            done = _Done()
            await self._transaction.__aexit__(_Done, done, None)
        finally:
            _open.release()

    def _begin(self) -> None:
        if type(self._db) not in (Database, AsyncDatabase):
            raise UsageError(f"a sandbox is for a Database or AsyncDatabase, not for a {type(self._db).__name__}")
        now = ambient()
        if now is not None and now.scope_of(self._db) is not None:
            raise UsageError("a sandbox can't be opened inside a transaction() of the same Database")
        if not _open.acquire(blocking=False):
            raise UsageError("there is a sandbox open already: there is one at a time in a process")
        self._transaction = self._db.transaction()

    def _install(self, kind: type) -> None:
        self._scope = self._transaction._entered()
        self._transaction._turns = turns_of(self._db, kind is _AsyncSandboxed)
        self._db._sandbox = self._scope
        self._db.__class__ = kind
        Ambient.inside = _stay_inside  # type: ignore[method-assign]  # the same signature

    def _remove(self, kind: type) -> None:
        Ambient.inside = _leave_block  # type: ignore[method-assign]  # what it was
        self._db.__class__ = kind
        del self._db._sandbox
        # Threads that have joined find no block of this Database any more, rather than one that has ended.
        self._scope.owner = None


class _Done(Exception):  # noqa: N818  # nothing is wrong
    """What the sandbox's transaction is left with."""


def _stay_inside(self: Ambient, scope: Scope | None) -> Ambient:
    return self if scope is None else _leave_block(self, scope)


def _join(db: Any) -> None:
    """Take the running context into the sandbox, unless it is in it, or in a block of it, already."""
    sandbox: Scope = object.__getattribute__(db, "_sandbox")
    now = present()
    scope = now.scope_of(db)
    while scope is not None and scope is not sandbox:
        scope = scope.parent
    if scope is None:
        AMBIENT.set(_leave_block(now, sandbox))


def _is_outermost(db: Any) -> bool:
    return present().scope_of(db) is db._sandbox


def _is_in_no_block(db: Any) -> bool:
    """As _is_outermost, for what may begin anywhere, and after the sandbox's end."""
    if "_sandbox" not in db.__dict__:
        return False
    _join(db)
    return _is_outermost(db)


def _joining(self: Any, name: str) -> Any:
    """Whoever asks for a verb joins. (Not a base class of its own: an object can't become of one with other bases.)"""
    if not name.startswith("__"):
        _join(self)
    return object.__getattribute__(self, name)


class _Sandboxed(Database):
    __getattribute__ = _joining

    def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        if not _is_outermost(self):
            return super()._run(flow, timeout, exclusive, since)
        with at_most(self._timeout if timeout is None else timeout), super().transaction():
            return super()._run(flow, timeout, exclusive, since)

    def stream(self, *args: Any, **keywords: Any) -> Iterator[Any]:
        return self._streamed(super().stream(*args, **keywords))

    def _streamed(self, rows: Iterator[Any]) -> Iterator[Any]:
        """Rows as they come where the block is the caller's; else all at once: others' statements come between."""
        if _is_in_no_block(self):
            with super().transaction():
                rows = iter(list(rows))
        yield from rows

    def transaction(self, *, timeout: float | None = None, **options: Any) -> Transaction:
        return super().transaction(timeout=timeout)

    def transact(
        self, function: Callable[..., Any], *args: Any, attempts: int = 5, timeout: float | None = None, **options: Any
    ) -> Any:
        return super().transact(function, *args, attempts=attempts, timeout=timeout)

    def copy_in(self, *args: Any, **keywords: Any) -> Report:
        with super().transaction():
            return super().copy_in(*args, **keywords)

    def copy_out(self, *args: Any, **keywords: Any) -> str:
        with super().transaction():
            return super().copy_out(*args, **keywords)

    def copy_table(self, *args: Any, **keywords: Any) -> TableCopy:
        with super().transaction():
            return super().copy_table(*args, **keywords)


class _AsyncSandboxed(AsyncDatabase):
    __getattribute__ = _joining

    def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        if _is_outermost(self):
            return self._apart(flow, timeout, exclusive, since)
        return super()._run(flow, timeout, exclusive, since)

    async def _apart(self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool, since: float) -> Any:
        with at_most(self._timeout if timeout is None else timeout):
            async with super().transaction():
                return await super()._run(flow, timeout, exclusive, since)

    def stream(self, *args: Any, **keywords: Any) -> AsyncIterator[Any]:
        return self._streamed(super().stream(*args, **keywords))

    async def _streamed(self, rows: Any) -> AsyncIterator[Any]:
        """Rows as they come where the block is the caller's; else all at once: others' statements come between."""
        if _is_in_no_block(self):
            async with super().transaction():
                found = [row async for row in rows]
            for row in found:
                yield row
            return
        async with aclosing(rows):
            async for row in rows:
                yield row

    def transaction(self, *, timeout: float | None = None, **options: Any) -> AsyncTransaction:
        return super().transaction(timeout=timeout)

    async def transact(
        self, function: Callable[..., Any], *args: Any, attempts: int = 5, timeout: float | None = None, **options: Any
    ) -> Any:
        return await super().transact(function, *args, attempts=attempts, timeout=timeout)

    async def copy_in(self, *args: Any, **keywords: Any) -> Report:
        async with super().transaction():
            return await super().copy_in(*args, **keywords)

    async def copy_out(self, *args: Any, **keywords: Any) -> str:
        async with super().transaction():
            return await super().copy_out(*args, **keywords)

    async def copy_table(self, *args: Any, **keywords: Any) -> TableCopy:
        async with super().transaction():
            return await super().copy_table(*args, **keywords)
