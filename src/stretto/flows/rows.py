"""Which columns rows are copied into, and how each row becomes them: a RowPlan, made once, by the first row.

Generated columns can't be copied into. A column that the server makes (by a default, or as an identity) is left to it
where the first mapping or object has no value for it; then no later row may have one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stretto.codecs.base import Codec
from stretto.codecs.makers import Row
from stretto.errors import UsageError
from stretto.flows.bulk import Job
from stretto.flows.names import quote_name, quote_table
from stretto.flows.query import Flow, describe, fetch
from stretto.flows.shared import Shared
from stretto.model.fields import Field
from stretto.model.table import Table, table_of
from stretto.model.values import writer_of_values
from stretto.protocol.copying import MAPPINGS, OBJECTS, ONE, SEQUENCES, RowPlan

_FACTS = """
select a.attname, a.attgenerated <> '', a.attidentity <> '' or a.atthasdef, a.attnotnull,
       exists (select from pg_catalog.pg_index i
               where i.indrelid = a.attrelid and i.indisprimary and a.attnum = any(i.indkey))
from pg_catalog.pg_attribute a
where a.attrelid = pg_catalog.to_regclass($1) and a.attnum > 0 and not a.attisdropped
order by a.attnum"""


@dataclass(frozen=True, slots=True)
class Column:
    """What the catalogue knows of a column: ``made`` by the server where no value is given, ``key``: of the primary."""

    name: str
    generated: bool
    made: bool
    notnull: bool
    key: bool


@dataclass(slots=True, eq=False)
class Target:
    """A table to copy into: its quoted name, its Model where it was named by one, its columns once they were asked."""

    name: str | tuple[str, ...]
    sql: str
    table: Table | None
    known: list[Column] | None = None

    @classmethod
    def of(cls, target: Any) -> Target:
        """The Target that a name, a tuple of schema and name, or a Model is. Raises UsageError, ModelError."""
        if isinstance(target, type):
            table = table_of(target)
            name = (table.schema, str(table.name)) if table.schema else (str(table.name),)
            return cls(name, quote_table(name), table)
        return cls(target, quote_table(target), None)

    def look(self, shared: Shared) -> Flow:
        """Ask for the table's columns, once. One round trip, more when cold; none are of no table."""
        if self.known is None:
            rows = yield from fetch(shared, _FACTS, (self.sql,), tuple)
            self.known = [Column(*row) for row in rows]
        return self.known

    def named(self, columns: Sequence[Any]) -> list[str]:
        """The names of columns that were given by name, or of a Model by attribute or Field, too."""
        if isinstance(columns, str) or not columns:
            raise UsageError("columns= takes a list of one name at least")
        return [self._named(one) for one in columns]

    def _named(self, column: Any) -> str:
        if isinstance(column, Field):
            return column.column
        if self.table is not None and column in self.table.fields:
            return self.table.fields[column].column
        quote_name(column)
        return str(column)

    def attribute(self, column: str) -> str:
        """What an object calls a column's value."""
        field = None if self.table is None else self.table.columns.get(column)
        return column if field is None else field.name

    def candidates(self) -> list[Column]:
        """The columns that can be copied into, in the order in which a tuple has them."""
        known = {one.name: one for one in self.known or () if not one.generated}
        if self.table is None:
            return list(known.values())
        return [known[field.column] for field in self.table.fields.values() if field.written and field.column in known]

    def check_names(self, sample: Any) -> None:
        """Raise UsageError where a mapping or Row has values for columns that are not there: they would be lost."""
        if not isinstance(sample, (Mapping, Row)) or not self.known:
            return
        known = [one.name for one in self.known]
        if self.table is not None:
            known = [name for one in self.table.fields.values() for name in dict.fromkeys((one.name, one.column))]
        lost = [str(name) for name in (sample._fields if isinstance(sample, Row) else sample) if name not in known]
        if lost:
            raise UsageError(
                f"the rows have values for {', '.join(lost)}, which {self.sql} has not: there are {', '.join(known)}; "
                "columns= says what is copied"
            )

    def primary_key(self) -> list[str]:
        """The columns of the Model's primary key, or of the table's once it was asked for."""
        if self.table is not None:
            return [field.column for field in self.table.primary_key]
        return [one.name for one in self.known or () if one.key]

    def key_among(self, columns: Sequence[str], on: Any) -> list[str]:
        """The columns ``on``, or the primary key's: the Model's, or the table's.

        Raises UsageError where not all are copied.
        """
        if on is not None:
            found = self.named(on if isinstance(on, (list, tuple)) else [on])
        else:
            found = self.primary_key()
        if not found:
            raise UsageError(f"on_conflict='update' needs a primary key, which {self.sql} has not")
        lacking = [name for name in found if name not in columns]
        if lacking:
            raise UsageError(f"on_conflict='update' needs the whole key, and {', '.join(lacking)} is not copied")
        return found


