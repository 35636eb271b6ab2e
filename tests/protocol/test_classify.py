"""What SQL asks of its connection: a table of nasty statements, properties, and the server's own opinion."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocol.sql import ONE, SEVERAL

from stretto.protocol import classify as classes
from stretto.protocol.classify import CONTROL, COPYING, READ, SESSION, WRITE, Traits, classify
from stretto.protocol.lexer import split, tokenize


def cases() -> list[Any]:
    """Each statement with what is to be said of it, under a name that shows it."""
    plain = [
        (entry, kind, "", None) if isinstance(entry, str) else (entry[0], kind, entry[1], None)
        for kind, entries in ONE.items()
        for entry in entries
    ]
    return [pytest.param(*case, id=ascii(case[0])) for case in plain + SEVERAL]


ALL = [parameters.values[0] for parameters in cases()]


@pytest.mark.parametrize(("sql", "kind", "what", "statements"), cases())
def test_what_a_statement_asks(sql: str, kind: int, what: str, statements: int | None) -> None:
    traits = classify(sql)
    assert (traits.kind, traits.what) == (kind, what)
    if statements is not None:
        assert traits.statements == statements


def test_traits_are_a_value() -> None:
    assert classify("begin") == Traits(CONTROL, "BEGIN", 1) == Traits(kind=CONTROL, what="BEGIN", statements=1)
    assert hash(classify("select 1")) == hash(Traits(READ, "", 1))
    assert not hasattr(classify("select 1"), "__dict__")


def test_what_never_shows_a_value() -> None:
    assert classify("x" * 1000).what == "X" * 30
    assert classify("create " + "x" * 1000).what == "CREATE " + "X" * 30
    assert classify("'hunter2' select").what == ""


MEGABYTE = {
    "parentheses": ("(" * 1_000_000, WRITE),
    "quotes": ("'" * 1_000_001, WRITE),
    "double quotes": ('"' * 1_000_001, WRITE),
    "escaped quotes": ("e'" + r"\'" * 500_000, WRITE),
    "pieces of strings": ("select e'" + "'\n'" * 330_000, WRITE),
    "almost pieces of strings": ("select " + "e''\n--\n" * 140_000, READ),
    "dashes after a string": ("select e''" + "-" * 1_000_000, READ),
    "comments after a string": ("select e''" + "--\n" * 330_000 + "--", READ),
    "dollars": ("$" * 1_000_001, WRITE),
    "tags": ("".join(f"${'a' * i} " for i in range(1_400)), WRITE),
    "endless tags": ("$a" * 500_000, WRITE),
    "open comments": ("/*" * 500_000, WRITE),
    "nested comments": ("select 1" + "/*" * 250_000 + "*/" * 250_000, READ),
    "statements": ("a;" * 250_000, WRITE),
    "semicolons": (";" * 1_000_000, READ),
    "explains": ("explain " * 120_000, WRITE),
    "set_config": ("select " + "set_config(a," * 50_000 + "b" + ",true)" * 50_000, READ),
    "open set_config": ("select " + "set_config(" * 90_000, SESSION),
    "as": ("create table " + "as " * 300_000, WRITE),
    "bodies": ("create function " + "begin atomic " * 70_000, WRITE),
    "values": ("insert into t values " + ",".join(f"({i}, 'it''s', now())" for i in range(40_000)), WRITE),
}


@pytest.mark.parametrize("name", MEGABYTE)
def test_a_megabyte_is_read_in_linear_time(name: str) -> None:
    """What took quadratic time would end at the suite's time limit."""
    sql, kind = MEGABYTE[name]
    assert classify(sql).kind == kind


# --- properties

SIMPLE = [sql for sql in ALL if sql.isascii() and not any(mark in sql for mark in ("'", '"', "$", "--", "/*", "*/"))]
GAPS = [" ", "\n", "\t\r\n", "/**/", "/* set x = 1; */", "-- begin;\n", "/* /* ' */ */", '/*"*/', " --'\r", "/*$$*/"]


