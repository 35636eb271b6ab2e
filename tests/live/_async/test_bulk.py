"""Bulk loads: all or nothing and chunk by chunk, over one connection and several, with conflicts and bad rows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.live.support import Broken, kill

from stretto._async.database import AsyncDatabase
from stretto.errors import BulkError, ConnectionLost, DataError, EncodeError, UsageError
from stretto.flows import batches
from stretto.flows.bulk import Chunk, Progress
from stretto.sqlstate import (
    AdminShutdown,
    BadCopyFileFormat,
    CheckViolation,
    ForeignKeyViolation,
    InvalidTextRepresentation,
    LockNotAvailable,
    NotNullViolation,
    UndefinedTable,
    UniqueViolation,
)

TABLE = "create table t (id int primary key, name text not null)"
CHECKSUM = "select count(*), coalesce(sum(id), 0), coalesce(sum(hashtext(name)::int8), 0) from t"
STAGED = """
select count(*) from pg_class
where relname like 'stretto_staging%' and relnamespace = current_schema()::regnamespace"""


def rows(count: int, start: int = 0) -> Iterator[tuple[int, str]]:
    return ((i, f"name {i}") for i in range(start, start + count))


def csv(count: int, start: int = 0) -> bytes:
    return b"".join(b'%d,"name %d"\n' % (i, i) for i in range(start, start + count))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 1000 rows, and 100 where rows may be bad."""
    monkeypatch.setattr(batches, "BLOCK_ROWS", 1000)
    monkeypatch.setattr(batches, "APART_ROWS", 100)


async def landed(db: AsyncDatabase, chunks: tuple[Chunk, ...]) -> bool:
    """Whether exactly these rows of ``rows()`` are in the table: by count and checksum."""
    numbers = [number for chunk in chunks for number in range(chunk.first, chunk.stop)]
    expected = await db.fetchrow(
        "select count(*), coalesce(sum(i), 0), coalesce(sum(hashtext('name ' || i)::int8), 0) from unnest($1::int[]) i",
        numbers,
    )
    return await db.fetchrow(CHECKSUM) == expected


async def report_of(verb: Any, *args: Any, **keywords: Any) -> tuple[Any, BaseException | None]:
    """The report of a load that may fail, and why it did."""
    try:
        return await verb(*args, **keywords), None
    except BulkError as error:
        return error.report, error.__cause__


# --- what it reports --------------------------------------------------------------------------------------------------

