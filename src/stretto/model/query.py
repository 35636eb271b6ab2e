"""select(), update() and delete(): queries over Models, which the verbs take in the place of SQL.

Each method returns a new query, so a query can be kept and built upon.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, TypeVar, cast, overload

from stretto.codecs.makers import Row
from stretto.errors import UsageError
from stretto.model.branches import Root, branches_of, expressions
from stretto.model.compile import Writer
from stretto.model.expressions import Condition, Expression, Order, Ref
from stretto.model.fields import Field
from stretto.model.graph import tree
from stretto.model.grown import Graph, Trips, stitched
from stretto.model.keys import KEYS, Key, Values, key_of, keys_of
from stretto.model.loading import Whole
from stretto.model.paths import Path
from stretto.model.plan import Typed
from stretto.model.repeats import can_repeat, steady
from stretto.model.statements import Query
from stretto.model.table import Table, table_of

T = TypeVar("T")
Strategy = Literal["statement", "trip"]

_FEW = 50  # objects whose relations come faster by one statement
_new = object.__new__


def shown(given: Any) -> str:
    """What was given by mistake, for an error: no value, which may be secret."""
    told = given is None or isinstance(given, Expression | Query | bool | type)
    return f"{given!r:.200}" if told else f"a value of type {type(given).__qualname__}"


def check_conditions(verb: str, conditions: tuple[Any, ...]) -> None:
    """Refuse what is no condition."""
    for one in conditions:
        if type(one) is not Condition and (not isinstance(one, Expression) or isinstance(one, Order)):
            raise UsageError(
                f"{verb}() takes conditions, as Author.name == 'x' or any_of(Author.id, ids), not {shown(one)}"
                + (": two plain values were compared" if isinstance(one, bool) else "")
            )


def _number(verb: str, n: Any) -> None:
    if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 0):
        raise UsageError(f"{verb}() takes a number of rows, not {n if type(n) is int else shown(n)}")


# Select ---------------------------------------------------------------------------------------------------------------


class Rest:
    """What few selects have. Its ``key`` begins as ``Writer.select`` takes it apart."""

    __slots__ = ("columns", "distinct", "groups", "having", "includes", "lock", "only", "strategy")

    def __init__(self) -> None:
        self.columns: tuple[tuple[str | None, Any], ...] | None = None
        self.only: tuple[str, ...] | None = None
        self.distinct: tuple[Any, ...] | None = None
        self.lock: tuple[str, str] | None = None
        self.groups: tuple[Any, ...] = ()
        self.having: tuple[Any, ...] = ()
        self.includes: tuple[Any, ...] = ()
        self.strategy: Strategy | None = None

    def but(self, **changes: Any) -> Rest:
        """A copy with changes."""
        copy = Rest()
        for name in Rest.__slots__:
            setattr(copy, name, changes[name] if name in changes else getattr(self, name))
        return copy

    def key(self, values: Values, strategy: str | None) -> Key:
        """Its part of the key; ``strategy``: where none was chosen."""
        columns = self.columns
        return (
            None if columns is None else tuple([(name, key_of(one, values)) for name, one in columns]),
            self.only,
            None if self.distinct is None else keys_of(self.distinct, values),
            self.lock,
            keys_of(self.groups, values),
            keys_of(self.having, values),
            branches_of(self.includes, values),
            self.strategy or strategy,
        )


_REST = Rest()


class Select(Query[T]):
    """Objects of a Model, or rows of columns: ``select(Author).where(Author.name == "x").limit(10)``."""

    __slots__ = ("_conditions", "_limit", "_offset", "_orders", "_rest", "_table")

    _table: Table
    _conditions: tuple[Any, ...]
    _orders: tuple[Any, ...]
    _limit: int | None
    _offset: int | None
    _rest: Rest

    def _copy(self) -> Select[T]:
        copy: Select[T] = _new(Select)
        copy._table = self._table
        copy._conditions = self._conditions
        copy._orders = self._orders
        copy._limit = self._limit
        copy._offset = self._offset
        copy._rest = self._rest
        return copy

    def _but(self, **changes: Any) -> Select[T]:
        copy = self._copy()
        copy._rest = self._rest.but(**changes)
        return copy

    @property
    def includes(self) -> tuple[Any, ...]:
        """The relations that come with the objects, as ``include()`` was given them."""
        return self._rest.includes

    @property
    def strategy(self) -> Strategy | None:
        """How they come; None: as is fastest."""
        return self._rest.strategy

    def where(self, *conditions: bool) -> Select[T]:
        """Only those of which all ``conditions`` are true; several calls: of all of them."""
        check_conditions("where", conditions)
        copy = self._copy()
        copy._conditions = self._conditions + conditions
        return copy

    def order_by(self, *orders: object) -> Select[T]:
        """In this order: expressions, ``asc()``, ``desc()``; further calls add to it."""
        check_expressions("order_by", orders)
        copy = self._copy()
        copy._orders = self._orders + orders
        return copy

    def limit(self, n: int | None) -> Select[T]:
        """Not more than ``n``; None: all."""
        _number("limit", n)
        copy = self._copy()
        copy._limit = n
        return copy

    def offset(self, n: int | None) -> Select[T]:
        """Without the first ``n``."""
        _number("offset", n)
        copy = self._copy()
        copy._offset = n
        return copy

    def include(self, *relations: object, strategy: Strategy | None = None) -> Select[T]:
        """With these relations (``Author.books``, ``related(...)``) of the objects; further calls add to them.

        ``strategy``: "statement" (all in one statement) or "trip" (a statement a relation, in one round trip).
        """
        if strategy not in (None, "statement", "trip"):
            raise UsageError(f'strategy={strategy!r}: "statement" or "trip"')
        if self._rest is not _REST or not all(type(one) is Path for one in relations):
            includes = tree(self._table.model, self._rest.includes + relations)
            return self._but(includes=includes, strategy=strategy or self._rest.strategy)
        copy = self._copy()
        copy._rest = self._with(relations, strategy)
        return copy

    def _with(self, relations: tuple[Any, ...], strategy: Strategy | None) -> Rest:
        """What a select has that only includes plain relations: one for all that include the same."""
        kept: dict[Any, Rest] = self._table.caches.setdefault("include", {})
        key = (strategy, *[one._ref for one in relations])
        rest = kept.get(key)
        if rest is None:
            rest = kept[key] = _REST.but(includes=tree(self._table.model, relations), strategy=strategy)
        return rest

    def distinct(self, *fields: object) -> Select[T]:
        """No two rows that are the same; with ``fields``, the first of those that are the same in these."""
        check_expressions("distinct", fields)
        return self._but(distinct=fields)

    def only(self, *fields: object) -> Select[T]:
        """Only these columns, the primary key and the version; reading another one of an object raises NotLoaded."""
        if self._rest.columns is not None:
            raise UsageError("only() is for objects of a Model: this select gives the columns that it names")
        table = self._table
        wanted = {_own_field("only", table, one) for one in fields}
        kept = [name for name, one in table.fields.items() if name in wanted or one.primary_key or one.version]
        return self._but(only=tuple(kept))

    def for_update(self, *, skip_locked: bool = False, nowait: bool = False, key: bool = True) -> Select[T]:
        """Lock the rows against changes until the transaction ends. ``key=False``: FOR NO KEY UPDATE.

        ``skip_locked``: leave out those that are locked; ``nowait``: raise LockNotAvailable instead of waiting.
        """
        return self._but(lock=("for update" if key else "for no key update", _wait(skip_locked, nowait)))

    def for_share(self, *, skip_locked: bool = False, nowait: bool = False, key: bool = False) -> Select[T]:
        """Lock the rows against changes by others, not against being locked as this does. ``key``: FOR KEY SHARE."""
        return self._but(lock=("for key share" if key else "for share", _wait(skip_locked, nowait)))

    def columns(self, /, *columns: object, **named: object) -> Select[Row]:
        """Rows of these columns instead of objects; what has a keyword has it as its name."""
        if not columns and not named:
            raise UsageError("columns() needs one")
        check_expressions("columns", (*columns, *named.values()))
        return cast("Select[Row]", self._but(columns=named_columns(columns, named), only=None))

    def group_by(self, *expressions: object) -> Select[T]:
        """One row for those that are the same in these, for columns that are aggregates or among these."""
        check_expressions("group_by", expressions)
        return self._but(groups=self._rest.groups + expressions)

    def having(self, *conditions: bool) -> Select[T]:
        """Only those groups of which all ``conditions`` are true."""
        check_conditions("having", conditions)
        return self._but(having=self._rest.having + conditions)

    def count(self) -> Scalar[int]:
        """How many there are: ``await db.fetchval(select(Author).count())``."""
        return Scalar("count", self)

    def exists(self) -> Scalar[bool]:
        """Whether there is any."""
        return Scalar("exists", self)

    def _key(self, values: Values) -> Key:
        limit, offset, rest = self._limit, self._offset, self._rest
        return (
            "select",
            self._table,
            keys_of(self._conditions, values),
            keys_of(self._orders, values),
            None if limit is None else key_of(limit, values),
            None if offset is None else key_of(offset, values),
            None if rest is _REST else rest.key(values, _strategy(self) if rest.includes else None),
        )

    def _compile(self, key: Key, writer: Writer) -> tuple[str, Any]:
        rest = self._rest
        if rest.columns is not None:
            if rest.includes:
                raise UsageError(f"{self!r}: rows of columns have no relations: leave include() or columns() out")
            return writer.select(key), typed(rest.columns)
        if not rest.includes:
            sql = writer.select(key)
            return sql, Whole(self._table, rest.only or tuple(self._table.fields), f"{self!r} [{sql}]")
        if rest.only is not None:
            key = _with_keys(key, rest)
        branches, names = key[-1][6], key[-1][1] or tuple(self._table.fields)
        if key[-1][7] == "statement" or (key[-1][7] == "either" and not can_repeat(key)):
            sql = writer.select(key, None, lambda writer, scope: expressions(writer, scope, branches))
            return sql, Graph(self._table, names, branches, repr(self))
        trips = Trips()
        key = steady(key)
        sql = writer.select(key)
        trips.add(sql, writer, Whole(self._table, names, repr(self), stitched(branches)))
        trips.follow(branches, Root(key), 0, repr(self))
        return sql, trips

    def __repr__(self) -> str:
        rest = self._rest
        text = f"select({self._table.model.__qualname__})"
        if rest.columns is not None:
            text += f".columns({listed([one for _, one in rest.columns])})"
        for verb, several in (
            ("where", self._conditions),
            ("include", rest.includes),
            ("group_by", rest.groups),
            ("having", rest.having),
            ("order_by", self._orders),
        ):
            text += f".{verb}({listed(several)})" if several else ""
        text += ".limit(?)" if self._limit is not None else ""
        text += ".offset(?)" if self._offset is not None else ""
        text += f".distinct({listed(rest.distinct)})" if rest.distinct is not None else ""
        text += f".only({', '.join(rest.only)})" if rest.only is not None else ""
        return text + (f".{rest.lock[0].replace(' ', '_')}()" if rest.lock is not None else "")


def _strategy(query: Select[Any]) -> str:
    """Which is faster: one statement for few objects, a trip for many ("either": where it can repeat the select)."""
    few = query._limit is not None and query._limit <= _FEW
    return "statement" if few or query._rest.lock is not None or _by_key(query) else "either"


def _by_key(query: Select[Any]) -> bool:
    """Whether it is one object that is asked for, by its primary key."""
    asked = {
        one.operands[0]
        for one in query._conditions
        if type(one) is Condition and one.operator == "=" and type(one.operands[0]) is Field
    }
    return asked.issuperset(query._table.primary_key) and bool(asked)


def _with_keys(key: Key, rest: Rest) -> Key:
    """The key of a select with only(), and with the columns by which its relations are found."""
    table, others = key[1], key[-1]
    wanted = {*others[1], *[field.name for branch in others[6] for field in branch.join.local]}
    only = tuple([name for name in table.fields if name in wanted])
    return (*key[:-1], (others[0], only, *others[2:]))


class Scalar(Query[T]):
    """One value about a select, for ``fetchval``, or as a part of another query."""

    __slots__ = ("_kind", "_select")

    def __init__(self, kind: Literal["count", "exists"], select: Select[Any]) -> None:
        self._kind = kind
        self._select = select

    def _key(self, values: Values) -> Key:
        inner = self._select._key(values)
        return ("count", inner) if self._kind == "count" else ("exists", inner, ())

    def _compile(self, key: Key, writer: Writer) -> tuple[str, Any]:
        if self._kind == "count":
            return writer.count(key[1]), object
        return f"select {writer.exists(key[1])}", object

    def __repr__(self) -> str:
        return f"{self._select!r}.{self._kind}()"


def _nested(query: Any, values: Values) -> Key:
    return query._key(values)


KEYS[Select] = KEYS[Scalar] = _nested


@overload
def select(model: type[T], /) -> Select[T]: ...  # type: ignore[overload-overlap]  # no column is a class
@overload
def select(*columns: object, **named: object) -> Select[Row]: ...
def select(*columns: Any, **named: Any) -> Any:
    """Begin a select: of the objects of a Model, or of columns as rows (``select(Author.name, books=count())``).

    Raises ModelError for what is neither, and UsageError where no column says which Model it is.
    """
    if len(columns) == 1 and not named:
        (only,) = columns
        if isinstance(only, type):  # a Model, or what is none
            return _whole(only)
        if not isinstance(only, Expression):
            return _begin(table_of(only))
    for one in (*columns, *named.values()):
        ref = _first_ref(key_of(one, []))
        if ref is not None:
            return _begin(table_of(ref.model)).columns(*columns, **named)
    raise UsageError("no column says of which Model: use select(Author).columns(...)")


@lru_cache(maxsize=1024)
def _whole(model: Any) -> Select[Any]:
    """The select of all objects, one for all who begin with it."""
    return _begin(table_of(model))


def _begin(table: Table) -> Select[Any]:
    query: Select[Any] = _new(Select)
    query._table = table
    query._conditions = query._orders = ()
    query._limit = query._offset = None
    query._rest = _REST
    return query


def _first_ref(key: Key) -> Ref | None:
    if type(key) is Ref:
        return key
    if isinstance(key, tuple) and key and key[0] != "select":
        return next((found for one in key if (found := _first_ref(one)) is not None), None)
    return None


def check_expressions(verb: str, given: tuple[Any, ...]) -> None:
    """Refuse what is no expression."""
    for one in given:
        if not isinstance(one, Expression | Query):
            raise UsageError(
                f"{verb}() takes fields and other expressions, as Author.name or raw(...), not {shown(one)}"
            )


def _own_field(verb: str, table: Table, field: Any) -> str:
    name = getattr(field, "name", None) if isinstance(field, Expression) and not isinstance(field, Path) else None
    if name is None or table.fields.get(name) is not field:
        raise UsageError(f"{verb}() takes fields of {table.model.__qualname__}, not {shown(field)}")
    return str(name)


def _wait(skip_locked: bool, nowait: bool) -> str:
    if skip_locked and nowait:
        raise UsageError("skip_locked= and nowait= exclude each other")
    return " skip locked" if skip_locked else " nowait" if nowait else ""


def named_columns(columns: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[str | None, Any], ...]:
    """Columns with their names: fields have their own."""
    fields = [(_field_of(one), one) for one in columns]
    return (*[(None if field is None else field.name, one) for field, one in fields], *named.items())


def typed(columns: tuple[tuple[str | None, Any], ...]) -> Typed | None:
    """What rows of these columns become: those that are fields have the types of these."""
    fields = tuple([_field_of(one) for _, one in columns])
    return Typed(fields) if any(field is not None for field in fields) else None


def _field_of(column: Any) -> Field | None:
    ref = getattr(column, "ref", None) if not isinstance(column, Path) else None
    return ref.field if isinstance(ref, Ref) else None


def listed(several: Any) -> str:
    """Expressions as they were written, without values."""
    return ", ".join(map(repr, several))
