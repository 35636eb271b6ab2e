"""What a user writes who has rows and no models: dataclasses, statements, and loops that put objects together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString

from stretto.cli.race.workloads import mixed

PARENTS = "select id, name from bench_parent order by id"
CHILDREN = "select id, parent_id, name from bench_child"
CHILDREN_OF = f"{CHILDREN} where parent_id = any($1)"
GRANDCHILDREN = "select id, child_id, name from bench_grandchild"
GRANDCHILDREN_OF = f"{GRANDCHILDREN} where child_id = any($1)"


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


def stitched(parents: Iterable[Any], children: Iterable[Any], grandchildren: Iterable[Any]) -> list[Parent]:
    """Rows of three tables as a list of parents."""
    by_parent = {row[0]: Parent(*row) for row in parents}
    by_child = {}
    for row in children:
        child = by_child[row[0]] = Child(*row)
        by_parent[child.parent_id].children.append(child)
    for row in grandchildren:
        grandchild = Grandchild(*row)
        by_child[grandchild.child_id].grandchildren.append(grandchild)
    return list(by_parent.values())


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


def percent(sql: LiteralString) -> LiteralString:
    """A statement with one parameter as psycopg's two drivers write it."""
    return sql.replace("$1", "%s")


def with_branches(first: Iterable[Any], second: Iterable[Any]) -> list[A]:
    """Rows of a and b as a list of A."""
    by_key = {row[0]: A(*row) for row in first}
    for row in second:
        b = B(*row)
        by_key[b.a_id].bs.append(b)
    return list(by_key.values())


def texts(number: int) -> list[str]:
    """What the three `a` of a write say."""
    return [str(number + i) for i in range(1, len(mixed.BRANCHES) + 1)]


def keys(rows: Iterable[Any]) -> list[int]:
    """The first column."""
    return [row[0] for row in rows]


def owners(rows: Sequence[Any]) -> list[int]:
    """The key of its `a` for each of the five `b` of a write."""
    return [row[0] for row, count in zip(rows, mixed.BRANCHES, strict=True) for _ in range(count)]
