"""One Database, and names that mean another thing by and by: search_path, and types that are dropped and made again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any

import psycopg
import pytest

import stretto
from stretto.errors import NotSupportedError
from stretto.sqlstate import InvalidTextRepresentation

SQL = "select * from item order by 1"
# The same name in two schemas: what it is made of, and what is in it.
ITEMS = {
    "one": ("create table {}.item (a int4)", "insert into {}.item values (1)", [(1,)]),
    "two": ("create table {}.item (a text, b text)", "insert into {}.item values ('x', 'y')", [("x", "y")]),
}


@pytest.fixture
def schemas(outside: psycopg.Connection[Any], schema: str) -> Any:
    names = {end: f"{schema}_{end}" for end in ITEMS}
    for end, name in names.items():
        outside.execute(f"create schema {name}")
        for sql in ITEMS[end][:2]:
            outside.execute(sql.format(name))
    yield names
    for name in names.values():
        outside.execute(f"drop schema {name} cascade")


def test_a_changed_search_path_on_one_connection_never_gives_a_wrong_value(
    schemas: dict[str, str], server_url: str
) -> None:
    with stretto.Database(server_url, connections=1) as db, db.connection() as connection:
        for end in ("one", "two", "one", "one", "two"):
            connection.execute(f"set search_path = {schemas[end]}")
            for _ in range(2):
                assert list(map(tuple, connection.fetch(SQL))) == ITEMS[end][2]


def test_search_paths_of_two_connections_never_give_a_wrong_value(schemas: dict[str, str], server_url: str) -> None:
    with stretto.Database(server_url, connections=2) as db, db.connection() as first, db.connection() as second:
        for connection, end in ((first, "one"), (second, "two")):
            connection.execute(f"set search_path = {schemas[end]}")
            assert list(map(tuple, connection.fetch(SQL))) == ITEMS[end][2]


def test_a_float_is_not_read_as_an_int_because_another_connection_has_an_int_there(
    schemas: dict[str, str], server_url: str, outside: psycopg.Connection[Any]
) -> None:
    outside.execute(f"create table {schemas['one']}.same as select 1::int4 as a")
    outside.execute(f"create table {schemas['two']}.same as select 1::float4 as a")
    with stretto.Database(server_url, connections=2) as db, db.connection() as first, db.connection() as second:
        for connection, end in ((first, "one"), (second, "two")):
            connection.execute(f"set search_path = {schemas[end]}")
            assert connection.fetchval("select a from same") == 1


def test_two_tasks_with_search_paths_of_their_own_do_not_mix(schemas: dict[str, str], server_url: str) -> None:
    async def main() -> None:
        async with stretto.AsyncDatabase(server_url, connections=2) as db:

            async def work(end: str) -> None:
                async with db.connection() as connection:
                    await connection.execute(f"set search_path = {schemas[end]}")
                    for _ in range(20):
                        assert list(map(tuple, await connection.fetch(SQL))) == ITEMS[end][2]

            async with asyncio.TaskGroup() as group:
                for end in ("one", "two"):
                    group.create_task(work(end))

    asyncio.run(main())


def test_in_a_transaction_a_changed_search_path_gives_the_right_rows_or_an_error(
    schemas: dict[str, str], server_url: str
) -> None:
    with stretto.Database(server_url, connections=1) as db, db.connection() as connection:
        for end in ("one", "two", "one", "two"):
            connection.execute("begin")
            connection.execute(f"set local search_path = {schemas[end]}")
            with contextlib.suppress(NotSupportedError):  # cached plan must not change result type
                assert list(map(tuple, connection.fetch(SQL))) == ITEMS[end][2]
            connection.execute("rollback")


# One name of types in two schemas, each of its kind, and a value of each.
KINDS = {
    "enum": ("create type {} as enum ('a', 'b')", "b"),
    "composite": ("create type {} as (x int4, y text)", (7, "x")),
    "domain of int": ("create domain {} as int4", 5),
    "domain of text": ("create domain {} as text check (value <> '')", "five"),
    "range": ("create type {} as range (subtype = int8)", stretto.Range(1, 9)),
    "other composite": ("create type {} as (y text, x int4)", ("x", 7)),
}


@pytest.mark.parametrize("array", ["", "[]"])
@pytest.mark.parametrize(("first", "second"), [*itertools.pairwise(KINDS), ("composite", "other composite")])
def test_types_of_one_name_are_told_apart_in_one_statement(
    db: Any, outside: psycopg.Connection[Any], schemas: dict[str, str], first: str, second: str, array: str
) -> None:
    values = []
    for end, kind in (("one", first), ("two", second)):
        sql, value = KINDS[kind]
        outside.execute(sql.format(f"{schemas[end]}.thing"))
        values.append([value, value] if array else value)
    sql = f"select $1::{schemas['one']}.thing{array}, $2::{schemas['two']}.thing{array}"
    for _ in range(2):
        assert [plain(found) for found in db.fetchrow(sql, *values)] == values
    backwards = f"select $1::{schemas['two']}.thing{array}, $2::{schemas['one']}.thing{array}"
    assert [plain(found) for found in db.fetchrow(backwards, *values[::-1])] == values[::-1]


def test_a_codec_is_for_the_type_of_its_schema(
    db: Any, outside: psycopg.Connection[Any], schemas: dict[str, str]
) -> None:
    for name in schemas.values():
        outside.execute(f"create type {name}.thing as enum ('a', 'b')")
    db.set_type_codec("thing", schema=schemas["one"], encoder=str.lower, decoder=str.upper)
    sql = f"select $1::{schemas['one']}.thing, $2::{schemas['two']}.thing"
    assert db.fetchrow(sql, "A", "a") == ("A", "a")
    with pytest.raises(InvalidTextRepresentation):
        db.fetchrow(sql, "A", "A")


def test_a_composite_of_types_of_one_name_has_those_of_its_own_schema(
    db: Any, outside: psycopg.Connection[Any], schemas: dict[str, str]
) -> None:
    for end, (sql, _) in zip(schemas, list(KINDS.values())[:2], strict=True):
        outside.execute(sql.format(f"{schemas[end]}.thing"))
        outside.execute(f"create type {schemas[end]}.holder as (held {schemas[end]}.thing)")
        outside.execute(f"create table {schemas[end]}.kept (id int4, held {schemas[end]}.holder[])")
    values = [[("b",), ("a",)], [((7, "x"),), (None,)]]
    for name, value in zip(schemas.values(), values, strict=True):
        db.execute(f"insert into {name}.kept values (1, $1)", value)
    joined = f"select o.held, t.held from {schemas['one']}.kept o join {schemas['two']}.kept t using (id)"
    assert [plain(found) for found in db.fetchrow(joined)] == values


# A type that is dropped and made again as another, and a value of each.
MADE = {
    "enum": ("create type {} as enum ('a')", "a", "create type {} as enum ('b')", "b"),
    "composite": ("create type {} as (x int4)", (1,), "create type {} as (y text, x text)", ("1", "2")),
    "from enum to composite": ("create type {} as enum ('a')", "a", "create type {} as (x int4)", (7,)),
    "from composite to enum": ("create type {} as (x int4)", (7,), "create type {} as enum ('a')", "a"),
    "domain": ("create domain {} as int4", 5, "create domain {} as text", "five"),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("array", ["", "[]"])
def test_a_type_that_was_made_again_is_known_as_what_it_is(
    db: Any, outside: psycopg.Connection[Any], name: str, array: str
) -> None:
    first, value, second, other = MADE[name]
    kind = "domain" if name == "domain" else "type"
    for sql, expected in ((first, value), (second, other), (first, value)):
        outside.execute(f"drop {kind} if exists thing cascade")
        outside.execute(sql.format("thing"))
        given = [expected, expected] if array else expected
        for _ in range(4):
            found = db.fetchval(f"select $1::thing{array}", given)
            assert plain(found) == given


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(plain, value))
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return value
