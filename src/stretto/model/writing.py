"""How objects of Models are written: SQL for each set of columns, made once, and its arguments from objects. No I/O.

A Writer is all that is known of one Model; it is kept in ``table.caches``. A Plan is one statement: which values it
takes and which come back, as positions in the Model's fields. Values travel as a list with a place for each field,
UNSET where the object has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stretto.errors import DatabaseError, ModelError, OperationalError, StaleObject, UsageError
from stretto.model.base import Origin, settle, slot_of
from stretto.model.fields import UNSET, Field
from stretto.model.table import Table, quote, table_of
from stretto.model.values import is_fixed, is_same, needs_reading, writer_of_values

Values = list[Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """One statement: ``given`` are the places of its arguments, ``returned`` those that its row fills.

    ``into`` makes that row a tuple. ``many``: the same for many objects at once, the places that their rows must have
    being ``columns``; ``single``: ``sql``, but failing where it does not find its row.
    """

    sql: str
    given: tuple[int, ...]
    returned: tuple[int, ...]
    into: Any
    many: str = ""
    single: str = ""
    columns: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class Change:
    """What an update is to write of one object, with the values of its key (and version) as they were loaded."""

    plan: Plan
    args: tuple[Any, ...]
    key: tuple[Any, ...]
    values: Values = field(repr=False)


def writer_for(obj: Any) -> Writer:
    """The Writer of an object's Model; raises UsageError for what is no object of a Model."""
    table = getattr(obj.__class__, "__table__", None)
    if not isinstance(table, Table):
        given = f"the class {obj.__qualname__}" if isinstance(obj, type) else f"a {type(obj).__name__}"
        raise UsageError(f"an object of a Model is needed, not {given}")
    return writer_of(table)


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
        self.slots = [slot_of(table, name) for name in self.names]
        self.places = {name: place for place, name in enumerate(self.names)}
        self.key = tuple(self.places[one.name] for one in table.primary_key)
        self.version = -1 if table.version is None else self.places[table.version.name]
        self.identity = (*self.key, self.version) if table.version is not None else self.key
        self.writers = _writers(self.fields)
        self.origin = Origin(f"insert or update of {self.title}", self.names)
        self._nullable_keys = [place for place, one in enumerate(self.fields) if one.generated]
        self._inserts: dict[Any, Plan] = {}
        self._updates: dict[Any, Plan] = {}
        self._upserts: dict[Any, Plan] = {}
        self._get = ""
        self._delete = ""

    # Objects ----------------------------------------------------------------------------------------------------------

    def values(self, obj: Any) -> Values:
        """What the object has, by place."""
        found = []
        for slot in self.slots:
            try:
                found.append(slot.__get__(obj))
            except AttributeError:
                found.append(UNSET)
        return found

    def loaded(self, obj: Any) -> Values | None:
        """What the object had when it came from the database, by place; None when it was made in Python."""
        try:
            origin, values = obj._origin_, obj._loaded_
        except AttributeError:
            return None
        if origin.names == self.names:
            return list(values)
        known = dict(zip(origin.names, values, strict=True))
        return [known.get(name, UNSET) for name in self.names]

    def encoded(self, places: Sequence[int], values: Values) -> tuple[Any, ...]:
        """The values at these places, as the codecs take them."""
        if not self.writers:
            return tuple([values[place] for place in places])
        return tuple([self.encode(place, values[place]) for place in places])

    def encode(self, place: int, value: Any) -> Any:
        """One value as its codec takes it."""
        write = self.writers.get(place)
        return value if write is None or value is None else write(value)

    def fill(self, obj: Any, values: Values, places: Sequence[int], row: Sequence[Any]) -> None:
        """Put what came back into the object, and remember that all it has now is what the row has."""
        for place, value in zip(places, row):  # noqa: B905  # where nothing comes back, the row is the number 1
            values[place] = value
            self.slots[place].__set__(obj, value)
        self.remember(obj, values)

    def remember(self, obj: Any, values: Values) -> None:
        """The object's row has these values now."""
        if UNSET not in values:
            obj._origin_, obj._loaded_ = self.origin, tuple(values)
        else:
            names = [name for name, value in zip(self.names, values, strict=True) if value is not UNSET]
            obj._origin_ = Origin(self.origin.text, tuple(names))
            obj._loaded_ = tuple([value for value in values if value is not UNSET])
        settle(obj)

    def forget(self, obj: Any) -> None:
        """The object has no row any more."""
        if self.loaded(obj) is not None:
            del obj._origin_, obj._loaded_

    def has_key(self, values: Values) -> bool:
        """Whether each part of the key has a value."""
        return all(values[place] is not UNSET and values[place] is not None for place in self.key)

    # Statements -------------------------------------------------------------------------------------------------------

    def select(self, key: Any) -> tuple[str, tuple[Any, ...]]:
        """The statement that gets the object with this key, and its arguments."""
        sql = self._get
        if not sql:
            columns = ", ".join(quote(one.column) for one in self.fields)
            sql = self._get = f"select {columns} from {self.table.sql} where {self._where(self._need_key('get'), 1)}"
        return sql, self.key_args(key)

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
        for place in self._nullable_keys:
            if values[place] is None:
                values[place] = UNSET  # an identity column is never NULL: the server makes it
        key = tuple([value is not UNSET for value in values])
        plan = self._inserts.get(key)
        if plan is None:
            plan = self._inserts[key] = self._make_insert(values)
        return plan

    def _make_insert(self, values: Values) -> Plan:
        given, starts, returned = self._shares(values)
        columns = [quote(self.fields[place].column) for place in given]
        table, into = self.table.sql, f"insert into {self.table.sql}"
        if given or starts:
            names = f"({', '.join(columns + starts)})"
            literals = ["1"] * len(starts)
            params = [f"${i + 1}" for i in range(len(given))]
            single = f"{into} {names} values ({', '.join(params + literals)})"
            picked = ", ".join([f"u.{name}" for name in columns] + literals)
            many = f"{into} {names} select {picked} from {_rows(table)} order by {_NUMBER}"
        else:
            single = f"{into} default values"
            many = ""
        back = [quote(self.fields[place].column) for place in returned]
        suffix = f" returning {', '.join(back) or '1'}"
        pairs = tuple((self.fields[place].column, place) for place in given)
        guarded = _guarded(many + suffix, back, "", "$2::int8") if many else ""
        alone = _guarded(single + suffix, back, "", "1")
        return Plan(single + suffix, given, returned, self._into(returned), guarded, alone, pairs)

    def _shares(self, values: Values) -> tuple[tuple[int, ...], list[str], tuple[int, ...]]:
        """Of an insert: the places that are given, the columns that begin at 1, the places that come back."""
        given, starts, returned = [], [], []
        for place, one in enumerate(self.fields):
            if one.written and values[place] is not UNSET:
                given.append(place)
                continue
            returned.append(place)
            if place == self.version:
                starts.append(quote(one.column))
        return tuple(given), starts, tuple(returned)

    def change(self, obj: Any) -> Change | None:
        """What an update has to write; None when nothing has changed since the object was loaded."""
        self._need_key("update")
        values, loaded = self.values(obj), self.loaded(obj)
        changed = self._changed(values, loaded)
        if not changed:
            return None
        key = self._key_of(values, loaded)
        plan = self._updates.get(changed)
        if plan is None:
            plan = self._updates[changed] = self._make_update(changed)
        return Change(plan, self.encoded(changed, values) + key, key, values)

    def _changed(self, values: Values, loaded: Values | None) -> tuple[int, ...]:
        found = []
        for place, one in enumerate(self.fields):
            value = values[place]
            if value is UNSET or place == self.version or not one.written:
                continue
            if loaded is None:
                if place not in self.key:
                    found.append(place)
            elif not (is_fixed(value) if value is loaded[place] else is_same(value, loaded[place])):
                found.append(place)
        return tuple(found)

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
        table = self.table.sql
        columns = [quote(self.fields[place].column) for place in changed]
        sets = [f"{name} = ${i + 1}" for i, name in enumerate(columns)]
        many_sets = [f"{name} = u.{name}" for name in columns]
        if self.version >= 0:
            version = quote(self.fields[self.version].column)
            grows = f"{version} = t.{version} + 1"
            sets.append(grows)
            many_sets.append(grows)
        returned = self._after_update()
        back = [quote(self.fields[place].column) for place in returned]
        suffix = f" returning {', '.join('t.' + name for name in back) or '1'}"
        identity = [quote(self.fields[place].column) for place in self.identity]
        sql = f"update {table} as t set {', '.join(sets)} where {self._where(self.identity, len(changed) + 1)}{suffix}"
        join = " and ".join(f"t.{name} = u.{name}" for name in identity)
        numbered = f" returning u.{_NUMBER}{''.join(f', t.{name}' for name in back)}"
        many = f"update {table} as t set {', '.join(many_sets)} from {_rows(table)} where {join}{numbered}"
        pairs = tuple((self.fields[place].column, place) for place in (*changed, *self.identity))
        guarded, alone = _guarded(many, back, _NUMBER, "$2::int8"), _guarded(sql, back, "", "1")
        return Plan(sql, changed, returned, self._into(returned), guarded, alone, pairs)

    def _after_update(self) -> tuple[int, ...]:
        return tuple(
            place for place, one in enumerate(self.fields) if one.computed is not None or place == self.version
        )

    def upsertion(self, values: Values, on: Any) -> Plan:
        """The INSERT .. ON CONFLICT DO UPDATE of the columns that have a value; all columns come back."""
        target = self._conflict(on)
        given, starts, _ = self._shares(values)
        key = given, target
        plan = self._upserts.get(key)
        if plan is None:
            plan = self._upserts[key] = self._make_upsert(given, starts, target)
        return plan

    def _make_upsert(self, given: tuple[int, ...], starts: list[str], target: tuple[int, ...]) -> Plan:
        def column(place: int) -> str:
            return quote(self.fields[place].column)

        names = [column(place) for place in given]
        sets = [place for place in given if place not in target and place not in self.identity]
        grows = []
        if self.version >= 0:
            grows = [f"{column(self.version)} = t.{column(self.version)} + 1"]
        news = [f"{column(place)} = excluded.{column(place)}" for place in sets or target[:1]] + grows
        params = [f"${i + 1}" for i in range(len(given))] + ["1"] * len(starts)
        values = f"({', '.join(names + starts)}) values ({', '.join(params)})" if params else "default values"
        returned = tuple(range(len(self.fields)))
        sql = (
            f"insert into {self.table.sql} as t {values}"
            f" on conflict ({', '.join(column(place) for place in target)}) do update set {', '.join(news)}"
            f" returning {', '.join('t.' + column(place) for place in returned)}"
        )
        return Plan(sql, given, returned, self._into(returned))

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

    def deletion(self, obj: Any) -> tuple[str, tuple[Any, ...]]:
        """The DELETE of an object's row, by its key (and version) as loaded, and its arguments."""
        self._need_key("delete")
        if not self._delete:
            self._delete = f"delete from {self.table.sql} as t where {self._where(self.identity, 1)} returning 1"
        return self._delete, self._key_of(self.values(obj), self.loaded(obj))

    def _where(self, places: Sequence[int], first: int) -> str:
        columns = [quote(self.fields[place].column) for place in places]
        return " and ".join(f"{name} = ${first + i}" for i, name in enumerate(columns))

    def _need_key(self, verb: str) -> tuple[int, ...]:
        if not self.key:
            raise ModelError(f"{self.title} has no primary key, which {verb} needs: field(primary_key=True) makes one")
        return self.key

    def _into(self, returned: Sequence[int]) -> Any:
        annotations = [self.fields[place].annotation for place in returned]
        if not any(needs_reading(annotation) for annotation in annotations):
            return tuple
        return tuple[tuple(annotations)]  # type: ignore[misc]  # a tuple of these classes, told at run time

    # What went wrong --------------------------------------------------------------------------------------------------

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


