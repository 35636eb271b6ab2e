"""The tables of Models in words of SQL: columns, constraints, foreign keys and indexes, and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from stretto.errors import ModelError, UsageError
from stretto.model.fields import Field
from stretto.model.sqltypes import ColumnType, literal, type_of
from stretto.model.table import Table, quote, table_of

_METHOD = re.compile(r"[a-z_][a-z0-9_]*")
_FOREIGN_KEY = re.compile(
    r"""\s* \( (?P<columns>[^()]+) \) \s* references \s+ (?P<table>(?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))?) \s*
        (?: \( (?P<remote>[^()]+) \) )? \s* (?P<actions>.*)""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns of a table that point to ``remote`` ones of another (() for its primary key), of which ``name`` is the
    name and ``sql`` the quoted one. ``actions``: what follows in SQL, as ON DELETE."""

    columns: tuple[str, ...]
    name: str
    sql: str
    remote: tuple[str, ...] = ()
    actions: str = ""

    def __str__(self) -> str:
        remote = f" ({listed(self.remote)})" if self.remote else ""
        actions = f" {self.actions}" if self.actions else ""
        return f"foreign key ({listed(self.columns)}) references {self.sql}{remote}{actions}"


@dataclass(slots=True)
class Definition:
    """All that DDL says of one table. ``columns``, ``constraints`` and ``indexes`` are SQL; names are unquoted."""

    name: str
    schema: str | None
    columns: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    enums: list[ColumnType] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        """The name with its schema, unquoted."""
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @property
    def sql(self) -> str:
        """The name with its schema, quoted."""
        return f"{quote(self.schema)}.{quote(self.name)}" if self.schema else quote(self.name)

    @property
    def missing(self) -> str:
        """The SQL condition that there is no such table yet; without a schema, in the one where it would be made."""
        name = literal(self.sql)
        if self.schema is None:
            name = f"quote_ident(current_schema()) || {literal('.' + self.sql)}"
        return f"to_regclass({name}) is null"


def listed(names: Iterable[str]) -> str:
    """Names as a quoted list."""
    return ", ".join(map(quote, names))


# From Models to definitions ------------------------------------------------------------------------------------------


def definitions(models: Sequence[Any]) -> list[Definition]:
    """The tables of Models and those between them, each behind those that it references where that can be.

    Raises UsageError without a Model, and ModelError for what can't be a table.
    """
    if not models:
        raise UsageError("name the Models whose tables are meant: create_tables(Author, Book)")
    tables = list(dict.fromkeys(table_of(model) for model in models))
    names: dict[tuple[str | None, str], Table] = {}
    for table in tables:
        other = names.setdefault((table.schema, str(table.name)), table)
        if other is not table:
            both = f"{other.model.__qualname__} and {table.model.__qualname__}"
            raise ModelError(f"{both} are both table {table.full_name}: create it by one of them")
    found = [_define(table, tables) for table in tables]
    found += _between(tables)
    return _sorted(found)


def _define(table: Table, tables: list[Table]) -> Definition:
    made = Definition(str(table.name), table.schema)
    for one in table.fields.values():
        kind = type_of(one)
        made.columns.append(_column(one, kind))
        if kind.enum is not None:
            made.enums.append(kind)
        if one.index:
            made.indexes.append(_index_of(one))
    if table.primary_key:
        made.constraints.append(f"primary key ({listed(one.column for one in table.primary_key)})")
    made.constraints += [f"unique ({listed(columns)})" for columns in uniques(table)]
    made.constraints += [f"check ({condition})" for condition in _texts(table, "checks")]
    made.foreign_keys = foreign_keys(table, tables)
    made.indexes += [_index(table, one) for one in table.options.get("indexes", ())]
    return made


def _column(one: Field, kind: ColumnType) -> str:
    parts = [quote(one.column), kind.sql]
    if one.computed is not None:
        parts.append(f"generated always as ({one.computed}) stored")
    elif one.generated:
        parts.append(f"generated {'always' if one.generated == 'always' else 'by default'} as identity")
    elif one.server_default is not None:
        parts.append(f"default ({one.server_default})")
    elif one.version:
        parts.append("default 1")
    if not one.nullable and not one.primary_key:
        parts.append("not null")
    if one.unique:
        parts.append("unique")
    conditions = [one.check, kind.check(quote(one.column))]
    parts += [f"check ({condition})" for condition in conditions if condition is not None]
    return " ".join(parts)


def _index_of(one: Field) -> str:
    if one.index is True:
        return f"({quote(one.column)})"
    if not isinstance(one.index, str) or not _METHOD.fullmatch(one.index):
        raise ModelError(f"{one!r}: index= is True or a method, as 'gin', not {one.index!r}")
    return f"using {one.index} ({quote(one.column)})"


def _index(table: Table, spec: Any) -> str:
    if not isinstance(spec, str) or spec in table.fields:
        return f"({listed(columns_of(table, 'indexes', spec))})"
    if "(" not in spec:
        columns_of(table, "indexes", spec)  # raises: it is no field
    return spec


def uniques(table: Table) -> list[tuple[str, ...]]:
    """The columns that are unique together by the class's keyword."""
    specs = table.options.get("unique", ())
    return [columns_of(table, "unique", spec) for spec in ((specs,) if isinstance(specs, str) else specs)]


