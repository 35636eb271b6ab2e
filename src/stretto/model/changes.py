"""update() and delete(): queries that change the rows of a Model's table."""

from __future__ import annotations

from typing import Any, Generic, Self, TypeVar, overload

from stretto.codecs.makers import Row
from stretto.errors import UsageError
from stretto.model.compile import Writer
from stretto.model.expressions import Expression, Operation, is_always
from stretto.model.keys import Key, Values, key_of, keys_of
from stretto.model.loading import Whole
from stretto.model.query import check_conditions, check_expressions, listed, named_columns, typed
from stretto.model.statements import NO_ROWS, Query
from stretto.model.table import Table, table_of

T = TypeVar("T")
_new = object.__new__


class _Change(Query[T], Generic[T]):
    """What update() and delete() have in common."""

    __slots__ = ("_all", "_conditions", "_returning", "_table")

    _verb = ""
    _table: Table
    _conditions: tuple[Any, ...]
    _all: bool
    _returning: tuple[tuple[str | None, Any], ...] | None

    def _begin(self, table: Table) -> Self:
        self._table = table
        self._conditions = ()
        self._all = False
        self._returning = None
        return self

    def _copy(self) -> Self:
        copy: Self = _new(type(self))
        copy._table = self._table
        copy._conditions = self._conditions
        copy._all = self._all
        copy._returning = self._returning
        return copy

    def where(self, *conditions: bool) -> Self:
        """Only the rows of which all ``conditions`` are true; several calls: of all of them."""
        check_conditions("where", conditions)
        copy = self._copy()
        copy._conditions = (*self._conditions, *conditions)
        return copy

    def all(self) -> Self:
        """Every row of the table: what is meant must be said."""
        copy = self._copy()
        copy._all = True
        return copy

    def _return(self, columns: tuple[Any, ...], named: dict[str, Any]) -> Any:
        check_expressions("returning", (*columns, *named.values()))
        copy = self._copy()
        copy._returning = named_columns(columns, named)
        return copy

    def _checked(self, values: Values) -> tuple[Key, Key]:
        """The keys of the conditions and of what is returned."""
        if not self._all and all(is_always(one, True) for one in self._conditions):
            raise UsageError(f"{self!r} would {self._verb} every row: add .where(...), or .all() if that is meant")
        conditions = keys_of(self._conditions, values)
        if self._returning is None:
            return conditions, None
        return conditions, tuple([(name, key_of(one, values)) for name, one in self._returning])

    def _into(self, sql: str) -> Any:
        """What the rows become: objects, for returning() without columns."""
        if self._returning == ():
            return Whole(self._table, tuple(self._table.fields), f"{self!r} [{sql}]")
        return NO_ROWS if self._returning is None else typed(self._returning)

    def _tail(self) -> str:
        text = f".where({listed(self._conditions)})" if self._conditions else ""
        text += ".all()" if self._all else ""
        if self._returning is None:
            return text
        return f"{text}.returning({listed([one for _, one in self._returning])})"


class Update(_Change[T]):
    """An update: ``update(Book).set(price=Book.price * 2).where(Book.author_id == 7)``."""

    __slots__ = ("_changes",)

    _verb = "update"
    _changes: dict[str, Any]

    def _copy(self) -> Self:
        copy = super()._copy()
        copy._changes = self._changes
        return copy

    def set(self, /, **changes: object) -> Self:
        """Set these fields, to values or expressions; further calls add to it."""
        fields, model = self._table.fields, self._table.model.__qualname__
        for name in changes:
            if name not in fields:
                raise UsageError(f"set({name}=...): {model} has no field {name!r}, but {', '.join(fields)}")
            if not fields[name].written:
                raise UsageError(f"set({name}=...): the value of {model}.{name} is always made by the server")
        copy = self._copy()
        copy._changes = {**self._changes, **changes}
        return copy

    @overload
    def returning(self, /) -> Update[T]: ...
    @overload
    def returning(self, /, *columns: object, **named: object) -> Update[Row]: ...
    def returning(self, /, *columns: object, **named: object) -> Any:
        """And give the changed rows: the objects, or with ``columns`` these as rows."""
        return self._return(columns, named)

    def _key(self, values: Values) -> Key:
        if not self._changes:
            raise UsageError(f"{self!r} changes nothing: add .set(<field>=...)")
        changes = self._changes
        version = self._table.version
        if version is not None and version.name not in changes:
            changes = {**changes, version.name: Operation("+", version, 1)}
        fields = self._table.fields
        changed = []
        for name, value in changes.items():
            if value is None:  # NULL travels as any value does
                values.append(None)
                changed.append((fields[name].column, len(values) - 1))
            else:
                changed.append((fields[name].column, key_of(value, values)))
        return ("update", self._table, tuple(changed), *self._checked(values))

    def _compile(self, key: Key, writer: Writer) -> tuple[str, Any]:
        sql = writer.update(key)
        return sql, self._into(sql)

    def __repr__(self) -> str:
        changes = [f"{name}={value if isinstance(value, Expression) else '?'}" for name, value in self._changes.items()]
        text = f".set({', '.join(changes)})" if changes else ""
        return f"update({self._table.model.__qualname__}){text}{self._tail()}"


class Delete(_Change[T]):
    """A delete: ``delete(Book).where(Book.price == None)``."""

    __slots__ = ()

    _verb = "delete"

    @overload
    def returning(self, /) -> Delete[T]: ...
    @overload
    def returning(self, /, *columns: object, **named: object) -> Delete[Row]: ...
    def returning(self, /, *columns: object, **named: object) -> Any:
        """And give the rows that were deleted: the objects, or with ``columns`` these as rows."""
        return self._return(columns, named)

    def _key(self, values: Values) -> Key:
        return ("delete", self._table, *self._checked(values))

    def _compile(self, key: Key, writer: Writer) -> tuple[str, Any]:
        sql = writer.delete(key)
        return sql, self._into(sql)

    def __repr__(self) -> str:
        return f"delete({self._table.model.__qualname__}){self._tail()}"


def update(model: type[T]) -> Update[T]:
    """Begin an update of a Model's rows. Raises ModelError for what is no Model with a table."""
    query: Update[T] = _new(Update)
    query._changes = {}
    return query._begin(table_of(model))


def delete(model: type[T]) -> Delete[T]:
    """Begin a delete of a Model's rows. Raises ModelError for what is no Model with a table."""
    query: Delete[T] = _new(Delete)
    return query._begin(table_of(model))
