# Generated from tests/live/_async/test_slow.py by tools/make_sync.py: do not edit.
"""Slow statements are logged with the part that took the time, from wherever they run, and without any value."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from stretto._sync.database import Database
from stretto.errors import DatabaseError, StatementTimeout
from stretto.runtime.slow import SlowStatement

CANARY = "canary-0815"
SLEEP = "select pg_sleep(0.12)"
WARM = "select 0"  # it may be slow, for it connects
ALWAYS = 0.0  # seconds: every statement is slow


class Laborious:
    """A class that takes its time to be made."""

    def __init__(self, number: int) -> None:
        self.number = sum(range(3_000_000)) + number


def slow(caplog: pytest.LogCaptureFixture) -> list[SlowStatement]:
    """What was logged as slow, but for the questions about types and transactions that are stretto's own."""
    assert all(one.levelno == logging.WARNING for one in caplog.records if one.name == "stretto.slow")
    found = [one.__dict__["slow"] for one in caplog.records if one.name == "stretto.slow"]
    return [one for one in found if "pg_catalog" not in one.sql and one.sql != WARM]


def longest(statement: SlowStatement) -> str:
    return max(("queued", "behind", "wire", "server", "decode"), key=lambda part: getattr(statement, part))


def test_the_server_is_slow(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(slow=0.1)
    db.fetch(WARM)
    db.fetch("select 2, pg_sleep($1)", 0.12)
    (found,) = slow(caplog)
    assert (found.sql, found.outcome, longest(found)) == ("select 2, pg_sleep($1)", "SELECT 1", "server")
    assert found.total >= 0.12
    assert found.others == 0
    assert "select 2, pg_sleep($1)" in caplog.text


def test_the_wire_is_slow(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(slow=ALWAYS)
    db.fetch(WARM)
    db.execute("select repeat('x', 10000) from generate_series(1, 10000)")
    assert longest(slow(caplog)[-1]) == "wire"


def test_the_decoding_is_slow(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(slow=ALWAYS)
    db.fetch(WARM)
    db.fetch("select 1 as number", into=Laborious)
    assert longest(slow(caplog)[-1]) == "decode"
    large = "select $1::int as number, repeat('x', 50000) as text from generate_series(1, 10)"
    db.fetch(large, 1, into=tuple)
    db.fetch(f"select number from ({large}) as t where text > ''", 1, into=Laborious)
    assert longest(slow(caplog)[-1]) == "decode"


def test_decoding_a_large_reply_is_told_from_its_transfer(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Some:
        def __init__(self, number: int, text: str) -> None:
            if number % 20 == 0:
                Laborious(number)

    db = open_db(slow=ALWAYS)
    db.fetch(WARM)
    db.fetch("select i as number, repeat('x', 50000) as text from generate_series(1, 100) i", into=Some)
    assert longest(slow(caplog)[-1]) == "decode"


def test_statements_are_logged_from_wherever_they_run(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(slow=0.1)
    db.fetch(WARM)
    with db.transaction() as transaction:
        db.fetch(f"{SLEEP}, 'transaction'::text")
        transaction.execute(f"{SLEEP} -- block")
    with db.transaction():
        db.final.execute(f"{SLEEP} -- final")
    with db.connection() as connection:
        connection.fetch(f"{SLEEP} -- connection")
        pid = connection.pid
    with db.batch() as batch:
        batch.add(f"{SLEEP} -- batch")
        batch.add("select 1")
    db.executemany("select pg_sleep($1) -- many", [(0.06,), (0.06,)])
    for _ in db.stream(f"{SLEEP} -- stream"):
        pass
    db.run(plain)
    found = slow(caplog)
    assert [one.sql.partition("-- ")[2] or one.sql for one in found] == [
        "select pg_sleep(0.12), '...'::text",
        "block",
        "final",
        "connection",
        "batch (and 1 more)",
        "many",
        "stream",
        "run",
    ]
    assert {longest(one) for one in found} == {"server"}
    assert found[3].pid == pid
    assert [one.outcome for one in found] == [*["SELECT 1"] * 4, "done", *["SELECT 1"] * 3]
    assert {one.others for one in found} == {0}


def plain(db: Any) -> None:
    db.fetch(f"{SLEEP} -- run")


def test_a_slow_commit_is_logged(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(slow=0.1)
    db.fetch(WARM)
    db.execute(
        "create table t (id int);"
        "create function wait() returns trigger language plpgsql as 'begin perform pg_sleep(0.12); return null; end';"
        "create constraint trigger late after insert on t deferrable initially deferred for each row"
        " execute function wait()"
    )
    with db.transaction():
        db.execute("insert into t values ($1)", 1)
    assert [(one.sql, one.outcome, longest(one)) for one in slow(caplog)] == [("COMMIT", "COMMIT", "server")]


def test_failures_that_took_long_are_logged(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(slow=0.1)
    db.fetch(WARM)
    with pytest.raises(StatementTimeout):
        db.fetch("select pg_sleep($1)", 60.0, timeout=0.12)
    with pytest.raises(DatabaseError):
        db.execute(f"do $$begin perform pg_sleep(0.12); raise exception '{CANARY}'; end$$")
    with db.connection() as connection:
        with pytest.raises(StatementTimeout):
            connection.fetch("select pg_sleep($1)", 60.0, timeout=0.12)
    with pytest.raises(DatabaseError):
        db.fetch("syntax error")
    assert [(one.sql, one.outcome, longest(one)) for one in slow(caplog)] == [
        ("select pg_sleep($1)", "failed with StatementTimeout (unknown)", "server"),
        ("do '...'", "failed with RaiseException (P0001)", "server"),
        ("select pg_sleep($1)", "failed with StatementTimeout (unknown)", "server"),
    ]


def test_no_value_is_logged(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    db = open_db(slow=ALWAYS)
    db.fetch(WARM)
    db.fetch("select $1::text", CANARY)
    db.execute(f"select '{CANARY}', e'\\'{CANARY}', $a$ {CANARY} $a$")
    db.executemany("select $1::text", [(CANARY,), (CANARY,)])
    with pytest.raises(DatabaseError, match=CANARY):
        db.fetch("select $1::text::int", CANARY)
    with db.transaction():
        db.fetch("select $1::text", CANARY)
    assert len(slow(caplog)) == 6
    assert CANARY not in caplog.text
    assert CANARY not in str([vars(one) for one in caplog.records])


def test_a_text_is_cut_and_in_one_line(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(slow=ALWAYS)
    db.fetch(WARM)
    db.fetch('select\n\t1 as "\u202ea", ' + "2, " * 1000 + "3")
    (found,) = slow(caplog)
    assert found.sql.startswith('select 1 as "\\u202ea", 2, 2, ')
    assert (len(found.sql), found.sql[-3:]) == (200, "...")
    assert len(caplog.text.splitlines()) == 2  # one is the first statement's


def test_nothing_is_logged_without_a_limit(open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(slow=None)
    db.fetch(SLEEP)
    with db.transaction():
        db.fetch(SLEEP)
    assert slow(caplog) == []


def test_the_parts_are_the_whole(one: Database, open_db: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = open_db(slow=ALWAYS)
    db.fetch(WARM)
    db.fetch("select 1")  # cold
    db.fetch("select 1")
    for found in slow(caplog):
        assert found.total == found.queued + found.behind + found.wire + found.server + found.decode
        assert min(found.queued, found.behind, found.wire, found.server, found.decode) >= 0