WAYS: dict[str, dict[str, Any]] = {
    "one": {},
    "parallel": {"chunks": 2},
    "chunks": {"atomic": False, "chunks": 1},
    "parallel chunks": {"atomic": False, "chunks": 3},
    "ignore": {"on_conflict": "ignore"},
    "update": {"on_conflict": "update"},
    "parallel update": {"on_conflict": "update", "chunks": 2},
    "chunks ignore": {"on_conflict": "ignore", "atomic": False, "chunks": 2},
    "report": {"errors": "report"},
    "chunks report": {"errors": "report", "atomic": False, "chunks": 2},
    "chunks report update": {"errors": "report", "atomic": False, "chunks": 2, "on_conflict": "update"},
}
SOURCES: dict[str, Any] = {
    "rows": lambda count: (rows(count), {}),
    "csv": lambda count: (csv(count), {"format": "csv"}),
    "csv with a header": lambda count: (b"id,name\n" + csv(count), {"format": "csv", "header": True}),
    "csv with a header that matches": lambda count: (b"id,name\n" + csv(count), {"format": "csv", "header": "match"}),
    "text": lambda count: (b"".join(b"%d\tname %d\n" % (i, i) for i in range(count)), {"format": "text"}),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_all_rows_land_and_are_told(db: AsyncDatabase, small: None, way: dict[str, Any]) -> None:
    await db.execute(TABLE)
    for name, source in SOURCES.items():
        data, options = source(2500)
        report = await db.copy_in("t", data, **way, **options)
        assert (report.rows, str(report), report.rejected, report.unknown) == (2500, "COPY 2500", (), ()), name
        assert [chunk.first for chunk in report.chunks] == [0, *(chunk.stop for chunk in report.chunks)][:-1]
        assert sum(chunk.rows for chunk in report.chunks) == report.chunks[-1].stop == 2500
        assert len(report.chunks) > 1 or way.get("atomic", True) or options  # bytes come 64 kB at a time
        assert await landed(db, report.chunks)
        assert await db.fetchval(STAGED) == 0
        await db.execute("delete from t")


async def test_no_rows_are_no_rows(db: AsyncDatabase) -> None:
    await db.execute(TABLE)
    for way in WAYS.values():
        for source, options in (([], {}), (b"", {"format": "csv"}), (iter(()), {})):
            assert (await db.copy_in("t", source, **way, **options)).rows == 0
    assert await db.fetchval("select count(*) from t") == 0


@pytest.mark.parametrize("way", [{}, {"atomic": False, "chunks": 2}, {"chunks": 2}, {"errors": "report"}])
async def test_binary_goes_in_as_it_came_out(db: AsyncDatabase, small: None, way: dict[str, Any]) -> None:
    await db.execute(TABLE)
    await db.copy_in("t", rows(2500))
    out = io.BytesIO()
    await db.copy_out("t", out, format="binary")
    await db.execute("truncate t")
    assert (await db.copy_in("t", out.getvalue(), format="binary", **way)).rows == 2500
    assert await landed(db, (Chunk(0, 2500, 2500),))


async def test_the_caller_is_told_how_far_it_is(db: AsyncDatabase, small: None) -> None:
    await db.execute(TABLE)
    for way in ({}, {"atomic": False, "chunks": 2}, {"format": "csv"}):
        seen: list[Progress] = []
        source = csv(2500) if way.get("format") else rows(2500)
        await db.copy_in("t", source, progress=seen.append, **way)
        assert (seen[-1].rows, seen[-1].bytes > 2500 * 10) == (2500, True)
        assert [one.rows for one in seen] == sorted(one.rows for one in seen)
        await db.execute("truncate t")


async def test_a_load_is_a_part_of_the_open_transaction(db: AsyncDatabase, small: None) -> None:
    await db.execute(TABLE)
    for way in WAYS.values():
        with pytest.raises(Broken):
            async with db.transaction():
                assert (await db.copy_in("t", rows(2500), **way)).rows == 2500
                assert await db.fetchval("select count(*) from t") == 2500
                raise Broken
        assert await db.fetchval("select count(*) from t") == 0


async def test_a_source_may_use_the_database(db: AsyncDatabase, small: None) -> None:
    await db.execute(TABLE)
    await db.execute("create table u (id int); insert into u select generate_series(0, 1499)")
    for way in ({}, {"atomic": False, "chunks": 1}, {"errors": "report"}):
        source = [(row.id, f"name {row.id}") async for row in db.stream("select id from u")]
        assert (await db.copy_in("t", source, **way)).rows == 1500
        await db.execute("truncate t")


# --- conflicts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize("atomic", [True, False])
async def test_rows_that_are_there_are_ignored_or_updated(
    db: AsyncDatabase, small: None, atomic: bool, chunks: int
) -> None:
    await db.execute("create table t (id int primary key, name text, left_alone int default 5)")
    await db.execute("insert into t select i, 'old', 7 from generate_series(0, 99) i")
    how: dict[str, Any] = {"columns": ["id", "name"], "atomic": atomic, "chunks": chunks}
    report = await db.copy_in("t", rows(1500), on_conflict="ignore", **how)
    assert report.rows == 1400
    assert await db.fetchrow("select count(*), count(*) filter (where name = 'old') from t") == (1500, 100)
    report = await db.copy_in("t", rows(1500, 50), on_conflict="update", **how)
    assert report.rows == 1500
    assert await db.fetchrow("select count(*), count(*) filter (where name = 'old'), sum(left_alone) from t") == (
        1550,
        50,
        100 * 7 + 1450 * 5,
    )


async def test_of_rows_with_one_key_the_last_stays(db: AsyncDatabase) -> None:
    await db.execute(TABLE)
    assert (await db.copy_in("t", [(1, "a"), (2, "b"), (1, "c")], on_conflict="update")).rows == 2
    assert await db.fetch("select * from t order by id") == [(1, "c"), (2, "b")]
    assert (await db.copy_in("t", [(1, "d"), (3, "e"), (3, "f")], on_conflict="ignore")).rows == 1
    assert await db.fetch("select * from t order by id") == [(1, "c"), (2, "b"), (3, "e")]


async def test_an_update_needs_a_key(db: AsyncDatabase) -> None:
    await db.execute("create table t (id int, name text); create table u (id int primary key, name text)")
    with pytest.raises(UsageError, match="needs a primary key"):
        await db.copy_in("t", rows(1), on_conflict="update")
    with pytest.raises(UsageError, match="id is not copied"):
        await db.copy_in("u", [("x",)], columns=["name"], on_conflict="update")


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize("at", [0, 1, 1700, 4999])
async def test_a_source_that_raises_leaves_nothing_or_what_is_told(
    db: AsyncDatabase, small: None, at: int, chunks: int
) -> None:
    await db.execute(TABLE)

    def source() -> Iterator[Any]:
        yield from rows(at)
        raise Broken

    with pytest.raises(Broken):
        await db.copy_in("t", source(), chunks=chunks)
    assert await db.fetchval("select count(*) from t") == 0
    assert await db.fetchval(STAGED) == 0
    if at < 1000:
        with pytest.raises(Broken):  # itself, as nothing has landed
            await db.copy_in("t", source(), atomic=False, chunks=chunks)
        return
    report, cause = await report_of(db.copy_in, "t", source(), atomic=False, chunks=chunks)
    assert isinstance(cause, Broken)
    assert report.rows == sum(chunk.stop - chunk.first for chunk in report.chunks) == at - at % 1000
    assert await landed(db, report.chunks)


@pytest.mark.parametrize("chunks", [1, 2])
async def test_a_lost_connection_leaves_nothing_or_what_is_told(
    db: AsyncDatabase, small: None, outside: psycopg.Connection[Any], schema: str, chunks: int
) -> None:
    await db.execute(TABLE)
    pids = "select pid from pg_stat_activity where application_name = %s and query ilike '%%copy%%'"

    def source() -> Iterator[Any]:
        for number, row in enumerate(rows(30_000)):
            if number == 20_000:
                for (pid,) in outside.execute(pids, [schema]).fetchall():
                    kill(outside, pid)
            yield row

    with pytest.raises((ConnectionLost, AdminShutdown)):
        await db.copy_in("t", source(), chunks=1)
    assert await db.fetchval("select count(*) from t") == 0
    report, cause = await report_of(db.copy_in, "t", source(), atomic=False, chunks=chunks)
    assert cause is None or isinstance(cause, (ConnectionLost, AdminShutdown))  # none: it was between two chunks
    assert report.unknown == ()
    assert await landed(db, report.chunks)


BAD: list[tuple[Any, dict[str, Any], Any, str, int | None, str | None]] = [
    ([*rows(1700), (1700, 5)], {}, EncodeError, "row 1700, column name", 1700, "name"),
    ([*rows(1700), (1700, None)], {}, NotNullViolation, "row 1700: ", 1700, "name"),
    ([*rows(1700), (3, "again")], {}, UniqueViolation, "row 1700: ", 1700, None),
    ([*rows(1700), *rows(5000, 0)], {}, UniqueViolation, "row 1700: ", 1700, None),
    (csv(1700) + b"x,y\n", {"format": "csv"}, InvalidTextRepresentation, "line 1701", None, "id"),
    (b"id,name\n" + csv(1700) + b"1\n", {"format": "csv", "header": True}, BadCopyFileFormat, "line 1702", None, None),
    (b"di,name\n" + csv(1700), {"format": "csv", "header": "match"}, BadCopyFileFormat, "header", None, None),
]


@pytest.mark.parametrize(("source", "options", "kind", "text", "row", "column"), BAD)
async def test_a_bad_row_is_named(
    db: AsyncDatabase, small: None, source: Any, options: dict[str, Any], kind: Any, text: str, row: Any, column: Any
) -> None:
    await db.execute(TABLE)
    with pytest.raises(kind, match=text) as caught:
        await db.copy_in("t", source, **options)
    assert (caught.value.row, caught.value.column_name) == (row, column)
    assert await db.fetchval("select count(*) from t") == 0
    if isinstance(source, list):
        with pytest.raises(BulkError, match=text) as failed:
            await db.copy_in("t", source, **options, atomic=False, chunks=1)
        assert isinstance(failed.value.__cause__, kind)
        assert await landed(db, failed.value.report.chunks)
    else:  # all in its first chunk: nothing has landed
        with pytest.raises(kind, match=text):
            await db.copy_in("t", source, **options, atomic=False, chunks=1)
        assert await db.fetchval("select count(*) from t") == 0
    assert await db.fetchval("select 1") == 1


HEADED: dict[str, Any] = {"format": "csv", "header": True}
KEYLESS = [(1, None, "23503"), (200, None, "23503"), (349, None, "23503")]
MIXED = b'0,"a\nb"\nx,y\n1,"c\n\nd"\n2\n3,e\n4,f,g\n'
UNFIT = [(0, "a"), ("1", "b"), (2, 5), (3, "d"), (4,)]
# The table's rule, the source and its format; the rows that are rejected, their columns and why; how many land.
REJECTED: dict[str, tuple[str, Any, dict[str, Any], list[tuple[int, Any, Any]], int]] = {
    "encoding": ("", UNFIT, {}, [(1, "id", None), (2, "name", None), (4, None, None)], 2),
    "too large": ("", [(0, "a"), (2**31, "b"), (2, "c")], {}, [(1, "id", None)], 2),
    "null": ("", [(0, "a"), (1, None), (2, "c")], {}, [(1, "name", "23502")], 2),
    "unique": ("", [(0, "a"), (1, "b"), (0, "c"), (2, "d")], {}, [(2, None, "23505")], 3),
    "check": ("check (id <> 3)", list(rows(350)), {}, [(3, None, "23514")], 349),
    "foreign key": ("references u (id)", list(rows(350)), {}, KEYLESS, 347),
    "all": ("", [(None, None)] * 5, {}, [(i, "id", "23502") for i in range(5)], 0),
    "csv": ("", MIXED, {"format": "csv"}, [(1, "id", "22P02"), (3, None, "22P04"), (5, None, "22P04")], 3),
    "csv header": ("", b"id,name\n0,a\nx,y\n", HEADED, [(1, "id", "22P02")], 1),
    "text": ("", b"0\ta\\\nb\nx\ty\n1\tb\n", {"format": "text"}, [(1, "id", "22P02")], 2),
}


@pytest.mark.parametrize(("rule", "source", "options", "expected", "count"), REJECTED.values(), ids=REJECTED)
async def test_a_bad_row_costs_only_itself(
    db: AsyncDatabase, small: None, rule: str, source: Any, options: Any, expected: Any, count: int
) -> None:
    await db.execute("create table u (id int primary key); insert into u select generate_series(0, 348)")
    await db.execute("delete from u where id in (1, 200)")
    await db.execute(f"create table t (id int primary key {rule}, name text not null)")
    for way in ({}, {"atomic": False, "chunks": 2}, {"on_conflict": "update"}):
        report = await db.copy_in("t", source, errors="report", **options, **way)
        found = [(one.row, one.column, one.sqlstate) for one in report.rejected]
        assert found == [one for one in expected if one[2] != "23505" or "on_conflict" not in way]
        assert all(one.reason for one in report.rejected)
        assert report.rows == count == await db.fetchval("select count(*) from t")
        await db.execute("delete from t")


async def test_what_is_no_rows_fault_is_raised(db: AsyncDatabase) -> None:
    for way in ({}, {"errors": "report"}, {"chunks": 2}):
        with pytest.raises(UndefinedTable):
            await db.copy_in("nowhere", rows(3), **way)
    with pytest.raises(UndefinedTable):
        await db.copy_in("nowhere", csv(3), format="csv", atomic=False)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"chunks": 0}, "chunks=0"),
    ({"on_conflict": "replace"}, "on_conflict='replace'"),
    ({"errors": "ignore"}, "errors='ignore'"),
]


