"""Containers against a real server: the catalogue's query, and what the server makes of our payloads."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.codecs.containers import ask_catalog, create_extensions, echo, fetch, get, resolve, skip_without
from tests.oracle import Oracle

from stretto.codecs.base import TEXT_FORMAT, UnknownTypes
from stretto.codecs.catalog import TypeInfo, builtin_containers
from stretto.codecs.extensions import SparseVector
from stretto.codecs.ranges import Range
from stretto.codecs.registry import CodecMap

SCHEMA = f"stretto_containers_{os.getpid()}"  # several runs may share a server
SETUP = f"""
drop schema if exists {SCHEMA} cascade;
create schema {SCHEMA};
set search_path = {SCHEMA}, public;
create type mood as enum ('sad', 'it''s "ok"', 'glad');
create domain positive as int check (value > 0);
create domain matrix as int[];
create domain label as mood;
create type pair as (a int, "B b" text, dropped int);
alter type pair drop attribute dropped;
create type outer_pair as (id positive, pairs pair[], moods label[], span tstzrange, spans int4multirange);
create type spread as range (subtype = float8, multirange_type_name = spreads);
create type acl_pair as (a int, b aclitem);
create type leaf as (id int, name text);
create type branch as (id int, leaves leaf[]);
create table tree (id int, name text, children branch[]);
create type empty as ();
"""


@pytest.fixture(scope="module")
def oracle(server_url: str) -> Iterator[Oracle]:
    oracle = Oracle(server_url)
    create_extensions(oracle)
    oracle.execute(SETUP)
    yield oracle
    oracle.execute(f"drop schema {SCHEMA} cascade")
    oracle.close()


@pytest.fixture
def codecs() -> CodecMap:
    return CodecMap()


def infos(codecs: CodecMap, oracle: Oracle, *names: str) -> list[TypeInfo]:
    rows = [TypeInfo(*row) for row in ask_catalog(codecs, oracle, [oracle.oid(name) for name in names])]
    order = {oracle.oid(name): i for i, name in enumerate(names)}
    return sorted(rows, key=lambda info: order[info.oid])


def test_the_catalogue_tells_what_types_are_made_of(oracle: Oracle, codecs: CodecMap) -> None:
    oid = oracle.oid
    names = ("mood", "mood[]", "positive", "pair", "spread", "spreads", "point", "name", "aclitem", "empty", "box[]")
    rows = infos(codecs, oracle, *names)
    assert [(row.name, row.schema, row.kind, row.binary, row.delimiter, row.element) for row in rows] == [
        ("mood", SCHEMA, "e", True, ",", None),
        ("_mood", SCHEMA, "b", True, ",", oid("mood")),
        ("positive", SCHEMA, "d", True, ",", 23),
        ("pair", SCHEMA, "c", True, ",", None),
        ("spread", SCHEMA, "r", True, ",", 701),
        ("spreads", SCHEMA, "m", True, ",", oid("spread")),
        ("point", "pg_catalog", "b", True, ",", None),
        ("name", "pg_catalog", "b", True, ",", None),
        ("aclitem", "pg_catalog", "b", False, ",", None),
        ("empty", SCHEMA, "c", True, ",", None),
        ("_box", "pg_catalog", "b", True, ";", 603),
    ]
    assert (rows[3].columns, rows[3].column_oids) == (["a", "B b"], [23, 25])
    assert rows[9].parts() == ()


def test_an_oid_that_is_no_type_gets_a_row_too(oracle: Oracle, codecs: CodecMap) -> None:
    assert ask_catalog(codecs, oracle, [4_000_000_000, 4_000_000_000]) == [[4_000_000_000] + [None] * 8]
    assert resolve(codecs, oracle, [4_000_000_000]) == 1
    assert get(codecs, 4_000_000_000).format == TEXT_FORMAT


def test_nothing_is_asked_for_built_in_types(oracle: Oracle, codecs: CodecMap) -> None:
    assert resolve(codecs, oracle, builtin_containers()) == 0


def test_the_table_of_built_in_containers_is_the_servers(oracle: Oracle, codecs: CodecMap) -> None:
    ours = {info for oid, info in builtin_containers().items() if info.name not in ("int2vector", "oidvector")}
    server = {TypeInfo(*row) for row in ask_catalog(codecs, oracle, [info.oid for info in ours])}
    pseudo = {info.oid for info in server if info.kind == "p"}
    assert {info for info in server if info.oid not in pseudo} == {info for info in ours if info.oid not in pseudo}
    assert pseudo == {2287}


def test_a_type_is_resolved_in_a_question_a_level(oracle: Oracle, codecs: CodecMap) -> None:
    assert resolve(codecs, oracle, [oracle.oid("outer_pair[]"), oracle.oid("mood")]) == 4
    assert resolve(codecs, oracle, [oracle.oid("outer_pair[]"), oracle.oid("label[]")]) == 0


AWARE = dt.datetime(2020, 2, 29, 12, 30, 15, 123456, tzinfo=dt.UTC)
OUTER = (
    1,
    [(7, 'a "quoted", \\ text'), None, (None, None)],
    ["sad", None],
    Range(AWARE, None),
    [Range(1, 3), Range(5, 9)],
)

# A type, a value, the server's text of it.
ECHOES: list[tuple[str, Any, str]] = [
    ("int4[]", [], "{}"),
    ("int4[]", [1, None, -2147483648], "{1,NULL,-2147483648}"),
    ("int8[]", [[1, 2], [3, 4]], "{{1,2},{3,4}}"),
    ("int2[]", [[[[[[1]]]]]], "{{{{{{1}}}}}}"),
    ("text[]", ["", "NULL", None, 'a"b', "é\n"], '{"","NULL",NULL,"a\\"b","é\n"}'),
    ("bool[]", [True, False, None], "{t,f,NULL}"),
    ("numeric[]", [Decimal("1.10"), Decimal("-0.001")], "{1.10,-0.001}"),
    ("timestamptz[]", [AWARE], '{"2020-02-29 12:30:15.123456+00"}'),
    ("jsonb[]", [[1, [2]], {"a": None}, "x", 5], '{"[1, [2]]","{\\"a\\": null}","\\"x\\"",5}'),
    ("oid[]", [4294967295], "{4294967295}"),
    ("bytea[]", [b"\0\xff"], '{"\\\\x00ff"}'),
    ("char[]", ["a"], "{a}"),
    ("point[]", [(1.0, 2.0), (3.0, 4.0)], '{"(1,2)","(3,4)"}'),
    ("box[]", [((3.0, 4.0), (1.0, 2.0))], "{(3,4),(1,2)}"),
    ("int2vector", [1, 2], "1 2"),
    ("oidvector", [1, 2], "1 2"),
    ("int4range", Range(1, 5), "[1,5)"),
    ("int4range", Range(empty=True), "empty"),
    ("int4range[]", [Range(1, 5), Range(None, None)], '{"[1,5)","(,)"}'),
    ("numrange", Range(Decimal("1.5"), Decimal("2.50"), lower_inc=False, upper_inc=True), "(1.5,2.50]"),
    ("daterange", Range(dt.date(2020, 1, 1), None), "[2020-01-01,)"),
    ("int4multirange", [], "{}"),
    ("int4multirange", [Range(1, 3), Range(5, 9)], "{[1,3),[5,9)}"),
    ("int4multirange[]", [[Range(1, 3)], []], '{"{[1,3)}","{}"}'),
    ("spread", Range(1.5, 2.5), "[1.5,2.5)"),
    ("spreads", [Range(1.5, 2.5), Range(3.0, None)], "{[1.5,2.5),[3,)}"),
    ("mood", "glad", "glad"),
    ("mood[]", ["sad", 'it\'s "ok"', None], '{sad,"it\'s \\"ok\\"",NULL}'),
    ("positive", 7, "7"),
    ("positive[]", [7, None], "{7,NULL}"),
    ("matrix", [[1, 2], [3, 4]], "{{1,2},{3,4}}"),
    ("matrix[]", [[1, 2], [3]], '{"{1,2}","{3}"}'),
    ("label[]", ["sad"], "{sad}"),
    ("pair", (1, "x"), "(1,x)"),
    ("pair[]", [(1, "x"), (None, None), None], '{"(1,x)","(,)",NULL}'),
    ("empty", (), "()"),
    (
        "outer_pair",
        OUTER,
        '(1,"{""(7,\\\\""a \\\\""\\\\""quoted\\\\""\\\\"", \\\\\\\\\\\\\\\\ text\\\\"")"",NULL,""(,)""}","{sad,NULL}",'
        '"[""2020-02-29 12:30:15.123456+00"",)","{[1,3),[5,9)}")',
    ),
    (
        "tree",
        (1, "a", [(2, []), (3, [(4, "d"), (5, None)])]),
        '(1,a,"{""(2,{})"",""(3,\\\\""{\\\\""\\\\""(4,d)\\\\""\\\\"",\\\\""\\\\""(5,)\\\\""\\\\""}\\\\"")""}")',
    ),
    ("hstore", {"a": "1", "b": None, '"': "\\"}, '"\\""=>"\\\\", "a"=>"1", "b"=>NULL'),
    ("hstore[]", [{"a": "1"}, {}], '{"\\"a\\"=>\\"1\\"",""}'),
    ("citext", "AbC", "AbC"),
    ("citext[]", ["AbC", None], "{AbC,NULL}"),
    ("ltree", "Top.Science", "Top.Science"),
    ("ltree[]", ["Top", "Top.Science"], "{Top,Top.Science}"),
    ("lquery", "Top.*{1,2}", "Top.*{1,2}"),
    ("ltxtquery", "Europe & Russia@*", "Europe & Russia@*"),
    ("vector", [1.0, -2.5, 0.0], "[1,-2.5,0]"),
    ("vector[]", [[1.0], [2.0, 3.0]], '{[1],"[2,3]"}'),
    ("halfvec", [1.0, -2.5], "[1,-2.5]"),
    ("sparsevec", SparseVector({0: 1.0, 4: 2.5}, 5), "{1:1,5:2.5}/5"),
]


@pytest.mark.parametrize(("type_name", "value", "text"), ECHOES)
def test_the_server_reads_what_we_write_and_we_what_it_writes(
    oracle: Oracle, codecs: CodecMap, type_name: str, value: Any, text: str
) -> None:
    skip_without(oracle, type_name)
    back, shown = echo(codecs, oracle, type_name, value)
    assert (back, shown) == (value, text)


TEXT_ECHOES: list[tuple[str, Any]] = [
    ("aclitem[]", ["postgres=r/postgres", None]),
    ("aclitem[]", [["postgres=r/postgres"], ["=r/postgres"]]),
    ("acl_pair", "(1,postgres=r/postgres)"),
    ("timestamptz[]", ["2020-01-01 00:00:00+00", None, "infinity"]),
    ("timestamptz[]", [["2020-01-01 00:00:00+00"], ["-infinity"]]),
    ("tstzrange", Range("2020-01-01 00:00:00+00", None)),
    ("tstzrange", Range(empty=True)),
    ("tstzrange[]", [Range("2020-01-01 00:00:00+00", "2021-01-01 00:00:00+00"), None]),
    ("tstzmultirange", [Range(None, "2020-01-01 00:00:00+00"), Range("2021-01-01 00:00:00+00", None)]),
    ("tstzmultirange", []),
    ("box[]", ["(1,1),(0,0)", "(2,2),(1,1)"]),
    ("outer_pair", '(1,{},{},"[""2020-01-01 00:00:00+00"",)",{})'),
]


@pytest.mark.parametrize(("type_name", "value"), TEXT_ECHOES)
def test_what_has_no_binary_format_travels_as_text(
    oracle: Oracle, codecs: CodecMap, type_name: str, value: Any
) -> None:
    for name in ("timestamptz", "box"):
        codecs.set_type_codec(name, encoder=str, decoder=str)
    assert echo(codecs, oracle, type_name, value)[0] == value
    assert get(codecs, oracle.oid(type_name)).format == TEXT_FORMAT


QUERIES: list[tuple[str, Any]] = [
    ("select '[0:2]={1,2,3}'::int[]", [1, 2, 3]),
    ("select '[-1:0][5:5]={{1},{2}}'::int[]", [[1], [2]]),
    ("select row(1, 'x'::text, null)", (1, "x", None)),
    ("select row()", ()),
    ("select row(1, row(2, array[row(3, 'x'::text)]))", (1, (2, [(3, "x")]))),
    ("select array[row(1, true), row(2, null)]", [(1, True), (2, None)]),
    ("select array[array[row(1)], array[row(2)]]", [[(1,)], [(2,)]]),
    ("select row(1, 'unknown')", (1, "unknown")),
    ("select row('glad'::mood, 7::positive, (1, 'x')::pair)", ("glad", 7, (1, "x"))),
    ("select row(row(row('glad'::mood)), 'a=>1'::hstore)", ((("glad",),), {"a": "1"})),
    ("select array_agg(row(id, moods)) from (values (1, array['sad'::mood])) v (id, moods)", [(1, ["sad"])]),
    ("select t from tree t", (1, "root", None)),
    ("select array(select t from tree t)", [(1, "root", None)]),
    ("select null::pair[]", None),
    ("select histogram_bounds is null from pg_stats limit 1", None),
]


def fetch_as_the_flow_does(codecs: CodecMap, oracle: Oracle, sql: str) -> Any:
    for _ in range(8):
        try:
            return fetch(codecs, oracle, sql)
        except UnknownTypes as signal:
            resolve(codecs, oracle, signal.oids)
    raise AssertionError("types stay unknown")


@pytest.mark.parametrize(("sql", "value"), QUERIES[:-1])
def test_what_the_server_makes_by_itself(oracle: Oracle, codecs: CodecMap, sql: str, value: Any) -> None:
    oracle.execute("truncate tree; insert into tree values (1, 'root', null)")
    assert fetch_as_the_flow_does(codecs, oracle, sql) == value


def test_statistics_are_arrays_of_any_type(oracle: Oracle, codecs: CodecMap) -> None:
    oracle.execute(
        "create table colours as select ('{red,red,blue}'::text[])[1 + i % 3] as name from generate_series(1, 99) i"
    )
    oracle.execute("analyze colours")
    values = fetch(
        codecs, oracle, f"select most_common_vals from pg_stats where schemaname = '{SCHEMA}' and tablename = 'colours'"
    )
    assert values == ["red", "blue"]


def test_an_altered_composite_is_noticed(oracle: Oracle, codecs: CodecMap) -> None:
    oracle.execute("create type grows as (a int)")
    assert fetch(codecs, oracle, "select row(1)::grows") == (1,)
    oracle.execute("alter type grows add attribute b text")
    sql = "select array[row(1, 'x')::grows]"
    with pytest.raises(UnknownTypes) as info:
        fetch(codecs, oracle, sql)
    codecs.define(ask_catalog(codecs, oracle, info.value.oids))
    assert fetch(codecs, oracle, sql) == [(1, "x")]


def test_an_enum_that_grew_needs_no_question(oracle: Oracle, codecs: CodecMap) -> None:
    assert fetch(codecs, oracle, "select 'sad'::mood") == "sad"
    oracle.execute("alter type mood add value if not exists 'new'")
    assert echo(codecs, oracle, "mood", "new") == ("new", "new")
