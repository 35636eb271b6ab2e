"""The codecs of all built-in scalar types, made with the options of one Database.

A type without a codec of its own here (aclitem, tsvector, pg_mcv_list ...) travels as the server's text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from stretto.codecs.base import Codec
from stretto.codecs.bits import Bits
from stretto.codecs.geometric import CircleCodec, LineCodec, PathCodec, PointCodec, PolygonCodec, TwoPoints
from stretto.codecs.jsonb import Json, Jsonb
from stretto.codecs.network import Cidr, Inet, MacAddress
from stretto.codecs.numeric import Bool, Float4, Float8, Int2, Int4, Int8, Numeric
from stretto.codecs.oids import OID_OF
from stretto.codecs.system import Lsn, Reg, SnapshotCodec, Tid, UInt4, UInt8, Void
from stretto.codecs.temporal import Date, IntervalCodec, Time, Timestamp, Timestamptz, Timetz
from stretto.codecs.text import Bytea, Char, Text, TextCodec, VersionedText
from stretto.codecs.uuids import Uuid
from stretto.codecs.values import Box, LineSegment

# Those that need nothing but their name and OID.
_CLASSES: dict[type[Codec], str] = {
    Bool: "bool",
    Int2: "int2",
    Int4: "int4",
    Int8: "int8 money",
    Float4: "float4",
    Float8: "float8",
    Numeric: "numeric",
    UInt4: "oid xid cid",
    Reg: "regproc regprocedure regoper regoperator regclass regtype regrole regnamespace regconfig regdictionary "
    "regcollation",
    UInt8: "xid8",
    Tid: "tid",
    Lsn: "pg_lsn",
    SnapshotCodec: "pg_snapshot txid_snapshot",
    Void: "void",
    Text: "text varchar bpchar name xml refcursor unknown cstring",
    VersionedText: "jsonpath",
    Char: "char",
    Bytea: "bytea",
    Uuid: "uuid",
    Time: "time",
    Timetz: "timetz",
    Inet: "inet",
    Cidr: "cidr",
    Bits: "bit varbit",
    PointCodec: "point",
    LineCodec: "line",
    PathCodec: "path",
    PolygonCodec: "polygon",
    CircleCodec: "circle",
    TextCodec: "aclitem tsvector tsquery gtsvector pg_node_tree pg_ndistinct pg_dependencies pg_mcv_list "
    "pg_brin_bloom_summary pg_brin_minmax_multi_summary",
}


def scalar_codecs(
    *,
    dumps: Callable[[Any], str | bytes] | None = None,
    loads: Callable[[str], Any] | None = None,
    infinity: Literal["error", "sentinel"] = "error",
    intervals: Literal["timedelta", "interval"] = "timedelta",
) -> list[Codec]:
    """Make a codec for each built-in scalar type, with its name and OID.

    ``dumps`` and ``loads`` write and read json and jsonb. ``infinity`` says what an infinite date, timestamp or
    interval decodes to: a DecodeError, or the sentinels of ``values``. ``intervals="interval"`` decodes every interval
    to ``values.Interval``. ValueError for another word.
    """
    codecs: list[Codec] = [cls(name, OID_OF[name]) for cls, names in _CLASSES.items() for name in names.split()]
    codecs += [cls(name, OID_OF[name], dumps=dumps, loads=loads) for cls, name in ((Json, "json"), (Jsonb, "jsonb"))]
    codecs += [
        cls(name, OID_OF[name], infinity=infinity)
        for cls, name in ((Date, "date"), (Timestamp, "timestamp"), (Timestamptz, "timestamptz"))
    ]
    codecs += [
        IntervalCodec("interval", OID_OF["interval"], infinity=infinity, intervals=intervals),
        TwoPoints("lseg", OID_OF["lseg"], cls=LineSegment),
        TwoPoints("box", OID_OF["box"], cls=Box),
        MacAddress("macaddr", OID_OF["macaddr"], size=6),
        MacAddress("macaddr8", OID_OF["macaddr8"], size=8),
    ]
    return codecs


def extension_codecs() -> list[Codec]:
    """Make codecs for scalar types of well-known extensions; they have a name and, until looked up, no OID."""
    return [Text("citext"), *(VersionedText(name) for name in ("ltree", "lquery", "ltxtquery"))]
