"""Model: typed, slotted dataclasses that are tables.

On the class an attribute is its Field or Relation, on an object its value. Values are in plain slots. A column that an
object lacks (a key that the server will make, a column left out by only()) makes it an instance of a hidden subclass,
the only one with ``__getattr__``: so complete objects are as fast as any slotted class.
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from reprlib import recursive_repr
from typing import Any, ClassVar, dataclass_transform

from stretto.codecs.slots import Slots
from stretto.errors import ModelError
from stretto.model.fields import UNSET, Field, field
from stretto.model.relations import Relation, not_loaded, relation
from stretto.model.shapes import Field as ShapeField
from stretto.model.shapes import Shape
from stretto.model.table import Table, register

_MUTABLE = (list, dict, set, bytearray)
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
        own = _own(name, namespace)
        inherited = _inherited(name, bases, table)
        everything = {**inherited, **own}
        present = {slot for base in bases for one in base.__mro__ for slot in vars(one).get("__slots__", ())}
        slots = [] if abstract else [_slot(key, one) for key, (one, _) in everything.items()]
        namespace["__slots__"] = tuple(slot for slot in slots if slot not in present)
        namespace.setdefault("__match_args__", ())
        try:
            cls: Any = super().__new__(mcls, name, bases, namespace)
        except TypeError as error:
            if "layout" not in str(error):
                raise
            raise ModelError(
                f"{name}: only one base may have columns of its own: make the others abstract=True"
            ) from None
        bound = {key: one.bind(cls, key, annotation) for key, (one, annotation) in everything.items()}
        fields = {key: one for key, one in bound.items() if isinstance(one, Field)}
        relations = {key: one for key, one in bound.items() if isinstance(one, Relation)}
        for key, one in relations.items():
            if not abstract:
                one.slot = type.__getattribute__(cls, f"_{key}_")
            type.__setattr__(cls, key, one)
        cls.__table__ = Table(cls, table, schema, fields, relations, options)
        cls._fields_ = fields
        _as_dataclass(cls, fields, relations)
        if not abstract:
            if "__init__" not in namespace:
                cls.__init__ = _make_init(cls, fields, relations)
            cls.__table__.partial = _make_partial(mcls, cls)
            cls._shape_ = _shape
            register(cls)
        return cls

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any) -> None:
        super().__init__(name, bases, namespace)

    def __getattribute__(cls, name: str) -> Any:
        found = type.__getattribute__(cls, "_fields_").get(name)
        return type.__getattribute__(cls, name) if found is None else found


@dataclass_transform(eq_default=True, kw_only_default=True, field_specifiers=(field, relation))
class Model(metaclass=ModelType):
    """A typed class whose objects are rows: ``class Author(Model, table="author"): ...``.

    Keywords of the class: ``table`` and ``schema`` (without a table its objects come from hand-written SQL only);
    ``abstract``: a base that only lends its fields; ``unique``, ``checks``, ``indexes`` for create_tables; ``insert``,
    ``update``: SQL of its own for these verbs. Attributes are columns, described by their annotations, defaults and
    ``field()``, or relations (``relation()``). Objects are made with keywords, equal when their columns are, and are
    dataclasses: ``dataclasses.asdict``, ``replace`` and their kin take them, with what is loaded.
    """

    __slots__ = _HIDDEN
    __table__: ClassVar[Any] = None
    _fields_: ClassVar[dict[str, Field]] = {}

    def __init_subclass__(
        cls,
        *,
        table: str | None = None,
        schema: str | None = None,
        abstract: bool = False,
        unique: Any = (),
        checks: Any = (),
        indexes: Any = (),
        insert: str | None = None,
        update: str | None = None,
    ) -> None:
        super().__init_subclass__()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Model) or other.__class__ is not self.__class__:
            return NotImplemented
        return _compared(self) == _compared(other)

    __hash__ = None  # type: ignore[assignment]  # as of any dataclass that can be changed

    @recursive_repr()
    def __repr__(self) -> str:
        table: Table = self.__class__.__table__
        hidden = {key for key, one in table.fields.items() if not one.repr}
        shown = (f"{key}={value!r}" for key, value in values_of(self).items() if key not in hidden)
        return f"{self.__class__.__qualname__}({', '.join(shown)})"

    def __getstate__(self) -> Any:
        return values_of(self), getattr(self, "_origin_", None), getattr(self, "_loaded_", None)

    def __setstate__(self, state: Any) -> None:
        values, origin, loaded = state
        for key, value in values.items():
            setattr(self, key, value)
        if origin is not None:
            self._origin_ = origin
        if loaded is not None:
            self._loaded_ = loaded

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuild, (self.__class__, complete(self)), self.__getstate__()


class Origin:
    """Where objects come from: ``text`` (a statement) and ``names``, the attributes in the order of ``_loaded_``."""

    __slots__ = ("names", "text")

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        self.text = text
        self.names = names

    def __str__(self) -> str:
        return self.text


def values_of(obj: Any) -> dict[str, Any]:
    """What an object has: the values of its columns and loaded relations by attribute."""
    table: Table = obj.__class__.__table__
    found = {key: value for key, slot in _slots(table) if (value := read(obj, slot)) is not UNSET}
    for key, one in table.relations.items():
        if one.is_loaded(obj):
            found[key] = one.__get__(obj)
    return found


def read(obj: Any, slot: Any) -> Any:
    """The value in a slot, UNSET where there is none."""
    try:
        return slot.__get__(obj)
    except AttributeError:
        return UNSET


def slot_of(table: Table, name: str) -> Any:
    """The slot of a column, by attribute: its ``__get__`` and ``__set__`` take any object of the Model."""
    return type.__getattribute__(table.model, name)


def _slots(table: Table) -> list[tuple[str, Any]]:
    found: Any = table.caches.get("slots")
    if found is None:
        found = table.caches["slots"] = [(name, slot_of(table, name)) for name in table.fields]
    return found  # type: ignore[no-any-return]  # caches are untyped


def complete(obj: Any) -> bool:
    """Whether an object has a value for each column."""
    return reader_of(obj.__class__.__table__).complete(obj)


def reader_of(table: Table) -> Slots:
    """What reads all columns of an object at once, UNSET where there is no value."""
    found: Any = table.caches.get("reader")
    if found is None:
        found = table.caches["reader"] = Slots(table.model, [slot for _, slot in _slots(table)], UNSET)
    return found  # type: ignore[no-any-return]  # caches are untyped


def settle(obj: Any) -> None:
    """Give an object the class that it should have, after values were filled in."""
    table: Table = obj.__class__.__table__
    _CLASS.__set__(obj, table.model if complete(obj) else table.partial)


def make_whole(obj: Any, model: Any) -> None:
    """As settle, for an object of ``model`` that has all values."""
    _CLASS.__set__(obj, model)


_CLASS: Any = object.__dict__["__class__"]


def _compared(obj: Any) -> list[Any]:
    table: Table = obj.__class__.__table__
    return [read(obj, slot) for name, slot in _slots(table) if table.fields[name].compare]


def _rebuild(cls: Any, whole: bool) -> Any:
    return object.__new__(cls if whole else cls.__table__.partial)


# Making a class ---------------------------------------------------------------------------------------------------


def _own(title: str, namespace: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The fields and relations of a class body, with their annotations; they are taken out of it."""
    found: dict[str, tuple[Any, Any]] = {}
    annotations = _annotations(namespace)
    for key, annotation in annotations.items():
        if _is_class_variable(annotation):
            continue
        if key.startswith("_"):
            raise ModelError(f"{title}.{key}: an attribute can't begin with an underscore: name the column by column=")
        value = namespace.pop(key, UNSET)
        if isinstance(value, _MUTABLE):
            kind = type(value).__name__
            raise ModelError(f"{title}.{key}: all objects would share this {kind}: use field(default_factory={kind})")
        if not isinstance(value, Field | Relation):
            value = Field(default=value)
        found[key] = (value, annotation)
    for key, value in namespace.items():
        if isinstance(value, Field | Relation) and not key.startswith("__"):
            raise ModelError(f"{title}.{key} has no annotation: write {key}: <type> = ...")
    return found


