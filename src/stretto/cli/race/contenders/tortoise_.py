"""Tortoise over asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg  # noqa: F401  # its backend needs it: without it, these contenders are not there
from tortoise import Model, Tortoise, connections, fields
from tortoise.transactions import in_transaction

from stretto.cli.race.contenders import address, by_hand, contender
from stretto.cli.race.workloads import mixed


class Point(Model):
    id = fields.IntField(primary_key=True)
    name = fields.TextField()
    created = fields.DatetimeField()
    price = fields.DecimalField(max_digits=10, decimal_places=2)
    active = fields.BooleanField()

    class Meta:
        table = "point"


class Parent(Model):
    id = fields.IntField(primary_key=True)
    name = fields.TextField()
    children: fields.ReverseRelation[Child]

    class Meta:
        table = "bench_parent"


class Child(Model):
    id = fields.IntField(primary_key=True)
    parent: fields.ForeignKeyRelation[Parent] = fields.ForeignKeyField("models.Parent", related_name="children")
    name = fields.TextField()
    grandchildren: fields.ReverseRelation[Grandchild]

    class Meta:
        table = "bench_child"


class Grandchild(Model):
    id = fields.IntField(primary_key=True)
    child: fields.ForeignKeyRelation[Child] = fields.ForeignKeyField("models.Child", related_name="grandchildren")
    name = fields.TextField()

    class Meta:
        table = "bench_grandchild"


class A(Model):
    id = fields.IntField(primary_key=True)
    data = fields.TextField(null=True)
    create_date = fields.DatetimeField(auto_now_add=True)
    bs: fields.ReverseRelation[B]

    class Meta:
        table = "mixed_a"


class B(Model):
    id = fields.IntField(primary_key=True)
    a: fields.ForeignKeyRelation[A] = fields.ForeignKeyField("models.A", related_name="bs")
    data = fields.TextField(null=True)

    class Meta:
        table = "mixed_b"


@asynccontextmanager
async def _connected(url: str, most: int, least: int) -> AsyncIterator[None]:
    credentials = {"password": None, **address.parts(url), "minsize": least, "maxsize": most}
    await Tortoise.init(
        config={
            "connections": {"default": {"engine": "tortoise.backends.asyncpg", "credentials": credentials}},
            "apps": {"models": {"models": [__name__], "default_connection": "default"}},
        }
    )
    yield
    await Tortoise.close_connections()


@contender("models", "Tortoise, asyncpg")
async def models(url: str, callers: int, most: int) -> AsyncIterator[Any]:
    async with _connected(url, most, min(callers, most)):
        yield [lambda key: Point.get(id=key)] * callers


@contender("graph", "Tortoise prefetch_related")
async def graph(url: str) -> AsyncIterator[Any]:
    async with _connected(url, 1, 1):
        yield lambda: Parent.all().order_by("id").prefetch_related("children__grandchildren")


@contender("mixed", f"Tortoise, chunks of {mixed.CHUNK}")
async def mixed_chunks(url: str, most: int) -> AsyncIterator[Any]:
    """Its bulk_create gives no keys, so each row is an insert of its own."""
    async with _connected(url, most, most):

        async def write(number: int) -> list[A]:
            async with in_transaction() as transaction:
                new = [await A.create(data=text, using_db=transaction) for text in by_hand.texts(number)]
                for a, count in zip(new, mixed.BRANCHES, strict=True):
                    for _ in range(count):
                        await B.create(a=a, using_db=transaction)
            return new

        async def value(sql: str) -> Any:
            return next(iter((await connections.get("default").execute_query_dict(sql))[0].values()))

        yield write, lambda: A.all().order_by("id").limit(mixed.READ).prefetch_related("bs"), value, mixed.CHUNK
