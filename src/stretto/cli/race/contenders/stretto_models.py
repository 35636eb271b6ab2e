"""stretto's models: objects by key, graphs of objects, and the mixed load, on one Database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from stretto import AsyncDatabase, Database, Model, field, related, relation
from stretto import select as select_model
from stretto.cli.race.contenders import contender
from stretto.cli.race.workloads import mixed, select

POINT = select.SQL.format(parameter="$1")
BLOCKING = range(1, 100)


class Point(Model, table="point"):
    id: int = field(primary_key=True)
    name: str
    created: datetime
    price: Decimal
    active: bool


class Parent(Model, table="bench_parent"):
    id: int = field(primary_key=True, generated=True)
    name: str
    children: list[Child] = relation("parent_id")


class Child(Model, table="bench_child"):
    id: int = field(primary_key=True, generated=True)
    parent_id: int = field(references="bench_parent.id")
    name: str
    grandchildren: list[Grandchild] = relation("child_id")


class Grandchild(Model, table="bench_grandchild"):
    id: int = field(primary_key=True, generated=True)
    child_id: int = field(references="bench_child.id")
    name: str


class A(Model, table="mixed_a"):
    id: int = field(primary_key=True, generated=True)
    data: str | None = None
    create_date: datetime = field(server_default="now()")
    bs: list[B] = relation("a_id")


class B(Model, table="mixed_b"):
    id: int = field(primary_key=True, generated=True)
    a_id: int = field(references="mixed_a.id")
    data: str | None = None


# What a caller asks of either front door.
WAYS: dict[str, Callable[[Any, int], Any]] = {
    "into=": lambda db, key: db.fetchrow(POINT, key, into=Point),
    "select()": lambda db, key: db.fetchrow(select_model(Point).where(Point.id == key)),
    "get()": lambda db, key: db.get(Point, key),
}


def _register_models(way: str, ask: Callable[[Any, int], Any]) -> None:
    @contender("models", f"stretto Database {way}", callers=BLOCKING)
    def blocking(url: str, callers: int, connections: int) -> Iterator[Any]:
        with Database(url, connections=connections) as db:
            yield [lambda key: ask(db, key)] * callers

    @contender("models", f"stretto AsyncDatabase {way}")
    async def asynchronous(url: str, callers: int, connections: int) -> AsyncIterator[Any]:
        async with AsyncDatabase(url, connections=connections) as db:
            yield [lambda key: ask(db, key)] * callers


for _way, _ask in WAYS.items():
    _register_models(_way, _ask)


def _register_graph(ending: str, **strategy: Any) -> None:
    def graph() -> Any:
        nested = related(Parent.children, Child.grandchildren)
        return select_model(Parent).order_by(Parent.id).include(nested, **strategy)

    @contender("graph", f"stretto blocking{ending}")
    def blocking(url: str) -> Iterator[Any]:
        with Database(url) as db:
            yield lambda: db.fetch(graph())

    @contender("graph", f"stretto asyncio{ending}")
    async def asynchronous(url: str) -> AsyncIterator[Any]:
        async with AsyncDatabase(url) as db:
            yield lambda: db.fetch(graph())


_register_graph("")
_register_graph(", one statement", strategy="statement")
_register_graph(", one round trip", strategy="trip")


def _new(number: int) -> list[A]:
    return [A(data=str(number + i)) for i in range(1, len(mixed.BRANCHES) + 1)]


def _branches(new: list[A]) -> list[B]:
    return [B(a_id=a.id) for a, count in zip(new, mixed.BRANCHES, strict=True) for _ in range(count)]


def _first() -> Any:
    return select_model(A).include(A.bs).order_by(A.id).limit(mixed.READ)


def _register_mixed(label: str, together: int | None, *, pipelining: bool = True, **options: Any) -> None:
    @contender("mixed", f"stretto asyncio, {label}", **options)
    async def asynchronous(url: str, connections: int) -> AsyncIterator[Any]:
        async with AsyncDatabase(url, connections=connections, pipelining=pipelining) as db:

            async def write(number: int) -> list[A]:
                new = _new(number)
                async with db.transaction():
                    await db.insert_many(new)
                    await db.final.insert_many(_branches(new))  # COMMIT goes in its flight
                return new

            yield write, lambda: db.fetch(_first()), db.fetchval, together


_register_mixed("all at once", None)
_register_mixed(f"chunks of {mixed.CHUNK}", mixed.CHUNK, loops=("asyncio", "uvloop"))
_register_mixed(f"chunks of {mixed.CHUNK}, pipelining off", mixed.CHUNK, pipelining=False)


def _register_mixed_blocking(label: str, callers: int | None, **options: Any) -> None:
    @contender("mixed", f"stretto {label}", **options)
    def blocking(url: str, connections: int) -> Iterator[Any]:
        with Database(url, connections=connections) as db:

            def write(number: int) -> list[A]:
                new = _new(number)
                with db.transaction():
                    db.insert_many(new)
                    db.final.insert_many(_branches(new))  # COMMIT goes in its flight
                return new

            yield write, lambda: db.fetch(_first()), db.fetchval, callers or connections


_register_mixed_blocking("one by one", 1)
_register_mixed_blocking("threads", None)
_register_mixed_blocking(f"gevent, {mixed.CHUNK} greenlets", mixed.CHUNK, gevent=True)