_NUMBER = '"stretto number"'
_FAILED = "stretto: missing "


def _rows(table: str) -> str:
    """$1, an array of the table's row type, as rows u with their number."""
    return f"rows from (generate_subscripts($1::{table}[], 1), unnest($1::{table}[])) as u({_NUMBER})"


def _guarded(sql: str, back: list[str], number: str, wanted: str) -> str:
    """A statement that fails, and so undoes itself and all of its batch, where it has not ``wanted`` rows.

    PostgreSQL has no RAISE in SQL: a cast that can't be done is the error, and its text says how many are missing.
    """
    guard = f"case when g.found = {wanted} then true else ('{_FAILED}' || ({wanted} - g.found))::bool end"
    counted = f"with n as ({sql}) select %s from (select count(*) as found from n) as g"
    if not back:
        return f"{counted % 1} where {guard}"
    order = f" order by n.{number}" if number else ""
    columns = ", ".join(f"n.{name}" for name in back)
    return f"{counted % columns} left join n on true where {guard}{order}"


def missing_of(error: DatabaseError) -> int | None:
    """How many rows a statement of ``_guarded`` had too few (or, negative, too many); None for another error."""
    if error.sqlstate != "22P02":
        return None
    found = re.search(f'"{_FAILED}(-?[0-9]+)"', error.message)
    return int(found[1]) if found else None


def _writers(fields: list[Field]) -> dict[int, Callable[[Any], Any]]:
    """What turns values into what codecs take, for the places where anything must."""
    found = {place: writer_of_values(one.annotation) for place, one in enumerate(fields)}
    return {place: write for place, write in found.items() if write is not None}


def _listed(names: Any) -> str:
    return ", ".join(str(name) for name in names)