@given(st.sampled_from(SIMPLE), st.data())
def test_blanks_comments_and_case_change_nothing(sql: str, data: st.DataObject) -> None:
    words = sql.split(" ")
    cased = [getattr(word, data.draw(st.sampled_from(["upper", "lower", "title"])))() for word in words]
    gaps = data.draw(st.lists(st.sampled_from(GAPS), min_size=len(words) + 1, max_size=len(words) + 1))
    spread = gaps[0] + "".join(word + gap for word, gap in zip(cased, gaps[1:], strict=True))
    assert classify(spread) == classify(sql)


DANGEROUS = [
    "begin",
    "; set x = 1;",
    "pg_advisory_lock(1)",
    "for update",
    "'",
    '"',
    "\\",
    "$$",
    "$q",
    "--",
    "/*",
    "*/",
    "\n",
    ";",
    "é",
]
NASTY = st.one_of(st.sampled_from(ALL), st.lists(st.sampled_from(DANGEROUS)).map("".join))


def wrapped(text: str) -> Iterator[str]:
    """Each way to make a string or a name of a text."""
    yield "'" + text.replace("'", "''") + "'"
    yield "e'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    yield "U&'" + text.replace("'", "''") + "'"
    yield '"' + text.replace('"', '""') + '"'
    if "$q" not in text:
        yield f"$q${text}$q$"
    if "/*" not in f"/{text}" and "*/" not in f"{text}/" and "/*" not in text:
        yield f"1 /*{text}*/"
    if not {"\n", "\r"} & set(text):
        yield f"1 --{text}\n"


@given(NASTY)
def test_what_is_in_a_string_a_name_or_a_comment_never_counts(text: str) -> None:
    for quoted in wrapped(text):
        assert classify(f"select {quoted}, 2") == Traits(READ, "", 1)
        assert classify(f"select {quoted}; begin") == Traits(CONTROL, "BEGIN", 2)


@given(NASTY, st.text(), NASTY)
def test_any_text_has_a_class(before: str, text: str, after: str) -> None:
    traits = classify(before + text + after)
    assert traits.kind in (READ, WRITE, SESSION, CONTROL, COPYING)
    assert bool(traits.what) <= (traits.kind != READ)


@given(st.lists(st.sampled_from(SIMPLE), min_size=1, max_size=5))
def test_of_several_the_most_demanding_counts(texts: list[str]) -> None:
    order = [READ, WRITE, COPYING, SESSION, CONTROL]
    found = [classify(text) for text in texts]
    together = classify(" ; ".join(texts))
    if all(text.count("(") == text.count(")") for text in texts):
        most = max(found, key=lambda traits: order.index(traits.kind))
        assert together == Traits(most.kind, most.what, sum(traits.statements for traits in found))


# --- the server's opinion

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def place(server_url: str) -> Iterator[tuple[str, str]]:
    """A schema with a few things in it; and the URL."""
    name = f"classify_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"create schema {name}")
        connection.execute(f"create table {name}.t (a int); create sequence {name}.s; insert into {name}.t values (1)")
        connection.execute(f"create materialized view {name}.m as select 1 as a")
        connection.execute(f"create procedure {name}.p(x int) language sql as 'select 1'")
        yield server_url, name
        connection.execute(f"drop schema {name} cascade")


# A setting with a dot in its name stays behind as an empty one, whatever set it; and plpgsql brings its own.
OBSERVED = """select
    (select array_agg(name || '=' || setting order by name) from pg_settings where name not like 'plpgsql.%'),
    (select array_agg(name order by name) from pg_prepared_statements),
    (select array_agg(name order by name) from pg_cursors),
    (select array_agg(c order by c) from pg_listening_channels() c),
    (select array_agg(proname order by 1) from pg_proc where pronamespace = pg_my_temp_schema()),
    (select array_agg(relname order by 1) from pg_class where relnamespace = pg_my_temp_schema()),
    current_user, session_user, nullif(current_setting('my.x', true), '')"""


