# Generated from tests/live/_async/test_bulk_edges.py by tools/make_sync.py: do not edit.
"""Bulk loads at their edges: fewer connections than asked for, chunks tried again, headers, several loads at once."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

import stretto
from stretto import Model, field
from stretto._sync.database import Database
from stretto.errors import StatementTimeout, UsageError
from stretto.flows import batches
from stretto.flows.bulk import Chunk
from stretto.sqlstate import (
    BadCopyFileFormat,
    ForeignKeyViolation,
    InvalidColumnReference,
    UndefinedTable,
    UniqueViolation,
)

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


# --- the size of a chunk ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 499, 500, 750, 2000])
@pytest.mark.parametrize(
    "way", [{"chunks": 1}, {"chunks": 2}, {"errors": "report"}, {"on_conflict": "ignore"}], ids=repr
)
def test_a_chunk_has_as_many_rows_as_are_asked_for(db: Database, way: dict[str, Any], size: int) -> None:
    db.execute(TABLE)
    count = min(1600, 7 * size)
    report = db.copy_in("t", rows(0, count), atomic=False, chunk_size=size, **way)
    starts = range(0, count, size)
    assert report.chunks == tuple(Chunk(at, min(at + size, count), min(size, count - at)) for at in starts)
    assert db.fetchval("select count(*) from t") == count


def test_a_chunk_of_bytes_ends_with_a_piece_of_the_source(db: Database) -> None:
    db.execute(TABLE)
    pieces = [b"%d,a\n%d,b\n" % (i, i + 1) for i in range(0, 10, 2)]
    report = db.copy_in("t", pieces, format="csv", atomic=False, chunk_size=3, chunks=1)
    assert report.chunks == (Chunk(0, 4, 4), Chunk(4, 8, 4), Chunk(8, 10, 2))


def test_an_atomic_load_over_several_connections_takes_chunks_of_that_size(db: Database) -> None:
    db.execute(TABLE)
    assert (db.copy_in("t", rows(0, 1600), chunks=2, chunk_size=7)).chunks == (Chunk(0, 1600, 1600),)


def test_sizes_and_keys_that_can_not_be_are_told(db: Database) -> None:
    db.execute(TABLE)
    with pytest.raises(UsageError, match="chunk_size=0: one row at least"):
        db.copy_in("t", [], chunk_size=0)
    with pytest.raises(UsageError, match="on= names the key that on_conflict= looks at"):
        db.copy_in("t", [], on="id")
    with pytest.raises(UsageError, match="needs the whole key, and name is not copied"):
        db.copy_in("t", [{"id": 1}], columns=["id"], on_conflict="ignore", on="name")
    with pytest.raises(InvalidColumnReference, match="no unique or exclusion constraint"):
        db.copy_in("t", rows(0, 1), on_conflict="update", on="name")


# --- other keys -------------------------------------------------------------------------------------------------------

PERSON = "create table person (id int primary key, mail text unique, name text, age int, unique (name, mail))"


class Person(Model, table="person"):
    id: int = field(primary_key=True)
    mail: str | None
    name: str | None
    age: int | None = None


@pytest.mark.parametrize("on", ["mail", ["mail"], ["name", "mail"], Person.mail, [Person.name, Person.mail]], ids=str)
@pytest.mark.parametrize("way", [{}, {"chunks": 2}, {"atomic": False}, {"errors": "report"}], ids=repr)
def test_rows_are_found_by_the_key_that_is_named(db: Database, on: Any, way: dict[str, Any]) -> None:
    db.execute(PERSON)
    db.copy_in(Person, [(1, "a@", "Ann", 1), (2, "b@", "Bob", 2), (3, None, "Cy", 3)])
    source = [(7, "b@", "Bob", 7), (8, None, "Cy", 8), (9, None, "Cy", 9), (10, "d@", "Dee", 10)]
    found = "select id, mail, age from person order by id"
    whole = [(1, "a@", 1), (2, "b@", 7), (3, None, 3), (8, None, 8), (9, None, 9), (10, "d@", 10)]
    assert (db.copy_in(Person, source, on_conflict="update", on=on, **way)).rows == 4
    assert db.fetch(found) == whole  # of keys with a NULL none is another's
    assert (
        db.copy_in(Person, [(20, "b@", "Bob", 20), (21, "e@", "Eve", 21)], on_conflict="ignore", on=on, **way)
    ).rows == 1
    assert db.fetch(found) == [*whole, (21, "e@", 21)]


def test_the_last_row_of_another_key_counts_and_a_conflict_with_a_third_is_an_error(db: Database) -> None:
    db.execute(PERSON)
    source = [(1, "a@", "old", 1), (2, "a@", "new", 2), (3, "b@", "Bob", 3)]
    assert (db.copy_in("person", source, on_conflict="update", on="mail")).rows == 2
    assert db.fetch("select id, mail, name from person order by id") == [(2, "a@", "new"), (3, "b@", "Bob")]
    with pytest.raises(UniqueViolation):
        db.copy_in("person", [(2, "c@", "Cy", 2)], on_conflict="ignore", on="mail")


# --- deferred constraints ---------------------------------------------------------------------------------------------

DEFERRED = """
create table parent (id int primary key);
insert into parent values (1), (2);
create table t (
    id int unique deferrable initially deferred,
    parent int references parent deferrable initially deferred,
    name text not null
)"""


@pytest.mark.parametrize("chunks", [1, 2])
def test_rows_that_break_a_deferred_constraint_are_found_chunk_by_chunk(db: Database, chunks: int) -> None:
    db.execute(DEFERRED)
    source = [(number, 7 if number in (3, 250) else 1, None if number == 5 else "x") for number in range(400)]
    source[20] = (19, 2, "again")
    report = db.copy_in("t", source, errors="report", atomic=False, chunk_size=100, chunks=chunks)
    told = [(one.row, one.sqlstate) for one in report.rejected]
    assert told == [(3, "23503"), (5, "23502"), (20, "23505"), (250, "23503")]
    assert (report.rows, db.fetchval("select count(*) from t")) == (396, 396)


def test_rows_that_break_a_deferred_constraint_end_a_load_that_is_all_or_nothing(db: Database) -> None:
    db.execute(DEFERRED)
    with pytest.raises(ForeignKeyViolation):
        db.copy_in("t", [(1, 1, "x"), (2, 7, "x")], errors="report")
    assert db.fetchval("select count(*) from t") == 0


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


class Nothing(io.BytesIO):
    """A file that does not block, and has nothing to read just now."""

    def read(self, size: int | None = -1) -> Any:
        return super().read(size) or None


@pytest.mark.parametrize("way", [{}, {"chunks": 2}, {"atomic": False}])
@pytest.mark.parametrize("source", [lambda: iter([b"1\ta\n", None, b"2\tb\n"]), lambda: Nothing(b"1\ta\n")])
def test_a_source_that_gives_none_is_not_at_its_end(
    db: Database, source: Callable[[], Any], way: dict[str, Any]
) -> None:
    db.execute(TABLE)
    with pytest.raises((UsageError, stretto.errors.BulkError), match=r"gave None, not bytes"):
        db.copy_in("t", source(), format="text", **way)
    assert db.fetchval("select count(*) from t") == 0  # no chunk was whole


class Slow(io.RawIOBase):
    """A file without a buffer, which takes a little at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.taken += bytes(data[:1000])
        return min(len(data), 1000)


def test_a_file_that_takes_a_part_gets_the_rest(db: Database) -> None:
    slow, whole = Slow(), io.BytesIO()
    query = "select i, repeat('x', 3000) from generate_series(1, 100) i"
    assert db.copy_out(query, slow) == db.copy_out(query, whole) == "COPY 100"
    assert bytes(slow.taken) == whole.getvalue()


def test_a_chunk_ends_where_its_source_does_though_a_trigger_leaves_rows_out(db: Database) -> None:
    db.execute(
        f"{TABLE}; create function half() returns trigger language plpgsql as "
        "'begin if new.id % 2 = 0 then return null; end if; return new; end';"
        "create trigger half before insert on t for each row execute function half()"
    )
    ways: list[dict[str, Any]] = [{}, {"chunks": 2}, {"atomic": False}, {"errors": "report"}, {"on_conflict": "ignore"}]
    for way in ways:
        assert (db.copy_in("t", rows(0, 10), **way)).chunks == (Chunk(0, 10, 5),), way
        db.execute("delete from t")
