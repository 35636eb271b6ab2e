"""Making the class of a Model: what its body and its bases say, its ``__init__``, and its looks as a dataclass."""

from __future__ import annotations

import dataclasses
import functools
import re
import sys
import typing
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from stretto.errors import ModelError
from stretto.model.fields import UNSET, Field, Lent
from stretto.model.relations import Relation

Members = dict[str, tuple[Any, Any]]  # fields and relations with their annotations
_CLASS_VARIABLE = re.compile(r"\s*(?:\w+\s*\.\s*)?ClassVar\b")
_INIT_VARIABLE = re.compile(r"\s*(?:\w+\s*\.\s*)?InitVar\b")


def own_members(title: str, namespace: dict[str, Any]) -> Members:
    """The fields and relations of a class body, with their annotations; they are taken out of it."""
    found: Members = {}
    for key, annotation in _annotations(namespace).items():
        if _is(ClassVar, _CLASS_VARIABLE, annotation):
            continue
        _check_name(title, key, annotation)
        value = namespace.pop(key, UNSET)
        if not isinstance(value, Field | Relation):
            value = Field(default=shareable(value, f"{title}.{key}"))
        found[key] = (value, annotation)
    for key, value in namespace.items():
        if isinstance(value, Field | Relation):
            raise ModelError(f"{title}.{key} has no annotation: write {key}: <type> = ...")
    return found


def shareable(default: Any, where: str) -> Any:
    """A default that all objects may have in common; raises ModelError for one that can be changed."""
    if default is not UNSET and type(default).__hash__ is None:
        kind = type(default).__name__
        raise ModelError(f"{where}: all objects would share this {kind}: use field(default_factory={kind})")
    return default


def _check_name(title: str, key: str, annotation: Any) -> None:
    if key.startswith("_"):
        raise ModelError(f"{title}.{key}: an attribute can't begin with an underscore: name the column by column=")
    if isinstance(annotation, dataclasses.InitVar) or _is(dataclasses.InitVar, _INIT_VARIABLE, annotation):
        raise ModelError(f"{title}.{key}: a Model has no InitVar: give the class an __init__ of its own")


def _is(kind: Any, pattern: re.Pattern[str], annotation: Any) -> bool:
    if isinstance(annotation, str):
        return pattern.match(annotation) is not None
    return typing.get_origin(annotation) is kind or annotation is kind


def _annotations(namespace: dict[str, Any]) -> dict[str, Any]:
    if sys.version_info >= (3, 14):
        import annotationlib

        annotate = annotationlib.get_annotate_from_class_namespace(namespace)
        if annotate is not None:
            return annotationlib.call_annotate_function(annotate, annotationlib.Format.FORWARDREF)
    return dict(namespace.get("__annotations__", {}))


def inherited_members(title: str, bases: Iterable[Any], own: Members, namespace: dict[str, Any]) -> Members:
    """The fields and relations of the bases; annotations stay where they were written (Lent)."""
    found: Members = {}
    for base in reversed(tuple(bases)):
        known = getattr(base, "__table__", None)
        if known is None:
            continue
        if known.name is not None:
            raise ModelError(
                f"{title} inherits from {known.model.__qualname__}, which is a table: put what they share into a base"
                " with abstract=True"
            )
        types = _type_arguments(base, namespace)
        for one in (*known.fields.values(), *known.relations.values()):
            found[one.name] = (one, Lent(one, types))
    for key in found:
        if key in namespace and key not in own:
            raise ModelError(f"{title}.{key} hides a field of a base: give it an annotation, to be another field")
    return found


def _type_arguments(base: Any, namespace: dict[str, Any]) -> dict[Any, Any]:
    """What stands for the type variables of a generic base: ``class Numbers(Box[int])``."""
    for alias in namespace.get("__orig_bases__", ()):
        if typing.get_origin(alias) is base:
            return dict(zip(base.__parameters__, typing.get_args(alias), strict=False))
    return {}


def local_names(members: Members, frame: Any) -> dict[str, Any]:
    """What the annotations name of the function that a class is written in; else nobody could find it later."""
    found: dict[str, Any] = {}
    if frame.f_locals is frame.f_globals:
        return found
    known = frame.f_locals
    for _, annotation in members.values():
        for name in re.findall(r"[^\W\d]\w*", annotation) if isinstance(annotation, str) else ():
            if name in known:
                found[name] = known[name]
    return found