def session_of(connection: psycopg.Connection[Any], outside: psycopg.Connection[Any]) -> list[Any]:
    """All that is known of a session, its locks seen from outside and its last sequence among it."""
    seen: list[Any] = [connection.info.transaction_status]
    if seen[0] == psycopg.pq.TransactionStatus.IDLE:
        seen += connection.execute(OBSERVED).fetchall()
        try:
            seen += connection.execute("select lastval()").fetchall()
        except psycopg.errors.ObjectNotInPrerequisiteState:
            seen.append(None)
    pid = connection.info.backend_pid
    locks = "select locktype, mode, objid from pg_locks where pid = %s and locktype <> 'spectoken' order by 1, 2, 3"
    return seen + outside.execute(locks, [pid]).fetchall()


RUNNABLE = """
select 1 | (select 1) | values (1) | table t | select pg_backend_pid(), now() | show all | show search_path | select
with a as (select 1) select * from a | explain select * from t | explain (analyze off, costs off) table t
explain (select 1) | explain select pg_advisory_lock(1) | explain insert into t values (1) | explain analyze table t
set local search_path = a | set local my.x = 1 | set local role none | set transaction read only
set transaction isolation level serializable | set local session authorization default | set local time zone 'utc'
set constraints all immediate | select set_config('my.x', 'y', true) | select pg_catalog.set_config('my.x', 'y', TRUE)
select set_config('my.x', 'y', false) | select set_config('my.x', 'y', not true) | select E'\\'; begin --'
select set_config('my.x', set_config('my.y', 'z', false), true) | explain analyze select set_config('my.x', 'y', false)
select '\\'; begin --' | select "count"(*) from t | select a$b from (select 1 as a$b) x | select $$;begin$$
set search_path = a | set my.x = 1 | set local.x = 1 | set transaction.x = 1 | set constraints.x to 1 | reset my.x
set session my.x = 1 | set time zone 'utc' | set session characteristics as transaction read only | set names 'latin1'
reset all | listen a | unlisten * | listen a; listen b | prepare a as select 1 | prepare transaction as select 1
deallocate all | declare c cursor with hold for select 1 | discard all | close all | load 'plpgsql'
begin | start transaction
begin; select 1 | begin; commit | commit | rollback | abort | select 1; begin | begin; set local my.x = 1; end
create temp table x (a int) | create temporary table x as select 1 | create local temp table x () | select 1 into temp x
create or replace temp view x as select 1 | create temp recursive view x (n) as values (1) | create temp sequence x
create table pg_temp.x (a int) | create function pg_temp.f() returns int language sql return 1 | select 1 into pg_temp.x
create table x as select pg_try_advisory_lock(1) | explain analyze create temp table x as select 1 | select 1 into x2
create function f() returns int language sql begin atomic select 1; select case when true then 2 end; end
create view v as select pg_try_advisory_lock(1) | create table x3 (a int default 1) | drop view if exists v
select pg_advisory_lock(1) | select "pg_advisory_lock"(1) | select pg_catalog . pg_advisory_lock /* */ (1)
select u&"pg\\005fadvisory_lock"(1) | select u&"pg!005fadvisory_lock" uescape '!'(1) | select pg_try_advisory_lock(1, 2)
select pg_advisory_lock_shared(1) | select pg_try_advisory_lock_shared(1)
select pg_advisory_lock(1), pg_advisory_unlock(1)
select pg_advisory_xact_lock(1) | select pg_try_advisory_xact_lock_shared(1, 2) | select pg_advisory_unlock_all()
insert into t select 1 from (select pg_advisory_lock(1)) x | update t set a = 1 where pg_try_advisory_lock(a)
call p(1)
with a as (insert into t values (1) returning *) select * from a | select * from t for update | table t for share
insert into t values (1) | update t set a = 1 | delete from t | merge into t using t s on false when matched then delete
do $$ begin perform 1; end $$ | notify a, 'b' | select pg_notify('a', 'b') | vacuum t | analyze t | lock table t
refresh materialized view m | truncate t | comment on table t is 'begin' | reindex table t | checkpoint
select 1 from (values (1)) as set_config(a) | select substring('abc' from 1 for 2) | select 'a' as update, 2 as into
"""


