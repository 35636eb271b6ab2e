"""What a class takes: its fields by name, and the way to make its objects from values.

``shape_of(cls)`` looks at a class once and knows eight kinds: Model, TypedDict, NamedTuple, pydantic model, msgspec
Struct, attrs class, dataclass, and any class whose ``__init__`` has named parameters. Kinds of other libraries are
recognised by what they leave on the class; none of them is imported here.

``__init__`` is left out only where nobody could tell: it was generated, it only stores its arguments, and the class
has nothing else that runs when an object is made. In any doubt the class is called.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from stretto.codecs.makers import (
    AttributeMaker,
    CallMaker,
    DictMaker,
    KeywordMaker,
    Maker,
    RowMaker,
    SlotsMaker,
    ValidateMaker,
)

UNSET = object()
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Field(NamedTuple):
    """One thing that a class takes. ``also`` are other names that a column for it may have (aliases)."""

    name: str
    also: tuple[str, ...] = ()
    required: bool = True
    annotation: Any = None


class Shape(NamedTuple):
    """What a class takes, and how it is made.

    ``build(names)`` returns the maker for columns that fill these fields. Where ``ordered``, the columns must first be
    put in the order of ``fields``. ``open`` says that columns without a field are welcome too, by their own names.
    """

    cls: type
    fields: tuple[Field, ...]
    build: Callable[[list[str]], Maker]
    ordered: bool = False
    open: bool = False


class Stored(NamedTuple):
    """A field that a generated ``__init__`` stores: by its argument, or (``init`` false) by what it has itself."""

    name: str
    init: bool
    also: tuple[str, ...] = ()
    constant: Any = UNSET
    factory: Callable[[], Any] | None = None


def bare(annotation: Any) -> Any:
    """Take off what says nothing of the class: Annotated, ``| None``, NewType, Required, Final and type aliases."""
    while True:
        origin = typing.get_origin(annotation)
        arguments = typing.get_args(annotation)
        if origin in (typing.Annotated, typing.Required, typing.NotRequired, typing.Final):
            annotation = arguments[0]
        elif origin is typing.Union or origin is types.UnionType:
            others = [a for a in arguments if a is not type(None)]
            if len(others) != 1:
                return annotation
            annotation = others[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif hasattr(annotation, "__value__"):
            annotation = annotation.__value__
        else:
            return annotation


def shape_of(cls: Any) -> Shape | None:
    """Return the shape of a class, or None for what is no class or takes nothing by name."""
    own = getattr(cls, "_shape_", None)
    if own is not None:
        return own(cls)  # type: ignore[no-any-return]  # a Model's, or a query's
    if not isinstance(cls, type) or inspect.isabstract(cls):
        return None
    for kind in (_typed_dict, _named_tuple, _pydantic, _struct, _attrs, _dataclass, _hand_written):
        shape = kind(cls)
        if shape is not None:
            return shape
    return None


def _typed_dict(cls: Any) -> Shape | None:
    required = getattr(cls, "__required_keys__", None)
    if required is None or not issubclass(cls, dict):
        return None
    fields = []
    for name, hint in hints_of(cls).items():
        # Under `from __future__ import annotations` the class itself has not seen its Required and NotRequired.
        wrapped = typing.get_origin(hint)
        needed = wrapped is typing.Required or (wrapped is not typing.NotRequired and name in required)
        fields.append(Field(name, (), needed, hint))
    return Shape(cls, tuple(fields), DictMaker)


def _named_tuple(cls: Any) -> Shape | None:
    names = getattr(cls, "_fields", None)
    if not issubclass(cls, tuple) or not isinstance(names, tuple):
        return None
    home = _home(cls, "_fields")
    generated = (
        home.__bases__ == (tuple,) and _home(cls, "__new__") is home and _code(cls.__new__, "co_name") == "<lambda>"
    )
    if not generated or cls.__init__ is not object.__init__ or not _plain_call(cls):
        return _called(cls)
    hints = hints_of(cls)
    fields = tuple(Field(name, annotation=hints.get(name)) for name in names)
    return Shape(cls, fields, lambda _: RowMaker(cls), ordered=True)


def _pydantic(cls: Any) -> Shape | None:
    models = getattr(cls, "__pydantic_fields__", None)
    validate = getattr(cls, "model_validate", None)
    if models is None or validate is None or getattr(cls, "__pydantic_root_model__", False):
        return None
    config: Mapping[str, Any] = getattr(cls, "model_config", {})
    by_alias = config.get("validate_by_alias") is not False
    fields = []
    keys = {}
    for name, model in models.items():
        alias = model.validation_alias
        aliases = tuple(a for a in getattr(alias, "choices", (alias,)) if isinstance(a, str))
        fields.append(Field(name, aliases, True, model.annotation))
        keys[name] = aliases[0] if aliases and by_alias else name

    def build(names: list[str]) -> Maker:
        return ValidateMaker(validate, [keys.get(name, name) for name in names])

    return Shape(cls, tuple(fields), build, open=config.get("extra") == "allow")


def _struct(cls: Any) -> Shape | None:
    names = getattr(cls, "__struct_fields__", None)
    encoded = getattr(cls, "__struct_encode_fields__", None)
    if names is None or encoded is None:
        return None
    return _called(cls, dict(zip(names, encoded, strict=True)))


def _attrs(cls: Any) -> Shape | None:
    attributes = getattr(cls, "__attrs_attrs__", None)
    attr = sys.modules.get("attr")
    if attributes is None or attr is None:
        return None
    stored = []
    simple = True
    for a in attributes:
        also = () if a.alias in (None, a.name) else (a.alias,)
        made = isinstance(a.default, attr.Factory)
        constant = UNSET if a.init or made or a.default is attr.NOTHING else a.default
        factory = a.default.factory if made and not a.init else None
        simple &= a.converter is None and a.validator is None and not (factory and a.default.takes_self)
        stored.append(Stored(a.name, a.init, also, constant, factory))
    init = cls.__init__
    frozen = _code(cls.__setattr__, "co_name") == "_frozen_setattrs"
    if (
        simple
        and (frozen or cls.__setattr__ is object.__setattr__)
        and _home(cls, "__init__") is _home(cls, "__attrs_attrs__")
        and str(_code(init, "co_filename")).startswith("<attrs generated")
        and "_attrs_cached_hash" not in _code(init, "co_consts") + _code(init, "co_names")
        and not hasattr(cls, "__attrs_post_init__")
        and not hasattr(cls, "__attrs_pre_init__")
        and _plain_new(cls)
    ):
        return _stored(cls, stored, frozen)
    return _called(cls, {s.also[0]: s.name for s in stored if s.also})


def _dataclass(cls: Any) -> Shape | None:
    if not hasattr(cls, "__dataclass_fields__"):
        return None
    params = cls.__dataclass_params__
    slots = _slots(cls, (f.name for f in dataclasses.fields(cls)))
    stored = []
    for f in dataclasses.fields(cls):
        # An unslotted class keeps a default of a field outside __init__ as the class's attribute only.
        own = not f.init and f.default is not dataclasses.MISSING and f.name in slots
        factory = None if f.init or f.default_factory is dataclasses.MISSING else f.default_factory
        stored.append(Stored(f.name, f.init, (), f.default if own else UNSET, factory))
    if (
        _code(cls.__init__, "co_qualname") == "__create_fn__.<locals>.__init__"
        and _home(cls, "__init__") is _home(cls, "__dataclass_fields__")
        and set(inspect.signature(cls).parameters) == {s.name for s in stored if s.init}  # else there are InitVars
        and (params.frozen or cls.__setattr__ is object.__setattr__)
        and not hasattr(cls, "__post_init__")
        and _plain_new(cls)
    ):
        return _stored(cls, stored, params.frozen)
    return _called(cls)


def _stored(cls: Any, stored: list[Stored], frozen: bool) -> Shape:
    """Return the shape of a class whose generated ``__init__`` may be left out."""
    hints = hints_of(cls)
    fields = tuple(Field(s.name, s.also, s.init, hints.get(s.name)) for s in stored)
    slots = _slots(cls, (s.name for s in stored))
    slotted = not cls.__dictoffset__ and len(slots) == len(stored)

    def build(names: list[str]) -> Maker:
        constants = [(s.name, s.constant) for s in stored if s.name not in names and s.constant is not UNSET]
        factories = [(s.name, s.factory) for s in stored if s.name not in names and s.factory is not None]
        if not slotted:
            return AttributeMaker(cls, names, constants, factories)
        return SlotsMaker(
            cls,
            [slots[name] for name in names],
            [(slots[name], value) for name, value in constants],
            [(slots[name], factory) for name, factory in factories],
            frozen,
        )

    return Shape(cls, fields, build)


def _hand_written(cls: Any) -> Shape | None:
    """Return the shape of any other class that a Python function sets up; a built-in one takes no columns."""
    written = isinstance(cls.__init__, types.FunctionType) or isinstance(cls.__new__, types.FunctionType)
    return _called(cls) if written else None


def _called(cls: Any, also: Mapping[str, str] | None = None) -> Shape | None:
    """Return the shape of a class that is called; ``also`` has other names of its parameters."""
    parameters = _parameters(cls)
    kinds = {p.kind for p in parameters}
    named = [p for p in parameters if p.kind not in _VARIADIC]
    is_open = inspect.Parameter.VAR_KEYWORD in kinds
    by_keyword = is_open or inspect.Parameter.KEYWORD_ONLY in kinds
    if not (named or is_open) or (by_keyword and inspect.Parameter.POSITIONAL_ONLY in kinds):
        return None
    hints = hints_of(cls)
    if isinstance(cls.__init__, types.FunctionType):
        hints |= _hints(cls.__init__, {cls.__name__: cls, **vars(cls)})
    fields = tuple(
        Field(p.name, (also[p.name],) if also and p.name in also else (), True, hints.get(p.name, p.annotation))
        for p in named
    )
    if by_keyword:
        return Shape(cls, fields, lambda names: KeywordMaker(cls, names), open=is_open)
    return Shape(cls, fields, lambda _: CallMaker(cls), ordered=True)


def _parameters(cls: Any) -> list[inspect.Parameter]:
    """Return the parameters of a class; those of ``__init__`` where ``__new__`` or a metaclass only passes them on."""
    try:
        parameters = list(inspect.signature(cls).parameters.values())
    except (TypeError, ValueError):
        return []
    if all(p.kind in _VARIADIC for p in parameters) and isinstance(cls.__init__, types.FunctionType):
        return list(inspect.signature(cls.__init__).parameters.values())[1:]
    return parameters


def hints_of(cls: type) -> dict[str, Any]:
    """Return the annotations of a class, evaluated one by one: what can't be stays the string that it is."""
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        hints |= _hints(base, {cls.__name__: cls, **vars(base)})
    return hints