def _annotations(namespace: dict[str, Any]) -> dict[str, Any]:
    if sys.version_info >= (3, 14):
        import annotationlib

        annotate = annotationlib.get_annotate_from_class_namespace(namespace)
        if annotate is not None:
            return annotationlib.call_annotate_function(annotate, annotationlib.Format.FORWARDREF)
    return dict(namespace.get("__annotations__", {}))


def _is_class_variable(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.startswith(("ClassVar", "typing.ClassVar", "t.ClassVar"))
    return typing.get_origin(annotation) is ClassVar or annotation is ClassVar


def _inherited(title: str, bases: tuple[type, ...], table: str | None) -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    for base in reversed(bases):
        known: Table | None = getattr(base, "__table__", None)
        if known is None:
            continue
        if known.name is not None:
            raise ModelError(
                f"{title} inherits from {known.model.__qualname__}, which is a table: put what they share into a base"
                " with abstract=True"
            )
        lent: list[Field | Relation] = [*known.fields.values(), *known.relations.values()]
        found.update({one.name: (one, _evaluable(one)) for one in lent})
    return found


def _evaluable(one: Field | Relation) -> Any:
    """The annotation of an inherited field, evaluated where its own class was written, if that can be done by now."""
    if isinstance(one._annotation, str):
        try:
            return one.model.__table__.evaluate(one._annotation, one.name)
        except ModelError:
            return one._annotation
    return one._annotation


def _slot(key: str, one: Field | Relation) -> str:
    return f"_{key}_" if isinstance(one, Relation) else key


class _Fields:
    """``__dataclass_fields__``: on the class all fields, on an object those that it has."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def __get__(self, obj: Any, owner: Any) -> dict[str, Any]:
        if obj is None:
            return self._fields
        has = values_of(obj)
        return {key: one for key, one in self._fields.items() if key in has}


def _as_dataclass(cls: Any, fields: dict[str, Field], relations: dict[str, Relation]) -> None:
    """Give a class what the standard library knows dataclasses by."""
    specs: list[Any] = []
    for key, one in fields.items():
        options: dict[str, Any] = {"repr": one.repr, "compare": one.compare}
        if one.default_factory is not None:
            options["default_factory"] = one.default_factory
        elif not one.required:
            options["default"] = one.default
        specs.append((key, one._annotation, dataclasses.field(**options)))
    for key, other in relations.items():
        spec = dataclasses.field(default=UNSET, repr=False, compare=False)
        specs.append((key, other._annotation, spec))
    twin = dataclasses.make_dataclass(cls.__name__, specs, kw_only=True, init=False, repr=False, eq=False)
    cls.__dataclass_fields__ = _Fields(twin.__dataclass_fields__)  # type: ignore[attr-defined]  # it is what makes them
    cls.__dataclass_params__ = twin.__dataclass_params__  # type: ignore[attr-defined]  # typeshed has it from 3.12 on


def _make_init(cls: Any, fields: dict[str, Field], relations: dict[str, Relation]) -> Any:
    """Write ``__init__``, as dataclasses do: keywords only, and no loop at run time."""
    scope: dict[str, Any] = {"UNSET": UNSET, "settle": settle}
    parameters, body = [], []
    may_lack = False
    for key, one in fields.items():
        lacks = one.from_server or one.version
        may_lack |= lacks and one.default is UNSET and one.default_factory is None
        if one.required:
            parameters.append(key)
        else:
            scope[f"_default_{key}"] = one.default if one.default_factory is None else UNSET
            parameters.append(f"{key}=_default_{key}")
        if one.default_factory is not None:
            scope[f"_make_{key}"] = one.default_factory
            body.append(f"self.{key} = _make_{key}() if {key} is UNSET else {key}")
        elif lacks and one.default is UNSET:
            body.append(f"if {key} is not UNSET: self.{key} = {key}")
        else:
            body.append(f"self.{key} = {key}")
    for key in relations:
        parameters.append(f"{key}=UNSET")
        body.append(f"if {key} is not UNSET: self.{key} = {key}")
    if may_lack:
        body.append("settle(self)")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    head = f"def __init__(self{', *, ' if parameters else ''}{', '.join(parameters)}):"
    exec("\n    ".join([head, *body, "pass"]), scope)  # noqa: S102  # names are the class's own identifiers
    init = scope["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    return init


def _make_partial(mcls: Any, cls: Any) -> Any:
    """The hidden subclass of objects that lack a value: reading it raises NotLoaded."""

    def missing(self: Any, name: str) -> Any:
        if name in cls._fields_ or name in cls.__table__.relations:
            raise not_loaded(self, name)
        raise AttributeError(f"{cls.__name__!r} object has no attribute {name!r}", name=name, obj=self)

    namespace = {
        "__slots__": (),
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__getattr__": missing,
        "__class__": property(lambda self: cls),
    }
    return type.__new__(mcls, cls.__name__, (cls,), namespace)


def _shape(cls: Any) -> Shape:
    """What ``into=`` needs to know: all columns, by column name or attribute."""
    from stretto.model.loading import maker_of

    table: Table = cls.__table__
    fields = tuple(
        ShapeField(one.name, () if one.column == one.name else (one.column,), True, one.annotation)
        for one in table.fields.values()
    )
    return Shape(cls, fields, lambda names: maker_of(table, names))
