# Generated from tests/live/_async/test_bulk_edges.py by tools/make_sync.py: do not edit.
"""Bulk loads at their edges: fewer connections than asked for, chunks tried again, headers, several loads at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

import stretto
from stretto._sync.database import Database
from stretto.errors import StatementTimeout
from stretto.flows import batches
from stretto.flows.bulk import Chunk
from stretto.sqlstate import BadCopyFileFormat, UndefinedTable

TABLE = "create table t (id int primary key, name text not null)"


def rows(start: int, count: int) -> Iterator[tuple[int, str]]:
    return ((i, f"name {i}") for i in range(start, start + count))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BLOCK_ROWS", 1000)
    monkeypatch.setattr(batches, "APART_ROWS", 100)


# --- one connection where several were asked for ----------------------------------------------------------------------

ENDLESS: list[tuple[Any, dict[str, Any]]] = [
    (b"1,a\n2,b", {"format": "csv"}),
    ([b"id,na", b"me\n1,a\n2,", b"b"], {"format": "csv", "header": True}),
    (b"1\ta\n2\tb", {"format": "text"}),
]


@pytest.mark.parametrize(("source", "options"), ENDLESS)
def test_a_last_row_without_an_end_lands_over_one_connection_too(
    open_db: Callable[..., Any], source: Any, options: dict[str, Any]
) -> None:
    db: Database = open_db(connections=2)
    db.execute(TABLE)
    assert (db.copy_in("t", source, chunks=2, **options)).rows == 2
    db.execute("truncate t")
    with db.transaction():
        for way in ({"chunks": 2}, {"chunks": 2, "on_conflict": "update"}, {"chunks": 2, "atomic": False}):
            assert (db.copy_in("t", source, **way, **options)).rows == 2
            assert db.fetch("select * from t order by id") == [(1, "a"), (2, "b")]
            db.execute("delete from t")


def test_a_header_is_no_row_over_one_connection(db: Database) -> None:
    db.execute(TABLE)
    with db.transaction():
        report = db.copy_in("t", b"id,name\n1,a\n", format="csv", header="match", chunks=2)
        assert report.chunks == (Chunk(0, 1, 1),)


# --- what is told -----------------------------------------------------------------------------------------------------

ONCE_MORE = """
create sequence tries;
create function fail() returns trigger language plpgsql as $$
begin
    if nextval('tries') = 1 then raise exception 'again' using errcode = '40001'; end if;
    return null;
end $$;
create constraint trigger fail after insert on t deferrable initially deferred for each row execute function fail()"""


def test_the_bad_rows_of_a_chunk_that_is_tried_again_are_told_once(db: Database) -> None:
    db.execute(f"{TABLE}; {ONCE_MORE}")
    source = [(0, "a"), (1, None), (2, "c")]
    report = db.copy_in("t", source, errors="report", atomic=False, chunks=1)
    assert [one.row for one in report.rejected] == [1]
    assert (report.rows, db.fetchval("select count(*) from t")) == (2, 2)
    assert db.fetchval("select last_value > 1 from tries")


@pytest.mark.parametrize("on_conflict", ["ignore", "update"])
def test_a_chunk_ends_where_its_source_does(db: Database, on_conflict: str) -> None:
    db.execute(TABLE)
    db.execute("insert into t values (1, 'old')")
    report = db.copy_in("t", b"1,a\n2,b\n3,c", format="csv", on_conflict=on_conflict)
    assert report.chunks == (Chunk(0, 3, 2 if on_conflict == "ignore" else 3),)


@pytest.mark.parametrize("chunks", [1, 2])
def test_a_table_that_is_not_there_is_told_alike(db: Database, chunks: int) -> None:
    with pytest.raises(UndefinedTable, match='"nosuch" does not exist'):
        db.copy_in("nosuch", b"1\n", columns=["id"], format="csv", chunks=chunks)


# --- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [{"errors": "report"}, {"errors": "report", "atomic": False}, {"atomic": False}])
@pytest.mark.parametrize("on_conflict", [None, "update"])
def test_a_header_that_is_to_match_is_checked_once(
    db: Database, small: None, way: dict[str, Any], on_conflict: str | None
) -> None:
    db.execute(f"{TABLE}; create table asked (at int)")
    db.execute(
        "create function ask() returns trigger language plpgsql as 'begin insert into asked values (1); "
        "return null; end'; create trigger ask after insert on t execute function ask()"
    )
    pieces = [b"id,name\n", *(b"%d,name\n" % i for i in range(5))]
    report = db.copy_in("t", pieces, format="csv", header="match", on_conflict=on_conflict, **way)
    assert (report.rows, report.rejected) == (5, ())
    assert db.fetchval("select count(*) from asked") <= 2  # the header's check, and the only chunk
    with pytest.raises(BadCopyFileFormat, match="header"):
        db.copy_in("t", b"name,id\n9,x\n", format="csv", header="match", on_conflict=on_conflict, **way)


TRAPS = [[b'id,name\r1,"a\nb"\r2,c\r'], [b'id,"name\rx"', b"\n1,a\n2,c\n"]]


@pytest.mark.parametrize("source", TRAPS)
@pytest.mark.parametrize("way", [{"chunks": 2}, {"atomic": False}, {"errors": "report"}])
def test_a_header_ends_where_the_server_says(db: Database, source: list[bytes], way: dict[str, Any]) -> None:
    db.execute(TABLE)
    assert (db.copy_in("t", source, format="csv", header=True, **way)).rows == 2


# --- several at once --------------------------------------------------------------------------------------------------


def load(db: Database, start: int) -> int:
    return (db.copy_in("t", rows(start, 2500), chunks=3)).rows


def test_loads_over_several_connections_do_not_starve_each_other(
    open_db: Callable[..., Any], small: None, beside: Any
) -> None:
    db: Database = open_db(connections=3, acquire_timeout=10)
    db.execute(TABLE)
    begun = [beside.start(load, db, number * 2500) for number in range(4)]
    assert [beside.result(one) for one in begun] == [2500] * 4
    assert db.fetchval("select count(*) from t") == 10_000


def test_a_source_may_load_too(open_db: Callable[..., Any], small: None) -> None:
    db: Database = open_db(connections=3, acquire_timeout=10)
    db.execute(TABLE)

    def source() -> Iterator[tuple[int, str]]:
        for row in rows(2500, 2500):
            if row[0] == 4000:
                assert load(db, 0) == 2500
            yield row

    assert (db.copy_in("t", source(), chunks=3)).rows == 2500
    assert db.fetchval("select count(*) from t") == 5000


def begin_another(db: Database) -> None:
    db._loads.enter(True, None)


def test_a_load_waits_for_another_until_its_deadline(
    db: Database, outside: psycopg.Connection[Any], beside: Any, small: None
) -> None:
    db.execute(TABLE)
    beside.result(beside.start(begin_another, db))
    with pytest.raises(StatementTimeout, match="deadline"), stretto.deadline(0.2):
        load(db, 0)
    db._loads.leave(True)
    assert load(db, 0) == 2500