def columns_for(shared: Shared, target: Target, job: Job, columns: Sequence[Any] | None, sample: Any) -> Flow:
    """The columns of a load (None: as COPY has them) and, for rows, their RowPlan. Raises as plan_rows."""
    if job.on_conflict is not None:
        yield from target.look(shared)
    if job.format is None:
        plan: RowPlan = yield from plan_rows(shared, target, columns, sample)
        return plan.columns, plan
    if columns is not None:
        return target.named(columns), None
    if job.on_conflict is None and (not job.atomic or (job.chunks or 1) == 1):
        return None, None
    yield from target.look(shared)
    return [one.name for one in target.known or () if not one.generated], None


def plan_rows(shared: Shared, target: Target, columns: Sequence[Any] | None, sample: Any) -> Flow:
    """The RowPlan for rows as ``sample``, the first of them (None: there are none). One round trip, or two.

    Raises UsageError for a type that has no binary format, the server's UndefinedTable, UndefinedColumn.
    """
    kind = SEQUENCES if sample is None or isinstance(sample, (tuple, list)) else OBJECTS
    if isinstance(sample, Mapping):
        kind = MAPPINGS
    absent: list[Column] = []
    if columns is not None:
        names = target.named(columns)
    else:
        yield from target.look(shared)
        target.check_names(sample)
        names = target.named(sample._fields) if isinstance(sample, Row) else [one.name for one in target.candidates()]
        if kind != SEQUENCES:
            absent = [one for one in target.candidates() if _is_left(target, one, sample, kind)]
            names = [name for name in names if name not in {one.name for one in absent}]
    codecs = yield from _codecs(shared, target, names)
    text = [codec.name for codec in codecs if codec.format != 1]
    if text:
        raise UsageError(f"COPY in binary cannot carry the type {text[0]}: copy text or csv instead")
    plan = RowPlan(names, codecs, kind)
    if kind != SEQUENCES:
        plan.names = [_called(target, name, sample, kind) for name in names]
        plan.absent = [target.attribute(one.name) for one in absent]
    if target.table is not None:
        fields = [target.table.columns.get(name) for name in names]
        writers = [None if field is None else writer_of_values(field.annotation) for field in fields]
        plan.writers = writers if any(writers) else None
    return plan


def _codecs(shared: Shared, target: Target, names: list[str]) -> Flow:
    listed = ", ".join(map(quote_name, names)) or "*"
    sql = f"select {listed} from {target.sql} limit 0"  # noqa: S608  # all names are quoted
    statement = yield from describe(shared, sql)  # and not what another connection has under this name
    codecs: list[Codec] = list(statement.codecs) if names else []
    return codecs


def _is_left(target: Target, column: Column, sample: Any, kind: int) -> bool:
    """Whether the server makes the value of this column, as the first row has none."""
    name = target.attribute(column.name)
    if kind == MAPPINGS and name not in sample:
        name = column.name
    try:
        value = sample[name] if kind == MAPPINGS else getattr(sample, name)
    except (KeyError, AttributeError):
        return (column.made or target.table is not None) and not _begins_at_one(target, column.name)
    return value is None and column.made and column.notnull


def _begins_at_one(target: Target, column: str) -> bool:
    """Whether it is the version of a Model, which the server does not make."""
    return target.table is not None and target.table.version is target.table.columns.get(column) is not None


def _called(target: Target, column: str, sample: Any, kind: int) -> str:
    """What the rows call a column's value; ONE where it is a version that they have not."""
    name = target.attribute(column)
    if kind == MAPPINGS:
        found = name if name in sample else column
        there = found in sample
    else:
        found = name
        there = hasattr(sample, name)
    return ONE if not there and _begins_at_one(target, column) else found
