"""Streaming: a portal that is executed a batch of rows at a time, the next batch on its way while one is used.

The statement runs once. Memory holds two batches, and of wide rows less: what has come of a batch is taken in parts of
some 100 kB, and nothing more is read while parts wait. The connection is reserved for it until the Sync.

In a transaction the portal is named, so that other statements may come between: a Sync goes in front of them, and the
stream is taken up again by another Execute. Else the portal ends with that Sync.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import count
from typing import Any

from stretto._numbers import check_counts
from stretto.codecs.base import UnknownTypes
from stretto.errors import DecodeError, UsageError
from stretto.flows.query import Flow, as_here, check, fitting, heal, maker_for, prepare
from stretto.flows.shared import Shared
from stretto.model.grown import Growing
from stretto.model.statements import unpack
from stretto.protocol.request import Request
from stretto.protocol.rows import decode_rows
from stretto.protocol.statement import Statement
from stretto.wire import backend, frontend
from stretto.wire.buffer import WriteBuffer

_numbers = count(1)


class Portal:
    """A stream: ``open`` sends, ``more`` gives the next batch, ``close`` ends it wherever it is.

    ``left``: in a transaction, where to put the names of portals that are to be closed. There ``leave`` ends it and
    sends nothing. Raises UsageError for a batch of no rows.
    """

    _statement: Statement
    _request: Request

    def __init__(
        self, shared: Shared, sql: Any, args: tuple[Any, ...], into: Any, batch: int, left: list[bytes] | None = None
    ) -> None:
        check_counts(batch=batch)
        if not isinstance(sql, str):
            sql, args, into = unpack(sql, args, into, shared.codecs.get)
        self._shared = shared
        self._sql = sql
        self._args = args
        self._into = into
        self._batch = batch
        self._left = left
        self._name = b"" if left is None else b"stretto_stream_%d" % next(_numbers)
        self._open = False  # its last row has not come yet
        self._begun = False  # an answer was had
        self._in_parts = False  # some rows of a batch were had
        buf = WriteBuffer()
        frontend.execute(buf, self._name, batch)
        buf.write_bytes(frontend.FLUSH)
        self._again = buf.getvalue()

    def open(self) -> Generator[Request, Any, None]:
        """Send the first batch on its way. One round trip when cold, none else."""
        statement = yield from prepare(self._shared, self._sql)
        self._statement = yield from fitting(self._shared, statement, self._into)
        self._request = self._statement.bind_portal(self._args, self._batch, self._name)
        self._maker = maker_for(self._statement, self._into)
        self._open = True
        yield from self._ask()

    def _ask(self) -> Generator[Request, Any, None]:
        """Send for a batch, and wait for it the next time."""
        self._request.partial = True
        self._request.hurry = True
        yield self._request

    def more(self) -> Flow:
        """Return the next batch of rows, or a part of it; the empty list at the end. Raises the server's error.

        UsageError where another statement has ended the stream: the portal is gone, and with it the rows that were not
        had yet. A stale statement outside a transaction is prepared anew; nothing of it has run.
        """
        request = self._request
        if not self._open or request.abandoned:
            self._check_whole()
            return []
        if not request.done:
            yield request
        self._check_whole()
        if request.described is not None and request.error is None:
            yield from self._adapt(request.described)
        slices = request.take()
        if not request.suspended and not request.done:
            self._begun = self._in_parts = True
            return self._decode(slices)
        suspended = request.tag is None and request.error is None and request.failure is None
        if suspended:
            yield from self._go_on()
            if not slices and self._in_parts:  # all of the batch was taken
                self._forget()
                return (yield from self.more())
        else:
            yield from self._finish()
            self._open = False
            if not self._begun and (request.error is not None or request.failure is not None):
                self._begun = True
                yield from heal(self._shared, request, self._statement, False)
                yield from self.open()
                return (yield from self.more())
            check(request, self._sql)
        self._begun = True
        rows = self._decode(slices)
        self._forget()
        return rows

    def _go_on(self) -> Generator[Request, Any, None]:
        """Send for the next batch: behind the last one, or by itself where a Sync has followed that."""
        if not self._request.done:
            self._request.say(self._again, b"E")
        else:
            self._request = Request(self._again, b"E")
            self._request.lasting = True
        yield from self._ask()

    def _decode(self, slices: list[Any]) -> list[Any]:
        rows: list[Any] = []
        try:
            decode_rows(slices, self._statement.codecs, self._maker, rows)
        except UnknownTypes as unknown:
            raise DecodeError(
                f"a record has types that are not known yet (OIDs {unknown.oids}), and nothing can be asked during a "
                "stream: fetch() such a record once before, or cast it to a type of its own"
            ) from None
        return rows

    def _forget(self) -> None:
        """A batch has ended: what belongs to several objects is one object in each."""
        self._in_parts = False
        if type(self._into) is Growing:
            self._into.forget()
            self._maker = maker_for(self._statement, self._into)

    def _check_whole(self) -> None:
        """Raise what has ended the stream before its end: what came meanwhile, or another statement."""
        if self._request.done or self._request.failure is not None:
            check(self._request, self._sql)
        if self._request.abandoned:
            raise UsageError(
                "another statement on the connection of this stream has ended it before its last row: fetch() the rows "
                "before, run the statement on a second connection, or both in a transaction()"
            )

    def _adapt(self, described: dict[bytes, bytes | None]) -> Generator[Request, Any, None]:
        """The statement has other columns on this connection than where it was described: read its rows by those."""
        columns = backend.columns_of(described.get(self._statement.name))
        missing = self._shared.codecs.missing([column.type_oid for column in columns])
        if missing:
            raise DecodeError(
                f"the statement has columns of types that are not known yet (OIDs {sorted(missing)}), and nothing can "
                "be asked during a stream: fetch() such a row once before"
            )
        self._statement = yield from as_here(self._shared, self._request, self._statement)
        self._request.described = None
        self._maker = maker_for(self._statement, self._into)

    def leave(self) -> None:
        """In a transaction: nobody wants the rest. The next statement ends what is under way, and closes the portal."""
        if self._left is not None and self._open:
            self._open = False
            self._request.abandoned = True
            self._left.append(self._name)

    def close(self) -> Generator[Request, Any, None]:
        """End the stream where it is; rows on their way are thrown away."""
        if not self._request.done and not self._request.abandoned:
            self._request.abandoned = True
            yield from self._finish()

    def _finish(self) -> Generator[Request, Any, None]:
        """Wait for the answer to the Sync; a named portal is closed in front of it, or later where it was sent."""
        request = self._request
        if self._left is not None and request.done:
            self._left.append(self._name)
        if not request.done:
            closes = self._name != b"" and request.error is None  # after an error the server passes over all but Sync
            buf = WriteBuffer()
            if closes:
                frontend.close_portal(buf, self._name)
            buf.write_bytes(frontend.SYNC)
            request.say(buf.getvalue(), b"CY" if closes else b"Y")
            yield request
            while not request.done:
                request.suspended = False
                request.take()
                yield request
