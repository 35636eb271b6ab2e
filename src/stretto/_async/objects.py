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


class AsyncObjects:
    """What can be done with objects. Each verb is given objects of Models and gives the same objects back."""

    __slots__ = ()
    _shared: Shared
    _crowd: Crowd = NOBODY

    def _turn(self, timeout: float | None, block: bool = False) -> Any:
        """Wait, while a crowd does, until a call may be made; gives when it was wanted, 0 where it did not wait."""
        raise NotImplementedError

    def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        raise NotImplementedError

    async def get(self, model: type[T], key: Any, *, include: Any = (), timeout: float | None = None) -> T | None:
        """The object with this primary key, or None. One round trip; two when its SQL is new to the connection.

        Args:
            model: the Model.
            key: the primary key; of several parts a tuple, or a dict by field.
            include: a relation, or several, to fetch with it.
            timeout: seconds for the whole call.

        Raises:
            UsageError: a key of other parts.
            ModelError: the Model has no primary key.
        """
        since = await self._turn(timeout) if self._crowd.shut else 0.0
        return await self._run(writing.get(self._shared, model, key, include), timeout, False, since)  # type: ignore[no-any-return]  # flows are untyped at their ends

    async def insert(self, obj: T, *, timeout: float | None = None) -> T:
        """Insert an object; what the server makes (keys, defaults, computed columns) is filled in. One round trip.

        Args:
            obj: of a Model. Columns without a value are left to the server. When it fails the object is as it was.
            timeout: seconds for the whole call.

        Returns:
            The same object.

        Raises:
            DatabaseError: the server refused, as UniqueViolation.
            OperationalError: a trigger or rule kept the row out.
        """
        since = await self._turn(timeout) if self._crowd.shut else 0.0
        return await self._run(writing.insert(self._shared, obj), timeout, False, since)  # type: ignore[no-any-return]  # as above

    async def insert_many(self, objs: Iterable[T], *, timeout: float | None = None) -> list[T]:
        """Insert objects, all or nothing; what the server makes is filled in. One round trip.

        One statement for all of one Model that have values for the same columns, in which they are inserted in their
        order; the statements are in the order of each one's first object.

        Args:
            objs: of one Model or several.
            timeout: seconds for the whole call.

        Returns:
            The same objects.

        Raises:
            UsageError: an object is there twice. All others are those of `insert`.
        """
        since = await self._turn(timeout) if self._crowd.shut else 0.0
        return await self._run(writing.insert_many(self._shared, objs), timeout, False, since)  # type: ignore[no-any-return]  # as above

    async def update(self, obj: T, *, timeout: float | None = None) -> T:
        """Write what was changed since ``obj`` was loaded; nothing changed, nothing sent. One round trip.

        The row is found by the key that was loaded, and by the version where there is one. A value that can change in
        place (list, dict, object) is always written. Of an object made in Python all columns that have a value are
        written, but the key. Computed columns and the version are filled in. Raises StaleObject when no row is found.
        """
        since = await self._turn(timeout) if self._crowd.shut else 0.0
        return await self._run(writing.update(self._shared, obj), timeout, False, since)  # type: ignore[no-any-return]  # as above

    async def update_many(self, objs: Iterable[T], *, timeout: float | None = None) -> list[T]:
        """Update objects (``objs``, of one Model or several), all or nothing. One round trip.

        One statement for all of one Model that have changed in the same columns. Raises StaleObject when any row is
        not found (in a transaction, that fails it), UsageError for an object or row that is there twice. ``update=``
        statements of a Model's own are only looked at when they have run: what they miss does not undo the rest.
        """
        since = await self._turn(timeout) if self._crowd.shut else 0.0
        return await self._run(writing.update_many(self._shared, objs), timeout, False, since)  # type: ignore[no-any-return]  # as above

    async def save(self, obj: T, *, timeout: float | None = None) -> T:
        """Insert ``obj`` where it has no primary key yet; update it where it was loaded, or was given a key.

        Raises StaleObject where an object with a key has no row: insert() or upsert() it. Returns the same object.
        """
        since = await self._turn(timeout) if self._crowd.shut else 0.0
        return await self._run(writing.save(self._shared, obj), timeout, False, since)  # type: ignore[no-any-return]  # as above

    async def upsert(self, obj: T, *, on: Any = None, timeout: float | None = None) -> T:
        """Insert ``obj``, or update the row with the same ``on``: a field or a tuple of them, else the primary key.

        ``on`` must have a unique constraint. The other columns that have a value are written, the primary key is not;
        all columns are filled in from the row as it is then. A version grows, and is not compared. One round trip.
        """
        since = await self._turn(timeout) if self._crowd.shut else 0.0
        return await self._run(writing.upsert(self._shared, obj, on), timeout, False, since)  # type: ignore[no-any-return]  # as above

    async def delete(self, obj: Any, *, timeout: float | None = None) -> None:
        """Delete the row of ``obj``. One round trip. Raises StaleObject when it is not there any more."""
        since = await self._turn(timeout) if self._crowd.shut else 0.0
        await self._run(writing.delete(self._shared, obj), timeout, False, since)

    async def load(self, objs: T | Sequence[T], *relations: Any, timeout: float | None = None) -> None:
        """Fill relations of objects in hand: one statement for each relation, all in one round trip.

        Args:
            objs: an object, or several of one Model.
            relations: as ``Author.books``, or `related` with conditions and relations of their own.
            timeout: seconds for the whole call.

        Raises:
            UsageError: what is given are no objects of a Model, or no relations of it.
        """
        since = await self._turn(timeout) if self._crowd.shut else 0.0
        await self._run(graph.load(self._shared, objs, relations), timeout, False, since)

    async def create_tables(self, *models: type[Any], timeout: float | None = None) -> None:
        """Create the tables of ``models`` that are not there yet, in the order of their references, all or nothing.

        With them their schemas, enum types, indexes, and the tables of many-to-many relations that have no Model.
        Raises ModelError for a Model that can't be a table, and the server's error, as UndefinedTable for a reference
        to a table that is neither there nor given.
        """
        since = await self._turn(timeout) if self._crowd.shut else 0.0
        await self._run(tables.create(self._shared, models), timeout, False, since)

    async def drop_tables(self, *models: type[Any], timeout: float | None = None) -> None:
        """Drop the tables of ``models`` that are there, all or nothing.

        With them the tables of many-to-many relations that have no Model, and enum types that nobody uses any more. No
        CASCADE: raises DependentObjectsStillExist where other tables reference them.
        """
        since = await self._turn(timeout) if self._crowd.shut else 0.0
        await self._run(tables.drop(self._shared, models), timeout, False, since)

    async def check_tables(self, *models: type[Any], timeout: float | None = None) -> list[Difference]:
        """Where ``models`` and the live tables disagree: columns, keys, indexes, relations; [] where all is well."""
        since = await self._turn(timeout) if self._crowd.shut else 0.0
        return await self._run(tables.check(self._shared, models), timeout, False, since)  # type: ignore[no-any-return]  # as above
