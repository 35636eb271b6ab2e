"""What the demo asks in SQL, and the classes of the answers: each row of a statement becomes an object of its class.

The columns have the names of the fields. A table's name in the select (``f as flight``) is its whole row, which becomes
an object inside the object; ``array_agg(f)`` becomes a list of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from stretto.cli.models import Flight, Plane


@dataclass(slots=True)
class Delays:
    """How late an airline's departures were."""

    airline: str
    flights: int
    mean: timedelta
    over_an_hour: float
    worst: timedelta


DELAYS = """
select a.name as airline, count(*) as flights,
       date_trunc('second', avg(f.dep_delay) * interval '1 minute') as mean,
       (100.0 * count(*) filter (where f.dep_delay > 60) / count(*))::float8 as over_an_hour,
       max(f.dep_delay) * interval '1 minute' as worst
from flight f join airline a using (carrier)
where f.dep_delay is not null
group by a.name order by mean desc limit $1
"""


@dataclass(slots=True)
class PlaneDay:
    """A plane and what it flew out of New York on one day."""

    plane: Plane
    day: date
    flights: list[Flight]


BUSIEST_PLANE = """
with busiest as (
    select tailnum, year, month, day from flight where tailnum is not null and dep_time is not null
    group by tailnum, year, month, day order by count(*) desc, tailnum limit 1
)
select p as plane, make_date(b.year::int, b.month::int, b.day::int) as day,
       array_agg(f order by f.sched_dep_time) as flights
from busiest b join flight f using (tailnum, year, month, day) join plane p using (tailnum)
group by p.tailnum, b.year, b.month, b.day
"""


@dataclass(slots=True)
class WorstDay:
    """The day of a month on which the most flights were cancelled."""

    day: date
    flights: int
    cancelled: int
    mean: timedelta


WORST_DAY = """
select make_date(year::int, month::int, day::int) as day, count(*) as flights,
       count(*) filter (where dep_time is null) as cancelled,
       date_trunc('second', avg(dep_delay) * interval '1 minute') as mean
from flight where month = $1
group by year, month, day order by cancelled desc limit 1
"""
