"""Model: typed, slotted dataclasses that are tables.

On the class an attribute is its Field or Relation, on an object its value. Values are in plain slots. A column that an
object lacks (a key that the server will make, a column left out by only()) makes it an instance of a hidden subclass,
the only one with ``__getattr__``: so complete objects are as fast as any slotted class.
"""

from __future__ import annotations

import sys
import typing
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from stretto.codecs.slots import Slots
from stretto.errors import ModelError
from stretto.model import making
from stretto.model.fields import UNSET, Field, field
from stretto.model.relations import Relation, not_loaded, relation
from stretto.model.shapes import Field as ShapeField
from stretto.model.shapes import Shape, bare
from stretto.model.table import OPTIONS, Table, register

_HIDDEN = ("_origin_", "_loaded_")


class ModelType(type):
    """The class of Model classes: makes slots, ``__init__`` and Table, and gives Fields for attributes."""

    __table__: Table | None

    def __new__(
        mcls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        table: str | None = None,
        schema: str | None = None,
        abstract: bool = False,
        **options: Any,
    ) -> Any:
        if not any(isinstance(base, ModelType) for base in bases):
            return super().__new__(mcls, name, bases, namespace)
        if abstract and table is not None:
            raise ModelError(f"{name}: an abstract base has no table")
        own = making.own_members(name, namespace)
        members = {**making.inherited_members(name, bases, own, namespace), **own}
        namespace["__slots__"] = _slots_for(bases, {} if abstract else members, namespace)
        namespace.setdefault("__match_args__", ())
        written = namespace.get("__init__")
        keywords = {"table": table, "schema": schema, "abstract": abstract, **options}
        try:
            cls: Any = super().__new__(mcls, name, bases, namespace, **keywords)
        except TypeError as error:
            if "lay-out" not in str(error):
                raise
            raise ModelError(
                f"{name}: only one base may have columns of its own: make the others abstract=True"
            ) from None
        if cls.__new__ is not object.__new__:
            raise ModelError(f"{name}: rows become objects without its __new__: a Model can have an __init__ only")
        bound = {key: one.bind(cls, key, annotation) for key, (one, annotation) in members.items()}
        fields = {key: one for key, one in bound.items() if isinstance(one, Field)}
        relations = {key: one for key, one in bound.items() if isinstance(one, Relation)}
        for key, one in relations.items():
            if not abstract:
                one.slot = type.__getattribute__(cls, f"_{key}_")
            type.__setattr__(cls, key, one)
        known = {key: value for key, value in options.items() if key in OPTIONS}
        local_names = making.local_names(own, sys._getframe(1))
        cls.__table__ = Table(cls, table, schema, fields, relations, known, abstract, local_names)
        cls._fields_ = fields
        _check_version(cls.__table__.version)
        making.as_dataclass(cls, fields, relations, values_of, left_out)
        if abstract:
            if written is None:
                cls.__init__ = _abstract
            return cls
        cls.__table__.fill({key: type.__getattribute__(cls, key) for key in fields})
        cls.__table__.partial = _make_partial(mcls, cls)
        cls.__post_init__ = making.PostInit(making.written_post_init(cls), tidy)
        if written is None:
            cls.__init__ = making.make_init(cls, fields, relations, settle)
        else:
            cls.__init__ = making.settling_init(written, settle)
        register(cls)
        return cls

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any) -> None:
        super().__init__(name, bases, namespace)

    if not TYPE_CHECKING:  # or checkers would take any name for an attribute of every Model

        def __getattribute__(cls, name: str) -> Any:
            found = type.__getattribute__(cls, "_fields_").get(name)
            return type.__getattribute__(cls, name) if found is None else found

    def __setattr__(cls, name: str, value: Any) -> None:
        if name in type.__getattribute__(cls, "_fields_"):
            raise ModelError(f"{cls.__qualname__}.{name} is a field of all objects, and can't be set on the class")
        type.__setattr__(cls, name, value)

    def __delattr__(cls, name: str) -> None:
        if name in type.__getattribute__(cls, "_fields_"):
            raise ModelError(
                f"{cls.__qualname__}.{name} is a field of all objects, and can't be deleted from the class"
            )
        type.__delattr__(cls, name)


def _slots_for(bases: tuple[type, ...], members: making.Members, namespace: dict[str, Any]) -> tuple[str, ...]:
    """The slots of a class: its columns, its relations by hidden names, and what its body wants beside."""
    beside = namespace.get("__slots__", ())
    present = {slot for base in bases for one in base.__mro__ for slot in vars(one).get("__slots__", ())}
    slots = [f"_{key}_" if isinstance(one, Relation) else key for key, (one, _) in members.items()]
    slots.extend((beside,) if isinstance(beside, str) else beside)
    return tuple(slot for slot in dict.fromkeys(slots) if slot not in present)


