"""Row, and the makers: what a list of decoded values becomes.

A maker is made once for a target and a tuple of columns (``stretto.model.plan`` decides which) and called once a row:
``make(values)`` gets the list that the row loop decodes into, which it may neither keep nor change, and returns the
object. The makers here know nothing of statements; they trust their arguments to fit each other, except where a
mistake would write outside an object.

Memory: what cannot change and holds nothing that could hold a cycle (Row, NamedTuple, frozen slotted objects of
numbers, texts, dates ...) is taken away from the cyclic collector, which otherwise costs more than the making.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar, SupportsIndex, overload
from weakref import WeakValueDictionary

from stretto import capi
from stretto.errors import DecodeError

NAMES_SHOWN = 40
Factory = Callable[[], Any]


class Column:
    """The read-only attribute of one column, on the class of its rows; ``index`` is -1 where columns share the name."""

    def __init__(self, name: str, index: int) -> None:
        self.name = name
        self.index = index

    def __get__(self, row: Any, owner: Any) -> Any:
        if row is None:
            return self
        if self.index < 0:
            raise AttributeError(_no_column(owner._fields, self.name))
        return capi.tuple_item(row, self.index)

    def __set__(self, row: Any, value: Any) -> None:
        raise AttributeError(f"a row is immutable: column {self.name!r} can't be set")

    def __delete__(self, row: Any) -> None:
        raise AttributeError(f"a row is immutable: column {self.name!r} can't be deleted")


class Row(tuple[Any, ...]):
    """One row: an immutable tuple whose items also go by the names of their columns.

    ``row[0]``, ``row[1:3]``, ``row["name"]`` and, where the name is an identifier that does not start with an
    underscore, ``row.name``. A name that is not there, or that two columns share, raises KeyError or AttributeError
    with the names that are. It equals and hashes as the tuple of its values; ``in`` and iteration are the values'.

    The columns come first: where one is called ``keys``, ``count`` ... the attribute is the column, not the method.
    ``row["keys"]``, ``row._asdict()`` and ``row._fields`` mean the same for every row. ``Row(id=1, name="x")`` makes
    one by hand.
    """

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    _fields: ClassVar[tuple[str, ...]] = ()
    _places: ClassVar[dict[str, int]] = {}

    def __new__(cls, /, **values: Any) -> Row:
        return _make_row(tuple(values), tuple(values.values()))

    @overload
    def __getitem__(self, key: SupportsIndex | str) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            index = self._places.get(key)
            if index is None:
                raise KeyError(_no_column(self._fields, key))
            return capi.tuple_item(self, index)
        return capi.tuple_item(self, key)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(_no_column(self._fields, name), name=name, obj=self)

    def __repr__(self) -> str:
        pairs = zip(self._fields, self, strict=True)
        return f"Row({', '.join(f'{name if name.isidentifier() else repr(name)}={value!r}' for name, value in pairs)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _make_row, (self._fields, tuple(self))

    def keys(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return self._fields

    def values(self) -> tuple[Any, ...]:
        """The values as a plain tuple."""
        return tuple(self)

    def items(self) -> tuple[tuple[str, Any], ...]:
        """Pairs of name and value."""
        return tuple(zip(self._fields, self, strict=True))

    def get(self, name: str, default: Any = None) -> Any:
        """The column's value, ``default`` where there is no such column; KeyError where two columns share the name."""
        if name in self._places or name in self._fields:
            return Row.__getitem__(self, name)
        return default

    def _asdict(self) -> dict[str, Any]:
        """The row as a new dict; KeyError where two columns share a name, for one of them would be lost."""
        if len(self._places) != len(self._fields):
            twice = next(name for name in self._fields if name not in self._places)
            raise KeyError(_no_column(self._fields, twice))
        return dict(zip(self._fields, self, strict=True))


# Every row class that is still in use, so that rows of the same names share theirs; row_class keeps the latest in use.
_classes: WeakValueDictionary[tuple[str, ...], type[Row]] = WeakValueDictionary()


@lru_cache(maxsize=1024)
def row_class(fields: tuple[str, ...]) -> type[Row]:
    """Return the subclass of Row for these column names; all rows of the same names share it."""
    return _classes.get(fields) or _classes.setdefault(fields, _new_class(fields))