def columns_of(table: Table, keyword: str, names: Any) -> tuple[str, ...]:
    """The columns of fields that a keyword of the class names."""
    found = []
    for name in (names,) if isinstance(names, str) else names:
        if name not in table.fields and name not in table.columns:
            near = get_close_matches(str(name), table.fields, 1)
            hint = f": perhaps {near[0]!r}" if near else ""
            raise ModelError(f"{table.model.__qualname__}: {keyword}= names {name!r}, which is no field{hint}")
        found.append(table.fields[name].column if name in table.fields else name)
    return tuple(found)


def _texts(table: Table, keyword: str) -> list[str]:
    specs = table.options.get(keyword, ())
    return [specs] if isinstance(specs, str) else list(specs)


# Foreign keys ---------------------------------------------------------------------------------------------------------


def foreign_keys(table: Table, tables: Sequence[Table]) -> list[ForeignKey]:
    """The foreign keys of a table, by its fields' references= and the class's foreign_keys=.

    Fields that reference different columns of one table are one key together, unless such a column is a key alone.
    """
    groups: dict[Any, list[tuple[Field, str]]] = {}
    for one in table.fields.values():
        if one.references is None:
            continue
        name, _, column = one.references.rpartition(".")
        target = _named(name, table, tables)
        if target is not None and column not in target.columns:
            near = get_close_matches(column, target.columns, 1)
            hint = f": perhaps {f'{name}.{near[0]}'!r}" if near else ""
            raise ModelError(f"{one!r} references {one.references!r}, which is no column of {target!r}{hint}")
        groups.setdefault((name, one.name) if _alone(target, column) else (name,), []).append((one, column))
    found = [key for (name, *_), group in groups.items() for key in _keys(table, tables, name, group)]
    return found + [_written(table, text, tables) for text in _texts(table, "foreign_keys")]


def _named(name: str, near: Table, tables: Sequence[Table]) -> Table | None:
    """The table among those given that a reference means: by its full name, or in the schema of who refers to it."""
    for key in (name, f"{near.schema}.{name}"):
        for table in (near, *tables):
            if table.full_name == key:
                return table
    return next((table for table in tables if table.name == name), None)


def _alone(target: Table | None, column: str) -> bool:
    """Whether a column can be referenced by itself."""
    if target is None:
        return False
    key = [one.column for one in target.primary_key]
    return target.columns[column].unique or key == [column] or (column,) in uniques(target)


def _keys(table: Table, tables: Sequence[Table], name: str, group: list[tuple[Field, str]]) -> list[ForeignKey]:
    remote = [column for _, column in group]
    sql = _quoted(name, table, tables)
    plain = name.rpartition(".")[2]
    if len(set(remote)) == 1:  # each references the same column: a key each
        return [ForeignKey((one.column,), plain, sql, (column,), _actions([one])) for one, column in group]
    if len(set(remote)) < len(remote):
        fields = ", ".join(repr(one) for one, _ in group)
        raise ModelError(
            f"{fields} reference {name} more than once: say which belong together by the class's"
            f' foreign_keys=["(a, b) references {name} (a, b)", ...], in place of references='
        )
    fields_ = [one for one, _ in group]
    return [ForeignKey(tuple(one.column for one in fields_), plain, sql, tuple(remote), _actions(fields_))]


