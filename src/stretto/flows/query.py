"""Queries: prepare, fetch, execute, executemany, batch, as flows that yield Requests.

A Request is sent back to the flow when it is done or ready (``Request.ready``); a lost connection is thrown in. Each
public flow states its round trips: "cold" is the first time a Database sees the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

from stretto.codecs import catalog
from stretto.codecs.base import Codec, UnknownTypes
from stretto.errors import DatabaseError, DecodeError, EncodeError
from stretto.flows.placeholders import hinted
from stretto.flows.shared import Shared
from stretto.flows.simple import simple
from stretto.flows.single import first_value, value_at
from stretto.flows.stale import UNREADABLE, is_misfit, is_stale, own_types
from stretto.flows.warm import Fetch
from stretto.model.grown import Going, Growing, told
from stretto.model.loading import located
from stretto.model.plan import plan_for
from stretto.model.statements import unpack
from stretto.protocol.request import Request
from stretto.protocol.rows import LargeReply, decode_rows
from stretto.protocol.statement import Statement, check_count, close_request, describe_request, mark, rows_of
from stretto.sqlstate import error_from_fields
from stretto.wire import backend

Flow = Generator[Request, Any, Any]


def server_error(request: Request, sql: str | None) -> DatabaseError:
    """Make the error that the server answered a request with."""
    return hinted(error_from_fields(backend.fields(request.error or b""), sql))


def check(request: Request, sql: str | None) -> None:
    """Raise what became of a request that is done: the server's error, or why it was not let through."""
    if request.failure is not None:
        raise request.failure
    if request.error is not None:
        raise server_error(request, sql)


def prepare(shared: Shared, sql: str) -> Generator[Request, Any, Statement]:
    """Describe a statement, from the cache or (cold) in one round trip, one more for each level of unknown types."""
    statement = shared.statements.get(sql)
    if statement is not None:
        return statement
    statement = yield from describe(shared, sql)
    known = shared.statements.get(sql)
    if known is not None and known.equals(statement):
        return known  # others have asked at the same time: one is prepared for all
    shared.statements.put(statement)
    return statement


def describe(shared: Shared, sql: str) -> Generator[Request, Any, Statement]:
    """Describe a statement as it is on the connection that is asked. Round trips as prepare, cold."""
    statement, request = describe_request(sql, shared.statements.generation)
    yield request
    if request.error is not None and chr(request.status) == "I" and is_stale(server_error(request, sql)):
        yield from forget(statement)  # this connection has it from before a type in it was dropped
        statement, request = describe_request(sql, shared.statements.generation)
        yield request
    check(request, sql)
    oids = backend.parameter_description(request.parameters or b"\0\0")
    yield from _fill_in(shared, statement, oids, request.columns)
    return statement


def _fill_in(shared: Shared, statement: Statement, oids: tuple[int, ...], body: bytes | None) -> Flow:
    columns = backend.columns_of(body)
    results = [column.type_oid for column in columns]
    yield from resolve(shared, {*oids, *results})
    statement.describe(oids, _codecs(shared, oids), columns, _codecs(shared, results))


def as_here(shared: Shared, request: Request, statement: Statement) -> Generator[Request, Any, Statement]:
    """The statement as the request's connection has it, where its columns are others there: the reply is read by those.

    No round trip but for types that are not known. Raises DecodeError for a reply in formats that cannot be read.
    """
    described = request.described
    if described is None or statement.name not in described:
        return statement
    while not request.done and request.script.endswith(b"Y"):  # not a stream, which ends when its caller wants
        request.partial = False
        yield request
    if request.error is not None or not isinstance(request.failure, DecodeError | None):
        return statement
    request.failure = None
    own = Statement(statement.sql, statement.name, statement.parse)
    yield from _fill_in(shared, own, statement.oids, described[statement.name])
    if not statement.reads(own.codecs):
        shared.statements.discard(statement)
        raise DecodeError(UNREADABLE)
    return own


def _codecs(shared: Shared, oids: Iterable[int]) -> list[Codec]:
    found = []
    for oid in oids:
        codec = shared.codecs.get(oid)
        if codec is None:
            raise DecodeError(f"the type with OID {oid} is in a statement, but not in the server's catalogue")
        found.append(codec)
    return found


def resolve(shared: Shared, oids: Iterable[int], again: bool = False) -> Generator[Request, Any, None]:
    """Ask the catalogue about the types that are not known yet (``again``: about all), level by level, in bulk."""
    if shared.codecs.unchecked:
        yield from _check_names(shared)
    missing = set(oids) if again else shared.codecs.missing(oids)
    version = shared.codecs.version
    asked: set[int] = set()
    while missing - asked:
        asked |= missing
        rows: list[Any] = []
        yield from perform(shared, catalog.QUERY, (sorted(missing),), tuple, rows)
        missing = shared.codecs.define(rows)
    if version != shared.codecs.version:
        shared.statements.clear()  # they hold codecs that may have become others


