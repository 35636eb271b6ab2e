"""Tortoise over asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg  # noqa: F401  # its backend needs it: without it, these contenders are not there
from tortoise import Model, Tortoise, fields

from benchmarks.contenders import address, contender


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


@asynccontextmanager
async def _connected(url: str, connections: int, least: int) -> AsyncIterator[None]:
    credentials = {"password": None, **address.parts(url), "minsize": least, "maxsize": connections}
    await Tortoise.init(
        config={
            "connections": {"default": {"engine": "tortoise.backends.asyncpg", "credentials": credentials}},
            "apps": {"models": {"models": [__name__], "default_connection": "default"}},
        }
    )
    yield
    await Tortoise.close_connections()


@contender("models", "Tortoise, asyncpg")
async def models(url: str, callers: int, connections: int) -> AsyncIterator[Any]:
    async with _connected(url, connections, min(callers, connections)):
        yield [lambda key: Point.get(id=key)] * callers


@contender("graph", "Tortoise prefetch_related")
async def graph(url: str) -> AsyncIterator[Any]:
    async with _connected(url, 1, 1):
        yield lambda: Parent.all().order_by("id").prefetch_related("children__grandchildren")
