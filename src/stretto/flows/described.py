"""What a server says of a table that is copied to another: the questions, and their answers. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

# In these settings values are read and written the same way on both sides; those of the transaction are kept.
SETTINGS = {
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
}
# Of a table all rows are meant: where a policy would hide some, the server refuses.
WHOLE = {"row_security": "off"}

RELATION = """
select c.oid::int8 as oid, c.relkind::text as kind, pg_catalog.current_setting('server_encoding') as encoding,
       pg_catalog.current_setting('server_version_num')::int4 as version
  from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass($1)
"""
COLUMNS = """
select a.attname::text as name, coalesce(nullif(t.typbasetype, 0), t.oid)::int8 as type, t.typtype = 'e' as enum,
       t.oid < 16384 as builtin, pg_catalog.format_type(a.atttypid, a.atttypmod) as declared, a.attnotnull as required,
       a.attgenerated <> '' as generated, coalesce(a.attnum = any(k.conkey), false) as key
  from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
  left join pg_catalog.pg_constraint k on k.conrelid = a.attrelid and k.contype = 'p'
 where a.attrelid = $1::int8::oid and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
QUERY_COLUMNS = """
select q.name, coalesce(nullif(t.typbasetype, 0), t.oid)::int8 as type, t.typtype = 'e' as enum,
       t.oid < 16384 as builtin, pg_catalog.format_type(t.oid, q.modifier) as declared, false as required,
       false as generated, false as key
  from unnest($1::text[], $2::int8[], $3::int4[]) with ordinality q(name, type, modifier, place)
  join pg_catalog.pg_type t on t.oid = q.type::oid order by q.place
"""
LEAVES = """
with recursive heirs(oid) as (select oid from pg_catalog.pg_class where oid = $1::int8::oid and relkind <> 'p'
                              union select inhrelid from pg_catalog.pg_inherits join heirs on inhparent = heirs.oid)
select n.nspname::text as schema, c.relname::text as name, c.relkind::text as kind,
       case when c.relkind in ('r', 'm') and coalesce(m.amname = 'heap', false)
            then pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8 end as blocks,
       c.relpages::int8 as pages, c.reltuples::float8 as tuples
  from (select relid from pg_catalog.pg_partition_tree($1::int8::oid::regclass) where isleaf
        union select oid from heirs) l
  join pg_catalog.pg_class c on c.oid = l.relid and not pg_catalog.pg_is_other_temp_schema(c.relnamespace)
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_am m on m.oid = c.relam order by 1, 2
"""
SNAPSHOT = "select pg_catalog.pg_export_snapshot()"
XID = "select pg_catalog.txid_current() % 4294967296"


def keep_sql(settings: Iterable[str]) -> str:
    """Ask how they are."""
    return "select " + ", ".join(f"pg_catalog.current_setting('{name}')" for name in settings)


def set_sql(settings: Iterable[str]) -> str:
    """Set them for the transaction, each to an argument."""
    return "select " + ", ".join(f"pg_catalog.set_config('{name}', ${i}, true)" for i, name in enumerate(settings, 1))


class Column(NamedTuple):
    """One column as a server describes it. ``type`` is the base type's oid; ``key``: of the primary key."""

    name: str
    type: int
    enum: bool
    builtin: bool
    declared: str
    required: bool
    generated: bool
    key: bool


class Relation(NamedTuple):
    """A table or view as a server describes it."""

    oid: int
    kind: str
    encoding: str
    version: int


class Leaf(NamedTuple):
    """What holds rows: a table, an heir of it, a partition. ``blocks`` is None where they can't be read by range."""

    schema: str
    name: str
    kind: str
    blocks: int | None
    pages: int
    tuples: float
