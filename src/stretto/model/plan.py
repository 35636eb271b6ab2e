"""From a target (``into=``) and the columns of a statement to the maker of its objects.

``plan_for(target, columns)`` is the whole door. Columns are pairs of a name, as the server gives it, and a codec.
Three attributes of codecs are looked at: ``name``; a composite's ``names`` and ``codecs``; an array's ``element``.

Columns and fields meet by name, and all of them must: a missing or surplus column is a DecodeError that names every
one of them before the first row is made. Two things are converted on the way, where a field's annotation asks for it:
a composite into a class (or a list of them, for an array) and a value into an Enum. NULL is None wherever it stands.
"""

from __future__ import annotations

import enum
import typing
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, TypeGuard

from stretto.codecs.base import Codec
from stretto.codecs.makers import (
    AnyMaker,
    ArrangedMaker,
    CompositeMaker,
    DictMaker,
    Maker,
    RowMaker,
    ScalarMaker,
    TupleMaker,
    row_class,
    shown,
)
from stretto.codecs.makers import Row as RowBase
from stretto.errors import DecodeError, UsageError
from stretto.model.shapes import Field, Shape, bare, shape_of
from stretto.model.values import reader_of

Columns = tuple[tuple[str, Codec], ...]
Converter = Callable[[Any], Any]

# Classes that are one value, beside those of stretto.codecs (Range ...) and Enums; dict and tuple are whole rows.
_SCALARS = {
    *(int, float, bool, str, bytes, list, Decimal, datetime, date, time, timedelta, uuid.UUID),
    *(IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network),
}
_LISTS = (list, Sequence, Collection, Iterable)
_NAMES_COMPARED = 100


class Typed:
    """A target: Rows (None), tuples or dicts of a query's columns, with the values that a Model's fields would have.

    ``fields``: of each column, None for an expression.
    """

    __slots__ = ("_others", "fields", "target")

    def __init__(self, fields: tuple[Any, ...], target: Any = None) -> None:
        self.fields = fields
        self.target = target
        self._others: dict[Any, Typed] = {}

    def but(self, target: Any) -> Typed:
        """The same for another target, made once: makers are kept by it."""
        return self._others.get(target) or self._others.setdefault(target, Typed(self.fields, target))

    def maker(self, columns: Columns) -> Maker:
        """The maker of these columns; as they came where a raw() is several, as nobody knows which is which."""
        plain = _plan(self.target, columns)
        if len(columns) != len(self.fields):
            return plain
        converters = [
            None if field is None else converter(field.annotation, codec, name)
            for field, (name, codec) in zip(self.fields, columns, strict=True)
        ]
        return _arranged(plain, list(range(len(columns))), converters)


def plan_for(target: Any, columns: Columns) -> Maker:
    """Return the maker of ``target`` (None: Row) for these columns; the same one for the same arguments.

    ``dict`` and ``tuple`` are whole rows, also where the only column is a jsonb or a composite; ``list`` is the value
    of an array. ``list[X]`` and ``tuple[X, Y]`` convert their items as a field of that annotation would.

    Raises DecodeError where the columns do not fit the target and UsageError for a target that can't be one.
    """
    try:
        return _plan(target, columns)
    except TypeError as error:
        if _hashable(target):
            raise
        raise UsageError(f"into={target!r} is not a class") from error


@lru_cache(maxsize=1024)
def _plan(target: Any, columns: Columns) -> Maker:
    if type(target) is Typed:
        return target.maker(columns)
    names = [name for name, _ in columns]
    target = bare(target)
    origin = typing.get_origin(target) or target
    if origin is None or origin is RowBase:
        return RowMaker(row_class(tuple(names)))
    if origin is dict:
        _refuse_twins("dict", names)
        return DictMaker(names)
    if origin is tuple:
        return _tuples(target, columns)
    if origin is Any or origin is object or _is_value(origin) or _is_enum(origin):
        return _scalars(target, origin, columns)
    shape = shape_of(origin)
    if shape is None:
        raise UsageError(
            f"into={_title(target)} is nothing that a row can become: give a Model, dataclass, attrs class, msgspec"
            " Struct, NamedTuple, TypedDict, pydantic model, another class whose __init__ has named parameters (and no"
            " abstract method), dict, tuple or the type of a single value"
        )
    return _objects(shape, columns)


