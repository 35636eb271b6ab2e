# Generated from tests/live/_async/test_transaction_streams.py by tools/make_sync.py: do not edit.
"""Streams in a transaction: they share its connection with the other statements, and lose no row."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import pytest

import stretto
from stretto._sync.database import Database
from stretto.errors import TransactionAborted, TransactionClosed
from stretto.flows.options import Options
from stretto.flows.stream import Portal
from stretto.sqlstate import DivisionByZero, SqlSyntaxError, UniqueViolation

ROWS = "select generate_series(1, $1::int)"
ROWS_OF = "select generate_series(1, {})"


@pytest.fixture
def t(outside: psycopg.Connection[Any], schema: str) -> str:
    """A table of numbers, each once."""
    outside.execute("create table t (i int primary key)")
    return schema


def plainly(db: Database, number: int) -> None:
    db.execute("insert into t values ($1)", number)


def in_a_block(db: Database, number: int) -> None:
    with db.transaction():
        db.execute("insert into t values ($1)", number)


def by_a_stream(db: Database, number: int) -> None:
    for row in db.stream("insert into t values ($1) returning i", number):
        assert row.i == number


def by_a_stream_that_is_left(db: Database, number: int) -> None:
    for row in db.stream(f"insert into t select $1 from ({ROWS_OF.format(9)}) n limit 1 returning i", number):
        assert row.i == number
        break


def in_a_block_that_is_rolled_back(db: Database, number: int) -> None:
    plainly(db, number)
    with pytest.raises(UniqueViolation):
        with db.transaction():
            plainly(db, number)


def by_a_stream_in_a_block_that_is_rolled_back(db: Database, number: int) -> None:
    plainly(db, number)
    with pytest.raises(DivisionByZero):
        with db.transaction():
            for _row in db.stream("select 1 / (5 - generate_series(1, 9))", batch=3):
                db.execute("select 2")


WORK: dict[str, Callable[..., Any]] = {
    "plainly": plainly,
    "in a block": in_a_block,
    "by a stream": by_a_stream,
    "by a stream that is left": by_a_stream_that_is_left,
    "in a block that is rolled back": in_a_block_that_is_rolled_back,
    "by a stream in a block that is rolled back": by_a_stream_in_a_block_that_is_rolled_back,
}


@pytest.mark.parametrize("first", [False, True], ids=["the stream first", "a statement first"])
@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
@pytest.mark.parametrize("every", [1, 7])
def test_other_statements_come_between(
    one: Database, t: str, outside: psycopg.Connection[Any], work: Callable[..., Any], first: bool, every: int
) -> None:
    for _ in ("cold", "warm"):
        had: list[int] = []
        with one.transaction():
            if first:
                one.fetchval("select 1")
            for row in one.stream(ROWS, 40, batch=10):
                had.append(row[0])
                if row[0] % every == 0:
                    work(one, row[0])
            assert one.fetchval("select count(*) from pg_cursors where name <> ''") == 0, "all portals are closed"
        assert had == list(range(1, 41))
        assert outside.execute("delete from t").rowcount == 40 // every


def test_wide_rows_of_a_stream_that_others_come_between(one: Database, t: str) -> None:
    """Some parts of a batch are had before, the rest comes with the answer to the other statement."""
    sql = "select i, repeat('x', 20000) as wide from generate_series(1, 50) i"
    for _ in ("cold", "warm"):
        had: list[int] = []
        with one.transaction():
            for row in one.stream(sql, batch=20):
                assert len(row.wide) == 20000
                had.append(row.i)
                if row.i in (3, 20, 33, 50):
                    assert one.fetchval("select $1::int", row.i) == row.i
        assert had == list(range(1, 51))


def test_an_open_stream_keeps_no_rows_at_commit(one: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    portals: list[Portal] = []

    class Kept(Portal):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            portals.append(self)

    monkeypatch.setattr(stretto.flows.stream, "Portal", Kept)
    with one.transaction():
        rows = one.stream("select repeat('x', 20000) from generate_series(1, 500)")
        for _row in rows:
            break
    (portal,) = portals
    assert portal._request.done
    assert portal._request.slices == []
    with pytest.raises(TransactionClosed):
        assert [row for row in rows] == []


def test_streams_in_streams(one: Database) -> None:
    for _ in ("cold", "warm"):
        pairs: list[tuple[int, int]] = []
        with one.transaction():
            for a in one.stream(ROWS, 7, batch=2, into=int):
                for b in one.stream(ROWS, 5, batch=2, into=int):
                    pairs.append((a, b))
        assert pairs == [(a, b) for a in range(1, 8) for b in range(1, 6)]


def test_a_stream_of_a_block_ends_with_it(one: Database) -> None:
    """Its portal is gone where the block was rolled back; where it was kept, it is not the stream's any more."""
    for undone in (True, False):
        with one.transaction():
            with suppress(DivisionByZero):
                with one.transaction():
                    rows = one.stream(ROWS, 9, batch=2)
                    for row in rows:
                        assert row[0] == 1
                        break
                    if undone:
                        one.execute("select 1 / 0")
            with pytest.raises(TransactionClosed):
                assert [row for row in rows] == []
            assert one.fetchval("select 1") == 1


