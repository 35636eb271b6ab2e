# Generated from src/stretto/_async/verbs.py by tools/make_sync.py: do not edit.
"""The verbs that a Database and a Connection share. No logic: each asks the flows for its operation and runs it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any, TypeVar, overload

from stretto._sync.objects import Objects
from stretto.codecs.makers import Row
from stretto.flows import query
from stretto.flows.batch import BatchResult, batch
from stretto.flows.shared import Shared
from stretto.model.query import Scalar
from stretto.model.statements import Query

T = TypeVar("T")


class Verbs(Objects):
    """What can be asked of a Database, and of one Connection, alike.

    ``args`` are the values of ``$1``, ``$2`` ... ; ``timeout`` is in seconds, for the whole call. ``exclusive``: on
    a connection that nobody else uses meanwhile, as for what is known to take long (a Connection and a transaction have
    theirs for themselves anyway). Every verb raises the server's error by its SQLSTATE (``stretto.sqlstate``),
    ``EncodeError`` and ``UsageError`` before anything was sent, ``StatementTimeout`` and ``ConnectionLost`` with what
    became of the statement.
    """

    __slots__ = ()
    _shared: Shared

    def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        raise NotImplementedError

    @overload
    def fetch(
        self, query: Query[T], /, *, into: None = None, timeout: float | None = None, exclusive: bool = False
    ) -> list[T]: ...
    @overload
    def fetch(
        self, query: Query[Any], /, *, into: type[T], timeout: float | None = None, exclusive: bool = False
    ) -> list[T]: ...
    @overload
    def fetch(
        self, sql: str, /, *args: Any, into: None = None, timeout: float | None = None, exclusive: bool = False
    ) -> list[Row]: ...
    @overload
    def fetch(
        self, sql: str, /, *args: Any, into: type[T], timeout: float | None = None, exclusive: bool = False
    ) -> list[T]: ...
    def fetch(
        self, sql: Any, /, *args: Any, into: Any = None, timeout: float | None = None, exclusive: bool = False
    ) -> list[Any]:
        """Run a statement and return its rows. One round trip; two when its SQL is new to the connection.

        Args:
            sql: one statement, with ``$1``, ``$2`` ... for its parameters; or a query, as ``select(Author)``, which has
                its values in it.
            args: the parameters, each a value of the type that PostgreSQL says.
            into: the class whose objects rows become; of one column also its type, as ``int``.
            timeout: seconds for the whole call, waiting for a connection included.
            exclusive: on a connection that nobody else uses meanwhile.

        Returns:
            Objects of ``into``; without it those of the query's Model, or `Row` objects.

        Raises:
            DatabaseError: the server refused (a class of ``stretto.sqlstate``, by the ErrorResponse's SQLSTATE).
            UsageError, EncodeError: not the right number of arguments, a value that does not fit; nothing was sent.
            DecodeError: a row that does not fit ``into``.
            StatementTimeout, ConnectionLost: with what became of the statement, as ``outcome``.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(query.fetch(self._shared, sql, args, into), timeout, exclusive, since)  # type: ignore[no-any-return]  # flows are untyped at their ends

    @overload
    def fetchrow(
        self, query: Query[T], /, *, into: None = None, timeout: float | None = None, exclusive: bool = False
    ) -> T | None: ...
    @overload
    def fetchrow(
        self, query: Query[Any], /, *, into: type[T], timeout: float | None = None, exclusive: bool = False
    ) -> T | None: ...
    @overload
    def fetchrow(
        self, sql: str, /, *args: Any, into: None = None, timeout: float | None = None, exclusive: bool = False
    ) -> Row | None: ...
    @overload
    def fetchrow(
        self, sql: str, /, *args: Any, into: type[T], timeout: float | None = None, exclusive: bool = False
    ) -> T | None: ...
    def fetchrow(
        self, sql: Any, /, *args: Any, into: Any = None, timeout: float | None = None, exclusive: bool = False
    ) -> Any:
        """Run a statement and return its first row, or None when there is none.

        Arguments (``sql``, ``args``, ``into``), round trips and errors are those of `fetch`. The server makes all
        rows: say ``limit 1`` where there may be many.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(query.fetchrow(self._shared, sql, args, into), timeout, exclusive, since)

    @overload
    def fetchval(self, query: Scalar[T], /, *, timeout: float | None = None, exclusive: bool = False) -> T: ...
    @overload
    def fetchval(
        self,
        sql: str | Query[Any],
        /,
        *args: Any,
        column: int = 0,
        timeout: float | None = None,
        exclusive: bool = False,
    ) -> Any: ...
    def fetchval(
        self, sql: Any, /, *args: Any, column: int = 0, timeout: float | None = None, exclusive: bool = False
    ) -> Any:
        """Run a statement and return one value of its first row, or None when there is no row.

        Args:
            sql: as of `fetch`; a `Scalar`, as ``select(Book).count()``, too.
            args: the parameters.
            column: which column of the row, counted from 0.
            timeout: as of `fetch`.
            exclusive: as of `fetch`.

        Raises:
            UsageError: the row has no such column. All others are those of `fetch`.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(query.fetchval(self._shared, sql, args, column), timeout, exclusive, since)

    def execute(
        self, sql: str | Query[Any], /, *args: Any, timeout: float | None = None, exclusive: bool = False
    ) -> str:
        """Run a statement for its effect. One round trip.

        Args:
            sql: one statement or query. Without ``args`` there may be several, separated by semicolons: they are one
                implicit transaction.
            args: the parameters.
            timeout: as of `fetch`.
            exclusive: as of `fetch`.

        Returns:
            The server's command tag (CommandComplete), as ``'INSERT 0 1'``; of several statements the last one's.

        Raises:
            Error: as `fetch`.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(query.execute(self._shared, sql, args), timeout, exclusive, since)  # type: ignore[no-any-return]  # flows are untyped at their ends

    def executemany(
        self, sql: str, rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None, exclusive: bool = False
    ) -> None:
        """Run a statement many times, all or nothing. One round trip; two when its SQL is new to the connection.

        Args:
            sql: one statement with parameters.
            rows: the parameters of each time.
            timeout: as of `fetch`.
            exclusive: as of `fetch`.

        Raises:
            Error: as `fetch`; none of them has taken effect then. EncodeError says which row it was.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        self._run(query.executemany(self._shared, sql, rows), timeout, exclusive, since)

    @overload
    def fetchmany(
        self,
        sql: str,
        rows: Iterable[Sequence[Any]],
        /,
        *,
        into: None = None,
        timeout: float | None = None,
        exclusive: bool = False,
    ) -> list[Row]: ...
    @overload
    def fetchmany(
        self,
        sql: str,
        rows: Iterable[Sequence[Any]],
        /,
        *,
        into: type[T],
        timeout: float | None = None,
        exclusive: bool = False,
    ) -> list[T]: ...
    def fetchmany(
        self,
        sql: str,
        rows: Iterable[Sequence[Any]],
        /,
        *,
        into: Any = None,
        timeout: float | None = None,
        exclusive: bool = False,
    ) -> list[Any]:
        """As `executemany` (``sql``, ``rows``), and return the rows of all times as one list, made ``into`` objects."""
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(query.fetchmany(self._shared, sql, rows, into), timeout, exclusive, since)  # type: ignore[no-any-return]  # flows are untyped at their ends

    def batch(self, *, timeout: float | None = None, exclusive: bool = False) -> Batch:
        """Collect several statements to be sent under one Sync: one fate, one round trip (see `Batch`).

        ``timeout`` and ``exclusive`` are those of `fetch`, for all of them together.
        """
        return Batch(self, timeout, exclusive)


class Batch:
    """Statements with one fate: all are kept, or none.

    ``add`` collects, leaving the ``with`` block sends; then ``results`` has a ``BatchResult`` (``rows`` and ``tag``)
    for each, in order. Leaving by an exception sends nothing.
    """

    def __init__(self, verbs: Verbs, timeout: float | None, exclusive: bool = False) -> None:
        self._verbs = verbs
        self._timeout = timeout
        self._exclusive = exclusive
        self._items: list[tuple[Any, tuple[Any, ...], Any]] = []
        self.results: list[BatchResult] = []

    def add(self, sql: str | Query[Any], /, *args: Any, into: Any = None) -> None:
        """Add a statement or query (``sql``) with its parameters (``args``); its rows come as objects of ``into``."""
        self._items.append((sql, args, into))

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is None:
            verbs, timeout = self._verbs, self._timeout
            since = verbs._turn(timeout) if verbs._crowd.shut else 0.0
            self.results = verbs._run(batch(verbs._shared, self._items), timeout, self._exclusive, since)
