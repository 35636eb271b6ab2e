"""The SQL of included relations, by either strategy.

``one statement``: each relation is an expression in the select list, an array of records (``array(select row(...))``)
or one record, which ``codecs.nested`` decodes into the objects.

``one trip``: a statement for each relation, which selects what belongs to the objects of the one above by repeating
it: ``... where author_id in (select id from author where ...)``. ``model.stitch`` puts them together. A relation
through a table takes two: the pairs of keys, and the objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stretto.model.compile import Scope, Writer, equality
from stretto.model.graph import Related
from stretto.model.keys import Key, Values, key_of, keys_of
from stretto.model.relations import Join, Relation
from stretto.model.repeats import last_orders
from stretto.model.table import Table, quote


@dataclass(frozen=True, slots=True)
class Branch:
    """The key of one included relation: like a Related, without the values in it. ``limit`` is a place."""

    relation: Relation
    where: tuple[Key, ...]
    order_by: tuple[Key, ...]
    limit: int | None
    nested: tuple[Branch, ...]

    @property
    def join(self) -> Join:
        """How the relation is followed."""
        return self.relation.join

    @property
    def table(self) -> Table:
        """The table on the other side."""
        table: Table = self.join.target.__table__
        return table


def branches_of(included: Sequence[Related], values: Values) -> tuple[Branch, ...]:
    """The keys of included relations; their values are appended."""
    return tuple(
        [
            Branch(
                one.relation,
                keys_of(one.where, values),
                keys_of(one.order_by, values),
                None if one.limit is None else key_of(one.limit, values),
                branches_of(one.nested, values),
            )
            for one in included
        ]
    )


# One statement ------------------------------------------------------------------------------------------------------


def expressions(writer: Writer, scope: Scope, branches: Sequence[Branch]) -> list[str]:
    """An expression for each relation: what belongs to the row of ``scope``."""
    return [_expression(writer, scope, branch) for branch in branches]


def _expression(writer: Writer, scope: Scope, branch: Branch) -> str:
    inner, tie = writer.follow(branch.relation, scope.alias, scope)
    columns = [*writer.columns(branch.table, inner.alias), *expressions(writer, inner, branch.nested)]
    tail = _tail(writer, inner, branch, [tie])
    select = f"select row({', '.join(columns)}) from {inner.source()}{tail}"
    return f"array({select})" if branch.join.many else f"({select})"


def _tail(
    writer: Writer, scope: Scope, branch: Branch, conditions: list[str], limited: bool = True, repeated: bool = False
) -> str:
    """WHERE, ORDER BY and LIMIT of a relation. ``repeated``: others will ask for the same rows."""
    wanted = [*conditions, *[writer.sql(one, scope) for one in branch.where]]
    where = f" where {' and '.join(wanted)}" if wanted else ""
    limit = writer.limits(branch.limit, None) if limited else ""
    if not branch.join.many and branch.order_by:
        limit = " limit 1"  # the first of several
    orders = (*branch.order_by, *last_orders(branch.table)) if repeated else branch.order_by
    return f"{where}{writer.order_by(orders, scope)}{limit}"


# One trip -----------------------------------------------------------------------------------------------------------


class Source:
    """Where the objects of a level are from: a select, to be asked for some of their columns."""

    def keys(self, writer: Writer, names: Sequence[str]) -> str:
        """A select of these attributes of the objects."""
        raise NotImplementedError

    def holds(self, writer: Writer, columns: Sequence[str], names: Sequence[str]) -> list[str]:
        """The conditions that columns (SQL) are equal to these attributes of one of the objects."""
        listed = columns[0] if len(columns) == 1 else f"({', '.join(columns)})"
        return [f"{listed} in ({self.keys(writer, names)})"]


class Root(Source):
    """The objects of a select. ``key``: as of ``keys``."""

    def __init__(self, key: Key) -> None:
        self.key = key

    def keys(self, writer: Writer, names: Sequence[str]) -> str:
        kind, table, where, orders, limit, offset, rest = self.key
        _, _, distinct, *others = rest
        if limit is None and offset is None and not distinct:
            orders = ()
        if distinct is None:
            return writer.select((kind, table, where, orders, limit, offset, (None, tuple(names), None, *others)))
        inner = writer.alias("chosen")
        listed = ", ".join([f"{inner}.{quote(table.fields[name].column)}" for name in names])
        return f"select {listed} from ({writer.select(self.key)}) as {inner}"


class Given(Source):
    """Objects in hand: each attribute is in an array of values, at a place."""

    def __init__(self, table: Table, places: dict[str, int]) -> None:
        self.table = table
        self.places = places

    def holds(self, writer: Writer, columns: Sequence[str], names: Sequence[str]) -> list[str]:
        # Of several columns this holds for more than is meant; the stitching passes over what belongs to nobody.
        return [
            f"{column} = any({writer.parameter(self.places[name])})"
            for column, name in zip(columns, names, strict=True)
        ]


class Level(Source):
    """The objects of a relation of another level's."""

    def __init__(self, above: Source, branch: Branch) -> None:
        self.above = above
        self.branch = branch
        join = branch.join
        self.local = [one.name for one in join.local]

    def keys(self, writer: Writer, names: Sequence[str]) -> str:
        return self._select(writer, names, ordered=False)

    def statement(self, writer: Writer) -> str:
        """The select of the objects."""
        return self._select(writer, list(self.branch.table.fields), ordered=True)

    def _select(self, writer: Writer, names: Sequence[str], ordered: bool) -> str:
        branch = self.branch
        if branch.join.through is not None:
            return self._paired(writer, names)
        if branch.limit is not None:
            return self._limited(writer, names)
        scope = writer.scope(branch.table)
        remote = [f"{scope.alias}.{quote(one.column)}" for one in branch.join.remote]
        conditions = self.above.holds(writer, remote, self.local)
        conditions += [writer.sql(one, scope) for one in branch.where]
        where = f" where {' and '.join(conditions)}" if conditions else ""
        order = writer.order_by(branch.order_by, scope) if ordered else ""
        columns = ", ".join(writer.columns(branch.table, scope.alias, names))
        return f"select {columns} from {scope.source()}{where}{order}"

    def _limited(self, writer: Writer, names: Sequence[str]) -> str:
        """The first few for each object above: a select for each of their keys."""
        branch = self.branch
        scope = writer.scope(branch.table)
        keys, tie = self._each(writer, scope.alias, [one.column for one in branch.join.remote])
        columns = ", ".join(writer.columns(branch.table, scope.alias, names))
        tail = _tail(writer, scope, branch, [tie], repeated=bool(branch.nested))
        first = writer.alias("first")
        return (
            f"select {first}.* from {keys} cross join lateral (select {columns} from {scope.source()}{tail}) as {first}"
        )

    def _each(self, writer: Writer, alias: str, columns: Sequence[str]) -> tuple[str, str]:
        """The different keys of the objects above, as a table; and the condition that columns are equal to one."""
        join = self.branch.join
        each = writer.alias("each")
        numbers = [quote(f"key{number}") for number in range(1, len(columns) + 1)]
        tie = " and ".join([f"{alias}.{quote(one)} = {each}.{two}" for one, two in zip(columns, numbers, strict=True)])
        if isinstance(self.above, Given):
            keys = self._given(writer, join)
        else:
            keys = self.above.keys(writer, self.local)
        return f"(select distinct * from ({keys}) as {writer.alias('keys')}) as {each}({', '.join(numbers)})", tie

    def _given(self, writer: Writer, join: Join) -> str:
        """The keys of objects in hand, as their own table has them: so they have its types."""
        scope = writer.scope(self.branch.relation.model.__table__)
        columns = [f"{scope.alias}.{quote(one.column)}" for one in join.local]
        conditions = " and ".join(self.above.holds(writer, columns, self.local))
        return f"select {', '.join(columns)} from {scope.source()} where {conditions}"

    # Through a table --------------------------------------------------------------------------------------------------

    def pairs(self, writer: Writer) -> str:
        """The select of the keys of both sides, in the order of the objects."""
        branch, through = self.branch, self.branch.join.through
        if through is None:
            raise TypeError("a relation without a table between")
        between = writer.alias(through.table)
        table = f"{quote(through.schema)}.{quote(through.table)}" if through.schema else quote(through.table)
        source = f"{table} as {between}"
        local = [f"{between}.{quote(one)}" for one in through.local]
        columns = ", ".join([*local, *[f"{between}.{quote(one)}" for one in through.remote]])
        scope = writer.scope(branch.table)
        remote = [one.column for one in branch.join.remote]
        joined = f" join {scope.source()} on {equality(scope.alias, remote, between, through.remote)}"
        if branch.limit is not None:
            keys, tie = self._each(writer, between, through.local)
            tail = _tail(writer, scope, branch, [tie], repeated=True)
            further = " ".join(["", *scope.joins])
            first = writer.alias("first")
            inner = f"select {columns} from {source}{joined}{further}{tail}"
            return f"select {first}.* from {keys} cross join lateral ({inner}) as {first}"
        if not branch.where and not branch.order_by:
            joined = ""
        conditions = self.above.holds(writer, local, self.local)
        tail = _tail(writer, scope, branch, conditions, limited=False)
        further = " ".join(["", *scope.joins])
        return f"select {columns} from {source}{joined}{further}{tail}"

    def _paired(self, writer: Writer, names: Sequence[str]) -> str:
        """The objects whose keys are in the pairs, each once."""
        branch, through = self.branch, self.branch.join.through
        if through is None:
            raise TypeError("a relation without a table between")
        scope = writer.scope(branch.table)
        columns = ", ".join(writer.columns(branch.table, scope.alias, names))
        remote = [f"{scope.alias}.{quote(one.column)}" for one in branch.join.remote]
        listed = remote[0] if len(remote) == 1 else f"({', '.join(remote)})"
        pairs = writer.alias("pairs")
        keys = ", ".join([f"{pairs}.{quote(one)}" for one in through.remote])
        inner = f"select {keys} from ({self.pairs(writer)}) as {pairs}"
        return f"select {columns} from {scope.source()} where {listed} in ({inner})"