def make_init(cls: Any, fields: dict[str, Field], relations: dict[str, Relation], settle: Callable[[Any], None]) -> Any:
    """Write ``__init__``, as dataclasses do: keywords only, and no loop at run time.

    Names of its own begin with an underscore, which no field's does.
    """
    partial = cls.__table__.partial
    scope: dict[str, Any] = {"_unset": UNSET, "_cls": cls, "_partial": partial, "_settle": settle, "_type": type}
    scope["_become"] = object.__dict__["__class__"].__set__
    parameters, body, lacking = [], [], []
    for key, one in fields.items():
        if one.required:
            parameters.append(key)
            body.append(f"_self.{key} = {key}")
        elif one.default_factory is not None:
            scope[f"_make_{key}"] = one.default_factory
            parameters.append(f"{key}=_unset")
            body.append(f"_self.{key} = _make_{key}() if {key} is _unset else {key}")
        elif one.default is not UNSET:
            scope[f"_default_{key}"] = one.default
            parameters.append(f"{key}=_default_{key}")
            body.append(f"_self.{key} = {key}")
        else:
            lacking.append(key)
            parameters.append(f"{key}=_unset")
            body.append(f"if {key} is not _unset: _self.{key} = {key}")
    for key in relations:
        parameters.append(f"{key}=_unset")
        body.append(f"if {key} is not _unset: _self.{key} = {key}")
    if lacking:
        body.append(f"if {' or '.join(f'{key} is _unset' for key in lacking)}:")
        body.append("    _become(_self, _partial) if _type(_self) is _cls else _settle(_self)")
    after = written_post_init(cls)
    if after is not None:
        scope["_after"] = after
        body.append("_after(_self)")
    head = f"def __init__(_self{', *, ' if parameters else ''}{', '.join(parameters)}):"
    exec("\n    ".join([head, *body, "pass"]), scope)  # noqa: S102  # names are the class's own identifiers
    return _named(scope["__init__"], cls, "__init__")


def settling_init(init: Any, settle: Callable[[Any], None]) -> Any:
    """The ``__init__`` that a class body wrote; what it has not set is a missing value afterwards."""

    @functools.wraps(init)
    def settling(_self: Any, /, *args: Any, **keywords: Any) -> None:
        init(_self, *args, **keywords)
        settle(_self)

    return settling


def written_post_init(cls: Any) -> Any:
    """The ``__post_init__`` that a class or a base of it has in its body, if any."""
    for base in cls.__mro__:
        found = vars(base).get("__post_init__")
        if found is not None:
            return found.written if isinstance(found, PostInit) else found
    return None


class PostInit:
    """What libraries call that make objects without ``__init__`` (msgspec): they set UNSET where nothing is there."""

    def __init__(self, written: Any, tidy: Callable[[Any], None]) -> None:
        self.written = written
        self._tidy = tidy

    def __get__(self, obj: Any, owner: Any = None) -> Any:
        return self if obj is None else functools.partial(self, obj)

    def __call__(self, obj: Any) -> None:
        """Take UNSET out, then do what the class says."""
        self._tidy(obj)
        if self.written is not None:
            self.written(obj)


def _named(function: Any, cls: Any, name: str) -> Any:
    function.__qualname__ = f"{cls.__qualname__}.{name}"
    function.__module__ = cls.__module__
    return function


def _unset() -> Any:
    return UNSET


class DataclassFields:
    """``__dataclass_fields__``: on the class all fields, on an object those that it has.

    ``left_out`` gives the names of those that were not loaded, and that ``__init__`` would make up. They are there as
    what is no field, but what ``dataclasses.replace`` reads where it is not given one: so it raises NotLoaded.
    """

    def __init__(
        self,
        fields: dict[str, Any],
        values_of: Callable[[Any], dict[str, Any]],
        left_out: Callable[[Any], list[str]],
    ) -> None:
        self._fields = fields
        self._values_of = values_of
        self._left_out = left_out

    def __get__(self, obj: Any, owner: Any = None) -> dict[str, Any]:
        if obj is None:
            return self._fields
        has = self._values_of(obj)
        found = {key: one for key, one in self._fields.items() if key in has}
        return found | {key: _init_variable(key) for key in self._left_out(obj)}


@functools.lru_cache(maxsize=1024)
def _init_variable(name: str) -> Any:
    """What the standard library has for an InitVar with a default."""
    cls: Any = dataclasses.make_dataclass("cls", [(name, dataclasses.InitVar[Any], None)])
    return cls.__dataclass_fields__[name]


def as_dataclass(cls: Any, fields: dict[str, Field], relations: dict[str, Relation], *reading: Any) -> None:
    """Give a class what the standard library knows dataclasses by; ``reading`` are DataclassFields' functions."""
    specs: list[Any] = []
    for key, one in fields.items():
        options: dict[str, Any] = {"repr": one.repr, "compare": one.compare}
        if one.default_factory is not None:
            options["default_factory"] = one.default_factory
        elif not one.required:  # by a factory, as UNSET has no place in a JSON schema (msgspec)
            options |= {"default_factory": _unset} if one.default is UNSET else {"default": one.default}
        specs.append((key, one.written_annotation, dataclasses.field(**options)))
    for key, other in relations.items():
        specs.append((key, other.written_annotation, dataclasses.field(default_factory=_unset, compare=False)))
    twin: Any = dataclasses.make_dataclass(cls.__name__, specs, kw_only=True, init=False, repr=False, eq=False)
    cls.__dataclass_fields__ = DataclassFields(twin.__dataclass_fields__, *reading)
    cls.__dataclass_params__ = twin.__dataclass_params__
