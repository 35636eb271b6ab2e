"""copy_table(): a table from one database to another, whole or not at all, whatever happens on the way."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from tests.live.support import Broken

from stretto._async.database import AsyncDatabase
from stretto.errors import BulkError, CommitUnknown, ConnectionLost, CopyDiffers, UsageError
from stretto.flows.moved import CopyProgress, TableCopy
from stretto.sqlstate import InvalidTextRepresentation, NotNullViolation, UndefinedColumn, UniqueViolation

ROWS = 12_000  # more than two parts
FLIGHT = """
create table flight (id int primary key, name varchar(40) not null, price numeric(10,2), at timestamptz, stops int4[],
                     twice int generated always as (id * 2) stored)
"""
FILL = f"""
insert into flight select i, repeat('n', 20) || i, i / 7.0, '2026-03-29 00:30Z'::timestamptz + i * interval '7 min',
                          case when i % 5 > 0 then array[i, null, i + 1] end from generate_series(1, {ROWS}) i
"""
WAYS: dict[str, dict[str, Any]] = {
    "one transaction": {},
    "staged": {"jobs": 2},
    "by part": {"jobs": 2, "atomic": False},
    "one by one": {"atomic": False},
}
SAME = "select count(*), sum(hashtextextended(f::text, 0))::text from flight f"


@pytest.fixture(scope="module")
def far_url(server_url: str) -> Iterator[str]:
    """Another database on the same server."""
    name = f"live_far_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
        yield server_url.rpartition("/")[0] + f"/{name}"
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def there(far_url: str, schema: str) -> Iterator[psycopg.Connection[Any]]:
    """A look at the target, in whose schema of the same name nothing may be left but its tables."""
    with psycopg.connect(far_url, autocommit=True) as connection:
        connection.execute(f"create schema {schema}")
        connection.execute(f"set search_path = {schema}")
        yield connection
        connection.execute(f"drop schema {schema} cascade")


@pytest.fixture
def far(open_db: Callable[..., Any], far_url: str, there: Any, schema: str) -> Any:
    """The target."""
    settings = {"search_path": schema, "application_name": f"{schema}_far"}
    return open_db(far_url, connections=3, server_settings=settings)


@pytest.fixture
def flight(outside: psycopg.Connection[Any], there: psycopg.Connection[Any]) -> None:
    """The table on both sides, full and empty."""
    for connection in (outside, there):
        connection.execute(FLIGHT)
    outside.execute(FILL)


def one_value(connection: psycopg.Connection[Any], sql: str) -> Any:
    row = connection.execute(sql).fetchone()  # type: ignore[call-overload]  # not a literal
    assert row is not None
    return row[0] if len(row) == 1 else row


def failure(cause: type[Exception], way: dict[str, Any]) -> type[Exception]:
    """What is raised where the cause was raised."""
    return cause if way.get("atomic", True) else BulkError


def tables(connection: psycopg.Connection[Any]) -> set[str]:
    found = connection.execute("select tablename from pg_tables where schemaname = current_schema()").fetchall()
    return {name for (name,) in found}


# --- all of it --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.usefixtures("flight")
async def test_a_table_is_the_same_there(
    db: AsyncDatabase, far: AsyncDatabase, outside: Any, there: Any, way: Any
) -> None:
    seen: list[CopyProgress] = []
    report = await db.copy_table("flight", far, verify=True, progress=seen.append, **way)
    assert isinstance(report, TableCopy)
    assert (str(report), report.rows, report.format, report.verified) == (f"COPY {ROWS}", ROWS, "binary", True)
    assert sum(part.rows for part in report.parts) == ROWS
    assert sum(part.bytes for part in report.parts) == report.bytes > ROWS * 50
    assert (len(report.parts) > 2) == (way != {})
    assert (seen[-1].rows, seen[-1].bytes) == (ROWS, report.bytes)
    assert one_value(there, SAME) == one_value(outside, SAME)
    assert tables(there) == {"flight"}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.usefixtures("flight")
async def test_a_table_is_made(db: AsyncDatabase, far: AsyncDatabase, outside: Any, there: Any, way: Any) -> None:
    columns = {"id": "number", "name": "full name", "twice": "twice"}
    await db.copy_table("flight", far, "Made", columns=columns, create=True, verify=True, **way)
    assert one_value(there, 'select count(*), sum(number), max("full name") from "Made"') == one_value(
        outside, "select count(*), sum(id), max(name) from flight"
    )
    assert one_value(there, 'select sum(twice) from "Made"') == ROWS * (ROWS + 1)
    with pytest.raises(psycopg.errors.UniqueViolation):
        there.execute("insert into \"Made\" values (1, 'x')")
    with pytest.raises(psycopg.errors.NotNullViolation):
        there.execute('insert into "Made" values (0)')
    assert tables(there) == {"flight", "Made"}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.usefixtures("flight")
async def test_what_is_written_meanwhile_does_not_go_over(
    db: AsyncDatabase, far: AsyncDatabase, outside: Any, there: Any, way: Any
) -> None:
    before = one_value(outside, SAME)

    def write(progress: CopyProgress) -> None:
        outside.execute("delete from flight where id = (select max(id) from flight)")
        outside.execute("update flight set name = name || '!' where id = (select id from flight order by ctid limit 1)")
        outside.execute(f"insert into flight select max(id) + {ROWS}, 'new' from flight")

    await db.copy_table("flight", far, verify=True, progress=write, **way)
    assert one_value(there, SAME) == before != one_value(outside, SAME)


async def test_tables_of_one_snapshot(db: AsyncDatabase, far: AsyncDatabase, outside: Any, there: Any) -> None:
    for connection in (outside, there):
        connection.execute("create table a (n int); create table b (n int)")
    outside.execute("insert into a values (1); insert into b values (1)")
    async with db.transaction(isolation="repeatable_read", readonly=True):
        await db.copy_table("a", far)
        outside.execute("insert into a values (2); insert into b values (2)")
        await db.copy_table("b", far, jobs=2)
    assert one_value(there, "select array_agg(n) from (table a union all table b) x") == [1, 1]


async def test_it_is_part_of_a_transaction_of_the_target(
    db: AsyncDatabase, far: AsyncDatabase, outside: Any, there: Any
) -> None:
    outside.execute("create table t (at timestamptz); insert into t values (now())")
    there.execute("create table t (at timestamptz); insert into t values ('2000-01-01')")
    with contextlib.suppress(Broken):
        async with far.transaction():
            await far.execute("set local timezone = 'Asia/Tokyo'")
            report = await db.copy_table("t", far, verify=True)
            assert (report.rows, report.verified) == (1, True)
            assert await far.fetchval("show timezone") == "Asia/Tokyo"
            raise Broken
    assert one_value(there, "select count(*) from t") == 1
    async with far.transaction():
        await db.copy_table("t", far, verify=True)
        await db.copy_table("t", far, "made", create=True)
        with pytest.raises(UsageError, match="jobs=1 and atomic=True"):
            await db.copy_table("t", far, jobs=2)
    assert one_value(there, "select (select count(*) from t), (select count(*) from made)") == (2, 1)


# --- columns and types ------------------------------------------------------------------------------------------------

# the column there and here, a value, the format, and the value's text there
TYPES: dict[str, tuple[str, str, str, str, str]] = {
    "same": ("int", "int", "7", "binary", "7"),
    "strings": ("text", "varchar(9)", "'a\\b\n'", "binary", "a\\b\n"),
    "wider": ("bigint", "int", "7", "text", "7"),
    "number to text": ("text", "numeric", "1.50", "text", "1.50"),
    "scale": ("numeric(8,1)", "numeric(8,3)", "1.25", "binary", "1.3"),
    "bool to text": ("text", "bool", "true", "text", "t"),
    "json to jsonb": ("jsonb", "json", """'{"b":1,  "a":2}'""", "text", '{"a": 2, "b": 1}'),
    "time without zone": ("timestamp", "timestamptz", "'2026-01-01 01:00+01'", "text", "2026-01-01 00:00:00"),
    "names of the server": ("regtype", "regtype", "'int4'", "text", "integer"),
    "enum": ("mood", "mood", "'bad'", "binary", "bad"),
    "domain": ("positive", "int", "3", "binary", "3"),
    "array of enums": ("mood[]", "mood[]", "'{ok,bad}'", "text", "{ok,bad}"),
    "interval": ("interval", "text", "'-1 day +02:03:00'", "text", "-1 days +02:03:00"),
    "infinity": ("float8", "float8", "'-Infinity'", "binary", "-Infinity"),
    "null": ("bigint", "int", "null", "text", ""),
}


@pytest.mark.parametrize(("new", "old", "value", "form", "text"), TYPES.values(), ids=TYPES)
async def test_types_that_differ_go_over_as_text(
    db: AsyncDatabase,
    far: AsyncDatabase,
    outside: Any,
    there: Any,
    new: str,
    old: str,
    value: str,
    form: str,
    text: str,
) -> None:
    outside.execute("create type mood as enum ('ok', 'bad')")
    there.execute("create type other as enum ('x'); create type mood as enum ('bad', 'ok')")
    there.execute("create domain positive as int check (value > 0)")
    outside.execute(f"create table t (v {old}); insert into t values ({value})")
    there.execute(f"create table t (v {new})")
    exact = old != "numeric(8,3)"  # what the target's type rounds differs, and is said to
    report = await db.copy_table("t", far, verify=exact)
    assert report.format == form
    assert one_value(there, "select coalesce(v::text, '') from t") in (text, {"t": "true"}.get(text))
    if not exact:
        there.execute("truncate t")
        with pytest.raises(CopyDiffers):
            await db.copy_table("t", far, verify=True)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_a_value_that_does_not_fit_is_named(
    db: AsyncDatabase, far: AsyncDatabase, outside: Any, there: Any, way: Any
) -> None:
    outside.execute("create table t (v text); insert into t values ('1'), ('two')")
    there.execute("create table t (v int)")
    with pytest.raises(failure(InvalidTextRepresentation, way)) as caught:
        await db.copy_table("t", far, **way)
    cause: Any = caught.value.__cause__ if isinstance(caught.value, BulkError) else caught.value
    assert 'line 2, column v: "two"' in cause.where
    assert one_value(there, "select count(*) from t") == 0
    assert tables(there) == {"t"}


async def test_columns_may_be_others_and_have_other_names(
    db: AsyncDatabase, far: AsyncDatabase, outside: Any, there: Any, schema: str
) -> None:
    outside.execute(
        'create table "Old one" ("a b" int, "ä" text, more int); insert into "Old one" values (1, \'x\', 2)'
    )
    there.execute("create table new (id int generated always as identity, n int, t text, c int default 9)")
    report = await db.copy_table("Old one", far, (schema, "new"), columns={"ä": "t", "a b": "n"}, verify=True)
    assert report.table == f'"{schema}"."new"'
    await db.copy_table(f"{schema}.Old one", far, "new", columns={"a b": "id"}, jobs=2)
    await db.copy_table("select 5 as n, now()::text as t, 7 as z", far, "new", columns=["n", "t"], verify=True)
    assert there.execute("select id, n, c from new").fetchall() == [(1, 1, 9), (1, None, 9), (2, 5, 9)]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no such table here": ({"source": "nowhere"}, 'the source has no table "nowhere"'),
    "no such table there": ({"into": "nowhere"}, 'the target has no table "nowhere"'),
    "no such column here": ({"columns": ["id", "x"]}, "the source has no column 'x': there are id, name"),
    "no such column there": ({"columns": {"id": "x"}}, "the target has no column 'x', there are id, name"),
    "a column twice": ({"columns": {"id": "id", "twice": "id"}}, "a column of the target twice"),
    "a computed column": ({"columns": ["id", "twice"]}, "the target computes its column 'twice'"),
    "no columns": ({"columns": []}, "columns= is a list of names, or a dict"),
    "a str of columns": ({"columns": "id"}, "columns= is a list of names, or a dict"),
    "a query without a name": ({"source": "select 1 as id"}, "say into= which table"),
    "no jobs": ({"jobs": 0}, "jobs=0: at least one"),
    "too many jobs": ({"jobs": 3}, "jobs=3: <.*> needs connections=4, and has 3"),
    "a transform that is none": ({"transform": "upper"}, "a plain function"),
    "a transform's number": ({"transform": len}, "returned a int: a dict of columns is due"),
    "a transform's nothing": ({"transform": lambda row: {}}, "returned the columns none"),
    "a transform's moods": (
        {"transform": lambda row: {"id": row["id"], **({"name": "x"} if row["id"] == 1 else {"price": 1})}},
        "returned the columns id, price, and before id, name",
    ),
}


@pytest.mark.parametrize(("keywords", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.usefixtures("flight")
async def test_what_can_t_be_is_said(
    db: AsyncDatabase, far: AsyncDatabase, there: Any, keywords: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        await db.copy_table(**{"source": "flight", "to": far, **keywords})
    assert one_value(there, "select count(*) from flight") == 0


async def test_the_target_must_be_another_database(db: AsyncDatabase, far_url: str) -> None:
    with pytest.raises(UsageError, match="the source is the target"):
        await db.copy_table("t", db, "u")
    with pytest.raises(UsageError, match=r"copies to another .*Database, not to a str"):
        await db.copy_table("t", far_url)  # type: ignore[arg-type]


# --- the transform ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.usefixtures("flight")
async def test_rows_are_changed_and_dropped(db: AsyncDatabase, far: AsyncDatabase, there: Any, way: Any) -> None:
    there.execute("create table person (number int, title text, label text default 'none')")

    def change(row: dict[str, Any]) -> dict[str, Any] | None:
        if row["number"] % 3 == 0:
            return None
        return {"title": row["name"].title()[:3], "number": -row["number"], "label": f"{row['at']:%Y}"}

    columns = {"id": "number", "name": "name", "at": "at"}
    report = await db.copy_table("flight", far, "person", columns=columns, transform=change, verify=True, **way)
    assert (report.rows, report.dropped, report.checksum, report.verified) == (ROWS * 2 // 3, ROWS // 3, None, True)
    found = one_value(there, "select count(*), max(number), min(title), max(label) from person")
    assert found == (ROWS * 2 // 3, -1, "Nnn", "2026")
    assert tables(there) == {"flight", "person"}


async def test_all_rows_may_be_dropped(db: AsyncDatabase, far: AsyncDatabase, outside: Any, there: Any) -> None:
    outside.execute("create table t (n int); insert into t values (1)")
    there.execute("create table t (n int)")
    for way in WAYS.values():
        report = await db.copy_table("t", far, transform=lambda row: None, verify=True, **way)
        assert (report.rows, report.dropped) == (0, 1)
    assert tables(there) == {"t"}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.usefixtures("flight")
async def test_a_transform_that_raises_leaves_nothing(
    db: AsyncDatabase, far: AsyncDatabase, there: Any, way: Any
) -> None:
    def change(row: dict[str, Any]) -> dict[str, Any]:
        if row["id"] == 10:
            raise Broken
        return {"id": row["id"], "name": row["name"]}

    with pytest.raises(failure(Broken, way)) as caught:
        await db.copy_table("flight", far, transform=change, **way)
    landed = caught.value.report.rows if isinstance(caught.value, BulkError) else 0
    assert isinstance(caught.value.__cause__ if isinstance(caught.value, BulkError) else caught.value, Broken)
    assert one_value(there, "select count(*) from flight") == landed < ROWS
    assert tables(there) == {"flight"}


# --- what is copied ---------------------------------------------------------------------------------------------------

SOURCES = {
    "partitioned": """create table t (n int, t text) partition by range (n);
                      create table t1 partition of t for values from (0) to (4000);
                      create table t2 partition of t for values from (4000) to (9000)""",
    "inherited": """create table t (n int, t text); create table child (more int) inherits (t);
                    create table grandchild () inherits (child, t); insert into child values (-1, 'a', 7);
                    insert into grandchild select -i, 'x' from generate_series(2, 8000) i""",
    "plain": "create table t (n int, t text)",
    "empty": "create table t (n int, t text); create rule r as on insert to t do instead nothing",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
async def test_every_kind_of_table(
    db: AsyncDatabase, far: AsyncDatabase, outside: Any, there: Any, make: str, way: Any
) -> None:
    outside.execute(make)
    outside.execute("insert into t select i, repeat('x', 200) from generate_series(1, 8000) i")
    there.execute("create table t (n int, t text)")
    report = await db.copy_table("t", far, verify=True, **way)
    expected = 0 if "rule" in make else one_value(outside, "select count(*) from t")
    assert report.rows == one_value(there, "select count(*) from t") == expected
    assert one_value(there, "select count(distinct n) from t") == expected >= 8000 * (expected > 0)


async def test_views_and_queries(db: AsyncDatabase, far: AsyncDatabase, outside: Any, there: Any) -> None:
    outside.execute("create view v as select i as n, i::text as t from generate_series(1, 50) i")
    outside.execute("create materialized view m as select * from v")
    for number, (source, way) in enumerate(
        (s, w) for s in ("v", "m", "with x as (table v) select * from x;") for w in WAYS.values()
    ):
        report = await db.copy_table(source, far, f"t{number}", create=True, verify=True, **way)
        assert report.rows == one_value(there, f"select count(n) from t{number}") == 50


# --- what goes wrong --------------------------------------------------------------------------------------------------

GO_AWAY = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
 where application_name = '{}' and (query like 'copy%' or query like 'COPY%')
"""


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.usefixtures("flight")
async def test_a_connection_that_is_killed_leaves_nothing_or_what_is_reported(
    db: AsyncDatabase, far: AsyncDatabase, outside: Any, there: Any, schema: str, way: Any, side: str
) -> None:
    moment = random.Random().randrange(1, 8)
    name = schema if side == "source" else f"{schema}_far"

    def strike(progress: CopyProgress) -> None:
        nonlocal moment
        moment -= 1
        if moment == 0:
            outside.execute(GO_AWAY.format(name))

    landed: tuple[Any, ...] = ()
    failed: BaseException | None = None
    try:
        landed = (await db.copy_table("flight", far, progress=strike, **way)).parts
    except (ConnectionLost, CommitUnknown, BulkError) as error:
        failed = error
    if isinstance(failed, CommitUnknown):
        return  # killed at the one COMMIT
    unknown: tuple[Any, ...] = ()
    if isinstance(failed, BulkError):
        landed, unknown, failed = failed.report.parts, failed.report.unknown, failed.__cause__
    assert failed is None or isinstance(failed, (ConnectionLost, CommitUnknown))
    certain = sum(part.rows for part in landed)
    assert certain <= one_value(there, "select count(*) from flight") <= certain + sum(part.rows for part in unknown)
    for part in landed:
        where = f" {part.where}" if part.where else ""
        ids = one_value(outside, f"select array_agg(id) from {part.source}{where}")
        assert one_value(there, f"select count(*) from flight where id = any(array{ids})") == part.rows
    assert tables(there) == {"flight"}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.usefixtures("flight")