def _quoted(name: str, near: Table, tables: Sequence[Table]) -> str:
    target = _named(name, near, tables)
    if target is not None:
        return target.sql
    return ".".join(quote(part) for part in name.split(".", 1))


def _actions(fields: list[Field]) -> str:
    """ON DELETE and ON UPDATE of a key; it is enough that one of its fields says so."""
    parts = []
    for event in ("delete", "update"):
        said = {action for one in fields if (action := getattr(one, f"on_{event}")) is not None}
        if len(said) > 1:
            raise ModelError(f"{fields[0]!r}: the fields of one foreign key differ in on_{event}=")
        parts += [f"on {event} {action}" for action in said]
    return " ".join(parts)


def _written(table: Table, text: str, tables: Sequence[Table]) -> ForeignKey:
    match = _FOREIGN_KEY.fullmatch(text)
    if match is None:
        raise ModelError(
            f"{table.model.__qualname__}: foreign_keys= has {text!r}, which is not of the form"
            " '(a, b) references other (a, b) on delete cascade'"
        )
    name = match["table"].replace('"', "")
    columns = columns_of(table, "foreign_keys", _names(match["columns"]))
    sql = _quoted(name, table, tables)
    return ForeignKey(columns, name.rpartition(".")[2], sql, _names(match["remote"] or ""), match["actions"].strip())


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip().strip('"') for name in text.split(",") if name.strip())


# Tables of many-to-many relations that have no Model ------------------------------------------------------------------


def _between(tables: list[Table]) -> list[Definition]:
    found: dict[tuple[str | None, str], Definition] = {}
    for table in tables:
        for relation in table.relations.values():
            if relation._through is None or getattr(relation._through, "__table__", None) is not None:
                continue
            join = relation.join
            through = join.through
            assert through is not None
            key = (through.schema, through.table)
            if any((one.schema, one.name) == key for one in tables):
                continue
            made = Definition(through.table, through.schema)
            if set(through.local) & set(through.remote):
                raise ModelError(
                    f"{relation!r}: both sides of {made.full_name} are by {through.local}: name through_keys="
                )
            for columns, fields in ((through.local, join.local), (through.remote, join.remote)):
                target = fields[0].model.__table__
                made.columns += [
                    f"{quote(column)} {type_of(one).sql} not null" for column, one in zip(columns, fields, strict=True)
                ]
                made.foreign_keys.append(
                    ForeignKey(columns, str(target.name), target.sql, tuple(one.column for one in fields), _GONE)
                )
            made.constraints.append(f"primary key ({listed(through.local + through.remote)})")
            made.indexes.append(f"({listed(through.remote)})")  # the primary key's index begins with the other side
            other = found.setdefault(key, made)
            if set(other.columns) != set(made.columns):
                raise ModelError(
                    f"{relation!r}: another relation through {made.full_name} has {_shown(other)}, this one"
                    f" {_shown(made)}: name the same columns by through_keys="
                )
    return list(found.values())


_GONE = "on delete cascade"


def _shown(made: Definition) -> str:
    return " and ".join(column.partition(" ")[0] for column in made.columns)


# Order ----------------------------------------------------------------------------------------------------------------


def _sorted(found: list[Definition]) -> list[Definition]:
    """Each behind those it references; where they reference each other in a circle, one of them is first anyway."""
    by_name = {one.sql: one for one in found}
    done: dict[str, Definition] = {}
    begun: set[str] = set()

    def visit(one: Definition) -> None:
        if one.sql in begun:
            return
        begun.add(one.sql)
        for key in one.foreign_keys:
            if key.sql in by_name:
                visit(by_name[key.sql])
        done[one.sql] = one

    for one in found:
        visit(one)
    return list(done.values())
