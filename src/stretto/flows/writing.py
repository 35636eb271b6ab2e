"""Writing objects of Models: get, insert, update, upsert and delete, as flows.

Each verb makes the SQL and its arguments (``model.writing``), and puts what comes back into the objects only once all
of it is there: whatever fails leaves them as they were.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Any

from stretto.flows import together
from stretto.flows.query import Flow, fetch, fetchrow
from stretto.flows.shared import Shared
from stretto.flows.undo import undoable
from stretto.model.table import table_of
from stretto.model.writing import Change, Plan, Writer, writer_for, writer_of


def get(shared: Shared, model: Any, key: Any, include: Any) -> Flow:
    """The object with a primary key, or None. Round trips as fetch."""
    sql, writer = _selection(model if isinstance(model, type) else table_of(model))
    args = (key,) if writer.plain_key and type(key) is not dict else writer.key_args(key)
    if type(include) is not tuple:
        several = isinstance(include, Iterable) and not isinstance(include, str)
        include = tuple(include) if several else (include,)  # a relation is neither true nor false
    if include:
        return fetchrow(shared, _including(writer, args, include), ())
    return fetchrow(shared, sql, args, model)


@lru_cache(maxsize=1024)
def _selection(model: Any) -> tuple[str, Writer]:
    writer = writer_of(table_of(model))
    return writer.selection, writer


def _including(writer: Writer, args: tuple[Any, ...], include: tuple[Any, ...]) -> Any:
    from stretto.model.query import select  # not before it is needed: plain get is the common one

    conditions = [writer.fields[place] == part for place, part in zip(writer.key, args, strict=True)]
    return select(writer.table.model).where(*conditions).include(*include)


def insert(shared: Shared, obj: Any) -> Flow:
    """Insert an object; what the server makes comes back. Round trips as fetch."""
    writer = writer_for(obj)
    if writer.own("insert"):
        return undoable(together.insert(shared, [obj], alone=True), (obj,))
    values = writer.values(obj)
    plan = writer.insertion(values)
    args = writer.encoded(plan.given, values)
    return undoable(fetch(shared, plan.sql, args, plan.into, partial(_inserted, writer, plan, obj, values)), (obj,))


def _inserted(writer: Writer, plan: Plan, obj: Any, values: list[Any], rows: list[Any]) -> Any:
    if not rows:
        raise writer.swallowed("insert")
    writer.fill(obj, values, plan.returned, rows[0])
    return obj


def update(shared: Shared, obj: Any) -> Flow:
    """Write what was changed since the object was loaded; no round trip when nothing was. Else as fetch."""
    writer = writer_for(obj)
    change = writer.change(obj)
    if change is None:
        return _nothing(obj)
    if writer.own("update"):
        return undoable(together.update(shared, [obj], alone=True), (obj,))
    finish = partial(_updated, writer, change, obj)
    return undoable(fetch(shared, change.plan.sql, change.args, change.plan.into, finish), (obj,))


def _updated(writer: Writer, change: Change, obj: Any, rows: list[Any]) -> Any:
    if not rows:
        raise writer.stale("update")
    writer.fill(obj, change.values, change.plan.returned, rows[0])
    return obj


def _nothing(result: Any) -> Flow:
    yield from ()
    return result


def save(shared: Shared, obj: Any) -> Flow:
    """Update an object that was loaded or whose key is set; insert any other. Round trips as fetch."""
    writer = writer_for(obj)
    if writer.loaded(obj) is not None or writer.has_key(writer.values(obj)):
        return update(shared, obj)
    return insert(shared, obj)


def upsert(shared: Shared, obj: Any, on: Any) -> Flow:
    """Insert an object, or update the row with the same ``on``. Round trips as fetch."""
    writer = writer_for(obj)
    values = writer.values(obj)
    plan = writer.upsertion(values, on)
    args = writer.encoded(plan.given, values)
    return undoable(fetch(shared, plan.sql, args, plan.into, partial(_inserted, writer, plan, obj, values)), (obj,))


def delete(shared: Shared, obj: Any) -> Flow:
    """Delete an object's row. Round trips as fetch."""
    writer = writer_for(obj)
    finish = partial(_deleted, writer, obj)
    return undoable(fetch(shared, writer.deletion, writer.row_key(obj), tuple, finish), (obj,))


def _deleted(writer: Writer, obj: Any, rows: list[Any]) -> None:
    if not rows:
        raise writer.stale("delete")
    writer.forget(obj)


def insert_many(shared: Shared, objs: Iterable[Any]) -> Flow:
    """Insert objects, all or nothing. One round trip; cold, one more for each statement."""
    several = list(objs)
    return undoable(together.insert_many(shared, several), several)


def update_many(shared: Shared, objs: Iterable[Any]) -> Flow:
    """Write what was changed of objects, all or nothing. Round trips as insert_many."""
    several = list(objs)
    return undoable(together.update(shared, several), several)