def _check_names(shared: Shared) -> Generator[Request, Any, None]:
    names, shared.codecs.unchecked = shared.codecs.unchecked, set()
    rows: list[Any] = []
    yield from perform(shared, catalog.NAMES, ([name for _, name in names],), tuple, rows)
    shared.codecs.check_names(names, rows)


def _shape(statement: Statement) -> tuple[tuple[str, Codec], ...]:
    return tuple((column.name, codec) for column, codec in zip(statement.columns, statement.codecs, strict=True))


def maker_for(statement: Statement, into: Any) -> Any:
    """The Maker of a statement's rows for a target, made once."""
    try:
        return statement.makers[into]
    except KeyError:
        if type(into) is Growing:
            return into.maker(statement.codecs, statement.makers)
        maker = located(plan_for(into, _shape(statement)), into, statement.sql, statement.codecs)
        return statement.makers.setdefault(into, maker)
    except TypeError:
        return plan_for(into, _shape(statement))  # not hashable: told there


def perform(
    shared: Shared,
    sql: str,
    args: Any,
    into: Any,
    rows: list[Any] | None,
    many: bool = False,
    begun: tuple[Statement, Request] | None = None,
) -> Generator[Request, Any, Request]:
    """Execute a statement and append its rows to ``rows`` (None: throw them away); return the request, which is done.

    One round trip; two when cold. A stale statement outside a transaction is prepared anew and tried once more.
    ``begun``: a request that was yielded once already, its rows wanted.
    """
    healed = False
    while True:
        if begun is not None:
            statement, request = begun
            begun = None
        else:
            found = shared.statements.get(sql)
            statement = found if found is not None else (yield from prepare(shared, sql))
            if rows is not None:
                statement = yield from fitting(shared, statement, into)
            try:
                request = statement.bind_many(args) if many else statement.bind(args)
            except EncodeError:  # nothing was sent; the column may have become another type since
                if healed or found is None or not (yield from _other_parameters(shared, statement)):
                    raise
                healed = True
                continue
            request.abandoned = rows is None
            request.partial = rows is not None
            yield request
        if request.described is not None and rows is not None:
            statement = yield from as_here(shared, request, statement)
        if not request.done and rows is not None:
            yield from _decode_large(shared, request, statement, into, rows)
        if request.error is None and request.failure is None:
            break
        yield from heal(shared, request, statement, healed)
        healed = True
        if rows is not None:
            rows.clear()
    if request.slices and rows is not None:
        yield from decode_rest(shared, request, statement, into, rows)
    return request


def fitting(shared: Shared, statement: Statement, into: Any) -> Generator[Request, Any, Statement]:
    """The statement, described anew where a class does not fit: it has other columns on this connection, or it is told.

    Raises DecodeError, before the statement is sent.
    """
    try:
        maker_for(statement, into)
    except DecodeError:
        fresh = yield from describe(shared, statement.sql)
        if fresh.has_columns(statement.columns):
            raise
        maker_for(fresh, into)
        shared.statements.put(fresh)
        return fresh
    return statement


def _decode_large(
    shared: Shared, request: Request, statement: Statement, into: Any, rows: list[Any]
) -> Generator[Request, Any, None]:
    """Decode a large reply while the rest of it is on the way."""
    with LargeReply():
        while not request.done:
            yield from decode_rest(shared, request, statement, into, rows)
            yield request
        if request.error is None and request.failure is None:
            yield from decode_rest(shared, request, statement, into, rows)


def decode_rest(
    shared: Shared, request: Request, statement: Statement, into: Any, rows: list[Any]
) -> Generator[Request, Any, None]:
    """Decode what is there."""
    yield from decode(shared, request, request.take(), statement, into, rows)


def decode(
    shared: Shared, request: Request, slices: list[Any], statement: Statement, into: Any, rows: list[Any]
) -> Generator[Request, Any, None]:
    """Decode slices. Records may name types that nobody asked about yet, and composites may have changed."""
    before = len(rows)
    asked: set[int] = set()
    while True:
        try:
            decode_rows(slices, statement.codecs, maker_for(statement, into), rows)
        except UnknownTypes as unknown:
            if asked.issuperset(unknown.oids):
                raise DecodeError(f"a value has types that the catalogue does not know: OIDs {unknown.oids}") from None
            asked.update(unknown.oids)
        else:
            return
        del rows[before:]
        while not request.done:
            request.partial = False
            yield request
        if request.results is None:
            slices += request.take()
        yield from resolve(shared, asked, again=True)
        statement.describe(
            statement.oids,
            _codecs(shared, statement.oids),
            statement.columns,
            _codecs(shared, [column.type_oid for column in statement.columns]),
        )


