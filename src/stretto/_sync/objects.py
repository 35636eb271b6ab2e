# Generated from src/stretto/_async/objects.py by tools/make_sync.py: do not edit.
"""The verbs for objects of Models, which a Database, a Connection and a transaction share. No logic."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from stretto.flows import graph, tables, writing
from stretto.flows.shared import Shared

if TYPE_CHECKING:
    from stretto.model.differences import Difference

T = TypeVar("T")


class Objects:
    """What can be done with objects. Each verb is given objects of Models and gives the same objects back."""

    _shared: Shared

    def _run(self, flow: Generator[Any, Any, Any], timeout: float | None) -> Any:
        raise NotImplementedError

    def get(self, model: type[T], key: Any, *, include: Any = (), timeout: float | None = None) -> T | None:
        """The object with this primary key (a tuple for a composite one), or None. One round trip.

        ``include``: a relation, or several, to fetch with it.
        """
        return self._run(writing.get(self._shared, model, key, include), timeout)  # type: ignore[no-any-return]  # flows are untyped at their ends

    def insert(self, obj: T, *, timeout: float | None = None) -> T:
        """Insert an object; what the server makes (keys, defaults) is filled in. One round trip."""
        return self._run(writing.insert(self._shared, obj), timeout)  # type: ignore[no-any-return]  # as above

    def insert_many(self, objs: Iterable[T], *, timeout: float | None = None) -> list[T]:
        """Insert objects, all or nothing; what the server makes is filled in. One statement for each Model."""
        return self._run(writing.insert_many(self._shared, objs), timeout)  # type: ignore[no-any-return]  # as above

    def update(self, obj: T, *, timeout: float | None = None) -> T:
        """Write what was changed since the object was loaded; raises StaleObject when its row is not there any more."""
        return self._run(writing.update(self._shared, obj), timeout)  # type: ignore[no-any-return]  # as above

    def update_many(self, objs: Iterable[T], *, timeout: float | None = None) -> list[T]:
        """Update objects, all or nothing, in one statement for each Model; raises as update."""
        return self._run(writing.update_many(self._shared, objs), timeout)  # type: ignore[no-any-return]  # as above

    def save(self, obj: T, *, timeout: float | None = None) -> T:
        """Insert an object whose key is not set, update any other."""
        return self._run(writing.save(self._shared, obj), timeout)  # type: ignore[no-any-return]  # as above

    def upsert(self, obj: T, *, on: Any = None, timeout: float | None = None) -> T:
        """Insert an object, or update the row with the same ``on``: a field or several, else the primary key."""
        return self._run(writing.upsert(self._shared, obj, on), timeout)  # type: ignore[no-any-return]  # as above

    def delete(self, obj: Any, *, timeout: float | None = None) -> None:
        """Delete an object's row; raises StaleObject when it is not there any more."""
        self._run(writing.delete(self._shared, obj), timeout)

    def load(self, objs: T | Sequence[T], *relations: Any, timeout: float | None = None) -> None:
        """Fill relations of objects in hand: one statement for each relation, all in one round trip."""
        self._run(graph.load(self._shared, objs, relations), timeout)

    def create_tables(self, *models: type[Any], timeout: float | None = None) -> None:
        """Create the tables of Models that are not there yet, in the order of their references, all or nothing.

        With them their schemas, enum types, indexes, and the tables of many-to-many relations that have no Model.
        Raises ModelError for a Model that can't be a table, and the server's error, as UndefinedTable for a reference
        to a table that is neither there nor given.
        """
        self._run(tables.create(self._shared, models), timeout)

    def drop_tables(self, *models: type[Any], timeout: float | None = None) -> None:
        """Drop the tables of Models that are there, all or nothing.

        With them the tables of many-to-many relations that have no Model, and enum types that nobody uses any more. No
        CASCADE: raises DependentObjectsStillExist where other tables reference them.
        """
        self._run(tables.drop(self._shared, models), timeout)

    def check_tables(self, *models: type[Any], timeout: float | None = None) -> list[Difference]:
        """Where Models and the live tables disagree, in columns, keys, indexes and relations; [] where all is well."""
        return self._run(tables.check(self._shared, models), timeout)  # type: ignore[no-any-return]  # as above
