# Generated from tests/live/_async/test_types.py by tools/make_sync.py: do not edit.
"""Types of the database's own: enums, composites, domains, arrays, records; codecs of the user's; and healing."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest
from tests.live.support import Broken

from stretto._sync.database import Database
from stretto.errors import DecodeError, EncodeError
from stretto.sqlstate import FeatureNotSupported, InvalidSqlStatementName, InvalidTextRepresentation

TYPES = """
create type mood as enum ('sad', 'ok', 'glad');
create domain positive as int check (value > 0);
create type pair as (a int, "B b" text);
create type nest as (p pair, moods mood[], n positive);
create table item (id int, p pair, parts pair[]);
"""

ECHOES: list[tuple[str, Any]] = [
    ("mood", "glad"),
    ("mood[]", ["glad", None, "sad"]),
    ("positive", 7),
    ("positive[]", [1, 2]),
    ("pair", (1, 'x, "y"')),
    ("pair", (None, None)),
    ("pair[]", [(1, "x"), None]),
    ("pair[]", [[(1, "x")], [(2, "y")]]),
    ("nest", ((1, "x"), ["ok", None], 5)),
    ("nest[]", [((1, "x"), [], 5), ((None, None), None, None)]),
    ("item", (1, (2, "x"), [(3, "y")])),
    ("int4range[]", []),
]


@pytest.mark.parametrize(("name", "value"), ECHOES)
def test_values_of_own_types_go_both_ways(db: Database, name: str, value: Any) -> None:
    db.execute(TYPES)
    assert db.fetchval(f"select $1::{name}", value) == value
    assert db.fetchval(f"select $1::{name}", None) is None
    assert [row[0] for row in db.stream(f"select $1::{name}", value)] == [value]
    db.execute(f"create table keeps (v {name})")
    db.executemany("insert into keeps values ($1)", [(value,), (None,)])
    db.copy_in("keeps", [(value,)])
    assert db.fetchval(f"select count(*) from keeps where v = $1::{name}", value) == 2


RECORDS: list[tuple[str, Any]] = [
    ("select row(1, 'x'::text, null)", (1, "x", None)),
    ("select row()", ()),
    ("select row('glad'::mood, 7::positive, row(1, 'x')::pair)", ("glad", 7, (1, "x"))),
    ("select row(row(array[row(1, 'x')::pair], '{ok}'::mood[]))", (([(1, "x")], ["ok"]),)),
    ("select array[row('glad'::mood, 1), row('sad'::mood, 2)]", [("glad", 1), ("sad", 2)]),
    ("select array_agg(row(m)) from unnest('{sad,ok}'::mood[]) m", [("sad",), ("ok",)]),
    ("select array(select i from item i)", [(1, (2, "x"), [(3, "y")])]),
]


@pytest.mark.parametrize(("sql", "value"), RECORDS)
def test_anonymous_records_have_any_type(db: Database, sql: str, value: Any) -> None:
    db.execute(TYPES)
    db.execute("insert into item values (1, (2, 'x'), array[(3, 'y')::pair])")
    assert db.fetchval(sql) == value
    with db.batch() as batch:
        batch.add(sql)
        batch.add("select 1")
    assert [result.rows for result in batch.results] == [[(value,)], [(1,)]]


def test_a_batch_may_have_records_of_types_that_nobody_asked_about(db: Database) -> None:
    db.execute(TYPES)
    with db.batch() as batch:
        batch.add("select row(i, 'glad'::mood) from generate_series(1, 2) i")
        batch.add("select row(row(1, 'x')::pair)")
    assert [result.rows for result in batch.results] == [[((1, "glad"),), ((2, "glad"),)], [(((1, "x"),),)]]


def test_many_rows_of_records_of_types_that_nobody_asked_about(one: Database) -> None:
    one.execute(TYPES)
    sql = "select row(i, case when i > 15000 then 'glad'::mood end) from generate_series(1, 30000) i"
    rows = one.fetch(sql)
    assert [row[0][0] for row in rows] == list(range(1, 30001))
    assert rows[-1] == ((30000, "glad"),)
    assert one.fetchval("select 1") == 1


def test_a_bad_value_is_an_error_of_the_caller(one: Database) -> None:
    one.execute(TYPES)
    wrong: list[tuple[type[Exception], str, Any]] = [
        (EncodeError, "mood", 5),
        (InvalidTextRepresentation, "mood", "angry"),
        (EncodeError, "pair", (1,)),
        (EncodeError, "pair", ("one", "x")),
        (EncodeError, "pair[]", [(1, "x"), 5]),
        (EncodeError, "nest", ((1, 2), [], 5)),
    ]
    for kind, name, value in wrong:
        with pytest.raises(kind):
            one.fetchval(f"select $1::{name}", value)
        assert one.fetchval("select 1") == 1


def test_a_type_is_asked_about_once(open_db: Any) -> None:
    """The catalogue's statement is prepared on a connection when it is asked, and its executions are counted there.

    There are two connections, so that both can be looked at in the end, however many the load has opened.
    """
    db = open_db(connections=2)
    counted = (
        "select coalesce(sum(generic_plans + custom_plans), 0) from pg_prepared_statements "
        "where statement like '%pg_name' || 'space%'"
    )
    db.execute(TYPES)
    with db.connection() as connection:
        assert connection.fetchval(counted) == 0
        connection.fetchval("select 1::int4, 'x'::text, array[1], '{}'::jsonb")
        assert connection.fetchval(counted) == 0, "built-in types were asked about"
        connection.fetchval("select 'glad'::mood, $1::nest[]", None)
        levels = connection.fetchval(counted)
        assert 1 <= levels <= 4
        connection.fetchval("select 'glad'::mood, $1::nest[] as again", None)
        connection.fetchval("select $1::mood[], 'x'::text", None)
        assert connection.fetchval(counted) == levels
    with db.connection() as first, db.connection() as second:
        for connection in (first, second):
            connection.fetchval("select $1::nest", None)
        total = first.fetchval(counted) + second.fetchval(counted)
        assert total == levels


# --- codecs of the user's ---------------------------------------------------------------------------------------------


def test_set_type_codec_in_text(db: Database) -> None:
    db.execute(TYPES)
    assert db.fetchval("select '2 days'::interval") == timedelta(days=2)
    db.set_type_codec(
        "interval", schema="pg_catalog", encoder=lambda v: f"{v} days", decoder=lambda text: text.split()[0]
    )
    assert db.fetchval("select '2 days'::interval") == "2"
    assert db.fetchval("select $1::interval", 5) == "5"
    assert db.fetchval("select $1::interval[]", [5, None]) == ["5", None]


def test_set_type_codec_in_binary(db: Database) -> None:
    db.set_type_codec(
        "int4",
        schema="pg_catalog",
        encoder=lambda value: value.to_bytes(4, "big"),
        decoder=lambda data: int.from_bytes(data, "big") * 10,
        format="binary",
    )
    assert db.fetchval("select $1::int4", 7) == 70
    assert db.fetchval("select $1::int4[]", [7]) == [70]
    assert db.fetchval("select 7::int8") == 7


def test_set_type_codec_of_an_own_type(db: Database, schema: str) -> None:
    db.execute(TYPES)
    db.set_type_codec("mood", schema=schema, encoder=str.lower, decoder=str.upper)
    assert db.fetchval("select $1::mood", "GLAD") == "GLAD"
    assert db.fetchval("select $1::nest", ((1, "x"), ["SAD"], 1)) == ((1, "x"), ["SAD"], 1)


def test_a_codec_for_a_type_that_there_is_not_is_logged_once(
    db: Database, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    db.execute(f"{TYPES}; create type \"odd.name\" as enum ('a')")
    for name, where in (
        ("jsob", None),
        ("moood", schema),
        ("numeric", schema),
        ("mood", "nowhere"),
        ("mood", None),
        ("mood", schema),
        ("odd.name", schema),
        ("integer", None),
        ("int4range", "pg_catalog"),
    ):
        db.set_type_codec(name, schema=where, encoder=str, decoder=str)
    for _ in range(2):
        assert db.fetchval("select $1::int4 + 1", "2") == "3"
        assert db.fetchval("select 4") == "4"
    messages = sorted(record.getMessage() for record in caplog.records if record.name == "stretto")
    told = [message.split()[6].rstrip(",") for message in messages]
    assert sorted(told) == sorted(["jsob", f"{schema}.moood", "nowhere.mood", f"{schema}.numeric"])
    assert any(
        message.endswith("no type jsob, whose codec is not used; did you mean jsonb or json?") for message in messages
    )
    caplog.clear()
    db.set_type_codec("jsob2", encoder=str, decoder=str)
    assert db.fetchval("select 5") == "5"
    assert [record.getMessage().split()[6] for record in caplog.records if record.name == "stretto"] == ["jsob2,"]


def test_a_codec_of_the_users_that_raises_hurts_only_its_caller(one: Database) -> None:
    def refuse(value: Any) -> Any:
        raise ValueError("refused")

    def decode(text: str) -> str:
        if text == "29000":
            raise Broken
        return text

    one.set_type_codec("numeric", schema="pg_catalog", encoder=refuse, decoder=decode)
    with pytest.raises(EncodeError, match="refused"):
        one.fetchval("select $1::numeric", 1)
    for _ in range(3):
        with pytest.raises((Broken, DecodeError)):
            one.fetch("select i::numeric, repeat('x', 20) from generate_series(1, 60000) i")
        assert one.fetchval("select 1") == 1


class Money(msgspec.Struct):
    amount: Decimal


JSON_FUNCTIONS: list[tuple[Any, Any, Any]] = [
    (msgspec.json.encode, msgspec.json.decode, {"a": [1, None]}),
    (lambda value: json.dumps(value).encode(), json.loads, {"a": [1, None]}),
    (json.dumps, lambda data: json.loads(data, parse_float=Decimal), {"a": Decimal("1.5")}),
    (msgspec.json.encode, lambda data: msgspec.json.decode(data, type=Money), Money(Decimal("1.50"))),
]


@pytest.mark.parametrize("functions", JSON_FUNCTIONS[:2])
def test_json_by_other_functions(open_db: Any, functions: tuple[Any, Any, Any]) -> None:
    dumps, loads, value = functions
    db = open_db(dumps=dumps, loads=loads)
    for name in ("json", "jsonb"):
        assert db.fetchval(f"select $1::{name}", value) == value
        assert db.fetchval(f"select $1::{name}[]", [value, None]) == [value, None]
    db.execute("create table t (j jsonb)")
    db.copy_in("t", [(value,)])
    assert db.fetch("select j from t") == [(value,)]


def test_json_may_become_objects_of_ones_own(open_db: Any) -> None:
    dumps, _, _ = JSON_FUNCTIONS[2]
    numbers = open_db(dumps=dumps, loads=JSON_FUNCTIONS[2][1])
    assert numbers.fetchval("select '{\"a\": 1.5}'::jsonb") == {"a": Decimal("1.5")}
    dumps, loads, value = JSON_FUNCTIONS[3]
    structs = open_db(dumps=dumps, loads=loads)
    assert structs.fetchval("select $1::json", value) == value


def test_json_that_the_functions_refuse(open_db: Any) -> None:
    db = open_db(connections=1, dumps=msgspec.json.encode, loads=JSON_FUNCTIONS[3][1])
    with pytest.raises(EncodeError, match="jsonb"):
        db.fetchval("select $1::jsonb", object())
    with pytest.raises(DecodeError, match="jsonb"):
        db.fetchval("select '{}'::jsonb")
    assert db.fetchval("select 1") == 1


# --- healing ----------------------------------------------------------------------------------------------------------


def test_a_table_that_was_altered(one: Database, outside: psycopg.Connection[Any]) -> None:
    one.execute("create table t (a int); insert into t values (1)")
    for change, rows in (
        ("add b text default 'b'", [(1, "b")]),
        ("alter b drop default, alter b type int using 5", [(1, 5)]),
        ("drop a", [(5,)]),
        ("rename b to c", [(5,)]),
    ):
        before = one.fetch("select * from t")
        assert len(before) == 1
        outside.execute(f"alter table t {change}")
        assert one.fetch("select * from t") == rows
        assert one.fetch("select * from t", into=tuple) == rows
    assert (one.fetch("select * from t"))[0].c == 5


def test_a_table_that_was_altered_is_seen_by_all_connections(db: Database, outside: psycopg.Connection[Any]) -> None:
    db.execute("create table t (a int); insert into t values (1)")
    with db.connection() as first, db.connection() as second, db.connection() as third:
        for connection in (first, second, third):
            assert connection.fetch("select * from t") == [(1,)]
        outside.execute("alter table t add b text default 'b'")
        for connection in (first, second, third):
            assert connection.fetch("select * from t") == [(1, "b")]


def test_each_verb_heals(one: Database, outside: psycopg.Connection[Any]) -> None:
    one.execute("create table t (a int); insert into t values (1)")
    sql = "select * from t where $1::int is not null"
    count = 1
    assert one.fetchmany(sql, [(1,)]) == [(1,)]

    def alter() -> int:
        outside.execute(f"alter table t add b{count} int")
        return count + 1

    count = alter()
    assert len((one.fetch(sql, 1))[0]) == count
    count = alter()
    assert len(one.fetchrow(sql, 1) or ()) == count
    count = alter()
    assert one.fetchval(sql, 1) == 1
    count = alter()
    assert len((one.fetchmany(sql, [(1,), (2,)]))[1]) == count
    count = alter()
    assert one.execute(sql, 1) == "SELECT 1"
    count = alter()
    one.executemany(sql, [(1,), (2,)])
    count = alter()
    with one.batch() as batch:
        batch.add(sql, 1)
    assert len(batch.results[0].rows[0]) == count
    count = alter()
    assert [len(row) for row in one.stream(sql, 1)] == [count]


@pytest.mark.parametrize("forget", ["deallocate all", "discard all"])
def test_statements_that_were_deallocated(one: Database, forget: str) -> None:
    for _ in range(2):
        with one.connection() as connection:
            assert connection.fetchval("select $1::int", 1) == 1
            assert connection.fetchval("select $1::int + 1", 1) == 2
            connection.execute(forget)
            assert connection.fetchval("select $1::int", 1) == 1
            assert connection.fetchmany("select $1::int + 1", [(1,), (2,)], into=int) == [2, 3]
            connection.execute(forget)
            with connection.batch() as batch:
                batch.add("select $1::int", 5)
            assert batch.results[0].rows == [(5,)]
            connection.execute(forget)
            assert [row for row in connection.stream("select $1::int", 1)] == [(1,)]
            connection.execute(forget)
        assert one.fetchval("select $1::int", 1) == 1


def test_in_a_transaction_the_error_is_raised(one: Database, outside: psycopg.Connection[Any]) -> None:
    one.execute("create table t (a int); insert into t values (1)")
    with one.connection() as connection:
        assert connection.fetch("select * from t") == [(1,)]
        outside.execute("alter table t add b text default 'b'")
        connection.execute("begin")
        with pytest.raises(FeatureNotSupported, match="cached plan"):
            connection.fetch("select * from t")
        connection.execute("rollback; begin")
        assert connection.fetch("select * from t") == [(1, "b")], "the second time it is prepared anew"
        connection.execute("deallocate all")
        with pytest.raises(InvalidSqlStatementName):
            connection.fetch("select * from t")
        connection.execute("rollback")
        assert connection.fetch("select * from t") == [(1, "b")]


KINDS = {
    "enum": ("enum ('sad')", "sad"),
    "other enum": ("enum ('glad')", "glad"),
    "composite": ("(a int, b text)", (1, "x")),
    "other composite": ("(a text)", ("x",)),
}


@pytest.mark.parametrize("after", KINDS)
@pytest.mark.parametrize("before", KINDS)
def test_a_type_that_was_dropped_and_made_anew(
    one: Database, outside: psycopg.Connection[Any], before: str, after: str
) -> None:
    definition, value = KINDS[before]
    outside.execute(f"create type kind as {definition}")
    assert one.fetchval("select $1::kind", value) == value
    assert one.fetchval("select $1::kind[]", [value]) == [value]
    definition, value = KINDS[after]
    outside.execute(f"drop type kind; create type kind as {definition}")
    assert one.fetchval("select $1::kind", value) == value
    assert one.fetchval("select $1::kind[]", [value]) == [value]
    assert one.fetchmany("select $1::kind", [(value,)], into=tuple) == [(value,)]
    with one.batch() as batch:
        batch.add("select $1::kind", value)
    assert batch.results[0].rows == [(value,)]


def test_an_enum_that_grew(one: Database, outside: psycopg.Connection[Any]) -> None:
    outside.execute("create type mood as enum ('sad')")
    assert one.fetchval("select $1::mood", "sad") == "sad"
    with pytest.raises(InvalidTextRepresentation):
        one.fetchval("select $1::mood", "glad")
    outside.execute("alter type mood add value 'glad'")
    assert one.fetchval("select $1::mood", "glad") == "glad"
    assert one.fetchval("select enum_range(null::mood)") == ["sad", "glad"]


def test_a_composite_that_was_altered(one: Database, outside: psycopg.Connection[Any]) -> None:
    outside.execute("create type pair as (a int, b text); create table t (p pair); insert into t values ((1, 'x'))")
    assert one.fetchval("select p from t") == (1, "x")
    assert one.fetchval("select $1::pair", (1, "x")) == (1, "x")
    assert one.fetchval("select $1::pair[]", [(1, "x")]) == [(1, "x")]
    assert one.fetchval("select array_agg(p) from t") == [(1, "x")]
    outside.execute("alter type pair add attribute c int cascade")
    assert one.fetchval("select p from t") == (1, "x", None)
    assert one.fetchval("select $1::pair[]", [(1, "x", 5)]) == [(1, "x", 5)]
    assert one.fetchval("select array_agg(p) from t") == [(1, "x", None)]
    assert one.fetchval("select $1::pair", (1, "x", 5)) == (1, "x", 5)
    outside.execute("alter type pair drop attribute a cascade")
    assert one.execute("select $1::pair", ("x", 5)) == "SELECT 1"
    assert one.fetchval("select p from t") == ("x", None)
    outside.execute("alter type pair rename attribute b to z cascade")
    assert one.fetchval("select p from t") == ("x", None)


def test_a_whole_row_of_a_table_that_was_altered(one: Database, outside: psycopg.Connection[Any]) -> None:
    outside.execute("create table t (a int, b text); insert into t values (1, 'x')")
    assert one.fetchval("select t from t") == (1, "x")
    outside.execute("alter table t add c int default 7")
    assert one.fetchval("select t from t") == (1, "x", 7)
    outside.execute("alter table t drop a")
    assert one.fetchval("select t from t") == ("x", 7)


def test_a_parameter_whose_column_became_another_type(one: Database, schema: str) -> None:
    one.execute("create table altered (v int)")
    one.execute("insert into altered values ($1)", 1)
    one.execute("alter table altered alter v type text")
    one.execute("insert into altered values ($1)", "z")
    assert one.fetch("select v from altered order by v", into=str) == ["1", "z"]
