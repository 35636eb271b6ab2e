"""A connection for what needs one in hand, streams and COPY: the open transaction's, or a reserved one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from typing import Any

from stretto._async.connection import AsyncConnection
from stretto._async.transaction import AsyncTransaction
from stretto.flows.ambient import scope_of
from stretto.runtime.aio import Link


@asynccontextmanager
async def session_of(database: Any) -> AsyncIterator[AsyncConnection]:
    """The connection of the transaction that this runs in, or one from ``database.connection()``."""
    scope = scope_of(database)
    if scope is None:
        async with database.connection() as connection:
            yield connection
        return
    scope.check()
    transaction: AsyncTransaction = scope.door()
    session = AsyncSession(transaction, await transaction._reserve())
    try:
        yield session
    except GeneratorExit:  # a stream was left early
        raise
    except BaseException as error:
        scope.interrupted(error)
        raise


class AsyncSession(AsyncConnection):
    """A block's connection for what needs one in hand: streams and COPY."""

    def __init__(self, transaction: AsyncTransaction, link: Link) -> None:
        self._transaction = transaction
        super().__init__(link, transaction._shared)

    @property
    def _copying(self) -> bool:
        return self._transaction._entered().trunk.copying

    @_copying.setter
    def _copying(self, copying: bool) -> None:
        self._transaction._entered().trunk.copying = copying

    def _left(self) -> list[bytes]:
        return self._transaction._entered().trunk.left

    async def _drive(self, flow: Generator[Any, Any, Any], timeout: float | None, alone: bool = False) -> Any:
        return await self._transaction._drive(flow, timeout, reserved=True)
