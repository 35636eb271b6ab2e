"""How objects of Models are written: SQL for each set of columns, made once, and its arguments from objects. No I/O.

A Writer is all that is known of one Model; it is kept in ``table.caches``. A Plan is one statement: which values it
takes and which come back, as positions in the Model's fields. Values travel as a list with a place for each field,
UNSET where the object has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from stretto.codecs.oids import TYPES
from stretto.errors import ModelError, OperationalError, StaleObject, UsageError
from stretto.model import dml
from stretto.model.base import Origin, make_whole, reader_of, settle
from stretto.model.fields import UNSET, Field
from stretto.model.loading import LOADED, ORIGIN, known_of
from stretto.model.ownsql import refuse_upsert
from stretto.model.shapes import bare
from stretto.model.table import Table, quote, table_of
from stretto.model.values import FIXED, is_fixed, is_same, needs_reading, writer_of_values

Values = list[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One statement: ``given`` are the places of its arguments, ``returned`` those that its row fills.

    ``into`` makes that row a tuple. ``many``: the same for many objects at once, from rows whose ``columns`` are those
    of the arguments (empty where that can't be); ``single``: ``sql``, but failing where it does not find its row.
    """

    sql: str
    given: tuple[int, ...]
    returned: tuple[int, ...]
    into: Any
    many: str = ""
    single: str = ""
    columns: tuple[str, ...] = ()


@dataclass(slots=True, repr=False)
class Change:
    """What an update is to write of one object; ``row`` is the key that it was loaded with."""

    plan: Plan
    args: tuple[Any, ...]
    row: tuple[Any, ...]
    values: Values


_TYPE_NAMES = frozenset(name for name, *_ in TYPES)


def writer_for(obj: Any) -> Writer:
    """The Writer of an object's Model; raises UsageError for what is no object of a Model."""
    cls: Any = type(obj)
    writer = _writer_of_class(cls)
    if writer is None:
        given = f"the class {obj.__qualname__}" if isinstance(obj, type) else f"a {type(obj).__name__}"
        raise UsageError(f"an object of a Model is needed, not {given}")
    return writer


@lru_cache(maxsize=1024)
def _writer_of_class(cls: Any) -> Writer | None:
    table = getattr(cls, "__table__", None)
    return writer_of(table) if isinstance(table, Table) else None


def writer_of(table: Table) -> Writer:
    """The Writer of a Model, made once."""
    found: Writer | None = table.caches.get("writer")
    if found is None:
        found = table.caches["writer"] = Writer(table)
    return found


