"""The demo's tables as Models: airlines, airports, planes, the weather by the hour, and the flights that tie them.

    db.create_tables(*models.ALL)
    db.fetch(select(Flight).where(Flight.airline.name == "JetBlue Airways").include(Flight.weather).limit(3))

There is no ``references=``, since create_tables would make the foreign keys with the tables, and COPY then looks up
each row by itself: ten times as long as the one check afterwards, which `flights.REFERENCES` asks for. So a relation
names the field that it goes by.
"""

from __future__ import annotations

from datetime import datetime

from stretto import Model, field, relation


class Airline(Model, table="airline"):
    """An airline by its two-letter code."""

    carrier: str = field(primary_key=True)
    name: str
    flights: list[Flight] = relation("carrier")


class Airport(Model, table="airport"):
    """An airport of the United States by its FAA code; `alt` in feet, `tz` in hours from UTC."""

    faa: str = field(primary_key=True)
    name: str
    lat: float
    lon: float
    alt: int
    tz: int
    dst: str
    tzone: str | None = None
    departures: list[Flight] = relation("origin")
    arrivals: list[Flight] = relation("dest")


class Plane(Model, table="plane"):
    """A plane by its tail number; `speed` in miles an hour, seldom known."""

    tailnum: str = field(primary_key=True)
    year: int | None = None
    type: str
    manufacturer: str
    model: str
    engines: int
    seats: int
    speed: int | None = None
    engine: str
    flights: list[Flight] = relation("tailnum")


class Weather(Model, table="weather"):
    """An hour of weather at one of New York's three airports, in Fahrenheit, miles an hour, inches and millibars.

    The local hour is no key: there are two at one o'clock when summer time ends.
    """

    origin: str = field(primary_key=True)
    year: int
    month: int
    day: int
    hour: int
    temp: float | None = None
    dewp: float | None = None
    humid: float | None = None
    wind_dir: int | None = None
    wind_speed: float | None = None
    wind_gust: float | None = None
    precip: float
    pressure: float | None = None
    visib: float
    time_hour: datetime = field(primary_key=True)
    flights: list[Flight] = relation("origin", "time_hour")


class Flight(Model, table="flight"):
    """A departure. Times are local, as 1745 for 17:45, delays in minutes; a flight that was cancelled has no times.

    Airports outside the States, planes that are not registered and some hours of weather are missing.
    """

    id: int = field(primary_key=True, generated="always")
    year: int
    month: int
    day: int
    dep_time: int | None = None
    sched_dep_time: int
    dep_delay: int | None = None
    arr_time: int | None = None
    sched_arr_time: int
    arr_delay: int | None = None
    carrier: str
    flight: int
    tailnum: str | None = None
    origin: str
    dest: str
    air_time: int | None = None
    distance: int
    hour: int
    minute: int
    time_hour: datetime
    airline: Airline = relation("carrier")
    plane: Plane | None = relation("tailnum")
    origin_airport: Airport = relation("origin")
    dest_airport: Airport | None = relation("dest")
    weather: Weather | None = relation("origin", "time_hour")


ALL = (Airline, Airport, Plane, Weather, Flight)
