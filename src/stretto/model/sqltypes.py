"""SQL types of annotations: what a field's column is in the database where ``field(type=...)`` does not say it.

One rule for each class, the widest type where there are several: an int is a ``bigint``, keys included, so that no
counter ends at two billion and a reference has the type of its key. An Enum and a Literal are ``text`` or ``bigint``
with a CHECK: their members change with the code, and a CHECK can be replaced in a transaction, while an enum type can
never lose a label. Who wants an enum type names it: ``field(type="mood")``. Structured data is ``jsonb``.
"""

from __future__ import annotations

import enum
import functools
import re
import typing
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from types import UnionType
from typing import Any

from stretto.codecs import values
from stretto.codecs.custom import canonical
from stretto.codecs.oids import OID_OF
from stretto.codecs.ranges import Range
from stretto.errors import ModelError
from stretto.model.fields import Field
from stretto.model.shapes import bare

SCALARS: dict[Any, str] = {
    bool: "boolean",
    int: "bigint",
    float: "double precision",
    Decimal: "numeric",
    str: "text",
    bytes: "bytea",
    datetime: "timestamptz",
    date: "date",
    time: "time",
    timedelta: "interval",
    values.Interval: "interval",
    uuid.UUID: "uuid",
    **dict.fromkeys((IPv4Address, IPv6Address, IPv4Interface, IPv6Interface), "inet"),
    **dict.fromkeys((IPv4Network, IPv6Network), "cidr"),
    values.BitString: "varbit",
    values.Point: "point",
    values.Line: "line",
    values.LineSegment: "lseg",
    values.Box: "box",
    values.Circle: "circle",
    values.Path: "path",
    values.Polygon: "polygon",
}
RANGES: dict[Any, str] = {int: "int8range", Decimal: "numrange", date: "daterange", datetime: "tstzrange"}
LISTS = (list, Sequence, Collection, Iterable)
_SPELLINGS = {"serial", "bigserial", "smallserial", "decimal", "float", "nchar", "national character"}


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The type of a column: its ``sql``, and the only ``values`` that it may have (() for any).

    ``array``: it is the items of an array that may have no others. ``enum``: the type is an enum type of this name.
    """

    sql: str
    values: tuple[Any, ...] = ()
    array: bool = False
    enum: str | None = None

    def check(self, column: str) -> str | None:
        """The condition that a quoted column has one of the values; None where there is nothing to say."""
        if not self.values or self.enum is not None:
            return None
        listed = ", ".join(map(literal, self.values))
        return f"{column} <@ array[{listed}]" if self.array else f"{column} in ({listed})"


def literal(value: Any) -> str:
    """Write a str, int or bool of a class definition into DDL."""
    if not isinstance(value, str):
        return str(value).lower()
    quoted = "'" + value.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in value else quoted


def type_of(field: Field) -> ColumnType:
    """The type of a field's column. Raises ModelError for an annotation that has none."""
    if field.type is not None:
        return _given(field.type, field.annotation)
    try:
        found = _type(field.annotation)
    except _NoType as problem:
        raise ModelError(f"{field!r}: {problem}") from None
    if field.generated and found.sql != "bigint":
        hint = ": for a uuid write field(server_default='gen_random_uuid()')" if found.sql == "uuid" else ""
        raise ModelError(f"{field!r}: generated= is for an int, not for {found.sql}{hint}")
    return found


class _NoType(Exception):  # noqa: N818  # the message of a ModelError to be
    pass


def _given(sql: str, annotation: Any) -> ColumnType:
    """A type that field() names: that of an Enum may be an enum type of its own."""
    allowed = values_of(item_of(annotation))
    base = re.sub(r"\s*(\[\d*\]\s*)+$", "", sql.strip())
    array = base != sql.strip()
    name = base.partition("(")[0].strip()
    known = canonical(name) in OID_OF or name.lower() in _SPELLINGS or name.lower().startswith("pg_catalog.")
    own = base if allowed and not known and all(isinstance(value, str) for value in allowed) else None
    return ColumnType(sql, allowed, array, own)


