"""Writer: SQL from the key of a query (see ``keys``), and nothing else; so it is written once for each key.

A Writer writes one statement. ``select(key, parent, extra)`` gives a whole select; ``extra(writer, scope)`` returns
further expressions for its select list, as nested selects. ``scope(table, parent)`` is a table under a fresh alias;
``follow(relation, alias, parent)`` the table on a relation's other side, with the condition that ties it to ``alias``.
Given a scope, ``columns``, ``where``, ``order_by``, ``limits`` and ``sql`` write pieces of a key; when they are all
written, ``scope.source()`` is what stands after FROM: the table and the joins that were needed. A field is looked for
in the innermost scope of its Model, then outwards.

``operators.narrowed(key, names)`` is the same select of these attributes only, as for ``in (select ...)``.

``parameter(place)`` gives the ``$n`` of a value; ``order`` has the places of the values in the order of their ``$n``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from stretto.errors import ModelError
from stretto.model.expressions import Ref
from stretto.model.keys import Key
from stretto.model.operators import CLOSED, WRITE
from stretto.model.relations import Relation
from stretto.model.table import Table, quote

_NAME_BYTES = 60  # of 63 that a name may have: then a number fits on an alias


class Scope:
    """A table in a statement, under an alias (quoted), with what is joined to it."""

    def __init__(self, writer: Writer, table: Table, parent: Scope | None, joining: bool = True) -> None:
        self.table = table
        self.parent = parent
        self.joining = joining
        self.alias = writer.alias(table.name or "")
        self.joins: list[str] = []
        self._writer = writer
        self._reached: dict[tuple[str, ...], str] = {(): self.alias}

    def source(self) -> str:
        """What stands after FROM."""
        return " ".join([named(self.table.sql, self.table.name, self.alias), *self.joins])

    def reach(self, path: Sequence[Relation]) -> str:
        """The alias of the table at the end of relations, joined once; an object that is not there has NULLs."""
        names = tuple([one.name for one in path])
        found = self._reached.get(names)
        if found is None:
            before = self.reach(path[:-1])
            join = path[-1].join
            if join.many:
                raise ModelError(f"{path[-1]!r} is a list: ask by exists({path[-1]!r}, ...)")
            table: Table = join.target.__table__
            found = self._reached[names] = self._writer.alias(table.name or "")
            equal = equality(found, [one.column for one in join.remote], before, [one.column for one in join.local])
            self.joins.append(f"left join {named(table.sql, table.name, found)} on {equal}")
        return found

    def find(self, ref: Ref) -> Scope:
        """The innermost scope of the Model that a column is of."""
        scope: Scope | None = self
        while scope is not None:
            if scope.table.model is ref.model:
                return scope
            scope = scope.parent
        model = self.table.model.__qualname__
        raise ModelError(
            f"{ref!r} is not a field of {model}: reach it by a relation of {model}, as {model}.<relation>.<field>, or"
            f" by exists({model}.<relation>, ...)"
        )


class Writer:
    """Writes one statement."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self._aliases: set[str] = set()

    def alias(self, name: str) -> str:
        """A name that no other table of the statement has, quoted: the table's own where that is free."""
        name = name if len(name.encode()) <= _NAME_BYTES else "t"
        number, alias = 1, name
        while alias in self._aliases:
            number += 1
            alias = f"{name}_{number}"
        self._aliases.add(alias)
        return quote(alias)

    def parameter(self, place: int) -> str:
        """The ``$n`` of a value."""
        if place not in self.order:
            self.order.append(place)
        return f"${self.order.index(place) + 1}"

    def scope(self, table: Table, parent: Scope | None = None) -> Scope:
        """A table under an alias of its own, to select from."""
        return Scope(self, table, parent)

    def follow(self, relation: Relation, alias: str, parent: Scope | None) -> tuple[Scope, str]:
        """The table on the other side of a relation, to select from, and its condition: it belongs to ``alias``."""
        join = relation.join
        scope = self.scope(join.target.__table__, parent)
        local = [one.column for one in join.local]
        remote = [one.column for one in join.remote]
        through = join.through
        if through is None:
            return scope, equality(scope.alias, remote, alias, local)
        between = self.alias(through.table)
        table = f"{quote(through.schema)}.{quote(through.table)}" if through.schema else quote(through.table)
        joined = equality(between, through.remote, scope.alias, remote)
        scope.joins.insert(0, f"join {named(table, through.table, between)} on {joined}")
        return scope, equality(between, through.local, alias, local)

    # Statements -------------------------------------------------------------------------------------------------------

    def select(
        self,
        key: Key,
        parent: Scope | None = None,
        extra: Callable[[Writer, Scope], Iterable[str]] | None = None,
        instead: str | None = None,
    ) -> str:
        """A select. ``instead``: what is selected instead of its columns."""
        _, table, conditions, orders, limit, offset, rest = key
        columns, only, distinct, lock, groups, having, *_ = rest or (None,) * 6
        scope = self.scope(table, parent)
        if instead is not None:
            listed = [instead]
        elif columns is not None:
            listed = [self._named_column(name, one, scope) for name, one in columns]
        else:
            listed = self.columns(table, scope.alias, only)
        if extra is not None:
            listed += extra(self, scope)
        unique = self._distinct(distinct, scope)
        tail = self.where(conditions, scope)
        if groups:
            tail += f" group by {self._list(groups, scope)}"
        if having:
            tail += f" having {self.all_of(having, scope)}"
        tail += self.order_by(orders, scope) + self.limits(limit, offset)
        if lock is not None:
            strength, wait = lock
            tail += f" {strength} of {scope.alias}{wait}"
        return f"select {unique}{', '.join(listed)} from {scope.source()}{tail}"

    def count(self, key: Key, parent: Scope | None = None) -> str:
        """A select of how many rows a select has."""
        kind, table, conditions, _, limit, offset, rest = key
        columns, _, distinct, _, groups, having, *_ = rest or (None,) * 6
        if limit is None and offset is None and columns is None and distinct is None and not groups and not having:
            return self.select((kind, table, conditions, (), None, None, None), parent, instead="count(*)")
        return f"select count(*) from ({self.select(key, parent)}) as {self.alias('counted')}"

    def exists(self, key: Key, parent: Scope | None = None) -> str:
        """EXISTS of a select."""
        kind, table, conditions, orders, limit, offset, rest = key
        if rest is None:
            key = (kind, table, conditions, () if offset is None else orders, limit, offset, None)
            return f"exists ({self.select(key, parent, instead='1')})"
        return f"exists ({self.select(key, parent)})"

    def update(self, key: Key) -> str:
        """An update."""
        _, table, changes, conditions, returning = key
        scope = Scope(self, table, None, joining=False)
        changed = ", ".join([f"{quote(column)} = {self.bare(value, scope)}" for column, value in changes])
        return (
            f"update {scope.source()} set {changed}{self.where(conditions, scope)}{self._returning(returning, scope)}"
        )

    def delete(self, key: Key) -> str:
        """A delete."""
        _, table, conditions, returning = key
        scope = Scope(self, table, None, joining=False)
        return f"delete from {scope.source()}{self.where(conditions, scope)}{self._returning(returning, scope)}"

    def _returning(self, returning: Any, scope: Scope) -> str:
        if returning is None:
            return ""
        if not returning:
            return f" returning {', '.join(self.columns(scope.table, scope.alias))}"
        return f" returning {', '.join([self._named_column(name, one, scope) for name, one in returning])}"

    # Clauses ----------------------------------------------------------------------------------------------------------

    def columns(self, table: Table, alias: str, names: Iterable[str] | None = None) -> list[str]:
        """The columns of a table, or of these attributes."""
        fields = table.fields.values() if names is None else [table.fields[name] for name in names]
        return [f"{alias}.{quote(one.column)}" for one in fields]

    def where(self, conditions: Sequence[Key], scope: Scope) -> str:
        """`` where ...``, or nothing."""
        return f" where {self.all_of(conditions, scope)}" if conditions else ""

    def all_of(self, conditions: Sequence[Key], scope: Scope) -> str:
        """Conditions that must all be true; ``true`` for none."""
        if len(conditions) == 1:
            return self.bare(conditions[0], scope)
        return " and ".join([self.sql(one, scope) for one in conditions]) or "true"

    def order_by(self, orders: Sequence[Key], scope: Scope) -> str:
        """`` order by ...``, or nothing."""
        return f" order by {self._list(orders, scope)}" if orders else ""

    def limits(self, limit: Key, offset: Key) -> str:
        """`` limit $1 offset $2``, or what there is of it."""
        text = "" if limit is None else f" limit {self.parameter(limit)}"
        return text if offset is None else f"{text} offset {self.parameter(offset)}"

    def _list(self, keys: Sequence[Key], scope: Scope) -> str:
        return ", ".join([self.bare(one, scope) for one in keys])

    def _distinct(self, distinct: Any, scope: Scope) -> str:
        if distinct is None:
            return ""
        return f"distinct on ({self._list(distinct, scope)}) " if distinct else "distinct "

    def _named_column(self, name: str | None, key: Key, scope: Scope) -> str:
        sql = self.bare(key, scope)
        same = type(key) is Ref and key.field is not None and key.field.column == name
        return sql if name is None or same else f"{sql} as {quote(name)}"

    # Expressions ------------------------------------------------------------------------------------------------------

    def sql(self, key: Key, scope: Scope) -> str:
        """An expression, in parentheses where it has operators."""
        text = self.bare(key, scope)
        return f"({text})" if isinstance(key, tuple) and key[0] not in CLOSED else text

    def bare(self, key: Key, scope: Scope) -> str:
        """An expression that stands alone."""
        if type(key) is int:
            return self.parameter(key)
        if key is None:
            return "null"
        if type(key) is Ref:
            return self.column(key, scope)
        return WRITE[key[0]](self, key, scope)

    def column(self, ref: Ref, scope: Scope) -> str:
        """A column, with the joins that lead to it."""
        if ref.field is None:
            raise ModelError(f"{ref!r} is a relation: name one of its fields, as {ref!r}.<field>")
        owner = scope.find(ref)
        if ref.path and not owner.joining:
            return f"({self._looked_up(ref, owner)})"
        return f"{owner.reach(ref.path)}.{quote(ref.field.column)}"

    def _looked_up(self, ref: Ref, owner: Scope) -> str:
        """A column at the end of relations where nothing can be joined: as a select of its own."""
        scope, condition = self.follow(ref.path[0], owner.alias, owner)
        column = f"{scope.reach(ref.path[1:])}.{quote(ref.field.column)}"
        return f"select {column} from {scope.source()} where {condition}"

    def keys(self, ref: Ref, scope: Scope) -> list[str]:
        """The columns by which a relation points to its other side."""
        local = ref.path[-1].join.local
        return [self.column(Ref(ref.path[:-1], one), scope) for one in local]

    def on_path(self, path: tuple[Relation, ...], conditions: Sequence[Key], parent: Scope) -> str:
        """EXISTS of objects on the other side of a relation."""
        owner = parent.find(Ref(path, None))
        if owner.joining:
            return self._on_side(path[-1], owner.reach(path[:-1]), (), conditions, parent)
        return self._on_side(path[0], owner.alias, path[1:], conditions, parent)

    def _on_side(
        self, relation: Relation, alias: str, further: tuple[Relation, ...], conditions: Sequence[Key], parent: Scope
    ) -> str:
        scope, condition = self.follow(relation, alias, parent)
        if further:
            conditions = (("exists", Ref(further, None), conditions),)
        tail = "".join([f" and {self.sql(one, scope)}" for one in conditions])
        return f"exists (select 1 from {scope.source()} where {condition}{tail})"


def named(table: str, name: str | None, alias: str) -> str:
    """A table (quoted) under its alias."""
    return table if quote(name) == alias else f"{table} as {alias}"


def equality(alias: str, columns: Iterable[str], other: str, others: Iterable[str]) -> str:
    """The condition that columns of two tables are equal."""
    pairs = zip(columns, others, strict=True)
    return " and ".join([f"{alias}.{quote(one)} = {other}.{quote(two)}" for one, two in pairs])
