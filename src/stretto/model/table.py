"""Table: what is known of a Model, by which all other modules work. And the Models by name, for forward references."""

from __future__ import annotations

import inspect
import sys
import typing
import weakref
from typing import Any

from stretto.errors import ModelError
from stretto.model.fields import Field
from stretto.model.relations import Relation

_MODELS: dict[str, list[weakref.ref[Any]]] = {}


class Table:
    """The table of a Model; without a ``name`` its objects only come from hand-written SQL.

    ``fields`` and ``relations`` by attribute, ``columns`` the fields by column. ``options``: further keywords of the
    class (``unique``, ``checks``, ``indexes``: for create_tables; ``insert``, ``update``: statements of its own).
    ``partial``: the class of objects that lack a value.
    """

    def __init__(
        self,
        model: Any,
        name: str | None,
        schema: str | None,
        fields: dict[str, Field],
        relations: dict[str, Relation],
        options: dict[str, Any],
    ) -> None:
        self.model = model
        self.name = name
        self.schema = schema
        self.fields = fields
        self.relations = relations
        self.columns = {field.column: field for field in fields.values()}
        self.primary_key = tuple(field for field in fields.values() if field.primary_key)
        self.version = next((field for field in fields.values() if field.version), None)
        self.options = options
        self.partial: Any = None
        self.caches: dict[Any, Any] = {}  # what others compile for this model, once

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
        nested = {key: value for key, value in vars(self.model).items() if isinstance(value, type)}
        scope = _Scope(self.model, nested, vars(module) if module else {})
        try:
            return typing.get_type_hints(holder, {}, scope, include_extras=True)["it"]
        except NameError as error:
            raise ModelError(
                f"{self.model.__qualname__}.{name}: the annotation {annotation!r} names {error.name!r}, which is not"
                f" known in {self.model.__module__}"
            ) from None


class _Scope(dict[str, Any]):
    """The names that an annotation may use: the module's, classes in the class, and Models by name."""

    def __init__(self, model: Any, *namespaces: dict[str, Any]) -> None:
        super().__init__()
        self._model = model
        self._namespaces = namespaces

    def __missing__(self, name: str) -> Any:
        for namespace in self._namespaces:
            if name in namespace:
                return namespace[name]
        found = find_model(name, self._model)
        if found is None:
            raise KeyError(name)
        return found


def register(model: Any) -> None:
    """Let a Model be found by its name."""
    known = _MODELS.setdefault(model.__name__, [])
    known[:] = [one for one in known if one() is not None]
    known.append(weakref.ref(model))


def find_model(name: str, near: Any) -> Any:
    """The Model of this name: the one defined last, in the same function or module where there is one."""
    found = [model for one in _MODELS.get(name, ()) if (model := one()) is not None]
    place = near.__qualname__.rpartition(".")[0]

    def nearness(model: Any) -> tuple[bool, bool]:
        same = model.__module__ == near.__module__
        return same and model.__qualname__.rpartition(".")[0] == place, same

    return max(reversed(found), key=nearness, default=None)


def quote(name: str | None) -> str:
    """Quote an identifier, always: then it means the same whatever the server's keywords are."""
    if not name or "\0" in name:
        raise ModelError(f"{name!r} is no name that a table or column can have")
    return '"' + name.replace('"', '""') + '"'


def table_of(model: Any) -> Table:
    """The Table of a Model class; raises ModelError for anything else, or a Model without a table."""
    table = getattr(model, "__table__", None) if inspect.isclass(model) else None
    if not isinstance(table, Table):
        raise ModelError(f"{model!r} is not a Model")
    if table.name is None:
        raise ModelError(f"{table.model.__qualname__} has no table: give its class table=")
    return table
