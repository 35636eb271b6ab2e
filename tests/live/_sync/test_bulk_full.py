# Generated from tests/live/_async/test_bulk_full.py by tools/make_sync.py: do not edit.
"""Bulk loads into a server whose disk is full: nothing is left, or exactly what is told; and then it goes on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.live.disks import grow, move, small_disk
from tests.live.sums import possible, summed, there, told

import stretto.embedded
from stretto._sync.database import Database
from stretto.errors import BulkError, ConnectionLost, PoolTimeout
from stretto.flows import batches
from stretto.sqlstate import CannotConnectNow, CrashShutdown, DiskFull

COUNT = 16_000
TABLE = "create table public.t (id int primary key, name text not null) tablespace small"
SMALL = {"default_tablespace": "small", "temp_tablespaces": "small"}


def row(number: int) -> tuple[int, str]:
    return number, f"{number} " * 150


def rows() -> Iterator[tuple[int, str]]:
    return (row(number) for number in range(COUNT))


def csv() -> Iterator[bytes]:
    return (b"%d,%s\n" % (number, name.encode()) for number, name in rows())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server with a table space of 8 MB."""
    with stretto.embedded.start() as server, small_disk(8, server.data_directory) as place:
        with psycopg.connect(server.url, autocommit=True) as first:
            first.execute(f"create tablespace small location '{place}'")
        yield server.url


@pytest.fixture
def outside(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE)
        yield connection
        connection.execute("drop table public.t")


@pytest.fixture
def full(
    open_db: Callable[..., Any], outside: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Database]:
    """Databases of which all tables are in that space; a chunk is 1000 rows, about 1 MB."""
    monkeypatch.setattr(batches, "BLOCK_ROWS", 1000)
    monkeypatch.setattr(batches, "APART_ROWS", 500)
    return lambda connections: open_db(url, connections=connections, server_settings=SMALL)


WAYS: list[dict[str, Any]] = [
    {},
    {"format": "csv"},
    {"on_conflict": "update"},
    {"errors": "report"},
    {"chunks": 3},
    {"chunks": 3, "format": "csv"},
]


@pytest.mark.parametrize("way", WAYS, ids=repr)
def test_all_or_nothing_leaves_nothing_on_a_full_disk(
    full: Callable[..., Database], outside: psycopg.Connection[Any], way: dict[str, Any]
) -> None:
    db = full(way.get("chunks", 0) + 1)
    pid = db.fetchval("select pg_backend_pid()")
    with pytest.raises(DiskFull, match="could not extend file") as caught:
        db.copy_in("t", csv() if "format" in way else rows(), **way)
    assert caught.value.sqlstate == "53100"
    assert there(outside) == (0, 0)
    assert outside.execute("select count(*) from pg_class where relname like 'stretto_staging%'").fetchone() == (0,)
    outside.execute("drop table public.t")  # TRUNCATE would need room
    outside.execute(TABLE)
    assert (db.copy_in("t", [row(1)], **{**way, "format": None})).rows == 1
    if "chunks" not in way:
        assert db.fetchval("select pg_backend_pid()") == pid  # the connection was kept


def test_a_transaction_that_found_the_disk_full_is_rolled_back(
    full: Callable[..., Database], outside: psycopg.Connection[Any]
) -> None:
    db = full(1)
    with pytest.raises(DiskFull):
        with db.transaction():
            db.copy_in("t", [row(COUNT)])
            db.copy_in("t", rows())
    assert there(outside) == (0, 0)
    assert db.fetchval("select 1") == 1


@pytest.mark.parametrize("chunks", [1, 3])
@pytest.mark.parametrize("way", [{}, {"format": "csv"}, {"on_conflict": "ignore"}, {"errors": "report"}], ids=repr)
def test_chunk_by_chunk_tells_exactly_what_is_on_a_full_disk(
    full: Callable[..., Database], outside: psycopg.Connection[Any], way: dict[str, Any], chunks: int
) -> None:
    db = full(chunks)
    with pytest.raises(BulkError, match=r"rows in \d+ chunks have landed") as caught:
        db.copy_in("t", csv() if "format" in way else rows(), atomic=False, chunks=chunks, **way)
    assert isinstance(caught.value.__cause__, DiskFull)
    report = caught.value.report
    landed = told(report.chunks)
    assert (report.rows, report.unknown, report.rejected) == (len(landed), (), ())
    assert 0 < report.rows < COUNT
    assert there(outside) == summed(map(row, landed))
    outside.execute("drop table public.t")  # TRUNCATE would need room
    outside.execute(TABLE)
    assert (db.copy_in("t", [row(1)], atomic=False, chunks=chunks)).rows == 1


# --- the server's log has no room ------------------------------------------------------------------------------------


SETTINGS = {"checkpoint_timeout": "1h", "synchronous_commit": "on"}


@pytest.fixture
def narrow() -> Iterator[tuple[Path, Path]]:
    """The home of a server whose log is on a disk of 40 MB, two segments of it; and that disk."""
    with tempfile.TemporaryDirectory(prefix="stretto-full-") as home:
        with stretto.embedded.start(home) as first:
            data = first.data_directory
        with small_disk(40, data) as place:
            move(data / "pg_wal", place / "wal")
            yield Path(home), place


def test_a_server_whose_log_has_no_room_is_lost_and_what_was_told_is_there_when_it_is_back(
    open_db: Callable[..., Any], narrow: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It panics, and can't recover before it has room again."""
    monkeypatch.setattr(batches, "BLOCK_ROWS", 1000)
    home, place = narrow
    with stretto.embedded.start(home, settings=SETTINGS) as server:
        db: Database = open_db(server.url, connections=3, acquire_timeout=1)
        for table in ("t", "u"):
            db.execute(f"create table {table} (id int primary key, name text not null)")
        with pytest.raises(BulkError) as caught:
            db.copy_in("t", (row(number) for number in range(200_000)), atomic=False, chunks=2)
        with pytest.raises((ConnectionLost, PoolTimeout, CrashShutdown, CannotConnectNow)):
            db.copy_in("u", rows())
    report = caught.value.report
    grow(place, 400)
    with stretto.embedded.start(home) as server, psycopg.connect(server.url) as found:
        assert there(found) in possible(report, row)
        assert there(found, "u") == (0, 0)
