"""BridgedConnection: the Connection of blocking-style code on an event loop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, TextIO

from stretto._bridge.transaction import BridgedTransacting
from stretto._sync.connection import Connection
from stretto.errors import Notice
from stretto.flows.listen import Notification
from stretto.runtime.bridge import Call, await_


class BridgedConnection(BridgedTransacting, Connection):
    """A Connection that waits by its AsyncConnection; what it knows of the session it reads of the same link."""

    def __init__(self, connection: Any, call: Call) -> None:
        self._call = call
        self._origin = connection
        self._link = connection._link
        self._pid = connection._pid
        self._shared = connection._shared

    def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        return await_(self._there._run(flow, timeout))

    def on_notice(self, listener: Callable[[Notice], None] | None) -> None:
        self._there.on_notice(listener)

    def trace(self, file: TextIO | None) -> None:
        self._there.trace(file)

    def stream(
        self, sql: Any, /, *args: Any, into: Any = None, batch: int = 1000, timeout: float | None = None
    ) -> Iterator[Any]:
        return self._iterate(self._there.stream(sql, *args, into=into, batch=batch, timeout=timeout))

    def copy_in(
        self,
        target: str | tuple[str, ...],
        source: Any,
        *,
        columns: Sequence[str] | None = None,
        format: str | None = None,
        **options: Any,
    ) -> str:
        tag: str = await_(self._there.copy_in(target, source, columns=columns, format=format, **options))
        return tag

    def copy_out(
        self,
        source: str | tuple[str, ...],
        sink: Any,
        *,
        columns: Sequence[str] | None = None,
        format: str = "csv",
        **options: Any,
    ) -> str:
        tag: str = await_(self._there.copy_out(source, sink, columns=columns, format=format, **options))
        return tag

    def notifications(self, timeout: float | None = None) -> Iterator[Notification]:
        return self._iterate(self._there.notifications(timeout))

    def cancel(self) -> None:
        await_(self._there.cancel())