async def test_verification_catches_what_a_trigger_changes(
    db: AsyncDatabase, far: AsyncDatabase, there: Any, way: Any
) -> None:
    there.execute(
        "create function spoil() returns trigger language plpgsql as "
        "$$begin if new.id = 77 then new.price := 0; end if; return new; end$$;"
        "create trigger spoil before insert on flight for each row execute function spoil()"
    )
    with pytest.raises(failure(CopyDiffers, way), match=r"not as they were") as caught:
        await db.copy_table("flight", far, verify=True, **way)
    left = one_value(there, "select count(*) from flight")
    if isinstance(caught.value, BulkError):
        assert isinstance(caught.value.__cause__, CopyDiffers)
        assert (left, caught.value.report.rows, caught.value.report.verified) == (ROWS, ROWS, False)
    else:
        assert left == 0
    there.execute("create or replace function spoil() returns trigger language plpgsql as 'begin return null; end'")
    there.execute("truncate flight")
    with pytest.raises((CopyDiffers, BulkError), match=rf"0 of {ROWS} rows are there"):
        await db.copy_table("flight", far, verify=True, **way)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.usefixtures("flight")
async def test_rows_that_are_there_already_stay_as_they_were(
    db: AsyncDatabase, far: AsyncDatabase, there: Any, way: Any
) -> None:
    there.execute(f"insert into flight values ({ROWS}, 'mine')")
    with pytest.raises((UniqueViolation, BulkError)):
        await db.copy_table("flight", far, **way)
    assert one_value(there, f"select name from flight where id = {ROWS}") == "mine"
    there.execute("delete from flight where name <> 'mine'")
    there.execute("update flight set id = -1")
    await db.copy_table("flight", far, verify=True, **{**way, "columns": ["id", "name"]})
    assert one_value(there, "select count(*) from flight") == ROWS + 1


async def test_a_column_that_must_not_be_null(db: AsyncDatabase, far: AsyncDatabase, outside: Any, there: Any) -> None:
    outside.execute("create table t (n int); insert into t values (1)")
    there.execute("create table t (n int, must text not null)")
    for way in WAYS.values():
        with pytest.raises((NotNullViolation, BulkError)):
            await db.copy_table("t", far, **way)
    with pytest.raises(UndefinedColumn):
        await db.copy_table("t", far, transform=lambda row: {"nothing": 1})
    assert one_value(there, "select count(*) from t") == 0
    assert tables(there) == {"t"}
