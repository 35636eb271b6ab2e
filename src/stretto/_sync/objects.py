# Generated from src/stretto/_async/objects.py by tools/make_sync.py: do not edit.
"""The verbs for objects of Models, which a Database, a Connection and a transaction share. No logic."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from stretto.flows import graph, tables, writing
from stretto.flows.shared import Shared
from stretto.runtime.crowd import NOBODY, Crowd

if TYPE_CHECKING:
    from stretto.model.differences import Difference

T = TypeVar("T")


class Objects:
    """What can be done with objects. Each verb is given objects of Models and gives the same objects back."""

    __slots__ = ()
    _shared: Shared
    _crowd: Crowd = NOBODY

    def _turn(self, timeout: float | None) -> Any:
        """Wait, while a crowd does, until a call may be made; gives when it was wanted, 0 where it did not wait."""
        raise NotImplementedError

    def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        raise NotImplementedError

    def get(self, model: type[T], key: Any, *, include: Any = (), timeout: float | None = None) -> T | None:
        """The object with this primary key, or None. One round trip; cold, two.

        ``key``: a tuple, or a dict by field, for a key of several parts. ``include``: a relation, or several, to fetch
        with it. Raises UsageError for a key of other parts, ModelError for a Model without a primary key.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(writing.get(self._shared, model, key, include), timeout, False, since)  # type: ignore[no-any-return]  # flows are untyped at their ends

    def insert(self, obj: T, *, timeout: float | None = None) -> T:
        """Insert an object; what the server makes (keys, defaults, computed columns) is filled in. One round trip.

        Columns without a value are left to the server. When it fails the object is as it was. Raises the server's
        error, and OperationalError where a trigger or rule keeps the row out.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(writing.insert(self._shared, obj), timeout, False, since)  # type: ignore[no-any-return]  # as above

    def insert_many(self, objs: Iterable[T], *, timeout: float | None = None) -> list[T]:
        """Insert objects, all or nothing; what the server makes is filled in. One round trip.

        One statement for all of one Model that have values for the same columns, in which they are inserted in their
        order; the statements are in the order of each one's first object. Raises as insert, UsageError for an object
        that is there twice.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(writing.insert_many(self._shared, objs), timeout, False, since)  # type: ignore[no-any-return]  # as above

    def update(self, obj: T, *, timeout: float | None = None) -> T:
        """Write what was changed since the object was loaded; nothing changed, nothing sent. One round trip.

        The row is found by the key that was loaded, and by the version where there is one. A value that can change in
        place (list, dict, object) is always written. Of an object made in Python all columns that have a value are
        written, but the key. Computed columns and the version are filled in. Raises StaleObject when no row is found.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(writing.update(self._shared, obj), timeout, False, since)  # type: ignore[no-any-return]  # as above

    def update_many(self, objs: Iterable[T], *, timeout: float | None = None) -> list[T]:
        """Update objects, all or nothing. One round trip.

        One statement for all of one Model that have changed in the same columns. Raises StaleObject when any row is
        not found (in a transaction, that fails it), UsageError for an object or row that is there twice. ``update=``
        statements of a Model's own are only looked at when they have run: what they miss does not undo the rest.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(writing.update_many(self._shared, objs), timeout, False, since)  # type: ignore[no-any-return]  # as above

    def save(self, obj: T, *, timeout: float | None = None) -> T:
        """Insert an object that has no primary key yet; update one that was loaded, or that was given a key.

        Raises StaleObject where an object with a key has no row: insert() or upsert() it.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(writing.save(self._shared, obj), timeout, False, since)  # type: ignore[no-any-return]  # as above

    def upsert(self, obj: T, *, on: Any = None, timeout: float | None = None) -> T:
        """Insert an object, or update the row with the same ``on``: a field or a tuple of them, else the primary key.

        ``on`` must have a unique constraint. The other columns that have a value are written, the primary key is not;
        all columns are filled in from the row as it is then. A version grows, and is not compared. One round trip.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(writing.upsert(self._shared, obj, on), timeout, False, since)  # type: ignore[no-any-return]  # as above

    def delete(self, obj: Any, *, timeout: float | None = None) -> None:
        """Delete an object's row; raises StaleObject when it is not there any more."""
        since = self._turn(timeout) if self._crowd.shut else 0.0
        self._run(writing.delete(self._shared, obj), timeout, False, since)

    def load(self, objs: T | Sequence[T], *relations: Any, timeout: float | None = None) -> None:
        """Fill relations of objects in hand: one statement for each relation, all in one round trip."""
        since = self._turn(timeout) if self._crowd.shut else 0.0
        self._run(graph.load(self._shared, objs, relations), timeout, False, since)

    def create_tables(self, *models: type[Any], timeout: float | None = None) -> None:
        """Create the tables of Models that are not there yet, in the order of their references, all or nothing.

        With them their schemas, enum types, indexes, and the tables of many-to-many relations that have no Model.
        Raises ModelError for a Model that can't be a table, and the server's error, as UndefinedTable for a reference
        to a table that is neither there nor given.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        self._run(tables.create(self._shared, models), timeout, False, since)

    def drop_tables(self, *models: type[Any], timeout: float | None = None) -> None:
        """Drop the tables of Models that are there, all or nothing.

        With them the tables of many-to-many relations that have no Model, and enum types that nobody uses any more. No
        CASCADE: raises DependentObjectsStillExist where other tables reference them.
        """
        since = self._turn(timeout) if self._crowd.shut else 0.0
        self._run(tables.drop(self._shared, models), timeout, False, since)

    def check_tables(self, *models: type[Any], timeout: float | None = None) -> list[Difference]:
        """Where Models and the live tables disagree, in columns, keys, indexes and relations; [] where all is well."""
        since = self._turn(timeout) if self._crowd.shut else 0.0
        return self._run(tables.check(self._shared, models), timeout, False, since)  # type: ignore[no-any-return]  # as above
