"""``stretto demo``: a PostgreSQL of one's own, all flights of a year, questions about them, and a race with the peers.

It ends by itself. The server is stopped at the end, its data stays, so that a second run has nothing to load.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit

from stretto import AsyncDatabase, Database, embedded
from stretto.cli import graphs, loading, questions
from stretto.cli.cost import watched
from stretto.cli.flights import TABLES, data_directory
from stretto.cli.models import Flight
from stretto.cli.places import demo_directory
from stretto.cli.race import ground, report
from stretto.cli.race.command import watch
from stretto.cli.race.course import Course, chosen
from stretto.cli.race.workloads import Sizes
from stretto.cli.view import View
from stretto.errors import ConfigError

DATABASE = "flights"
_WORKLOADS = ("select", "mixed")
_SHORT = Sizes(seconds=1.0, operations=500)  # a minute, with all peers
_QUICK = Sizes(seconds=0.1, operations=40)
_QUICK_ONLY = "stretto, asyncio|asyncpg, asyncio"


class Demo:
    """One run.

    Args:
        directory: where the data is kept; None for a place of this user's.
        output: the directory of the race's report, made where it is missing.
        quick: a race of no more than a glance, of few.
    """

    def __init__(self, directory: Path | None, *, output: Path, quick: bool) -> None:
        self._directory = directory or demo_directory()
        self._output = output
        self._sizes = _QUICK if quick else _SHORT
        self._only = _QUICK_ONLY if quick else None
        self._view = View()

    def run(self) -> None:
        """Do it all. Raises stretto's errors and OSError where the machine or the server refuses."""
        begun = time.perf_counter()
        self._view.title("All flights that left New York in 2013, as Python objects")
        self._output.mkdir(parents=True, exist_ok=True)
        data_directory()  # what is not installed is told before a server is started for it
        with self._start() as server:
            self._view.started(server, self._directory, time.perf_counter() - begun)
            url = _database_of(server.url)
            with Database(url) as db:
                self._load(db)
                self._ask(db)
                self._ask_for_objects(db)
                asyncio.run(self._ask_on_asyncio(url))
            written = self._race(server.url)
        self._view.ended(self._directory, time.perf_counter() - begun, written)

    def _start(self) -> embedded.Server:
        try:
            return embedded.start(self._directory)
        except embedded.StartError as error:
            if "postmaster.pid" not in error.message:
                raise
            raise ConfigError(
                f"a server runs on the data in {str(self._directory)!r} already, perhaps of another demo: wait for its "
                "end, or name another directory (--directory)"
            ) from error

    def _load(self, db: Database) -> None:
        rows = sum(table.rows for table in TABLES)
        if loading.is_loaded(db):
            self._view.say(f"The five tables are there from an earlier run: {rows:,} rows.")
            return
        with self._view.progress("Loading by COPY", rows, "rows") as advance:
            seconds = loading.load(db, lambda table, count: advance(count))
        self._view.say(f"{rows:,} rows in five tables, with their keys, in {seconds:.1f} s.")

    def _ask(self, db: Database) -> None:
        self._view.section("SQL, and classes of your own", "with stretto.Database(url) as db:")
        with watched() as cost:
            delays = db.fetch(questions.DELAYS, 5, into=questions.Delays)
        self._view.answer("Whose flights leave the latest?", "db.fetch(sql, 5, into=Delays)", delays, cost)

    async def _ask_on_asyncio(self, url: str) -> None:
        self._view.section("asyncio", "async with stretto.AsyncDatabase(url) as db:")
        async with AsyncDatabase(url) as db:
            with watched() as cost:
                months = (db.fetchrow(questions.WORST_DAY, month, into=questions.WorstDay) for month in range(1, 13))
                days = sorted(filter(None, await asyncio.gather(*months)), key=lambda each: -each.cancelled)
            question = "The worst day of each month? (twelve statements at once; here the worst five)"
            call = "await gather(*(db.fetchrow(sql, m, into=WorstDay) for m in months))"
            self._view.answer(question, call, days[:5], cost)
            with watched() as cost:
                busiest = await db.fetchrow(questions.BUSIEST_PLANE, into=questions.PlaneDay)
        if busiest is not None:
            question = f"Which plane left the most often in a day? {busiest.plane.tailnum}, on {busiest.day:%d %B}"
            call = "await db.fetchrow(sql, into=PlaneDay)"
            self._view.answer(question, call, [_leg(each) for each in busiest.flights], cost)

    def _ask_for_objects(self, db: Database) -> None:
        self._view.section("Models and their relations", "db.fetch(select(Flight)...)")
        graphs.show(db, self._view)
        self._view.section("Nothing is loaded by surprise", "the error says what to add")
        graphs.show_what_was_not_loaded(db, self._view)
        self._view.section("Objects", "what they are: the classes you wrote")
        flight = db.get(Flight, 271_989, include=[Flight.airline, Flight.weather])
        self._view.python("db.get(Flight, 271_989, include=[Flight.airline, Flight.weather])", flight)
        with watched() as cost:
            flights = db.fetch("select * from flight", into=Flight)
        self._view.code('flights = db.fetch("select * from flight", into=Flight)')
        rate = f"{len(flights) / cost.seconds:,.0f} a second"
        self._view.say(f"{len(flights):,} objects in {cost.seconds:.2f} s, {rate}")
        self._view.code("sum(flight.distance for flight in flights if flight.air_time)")
        self._view.say(f"{sum(each.distance for each in flights if each.air_time):,}")

    def _race(self, url: str) -> list[Path]:
        """Race with the peers that are installed, on this server, and write the report."""
        self._view.section("The race", f"stretto race --workload {' --workload '.join(_WORKLOADS)}")
        self._view.say("The same work by stretto and by every driver and ORM that is installed, one after the other.")
        with ground.existing(url) as place:
            result = watch(place, Course(place, chosen(_WORKLOADS, self._only), self._sizes), self._view.screen)
        return report.write(result, self._output)


def _database_of(url: str) -> str:
    """The URL of the demo's own database on this server; it is made when missing."""
    with Database(url) as db:
        if not db.fetchval("select exists (select from pg_database where datname = $1)", DATABASE):
            db.execute(f"create database {DATABASE}")
    return urlsplit(url)._replace(path=f"/{DATABASE}").geturl()


def _leg(flight: Flight) -> dict[str, object]:
    return {
        "flight": f"{flight.carrier} {flight.flight}",
        "route": f"{flight.origin} {flight.dest}",
        "planned": _clock(flight.sched_dep_time),
        "left": _clock(flight.dep_time),
        "minutes late": flight.dep_delay,
        "miles": flight.distance,
    }


def _clock(number: int | None) -> str:
    """1745 is 17:45 in this data."""
    return "" if number is None else f"{number // 100}:{number % 100:02}"
