"""The demo's part on Models: queries as they are written, what comes of them, and the error of what was not loaded."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable

from stretto import Database
from stretto.cli import queries
from stretto.cli.cost import watched
from stretto.cli.models import Airline, Flight, Plane
from stretto.cli.view import View
from stretto.errors import NotLoaded


def show(db: Database, view: View) -> None:
    """Ask all of it."""
    with watched() as cost:
        flights = db.fetch(queries.gales())
    view.answer(_title(queries.gales), _code(queries.gales), [_in_a_gale(each) for each in flights], cost)
    with watched() as cost:
        rows = db.fetch(queries.farthest())
    view.answer(_title(queries.farthest), _code(queries.farthest), [each._asdict() for each in rows], cost)
    with watched() as cost:
        airlines = db.fetch(queries.blizzard())
    busy = sorted(airlines, key=lambda each: -len(each.flights))[:5]
    view.answer(_title(queries.blizzard), _code(queries.blizzard), [_that_day(each) for each in busy], cost)
    with watched() as cost:
        planes = db.fetch(queries.oldest())
    branches = {_of_age(plane): [_leg(flight) for flight in plane.flights] for plane in planes}
    view.tree(_title(queries.oldest), _code(queries.oldest), branches, cost)


def show_what_was_not_loaded(db: Database, view: View) -> None:
    """An error, what it says, and what comes of doing so."""
    airline = db.fetchrow(queries.airline())
    if airline is None:
        raise LookupError("an airline that was there is gone")
    view.code(f"airline = db.fetchrow({_code(queries.airline)})")
    view.code("len(airline.flights)")
    try:
        len(airline.flights)
    except NotLoaded as error:
        view.error(error)
    with watched() as cost:
        db.load(airline, Airline.flights)
    view.code("db.load(airline, Airline.flights)", cost)
    view.code("len(airline.flights)")
    view.say(str(len(airline.flights)))


def _title(query: Callable[[], object]) -> str:
    return inspect.getdoc(query) or ""


def _code(query: Callable[[], object]) -> str:
    """The body of a function that returns a query, as it is written."""
    _, _, body = inspect.getsource(query).partition('"""\n')
    lines = textwrap.dedent(body).rstrip().splitlines()
    if lines[-1] != ")" or "return (" not in lines:
        return "\n".join(lines).replace("return ", "", 1)
    place = lines.index("return (")
    first, *methods = textwrap.dedent("\n".join(lines[place + 1 : -1])).splitlines()
    return "\n".join([*lines[:place], first, *(f"    {line}" for line in methods)])


def _in_a_gale(flight: Flight) -> dict[str, object]:
    return {
        "airline": flight.airline.name,
        "flight": f"{flight.carrier} {flight.flight}",
        "route": f"{flight.origin} {flight.dest}",
        "gusts, mph": flight.weather and flight.weather.wind_gust,
        "minutes late": flight.dep_delay,
    }


def _that_day(airline: Airline) -> dict[str, object]:
    left = [each for each in airline.flights if each.dep_time is not None]
    late = [each.dep_delay for each in left if each.dep_delay is not None]
    return {
        "airline": airline.name,
        "planned": len(airline.flights),
        "left": len(left),
        "seats that left": sum(each.plane.seats for each in left if each.plane is not None),
        "minutes late": sum(late) / max(len(late), 1),
    }


def _of_age(plane: Plane) -> str:
    return f"{plane.year}  {plane.manufacturer} {plane.model}, {plane.seats} seats  {plane.tailnum}"


def _leg(flight: Flight) -> str:
    weather = f", {flight.weather.temp:.0f} °F" if flight.weather and flight.weather.temp is not None else ""
    where = flight.dest_airport.name.removesuffix(" Intl") if flight.dest_airport else flight.dest
    number = f"{flight.carrier} {flight.flight}"
    return f"{flight.time_hour:%d %b}  {number:<8}{flight.origin}{weather}, to {where}  {flight.airline.name}"
