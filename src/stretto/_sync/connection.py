# Generated from src/stretto/_async/connection.py by tools/make_sync.py: do not edit.
"""Connection: one reserved server session, with the verbs and what needs a session: streams, COPY, LISTEN."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, overload

from stretto._habits import CONNECTION, names_elsewhere
from stretto._numbers import check_seconds
from stretto._sync.held import GIVEN_BACK, Held
from stretto.codecs.makers import Row
from stretto.errors import Notice, StatementTimeout, UsageError
from stretto.flows import copy, stream
from stretto.flows.ambient import Ambient, ambient, present, scope_of
from stretto.flows.listen import Notification, notifications
from stretto.flows.names import quote_name
from stretto.flows.shared import Shared
from stretto.model.statements import Query
from stretto.protocol.request import Request
from stretto.runtime.blocking import Link
from stretto.runtime.sources import items_of, sink_of
from stretto.runtime.tracing import own

if TYPE_CHECKING:
    from stretto.flows.batches import Batch, Reader

T = TypeVar("T")
COPY_GRACE = 5.0  # seconds for the server to answer a COPY that failed here


@names_elsewhere(CONNECTION)
class Connection(Held):
    """One server session, in the hands of one task at a time; get one by ``db.connection()``.

    Statements of other threads wait for their turn. What still runs here when the block ends gets UsageError.
    """

    def __init__(self, link: Link, shared: Shared, database: Any = None) -> None:
        super().__init__(link, shared, database)
        self._pid = link.greeting.pid
        self._track_commit = database is not None and database._track_commit
        link.machine.notifications.clear()  # what came for the last one who had this connection

    @property
    def pid(self) -> int | None:
        """The server's process id, where it told one."""
        return self._pid

    @property
    def closed(self) -> bool:
        """Whether the connection is closed or lost: nothing can run on it any more."""
        return self._link.closed

    @property
    def parameters(self) -> dict[str, str]:
        """What the server reported of itself: ``server_version``, ``TimeZone`` and so on (ParameterStatus)."""
        return dict(self._link.machine.parameters)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction block is open, failed ones included (ReadyForQuery's status)."""
        return self._link.machine.status != "I"

    def __repr__(self) -> str:
        state = "closed" if self.closed else "in transaction" if self.in_transaction else "idle"
        return f"<{type(self).__name__} pid={self.pid} {state}>"

    def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        if timeout is not None:
            check_seconds(timeout=timeout)
        now = ambient()
        if now is not None:
            return self._within(now, flow, timeout)
        return self._alone(flow, timeout)

    def on_notice(self, listener: Callable[[Notice], None] | None) -> None:
        """Call ``listener`` with each Notice that the server sends from now on; None: no longer."""
        self._link.machine.notices.clear()
        self._notice_listener = listener

    def trace(self, file: TextIO | None) -> None:
        """Write what this connection says and hears from now on to an open text file, as libpq does; None: no longer.

        Each message is a line (``F``: to the server, ``B``: from it). Statements and the values of parameters and rows
        are in it, but no password of the log-in, which was before. It ends with the block of ``connection()``. Raises
        UsageError while a statement runs here.
        """
        if file is not None and not self._link.machine.idle():
            raise UsageError("a trace begins between two statements, and one is running on this connection")
        self._link.tap = own(self._link.tap, file)

    @overload
    def stream(
        self, query: Query[T], /, *, into: None = None, batch: int = 1000, timeout: float | None = None
    ) -> Iterator[T]: ...
    @overload
    def stream(
        self, query: Query[Any], /, *, into: type[T], batch: int = 1000, timeout: float | None = None
    ) -> Iterator[T]: ...
    @overload
    def stream(
        self, sql: str, /, *args: Any, into: None = None, batch: int = 1000, timeout: float | None = None
    ) -> Iterator[Row]: ...
    @overload
    def stream(
        self, sql: str, /, *args: Any, into: type[T], batch: int = 1000, timeout: float | None = None
    ) -> Iterator[T]: ...
    def stream(
        self, sql: Any, /, *args: Any, into: Any = None, batch: int = 1000, timeout: float | None = None
    ) -> Iterator[Any]:
        """Iterate over a statement's rows in bounded memory: ``batch`` of them at a time, and the next on their way.

        ``batch`` is what the server is asked for at a time. Wide rows are read in parts of some 100 kB (one row, where
        it is wider) as they are used; the rest waits with the server.
        ``timeout`` is for each batch. In a transaction other statements and streams may come between; else another
        statement on this connection ends the stream, which then raises UsageError instead of further rows.
        DecodeError: an anonymous record with a type that is not known yet.
        """
        left = self._left()
        portal = stream.Portal(self._shared, sql, args, into, batch, left)
        run = self._drive if left is None else self._run
        self._run(portal.open(), timeout)
        if left is None:
            self._portal = portal
        try:
            while rows := run(portal.more(), timeout):
                for row in rows:
                    yield row
        finally:
            portal.leave()
            if left is None and self._link is not GIVEN_BACK:
                self._drive(portal.close(), timeout)
            if self._portal is portal:
                self._portal = None

    def _left(self) -> list[bytes] | None:
        """In a transaction: where the portals of streams are put that were left early."""
        scope = scope_of(self)
        return None if scope is None else scope.trunk.left

    def copy_in(
        self,
        target: str | tuple[str, ...],
        source: Any,
        *,
        columns: Sequence[str] | None = None,
        format: str | None = None,
        **options: Any,
    ) -> str:
        """Copy into a table, all or nothing, and return the command tag, as ``'COPY 3'``.

        ``source``: rows (an iterable of tuples, dicts or objects; they travel in binary), or with
        ``format="csv" | "text" | "binary"`` bytes in COPY's own format: a path, a file, bytes, or an iterable of bytes.
        ``options``: ``header, delimiter, null, quote, escape, force_null, force_not_null, on_error ...`` as COPY's.
        What the source raises is raised here, and no row is left.
        """
        from stretto.flows.batches import RowReader, StreamReader  # not for those who never copy
        from stretto.flows.rows import Target, plan_rows

        items = items_of(source, format)
        try:
            self._copying = True
            try:
                first = next(items, None)
            finally:
                self._copying = False
            reader: Reader = StreamReader(format)
            if format is None:
                sample = first[0] if first else None
                reader = RowReader(self._run(plan_rows(self._shared, Target.of(target), columns, sample), None))
                columns, format = reader.plan.columns, "binary"
            sql = copy.copy_sql(target, columns, "FROM STDIN", format, options)
            return self._copy_messages(sql, self._messages(reader, first, items))
        finally:
            items.close()

    def _messages(
        self, reader: Reader, first: Any, items: Iterator[Any], tell: Callable[[Batch], Any] | None = None
    ) -> Generator[bytes]:
        """What is sent for one COPY; ``tell`` is awaited with each batch."""
        head, item, whole = reader.begin(), first, False
        while not whole:
            whole = item is None
            batch = reader.end() if whole else reader.take(item)
            if batch is not None:
                yield head + batch.data if head else batch.data
                head = b""
                if tell is not None:
                    tell(batch)
            if not whole:
                item = next(items, None)
        yield head + reader.finish()

    def _copy_messages(self, sql: str, messages: Iterator[bytes]) -> str:
        request = self._run(self._claimed(copy.start(sql, copy.COPY_IN)), None)
        try:
            self._feed(request, messages)
            return self._drive(copy.finish(request, sql), None)  # type: ignore[no-any-return]  # flows are untyped at their ends
        finally:
            self._copying = False

    def _feed(self, request: Request, messages: Iterator[bytes]) -> None:
        now = present()
        try:
            for message in messages:
                if request.done or request.error is not None:
                    break
                self._send(now, message)
        except Exception as error:
            if not self._link.closed:
                self._link.send(copy.fail_message(error))
                with suppress(StatementTimeout):  # then it was given up, which closes the connection if need be
                    self._drive(copy.drain(request), COPY_GRACE)
            raise
        except BaseException:
            self._link.give_up(request)
            raise

    def _send(self, now: Ambient, message: bytes) -> None:
        """Send in the time that the deadline leaves; a server that does not take it is not waited for any longer."""
        left = now.remaining(None, monotonic())
        try:
            self._link.send(message, left)
        except TimeoutError as error:
            if isinstance(error, StatementTimeout) or left is None:
                raise
            self._link.abort()
            late = StatementTimeout("the server did not take the rows in time", outcome="rolled_back")
            now.explain(late, monotonic())
            raise late from None

    def copy_out(
        self,
        source: str | tuple[str, ...],
        sink: Any,
        *,
        columns: Sequence[str] | None = None,
        format: str = "csv",
        **options: Any,
    ) -> str:
        """Copy a table or a query's result to ``sink`` and return the command tag, as ``'COPY 3'``.

        ``sink``: a path, a binary file, or a function that takes bytes. ``format``: ``csv``,
        ``text`` or ``binary``; ``options`` as COPY's. Memory is bounded: a slow sink slows the server.
        """
        sql = copy.copy_sql(source, columns, "TO STDOUT", format, options)
        with sink_of(sink) as write:
            request = self._run(self._claimed(copy.start(sql, copy.COPY_OUT)), None)
            try:
                while chunks := self._drive(copy.receive(request, sql), None):
                    write(b"".join(chunks))
            except BaseException:
                self._link.give_up(request)
                raise
            finally:
                self._copying = False
        return self._drive(copy.finish(request, sql), None)  # type: ignore[no-any-return]  # flows are untyped at their ends

    def listen(self, *channels: str) -> None:
        """LISTEN to channels; ``notifications()`` gives what comes."""
        if not channels:
            raise UsageError("listen() needs a channel")
        self.execute("; ".join(f"LISTEN {quote_name(channel)}" for channel in channels))

    def unlisten(self, *channels: str) -> None:
        """UNLISTEN to channels, or to all."""
        self.execute("; ".join(f"UNLISTEN {quote_name(channel)}" for channel in channels) or "UNLISTEN *")

    def notifications(self, timeout: float | None = None) -> Iterator[Notification]:
        """Iterate over the notifications that come; ends when none came for ``timeout`` seconds.

        Raises ConnectionLost when the connection is gone.
        """
        check_seconds(timeout=timeout)
        while True:
            for notification in notifications(self._link.machine):
                yield notification
            if not self._heard(timeout):
                if self._link.closed:
                    raise self._link.why_lost()
                return

    def _heard(self, timeout: float | None) -> bool:
        """Wait for a notification, in a turn; False when the time is up or the connection is gone."""
        link, turns = self._link, self._turns
        if self._listening:
            raise UsageError("another task or thread waits for notifications on this connection already")
        self._listening = True
        try:
            if not turns.try_enter(False):
                turns.enter(False, timeout)
            try:
                return link.wait_notification(timeout)
            finally:
                turns.leave(False)
        finally:
            self._listening = False

    def cancel(self) -> None:
        """Ask the server to cancel what runs on this connection (CancelRequest): its caller gets QueryCanceled.

        For another task or thread than the one that waits. The server does not say whether anything was running, and
        what is sent next may be hit: wait for the cancelled statement to end first.
        """
        self._link.cancel()

    def reset(self) -> None:
        """Put the session's state back: settings, role, channels, cursors, advisory locks, temporary tables."""
        if self.in_transaction:
            self.execute("ROLLBACK")
        self.execute(
            "SET SESSION AUTHORIZATION DEFAULT; RESET ROLE; RESET ALL; SELECT pg_catalog.pg_advisory_unlock_all(); "
            "CLOSE ALL; UNLISTEN *; DISCARD TEMP; DISCARD SEQUENCES"
        )
