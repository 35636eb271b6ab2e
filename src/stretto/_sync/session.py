# Generated from src/stretto/_async/session.py by tools/make_sync.py: do not edit.
"""A connection for what needs one in hand, streams and COPY: the open transaction's, or a reserved one."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from stretto._sync.connection import Connection
from stretto._sync.transaction import Transaction
from stretto.flows.ambient import scope_of
from stretto.runtime.blocking import Link


@contextmanager
def session_of(database: Any) -> Iterator[Connection]:
    """The connection of the transaction that this runs in, or one from ``database.connection()``."""
    scope = scope_of(database)
    if scope is None:
        with database.connection() as connection:
            yield connection
        return
    scope.check()
    transaction: Transaction = scope.door()
    session = Session(transaction, transaction._reserve())
    try:
        yield session
    except GeneratorExit:  # a stream was left early
        raise
    except BaseException as error:
        scope.interrupted(error)
        raise


class Session(Connection):
    """A block's connection for what needs one in hand: streams and COPY."""

    def __init__(self, transaction: Transaction, link: Link) -> None:
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

    def _drive(self, flow: Generator[Any, Any, Any], timeout: float | None, alone: bool = False) -> Any:
        return self._transaction._drive(flow, timeout, reserved=True)