def _check_version(field: Field | None) -> None:
    """Refuse a version that can't be counted up."""
    if field is None:
        return
    try:
        kind = bare(field.annotation)
    except ModelError:
        return  # it names what is defined later
    kind = typing.get_origin(kind) or kind
    if isinstance(kind, type) and (kind is bool or not issubclass(kind, int)):
        raise ModelError(f"{field!r}: version=True is for an int, which each update counts up, not {kind.__qualname__}")


def _abstract(self: Any, **values: Any) -> None:
    raise ModelError(f"{self.__class__.__qualname__} is abstract: it only lends its fields to others")


if TYPE_CHECKING:
    Meta = type  # a checker shall look for attributes and keywords of a class among those that it has
else:
    Meta = ModelType


@dataclass_transform(eq_default=True, kw_only_default=True, field_specifiers=(field, relation))
class Model(metaclass=Meta):
    """A typed class whose objects are rows: ``class Author(Model, table="author"): ...``.

    Keywords of the class: ``table`` and ``schema`` (without a table its objects come from hand-written SQL only);
    ``abstract``: a base that only lends its fields; ``insert``, ``update``: SQL of its own for these verbs. For
    create_tables: ``unique=[("a", "b")]``, fields that are unique together; ``checks=["price > 0"]``, conditions;
    ``indexes=[("a", "b"), "using gin (tags)"]``, fields, or what CREATE INDEX has behind its table (``unique`` may come
    first); ``foreign_keys=["(a, b) references other (a, b) on delete cascade"]``.

    Attributes are columns, described by their annotations, defaults and ``field()``, or relations (``relation()``).
    Objects are made with keywords, equal when their columns are, and are dataclasses: ``dataclasses.asdict``,
    ``replace`` and their kin take them, with what is loaded. They have no ``__dict__``, unless a base without
    ``__slots__`` brings it, and no weak references, unless such a base or ``__slots__ = ("__weakref__",)`` does.
    """

    __slots__ = _HIDDEN
    __hash__ = None  # type: ignore[assignment]  # as of any dataclass that can be changed
    if TYPE_CHECKING:
        __table__: ClassVar[Any]
        _fields_: ClassVar[dict[str, Field]]
    else:  # not annotated: typing.get_type_hints tells of columns and relations only
        __table__ = None
        _fields_ = {}

    def __init_subclass__(
        cls,
        *,
        table: str | None = None,
        schema: str | None = None,
        abstract: bool = False,
        unique: Any = (),
        checks: Any = (),
        indexes: Any = (),
        foreign_keys: Any = (),
        insert: str | None = None,
        update: str | None = None,
    ) -> None:
        super().__init_subclass__()

    @classmethod
    def _shape_(cls, _: Any) -> Shape:
        """What ``into=`` needs to know: all columns, by column name or attribute."""
        from stretto.model.loading import maker_of

        table: Table | None = cls.__table__
        if table is None or table.abstract:
            raise ModelError(f"into={cls.__qualname__}: it is abstract, and has no objects")
        fields = tuple(
            ShapeField(one.name, () if one.column == one.name else (one.column,), True, one.annotation)
            for one in table.fields.values()
        )
        return Shape(cls, fields, lambda names: maker_of(table, names))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """How pydantic validates and writes objects of this class."""
        from stretto.model.validation import schema_of

        return schema_of(cls, handler)

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        table: Table = self.__table__
        try:
            return bool(table.compared(self) == table.compared(other))
        except AttributeError:  # one lacks a value
            slots = [slot for name, slot in table.slots if table.fields[name].compare]
            return [read(self, slot) for slot in slots] == [read(other, slot) for slot in slots]

    @recursive_repr()
    def __repr__(self) -> str:
        table: Table = self.__table__
        hidden = {key for key, one in table.fields.items() if not one.repr}
        shown = (f"{key}={value!r}" for key, value in values_of(self).items() if key not in hidden)
        return f"{self.__class__.__qualname__}({', '.join(shown)})"

    def __replace__(self, /, **changes: Any) -> Any:
        """A new object with some values changed: what ``copy.replace`` calls. Raises NotLoaded as ``left_out`` says."""
        for name in left_out(self):
            if name not in changes:
                raise not_loaded(self, name)
        return self.__class__(**{**values_of(self), **changes})

    def __getstate__(self) -> Any:
        values = values_of(self)
        beside = _beside(type(self))
        values.update((name, getattr(self, name)) for name in beside if hasattr(self, name))
        if type(self).__dictoffset__:  # of a base without __slots__
            values.update(vars(self))
        return values, getattr(self, "_origin_", None), getattr(self, "_loaded_", None)

    def __setstate__(self, state: Any) -> None:
        values, origin, loaded = state
        for key, value in values.items():
            object.__setattr__(self, key, value)
        settle(self)
        if origin is not None:
            self._origin_ = origin
        if loaded is not None:
            self._loaded_ = loaded

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuild, (self.__class__,), self.__getstate__()


