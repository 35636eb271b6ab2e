"""AsyncDatabase: the front door. It connects on first use and hands each statement to a connection of its pool."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from os import PathLike
from time import monotonic
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TextIO, TypeVar, overload

from stretto._async.connection import AsyncConnection
from stretto._async.pool import AsyncPool
from stretto._async.reserving import block
from stretto._async.session import session_of
from stretto._async.transacting import AsyncTransacting
from stretto._bridge.call import acall
from stretto._conninfo import without_locals
from stretto._habits import DATABASE, names_elsewhere
from stretto._numbers import FAR, check_counts, check_seconds
from stretto.codecs.makers import Row
from stretto.config import Config
from stretto.errors import ConnectionLost, PoolTimeout, UsageError
from stretto.flows import stream as streaming
from stretto.flows.ambient import Ambient, ambient
from stretto.flows.listen import Notification
from stretto.flows.shared import Shared
from stretto.model.statements import Query
from stretto.pool.lifetime import Limits, Stats
from stretto.pool.scheduler import QUEUE
from stretto.runtime.aio import Link
from stretto.runtime.aturns import Turns
from stretto.runtime.tracing import Sink

if TYPE_CHECKING:
    import stretto
    from stretto.flows.bulk import Progress, Report
    from stretto.flows.moved import CopyProgress, TableCopy

P = ParamSpec("P")
T = TypeVar("T")
CLOSING = 10.0  # seconds for what runs to end by itself when all is closed


@names_elsewhere(DATABASE)
class AsyncDatabase(AsyncTransacting):
    """A PostgreSQL database, for asyncio.

    ``url``: every form of URL or key=value string that libpq takes; without one, ``PG*``, service files and libpq's
    defaults. ``connections``: how many at most; statements of concurrent callers share them, unless ``pipelining`` is
    False. ``timeout``: seconds for each call that names none (None: no limit); ``acquire_timeout``: seconds to wait for
    a connection; ``queue``: how many callers may wait for one, further ones get PoolFull. ``max_idle``,
    ``max_lifetime``: seconds after which one that is not used, or any, is closed (None: never). ``leak_detection``:
    seconds after which who holds one for himself is reported once, as a warning of the logger ``stretto.pool`` with the
    places where it was taken (None: never). ``dumps``, ``loads``: for json and jsonb. ``infinity``: what an infinite
    date or timestamp becomes, a DecodeError or a sentinel; ``intervals="interval"``: every interval becomes an
    Interval, which keeps its months.
    ``track_commit``: ask for a transaction's xid, by which a COMMIT whose answer was lost is found out.
    ``retry_reads``: a statement that only reads is sent again where its connection was lost before the answer, up to
    three times, outside of transactions. ``slow``: how many seconds make a statement slow: it is logged as
    ``stretto.slow``, with what they were spent on (None: never).
    ``trace``: a path or open text file to which all connections write what they say and hear once they are logged in,
    values included (see Connection.trace). Further keywords are libpq's (``host=``, ``sslmode=``, ``password=``, which
    may be a function ...). Nothing is connected before first use.
    """

    @without_locals
    def __init__(
        self,
        url: str | None = None,
        *,
        connections: int = 10,
        pipelining: bool = True,
        timeout: float | None = None,
        acquire_timeout: float | None = 30.0,
        queue: int = QUEUE,
        max_idle: float | None = 600.0,
        max_lifetime: float | None = 3600.0,
        leak_detection: float | None = 600.0,
        dumps: Callable[[Any], str | bytes] | None = None,
        loads: Callable[[str], Any] | None = None,
        infinity: Literal["error", "sentinel"] = "error",
        intervals: Literal["timedelta", "interval"] = "timedelta",
        track_commit: bool = True,
        retry_reads: bool = False,
        slow: float | None = 1.0,
        trace: str | PathLike[str] | TextIO | None = None,
        **keywords: Any,
    ) -> None:
        check_counts(connections=connections, queue=queue)
        check_seconds(timeout=timeout, acquire_timeout=acquire_timeout, slow=slow)
        check_seconds(max_idle=max_idle, max_lifetime=max_lifetime, leak_detection=leak_detection)
        if infinity not in ("error", "sentinel") or intervals not in ("timedelta", "interval"):
            raise UsageError("infinity= is 'error' or 'sentinel', intervals= is 'timedelta' or 'interval'")
        self._shared = Shared(Config.parse(url, **keywords), infinity=infinity, intervals=intervals)
        if dumps is not None or loads is not None:
            self._shared.codecs.set_json(dumps or json.dumps, loads or json.loads)
        self._shared.slow = slow
        self._shared.retry_reads = retry_reads
        self._shared.trace = None if trace is None else Sink(trace)
        self._timeout = timeout
        self._track_commit = track_commit
        limits = Limits(max_idle, max_lifetime, leak_detection=leak_detection)
        self._pool = AsyncPool(self._shared, connections, acquire_timeout, pipelining, limits, queue)
        self._crowd = self._pool.crowd
        self._loads = Turns()  # of loads that hold a connection while they wait for more

    def __repr__(self) -> str:
        if not hasattr(self, "_shared"):  # seen in the traceback of a bad URL
            return f"<{type(self).__name__}>"
        config = self._shared.config
        hosts = ",".join(f"{host}" for host in config.hosts)
        return f"<{type(self).__name__} {config.user}@{hosts}/{config.dbname}>"

    async def __aenter__(self) -> AsyncDatabase:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        await self.close(CLOSING if kind is None else 0.0)

    async def close(self, timeout: float | None = CLOSING) -> None:
        """Close all connections; whoever calls from now on gets PoolClosed.

        Statements and blocks that have begun may end within ``timeout`` seconds (0: at once; None: as long as they
        take). What runs then is cancelled on the server and gets ConnectionLost, and who still waits PoolClosed.
        Leaving ``async with`` by an exception closes at once.
        """
        check_seconds(timeout=timeout)
        await self._pool.close(timeout)
        if self._shared.trace is not None:
            self._shared.trace.close()

    def stats(self) -> Stats:
        """What the pool of connections is doing, and has done."""
        return self._pool.stats()

    def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        # Not a coroutine function: what it returns is awaited by the verb, one coroutine less for each statement.
        if timeout is None:
            timeout = self._timeout
        elif (type(timeout) is not float and type(timeout) is not int) or not timeout <= FAR:
            check_seconds(timeout=timeout)
        now = ambient()
        if now is not None:
            return self._within(now, flow, timeout, exclusive, since)
        return self._pool.run(flow, timeout, exclusive, since)

    def _turn(self, timeout: float | None, block: bool = False) -> Any:
        if timeout is None and not block:  # the Database's timeout is for statements
            timeout = self._timeout
        check_seconds(timeout=timeout)
        now = ambient()
        return self._pool.turn(timeout) if now is None else self._turn_within(now, timeout)

    async def _turn_within(self, now: Ambient, timeout: float | None) -> float:
        """As _turn; what runs in a transaction has had its turn."""
        if now.scope_of(self) is not None:
            return 0.0
        try:
            since: float = await self._pool.turn(now.remaining(timeout, monotonic()))
        except PoolTimeout as error:
            now.explain(error, monotonic())
            raise
        return since

    def _take(self, timeout: float | None, since: float = 0.0) -> Any:
        return self._pool.acquire(timeout, since)

    def _give(self, link: Link) -> Any:
        return self._pool.release(link)

    def _alone(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        return self._pool.run(flow, timeout, exclusive, since)

    @block
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Reserve a connection, for session state (SET, LISTEN, temporary tables, BEGIN); it is reset at the end."""
        link = await self._acquire()
        connection = AsyncConnection(link, self._shared, self)
        try:
            yield connection
        finally:
            await connection._part(self._pool)

    @overload
    def stream(
        self, query: Query[T], /, *, into: None = None, batch: int = 1000, timeout: float | None = None
    ) -> AsyncIterator[T]: ...
    @overload
    def stream(
        self, query: Query[Any], /, *, into: type[T], batch: int = 1000, timeout: float | None = None
    ) -> AsyncIterator[T]: ...
    @overload
    def stream(
        self, sql: str, /, *args: Any, into: None = None, batch: int = 1000, timeout: float | None = None
    ) -> AsyncIterator[Row]: ...
    @overload
    def stream(
        self, sql: str, /, *args: Any, into: type[T], batch: int = 1000, timeout: float | None = None
    ) -> AsyncIterator[T]: ...
    async def stream(
        self, sql: Any, /, *args: Any, into: Any = None, batch: int = 1000, timeout: float | None = None
    ) -> AsyncIterator[Any]:
        """Iterate over a statement's rows in bounded memory, on a reserved connection (see Connection.stream).

        In a transaction on its connection, where other statements and streams may come between.
        """
        async with session_of(self) as connection:
            # Not by connection.stream(): of two nested async generators, the loop closes the inner one too late.
            portal = streaming.Portal(self._shared, sql, args, into, batch, connection._left())
            try:
                await connection._run(portal.open(), timeout)
                while rows := await connection._run(portal.more(), timeout):
                    for row in rows:
                        yield row
            finally:
                portal.leave()

    async def copy_in(
        self,
        target: str | tuple[str, ...] | type[Any],
        source: Any,
        *,
        columns: Sequence[str] | None = None,
        format: str | None = None,
        chunks: int | None = None,
        chunk_size: int | None = None,
        atomic: bool = True,
        on_conflict: Literal["ignore", "update"] | None = None,
        on: Any = None,
        errors: Literal["raise", "report"] = "raise",
        progress: Callable[[Progress], Any] | None = None,
        **options: Any,
    ) -> Report:
        """Copy into a table, or the table of a Model, and report what has landed; in a transaction, as a part of it.

        ``source``: rows (an iterable or async iterable of tuples, mappings or objects, or a frame of pandas, polars or
        Arrow), or with ``format="csv" | "text" | "binary"`` bytes: a path, a file, bytes, or an iterable of bytes.
        ``columns``: names, or fields of the Model; else all, without those that the server makes and the first row has
        not. ``options`` are COPY's (``header``, ``delimiter``, ``null`` ...).

        ``atomic``: all or nothing; else chunk by chunk, each in a transaction of its own. ``chunks``: over how many
        connections at most; by default 1, or 4 where not atomic. An atomic load over several goes through an unlogged
        table beside the target, which costs the server a second write: it is worth while where reading the rows is
        what takes long. ``chunk_size``: the rows of a chunk; without it 100,000 or 4 MB, and 5000 with errors="report".
        ``on_conflict``: rows whose key is there are left out, or replace the others' values. ``on``: the columns of
        that key; without it any for "ignore", and the primary key for "update". ``errors="report"``: bad rows are left
        out and told. ``progress`` is called (or awaited) with each batch that is on its way. Memory is bounded: a slow
        server slows the source.

        Raises what the source raises, EncodeError and the server's errors, with the ``row`` of the source; BulkError
        where only a part has landed; UsageError.
        """
        from stretto._async.bulk import load  # what most programs never use is not loaded with the rest
        from stretto.flows.bulk import Job

        ways = (chunks, atomic, on_conflict, errors, progress, options, chunk_size, on)
        job = Job(target, source, columns, format, *ways)
        return await load(self, job)

    async def copy_out(
        self,
        source: str | tuple[str, ...],
        sink: Any,
        *,
        columns: Sequence[str] | None = None,
        format: str = "csv",
        **options: Any,
    ) -> str:
        """Copy a table or a query's result out, on a reserved connection (see Connection.copy_out)."""
        async with session_of(self) as connection:
            return await connection.copy_out(source, sink, columns=columns, format=format, **options)

    async def copy_table(
        self,
        source: str | tuple[str, ...],
        to: AsyncDatabase,
        into: str | tuple[str, ...] | None = None,
        *,
        columns: Mapping[str, str] | Sequence[str] | None = None,
        jobs: int = 1,
        transform: Callable[[dict[str, Any]], Mapping[str, Any] | None] | None = None,
        atomic: bool = True,
        create: bool = False,
        verify: bool = False,
        progress: Callable[[CopyProgress], object] | None = None,
    ) -> TableCopy:
        """Copy a table or a query's result from here to another database, and return what landed there.

        ``source`` is read in one snapshot; ``into`` is a table of ``to``, by default of the same name, and ``columns``
        says which (names, or a dict from the source's to the target's). The bytes of COPY are passed on, in binary
        where the types agree and else as text. ``transform`` is called with each row, a dict by the target's names, and
        returns a dict, or None to drop it; the columns of the first one are those that are copied. ``create`` makes the
        table: columns, types, NOT NULL and primary key. ``verify`` compares count and checksum of what was read and of
        what is there: CopyDiffers.

        All or nothing: with one job, in one transaction, that of ``to`` where one is open. With ``jobs`` ranges of the
        table go over as many connections into a table beside ``into``, and from there in one transaction; one that is
        created just gets its name. ``atomic=False`` commits each range by itself: BulkError has a report of what
        landed. In a transaction of the source its snapshot is read. ``progress`` is called now and then, with one
        CopyProgress at a time. Raises UsageError for tables and columns that don't go together; the servers' errors.
        """
        from stretto._async.moving import Move
        from stretto.flows.moving import Order

        flags = {"atomic": atomic, "create": create, "verify": verify, "progress": progress}
        order = Order.of(source, into, columns, jobs, transform, **flags)
        if not isinstance(to, AsyncDatabase):
            raise UsageError(f"copy_table() copies to another {AsyncDatabase.__name__}, not to a {type(to).__name__}")
        return await Move(self, to, order).run()

    async def listen(self, *channels: str) -> AsyncIterator[Notification]:
        """Iterate over the notifications of ``channels``, on a reserved connection, for ever.

        A lost connection is made anew and listened on again; then a Notification with ``gap=True`` and an empty payload
        comes for each channel: what was notified meanwhile is not known. Raises ConnectError when none can be made.
        """
        again = False
        while True:
            async with self.connection() as connection:
                try:
                    await connection.listen(*channels)
                    if again:
                        for channel in channels:
                            yield Notification(channel, "", 0, gap=True)
                    async for notification in connection.notifications():
                        yield notification
                except ConnectionLost:
                    again = True

    async def run(self, fn: Callable[Concatenate[stretto.Database, P], T], /, *args: P.args, **keywords: P.kwargs) -> T:
        """Call ``fn(db, ...)``, a plain function, with a blocking Database, and return what it returns.

        So one function serves blocking code, threads, gevent and asyncio. On asyncio it runs in the task that awaits:
        each verb lets the loop go on, statements are pipelined with all others, transactions and ``contextvars`` are
        the task's, and a cancellation is raised in ``fn`` at the verb that waits. What else blocks there, as
        ``time.sleep``, blocks the loop. Raises UsageError for an async function.
        """
        return await acall(self, fn, args, keywords)  # type: ignore[no-any-return]  # typed by our own signature

    def set_type_codec(
        self,
        typename: str,
        *,
        schema: str | None = None,
        encoder: Callable[[Any], Any],
        decoder: Callable[[Any], Any],
        format: str = "text",
    ) -> None:
        """Set the codec of a type by its name, once for this Database; as asyncpg's of the same name.

        Without ``schema`` a type of this name in any schema is meant. One that the database has not, when it is first
        asked about a statement, is logged as a warning (``stretto``).

        ``format``: ``text`` (encoder gives str, decoder takes str) or ``binary`` (bytes); asyncpg's ``tuple`` is not
        there. Statements that were already prepared are described anew. Raises UsageError for a name with a dot (say
        ``schema=``), an array's name, another format.
        """
        self._shared.codecs.set_type_codec(typename, schema=schema, encoder=encoder, decoder=decoder, format=format)
        self._shared.statements.clear()