@pytest.mark.parametrize(("keywords", "text"), WRONG)
async def test_keywords_are_checked(db: AsyncDatabase, keywords: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        await db.copy_in("t", [], **keywords)


async def test_staging_that_a_killed_load_left_is_dropped_by_the_next(
    db: AsyncDatabase, outside: psycopg.Connection[Any], schema: str
) -> None:
    await db.execute(TABLE)
    await db.execute(f"create unlogged table {schema}.stretto_staging_0123456789abcdef (id int)")
    await db.copy_in("t", rows(10), chunks=2)
    assert await db.fetchval(STAGED) == 0


async def test_paths_and_streams_are_cut_at_the_ends_of_records(db: AsyncDatabase, small: None, tmp_path: Path) -> None:
    await db.execute("create table t (id int primary key, name text)")
    data = b"".join(b'%d,"a ""quoted""\n%s"\r\n' % (i, b"x\n" * (i % 7)) for i in range(5000))
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    expected = None
    for source in (path, str(path), io.BytesIO(data), [data[i : i + 777] for i in range(0, len(data), 777)]):
        for way in ({}, {"atomic": False, "chunks": 2}, {"errors": "report"}):
            report = await db.copy_in("t", source, format="csv", **way)
            found = await db.fetchrow(CHECKSUM)
            expected = expected or found
            assert (report.rows, found) == (5000, expected)
            await db.execute("truncate t")
            if isinstance(source, io.BytesIO):
                source.seek(0)


async def test_a_source_is_not_read_ahead_of_the_server(db: AsyncDatabase, small: None) -> None:
    """While the table is locked, no more is taken than a chunk for each connection, one that waits, one in hand."""
    await db.execute(TABLE)
    taken: list[int] = []

    def source() -> Iterator[Any]:
        for row in rows(20_000):
            taken.append(row[0])
            yield row

    with pytest.raises(LockNotAvailable):
        async with db.connection() as holder:
            await holder.execute("begin; lock table t in share mode")
            async with db.transaction():
                await db.execute("set local lock_timeout = '200ms'")
                await db.copy_in("t", source(), atomic=False)
    assert len(taken) <= 4000


async def test_types_of_errors_are_what_they_were(db: AsyncDatabase) -> None:
    await db.execute("create table t (id int check (id > 0)); create table u (id int primary key)")
    await db.execute("alter table t add foreign key (id) references u")
    with pytest.raises(CheckViolation):
        await db.copy_in("t", [(0,)])
    with pytest.raises(ForeignKeyViolation):
        await db.copy_in("t", [(1,)])
    with pytest.raises(DataError):
        await db.copy_in("t", b"\xff\n", format="csv")
