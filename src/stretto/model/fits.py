"""Whether what a column decodes to is what the annotation of its field says."""

from __future__ import annotations

import typing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import UnionType
from typing import Any

from stretto.codecs.ranges import Range
from stretto.codecs.values import Interval
from stretto.model.live import UNTOLD, Column
from stretto.model.shapes import bare
from stretto.model.sqltypes import LISTS, SCALARS, is_choice, is_json, values_of

# What comes out of each type, by pg_type's name, where a Model could say otherwise.
GIVES: dict[str, tuple[Any, ...]] = {
    "bool": (bool,),
    **dict.fromkeys(("int2", "int4", "int8", "oid", "xid", "cid", "xid8", "money"), (int, float)),
    **dict.fromkeys(("float4", "float8"), (float,)),
    "numeric": (Decimal,),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "char", "xml", "citext", "ltree", "tsvector"), (str,)),
    **dict.fromkeys(("macaddr", "macaddr8", "pg_lsn"), (str,)),
    "date": (date,),
    **dict.fromkeys(("time", "timetz"), (time,)),
    **dict.fromkeys(("timestamp", "timestamptz"), (datetime,)),
    "interval": (timedelta, Interval),
    "hstore": (dict,),
    **{
        name: tuple(cls for cls, sql in SCALARS.items() if sql == name)
        for name in SCALARS.values()
        if name in ("bytea", "uuid", "inet", "cidr", "point", "line", "lseg", "box", "circle", "path", "polygon")
    },
    **dict.fromkeys(("bit", "varbit"), tuple(cls for cls, sql in SCALARS.items() if sql == "varbit")),
}
BOUNDS: dict[str, type] = {
    **dict.fromkeys(("int4range", "int8range", "int4multirange", "int8multirange"), int),
    **dict.fromkeys(("numrange", "nummultirange"), Decimal),
    **dict.fromkeys(("daterange", "datemultirange"), date),
    **dict.fromkeys(("tsrange", "tstzrange", "tsmultirange", "tstzmultirange"), datetime),
}
_JSON = ("json", "jsonb")


def fits(annotation: Any, column: Column) -> bool:
    """Whether the column's values can be what the annotation says; True where that is not known."""
    annotation = bare(annotation)
    origin = typing.get_origin(annotation)
    if annotation in (Any, object) or column.kind in (UNTOLD, "d"):  # "d": an array of a domain
        return True
    if origin in (typing.Union, UnionType):
        return any(fits(one, column) for one in typing.get_args(annotation) if one is not type(None))
    if column.type in _JSON and not column.array:
        return _from_json(annotation, origin)
    if annotation in LISTS or origin in LISTS:
        return _list(annotation, column)
    if column.array:
        return not _known(annotation, origin)
    if is_choice(annotation):
        return all(_gives(type(value), column) for value in values_of(annotation))
    if annotation in SCALARS:
        return _gives(annotation, column)
    if is_json(annotation):
        return column.kind == "c" or dict in GIVES.get(column.type, ())
    if origin is not Range and annotation is not Range:
        return True
    bounds = [bare(one) for one in typing.get_args(annotation)]
    return column.kind == "r" and bounds in ([], [Any], [BOUNDS.get(column.type, Any)])


def _from_json(annotation: Any, origin: Any) -> bool:
    """JSON gives dict, list, str, int, float and bool; what a class is made of is the class's to check."""
    if is_choice(annotation):
        return True
    return annotation in (str, int, float, bool) or not (
        annotation in SCALARS or origin is Range or annotation is Range
    )


def _list(annotation: Any, column: Column) -> bool:
    items = typing.get_args(annotation)
    if column.kind == "m" and not column.array:
        return not items or fits(items[0], column._replace(kind="r"))
    if column.type in ("vector", "halfvec"):
        return True
    if not column.array:
        return column.kind == "b" and column.type not in GIVES
    item = bare(items[0]) if items else Any
    while typing.get_origin(item) in LISTS:  # an array of any depth has one type
        item = bare(typing.get_args(item)[0])
    return fits(item, column._replace(array=False))


def _known(annotation: Any, origin: Any) -> bool:
    return annotation in SCALARS or is_choice(annotation) or origin is Range or annotation is Range


def _gives(cls: type, column: Column) -> bool:
    if column.kind == "e":
        return issubclass(cls, str)
    if column.kind != "b":
        return False
    given = GIVES.get(column.type)
    if given is None or cls in given:
        return True
    return cls is not bool and any(issubclass(cls, one) for one in given if one in (int, str))  # values of IntEnum
