"""Piccolo over asyncpg."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from piccolo.columns import Boolean, ForeignKey, Numeric, Serial, Text, Timestamptz
from piccolo.engine.postgres import PostgresEngine
from piccolo.table import Table

from stretto.cli.race.contenders import address, by_hand, contender
from stretto.cli.race.workloads import mixed


class Point(Table, tablename="point"):
    id = Serial(primary_key=True)
    name = Text()
    created = Timestamptz()
    price = Numeric(digits=(10, 2))
    active = Boolean()


class Parent(Table, tablename="bench_parent"):
    id = Serial(primary_key=True)
    name = Text()
    children: list[Child]


class Child(Table, tablename="bench_child"):
    id = Serial(primary_key=True)
    parent = ForeignKey(Parent, db_column_name="parent_id")
    name = Text()
    grandchildren: list[Grandchild]


class Grandchild(Table, tablename="bench_grandchild"):
    id = Serial(primary_key=True)
    child = ForeignKey(Child, db_column_name="child_id")
    name = Text()


class A(Table, tablename="mixed_a"):
    id = Serial(primary_key=True)
    data = Text(null=True)
    create_date = Timestamptz()
    bs: list[B]


class B(Table, tablename="mixed_b"):
    id = Serial(primary_key=True)
    a = ForeignKey(A, db_column_name="a_id")
    data = Text(null=True)


@asynccontextmanager
async def _connected(url: str, connections: int, least: int) -> AsyncIterator[None]:
    engine = PostgresEngine(address.parts(url), extensions=(), log_queries=False)
    for table in (Point, Parent, Child, Grandchild, A, B):
        table._meta.db = engine  # in place of a piccolo_conf.py
    await engine.start_connection_pool(min_size=least, max_size=connections)
    yield
    await engine.close_connection_pool()


@contender("models", "Piccolo, asyncpg")
async def models(url: str, callers: int, connections: int) -> AsyncIterator[Any]:
    async with _connected(url, connections, min(callers, connections)):

        async def ask(key: int) -> Any:
            return await Point.objects().get(Point.id == key)

        yield [ask] * callers


@contender("graph", "Piccolo three queries, stitched")
async def graph(url: str) -> AsyncIterator[Any]:
    """By hand, because it does not load the many of a one."""
    async with _connected(url, 1, 1):

        async def fetch() -> list[Parent]:
            parents = await Parent.objects().order_by(Parent.id)
            children = await Child.objects().where(Child.parent.is_in([each.id for each in parents]))
            grandchildren = await Grandchild.objects().where(Grandchild.child.is_in([each.id for each in children]))
            by_child, by_parent = defaultdict(list), defaultdict(list)
            for grandchild in grandchildren:
                by_child[grandchild.child].append(grandchild)
            for child in children:
                child.grandchildren = by_child[child.id]
                by_parent[child.parent].append(child)
            for parent in parents:
                parent.children = by_parent[parent.id]
            return parents

        yield fetch


@contender("mixed", f"Piccolo, chunks of {mixed.CHUNK}")
async def mixed_chunks(url: str, connections: int) -> AsyncIterator[Any]:
    async with _connected(url, connections, connections):

        async def write(number: int) -> list[A]:
            async with A._meta.db.transaction():
                new = [A(data=text) for text in by_hand.texts(number)]
                await A.insert(*new)
                owners = [a for a, count in zip(new, mixed.BRANCHES, strict=True) for _ in range(count)]
                await B.insert(*(B(a=owner.id, data=None) for owner in owners))
            return new

        async def read() -> list[A]:
            found = await A.objects().order_by(A.id).limit(mixed.READ)
            below = defaultdict(list)
            for b in await B.objects().where(B.a.is_in([a.id for a in found])):
                below[b.a].append(b)
            for a in found:
                a.bs = below[a.id]
            return found

        async def value(sql: str) -> Any:
            return next(iter((await A.raw(sql))[0].values()))

        yield write, read, value, mixed.CHUNK