def _new_class(fields: tuple[str, ...]) -> type[Row]:
    """Make the class for rows of these columns.

    The names come from the server: they are only ever keys of dicts, and those that an attribute can't have stay so.
    """
    places: dict[str, int] = {}
    twice: set[str] = set()
    for index, name in enumerate(fields):
        if places.setdefault(name, index) != index:
            twice.add(name)
    body: dict[str, Any] = {
        name: Column(name, -1 if name in twice else index) for name, index in places.items() if _is_attribute(name)
    }
    for name in twice:
        del places[name]
    matched = 0
    while matched < len(fields) and fields[matched] in places and fields[matched] in body:
        matched += 1
    body |= {
        "__slots__": (),
        "__doc__": Row.__doc__,
        "__module__": Row.__module__,
        "__match_args__": fields[:matched],
        "_fields": fields,
        "_places": places,
    }
    return type("Row", (Row,), body)


def _is_attribute(name: str) -> bool:
    return name.isidentifier() and not name.startswith("_")


def _make_row(fields: tuple[str, ...], values: tuple[Any, ...]) -> Row:
    """Make a Row from names and values: what a pickled row calls, in either build."""
    if len(fields) != len(values):
        raise ValueError(f"a row of {len(fields)} columns can't have {len(values)} values")
    row: Row = capi.new_row(row_class(fields), list(values))
    return row


def _no_column(fields: tuple[str, ...], name: str) -> str:
    """Say why a name does not lead to a column."""
    places = [index for index, field in enumerate(fields) if field == name]
    if places:
        return (
            f"{len(places)} columns are called {name!r}, at the positions {', '.join(map(str, places))}:"
            " use the position, or give them names of their own in the select (AS)"
        )
    return f"the row has no column {name!r}; it has: {shown(fields)}"


def shown(names: Any) -> str:
    """A list of names for a message: as Python writes them, so that none can bend the line; the first forty."""
    names = list(names)
    text = ", ".join(map(repr, names[:NAMES_SHOWN])) or "none"
    return text if len(names) <= NAMES_SHOWN else f"{text} and {len(names) - NAMES_SHOWN} more"


class Maker:
    """Makes one object from one row's values."""

    def columns(self, codecs: list[Any]) -> list[Any]:
        """The codecs to decode the values with, given the statement's."""
        return codecs

    def make(self, values: list[Any]) -> Any:
        """Return the object. ``values`` has one item a column; it is neither kept nor changed."""
        raise NotImplementedError


class TupleMaker(Maker):
    """Plain tuples."""

    def make(self, values: list[Any]) -> Any:
        return tuple(values)


class RowMaker(Maker):
    """Rows, or (given a NamedTuple class) instances of any subclass of tuple whose items are the values in order."""

    def __init__(self, cls: type[tuple[Any, ...]]) -> None:
        if not issubclass(cls, tuple) or cls.__itemsize__ != tuple.__itemsize__:
            raise TypeError(f"{cls.__qualname__} is not a tuple")
        self.cls = cls

    def make(self, values: list[Any]) -> Any:
        return capi.new_row(self.cls, values)


class DictMaker(Maker):
    """Dicts by the names of the columns (a TypedDict's keys)."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def make(self, values: list[Any]) -> Any:
        row = {}
        for i in range(len(self.names)):
            row[self.names[i]] = values[i]
        return row


class AnyMaker(Maker):
    """The value of the only column, whatever it is."""

    def make(self, values: list[Any]) -> Any:
        return values[0]


class ScalarMaker(Maker):
    """The value of the only column, which must be of class ``cls`` or NULL; anything else raises DecodeError."""

    def __init__(self, cls: type, column: str, type_name: str) -> None:
        self.cls = cls
        self.column = column
        self.type_name = type_name

    def make(self, values: list[Any]) -> Any:
        value = values[0]
        if value is not None and type(value) is not self.cls:
            self._check(value)
        return value

    def _check(self, value: Any) -> None:
        """Let subclasses pass, except those that Python's own history made: a bool is no int, a datetime no date."""
        if not isinstance(value, self.cls) or isinstance(value, bool) or self.cls.__name__ == "date":
            found = type(value).__name__
            raise DecodeError(
                f"into={self.cls.__name__} does not fit column {self.column!r} of type {self.type_name}, which gives"
                f" {found}: use into={found}, or cast the column in the select"
            )


