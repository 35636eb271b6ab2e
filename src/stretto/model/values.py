"""Values of fields: what a codec takes for them, which of them can't change in place, and JSON read into classes.

A field whose annotation is a class, and whose column is json, is *typed JSON*: it is written by its fields (see
``codecs.jsonb``) and read back into the class here, with what is inside of it.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import math
import typing
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any

from stretto.codecs.makers import KeywordMaker, Maker, shown
from stretto.codecs.ranges import Range
from stretto.errors import DecodeError
from stretto.model.shapes import Shape, bare, shape_of

Converter = Callable[[Any], Any]

_PLAIN = frozenset({int, str, bool, bytes, float, date, datetime, time, timedelta, uuid.UUID, type(None)})
FIXED = _PLAIN | {Decimal, complex}
_BESIDE: dict[Any, Callable[[Any], Any]] = {  # what == does not see of these, and the server does
    datetime: attrgetter("fold"),
    time: attrgetter("fold", "tzinfo"),
    float: partial(math.copysign, 1.0),
}
_LISTS: dict[Any, Callable[[Any], Any]] = {
    **dict.fromkeys((list, Sequence, Collection, Iterable), list),
    set: set,
    frozenset: frozenset,
}
_PARSED: dict[Any, Converter] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
    uuid.UUID: uuid.UUID,
    Decimal: Decimal,
}


# Writing --------------------------------------------------------------------------------------------------------------


def is_same(now: Any, then: Any) -> bool:
    """Whether two values are written alike; False in any doubt, as for 1 and True, or Decimals of another scale."""
    kind = type(now)
    if kind is not type(then) or kind not in _PLAIN or now != then:
        return False
    beside = _BESIDE.get(kind)
    return beside is None or bool(beside(now) == beside(then))


def is_fixed(value: Any) -> bool:
    """Whether a value can't have been changed in place; False in any doubt."""
    kind = type(value)
    if kind in FIXED or isinstance(value, enum.Enum):
        return True
    if isinstance(value, tuple):
        return all(map(is_fixed, value))
    if kind.__module__ == "ipaddress":
        return True
    if kind is Range:
        return is_fixed(value.lower) and is_fixed(value.upper)
    parameters = getattr(kind, "__dataclass_params__", None)
    return bool(parameters and parameters.frozen) and all(
        is_fixed(getattr(value, one.name, None)) for one in dataclasses.fields(value)
    )


def writer_of_values(annotation: Any) -> Converter | None:
    """What makes a field's values ready for the codec of whatever column: members of Enums become their values."""
    annotation = bare(annotation)
    origin = typing.get_origin(annotation) or annotation
    if _is_enum(origin):
        return _value_of
    if origin in _LISTS and typing.get_args(annotation):
        inner = writer_of_values(typing.get_args(annotation)[0])
        if inner is not None:
            return lambda values: [None if value is None else inner(value) for value in values]
    return None


def _value_of(member: Any) -> Any:
    return member.value if isinstance(member, enum.Enum) else member


def needs_reading(annotation: Any) -> bool:
    """Whether values of this annotation may be others than those that the codec makes."""
    annotation = bare(annotation)
    return annotation not in FIXED and annotation is not Any and annotation is not object


# Typed JSON -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def reader_of(annotation: Any) -> Converter | None:
    """What makes a value of this annotation from parsed JSON; None where it is that already.

    Keys that a class does not know are passed over, as documents grow. The Converter raises DecodeError for a value
    that is not what it must be; it says where, and never shows the value.
    """
    annotation = bare(annotation)
    origin = typing.get_origin(annotation) or annotation
    arguments = typing.get_args(annotation)
    if origin in _PARSED or _is_enum(origin):
        return _parser(origin)
    if origin in _LISTS:
        return _list_reader(reader_of(arguments[0]) if arguments else None)
    if origin is tuple:
        return tuple
    if origin is dict or origin is Mapping:
        inner = reader_of(arguments[1]) if arguments else None
        return None if inner is None else lambda value: {key: _read(inner, one) for key, one in value.items()}
    if not isinstance(origin, type) or origin in FIXED or origin is object or origin is Any:
        return None
    shape = shape_of(origin)
    return None if shape is None else _Reader(shape)


def _read(reader: Converter, value: Any) -> Any:
    return None if value is None else reader(value)


def _parser(cls: Any) -> Converter:
    def parse(value: Any) -> Any:
        if isinstance(value, cls):
            return value  # the codec's own function made it
        try:
            return cls(value) if cls not in _PARSED else _PARSED[cls](value)
        except (ValueError, TypeError, ArithmeticError):
            raise DecodeError(f"the JSON has a value ({type(value).__name__}) that is no {cls.__qualname__}") from None

    return parse


def _list_reader(inner: Converter | None) -> Converter | None:
    if inner is None:
        return None

    def read(value: Any) -> Any:
        if not isinstance(value, list):
            raise DecodeError(f"the JSON has a value ({type(value).__name__}) where a list must be")
        return [_read(inner, one) for one in value]

    return read


class _Reader:
    """Objects of a class from JSON objects."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.title = shape.cls.__qualname__
        self.parameters = _parameters(shape.cls)
        self.known = {field.name: field for field in shape.fields}
        for one in shape.fields:
            for alias in one.also:
                self.known.setdefault(alias, one)
        self.makers: dict[tuple[str, ...], tuple[Maker, list[tuple[str, Converter | None]]]] = {}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, self.shape.cls) and not isinstance(value, dict):
            return value  # the codec's own function made it
        if not isinstance(value, dict):
            raise DecodeError(f"the JSON has a value ({type(value).__name__}) where the fields of {self.title} must be")
        keys = tuple(value) if self.shape.open else tuple([key for key in value if key in self.known])
        plan = self.makers.get(keys)
        if plan is None:
            plan = self.plan(keys)
            if len(self.makers) < 256:
                self.makers[keys] = plan
        maker, parts = plan
        return maker.make([value[key] if read is None else _read(read, value[key]) for key, read in parts])

    def plan(self, keys: tuple[str, ...]) -> tuple[Maker, list[tuple[str, Converter | None]]]:
        """The maker for an object with these keys; where some are left to their defaults, the class is called."""
        fields = {self.known[key].name: key for key in keys if key in self.known}
        absent = [one.name for one in self.shape.fields if one.required and one.name not in fields]
        missing = [name for name in absent if self.parameters.get(name, True)]
        if missing:
            raise DecodeError(f"the JSON of a {self.title} lacks {shown(missing)}")
        if self.shape.ordered:
            fields = {one.name: fields[one.name] for one in self.shape.fields if one.name in fields}
        extra = [key for key in keys if key not in self.known]
        parts = [(key, reader_of(self.known[key].annotation)) for key in fields.values()]
        names = [*fields, *extra]
        called = bool(absent) and not hasattr(self.shape.cls, "__pydantic_fields__")
        maker = KeywordMaker(self.shape.cls, names) if called else self.shape.build(names)
        return maker, parts + [(key, None) for key in extra]


def _parameters(cls: Any) -> dict[str, bool]:
    """The parameters of a class, and whether each must be given; none where that is not to be told."""
    try:
        found = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {one.name: one.default is inspect.Parameter.empty for one in found}


def _is_enum(cls: Any) -> bool:
    return isinstance(cls, enum.EnumMeta)