def _tuples(target: Any, columns: Columns) -> Maker:
    """Plain tuples; ``tuple[int, str]`` says how many columns there must be."""
    items = typing.get_args(target)
    if not items:
        return TupleMaker()
    if len(items) == 2 and items[1] is ...:
        items = items[:1] * len(columns)
    if len(items) != len(columns):
        raise DecodeError(
            f"into={target} takes {len(items)} columns, the statement has {len(columns)}: {_listed(columns)}"
        )
    converters = [converter(item, codec, name) for item, (name, codec) in zip(items, columns, strict=True)]
    return _arranged(TupleMaker(), list(range(len(columns))), converters)


def _scalars(target: Any, origin: Any, columns: Columns) -> Maker:
    """The single column's values."""
    if len(columns) != 1:
        raise DecodeError(
            f"into={_title(target)} takes one column, the statement has {len(columns)}: {_listed(columns)};"
            " select one of them, or give into= a class for the whole row"
        )
    name, codec = columns[0]
    if origin is Any or origin is object or _is_enum(origin):
        maker: Maker = AnyMaker()
    else:
        maker = ScalarMaker(origin, name, codec.name)
    return _arranged(maker, [0], [converter(target, codec, name)])


def _objects(shape: Shape, columns: Columns) -> Maker:
    """Objects of a class, from columns or from the attributes of the one composite that the row is."""
    whole = _composite_columns(columns[0][1]) if len(columns) == 1 else None
    if whole is not None:
        fits = not _misfits(shape, [name for name, _ in whole])
        if fits or columns[0][0] not in _taken(shape):
            return CompositeMaker(_inner(lambda: _fitted(shape, whole), *columns[0]))
    return _fitted(shape, columns)


def _fitted(shape: Shape, columns: Columns) -> Maker:
    names = [name for name, _ in columns]
    misfits = _misfits(shape, names)
    if misfits:
        raise DecodeError(misfits)
    taken = _taken(shape)
    _refuse_twins(shape.cls.__qualname__, [taken[name].name if name in taken else name for name in names])
    order = list(range(len(names)))
    if shape.ordered:
        places = {field.name: place for place, field in enumerate(shape.fields)}
        order.sort(key=lambda i: places[taken[names[i]].name])
    fields = [taken.get(names[i], Field(names[i])) for i in order]
    converters = [converter(f.annotation, columns[i][1], names[i]) for f, i in zip(fields, order, strict=True)]
    return _arranged(shape.build([field.name for field in fields]), order, converters)


def _arranged(maker: Maker, order: list[int], converters: list[Converter | None]) -> Maker:
    """Put what reorders or converts before a maker, where anything does."""
    if order == list(range(len(order))) and not any(converters):
        return maker
    return ArrangedMaker(maker, order, converters)


def converter(annotation: Any, codec: Codec, column: str) -> Converter | None:
    """Return what turns the column's value into what the annotation says, None where it is that already."""
    annotation = bare(annotation)
    origin = typing.get_origin(annotation) or annotation
    if _is_enum(origin):
        return _enum_converter(origin, column)
    if codec.name in ("json", "jsonb"):
        return _json_converter(annotation, codec, column)
    if origin in _LISTS and typing.get_args(annotation):
        return _list_converter(typing.get_args(annotation)[0], codec, column)
    columns = _composite_columns(codec)
    if columns is None or origin in (tuple, RowBase, Any, object) or _is_value(origin):
        return None
    if origin is not dict and shape_of(origin) is None:
        return None
    make = _inner(lambda: _plan(annotation, columns), column, codec).make
    return lambda value: make(list(value))


def _inner(plan: Callable[[], Maker], column: str, codec: Codec) -> Maker:
    """Plan what a composite column becomes; an error says which column it was."""
    try:
        return plan()
    except DecodeError as error:
        raise DecodeError(f"column {column!r} of type {codec.name}: {error}") from None


