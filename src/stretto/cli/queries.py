"""What the demo asks of its Models. The demo shows these very lines: they are written to be read."""

from __future__ import annotations

from stretto import Row, Select, avg, count, desc, is_not_null, related, select, some
from stretto.cli.models import Airline, Flight, Plane


def gales() -> Select[Flight]:
    """Who left in the worst gale?"""
    return (
        select(Flight)
        .where(is_not_null(Flight.dep_time))
        .order_by(desc(some(Flight.weather).wind_gust, nulls="last"))
        .order_by(desc(Flight.dep_delay))
        .limit(3)
        .include(Flight.airline, Flight.weather)
    )


def farthest() -> Select[Row]:
    """Which planes are sent the farthest?"""
    plane, miles = some(Flight.plane), avg(Flight.distance)
    return (
        select(plane.manufacturer, plane.model, flights=count(), miles=miles)
        .where(plane.seats > 100)
        .group_by(plane.manufacturer, plane.model)
        .having(count() > 1000)
        .order_by(desc(miles))
        .limit(5)
    )


def blizzard() -> Select[Airline]:
    """Who flew in the blizzard of 8 February?"""
    that_day = [Flight.month == 2, Flight.day == 8]
    flights = related(Airline.flights, Flight.plane, where=that_day)
    return select(Airline).include(flights)


def oldest() -> Select[Plane]:
    """Which planes are the oldest in the register, and where did they go?"""
    flights = related(
        *(Plane.flights, Flight.airline, Flight.dest_airport, Flight.weather),
        order_by=[desc(Flight.distance), Flight.id],
        limit=2,
    )
    return select(Plane).order_by(Plane.year, Plane.tailnum).limit(3).include(flights)


def airline() -> Select[Airline]:
    """One airline, alone."""
    return select(Airline).where(Airline.carrier == "HA")