class Writer:
    """Statements for objects of one Model."""

    def __init__(self, table: Table) -> None:
        table_of(table.model)
        self.table = table
        self.title = table.model.__qualname__
        self.names = tuple(table.fields)
        self.fields = list(table.fields.values())
        self.model = table.model
        self._reader = reader_of(table)
        self.values = self._reader.values  # what an object has, by place
        self.places = {name: place for place, name in enumerate(self.names)}
        self.key = tuple(self.places[one.name] for one in table.primary_key)
        self.version = -1 if table.version is None else self.places[table.version.name]
        self.identity = (*self.key, self.version) if table.version is not None else self.key
        self.grows = () if table.version is None else (self.version,)
        self.has_row_type = table.schema is not None or table.name not in _TYPE_NAMES  # pg_catalog's would be meant
        self.writers = _writers(self.fields)
        self.plain_key = len(self.key) == 1 and self.key[0] not in self.writers
        self.origin = Origin(f"insert or update of {self.title}", self.names)
        self._written = [p for p, one in enumerate(self.fields) if one.written and p != self.version]
        self._identities = [place for place, one in enumerate(self.fields) if one.generated]
        self._made = [place for place, one in enumerate(self.fields) if not one.written]
        self._made_key = [place for place in self.key if place in self._made]
        self._inserts: dict[Any, Plan] = {}
        self._updates: dict[Any, Plan] = {}
        self._upserts: dict[Any, Plan] = {}

    def alike(self, objs: Sequence[Any]) -> tuple[Plan, list[Values], list[tuple[Any, ...]]] | None:
        """The plan for inserting several objects at once, their values and arguments; None where they are not alike.

        Alike are objects of this Model that have values for the same columns.
        """
        reader, made, plan = self._reader, self._identities, None
        found, args = [], []
        first: Any = None
        for obj in objs:
            cls: Any = type(obj)
            if _writer_of_class(cls) is not self:
                return None
            values = reader.values(obj)
            given = reader.given(values, made)
            if plan is None:
                first, plan = given, self.insertion(values)
            elif given != first:
                return None
            found.append(values)
            args.append(self.encoded(plan.given, values))
        return None if plan is None else (plan, found, args)

    # Objects ----------------------------------------------------------------------------------------------------------

    def loaded(self, obj: Any) -> Values | None:
        """What the object had when it came from the database, by place; None when it was made in Python."""
        origin, values = known_of(obj)
        if origin is None or values is None:
            return None
        if origin.names == self.names:
            return list(values)
        known = dict(zip(origin.names, values, strict=True))
        return [known.get(name, UNSET) for name in self.names]

    def encoded(self, places: tuple[int, ...], values: Values) -> tuple[Any, ...]:
        """The values at these places, as the codecs take them."""
        if not self.writers:
            return self._reader.pick(values, places)
        return tuple([self.encode(place, values[place]) for place in places])

    def encode(self, place: int, value: Any) -> Any:
        """One value as its codec takes it."""
        write = self.writers.get(place)
        return value if write is None or value is None else write(value)

    def fill(self, obj: Any, values: Values, places: tuple[int, ...], row: Sequence[Any]) -> None:
        """Put what came back into the object, and remember that all it has now is what the row has."""
        self._reader.fill(obj, values, places, row)
        self.remember(obj, values)

    def remember(self, obj: Any, values: Values) -> None:
        """The object's row has these values now."""
        if self._reader.are_set(values):
            ORIGIN.__set__(obj, self.origin)  # past the class's own __setattr__
            LOADED.__set__(obj, tuple(values))
            if type(obj) is not self.model:
                make_whole(obj, self.model)
        else:
            names = [name for name, value in zip(self.names, values, strict=True) if value is not UNSET]
            obj._origin_ = Origin(self.origin.text, tuple(names))
            obj._loaded_ = tuple([value for value in values if value is not UNSET])
            settle(obj)

    def forget(self, obj: Any) -> None:
        """The object has no row any more."""
        if self.loaded(obj) is not None:
            del obj._origin_, obj._loaded_

    def own(self, verb: str) -> str:
        """The model's own statement for a verb, empty where it has none."""
        return self.table.options.get(verb) or ""

    def has_key(self, values: Values) -> bool:
        """Whether each part of the key has a value."""
        return all(values[place] is not UNSET and values[place] is not None for place in self.key)

    # Statements -------------------------------------------------------------------------------------------------------

    @cached_property
    def selection(self) -> str:
        """The statement that gets the object with a key."""
        key = self._columns(self._need_key("get"))
        return dml.select(self.table.sql, self._columns(range(len(self.fields))), key)

    def key_args(self, key: Any) -> tuple[Any, ...]:
        """The arguments that a key is, given as a value, a tuple or a dict. Raises UsageError for other parts."""
        places = self.key
        if len(places) == 1 and not isinstance(key, dict):
            return (self.encode(places[0], key),)
        names = [self.names[place] for place in self._need_key("get")]
        if isinstance(key, dict):
            if set(key) != set(names):
                raise UsageError(f"the key of {self.title} has the parts {', '.join(names)}, not {_listed(key)}")
            key = [key[name] for name in names]
        if not isinstance(key, tuple | list) or len(key) != len(names):
            given = f"{len(key)} of them" if isinstance(key, tuple | list) else f"one {type(key).__name__}"
            raise UsageError(f"the key of {self.title} is a tuple ({', '.join(names)}) of {len(names)}, not {given}")
        return tuple([self.encode(place, part) for place, part in zip(places, key, strict=True)])

    def insertion(self, values: Values) -> Plan:
        """The INSERT of the columns that have a value; the others come back, and those that the server computes."""
        key = self._reader.given(values, self._identities)  # an identity column is never NULL: the server makes it
        plan = self._inserts.get(key)
        if plan is None:
            plan = self._inserts[key] = self._make_insert(values)
        return plan

    def _make_insert(self, values: Values) -> Plan:
        for place in self._made:
            if values[place] is not UNSET and self.fields[place].computed is None:
                raise self._refused("insert", place, "insert a new object without it")
        given, starts, returned = self._shares(values)
        parts = self._columns(given), self._columns(starts), self._columns(returned)
        single = dml.insert(self.table.sql, *parts)
        many = dml.insert_many(self.table.sql, *parts) if given and self.has_row_type else ""
        alone = dml.guarded(single, parts[2], "1")
        columns = tuple(self.fields[place].column for place in given)
        return Plan(single, given, returned, self.into(returned), many, alone, columns)

    def _shares(self, values: Values, made: Sequence[int] = ()) -> tuple[tuple[int, ...], list[int], tuple[int, ...]]:
        """The places that an insert is given (with those ``made``), those that begin at 1, those that come back."""
        given, starts, returned = [], [], []
        for place, one in enumerate(self.fields):
            if values[place] is not UNSET and (one.written or place in made):
                given.append(place)
                continue
            returned.append(place)
            if place == self.version:
                starts.append(place)
        return tuple(given), starts, tuple(returned)

    def change(self, obj: Any) -> Change | None:
        """What an update has to write; None when nothing has changed since the object was loaded."""
        self._need_key("update")
        values, loaded = self.values(obj), self.loaded(obj)
        if self._made and loaded is not None:
            self._check_made(values, loaded)
        changed = self._changed(values, loaded)
        if not changed:
            return None
        key = self._key_of(values, loaded)
        plan = self._updates.get(changed)
        if plan is None:
            plan = self._updates[changed] = self._make_update(changed)
        return Change(plan, self.encoded(changed, values) + key, key[: len(self.key)], values)

    def _changed(self, values: Values, loaded: Values | None) -> tuple[int, ...]:
        """The places that an update writes: of an object that was made in Python, all that have a value but the key."""
        if loaded is None:
            return tuple([p for p in self._written if values[p] is not UNSET and p not in self.key])
        found = []
        for place in self._written:
            now, then = values[place], loaded[place]
            if now is then and type(now) in FIXED:
                continue  # nearly always
            if now is not UNSET and not (is_fixed(now) if now is then else is_same(now, then)):
                found.append(place)
        return tuple(found)

    def _check_made(self, values: Values, loaded: Values) -> None:
        """Raise UsageError where a value that only the server makes was assigned: it can't be written."""
        for place in self._made:
            now, then = values[place], loaded[place]
            if now is not then and now is not UNSET and not is_same(now, then) and now != then:
                raise self._refused("update", place, "assign what it was, or fetch the object anew")

    def _key_of(self, values: Values, loaded: Values | None) -> tuple[Any, ...]:
        """The key of the row (and its version), as it was when it was loaded."""
        known = values if loaded is None else loaded
        lacking = [self.names[place] for place in self.identity if known[place] is UNSET]
        if lacking:
            raise UsageError(
                f"this {self.title} has no value for {_listed(lacking)}, by which its row is found: insert it, or load"
                " it with its key"
            )
        return self.encoded(self.identity, known)

    def _make_update(self, changed: tuple[int, ...]) -> Plan:
        returned = self._after_update()
        back = self._columns(returned)
        parts = self._columns(changed), self._columns(self.grows), self._columns(self.identity), back
        single = dml.update(self.table.sql, *parts)
        by_rows = self.has_row_type and not set(changed) & set(self.key)
        many = dml.update_many(self.table.sql, *parts) if by_rows else ""
        columns = tuple(self.fields[place].column for place in (*changed, *self.identity))
        return Plan(single, changed, returned, self.into(returned), many, dml.guarded(single, back, "1"), columns)

    def _after_update(self) -> tuple[int, ...]:
        return tuple(
            place for place, one in enumerate(self.fields) if one.computed is not None or place == self.version
        )

    def upsertion(self, values: Values, on: Any) -> Plan:
        """The INSERT .. ON CONFLICT DO UPDATE of the columns that have a value; all columns come back."""
        target = self._conflict(on)
        key = self._reader.given(values, self._identities), target  # as in insertion
        plan = self._upserts.get(key)
        if plan is None:
            plan = self._upserts[key] = self._make_upsert(values, target)
        return plan

    def _make_upsert(self, values: Values, target: tuple[int, ...]) -> Plan:
        refuse_upsert(self)
        given, starts, _ = self._shares(values, self._made_key)  # it says which row is meant, whoever made it
        overriding = any(place in self._made_key for place in given)
        sets = [place for place in given if place not in target and place not in self.identity]
        keeps = () if sets or self.grows else self._keeps(target)
        returned = tuple(range(len(self.fields)))
        groups = (given, starts, target, sets, keeps, self.grows, returned)
        sql = dml.upsert(self.table.sql, *[self._columns(group) for group in groups], overriding=overriding)
        return Plan(sql, given, returned, self.into(returned))

    def _keeps(self, target: tuple[int, ...]) -> Sequence[int]:
        """What an upsert without anything to change sets to what it is: a row that nothing is done to is not given."""
        return [place for place in (*target, *self._written) if place not in self._made][:1] or target[:1]

    def _conflict(self, on: Any) -> tuple[int, ...]:
        """The places of ``on=``: a field or several, else the primary key."""
        if on is None:
            return self._need_key("upsert without on=")
        found = []
        for one in on if isinstance(on, tuple | list) else (on,):
            if not isinstance(one, Field) or one.model is not self.table.model:
                given = repr(one) if isinstance(one, Field) else f"a {type(one).__name__}"
                raise UsageError(f"on= takes fields of {self.title}, as {self.title}.{self.names[0]}, not {given}")
            found.append(self.places[one.name])
        if not found:
            raise UsageError("on= is empty: give the fields of a unique constraint")
        return tuple(found)

    @cached_property
    def deletion(self) -> str:
        """The DELETE of an object's row, by its ``row_key``."""
        self._need_key("delete")
        return dml.delete(self.table.sql, self._columns(self.identity))

    def row_key(self, obj: Any) -> tuple[Any, ...]:
        """The key (and version) of an object's row, as it was loaded."""
        return self._key_of(self.values(obj), self.loaded(obj))

    def _columns(self, places: Sequence[int]) -> list[str]:
        return [quote(self.fields[place].column) for place in places]

    def _need_key(self, verb: str) -> tuple[int, ...]:
        if not self.key:
            raise ModelError(f"{self.title} has no primary key, which {verb} needs: field(primary_key=True) makes one")
        return self.key

    def into(self, returned: Sequence[int]) -> Any:
        annotations = [bare(self.fields[place].annotation) for place in returned]
        if not any(needs_reading(annotation) for annotation in annotations):
            return tuple
        return tuple[tuple(annotations)]  # type: ignore[misc]  # a tuple of these classes, told at run time

    # What went wrong --------------------------------------------------------------------------------------------------

    def _refused(self, verb: str, place: int, fix: str) -> UsageError:
        """The error for a value that only the server makes."""
        one = self.fields[place]
        why = 'generated="always"' if one.computed is None else "computed"
        return UsageError(f"{verb}: {one!r} is {why}, so its value is the server's and can't be given: {fix}")

    def stale(self, verb: str, missing: int = 1, among: int = 1) -> StaleObject:
        """The error for rows that were not found."""
        names = _listed(self.names[place] for place in self.identity)
        which = f"no row of {self.title}" if among == 1 else f"{missing} of {among} objects of {self.title} have no row"
        state = "its" if among == 1 else "their"
        text = f"{verb}: {which} with {state} {names}: it was changed or deleted meanwhile, or never inserted"
        return StaleObject(text)

    def swallowed(self, verb: str, missing: int = 1, among: int = 1) -> OperationalError:
        """The error for an insert that gave no row."""
        which = "the" if among == 1 else f"{missing} of {among}"
        text = f"{verb}: {which} {self.title} gave no row back: a trigger or a rule of its table keeps it out"
        return OperationalError(text)


def _writers(fields: list[Field]) -> dict[int, Callable[[Any], Any]]:
    """What turns values into what codecs take, for the places where anything must."""
    found = {place: writer_of_values(one.annotation) for place, one in enumerate(fields)}
    return {place: write for place, write in found.items() if write is not None}


def _listed(names: Any) -> str:
    return ", ".join(str(name) for name in names)
