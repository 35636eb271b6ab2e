"""What the catalogue says of types: the query, the rows, and what each type is made of.

One statement asks for many types at once and never recurses: the flow asks again for what the answers mention, level by
level. It gives a row for every OID it is asked for, so that an OID which is no type (any more) is an answer too.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from stretto.codecs.oids import TYPES

# $1 is an oid[] (OID 1028). It runs on PostgreSQL 13, whose pg_range has no rngmultitypid: hence to_jsonb.
# Whether a type is a true array is told by its input function: point and name have a typelem too.
QUERY = """
select asked.oid,
       t.typname::text,
       n.nspname::text,
       t.typtype::text,
       t.typsend <> 0 and t.typreceive <> 0,
       t.typdelim::text,
       case when t.typtype = 'd' then t.typbasetype
            when t.typtype = 'r' then (select r.rngsubtype from pg_catalog.pg_range r where r.rngtypid = t.oid)
            when t.typtype = 'm' then (select r.rngtypid from pg_catalog.pg_range r
                                       where pg_catalog.to_jsonb(r) ->> 'rngmultitypid' = t.oid::text)
            when t.typinput = 'pg_catalog.array_in'::pg_catalog.regproc then t.typelem
       end,
       c.names,
       c.oids
  from (select distinct a.oid from pg_catalog.unnest($1::pg_catalog.oid[]) a (oid)) asked
  left join pg_catalog.pg_type t on t.oid = asked.oid
  left join pg_catalog.pg_namespace n on n.oid = t.typnamespace
  left join lateral (
       select pg_catalog.array_agg(a.attname::text order by a.attnum) as names,
              pg_catalog.array_agg(a.atttypid order by a.attnum) as oids
         from pg_catalog.pg_attribute a
        where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) c on true
"""

# Which of the names in $1, a text[], are types'.
NAMES = """
select t.typname::text, n.nspname::text
  from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
 where t.typname = any($1::text[])
"""

PARAMETER = 1028

# The columns of the result: name and type OID.
RESULT = (
    ("oid", 26),
    ("name", 25),
    ("schema", 25),
    ("kind", 25),
    ("binary", 16),
    ("delimiter", 25),
    ("element", 26),
    ("columns", 1009),
    ("column_oids", 1028),
)


class TypeInfo(NamedTuple):
    """A row of the result.

    ``kind`` is pg_type.typtype: b(ase), c(omposite), d(omain), e(num), m(ultirange), p(seudo), r(ange); None for an OID
    that is no type. ``element`` is what the type is made of: an array's elements, a domain's base, a range's bounds, a
    multirange's range; None for other types.
    """

    oid: int
    name: str | None
    schema: str | None
    kind: str | None
    binary: bool | None
    delimiter: str | None = ","
    element: int | None = None
    columns: list[str] | None = None
    column_oids: list[int] | None = None

    @property
    def is_array(self) -> bool:
        return self.kind == "b" and bool(self.element)

    def parts(self) -> tuple[int, ...]:
        """Return the OIDs of the types that the codec of this one needs."""
        if self.kind == "c":
            return tuple(self.column_oids or ())
        return (self.element,) if self.element else ()


@functools.cache
def builtin_containers() -> dict[int, TypeInfo]:
    """Return the built-in types that are made of others, by OID: they are the same on every server."""
    infos: dict[int, TypeInfo] = {}
    for name, oid, array, kind, _, element in TYPES:
        delimiter = ";" if name == "box" else ","
        if element:
            infos[oid] = TypeInfo(oid, name, "pg_catalog", kind, True, delimiter, element)
        if array:
            infos[array] = TypeInfo(array, f"_{name}", "pg_catalog", "b", True, delimiter, oid)
    return infos
