"""Encodings: databases of other encodings than UTF-8, and a session whose own is not what was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import stretto
from stretto.errors import ProtocolError
from stretto.sqlstate import CharacterNotInRepertoire, UntranslatableCharacter

LATIN1_WORD = r"insert into word values (E'\351')"
Make = Callable[..., str]


@pytest.fixture
def make(outside: psycopg.Connection[Any], server_url: str) -> Iterator[Make]:
    """Make a database of the encoding, run statements in it as psycopg's; return its URL."""
    made = []

    def make(encoding: str, *statements: str) -> str:
        name = f"encoded_{os.getpid()}_{encoding}_{len(made)}".lower()
        outside.execute(f"create database {name} encoding {encoding} template template0 lc_collate 'C' lc_ctype 'C'")
        made.append(name)
        with psycopg.connect(server_url, dbname=name, autocommit=True) as connection:
            for sql in statements:
                connection.execute(sql)  # type: ignore[call-overload]  # not a literal
        return make_conninfo(server_url, dbname=name)

    yield make
    for name in made:
        outside.execute(f"drop database {name} with (force)")


def test_a_login_trigger_that_changes_the_encoding_is_found_before_a_value_is_written(
    make: Make, outside: psycopg.Connection[Any]
) -> None:
    if outside.info.server_version < 170000:
        pytest.skip("login event triggers are PostgreSQL 17's")
    url = make(
        "UTF8",
        "create table word (t text)",
        "create function latin() returns event_trigger language plpgsql as "
        "$$ begin perform set_config('client_encoding', 'LATIN1', false); end $$",
        "create event trigger at_login on login execute function latin()",
        "alter event trigger at_login enable always",
    )
    with (
        stretto.Database(url, acquire_timeout=20) as db,
        pytest.raises(ProtocolError, match=r"client_encoding is LATIN1 in this session.*login event"),
    ):
        db.execute("insert into word values ($1)", "é")
    with psycopg.connect(url) as connection:
        assert connection.execute("select count(*) from word").fetchone() == (0,)


def test_a_latin1_database_gives_and_takes_what_it_can_hold(make: Make) -> None:
    with stretto.Database(make("LATIN1", "create table word (t text, n text[])")) as db:
        db.execute("insert into word values ($1, $2)", "é", ["ÿ", "a"])
        assert db.fetchval("select t from word where t = $1", "é") == "é"
        assert db.fetchval("select n from word") == ["ÿ", "a"]
        assert db.fetchval("select length(convert_to(t, 'LATIN1')) from word") == 1
        db.copy_in("word", [("ü", None)])
        out: list[bytes] = []
        db.copy_out("select t from word order by t", out.append)
        assert b"".join(out).decode().split() == ["é", "ü"]
        with pytest.raises(UntranslatableCharacter):
            db.execute("insert into word values ($1)", "€")
        assert db.fetchval("select 'é' || count(*) from word") == "é2"


def test_an_sql_ascii_database_holds_utf8_and_says_so_where_it_does_not(make: Make) -> None:
    url = make("SQL_ASCII", "create table word (t text)", "set client_encoding = 'SQL_ASCII'", LATIN1_WORD)
    with stretto.Database(url) as db:
        with db.connection() as connection:
            assert connection.parameters["client_encoding"] == "UTF8"
        with pytest.raises(CharacterNotInRepertoire, match="0xe9"):
            db.fetch("select t from word")
        db.execute("delete from word")
        assert db.fetchval("insert into word values ($1) returning t", "é😀") == "é😀"
        assert db.fetchval("select octet_length(t) from word") == 6
        db.copy_in("word", [("ü",)])
        assert db.fetchval("select count(*) from word where t = $1", "ü") == 1