def _list_converter(item: Any, codec: Codec, column: str) -> Converter | None:
    """Convert an array's items. An array of any depth has one codec, so inner lists keep it."""
    deeper = typing.get_origin(bare(item)) in _LISTS
    convert = converter(item, codec if deeper else getattr(codec, "element", codec), column)
    if convert is None:
        return None
    return lambda values: [None if value is None else convert(value) for value in values]


def _json_converter(annotation: Any, codec: Codec, column: str) -> Converter | None:
    """Convert parsed JSON into what the annotation says."""
    read = reader_of(annotation)
    if read is None:
        return None

    def convert(value: Any) -> Any:
        try:
            return read(value)
        except DecodeError as error:
            raise DecodeError(f"column {column!r} of type {codec.name}: {error}") from None

    return convert


def _enum_converter(cls: type[enum.Enum], column: str) -> Converter:
    """Convert a value into the member that has it."""

    members: dict[Any, enum.Enum] = {}
    with suppress(TypeError):  # values that can't be keys
        members = {member.value: member for member in cls}

    def convert(value: Any) -> Any:
        try:
            return members[value]
        except (KeyError, TypeError):
            pass
        try:
            return cls(value)  # a flag's combination, a member of its own, what _missing_ knows
        except ValueError:
            known = shown(member.value for member in cls)
            raise DecodeError(
                f"column {column!r} has a value that no member of {cls.__qualname__} has; they have {known}"
            ) from None

    return convert


def _misfits(shape: Shape, names: list[str]) -> str:
    """Say which columns are missing and which are surplus, and what to do; nothing where they fit."""
    taken = _taken(shape)
    filled = {taken[name].name for name in names if name in taken}
    missing = [field.name for field in shape.fields if field.required and field.name not in filled]
    surplus = [] if shape.open else [name for name in names if name not in taken]
    if not missing and not surplus:
        return ""
    cls = shape.cls.__qualname__
    text = f"{cls} does not fit the columns {shown(names)}."
    if missing:
        text += f" Missing: {shown(missing)}: add to the select, or take out of {cls}."
    if surplus:
        text += f" Surplus: {shown(surplus)}: take out of the select, or add to {cls}."
    if missing and surplus and len(missing) + len(surplus) <= _NAMES_COMPARED:
        from difflib import get_close_matches  # only for a mistake

        near = [(m, get_close_matches(m, surplus, 1)) for m in missing]
        meant = ", ".join(f"{found[0]!r} for {m!r}" for m, found in near if found)
        text += f" Perhaps {meant}: name it with AS." if meant else ""
    if "?column?" in surplus:
        text += " An expression gets its name with AS."
    return text


def _taken(shape: Shape) -> dict[str, Field]:
    """Return the fields by each name that a column may have; a field's own name comes before another's alias."""
    by_alias = {alias: field for field in shape.fields for alias in field.also}
    return by_alias | {field.name: field for field in shape.fields}


def _refuse_twins(title: str, names: list[str]) -> None:
    """Refuse columns of one name where only one could be kept."""
    if len(set(names)) == len(names):
        return
    twins = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    places = "; ".join(f"{name!r} at {', '.join(str(i) for i, n in enumerate(names) if n == name)}" for name in twins)
    raise DecodeError(f"{title} can't hold columns of one name ({places}): give them names of their own with AS")


def _composite_columns(codec: Codec) -> Columns | None:
    composite: Any = codec
    return tuple(zip(composite.names, composite.codecs, strict=True)) if hasattr(codec, "codecs") else None


def _is_value(cls: Any) -> bool:
    return cls in _SCALARS or str(getattr(cls, "__module__", "")).startswith("stretto.codecs.")


def _is_enum(cls: Any) -> TypeGuard[type[enum.Enum]]:
    return isinstance(cls, enum.EnumMeta)


def _title(target: Any) -> str:
    return target.__qualname__ if isinstance(target, type) else str(target)


def _listed(columns: Columns) -> str:
    return shown(name for name, _ in columns)


def _hashable(target: Any) -> bool:
    try:
        hash(target)
    except TypeError:
        return False
    return True
