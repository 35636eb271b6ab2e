"""BridgedDatabase: the Database that blocking-style code gets on an event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

from stretto._bridge.connection import BridgedConnection
from stretto._bridge.transaction import BridgedTransacting
from stretto._sync.connection import Connection
from stretto._sync.database import CLOSING, Database
from stretto._sync.held import GIVEN_BACK
from stretto._sync.reserving import block
from stretto.flows.listen import Notification
from stretto.pool.lifetime import Stats
from stretto.runtime.bridge import Call, await_, drive

if TYPE_CHECKING:
    from stretto.flows.bulk import Report
    from stretto.flows.moved import TableCopy


class BridgedDatabase(BridgedTransacting, Database):
    """A Database without connections of its own: each verb waits for the AsyncDatabase's, in its greenlet.

    So statements are scheduled, pipelined and taken into the ambient transaction as all others of the AsyncDatabase.
    """

    def __init__(self, db: Any, call: Call) -> None:
        self._call = call
        self._origin = db
        self._shared = db._shared
        self._crowd = db._crowd

    def stats(self) -> Stats:
        stats: Stats = self._there.stats()
        return stats

    def close(self, timeout: float | None = CLOSING) -> None:
        await_(self._there.close(timeout))

    def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        db = self._origin if getcurrent() is self._call.side else self._there  # without a call more
        return await_(db._run(flow, timeout, exclusive, since))

    def _turn(self, timeout: float | None, block: bool = False) -> Any:
        return await_(self._there._turn(timeout, block))

    @block
    def connection(self) -> Iterator[Connection]:
        with self._enter(self._there.connection()) as connection:
            bridged = BridgedConnection(connection, self._call)
            try:
                yield bridged
            finally:
                bridged._link = GIVEN_BACK

    def stream(
        self, sql: Any, /, *args: Any, into: Any = None, batch: int = 1000, timeout: float | None = None
    ) -> Iterator[Any]:
        return self._iterate(self._there.stream(sql, *args, into=into, batch=batch, timeout=timeout))

    def copy_in(self, target: Any, source: Any, **keywords: Any) -> Report:
        report: Report = await_(self._there.copy_in(target, source, **keywords))
        return report

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

    def copy_table(self, source: str | tuple[str, ...], to: Any, *args: Any, **keywords: Any) -> TableCopy:
        there = to._there if isinstance(to, BridgedDatabase) else to
        report: TableCopy = await_(self._there.copy_table(source, there, *args, **keywords))
        return report

    def listen(self, *channels: str) -> Iterator[Notification]:
        return self._iterate(self._there.listen(*channels))


def bridge(db: Any, fn: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any]) -> Awaitable[Any]:
    """Call ``fn(BridgedDatabase, ...)`` in a greenlet of the task that awaits this."""
    call = Call(fn, keywords)
    call.args = (BridgedDatabase(db, call), *args)
    return drive(call)