@pytest.mark.parametrize(
    "sql", [sql.strip() for line in RUNNABLE.split("\n") for sql in line.split(" | ") if sql.strip()]
)
def test_what_leaves_the_session_changed_is_known_beforehand(place: tuple[str, str], sql: str) -> None:
    url, schema = place
    with (
        psycopg.connect(url, autocommit=True, options=f"-c search_path={schema}") as connection,
        psycopg.connect(url, autocommit=True) as outside,
    ):
        before = session_of(connection, outside)
        try:
            for statement in [sql] if ";" in sql else [f"{sql} ;"]:
                connection.execute(statement)
            failed = False
        except psycopg.errors.NoActiveSqlTransaction:
            failed = True  # LOCK TABLE
        changed = session_of(connection, outside) != before
    kind = classify(sql).kind
    assert not (changed and kind in (READ, WRITE)), "the session was changed, and the classifier did not say so"
    assert failed == sql.startswith("lock")


@pytest.mark.parametrize(
    "sql", [sql for sql in ALL if classify(sql).kind in (READ, WRITE, SESSION) and "copy" not in sql]
)
def test_statements_are_counted_as_the_server_counts_them(place: tuple[str, str], sql: str) -> None:
    """Each statement behind a syntax error is not run at all; one that can run gives as many results as we count."""
    connection = _connection(*place)
    try:
        cursor = connection.execute(f"begin; {sql}".encode())
        results = 1
        while cursor.nextset():
            results += 1
    except (psycopg.Error, UnicodeEncodeError):
        return
    finally:
        connection.execute("rollback")
    assert results == 1 + classify(sql).statements


MARKS = ["'", '"', "\\", "$", "$$", "$a$", "a", "-", "--", "/", "/*", "*/", "*", "e'", "u&'", 'u&"', "&", ",", ";", "1"]
WHOLE = ["'a'", "E'a'", "''", '"a"', "é", "n'", "0", ".", "\n", "\r", "\t", " ", "'x'\n", ";select ", "::text", "||"]
PIECE = st.sampled_from(MARKS + WHOLE)
PIECES = st.lists(PIECE, max_size=14).map("".join)


@settings(max_examples=600)
@given(st.lists(PIECES.map(lambda soup: "1, " + soup + ", 1"), min_size=1, max_size=3))
def test_the_lexer_sees_what_the_servers_sees(place: tuple[str, str], texts: list[str]) -> None:
    """Of random quotes and comments in a list: how many columns and results there are, and whether one has no end."""
    sql = "select " + ",".join(texts)
    connection = _connection(*place)
    tokens, complete = tokenize(sql)
    try:
        cursor = connection.execute(sql.encode())
    except psycopg.Error as error:
        said = str(error)
    else:
        said = ""
    assert not ("unterminated" in said and complete)
    if said:
        return
    assert complete
    columns = []
    while True:
        columns.append(len(cursor.description or ()))
        if not cursor.nextset():
            break
    assert columns == [statement.count(",") + (statement[1] != "") for statement in split(tokens)]


_open: dict[str, psycopg.Connection[Any]] = {}


def _connection(url: str, schema: str) -> psycopg.Connection[Any]:
    if url not in _open:
        options = f"-c search_path={schema} -c statement_timeout=5s -c client_min_messages=error"
        _open[url] = psycopg.connect(url, autocommit=True, options=options)
    return _open[url]


@pytest.fixture(scope="module", autouse=True)
def _close() -> Iterator[None]:
    yield
    while _open:
        _open.popitem()[1].close()


def test_the_kinds_are_told_apart() -> None:
    assert sorted((classes.READ, classes.WRITE, classes.SESSION, classes.CONTROL, classes.COPYING)) == [0, 1, 2, 3, 4]
