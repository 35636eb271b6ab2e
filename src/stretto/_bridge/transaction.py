"""Transactions of blocking-style code on an event loop: the blocks are those of the AsyncDatabase."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from stretto._bridge.facade import Facade
from stretto._sync.transacting import Transacting
from stretto._sync.transaction import Final, Transaction
from stretto.runtime.bridge import Call, await_

T = TypeVar("T")


class BridgedTransaction(Facade, Transaction):
    """A Transaction that is entered and left by its AsyncTransaction."""

    def __init__(self, transaction: Any, call: Call) -> None:
        self._call = call
        self._origin = transaction
        self._shared = transaction._shared
        self._scope = None  # the block is the AsyncTransaction's

    def __repr__(self) -> str:
        return repr(self._origin)

    def __enter__(self) -> BridgedTransaction:
        await_(self._there.__aenter__())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        await_(self._there.__aexit__(kind, error, trace))

    def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        return await_(self._there._run(flow, timeout))

    def on_commit(self, function: Callable[[], Any]) -> None:
        self._there.on_commit(function)

    def on_rollback(self, function: Callable[[], Any]) -> None:
        self._there.on_rollback(function)

    @property
    def final(self) -> Final:
        return BridgedFinal(self._there.final, self._call)


class BridgedFinal(Facade, Final):
    """The verbs for a transaction's last statement."""

    def __init__(self, final: Any, call: Call) -> None:
        self._call = call
        self._origin = final
        self._shared = final._shared

    def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        return await_(self._there._run(flow, timeout))


class BridgedTransacting(Facade, Transacting):
    """What a Database or Connection has for transactions, in a call of ``run``."""

    def transaction(
        self,
        *,
        isolation: str | None = None,
        readonly: bool = False,
        deferrable: bool = False,
        timeout: float | None = None,
    ) -> Transaction:
        made = self._there.transaction(isolation=isolation, readonly=readonly, deferrable=deferrable, timeout=timeout)
        return BridgedTransaction(made, self._call)

    def transact(
        self,
        function: Callable[..., T],
        *args: Any,
        isolation: str | None = None,
        readonly: bool = False,
        deferrable: bool = False,
        attempts: int = 5,
        timeout: float | None = None,
    ) -> T:
        found: T = await_(
            self._there.transact(
                function,
                *args,
                isolation=isolation,
                readonly=readonly,
                deferrable=deferrable,
                attempts=attempts,
                timeout=timeout,
            )
        )
        return found

    def on_commit(self, function: Callable[[], Any]) -> None:
        self._there.on_commit(function)

    def on_rollback(self, function: Callable[[], Any]) -> None:
        self._there.on_rollback(function)

    @property
    def final(self) -> Final:
        return BridgedFinal(self._there.final, self._call)
