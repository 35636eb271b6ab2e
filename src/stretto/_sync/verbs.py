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
        """Run a statement and return its rows: Rows, or objects of the class ``into``. One round trip; cold, two.

        A query (``select(Author)``) in the place of SQL has its values in it, and gives objects of its Model.
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
        """Run a statement and return its first row, or None when there is none. Round trips as fetch."""
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
        """Run a statement and return one value of its first row, or None when there is none. Round trips as fetch."""
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(query.fetchval(self._shared, sql, args, column), timeout, exclusive, since)

    def execute(
        self, sql: str | Query[Any], /, *args: Any, timeout: float | None = None, exclusive: bool = False
    ) -> str:
        """Run a statement or query and return its command tag, as ``'INSERT 0 1'``.

        Without ``args`` several statements may be given, separated by semicolons; they are one implicit transaction,
        and the last one's tag is returned. One round trip.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(query.execute(self._shared, sql, args), timeout, exclusive, since)  # type: ignore[no-any-return]  # flows are untyped at their ends

    def executemany(
        self, sql: str, rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None, exclusive: bool = False
    ) -> None:
        """Run a statement for each of ``rows`` (its arguments), all or nothing. One round trip; cold, two."""
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
        """As executemany, and return the rows of all executions as one list."""
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(query.fetchmany(self._shared, sql, rows, into), timeout, exclusive, since)  # type: ignore[no-any-return]  # flows are untyped at their ends

    def batch(self, *, timeout: float | None = None, exclusive: bool = False) -> Batch:
        """Collect several statements to be sent under one Sync: one fate, one round trip (see Batch)."""
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
        """Add one statement or query; its rows come as ``into``."""
        self._items.append((sql, args, into))

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is None:
            verbs, timeout = self._verbs, self._timeout
            since = verbs._turn(timeout) if verbs._crowd.shut else 0.0
            self.results = verbs._run(batch(verbs._shared, self._items), timeout, self._exclusive, since)
