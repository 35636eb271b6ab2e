# Generated from tests/live/_async/test_bulk_found.py by tools/make_sync.py: do not edit.
"""A bad row is named where the server does not name it, and by its number in the source where it counts otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from stretto._sync.database import Database
from stretto.errors import BulkError, DatabaseError, UsageError
from stretto.flows.bulk import Chunk, place_of
from stretto.sqlstate import (
    BadCopyFileFormat,
    CheckViolation,
    ForeignKeyViolation,
    InvalidTextRepresentation,
    NotNullViolation,
    UniqueViolation,
)

TABLE = """
create table parent (id int primary key);
insert into parent values (1);
create table t (id int primary key, parent int not null {rule}, b int check (b < 500), c int unique);
insert into t values (-1, 1, 1, -1)"""
FOREIGN = "references parent"
DEFERRED = "references parent deferrable initially deferred"


def rows(**bad: Any) -> list[tuple[Any, ...]]:
    """A thousand rows; the last but hundred is a bad one, and so is the one behind it."""
    found = [{"id": number, "parent": 1, "b": 1, "c": number} for number in range(1000)]
    found[900].update(bad)
    found[901].update(bad)
    return [tuple(row.values()) for row in found]


# The rule of a reference, what a bad row has, and why it is one.
BAD: dict[str, tuple[str, dict[str, Any], type[DatabaseError]]] = {
    "foreign key": (FOREIGN, {"parent": 7}, ForeignKeyViolation),
    "deferred": (DEFERRED, {"parent": 7}, ForeignKeyViolation),
    "check": ("", {"b": 900}, CheckViolation),
    "null": ("", {"parent": None}, NotNullViolation),
    "unique": ("", {"c": -1}, UniqueViolation),
}
MERGED = {"on_conflict": "ignore", "on": "id"}
WAYS: dict[str, dict[str, Any]] = {
    "one chunk": {},
    "chunks": {"chunk_size": 300, "chunks": 1},
    "parallel": {"chunk_size": 300, "chunks": 3},
    "merged": {"chunk_size": 300, "chunks": 1, **MERGED},
}


def cause_of(error: BaseException) -> BaseException | None:
    """What a load by chunks ended with."""
    return error.__cause__ if isinstance(error, BulkError) else error


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("rule", "bad", "kind"), BAD.values(), ids=BAD)
def test_the_first_bad_row_of_a_chunk_is_named(
    db: Database, rule: str, bad: dict[str, Any], kind: type[DatabaseError], way: dict[str, Any]
) -> None:
    db.execute(TABLE.format(rule=rule))
    with pytest.raises((kind, BulkError)) as caught:
        db.copy_in("t", rows(**bad), atomic=False, **way)
    error = cause_of(caught.value)
    assert isinstance(error, kind)
    assert error.row == 900
    assert error.message.startswith("row 900: ")
    assert (place_of(error) or (901, None))[0] == 901
    landed = caught.value.report.chunks if isinstance(caught.value, BulkError) else ()
    assert Chunk(900, 1000, 100) not in landed
    assert db.fetchval("select count(*) from t") == sum(chunk.rows for chunk in landed) + 1


def test_the_bad_row_is_named_in_an_open_transaction_too(db: Database) -> None:
    db.execute(TABLE.format(rule=FOREIGN))
    for way in ({}, MERGED):
        with db.transaction():
            with pytest.raises(BulkError) as caught:
                db.copy_in("t", rows(parent=7), atomic=False, chunk_size=300, **way)
            assert db.fetchval("select count(*) from t where id >= 0") == caught.value.report.rows == 900
            db.execute("delete from t where id >= 0")
        error = cause_of(caught.value)
        assert isinstance(error, ForeignKeyViolation)
        assert (error.row, error.hint) == (900, None)


# What is all or nothing is not kept: these are the ways, and the rows' faults that no COPY names there.
HINTED: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["foreign key"]),
    (MERGED, ["foreign key", "check", "null", "unique"]),
    ({"chunks": 2}, ["foreign key", "check", "null", "unique"]),
]


@pytest.mark.parametrize(("way", "names"), HINTED)
def test_an_error_without_a_row_says_how_it_is_found(db: Database, way: dict[str, Any], names: list[str]) -> None:
    db.execute(TABLE.format(rule=FOREIGN))
    for name in names:
        _, bad, kind = BAD[name]
        with pytest.raises(kind) as caught:
            db.copy_in("t", rows(**bad), **way)
        assert (caught.value.row, caught.value.hint) == (None, 'errors="report" finds which row it is.')
        report = db.copy_in("t", rows(**bad), errors="report", **way)
        assert [one.row for one in report.rejected][:1] == [900]
        db.execute("delete from t where id >= 0")


def test_errors_that_are_not_the_loads_own_get_no_hint(db: Database, one: Database) -> None:
    db.execute(TABLE.format(rule=FOREIGN))
    db.execute("insert into t values (1, 1)")

    def source() -> Any:
        yield (2, 1, 1, 2)
        one.execute("insert into t values (1, 1)")

    with pytest.raises(UniqueViolation) as caught:
        db.copy_in("t", source())
    assert caught.value.hint is None
    with pytest.raises(NotNullViolation, match="row 1: ") as caught_too:
        db.copy_in("t", [(2, 1, 1, 2), (3, None, 1, 3)])
    assert caught_too.value.hint is None


@pytest.mark.parametrize(
    ("source", "columns"),
    [
        ([(1, 1), (2, 1, 3)], ["id", "b"]),
        ([(1, 1), {"id": 2, "b": 3}], ["id", "b"]),
        ([{"id": 1, "b": 1}, {"id": 2}], ["id", "b"]),
        ([{"id": 1, "parent": 1, "b": 1}, {"id": 2, "parent": 1, "b": 1, "note": 3}], None),
    ],
)
def test_a_row_that_is_not_like_the_others_has_its_number(db: Database, source: Any, columns: Any) -> None:
    db.execute("create table t (id int primary key, parent int, b int, note int not null default 1)")
    for way in ({}, {"atomic": False}, {"chunks": 2}):
        with pytest.raises(UsageError, match="row 1 ") as caught:
            db.copy_in("t", source, columns=columns, **way)
        assert caught.value.row == 1


# --- lines ------------------------------------------------------------------------------------------------------------


def cr(size: int) -> list[bytes]:
    return [b"".join(b"%d,x\r" % number for number in range(start, start + size)) for start in range(0, 1000, size)]


CSV: dict[str, Any] = {"format": "csv"}
HEADED: dict[str, Any] = {"format": "csv", "header": True}
# The source, its format, and the row and line of the bad one.
LINES: dict[str, tuple[list[bytes], dict[str, Any], type[DatabaseError], int, int]] = {
    "CR": ([*cr(100), b"x,x\r"], CSV, InvalidTextRepresentation, 1000, 1001),
    "CR, in the middle": ([*cr(500), b"1000,y\rx,x\r1,1\r"], CSV, InvalidTextRepresentation, 1001, 1002),
    "CRLF": ([b"id,name\r\n1,a\r\n", b'2,"b\nc"\r\n', b"x,c\r\n"], HEADED, InvalidTextRepresentation, 2, 5),
    "quoted first": ([b'1,"x\ny\nz"\n', b'2,"a\nb"\nbad,z\n'], CSV, InvalidTextRepresentation, 2, 6),
    "quoted": ([b"1,x\n", b'2,a\n3,"\n\n"\nbad,"z\n"\n4,5\n'], CSV, InvalidTextRepresentation, 3, 6),
    "headed": ([b'id,"na\nme"\n1,x\n', b'2,"\n"\n3\n'], HEADED, BadCopyFileFormat, 2, 6),
    "text": ([b"1\ta\\\nb\n2\t\\\n\\\n\n", b"3\tx\ty\n"], {"format": "text"}, BadCopyFileFormat, 2, 6),
}


@pytest.mark.parametrize(("source", "options", "kind", "row", "line"), LINES.values(), ids=LINES)
def test_the_row_and_line_of_bytes_are_those_of_the_source(
    db: Database, source: list[bytes], options: dict[str, Any], kind: type[DatabaseError], row: int, line: int
) -> None:
    db.execute("create table t (id int primary key, name text)")
    size = {"chunk_size": 1}
    for way in (
        {"atomic": False},
        {"atomic": False, **size},
        {"chunks": 2, **size},
        {"atomic": False, "chunks": 1, **size},
    ):
        with pytest.raises((kind, BulkError), match=f"line {line} of the source: ") as caught:
            db.copy_in("t", source, **options, **way)
        error = cause_of(caught.value)
        assert isinstance(error, kind)
        assert (error.row, place_of(error)) == (row, (line, error.column_name))
        db.execute("delete from t")


def test_bytes_that_are_streamed_have_their_line_in_the_context(db: Database) -> None:
    db.execute("create table t (id int primary key, name text)")
    with pytest.raises(InvalidTextRepresentation) as caught:
        db.copy_in("t", b"1,a\n2,b\nx,c\n", format="csv")
    assert (caught.value.row, place_of(caught.value)) == (None, (3, "id"))
