"""asyncpg where others have models: Records as they come, and objects put together by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from benchmarks.cases import mixed, select
from benchmarks.contenders import contender

POINT = select.SQL.format(parameter="$1")


@contender("models", "asyncpg pool")
async def models_pool(url: str, callers: int, connections: int) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(url, min_size=min(callers, connections), max_size=connections) as pool:
        yield [lambda key: pool.fetchrow(POINT, key)] * callers


@dataclass(slots=True)
class Grandchild:
    id: int
    child_id: int
    name: str


@dataclass(slots=True)
class Child:
    id: int
    parent_id: int
    name: str
    grandchildren: list[Grandchild] = field(default_factory=list)


@dataclass(slots=True)
class Parent:
    id: int
    name: str
    children: list[Child] = field(default_factory=list)


def stitched(parents: list[Any], children: list[Any], grandchildren: list[Any]) -> list[Parent]:
    """Three lists of Records as one of parents."""
    by_parent = {row[0]: Parent(*row) for row in parents}
    by_child = {}
    for row in children:
        child = by_child[row[0]] = Child(*row)
        by_parent[child.parent_id].children.append(child)
    for row in grandchildren:
        grandchild = Grandchild(*row)
        by_child[grandchild.child_id].grandchildren.append(grandchild)
    return list(by_parent.values())


@contender("graph", "asyncpg three queries, stitched")
async def graph_queries(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)

    async def fetch() -> list[Parent]:
        parents = await connection.fetch("select id, name from bench_parent order by id")
        children = await connection.fetch(
            "select id, parent_id, name from bench_child where parent_id = any($1)", [row[0] for row in parents]
        )
        grandchildren = await connection.fetch(
            "select id, child_id, name from bench_grandchild where child_id = any($1)", [row[0] for row in children]
        )
        return stitched(parents, children, grandchildren)

    yield fetch
    await connection.close()


@contender("graph", "asyncpg three whole tables, stitched")
async def graph_tables(url: str) -> AsyncIterator[Any]:
    """What can be done where it is known that all rows are wanted."""
    connection = await asyncpg.connect(url)

    async def fetch() -> list[Parent]:
        parents = await connection.fetch("select id, name from bench_parent order by id")
        children = await connection.fetch("select id, parent_id, name from bench_child")
        return stitched(parents, children, await connection.fetch("select id, child_id, name from bench_grandchild"))

    yield fetch
    await connection.close()


@dataclass(slots=True)
class B:
    id: int
    a_id: int
    data: str | None


@dataclass(slots=True)
class A:
    id: int
    data: str | None
    create_date: datetime
    bs: list[B] = field(default_factory=list)


WRITE_A = "insert into mixed_a (data) select unnest($1::text[]) returning id, data, create_date"
WRITE_B = "insert into mixed_b (a_id) select unnest($1::int[]) returning id, a_id, data"
READ_A = "select id, data, create_date from mixed_a order by id limit $1"
READ_B = "select id, a_id, data from mixed_b where a_id = any($1)"


def with_branches(first: list[Any], second: list[Any]) -> list[A]:
    """Records of a and b as a list of A."""
    by_key = {row[0]: A(*row) for row in first}
    for row in second:
        b = B(*row)
        by_key[b.a_id].bs.append(b)
    return list(by_key.values())


def _register_mixed(label: str, together: int | None) -> None:
    @contender("mixed", f"asyncpg by hand, {label}")
    async def by_hand(url: str, connections: int) -> AsyncIterator[Any]:
        async with asyncpg.create_pool(url, min_size=connections, max_size=connections) as pool:

            async def write(number: int) -> list[A]:
                async with pool.acquire() as connection, connection.transaction():
                    first = await connection.fetch(WRITE_A, [str(number + i) for i in range(1, 4)])
                    owners = [row[0] for row, count in zip(first, mixed.BRANCHES, strict=True) for _ in range(count)]
                    return with_branches(first, await connection.fetch(WRITE_B, owners))

            async def read() -> list[A]:
                async with pool.acquire() as connection:
                    first = await connection.fetch(READ_A, mixed.READ)
                    return with_branches(first, await connection.fetch(READ_B, [row[0] for row in first]))

            yield write, read, pool.fetchval, together


_register_mixed("all at once", None)
_register_mixed(f"chunks of {mixed.CHUNK}", mixed.CHUNK)
