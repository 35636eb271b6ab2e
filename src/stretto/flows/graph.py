"""Graphs of objects by one trip: their relations' statements under one Sync, as flows.

The statements must see the same moment: where an object was changed between two of them, it would come without what
belongs to it. So outside a transaction they are one REPEATABLE READ transaction of their own; inside one, they see what
its isolation level lets them see.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from stretto.errors import UsageError
from stretto.flows.batch import batch_request
from stretto.flows.query import Flow, as_here, decode, heal, prepare
from stretto.flows.ridden import ridden
from stretto.flows.shared import Shared
from stretto.model.base import Model
from stretto.model.branches import Given, branches_of
from stretto.model.graph import Related, tree
from stretto.model.grown import Going, Trips
from stretto.model.keys import Values
from stretto.protocol.request import Request
from stretto.protocol.rows import LargeReply
from stretto.protocol.statement import Statement

# As SET TRANSACTION ISOLATION LEVEL, which would warn, in the server's log each time, that there is no BEGIN.
_SNAPSHOT = ridden("SET transaction_isolation = 'repeatable read'")
Items = Sequence[tuple[str, tuple[Any, ...], Any]]


def go(shared: Shared, going: Going, finish: Callable[[list[Any]], Any] | None) -> Flow:
    """Return the objects of a query with their relations. One round trip, and one for each statement that is cold."""
    rows = yield from _rows(shared, going.items(), going.trips, [])
    return rows[0] if finish is None else finish(rows[0])


def _rows(
    shared: Shared, items: Items, trips: Trips, given: list[list[Any]]
) -> Generator[Request, Any, list[list[Any]]]:
    """The rows of each statement, put together with what is ``given``. All is decoded while the rest is on the way."""
    healed = False
    while True:
        statements: list[Statement] = []
        for sql, _, _ in items:
            statements.append((yield from prepare(shared, sql)))
        request = batch_request(statements, [args for _, args, _ in items])
        request.before, request.before_script = _SNAPSHOT
        request.before_due = 1
        request.snapshot = request.partial = True
        yield request
        rows: list[list[Any]] = [[] for _ in items]
        if request.described is not None:
            while not request.done:
                request.partial = False
                yield request
            for i, statement in enumerate(statements):
                statements[i] = yield from as_here(shared, request, statement)
        with LargeReply():  # not before there is a reply: others should not be held back while this one waits
            yield from _decode(shared, request, statements, items, rows)
            if request.error is None and request.failure is None:
                trips.stitch([*given, *rows])
                return rows
        failed = statements[min(len(request.results or ()), len(items) - 1)]
        yield from heal(shared, request, failed, healed, statements)
        healed = True


def _decode(
    shared: Shared, request: Request, statements: list[Statement], items: Items, rows: list[list[Any]]
) -> Generator[Request, Any, None]:
    """Decode what is at hand, of the statements that have ended and of the one whose rows are coming."""
    results: Any = request.results
    place = 0
    while not (request.done and (request.error is not None or request.failure is not None)):
        current, slices = len(results), request.take()
        for number in range(place, current):
            yield from decode(shared, request, results[number][1], statements[number], items[number][2], rows[number])
        if slices:
            yield from decode(shared, request, slices, statements[current], items[current][2], rows[current])
        place = current
        if not request.done:
            yield request
        elif place == len(items):
            return


# Relations of objects in hand -----------------------------------------------------------------------------------------


def load(shared: Shared, objs: Any, relations: Any) -> Flow:
    """Fill relations of objects. One round trip, and one for each statement that is cold.

    Raises UsageError for objects that are not of one Model, or relations that are not its.
    """
    objects = [objs] if isinstance(objs, Model) else list(objs)
    if not objects or not relations:
        return None
    model = objects[0].__class__
    for obj in objects:
        if not issubclass(type(obj), Model) or obj.__class__ is not model:  # not what only says that it is one (a Mock)
            raise UsageError(f"load() takes objects of one Model, not {model!r} and {type(obj)!r}")
    included = tree(model, relations)
    trips, values = _trips_for(model, objects, included)
    yield from _rows(shared, Going(trips, values).items(), trips, [objects])
    return None


def _trips_for(model: Any, objects: list[Any], included: tuple[Related, ...]) -> tuple[Trips, Values]:
    """The statements of relations of objects in hand; their keys are the first values."""
    names = sorted({one.name for related in included for one in related.relation.join.local})
    values: Values = [
        [key for key in {getattr(obj, name): None for obj in objects} if key is not None] for name in names
    ]
    branches = branches_of(included, values)
    kept: dict[Any, Trips] = model.__table__.caches.setdefault("load", {})
    trips = kept.get(branches)
    if trips is None:
        trips = Trips(given=True)
        source = Given(model.__table__, {name: place for place, name in enumerate(names)})
        trips.follow(branches, source, 0, f"db.load(..., {', '.join(map(repr, included))})")
        if len(kept) >= 100:
            kept.clear()
        kept[branches] = trips
    return trips, values
