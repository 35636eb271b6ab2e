"""Where Models and the live tables disagree: what check_tables tells, and ``stretto doctor`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stretto.errors import ModelError, UsageError
from stretto.model.fields import Field
from stretto.model.fits import fits
from stretto.model.live import Column, Index, Key, Live
from stretto.model.schema import columns_of, foreign_keys, uniques
from stretto.model.sqltypes import item_of, title, values_of
from stretto.model.table import Table, quote, table_of

_ACTIONS = {"a": "no action", "r": "restrict", "c": "cascade", "n": "set null", "d": "set default"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a Model and the live table disagree.

    ``model`` and ``table`` by name; ``attribute`` of the Model (or a column that it lacks), None where it is about the
    whole table; ``text`` says what is wrong and what follows.
    """

    model: str
    table: str
    attribute: str | None
    text: str

    def __str__(self) -> str:
        where = f"{self.model}.{self.attribute}" if self.attribute else self.model
        return f"{where} ({self.table}): {self.text}"


Found = Iterator[tuple[str | None, str]]


def asked(models: Sequence[Any]) -> list[str]:
    """The names of the tables that must be looked at. Raises UsageError without a Model."""
    if not models:
        raise UsageError("name the Models whose tables are to be checked: check_tables(Author, Book)")
    names = [table_of(model).sql for model in models]
    return list(dict.fromkeys([*names, *(name for model in models for name in _through(model.__table__))]))


def _through(table: Table) -> Iterator[str]:
    for relation in table.relations.values():
        try:
            through = relation.join.through
        except ModelError:
            continue
        if through is not None:
            yield _quoted(through.schema, through.table)


def _quoted(schema: str | None, name: str) -> str:
    return f"{quote(schema)}.{quote(name)}" if schema else quote(name)


def differences(models: Sequence[Any], live: Live) -> list[Difference]:
    """All differences between Models and the tables that were found."""
    tables = list(dict.fromkeys(table_of(model) for model in models))
    return [
        Difference(table.model.__name__, table.full_name, attribute, text)
        for table in tables
        for attribute, text in _of_table(table, tables, live)
    ]


def _of_table(table: Table, tables: list[Table], live: Live) -> Found:
    kind = live.tables.get(table.sql)
    if kind is None:
        yield None, "there is no such table: create_tables() makes it"
    else:
        columns = {one.name: one for one in live.columns if one.table == table.sql}
        indexes = [one for one in live.indexes if one.table == table.sql]
        plain = kind in ("r", "p")  # a view, and a foreign table, have neither keys nor NOT NULL
        yield from _columns(table, columns, plain)
        if plain:
            yield from _unique(table, columns, indexes)
            yield from _keys(table, tables, columns, [one for one in live.keys if one.table == table.sql])
            yield from _indexes(table, columns, indexes)
    yield from _relations(table, live)


def _columns(table: Table, columns: dict[str, Column], plain: bool) -> Found:
    for one in table.fields.values():
        column = columns.get(one.column)
        if column is None:
            yield one.name, f"the table has no column {one.column!r}"
            continue
        try:
            found = [*_type(one, column), *(_column(one, column) if plain else ())]
        except ModelError as error:
            yield one.name, str(error)
        else:
            yield from ((one.name, text) for text in found)
    for name, column in columns.items():
        if name not in table.columns and column.not_null and not column.has_default:
            yield name, "the Model lacks this column, which is NOT NULL and has no default: no insert can succeed"


def _type(one: Field, column: Column) -> Iterator[str]:
    if not fits(one.annotation, column):
        yield f"the column is {column.declared}, which does not give what the Model says: {title(one.annotation)}"
    elif column.kind == "e":
        yield from _labels(one, column)


def _column(one: Field, column: Column) -> Iterator[str]:
    if not one.primary_key:
        if one.nullable and column.not_null and not column.has_default and one.default is None:
            yield "the Model has None, by default too, and the column is NOT NULL"
        elif one.nullable and column.not_null:
            yield "the Model has None, and the column is NOT NULL"
        elif not one.nullable and not column.not_null:
            yield "the column may be NULL, and the Model has no None"
    if one.generated and not column.has_default:
        yield "generated= says that the server makes the value, and the column has neither identity nor default"
    if one.server_default is not None and not column.has_default:
        yield "server_default= says that the column has a default, and it has none"
    if (one.computed is not None) != column.computed:
        said = "computed=, and the column is a plain one" if one.computed is not None else "no computed=, but it is one"
        yield f"the Model has {said}"
    if column.identity == "a" and one.generated != "always":
        yield 'the column is GENERATED ALWAYS, which refuses values of ours: field(generated="always")'


