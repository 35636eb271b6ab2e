"""What the table of types that are made of others (docs/types.md) says is also taken, and what comes out."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum, StrEnum
from types import SimpleNamespace
from typing import Any

import asyncpg
import numpy
import psycopg.types.multirange
import psycopg.types.range
import pytest

from stretto._async.database import AsyncDatabase
from stretto.codecs.makers import Row
from stretto.codecs.ranges import Range
from stretto.errors import EncodeError
from stretto.sqlstate import DuplicateObject, UniqueViolation

TYPES = """
create type mood as enum ('sad', 'glad'); create type pair as (n int, name text);
create domain positive as int check (value > 0)
"""
EXTENSION_OF = {"hstore": "hstore", "ltree": "ltree", "lquery": "ltree", "ltxtquery": "ltree"}


async def prepare(db: AsyncDatabase, kind: str) -> None:
    """Make the types of the tests; extensions stay, for there is one of each in a database."""
    await db.execute(TYPES)
    if kind in EXTENSION_OF:
        await have_extension(db, EXTENSION_OF[kind])


async def have_extension(db: AsyncDatabase, name: str) -> None:
    with suppress(UniqueViolation, DuplicateObject):  # another worker has made it just now
        await db.execute(f"create extension if not exists {name} schema public")


class Glad(Enum):
    GLAD = "glad"


class Sad(StrEnum):
    SAD = "sad"


# type, value given, value that comes out
TAKEN: list[tuple[str, Any, Any]] = [
    ("int[]", (1, 2), [1, 2]),
    ("int[]", range(2), [0, 1]),
    ("int[]", [[], []], []),
    ("int4range", (1, 5), Range(1, 5)),
    ("int4range", asyncpg.Range(1, 5), Range(1, 5)),
    ("int4range", psycopg.types.range.Range(1, 5), Range(1, 5)),
    ("int4multirange", [(1, 3), Range(2, 4)], [Range(1, 4)]),
    ("int4multirange", psycopg.types.multirange.Multirange([psycopg.types.range.Range(1, 3)]), [Range(1, 3)]),
    ("mood", "glad", "glad"),
    ("mood", Glad.GLAD, "glad"),
    ("mood", Sad.SAD, "sad"),
    ("positive", 5, 5),
    ("pair", (1, "x"), Row(n=1, name="x")),
    ("pair", [1, "x"], Row(n=1, name="x")),
    ("pair", {"name": "x", "n": 1}, Row(n=1, name="x")),
    ("pair", SimpleNamespace(n=1, name="x"), Row(n=1, name="x")),
    ("pair[]", [(1, "x"), None], [Row(n=1, name="x"), None]),
    ("hstore", {"a": "1", "b": None}, {"a": "1", "b": None}),
    ("ltree", "a.b", "a.b"),
    ("lquery", "a.*", "a.*"),
    ("ltxtquery", "a & b", "a & b"),
]


@pytest.mark.parametrize(
    ("kind", "given", "out"), TAKEN, ids=[f"{kind} {type(given).__name__}" for kind, given, _ in TAKEN]
)
async def test_it_is_taken(db: AsyncDatabase, kind: str, given: Any, out: Any) -> None:
    await prepare(db, kind)
    found = await db.fetchval(f"select $1::{kind}", given)
    assert found == out
    assert isinstance(found, Row if isinstance(out, Row) else type(out))


REFUSED: list[tuple[str, Any, str]] = [
    ("int[]", {1}, "int4.. takes a list or tuple, not set"),
    ("int[]", iter([1]), "not list_iterator"),
    ("text[]", "ab", "not str: put it in a list"),
    ("int4range", range(1, 5), "not range"),
    ("pair", {"n": 1}, "the mapping has no key name"),
    ("pair", (1,), "pair has 2 columns, not 1"),
    ("record", (1, 2), "record cannot be a parameter"),
    ("record[]", [(1, 2)], "record cannot be a parameter"),
    ("hstore", {"a": 1}, "hstore takes a str, not int"),
]


@pytest.mark.parametrize(
    ("kind", "given", "text"), REFUSED, ids=[f"{kind} {type(given).__name__}" for kind, given, _ in REFUSED]
)
async def test_it_is_refused(db: AsyncDatabase, kind: str, given: Any, text: str) -> None:
    await prepare(db, kind)
    with pytest.raises(EncodeError, match=text):
        await db.fetchval(f"select $1::{kind}", given)


async def test_vectors_are_lists_of_float(db: AsyncDatabase) -> None:
    if not await db.fetchval("select exists (select from pg_available_extensions where name = 'vector')"):
        pytest.skip("this server has no pgvector")
    await have_extension(db, "vector")
    for kind in ("vector", "halfvec"):
        for given in ([1, 2.5], (1, 2.5), numpy.array([1, 2.5])):
            assert await db.fetchval(f"select $1::{kind}", given) == [1.0, 2.5]
    sparse = await db.fetchval("select $1::sparsevec", [0, 7, 0])
    assert (repr(sparse), sparse.to_list()) == ("SparseVector({1: 7.0}, 3)", [0.0, 7.0, 0.0])


async def test_other_extensions_types_are_text(db: AsyncDatabase) -> None:
    await have_extension(db, "cube")
    assert await db.fetchval("select $1::cube", "(1,2)") == "(1, 2)"
    assert await db.fetchval("select $1::cube[]", ["(1,2)", None]) == ["(1, 2)", None]


async def test_in_looks_among_a_rows_values(db: AsyncDatabase) -> None:
    row = await db.fetchrow("select 'x' as a")
    assert row is not None
    assert ("a" in row, "x" in row, "a" in row.keys()) == (False, True, True)  # noqa: SIM118  # a Row is no dict
