"""A request's transaction on an event loop, begun in one place and ended in another, of either Database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from stretto import AsyncDatabase, AsyncTransaction, Database, Transaction
from stretto.errors import UsageError
from stretto.web._rules import Refused


class Block:
    """A transaction. That of a blocking Database is begun here, which sends nothing, and ended in a thread."""

    def __init__(self, db: AsyncDatabase | Database, options: dict[str, Any]) -> None:
        self._transaction: AsyncTransaction | Transaction = db.transaction(**options)

    async def __aenter__(self) -> AsyncTransaction | Transaction:
        """Have all that runs from now on in this context join the transaction."""
        if isinstance(self._transaction, AsyncTransaction):
            return await self._transaction.__aenter__()
        return self._transaction.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await self._leave(error)

    async def commit(self) -> None:
        """End it; raises what ``transaction()`` raises."""
        await self._leave(None)

    async def roll_back(self, error: BaseException | None = None) -> BaseException | None:
        """Undo it; return the error that failed it, if any. ``error``: why; a cancellation comes out again."""
        why = error if error is not None and not isinstance(error, Exception) else Refused("the request was refused")
        try:
            await self._leave(why)
        except Refused:
            return None
        except Exception as first:
            return first
        if why is error and error is not None:
            raise error
        return None

    async def _leave(self, error: BaseException | None) -> None:
        # Left with an exception, a block returns where it has no other to raise.
        if isinstance(self._transaction, AsyncTransaction):
            await self._transaction.__aexit__(None if error is None else type(error), error, None)
            return
        # It is left in another thread than what holds a nested block of it: to wait there would be for ever.
        held = None if error is not None else self._transaction._entered().held_by()
        error = error or held
        await in_thread(self._transaction.__exit__, None if error is None else type(error), error, None)
        if held is not None:
            raise held


async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a thread, and wait for its end whatever happens. What it sets in its context holds here."""
    context = copy_context()
    future = asyncio.get_running_loop().run_in_executor(None, lambda: context.run(function, *args))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        future.exception()  # the cancellation is what is told
        raise
    finally:
        _take_over(context)


def _take_over(context: Context) -> None:
    for variable, value in context.items():
        if variable.get(None) is not value:
            variable.set(value)


def check(db: object) -> AsyncDatabase | Database:
    """Return a Database of either kind; raises UsageError for anything else."""
    if isinstance(db, AsyncDatabase | Database):
        return db
    raise UsageError(f"a stretto.AsyncDatabase or stretto.Database is needed here, not {type(db).__name__}")
