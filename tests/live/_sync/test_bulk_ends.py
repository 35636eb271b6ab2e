# Generated from tests/live/_async/test_bulk_ends.py by tools/make_sync.py: do not edit.
"""Where the bytes of a load end: a binary file that was cut off is never taken for whole, text ends at its mark."""

from __future__ import annotations

import io
from typing import Any

import pytest

from stretto._sync.database import Database
from stretto.errors import UsageError
from stretto.flows.bulk import Chunk
from stretto.sqlstate import BadCopyFileFormat, UniqueViolation

TABLE = "create table t (id int primary key, name text)"
WAYS: dict[str, dict[str, Any]] = {
    "one connection": {},
    "several": {"chunks": 2},
    "by chunks": {"atomic": False},
    "report": {"errors": "report"},
    "merged": {"on_conflict": "ignore"},
}


def binary(db: Database) -> bytes:
    """Rows whose last column is NULL, so that each ends with the bytes of a trailer."""
    out = io.BytesIO()
    db.copy_out("select i, null::text from generate_series(1, 10) i", out, format="binary")
    return out.getvalue()


def pieces(data: bytes) -> list[bytes]:
    return [data[i : i + 7] for i in range(0, len(data), 7)]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_binary_file_that_was_cut_off_is_not_taken_for_whole(db: Database, way: dict[str, Any]) -> None:
    db.execute(TABLE)
    whole = binary(db)
    row = 2 + 4 + 4 + 4
    for lost in (1, 2, 2 + row, 2 + 2 * row, 5, len(whole) - 19):
        for source in (whole[:-lost], pieces(whole[:-lost])):
            with pytest.raises(UsageError, match="it ends before its trailer"):
                db.copy_in("t", source, format="binary", **way)
            assert db.fetchval("select count(*) from t") == 0, lost
    report = db.copy_in("t", pieces(whole), format="binary", **way)
    assert (report.rows, report.chunks) == (10, (Chunk(0, 10, 10),))
    assert db.fetchval("select count(*) from t") == 10


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_nothing_stands_behind_a_binary_trailer(db: Database, way: dict[str, Any]) -> None:
    db.execute(TABLE)
    whole = binary(db)
    for source in (whole + b"more", [whole, b"more"]):
        with pytest.raises((UsageError, BadCopyFileFormat), match=r"behind its trailer|after EOF marker"):
            db.copy_in("t", source, format="binary", **way)
        assert db.fetchval("select count(*) from t") == 0


def test_a_connection_and_a_transaction_take_no_half_file_either(db: Database) -> None:
    db.execute(TABLE)
    whole = binary(db)
    with db.connection() as connection:
        with pytest.raises(UsageError, match="it ends before its trailer"):
            connection.copy_in("t", pieces(whole[:-2]), format="binary")
        assert connection.copy_in("t", pieces(whole), format="binary") == "COPY 10"
        connection.execute("delete from t")
    with db.transaction():
        with pytest.raises(UsageError, match="it ends before its trailer"):
            with db.transaction():
                db.copy_in("t", whole[:-2], format="binary")
        assert (db.copy_in("t", whole, format="binary")).rows == 10
    assert db.fetchval("select count(*) from t") == 10


def test_a_bad_row_of_a_binary_stream_is_named_by_its_number(db: Database) -> None:
    db.execute(TABLE)
    db.execute("insert into t values (4)")
    with pytest.raises(UniqueViolation, match="row 3: ") as caught:
        db.copy_in("t", pieces(binary(db)), format="binary")
    assert caught.value.row == 3


def test_the_rows_of_a_binary_stream_are_counted_on_the_way(db: Database) -> None:
    db.execute(TABLE)
    seen: list[int] = []
    db.copy_in("t", pieces(binary(db)), format="binary", progress=lambda now: seen.append(now.rows))
    assert seen == sorted(seen)
    assert seen[-1] == 10


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_text_ends_at_its_mark(db: Database, way: dict[str, Any]) -> None:
    db.execute(TABLE)
    for source in (b"1\ta\n2\tb\n\\.\n3\tc\n", [b"1\ta\n2\tb\n\\", b".\n3\tc\n", b"4\td\n"]):
        report = db.copy_in("t", source, format="text", **way)
        assert (report.rows, report.chunks, report.rejected) == (2, (Chunk(0, 2, 2),), ()), source
        assert db.fetch("select * from t order by id") == [(1, "a"), (2, "b")]
        db.execute("delete from t")