def _hints(owner: Any, local_names: dict[str, Any]) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for name, annotation in _annotations(owner).items():
        holder = type(owner.__qualname__, (), {"__annotations__": {name: annotation}})
        module = sys.modules.get(owner.__module__)
        try:
            hints |= typing.get_type_hints(holder, vars(module) if module else {}, local_names, include_extras=True)
        except Exception:  # whatever a user's annotation raises, it is only not known
            hints[name] = annotation
    return hints


def _annotations(owner: Any) -> dict[str, Any]:
    if sys.version_info >= (3, 14):  # evaluated there only now, and not all of them can be
        import annotationlib

        return annotationlib.get_annotations(owner, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(owner)


def _home(cls: type, name: str) -> type:
    """Return the class that defines an attribute of ``cls``."""
    return next((base for base in cls.__mro__ if name in vars(base)), object)


def _code(function: Any, attribute: str) -> Any:
    return getattr(getattr(function, "__code__", None), attribute, None)


def _slots(cls: type, names: Iterable[str]) -> dict[str, Any]:
    """Return the descriptors of those names that are slots."""
    found = {name: inspect.getattr_static(cls, name, None) for name in names}
    return {name: slot for name, slot in found.items() if isinstance(slot, types.MemberDescriptorType)}


def _plain_call(cls: type) -> bool:
    return type(cls).__call__ is type.__call__


def _plain_new(cls: Any) -> bool:
    return _plain_call(cls) and cls.__new__ is object.__new__
