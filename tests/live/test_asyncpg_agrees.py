"""Another second opinion, where psycopg has no place for a type: asyncpg reads what we wrote as the same values, and
what it writes is the same to the server.

A case is one value.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import pytest
from tests.cases import cases
from tests.live.generated import TYPES, own_types, same

import stretto

BATCH = 200
# The trees are rows in rows, three deep, with arrays, domains and an enum in them, and NaN among their numbers.
NAMES = """
point box line lseg path polygon circle varbit macaddr8 xid8 float4 float8 numeric uuid bytea
int4range numrange tstzrange int8multirange nummultirange datemultirange mood positive label leaf branch tree
"""
READ_ONLY = ("tstzrange", "datemultirange", "branch", "tree")  # it writes the first and last day of Python as infinity
CASES = cases(-(-20_000 // len(NAMES.split())), len(NAMES.split()))
PAIRS: dict[type[Any], Callable[[Any], Any]] = {
    asyncpg.Point: lambda value: stretto.Point(*value),
    asyncpg.Box: lambda value: stretto.Box(*map(ours, value)),
    asyncpg.Line: lambda value: stretto.Line(*value),
    asyncpg.LineSegment: lambda value: stretto.LineSegment(*map(ours, value)),
    asyncpg.Circle: lambda value: stretto.Circle(ours(value.center), value.radius),
    asyncpg.Path: lambda value: stretto.Path(*map(ours, value.points), is_closed=value.is_closed),
    asyncpg.Polygon: lambda value: stretto.Polygon(*map(ours, value.points)),
    asyncpg.BitString: lambda value: stretto.BitString(value.as_string()),
    asyncpg.Range: lambda value: (
        stretto.Range(empty=True)
        if value.isempty
        else stretto.Range(value.lower, value.upper, value.lower_inc, value.upper_inc)
    ),
}


def ours(value: Any) -> Any:
    """Make our value of asyncpg's."""
    make = PAIRS.get(type(value))
    if make is not None:
        return make(value)
    if isinstance(value, asyncpg.Record):
        return tuple(map(ours, value))
    return list(map(ours, value)) if isinstance(value, list) else value


def theirs(value: Any) -> Any:
    """Make asyncpg's value of ours."""
    match value:
        case stretto.Range():
            return asyncpg.Range(
                value.lower, value.upper, lower_inc=value.lower_inc, upper_inc=value.upper_inc, empty=value.isempty
            )
        case stretto.Path():
            return asyncpg.Path(*value.points, is_closed=value.is_closed)
        case stretto.Polygon():
            return asyncpg.Polygon(*value.points)
        case stretto.BitString():
            return asyncpg.BitString(value.as_string())
        case list():
            return list(map(theirs, value))
        case tuple() if type(value) is tuple:
            return tuple(map(theirs, value))
    return value


@pytest.fixture(scope="module")
def settings(server_url: str) -> Iterator[dict[str, str]]:
    with own_types(server_url, f"third_{os.getpid()}") as settings:
        yield settings


@pytest.mark.fuzz(CASES)
@pytest.mark.parametrize("name", NAMES.split())
def test_asyncpg_reads_and_writes_the_same_values(server_url: str, name: str, settings: dict[str, str]) -> None:
    r = random.Random(f"{name} {CASES}")
    written = f"select x::text from (select unnest($1::{name}[]) as x) u"
    each = "select " + ", ".join(f"(${i}::{name})::text" for i in range(1, BATCH + 1))
    read = f"select t::{name} from unnest($1::text[]) with ordinality u (t, n) order by n"

    async def main() -> None:
        other = await asyncpg.connect(server_url, server_settings=settings)
        try:
            async with stretto.AsyncDatabase(server_url, connections=1, server_settings=settings) as db:
                for _ in range(-(-CASES // BATCH)):
                    values = [TYPES[name](r) for _ in range(BATCH)]
                    texts = await db.fetch(written, values, into=str)
                    found = await other.fetch(read, texts)
                    assert [same(ours(row[0])) for row in found] == [same(value) for value in values]
                    if name not in READ_ONLY:
                        said = await other.fetchrow(each, *map(theirs, values))
                        assert list(said) == texts
        finally:
            await other.close()

    asyncio.run(main())
