"""What a bulk load would lose is refused: values that no column has, an index, nanoseconds; rows go by their names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from stretto import Model, field
from stretto._async.database import AsyncDatabase
from stretto.errors import UsageError

TABLE = "create table reading (id int primary key, place text default 'north', celsius int)"
GENERATED = "alter table reading add kelvin int generated always as (celsius + 273) stored"
WAYS: list[dict[str, Any]] = [{}, {"chunks": 2}, {"atomic": False}, {"errors": "report"}, {"on_conflict": "update"}]


class Reading(Model, table="reading"):
    id: int = field(primary_key=True)
    sensor: str | None = field(column="place", default=None)


# --- mappings ---------------------------------------------------------------------------------------------------------

LOST: list[tuple[Any, dict[str, Any], str]] = [
    ("reading", {"id": 1, "plaec": "south"}, "values for plaec, which .*: there are id, place, celsius;"),
    ("reading", {"id": 1, "sensor": "south", "note": 1}, "values for sensor, note, which"),
    (Reading, {"id": 1, "sensr": "south"}, "values for sensr, which .*: there are id, sensor, place;"),
    (Reading, {"id": 1, "sensor": "south", "celsius": 5}, "values for celsius, which"),
]


@pytest.mark.parametrize(("target", "row", "text"), LOST)
async def test_a_dict_with_a_name_that_no_column_has_is_refused(
    db: AsyncDatabase, target: Any, row: dict[str, Any], text: str
) -> None:
    await db.execute(TABLE)
    for way in WAYS:
        with pytest.raises(UsageError, match=text):
            await db.copy_in(target, [row], **way)
    async with db.connection() as connection:
        with pytest.raises(UsageError, match=text):
            await connection.copy_in(target, [row])
    assert await db.fetchval("select count(*) from reading") == 0
    assert (await db.copy_in(target, [row], columns=["id"])).rows == 1


async def test_a_dict_may_name_what_is_computed_and_a_models_columns_either_way(db: AsyncDatabase) -> None:
    await db.execute(f"{TABLE}; {GENERATED}")
    await db.copy_in("reading", [{"id": 1, "celsius": 1, "kelvin": 5}])
    await db.copy_in(
        "reading", await db.fetch("select 2 as id, * from (select celsius, kelvin from reading) r", into=dict)
    )
    await db.copy_in(Reading, [{"id": 3, "sensor": "east"}])
    await db.copy_in(Reading, [{"id": 4, "place": "west"}])
    assert await db.fetch("select id, place, kelvin from reading order by id") == [
        (1, "north", 274),
        (2, "north", 274),
        (3, "east", None),
        (4, "west", None),
    ]


# --- the rows of a fetch ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["reading", Reading])
async def test_rows_that_were_fetched_go_by_their_names(db: AsyncDatabase, target: Any) -> None:
    await db.execute(TABLE)
    for way in WAYS:
        await db.copy_in(target, await db.fetch("select 'south' as place, 7 as id"), **way)
        assert await db.fetchrow("select * from reading") == (7, "south", None), way
        await db.execute("delete from reading")
    await db.copy_in("reading", await db.fetch("select 8 as celsius, 9 as id"))
    assert await db.fetchrow("select * from reading") == (9, "north", 8)


async def test_rows_with_other_names_go_by_position_where_columns_are_named(db: AsyncDatabase) -> None:
    await db.execute(TABLE)
    found = await db.fetch("select 1 as number, 20 as degrees")
    with pytest.raises(UsageError, match="values for number, degrees, which"):
        await db.copy_in("reading", found)
    await db.copy_in("reading", found, columns=["id", "celsius"])
    assert await db.fetchrow("select * from reading") == (1, "north", 20)


# --- frames -----------------------------------------------------------------------------------------------------------


async def test_an_index_with_a_name_is_not_left_behind(db: AsyncDatabase) -> None:
    pandas = pytest.importorskip("pandas")
    await db.execute("create table reading (id serial, celsius int)")
    frame = pandas.DataFrame({"id": [7, 8], "celsius": [1, 2]})
    indexed = frame.set_index("id")
    for way in ({}, {"atomic": False}):
        with pytest.raises(UsageError, match=r"index is named id, .*reset_index"):
            await db.copy_in("reading", indexed, **way)
    await db.copy_in("reading", indexed.reset_index())
    await db.copy_in("reading", indexed, columns=["celsius"])
    await db.copy_in("reading", frame.set_index([[5, 6]]))
    found = await db.fetch("select * from reading order by celsius, id")
    assert found == [(1, 1), (7, 1), (7, 1), (2, 2), (8, 2), (8, 2)]


FINE = "create table fine (at timestamp, zoned timestamptz, clock time, span interval, several timestamp[])"
COLUMNS = ["at", "zoned", "clock", "span", "several"]
DAY = datetime(1970, 1, 1)
MICROS = (DAY.replace(microsecond=2), DAY.replace(microsecond=2, tzinfo=UTC), time(0, 0, 0, 2), timedelta(0, 0, 2))
NONE: tuple[None, ...] = (None,) * 5


def arrow(nanoseconds: int) -> Any:
    pyarrow = pytest.importorskip("pyarrow")
    kinds = [pyarrow.timestamp("ns"), pyarrow.timestamp("ns", "UTC"), pyarrow.time64("ns"), pyarrow.duration("ns")]
    columns = [pyarrow.array([nanoseconds, None], kind) for kind in kinds]
    columns.append(pyarrow.array([[nanoseconds], None], pyarrow.list_(kinds[0])))
    return pyarrow.table(dict(zip(COLUMNS, columns, strict=True)))


def polars(nanoseconds: int) -> Any:
    polars = pytest.importorskip("polars")
    kinds = [polars.Datetime("ns"), polars.Datetime("ns", "UTC"), polars.Time, polars.Duration("ns")]
    columns = [polars.Series([nanoseconds, None]).cast(kind) for kind in kinds]
    columns.append(polars.Series([[nanoseconds], None]).cast(polars.List(kinds[0])))
    return polars.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def pandas(nanoseconds: int) -> Any:
    pandas = pytest.importorskip("pandas")
    found = pandas.to_datetime([nanoseconds, None])
    columns = [found, found.tz_localize("UTC"), pandas.to_timedelta([nanoseconds, None])]
    return pandas.DataFrame(dict(zip(["at", "zoned", "span"], columns, strict=True)))


def pandas_of_arrow(nanoseconds: int) -> Any:
    return arrow(nanoseconds).to_pandas(types_mapper=pytest.importorskip("pandas").ArrowDtype)


FRAMES: dict[str, Callable[[int], Any]] = {
    "arrow": arrow,
    "polars": polars,
    "pandas": pandas,
    "pandas of arrow": pandas_of_arrow,
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
async def test_nanoseconds_are_not_lost(db: AsyncDatabase, frame: Callable[[int], Any]) -> None:
    await db.execute(FINE)
    names = list(frame(0).columns if frame is not arrow else COLUMNS)
    for way in WAYS[:-1]:
        for name in names:
            with pytest.raises(UsageError, match=f"column '{name}' has nanoseconds"):
                await db.copy_in("fine", frame(1999), columns=[name], **way)
        assert await db.fetchval("select count(*) from fine") == 0
    assert (await db.copy_in("fine", frame(2000))).rows == 2
    whole = (*MICROS, [MICROS[0]])
    expected = tuple(value if name in names else None for name, value in zip(COLUMNS, whole, strict=True))
    assert await db.fetch("select * from fine order by at") == [expected, NONE]


async def test_nanoseconds_of_arrow_are_seen_without_pandas(db: AsyncDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = arrow(1999), arrow(2000)
    await db.execute(FINE)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="column 'at' has nanoseconds"):
        await db.copy_in("fine", frames[0])
    assert (await db.copy_in("fine", frames[1])).rows == 2
