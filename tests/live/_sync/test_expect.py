# Generated from tests/live/_async/test_expect.py by tools/make_sync.py: do not edit.
"""stretto.testing.expect: how many statements a piece of code sends, in how many round trips."""

from __future__ import annotations

import re
from typing import Any

import pytest

from stretto._sync.database import Database
from stretto.sqlstate import DivisionByZero
from stretto.testing import expect


def test_statements_one_after_another(db: Database) -> None:
    with expect(statements=3, round_trips=3) as seen:
        assert db.fetchval("select 1") == 1
        assert db.fetch("select $1::int", 7) == [(7,)]
        db.execute("select 2")
    assert seen.statements == ["select 1", "select $1::int", "select 2"]
    assert repr(seen) == "<Seen 3 statements, 3 round trips>"


def test_the_first_time_counts_as_any_other(db: Database, schema: str) -> None:
    db.execute(f"create type {schema}.mood as enum ('good')")
    db.execute(f"create type {schema}.pair as (a {schema}.mood, b int)")
    for _ in range(2):
        with expect(statements=1, round_trips=1):
            assert db.fetchval(f"select row('good', $1)::{schema}.pair", 1) == ("good", 1)


def test_a_block_that_sends_nothing(db: Database) -> None:
    with expect(statements=0, round_trips=0):
        pass
    with expect(statements=1) as seen:
        db.fetchval("select 1")
    db.fetchval("select 2")
    assert seen.statements == ["select 1"]


def test_a_mismatch_lists_the_sql_and_no_arguments(db: Database) -> None:
    with pytest.raises(AssertionError) as caught, expect(statements=1, round_trips=1):
        for i in range(2):
            db.fetchval("select $1::text,\n  $2::int", "secret", i)
    assert str(caught.value) == (
        "expected 1 statement, not 2; expected 1 round trip, not 2:\n"
        "  1. select $1::text, $2::int\n"
        "  2. select $1::text, $2::int"
    )
    nothing = re.escape("expected 2 statements, not 0: nothing was sent")
    with pytest.raises(AssertionError, match=nothing), expect(statements=2):
        pass
    short = r"^expected 3 round trips, not 1:\n  1\. select 1, 1.{180,188}\.\.\.$"
    with pytest.raises(AssertionError, match=short), expect(statements=1, round_trips=3):
        db.fetchval("select 1" + ", 1" * 100)


def test_what_the_block_raises_comes_first(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), expect(statements=5):
        db.fetchval("select 1")
        raise ZeroDivisionError
    with expect(statements=1), pytest.raises(DivisionByZero):
        db.fetchval("select 1 / 0")


def test_blocks_in_blocks(db: Database) -> None:
    with expect(statements=3, round_trips=3):
        db.fetchval("select 1")
        with expect(statements=1, round_trips=1):
            db.fetchval("select 2")
        db.fetchval("select 3")


def test_a_batch_is_one_round_trip(db: Database, schema: str) -> None:
    with expect(statements=2, round_trips=1) as seen:
        with db.batch() as batch:
            batch.add("select 1")
            batch.add("select 2")
    assert seen.statements == ["select 1", "select 2"]
    db.execute("create table t (i int)")
    with expect(statements=1, round_trips=1):
        db.executemany("insert into t values ($1)", [(i,) for i in range(50)])


def test_a_transactions_own_statements(db: Database, schema: str) -> None:
    db.execute("create table t (i int)")
    with expect(statements=2, round_trips=3) as seen:
        with db.transaction():
            db.execute("insert into t values (1)")
            db.execute("insert into t values (2)")
    assert seen.statements == ["insert into t values (1)", "insert into t values (2)"]
    with expect(statements=1, round_trips=2):
        with db.transaction():
            db.fetchval("select 1")
    with expect(statements=2, round_trips=2):
        with db.transaction() as tx:
            db.execute("insert into t values ($1)", 3)
            tx.final.execute("insert into t values ($1)", 4)
    with expect(statements=0, round_trips=0):
        with db.transaction():
            pass
    with expect(statements=2):
        with db.transaction():
            with db.transaction():
                db.fetchval("select 1")
            db.fetchval("select 1")


def test_a_reserved_connection(db: Database) -> None:
    with expect(statements=2, round_trips=2):
        with db.connection() as connection:
            connection.execute("set application_name = 'x'")
            connection.fetchval("select 1")
    with expect(statements=1, round_trips=1):  # making the session as new is not the caller's
        db.fetchval("select 1")


def test_a_stream_is_one_statement(db: Database) -> None:
    with expect(statements=1) as seen:
        count = 0
        for _ in db.stream("select generate_series(1, 50)", batch=10):
            count += 1
    assert count == 50
    assert seen.round_trips >= 5


def test_a_copy_is_one_statement_and_one_that_asks_for_the_columns(db: Database, schema: str) -> None:
    db.execute("create table t (i int)")
    db.copy_in("t", [(1,), (2,)])
    with expect(statements=2, round_trips=4):  # the columns; the start and the end of the copy; COMMIT
        db.copy_in("t", [(1,), (2,)])


def test_functions_under_run_count(db: Database) -> None:
    def work(inner: Any) -> int:
        return int(inner.fetchval("select 1")) + int(inner.fetchval("select 2"))

    with expect(statements=2, round_trips=2):
        assert db.run(work) == 3