def item_of(annotation: Any) -> Any:
    """What a list is of, or the annotation itself."""
    annotation = bare(annotation)
    while typing.get_origin(annotation) in LISTS:
        annotation = bare(typing.get_args(annotation)[0])
    return annotation


def _type(annotation: Any) -> ColumnType:
    annotation = bare(annotation)
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, UnionType):
        return _alike(annotation)
    if annotation in SCALARS:
        return ColumnType(SCALARS[annotation])
    if is_choice(annotation):
        return _choice(annotation)
    if annotation in LISTS or origin in LISTS:
        return _list(annotation)
    if origin is Range or annotation is Range:
        return ColumnType(_range(annotation))
    if is_json(annotation):
        return ColumnType("jsonb")
    if getattr(annotation, "__table__", None) is not None:
        raise _NoType(f"{title(annotation)} is a Model and no column: write = relation(...) for a relation to it")
    raise _NoType(f"no SQL type is known for {title(annotation)}: give it field(type=...)")


def _alike(annotation: Any) -> ColumnType:
    """A union of classes that are one type in the database, as IPv4Address | IPv6Address."""
    found = {_type(one) for one in typing.get_args(annotation) if one is not type(None)}
    if len(found) != 1:
        types = ", ".join(sorted(one.sql for one in found))
        raise _NoType(f"{title(annotation)} could be {types}: give it field(type=...)")
    return found.pop()


def _list(annotation: Any) -> ColumnType:
    """An array, where the items have a type of their own; a list of anything else is JSON."""
    arguments = typing.get_args(annotation)
    if not arguments or arguments[0] in (Any, object):
        return ColumnType("jsonb")
    item = _type(arguments[0])
    if item.sql == "jsonb":
        return item
    sql = item.sql if item.sql.endswith("[]") else f"{item.sql}[]"  # an array of any depth has one type
    return ColumnType(sql, item.values, True)


def _range(annotation: Any) -> str:
    (bound,) = typing.get_args(annotation) or (None,)
    if bare(bound) not in RANGES:
        known = ", ".join(f"Range[{one.__name__}]" for one in RANGES)
        raise _NoType(f"{title(annotation)} could be many types: write {known}, or give it field(type=...)")
    return RANGES[bare(bound)]


def _choice(annotation: Any) -> ColumnType:
    if isinstance(annotation, enum.EnumMeta) and issubclass(annotation, enum.Flag):
        return ColumnType("bigint")
    allowed = values_of(annotation)
    classes = {type(value) for value in allowed}
    for cls in (str, int, bool):
        if classes and all(issubclass(one, cls) and (one is not bool or cls is bool) for one in classes):
            return ColumnType(SCALARS[cls], () if cls is bool else allowed)
    raise _NoType(f"the values of {title(annotation)} are neither all str nor all int: give it field(type=...)")


def is_choice(annotation: Any) -> bool:
    """Whether an annotation names its values: an Enum or a Literal."""
    return isinstance(annotation, enum.EnumMeta) or typing.get_origin(annotation) is typing.Literal


def values_of(annotation: Any) -> tuple[Any, ...]:
    """The values of an Enum or a Literal; () of any other annotation, and of a Flag, whose values can be combined."""
    if not is_choice(annotation):
        return ()
    if isinstance(annotation, enum.EnumMeta):
        flags = issubclass(annotation, enum.Flag)
        members: list[Any] = [] if flags else list(annotation.__members__.values())
    else:
        members = [one for one in typing.get_args(annotation) if one is not None]
    return tuple(one.value if isinstance(one, enum.Enum) else one for one in members)


@functools.cache
def is_json(annotation: Any) -> bool:
    """Whether a column of it is JSON: a dict, TypedDict, dataclass, or class of attrs, msgspec or pydantic."""
    cls = typing.get_origin(annotation) or annotation
    if not isinstance(cls, type) or getattr(cls, "__table__", None) is not None:
        return False
    marks = ("__attrs_attrs__", "__struct_fields__", "__pydantic_fields__")
    return issubclass(cls, dict) or cls is Mapping or is_dataclass(cls) or any(hasattr(cls, mark) for mark in marks)


def title(annotation: Any) -> str:
    """An annotation in words."""
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
