"""What the server says of tables: the statements that ask, and their rows."""

from __future__ import annotations

from typing import NamedTuple

# $1 of each is a text[] of quoted names, found as a query would find them. A type is told as it is on the wire: a
# domain by what it is made of, an array by its items.
_ASKED = "from pg_catalog.unnest($1::pg_catalog.text[]) asked (name)"

COLUMNS = f"""
select asked.name as table, a.attname::text as name, pg_catalog.format_type(a.atttypid, a.atttypmod) as declared,
       item.oid, item.typname::text as type, item.typtype::text as kind, item.oid <> base.oid as array,
       a.attnotnull as not_null, a.atthasdef or a.attidentity <> '' as has_default, a.attidentity::text as identity,
       a.attgenerated <> '' as computed,
       array(select e.enumlabel::text from pg_catalog.pg_enum e where e.enumtypid = item.oid
             order by e.enumsortorder) as labels
  {_ASKED}
  join pg_catalog.pg_attribute a on a.attrelid = pg_catalog.to_regclass(asked.name)
   and a.attnum > 0 and not a.attisdropped
  join pg_catalog.pg_type declared on declared.oid = a.atttypid
  join pg_catalog.pg_type base on base.oid = coalesce(nullif(declared.typbasetype, 0), declared.oid)
  join pg_catalog.pg_type item on item.oid =
       case when base.typinput = 'pg_catalog.array_in'::pg_catalog.regproc then base.typelem else base.oid end
 order by a.attnum
"""  # noqa: S608  # made of constants

_NAMES = """array(select a.attname::text from pg_catalog.unnest({keys}) with ordinality k (number, place)
             join pg_catalog.pg_attribute a on a.attrelid = {table} and a.attnum = k.number order by k.place)"""

KEYS = f"""
select asked.name as table, c.contype::text as kind, {_NAMES.format(keys="c.conkey", table="c.conrelid")} as columns,
       f.relname::text as target, pg_catalog.to_regclass(asked.name) = f.oid as itself,
       {_NAMES.format(keys="c.confkey", table="c.confrelid")} as remote,
       c.confdeltype::text as on_delete, c.confupdtype::text as on_update
  {_ASKED}
  join pg_catalog.pg_constraint c on c.conrelid = pg_catalog.to_regclass(asked.name) and c.contype in ('p', 'f')
  left join pg_catalog.pg_class f on f.oid = c.confrelid
"""

INDEXES = f"""
select asked.name as table, i.indisunique and i.indpred is null and i.indexprs is null as unique,
       {_NAMES.format(keys="i.indkey[0:i.indnkeyatts - 1]", table="i.indrelid")} as columns
  {_ASKED}
  join pg_catalog.pg_index i on i.indrelid = pg_catalog.to_regclass(asked.name) and i.indisvalid
"""

TABLES = f"""
select asked.name, c.relkind::text {_ASKED} join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(asked.name)
"""

UNTOLD = "?"


class Column(NamedTuple):
    """A column: ``type`` (pg_type's name, of an array's items), its ``oid``, ``kind`` (typtype) and ``labels`` (enum).

    Where nobody can tell what comes out of it, as it has a codec of the user's, the kind is UNTOLD.
    """

    table: str
    name: str
    declared: str
    oid: int
    type: str
    kind: str
    array: bool
    not_null: bool
    has_default: bool
    identity: str
    computed: bool
    labels: list[str]


class Key(NamedTuple):
    """A primary (``kind`` "p") or foreign key ("f"), by columns in the order in which it was defined."""

    table: str
    kind: str
    columns: list[str]
    target: str | None
    itself: bool | None
    remote: list[str]
    on_delete: str
    on_update: str


class Index(NamedTuple):
    """An index by its columns; expressions in it are left out, and then it is not ``unique`` for us."""

    table: str
    unique: bool
    columns: list[str]


class Live(NamedTuple):
    """All that was found of some tables; ``tables`` are their kinds (relkind) by name."""

    tables: dict[str, str]
    columns: list[Column]
    keys: list[Key]
    indexes: list[Index]