class SlotsMaker(Maker):
    """Objects of a slotted class, without a call of ``__init__``.

    ``slots`` are the slots' descriptors, one a column. ``constants`` and ``factories`` are pairs of a descriptor and a
    value, or a function that makes one, for the slots that no column fills. ``frozen`` says that the class lets nobody
    change its objects. Raises TypeError for a class or descriptor with which this would not be sound.
    """

    def __init__(
        self,
        cls: Any,
        slots: list[Any],
        constants: list[tuple[Any, Any]],
        factories: list[tuple[Any, Callable[[], Any]]],
        frozen: bool,
    ) -> None:
        if cls.__new__ is not object.__new__ or cls.__itemsize__ or cls.__dictoffset__:
            raise TypeError(f"{cls.__qualname__} is not a plain slotted class")
        self.cls = cls
        self.slots = [own_slot(cls, slot) for slot in slots]
        self.constants = [(own_slot(cls, slot), value) for slot, value in constants]
        self.factories = [(own_slot(cls, slot), factory) for slot, factory in factories]
        self.count = len(slots)
        self.complete = not (constants or factories)
        self.untracked = frozen and self.complete

    def make(self, values: list[Any]) -> Any:
        obj = capi.new_object(self.cls)
        for i in range(self.count):
            slot = self.slots[i]
            capi.set_slot(obj, slot, values[i])
        if self.untracked:
            capi.untrack(obj, values)
        elif not self.complete:
            self._complete(obj)
        return obj

    def _complete(self, obj: Any) -> None:
        for pair in self.constants:
            slot = pair[0]
            capi.set_slot(obj, slot, pair[1])
        for pair in self.factories:
            slot = pair[0]
            capi.set_slot(obj, slot, pair[1]())


def own_slot(cls: type, descriptor: Any) -> Any:
    """Turn a descriptor into what ``capi.set_slot`` takes, sure that it is a slot of this class's objects."""
    slot = capi.slot_of(descriptor)
    if not issubclass(cls, getattr(descriptor, "__objclass__", ())):
        raise TypeError(f"{descriptor!r} is not a slot of {cls.__qualname__}")
    return slot


class AttributeMaker(Maker):
    """Objects with a ``__dict__``, without a call of ``__init__``; the arguments as SlotsMaker's, by name."""

    def __init__(
        self, cls: Any, names: list[str], constants: list[tuple[str, Any]], factories: list[tuple[str, Factory]]
    ) -> None:
        if cls.__new__ is not object.__new__:
            raise TypeError(f"{cls.__qualname__} has a __new__ of its own")
        self.cls = cls
        self.names = names
        self.constants = constants
        self.factories = factories

    def make(self, values: list[Any]) -> Any:
        obj = capi.new_instance(self.cls)
        for i in range(len(self.names)):
            capi.set_attribute(obj, self.names[i], values[i])
        for name, value in self.constants:
            capi.set_attribute(obj, name, value)
        for name, factory in self.factories:
            capi.set_attribute(obj, name, factory())
        return obj


class CallMaker(Maker):
    """Calls a class with the values in the columns' order."""

    def __init__(self, cls: Callable[..., Any]) -> None:
        self.cls = cls

    def make(self, values: list[Any]) -> Any:
        return self.cls(*values)


class KeywordMaker(Maker):
    """Calls a class with the values as keyword arguments, one name a column."""

    def __init__(self, cls: Callable[..., Any], names: list[str]) -> None:
        self.cls = cls
        self.names = names

    def make(self, values: list[Any]) -> Any:
        return self.cls(**dict(zip(self.names, values, strict=True)))


class ValidateMaker(Maker):
    """Calls a function with a dict of the values: pydantic's ``model_validate``."""

    def __init__(self, validate: Callable[[dict[str, Any]], Any], names: list[str]) -> None:
        self.validate = validate
        self.names = names

    def make(self, values: list[Any]) -> Any:
        return self.validate(dict(zip(self.names, values, strict=True)))


class ArrangedMaker(Maker):
    """Puts the values in another order and converts some before another maker gets them.

    ``order`` is the columns' positions in the order that ``inner`` wants; ``converters`` has a function or None for
    each of these. NULL is never converted.
    """

    def __init__(self, inner: Maker, order: list[int], converters: list[Callable[[Any], Any] | None]) -> None:
        self.inner = inner
        self.order = order
        self.converters = converters

    def make(self, values: list[Any]) -> Any:
        arranged = []
        for i in range(len(self.order)):
            value = values[self.order[i]]
            convert = self.converters[i]
            if convert is not None and value is not None:
                value = convert(value)
            arranged.append(value)
        return self.inner.make(arranged)


class CompositeMaker(Maker):
    """A row whose only column is a composite, made from the composite's attributes; None where it is NULL."""

    def __init__(self, inner: Maker) -> None:
        self.inner = inner

    def make(self, values: list[Any]) -> Any:
        value = values[0]
        return None if value is None else self.inner.make(list(value))
