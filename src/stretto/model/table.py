"""Table: what is known of a Model, by which all other modules work. And the Models by name, for forward references."""

from __future__ import annotations

import itertools
import operator
import sys
import typing
import weakref
from collections.abc import Callable
from typing import Any

from stretto.errors import ModelError
from stretto.model.fields import Field
from stretto.model.relations import Relation

OPTIONS = (
    "unique",
    "checks",
    "indexes",
    "foreign_keys",
    "insert",
    "update",
)  # keywords of a class, beside those of Table
_MODELS: dict[str, list[weakref.ref[Any]]] = {}
_NUMBERS = itertools.count(1)


class Table:
    """The table of a Model; without a ``name`` its objects only come from hand-written SQL.

    ``fields`` and ``relations`` by attribute, ``columns`` the fields by column. ``options``: further keywords of the
    class (``unique``, ``checks`` ... for create_tables; ``insert``, ``update``: statements of its own).
    ``slots``: the fields' attributes, each with the descriptor of its slot (``slot`` by attribute). ``values`` and
    ``compared`` get all values of an object, or those that ``==`` compares; AttributeError where it lacks one.
    ``partial``: the class of objects that lack a value. ``abstract``: it only lends its fields.
    """

    def __init__(
        self,
        model: Any,
        name: str | None,
        schema: str | None,
        fields: dict[str, Field],
        relations: dict[str, Relation],
        options: dict[str, Any],
        abstract: bool = False,
        local_names: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.name = name
        self.schema = schema
        self.fields = fields
        self.relations = relations
        self.columns: dict[str, Field] = {}
        for field in fields.values():
            twin = self.columns.setdefault(field.column, field)
            if twin is not field:
                raise ModelError(
                    f"{model.__qualname__}: {twin.name} and {field.name} are both of column {field.column!r}"
                )
        self.primary_key = tuple(field for field in fields.values() if field.primary_key)
        versions = [field for field in fields.values() if field.version]
        if len(versions) > 1:
            names = " and ".join(field.name for field in versions)
            raise ModelError(f"{model.__qualname__}: {names} are both version=True: there can be one")
        self.version = versions[0] if versions else None
        if name is not None:
            for identifier in (name, *self.columns, *([schema] if schema is not None else [])):
                quote(identifier)
        self.options = options
        self.abstract = abstract
        self.slots: tuple[tuple[str, Any], ...] = ()
        self.slot: dict[str, Any] = {}
        self.partial: Any = None
        self.number = 0  # in the order of definition
        self._local_names = local_names or {}
        self.caches: dict[Any, Any] = {}  # what others compile for this model, once

    def fill(self, slots: dict[str, Any]) -> None:
        """Take the slots of the class: it can have objects now."""
        self.slots = tuple(slots.items())
        self.slot = slots
        self.values = _getter(list(slots))
        self.compared = _getter([name for name in slots if self.fields[name].compare])

    def __repr__(self) -> str:
        return f"<Table {self.full_name} of {self.model.__qualname__}>"

    @property
    def full_name(self) -> str:
        """The name with its schema, unquoted."""
        return f"{self.schema}.{self.name}" if self.schema else str(self.name)

    @property
    def sql(self) -> str:
        """The name with its schema, quoted. Raises ModelError for a Model without a table."""
        if self.name is None:
            raise ModelError(f"{self.model.__qualname__} has no table: give its class table=")
        return f"{quote(self.schema)}.{quote(self.name)}" if self.schema else quote(self.name)

    def evaluate(self, annotation: Any, name: str) -> Any:
        """Evaluate the annotation of an attribute; a Model defined later is found by its name."""
        module = sys.modules.get(self.model.__module__)
        holder = type("holder", (), {"__annotations__": {"it": annotation}})
        nested = {one.__name__: one for one in getattr(self.model, "__type_params__", ())}
        nested |= {key: value for key, value in vars(self.model).items() if isinstance(value, type)}
        scope = _Scope(self.model, nested, self._local_names, vars(module) if module else {})
        try:
            return typing.get_type_hints(holder, {}, scope, include_extras=True)["it"]
        except NameError as error:
            raise ModelError(
                f"{self.model.__qualname__}.{name}: the annotation {annotation!r} names {error.name!r}, which is not"
                f" known in {self.model.__module__}"
            ) from None


def _getter(names: list[str]) -> Callable[[Any], Any]:
    return operator.attrgetter(*names) if names else lambda obj: ()


class _Scope(dict[str, Any]):
    """The names that an annotation may use: the module's, classes in the class, and Models by name."""

    def __init__(self, model: Any, *namespaces: dict[str, Any]) -> None:
        super().__init__()
        self._model = model
        self._namespaces = namespaces

    def __missing__(self, name: str) -> Any:
        beside = _beside(name, self._model)
        if beside is not None:
            return beside
        for namespace in self._namespaces:
            if name in namespace:
                return namespace[name]
        found = find_model(name, self._model)
        if found is None:
            raise KeyError(name)
        return found


def register(model: Any) -> None:
    """Let a Model be found by its name."""
    model.__table__.number = next(_NUMBERS)
    known = _MODELS.setdefault(model.__name__, [])
    known[:] = [one for one in known if one() is not None]
    known.append(weakref.ref(model))


def find_model(name: str, near: Any) -> Any:
    """The Model of this name: the one defined last in the same module, or else the only one of another module.

    While the module is still being run there is none: what is meant may come in it yet. Raises ModelError where several
    modules have one.
    """
    found = _named(name)
    here = [model for model in found if model.__module__ == near.__module__]
    if here:
        return here[-1]
    if getattr(getattr(sys.modules.get(near.__module__), "__spec__", None), "_initializing", False):
        return None
    there = {model.__module__: model for model in found if "<locals>" not in model.__qualname__}
    if len(there) > 1:
        raise ModelError(
            f"{near.__qualname__}: {name!r} is a Model of several modules ({', '.join(sorted(there))}), and none of"
            f" {near.__module__}: import the one that is meant there"
        )
    return next(iter(there.values()), None)


def _beside(name: str, near: Any) -> Any:
    """The Model of this name in the same function as another one: the first one defined after it."""
    place = near.__qualname__.rpartition(".")[0]
    if not place.endswith("<locals>"):
        return None
    number = near.__table__.number
    found = [
        model
        for model in _named(name)
        if model.__module__ == near.__module__ and model.__qualname__ == f"{place}.{name}"
    ]
    return next((model for model in found if model.__table__.number >= number), None)


def _named(name: str) -> list[Any]:
    return [model for one in _MODELS.get(name, ()) if (model := one()) is not None]


def quote(name: str | None) -> str:
    """Quote an identifier, always: then it means the same whatever the server's keywords are."""
    if not name or "\0" in name:
        raise ModelError(f"{name!r} is no name that a table or column can have")
    return '"' + name.replace('"', '""') + '"'


def table_of(model: Any) -> Table:
    """The Table of a Model class; raises ModelError for anything else, or a Model without a table."""
    table = getattr(model, "__table__", None) if isinstance(model, type) else None
    if not isinstance(table, Table):
        raise ModelError(f"{model!r} is not a Model")
    if table.name is None:
        raise ModelError(f"{table.model.__qualname__} has no table: give its class table=")
    return table
