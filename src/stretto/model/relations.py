"""Relations: which objects belong to an object, and by which columns they are found."""

from __future__ import annotations

import types
import typing
from typing import Any, Literal, NamedTuple

from stretto.errors import ModelError, NotLoaded
from stretto.model.fields import Annotated, Field
from stretto.model.paths import Path

Kind = Literal["many-to-one", "one-to-many", "one-to-one", "many-to-many"]


class Through(NamedTuple):
    """The table between two sides: its name, and its columns that point to the one and to the other."""

    table: str
    schema: str | None
    local: tuple[str, ...]
    remote: tuple[str, ...]


class Join(NamedTuple):
    """How a relation is followed: ``local`` fields of the object are equal to ``remote`` fields of the ``target``.

    ``many``: the attribute is a list. With ``through``, local equals its local columns, and its remote columns remote.
    """

    kind: Kind
    target: Any
    local: tuple[Field, ...]
    remote: tuple[Field, ...]
    many: bool
    through: Through | None = None


class Relation(Annotated):
    """One relation of a Model: on the class a Path, on an object what was loaded; else NotLoaded is raised."""

    __slots__ = ("_join", "_keys", "_through", "_through_keys", "path", "slot")

    def __init__(self, keys: tuple[str, ...], through: Any, through_keys: Any) -> None:
        super().__init__()
        self.slot: Any = None
        self.path = Path((self,))
        self._keys = keys
        self._through = through
        self._through_keys = through_keys
        self._join: Join | None = None

    def bind(self, model: Any, name: str, annotation: Any) -> Relation:
        """Return a copy that belongs to a class."""
        bound = Relation(self._keys, self._through, self._through_keys)
        bound.belong(model, name, annotation)
        return bound

    # On objects -------------------------------------------------------------------------------------------------------

    def __get__(self, obj: Any, owner: Any = None) -> Any:
        if obj is None:
            return self.path
        try:
            return self.slot.__get__(obj)
        except AttributeError:
            raise not_loaded(obj, self.name) from None

    def __set__(self, obj: Any, value: Any) -> None:
        self.slot.__set__(obj, value)

    def __delete__(self, obj: Any) -> None:
        self.slot.__delete__(obj)

    def is_loaded(self, obj: Any) -> bool:
        """Whether the object has it."""
        try:
            self.slot.__get__(obj)
        except AttributeError:
            return False
        return True

    # On the class -----------------------------------------------------------------------------------------------------

    @property
    def join(self) -> Join:
        """How it is followed. Raises ModelError where that is not to be told."""
        if self._join is None:
            self._join = self._resolve()
        return self._join

    def _resolve(self) -> Join:
        target, many = self._target()
        if self._through is not None:
            return self._by_table(target, many)
        mine, theirs = self.model.__table__, target.__table__
        keys = self._keys
        if not keys:
            return self._by_reference(target, many)
        here = all(key in mine.fields for key in keys)
        there = all(key in theirs.fields for key in keys)
        if not here and not there:
            raise ModelError(
                f"{self!r}: {_listed(keys)} is a field neither of {self.model.__qualname__} nor of"
                f" {target.__qualname__}: relation() takes the name of the field that is the foreign key"
            )
        if many and not there:
            raise ModelError(
                f"{self!r} is a list, so {_listed(keys)} must be a field of {target.__qualname__}, which points to"
                f" {self.model.__qualname__}"
            )
        if many or not here:
            remote = tuple(theirs.fields[key] for key in keys)
            local = self._pointed(remote, mine)
            return Join("one-to-many" if many else "one-to-one", target, local, remote, many)
        local = tuple(mine.fields[key] for key in keys)
        return Join("many-to-one", target, local, self._pointed(local, theirs), False)

    def _target(self) -> tuple[Any, bool]:
        """The Model on the other side, and whether there are many of it."""
        annotation = _bare(self.annotation)
        many = typing.get_origin(annotation) is list
        target = _bare(typing.get_args(annotation)[0]) if many else annotation
        if target is typing.Self:
            target = self.model
        if getattr(target, "__table__", None) is None or target.__table__.name is None:
            raise ModelError(f"{self!r}: its annotation is no Model with a table, nor a list of one, but {target!r}")
        return target, many

    def _pointed(self, keys: tuple[Field, ...], table: Any) -> tuple[Field, ...]:
        """The fields that a foreign key points to: by its references=, or the other side's primary key."""
        found: list[Field] = []
        for key in keys:
            if key.references is None:
                found = []
                break
            name, _, column = key.references.rpartition(".")
            if name not in (table.name, table.full_name):
                raise ModelError(f"{self!r}: {key!r} references {key.references!r}, which is not of table {table.name}")
            if column not in table.columns:
                raise ModelError(f"{self!r}: {key!r} references {key.references!r}, which is no column of {table.name}")
            found.append(table.columns[column])
        pointed = tuple(found) or table.primary_key
        if len(pointed) != len(keys):
            raise ModelError(
                f"{self!r}: {len(keys)} fields ({_listed(key.name for key in keys)}) can't point to the"
                f" {len(pointed)} of {table.model.__qualname__}'s primary key: name as many, or give them references="
            )
        return pointed

    def _by_reference(self, target: Any, many: bool) -> Join:
        """relation() without a name: by the only foreign key between the two tables."""
        mine, theirs = self.model.__table__, target.__table__
        outgoing = [] if many else _foreign_keys(mine, theirs)
        incoming = _foreign_keys(theirs, mine) if mine is not theirs or many else []
        found = outgoing + incoming
        if not found:
            here, there = f"{self.model.__qualname__} references {theirs.name}", target.__qualname__
            sides = there if many else f"{here}, and none of {there}"
            raise ModelError(
                f"{self!r}: no field of {sides} references {mine.name}: give relation() the name of the foreign key's"
                " field"
            )
        if len(found) > 1 and not (_one_key(outgoing, theirs, incoming) or _one_key(incoming, mine, outgoing)):
            names = _listed(f"{key.model.__qualname__}.{key.name}" for key in found)
            raise ModelError(f"{self!r} is ambiguous: {names} are foreign keys: give relation() the name of one")
        keys = tuple(found)
        if outgoing:
            return Join("many-to-one", target, keys, self._pointed(keys, theirs), False)
        kind: Kind = "one-to-many" if many else "one-to-one"
        return Join(kind, target, self._pointed(keys, mine), keys, many)

    def _by_table(self, target: Any, many: bool) -> Join:
        """relation(through=...): by a table that points to both sides."""
        if not many:
            raise ModelError(f"{self!r}: a relation through a table is a list")
        mine, theirs = self.model.__table__, target.__table__
        between = getattr(self._through, "__table__", None)
        if self._through_keys and (isinstance(self._through_keys, str) or len(self._through_keys) != 2):
            raise ModelError(f"{self!r}: through_keys= are two, the one to {mine.name} and the one to {theirs.name}")
        if between is None:
            schema, _, name = str(self._through).rpartition(".")
            names = self._through_keys or (f"{mine.name}_id", f"{theirs.name}_id")
            if mine is theirs and not self._through_keys:
                raise ModelError(f"{self!r}: both sides are {mine.name}: name the columns of each by through_keys=")
            local, remote = (_tuple(one) for one in names)
            through = Through(name, schema or None, local, remote)
        else:
            sides = [self._to(between, table) for table in (mine, theirs)]
            if self._through_keys:
                sides = [self._columns(between, one) for one in self._through_keys]
            elif mine is theirs:
                raise ModelError(f"{self!r}: both sides are {mine.name}: name the fields of each by through_keys=")
            through = Through(between.name, between.schema, sides[0], sides[1])
        for side, table in ((through.local, mine), (through.remote, theirs)):
            if len(side) != len(table.primary_key):
                raise ModelError(
                    f"{self!r}: {table.model.__qualname__} has a primary key of {len(table.primary_key)} fields, and"
                    f" {through.table} points to it by {len(side)} columns: name them by through_keys="
                )
        return Join("many-to-many", target, mine.primary_key, theirs.primary_key, True, through)

    def _columns(self, between: Any, names: Any) -> tuple[str, ...]:
        unknown = [name for name in _tuple(names) if name not in between.fields]
        if unknown:
            raise ModelError(f"{self!r}: {between.model.__qualname__} has no field {_listed(unknown)}")
        return tuple(between.fields[name].column for name in _tuple(names))

    def _to(self, between: Any, table: Any) -> tuple[str, ...]:
        keys = _foreign_keys(between, table)
        if not keys and not self._through_keys:
            raise ModelError(f"{self!r}: no field of {between.model.__qualname__} references {table.name}")
        if len(keys) > len(table.primary_key) and not self._through_keys:
            raise ModelError(
                f"{self!r} is ambiguous: {_listed(key.name for key in keys)} of {between.model.__qualname__} all"
                f" reference {table.name}: name them by through_keys="
            )
        by_column = {str(key.references).rpartition(".")[2]: key.column for key in keys}
        wanted = [one.column for one in table.primary_key]
        if set(by_column) == set(wanted):
            return tuple(by_column[column] for column in wanted)  # in the order of the primary key
        return tuple(key.column for key in keys)


