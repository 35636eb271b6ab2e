"""A statement is described once for a Database, and may be another one on another connection: each reads its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

import stretto
from stretto.errors import DatabaseError, DecodeError

ENDS = ("one", "two")


@pytest.fixture
def schemas(outside: psycopg.Connection[Any], schema: str) -> Iterator[dict[str, str]]:
    names = {end: f"{schema}_{end}" for end in ENDS}
    for name in names.values():
        outside.execute(f"create schema {name}")
    yield names
    for name in names.values():
        outside.execute(f"drop schema {name} cascade")


class Pair:
    """Two connections of one Database with search paths of their own, and what is made in each schema."""

    def __init__(self, db: stretto.Database, outside: psycopg.Connection[Any], schemas: dict[str, str]) -> None:
        self.outside = outside
        self.schemas = schemas
        self.doors = {end: db.connection() for end in ENDS}
        self.ends: dict[str, Any] = {}

    def __enter__(self) -> Pair:
        for end, door in self.doors.items():
            self.ends[end] = door.__enter__()
            self.ends[end].execute(f"set search_path = {self.schemas[end]}")
        return self

    def __exit__(self, *error: object) -> None:
        for door in self.doors.values():
            door.__exit__(None, None, None)

    def make(self, one: str, two: str) -> None:
        """Run SQL in both schemas."""
        for end, sql in zip(ENDS, (one, two), strict=True):
            self.outside.execute(f"set search_path = {self.schemas[end]}; {sql}; reset search_path")


@pytest.fixture
def pair(server_url: str, outside: psycopg.Connection[Any], schemas: dict[str, str]) -> Iterator[Pair]:
    with stretto.Database(server_url, connections=2) as db, Pair(db, outside, schemas) as pair:
        yield pair


# What `select * from item` gives in each schema; the tables are made by the SQL.
SHAPES = {
    "other types": (
        ("create table item as select 1::int4 as a", (1,)),
        ("create table item as select 1.5::float4 as a", (1.5,)),
    ),
    "other names": (("create table item as select 1 as a", (1,)), ("create table item as select 2 as b", (2,))),
    "more columns": (
        ("create table item as select 1 as a", (1,)),
        ("create table item as select 'x' as a, 2 as b", ("x", 2)),
    ),
    "other order": (
        ("create table item as select 1 as a, 2::int8 as b", (1, 2)),
        ("create table item as select 3::int8 as b, 4 as a", (3, 4)),
    ),
    "types of their own": (
        ("create type mood as enum ('ok'); create table item as select 'ok'::mood as a", ("ok",)),
        ("create type mood as (x int4, y text); create table item as select row(1, 'z')::mood as a", ((1, "z"),)),
    ),
    "the same": (("create table item as select 1 as a", (1,)), ("create table item as select 2 as a", (2,))),
}  # fmt: skip
SQL = "select * from item"


def plain(rows: Any) -> Any:
    return [tuple(tuple(v) if isinstance(v, tuple) else v for v in row) for row in rows]


def by_fetch(connection: Any) -> Any:
    return connection.fetch(SQL)


def by_batch(connection: Any) -> Any:
    with connection.batch() as batch:
        batch.add("select 0")
        batch.add(SQL)
        batch.add(SQL)
    first, second, third = (result.rows for result in batch.results)
    assert (plain(first), plain(second)) == ([(0,)], plain(third))
    return second


def by_stream(connection: Any) -> Any:
    return list(connection.stream(SQL, batch=1))


def in_a_transaction(connection: Any) -> Any:
    with connection.transaction():
        return connection.fetch(SQL)


def as_the_last_of_a_transaction(connection: Any) -> Any:
    with connection.transaction() as transaction:
        return transaction.final.fetch(SQL)


VERBS = [by_fetch, by_batch, by_stream, in_a_transaction, as_the_last_of_a_transaction]


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("verb", VERBS)
def test_each_connection_reads_its_own_columns(pair: Pair, name: str, verb: Any) -> None:
    shapes = dict(zip(ENDS, SHAPES[name], strict=True))
    pair.make(*(sql for sql, _ in shapes.values()))
    for end in ENDS:  # what a stream cannot ask about
        pair.ends[end].fetch(SQL)
    for end in ("two", "one", "one", "two", "one"):
        found = verb(pair.ends[end])
        assert plain(found) == [shapes[end][1]]
        expected = ("b",) if (name, end) == ("other names", "two") else None
        assert expected is None or tuple(found[0]._fields) == expected


def test_a_large_reply_is_read_by_its_own_columns(pair: Pair) -> None:
    pair.make(
        "create table item (a int8)",
        "create table item as select g::float8 + 0.5 as a from generate_series(1, 50000) g",
    )
    assert pair.ends["one"].fetch(SQL) == []
    for _ in range(2):
        assert [row[0] for row in pair.ends["two"].fetch(SQL)] == [n + 0.5 for n in range(1, 50001)]


def test_a_write_runs_once_and_what_it_returns_is_read_rightly(pair: Pair) -> None:
    pair.make("create table item (a int4)", "create table item (a float4)")
    sql = "insert into item values (1) returning a"
    for end in ENDS * 3:
        assert pair.ends[end].fetchval(sql) == 1
    for end in ENDS:
        assert pair.ends[end].fetchval("select count(*) from item") == 3
        assert pair.ends[end].fetchmany("insert into item values ($1) returning a", [(1,), (2,)], into=tuple) == [
            (1,),
            (2,),
        ]


def test_columns_where_there_were_none_are_told_and_then_read(pair: Pair) -> None:
    """A statement without columns asks for no binary format; what came so cannot be read, but it has run."""
    pair.make("create table item ()", "create table item as select 1 as a")
    assert pair.ends["one"].fetch(SQL) == []
    with pytest.raises(DecodeError, match="has run"):
        pair.ends["two"].fetch(SQL)
    assert plain(pair.ends["two"].fetch(SQL)) == [(1,)]


@dataclass
class First:
    a: int


@dataclass
class Second:
    b: float


@pytest.mark.parametrize("verb", ["fetch", "stream"])
def test_each_connection_has_classes_that_fit_its_own_columns(pair: Pair, verb: str) -> None:
    pair.make("create table item as select 1 as a", "create table item as select 0.5::float8 as b")
    wanted: dict[str, tuple[Any, Any]] = {"one": (First, First(1)), "two": (Second, Second(0.5))}
    for end in ENDS * 2:
        into, expected = wanted[end]
        if verb == "fetch":
            assert pair.ends[end].fetch(SQL, into=into) == [expected]
        else:
            assert list(pair.ends[end].stream(SQL, into=into)) == [expected]
        with pytest.raises(DecodeError):
            pair.ends[end].fetch(SQL, into=wanted["two" if end == "one" else "one"][0])


# Parameters: the type of the column in each schema, and what is written there.
PARAMETERS = {
    "int and float": (("int4", 7), ("float4", 7)),
    "int and float of its own": (("int4", 7), ("float4", 7.5)),
    "int and text": (("int4", 7), ("text", "seven")),
    "text and int": (("text", "7"), ("int4", 7)),
    "nothing of text and int": (("text", None), ("int4", None)),
    "two enums": (("mood", "ok"), ("mood", "fine")),
    "date and timestamp": (("date", None), ("timestamp", None)),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_each_connection_writes_by_its_own_types(pair: Pair, name: str) -> None:
    values = dict(zip(ENDS, PARAMETERS[name], strict=True))
    pair.make(
        f"create type mood as enum ('ok'); create table item (a {values['one'][0]})",
        f"create type mood as enum ('fine'); create table item (a {values['two'][0]})",
    )
    for end in ENDS * 3:
        value = values[end][1]
        assert pair.ends[end].fetchval("insert into item values ($1) returning a", value) == value
        assert pair.ends[end].fetchval("select a from item where $1 is not distinct from a limit 1", value) == value
        pair.ends[end].executemany("update item set a = $1", [(value,), (value,)])
        assert pair.ends[end].fetchval("select count(*) from item where a is not distinct from $1", value) > 0


# The server converts what was encoded for the type of the other connection's column, where it has such a cast.
CONVERTED = {
    "a float4 for a float8": (("float4", 0.1), ("float8", 0.1)),
    "a jsonb for a text": (("jsonb", "a"), ("text", "a")),
}


@pytest.mark.xfail(strict=True, reason="the server does not tell that it converts a parameter")
@pytest.mark.parametrize("name", CONVERTED)
def test_a_value_is_not_changed_by_the_type_of_another_connection(pair: Pair, name: str) -> None:
    one, two = CONVERTED[name]
    pair.make(f"create table item (a {one[0]})", f"create table item (a {two[0]})")
    pair.ends["one"].fetchval("insert into item values ($1) returning a", one[1])
    assert pair.ends["two"].fetchval("insert into item values ($1) returning a", two[1]) == two[1]


def test_a_refused_parameter_fails_a_transaction_once(pair: Pair) -> None:
    """The server may only be asked anew outside; the next transaction has what is right on its connection."""
    pair.make("create table item (a text)", "create table item (a int4)")
    sql = "insert into item values ($1) returning a"
    assert pair.ends["one"].fetchval(sql, None) is None
    with pytest.raises(DatabaseError, match="is of type integer"), pair.ends["two"].transaction():
        pair.ends["two"].fetchval(sql, None)
    with pair.ends["two"].transaction():
        assert pair.ends["two"].fetchval(sql, 5) == 5


def test_records_are_copied_into_the_table_of_their_own_connection(pair: Pair) -> None:
    pair.make("create table item (a int4)", "create table item (a float4)")
    for end in ENDS * 2:
        pair.ends[end].copy_in("item", [(1,), (2,)])
    assert [pair.ends[end].fetchval("select sum(a)::float8 from item") for end in ENDS] == [6.0, 6.0]


def test_a_temporary_table_stands_before_another(pair: Pair) -> None:
    pair.make("create table item as select 1 as a", "create table item as select 1 as a")
    one, two = pair.ends["one"], pair.ends["two"]
    assert plain(one.fetch(SQL)) == [(1,)]
    two.execute("create temp table item as select 'x' as b")
    for _ in range(2):
        assert plain(two.fetch(SQL)) == [("x",)]
        assert plain(one.fetch(SQL)) == [(1,)]


@pytest.mark.parametrize("value", ["select a from item", "select a from item where a = $1"])
def test_statements_in_one_flight_are_read_by_the_columns_of_their_connection(
    server_url: str, outside: psycopg.Connection[Any], schemas: dict[str, str], value: str
) -> None:
    """Those that are sent before the first answer rely on what the first one has prepared."""
    for end, kind in zip(ENDS, ("int4", "float4"), strict=True):
        outside.execute(f"create table {schemas[end]}.item as select 1::{kind} as a")
    args = (1,) if "$1" in value else ()

    async def main() -> None:
        db = stretto.AsyncDatabase(server_url, connections=2)
        async with db, db.connection() as one, db.connection() as two:
            for connection, end in zip((one, two), ENDS, strict=True):
                await connection.execute(f"set search_path = {schemas[end]}")
            for connection in (one, two) * 3:
                found = await asyncio.gather(*(connection.fetchval(value, *args) for _ in range(10)))
                assert found == [1] * 10

    asyncio.run(main())


def test_a_role_whose_search_path_has_changed_is_read_rightly_on_shared_connections(
    server_url: str, outside: psycopg.Connection[Any], schemas: dict[str, str], schema: str
) -> None:
    """Connections that were opened before and after see other tables under one name."""
    role = f"{schema}_role"
    for end, kind in zip(ENDS, ("int4", "float4"), strict=True):
        outside.execute(f"create table {schemas[end]}.item as select 1::{kind} as a")
    outside.execute(f"create role {role} login; grant usage on schema {schemas['one']}, {schemas['two']} to {role}")
    outside.execute(f"grant select on {schemas['one']}.item, {schemas['two']}.item to {role}")
    outside.execute(f"alter role {role} set search_path = {schemas['one']}")

    async def main() -> None:
        async with stretto.AsyncDatabase(server_url, user=role, connections=2) as db:
            assert await db.fetchval("select a from item") == 1
            outside.execute(f"alter role {role} set search_path = {schemas['two']}")
            async with db.connection():  # takes one away, so that a second one is opened
                types = [await db.fetchval("select pg_typeof(a)::text from item") for _ in range(2)]
                assert [await db.fetchval("select a from item") for _ in range(3)] == [1, 1, 1]
            assert types == ["real", "real"]
            found = await asyncio.gather(*(db.fetchval("select a from item") for _ in range(200)))
            assert found == [1] * 200

    try:
        asyncio.run(main())
    finally:
        outside.execute(f"drop owned by {role}; drop role {role}")
