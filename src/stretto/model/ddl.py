"""The statements that create and drop the tables of Models.

Each is one (a DO block), so that it is all or nothing in one round trip, also inside a transaction. What is there
already is left as it is, its indexes and constraints too. Constraints and indexes get no names here: PostgreSQL names
them, by its own rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stretto.errors import ModelError
from stretto.model.schema import Definition, ForeignKey, definitions
from stretto.model.sqltypes import ColumnType, literal
from stretto.model.table import quote

LOCK = int.from_bytes(b"stretto")  # whoever creates tables waits for others who do: CREATE TABLE races with itself


def create_sql(models: Sequence[Any]) -> str:
    """The statement that creates the tables of Models that are not there, with their schemas and enum types."""
    made = definitions(models)
    begins, ends = [f"perform pg_advisory_xact_lock({LOCK});"], []
    schemas = dict.fromkeys(quote(one.schema) for one in made if one.schema is not None)
    begins += [_unless(f"to_regnamespace({literal(schema)})", f"create schema {schema};") for schema in schemas]
    enums: dict[str, ColumnType] = {}
    for kind in (kind for one in made for kind in one.enums):
        name = str(kind.enum)
        if enums.setdefault(name, kind).values != kind.values:
            raise ModelError(f"two fields have the enum type {name}, and their annotations differ in their values")
    for name, kind in enums.items():
        labels = ", ".join(map(literal, kind.values))
        begins.append(_unless(f"to_regtype({literal(name)})", f"create type {name} as enum ({labels});"))
    order = {one.sql: place for place, one in enumerate(made)}
    for place, one in enumerate(made):
        late = [key for key in one.foreign_keys if order.get(key.sql, -1) > place]
        begins.append(f"new_{place} := {one.missing};\n{_if(f'new_{place}', _table(one, late))}")
        if late:
            alter = "\n".join(f"alter table {one.sql} add {key};" for key in late)
            ends.append(_if(f"new_{place}", alter))
    declared = " ".join(f"new_{place} boolean;" for place in range(len(made)))
    return _block(f"declare {declared}\n", [*begins, *ends])


def _table(one: Definition, late: list[ForeignKey]) -> str:
    keys = [str(key) for key in one.foreign_keys if key not in late]
    body = ",\n  ".join([*one.columns, *one.constraints, *keys])
    statements = [f"create table {one.sql} (\n  {body}\n);" if body else f"create table {one.sql} ();"]
    for index in one.indexes:
        unique, rest = ("unique ", index[7:]) if index[:7].lower() == "unique " else ("", index)
        statements.append(f"create {unique}index on {one.sql} {rest};")
    return "\n".join(statements)


def drop_sql(models: Sequence[Any]) -> str:
    """The statement that drops the tables of Models that are there, and their enum types unless others use them.

    Tables that reference each other are dropped together. Those of others that reference them make it fail.
    """
    made = definitions(models)
    parts = [f"drop table if exists {', '.join(one.sql for one in reversed(made))};"]
    for name in dict.fromkeys(str(kind.enum) for one in made for kind in one.enums):
        drop = f"begin\n  drop type {name};\nexception when dependent_objects_still_exist then null;\nend;"
        parts.append(_if(f"exists (select from pg_enum where enumtypid = to_regtype({literal(name)}))", drop))
    return _block("", parts)


def _unless(found: str, statement: str) -> str:
    return _if(f"{found} is null", statement)


def _if(condition: str, statements: str) -> str:
    return f"if {condition} then\n{statements}\nend if;"


def _block(declare: str, parts: list[str]) -> str:
    body = "\n".join(parts)  # not indented: there may be literals of several lines in it
    tag = "$stretto$"
    while tag in body:
        tag = f"{tag[:-1]}_$"
    return f"do {tag}\n{declare}begin\n{body}\nend {tag}"