def heal(
    shared: Shared, request: Request, statement: Statement, healed: bool, beside: Iterable[Statement] = ()
) -> Generator[Request, Any, None]:
    """Return where a stale statement may be tried again: outside a transaction, once; else raise.

    ``beside``: those of its batch, which may be stale as well.
    """
    if request.failure is not None:
        raise request.failure
    error = server_error(request, statement.sql)
    concerned = {statement, *beside}
    if not is_stale(error) and not is_misfit(request, error, concerned):
        raise error
    yield from renew(shared, concerned)
    if healed or chr(request.status) != "I":
        raise error


def renew(shared: Shared, statements: Iterable[Statement]) -> Generator[Request, Any, bool]:
    """Forget statements, and ask again about the types of the database's own in them.

    False in a failed transaction, where nothing can be asked.
    """
    types: set[int] = set()
    status = 0
    for statement in statements:
        shared.statements.discard(statement)
        status = yield from forget(statement)
        types |= own_types([*statement.parameters, *statement.codecs])
    if chr(status) == "E":
        return False
    if types:
        yield from resolve(shared, types, again=True)
    return True


def _other_parameters(shared: Shared, statement: Statement) -> Generator[Request, Any, bool]:
    """Describe a statement anew; tell whether its parameters have other codecs than before."""
    if not (yield from renew(shared, [statement])):
        return False
    fresh = yield from describe(shared, statement.sql)
    shared.statements.put(fresh)
    return fresh.parameters != statement.parameters


def forget(statement: Statement) -> Generator[Request, Any, int]:
    """Close a statement on this connection, so that it is parsed anew; return the transaction's status."""
    request = close_request(statement)
    yield request
    return request.status


def fetch(
    shared: Shared,
    sql: Any,
    args: tuple[Any, ...],
    into: Any = None,
    finish: Callable[[list[Any]], Any] | None = None,
) -> Flow:
    """Return the rows of SQL or a query as a list of ``into``, or what ``finish`` makes of it. Trips as perform."""
    if not isinstance(sql, str):
        sql, args, into = unpack(sql, args, into, shared.lookup, trips=True)
        if type(into) is Going:
            from stretto.flows.graph import go  # which builds on this module

            return go(shared, into, finish)
    return Fetch(shared, sql, args, into, finish, maker_for, unusual)  # type: ignore[return-value]  # it does what a generator does


def unusual(
    shared: Shared,
    sql: str,
    args: tuple[Any, ...],
    into: Any,
    finish: Callable[[list[Any]], Any] | None,
    begun: tuple[Statement, Request] | None,
) -> Flow:
    """A fetch that is more than a known statement with a plain answer; ``begun``: a request that has its answer."""
    rows: list[Any] = []
    if begun is not None and begun[1].done and begun[1].error is None and begun[1].failure is None:
        yield from decode_rest(shared, begun[1], begun[0], into, rows)
    else:
        check_count(args)
        with told(into):
            yield from perform(shared, sql, args, into, rows, begun=begun)
    return rows if finish is None else finish(rows)


def fetchrow(shared: Shared, sql: Any, args: tuple[Any, ...], into: Any = None) -> Flow:
    """Return the first row or None. Round trips as perform."""
    return fetch(shared, sql, args, into, _first)


def _first(rows: list[Any]) -> Any:
    return rows[0] if rows else None


def fetchval(shared: Shared, sql: Any, args: tuple[Any, ...], column: int = 0) -> Flow:
    """Return one value of the first row, or None without one. Round trips as perform."""
    return fetch(shared, sql, args, tuple, first_value if column == 0 else value_at(column))


def execute(shared: Shared, sql: Any, args: tuple[Any, ...]) -> Flow:
    """Return the command tag. Without arguments: the simple protocol, so several statements may be given; one trip."""
    if not isinstance(sql, str):
        sql, args, _ = unpack(sql, args, None, shared.codecs.get, rows=False)
        request = yield from perform(shared, sql, args, None, None)
    elif args:
        check_count(args)
        request = yield from perform(shared, sql, args, None, None)
    else:
        request = simple(sql)
        mark(request, shared.traits(sql))
        yield request
        check(request, sql)
    return backend.command_tag(request.tag) if request.tag is not None else ""


def executemany(shared: Shared, sql: str, rows: Iterable[Sequence[Any]]) -> Flow:
    """Execute for each row under one Sync: all or nothing, outside a transaction too. Round trips as perform."""
    return _many(shared, sql, rows_of(rows), None, None)  # now: who makes the rows may ask the same connection


def fetchmany(shared: Shared, sql: str, rows: Iterable[Sequence[Any]], into: Any = None) -> Flow:
    """As executemany, and return the rows of all executions as one list."""
    return _many(shared, sql, rows_of(rows), into, [])


def _many(shared: Shared, sql: str, arguments: list[Any], into: Any, found: list[Any] | None) -> Flow:
    if arguments:
        yield from perform(shared, sql, arguments, into, found, True)
    return found