def _labels(one: Field, column: Column) -> Iterator[str]:
    allowed = values_of(item_of(one.annotation))
    if not allowed:
        return
    surplus = [label for label in column.labels if label not in allowed]
    missing = [value for value in allowed if value not in column.labels]
    if surplus:
        yield f"the enum type {column.declared} has {_listed(surplus)}, which the Model lacks"
    if missing:
        yield f"the enum type {column.declared} lacks {_listed(missing)}, which the Model has"


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(repr, values))


# What is built of columns is compared where these are there; that they are not was told already.


def _unique(table: Table, columns: dict[str, Column], indexes: list[Index]) -> Found:
    found = {frozenset(one.columns) for one in indexes if one.unique}
    for one in table.fields.values():
        if one.unique and one.column in columns and frozenset([one.column]) not in found:
            yield one.name, "unique=True, and the table has no unique constraint or index of it"
    try:
        together = uniques(table)
    except ModelError as error:
        yield None, str(error)
        return
    for names in together:
        if columns.keys() >= set(names) and frozenset(names) not in found:
            yield None, f"the table has no unique constraint of ({', '.join(names)})"


def _keys(table: Table, tables: list[Table], columns: dict[str, Column], keys: list[Key]) -> Found:
    key = [one.column for one in table.primary_key]
    live = next((one.columns for one in keys if one.kind == "p"), [])
    if columns.keys() >= set(key) and set(key) != set(live):
        are = [f"({', '.join(names)})" if names else "none" for names in (live, key)]
        yield None, f"the primary key is {are[0]}, in the Model {are[1]}"
    try:
        wanted = foreign_keys(table, tables)
    except ModelError as error:
        yield None, str(error)
        return
    for one in wanted:
        if not columns.keys() >= set(one.columns):
            continue
        pairs = set(zip(one.columns, one.remote, strict=False))
        same = [
            other
            for other in keys
            if other.kind == "f" and other.target == one.name and set(other.columns) == set(one.columns)
            if not one.remote or set(zip(other.columns, other.remote, strict=True)) == pairs
        ]
        attribute = table.columns[one.columns[0]].name if len(one.columns) == 1 else None
        if not same:
            yield attribute, f"the table has no {one}"
            continue
        for event, code in (("delete", same[0].on_delete), ("update", same[0].on_update)):
            action = _ACTIONS.get(code, code)
            if f"on {event} " in one.actions.lower() and f"on {event} {action}" not in one.actions.lower():
                yield attribute, f"the foreign key's is on {event} {action}, in the Model {one.actions}"


def _indexes(table: Table, columns: dict[str, Column], indexes: list[Index]) -> Found:
    """Indexes of columns; what is SQL of its own is not compared."""
    wanted: list[tuple[str | None, tuple[str, ...]]] = [
        (one.name, (one.column,)) for one in table.fields.values() if one.index
    ]
    try:
        specs = [spec for spec in table.options.get("indexes", ()) if not isinstance(spec, str) or spec in table.fields]
        wanted += [(None, columns_of(table, "indexes", spec)) for spec in specs]
    except ModelError as error:
        yield None, str(error)
    for attribute, names in wanted:
        if columns.keys() >= set(names) and not any(tuple(one.columns[: len(names)]) == names for one in indexes):
            yield attribute, f"the table has no index that begins with ({', '.join(names)})"


def _relations(table: Table, live: Live) -> Found:
    for relation in table.relations.values():
        try:
            through = relation.join.through
        except ModelError as error:
            yield relation.name, str(error)
            continue
        if through is None:
            continue
        name = _quoted(through.schema, through.table)
        if name not in live.tables:
            yield relation.name, f"there is no table {through.table!r} between the two: create_tables() makes it"
            continue
        has = {one.name for one in live.columns if one.table == name}
        lacks = [column for column in through.local + through.remote if column not in has]
        if lacks:
            yield (
                relation.name,
                f"the table {through.table!r} lacks {_listed(lacks)}: name its columns by through_keys=",
            )