class Lacking:
    """What the hidden subclass of objects that lack a value has beside its Model: reading it raises NotLoaded."""

    __slots__ = ()

    def __init_subclass__(cls, **keywords: Any) -> None:
        """It is no subclass that anybody wrote: nobody else is told of it."""

    @property  # type: ignore[misc]  # for isinstance, match and whoever asks, it is the Model
    def __class__(self) -> Any:
        return self.__table__.model

    def __getattr__(self, name: str) -> Any:
        cls: Any = self.__class__
        if name in cls.__table__.fields or name in cls.__table__.relations:
            raise not_loaded(self, name)
        above: Any = super()
        if hasattr(cls, "__getattr__"):
            return above.__getattr__(name)
        raise AttributeError(f"{cls.__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        slot = self.__table__.slot.get(name)
        lacked = slot is not None and read(self, slot) is UNSET
        super().__setattr__(name, value)
        if lacked:
            settle(self)


class Origin:
    """Where objects come from: ``text`` (a statement) and ``names``, the attributes in the order of ``_loaded_``."""

    __slots__ = ("names", "text")

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        self.text = text
        self.names = names

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> Any:
        return Origin, (self.text, self.names)

    def __deepcopy__(self, memo: Any) -> Origin:
        return self


def values_of(obj: Any) -> dict[str, Any]:
    """What an object has: the values of its columns and loaded relations by attribute."""
    table: Table = obj.__table__
    found = {key: value for key, slot in table.slots if (value := read(obj, slot)) is not UNSET}
    for key, one in table.relations.items():
        if (value := read(obj, one.slot)) is not UNSET:
            found[key] = value
    return found


def left_out(obj: Any) -> list[str]:
    """The columns that a select left out, and for which ``__init__`` would put a default: it would be written."""
    if not hasattr(obj, "_origin_"):
        return []
    table: Table = obj.__table__
    return [key for key, slot in table.slots if table.fields[key].starts and read(obj, slot) is UNSET]


def read(obj: Any, slot: Any) -> Any:
    """The value in a slot, UNSET where there is none."""
    try:
        return slot.__get__(obj)
    except AttributeError:
        return UNSET


def slot_of(table: Table, name: str) -> Any:
    """The slot of a column, by attribute: its ``__get__`` and ``__set__`` take any object of the Model."""
    return type.__getattribute__(table.model, name)


def complete(obj: Any) -> bool:
    """Whether an object has a value for each column."""
    return reader_of(obj.__class__.__table__).complete(obj)


def reader_of(table: Table) -> Slots:
    """What reads all columns of an object at once, UNSET where there is no value."""
    found: Any = table.caches.get("reader")
    if found is None:
        found = table.caches["reader"] = Slots(table.model, [slot for _, slot in table.slots], UNSET)
    return found  # type: ignore[no-any-return]  # caches are untyped


def settle(obj: Any) -> None:
    """Give an object the class that it should have, after values were filled in."""
    table: Table = obj.__table__
    _CLASS.__set__(obj, table.model if complete(obj) else table.partial)


def tidy(obj: Any) -> None:
    """Take out what another library has set to say that there is no value, and settle."""
    table: Table = obj.__table__
    for slot in (*(slot for _, slot in table.slots), *(one.slot for one in table.relations.values())):
        try:
            if slot.__get__(obj) is UNSET:
                slot.__delete__(obj)
        except AttributeError:
            continue
    settle(obj)


def make_whole(obj: Any, model: Any) -> None:
    """As settle, for an object of ``model`` that has all values."""
    _CLASS.__set__(obj, model)


_CLASS: Any = object.__dict__["__class__"]


def _beside(cls: type) -> list[str]:
    """The slots that class bodies want beside those of their fields."""
    table: Table = cls.__table__  # type: ignore[attr-defined]  # a Model's
    known = {*_HIDDEN, *table.fields, *(f"_{name}_" for name in table.relations), "__weakref__", "__dict__"}
    return [slot for base in cls.__mro__ for slot in vars(base).get("__slots__", ()) if slot not in known]


def _rebuild(cls: Any) -> Any:
    return object.__new__(cls)


def _make_partial(mcls: Any, cls: Any) -> Any:
    """The hidden subclass of objects that lack a value."""
    # Some look for the last two in the very class (orjson).
    same = ("__module__", "__doc__", "__dataclass_fields__", "__dataclass_params__")
    namespace = {"__slots__": (), **{name: vars(cls).get(name) for name in same}, "__qualname__": cls.__qualname__}
    return type.__new__(mcls, cls.__name__, (Lacking, cls), namespace)