@pytest.mark.parametrize("rows", [0, 1, 3, 4], ids=lambda rows: f"{rows} rows")
def test_a_stream_that_has_its_last_row_in_hand_is_not_ended(one: Database, t: str, rows: int) -> None:
    for attempt in (1, 2):
        had: list[int] = []
        with one.transaction():
            for row in one.stream(ROWS, rows, batch=5):
                had.append(row[0])
                plainly(one, 10 * attempt + row[0])
        assert had == list(range(1, rows + 1))
    assert one.fetchval("select count(*) from t") == 2 * rows


def test_a_stream_left_early_leaves_the_transaction_whole(one: Database, t: str) -> None:
    for number in (1, 2):
        with one.transaction():
            for row in one.stream(ROWS, 5000, batch=2):
                if row[0] == 3:
                    plainly(one, number)
                    break
            assert [row[0] for row in one.stream(ROWS, 3, batch=2)] == [1, 2, 3]
    assert one.fetchval("select array_agg(i order by i) from t") == [1, 2]


def test_a_detached_statement_leaves_a_stream_alone(db: Database, t: str) -> None:
    for number in (1, 2):
        had: list[int] = []
        with db.transaction():
            for row in db.stream(ROWS, 20, batch=3):
                had.append(row[0])
                if row[0] == 7:
                    with stretto.detached():
                        plainly(db, number)
        assert had == list(range(1, 21))


def test_a_stream_comes_first_cold_and_warm(one: Database, t: str) -> None:
    for number in (1, 2, 3):
        with one.transaction():
            assert [row[0] for row in one.stream(ROWS, 7, batch=2)] == list(range(1, 8))
            assert one.fetchval("select pg_current_xact_id_if_assigned()::text") is None
            plainly(one, number)
        with one.transaction(), one.transaction():
            assert [row.i for row in one.stream("select i from t order by i")] == list(range(1, number + 1))


def test_a_connections_stream_in_its_transaction(one: Database) -> None:
    with one.connection() as connection:
        for _ in ("cold", "warm"):
            with connection.transaction():
                assert [row[0] for row in connection.stream(ROWS, 7, batch=2)] == list(range(1, 8))
            had: list[int] = []
            with connection.transaction():
                for row in connection.stream(ROWS, 7, batch=2):
                    had.append(row[0])
                    assert connection.fetchval("select $1::int", row[0]) == row[0]
            assert had == list(range(1, 8))
            with connection.transaction():
                for row in connection.stream(ROWS, 7, batch=2):
                    if row[0] == 3:
                        break
            assert connection.fetchval("select 3") == 3


def test_the_error_of_a_row_that_was_not_read_is_the_first_one(one: Database) -> None:
    sql = "select 1 / (5 - generate_series(1, 9))"
    for _ in ("cold", "warm"):
        with pytest.raises(DivisionByZero):
            with one.transaction():
                for _row in one.stream(sql, batch=3):
                    one.fetchval("select 1")
        with pytest.raises(DivisionByZero):
            with one.transaction():
                for _row in one.stream(sql, batch=3):
                    break


def test_the_error_of_a_stream_in_a_block_that_was_rolled_back_is_no_cause(one: Database, t: str) -> None:
    plainly(one, 1)
    for _ in ("cold", "warm"):
        with pytest.raises(UniqueViolation):
            with one.transaction():
                with pytest.raises(DivisionByZero):
                    with one.transaction():
                        for _row in one.stream("select 1 / (5 - generate_series(1, 9))", batch=3):
                            pass
                with suppress(UniqueViolation):
                    plainly(one, 1)


@pytest.mark.parametrize("kept", [False, True], ids=["in a block", "in a block that was kept"])
@pytest.mark.parametrize("sql", ["insert into t values (1)", "insert into t values ($1)"])
def test_a_stream_that_fails_unread_is_the_cause_of_what_fails_in_a_nested_block(
    one: Database, t: str, outside: psycopg.Connection[Any], sql: str, kept: bool
) -> None:
    for _ in ("cold", "warm"):
        with pytest.raises(DivisionByZero):
            with one.transaction():
                with one.transaction() if kept else contextlib.nullcontext():
                    rows = one.stream("select 1 / (5 - generate_series(1, 9))", batch=3)
                    for _row in rows:
                        break
                with pytest.raises(TransactionAborted) as caught:
                    with one.transaction():
                        one.execute(sql, *[1] * sql.count("$1"))
                assert isinstance(caught.value.__cause__, DivisionByZero)
                with pytest.raises(TransactionAborted):
                    one.execute("insert into t values (2)")
        assert outside.execute("select count(*) from t").fetchone() == (0,)


def test_a_statement_that_fails_first_is_told_by_the_stream(one: Database) -> None:
    for _ in ("cold", "warm"):
        with pytest.raises(DivisionByZero):
            with one.transaction():
                for _row in one.stream("select 1 / (generate_series(1, 9) - 1)", batch=3):
                    pass
        assert one.fetchval("select 1") == 1


def test_no_statement_follows_where_begin_has_failed_under_a_stream(
    one: Database, t: str, outside: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Options, "begin", lambda _: "BEGIN NONSENSE")
    for _ in ("cold", "warm"):
        with pytest.raises(SqlSyntaxError, match="NONSENSE"):
            with one.transaction():
                with pytest.raises(SqlSyntaxError, match="NONSENSE"):
                    for _row in one.stream("insert into t values (1) returning i"):
                        pass
                with pytest.raises(TransactionAborted):
                    plainly(one, 2)
        assert outside.execute("select count(*) from t").fetchone() == (0,)
        assert one.fetchval("select 1") == 1
