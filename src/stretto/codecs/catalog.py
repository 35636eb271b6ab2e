"""What the catalogue says of types: the query, the rows, and what each type is made of.

One statement asks for many types at once and never recurses: the flow asks again for what the answers mention, level by
level. It gives a row for every OID it is asked for, so that an OID which is no type (any more) is an answer too.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

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


# The arrays, ranges and multiranges that every server has under the same OIDs: name, kind, OID, OID of the element.
_BUILTIN_CONTAINERS = """
    int2vector b 22 21, oidvector b 30 26, _xml b 143 142, _json b 199 114, _xid8 b 271 5069, _line b 629 628,
    _cidr b 651 650, _circle b 719 718, _macaddr8 b 775 774, _money b 791 790, _bool b 1000 16, _bytea b 1001 17,
    _char b 1002 18, _name b 1003 19, _int2 b 1005 21, _int2vector b 1006 22, _int4 b 1007 23, _regproc b 1008 24,
    _text b 1009 25, _tid b 1010 27, _xid b 1011 28, _cid b 1012 29, _oidvector b 1013 30, _bpchar b 1014 1042,
    _varchar b 1015 1043, _int8 b 1016 20, _point b 1017 600, _lseg b 1018 601, _path b 1019 602, _box b 1020 603,
    _float4 b 1021 700, _float8 b 1022 701, _polygon b 1027 604, _oid b 1028 26, _aclitem b 1034 1033,
    _macaddr b 1040 829, _inet b 1041 869, _timestamp b 1115 1114, _date b 1182 1082, _time b 1183 1083,
    _timestamptz b 1185 1184, _interval b 1187 1186, _numeric b 1231 1700, _cstring b 1263 2275, _timetz b 1270 1266,
    _bit b 1561 1560, _varbit b 1563 1562, _refcursor b 2201 1790, _regprocedure b 2207 2202, _regoper b 2208 2203,
    _regoperator b 2209 2204, _regclass b 2210 2205, _regtype b 2211 2206, _txid_snapshot b 2949 2970,
    _uuid b 2951 2950, _pg_lsn b 3221 3220, _tsvector b 3643 3614, _gtsvector b 3644 3642, _tsquery b 3645 3615,
    _regconfig b 3735 3734, _regdictionary b 3770 3769, _jsonb b 3807 3802, int4range r 3904 23,
    _int4range b 3905 3904, numrange r 3906 1700, _numrange b 3907 3906, tsrange r 3908 1114, _tsrange b 3909 3908,
    tstzrange r 3910 1184, _tstzrange b 3911 3910, daterange r 3912 1082, _daterange b 3913 3912, int8range r 3926 20,
    _int8range b 3927 3926, _jsonpath b 4073 4072, _regnamespace b 4090 4089, _regrole b 4097 4096,
    _regcollation b 4192 4191, int4multirange m 4451 3904, nummultirange m 4532 3906, tsmultirange m 4533 3908,
    tstzmultirange m 4534 3910, datemultirange m 4535 3912, int8multirange m 4536 3926, _pg_snapshot b 5039 5038,
    _int4multirange b 6150 4451, _nummultirange b 6151 4532, _tsmultirange b 6152 4533, _tstzmultirange b 6153 4534,
    _datemultirange b 6155 4535, _int8multirange b 6157 4536
"""


@functools.cache
def builtin_containers() -> dict[int, TypeInfo]:
    """Return the built-in types that are made of others, by OID."""
    infos: dict[int, TypeInfo] = {}
    for entry in _BUILTIN_CONTAINERS.split(","):
        name, kind, oid, element = entry.split()
        delimiter = ";" if name == "_box" else ","
        infos[int(oid)] = TypeInfo(int(oid), name, "pg_catalog", kind, True, delimiter, int(element))
    return infos
