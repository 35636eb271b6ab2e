"""From a query to its statement: compiled once for each shape; afterwards only the values are collected (``keys``)."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from stretto.codecs.makers import Row
from stretto.errors import UsageError
from stretto.model.compile import Writer
from stretto.model.grown import Going, Graph, Growing, Lookup, Trips
from stretto.model.keys import Key, Values
from stretto.model.plan import Typed

_T = TypeVar("_T")

NO_ROWS: Any = object()  # what the rows of a statement become that gives none
_SHAPES = 4096  # statements that are kept


class Compiled:
    """A statement: its SQL, the places of its values in the order of ``$1`` ..., and what its rows become."""

    def __init__(self, sql: str, order: list[int], into: Any, values: int) -> None:
        self.sql = sql
        self.order = None if order == list(range(values)) else order
        self.into = into


_compiled: dict[Key, Compiled] = {}


class Query(Generic[_T]):
    """What the verbs take in the place of SQL. ``_T`` is what its rows become."""

    __slots__ = ()
    _is_query_ = True

    def _key(self, values: Values) -> Key:
        raise NotImplementedError

    def _compile(self, key: Key, writer: Writer) -> tuple[str, Any]:
        """The SQL, and what its rows become (a target for ``plan_for``)."""
        raise NotImplementedError

    def __bool__(self) -> bool:
        raise UsageError(f"{self!r} is a query and neither true nor false: give it to fetch() or another verb")

    def __str__(self) -> str:
        return statement_of(self)[0]


def statement_of(query: Any) -> tuple[str, tuple[Any, ...], Any]:
    """The SQL of a query, its arguments, and what its rows become. Raises ModelError, and UsageError for no query."""
    values: Values = []
    try:
        key = query._key(values)
    except AttributeError:
        if getattr(query, "_is_query_", False):
            raise
        raise UsageError(
            f"SQL must be a str, not {type(query).__name__}; values go into arguments, as in fetch(sql, value), and a "
            "query, as select(Author), has them in it"
        ) from None
    found = _compiled.get(key)
    if found is None:
        writer = Writer()
        sql, into = query._compile(key, writer)
        found = Compiled(sql, writer.order, into, len(values))
        if len(_compiled) >= _SHAPES:
            _compiled.clear()
        _compiled[key] = found
    if type(found.into) is Trips:
        return found.sql, (), Going(found.into, values)
    if found.order is not None:
        return found.sql, tuple([values[place] for place in found.order]), found.into
    return found.sql, tuple(values), found.into


def unpack(
    query: Any, args: tuple[Any, ...], into: Any, lookup: Lookup, *, rows: bool = True, trips: bool = False
) -> tuple[str, tuple[Any, ...], Any]:
    """What a verb was given in the place of SQL: its SQL and arguments, and what its rows become, by ``into`` first.

    ``lookup``: ``CodecMap.get``. Raises UsageError for arguments beside a query, where ``rows`` are wanted and it gives
    none, for a strategy of several statements (a Going) where there may not be ``trips``, and for another ``into`` than
    the objects that relations are included with.
    """
    if args:
        raise UsageError(f"a query has its values in it, and takes no arguments: {query!r:.200}")
    sql, args, own = statement_of(query)
    if own is NO_ROWS:
        if rows:
            raise UsageError(f"{query!r:.200} gives no rows: add .returning(), or run it by execute()")
        own = None
    elif type(own) is Graph or type(own) is Going:
        if into is not None and into is not query._table.model:
            raise UsageError(
                f"relations are included with objects, not with into={into!r}: leave one out: {query!r:.200}"
            )
        into = None
    if type(own) is Graph:
        own = Growing(own, lookup)
    elif type(own) is Going and not trips:
        if query.strategy is not None:
            raise UsageError('a stream and a batch take one statement: include(..., strategy="statement")')
        return unpack(query.include(strategy="statement"), (), into, lookup)
    elif type(own) is Typed and (into is tuple or into is dict or into is Row):
        into = own.but(into)
    return sql, args, own if into is None else into
