"""Streaming: a portal that is executed a batch of rows at a time, the next batch on its way while one is used.

The statement runs once; memory holds two batches. The connection is reserved for it until the Sync.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from stretto.errors import UsageError
from stretto.flows.query import Flow, check, maker_for, prepare
from stretto.flows.shared import Shared
from stretto.protocol.request import Request
from stretto.protocol.rows import decode_rows
from stretto.protocol.statement import Statement
from stretto.wire import frontend
from stretto.wire.buffer import WriteBuffer


class Portal:
    """An open stream: ``more`` gives the next batch, ``close`` ends it early."""

    def __init__(self, statement: Statement, request: Request, maker: Any, batch: int) -> None:
        self._statement = statement
        self._request = request
        self._maker = maker
        self._ended = False
        buf = WriteBuffer()
        frontend.execute(buf, b"", batch)
        buf.write_bytes(frontend.FLUSH)
        self._again = buf.getvalue()

    def more(self) -> Flow:
        """Return the next batch of rows; the empty list at the end. Raises the server's error."""
        request = self._request
        if self._ended:
            return []
        if request.done:
            check(request, self._statement.sql)
            raise UsageError("another statement on the same connection has ended this stream")
        yield request
        slices = request.take()
        suspended = request.tag is None and request.error is None and request.failure is None
        if suspended and not request.done:
            request.say(self._again, b"E")
            request.hurry = True
            yield request
        else:
            self._ended = True
            yield from self._finish()
            check(request, self._statement.sql)
        rows: list[Any] = []
        decode_rows(slices, self._statement.codecs, self._maker, rows)
        return rows

    def close(self) -> Generator[Request, Any, None]:
        """End the stream where it is; rows on their way are thrown away."""
        self._ended = True
        self._request.abandoned = True
        yield from self._finish()

    def _finish(self) -> Generator[Request, Any, None]:
        request = self._request
        if not request.done:
            request.say(frontend.SYNC, b"Y")
            yield request
            while not request.done:
                request.suspended = False
                request.take()
                yield request


def open_portal(shared: Shared, sql: str, args: tuple[Any, ...], into: Any, batch: int) -> Flow:
    """Return the Portal of a statement whose first batch is on its way. One round trip when cold, none else."""
    if batch < 1:
        raise UsageError(f"batch={batch}: at least one row at a time")
    statement = yield from prepare(shared, sql)
    request = statement.bind_portal(args, batch)
    maker = maker_for(statement, into)
    request.hurry = True
    yield request
    return Portal(statement, request, maker, batch)
