"""What pydantic (and so FastAPI) must know of a Model: its schema, made when somebody asks for it.

Each Model has a twin, a TypedDict of its columns and relations, which pydantic reads as any other: from it are the
checks, the JSON schema and what refers to itself. An object is written as such a dict of what it has.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Annotated, Any, NotRequired

from stretto.errors import ModelError
from stretto.model.base import Model, values_of
from stretto.model.fields import UNSET
from stretto.model.table import Table

_PATH: ContextVar[tuple[Any, ...]] = ContextVar("stretto_written", default=())  # objects that are being written


def schema_of(cls: Any, handler: Any) -> Any:
    """The core schema of a Model: an object of it, or a dict of what ``__init__`` takes, becomes an object.

    Writing leaves out what is not loaded, and relations that lead back to an object which is being written.
    """
    from pydantic_core import core_schema

    table: Table | None = cls.__table__
    if table is None or table.abstract:
        raise ModelError(f"{cls.__qualname__} is abstract, and has no objects")
    inner = handler.generate_schema(_twin(table))
    write = core_schema.wrap_serializer_function_ser_schema(_written, schema=inner)
    return core_schema.no_info_wrap_validator_function(_validator(cls), inner, serialization=write)


def _validator(cls: Any) -> Any:
    def validated(value: Any, handler: Any) -> Any:
        return value if isinstance(value, cls) else cls(**handler(value))

    validated.__name__ = cls.__name__  # an error's text begins with it
    return validated


def _written(obj: Any, handler: Any) -> Any:
    if not isinstance(obj, Model):
        return handler(obj)
    path = (*_PATH.get(), obj)
    token = _PATH.set(path)
    try:
        return handler({key: value for key, value in values_of(obj).items() if not _leads_back(value, path)})
    finally:
        _PATH.reset(token)


def _leads_back(value: Any, path: tuple[Any, ...]) -> bool:
    if isinstance(value, list):
        return any(_leads_back(one, path) for one in value if isinstance(one, Model))
    return isinstance(value, Model) and any(value is one for one in path)


def _twin(table: Table) -> Any:
    """The TypedDict of a Model."""
    twin = table.caches.get("typed dict")
    if twin is None:
        from typing_extensions import TypedDict  # pydantic brings it, and takes no other before Python 3.12

        members = {name: _member(table.fields[name]) for name in table.fields}
        members |= {name: NotRequired[_evaluated(one)] for name, one in table.relations.items()}
        make: Any = TypedDict
        twin = make(table.model.__name__, members)
        twin.__module__ = table.model.__module__
        twin.__qualname__ = table.model.__qualname__
        twin.__doc__ = table.model.__doc__
        table.caches["typed dict"] = twin
    return twin


def _member(field: Any) -> Any:
    annotation = _evaluated(field)
    if field.required:
        return annotation
    if field.default_factory is None and field.default is not UNSET:
        from pydantic import Field as Description

        annotation = Annotated[annotation, Description(json_schema_extra={"default": field.default})]
    return NotRequired[annotation]


def _evaluated(member: Any) -> Any:
    """The annotation; pydantic tries again later where it names what is not defined yet."""
    try:
        return member.annotation
    except ModelError as error:
        if isinstance(error.__context__, NameError):
            from pydantic.errors import PydanticUndefinedAnnotation

            raise PydanticUndefinedAnnotation(error.__context__.name or "", str(error)) from None
        raise