def _foreign_keys(source: Any, target: Any) -> list[Field]:
    """The fields of a table that reference another one."""
    return [
        one
        for one in source.fields.values()
        if one.references is not None and one.references.rpartition(".")[0] in (target.name, target.full_name)
    ]


def _one_key(keys: list[Field], target: Any, others: list[Field]) -> bool:
    """Whether several fields are the one foreign key: each references another field of the same composite key."""
    pointed = {str(key.references).rpartition(".")[2] for key in keys}
    return not others and len(pointed) == len(keys) and pointed == {key.column for key in target.primary_key}


def _tuple(names: Any) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _listed(names: Any) -> str:
    return ", ".join(map(str, names))


def _bare(annotation: Any) -> Any:
    """Take off ``| None`` and Annotated."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
            continue
        if origin is not typing.Union and origin is not types.UnionType:
            return annotation
        others = [one for one in typing.get_args(annotation) if one is not type(None)]
        if len(others) != 1:
            return annotation
        annotation = others[0]


def not_loaded(obj: Any, name: str) -> NotLoaded:
    """The error for an attribute that an object does not have: what it is, where the object is from, what to add."""
    model = obj.__class__
    what = f"{model.__qualname__}.{name}"
    origin = obj._origin_ if hasattr(obj, "_origin_") else None
    field = model.__table__.fields.get(name)
    relation = field is None
    if origin is None:
        if relation:
            fix = f"this object was made in Python: set it, or db.load([obj], {what}) when its keys are set"
        elif not (field.from_server or field.version):
            fix = "it was never set"
        else:
            fix = "this object was not inserted yet, and the server makes the value: db.insert(obj) fills it in"
        return NotLoaded(f"{what} has no value: {fix}", name=name, obj=obj)
    if relation:
        fix = f"add .include({what}) to the select, or db.load(objects, {what})"
    else:
        fix = f"add {what} to only(), or leave only() out"
    return NotLoaded(f"{what} was not loaded: {fix}. The object is from {origin}", name=name, obj=obj)


def relation(*keys: str, through: Any = None, through_keys: Any = None, init: Literal[False] = False) -> Any:
    """Say which objects belong to an object; its annotation says of which Model, and whether they are many.

    ``keys``: the name of the field that is the foreign key, on whichever side it is (several for a composite key); may
    be left out where only one field ``references`` the other table. ``through``: the name of a table (or its Model)
    that points to both sides, for many-to-many; its columns are ``<table>_id`` of either side, or ``through_keys``, or
    what the Model references. Raises ModelError when it is first used and it can't be told what is meant.
    """
    if not all(isinstance(key, str) for key in keys):
        raise ModelError('relation() takes the names of fields: relation("author_id")')
    if through is not None and keys:
        raise ModelError("relation(): through= excludes the name of a foreign key: its columns are through_keys=")
    if through is None and through_keys is not None:
        raise ModelError("relation(): through_keys= are the columns of a table: give through= too")
    return Relation(keys, through, through_keys)
